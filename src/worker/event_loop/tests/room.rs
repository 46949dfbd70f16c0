//! Workers without descriptors, and without slots.

use super::*;

/// Runs `body` in a forked child, whose limits are its own. Returns whether it ended without a panic.
fn in_child(body: impl FnOnce()) -> bool {
    use crate::os::process::{Fork, exit_now, fork};
    let pid = match fork().unwrap() {
        Fork::Child => {
            let code = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)) {
                Ok(()) => 0,
                Err(_) => 1,
            };
            exit_now(code)
        }
        Fork::Parent(pid) => pid,
    };
    let status = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None).unwrap();
    matches!(status, nix::sys::wait::WaitStatus::Exited(_, 0))
}

#[test]
fn without_descriptors_a_worker_stops_listening_and_lets_others_accept() {
    for model in ["accept_mutex", "accept_handoff", "herd", "exclusive"] {
        let mut service = service(model, 2, 64, true);
        service.connect(1);
        assert!(in_child(|| {
            let fill: Vec<EventFd> = {
                // The limit lies above what the tests beside this one hold open: the child has inherited it all.
                let numbers = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
                let highest = numbers.filter_map(|fd| fd.file_name().to_str()?.parse::<u64>().ok()).max();
                crate::os::limits::set_max_open_files(highest.unwrap() + 10).unwrap();
                std::iter::from_fn(|| EventFd::new().ok()).collect()
            };
            let worker = &mut service.workers[0];
            assert_eq!(worker.turn(1), [], "{model}");
            assert_eq!(worker.state.tally.failed_accepts.get(), 1);
            assert!(!worker.state.listening.is_armed());
            assert_eq!(service.ledger.mutex().holder(), None);
            // The worker sleeps until the pause is over, although a connection waits.
            let wait = worker.hooks.before_wait(&mut worker.state);
            assert!(wait.at_most_ms.is_some_and(|ms| ms <= 30) && !wait.posts);
            assert!(!worker.state.listening.is_armed());
            drop(fill);
            // Behind the pause the worker tries again; under a mutex it sits one turn out first.
            let now = worker.state.driver.clock().now_ms();
            // A worker that wakes the others is woken by that, too.
            let left = if model == "exclusive" { 2 } else { 1 };
            run(&mut worker.state, &mut *worker.hooks, &mut Turns { left, wait_until: now + 40 });
            assert_eq!(worker.turn(2).len(), 1, "{model}");
        }));
    }
}

#[test]
fn a_connection_that_wakes_a_worker_without_room_is_left_to_another() {
    let mut service = service("exclusive", 2, 64, false);
    service.workers.iter_mut().for_each(|worker| assert_eq!(worker.turn(1), []));
    service.connect(1);
    let [first, second] = &mut service.workers[..] else { panic!() };
    let tally = first.state.tally.clone();
    assert!(in_child(|| {
        crate::os::limits::set_max_open_files(3).unwrap();
        first.turn(1);
        assert_eq!(tally.failed_accepts.get(), 1);
    }));
    // The kernel has no new event for the worker: it sees the connection because another worker has woken it.
    let mut events = Events::with_capacity(4);
    second.state.poller.wait(&mut events, Some(0)).unwrap();
    assert!(events.iter().any(|(key, _)| Source::of(key) == Source::Model(0)), "the workers' waker");
    second.hooks.own_event(&mut second.state, 0, Ready::READ);
    assert_eq!(second.turn(1).len(), 1);
}

#[test]
fn with_its_last_slot_a_worker_stops_listening() {
    for model in ["accept_mutex", "herd", "exclusive", "reuseport"] {
        let mut service = service(model, 2, 2, false);
        service.connect(2);
        let worker = &mut service.workers[0];
        worker.turn(2);
        assert_eq!((worker.state.driver.live(), worker.state.listening.is_armed()), (2, false), "{model}");
    }
}
