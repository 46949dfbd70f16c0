//! Each question to the disk that an answer needs, one after the other: none of them is the worker's to wait for.

use std::time::Duration;

use super::{MODELS, SHORT, ask_for_fast_files, send};
use crate::support::client::Client;
use crate::support::conf::Conf;
use crate::support::fuse::{Ask, SlowDisk, contents};
use crate::support::h2::{H2, get};
use crate::support::proc;
use crate::support::server::Server;
use crate::support::until_true;

/// Some of an answer.
enum Shows {
    Contents(u64),
    Text(&'static str),
}

use Shows::{Contents, Text};

/// Targets with the credentials of whoever may see them, and what is found there.
const CASES: [(&str, u16, Shows); 22] = [
    ("/slow/long", 200, Contents(LONG)),
    ("/slow/short", 200, Contents(SHORT)),
    ("/slow/empty", 200, Text("")),
    ("/slow/none", 404, Text("404")),
    ("/slow/", 200, Text("short.gz")),
    ("/index/", 200, Text("the index")),
    ("/no-index/", 403, Text("403")),
    ("/random/", 200, Text("")),
    ("/try/this", 200, Contents(SHORT)),
    ("/try-in-vain/this", 410, Text("410")),
    ("/static/short", 200, Text("not really gzip")),
    ("/static/long", 200, Contents(LONG)),
    ("/coded/short", 200, Text("not really gzip")),
    ("/page/none", 404, Contents(SHORT)),
    ("/if/long", 200, Contents(LONG)),
    ("/if/none", 410, Text("410")),
    ("/links/long", 200, Contents(LONG)),
    ("/lasting/long", 200, Contents(LONG)),
    ("/guarded/short", 200, Contents(SHORT)),
    ("/tags/long", 200, Contents(LONG)),
    ("/added/short", 200, Text("the index")),
    ("/clean/index", 200, Text("the index")),
];

const LONG: u64 = 300_000;

fn disk() -> SlowDisk {
    SlowDisk::mount_with(
        &[("long", LONG), ("short", SHORT), ("empty", 0)],
        &[
            ("users", "# who may enter\ntom:{PLAIN}secret\n"),
            ("index.html", "the index"),
            ("short.gz", "not really gzip"),
        ],
    )
}

fn server(disk: &SlowDisk, model: &str) -> Server {
    let locations = "
        location /slow/ { alias %disk%/; index none; autoindex on; }
        location /index/ { alias %disk%/; index none.html index.html; }
        location /no-index/ { alias %disk%/; index none.html none.htm; }
        location /random/ { alias %disk%/; random_index on; }
        location /try/ { root %disk%; try_files /none.txt /none/ /short; }
        location /try-in-vain/ { root %disk%; try_files /none.txt /none/ =410; }
        location = /short { root %disk%; }
        location /static/ { alias %disk%/; gzip_static on; }
        location /coded/ { alias %disk%/; brotli_static on; zstd_static on; gzip_static on; }
        location /page/ { alias %disk%/; error_page 404 /short; }
        location /if/ { alias %disk%/; if (!-f $request_filename) { return 410; } }
        location /links/ { alias %disk%/; disable_symlinks on; }
        location /lasting/ { alias %disk%/; open_file_cache max=10; open_file_cache_errors on; }
        location /guarded/ { alias %disk%/; auth_basic x; auth_basic_user_file %disk%/users; }
        location /tags/ { alias %disk%/; etag content; }
        location /added/ { alias %disk%/; addition_types *; add_after_body /index/index.html; }
        location /clean/ { alias %disk%/; clean_urls on; }"
        .replace("%disk%", &disk.path().display().to_string());
    let conf = Conf::workers(1).dispatch(model).server(&format!("http2 on; aio threads; {locations}"));
    let server = Server::drover(conf);
    server.file("fast", "fast").file("large", vec![b'f'; 300_000]);
    server
}

const FIELDS: &str = "Accept-Encoding: gzip\r\nAuthorization: Basic dG9tOnNlY3JldA==\r\n";

/// Asks for an answer in a thread, and answers the disk's questions one by one: others are served before each. Returns
/// the status and the body.
fn step_by_step(
    disk: &SlowDisk,
    server: &Server,
    fast: &mut Client,
    ask: impl FnOnce() -> (u16, Vec<u8>) + Send + 'static,
) -> (u16, Vec<u8>) {
    Ask::ALL.into_iter().for_each(|ask| disk.stop(ask));
    let asking = std::thread::spawn(ask);
    let mut questions = 0;
    loop {
        until_true("the disk is asked, or the answer is there", || disk.held() > 0 || asking.is_finished());
        if disk.held() == 0 {
            break;
        }
        ask_for_fast_files(server, fast);
        questions += 1;
        disk.step();
    }
    disk.go_on();
    assert!(questions > 0, "the disk was not asked: this tests nothing");
    asking.join().expect("the answer")
}

fn assert_shows(what: &str, case: &(&str, u16, Shows), (status, body): (u16, Vec<u8>)) {
    assert_eq!(status, case.1, "{what}: {}", case.0);
    match case.2 {
        Contents(len) => assert!(body == contents(len), "{what}: {}, {} bytes", case.0, body.len()),
        Text(text) => assert!(String::from_utf8_lossy(&body).contains(text), "{what}: {}", case.0),
    }
}

#[test]
fn no_question_to_the_disk_is_the_worker_s_to_wait_for() {
    for model in MODELS {
        let disk = disk();
        let server = server(&disk, model);
        let mut fast = server.connect();
        ask_for_fast_files(&server, &mut fast);
        for case in &CASES {
            let (mut client, target) = (server.connect(), case.0);
            let answer = step_by_step(&disk, &server, &mut fast, move || {
                send(&mut client, target, FIELDS);
                let answer = client.response().expect("an answer");
                (answer.status, answer.body)
            });
            assert_shows(model, case, answer);
        }
    }
}

#[test]
fn nor_is_one_of_a_stream() {
    let disk = disk();
    let server = server(&disk, "exclusive");
    let mut fast = server.connect();
    ask_for_fast_files(&server, &mut fast);
    for case in &CASES {
        let (mut client, target) = (H2::connect(server.addr()), case.0);
        let answer = step_by_step(&disk, &server, &mut fast, move || {
            let more = [("accept-encoding", "gzip"), ("authorization", "Basic dG9tOnNlY3JldA==")];
            client.ask(1, &[&get(target)[..], &more].concat());
            let answer = client.answer(1);
            (answer.status().parse().expect("a status"), answer.body)
        });
        assert_shows("HTTP/2", case, answer);
    }
}

/// FUSE asks its server at each close(2), and waits.
#[test]
fn a_file_that_takes_long_to_close_holds_up_nobody() {
    let disk = disk();
    let server = server(&disk, "exclusive");
    let mut fast = server.connect();
    ask_for_fast_files(&server, &mut fast);
    let worker = server.wait_for_workers(1)[0];
    let open = || proc::open_files(worker).iter().filter(|name| name.contains("/long")).count();
    assert!(server.connect().get("/slow/long").body == contents(LONG));
    assert!(open() > 0, "it is kept open for a while");
    disk.stop(Ask::Close);
    until_true("the file is closed", || {
        std::thread::sleep(Duration::from_millis(50));
        ask_for_fast_files(&server, &mut fast);
        disk.held() > 0
    });
    ask_for_fast_files(&server, &mut fast);
    disk.go_on();
    until_true("it is closed", || open() == 0);
}
