//! SIGKILL, at any process of the pool.

use std::time::{Duration, Instant};

use drover::shm::{Ledger, Role};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::client::{Client, Nothing};
use crate::support::server::Server;
use crate::support::{AT_ONCE, PATIENCE, proc, until, until_true};
use crate::{ALL, PASSING, counted, pids, pool};

/// Clients by the worker that serves them.
fn clients(server: &Server, ledger: &Ledger, each: usize) -> Vec<(i32, Client)> {
    let mut found: Vec<(i32, Client)> = Vec::new();
    for _ in 0..each * pids(ledger, Role::Worker).len() {
        let mut client = server.connect();
        assert_eq!(client.get("/").text(), "hello");
        let held_by = || proc::holder(&pids(ledger, Role::Worker), server.port(), client.local_port());
        let owner = until("a worker that has it", held_by);
        found.push((owner, client));
    }
    found
}

fn answers_at_once(server: &Server) {
    let start = Instant::now();
    assert_eq!(server.connect().get("/").text(), "hello");
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
}

#[test]
fn a_dispatcher_that_is_killed_takes_nobody_along() {
    for model in ALL {
        let (server, ledger) = pool(2, &format!("dispatch {model};"));
        let mut served = clients(&server, &ledger, 2);
        for _ in 0..3 {
            let dispatcher = pids(&ledger, Role::Dispatcher)[0];
            proc::signal(dispatcher, Signal::SIGKILL);
            answers_at_once(&server);
            until("another one", || pids(&ledger, Role::Dispatcher).first().filter(|pid| **pid != dispatcher).copied());
        }
        served.iter_mut().for_each(|(_, client)| assert_eq!(client.get("/").text(), "hello", "{model}"));
        assert_eq!(ledger.header().respawns.get(), 3);
    }
}

#[test]
fn while_all_workers_are_stopped_the_dispatcher_sleeps() {
    for model in ALL {
        let (server, ledger) = pool(2, &format!("dispatch {model};"));
        let workers = pids(&ledger, Role::Worker);
        workers.iter().for_each(|pid| proc::signal(*pid, Signal::SIGSTOP));
        let mut waiting: Vec<Client> = (0..3).map(|_| server.connect()).collect();
        waiting.iter_mut().for_each(|client| _ = client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        let before = proc::cpu_ticks(server.pid());
        assert_eq!(waiting[0].patience(Duration::from_secs(1)).response(), Err(Nothing::Silent));
        let ticks = proc::cpu_ticks(server.pid()) - before;
        assert!(ticks <= 2, "{model}: {ticks} ticks of CPU in a second");
        workers.iter().for_each(|pid| proc::signal(*pid, Signal::SIGCONT));
        for client in &mut waiting {
            let response = client.patience(PATIENCE).response().expect("a response when they go on");
            assert_eq!(response.text(), "hello", "{model}");
        }
    }
}

#[test]
fn a_worker_that_is_killed_takes_only_its_own_along() {
    for model in ALL {
        let (server, ledger) = pool(3, &format!("dispatch {model};"));
        for seat in 0..3 {
            let victim = pids(&ledger, Role::Worker)[seat];
            let mut served = clients(&server, &ledger, 2);
            proc::signal(victim, Signal::SIGKILL);
            for _ in 0..6 {
                answers_at_once(&server);
            }
            for (owner, client) in &mut served {
                match *owner == victim {
                    true => assert!(client.is_closed_by_server()),
                    false => assert_eq!(client.get("/").text(), "hello", "{model}"),
                }
            }
            until_true("a successor", || {
                let workers = pids(&ledger, Role::Worker);
                workers.len() == 3 && !workers.contains(&victim)
            });
        }
    }
}

/// Connections that were passed to a worker that dies before it has taken them go to its successor.
#[test]
fn what_is_under_way_outlives_the_worker() {
    for model in PASSING {
        let (server, ledger) = pool(1, &format!("dispatch {model};"));
        let victim = pids(&ledger, Role::Worker)[0];
        proc::signal(victim, Signal::SIGSTOP);
        let mut waiting: Vec<Client> = (0..10).map(|_| server.connect()).collect();
        until_true("all are passed", || counted(&ledger, Role::Dispatcher)[0].handoffs == 10);
        proc::signal(victim, Signal::SIGKILL);
        waiting.iter_mut().for_each(|client| assert_eq!(client.get("/").text(), "hello", "{model}"));
        until_true("ten requests are counted", || ledger.sums().requests == 10);
    }
}

/// A worker that is stopped keeps what it has been given, but gets no more than a handful, and the others serve the
/// rest.
#[test]
fn a_worker_that_is_stopped_does_not_stop_the_service() {
    for model in ALL {
        let (server, ledger) = pool(
            2,
            &format!("dispatch {model} pool_policy=least_connections;")
                .replace("pool_queue pool_policy=least_connections", "pool_queue"),
        );
        let victim = pids(&ledger, Role::Worker)[0];
        proc::signal(victim, Signal::SIGSTOP);
        let mut waiting = Vec::new();
        for _ in 0..20 {
            // Else connections that are over count for the worker that serves, and the stopped one looks idle.
            until_true("connections that are over do not count", || {
                drop_answered(&mut waiting);
                ledger.sums().connections == 0
            });
            let mut client = server.connect();
            client.patience(Duration::from_millis(500)).send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
            if client.response().is_err() {
                waiting.push(client);
            }
        }
        // Some may have been slow.
        until_true("all but a handful are answered", || {
            drop_answered(&mut waiting);
            waiting.len() <= 2
        });
        proc::signal(victim, Signal::SIGCONT);
        for client in &mut waiting {
            assert_eq!(client.patience(PATIENCE).response().expect("at last").text(), "hello");
        }
    }
}

fn drop_answered(waiting: &mut Vec<Client>) {
    waiting.retain_mut(|client| client.patience(Duration::from_millis(10)).response() == Err(Nothing::Silent));
}

/// Kill upon kill, with clients that come all the time: only connections of the dead may fail.
#[test]
fn the_pool_recovers_from_every_death_under_load() {
    for model in ALL {
        let (server, ledger) = pool(3, &format!("dispatch {model}; worker_connections 8;"));
        for round in 0..12 {
            let role = if round % 3 == 0 { Role::Dispatcher } else { Role::Worker };
            let victim = until("a victim", || pids(&ledger, role).last().copied());
            let _others: Vec<Client> = (0..10).map(|_| server.connect()).collect();
            let _ = kill(Pid::from_raw(victim), Signal::SIGKILL);
            let served = until("an answer", || {
                let mut client = server.connect();
                client.patience(Duration::from_secs(2)).send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
                client.response().ok()
            });
            assert_eq!(served.text(), "hello");
        }
        until_true("all are back", || ledger.live().count() == 4);
        until_true("nobody is counted who is gone", || ledger.sums().connections == 0);
        // All 24 slots can be had: no count has been lost with the dead.
        let mut full: Vec<Client> = (0..24).map(|_| server.connect()).collect();
        for client in &mut full {
            client.begin();
        }
        until_true("every slot is taken", || ledger.sums().connections == 24);
    }
}
