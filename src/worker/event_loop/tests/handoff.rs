//! The model accept_handoff, turn by turn.

use std::path::Path;
use std::sync::mpsc;

use super::*;

/// The workers that would wake if they were asleep alone.
fn who_sees_it(service: &Service) -> Vec<usize> {
    let wakes = |worker: &Worker| {
        let mut events = Events::with_capacity(4);
        worker.state.poller.wait(&mut events, Some(0)).unwrap();
        events.len()
    };
    service.workers.iter().map(wakes).collect()
}

#[test]
fn handed_on_the_mutex_spreads_connections_at_one_wakeup_each() {
    for multi_accept in [false, true] {
        let mut service = service("accept_handoff", 4, 512, multi_accept);
        service.workers.iter_mut().for_each(|worker| assert_eq!(worker.turn(1), []));
        // Without multi_accept the holder is woken for each connection.
        for _ in 0..40 {
            let_pass(1);
            service.connect(1);
            let holder = service.ledger.mutex().holder().unwrap() as usize - 100;
            assert_eq!(service.workers[holder].turn(1).len(), 1);
        }
        let live = |service: &Service| service.workers.iter().map(|w| w.state.driver.live()).collect::<Vec<_>>();
        let sums = service.ledger.sums();
        assert!(live(&service).iter().all(|n| n.abs_diff(10) <= 1), "{:?}", live(&service));
        assert_eq!((sums.accepts, sums.wakeups, sums.mutex_takes), (40, 40, 1));
        // With multi_accept the worker that has fewest is woken to look for more.
        assert!(sums.handoffs <= 40 && (multi_accept || sums.empty_accepts == 0), "{sums:?}");
        // In a rush a few connections more or less are taken for fewer hand-ons.
        service.connect(360);
        while service.ledger.sums().accepts < 400 {
            service.workers.iter_mut().for_each(|worker| _ = worker.turn(1));
        }
        assert!(live(&service).iter().all(|n| n.abs_diff(100) <= 8), "{:?}", live(&service));
    }
}

#[test]
fn in_a_rush_who_has_too_many_lets_go_of_the_sockets_before_it_is_woken_in_vain() {
    let mut service = service("accept_handoff", 4, 64, false);
    service.workers.iter_mut().for_each(|worker| assert_eq!(worker.turn(1), []));
    service.connect(40);
    // The first worker takes a few connections at most, because the others have none.
    service.workers[0].turn(40);
    let sums = service.ledger.sums();
    assert!((2..=6).contains(&sums.accepts) && sums.wakeups == sums.accepts, "{sums:?}");
}

#[test]
fn in_a_rush_a_worker_queues_up_again_and_otherwise_stays_where_it_is() {
    let mut service = service("accept_handoff", 2, 64, false);
    service.workers.iter_mut().for_each(|worker| assert_eq!(worker.turn(1), []));
    let mut take = |in_a_rush: bool| {
        if !in_a_rush {
            let_pass(1);
        }
        service.connect(1);
        let holder = &mut service.workers[0];
        *holder.close.borrow_mut() = 1;
        assert_eq!(holder.turn(1), [Note::Accept(Some(100))]);
        (service.clients.clear(), service.ledger.sums().rotations).1
    };
    assert!((0..40).all(|_| take(false) == 0));
    // On a busy machine not all of them come in a rush.
    assert!((0..1000).any(|_| take(true) > 0));
    let sums = service.ledger.sums();
    assert_eq!((sums.handoffs, sums.wakeups), (0, sums.accepts));
}

/// The holder accepts two connections, one after the other, and hands the mutex on after the second.
fn fill(service: &mut Service, holder: usize) {
    for _ in 0..2 {
        let_pass(1);
        service.connect(1);
        assert_eq!(service.workers[holder].turn(1), [Note::Accept(Some(100 + holder as u32))]);
    }
}

#[test]
fn holder_and_deputy_are_first_and_second_in_the_kernel_s_row() {
    let mut service = service("accept_handoff", 3, 64, false);
    service.workers.iter_mut().for_each(|worker| assert_eq!(worker.turn(1), []));
    // The first worker took the free mutex, and the second volunteered.
    service.connect(1);
    assert_eq!(who_sees_it(&service), [1, 1, 0]);
    assert_eq!(service.workers[0].turn(1), [Note::Accept(Some(100))]);
    assert_eq!(service.ledger.mutex().holder(), Some(100), "one connection may be gone before the next one comes");
    let_pass(1);
    service.connect(1);
    assert_eq!(service.workers[0].turn(1), [Note::Accept(Some(100))]);
    // All other workers have no connection; the second has waited longest, then the third.
    assert_eq!(service.ledger.mutex().holder(), Some(101));
    assert_eq!(who_sees_it(&service), [0, 0, 0], "a hand-on wakes nobody");
    let_pass(1);
    service.connect(1);
    assert_eq!(who_sees_it(&service), [0, 1, 1]);
    assert_eq!(service.workers[1].turn(1), [Note::Accept(Some(101))]);
    let_pass(1);
    service.connect(1);
    assert_eq!(service.workers[1].turn(1), [Note::Accept(Some(101))]);
    assert_eq!((who_sees_it(&service), service.ledger.mutex().holder()), (vec![0, 0, 0], Some(102)));
}

#[test]
fn the_deputy_steps_in_when_the_holder_does_not_sleep() {
    let mut service = service("accept_handoff", 3, 64, false);
    service.workers.iter_mut().for_each(|worker| assert_eq!(worker.turn(1), []));
    fill(&mut service, 0);
    let_pass(1);
    // The second worker is the holder, and busy; the connection wakes the third, which has other events to handle
    // first.
    service.connect(1);
    let woken = EventFd::new().unwrap();
    woken.notify().unwrap();
    service.workers[2].state.poller.add(&woken, 7 << 32, Interest::READ).unwrap();
    assert_eq!(service.workers[2].turn(1), [Note::Ready(7 << 32, Some(101))]);
    service.workers[2].state.poller.delete(&woken).unwrap();
    assert_eq!(service.workers[2].turn(1), [Note::Accept(Some(102))]);
    // After one more connection the mutex goes to the second worker, which has fewest.
    let_pass(1);
    service.connect(1);
    assert_eq!(service.workers[2].turn(1), [Note::Accept(Some(102))]);
    assert_eq!((service.ledger.mutex().holder(), service.ledger.sums().takeovers), (Some(101), 0));
    service.connect(1);
    assert_eq!(service.workers[1].turn(1), [Note::Accept(Some(101))]);
}

#[test]
fn who_has_fewest_keeps_the_mutex() {
    let mut service = service("accept_handoff", 2, 64, false);
    service.workers.iter_mut().for_each(|worker| assert_eq!(worker.turn(1), []));
    for _ in 0..6 {
        let_pass(1);
        service.connect(1);
        let holder = service.ledger.mutex().holder().unwrap() as usize - 100;
        assert_eq!(service.workers[holder].turn(1).len(), 1);
    }
    let_pass(1);
    let holder = service.ledger.mutex().holder().unwrap() as usize - 100;
    *service.workers[holder].close.borrow_mut() = 2;
    service.workers[holder].turn(1);
    let handoffs = service.ledger.sums().handoffs;
    service.connect(2);
    assert_eq!(service.workers[holder].turn(2).len(), 2);
    assert_eq!(
        (service.ledger.sums().handoffs, service.ledger.mutex().holder()),
        (handoffs, Some(holder as u32 + 100))
    );
}

#[test]
fn a_successor_that_does_not_wake_is_replaced_and_the_sockets_taken_from_it() {
    let mut service = service_with("accept_handoff", 3, 64, false, Some(20));
    service.workers.iter_mut().for_each(|worker| assert_eq!(worker.turn(1), []));
    fill(&mut service, 0);
    assert_eq!(service.ledger.mutex().holder(), Some(101), "the second is handed the mutex, and is stopped");
    service.connect(1);
    let [_, second, third] = &mut service.workers[..] else { panic!() };
    let_pass(21);
    let wait = third.hooks.before_wait(&mut third.state);
    assert_eq!(wait.at_most_ms, Some(10), "the third looks again, whoever watches");
    let_pass(10);
    assert_eq!(third.turn(1), [Note::Accept(Some(102))]);
    assert_eq!(third.state.tally.takeovers.get(), 1);
    assert_eq!((second.turn(1), second.state.tally.wakeups.get()), (vec![], 0), "it isn't even woken");
}

#[test]
fn who_leaves_hands_the_mutex_on_and_the_dead_one_s_is_free() {
    let mut service = service("accept_handoff", 3, 64, false);
    let (seats, model) = (service.model.plan(), service.model.clone());
    service.workers.iter_mut().for_each(|worker| assert_eq!(worker.turn(1), []));
    let [first, second, third] = &mut service.workers[..] else { panic!() };
    first.hooks.leave(&mut first.state);
    assert_eq!(service.ledger.mutex().holder(), Some(101));
    second.state.tally.pass_on(101, 0);
    model.child_died(seats[1], 101);
    assert_eq!(service.ledger.mutex().holder(), None);
    // The waker of the worker is set, and it takes the free mutex.
    let mut events = Events::with_capacity(4);
    third.state.poller.wait(&mut events, Some(0)).unwrap();
    assert_eq!(events.len(), 1);
    third.turn(1);
    assert_eq!(service.ledger.mutex().holder(), Some(102));
    let port = service.listener.addr().port().unwrap();
    let _client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert_eq!(third.turn(1), [Note::Accept(Some(102))]);
}

#[test]
fn a_wakeup_that_came_to_nothing_is_made_good_after_a_lease() {
    let mut service = service_with("accept_handoff", 2, 64, false, Some(20));
    service.workers.iter_mut().for_each(|worker| assert_eq!(worker.turn(1), []));
    assert_eq!(service.ledger.mutex().holder(), Some(100));
    // A process sleeps in the place of the first worker, is woken for a connection, and does nothing about it.
    let (poller, (say, hear)) = (service.workers[0].state.poller.clone(), mpsc::channel());
    let sleeper = std::thread::spawn(move || {
        say.send(std::fs::read_link("/proc/thread-self").unwrap()).unwrap();
        poller.wait(&mut Events::with_capacity(4), Some(5000)).unwrap();
    });
    let stat = Path::new("/proc").join(hear.recv().unwrap()).join("stat");
    while !std::fs::read_to_string(&stat).unwrap().contains(") S ") {
        std::thread::yield_now();
    }
    let_pass(21);
    service.connect(1);
    sleeper.join().unwrap();
    let second = &mut service.workers[1];
    assert_eq!(second.turn(1), [], "the kernel has told the first alone, which may be about to accept");
    let_pass(10);
    assert_eq!(second.turn(1), [Note::Accept(Some(101))]);
}
