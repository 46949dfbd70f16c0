//! HUP and `-s reload`.

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::sys::signal::Signal;

use super::conf;
use super::support::server::Server;
use super::support::{proc, until, until_true};

#[test]
fn a_reload_brings_the_new_conf_and_has_done_so_when_the_command_returns() {
    let server = Server::drover(conf(2));
    let old = server.wait_for_workers(2);
    let mut idle = server.connect();
    assert_eq!(idle.get("/v").text(), "one");
    let inodes = proc::listening_inodes(server.port());
    server.rewrite_conf(conf(3).replace("one", "two"));
    assert_eq!(server.send("reload"), (Some(0), String::new()));
    until_true("old workers are gone", || old.iter().all(|pid| !proc::is_alive(*pid)));
    assert_eq!(server.wait_for_workers(3).len(), 3);
    assert_eq!(server.connect().get("/v").text(), "two");
    assert!(idle.is_closed_by_server(), "an idle connection of the old workers is closed");
    assert_eq!(proc::listening_inodes(server.port()), inodes, "the socket was kept");
}

#[test]
fn a_bad_conf_is_refused_by_the_command_itself() {
    let server = Server::drover(conf(2));
    let workers = server.wait_for_workers(2);
    server.rewrite_conf(conf(2).replace("return", "retrun"));
    let (code, text) = server.send("reload");
    assert_eq!(code, Some(1));
    assert!(text.contains("[emerg] unknown directive \"retrun\" in"), "{text}");
    assert!(!server.error_log().contains("reconfiguring"), "the master was not disturbed");
    assert_eq!((server.connect().get("/v").text().as_str(), server.workers()), ("one", workers));
}

#[test]
fn a_reload_that_the_master_refuses_changes_nothing_and_says_why() {
    let server = Server::drover(conf(2));
    let workers = server.wait_for_workers(2);
    let taken = TcpListener::bind(("127.0.0.1", server.ports()[1])).unwrap();
    let two = conf(2).replace("listen 127.0.0.1:%port%;", "listen 127.0.0.1:%port%; listen 127.0.0.1:%port2%;");
    server.rewrite_conf(two.replace("one", "two"));
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
    server.rewrite_conf(conf(1).replace("one", "two"));
    assert_eq!(server.send("reload").0, Some(0));
    assert_eq!((server.wait_for_workers(1).len(), server.connect().get("/v").text().as_str()), (1, "two"));
}

#[test]
fn a_refused_reload_leaves_no_path_of_a_socket_behind() {
    let server = Server::drover(conf(1));
    let with_path = conf(1).replace("listen 127", "listen unix:%dir%/new.sock; listen 127");
    server.rewrite_conf(
        with_path.replace("%main%", "daemon off; error_log %dir%/error.log info; pid %dir%/no/such/pid;"),
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
    server.rewrite_conf(conf(1).replace("access_log off", "access_log %dir%/no/such/access.log"));
    let (code, text) = server.send("reload");
    assert!(code == Some(1) && text.contains("/no/such/access.log\" failed (2: No such file or directory)"), "{text}");
    assert_eq!(server.workers(), workers);
}

#[test]
fn a_removed_address_is_closed_once_its_clients_are_served() {
    let two = conf(2).replace("listen 127.0.0.1:%port%;", "listen 127.0.0.1:%port%; listen 127.0.0.1:%port2%;");
    let server = Server::drover(&two);
    server.rewrite_conf(conf(2));
    assert_eq!(server.send("reload").0, Some(0));
    until_true("the port is free", || proc::listening_inodes(server.ports()[1]).is_empty());
    assert_eq!(server.connect().get("/v").text(), "one");
}

#[test]
fn no_request_fails_while_reloads_follow_each_other() {
    let server = Server::drover(conf(2));
    let (stop, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    // A new connection for each request: one that is idle may rightly be closed by a worker that leaves.
                    let mut client = server.connect();
                    client.send("GET /v HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
                    let response = client.response().expect("every request is answered");
                    assert_eq!(response.status, 200);
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for round in 0..8 {
                server.rewrite_conf(conf(1 + round % 3));
                let before = served.load(Ordering::Relaxed);
                assert_eq!(server.send("reload"), (Some(0), String::new()));
                until("requests after the reload", || (served.load(Ordering::Relaxed) > before + 20).then_some(()));
            }
        }));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
}
