//! `herd`: every worker watches every listening socket, with no lock. A connection wakes all that sleep, and all but one of
//! them wake in vain: the thundering herd, here to be measured.

use std::io;
use std::sync::Arc;

use super::{Hooks, Kind, Life, Loop, Model, Seat, Setup, Wait, report, workers};

pub static KIND: Kind = Kind {
    name: "herd",
    params: &[],
    about: "Every worker watches the listening socket, with no lock: one connection wakes all that are idle.",
    make,
};

struct Herd {
    workers: u32,
}

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    Ok(Arc::new(Herd { workers: setup.workers }))
}

impl Model for Herd {
    fn plan(&self) -> Vec<Seat> {
        workers(self.workers)
    }

    fn life(&self, _seat: Seat) -> Life {
        Life::Loop(Box::new(Always))
    }
}

/// What a process that has neither master nor dispatcher lives by.
pub(super) fn lone_worker() -> Arc<dyn Model> {
    Arc::new(Herd { workers: 1 })
}

/// Listens whenever it can; also what a lone worker does under the models that need at least two.
pub(super) struct Always;

impl Hooks for Always {
    fn before_wait(&mut self, state: &mut Loop) -> Wait {
        listen_if_possible(state)
    }
}

/// Puts the sockets into the epoll set, or waits no longer than until that may be tried again.
pub(super) fn listen_if_possible(state: &mut Loop) -> Wait {
    if state.may_listen() {
        report(state.listening.arm(&state.poller));
        return Wait::default();
    }
    let now = state.driver.clock().now_ms();
    Wait { at_most_ms: state.pause_ends().map(|at| at.saturating_sub(now)), posts: false }
}
