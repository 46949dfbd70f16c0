//! How the event-driven models spread connections over the workers, and how many wakeups that costs.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use drover::shm::{Ledger, Role, Sums};

use crate::serve;
use crate::support::client::Client;
use crate::support::conf::Conf;
use crate::support::fairness::jain;
use crate::support::proc;
use crate::support::server::Server;
use crate::support::{Noise, best_of, until};

fn connections(server: &Server) -> Vec<f64> {
    let workers = server.workers();
    let held = proc::connections(&workers, server.port());
    workers.iter().map(|worker| held.get(worker).copied().unwrap_or(0) as f64).collect()
}

/// Opens `count` connections, `pause` apart, each with a request that is answered, and keeps them open.
pub fn open(server: &Server, count: usize, pause: Duration) -> Vec<Client> {
    let start = Instant::now();
    let mut clients: Vec<Client> = (0..count as u32)
        .map(|n| {
            std::thread::sleep((pause * n).saturating_sub(start.elapsed()));
            let mut client = server.connect();
            client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
            client
        })
        .collect();
    for client in &mut clients {
        assert_eq!(client.response().expect("a response").text(), "hello");
    }
    clients
}

/// The counts since `before`, once `accepts` connections are among them.
fn counted(ledger: &Ledger, before: &Sums, accepts: u64) -> Sums {
    until("all accepts are counted", || {
        let now = ledger.sums();
        (now.accepts - before.accepts == accepts).then_some(Sums {
            wakeups: now.wakeups - before.wakeups,
            accepts: now.accepts - before.accepts,
            empty_accepts: now.empty_accepts - before.empty_accepts,
            handoffs: now.handoffs - before.handoffs,
            takeovers: now.takeovers - before.takeovers,
            turns: now.turns - before.turns,
            ..Sums::default()
        })
    })
}

#[test]
fn handed_on_the_mutex_spreads_long_lived_connections_evenly() {
    for (pause, multi_accept) in [(0, "off"), (5, "off"), (0, "on")].map(|(ms, m)| (Duration::from_millis(ms), m)) {
        let conf = Conf::workers(4).dispatch("accept_handoff").events(&format!("multi_accept {multi_accept};"));
        let (server, ledger) = serve(conf, 4);
        // A worker that has handed the mutex on may be woken for a connection that the next holder accepts: how often
        // depends on who gets its CPU. A herd would be woken 1,200 times too often.
        best_of(8, Noise::Adds, 20.0, || {
            until("nobody has connections", || (connections(&server).iter().sum::<f64>() == 0.0).then_some(()));
            let before = ledger.sums();
            let _clients = open(&server, 400, pause);
            let counts = connections(&server);
            let sums = counted(&ledger, &before, 400);
            println!("{pause:?} apart, multi_accept {multi_accept}: {counts:?}, {sums:?}");
            assert!(jain(&counts) >= Some(0.99), "{counts:?}");
            assert!(sums.handoffs <= 400, "{sums:?}");
            assert!(
                sums.wakeups <= sums.accepts + sums.empty_accepts,
                "each other wakeup is for a connection: {sums:?}"
            );
            sums.empty_accepts as f64
        });
    }
}

/// How often the kernel has woken the workers. A worker that finds nothing left goes back to sleep inside epoll_wait,
/// so its own counters don't show that.
fn sleeps(server: &Server) -> u64 {
    server.workers().into_iter().map(proc::sleeps).sum()
}

#[test]
fn the_herd_wakes_all_workers_for_a_connection_and_the_others_wake_one() {
    for model in ["herd", "exclusive", "accept_handoff"] {
        let (server, ledger) = serve(Conf::workers(8).dispatch(model), 8);
        // (wakeups, sleeps) for a connection, one after another.
        let measure = || {
            let (before, slept) = (ledger.sums(), sleeps(&server));
            for _ in 0..200 {
                assert_eq!(server.connect().get("/").status, 200);
            }
            let (sums, slept) = (counted(&ledger, &before, 200), sleeps(&server) - slept);
            println!("{model}: {slept} sleeps, {sums:?}");
            assert!(sums.handoffs <= 200, "{model}: {sums:?}");
            (sums.wakeups as f64 / 200.0, slept as f64 / 200.0)
        };
        match model {
            // A worker that is kept from its CPU is not asleep when the next connection comes, and need not be woken.
            "herd" => best_of(8, Noise::TakesAway, 5.0, || measure().1),
            // The connection, its request and its end are up to three events. A worker that is awake may see a
            // connection that another has been woken for: a few in a hundred.
            _ => best_of(8, Noise::Adds, 1.0, || {
                let (wakeups, sleeps) = measure();
                (wakeups / 1.1).max(sleeps / 4.0)
            }),
        }
    }
}

#[test]
fn the_herd_takes_more_wakeups_than_connections() {
    let (server, ledger) = serve(Conf::workers(8).dispatch("herd"), 8);
    // Counted is who is on a CPU soon enough to see a connection that another takes: on a busy machine they are few.
    until("the herd shows", || {
        let before = ledger.sums();
        drop(open(&server, 100, Duration::ZERO));
        let sums = counted(&ledger, &before, 100);
        (sums.wakeups > sums.accepts && sums.empty_accepts > 0).then_some(())
    });
}

/// Sends `request` on a connection of its own and returns when the answer ends as it should.
pub fn ask(mut stream: impl Read + Write, request: &str, end: &str) {
    stream.write_all(request.as_bytes()).expect("send");
    let mut answer = Vec::new();
    while !answer.ends_with(end.as_bytes()) {
        let mut chunk = [0; 1024];
        let count = stream.read(&mut chunk).expect("receive");
        assert!(count > 0, "closed after {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&chunk[..count]);
    }
}

/// A worker that shares its listening socket queues up behind the others again and again: the kernel would always
/// wake the first in the queue.
#[test]
fn a_shared_socket_wakes_all_workers_in_turn() {
    const HELLO: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    // A thread each: the threads of a worker are woken by turns as well.
    for (model, processes) in [
        ("exclusive", 4),
        ("reuseport", 4),
        ("pool_queue", 5),
        ("prefork worker_threads=1", 4),
        ("thread_pool worker_threads=1", 8),
        ("leader_follower worker_threads=2", 8),
    ] {
        let stream = "stream { server { listen 127.0.0.1:%port2%; listen unix:%dir%/stream; echo_upper; } }";
        let conf = Conf::workers(4).dispatch(model).server("listen unix:%dir%/http;").beside(stream);
        let (server, ledger) = serve(conf, processes);
        let tcp = |n: usize| TcpStream::connect((Ipv4Addr::LOCALHOST, server.ports()[n])).expect("connect");
        let unix = |name| UnixStream::connect(server.dir().join(name)).expect("connect");
        let requests = || {
            let mut counts = BTreeMap::new();
            for slot in ledger.live().filter(|slot| slot.role() == Role::Worker) {
                *counts.entry(slot.pid()).or_insert(0) += slot.requests.get();
            }
            counts
        };
        let sockets: [(&str, &dyn Fn()); 4] = [
            ("http over TCP", &|| ask(tcp(0), HELLO, "hello")),
            ("http over Unix", &|| ask(unix("http"), HELLO, "hello")),
            ("stream over TCP", &|| ask(tcp(1), "hello", "HELLO")),
            ("stream over Unix", &|| ask(unix("stream"), "hello", "HELLO")),
        ];
        for (name, connection) in sockets {
            // With reuseport the kernel spreads TCP connections by a hash.
            if model == "reuseport" && name.ends_with("TCP") {
                continue;
            }
            let before = requests();
            for _ in 0..200 {
                // A worker that is still busy with the last connection is passed over.
                until("all are asleep", || server.workers().into_iter().all(proc::is_asleep).then_some(()));
                connection();
            }
            let counts = until("all requests are counted", || {
                let counts: Vec<u64> = requests().iter().map(|(pid, count)| count - before[pid]).collect();
                (counts.iter().sum::<u64>() == 200).then_some(counts)
            });
            println!("{model}, {name}: {counts:?}");
            assert!(counts.iter().all(|count| (35..=70).contains(count)), "{model}, {name}: {counts:?}");
        }
    }
}
