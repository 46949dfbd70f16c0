//! The protocol of a pool in one process: the steps of a dispatcher and of its workers, in the orders that a busy
//! machine brings about.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use super::channel_reader::ChannelReader;
use super::{PoolShared, Readers};
use crate::conf::Scope;
use crate::dispatch::model::{AcceptOptions, Hooks, Loop, Setup};
use crate::dispatch::sockets::Listening;
use crate::event::{Clock, Ready};
use crate::os::{Events, Poller};
use crate::serve::{Accepted, Driver};
use crate::shm::{Ledger, Role};

const CAPACITY: usize = 4;
const OPTIONS: AcceptOptions = AcceptOptions {
    multi_accept: false,
    accept_mutex_delay_ms: 500,
    accept_mutex_lease_ms: None,
    connections: CAPACITY,
};

/// The pid of the worker on `seat`.
fn pid(seat: u32) -> u32 {
    100 + seat
}

fn pool(ledger: &Ledger, workers: u32, channels: u32) -> PoolShared {
    let events = &Scope::default();
    let setup = Setup { workers, is_alone: false, generation: 0, ledger, options: OPTIONS, params: &[], events };
    PoolShared::new(&setup, channels).unwrap()
}

/// The dispatcher sends a message along a channel.
fn send(shared: &PoolShared, channel: u32) {
    let sent = &shared.record(channel).sent;
    sent.add(1);
    shared.channels[channel as usize].tell(sent.get(), 0).unwrap();
}

/// A driver whose connections are a number; `room_from` is theirs.
struct Count {
    live: Rc<Cell<usize>>,
    room_from: Rc<Cell<Option<u64>>>,
    clock: Clock,
}

impl Driver for Count {
    fn accept(&mut self, _accepted: Accepted, _poller: &Poller) {}
    fn ready(&mut self, _key: u64, _ready: Ready, _poller: &Poller) {}
    fn expire(&mut self, _poller: &Poller) {}
    fn next_deadline(&self) -> Option<u64> {
        None
    }
    fn end_of_turn(&mut self, _poller: &Poller) {}
    fn live(&self) -> usize {
        self.live.get()
    }
    fn capacity(&self) -> usize {
        CAPACITY
    }
    fn room_from(&self) -> Option<u64> {
        self.room_from.get()
    }
    fn make_room(&mut self) {
        if self.free() == 0 && self.room_from().is_some_and(|from| from <= self.clock.now_ms()) {
            self.live.set(CAPACITY - 1);
        }
    }
    fn release_descriptors(&mut self) -> bool {
        false
    }
    fn drain(&mut self) {}
    fn close_all(&mut self) {}
    fn flush_logs(&mut self) {}
    fn clock(&mut self) -> &mut Clock {
        &mut self.clock
    }
}

/// A worker whose connections are a number.
struct Worker {
    state: Loop,
    reader: ChannelReader,
    live: Rc<Cell<usize>>,
    room_from: Rc<Cell<Option<u64>>>,
}

impl Worker {
    /// The worker on `seat`, all places of which are taken.
    fn full(ledger: &Ledger, shared: &Arc<PoolShared>, seat: u32, readers: Readers) -> Worker {
        let (live, room_from) = (Rc::new(Cell::new(CAPACITY)), Rc::default());
        let driver = Count { live: Rc::clone(&live), room_from: Rc::clone(&room_from), clock: Clock::new() };
        let tally = Arc::new(ledger.claim(pid(seat), Role::Worker, seat).unwrap());
        tally.connections.set(CAPACITY as u64);
        let (poller, listening) = (Poller::new().unwrap(), Listening::new(&[]));
        Worker {
            state: Loop::new(poller, Box::new(driver), listening, tally, pid(seat), OPTIONS),
            reader: ChannelReader::new(Arc::clone(shared), seat, readers),
            live,
            room_from,
        }
    }

    /// How long the worker would sleep, ms; `None`: until an event comes.
    fn sleeps(&mut self) -> Option<u64> {
        self.reader.before_wait(&mut self.state).at_most_ms
    }

    /// How many events there are for the worker.
    fn events(&self) -> usize {
        let mut events = Events::with_capacity(8);
        self.state.poller.wait(&mut events, Some(0)).unwrap();
        events.iter().count()
    }
}

/// A message that has left the channel and is not counted yet looks like the message that a dead worker has lost.
#[test]
fn a_message_is_in_flight_until_its_worker_has_counted_it() {
    for (workers, channels) in [(1, 1), (2, 1), (2, 2)] {
        let ledger = Ledger::create().unwrap();
        let shared = pool(&ledger, workers, channels);
        let tallies: Vec<_> = (0..workers).map(|n| ledger.claim(pid(n), Role::Worker, n).unwrap()).collect();
        let check = |expected| {
            shared.recount_sent();
            assert_eq!(shared.in_flight(0), expected, "{workers} workers, {channels} channels");
        };
        for _ in 0..3 {
            send(&shared, 0);
            check(1);
            shared.take(0, pid(0), |_| check(1)).unwrap();
            check(0);
            assert!(shared.take(0, pid(0), |_| ()).is_err(), "the channel is empty");
            check(0);
        }
        // A worker dies while it takes.
        send(&shared, 0);
        shared.record(0).taking.store(pid(0), std::sync::atomic::Ordering::SeqCst);
        shared.channels[0].take().unwrap();
        check(1);
        ledger.retire(pid(0));
        check(0);
        drop(tallies);
    }
}

/// A full worker sleeps until somebody wants a place; a message that waits for it does.
#[test]
fn a_full_worker_makes_room_for_a_message_that_waits() {
    for readers in [Readers::One, Readers::All] {
        let ledger = Ledger::create().unwrap();
        let shared = Arc::new(pool(&ledger, 1, 1));
        let mut worker = Worker::full(&ledger, &shared, 0, readers);
        worker.room_from.set(Some(0));
        assert_eq!((worker.sleeps(), worker.live.get()), (None, CAPACITY), "nobody waits");
        send(&shared, 0);
        let now = worker.state.driver.clock().now_ms();
        worker.room_from.set(Some(now + 70));
        assert_eq!((worker.sleeps(), worker.live.get()), (Some(70), CAPACITY), "a client may still send a request");
        worker.room_from.set(Some(now));
        assert_eq!((worker.sleeps(), worker.live.get()), (None, CAPACITY - 1));
        assert_eq!(worker.events(), 1, "the message is read");
    }
}

#[test]
fn a_message_that_another_worker_has_room_for_closes_nobody() {
    let ledger = Ledger::create().unwrap();
    let shared = Arc::new(pool(&ledger, 2, 1));
    let mut worker = Worker::full(&ledger, &shared, 0, Readers::All);
    let other = Worker::full(&ledger, &shared, 1, Readers::All);
    worker.room_from.set(Some(0));
    other.state.tally.connections.set(CAPACITY as u64 - 1);
    send(&shared, 0);
    assert_eq!((worker.sleeps(), worker.live.get()), (None, CAPACITY));
    shared.set_paused(1, pid(1));
    assert_eq!((worker.sleeps(), worker.live.get()), (None, CAPACITY - 1), "the other is paused");
}
