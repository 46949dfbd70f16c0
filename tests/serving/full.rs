//! More clients than a worker has slots for.

use std::time::Duration;

use crate::support::client::{Client, Nothing};
use crate::support::conf::Conf;
use crate::support::server::Server;
use crate::support::{PATIENCE, proc, until_true};

/// See [`Client::begin`].
const PAIR: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: local";

fn small_server(events: &str) -> Server {
    let server = Server::drover(Conf::workers(1).events(&format!("worker_connections 20; {events}")));
    server.file("index.html", "hello");
    server
}

/// When slots run out, the oldest connections that have been idle for a while make room, so every newcomer is served.
#[test]
fn idle_connections_make_room() {
    for events in ["accept_mutex off;", "accept_mutex off; multi_accept on;"] {
        let server = small_server(events);
        let mut clients: Vec<Client> = Vec::new();
        for n in 0..30 {
            if n == 18 {
                // The subject is time: how long an idle client is listened to at least.
                assert_eq!(clients[0].patience(Duration::from_millis(700)).response(), Err(Nothing::Silent));
            }
            let mut client = server.connect();
            assert_eq!(client.get("/").text(), "hello");
            clients.push(client);
        }
        assert!(clients[0].patience(PATIENCE).is_closed_by_server(), "the oldest went first");
        assert_eq!(clients.last_mut().expect("thirty").get("/").text(), "hello", "the newest stays");
    }
}

/// Connections with a request under way are not closed for others: the surplus waits, and nothing spins meanwhile.
#[test]
fn the_surplus_waits_and_costs_nothing() {
    let server = small_server("accept_mutex off;");
    let worker = server.wait_for_workers(1)[0];
    // The connection behind the last that there is room for has to wait: this finds out how many there is room for.
    let mut asking: Vec<Client> = Vec::new();
    let mut first_to_wait = loop {
        let mut client = server.connect();
        client.patience(Duration::from_secs(2)).send(PAIR);
        match client.response() {
            Ok(_) => asking.push(client),
            Err(nothing) => break (client, nothing),
        }
        assert!(asking.len() <= 20, "more connections than slots");
    };
    assert_eq!(first_to_wait.1, Nothing::Silent, "the surplus waits, it is not turned away");
    assert!(asking.len() >= 16 && proc::connections(&[worker], server.port())[&worker] >= 16);
    let _more: Vec<Client> = (0..40).map(|_| server.connect()).collect();
    let late = &mut first_to_wait.0;
    let before = proc::cpu_ticks(server.pid());
    // Nothing to wait for: the subject is what is spent while nothing happens.
    late.patience(Duration::from_millis(1500));
    assert!(late.response().is_err(), "there is no room");
    let spent = proc::cpu_ticks(server.pid()) - before;
    assert!(spent <= 5, "{spent} ticks of CPU in 1.5 s of waiting");
    drop(asking);
    late.patience(PATIENCE);
    assert_eq!(late.response().expect("served when there is room").text(), "hello");
}

/// Descriptors run out before slots do: the worker says so and closes who says nothing, it does not spin or die.
#[test]
fn running_out_of_descriptors_is_survived() {
    let server = Server::drover(Conf::workers(1).main("worker_rlimit_nofile 40;").events("accept_mutex off;"));
    server.file("index.html", "hello");
    let worker = server.wait_for_workers(1)[0];
    let silent: Vec<Client> = (0..80).map(|_| server.connect()).collect();
    until_true("the log says so", || server.error_log().contains(" connections are not enough, reusing connections"));
    drop(silent);
    assert_eq!(server.connect().get("/").text(), "hello");
    assert_eq!(server.workers(), [worker]);
}

#[test]
fn nothing_to_do_costs_nothing() {
    for events in ["accept_mutex on;", "accept_mutex off;", "dispatch herd;"] {
        let server = Server::drover(Conf::workers(4).events(events));
        server.file("index.html", "hello");
        let mut idle = server.connect();
        idle.get("/");
        let before = proc::cpu_ticks(server.pid());
        idle.patience(Duration::from_secs(1));
        assert!(idle.response().is_err());
        let spent = proc::cpu_ticks(server.pid()) - before;
        assert!(spent <= 2, "{events} {spent} ticks of CPU in an idle second");
    }
}
