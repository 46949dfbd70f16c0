//! `exclusive`: every worker watches every listening socket with EPOLLEXCLUSIVE, so that a connection wakes one of them.
//!
//! Each queues up behind the others again every `rotate` connections, and when it is over its load limit (see
//! `rotation.rs`).

use std::io;
use std::sync::Arc;

use super::bell::{listen_to, tell};
use super::herd::{Always, listen_if_possible};
use super::rotation::Rotation;
use super::{Hooks, Kind, Life, Loop, Model, Param, Seat, Setup, Takes, Wait, report, workers};
use crate::event::{Ready, Source};
use crate::os::EventFd;

pub static KIND: Kind = Kind {
    name: "exclusive",
    params: &[ROTATE],
    about: "Every worker watches the listening socket with EPOLLEXCLUSIVE: one connection wakes one of those that are \
            idle. After every `rotate` connections, and when it is over 7/8 of its connections, a worker queues up behind \
            the others again; `rotate=0`: never.",
    make,
};

const ROTATE: Param = Param { name: "rotate", takes: Takes::Number(0, 1_000_000), default: Rotation::EVERY };

struct Exclusive {
    workers: u32,
    rotate: u64,
    gong: Arc<EventFd>,
}

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    let gong = Arc::new(EventFd::new()?);
    Ok(Arc::new(Exclusive { workers: setup.workers, rotate: setup.param(&ROTATE), gong }))
}

impl Model for Exclusive {
    fn plan(&self) -> Vec<Seat> {
        workers(self.workers)
    }

    fn life(&self, _seat: Seat) -> Life {
        // As in nginx, a lone worker needs no EPOLLEXCLUSIVE, and no re-adding.
        if self.workers < 2 {
            return Life::Loop(Box::new(Always));
        }
        Life::Loop(Box::new(Rotating::new(self.rotate, self.gong.clone())))
    }
}

/// Watches the sockets that are shared with other workers exclusively, and its own as they are.
pub(super) struct Rotating {
    rotation: Rotation,
    /// Rung by a worker that was woken for a connection and can't take it.
    gong: Arc<EventFd>,
    hears_gong: bool,
}

impl Rotating {
    /// Queues up again every so many connections; 0: never. `gong`: one for all workers.
    pub fn new(every: u64, gong: Arc<EventFd>) -> Rotating {
        Rotating { rotation: Rotation::new(every), gong, hears_gong: false }
    }
}

impl Hooks for Rotating {
    fn before_wait(&mut self, state: &mut Loop) -> Wait {
        if !self.hears_gong {
            self.hears_gong = report(listen_to(&self.gong, Source::Model(0), &state.poller));
        }
        state.listening.set_exclusive();
        listen_if_possible(state)
    }

    /// Sockets that are put in anew are looked at once more.
    fn own_event(&mut self, state: &mut Loop, _n: u32, _ready: Ready) {
        report(state.listening.move_all_to_back(&state.poller));
    }

    fn declined(&mut self, state: &mut Loop) {
        if state.listening.has_shared() {
            tell(&self.gong);
        }
    }

    fn accepted(&mut self, state: &mut Loop, n: u32, count: u64) {
        if state.listening.is_own(n) || self.rotation.is_never() {
            return;
        }
        if self.rotation.is_due(n, count) || state.accept_disabled > 0 {
            state.tally.rotations.add(1);
            report(state.listening.move_to_back(n, &state.poller));
        }
    }
}
