//! The workers of `accept_handoff` as they see each other: which of them take connections, how many each has, and whose
//! epoll set has the listening sockets.
//!
//! # The atomics: who writes, who reads, in which order
//!
//! ```text
//! atomic                         writer                       reader                       ordering
//! Load::connections,             the seat's worker            all workers, to choose a     Relaxed: a hint
//! waiting_since_us                                            successor
//! SeatState::pid                 the seat's worker; CAS by    all workers                  Release, AcqRel / Acquire;
//!                                `mark_absent`                                             fences 1 and 3
//! SeatState::armed               the worker that arms or      all workers                  Relaxed: a hint, the set
//!                                disarms the seat's set,                                   itself decides; fence 2
//!                                mostly the holder
//! Coordination::last_accept_ns,  the worker that has          all workers                  Relaxed: a hint
//! rush_until_ns                  accepted
//! Coordination::arms             fetch_add by the worker      the same                     Relaxed: a number that
//!                                that arms a set                                           differs each time
//! Coordination::deputy           the holder; CAS from none    all workers                  Relaxed: a hint, the
//!                                by a volunteer; CAS to none                               sockets in the deputy's set
//!                                by a worker that stands                                   decide
//!                                down, and by the master
//! the accept mutex               see `shm/accept_mutex.rs`                                 AcqRel; fences 1 and 2
//! ```
//!
//! The SeqCst fences, in pairs: of two workers that pass a pair at the same time one sees what the other has written.
//!
//! 1. `Handoff::withdraw` writes `pid` = 0, then reads the mutex; `Handoff::hand_off` writes the mutex, then reads
//!    `pid`.
//! 2. `Handoff::stand_down` writes `armed` = 0, then reads the mutex; `Handoff::hand_off` writes the mutex, then reads
//!    `armed`.
//! 3. `Handoff::withdraw` writes `pid` = 0, then disarms its set; `Seats::arm_holder_and_deputy` arms the deputy's set,
//!    then reads `pid`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use crate::dispatch::lease::SharedMutex;
use crate::dispatch::model::{Loop, Setup};
use crate::dispatch::sockets::log_epoll_failure;
use crate::os::{Poller, SharedMap, shareable};
use crate::shm::{AcceptMutex, MAX_WORKERS};

/// Connections that follow one another faster than this, ns, are a rush. With a holder and a deputy alone, 64 clients
/// that connect as fast as they can were served a fifth more slowly than under `exclusive`, because the others slept.
const RUSH_NS: u64 = 500_000;

/// How long a rush lasts after the last two such connections, ns. Where it ended with the next longer gap, workers
/// joined and left it all the time: at 1000 connections a second, one in forty was answered 30 to 50 µs later than
/// under `exclusive`.
const RUSH_LASTS_NS: u64 = 5_000_000;

shareable! {
    /// How much work a worker has. On cache lines of its own: the worker writes it once a turn, and others seldom read
    /// it.
    #[derive(Debug)]
    #[repr(align(128))]
    pub(super) struct Load {
        /// How many connections the worker has.
        pub(super) connections: AtomicU32,
        /// Since when the worker has waited for an event, µs of the clock.
        pub(super) waiting_since_us: AtomicU64,
    }
}

shareable! {
    /// The worker on a seat. Others read this once a turn, and it seldom changes.
    #[derive(Debug)]
    #[repr(align(128))]
    pub(super) struct SeatState {
        pub(super) load: Load,
        /// The worker that takes connections; 0: none, the seat is empty or its worker has no room.
        pub(super) pid: AtomicU32,
        /// The number of the `arm` that has put the sockets into the seat's epoll set; 0: they are not there. Written
        /// by the mutex's holder, as a rule. A hint: sockets that are there against it cost a wakeup, and their absence
        /// is mended by the seat's worker.
        pub(super) armed: AtomicU64,
    }
}

shareable! {
    /// The state that concerns all seats.
    #[derive(Debug)]
    #[repr(align(128))]
    pub(super) struct Coordination {
        /// When any worker accepted last, ns of the clock.
        pub(super) last_accept_ns: AtomicU64,
        /// The end of the rush, ns of the clock.
        pub(super) rush_until_ns: AtomicU64,
        /// How often sockets were put into a set.
        pub(super) arms: AtomicU64,
        /// The deputy's seat, plus one; 0: there is none.
        pub(super) deputy: AtomicU32,
    }
}

shareable! {
    /// The shared memory of one generation.
    #[derive(Debug)]
    pub(super) struct Table {
        pub(super) coordination: Coordination,
        pub(super) seats: [SeatState; MAX_WORKERS],
    }
}

/// The mutex, the table and the epoll sets, which the processes of one generation share.
#[derive(Clone)]
pub(super) struct Seats {
    pub(super) shared: SharedMutex,
    pub(super) table: Arc<SharedMap<Table>>,
    /// The epoll instances of the seats.
    pub(super) sets: Arc<Vec<Arc<Poller>>>,
}

impl Seats {
    /// For `seats` workers; by the master, before the fork. Errors: no descriptors left.
    pub(super) fn new(setup: &Setup<'_>, seats: u32) -> io::Result<Seats> {
        Ok(Seats {
            shared: SharedMutex::new(setup.ledger, setup.generation, seats)?,
            table: Arc::new(SharedMap::create("drover-handoff")?),
            sets: Arc::new((0..seats).map(|_| Poller::new().map(Arc::new)).collect::<io::Result<_>>()?),
        })
    }

    pub(super) fn mutex(&self) -> AcceptMutex<'_> {
        self.shared.mutex()
    }

    pub(super) fn seat(&self, number: u32) -> Option<&SeatState> {
        self.table.seats.get(number as usize)
    }

    /// The workers that take connections, but for the one on seat `own`.
    pub(super) fn peers(&self, own: u32) -> impl Iterator<Item = Peer> + '_ {
        let seats = (0..).zip(self.table.seats.iter().take(self.sets.len())).filter(move |(number, _)| *number != own);
        seats.filter_map(|(number, seat)| {
            let pid = seat.pid.load(Ordering::Acquire);
            let connections = seat.load.connections.load(Ordering::Relaxed);
            let waiting_since_us = seat.load.waiting_since_us.load(Ordering::Relaxed);
            (pid != 0).then_some(Peer { connections, waiting_since_us, number, pid })
        })
    }

    /// Process `pid` on seat `number` takes no connections any more; no change if another process has the seat by now.
    pub(super) fn mark_absent(&self, number: u32, pid: u32) {
        if let Some(seat) = self.seat(number) {
            let _ = seat.pid.compare_exchange(pid, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// The number of the `arm` that has put the sockets into the set of seat `number`; 0: they are not there.
    pub(super) fn armed(&self, number: u32) -> u64 {
        self.seat(number).map_or(0, |seat| seat.armed.load(Ordering::Relaxed))
    }

    pub(super) fn is_armed(&self, number: u32) -> bool {
        self.armed(number) != 0
    }

    /// Puts the sockets into the set of seat `number`, behind the sets that have them.
    pub(super) fn arm(&self, number: u32, state: &Loop) {
        let (Some(seat), Some(set)) = (self.seat(number), self.sets.get(number as usize)) else { return };
        seat.armed.store(self.table.coordination.arms.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        if !log_epoll_failure(state.listening.arm_in(set)) {
            // The next turn tries again.
            seat.armed.store(0, Ordering::Relaxed);
        }
    }

    /// Takes the sockets out of the set of seat `number`.
    pub(super) fn disarm(&self, number: u32, state: &Loop) {
        let (Some(seat), Some(set)) = (self.seat(number), self.sets.get(number as usize)) else { return };
        seat.armed.store(0, Ordering::Relaxed);
        log_epoll_failure(state.listening.disarm_in(set));
    }

    /// When connections wait: puts the sockets into the set of seat `number` anew, so that epoll reports those
    /// connections to its worker.
    pub(super) fn rearm_if_waiting(&self, number: u32, state: &Loop) {
        if state.listening.has_waiting() {
            self.disarm(number, state);
            self.arm(number, state);
        }
    }

    /// Whether the worker on seat `number` takes connections.
    pub(super) fn takes_connections(&self, number: u32) -> bool {
        self.seat(number).is_some_and(|seat| seat.pid.load(Ordering::Acquire) != 0)
    }

    /// Notes that connections have been accepted at `now` ns of the clock, and returns whether there is a rush. In a
    /// rush the time is written four times in `RUSH_NS` at most: a line that is written at each accept goes from CPU to
    /// CPU at each accept.
    pub(super) fn note_accept(&self, now: u64) -> bool {
        let coordination = &self.table.coordination;
        let since = now.saturating_sub(coordination.last_accept_ns.load(Ordering::Relaxed));
        let is_near = since < RUSH_NS;
        if since > RUSH_NS / 4 {
            coordination.last_accept_ns.store(now, Ordering::Relaxed);
            if is_near {
                coordination.rush_until_ns.store(now + RUSH_LASTS_NS, Ordering::Relaxed);
            }
        }
        is_near || now < coordination.rush_until_ns.load(Ordering::Relaxed)
    }

    /// Whether connections come so fast that all workers have the sockets.
    pub(super) fn is_rush(&self, state: &mut Loop) -> bool {
        state.driver.clock().turn_ns() < self.table.coordination.rush_until_ns.load(Ordering::Relaxed)
    }

    /// Arms the holder's set, behind it the deputy's, and disarms all others unless there is a rush. For the holder,
    /// and for a worker that has just handed the mutex off.
    pub(super) fn arm_holder_and_deputy(&self, holder: u32, deputy: Option<Peer>, state: &mut Loop) {
        let number = deputy.map(|deputy| deputy.number);
        let is_rush = self.is_rush(state);
        let mut is_any_disarmed = false;
        for other in 0..self.sets.len() as u32 {
            if !is_rush && other != holder && Some(other) != number && self.is_armed(other) {
                self.disarm(other, state);
                is_any_disarmed = true;
            }
        }
        if is_any_disarmed {
            // A worker whose set was disarmed may have been woken just now, and will accept nothing.
            self.rearm_if_waiting(holder, state);
        }
        if !self.is_armed(holder) {
            self.arm(holder, state);
        }
        self.table.coordination.deputy.store(number.map_or(0, |number| number + 1), Ordering::Relaxed);
        let Some(deputy) = deputy else { return };
        // Behind the holder: the kernel wakes the first that sleeps.
        let armed = self.armed(deputy.number);
        if armed != 0 && armed < self.armed(holder) {
            self.disarm(deputy.number, state);
        }
        if !self.is_armed(deputy.number) {
            self.arm(deputy.number, state);
            // Partner: the fence in `Handoff::withdraw`.
            fence(Ordering::SeqCst);
            if !self.takes_connections(deputy.number) {
                self.disarm(deputy.number, state);
            }
        }
    }
}

/// A worker that takes connections. Ordered by which of them is to have the mutex next: the fewest connections, then
/// the longest wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Peer {
    pub(super) connections: u32,
    pub(super) waiting_since_us: u64,
    pub(super) number: u32,
    pub(super) pid: u32,
}
