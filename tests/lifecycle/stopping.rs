//! TERM, INT, QUIT and WINCH, and `-s stop` and `quit`.

use nix::sys::signal::Signal;

use crate::conf;
use crate::support::client::Client;
use crate::support::server::{Product, Server};
use crate::support::{proc, until_true};

/// More than the socket buffers of both sides hold, so that the response is in progress until it is read.
const LARGE: usize = 32 * 1024 * 1024;

/// A client that has asked for a large file and has read the first of it.
fn slow_reader(server: &Server) -> Client {
    let mut client = server.connect();
    client.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").wait_for_bytes(1000);
    client
}

fn large_file_server(workers: usize) -> Server {
    let server = Server::drover(conf(workers));
    server.file("large", vec![9; LARGE]);
    server
}

#[test]
fn term_and_int_wait_for_no_client() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut server = large_file_server(2);
        let workers = server.wait_for_workers(2);
        let _in_progress = slow_reader(&server);
        let mut idle = server.connect();
        idle.get("/v");
        let mut half = server.connect();
        half.send("GET /v HT");
        server.signal(signal);
        assert!(server.wait().success());
        assert!(workers.iter().all(|pid| !proc::is_alive(*pid)), "workers outlive the master");
        assert!(idle.is_closed_by_server() && half.is_closed_by_server());
        assert!(!server.dir().join("server.pid").exists());
    }
}

#[test]
fn quit_finishes_what_has_begun() {
    let mut server = large_file_server(2);
    let mut in_progress = slow_reader(&server);
    let (mut idle, mut half) = (server.connect(), server.connect());
    idle.get("/v");
    half.get("/v");
    half.send("GET /v HT");
    // The worker knows that the request has begun once it has read those bytes.
    until_true("the half request is read", || proc::unread_bytes(server.port()) == 0);
    server.signal(Signal::SIGQUIT);
    assert!(idle.is_closed_by_server(), "idle connections are closed");
    until_true("nobody listens", || proc::listening_inodes(server.port()).is_empty());
    assert!(server.poll_exit().is_none(), "two exchanges are in progress");
    half.send("TP/1.1\r\nHost: x\r\n\r\n");
    let response = half.response().expect("a response");
    assert_eq!((response.status, response.header("Connection")), (200, Some("close")));
    let response = in_progress.response().expect("the whole response");
    assert_eq!((response.body.len(), response.ended_by_close), (LARGE, false));
    drop(in_progress);
    assert!(server.wait().success());
    assert!(!server.dir().join("server.pid").exists());
    assert!(server.error_log().contains("[notice]") && server.error_log().ends_with(": exit\n"));
}

#[test]
fn shutdown_timeout_ends_what_does_not_end_by_itself() {
    let mut server = Server::drover(conf(1).main("worker_shutdown_timeout 300ms;"));
    server.file("large", vec![9; LARGE]);
    let _never_read = slow_reader(&server);
    server.signal(Signal::SIGQUIT);
    assert!(server.wait().success());
}

#[test]
fn winch_ends_the_workers_and_keeps_the_master() {
    let mut server = Server::drover(conf(2));
    server.signal(Signal::SIGWINCH);
    // nginx obeys WINCH only as a daemon, because a terminal sends it to what runs in its foreground.
    if server.product == Product::Drover {
        until_true("no workers", || server.workers().is_empty());
        assert!(server.poll_exit().is_none());
    }
    server.signal(Signal::SIGTERM);
    assert!(server.wait().success());
}

#[test]
fn stop_and_quit_by_command() {
    for command in ["stop", "quit"] {
        let mut server = Server::drover(conf(2));
        assert_eq!(server.send(command).0, Some(0));
        assert!(server.wait().success());
        let (code, message) = server.send(command);
        assert_eq!(code, Some(1), "there is no server any more");
        assert!(message.contains("No such file or directory"), "{message}");
    }
}
