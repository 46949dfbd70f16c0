//! Less memory than the clients ask for: connections are closed, no worker dies, and afterwards all is as before.

use std::io::Write;
use std::net::TcpStream;

use crate::support::conf::Conf;
use crate::support::server::Server;
use crate::support::{proc, until_true};

/// Clients, each of which has the server keep a head of 60 KB that does not end.
const CLIENTS: usize = 400;
const HEAD: usize = 60_000;

/// Bytes that the worker may have besides those it has when it is idle: a sixth of what the heads are.
const MORE: u64 = 4 << 20;

const REFUSED: &str = "failed (12: Cannot allocate memory), closing connections";

/// The limit on what a process writes to that is its own, and what it has of that.
pub const DATA: (&str, &str) = ("data", "VmData:");

/// A number of KiB from /proc/PID/status, in bytes.
fn status(pid: i32, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
    let line = text.lines().find(|line| line.starts_with(name)).expect("a line");
    let number = line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
    number.expect("a number") << 10
}

/// Lets the process have `more` bytes than it has now. `limit`: the limit as prlimit(1) and /proc know it.
pub fn limit(pid: i32, (option, name): (&str, &str), more: u64) {
    proc::soft_limit(pid, option, &(status(pid, name) + more).to_string());
}

/// Waits until all threads of a worker serve, which is when all have their names, and none has run between two looks: a
/// thread that begins can't be without a stack for signals, which Rust's runtime asks for.
pub fn wait_for_threads(worker: i32, dispatch: &str) {
    let threads = match dispatch.split_once("worker_threads=") {
        Some((_, count)) => count.parse().expect("a number"),
        None if dispatch == "leader_follower" => 4,
        None => 0,
    };
    let mut before = Vec::new();
    until_true(&format!("{dispatch}: its threads"), || {
        let now = tasks(worker);
        let named = now.iter().filter(|task| task.contains("drover/")).count();
        let are_idle = named == threads && now.iter().all(|task| task.contains("S (sleeping)"));
        let are_as_before = now == before;
        before = now;
        are_as_before && are_idle
    });
}

/// The names, states and context switches of a process's threads.
fn tasks(pid: i32) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("tasks").flatten();
    tasks.filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok()).collect()
}

fn survives(dispatch: &str, of: (&str, &str)) {
    let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}", "x".repeat(HEAD));
    survives_requests(dispatch, of, MORE, &head);
}

/// Each client sends `request`, without reading, and the worker may have `more` bytes for all of them.
fn survives_requests(dispatch: &str, of: (&str, &str), more: u64, request: &str) {
    let conf = Conf::workers(1)
        .dispatch(dispatch)
        .events("worker_connections 1000;")
        .server(
            "client_header_timeout 1h; large_client_header_buffers 4 64k; client_header_buffer_size 64k;
            gzip on; gzip_types *;",
        )
        .http("gzip_cache off;");
    let server = Server::drover(conf);
    server.file("index.html", "hello");
    server.file("text", (0..20_000).map(|n| format!("{n}\n")).collect::<String>());
    let worker = server.wait_for_workers(1)[0];
    assert_eq!(server.connect().get("/").text(), "hello");
    wait_for_threads(worker, dispatch);
    limit(worker, of, more);
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = TcpStream::connect(server.addr()).expect("the socket listens");
        client.set_nonblocking(true).expect("O_NONBLOCK");
        // A server that has closed may refuse it.
        let _ = client.write(request.as_bytes());
        clients.push(client);
    }
    until_true(&format!("{dispatch}: a line"), || server.error_log().contains(REFUSED));
    if request.len() > HEAD {
        until_true(&format!("{dispatch}: some are closed"), || clients.iter().any(is_closed));
    }
    assert_eq!(server.workers(), [worker], "{dispatch}: {}", server.error_log());
    drop(clients);
    // The limit is still there, and the clients are not.
    until_true(&format!("{dispatch}: all have gone"), || server.ledger().sums().connections == 0);
    // A thread gets its reserve together when it is asked next, and closes connections until then.
    let answers = || {
        let response = server.connect().send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").response();
        response.is_ok_and(|it| it.status == 200 && it.text() == "hello")
    };
    until_true(&format!("{dispatch}: a hundred answers"), || (0..100).all(|_| answers()));
    assert_eq!(server.workers(), [worker], "{dispatch}: {}", server.error_log());
    assert!(proc::is_alive(worker) && !server.error_log().contains("exited"), "{dispatch}: {}", server.error_log());
    assert_eq!(server.ledger().sums().panics, 0);
}

/// Whether the server has closed its side.
fn is_closed(client: &TcpStream) -> bool {
    let peeked = client.peek(&mut [0]);
    peeked.map_or_else(|error| error.kind() != std::io::ErrorKind::WouldBlock, |read| read == 0)
}

#[test]
fn an_event_loop_survives() {
    survives("exclusive", ("as", "VmSize:"));
    survives("accept_mutex", DATA);
}

#[test]
fn threads_survive() {
    survives("prefork worker_threads=128", DATA);
    survives("leader_follower", DATA);
}

/// A compression wants 0.37 MiB in one piece, and as much again around it.
#[test]
fn compressions_survive() {
    let request = "GET /text HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n";
    for dispatch in ["exclusive", "leader_follower", "prefork worker_threads=32"] {
        for more in [1 << 20, 3 << 20] {
            survives_requests(dispatch, DATA, more, request);
        }
    }
}
