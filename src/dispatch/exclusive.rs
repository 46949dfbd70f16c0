//! `exclusive`: every worker watches every listening socket with EPOLLEXCLUSIVE, so that a connection wakes one of them.
//!
//! Linux wakes the one that was added first, again and again: it would get most of the connections. So each takes its sockets out
//! and puts them in again, behind the others, every `rotate` connections and when it is over its load limit (nginx 1.21:
//! ngx_reorder_accept_events, with 16).

use std::io;
use std::sync::Arc;

use super::bell::{listen_to, tell};
use super::herd::{Always, listen_if_possible};
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

const ROTATE: Param = Param { name: "rotate", takes: Takes::Number(0, 1_000_000), default: 16 };

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
        let gong = self.gong.clone();
        Life::Loop(Box::new(Rotating { every: self.rotate, accepted: Vec::new(), gong, hears_gong: false }))
    }
}

struct Rotating {
    every: u64,
    /// Connections accepted so far, by listening socket.
    accepted: Vec<u64>,
    /// Rung by a worker that was woken for a connection and can't take it.
    gong: Arc<EventFd>,
    hears_gong: bool,
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

    fn declined(&mut self, _state: &mut Loop) {
        tell(&self.gong);
    }

    fn accepted(&mut self, state: &mut Loop, n: u32, count: u64) {
        if self.every == 0 {
            return;
        }
        if self.accepted.len() <= n as usize {
            self.accepted.resize(n as usize + 1, 0);
        }
        let Some(accepted) = self.accepted.get_mut(n as usize) else { return };
        // The first connection rotates as well, as in nginx: `c->requests++ % 16 != 0`.
        let next_turning_point = accepted.div_ceil(self.every) * self.every;
        *accepted += count;
        if next_turning_point < *accepted || state.accept_disabled > 0 {
            state.tally.rotations.add(1);
            report(state.listening.move_to_back(n, &state.poller));
        }
    }
}
