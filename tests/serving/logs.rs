//! Logs, whatever clients send and whatever becomes of the files.

use std::fs::File;

use proptest::prelude::any;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::Value;

use crate::conf;
use crate::support::client::Client;
use crate::support::server::Server;
use crate::support::tools;

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
    let format = r#"log_format json escape=json '{"request":"$request","uri":"$uri","args":"$args","agent":"$http_user_agent","host":"$http_host","user":"$remote_user","cookie":"$cookie_a","status":$status}';"#;
    let text =
        conf(1, "", "").replace("access_log %dir%/access.log;", &format!("{format} access_log %dir%/access.log json;"));
    let mut server = Server::drover(&text);
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

/// Whoever reads the log knows which file it was.
#[test]
fn a_file_that_is_truncated_while_it_is_sent_is_named() {
    const HUGE: u64 = 64 << 20;
    for sendfile in ["on", "off"] {
        let server = Server::drover(&conf(1, "", &format!("sendfile {sendfile};")));
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
