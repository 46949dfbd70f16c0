//! HUP: a new generation of the conf beside the old one.

use super::Master;
use super::upkeep::{Certificates, ConfWatch};
use crate::log;
use crate::master::loader::{Before, LoadError, log_warnings};
use crate::master::pid_file::PidFile;
use crate::master::port_move::{self, Retired};
use crate::master::sockets::InUse;
use crate::master::steered::Surplus;
use crate::master::{Cycle, Inherited, PidLocation, bound, inherited};
use crate::os::signals::Signal;
use std::time::Instant;

impl Master {
    pub(super) fn reload(&mut self) {
        if self.shutdown.has_begun() {
            return;
        }
        self.tell_reloading();
        if self.is_idle && self.next_binary.is_some() {
            let called = self.renew_workers();
            return self.report_reload(called);
        }
        if self.next_binary.is_some() {
            return self.report_reload(Err(LoadError::Other("a binary upgrade is under way".into())));
        }
        log::notice!("reconfiguring");
        let (sockets, generation) = (&self.cycle.sockets[..], self.cycle.generation);
        let endpoints = Some(&*self.cycle.endpoints);
        let watch_of_refused = self.conf_watch.again(&self.loader);
        let old = Before { sockets, generation, zones: self.cycle.site.zones.clone(), endpoints };
        let mut none = Inherited::default();
        let next = self
            .loader
            .read_to_serve(inherited::passed_dual_stack(&self.cycle.sockets))
            .and_then(|read| self.loader.prepare(read, &self.cycle.ledger, old, &mut none, InUse::Retry));
        let done = next.and_then(|next| match self.move_pid_file(&next.pid_location) {
            Ok(()) => {
                self.switch_to(next);
                Ok(())
            }
            Err(error) => {
                bound::close_missing(&next.sockets, &self.cycle.sockets);
                Err(error)
            }
        });
        port_move::end(&self.cycle.sockets);
        if done.is_err() {
            self.conf_watch = watch_of_refused;
        }
        self.report_reload(done);
    }

    /// Starts new workers with the conf of the old ones, after HUP to an old binary (ngx_master_process_cycle). They
    /// are a generation of their own, because workers that were sent away may still use the memory that theirs shares.
    pub(super) fn renew_workers(&mut self) -> Result<(), LoadError> {
        self.cycle.renew()?;
        self.is_idle = false;
        self.start_children();
        Ok(())
    }

    /// Tells the result of a reload to the log, and by the ledger's counters to `-s reload`.
    pub(super) fn report_reload(&self, result: Result<(), LoadError>) {
        let header = self.cycle.ledger.header();
        match result {
            Ok(()) => {
                header.reload_error.set("");
                header.reloads_ok.add(1);
            }
            Err(error) => {
                log::emerg!("{error}");
                header.reload_error.set(&error.to_string());
                header.reloads_failed.add(1);
            }
        }
    }

    /// Replaces the current generation by `next`. The new children start before the old ones are told to end, so that
    /// some process accepts at every moment.
    pub(super) fn switch_to(&mut self, mut next: Cycle) {
        self.fill_empty_seats();
        self.remove_paths(&next.sockets);
        self.cycle.settle();
        // An old binary may need the sockets again.
        if self.old_binary().is_none() {
            self.retired = Retired::replace(&self.cycle.sockets, &next.sockets);
        }
        // All sockets listen now, as steering needs.
        next.steer(&bound::addrs(&self.cycle.sockets));
        if !self.has_other_binary() {
            self.surplus = Surplus::of(&self.cycle.sockets, &next.sockets);
        }
        self.cycle = next;
        self.certificates = Certificates::of(&self.cycle.endpoints, Instant::now());
        self.conf_watch = ConfWatch::of(&self.cycle.conf, &self.loader);
        self.cycle.logs.make_current();
        log_warnings(&self.cycle.conf);
        self.is_idle = false;
        self.start_children();
        std::mem::take(&mut self.retired).wait_until_empty();
        std::mem::take(&mut self.surplus).hand_on();
        self.end_before(self.cycle.generation, Signal::SIGQUIT);
    }

    /// Replaces the children by those of the next generation of the same conf. To be called after `fill_empty_seats`
    /// and `Cycle::renew`.
    pub(super) fn replace_children(&mut self) {
        self.start_children();
        self.end_before(self.cycle.generation, Signal::SIGQUIT);
    }

    /// Starts the processes that wait to be started, where each has sockets of its own: that of a process which has
    /// just died may hold connections, which no other process can accept.
    pub(super) fn fill_empty_seats(&mut self) {
        if self.cycle.sockets.iter().any(|socket| socket.copy.is_some()) {
            self.reap();
            self.children.take_empty().into_iter().for_each(|seat| self.start(seat));
        }
    }

    /// A file that is where `to` says, in whatever spelling, upgrade_refusal; one that somebody has removed is made
    /// again.
    pub(super) fn move_pid_file(&mut self, to: &PidLocation) -> Result<(), LoadError> {
        if !self.pid_file.as_ref().map_or(Ok(false), |file| to.is_at(file))? {
            let new = to.create()?;
            std::mem::replace(&mut self.pid_file, new).into_iter().for_each(PidFile::remove);
        }
        Ok(())
    }
}
