//! What the workers know of each other: who takes connections, how many each has, and whose epoll set has the sockets.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use crate::dispatch::lease::Shared;
use crate::dispatch::{Loop, Setup, report};
use crate::os::{Poller, SharedMap, shareable};

/// As many as `worker_processes` may ask for.
const MOST_WORKERS: usize = 1024;

/// Connections that come faster than this one after the other, ns, are a rush. With a holder and a deputy alone, 64 clients that
/// connect as fast as they can were served a fifth more slowly than under `exclusive`, because the others slept.
const RUSH_NS: u64 = 500_000;

/// How long a rush lasts after the last two such connections, ns. Where it ended with the next longer gap, workers joined and left it
/// all the time: at 1000 connections a second, one in forty was answered 30 to 50 µs later than under `exclusive`.
const RUSH_LASTS_NS: u64 = 5_000_000;

shareable! {
    /// How much a worker has to do, on cache lines of its own: it writes this once a turn, and others seldom read it.
    #[derive(Debug)]
    #[repr(align(128))]
    pub(super) struct Load {
        /// How many connections it has.
        pub(super) connections: AtomicU32,
        /// Since when it has waited, µs of the clock.
        pub(super) since: AtomicU64,
    }
}

shareable! {
    /// What is known of a worker; of this, others read once a turn what seldom changes.
    #[derive(Debug)]
    #[repr(align(128))]
    pub(super) struct Place {
        pub(super) load: Load,
        /// 0: it takes no connections now.
        pub(super) pid: AtomicU32,
        /// When its set was given the sockets, by count; 0: it hasn't got them. Written by the mutex's holder, as a rule. What it
        /// says is a hint: a set that has the sockets against it costs a wakeup, one that lacks them is mended by its owner.
        pub(super) turn: AtomicU64,
    }
}

shareable! {
    /// What the holder says.
    #[derive(Debug)]
    #[repr(align(128))]
    pub(super) struct Front {
        /// When a connection was accepted last, by whomever; ns of the clock.
        pub(super) last_accept: AtomicU64,
        /// Until then there is a rush; ns of the clock.
        pub(super) rush_until: AtomicU64,
        /// Counts how often a set was given the sockets.
        pub(super) turns: AtomicU64,
        /// The deputy's seat, and one; 0: there is none.
        pub(super) deputy: AtomicU32,
    }
}

shareable! {
    #[derive(Debug)]
    pub(super) struct Places {
        pub(super) front: Front,
        pub(super) seats: [Place; MOST_WORKERS],
    }
}

/// What the processes of one generation share.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) shared: Shared,
    pub(super) places: Arc<SharedMap<Places>>,
    /// The epoll instances of the seats.
    pub(super) sets: Arc<Vec<Arc<Poller>>>,
}

impl Common {
    /// Made by the master, for the workers of one generation. Errors: no descriptors left.
    pub(super) fn new(setup: &Setup<'_>, seats: u32) -> io::Result<Common> {
        Ok(Common {
            shared: Shared::new(setup.ledger, setup.generation, seats)?,
            places: Arc::new(SharedMap::create("drover-handoff")?),
            sets: Arc::new((0..seats).map(|_| Poller::new().map(Arc::new)).collect::<io::Result<_>>()?),
        })
    }

    pub(super) fn place(&self, seat: u32) -> Option<&Place> {
        self.places.seats.get(seat as usize)
    }

    /// The seats that take connections, but for one: number, pid, connections, since when they wait.
    pub(super) fn others(&self, seat: u32) -> impl Iterator<Item = Other> + '_ {
        let seats =
            (0..).zip(self.places.seats.iter().take(self.sets.len())).filter(move |(number, _)| *number != seat);
        seats.filter_map(|(number, place)| {
            let pid = place.pid.load(Ordering::Acquire);
            let connections = place.load.connections.load(Ordering::Relaxed);
            let since = place.load.since.load(Ordering::Relaxed);
            (pid != 0).then_some(Other { connections, since, number, pid })
        })
    }

    /// Process `pid` on seat `number` takes no connections; unless another has the seat by now.
    pub(super) fn clear(&self, number: u32, pid: u32) {
        if let Some(place) = self.place(number) {
            let _ = place.pid.compare_exchange(pid, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    pub(super) fn turn_of(&self, number: u32) -> u64 {
        self.place(number).map_or(0, |place| place.turn.load(Ordering::Relaxed))
    }

    /// Gives the sockets to the set of seat `number`, behind those that have them.
    pub(super) fn put_in(&self, number: u32, state: &Loop) {
        let (Some(place), Some(set)) = (self.place(number), self.sets.get(number as usize)) else { return };
        place.turn.store(self.places.front.turns.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        report(state.listening.lend(set));
    }

    pub(super) fn take_out(&self, number: u32, state: &Loop) {
        let (Some(place), Some(set)) = (self.place(number), self.sets.get(number as usize)) else { return };
        place.turn.store(0, Ordering::Relaxed);
        report(state.listening.take_back(set));
    }

    /// When connections wait: gives the sockets to the set of seat `number` anew, which looks at them then.
    pub(super) fn look_again(&self, number: u32, state: &Loop) {
        if state.listening.has_waiting() {
            self.take_out(number, state);
            self.put_in(number, state);
        }
    }

    /// Whether the worker on seat `number` takes connections.
    pub(super) fn takes_connections(&self, number: u32) -> bool {
        self.place(number).is_some_and(|place| place.pid.load(Ordering::Acquire) != 0)
    }

    /// Connections have been accepted, at `now` ns of the clock. Whether they come in a rush. In a rush that is written down four
    /// times in `RUSH_NS` at most: a line that is written at each accept goes from CPU to CPU at each accept.
    pub(super) fn note_accept(&self, now: u64) -> bool {
        let front = &self.places.front;
        let since = now.saturating_sub(front.last_accept.load(Ordering::Relaxed));
        let is_near = since < RUSH_NS;
        if since > RUSH_NS / 4 {
            front.last_accept.store(now, Ordering::Relaxed);
            if is_near {
                front.rush_until.store(now + RUSH_LASTS_NS, Ordering::Relaxed);
            }
        }
        is_near || now < front.rush_until.load(Ordering::Relaxed)
    }

    /// Whether connections come so fast that all workers stand by.
    pub(super) fn is_rush(&self, state: &mut Loop) -> bool {
        state.driver.clock().turn_ns() < self.places.front.rush_until.load(Ordering::Relaxed)
    }

    /// Sees to it that the holder's set has the sockets, then the deputy's, and, unless there is a rush, no other.
    pub(super) fn arrange(&self, holder: u32, deputy: Option<Other>, state: &mut Loop) {
        let number = deputy.map(|deputy| deputy.number);
        let is_rush = self.is_rush(state);
        let mut is_any = false;
        for other in 0..self.sets.len() as u32 {
            if !is_rush && other != holder && Some(other) != number && self.turn_of(other) != 0 {
                self.take_out(other, state);
                is_any = true;
            }
        }
        if is_any {
            // One of them may have been woken just now, and will find nothing.
            self.look_again(holder, state);
        }
        if self.turn_of(holder) == 0 {
            self.put_in(holder, state);
        }
        self.places.front.deputy.store(number.map_or(0, |number| number + 1), Ordering::Relaxed);
        let Some(deputy) = deputy else { return };
        let turn = self.turn_of(deputy.number);
        if turn != 0 && turn < self.turn_of(holder) {
            self.take_out(deputy.number, state);
        }
        if self.turn_of(deputy.number) == 0 {
            self.put_in(deputy.number, state);
            // The other end of the fence in `withdraw`.
            fence(Ordering::SeqCst);
            if !self.takes_connections(deputy.number) {
                self.take_out(deputy.number, state);
            }
        }
    }
}

/// Ordered by who is to have the mutex next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Other {
    pub(super) connections: u32,
    pub(super) since: u64,
    pub(super) number: u32,
    pub(super) pid: u32,
}
