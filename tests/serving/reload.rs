//! HUP and `-s reload`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::signal::Signal;

use crate::support::server::{Product, Server};
use crate::support::{proc, tools, until_true};
use crate::{conf, plain};

fn wait_for_new_workers(server: &Server, old: &[i32], count: usize) {
    until_true("new workers only", || {
        let now = server.workers();
        now.len() == count && now.iter().all(|pid| !old.contains(pid))
    });
}

#[test]
fn hup_serves_by_the_new_conf_with_new_workers() {
    let server = Server::drover(conf(2, "worker_connections 512;", "location = /which { return 200 old; }"));
    let old = server.wait_for_workers(2);
    let master = server.pid();
    assert_eq!(server.connect().get("/which").text(), "old");
    server.rewrite_conf(conf(3, "worker_connections 512;", "location = /which { return 200 new; }"));
    server.signal(Signal::SIGHUP);
    wait_for_new_workers(&server, &old, 3);
    assert_eq!(server.connect().get("/which").text(), "new");
    assert_eq!(server.read("server.pid").trim(), master.to_string());
}

#[test]
fn a_response_in_progress_outlives_the_reload() {
    let server = Server::drover(plain(1));
    let size = 32 * 1024 * 1024;
    server.file("large", vec![1; size]);
    let old = server.wait_for_workers(1);
    let mut client = server.connect();
    client.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").wait_for_bytes(1000);
    server.signal(Signal::SIGHUP);
    until_true("a second worker", || server.workers().len() == 2);
    assert_eq!(client.response().expect("the whole response").body.len(), size);
    wait_for_new_workers(&server, &old, 1);
}

#[test]
fn a_bad_conf_changes_nothing_and_is_reported() {
    let server = Server::drover(plain(2));
    server.file("index.html", "hello");
    let old = server.wait_for_workers(2);
    server.rewrite_conf(plain(2).replace("root", "rooot"));
    let (code, message) = server.send("reload");
    assert_eq!(code, Some(1), "{message}");
    assert!(message.contains("unknown directive \"rooot\""), "{message}");
    server.signal(Signal::SIGHUP);
    until_true("the log says why", || server.error_log().contains("unknown directive \"rooot\""));
    assert_eq!(server.workers(), old);
    assert_eq!(server.connect().get("/").text(), "hello");
}

/// What only the running master can know: `-s reload` has to wait for its answer.
#[test]
fn a_reload_that_fails_in_the_master_is_reported_too() {
    if Product::under_test() == Product::Nginx {
        return;
    }
    let server = Server::drover(plain(1));
    let old = server.wait_for_workers(1);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = taken.local_addr().expect("getsockname").port();
    let both = conf(1, "worker_connections 512;", &format!("listen 127.0.0.1:{port};"));
    server.rewrite_conf(&both);
    let (code, message) = server.send("reload");
    assert_eq!(code, Some(1), "{message}");
    assert!(message.contains("in use"), "{message}");
    assert_eq!(server.workers(), old);
}

#[test]
fn reload_by_command_is_done_when_it_returns() {
    let server = Server::drover(conf(1, "worker_connections 512;", "location = /which { return 200 old; }"));
    server.rewrite_conf(conf(1, "worker_connections 512;", "location = /which { return 200 new; }"));
    assert_eq!(server.send("reload").0, Some(0));
    until_true("the new conf answers", || server.connect().get("/which").text() == "new");
}

#[test]
fn a_new_listen_address_is_opened_and_an_old_one_closed() {
    let one = plain(1);
    let server = Server::drover(&one);
    let [_, second, _] = server.ports();
    server.rewrite_conf(one.replace("%port%", "%port2%"));
    server.signal(Signal::SIGHUP);
    until_true("the second port is open", || !proc::listening_inodes(second).is_empty());
    until_true("the first port is closed", || proc::listening_inodes(server.port()).is_empty());
}

fn no_request_fails_while_reloading(events: &str) {
    let text = conf(2, &format!("worker_connections 512; {events}"), "access_log off;");
    let server = Server::drover(&text);
    server.file("index.html", "hello");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let load = scope.spawn(|| {
            let url = server.url("/index.html");
            let run = tools::wrk(&["-t1", "-c20", "-d3s", "-H", "Connection: close", &url]);
            done.store(true, Ordering::Relaxed);
            run
        });
        let mut reloads = 0;
        while !done.load(Ordering::Relaxed) {
            let old = server.workers();
            server.signal(Signal::SIGHUP);
            until_true("new workers", || server.workers().iter().any(|pid| !old.contains(pid)));
            reloads += 1;
        }
        let run = load.join().expect("wrk");
        assert!(reloads > 2 && run.complete > 1000 && run.failed == 0, "{reloads} reloads\n{}", run.report);
    });
}

#[test]
fn no_request_fails_while_reloading_with_the_mutex() {
    no_request_fails_while_reloading("accept_mutex on;");
}

#[test]
fn no_request_fails_while_reloading_without_the_mutex() {
    no_request_fails_while_reloading("accept_mutex off;");
}
