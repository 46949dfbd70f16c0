//! Frames that break the rules, and what RFC 9113 and 7541 want done, beside nginx 1.28.3.
//!
//! Each case is sent behind a handshake, and a request for `/` on stream 1001 follows. Its outcome is told in words:
//! `400 on 1`: the status of an answer; `reset 1: 5`: RST_STREAM and its code; `goaway 1`: GOAWAY and its code, with
//! which the connection ends; `alive`: the request on stream 1001 was answered. nginx ends some connections without a
//! GOAWAY that gets through: `closed`.

use drover::http::h2::frame::{ACK, END_HEADERS, END_STREAM, Kind, MAX_PAYLOAD, PADDED, PREFACE, put_head};

use crate::support::conf::Conf;
use crate::support::h2::{H2, block, frame, get, request};
use crate::support::server::{Product, Server, Setup};

const PRIORITY: u8 = 0x20;

/// The stream of the request behind each case.
const LAST: u32 = 1001;

struct Case {
    /// The section of RFC 9113, or of RFC 7541 for those that begin with "HPACK".
    rule: &'static str,
    name: &'static str,
    bytes: Vec<u8>,
    /// The outcome.
    drover: &'static str,
    /// Where nginx's is another: which, and why it is not followed.
    nginx: Option<(&'static str, &'static str)>,
}

fn case(rule: &'static str, name: &'static str, bytes: impl AsRef<[u8]>, drover: &'static str) -> Case {
    Case { rule, name, bytes: bytes.as_ref().to_vec(), drover, nginx: None }
}

impl Case {
    fn but(self, nginx: &'static str, why: &'static str) -> Case {
        Case { nginx: Some((nginx, why)), ..self }
    }
}

/// Fields of a GET for `/` with others behind them.
fn with(more: &[(&str, &str)]) -> Vec<u8> {
    let fields: Vec<_> = get("/").into_iter().chain(more.iter().copied()).collect();
    request(1, &fields)
}

/// A request of just these fields: `m=GET|s=http|p=/|a=localhost`, with a letter for each pseudo-header field.
fn of(text: &str) -> Vec<u8> {
    let field = |field: &str| {
        let (name, value) = field.split_once('=').expect("name and value");
        let name = match name {
            "m" => ":method",
            "s" => ":scheme",
            "p" => ":path",
            "a" => ":authority",
            name => name,
        };
        (name.to_owned(), value.to_owned())
    };
    request(1, &text.split('|').map(field).collect::<Vec<_>>())
}

/// A request whose body is to come.
fn open(more: &[(&str, &str)]) -> Vec<u8> {
    let mut fields = vec![(":method", "GET"), (":scheme", "http"), (":path", "/slow"), (":authority", "localhost")];
    fields.extend(more);
    frame(Kind::Headers, END_HEADERS, 1, block(&fields))
}

fn raw(block: impl AsRef<[u8]>) -> Vec<u8> {
    frame(Kind::Headers, END_HEADERS | END_STREAM, 1, block)
}

fn settings(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(Kind::Settings, 0, 0, payload)
}

fn joined(pieces: &[Vec<u8>]) -> Vec<u8> {
    pieces.concat()
}

const NEWER: &str = "nginx follows an older RFC, or looks at less";
const MILDER: &str = "a stream is to blame, not the connection";
const RFC: &str = "the RFC has a MUST";
const LIMIT: &str = "drover has a limit there";
const LARGER: &str = "nginx takes frames of 16 MiB";
const AT_ONCE: &str = "drover reads all frames that are there before it answers";

fn frames() -> Vec<Case> {
    let data = |flags, payload: &[u8]| frame(Kind::Data, flags, 1, payload);
    let mut too_large = Vec::new();
    put_head(&mut too_large, Kind::Ping, 0, 0, MAX_PAYLOAD + 1);
    too_large.resize(too_large.len() + MAX_PAYLOAD + 1, 0);
    let mut huge = Vec::new();
    put_head(&mut huge, Kind::Data, 0, 1, (1 << 24) - 1);
    let reserved = [&b"\0\0\x08\x06\0\x80\0\0\0"[..], &[7; 8]].concat();
    vec![
        case("4.1", "a frame of an unknown type", b"\0\0\x01\x63\0\0\0\0\0x", "alive"),
        case("4.1", "the reserved bit", reserved, "alive"),
        case("4.1", "unknown flags", frame(Kind::Ping, 0xf0, 0, [0; 8]), "alive"),
        case("4.2", "a frame above MAX_FRAME_SIZE", too_large, "goaway 6"),
        case("4.2", "DATA far above MAX_FRAME_SIZE", joined(&[open(&[]), huge]), "goaway 6").but("reset 1: 3", LARGER),
        case("6.1", "DATA on stream 0", frame(Kind::Data, 0, 0, b"x"), "goaway 1"),
        case("5.1", "DATA on an idle stream", data(0, b"x"), "goaway 1").but("alive", RFC),
        case("5.1", "DATA on an even stream", frame(Kind::Data, 0, 2, b"x"), "goaway 1").but("alive", RFC),
        case("5.1", "DATA behind END_STREAM", joined(&[request(1, &get("/slow")), data(0, b"x")]), "reset 1: 5"),
        case("6.1", "DATA all of padding", joined(&[open(&[]), data(PADDED | END_STREAM, b"\x02\0\0")]), "alive"),
        case("6.1", "padding longer than DATA", joined(&[open(&[]), data(PADDED, b"\x02x")]), "goaway 1"),
        case("4.2", "padded DATA without a length", joined(&[open(&[]), data(PADDED, b"")]), "goaway 6"),
        case("5.1.1", "HEADERS on stream 0", frame(Kind::Headers, END_HEADERS, 0, block(&get("/"))), "goaway 1"),
        case("5.1.1", "HEADERS on an even stream", request(2, &get("/")), "goaway 1"),
        case(
            "5.1.1",
            "streams that go down",
            joined(&[request(5, &get("/")), request(3, &get("/"))]),
            "200 on 5, goaway 1",
        ),
        case("5.1", "HEADERS on a half-closed stream", joined(&[request(1, &get("/slow")), with(&[])]), "reset 1: 5")
            .but("goaway 1", MILDER),
        case("6.2", "padding longer than HEADERS", frame(Kind::Headers, END_HEADERS | PADDED, 1, b"\x09x"), "goaway 1"),
        case("4.2", "padded HEADERS without a length", frame(Kind::Headers, END_HEADERS | PADDED, 1, b""), "goaway 6"),
        case(
            "4.2",
            "HEADERS too short for advice",
            frame(Kind::Headers, END_HEADERS | PRIORITY, 1, [0; 4]),
            "goaway 6",
        ),
        case(
            "5.3.2",
            "HEADERS with advice about itself",
            frame(
                Kind::Headers,
                END_HEADERS | END_STREAM | PRIORITY,
                1,
                [&b"\0\0\0\x01\0"[..], &block(&get("/"))].concat(),
            ),
            "200 on 1",
        )
        .but("goaway 1", NEWER),
        case("6.3", "PRIORITY on stream 0", frame(Kind::Priority, 0, 0, [0; 5]), "goaway 1"),
        case("6.3", "PRIORITY of 4 bytes", frame(Kind::Priority, 0, 1, [0; 4]), "goaway 6"),
        case("5.3.2", "PRIORITY about itself", frame(Kind::Priority, 0, 1, b"\0\0\0\x01\0"), "alive")
            .but("goaway 1", NEWER),
        case("5.3.2", "PRIORITY on an idle stream", frame(Kind::Priority, 0, 7, [0; 5]), "alive"),
        case("6.4", "RST_STREAM on stream 0", frame(Kind::RstStream, 0, 0, [0; 4]), "goaway 1"),
        case("6.4", "RST_STREAM on an idle stream", frame(Kind::RstStream, 0, 1, [0; 4]), "goaway 1").but("alive", RFC),
        case("6.4", "RST_STREAM of 3 bytes", joined(&[open(&[]), frame(Kind::RstStream, 0, 1, [0; 3])]), "goaway 6"),
        case(
            "6.4",
            "RST_STREAM on a closed stream",
            joined(&[with(&[]), frame(Kind::RstStream, 0, 1, [0; 4])]),
            "alive",
        )
        .but("200 on 1", AT_ONCE),
        case(
            "7",
            "RST_STREAM with an unknown code",
            joined(&[open(&[]), frame(Kind::RstStream, 0, 1, [9; 4])]),
            "alive",
        ),
        case("6.5", "SETTINGS on a stream", frame(Kind::Settings, 0, 1, b""), "goaway 1"),
        case("6.5", "SETTINGS with ACK and bytes", frame(Kind::Settings, ACK, 0, [0; 6]), "goaway 6"),
        case("6.5", "SETTINGS of 5 bytes", settings([0; 5]), "goaway 6"),
        case("6.5.2", "an unknown setting", settings(b"\xff\xff\0\0\0\x01"), "alive"),
        case("6.5.2", "ENABLE_PUSH 2", settings(b"\0\x02\0\0\0\x02"), "goaway 1"),
        case("6.5.2", "INITIAL_WINDOW_SIZE above 2^31-1", settings(b"\0\x04\x80\0\0\0"), "goaway 3"),
        case("6.5.2", "MAX_FRAME_SIZE below 2^14", settings(b"\0\x05\0\0\x3f\xff"), "goaway 1"),
        case("6.5.2", "MAX_FRAME_SIZE above 2^24-1", settings(b"\0\x05\x01\0\0\0"), "goaway 1"),
        case(
            "6.6",
            "PUSH_PROMISE",
            joined(&[open(&[]), frame(Kind::PushPromise, END_HEADERS, 1, [0, 0, 0, 2])]),
            "goaway 1",
        ),
        case("6.7", "PING on a stream", frame(Kind::Ping, 0, 1, [0; 8]), "goaway 1"),
        case("6.7", "PING of 7 bytes", frame(Kind::Ping, 0, 0, [0; 7]), "goaway 6"),
        case("6.7", "an answer to no PING", frame(Kind::Ping, ACK, 0, [0; 8]), "alive"),
        case("6.8", "GOAWAY on a stream", frame(Kind::GoAway, 0, 1, [0; 8]), "goaway 1"),
        case("6.8", "GOAWAY of 7 bytes", frame(Kind::GoAway, 0, 0, [0; 7]), "goaway 6"),
        case("6.8", "GOAWAY with a reason", frame(Kind::GoAway, 0, 0, [0; 20]), "alive"),
        case("6.9", "WINDOW_UPDATE of 0", frame(Kind::WindowUpdate, 0, 0, [0; 4]), "goaway 1"),
        case(
            "6.9",
            "WINDOW_UPDATE of 0 for a stream",
            joined(&[open(&[]), frame(Kind::WindowUpdate, 0, 1, [0; 4])]),
            "reset 1: 1",
        )
        .but("goaway 1", MILDER),
        case("6.9", "WINDOW_UPDATE of 3 bytes", frame(Kind::WindowUpdate, 0, 0, [0; 3]), "goaway 6"),
        case("6.9", "WINDOW_UPDATE on an idle stream", frame(Kind::WindowUpdate, 0, 1, [0, 0, 0, 1]), "goaway 1")
            .but("alive", RFC),
        case(
            "6.9",
            "WINDOW_UPDATE on a closed stream",
            joined(&[with(&[]), frame(Kind::WindowUpdate, 0, 1, [0, 0, 0, 1])]),
            "200 on 1",
        ),
        case("6.9.1", "a window above 2^31-1", frame(Kind::WindowUpdate, 0, 0, b"\x7f\xff\xff\xff"), "goaway 3"),
        case(
            "6.9.1",
            "a stream's window above 2^31-1",
            joined(&[open(&[]), frame(Kind::WindowUpdate, 0, 1, b"\x7f\xff\xff\xff")]),
            "reset 1: 3",
        ),
        case(
            "6.9.2",
            "a setting that makes a window too large",
            joined(&[open(&[]), frame(Kind::WindowUpdate, 0, 1, b"\x7f\0\0\0"), settings(b"\0\x04\x7f\xff\xff\xff")]),
            "goaway 3",
        )
        .but("reset 1: 3", RFC),
        case("6.10", "CONTINUATION without HEADERS", frame(Kind::Continuation, END_HEADERS, 1, b""), "goaway 1"),
        case(
            "6.10",
            "CONTINUATION behind END_HEADERS",
            joined(&[with(&[]), frame(Kind::Continuation, END_HEADERS, 1, b"")]),
            "200 on 1, goaway 1",
        ),
        case(
            "6.10",
            "CONTINUATION on another stream",
            joined(&[frame(Kind::Headers, 0, 1, b""), frame(Kind::Continuation, 0, 3, b"")]),
            "goaway 1",
        )
        .but("goaway 6", RFC),
        case(
            "6.10",
            "PING within a header block",
            joined(&[frame(Kind::Headers, 0, 1, b"\x82"), frame(Kind::Ping, 0, 0, [0; 8])]),
            "goaway 1",
        ),
        case(
            "6.10",
            "DATA within a header block",
            joined(&[frame(Kind::Headers, 0, 1, b"\x82"), data(0, b"x")]),
            "goaway 1",
        ),
        case(
            "5.5",
            "an unknown frame within a header block",
            joined(&[frame(Kind::Headers, 0, 1, b"\x82"), b"\0\0\0\x63\0\0\0\0\0".to_vec()]),
            "goaway 1",
        ),
        case(
            "6.10",
            "an empty CONTINUATION that ends the block",
            joined(&[
                frame(Kind::Headers, END_STREAM, 1, block(&get("/"))),
                frame(Kind::Continuation, END_HEADERS, 1, b""),
            ]),
            "200 on 1",
        ),
        case(
            "10.5",
            "many empty CONTINUATIONs",
            joined(&[frame(Kind::Headers, 0, 1, b"\x82"), vec![frame(Kind::Continuation, 0, 1, b""); 20].concat()]),
            "goaway 11",
        )
        .but("goaway 1", LIMIT),
        case(
            "10.5.1",
            "a header block of 80 KiB",
            joined(&[
                frame(Kind::Headers, 0, 1, block(&get("/"))),
                vec![frame(Kind::Continuation, 0, 1, block(&[("a", "x".repeat(16_000))])); 5].concat(),
            ]),
            "goaway 11",
        ),
        case(
            "10.5.1",
            "a header list of 40 KiB",
            joined(&[
                frame(Kind::Headers, END_STREAM, 1, block(&get("/"))),
                vec![frame(Kind::Continuation, 0, 1, block(&[("a", "x".repeat(13_000))])); 3].concat(),
                frame(Kind::Continuation, END_HEADERS, 1, b""),
            ]),
            "431 on 1",
        )
        .but("goaway 11", MILDER),
    ]
}

fn fields() -> Vec<Case> {
    let data = |flags, payload: &[u8]| frame(Kind::Data, flags, 1, payload);
    let trailers = |flags, fields: &[(&str, &str)]| frame(Kind::Headers, END_HEADERS | flags, 1, block(fields));
    vec![
        case("8.3.1", "no :method", request(1, &get("/")[1..]), "400 on 1"),
        case("8.3.1", "no :scheme", of("m=GET|p=/|a=localhost"), "400 on 1"),
        case("8.3.1", "no :path", of("m=GET|s=http|a=localhost"), "400 on 1"),
        case("8.3.1", "an empty :path", of("m=GET|s=http|p=|a=localhost"), "400 on 1")
            .but("400 on 1, goaway 1", MILDER),
        case("8.3.1", "a :path without a slash", of("m=GET|s=http|p=a|a=localhost"), "400 on 1"),
        case("8.3.1", "a :path with a blank", of("m=GET|s=http|p=/a b|a=localhost"), "400 on 1"),
        case("8.3.1", "an empty :method", of("m=|s=http|p=/|a=localhost"), "400 on 1")
            .but("400 on 1, goaway 1", MILDER),
        case("8.3.1", "a :method in lower case", of("m=get|s=http|p=/|a=localhost"), "400 on 1"),
        case("8.3.1", "a :scheme that is none", of("m=GET|s=1?|p=/|a=localhost"), "400 on 1"),
        case("8.3.1", "neither :authority nor Host", request(1, &get("/")[..3]), "400 on 1"),
        case("8.3.1", "Host alone", of("m=GET|s=http|p=/|host=localhost"), "200 on 1"),
        case("8.3.1", "Host and another :authority", with(&[("host", "other")]), "400 on 1"),
        case("8.3.1", "an :authority that is none", of("m=GET|s=http|p=/|a=a b"), "400 on 1"),
        case("8.3.1", "a second :method", of("m=GET|m=GET|s=http|p=/|a=localhost"), "400 on 1"),
        case("8.3.1", "a second :path", of("m=GET|s=http|p=/|p=/|a=localhost"), "400 on 1"),
        case("8.3.1", "a second :scheme", of("m=GET|s=http|s=http|p=/|a=localhost"), "400 on 1"),
        case("8.3", "an unknown pseudo-header field", of("m=GET|s=http|p=/|:a=b|a=localhost"), "400 on 1"),
        case("8.3", ":status in a request", of("m=GET|:status=200|s=http|p=/|a=localhost"), "400 on 1"),
        case("8.3", "a pseudo-header field behind another", of("m=GET|s=http|a=b|p=/|a=localhost"), "400 on 1"),
        case("8.5", "CONNECT with a path", of("m=CONNECT|s=http|p=/|a=a:1"), "400 on 1").but("405 on 1", RFC),
        case("8.5", "CONNECT", of("m=CONNECT|a=a:1"), "405 on 1").but("400 on 1", RFC),
        case("8.2.1", "a name in upper case", with(&[("A", "b")]), "400 on 1"),
        case("8.2.1", "an empty name", with(&[("", "b")]), "400 on 1").but("goaway 1", MILDER),
        case("8.2.1", "a name with a blank", with(&[("a b", "c")]), "400 on 1"),
        case("8.2.1", "a name with a colon", with(&[("a:b", "c")]), "400 on 1"),
        case("8.2.1", "a name that is not ASCII", with(&[("\u{e9}", "c")]), "400 on 1").but("200 on 1", RFC),
        case("8.2.1", "a value with a line feed", with(&[("a", "b\nc")]), "400 on 1"),
        case("8.2.1", "a value with a carriage return", with(&[("a", "b\rc")]), "400 on 1"),
        case("8.2.1", "a value with a NUL", with(&[("a", "b\0c")]), "400 on 1"),
        case("8.2.1", "a value that begins with a blank", with(&[("a", " b")]), "400 on 1").but("200 on 1", RFC),
        case("8.2.1", "a value that ends in a tab", with(&[("a", "b\t")]), "400 on 1").but("200 on 1", RFC),
        case("8.2.1", "an empty value", with(&[("a", "")]), "200 on 1"),
        case("8.2.2", "Connection", with(&[("connection", "close")]), "400 on 1").but("200 on 1", RFC),
        case("8.2.2", "Keep-Alive", with(&[("keep-alive", "5")]), "400 on 1").but("200 on 1", RFC),
        case("8.2.2", "Proxy-Connection", with(&[("proxy-connection", "close")]), "400 on 1").but("200 on 1", RFC),
        case("8.2.2", "Transfer-Encoding", with(&[("transfer-encoding", "chunked")]), "400 on 1").but("200 on 1", RFC),
        case("8.2.2", "Upgrade", with(&[("upgrade", "h2c")]), "400 on 1").but("200 on 1", RFC),
        case("8.2.2", "TE: gzip", with(&[("te", "gzip")]), "400 on 1").but("200 on 1", RFC),
        case("8.2.2", "TE: trailers", with(&[("te", "trailers")]), "200 on 1"),
        case("8.2.3", "a cookie in crumbs", with(&[("cookie", "a=b"), ("cookie", "c=d")]), "200 on 1"),
        case("8.1.1", "a body that is not announced", with(&[("content-length", "3")]), "400 on 1"),
        case("8.1.1", "a Content-Length that is none", with(&[("content-length", "x")]), "400 on 1"),
        case("8.1.1", "two Content-Lengths", with(&[("content-length", "0"), ("content-length", "0")]), "400 on 1"),
        case(
            "8.1.1",
            "a body that is too short",
            joined(&[open(&[("content-length", "3")]), data(END_STREAM, b"ab")]),
            "reset 1: 1",
        )
        .but("alive", RFC),
        case(
            "8.1.1",
            "a body that is too long",
            joined(&[open(&[("content-length", "3")]), data(0, b"abcd")]),
            "reset 1: 1",
        )
        .but("alive", RFC),
        case("8.1", "trailers", joined(&[open(&[]), data(0, b"x"), trailers(END_STREAM, &[("a", "b")])]), "alive")
            .but("goaway 1", RFC),
        case(
            "8.1",
            "trailers that do not end the stream",
            joined(&[open(&[]), trailers(0, &[("a", "b")])]),
            "reset 1: 1",
        )
        .but("goaway 1", MILDER),
        case(
            "8.1",
            "a pseudo-header field in trailers",
            joined(&[open(&[]), trailers(END_STREAM, &[(":path", "/")])]),
            "reset 1: 1",
        )
        .but("goaway 1", MILDER),
        case("HPACK 2.3.3", "index 0", raw(b"\x80"), "goaway 9"),
        case("HPACK 2.3.3", "an index behind the table", raw(b"\xff\x20"), "goaway 9"),
        case("HPACK 2.3.3", "a name behind the table", raw(b"\x7f\x20\x01a"), "goaway 9"),
        case("HPACK 4.2", "a size behind a field", raw([&block(&get("/"))[..], b"\x20"].concat()), "goaway 9")
            .but("200 on 1", RFC),
        case(
            "HPACK 4.2",
            "a size above the setting",
            raw([&b"\x3f\xe2\x1f"[..], &block(&get("/"))].concat()),
            "goaway 9",
        ),
        case(
            "HPACK 4.2",
            "two sizes in front of the fields",
            raw([&b"\x20\x3f\xe1\x1f"[..], &block(&get("/"))].concat()),
            "200 on 1",
        ),
        case("HPACK 5.1", "a number without end", raw(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "goaway 9"),
        case("HPACK 5.2", "a string that is cut off", raw(b"\x00\x05ab"), "goaway 9").but("goaway 6", RFC),
        case("HPACK 5.2", "EOS in a string", raw(b"\x00\x84\xff\xff\xff\xff\x01a"), "goaway 9"),
        case("HPACK 5.2", "padding longer than 7 bits", raw(b"\x00\x82\x1f\xff\x01a"), "goaway 9").but("400 on 1", RFC),
        case("HPACK 5.2", "padding that is not of ones", raw(b"\x00\x81\x18\x01a"), "goaway 9"),
    ]
}

/// Sends a case; tells what comes of it.
fn outcome(server: &Server, case: &Case) -> String {
    let mut client = H2::connect(server.addr());
    client.send(&case.bytes).ask(LAST, &get("/"));
    while !client.is_over(LAST) && client.frame().is_ok() {}
    let mut said = Vec::new();
    for (stream, answer) in client.answers.iter().filter(|(stream, _)| **stream != LAST) {
        match answer.reset {
            Some(0) | None if !answer.status().is_empty() && answer.is_whole => {
                said.push(format!("{} on {stream}", answer.status()));
            }
            Some(code) => said.push(format!("reset {stream}: {code}")),
            None => {}
        }
    }
    said.extend(client.goaways.iter().map(|(_, code)| format!("goaway {code}")));
    if said.is_empty() {
        said.push(if client.is_over(LAST) { "alive" } else { "closed" }.to_owned());
    }
    said.join(", ")
}

fn start(product: Product) -> Server {
    // `/slow` has an answer that takes its time: its stream is open when the rest of a case comes.
    let conf = Conf::workers(1).server("http2 on; location /slow { limit_rate 1; alias %root%/large; }");
    let server = Setup::new(product, conf).start();
    server.file("index.html", "hello").file("large", [b'x'; 3000]);
    server
}

#[test]
fn broken_frames_have_the_outcome_that_the_rfc_wants() {
    let (drover, nginx) = (start(Product::Drover), start(Product::Nginx));
    let cases: Vec<_> = frames().into_iter().chain(fields()).collect();
    assert!(cases.len() >= 80);
    let mut wrong = Vec::new();
    for case in &cases {
        let (ours, theirs) = (outcome(&drover, case), outcome(&nginx, case));
        let expected = case.nginx.map_or(case.drover, |(nginx, _)| nginx);
        if ours != case.drover {
            wrong.push(format!("{} ({}): {ours}, not {}", case.name, case.rule, case.drover));
        }
        if theirs != expected {
            wrong.push(format!("{} ({}): nginx: {theirs}, not {expected}", case.name, case.rule));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn a_connection_begins_with_the_preface_and_settings() {
    let (drover, nginx) = (start(Product::Drover), start(Product::Nginx));
    for server in [&drover, &nginx] {
        // A byte that is wrong makes it HTTP/1, of which it is no request.
        let mut client = crate::support::client::Client::connect(server.addr());
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rx");
        let status = client.response().map(|response| response.status);
        assert!(matches!(status, Ok(400 | 505)), "{status:?}");
        // The preface may come in any pieces.
        let mut client = H2::raw(server.addr());
        for byte in [PREFACE, &frame(Kind::Settings, 0, 0, b""), &request(1, &get("/"))].concat() {
            client.send([byte]);
        }
        assert_eq!(client.answer(1).text(), "hello");
        // HTTP/1 on the same port.
        let mut client = server.connect();
        assert_eq!(client.get("/").text(), "hello");
        assert_eq!(client.get("/").text(), "hello");
    }
    let mut client = H2::raw(drover.addr());
    client.send([PREFACE, &request(1, &get("/"))].concat());
    client.until_closed();
    assert_eq!(client.goaways, [(0, 1)], "SETTINGS come first");
}
