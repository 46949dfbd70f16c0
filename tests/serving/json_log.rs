//! `conf/examples/json-log.conf` as it stands, but for addresses and paths: every line is an object of JSON with the
//! same members of the same types, whatever clients send and however their requests end.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::{Map, Value};

use crate::support::client::Client;
use crate::support::h2::{H2, get, request};
use crate::support::server::Server;
use crate::support::tls::{Authority, Wish};
use crate::support::until;

const NUMBERS: [&str; 8] =
    ["unix_time", "bytes", "body_bytes", "request_bytes", "seconds", "worker", "connection", "request_number"];
const NUMBERS_OR_NULL: [&str; 4] = ["status", "client_port", "accept_seconds", "gzip_ratio"];
const TEXTS: [&str; 16] = [
    "time",
    "request_id",
    "client",
    "user",
    "method",
    "scheme",
    "host",
    "uri",
    "args",
    "request",
    "protocol",
    "tls",
    "completed",
    "referer",
    "agent",
    "forwarded_for",
];

/// Bytes that a client sends, and the text that a reader of the log finds.
const HOSTILE: [(&[u8], &str); 7] = [
    (br#"a"b\c'd{}"#, r#"a"b\c'd{}"#),
    (br#"","status":200,"x":""#, r#"","status":200,"x":""#),
    (b"\\", "\\"),
    (b"\xff\xc0\xaf", "\u{ff}\u{c0}\u{af}"),
    (b"caf\xe9 \xc3\xa9", "caf\u{e9} \u{e9}"),
    (b"\xe2\x80\xa8\xed\xa0\x80", "\u{2028}\u{ed}\u{a0}\u{80}"),
    (b"\x01\x08\t\x0c\x1b[31m\x7f", "\u{1}\u{8}\t\u{c}\u{1b}[31m\u{7f}"),
];

/// Directives that the test needs besides in the server of the example.
const MORE: &str = "listen unix:%dir%/socket; listen 127.0.0.1:%port2% ssl; http2 on; ssl_certificate %dir%/c.pem; \
                    ssl_certificate_key %dir%/k.pem; client_header_timeout 200ms; large_client_header_buffers 1 4k; \
                    location /waits/ { limit_req zone=z burst=9; }";

fn server() -> (Server, Authority) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/examples/json-log.conf");
    let mut conf = std::fs::read_to_string(path).expect("the example");
    let log = "access_log  /dev/stdout json;";
    for (from, to) in [
        (log, "access_log %dir%/access.log json; limit_req_zone $uri zone=z:1m rate=1r/m;"),
        ("worker_processes  2;", "%main% worker_processes 2;"),
        ("include  ../mime.types;", "%http%"),
        ("root    conf/welcome;", "root %root%;"),
        ("listen  127.0.0.1:8080;", &format!("listen 127.0.0.1:%port%; {MORE}")),
    ] {
        assert!(conf.contains(from), "no {from:?} in\n{conf}");
        conf = conf.replace(from, to);
    }
    // The certificate has to be there before the server is.
    let authority = Authority::new("json");
    let (pair, dir) = (authority.sign(&["localhost"]), tempfile::tempdir().expect("a temporary directory"));
    for (name, pem) in [("c.pem", &pair.certificate), ("k.pem", &pair.key)] {
        let path = dir.path().join(name);
        std::fs::write(&path, pem).expect("write");
        conf = conf.replace(&format!("%dir%/{name}"), path.to_str().expect("a path"));
    }
    (Server::drover(conf), authority)
}

fn in_percents(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02x}")).collect()
}

/// Requests whose target, query and fields hold the bytes, in HTTP/1.1 and in HTTP/2.
fn ask_with(server: &Server, bytes: &[u8]) {
    let path = in_percents(bytes);
    let user = format!("Authorization: Basic {}\r\n\r\n", base64(&[bytes, b":secret"].concat()));
    // Control characters are refused here, and come in the path and in the user's name alone.
    let bytes: &[u8] = &bytes.iter().copied().filter(|byte| !byte.is_ascii_control()).collect::<Vec<_>>();
    let args: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != b' ').collect();
    let pieces: [&[u8]; 7] = [
        &[b"GET /1/", path.as_bytes(), b"?", &args].concat(),
        b" HTTP/1.1\r\nHost: localhost\r\n",
        &[b"User-Agent: ", bytes].concat(),
        &[b"\r\nReferer: ", bytes].concat(),
        &[b"\r\nX-Forwarded-For: ", bytes].concat(),
        b"\r\n",
        user.as_bytes(),
    ];
    let _ = server.connect().send(pieces.concat()).response();
    let target = format!("/2/{path}");
    let ours = get(&target).into_iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let fields: Vec<(&[u8], &[u8])> = ours.chain([(&b"user-agent"[..], bytes), (b"referer", bytes)]).collect();
    let mut client = H2::connect(server.addr());
    client.send(request(1, &fields));
    let _ = client.until_over([1]);
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn lines(server: &Server) -> Vec<Map<String, Value>> {
    let bytes = std::fs::read(server.dir().join("access.log")).expect("the log");
    let lines = String::from_utf8(bytes).expect("UTF-8");
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    lines.lines().map(parse).collect()
}

#[test]
fn every_line_of_the_example_has_the_same_members_and_types() {
    let (mut server, authority) = server();
    server.file("index.html", "hello ".repeat(1000)).file("waits/x", "").file("large", vec![b'x'; 30 << 20]);
    for (bytes, _) in HOSTILE {
        ask_with(&server, bytes);
    }
    // Bad requests, the oldest HTTP, and no request at all.
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(5000));
    for bytes in [
        &b"\x16\x03\x01\x02\0\x01\0\xff\"\r\n\r\n"[..],
        b"GET /\r\n",
        b"\"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        long.as_bytes(),
        b"PUT / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
    ] {
        let _ = server.connect().send(bytes).until_closed();
    }
    let _ = server.connect().send("GET /is-never").until_closed();
    // Over TLS, in clear to a port of TLS, and over a Unix socket.
    let secure = ([127, 0, 0, 1], server.ports()[1]).into();
    let mut client = Client::try_connect_tls(secure, &Wish::new(&authority).named("localhost")).expect("a handshake");
    let zipped = "GET / HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n";
    assert_eq!(client.send(zipped).response().expect("a response").header("Content-Encoding"), Some("gzip"));
    assert_eq!(Client::connect(secure).get("/clear").status, 400);
    let mut local = UnixStream::connect(server.dir().join("socket")).expect("connect");
    local.write_all(b"GET /unix HTTP/1.0\r\n\r\n").expect("a request");
    local.read_to_end(&mut Vec::new()).expect("an answer");
    // Clients that leave: from an answer, and while they wait for one.
    server.connect().send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").wait_for_bytes(1000);
    assert_eq!(server.connect().get("/waits/x").status, 200);
    let mut waiting = server.connect();
    waiting.send("GET /waits/x HTTP/1.1\r\nHost: a\r\n\r\n");
    until("the second request waits", || server.error_log().contains("delaying request").then_some(()));
    drop(waiting);
    until("the log has who left", || {
        // The last line may not be whole yet.
        let log = server.read("access.log");
        let has = |uri: &str, count| log.matches(&format!("\"uri\":\"{uri}\"")).count() == count;
        (has("/large", 1) && has("/waits/x", 2)).then_some(())
    });
    assert!(server.quit().success());
    check(&lines(&server));
}

fn check(lines: &[Map<String, Value>]) {
    let mut names = [&NUMBERS[..], &NUMBERS_OR_NULL, &TEXTS].concat();
    names.sort_unstable();
    for line in lines {
        let mut members: Vec<&str> = line.keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, names, "{line:?}");
        assert!(NUMBERS.iter().all(|name| line[*name].is_number()), "{line:?}");
        assert!(NUMBERS_OR_NULL.iter().all(|name| line[*name].is_number() || line[*name].is_null()), "{line:?}");
        assert!(TEXTS.iter().all(|name| line[*name].is_string()), "{line:?}");
    }
    for (_, text) in HOSTILE {
        let visible = text.replace(|c: char| c.is_ascii_control(), "");
        for version in [1, 2] {
            let uri = format!("/{version}/{text}");
            let line = lines.iter().find(|line| line["uri"] == *uri).unwrap_or_else(|| panic!("{uri:?} in {lines:?}"));
            assert_eq!(
                (&line["status"], &line["agent"], &line["referer"]),
                (&404.into(), &visible.as_str().into(), &visible.as_str().into())
            );
        }
    }
    let statuses = |status: &Value| lines.iter().filter(|line| line["status"] == *status).count();
    assert!(statuses(&400.into()) > 4 && statuses(&200.into()) > 2, "{lines:?}");
    let has = |name: &str, fits: fn(&Value) -> bool| lines.iter().any(|line| fits(&line[name]));
    assert!(has("gzip_ratio", Value::is_f64) && has("gzip_ratio", Value::is_null), "{lines:?}");
    assert!(has("client_port", Value::is_u64) && has("client_port", Value::is_null), "{lines:?}");
    assert!(has("tls", |tls| tls == "TLSv1.3") && has("completed", |whole| whole == ""), "{lines:?}");
}
