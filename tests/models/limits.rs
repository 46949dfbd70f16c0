//! More clients than there is room for, and none at all.

use std::time::Duration;

use drover::dispatch::ModelKind;
use drover::shm::Role;

use crate::crowd::Crowd;
use crate::mechanism::Mechanism;
use crate::service::{Service, Want};
use crate::support::client::{Client, Nothing};
use crate::support::{PATIENCE, proc, until_true};

/// Ticks of all processes while `client` waits in vain for that long.
fn ticks_while_waiting(service: &Service, client: &mut Client, time: Duration) -> u64 {
    let before = proc::cpu_ticks(service.pid());
    client.patience(time);
    assert_eq!(client.response(), Err(Nothing::Silent));
    proc::cpu_ticks(service.pid()) - before
}

/// A thousand clients more than there is room for: they wait, which costs nothing, and all are served in the end.
pub fn overload(kind: &'static ModelKind) {
    let want = Want::of(kind).events("worker_connections 48;");
    let service = want.param("worker_threads", 12).param("queue", 8).param("fork_max", 24).start();
    let mut crowd = Crowd::connect(service.addr(), 1100);
    let served = crowd.wait_until_full(20);
    assert!(served <= 100, "{served} are served at once");
    let mut last = service.connect();
    last.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let spent = ticks_while_waiting(&service, &mut last, Duration::from_secs(1));
    assert!(spent <= 2, "{spent} ticks of CPU in a second in which nobody can be served");
    crowd.finish();
    assert_eq!(last.patience(PATIENCE).response().expect("the last one is served").text(), "hello");
    drop(last);
    let accepts = service.sums().accepts;
    assert_eq!(accepts, 1101);
    until_true("nobody is connected", || service.sums().connections == 0);
    service.end();
}

/// A worker without a free slot leaves the next connection to one that has some, and idle clients make room for one
/// that waits.
pub fn last_places(kind: &'static ModelKind) {
    const PLACES: usize = 8;
    let want = Want::of(kind).events("worker_connections 8;").param("worker_threads", PLACES as u64);
    let service = want.clone().param("fork_max", 2 * PLACES as u64).start();
    // Where each worker has a socket or a queue of its own, who waits in it waits for that worker.
    let has_queue = kind.params.iter().any(|param| param.name == "queue");
    if Mechanism::of(kind).is_some_and(|m| !m.own_sockets) && !has_queue {
        let mut clients: Vec<Client> = Vec::new();
        for _ in 0..2 * PLACES {
            let mut client = service.connect();
            assert_eq!(client.get("/").text(), "hello", "client {}", clients.len());
            client.begin();
            clients.push(client);
        }
    }
    service.end();

    // Idle before somebody waits, and not before.
    let service = want.workers(1).param("fork_max", PLACES as u64).start();
    let mut idle: Vec<Client> = (0..PLACES).map(|_| service.connect()).collect();
    idle.iter_mut().for_each(|client| _ = client.get("/"));
    assert_eq!(service.connect().get("/").text(), "hello", "while all others are idle");
    drop(idle);
    until_true("nobody is connected", || service.sums().connections == 0);
    let mut clients: Vec<Client> = (0..PLACES).map(|_| service.connect()).collect();
    clients.iter_mut().for_each(|client| {
        client.get("/");
        client.begin();
    });
    let mut waits = service.connect();
    waits.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").patience(Duration::from_millis(100));
    assert_eq!(waits.response(), Err(Nothing::Silent));
    clients.iter_mut().for_each(|client| assert_eq!(client.finish().expect("a response").text(), "hello"));
    assert_eq!(waits.patience(PATIENCE).response().expect("a response in the place of an idle client").text(), "hello");
    service.end();
}

/// A worker that has no descriptor for a connection leaves it to the other one.
pub fn no_descriptors(kind: &'static ModelKind) {
    let service = Want::of(kind).start();
    let workers = service.pids(Role::Worker);
    // Where each worker has a socket of its own, the kernel has chosen already; and where there are no workers,
    // nobody is spared.
    if workers.is_empty() || Mechanism::of(kind).is_some_and(|m| m.own_sockets) {
        return service.end();
    }
    service.wait_until_at_rest();
    proc::limit_descriptors(workers[0], proc::descriptor_count(workers[0]));
    for _ in 0..4 {
        let mut client = service.connect();
        client.send("GET /n/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(client.response().expect("a response of the other worker").text(), "/n/");
    }
    service.end_after_harm();
}

/// Where a connection has a process of its own: never more of them than `fork_max`.
pub fn fork_limit(kind: &'static ModelKind) {
    if !kind.params.iter().any(|param| param.name == "fork_max") {
        return;
    }
    let service = Want::of(kind).param("fork_max", 4).start();
    let mut crowd = Crowd::connect(service.addr(), 30);
    assert_eq!(crowd.wait_until_full(4), 4);
    assert_eq!(service.pids(Role::Worker).len(), 4);
    assert_eq!(proc::tree(service.pid()).len(), 6, "the master, the dispatcher and four");
    crowd.finish();
    service.assert_no_zombies();
    assert_eq!(service.sums().accepts, 30);
    service.end();
}

/// Eight workers and one idle client: under one percent of a CPU.
pub fn idle(kind: &'static ModelKind) {
    let service = Want::of(kind).workers(8).start();
    let mut client = service.connect();
    client.get("/");
    let spent = ticks_while_waiting(&service, &mut client, Duration::from_secs(2));
    assert!(spent <= 2, "{spent} ticks of CPU in two idle seconds");
    service.end();
}
