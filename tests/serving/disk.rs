//! A disk that does not answer holds up nobody but those who ask for its files (`aio threads`).

mod questions;

use std::time::Duration;

use crate::support::client::{Client, Nothing};
use crate::support::conf::Conf;
use crate::support::fuse::{Ask, SlowDisk, contents};
use crate::support::h2::{H2, get};
use crate::support::server::Server;
use crate::support::{PATIENCE, proc, until_true};

/// Models with an event loop of each kind.
const MODELS: [&str; 3] = ["exclusive", "accept_mutex", "pool_pass"];

const LONG: u64 = 700_000;
const SHORT: u64 = 9_000;

fn disk() -> SlowDisk {
    SlowDisk::mount(&[("long", LONG), ("short", SHORT), ("text.txt", 200_000)])
}

fn server(disk: &SlowDisk, model: &str, main: &str, directives: &str) -> Server {
    let conf = Conf::workers(1).dispatch(model).main(main).server(&format!(
        "http2 on; {directives} location /slow/ {{ alias {}/; autoindex on; gzip_types text/plain; }}",
        disk.path().display()
    ));
    let server = Server::drover(conf);
    server.file("fast", "fast").file("large", vec![b'f'; 300_000]);
    // A worker that is to be confined to its roots looks at them when it starts, and must not meet a disk that stands.
    assert_eq!(server.connect().get("/fast").text(), "fast");
    server
}

/// Requests for what is in memory, on a connection that is there and a new one.
fn ask_for_fast_files(server: &Server, fast: &mut Client) {
    assert_eq!(fast.get("/fast").text(), "fast");
    assert_eq!(fast.get("/large").body.len(), 300_000);
    assert_eq!(fast.get("/none").status, 404);
    assert_eq!(server.connect().get("/fast").text(), "fast");
}

fn send(client: &mut Client, target: &str, fields: &str) {
    client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"));
}

#[test]
fn whoever_asks_for_a_slow_file_waits_alone() {
    let disk = disk();
    for model in MODELS {
        for sendfile in ["on", "off"] {
            let server = server(&disk, model, "", &format!("aio threads; sendfile {sendfile};"));
            let mut fast = server.connect();
            ask_for_fast_files(&server, &mut fast);
            for (ask, target, fields, len) in [
                (Ask::Read, "/slow/long", "", LONG),
                (Ask::Read, "/slow/short", "", SHORT),
                (Ask::Read, "/slow/long", "Range: bytes=0-99\r\n", 100),
                (Ask::Look, "/slow/long", "", LONG),
                (Ask::List, "/slow/", "", 0),
            ] {
                disk.stop(ask);
                let mut clients: Vec<Client> = (0..3).map(|_| server.connect()).collect();
                clients.iter_mut().for_each(|client| send(client, target, fields));
                until_true("the disk is asked", || disk.held() > 0);
                for _ in 0..10 {
                    ask_for_fast_files(&server, &mut fast);
                }
                disk.go_on();
                for client in &mut clients {
                    let response = client.response().expect("the slow answer");
                    let expected = contents(len);
                    assert!(len == 0 || response.body == expected, "{model}: {target} with {ask:?} stopped");
                    assert!(len > 0 || response.text().contains("text.txt"), "{model}: the list");
                    assert_eq!(client.get("/fast").text(), "fast", "{model}: the connection goes on");
                }
            }
        }
    }
}

#[test]
fn without_threads_a_worker_waits_for_the_disk() {
    let disk = disk();
    let server = server(&disk, "exclusive", "", "");
    let (mut slow, mut fast) = (server.connect(), server.connect());
    assert_eq!(fast.get("/fast").text(), "fast");
    disk.stop(Ask::Read);
    send(&mut slow, "/slow/long", "");
    until_true("the disk is asked", || disk.held() > 0);
    send(&mut fast, "/fast", "");
    let early = fast.patience(Duration::from_millis(200)).response();
    assert_eq!(early.map(|answer| answer.status), Err(Nothing::Silent));
    disk.go_on();
    assert_eq!(fast.patience(PATIENCE).response().expect("the fast answer").text(), "fast");
    assert!(slow.response().expect("the slow answer").body == contents(LONG));
}

#[test]
fn streams_of_one_connection_wait_each_by_itself() {
    let disk = disk();
    let server = server(&disk, "exclusive", "", "aio threads;");
    let mut client = H2::connect(server.addr());
    assert_eq!(client.get(1, "/fast").text(), "fast");
    disk.stop(Ask::Look);
    for stream in [3, 5, 7] {
        client.ask(stream, &get("/slow/long"));
    }
    until_true("the disk is asked", || disk.held() > 0);
    assert_eq!(client.get(9, "/fast").text(), "fast");
    disk.go_on();
    disk.stop(Ask::Read);
    until_true("the disk is asked", || disk.held() > 0);
    assert_eq!(client.get(11, "/large").body.len(), 300_000);
    disk.go_on();
    for stream in [3, 5, 7] {
        assert!(client.answer(stream).body == contents(LONG));
    }
}

#[test]
fn a_client_that_leaves_meanwhile_costs_nothing() {
    let disk = disk();
    let server = server(&disk, "exclusive", "", "aio threads;");
    let mut fast = server.connect();
    ask_for_fast_files(&server, &mut fast);
    let worker = server.workers()[0];
    let open = || proc::open_files(worker).iter().filter(|name| name.contains("/long")).count();
    for ask in [Ask::Look, Ask::Read] {
        disk.stop(ask);
        let mut client = server.connect();
        send(&mut client, "/slow/long", "");
        until_true("the disk is asked", || disk.held() > 0);
        drop(client);
        ask_for_fast_files(&server, &mut fast);
        disk.go_on();
        ask_for_fast_files(&server, &mut fast);
    }
    until_true("the file is closed", || open() == 0);
    assert!(server.connect().get("/slow/long").body == contents(LONG));
}

#[test]
fn a_worker_that_leaves_answers_what_waits_for_the_disk() {
    let disk = disk();
    let mut server = server(&disk, "exclusive", "", "aio threads;");
    disk.stop(Ask::Read);
    let mut client = server.connect();
    send(&mut client, "/slow/long", "");
    until_true("the disk is asked", || disk.held() > 0);
    server.signal(nix::sys::signal::Signal::SIGQUIT);
    until_true("nobody listens", || Client::try_connect(server.addr()).is_err());
    disk.go_on();
    assert!(client.response().expect("the answer").body == contents(LONG));
    assert!(server.wait().success());
}

/// The old workers have one thread, so that some of their requests wait for it.
#[test]
fn a_reload_loses_no_request_that_waits_for_the_disk() {
    for model in MODELS {
        let disk = disk();
        let server = server(&disk, model, "thread_pool default threads=1;", "aio threads;");
        let old = server.workers();
        ask_for_fast_files(&server, &mut server.connect());
        disk.stop(Ask::Read);
        let mut clients: Vec<Client> = (0..3).map(|_| server.connect()).collect();
        clients.iter_mut().for_each(|client| send(client, "/slow/long", ""));
        until_true("the disk is asked", || disk.held() > 0);
        server.signal(nix::sys::signal::Signal::SIGHUP);
        until_true("there is a new worker", || server.workers().iter().any(|pid| !old.contains(pid)));
        assert_eq!(server.connect().get("/fast").text(), "fast", "{model}");
        disk.go_on();
        for client in &mut clients {
            assert!(client.response().expect("the slow answer").body == contents(LONG), "{model}");
        }
        until_true("the old worker has left", || old.iter().all(|pid| !proc::is_alive(*pid)));
        assert_eq!(server.connect().get("/fast").text(), "fast", "{model}");
    }
}

#[test]
fn what_no_thread_is_free_for_fails_and_the_log_says_so() {
    let disk = disk();
    let pool = "thread_pool disk threads=1 max_queue=1;";
    let server = server(&disk, "exclusive", pool, "set $pool sk; aio threads=di$pool;");
    disk.stop(Ask::Look);
    let (mut first, mut others) = (server.connect(), Vec::new());
    send(&mut first, "/slow/short", "");
    until_true("the disk is asked", || disk.held() > 0);
    until_true("one more than may wait is refused", || {
        let mut client = server.connect();
        send(&mut client, "/slow/short", "");
        let is_refused =
            client.patience(Duration::from_millis(200)).response().is_ok_and(|answer| answer.status == 500);
        others.push(client);
        is_refused
    });
    assert!(server.error_log().contains("[error]"), "{}", server.error_log());
    assert!(server.error_log().contains("thread pool \"disk\" queue overflow: 1 tasks waiting"));
    disk.go_on();
    assert!(first.response().expect("the first answer").body == contents(SHORT));
    let second = others[0].patience(PATIENCE).response().expect("the second answer");
    assert!(second.body == contents(SHORT), "it has waited");
}

#[test]
fn gzip_and_passwords_are_the_threads_work_too() {
    let disk = disk();
    let server = server(
        &disk,
        "exclusive",
        "",
        "aio threads; gzip on; gzip_min_length 1; location /guarded/ { alias %root%/; auth_basic x; \
         auth_basic_user_file %dir%/users; }",
    );
    std::fs::write(server.dir().join("users"), "tom:{PLAIN}secret\n").expect("the file of passwords");
    let mut fast = server.connect();
    ask_for_fast_files(&server, &mut fast);
    disk.stop(Ask::Read);
    let mut client = server.connect();
    send(&mut client, "/slow/text.txt", "Accept-Encoding: gzip\r\n");
    until_true("the disk is asked", || disk.held() > 0);
    send(&mut fast, "/guarded/fast", "Authorization: Basic dG9tOnNlY3JldA==\r\n");
    assert_eq!(fast.response().expect("the guarded file").text(), "fast");
    disk.go_on();
    let response = client.response().expect("the text");
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&response.body[..]), &mut text).expect("a gzip");
    assert!(text == contents(200_000));
}
