//! The distribution of connections over the workers, its cost, and overload.

use std::time::Duration;

use drover::shm::{Ledger, Role};

use crate::support::client::{Client, Nothing};
use crate::support::conf::Conf;
use crate::support::fairness::jain;
use crate::support::server::Server;
use crate::support::{Noise, PATIENCE, best_of, proc, until_true};
use crate::{ALL, PASSING, counted, pids, pool};

/// `count` connections that stay, each with one request answered.
fn stay(server: &Server, count: usize) -> Vec<Client> {
    let clients = (0..count).map(|_| {
        let mut client = server.connect();
        assert_eq!(client.get("/").text(), "hello");
        client
    });
    clients.collect()
}

fn connections(ledger: &Ledger, sum: u64) -> Vec<u64> {
    let now = || counted(ledger, Role::Worker).iter().map(|sums| sums.connections).collect::<Vec<_>>();
    until_true("all connections are counted", || now().iter().sum::<u64>() == sum);
    now()
}

/// How often a spread is measured. `pool_notify` tells another worker of a connection when the first, kept from its
/// CPU, has not answered for 100 ms, and that worker is passed over until it does; no other model depends on time.
fn rounds(model: &str) -> usize {
    if model == "pool_notify" { 8 } else { 1 }
}

fn fairness(loads: &[u64]) -> f64 {
    let loads: Vec<f64> = loads.iter().map(|count| *count as f64).collect();
    jain(&loads).expect("connections")
}

#[test]
fn each_connection_is_passed_once_and_served_by_who_got_it() {
    for model in PASSING {
        for multi_accept in ["off", "on"] {
            let (server, ledger) = pool(3, &format!("dispatch {model}; multi_accept {multi_accept};"));
            for _ in 0..100 {
                assert_eq!(server.connect().get("/").text(), "hello");
            }
            connections(&ledger, 0);
            // The dispatcher counts a connection after passing it, when the client may have been served already.
            until_true("each is passed", || counted(&ledger, Role::Dispatcher)[0].handoffs == 100);
            let (dispatcher, workers) = (&counted(&ledger, Role::Dispatcher)[0], counted(&ledger, Role::Worker));
            assert_eq!((dispatcher.accepts, dispatcher.handoffs, dispatcher.requests), (100, 100, 0), "{model}");
            assert!(dispatcher.wakeups <= 100, "{model}: {dispatcher:?}");
            assert!(workers.iter().all(|sums| (sums.accepts, sums.wakeups) == (0, 0)), "{model}: {workers:?}");
            until_true("each is answered", || ledger.sums().requests == 100);
        }
    }
}

/// Each connection makes one message, and each message one accept: no worker is told twice.
#[test]
fn each_connection_is_told_of_once_and_accepted_by_who_was_told() {
    let (server, ledger) = pool(3, "dispatch pool_notify;");
    for _ in 0..99 {
        assert_eq!(server.connect().get("/").text(), "hello");
    }
    connections(&ledger, 0);
    until_true("each is told of", || counted(&ledger, Role::Dispatcher)[0].handoffs >= 99);
    let (dispatcher, workers) = (&counted(&ledger, Role::Dispatcher)[0], counted(&ledger, Role::Worker));
    let told = (dispatcher.accepts, dispatcher.handoffs, dispatcher.wakeups);
    println!(
        "{told:?}, accepts {:?}",
        workers.iter().map(|sums| (sums.accepts, sums.empty_accepts)).collect::<Vec<_>>()
    );
    // A worker that answers late is replaced by another, and may then find no connection.
    let empty: u64 = workers.iter().map(|sums| sums.empty_accepts).sum();
    assert_eq!((told.0, told.1), (0, 99 + empty));
    assert!(told.2 <= 99 + empty, "{dispatcher:?}");
    assert_eq!(workers.iter().map(|sums| sums.accepts).sum::<u64>(), 99);
    assert!(empty > 0 || workers.iter().all(|sums| sums.accepts == 33), "round robin: {workers:?}");
}

#[test]
fn policies_spread_connections_that_stay() {
    for model in ALL.iter().filter(|model| **model != "pool_queue") {
        // 0.9 is more than six standard deviations below what chance makes.
        for (policy, least) in
            [("round_robin", 1.0), ("random", 0.9), ("least_connections", 0.99), ("two_choices", 0.99)]
        {
            best_of(rounds(model), Noise::TakesAway, least, || {
                let (server, ledger) = pool(4, &format!("dispatch {model} pool_policy={policy};"));
                let _clients = stay(&server, 400);
                let loads = connections(&ledger, 400);
                println!("{model} {policy}: {loads:?}");
                fairness(&loads)
            });
        }
    }
}

/// All at once: what the ledger says of a worker is older than what was passed to it.
#[test]
fn a_burst_is_spread_as_well() {
    for model in ALL.iter().filter(|model| **model != "pool_queue") {
        best_of(rounds(model), Noise::TakesAway, 0.99, || {
            let (server, ledger) = pool(4, &format!("dispatch {model} pool_policy=least_connections;"));
            let _clients: Vec<Client> = (0..400).map(|_| server.connect()).collect();
            let loads = connections(&ledger, 400);
            println!("{model}: {loads:?}");
            fairness(&loads)
        });
    }
}

#[test]
fn least_connections_makes_good_for_those_that_end() {
    let (server, ledger) = pool(2, "dispatch pool_pass pool_policy=least_connections;");
    let mut clients = stay(&server, 40);
    let mut n = 0;
    // The clients of one worker leave: the connections took turns.
    clients.retain(|_| {
        n += 1;
        n % 2 == 0
    });
    connections(&ledger, 20);
    clients.extend(stay(&server, 20));
    assert_eq!(connections(&ledger, 40), [20, 20]);
}

/// Connections with a request under way are not closed for others: the surplus waits, nothing spins, and all are
/// served.
#[test]
fn the_surplus_waits_in_the_backlog_and_costs_nothing() {
    for model in ALL {
        let (server, ledger) = pool(2, &format!("dispatch {model}; worker_connections 20;"));
        let mut asking = Vec::new();
        let mut late = loop {
            let mut client = server.connect();
            client.patience(Duration::from_secs(2));
            client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: local");
            match client.response() {
                Ok(_) => asking.push(client),
                Err(nothing) => break (client, nothing),
            }
            assert!(asking.len() <= 40, "{model}: more connections than slots");
        };
        assert_eq!((late.1, asking.len()), (Nothing::Silent, 40), "{model}");
        let mut more: Vec<Client> = (0..30).map(|_| server.connect()).collect();
        let (before, turns) = (proc::cpu_ticks(server.pid()), ledger.sums().turns);
        // The subject is what is spent while nothing happens.
        late.0.patience(Duration::from_millis(1500));
        assert!(late.0.response().is_err(), "{model}: there is no room");
        let (spent, turns) = (proc::cpu_ticks(server.pid()) - before, ledger.sums().turns - turns);
        println!("{model}: {spent} ticks, {turns} turns in 1.5 s of overload");
        assert!(spent <= 3 && turns <= 20, "{model}: {spent} ticks of CPU, {turns} turns in 1.5 s of waiting");
        drop(asking);
        late.0.patience(PATIENCE);
        assert_eq!(late.0.response().expect("served when there is room").text(), "hello");
        more.iter_mut().for_each(|client| assert_eq!(client.get("/").text(), "hello"));
    }
}

/// A slot that becomes free is offered at once, not when the dispatcher happens to look.
#[test]
fn who_waits_for_room_gets_the_first_that_is_free() {
    for model in ALL {
        let (server, ledger) = pool(2, &format!("dispatch {model}; worker_connections 4; accept_mutex_delay 60s;"));
        let mut asking: Vec<Client> = (0..8).map(|_| server.connect()).collect();
        for client in &mut asking {
            client.begin();
        }
        connections(&ledger, 8);
        for _ in 0..20 {
            let mut next = server.connect();
            next.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: local");
            next.patience(Duration::from_millis(20));
            assert!(next.response().is_err(), "{model}: there is no room");
            drop(asking.remove(0));
            next.patience(PATIENCE);
            assert_eq!(next.response().expect(model).text(), "hello");
            asking.push(next);
        }
    }
}

#[test]
fn idle_connections_make_room() {
    for model in ALL {
        let (server, ledger) = pool(2, &format!("dispatch {model}; worker_connections 20;"));
        let mut clients = stay(&server, 30);
        // The subject is time: how long an idle client is listened to at least.
        assert_eq!(clients[0].patience(Duration::from_millis(700)).response(), Err(Nothing::Silent), "{model}");
        clients.extend(stay(&server, 60));
        assert!(clients[0].patience(PATIENCE).is_closed_by_server(), "{model}: the oldest went first");
        assert!(ledger.sums().reused_connections > 0, "{model}");
    }
}

#[test]
fn nothing_to_do_costs_nothing() {
    for model in ALL {
        let (server, ledger) = pool(8, &format!("dispatch {model};"));
        let mut idle = server.connect();
        idle.get("/");
        let (before, turns) = (proc::cpu_ticks(server.pid()), ledger.sums().turns);
        idle.patience(Duration::from_secs(1));
        assert!(idle.response().is_err());
        let (spent, turns) = (proc::cpu_ticks(server.pid()) - before, ledger.sums().turns - turns);
        assert!(spent <= 2 && turns <= 3, "{model}: {spent} ticks of CPU, {turns} turns in an idle second");
    }
}

/// Where descriptors are fewer than slots they are a worker's places: silent clients make room, and a newcomer is
/// served at once.
#[test]
fn workers_short_of_descriptors_make_room() {
    for model in ALL {
        let events = format!("dispatch {model}; worker_connections 64; accept_mutex_delay 50ms;");
        let (server, ledger) = pool(2, &events);
        server.rewrite_conf(Conf::workers(2).main("worker_rlimit_nofile 45;").events(&events));
        let old = server.workers();
        assert_eq!(server.send("reload").0, Some(0));
        until_true("new ones", || server.workers().iter().all(|pid| !old.contains(pid)));
        let mut silent: Vec<Client> = (0..100).map(|_| server.connect()).collect();
        until_true("the log says so", || {
            server.error_log().contains("connections are not enough, reusing connections")
        });
        assert!(silent[0].patience(PATIENCE).is_closed_by_server(), "{model}: the oldest went first");
        for _ in 0..20 {
            assert_eq!(server.connect().get("/").text(), "hello", "{model}");
        }
        assert!(!server.error_log().contains("Too many open files"), "{model}");
        assert_eq!(ledger.header().respawns.get(), 0);
    }
}

/// A worker whose clients have all just asked has no room to offer: the dispatcher sleeps until one of them has been
/// idle for long enough.
#[test]
fn the_dispatcher_is_not_woken_for_room_that_is_not_there() {
    for model in ALL {
        let (server, ledger) = pool(1, &format!("dispatch {model}; worker_connections 4;"));
        let mut clients = stay(&server, 3);
        // Clients that could make room when the last place is taken, and can't any more when room is wanted.
        assert_eq!(clients[0].patience(Duration::from_millis(700)).response(), Err(Nothing::Silent));
        clients[0].patience(PATIENCE);
        clients.extend(stay(&server, 1));
        clients.iter_mut().for_each(|client| assert_eq!(client.get("/").text(), "hello", "{model}"));
        let turns = || counted(&ledger, Role::Dispatcher)[0].turns;
        let before = turns();
        assert_eq!(server.connect().get("/").text(), "hello", "{model}");
        let count = turns() - before;
        assert!(count < 30, "{model}: {count} turns for one connection");
    }
}

#[test]
fn a_worker_whose_limit_was_lowered_since_its_start_leaves_connections_to_the_other() {
    for model in PASSING {
        // An answer that takes no descriptor.
        let conf = Conf::workers(2).main("worker_rlimit_nofile 16384;").server("location / { return 200 hello; }");
        let server = Server::drover(conf.dispatch(model));
        let ledger = server.ledger();
        until_true("all processes count", || ledger.live().count() == 3);
        let first = pids(&ledger, Role::Worker)[0];
        until_true("it waits", || proc::is_asleep(first));
        proc::limit_descriptors(first, proc::descriptor_count(first));
        for _ in 0..6 {
            assert_eq!(server.connect().get("/").text(), "hello", "{model}");
        }
    }
}
