//! `herd`: every worker watches every listening socket, with no lock. A connection wakes all workers that sleep, and
//! all but one wake in vain: the thundering herd, here to be measured. In the field: Tornado and Twisted after a fork,
//! nginx before 1.11.3 without the accept mutex.
//!
//! - `plan`: `worker_processes` workers, no dispatcher.
//! - `life`: the event loop, with the hooks `Always`.
//! - The loop: the sockets stay in the epoll set, level-triggered.
//! - `child_died`: nothing to mend; the kernel closes the sockets of a dead worker.

use super::model::{Always, Life, Model, ModelKind, Places, Seat, Setup, workers};
use std::io;
use std::sync::Arc;

pub(super) static KIND: ModelKind = ModelKind {
    name: "herd",
    params: &[],
    about: "Every worker watches the listening socket, with no lock: one connection wakes all that are idle.",
    places: Places::OfWorker,
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
        Life::Loop(Box::new(Always { is_lone: self.workers < 2 }))
    }
}
