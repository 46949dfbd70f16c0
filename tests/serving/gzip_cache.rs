//! `gzip_cache` keeps what was compressed for all workers, through kills and reloads, and never what is not the file's.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::codings::{GZIP, ask, gunzip, text};
use crate::support::client::Response;
use crate::support::conf::Conf;
use crate::support::server::Server;
use crate::support::{until, until_true};

fn conf(workers: usize, directives: &str) -> Conf {
    Conf::workers(workers).http(&format!("gzip on; gzip_types *; {directives}"))
}

/// The first answer that comes from the cache: a file that has just changed is not kept yet.
fn kept(server: &Server, target: &str) -> Response {
    until("an answer with a length", || {
        let response = ask(server, target, GZIP);
        assert_eq!(response.header("Content-Encoding"), Some("gzip"));
        response.header("Content-Length").is_some().then_some(response)
    })
}

#[test]
fn the_second_answer_is_the_first_with_a_length() {
    let server = Server::drover(conf(2, "").server("location /best/ { gzip_comp_level 9; alias %root%/; }"));
    // Two lengths of gzip: a part, and several.
    for len in [60_000, 1 << 20] {
        let text = text(len);
        server.file("a.txt", &text);
        let first = ask(&server, "/a.txt", GZIP);
        assert_eq!(first.header("Transfer-Encoding"), Some("chunked"));
        let second = kept(&server, "/a.txt");
        assert!(second.body == first.body && gunzip(&second.body, len) == text);
        assert_eq!(second.header("ETag"), first.header("ETag"));
        let best = kept(&server, "/best/a.txt");
        assert!(best.body.len() < second.body.len() && gunzip(&best.body, len) == text);
        let old = server.connect().send(format!("GET /a.txt HTTP/1.0\r\n{GZIP}\r\n")).response().unwrap();
        assert!(old.header("Content-Encoding").is_none(), "gzip_http_version");
    }
    server.file("a.txt", "another text that is longer than twenty bytes");
    assert_eq!(gunzip(&kept(&server, "/a.txt").body, 100), b"another text that is longer than twenty bytes");
}

#[test]
fn each_worker_has_what_another_has_compressed() {
    let server = Server::drover(conf(1, "").main("sandbox on;"));
    server.file("a.txt", text(60_000));
    let before = kept(&server, "/a.txt").body;
    let [worker] = server.workers()[..] else { panic!("one worker") };
    kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();
    until_true("another worker", || server.workers().iter().any(|pid| *pid != worker));
    let after = ask(&server, "/a.txt", GZIP);
    assert!(after.header("Content-Length").is_some() && after.body == before, "the first answer of a new worker");
}

#[test]
fn a_worker_that_dies_while_it_compresses_leaves_nothing_behind() {
    let server = Server::drover(conf(1, "").server(""));
    let text = text(2 << 20);
    server.file("a.txt", &text);
    // A client that takes little stops the worker half way, with parts of the gzip in the cache.
    for _ in 0..3 {
        let mut slow = server.connect();
        slow.send(format!("GET /a.txt HTTP/1.1\r\nHost: a\r\n{GZIP}\r\n")).wait_for_bytes(1000);
        let [worker] = server.workers()[..] else { panic!("one worker") };
        kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();
        until_true("another worker", || server.workers().iter().any(|pid| *pid != worker));
    }
    for _ in 0..2 {
        assert!(gunzip(&ask(&server, "/a.txt", GZIP).body, text.len()) == text);
    }
    assert!(gunzip(&kept(&server, "/a.txt").body, text.len()) == text);
}

#[test]
fn a_full_cache_goes_on() {
    let server = Server::drover(conf(1, "gzip_cache 1m;").server(""));
    let text = text(100_000);
    let names: Vec<String> = (0..60).map(|n| format!("/{n}.txt")).collect();
    for (n, name) in names.iter().enumerate() {
        server.file(&name[1..], &text[n..]);
    }
    for round in 0..2 {
        for (n, name) in names.iter().enumerate() {
            assert!(gunzip(&ask(&server, name, GZIP).body, text.len()) == text[n..], "{round} {name}");
        }
    }
    kept(&server, "/0.txt");
}

#[test]
fn a_reload_keeps_what_is_kept_unless_the_size_changes() {
    let server = Server::drover(conf(1, "").server(""));
    server.file("a.txt", text(60_000));
    kept(&server, "/a.txt");
    let is_kept_after = |directives: &str| {
        let before = server.workers();
        server.rewrite_conf(conf(1, directives).server(""));
        server.signal(Signal::SIGHUP);
        until_true("other workers", || {
            let now = server.workers();
            !now.is_empty() && now.iter().all(|pid| !before.contains(pid))
        });
        ask(&server, "/a.txt", GZIP).header("Content-Length").is_some()
    };
    assert!(is_kept_after(""));
    assert!(!is_kept_after("gzip_cache 2m;"));
    assert!(!is_kept_after("gzip_cache off;"));
    for _ in 0..3 {
        assert!(ask(&server, "/a.txt", GZIP).header("Content-Length").is_none());
    }
}
