//! Clients that ask for more than a server wants to give.

use std::io::Read;
use std::time::{Duration, Instant};

use crate::support::client::Nothing;
use crate::support::conf::Conf;
use crate::support::server::{Product, Server, Setup};

const PATIENT: &str = "GET /mid HTTP/1.1\r\nHost: localhost\r\n";

/// Requests behind the last answer must not turn the close into a reset, which would take the answers that the client
/// has not read yet.
#[test]
fn answers_reach_a_client_that_asks_past_the_last_request() {
    let server =
        Server::drover(Conf::workers(1).logged().events("worker_connections 64;").server("keepalive_requests 10;"));
    server.file("mid", vec![7; 100_000]);
    let mut client = server.connect();
    // More than is read at once, so that the kernel still holds some when the last answer is queued.
    let request = format!("{PATIENT}X-Pad: {}\r\n\r\n", "p".repeat(4000));
    client.send(request.repeat(60));
    for i in 0..10 {
        assert_eq!(client.response().map(|response| response.body.len()), Ok(100_000), "answer {i}");
    }
    assert_eq!(client.response(), Err(Nothing::Closed));
}

/// Large files are kept open; there are more of them than descriptors.
#[test]
fn more_files_than_descriptors() {
    let conf = Conf::workers(1).main("worker_rlimit_nofile 48;").events("worker_connections 16;");
    let server = Server::drover(conf);
    for i in 0..100 {
        server.file(&format!("large{i}"), vec![1; 300_000]);
    }
    server.file("index.html", "hello");
    for i in 0..100 {
        assert_eq!(server.connect().get(&format!("/large{i}")).status, 200, "file {i}");
    }
    assert_eq!(server.connect().get("/").text(), "hello");
}

/// Each read ends in the middle of a request, so that the connection is never idle: the time for a header begins anew
/// with each of them all the same.
#[test]
fn a_client_that_never_pauses_is_not_too_slow() {
    let server = Server::drover(
        Conf::workers(1)
            .logged()
            .events("worker_connections 64;")
            .server("client_header_timeout 400ms; keepalive_requests 1000000;"),
    );
    server.file("mid", "hello");
    let mut client = server.connect();
    let (start, end) = PATIENT.split_at(20);
    client.send(start);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1500) {
        client.send(format!("{end}\r\n{PATIENT}\r\n{start}"));
        for _ in 0..2 {
            assert_eq!(client.response().map(|response| response.status), Ok(200), "after {:?}", begun.elapsed());
        }
    }
}

/// The reader of an access log in a pipe may stop reading: the service goes on, and the lines that are read are
/// whole.
#[test]
fn a_log_that_nobody_reads_stops_nobody() {
    // The kernel takes no rule of a sandbox for a pipe.
    for sandbox in ["calls", "on"] {
        let conf = Conf::workers(1).main(&format!("sandbox {sandbox};")).access_log("/dev/stdout");
        let conf = conf.server("keepalive_requests 1000000;");
        let mut server = Setup::new(Product::Drover, conf).stdout_to_pipe().start();
        server.file("index.html", "hello");
        let mut client = server.connect();
        let target = format!("/?{}", "q".repeat(1000));
        // Twice what a pipe holds.
        for i in 0..150 {
            assert_eq!(client.get(&target).text(), "hello", "request {i}");
        }
        let mut log = vec![0; 60_000];
        server.take_stdout().expect("a pipe").read_exact(&mut log).expect("the beginning of the log");
        let log = String::from_utf8(log).expect("text");
        let (whole, _) = log.rsplit_once('\n').expect("lines");
        assert!(whole.lines().all(|line| line.starts_with("127.0.0.1 - - [") && line.ends_with("\"-\"")), "{whole}");
    }
}
