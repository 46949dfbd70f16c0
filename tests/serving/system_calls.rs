//! How many system calls a request costs, counted by strace under load.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::support::conf::Conf;
use crate::support::fuse::{SlowDisk, contents};
use crate::support::server::Server;
use crate::support::{proc, tools, until_true};

/// Runs `load` while strace watches the only worker; returns what strace has written.
fn watched(server: &Server, options: &[&str], load: impl FnOnce()) -> String {
    let worker = server.wait_for_workers(1)[0];
    let report = server.dir().join("strace");
    let mut command = Command::new(tools::find("strace"));
    command.args(options).arg("-o").arg(&report).args(["-p", &worker.to_string()]);
    let mut strace = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("start strace");
    until_true("strace has attached", || {
        assert_eq!(strace.try_wait().expect("wait"), None, "strace may not attach: is ptrace allowed here?");
        let status = std::fs::read_to_string(format!("/proc/{worker}/status")).unwrap_or_default();
        status.lines().any(|line| line == format!("TracerPid:\t{}", strace.id()))
    });
    load();
    proc::signal(strace.id() as i32, Signal::SIGINT);
    strace.wait().expect("wait for strace");
    server.read("strace")
}

/// How often the worker makes each system call under `load`.
fn counted(server: &Server, load: impl FnOnce()) -> BTreeMap<String, u64> {
    let text = watched(server, &["-c", "-U", "calls,name"], load);
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.parse().ok()?, words.next()?.to_owned()))
    };
    text.lines().filter_map(row).filter(|(_, name)| name != "total").map(|(n, name): (u64, String)| (name, n)).collect()
}

fn server() -> Server {
    let server = Server::drover(Conf::workers(1).server("keepalive_requests 1000000;"));
    server.file("index.html", "x".repeat(1024));
    server
}

/// Calls per request of those whose name starts like this.
fn per_request(calls: &BTreeMap<String, u64>, names: &[&str], requests: u64) -> f64 {
    let sum: u64 = calls.iter().filter(|(name, _)| names.contains(&name.as_str())).map(|(_, n)| n).sum();
    sum as f64 / requests as f64
}

const STAT: [&str; 4] = ["stat", "newfstatat", "statx", "fstat"];
const OTHER: [&str; 8] = ["openat", "open", "read", "pread64", "lseek", "setsockopt", "mmap", "epoll_ctl"];

#[test]
fn a_keep_alive_request_is_one_recv_and_one_send() {
    let server = server();
    server.connect().get("/");
    let requests = 4000;
    let calls = counted(&server, || {
        let run = tools::ab(&["-k", "-c16", &format!("-n{requests}"), &server.url("/index.html")]);
        assert_eq!(run.failed, 0);
    });
    let once = |names: &[&str]| per_request(&calls, names, requests);
    assert!((0.99..1.02).contains(&once(&["recvfrom", "recvmsg", "read"])), "{calls:?}");
    assert!((0.99..1.02).contains(&once(&["sendto", "sendmsg", "writev", "write"])), "{calls:?}");
    assert!(once(&STAT) <= 1.01, "{calls:?}");
    assert!(once(&["epoll_wait", "epoll_pwait"]) <= 1.01, "{calls:?}");
    // Sixteen connections are made and closed.
    assert!(once(&OTHER) <= 0.02, "{calls:?}");
}

#[test]
fn a_file_that_is_cached_or_guarded_costs_the_calls_that_the_conf_asks_for() {
    for (directives, stats, opens) in [
        ("open_file_cache max=10;", 0.0..0.02, 0.0..0.02),
        ("disable_symlinks on;", 0.99..1.02, 0.99..1.02),
        ("disable_symlinks on from=%root%;", 0.99..1.02, 1.99..2.02),
        ("disable_symlinks outside;", 0.99..1.02, 1.99..2.02),
    ] {
        let server = Server::drover(Conf::workers(1).server(&format!("keepalive_requests 1000000; {directives}")));
        server.file("index.html", "x".repeat(1024));
        server.connect().get("/index.html");
        let requests = 2000;
        let calls = counted(&server, || {
            let run = tools::ab(&["-k", "-c1", &format!("-n{requests}"), &server.url("/index.html")]);
            assert_eq!(run.failed, 0);
        });
        assert!(stats.contains(&per_request(&calls, &STAT, requests)), "{directives} {calls:?}");
        assert!(
            opens.contains(&per_request(&calls, &["open", "openat", "openat2"], requests)),
            "{directives} {calls:?}"
        );
    }
}

/// Threads look at what is not in memory; the rest is looked at once in a second.
#[test]
fn with_aio_threads_a_file_in_memory_costs_no_more() {
    let server = Server::drover(Conf::workers(1).server("keepalive_requests 1000000; aio threads;"));
    server.file("small", vec![b'x'; 1024]).file("large", vec![b'x'; 1_000_000]);
    // Younger ones are not taken into memory (TICK_MS of src/serve/file_cache.rs).
    let written =
        std::fs::metadata(server.dir().join("root/large")).and_then(|found| found.modified()).expect("a time");
    until_true("the files are older than a tick", || written.elapsed().is_ok_and(|age| age.as_millis() > 20));
    for (name, reads) in [("small", 0), ("large", 1)] {
        server.connect().get(&format!("/{name}"));
        let (requests, before) = (2000, Instant::now());
        let calls = counted(&server, || {
            let run = tools::ab(&["-k", "-c4", &format!("-n{requests}"), &server.url(&format!("/{name}"))]);
            assert_eq!(run.failed, 0);
        });
        let looks = before.elapsed().as_secs() + 2;
        let of = |names: &[&str]| calls.iter().filter(|(name, _)| names.contains(&name.as_str())).map(|(_, n)| n).sum();
        let (stats, finds, probes): (u64, u64, u64) = (of(&STAT), of(&["openat2"]), of(&["preadv2"]));
        assert!(stats <= requests + 40 + 3 * looks, "{calls:?}");
        assert!(finds <= looks, "{looks} s: {calls:?}");
        // Connections whose slices begin before the first look is through look for themselves.
        assert!(probes <= 1 + looks * (1 + reads * 4 * 32), "{looks} s: {calls:?}");
        assert_eq!(of(&["futex"]), 0, "no thread has anything to do: {calls:?}");
    }
}

/// A packet that waits for what follows (MSG_MORE) leaves after 200 ms.
#[test]
fn the_end_of_what_a_thread_has_read_waits_for_nothing() {
    // Nobody can tell what of it is in memory, so that threads read all of it.
    let disk = SlowDisk::mount(&[("file", 30_000)]);
    let location = format!("location /m/ {{ alias {}/; }}", disk.path().display());
    for nopush in ["off", "on"] {
        let server = Server::drover(Conf::workers(1).server(&format!("aio threads; tcp_nopush {nopush}; {location}")));
        let calls = watched(&server, &["-e", "trace=sendto,sendmsg"], || {
            let mut client = server.connect();
            for _ in 0..3 {
                assert_eq!(client.get("/m/file").body, contents(30_000));
            }
        });
        let ends: Vec<&str> =
            calls.lines().filter(|line| line.contains("send") && !line.contains("HTTP/1.1")).collect();
        assert!(ends.len() >= 3, "{calls}");
        assert!(ends.iter().all(|line| !line.contains("MSG_MORE")), "{calls}");
    }
}

#[test]
fn a_short_connection_is_accept_recv_send_and_close() {
    let server = server();
    server.connect().get("/");
    let requests = 2000;
    let calls = counted(&server, || {
        let run = tools::ab(&["-c16", &format!("-n{requests}"), &server.url("/index.html")]);
        assert_eq!(run.failed, 0);
    });
    let once = |names: &[&str]| per_request(&calls, names, requests);
    // A new connection is read from at once as long as a third of those reads pays.
    assert!(once(&["recvfrom", "recvmsg", "read"]) <= 1.7, "{calls:?}");
    assert!((0.99..1.02).contains(&once(&["sendto", "sendmsg", "writev", "write"])), "{calls:?}");
    assert!((0.99..1.02).contains(&once(&["close"])), "{calls:?}");
    assert!(once(&STAT) <= 1.01, "{calls:?}");
    // The exclusive model takes the listening socket out and puts it in again every sixteen connections.
    assert!(once(&["epoll_ctl"]) <= 1.14, "{calls:?}");
    assert!(once(&["setsockopt", "openat", "shutdown", "ioctl"]) <= 0.01, "{calls:?}");
}

#[test]
fn requests_that_wait_are_answered_without_epoll_and_several_share_a_turn() {
    let server = server();
    server.connect().get("/");
    let (worker, requests) = (server.wait_for_workers(1)[0], 64);
    let calls = counted(&server, || {
        proc::signal(worker, Signal::SIGSTOP);
        let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let mut clients: Vec<TcpStream> = (0..requests).map(|_| connect(&server)).collect();
        clients.iter_mut().for_each(|client| client.write_all(request).unwrap());
        proc::signal(worker, Signal::SIGCONT);
        for client in &mut clients {
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).unwrap();
            assert!(answer.starts_with(b"HTTP/1.1 200 "));
        }
    });
    let once = |names: &[&str]| per_request(&calls, names, requests);
    assert!((0.99..1.05).contains(&once(&["recvfrom", "recvmsg"])), "{calls:?}");
    assert!(once(&["epoll_ctl"]) <= 0.05, "{calls:?}");
    assert!(once(&["epoll_wait", "epoll_pwait"]) <= 0.5, "{calls:?}");
    assert!(once(&["accept4"]) <= 1.1, "{calls:?}");
}

#[test]
fn silent_clients_are_soon_waited_for_without_a_read() {
    let server = server();
    let silent = 200;
    let mut clients = Vec::new();
    let calls = counted(&server, || {
        clients.extend((0..silent).map(|_| connect(&server)));
        // Accepted behind them.
        server.connect().get("/");
    });
    // The reads are those that the first client has left of credit, less one; the row of accepts that begins with that
    // one; one in 32; and those of the two that ask something, each with an early read, its request and its end.
    let most = 3 + 16 + 200_u64.div_ceil(32) + 2 * 3;
    assert!(per_request(&calls, &["recvfrom", "recvmsg"], 1) <= most as f64, "{calls:?}");
}

fn connect(server: &Server) -> TcpStream {
    TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, server.port())).expect("connect")
}

#[test]
fn an_answer_of_stream_is_one_recv_and_one_send() {
    let server = Server::drover(
        "%main% worker_processes 1; events { }
         stream { server { listen 127.0.0.1:%port%; echo_upper; } server { listen 127.0.0.1:%port2%; json_rpc; } }",
    );
    let call = b"\x0d\0\0\0{\"in\":\"ping\"}";
    let pong = b"\x1c\0\0\0{\"out\":\"pong\",\"result\":null}";
    let exchange = |stream: &mut TcpStream, send: &[u8], expected: &[u8]| {
        let mut answer = vec![0; expected.len()];
        stream.write_all(send).unwrap();
        stream.read_exact(&mut answer).unwrap();
        assert!(answer == expected);
    };
    let [mut chunks, mut calls] =
        [0, 1].map(|n| TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, server.ports()[n])).expect("connect"));
    let rounds = 500;
    let counts = counted(&server, || {
        for _ in 0..rounds {
            exchange(&mut chunks, b"chunk", b"CHUNK");
            exchange(&mut calls, call, pong);
            exchange(&mut calls, &call.repeat(32), &pong.repeat(32));
        }
    });
    for names in [&["recvfrom", "recvmsg"][..], &["sendto", "sendmsg", "writev"], &["epoll_wait", "epoll_pwait"]] {
        assert!((0.99..1.02).contains(&per_request(&counts, names, 3 * rounds)), "{counts:?}");
    }
    assert!(per_request(&counts, &OTHER, 3 * rounds) <= 0.02, "{counts:?}");
}
