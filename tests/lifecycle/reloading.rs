//! HUP and `-s reload`.

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::sys::signal::Signal;

use crate::support::server::Server;
use crate::support::{proc, until_true};
use crate::{answering, conf};

#[test]
fn a_reload_brings_the_new_conf_and_has_done_so_when_the_command_returns() {
    for by_command in [true, false] {
        let server = Server::drover(conf(2));
        let old = server.wait_for_workers(2);
        let mut idle = server.connect();
        assert_eq!(idle.get("/v").text(), "one");
        let inodes = proc::listening_inodes(server.port());
        server.rewrite_conf(answering(3, "two"));
        if by_command {
            assert_eq!(server.send("reload"), (Some(0), String::new()));
        } else {
            server.signal(Signal::SIGHUP);
        }
        until_true("old workers are gone", || old.iter().all(|pid| !proc::is_alive(*pid)));
        assert_eq!(server.wait_for_workers(3).len(), 3);
        assert_eq!(server.connect().get("/v").text(), "two");
        assert!(idle.is_closed_by_server(), "an idle connection of the old workers is closed");
        assert_eq!(proc::listening_inodes(server.port()), inodes, "the socket was kept");
        assert_eq!(server.read("server.pid"), format!("{}\n", server.pid()));
    }
}

#[test]
fn a_response_in_progress_outlives_the_reload() {
    let server = Server::drover(conf(1));
    let size = 32 * 1024 * 1024;
    server.file("large", vec![1; size]);
    let old = server.wait_for_workers(1);
    let mut client = server.connect();
    client.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").wait_for_bytes(1000);
    server.signal(Signal::SIGHUP);
    until_true("a second worker", || server.workers().len() == 2);
    assert_eq!(client.response().expect("the whole response").body.len(), size);
    until_true("the old worker is gone", || !proc::is_alive(old[0]));
    assert_eq!(server.workers().len(), 1);
}

#[test]
fn a_bad_conf_is_refused_by_the_command_itself_and_by_the_master() {
    let server = Server::drover(conf(2));
    let workers = server.wait_for_workers(2);
    server.rewrite_conf(conf(2).to_string().replace("return", "retrun"));
    let (code, text) = server.send("reload");
    assert_eq!(code, Some(1));
    assert!(text.contains("[emerg] unknown directive \"retrun\" in"), "{text}");
    assert!(!server.error_log().contains("reconfiguring"), "the master was not disturbed");
    server.signal(Signal::SIGHUP);
    until_true("the log says why", || server.error_log().contains("unknown directive \"retrun\""));
    assert_eq!((server.connect().get("/v").text().as_str(), server.workers()), ("one", workers));
}

#[test]
fn a_reload_that_the_master_refuses_changes_nothing_and_says_why() {
    let server = Server::drover(conf(2));
    let workers = server.wait_for_workers(2);
    let taken = TcpListener::bind(("127.0.0.1", server.ports()[1])).unwrap();
    server.rewrite_conf(answering(2, "two").server("listen 127.0.0.1:%port2%;"));
    let (code, text) = server.send("reload");
    let reason = format!("bind() to 127.0.0.1:{} failed (98: Address already in use)", server.ports()[1]);
    assert!(code == Some(1) && text.contains(&reason), "{code:?} {text}");
    assert!(server.error_log().contains(&format!("[emerg] {}#0: {reason}", server.pid())));
    assert_eq!((server.connect().get("/v").text().as_str(), server.workers()), ("one", workers.clone()));
    drop(taken);
    assert_eq!(server.send("reload").0, Some(0));
    until_true("both addresses", || TcpStream::connect(("127.0.0.1", server.ports()[1])).is_ok());
    // Until they leave, old workers accept, too.
    until_true("the old workers are gone", || workers.iter().all(|pid| !proc::is_alive(*pid)));
    assert_eq!(server.connect().get("/v").text(), "two");
}

#[test]
fn workers_that_were_sent_away_come_back_with_the_new_conf() {
    let server = Server::drover(conf(2));
    server.wait_for_workers(2);
    server.signal(Signal::SIGWINCH);
    until_true("no workers", || server.workers().is_empty());
    server.rewrite_conf(answering(1, "two"));
    assert_eq!(server.send("reload").0, Some(0));
    assert_eq!((server.wait_for_workers(1).len(), server.connect().get("/v").text().as_str()), (1, "two"));
}

#[test]
fn a_refused_reload_leaves_no_path_of_a_socket_behind() {
    let server = Server::drover(conf(1));
    let with_path = conf(1).server("listen unix:%dir%/new.sock;");
    server.rewrite_conf(
        with_path.clone().surroundings("daemon off; error_log %dir%/error.log info; pid %dir%/no/such/pid;"),
    );
    let (code, text) = server.send("reload");
    assert_eq!(code, Some(1), "{text}");
    assert!(!server.dir().join("new.sock").exists());
    server.rewrite_conf(&with_path);
    assert_eq!(server.send("reload"), (Some(0), String::new()));
    assert!(server.dir().join("new.sock").exists());
}

#[test]
fn a_log_that_cannot_be_opened_is_a_reason_to_refuse() {
    let server = Server::drover(conf(1));
    let workers = server.wait_for_workers(1);
    let server_block = "listen 127.0.0.1:%port2%; error_log %dir%/no/error.log;";
    server.rewrite_conf(conf(1).access_log("%dir%/no/such/access.log").server(server_block));
    let (code, text) = server.send("reload");
    assert_eq!(code, Some(1), "{text}");
    for log in ["no/such/access.log", "no/error.log"] {
        assert!(text.contains(&format!("/{log}\" failed (2: No such file or directory)")), "each is named: {text}");
    }
    assert_eq!(server.workers(), workers);
}

#[test]
fn a_new_address_is_opened_and_a_removed_one_is_closed() {
    let server = Server::drover(conf(2).server("listen 127.0.0.1:%port2%;"));
    let [first, second, _] = server.ports();
    server.rewrite_conf(conf(2));
    assert_eq!(server.send("reload").0, Some(0));
    until_true("the second port is free", || proc::listening_inodes(second).is_empty());
    assert_eq!(server.connect().get("/v").text(), "one");
    server.rewrite_conf(conf(2).listen("127.0.0.1:%port2%"));
    server.signal(Signal::SIGHUP);
    until_true("the second port is open", || !proc::listening_inodes(second).is_empty());
    until_true("the first port is free", || proc::listening_inodes(first).is_empty());
}

/// The server goes by a new conf again and again, by the command and by the signal: every request is answered, and some
/// of them by each conf.
fn no_request_fails_while_reloading(events: &str) {
    let server = Server::drover(conf(2).events(events));
    let (stop, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let ask = || {
            while !stop.load(Ordering::Relaxed) {
                // A new connection for each request: one that is idle may rightly be closed by a worker that leaves.
                let mut client = server.connect();
                client.send("GET /v HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
                let response = client.response().expect("every request is answered");
                assert_eq!(response.status, 200);
                served.fetch_add(1, Ordering::Relaxed);
            }
        };
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        let reload = |round: usize| {
            server.rewrite_conf(answering(1 + round % 3, &format!("round{round}")).events(events));
            match round % 2 {
                0 => assert_eq!(server.send("reload"), (Some(0), String::new())),
                _ => server.signal(Signal::SIGHUP),
            }
            let before = served.load(Ordering::Relaxed);
            until_true("requests go on, by the new conf", || {
                let has_failed = clients.iter().any(|client| client.is_finished());
                let is_new = || server.connect().get("/v").text() == format!("round{round}");
                has_failed || served.load(Ordering::Relaxed) > before + 20 && is_new()
            });
        };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (0..16).for_each(reload)));
        // Else a failure would leave the clients asking for ever.
        stop.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
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

/// Where the kernel has Multipath TCP; elsewhere the start fails, which `kernel` shows.
#[test]
fn a_reload_changes_between_tcp_and_multipath_tcp_and_refuses_no_client() {
    if !std::fs::read_to_string("/proc/sys/net/mptcp/enabled").is_ok_and(|text| text.trim() == "1") {
        return;
    }
    let server = Server::drover(conf(2).listen("127.0.0.1:%port% multipath"));
    assert_eq!(server.connect().get("/v").text(), "one");
    let (end, refused, asked) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !end.load(Ordering::Relaxed) {
                let count = if TcpStream::connect(("127.0.0.1", server.port())).is_ok() { &asked } else { &refused };
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        for (listen, text) in
            [("127.0.0.1:%port%", "two"), ("127.0.0.1:%port% multipath", "three"), ("127.0.0.1:%port%", "four")]
        {
            let before = asked.load(Ordering::Relaxed);
            server.rewrite_conf(answering(2, text).listen(listen));
            assert_eq!(server.send("reload"), (Some(0), String::new()));
            until_true("the new conf answers", || server.connect().get("/v").text() == text);
            until_true("clients go on", || asked.load(Ordering::Relaxed) > before + 10);
        }
        end.store(true, Ordering::Relaxed);
    });
    assert_eq!(refused.load(Ordering::Relaxed), 0);
}
