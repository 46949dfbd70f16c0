use super::*;

#[test]
fn slots_lie_on_lines_of_their_own() {
    let ledger = Ledger::create().unwrap();
    let (a, b) = (ledger.claim(1, Role::Worker, 0).unwrap(), ledger.claim(2, Role::Worker, 1).unwrap());
    let at = |slot: &Slot| std::ptr::from_ref(slot) as usize;
    assert_eq!((at(&a) % 128, at(&b) % 128, size_of::<Slot>() % 128), (0, 0, 0));
    assert_ne!(at(&a), at(&b));
    assert_eq!(std::ptr::from_ref(&ledger.0.mutexes) as usize % 128, 0);
}

#[test]
fn times_go_to_their_buckets_and_to_the_sum() {
    let ledger = Ledger::create().unwrap();
    let tally = ledger.claim(1, Role::Worker, 0).unwrap();
    tally.count_request_time(999, 1);
    tally.count_request_time(1_001, 3);
    tally.count_request_time(u64::MAX / 2, 1);
    tally.count_accept_delay(0);
    tally.count_accept_delay(500);
    let sums = ledger.sums();
    assert_eq!((sums.request_time[0], sums.request_time[1], sums.request_time[26]), (1, 3, 1));
    assert_eq!((sums.accept_delay[0], sums.accept_delay[9], sums.accept_delay_ms), (1, 1, 500));
}

#[test]
fn a_connection_that_two_threads_serve_is_counted_once() {
    let ledger = Ledger::create().unwrap();
    let (a, b) = (ledger.claim(1, Role::Worker, 0).unwrap(), ledger.claim(1, Role::Worker, 0).unwrap());
    b.reading.sub(1);
    let mut half = ledger.sums();
    half.clamp_negatives();
    assert_eq!(half.reading, 0);
    a.reading.add(1);
    a.connections.add(1);
    assert_eq!((ledger.sums().reading, ledger.sums().waiting()), (0, 1));
}

#[test]
fn counters_are_shown_by_name_and_text() {
    let sums = Sums { accepts: 5, status: [0, 9, 0, 0, 1], ..Sums::default() };
    let mut seen = Vec::new();
    sums.each(|name, about, numbers| seen.push((name, about, numbers.to_vec())));
    assert!(seen.contains(&("accepts", "Connections accepted.", vec![5])));
    assert!(seen.contains(&("status", "Answers by class: 1xx to 5xx.", vec![0, 9, 0, 0, 1])));
}

#[test]
fn what_the_dead_have_counted_stays_in_the_sums() {
    let ledger = Ledger::create().unwrap();
    let (a, b) = (ledger.claim(1, Role::Worker, 0).unwrap(), ledger.claim(2, Role::Dispatcher, 0).unwrap());
    a.requests.add(3);
    a.connections.add(2);
    a.count_status(404);
    a.count_status(99);
    b.requests.add(4);
    b.connections.add(1);
    let before = ledger.sums();
    assert_eq!((before.requests, before.connections, before.status), (7, 3, [0, 0, 0, 1, 0]));
    ledger.retire(1);
    let after = ledger.sums();
    assert_eq!((after.requests, after.connections, after.status), (7, 1, [0, 0, 0, 1, 0]));
    assert_eq!(ledger.live().map(|slot| (slot.pid(), slot.role())).collect::<Vec<_>>(), [(Some(2), Role::Dispatcher)]);
    let c = ledger.claim(3, Role::Worker, 7).unwrap();
    assert_eq!((c.read(), c.number(), c.index), (Sums::default(), 7, 0));
}

#[test]
fn another_program_reads_it_live_through_the_memfd() {
    let ledger = Ledger::create().unwrap();
    let tally = ledger.claim(1, Role::Worker, 0).unwrap();
    let reader = Ledger::open(File::from(ledger.as_fd().try_clone_to_owned().unwrap())).unwrap();
    tally.accepts.add(5);
    ledger.header().model.set("exclusive");
    assert_eq!((reader.sums().accepts, reader.header().model.get()), (5, "exclusive".to_owned()));
    let other = SharedMap::<Table>::create("other").unwrap();
    assert!(Ledger::open(File::from(other.as_fd().try_clone_to_owned().unwrap())).is_err());
}

#[test]
fn totals_never_go_back_while_processes_die() {
    let ledger = Ledger::create().unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for pid in 1..2000 {
                let tally = ledger.claim(pid, Role::Worker, 0).unwrap();
                tally.accepts.add(1);
                ledger.retire(pid);
            }
        });
        let mut last = 0;
        while !writer.is_finished() {
            let now = ledger.sums().accepts;
            assert!(now >= last && now < 2000, "{last} then {now}");
            last = now;
        }
    });
    assert_eq!(ledger.sums().accepts, 1999);
}
