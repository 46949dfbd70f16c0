//! A flood: far more clients than the CPU can serve. Each is answered or closed, and afterwards all is as before.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::client::{Client, Nothing};
use crate::support::conf::Conf;
use crate::support::server::Server;
use crate::support::until_true;

/// Threads of clients, and the connections that each has at once: several times the server's `worker_connections`.
const THREADS: usize = 8;
const EACH: usize = 40;

/// An answer to it takes the server more work than its client.
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n";

/// Requests that a connection sends at once.
const PIPELINED: usize = 10;

/// Time in which new connections come.
const FLOOD: Duration = Duration::from_secs(3);

/// The flood's answers: whole ones, and connections that were closed before their last answer.
#[derive(Default)]
struct Outcome {
    answered: AtomicUsize,
    closed: AtomicUsize,
}

impl Outcome {
    /// Reads what a client gets for its requests.
    fn take(&self, client: &mut Client, body: &[u8]) {
        for _ in 0..PIPELINED {
            match client.response() {
                Ok(answer) => {
                    assert!(!answer.ended_by_close, "an answer is cut");
                    assert_eq!((answer.status, answer.body.as_slice()), (200, body));
                    self.answered.fetch_add(1, Ordering::Relaxed);
                }
                Err(nothing) => {
                    assert_eq!(nothing, Nothing::Closed, "neither answered nor closed");
                    self.closed.fetch_add(1, Ordering::Relaxed);
                    return;
                }
            }
        }
        assert!(client.is_closed_by_server(), "the last request asked for the close");
    }
}

/// Many clients at once, again and again until the time is over.
fn flood(server: &Server, outcome: &Outcome, body: &[u8]) {
    let requests = format!("{REQUEST}\r\n").repeat(PIPELINED - 1) + REQUEST + "Connection: close\r\n\r\n";
    let start = Instant::now();
    while start.elapsed() < FLOOD {
        let mut clients: Vec<Client> = (0..EACH).map(|_| server.connect()).collect();
        clients.iter_mut().for_each(|client| _ = client.send(&requests));
        clients.iter_mut().for_each(|client| outcome.take(client, body));
    }
}

fn survives(dispatch: &str) {
    let gzip = "gzip on; gzip_types *; gzip_comp_level 9;";
    let conf = Conf::workers(1).dispatch(dispatch).events("worker_connections 64;").server(gzip);
    let server = Server::drover(conf);
    server.file("index.html", (0..2000).map(|n| format!("{n} ")).collect::<String>());
    let workers = server.wait_for_workers(1);
    let answer = || server.connect().send(format!("{REQUEST}\r\n")).response().expect("an answer");
    let body = answer().body;
    assert_eq!(body[..2], [0x1f, 0x8b], "gzip's magic bytes");
    let outcome = Outcome::default();
    std::thread::scope(|scope| (0..THREADS).for_each(|_| _ = scope.spawn(|| flood(&server, &outcome, &body))));
    let (answered, closed) = (outcome.answered.into_inner(), outcome.closed.into_inner());
    assert!(answered >= THREADS * EACH, "{dispatch}: {answered} answers, {closed} closed");
    assert_eq!(answer().body, body);
    until_true(&format!("{dispatch}: all have gone"), || server.ledger().sums().connections == 0);
    assert_eq!(server.ledger().sums().panics, 0);
    assert_eq!(server.workers(), workers, "{dispatch}: {}", server.error_log());
}

#[test]
fn an_event_loop_survives_a_flood() {
    survives("exclusive");
}

#[test]
fn threads_that_block_survive_a_flood() {
    survives("prefork worker_threads=8");
}

#[test]
fn threads_behind_a_queue_survive_a_flood() {
    survives("thread_pool worker_threads=8");
}
