//! Acceptors as /proc shows them: the processes that have the listening socket in their epoll set, and those that
//! hold the connections.

use nix::sys::signal::Signal;

use crate::support::client::Client;
use crate::support::conf::Conf;
use crate::support::server::Server;
use crate::support::{Noise, best_of, proc, until, until_true};

/// The only worker that watches the listening socket, once there is exactly one.
fn holder(server: &Server, workers: usize) -> i32 {
    until("one worker watches the listening socket", || {
        let all = server.workers();
        let watching = proc::who_watches_port(&all, server.port());
        (all.len() == workers && watching.len() == 1).then(|| watching[0])
    })
}

fn events_of(server: &Server, worker: i32) -> proc::Watch {
    let listening = proc::listening_inodes(server.port());
    let watches = proc::watches(worker);
    *watches.iter().find(|w| listening.contains(&w.inode)).expect("the worker watches the listening socket")
}

#[test]
fn with_the_mutex_one_worker_watches_and_takes_every_connection() {
    let server = Server::drover(Conf::workers(4).events("accept_mutex on;"));
    server.file("index.html", "hello");
    let holder = holder(&server, 4);
    assert!(!events_of(&server, holder).is_exclusive());
    // On a busy machine another may find the mutex free between two turns of its holder.
    best_of(8, Noise::TakesAway, 50.0, || {
        until_true("nobody is connected", || proc::connected_inodes(server.port()).is_empty());
        let mut clients: Vec<Client> = (0..50).map(|_| server.connect()).collect();
        for client in &mut clients {
            assert_eq!(client.get("/").text(), "hello");
        }
        let held = proc::connections(&server.workers(), server.port());
        assert_eq!(held.values().sum::<usize>(), 50);
        *held.values().max().expect("workers") as f64
    });
}

#[test]
fn when_the_holder_is_killed_another_takes_over_and_no_request_fails() {
    let server = Server::drover(Conf::workers(4).events("accept_mutex on; accept_mutex_delay 50ms;"));
    server.file("index.html", "hello");
    for _ in 0..3 {
        let first = holder(&server, 4);
        proc::signal(first, Signal::SIGKILL);
        // Connections that come before the takeover wait in the backlog.
        for _ in 0..20 {
            assert_eq!(server.connect().get("/").status, 200);
        }
        until_true("the dead worker is replaced", || {
            let workers = server.workers();
            workers.len() == 4 && !workers.contains(&first)
        });
        assert_ne!(holder(&server, 4), first);
    }
}

#[test]
fn without_the_mutex_every_worker_watches_exclusively() {
    let server = Server::drover(Conf::workers(4).events("accept_mutex off;"));
    until_true("all watch", || proc::who_watches_port(&server.workers(), server.port()).len() == 4);
    for worker in server.workers() {
        assert!(events_of(&server, worker).is_exclusive());
    }
}

#[test]
fn the_herd_watches_without_exclusion() {
    let server = Server::drover(Conf::workers(4).dispatch("herd"));
    server.file("index.html", "hello");
    until_true("all watch", || proc::who_watches_port(&server.workers(), server.port()).len() == 4);
    for worker in server.workers() {
        assert!(!events_of(&server, worker).is_exclusive());
    }
    for _ in 0..50 {
        assert_eq!(server.connect().get("/").status, 200);
    }
}

#[test]
fn dispatch_spells_what_accept_mutex_spells() {
    let server = Server::drover(Conf::workers(3).dispatch("accept_mutex"));
    holder(&server, 3);
    let server = Server::drover(Conf::workers(3).dispatch("exclusive"));
    until_true("all watch", || proc::who_watches_port(&server.workers(), server.port()).len() == 3);
}

#[test]
fn connections_are_edge_triggered() {
    let server = Server::drover(Conf::workers(1));
    server.file("index.html", "hello");
    let mut client = server.connect();
    client.get("/");
    let worker = server.wait_for_workers(1)[0];
    let listening = proc::listening_inodes(server.port());
    let held = proc::connected_inodes(server.port());
    // The answer may leave before the connection is watched.
    let connection = until("the connection is watched", || {
        proc::watches(worker).into_iter().find(|watch| held.contains(&watch.inode))
    });
    assert!(connection.is_edge_triggered());
    let watches = proc::watches(worker);
    assert!(watches.iter().filter(|w| listening.contains(&w.inode)).all(|w| !w.is_edge_triggered()));
}

/// Sixty connections with a request under way, which nothing may close for others, and thirty-two slots a worker: those
/// who are full leave the rest to others, and everybody is served.
#[test]
fn full_workers_leave_the_rest_to_others() {
    let server =
        Server::drover(Conf::workers(4).events("worker_connections 32; accept_mutex on; accept_mutex_delay 20ms;"));
    server.file("index.html", "hello");
    holder(&server, 4);
    let mut clients = Vec::new();
    for _ in 0..60 {
        let mut client = server.connect();
        client.begin();
        clients.push(client);
    }
    let held = proc::connections(&server.workers(), server.port());
    assert_eq!(held.values().sum::<usize>(), 60, "{held:?}");
    assert!(held.values().all(|n| *n <= 32) && held.values().filter(|n| **n > 0).count() >= 2, "{held:?}");
    for client in &mut clients {
        assert_eq!(client.finish().expect("a response").text(), "hello");
    }
}
