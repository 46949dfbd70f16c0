//! Serving: the same in every model.

use std::collections::HashMap;

use drover::dispatch::ModelKind;

use crate::service::{Want, Wire};
use crate::support::client::{Client, Nothing};
use crate::support::{tools, until, until_true};

/// A little of everything that HTTP has.
pub fn http(kind: &'static ModelKind) {
    let service = Want::of(kind).start();
    service.file("digits", "0123456789").file("dir/index.html", "dir");
    let mut client = service.connect();
    let page = client.get("/");
    assert_eq!((page.status, page.text().as_str(), page.header("Content-Type")), (200, "hello", Some("text/html")));
    client.send("HEAD /digits HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.head_response().expect("to HEAD").header("Content-Length"), Some("10"));
    client.send("GET /digits HTTP/1.1\r\nHost: localhost\r\nRange: bytes=2-4\r\n\r\n");
    let part = client.response().expect("a part");
    assert_eq!((part.status, part.text().as_str()), (206, "234"));
    let etag = page.header("ETag").expect("an ETag");
    client.send(format!("GET / HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {etag}\r\n\r\n"));
    assert_eq!(client.response().expect("not modified").status, 304);
    let moved = client.get("/dir");
    assert_eq!(moved.status, 301);
    assert_eq!(client.get("/none").status, 404);
    client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n12345");
    assert_eq!(client.response().expect("to POST").status, 405);
    assert_eq!(client.get("/dir/").text(), "dir");
    client.send("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(client.response().expect("to a request without a host").status, 400);
    assert!(client.is_closed_by_server());
    let mut old = service.connect();
    old.send("GET / HTTP/1.0\r\n\r\n");
    let page = old.response().expect("to HTTP/1.0");
    assert_eq!((page.status, page.text().as_str()), (200, "hello"));
    assert!(old.is_closed_by_server());
    let mut tunnel = service.connect();
    tunnel.send("CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(tunnel.response().expect("to CONNECT").status, 405);
    assert!(tunnel.is_closed_by_server(), "what follows is no request");
    // A server that has said no waits for the client's end, in case more is on its way.
    drop((client, old, tunnel));
    service.end();
}

/// Bodies of other uris around one that is in a file, and fields behind them.
pub fn additions(kind: &'static ModelKind) {
    let conf = "add_before_body /first; add_after_body /last; add_trailer X-After $uri; \
                location = /first { internal; return 200 [; } \
                location /plain/ { add_before_body ''; add_after_body ''; }";
    let service = Want::of(kind).server(conf).start();
    let large: String = (0..40_000).map(|n| format!("{n:08}\n")).collect();
    service.file("large.html", &large).file("last", "]").file("plain/index.html", "plain");
    let mut client = service.connect();
    for (target, body) in [("/", "[hello]"), ("/large.html", &format!("[{large}]")), ("/plain/index.html", "plain")] {
        client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").repeat(2));
        for _ in 0..2 {
            let answer = client.response().expect("an answer");
            assert_eq!(answer.status, 200);
            assert!(answer.text() == *body, "{target}");
            assert!(answer.trailers[0].starts_with("X-After: /"), "{:?}", answer.trailers);
        }
    }
    drop(client);
    service.end();
}

pub fn keep_alive_and_pipelining(kind: &'static ModelKind) {
    let service = Want::of(kind).start();
    let mut clients: Vec<Client> = (0..6).map(|_| service.connect()).collect();
    for round in 0..30 {
        for (n, client) in clients.iter_mut().enumerate() {
            let target = format!("/n/{n}-{round}");
            assert_eq!(client.get(&target).text(), target);
        }
    }
    // Many at once, in an order that must be kept.
    for client in &mut clients {
        let requests: String = (0..100)
            .map(|n| format!("GET /n/{n} HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"))
            .collect();
        client.send(requests);
        for n in 0..100 {
            assert_eq!(client.response().expect("a pipelined response").text(), format!("/n/{n}"));
            assert_eq!(client.response().expect("a pipelined page").text(), "hello");
        }
    }
    assert_eq!(service.sums().accepts, 6, "nobody was disconnected");
    service.end();
}

pub fn short_connections(kind: &'static ModelKind) {
    for events in ["multi_accept off;", "multi_accept on;"] {
        let service = Want::of(kind).workers(3).events(events).start();
        let url = service.url("/index.html");
        let run = tools::ab(&["-n300", "-c15", &url]);
        assert_eq!((run.complete, run.failed), (300, 0), "{events}\n{}", run.report);
        let run = tools::ab(&["-k", "-n300", "-c15", &url]);
        assert_eq!((run.complete, run.failed), (300, 0), "{events}\n{}", run.report);
        service.end();
    }
}

/// Clients that send a byte at a time, and clients that ask for much and read nothing, keep nobody waiting.
pub fn slow_clients(kind: &'static ModelKind) {
    let service = Want::of(kind).start();
    let large = vec![b'x'; 16 << 20];
    service.file("large", &large);
    let mut readers: Vec<Client> = (0..3).map(|_| service.connect()).collect();
    for reader in &mut readers {
        reader.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").wait_for_bytes(1000);
    }
    let mut dribblers: Vec<Client> = (0..4).map(|_| service.connect()).collect();
    let request = b"GET /n/slow HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut kept = service.connect();
    for byte in request {
        dribblers.iter_mut().for_each(|client| _ = client.send([*byte]));
        // Each of them would wait for the slow ones to end, if anybody did.
        assert_eq!(kept.get("/").text(), "hello");
        assert_eq!(service.connect().get("/").text(), "hello");
    }
    for client in &mut dribblers {
        assert_eq!(client.response().expect("what was asked for slowly").text(), "/n/slow");
    }
    for client in &mut readers {
        assert!(client.response().expect("the large file").body == large);
    }
    service.end();
}

pub fn timeouts(kind: &'static ModelKind) {
    let limits = "client_header_timeout 300ms; keepalive_timeout 300ms;";
    let service = Want::of(kind).http(limits).start();
    let (mut silent, mut half, mut idle) = (service.connect(), service.connect(), service.connect());
    half.send("GET / HTTP/1.1\r\nHo");
    idle.get("/");
    assert!(idle.is_closed_by_server(), "an idle connection is closed");
    let answer = half.response();
    assert!(
        answer == Err(Nothing::Closed) || answer.as_ref().is_ok_and(|r| r.status == 408),
        "half a request: {answer:?}"
    );
    assert!(half.is_closed_by_server(), "half a request");
    assert!(silent.is_closed_by_server(), "a client that says nothing is closed");
    assert_eq!(service.connect().get("/").text(), "hello");
    service.end();
}

pub fn streams(kind: &'static ModelKind) {
    let service = Want::of(kind).start();
    let mut echoes: Vec<Wire> = (0..4).map(|_| Wire::connect(service.addr_of(2))).collect();
    let mut calls: Vec<Wire> = (0..4).map(|_| Wire::connect(service.addr_of(3))).collect();
    for round in 0..10 {
        for wire in &mut echoes {
            let text = format!("round {round}, {}", "abc".repeat(500));
            assert_eq!(wire.echo(&text).expect("an echo"), text.to_uppercase());
        }
        for wire in &mut calls {
            let params: Vec<u32> = (0..20).map(|n| round * 100 + n).collect();
            let pongs: Vec<String> = params.iter().map(|n| format!(r#"{{"out":"pong","result":{n}}}"#)).collect();
            assert_eq!(wire.ping(&params).expect("pongs"), pongs);
        }
    }
    // HTTP goes on beside them.
    assert_eq!(service.connect().get("/").text(), "hello");
    service.end();
}

/// The ledger's sums are what the clients have counted.
pub fn sums(kind: &'static ModelKind) {
    let service = Want::of(kind).workers(3).start();
    let mut count: HashMap<&str, u64> = HashMap::new();
    let mut add = |what, n| *count.entry(what).or_default() += n;
    let mut kept: Vec<Client> = (0..8).map(|_| service.connect()).collect();
    add("connections", 8);
    for round in 0..10 {
        for client in &mut kept {
            client.get("/");
            add("pages", 1);
        }
        let mut client = service.connect();
        add("connections", 1);
        assert_eq!(client.get("/none").status, 404);
        add("errors", 1);
        let mut wire = Wire::connect(service.addr_of(2));
        wire.echo("one").expect("an echo");
        wire.echo("two").expect("an echo");
        let mut wire = Wire::connect(service.addr_of(3));
        wire.ping(&[round, 1, 2]).expect("pongs");
        add("connections", 2);
        add("answers", 5);
    }
    let open = until("all but the kept have closed", || Some(service.sums()).filter(|sums| sums.connections == 8));
    assert_eq!((open.reading, open.writing), (0, 0));
    drop(kept);
    let sums = until("all have closed", || Some(service.sums()).filter(|sums| sums.connections == 0));
    assert_eq!(sums.accepts, count["connections"]);
    assert_eq!(sums.requests, count["pages"] + count["errors"] + count["answers"]);
    assert_eq!((sums.status[1], sums.status[3]), (count["pages"], count["errors"]));
    assert_eq!((sums.reading, sums.writing, sums.failed_accepts), (0, 0, 0));
    assert!(sums.bytes_sent > 100 * count["pages"]);
    service.end();
}

/// A log that can't be written is said once, by whichever process finds out first, and every line is counted.
pub fn lost_lines(kind: &'static ModelKind) {
    for (to, failed) in [
        ("/dev/full", "write() to \"/dev/full\" failed (28: No space left on device), lines lost: "),
        (
            "syslog:server=unix:/nowhere/log",
            "send() to syslog server unix:/nowhere/log failed (2: No such file or directory), lines lost: ",
        ),
    ] {
        let service = Want::of(kind).access_log(to).start();
        for _ in 0..10 {
            let mut client = service.connect();
            (0..3).for_each(|_| _ = client.get("/"));
        }
        until_true("all lines are counted", || service.sums().lost_log_lines == 30);
        let log = service.error_log();
        let said: Vec<&str> = log.lines().filter(|line| line.contains("[alert]")).collect();
        assert!(said.len() == 1 && said[0].contains(failed), "{said:?}");
    }
}
