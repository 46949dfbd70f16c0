//! What the process pools have in common: a dispatcher that watches the listening sockets, workers that serve, and between them pairs of
//! SEQPACKET sockets and a table in shared memory. All of that is made by the master and kept by seat: a process that takes a dead
//! one's seat takes its ends of the pairs as well, with what is in flight in them.
//!
//! A worker's load is what the ledger says it has open, and what has been passed to it and not taken yet. The dispatcher passes
//! nothing to a worker without free slots. When there is none in any, it asks for room: it stops listening, so that the surplus
//! waits in the backlog and wakes nobody, and the first worker that has a slot again rings the dispatcher's bell.
//!
//! A worker that leaves says so in the table, and the dispatcher, when it has seen that, confirms it: nothing more will be passed. The
//! worker ends when it has taken what was under way and served it; until then no dispatcher of its generation may be without that
//! confirmation.

mod dispatcher;
mod intake;
mod passing;
mod policy;

use std::io;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed, Ordering::SeqCst};

pub(super) use dispatcher::{Desk, Way};
use intake::Intake;
pub(super) use intake::Reading;
pub(super) use passing::passing_pool;
pub(super) use policy::{Chooser, POLICY};

use super::bell::tell;
use super::{Loop, Seat, Setup, workers};
use crate::log;
use crate::os::{EventFd, FdChannel, SharedMap, parent, process, shareable};
use crate::shm::{Counter, Ledger, Role, Slot};

/// As many as `worker_processes` may say.
const SEATS: usize = 1024;

/// So many connections, or words of them, may be under way to a worker: one that is stopped or hung holds no more than these.
const MOST_IN_FLIGHT: u64 = 256;

shareable! {
    /// What dispatcher and worker say to each other, by the worker's seat. On lines of its own.
    #[derive(Debug)]
    #[repr(align(128))]
    struct Place {
        /// Written by the dispatcher: how many messages were sent along the lane of this number.
        passed: Counter,
        /// Written by the worker: how many it has taken; with a lane of its own, the number of the last one.
        taken: Counter,
        /// The worker that leaves.
        leaving: AtomicU32,
        /// The dispatcher has seen that this worker leaves.
        confirmed: AtomicU32,
        /// The worker that has no descriptors left and wants nothing for a while.
        resting: AtomicU32,
        /// Written by the worker: how many connections it can have; 0: it has not begun.
        capacity: Counter,
    }
}

shareable! {
    #[derive(Debug)]
    struct Table {
        /// 1: the dispatcher waits for room.
        room_wanted: AtomicU32,
        places: [Place; SEATS],
    }
}

/// What the processes of one generation share.
pub(super) struct Shared {
    table: SharedMap<Table>,
    lanes: Vec<FdChannel>,
    /// Rung for the dispatcher.
    bell: EventFd,
    /// Rung for all workers.
    pub gong: EventFd,
    ledger: Ledger,
    generation: u32,
    workers: u32,
    /// `worker_connections`.
    slots: u64,
}

impl Shared {
    /// One lane for each worker, or one for all of them. Errors: no descriptors left.
    pub fn new(setup: &Setup<'_>, lanes: u32) -> io::Result<Shared> {
        if setup.workers as usize > SEATS {
            return Err(io::Error::other(format!("no more than {SEATS} workers in a pool")));
        }
        Ok(Shared {
            table: SharedMap::create("drover-pool")?,
            lanes: (0..lanes).map(|_| FdChannel::new()).collect::<io::Result<_>>()?,
            bell: EventFd::new()?,
            gong: EventFd::new()?,
            ledger: setup.ledger.clone(),
            generation: setup.generation,
            workers: setup.workers,
            slots: setup.options.connections as u64,
        })
    }

    pub fn plan(&self) -> Vec<Seat> {
        let mut seats = vec![Seat { role: Role::Dispatcher, number: 0 }];
        seats.extend(workers(self.workers));
        seats
    }

    /// For the master: somebody is dead. The others look what that means for them.
    pub fn child_died(&self, seat: Seat) {
        if seat.role == Role::Worker {
            tell(&self.bell);
            tell(&self.gong);
        }
    }

    /// For the master: the last process of the generation has ended.
    pub fn ended(&self) {
        let taken = self.lanes.iter().flat_map(|lane| std::iter::from_fn(|| lane.take().ok()));
        let count = taken.filter(|parcel| parcel.connection.is_some()).count();
        if count > 0 {
            log::warn!("{count} accepted connections were closed, no worker is left to serve them");
        }
    }

    fn place(&self, seat: u32) -> &Place {
        &self.table.places[seat as usize % SEATS]
    }

    /// How many connections the worker on `seat` can have.
    fn capacity(&self, seat: u32) -> u64 {
        match self.place(seat).capacity.get() {
            0 => self.slots,
            capacity => capacity,
        }
    }

    /// For a worker: it can have so many.
    pub fn set_capacity(&self, seat: u32, capacity: usize) {
        let place = self.place(seat);
        if place.capacity.get() != capacity as u64 {
            place.capacity.set(capacity as u64);
        }
    }

    /// The lane that leads to the worker on `seat`.
    fn lane_of(&self, seat: u32) -> usize {
        if self.lanes.len() == 1 { 0 } else { seat as usize }
    }

    /// The seats that take from a lane.
    fn seats_of(&self, lane: u32) -> std::ops::Range<u32> {
        if self.lanes.len() == 1 { 0..self.workers } else { lane..lane + 1 }
    }

    /// How many messages are under way along a lane.
    fn in_flight(&self, lane: u32) -> u64 {
        let taken = self.seats_of(lane).map(|seat| self.place(seat).taken.get());
        let taken = taken.fold(0, u64::wrapping_add);
        let count = self.place(lane).passed.get().wrapping_sub(taken);
        // One that was taken before it was counted.
        if count > u64::MAX / 2 { 0 } else { count }
    }

    /// For the dispatcher: when a lane is empty, nothing is under way, whatever a worker that died while it took something has left
    /// uncounted.
    fn count_again(&self) {
        for (n, _) in self.lanes.iter().enumerate().filter(|(_, lane)| !lane.has_waiting()) {
            let (n, passed) = (n as u32, &self.place(n as u32).passed);
            let taken = self.seats_of(n).map(|seat| self.place(seat).taken.get());
            passed.set(taken.fold(0, u64::wrapping_add));
        }
    }

    /// The living worker on `seat`, unless it leaves or rests. `hint`: where its slot was found last.
    fn willing(&self, seat: u32, hint: &mut usize) -> Option<&Slot> {
        let is_it = |slot: &Slot| {
            slot.role() == Role::Worker && slot.number() == seat && slot.generation() == self.generation && {
                let (pid, place) = (slot.pid().unwrap_or(0), self.place(seat));
                place.leaving.load(Relaxed) != pid && place.resting.load(Relaxed) != pid
            }
        };
        let (at, slot) = self.ledger.find(*hint, is_it)?;
        *hint = at;
        Some(slot)
    }

    pub fn lane(&self, seat: u32) -> Option<&FdChannel> {
        self.lanes.get(self.lane_of(seat))
    }

    /// Whether the worker on `seat`, which has a lane of its own, has taken message `number`.
    pub fn has_taken(&self, seat: u32, number: u64) -> bool {
        self.place(seat).taken.get() >= number
    }

    /// For such a worker: it has done with message `number`, and the dispatcher waits for that.
    pub fn answer(&self, seat: u32, number: u64) {
        self.place(seat).taken.set(number);
        tell(&self.bell);
    }

    /// For a worker: `pid` wants nothing for a while; 0: that is over.
    pub fn rest(&self, seat: u32, pid: u32) {
        let resting = &self.place(seat).resting;
        if resting.load(Relaxed) != pid {
            resting.store(pid, SeqCst);
        }
    }

    /// For a worker: `pid` leaves.
    pub fn leave(&self, seat: u32, pid: u32) {
        self.place(seat).leaving.store(pid, SeqCst);
        tell(&self.bell);
    }

    /// The living worker on `seat`, whatever it does.
    pub fn worker(&self, seat: u32) -> Option<u32> {
        let is_it =
            |slot: &Slot| slot.role() == Role::Worker && slot.number() == seat && slot.generation() == self.generation;
        self.ledger.find(0, is_it).and_then(|(_, slot)| slot.pid())
    }

    /// Whether nothing more will come for the worker that has said it leaves.
    fn is_confirmed(&self, seat: u32, pid: u32) -> bool {
        let is_dispatcher = |slot: &Slot| slot.role() == Role::Dispatcher && slot.generation() == self.generation;
        let dispatcher = self.ledger.find(0, is_dispatcher).and_then(|(_, slot)| slot.pid());
        // Nobody frees the slot of a dead one when the master is dead as well.
        let is_gone = |pid: u32| parent::is_orphan() && !process::is_running(pid as i32);
        self.place(seat).confirmed.load(SeqCst) == pid || dispatcher.is_none_or(is_gone)
    }

    pub fn is_room_wanted(&self) -> bool {
        self.table.room_wanted.load(SeqCst) != 0
    }

    /// For a worker: when it can make the room that the dispatcher waits for, ms of the clock; `None`: it has some, or
    /// it can't.
    pub fn wanted_room_from(&self, state: &Loop) -> Option<u64> {
        let is_full = state.driver.free() == 0 && self.is_room_wanted();
        is_full.then(|| state.driver.room_from()).flatten()
    }

    /// For a worker that has a free slot: the dispatcher may wait for that.
    pub fn offer_room(&self) {
        if self.is_room_wanted() && self.table.room_wanted.swap(0, SeqCst) != 0 {
            tell(&self.bell);
        }
    }
}
