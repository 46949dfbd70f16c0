//! Panics, which are bugs: they cost one client its connection, and nobody else anything.
//! `src/os/faults.rs` makes them.

use drover::dispatch::ModelKind;

use crate::secure::Secure;
use crate::service::Want;
use crate::support::client::Client;
use crate::support::h2::{H2, get};
use crate::support::{proc, until, until_true};

/// The places of `drover::os::faults`, as files of the site.
fn path(place: &str) -> String {
    format!("/panic-in-{place}/file")
}

/// The answer ends before its body does.
#[track_caller]
fn assert_cut_short(mut client: Client) {
    client.send(format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", path("sending")));
    // The answer must not fit into the kernel's buffers.
    let received = client.until_closed().expect("the end of the connection");
    assert!(received.starts_with(b"HTTP/1.1 200 ") && received.len() < LARGE, "{} bytes", received.len());
}

/// Bytes of an answer that no socket takes at once.
const LARGE: usize = 32 << 20;

/// Before an answer, with its head queued, in the middle of its body, behind it; in clear, over TLS and on a stream.
pub fn panics(kind: &'static ModelKind) {
    let want = Want::of(kind).server("http2 on;").access_log("%dir%/access.log");
    let secure = Secure::start(want.param("worker_threads", 4).param("fork_max", 8).param("queue", 8));
    let service = &secure.service;
    for place in ["phases", "queueing", "logging"] {
        service.file(&path(place)[1..], "a file");
    }
    service.file(&path("sending")[1..], vec![b'x'; LARGE]);
    let workers = service.workers();
    // In the middle of a request: an idle client may have to make room where no thread gets its CPU.
    let mut bystander = service.connect();
    bystander.begin();
    for connect in [&|| service.connect(), &|| secure.connect()] as [&dyn Fn() -> Client; 2] {
        for place in ["phases", "queueing"] {
            let mut client = connect();
            assert_eq!(client.get("/").text(), "hello");
            assert_eq!(client.get(&path(place)).status, 500, "{place}");
            assert!(client.is_closed_by_server(), "{place}");
        }
        let mut client = connect();
        assert_eq!(client.get(&path("logging")).text(), "a file");
        assert!(client.is_closed_by_server());
        assert_cut_short(connect());
        let mut client = connect();
        let ask = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client.send(ask("/") + &ask(&path("phases")) + &ask("/"));
        assert_eq!(client.response().expect("the answer in front of it").text(), "hello");
        assert_eq!(client.response().expect("its own").status, 500);
        assert!(client.is_closed_by_server(), "and none behind it");
    }
    let mut streams = H2::connect(service.addr());
    streams.ask(1, &get("/"));
    streams.ask(3, &get(&path("phases")));
    streams.ask(5, &get(&path("queueing")));
    streams.ask(7, &get("/"));
    assert_eq!([1, 3, 5, 7].map(|id| streams.answer(id).status().to_owned()), ["200", "500", "500", "200"]);
    assert_eq!(bystander.finish().expect("an answer").text(), "hello", "nobody else has noticed");
    drop((bystander, streams));
    until("each is counted", || (service.sums().panics == 12).then_some(()));
    let log = service.error_log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("a test's fault in")).collect();
    assert_eq!(lines.len(), 12, "a line each: {lines:#?}");
    for line in lines {
        let is_whole = line.contains("[alert]") && line.contains("panicked at src/os/faults.rs:");
        assert!(is_whole && line.contains("client: 127.0.0.") && line.contains("request: \"GET /panic-in-"), "{line}");
    }
    assert_eq!(service.workers(), workers, "no process has ended");
    until_true("the answers of 500 are counted", || service.sums().status[4] == 8);
    service.assert_no_zombies();
    let (pid, mut secure) = (service.pid(), secure);
    assert_eq!(secure.service.server.quit().code(), Some(0));
    until_true("nobody is left", || !proc::group_lives(pid));
}
