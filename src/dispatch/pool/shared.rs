//! The shared memory and the descriptors of a pool: the table, the channels and the wakers.
//!
//! # The atomics: who writes, who reads, in which order
//!
//! ```text
//! atomic                 writer                         reader                          ordering, and its partner
//! Table::room_wanted     dispatcher: 1, 0 at its        workers, each turn              1, fence(SeqCst), then the
//!                        start; workers: swap to 0                                      workers' connections are
//!                                                                                       read; connections written,
//!                                                                                       fence(SeqCst), then
//!                                                                                       `room_wanted` is read
//! SeatRecord::sent       dispatcher, before it sends    dispatcher                      Relaxed
//! SeatRecord::taken      worker, after `connections`    dispatcher, before              fence(Release) /
//!                        in the ledger                  `connections`                   fence(Acquire)
//! SeatRecord::taking     worker, before and after it    dispatcher, when it has found   SeqCst / fence(SeqCst), SeqCst
//!                        takes                          the channel empty
//! SeatRecord::leaving    worker                         dispatcher                      SeqCst store, then the waker /
//!                                                                                       SeqCst load
//! SeatRecord::confirmed  dispatcher, after all its      worker, before it reads its     SeqCst / SeqCst
//!                        messages to the seat are sent  channel for the last time
//! SeatRecord::paused     worker                         dispatcher                      SeqCst / Relaxed: a hint
//! SeatRecord::capacity   worker                         dispatcher                      Relaxed: a hint
//! ```
//!
//! The load that the dispatcher sees, connections and messages in flight, may be too high for a moment, and never too
//! low. A message too many would wait in the channel of a worker that has no room for it and, as nobody waits in the
//! backlog, makes none.

use std::io;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicU32, fence};

use crate::dispatch::model::{Loop, Seat, Setup, dispatcher_and_workers};
use crate::dispatch::waker::wake;
use crate::log;
use crate::os::{EventFd, FdChannel, FdMessage, SharedMap, parent, process, shareable};
use crate::shm::{Counter, Ledger, MAX_WORKERS, Role, Slot};

/// How many messages may be in flight along a channel: a worker that is stopped or hung holds no more connections than
/// these.
pub(super) const MOST_IN_FLIGHT: u64 = 256;

shareable! {
    /// The shared numbers of a worker's seat, on cache lines of their own.
    #[derive(Debug)]
    #[repr(align(128))]
    pub(super) struct SeatRecord {
        /// Written by the dispatcher: how many messages were sent along the channel of this number.
        pub(super) sent: Counter,
        /// Written by the worker: how many messages it has taken; with a channel of its own, the number of the last
        /// one.
        pub(super) taken: Counter,
        /// The pid of the worker that takes a message, from before it reads the channel until `taken` counts; 0: none.
        pub(super) taking: AtomicU32,
        /// The pid of the worker that leaves.
        pub(super) leaving: AtomicU32,
        /// The pid of the worker of which the dispatcher has seen that it leaves.
        pub(super) confirmed: AtomicU32,
        /// The pid of the worker that has no descriptors left and wants no messages for a while; 0: none.
        pub(super) paused: AtomicU32,
        /// Written by the worker: how many connections it can have; 0: it has not begun.
        pub(super) capacity: Counter,
    }
}

shareable! {
    #[derive(Debug)]
    pub(super) struct Table {
        /// 1: the dispatcher waits for room.
        pub(super) room_wanted: AtomicU32,
        pub(super) records: [SeatRecord; MAX_WORKERS],
    }
}

/// The table, the channels and the wakers, which the processes of one generation share.
pub(crate) struct PoolShared {
    pub(super) table: SharedMap<Table>,
    pub(super) channels: Vec<FdChannel>,
    pub(super) dispatcher_waker: EventFd,
    /// Wakes all workers.
    pub(crate) workers_waker: EventFd,
    ledger: Ledger,
    generation: u32,
    pub(super) workers: u32,
    /// `worker_connections`.
    slots: u64,
}

impl PoolShared {
    /// With a channel for each worker, or one channel for all of them. For the master, before the fork. Errors: no
    /// descriptors left, or too many workers.
    pub(crate) fn new(setup: &Setup<'_>, channels: u32) -> io::Result<PoolShared> {
        if setup.workers as usize > MAX_WORKERS {
            return Err(io::Error::other(format!("no more than {MAX_WORKERS} workers in a pool")));
        }
        Ok(PoolShared {
            table: SharedMap::create("drover-pool")?,
            channels: (0..channels).map(|_| FdChannel::new()).collect::<io::Result<_>>()?,
            dispatcher_waker: EventFd::new()?,
            workers_waker: EventFd::new()?,
            ledger: setup.ledger.clone(),
            generation: setup.generation,
            workers: setup.workers,
            slots: setup.options.connections as u64,
        })
    }

    /// The plan of every pool: a dispatcher and the workers.
    pub(crate) fn plan(&self) -> Vec<Seat> {
        dispatcher_and_workers(self.workers)
    }

    /// Wakes the dispatcher and the workers when a worker is dead, to find out what that means for them. For the
    /// master.
    pub(crate) fn child_died(&self, seat: Seat) {
        if seat.role == Role::Worker {
            wake(&self.dispatcher_waker);
            wake(&self.workers_waker);
        }
    }

    /// Closes the connections in flight, and says in the log how many. For the master, when the last process of the
    /// generation has ended.
    pub(crate) fn ended(&self) {
        let taken = self.channels.iter().flat_map(|channel| std::iter::from_fn(|| channel.take().ok()));
        let count = taken.filter(|message| message.connection.is_some()).count();
        if count > 0 {
            log::warn!("{count} accepted connections were closed, no worker is left to serve them");
        }
    }

    pub(super) fn record(&self, seat: u32) -> &SeatRecord {
        &self.table.records[seat as usize % MAX_WORKERS]
    }

    /// How many connections the worker on `seat` can have.
    pub(super) fn capacity(&self, seat: u32) -> u64 {
        match self.record(seat).capacity.get() {
            0 => self.slots,
            capacity => capacity,
        }
    }

    /// Writes down how many connections the worker on `seat` can have. For that worker.
    pub(crate) fn set_capacity(&self, seat: u32, capacity: usize) {
        let record = self.record(seat);
        if record.capacity.get() != capacity as u64 {
            record.capacity.set(capacity as u64);
        }
    }

    /// The number of the channel that leads to the worker on `seat`.
    pub(super) fn channel_of(&self, seat: u32) -> usize {
        if self.channels.len() == 1 { 0 } else { seat as usize }
    }

    /// The channel that leads to the worker on `seat`.
    pub(crate) fn channel(&self, seat: u32) -> Option<&FdChannel> {
        self.channels.get(self.channel_of(seat))
    }

    /// The seats whose workers take from a channel.
    pub(super) fn seats_of(&self, channel: u32) -> std::ops::Range<u32> {
        if self.channels.len() == 1 { 0..self.workers } else { channel..channel + 1 }
    }

    /// How many messages the workers have taken from a channel.
    pub(super) fn taken_from(&self, channel: u32) -> u64 {
        self.seats_of(channel).map(|seat| self.record(seat).taken.get()).fold(0, u64::wrapping_add)
    }

    /// How many messages are in flight along a channel.
    pub(super) fn in_flight(&self, channel: u32) -> u64 {
        let count = self.record(channel).sent.get().saturating_sub(self.taken_from(channel));
        // The connections of the messages that are counted as taken are seen in the ledger. Partner: the fence in
        // `take`.
        fence(Acquire);
        count
    }

    /// Corrects `sent` of the channels that are empty: a worker that has died while it took a message has not counted
    /// it. A channel from which a living worker takes is left as it is: its message may be neither in the channel nor
    /// counted. For the dispatcher.
    pub(super) fn recount_sent(&self) {
        for (n, _) in (0..).zip(&self.channels).filter(|(_, channel)| !channel.has_waiting()) {
            // A worker that has emptied the channel is seen to take, or to have counted. Partner: the SeqCst store in
            // `take`.
            fence(SeqCst);
            if !self.seats_of(n).any(|seat| self.is_taking(seat)) {
                self.record(n).sent.set(self.taken_from(n));
            }
        }
    }

    /// Whether the living worker on `seat` is about to take a message, or has not counted it yet.
    fn is_taking(&self, seat: u32) -> bool {
        match self.record(seat).taking.load(SeqCst) {
            0 => false,
            pid => self.living_worker(seat) == Some(pid),
        }
    }

    /// Takes the next message for worker `pid` on `seat`, and counts it when `serve` is done with it, which has to
    /// write the worker's new number of connections into the ledger. For that worker. Errors: those of
    /// `FdChannel::take`.
    pub(crate) fn take(&self, seat: u32, pid: u32, serve: impl FnOnce(FdMessage)) -> io::Result<()> {
        let Some(channel) = self.channel(seat) else { return Err(io::ErrorKind::WouldBlock.into()) };
        let record = self.record(seat);
        record.taking.store(pid, SeqCst);
        let taken = channel.take().map(|message| {
            let number = message.number;
            serve(message);
            fence(Release);
            match self.seats_of(0).len() {
                1 => record.taken.set(number),
                _ => record.taken.add(1),
            }
        });
        record.taking.store(0, SeqCst);
        taken
    }

    /// The slot in the ledger of the living worker on `seat`, unless it leaves or is paused. `hint`: the slot's index
    /// when it was found last.
    pub(super) fn available_worker(&self, seat: u32, hint: &mut usize) -> Option<&Slot> {
        let matches = |slot: &Slot| {
            self.is_worker_on(seat, slot) && {
                let (pid, record) = (slot.pid().unwrap_or(0), self.record(seat));
                record.leaving.load(Relaxed) != pid && record.paused.load(Relaxed) != pid
            }
        };
        let (at, slot) = self.ledger.find(*hint, matches)?;
        *hint = at;
        Some(slot)
    }

    /// The pid of the living worker on `seat`, whatever it does.
    pub(crate) fn living_worker(&self, seat: u32) -> Option<u32> {
        self.ledger.find(0, |slot| self.is_worker_on(seat, slot)).and_then(|(_, slot)| slot.pid())
    }

    pub(super) fn is_worker_on(&self, seat: u32, slot: &Slot) -> bool {
        slot.role() == Role::Worker && slot.number() == seat && slot.generation() == self.generation
    }

    /// Whether the worker on `seat`, which has a channel of its own, has taken message `number`.
    pub(crate) fn has_taken(&self, seat: u32, number: u64) -> bool {
        self.record(seat).taken.get() >= number
    }

    /// Wakes the dispatcher, which waits until a message is counted as taken. For the worker that has taken it.
    pub(crate) fn answer(&self) {
        wake(&self.dispatcher_waker);
    }

    /// Worker `pid` on `seat` wants no messages until this is called with 0. For that worker.
    pub(crate) fn set_paused(&self, seat: u32, pid: u32) {
        let paused = &self.record(seat).paused;
        if paused.load(Relaxed) != pid {
            paused.store(pid, SeqCst);
        }
    }

    /// Worker `pid` on `seat` leaves: wakes the dispatcher to confirm that. For that worker.
    pub(crate) fn leave(&self, seat: u32, pid: u32) {
        self.record(seat).leaving.store(pid, SeqCst);
        wake(&self.dispatcher_waker);
    }

    /// Whether no message will be sent any more to worker `pid` on `seat`, which leaves: the dispatcher has confirmed
    /// it, or is dead.
    pub(super) fn is_confirmed(&self, seat: u32, pid: u32) -> bool {
        let is_dispatcher = |slot: &Slot| slot.role() == Role::Dispatcher && slot.generation() == self.generation;
        let dispatcher = self.ledger.find(0, is_dispatcher).and_then(|(_, slot)| slot.pid());
        // A dead dispatcher's slot is not freed when the master is dead as well.
        let is_gone = |pid: u32| parent::is_orphan() && !process::is_running(pid as i32);
        self.record(seat).confirmed.load(SeqCst) == pid || dispatcher.is_none_or(is_gone)
    }

    /// Whether the dispatcher waits for room.
    pub(crate) fn is_room_wanted(&self) -> bool {
        self.table.room_wanted.load(SeqCst) != 0
    }

    /// Makes the room that the dispatcher waits for, or that messages wait for. Returns when a worker that is still
    /// full can make some, ms of the clock; `None`: it has room, can't make any, or none is wanted. For a worker,
    /// before each wait.
    pub(crate) fn make_wanted_room(&self, state: &mut Loop, messages_wait: impl FnOnce(&Loop) -> bool) -> Option<u64> {
        // The ledger's number of connections was stored before. Were it seen after this read of `room_wanted`, no
        // worker would make or offer the room that is wanted from now on. Partner: the fence in
        // `Dispatcher::request_room`.
        fence(SeqCst);
        if !self.is_room_wanted() && !messages_wait(state) {
            return None;
        }
        state.driver.make_room();
        state.tally.connections.set(state.driver.live() as u64);
        if state.driver.free() == 0 { state.driver.room_from() } else { None }
    }

    /// Wakes the dispatcher if it waits for room. For a worker that has a free slot.
    pub(crate) fn offer_room(&self) {
        if self.is_room_wanted() && self.table.room_wanted.swap(0, SeqCst) != 0 {
            wake(&self.dispatcher_waker);
        }
    }
}
