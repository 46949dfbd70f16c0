//! CHLD: children that have ended, and their orphans.

use std::time::Instant;

use super::Master;
use crate::event::Shutdown;
use crate::log;
use crate::master::children::{Began, Child, name_of, signal_all};
use crate::os::in_child::was_left;
use crate::os::process::{self, Exit, Pid};
use crate::os::signals::Signal;
use crate::worker;

impl Master {
    pub(super) fn reap(&mut self) {
        while let Some((pid, exit)) = process::reap() {
            if Some(pid) == self.next_binary {
                self.next_binary_ended(pid, exit);
            } else {
                self.child_ended(pid, exit);
            }
        }
    }

    pub(super) fn child_ended(&mut self, pid: Pid, exit: Exit) {
        let began = self.began(pid, exit);
        let Some((child, pause)) = self.children.remove(pid, began, Instant::now()) else {
            if was_left(pid) {
                return;
            }
            // The process was a child of a dispatcher that has died.
            log_exit("orphaned process", pid, exit);
            self.cycle.ledger.retire(pid as u32);
            return;
        };
        log_exit(name_of(child.seat), pid, exit);
        self.cycle.ledger.retire(pid as u32);
        if let Some((_, model)) = self.models.iter().find(|(generation, _)| *generation == child.generation) {
            model.child_died(child.seat, pid as u32);
        }
        if child.is_ending {
            // A dispatcher may have died before it passed the signal on to its children.
            self.end_orphans();
        }
        let newest = self.cycle.generation;
        for (_, model) in self.models.extract_if(.., |(g, _)| !self.children.has(*g) && *g != newest) {
            model.ended();
        }
        if let Some(pause) = pause {
            self.cycle.ledger.header().respawns.add(1);
            if pause.is_hopeless && self.end_unless_served(&child) {
                return;
            }
            let (name, ms) = (name_of(child.seat), pause.time.as_millis());
            if began == Began::Never {
                log::alert!("{name} {pid} exited with fatal code {}, tried again in {ms} ms", worker::FATAL);
            } else if ms > 0 {
                log::alert!("{name} {pid} died at once, its successor starts in {ms} ms");
            }
        }
    }

    /// Whether a process that has ended had been at work: it had if its loop ever woke up.
    pub(super) fn began(&self, pid: Pid, exit: Exit) -> Began {
        let mut own_slots = self.cycle.ledger.live().filter(|slot| slot.pid() == Some(pid as u32));
        match exit {
            Exit::Code(worker::FATAL) => Began::Never,
            // Another process, or a user, ended it.
            Exit::Code(0)
            | Exit::Signal(libc::SIGKILL | libc::SIGTERM | libc::SIGINT | libc::SIGQUIT | libc::SIGHUP) => Began::Yes,
            _ if own_slots.any(|slot| slot.turns.get() > 0) => Began::Yes,
            _ => Began::No,
        }
    }

    /// Ends the service after the death of `dead`, which could not begin, if no other process has its role: clients
    /// would connect, and hang. `false`: it goes on.
    fn end_unless_served(&mut self, dead: &Child) -> bool {
        let Child { seat, generation, .. } = *dead;
        if self.shutdown.has_begun()
            || generation != self.cycle.generation
            || self.children.serves(generation, seat.role)
        {
            return false;
        }
        log::emerg!("no {} can begin, the service ends", name_of(seat));
        self.exit_code = 1;
        self.end_gracefully();
        true
    }

    pub(super) fn end_orphans(&self) {
        let (generation, signal) = match self.shutdown {
            Shutdown::Fast if self.kill_at.is_some() => (u32::MAX, Signal::SIGTERM),
            Shutdown::Fast => (u32::MAX, Signal::SIGKILL),
            Shutdown::Graceful => (u32::MAX, Signal::SIGQUIT),
            Shutdown::No => (self.cycle.generation, Signal::SIGQUIT),
        };
        signal_all(&self.orphans(generation), signal);
    }

    /// The children of dead dispatchers, of a generation before `generation`: the kernel has made them children of this
    /// process. Children that this process had before it became drover have no slot in the ledger.
    pub(super) fn orphans(&self, generation: u32) -> Vec<Pid> {
        let is_orphan = |pid: &Pid| {
            let slot = self.cycle.ledger.live().find(|slot| slot.pid() == Some(*pid as u32));
            !self.children.contains(*pid) && slot.is_some_and(|slot| slot.generation() < generation)
        };
        process::children().into_iter().filter(is_orphan).collect()
    }
}

/// Logs the end of a process (ngx_process_get_status).
pub(super) fn log_exit(name: &str, pid: Pid, exit: Exit) {
    match exit {
        Exit::Code(code) => log::notice!("{name} {pid} exited with code {code}"),
        Exit::Signal(signal) => log::alert!("{name} {pid} exited on signal {signal}"),
    }
}
