//! Logs, whatever clients send and whatever becomes of the files.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use proptest::prelude::any;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::Value;

use crate::support::client::Client;
use crate::support::conf::Conf;
use crate::support::server::{Product, Server, Setup};
use crate::support::{tools, until_true};

/// Strict: Python's own parser would take NaN, and bytes that are no UTF-8 before it is asked.
const STRICT: &str = "\
import json, sys
def refuse(word):
    raise ValueError(word)
for line in open(sys.argv[1], 'rb').read().splitlines(keepends=True):
    assert line.endswith(b'\\n'), line
    print(json.loads(line.decode('utf-8', 'strict'), parse_constant=refuse)['agent'])
";

/// A line of JSON is one whatever bytes come in the target and in the fields.
#[test]
fn every_line_of_json_parses() {
    const REQUESTS: usize = 400;
    let format = r#"log_format json escape=json '{"request":"$request","uri":"$uri","args":"$args",'
                    '"agent":"$http_user_agent","host":"$http_host","user":"$remote_user",'
                    '"cookie":"$cookie_a","status":$status}';"#;
    let mut server = Server::drover(Conf::workers(1).http(format).access_log("%dir%/access.log json"));
    let mut runner = TestRunner::deterministic();
    let bytes = proptest::collection::vec(any::<u8>(), 1..60);
    let mut random = || {
        let mut bytes = bytes.new_tree(&mut runner).expect("random bytes").current();
        bytes.retain(|byte| !matches!(byte, b'\r' | b'\n' | b'\0'));
        bytes
    };
    for _ in 0..REQUESTS {
        let (path, args, agent, cookie) = (random(), random(), random(), random());
        let parts: [&[u8]; 9] = [
            b"GET /",
            &path,
            b"?",
            &args,
            b" HTTP/1.1\r\nHost: localhost\r\nUser-Agent: ",
            &agent,
            b"\r\nCookie: a=",
            &cookie,
            b"\r\n\r\n",
        ];
        let mut client: Client = server.connect();
        client.send(parts.concat());
        assert!(client.response().is_ok(), "to {}", parts.concat().escape_ascii());
    }
    server.connect().send(b"GET / HTTP/1.0\r\nUser-Agent: caf\xe9 \xc3\xa9\r\n\r\n").response().expect("a response");
    assert!(server.quit().success());
    let path = server.dir().join("access.log");
    let lines: Vec<Value> = serde_json::Deserializer::from_reader(File::open(&path).expect("the log"))
        .into_iter()
        .collect::<Result<_, _>>()
        .expect("lines of JSON");
    assert_eq!(lines.len(), REQUESTS + 1);
    assert_eq!(lines[REQUESTS]["agent"], "caf\u{e9} \u{e9}");
    let python = tools::run("python3", &["-c", STRICT, &path.display().to_string()]);
    assert!(python.lines().last().is_some_and(|agent| agent == "caf\u{e9} \u{e9}"), "{python}");
}

/// The log names the file.
#[test]
fn a_file_that_is_truncated_while_it_is_sent_is_named() {
    const HUGE: u64 = 64 << 20;
    for sendfile in ["on", "off"] {
        let server = Server::drover(Conf::workers(1).logged().server(&format!("sendfile {sendfile};")));
        let path = server.file("a b", "").dir().join("root/a b");
        let file = File::options().write(true).open(&path).expect("the file");
        file.set_len(HUGE).expect("a sparse file");
        let mut client = server.connect();
        client.send("GET /a%20b HTTP/1.1\r\nHost: localhost\r\n\r\n").wait_for_bytes(1000);
        file.set_len(1000).expect("truncate it");
        let part = client.response().expect("a part of a response");
        assert!(part.ended_by_close && (part.body.len() as u64) < HUGE);
        let log = server.error_log();
        let said = format!("\"{}\" was truncated at ", path.display());
        assert!(
            log.lines().any(|line| line.contains("[alert]") && line.contains(&said)),
            "sendfile {sendfile}: {said}"
        );
    }
}

/// Two workers fill a disk, which cuts a line; when there is room again, not one line is half or glued to another, and
/// the lost ones are counted.
#[test]
fn a_full_disk_costs_whole_lines() {
    let format = r#"log_format json escape=json '{"uri":"$uri"}';"#;
    let conf = Conf::workers(2).http(format).access_log("%dir%/small/access.log json");
    let conf = conf.server("location / { return 204; }");
    let mut server = Setup::new(Product::under_test(), conf).tmpfs("small", "64k").start();
    let (log, ballast) = (server.inside("small/access.log"), server.inside("small/ballast"));
    // Leaves four pages.
    fs::write(&ballast, vec![0; 48 << 10]).expect("ballast");
    let ledger = server.ledger();
    let mut clients = [server.connect(), server.connect()];
    let mut requests = 0;
    let mut ask = || {
        for client in &mut clients {
            assert_eq!(client.get(&format!("/{}", "x".repeat(100 + requests % 50))).status, 204);
            requests += 1;
        }
        requests
    };
    until_true("lines are lost", || ask() > 0 && ledger.sums().lost_log_lines > 20);
    assert!(!fs::read(&log).expect("the log").ends_with(b"\n"), "the test needs a line that is cut");
    fs::remove_file(&ballast).expect("room");
    (0..50).for_each(|_| _ = ask());
    let requests = ask() as u64;
    let lines = || fs::read_to_string(&log).expect("the log").lines().map(str::to_owned).collect::<Vec<_>>();
    until_true("all lines are written, or counted as lost", || {
        lines().len() as u64 + ledger.sums().lost_log_lines == requests
    });
    let broken = lines().into_iter().find(|line| serde_json::from_str::<Value>(line).is_err());
    assert_eq!(broken, None);
    let said: Vec<String> = alerts(&server);
    assert_eq!(said.len(), 1, "one a minute: {said:?}");
    assert!(said[0].contains("access.log\" failed (28: No space left on device), lines lost: "), "{said:?}");
    assert!(server.quit().success());
}

fn alerts(server: &Server) -> Vec<String> {
    server.error_log().lines().filter(|line| line.contains("[alert]")).map(str::to_owned).collect()
}

/// The reader of a pipe may go, and another may come.
#[test]
fn a_reader_that_is_gone_costs_lines_until_there_is_another() {
    let dir = tempfile::tempdir().expect("a directory");
    let fifo = dir.path().join("fifo");
    mkfifo(&fifo, Mode::S_IRWXU).expect("mkfifo");
    let open = || File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&fifo).expect("the FIFO");
    let reader = open();
    let mut server = Server::drover(Conf::workers(1).access_log(&fifo.display().to_string()));
    server.file("index.html", "hello");
    let ledger = server.ledger();
    let mut client = server.connect();
    drop(reader);
    (0..10).for_each(|_| _ = client.get("/"));
    until_true("lost lines are counted", || ledger.sums().lost_log_lines == 10);
    let said = alerts(&server);
    assert!(said.len() == 1 && said[0].contains("fifo\" failed (32: Broken pipe), lines lost: "), "{said:?}");
    let mut reader = open();
    (0..10).for_each(|_| _ = client.get("/"));
    assert!(server.quit().success());
    let mut lines = String::new();
    reader.read_to_string(&mut lines).expect("lines");
    assert_eq!(lines.lines().count(), 10);
    assert_eq!(ledger.sums().lost_log_lines, 10);
}

/// A receiver of syslog that is not there, or reads nothing, costs lines and no answer.
#[test]
fn a_dead_receiver_costs_lines_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let (gone, deaf) = (dir.path().join("gone"), dir.path().join("deaf"));
    let _receiver = std::os::unix::net::UnixDatagram::bind(&deaf).expect("bind");
    for path in [dir.path(), &deaf] {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("chmod");
    }
    let logs = |path: &std::path::Path| format!("syslog:server=unix:{}", path.display());
    let server = Server::drover(
        Conf::workers(1)
            .http(&format!("access_log {}; error_log {} info;", logs(&gone), logs(&gone)))
            .access_log(&logs(&deaf)),
    );
    let mut client = server.connect();
    let mut asked = 0;
    let ledger = server.ledger();
    let lost = || ledger.sums().lost_log_lines;
    until_true("the deaf one is full", || {
        (0..100).for_each(|_| assert_eq!(client.get("/missing").status, 404));
        asked += 100;
        lost() > asked
    });
    let said = alerts(&server);
    let about = |path: &std::path::Path, why: &str| {
        let start = format!("send() to syslog server unix:{} failed ({why}), lines lost: ", path.display());
        said.iter().filter(|line| line.contains(&start)).count()
    };
    assert_eq!(about(&gone, "2: No such file or directory"), 1, "{said:?}");
    assert_eq!(about(&deaf, "11: Resource temporarily unavailable"), 1, "{said:?}");
}

/// A log in memory is read through the master's descriptor.
#[test]
fn an_error_log_in_memory_can_be_read() {
    let server = Server::drover(Conf::workers(1).main("error_log memory:32k info;"));
    assert_eq!(server.connect().get("/missing").status, 404);
    let master = format!("/proc/{}/fd", server.pid());
    let is_log = |path: &std::path::PathBuf| {
        fs::read_link(path).is_ok_and(|to| to.to_string_lossy().starts_with("/memfd:drover-error-log "))
    };
    let log = fs::read_dir(master).expect("descriptors").filter_map(|entry| Some(entry.ok()?.path())).find(is_log);
    let log = log.expect("the log");
    until_true("a line in it", || {
        let text = String::from_utf8_lossy(&fs::read(&log).expect("the log")).into_owned();
        text.contains("/missing\" failed (2: No such file or directory), client: 127.0.0.1")
    });
    assert_eq!(fs::metadata(&log).expect("the log").len(), 32 << 10);
}

/// A client that resets its connection in the middle of a head has a line, as with nginx; one that is idle has none.
#[test]
fn a_reset_in_the_middle_of_a_head_is_logged() {
    for dispatch in ["exclusive", "prefork", "thread_pool worker_threads=1", "leader_follower worker_threads=1"] {
        let format = "log_format half '$status $request_length \"$request\"';";
        let conf = Conf::workers(1).dispatch(dispatch).http(format).access_log("%dir%/access.log half");
        let server = Server::drover(conf);
        server.file("index.html", "hello");
        for begun in ["", "GET / HTTP/1.1\r\nHost: a\r\nAccept: b"] {
            let mut stream = TcpStream::connect(server.addr()).expect("connect");
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("write");
            until_true("the answer is there", || stream.peek(&mut [0; 8]).is_ok_and(|read| read > 0));
            stream.write_all(begun.as_bytes()).expect("write");
            if !begun.is_empty() {
                until_true("the server has read it", || server.ledger().sums().reading == 1);
            }
            // The answer is unread: the kernel resets the connection.
            drop(stream);
        }
        until_true("three lines", || server.read("access.log").lines().count() == 3);
        until_true("no connection is left", || server.ledger().sums().connections == 0);
        let (whole, half) = ("200 27 \"GET / HTTP/1.1\"\n", "400 25 \"GET / HTTP/1.1\"\n");
        assert_eq!(server.read("access.log"), [whole, whole, half].concat(), "{dispatch}");
    }
}
