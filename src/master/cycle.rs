//! A generation of the conf, ready to serve (ngx_cycle_t). A forked child has a copy.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::PidLocation;
use super::bound::{self, Bound};
use super::children::name_of;
use super::steered;
use crate::conf::Conf;
use crate::dispatch::{AcceptOptions, Choice, Model, Seat, Sockets, acceptors};
use crate::http::HttpConf;
use crate::log::{self, Logs};
use crate::os::confine::Confinement;
use crate::os::users::Credentials;
use crate::os::{Addr, ErrnoText, Failure, parent, process, set_title};
use crate::shm::Ledger;
use crate::stream::Servers;
use crate::tls::Endpoints;
use crate::worker;

/// Makes the dispatch model of a generation, with the memory and descriptors that its processes share. To be called
/// before the fork.
pub(crate) fn make_model(
    choice: &Choice,
    workers: Option<u32>,
    generation: u32,
    ledger: &Ledger,
    conf: &Conf,
) -> Result<Arc<dyn Model>, Failure> {
    let made = choice.make(workers, generation, ledger, conf);
    made.map_err(|error| {
        error.downcast::<Failure>().unwrap_or_else(|error| Failure::new("making the dispatch model", error))
    })
}

/// A generation of the conf: all that a child needs to serve.
pub struct Cycle {
    /// The conf.
    pub conf: Conf,
    /// The compiled `http` block.
    pub site: Arc<HttpConf>,
    /// The compiled `stream` block.
    pub streams: Arc<Servers>,
    /// Certificates, keys and rules for TLS.
    pub endpoints: Arc<Endpoints>,
    /// Every log file, open.
    pub logs: Arc<Logs>,
    /// The listening sockets, in the order of [`crate::serve::listen_sockets`].
    pub sockets: Vec<Bound>,
    /// The ledger, which all generations share.
    pub ledger: Ledger,
    /// The dispatch model, which decides which process accepts.
    pub model: Arc<dyn Model>,
    /// The conf's choice of the model.
    pub choice: Choice,
    /// The number of workers; `None`: there is no master.
    pub workers: Option<u32>,
    /// The user that the children become; `None`: they stay the master's user.
    pub user: Option<Credentials>,
    /// The location of the pid file.
    pub pid_location: PidLocation,
    /// The files that the children may open; `None`: whatever their user may.
    pub files: Option<Confinement>,
    /// The number of the generation, counted from 1.
    pub generation: u32,
}

impl Cycle {
    /// Becomes the next generation of the same conf, which shares sockets and logs with the last one, and nothing else.
    /// Error: no descriptors are left; nothing has changed then.
    pub fn renew(&mut self) -> Result<(), Failure> {
        let generation = self.generation + 1;
        let model = make_model(&self.choice, self.workers, generation, &self.ledger, &self.conf)?;
        self.settle();
        self.model = model;
        self.generation = generation;
        steered::steer_by_model(&mut self.sockets, &[], &*self.model);
        Ok(())
    }

    /// Tells the ledger which generation serves, by which model and within which limits.
    pub(crate) fn announce(&self) {
        let header = self.ledger.header();
        header.generation.store(self.generation, Ordering::Relaxed);
        header.worker_connections.store(AcceptOptions::of(&self.conf).connections as u64, Ordering::Relaxed);
        header.certificate_expiry_unix_s.store(self.endpoints.first_expiry().unwrap_or(0), Ordering::Relaxed);
        let (name, reason) = match self.model.stand_in() {
            Some(stand_in) => (stand_in.name, stand_in.reason.as_str()),
            None => (self.choice.name(), ""),
        };
        header.model.set(name);
        header.model_reason.set(reason);
    }

    /// Tells the kernel which sockets get new connections. To be called before the processes of an older generation
    /// leave; see `bound::steer`.
    pub fn steer(&mut self, before: &[Addr]) {
        let by_cpu = (self.model.sockets() == Sockets::OwnByCpu)
            .then(|| worker::workers_by_cpu(&self.conf, acceptors(&self.model.plan())).groups);
        bound::steer(&self.sockets, before, by_cpu.as_deref());
        steered::steer_by_model(&mut self.sockets, before, &*self.model);
    }

    /// Lets the model look after its processes; returns when it is to do so again.
    pub fn care(&self) -> Option<Duration> {
        self.model.care(&steered::groups(&self.sockets))
    }

    /// Undoes what the model's care has done: another generation or program is about to take the sockets over.
    pub fn settle(&self) {
        self.model.settle(&steered::groups(&self.sockets));
    }

    /// Runs the process of `seat` to its end and returns the exit code. To be called in that process. The process's
    /// life gets the only references to the sockets, so that they close when it drops them. `user`: the user that the
    /// process becomes.
    pub fn live(&mut self, seat: Seat, user: Option<Credentials>) -> i32 {
        let tally = match self.ledger.claim(process::id() as u32, seat.role, seat.number) {
            Ok(tally) => tally.of_generation(self.generation),
            Err(error) => {
                log::emerg!("{}", ErrnoText(&error));
                return worker::UNLUCKY;
            }
        };
        let sockets = bound::of_process(std::mem::take(&mut self.sockets), seat.number);
        worker::run(worker::Start {
            seat,
            model: self.model.clone(),
            tally,
            conf: &self.conf,
            site: self.site.clone(),
            streams: self.streams.clone(),
            endpoints: self.endpoints.clone(),
            sockets,
            logs: self.logs.clone(),
            user,
            files: self.files.take(),
        })
    }

    /// Runs a forked child to its end. To be called after the fork, in the child.
    pub fn live_and_exit(&mut self, seat: Seat) -> ! {
        set_title(&format!("drover: {}", name_of(seat)));
        // A panic is a bug, which the hook has logged. The panic must end this process, and not unwind into the copy of
        // the master's stack.
        let user = self.user.clone();
        let code = catch_unwind(AssertUnwindSafe(|| self.live(seat, user))).unwrap_or(101);
        if parent::is_orphan() {
            // Without a master this process frees its own slot, for which others wait.
            self.ledger.retire(process::id() as u32);
        }
        process::exit_now(code)
    }
}
