//! The order in which clients are served, and the processes and threads that serve them.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::{PATIENCE, client::Client, client::Nothing, proc, until, until_true};
use crate::{ALL, SILENCE, TWO_AT_A_TIME, begin, begun, each, hello, serving, start, totals};

#[test]
fn requests_follow_each_other_and_may_be_pipelined() {
    for model in ALL {
        let server = start(model, 2, "");
        let mut client = server.connect();
        (0..3).for_each(|_| hello(&mut client));
        client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20));
        for _ in 0..20 {
            assert_eq!(client.response().expect("a response").text(), "hello");
        }
        let ledger = totals(&mut client);
        assert_eq!(ledger["totals"]["accepts"], 1, "{model}: {ledger}");
        assert_eq!(ledger["totals"]["requests"], 23, "{model}: {ledger}");
        assert_eq!(ledger["totals"]["connections"], 1, "{model}: {ledger}");
    }
}

#[test]
fn a_slow_client_keeps_nobody_waiting_while_others_are_free() {
    for model in ALL {
        let server = start(model, 1, "");
        let mut slow = server.connect();
        for byte in "GET /hello HTTP/1.1\r\nHost: a\r\n\r".bytes() {
            slow.send([byte]);
            hello(&mut server.connect());
        }
        slow.send("\n");
        assert_eq!(slow.response().expect("a response").text(), "hello", "{model}");
    }
}

#[test]
fn more_clients_than_can_be_served_at_once_wait_and_are_served() {
    each(ALL.into_iter().chain(TWO_AT_A_TIME), |model| {
        let server = start(model, 1, "");
        let clients: Vec<_> = (0..12)
            .map(|_| {
                let mut client = server.connect();
                // At once: a client that says nothing for a while makes room for the next.
                client.send("GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
                thread::spawn(move || {
                    assert_eq!(client.response().expect("an answer").text(), "hello");
                    // Kept open: idle clients must make room.
                    client
                })
            })
            .collect();
        let mut clients: Vec<Client> = clients.into_iter().map(|client| client.join().expect("served")).collect();
        let mut asker = server.connect();
        let mut asked = 0;
        // A request is counted when its answer is out, so that a client may have it before.
        until_true("all are counted", || {
            let counts = &totals(&mut asker)["totals"];
            asked += 1;
            (counts["accepts"].as_u64(), counts["requests"].as_u64()) == (Some(13), Some(11 + asked))
        });
        let is_open = |client: &mut Client| client.patience(SILENCE).response() == Err(Nothing::Silent);
        let open = clients.iter_mut().map(is_open).filter(|open| *open).count();
        let expected = if TWO_AT_A_TIME.contains(&model) { 0..2 } else { 12..13 };
        assert!(expected.contains(&open), "{model}: {open} are open still");
    });
}

#[test]
fn an_idle_client_stays_until_others_wait() {
    for model in ["prefork worker_threads=1", "thread_pool worker_threads=1 queue=1", "fork fork_max=1"] {
        let server = start(model, 1, "");
        let mut first = server.connect();
        hello(&mut first);
        assert_eq!(first.patience(SILENCE).response(), Err(Nothing::Silent), "{model}: nobody else is there");
        first.patience(PATIENCE);
        hello(&mut first);
        let mut second = server.connect();
        hello(&mut second);
        assert!(first.is_closed_by_server(), "{model}");
        hello(&mut second);
    }
}

#[test]
fn an_idle_client_stays_while_another_thread_is_free() {
    let stays = |model| {
        let server = start(model, 1, "");
        let mut idle = server.connect();
        hello(&mut idle);
        let before = serving(&server).len();
        for _ in 0..8 {
            hello(&mut server.connect());
            // Else the next one comes while this one's thread is still busy with its end, and all are.
            until_true("its end", || {
                let served: usize = proc::connections(&serving(&server), server.port()).values().sum();
                served <= 1 && serving(&server).len() <= before && proc::zombies(server.pid()).is_empty()
            });
        }
        idle.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").response().is_ok()
    };
    for model in ["prefork worker_threads=2", "thread_pool worker_threads=2 queue=1", "fork fork_max=2"] {
        // On a machine that is too busy to let the free thread run for a while, it counts as busy.
        assert!((0..5).any(|_| stays(model)), "{model}");
    }
}

/// A regression: the times that an idle client had been left in peace were never forgotten, and the sixth connection
/// after `LULL_MS` took its place.
#[test]
fn a_client_that_is_idle_for_long_stays_while_a_thread_is_free_for_each_that_comes() {
    let stays = || {
        let server = start("prefork worker_threads=2", 1, "");
        let mut idle = server.connect();
        hello(&mut idle);
        assert_eq!(idle.patience(2 * SILENCE).response(), Err(Nothing::Silent));
        for _ in 0..1_000 {
            hello(&mut server.connect());
            let serving = || server.ledger().live().filter(|slot| slot.connections.get() > 0).count();
            until_true("its end", || serving() <= 1);
        }
        idle.patience(PATIENCE).send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").response().is_ok()
    };
    // On a machine that is too busy to let the free thread run for a while, it counts as stopped.
    assert!((0..3).any(|_| stays()));
}

#[test]
fn a_client_that_goes_on_asking_is_told_before_it_is_closed() {
    let server = start("prefork worker_threads=1", 1, "");
    let mut first = server.connect();
    hello(&mut first);
    let mut second = server.connect();
    second.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    let told = until("an answer that ends the connection", || {
        let answer = first.get("/hello");
        (answer.header("Connection") == Some("close")).then_some(answer)
    });
    assert_eq!(told.text(), "hello");
    assert_eq!(second.response().expect("a response").text(), "hello");
}

#[test]
fn a_full_queue_stops_accepting_and_loses_nobody() {
    let server = start("thread_pool worker_threads=1 queue=1", 1, "");
    let mut clients: Vec<Client> = (0..5).map(|_| begun(&server)).collect();
    let workers = server.workers();
    // The thread serves one client, and the queue holds another.
    until_true("the queue is full", || proc::connections(&workers, server.port())[&workers[0]] == 2);
    assert_eq!(clients[4].patience(SILENCE).response(), Err(Nothing::Silent));
    assert_eq!(proc::connections(&workers, server.port())[&workers[0]], 2);
    for mut client in clients {
        client.patience(PATIENCE);
        assert_eq!(client.finish().expect("a response").text(), "hello");
    }
}

#[test]
fn the_fork_limit_makes_clients_wait() {
    let server = start("fork fork_max=2", 1, "");
    let dispatcher = server.workers()[0];
    let mut clients: Vec<Client> = (0..4).map(|_| begun(&server)).collect();
    until_true("two children", || proc::children(dispatcher).len() == 2);
    assert_eq!(clients[3].patience(SILENCE).response(), Err(Nothing::Silent));
    assert_eq!(proc::children(dispatcher).len(), 2);
    for mut client in clients {
        client.patience(PATIENCE);
        assert_eq!(client.finish().expect("a response").text(), "hello");
        assert!(proc::children(dispatcher).len() <= 2);
    }
    until_true("all children are gone", || proc::children(dispatcher).is_empty());
    until_true("none is a zombie", || proc::zombies(server.pid()).is_empty());
}

#[test]
fn each_connection_has_a_process_of_its_own_and_leaves_no_zombie() {
    let server = start("fork", 1, "");
    let dispatcher = server.workers()[0];
    let mut clients: Vec<Client> = (0..5).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(hello);
    let children = proc::children(dispatcher);
    let counts: Vec<usize> = proc::connections(&children, server.port()).into_values().collect();
    assert_eq!((counts, proc::threads(dispatcher)), (vec![1; 5], 1));
    assert_eq!(proc::connections(&[dispatcher], server.port())[&dispatcher], 0, "it has closed its copies");
    // No child could accept, or keep the port when the service has ended.
    let listening = proc::listening_inodes(server.port());
    assert!(children.iter().all(|child| proc::socket_inodes(*child).is_disjoint(&listening)));
    proc::signal(children[0], Signal::SIGKILL);
    drop(clients);
    until_true("all children are gone", || proc::children(dispatcher).is_empty());
    until_true("none is a zombie", || proc::zombies(server.pid()).is_empty());
    let mut client = server.connect();
    let ledger = totals(&mut client);
    assert_eq!((&ledger["totals"]["requests"], &ledger["totals"]["connections"]), (&5.into(), &1.into()), "{ledger}");
}

#[test]
fn threads_are_as_many_as_the_conf_says() {
    // In addition a thread listens to the signals in each process, and one accepts for the pool.
    for (model, threads) in [
        ("prefork worker_threads=3", 4),
        ("thread_pool worker_threads=3", 5),
        ("leader_follower worker_threads=3", 4),
        ("leader_follower worker_threads=1", 2),
    ] {
        let server = start(model, 2, "");
        until_true(&format!("{threads} threads"), || server.workers().iter().all(|w| proc::threads(*w) == threads));
        hello(&mut server.connect());
    }
}

#[test]
fn requests_of_one_connection_are_served_by_different_threads() {
    let server = start("leader_follower worker_threads=3", 1, "");
    let mut client = server.connect();
    let mut requests = 0;
    // A thread that is done before the next has come to wait leads again, so that two of them take some luck.
    until_true("two threads have served", || {
        requests += 1;
        assert_eq!(client.get("/missing").status, 404);
        // 2026/11/20 10:00:00 [error] 123#124: *1 open() ...
        let log = server.error_log();
        let lines = log.lines().filter(|line| line.contains("/missing"));
        lines.filter_map(|line| line.split(['#', ':']).nth(3)).collect::<BTreeSet<_>>().len() > 1
    });
    let ledger = totals(&mut client);
    assert_eq!((&ledger["totals"]["accepts"], &ledger["totals"]["requests"]), (&1.into(), &requests.into()));
}

#[test]
fn timeouts_hold() {
    let timeout = Duration::from_millis(400);
    let is_closed_in_time = |client: &mut Client, since: Instant, what: &str| {
        assert!(client.until_closed().is_ok(), "{what}");
        let passed = since.elapsed();
        // The clock of timers counts in whole milliseconds.
        assert!(passed >= timeout - Duration::from_millis(2) && passed < PATIENCE, "{what}: {passed:?}");
    };
    each(ALL.into_iter().chain(TWO_AT_A_TIME), |model| {
        let server = start(model, 1, "keepalive_timeout 400ms; client_header_timeout 400ms;");
        // Threads that wait for events sleep without a limit when this client comes.
        let since = Instant::now();
        is_closed_in_time(&mut server.connect(), since, &format!("{model}: a client that says nothing"));
        let since = Instant::now();
        let mut client = server.connect();
        begin(&mut client);
        is_closed_in_time(&mut client, since, &format!("{model}: one that does not finish"));
        let mut client = server.connect();
        let since = Instant::now();
        hello(&mut client);
        is_closed_in_time(&mut client, since, &format!("{model}: an idle one"));
    });
}
