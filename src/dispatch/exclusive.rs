//! `exclusive`: every worker watches every listening socket with EPOLLEXCLUSIVE, so that a connection wakes one of
//! them. In the field: nginx since 1.11.3 (`accept_mutex off`, its default).
//!
//! - `plan`: `worker_processes` workers, no dispatcher.
//! - `life`: the event loop, with the hooks `Rotating`; a lone worker always listens.
//! - The loop: the sockets stay in the epoll set. A worker queues up behind the others again after every `rotate`
//!   connections, and when it is over its load limit (see `Rotation`).
//! - `child_died`: nothing to mend; the kernel closes the sockets of a dead worker.

use std::io;
use std::sync::Arc;

use super::model::{
    Always, Hooks, Life, Loop, Model, ModelKind, Param, Places, Seat, Setup, Takes, Wait, listen_if_possible, workers,
};
use super::sockets::{Rotation, log_epoll_failure};
use super::waker::{Hearing, wake};
use crate::event::{Ready, Source};
use crate::os::EventFd;

pub(super) static KIND: ModelKind = ModelKind {
    name: "exclusive",
    params: &[ROTATE],
    about: "Every worker watches the listening socket with EPOLLEXCLUSIVE: one connection wakes one of those that are \
            idle. After every `rotate` connections, and when it is over 7/8 of its connections, a worker queues up \
            behind the others again; `rotate=0`: never.",
    places: Places::OfWorker,
    make,
};

const ROTATE: Param = Param { name: "rotate", takes: Takes::Number(0, 1_000_000), default: Rotation::EVERY };

struct Exclusive {
    workers: u32,
    rotate: u64,
    workers_waker: Arc<EventFd>,
}

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    let workers_waker = Arc::new(EventFd::new()?);
    Ok(Arc::new(Exclusive { workers: setup.workers, rotate: setup.param(&ROTATE), workers_waker }))
}

impl Model for Exclusive {
    fn plan(&self) -> Vec<Seat> {
        workers(self.workers)
    }

    fn life(&self, _seat: Seat) -> Life {
        // A lone worker needs no EPOLLEXCLUSIVE and no rotation, as in nginx.
        if self.workers < 2 {
            return Life::Loop(Box::new(Always { is_lone: true }));
        }
        Life::Loop(Box::new(Rotating::new(self.rotate, self.workers_waker.clone())))
    }
}

/// Watches the sockets that are shared with other workers exclusively, and the worker's own sockets plainly.
pub(super) struct Rotating {
    rotation: Rotation,
    /// Wakes all workers. Woken by a worker that was woken for a connection and can't take it: the kernel wakes no
    /// other for it.
    workers_waker: Arc<EventFd>,
    hearing: Hearing,
}

impl Rotating {
    /// Queues up again every so many connections; 0: never. `workers_waker`: the same for all workers.
    pub(super) fn new(every: u64, workers_waker: Arc<EventFd>) -> Rotating {
        Rotating { rotation: Rotation::new(every), workers_waker, hearing: Hearing::default() }
    }
}

impl Hooks for Rotating {
    fn before_wait(&mut self, state: &mut Loop) -> Wait {
        self.hearing.begin(&self.workers_waker, Source::Model(0), &state.poller);
        state.listening.set_exclusive();
        listen_if_possible(state)
    }

    /// Another worker was woken in vain. A connection that waits is reported anew for sockets that are put in anew.
    fn own_event(&mut self, state: &mut Loop, _n: u32, _ready: Ready) {
        log_epoll_failure(state.listening.move_all_to_back(&state.poller));
    }

    fn declined(&mut self, state: &mut Loop) {
        if state.listening.has_shared() {
            wake(&self.workers_waker);
        }
    }

    fn has_rivals(&self, state: &Loop, n: u32) -> bool {
        !state.listening.is_own(n)
    }

    fn accepted(&mut self, state: &mut Loop, n: u32, count: u64) {
        if state.listening.is_own(n) || self.rotation.is_never() {
            return;
        }
        if self.rotation.count(n, count) || state.accept_disabled > 0 {
            state.tally.rotations.add(1);
            log_epoll_failure(state.listening.move_to_back(n, &state.poller));
        }
    }
}
