//! TERM, INT, QUIT, USR1, WINCH, and the pid file.

use std::fs;

use nix::sys::signal::Signal;

use crate::support::client::Client;
use crate::support::server::Server;
use crate::support::{proc, until_true};
use crate::{conf, plain};

/// More than the socket buffers of both sides hold, so that the response is in progress until it is read.
const LARGE: usize = 32 * 1024 * 1024;

/// A client that has asked for a large file and has read the first of it.
fn slow_reader(server: &Server) -> Client {
    let mut client = server.connect();
    client.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").wait_for_bytes(1000);
    client
}

fn large_file_server(workers: usize) -> Server {
    let server = Server::drover(plain(workers));
    server.file("large", vec![9; LARGE]).file("index.html", "hello");
    server
}

#[test]
fn term_and_int_stop_at_once() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut server = large_file_server(2);
        let workers = server.wait_for_workers(2);
        let _in_progress = slow_reader(&server);
        server.signal(signal);
        assert!(server.wait().success());
        assert!(workers.iter().all(|pid| !proc::is_alive(*pid)), "workers outlive the master");
        assert!(!server.dir().join("server.pid").exists());
    }
}

#[test]
fn quit_finishes_what_is_in_progress() {
    let mut server = large_file_server(2);
    let mut in_progress = slow_reader(&server);
    let mut idle = server.connect();
    idle.get("/");
    server.signal(Signal::SIGQUIT);
    assert!(idle.is_closed_by_server(), "idle connections are closed");
    until_true("nobody listens", || proc::listening_inodes(server.port()).is_empty());
    assert!(server.poll_exit().is_none(), "a response is in progress");
    let response = in_progress.response().expect("the whole response");
    assert_eq!((response.body.len(), response.ended_by_close), (LARGE, false));
    drop(in_progress);
    assert!(server.wait().success());
}

#[test]
fn the_pid_file_names_the_master() {
    let mut server = Server::drover(plain(1));
    assert_eq!(server.read("server.pid").trim(), server.pid().to_string());
    assert!(server.quit().success());
    assert!(!server.dir().join("server.pid").exists());
}

#[test]
fn usr1_reopens_the_logs() {
    let server = Server::drover(plain(2));
    server.file("index.html", "hello");
    let log = server.dir().join("access.log");
    server.connect().get("/?before");
    until_true("the line is written", || server.read("access.log").contains("?before"));
    fs::rename(&log, server.dir().join("access.log.1")).expect("rename");
    server.signal(Signal::SIGUSR1);
    until_true("the log is made anew", || log.exists());
    // A worker reopens when it gets to it; lines before that go to the old file.
    until_true("new lines are in the new file", || {
        server.connect().get("/?after");
        server.read("access.log").contains("?after")
    });
    assert!(!server.read("access.log").contains("?before"));
}

#[test]
fn reopen_by_command() {
    let server = Server::drover(plain(1));
    let log = server.dir().join("access.log");
    fs::remove_file(&log).expect("remove");
    assert_eq!(server.send("reopen").0, Some(0));
    until_true("the log is made anew", || log.exists());
}

#[test]
fn winch_ends_the_workers_and_keeps_the_master() {
    let mut server = Server::drover(plain(2));
    server.file("index.html", "hello");
    server.signal(Signal::SIGWINCH);
    // nginx obeys WINCH only as a daemon, because a terminal sends it to what runs in its foreground.
    if server.product == crate::support::server::Product::Drover {
        until_true("no workers", || server.workers().is_empty());
        assert!(server.poll_exit().is_none());
    }
    server.signal(Signal::SIGTERM);
    assert!(server.wait().success());
}

#[test]
fn stop_and_quit_by_command() {
    for command in ["stop", "quit"] {
        let mut server = Server::drover(plain(2));
        assert_eq!(server.send(command).0, Some(0));
        assert!(server.wait().success());
    }
}

#[test]
fn a_command_without_a_server_fails() {
    let mut server = Server::drover(plain(1));
    server.quit();
    let (code, message) = server.send("stop");
    assert_eq!(code, Some(1));
    assert!(message.contains("No such file or directory"), "{message}");
}

#[test]
fn a_dead_worker_is_replaced() {
    let server = Server::drover(plain(3));
    server.file("index.html", "hello");
    for victim in server.wait_for_workers(3) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(victim), Signal::SIGKILL).expect("kill");
    }
    until_true("three others", || server.workers().len() == 3);
    assert_eq!(server.connect().get("/").text(), "hello");
    assert!(server.error_log().contains("exited on signal 9"), "{}", server.error_log());
}

#[test]
fn shutdown_timeout_ends_what_does_not_end_by_itself() {
    let text = conf(1, "worker_connections 512;", "").replace("%main%", "%main% worker_shutdown_timeout 300ms;");
    let mut server = Server::drover(&text);
    server.file("large", vec![9; LARGE]);
    let _never_read = slow_reader(&server);
    server.signal(Signal::SIGQUIT);
    assert!(server.wait().success());
}
