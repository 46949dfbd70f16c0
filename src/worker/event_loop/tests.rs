//! The mechanism, turn by turn: real sockets and epoll sets, two loops in one thread, and a driver that only takes
//! notes.

use std::cell::RefCell;
use std::net::{SocketAddr, TcpStream};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use super::*;
use crate::conf::Scope;
use crate::dispatch::{AcceptOptions, Life, Listening, MODELS, Model, Setup, Wait};
use crate::event::{Clock, Ready, Slots, monotonic_ms};
use crate::os::{Addr, EventFd, Interest, ListenOptions, Listener, Poller, Socket};
use crate::serve::{Accepted, Driver};
use crate::shm::{Ledger, Role};

mod handoff;
mod room;

/// A call of the driver, with the holder of the mutex at that moment.
#[derive(Debug, PartialEq, Eq)]
enum Note {
    Accept(Option<u32>),
    Ready(u64, Option<u32>),
}

struct Notes {
    slots: Slots<Socket>,
    clock: Clock,
    ledger: Ledger,
    seen: Rc<RefCell<Vec<Note>>>,
    /// Connections to be closed at the end of the next turn.
    close: Rc<RefCell<usize>>,
}

impl Driver for Notes {
    fn accept(&mut self, accepted: Accepted, _poller: &Poller) {
        self.seen.borrow_mut().push(Note::Accept(self.ledger.mutex().holder()));
        self.slots.insert(accepted.socket).unwrap();
    }
    fn ready(&mut self, key: u64, _ready: Ready, _poller: &Poller) {
        self.seen.borrow_mut().push(Note::Ready(key, self.ledger.mutex().holder()));
    }
    fn expire(&mut self, _poller: &Poller) {}
    fn next_deadline(&self) -> Option<u64> {
        None
    }
    fn end_of_turn(&mut self, _poller: &Poller) {
        for _ in 0..self.close.take() {
            let key = self.slots.keys().next().unwrap();
            self.slots.remove(key);
        }
    }
    fn live(&self) -> usize {
        self.slots.len()
    }
    fn room_from(&self) -> Option<u64> {
        None
    }
    fn capacity(&self) -> usize {
        self.slots.capacity()
    }
    fn make_room(&mut self) {}
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

/// Lets the loop make `turns` turns, each of which waits no longer than until `wait_until`.
struct Turns {
    left: usize,
    wait_until: u64,
}

impl LoopControl for Turns {
    fn signalled(&mut self, _state: &mut Loop, _hooks: &mut dyn Hooks) {}
    fn done(&mut self, _state: &mut Loop, _hooks: &mut dyn Hooks) -> ControlFlow<()> {
        self.left -= 1;
        if self.left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
    fn deadline(&self) -> Option<u64> {
        Some(self.wait_until)
    }
}

/// A service of several workers in one thread.
struct Service {
    ledger: Ledger,
    model: Arc<dyn Model>,
    listener: Arc<Listener>,
    workers: Vec<Worker>,
    clients: Vec<TcpStream>,
}

struct Worker {
    state: Loop,
    hooks: Box<dyn Hooks>,
    seen: Rc<RefCell<Vec<Note>>>,
    close: Rc<RefCell<usize>>,
}

fn service(model: &str, workers: u32, capacity: usize, multi_accept: bool) -> Service {
    service_with(model, workers, capacity, multi_accept, None)
}

fn service_with(model: &str, workers: u32, capacity: usize, multi_accept: bool, lease_ms: Option<u64>) -> Service {
    let ledger = Ledger::create().unwrap();
    let any = Addr::from("127.0.0.1:0".parse::<SocketAddr>().unwrap());
    let listener = Arc::new(Listener::open(&any, &ListenOptions::default()).unwrap());
    let kind = MODELS.iter().find(|kind| kind.name == model).unwrap();
    let options = AcceptOptions {
        multi_accept,
        accept_mutex_delay_ms: 30,
        accept_mutex_lease_ms: lease_ms,
        connections: capacity,
    };
    let events = Scope::default();
    let setup =
        Setup { workers, is_alone: false, generation: 0, ledger: &ledger, options, params: &[], events: &events };
    let model = (kind.make)(&setup).unwrap();
    let mut service = Service { ledger, model, listener, workers: vec![], clients: vec![] };
    for seat in service.model.plan() {
        let (seen, close) = (Rc::default(), Rc::default());
        let (slots, ledger) = (Slots::new(capacity), service.ledger.clone());
        let driver = Notes { slots, clock: Clock::new(), ledger, seen: Rc::clone(&seen), close: Rc::clone(&close) };
        let pid = 100 + seat.number;
        let state = Loop::new(
            service.model.poller(seat).unwrap_or_else(|| Arc::new(Poller::new().unwrap())),
            Box::new(driver),
            Listening::new(&[service.listener.clone()]),
            Arc::new(service.ledger.claim(pid, Role::Worker, seat.number).unwrap()),
            pid,
            options,
        );
        let Life::Loop(hooks) = service.model.life(seat) else { panic!("not an event loop") };
        service.workers.push(Worker { state, hooks, seen, close });
    }
    service
}

impl Service {
    fn connect(&mut self, count: usize) {
        let port = self.listener.addr().port().unwrap();
        self.clients.extend((0..count).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()));
    }
}

impl Worker {
    /// Turns that find what is there and wait for nothing else.
    fn turn(&mut self, turns: usize) -> Vec<Note> {
        run(&mut self.state, &mut *self.hooks, &mut Turns { left: turns, wait_until: 0 });
        self.seen.take()
    }
}

#[test]
fn while_the_mutex_is_held_accepts_run_first_and_events_after_its_release() {
    let mut service = service("accept_mutex", 2, 64, false);
    let woken = EventFd::new().unwrap();
    woken.notify().unwrap();
    // The connection becomes ready before the listening socket does, so epoll reports it first.
    service.workers[0].state.poller.add(&woken, 7 << 32, Interest::READ).unwrap();
    service.connect(1);
    assert_eq!(service.workers[0].turn(1), [Note::Accept(Some(100)), Note::Ready(7 << 32, None)]);
    assert_eq!(service.ledger.mutex().holder(), None);
}

#[test]
fn without_a_mutex_events_are_not_put_off() {
    let mut service = service("herd", 2, 64, false);
    let woken = EventFd::new().unwrap();
    woken.notify().unwrap();
    service.workers[0].state.poller.add(&woken, 7 << 32, Interest::READ).unwrap();
    service.connect(1);
    assert_eq!(service.workers[0].turn(1), [Note::Ready(7 << 32, None), Note::Accept(None)]);
}

#[test]
fn the_mutex_changes_hands_and_the_sockets_follow_it() {
    let mut service = service("accept_mutex", 2, 64, false);
    let [first, second] = &mut service.workers[..] else { panic!() };
    first.turn(1);
    assert!(first.state.listening.is_armed(), "who had the mutex keeps the sockets until it loses");
    assert!(!second.state.listening.is_armed());
    // The second worker is quicker this time; the first loses when it tries, and removes its sockets.
    assert!(second.hooks.before_wait(&mut second.state).posts);
    assert_eq!(service.ledger.mutex().holder(), Some(101));
    let wait = first.hooks.before_wait(&mut first.state);
    assert_eq!((wait.posts, wait.at_most_ms), (false, Some(30)), "a loser tries again after accept_mutex_delay");
    assert!(!first.state.listening.is_armed() && second.state.listening.is_armed());
    second.hooks.after_accepts(&mut second.state);
    assert_eq!(service.ledger.mutex().holder(), None);
    let (tries, takes) = (first.state.tally.mutex_tries.get(), first.state.tally.mutex_takes.get());
    assert_eq!((tries, takes), (2, 1));
    assert_eq!((second.state.tally.mutex_tries.get(), second.state.tally.mutex_takes.get()), (1, 1));
}

#[test]
fn the_mutex_of_a_dead_worker_is_freed_for_the_next() {
    let mut service = service("accept_mutex", 2, 64, false);
    let (seats, model) = (service.model.plan(), service.model.clone());
    let [first, second] = &mut service.workers[..] else { panic!() };
    assert!(first.hooks.before_wait(&mut first.state).posts);
    assert!(!second.hooks.before_wait(&mut second.state).posts);
    model.child_died(seats[1], 101);
    assert_eq!(service.ledger.mutex().holder(), Some(100), "only its owner's death frees it");
    model.child_died(seats[0], 100);
    assert!(second.hooks.before_wait(&mut second.state).posts);
}

#[test]
fn a_worker_over_seven_eighths_does_not_compete() {
    let mut service = service("accept_mutex", 2, 16, true);
    service.connect(15);
    let worker = &mut service.workers[0];
    assert_eq!(worker.turn(1).len(), 15);
    // 16/8 slots, less the two that were free before the last accept.
    assert_eq!((worker.state.accept_disabled, worker.state.driver.free()), (0, 1));
    service.connect(1);
    let worker = &mut service.workers[0];
    worker.turn(1);
    assert_eq!((worker.state.accept_disabled, worker.state.driver.free()), (1, 0));
}

#[test]
fn a_back_off_lasts_as_many_turns_as_slots_are_missing() {
    let mut service = service("accept_mutex", 2, 32, true);
    service.connect(31);
    let worker = &mut service.workers[0];
    worker.turn(1);
    assert_eq!(worker.state.accept_disabled, 32 / 8 - 2);
    let tries = worker.state.tally.mutex_tries.get();
    worker.turn(2);
    assert_eq!((worker.state.accept_disabled, worker.state.tally.mutex_tries.get()), (0, tries));
    assert_eq!(worker.state.tally.back_offs.get(), 2);
    worker.turn(1);
    assert_eq!(worker.state.tally.mutex_tries.get(), tries + 1);
}

#[test]
fn what_finds_no_slot_stays_in_the_backlog_and_wakes_nobody() {
    for model in ["accept_mutex", "accept_handoff", "herd", "exclusive"] {
        let mut service = service(model, 2, 8, true);
        service.connect(11);
        let worker = &mut service.workers[0];
        assert_eq!(worker.turn(1).len(), 8, "{model}");
        assert!(!worker.state.listening.is_armed());
        assert_eq!((worker.turn(3).len(), worker.state.driver.live()), (0, 8));
        *worker.close.borrow_mut() = 2;
        worker.turn(1);
        let wakeups = worker.state.tally.wakeups.get();
        // Two slots are free, so two of the three that wait are taken; with a mutex, after the back-off.
        assert_eq!(worker.turn(3).len(), 2, "{model}");
        assert_eq!((worker.state.driver.live(), worker.state.tally.wakeups.get()), (8, wakeups + 1));
    }
}

#[test]
fn multi_accept_takes_all_that_wait_and_otherwise_each_wakeup_takes_one() {
    for (multi_accept, accepts, empty) in [(true, 3, 1), (false, 1, 0)] {
        let mut service = service("herd", 2, 64, multi_accept);
        service.connect(3);
        let worker = &mut service.workers[0];
        assert_eq!(worker.turn(1).len(), accepts);
        assert_eq!(worker.state.tally.empty_accepts.get(), empty);
        assert_eq!((worker.turn(2).len(), worker.state.tally.accepts.get()), (3 - accepts, 3));
        assert_eq!(worker.state.tally.connections.get(), 3);
    }
}

#[test]
fn a_worker_without_rivals_takes_several_while_several_use_to_wait() {
    for model in ["exclusive", "accept_mutex", "accept_handoff", "herd"] {
        let mut service = service(model, 1, 256, false);
        service.connect(40);
        let worker = &mut service.workers[0];
        assert_eq!([16, 16, 8].map(|row| worker.turn(1).len() == row), [true; 3], "{model}");
        for _ in 0..64 {
            service.connect(1);
            assert_eq!(service.workers[0].turn(1).len(), 1);
        }
        let tally = &service.workers[0].state.tally;
        assert!((1..=40).contains(&tally.empty_accepts.get()), "{} {model}", tally.empty_accepts.get());
    }
}

#[test]
fn the_herd_wakes_in_vain_and_that_is_counted() {
    let mut service = service("herd", 4, 64, false);
    service.workers.iter_mut().for_each(|worker| assert_eq!(worker.turn(1), []));
    service.connect(1);
    // All workers are woken by the same connection before any of them accepts it.
    let events: Vec<Events> = service
        .workers
        .iter()
        .map(|worker| {
            let mut events = Events::with_capacity(4);
            worker.state.poller.wait(&mut events, Some(0)).unwrap();
            events
        })
        .collect();
    for (worker, events) in service.workers.iter_mut().zip(&events) {
        for (key, _) in events.iter() {
            assert_eq!(Source::of(key), Source::Listener(0));
            worker.state.posted.accept(0);
        }
        run_posted_accepts(&mut worker.state, &mut *worker.hooks);
    }
    let sums = service.ledger.sums();
    assert_eq!((sums.wakeups, sums.accepts, sums.empty_accepts), (4, 1, 3));
}

#[test]
fn exclusive_queues_up_again_every_sixteen_connections_and_when_loaded() {
    let mut service = service("exclusive", 2, 64, false);
    let rotations: Vec<u64> = (0..40)
        .map(|_| {
            service.connect(1);
            assert_eq!(service.workers[0].turn(1).len(), 1);
            service.workers[0].state.tally.rotations.get()
        })
        .collect();
    assert_eq!(
        [rotations[0], rotations[15], rotations[16], rotations[31], rotations[32], rotations[39]],
        [1, 1, 2, 2, 3, 3]
    );
    service.connect(20);
    service.workers[0].turn(20);
    // 56 of 64 slots may be taken before each further connection rotates, and so does the one in sixteen.
    assert_eq!(service.workers[0].state.tally.rotations.get(), 4 + 3);
}

#[test]
fn a_lone_worker_needs_no_mutex() {
    let mut service = service("accept_mutex", 1, 64, false);
    service.connect(1);
    let worker = &mut service.workers[0];
    assert_eq!((worker.turn(1), worker.state.tally.mutex_tries.get()), (vec![Note::Accept(None)], 0));
}

#[test]
fn who_leaves_takes_its_sockets_out_and_frees_the_mutex() {
    for model in ["accept_mutex", "accept_handoff", "herd", "exclusive"] {
        let mut service = service(model, 2, 64, false);
        let worker = &mut service.workers[0];
        worker.hooks.before_wait(&mut worker.state);
        worker.hooks.leave(&mut worker.state);
        assert_eq!(service.ledger.mutex().holder(), None);
        service.connect(1);
        let worker = &mut service.workers[0];
        assert_eq!((worker.turn(2), worker.state.listening.is_closed()), (vec![], true), "{model}");
        assert_eq!(service.workers[1].turn(1).len(), 1, "{model}");
    }
}

/// Waits, without a turn of any worker, until the lease of what was given at `since` is up.
fn let_pass(ms: u64) {
    let until = monotonic_ms() + ms;
    while monotonic_ms() <= until {
        std::thread::yield_now();
    }
}

#[test]
fn a_silent_holder_loses_the_mutex_when_connections_wait_and_not_before() {
    let mut service = service_with("accept_mutex", 3, 64, false, Some(20));
    let [first, second, third] = &mut service.workers[..] else { panic!() };
    assert_eq!(first.hooks.before_wait(&mut first.state), Wait { at_most_ms: Some(20), posts: true });
    let lost = second.hooks.before_wait(&mut second.state);
    assert!(!lost.posts && lost.at_most_ms.is_some_and(|ms| (1..=21).contains(&ms)), "the second watches: {lost:?}");
    let lost = third.hooks.before_wait(&mut third.state);
    assert_eq!(lost, Wait { at_most_ms: Some(30), posts: false }, "one watcher is enough");
    let_pass(21);
    let lost = second.hooks.before_wait(&mut second.state);
    assert_eq!(lost, Wait { at_most_ms: Some(20), posts: false }, "nothing waits, so silence is no fault");
    assert_eq!(service.ledger.mutex().holder(), Some(100));
    let port = service.listener.addr().port().unwrap();
    let _client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let lost = second.hooks.before_wait(&mut second.state);
    assert_eq!(lost, Wait { at_most_ms: Some(10), posts: false }, "it may be about to accept");
    let_pass(10);
    assert!(second.hooks.before_wait(&mut second.state).posts);
    assert_eq!((service.ledger.mutex().holder(), second.state.tally.takeovers.get()), (Some(101), 1));
    // The third worker was woken to watch the new holder.
    let mut events = Events::with_capacity(4);
    third.state.poller.wait(&mut events, Some(0)).unwrap();
    assert_eq!(events.len(), 1);
    let watches = third.hooks.before_wait(&mut third.state).at_most_ms;
    assert!(watches.is_some_and(|ms| ms <= 21), "{watches:?}");
    // The old holder comes back to life with the connection in its hands, and leaves it alone.
    first.state.posted.accept(0);
    run_posted_accepts(&mut first.state, &mut *first.hooks);
    assert_eq!((first.seen.take(), first.state.posted.waiting()), (vec![], (0, 0)));
    first.hooks.after_accepts(&mut first.state);
    assert_eq!(service.ledger.mutex().holder(), Some(101), "nor does it free what is another's");
    first.hooks.before_wait(&mut first.state);
    assert!(!first.state.listening.is_armed());
    second.state.posted.accept(0);
    run_posted_accepts(&mut second.state, &mut *second.hooks);
    assert_eq!(second.seen.take(), [Note::Accept(Some(101))]);
}

#[test]
fn a_sign_of_life_saves_the_holder() {
    let mut service = service_with("accept_mutex", 2, 64, false, Some(20));
    let [first, second] = &mut service.workers[..] else { panic!() };
    first.hooks.before_wait(&mut first.state);
    second.hooks.before_wait(&mut second.state);
    let_pass(21);
    let port = service.listener.addr().port().unwrap();
    let _client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    second.hooks.before_wait(&mut second.state);
    first.hooks.after_accepts(&mut first.state);
    assert!(first.hooks.before_wait(&mut first.state).posts);
    let_pass(10);
    assert!(!second.hooks.before_wait(&mut second.state).posts);
    assert_eq!((service.ledger.mutex().holder(), second.state.tally.takeovers.get()), (Some(100), 0));
}

#[test]
fn a_holder_that_nobody_watches_rings_one_after_the_other() {
    let mut service = service_with("accept_mutex", 3, 64, false, Some(20));
    let rung = |worker: &Worker| {
        let mut events = Events::with_capacity(4);
        worker.state.poller.wait(&mut events, Some(0)).unwrap();
        events.len()
    };
    // Each worker watches its waker from its first turn on; then the first holds the mutex, and no worker has the
    // watch.
    service.workers.iter_mut().for_each(|worker| assert_eq!(worker.turn(1), []));
    let [first, second, third] = &mut service.workers[..] else { panic!() };
    for expected in [(0, 0), (1, 0), (0, 1)] {
        let wait = first.hooks.before_wait(&mut first.state);
        assert!(wait.posts && wait.at_most_ms.is_some_and(|ms| ms <= 20), "it wakes to see whether it is watched");
        assert_eq!((rung(second), rung(third)), expected);
        first.hooks.after_accepts(&mut first.state);
        let_pass(20);
    }
    first.hooks.before_wait(&mut first.state);
    second.hooks.before_wait(&mut second.state);
    first.hooks.after_accepts(&mut first.state);
    assert_eq!(first.hooks.before_wait(&mut first.state).at_most_ms, None, "it is watched now, and sleeps");
}
