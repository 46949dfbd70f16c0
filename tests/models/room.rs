//! Clients that make room for others, and clients that do not.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use drover::dispatch::ModelKind;
use drover::shm::Role;
use nix::sys::signal::Signal;

use crate::mechanism::Mechanism;
use crate::service::{Service, Want, Wire};
use crate::support::client::{Client, Nothing};
use crate::support::{proc, tools, until_true};

const GET: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Longer than anybody is listened to who must make room.
const LULL: Duration = Duration::from_millis(600);

/// A service whose only worker or dispatcher has this many places.
pub fn small(kind: &'static ModelKind, places: usize) -> Want {
    let want = Want::of(kind).workers(1).events(&format!("worker_connections {places};"));
    want.param("worker_threads", places as u64).param("fork_max", places as u64).param("queue", 4)
}

/// Clients that connect and never say a word are closed for those who do, of `http` and of `stream`; that is said and
/// counted. Whoever has begun a request stays.
pub fn silent_clients(kind: &'static ModelKind) {
    const PLACES: usize = 16;
    let start = Instant::now();
    let service = small(kind, PLACES).server("location = /metrics { metrics; }").start();
    let mut begun: Vec<Client> = (0..3).map(|_| service.connect()).collect();
    begun.iter_mut().for_each(|client| _ = client.send("G"));
    until_true("three requests have begun", || service.sums().reading == 3);
    let silent: Vec<TcpStream> =
        (0..10 * PLACES).map(|n| TcpStream::connect(service.addr_of(1 + n % 2)).expect("connect")).collect();
    assert_eq!(service.connect().get("/").text(), "hello");
    assert_eq!(Wire::connect(service.addr_of(2)).echo("hello").expect("an answer"), "HELLO");
    until_true("all are accepted", || service.sums().accepts >= 3 + silent.len() as u64 + 2);
    for mut client in begun {
        client.send("ET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(client.response().expect("a response to who had begun").text(), "hello");
    }
    let reused = until_all_are_counted(&service, silent.len() - PLACES - 4);
    let metrics = service.connect().get("/metrics").text();
    let shown = metrics.lines().find_map(|line| line.strip_prefix("drover_reused_connections_total "));
    assert!(shown.expect("the counter").parse::<u64>().expect("a number") >= reused, "{metrics}");
    let said = service.error_log().matches("not enough, reusing connections").count() as u64;
    assert!((1..=1 + start.elapsed().as_secs()).contains(&said), "said {said} times in {:?}", start.elapsed());
    assert!(service.error_log().contains("[warn]"));
    drop(silent);
    service.end();
}

/// How many connections were closed for others, once it is at least so many.
fn until_all_are_counted(service: &Service, least: usize) -> u64 {
    until_true(&format!("{least} are closed"), || service.sums().reused_connections >= least as u64);
    service.sums().reused_connections
}

/// A request that is in the kernel's buffer when its connection would be closed for another has begun.
pub fn requests_on_their_way(kind: &'static ModelKind) {
    const PLACES: usize = 8;
    let service = small(kind, PLACES).start();
    for asks_before in [true, false] {
        // A thread that is not done with a client yet has no place for the next, and another client would make room.
        service.wait_until_at_rest();
        let mut clients: Vec<Client> = (0..PLACES).map(|_| service.connect()).collect();
        if asks_before {
            clients.iter_mut().for_each(|client| assert_eq!(client.get("/").text(), "hello"));
        }
        until_true("all places are taken", || service.sums().connections == PLACES as u64);
        assert_eq!(clients[0].patience(LULL).response(), Err(Nothing::Silent), "nobody waits");
        let workers = service.pids(Role::Worker);
        let signal_all = |signal| workers.iter().for_each(|pid| proc::signal(*pid, signal));
        signal_all(Signal::SIGSTOP);
        until_true("the workers are stopped", || workers.iter().all(|pid| proc::is_stopped(*pid)));
        clients.push(service.connect());
        clients.iter_mut().for_each(|client| _ = client.send(GET).patience(crate::support::PATIENCE));
        signal_all(Signal::SIGCONT);
        for (n, client) in clients.iter_mut().enumerate() {
            let answer = client.response();
            assert_eq!(
                answer.map(|answer| answer.text()),
                Ok("hello".to_owned()),
                "client {n}, asks before: {asks_before}"
            );
        }
        drop(clients);
        until_true("nobody is connected", || service.sums().connections == 0);
    }
    assert_eq!(service.sums().reused_connections, 0);
    service.end();
}

/// Where there are descriptors for fewer connections than slots, those are the places.
pub fn few_descriptors(kind: &'static ModelKind) {
    let want = Want::of(kind).workers(1).main("worker_rlimit_nofile 50;").events("worker_connections 512;");
    let service = want.start();
    let mut idle: Vec<Client> = Vec::new();
    for n in 0..40 {
        let mut client = service.connect();
        assert_eq!(client.get("/").text(), "hello", "beside {n} that are idle");
        idle.push(client);
    }
    let silent: Vec<TcpStream> = (0..60).map(|_| TcpStream::connect(service.addr()).expect("connect")).collect();
    assert_eq!(service.connect().get("/").text(), "hello", "beside 60 that are silent");
    drop((idle, silent));
    let run = tools::ab(&["-k", "-c100", "-n5000", &service.url("/index.html")]);
    // A connection that is closed while it is idle counts as failed there, when the next request is on its way.
    assert_eq!(run.complete, 5000, "{}", run.report);
    service.end();
}

/// A worker that has no descriptor for a connection, of its own limit or of the system's, closes one that is idle for
/// it.
pub fn descriptors_run_out(kind: &'static ModelKind) {
    // A dispatcher has none that is idle, and a worker that is passed connections knows its limit from the start.
    if Mechanism::of(kind).is_none_or(|mechanism| mechanism.dispatcher) {
        return;
    }
    let service = Want::of(kind).workers(1).start();
    let mut idle: Vec<Client> = (0..8).map(|_| service.connect()).collect();
    idle.iter_mut().for_each(|client| assert_eq!(client.get("/n/").text(), "/n/"));
    assert_eq!(idle[0].patience(LULL).response(), Err(Nothing::Silent));
    let worker = service.pids(Role::Worker)[0];
    proc::limit_descriptors(worker, proc::descriptor_count(worker));
    for _ in 0..6 {
        let mut client = service.connect();
        assert_eq!(client.get("/n/").text(), "/n/");
        idle.push(client);
    }
    // Some numbers below the limit may be free.
    assert!(service.sums().reused_connections >= 3, "{:?}", service.sums());
    service.end_after_harm();
}
