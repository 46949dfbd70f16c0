//! One generation of the conf, ready to serve (ngx_cycle_t). A fork takes a copy along.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::PidPlace;
use super::children::name_of;
use super::sockets::{self, Bound};
use crate::conf::Conf;
use crate::dispatch::{AcceptOptions, Choice, Model, Seat, Sockets};
use crate::http::HttpConf;
use crate::log::{self, Logs};
use crate::os::users::Credentials;
use crate::os::{Addr, ErrnoText, Failure, parent, process, set_title};
use crate::shm::Ledger;
use crate::stream::Servers;
use crate::worker;

/// Makes what the processes of a generation share.
pub fn make_model(
    choice: &Choice,
    workers: Option<u32>,
    generation: u32,
    ledger: &Ledger,
    conf: &Conf,
) -> Result<Arc<dyn Model>, Failure> {
    let made = choice.make(workers, generation, ledger, AcceptOptions::of(conf));
    made.map_err(|e| Failure::new("making the dispatch model", e))
}

/// What the children of one generation are made of.
pub struct Cycle {
    /// What was said.
    pub conf: Conf,
    /// Its sites.
    pub site: Arc<HttpConf>,
    /// Its servers without HTTP.
    pub streams: Arc<Servers>,
    /// Every log file, open.
    pub logs: Arc<Logs>,
    /// The listening sockets, in the order of [`serve::listen_sockets`].
    pub sockets: Vec<Bound>,
    /// Shared by all generations.
    pub ledger: Ledger,
    /// Who accepts.
    pub model: Arc<dyn Model>,
    /// What the model was chosen by.
    pub choice: Choice,
    /// How many workers it was made for; `None`: there is no master.
    pub workers: Option<u32>,
    /// Who the children become; `None`: who they are.
    pub user: Option<Credentials>,
    /// Where the master's id is to be written.
    pub pid_place: PidPlace,
    /// Counted from 1.
    pub generation: u32,
}

impl Cycle {
    /// Becomes the next generation of the same conf, with nothing in common with the processes of the last one but sockets and
    /// logs. Errors: no descriptors left; then all is as before.
    pub fn renew(&mut self) -> Result<(), Failure> {
        let generation = self.generation + 1;
        self.model = make_model(&self.choice, self.workers, generation, &self.ledger, &self.conf)?;
        self.generation = generation;
        Ok(())
    }

    /// Tells the kernel where new connections go, before the processes of an older generation leave; see [`sockets::steer`].
    pub fn steer(&self, before: &[Addr]) {
        sockets::steer(&self.sockets, before, self.model.sockets() == Sockets::OwnByCpu);
    }

    /// Lives the life of the process on `seat`, in that process, and keeps no socket for itself: when the life lets go of them,
    /// they are closed. Returns the exit code. `user`: who the process becomes.
    pub fn live(&mut self, seat: Seat, user: Option<Credentials>) -> i32 {
        let tally = match self.ledger.claim(process::id() as u32, seat.role, seat.number) {
            Ok(tally) => tally.of_generation(self.generation),
            Err(error) => {
                log::emerg!("{}", ErrnoText(&error));
                return worker::UNLUCKY;
            }
        };
        let sockets = sockets::of_process(std::mem::take(&mut self.sockets), seat.number);
        worker::run(worker::Start {
            seat,
            model: self.model.clone(),
            tally,
            conf: &self.conf,
            site: self.site.clone(),
            streams: self.streams.clone(),
            sockets,
            logs: self.logs.clone(),
            user,
        })
    }

    /// The whole life of a forked child.
    pub fn live_and_exit(&mut self, seat: Seat) -> ! {
        set_title(&format!("drover: {}", name_of(seat)));
        // A panic is a bug, which the hook has logged. It must end this process, and not unwind into the master's copy of the
        // stack.
        let user = self.user.clone();
        let code = catch_unwind(AssertUnwindSafe(|| self.live(seat, user))).unwrap_or(101);
        if parent::is_orphan() {
            // Others wait for that, and there is no master to do it.
            self.ledger.retire(process::id() as u32);
        }
        process::exit_now(code)
    }
}
