//! Requests that want more memory than the worker may have: one of HTTP/1, a hundred on a connection of HTTP/2, and
//! handshakes. Connections are closed, or answered with 500, no worker dies, and afterwards all is as before.

use std::fs;
use std::io::Write;
use std::net::TcpStream;

use drover::http::h2::frame::{END_HEADERS, END_STREAM, Kind, PREFACE};

use crate::memory::{DATA, limit, wait_for_threads};
use crate::support::client::{Client, Response};
use crate::support::conf::Conf;
use crate::support::h2::{H2, block, frame, get};
use crate::support::server::Server;
use crate::support::tls::{Authority, Wish};
use crate::support::{proc, until_true};

/// Streams that a client may have at a time.
const STREAMS: u32 = 100;

/// The text of a log line that shows a field of the head sixteen times.
const LINE: &str = "$http_x_long,$http_x_long,$http_x_long,$http_x_long,$http_x_long,$http_x_long,$http_x_long,\
                    $http_x_long,$http_x_long,$http_x_long,$http_x_long,$http_x_long,$http_x_long,$http_x_long,\
                    $http_x_long,$http_x_long";

/// A server whose worker is going to lack memory.
struct Starved {
    server: Server,
    worker: i32,
    wish: Wish,
}

impl Starved {
    fn start(dispatch: &str, directives: &str) -> Starved {
        let authority = Authority::new("the test's authority");
        let pki = tempfile::tempdir().expect("a directory");
        authority.sign(&["localhost"]).write_to(pki.path(), "a");
        let certificate = format!("{}/a", pki.path().display());
        let conf = Conf::workers(1)
            .dispatch(dispatch)
            .events("worker_connections 2000;")
            .http(&format!(
                "gzip_cache off; types {{ text/html html; }}
                log_format long '{LINE}'; log_format json escape=json '{LINE}';"
            ))
            .server(&format!(
                "listen 127.0.0.1:%port2% ssl; ssl_certificate {certificate}.crt; ssl_certificate_key {certificate}.key;
                http2 on; client_header_timeout 1h; send_timeout 1h; {directives}"
            ));
        let server = Server::drover(conf);
        server.file("index.html", "hello");
        server.file("text.html", (0..20_000).map(|n| format!("{n}\n")).collect::<String>());
        let worker = server.wait_for_workers(1)[0];
        wait_for_threads(worker, dispatch);
        let starved = Starved { server, worker, wish: Wish::new(&authority) };
        assert_eq!(starved.server.connect().get("/").text(), "hello");
        assert_eq!(starved.secure().expect("a handshake").get("/").text(), "hello");
        assert_eq!(H2::connect(starved.server.addr()).get(1, "/").text(), "hello");
        starved
    }

    fn secure(&self) -> Result<Client, std::io::Error> {
        Client::try_connect_tls(([127, 0, 0, 1], self.server.ports()[1]).into(), &self.wish)
    }

    /// Lets the worker have `more` bytes than it has now.
    fn limit(&self, more: u64) {
        limit(self.worker, DATA, more);
    }

    fn has_a_line(&self) -> bool {
        self.server.error_log().contains("(12: Cannot allocate memory)")
    }

    fn waits_for_a_line(&self) {
        until_true("a line", || self.has_a_line());
    }

    /// The limit is still there, and its clients are not.
    fn recovers(&self) {
        until_true("all have gone", || self.server.ledger().sums().connections == 0);
        let is_hello = |mut client: Client| {
            let response = client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").response();
            response.is_ok_and(|it| it.status == 200 && it.text() == "hello")
        };
        // Not in a row: a thread may be short for as long as the heaps of others keep what was given back to them.
        let (mut answers, mut handshakes) = (0, 0);
        until_true("a hundred answers", || {
            answers += u32::from(is_hello(self.server.connect()));
            answers >= 100
        });
        until_true("ten handshakes", || {
            handshakes += u32::from(self.secure().is_ok_and(is_hello));
            handshakes >= 10
        });
        let text = self.server.error_log();
        assert_eq!(self.server.workers(), [self.worker], "{text}");
        assert!(proc::is_alive(self.worker) && !text.contains("exited"), "{text}");
        assert_eq!(self.server.ledger().sums().panics, 0, "{text}");
    }
}

/// The settings of a client whose windows are closed.
fn closed_windows() -> Vec<u8> {
    [PREFACE, &frame(Kind::Settings, 0, 0, [0, 4, 0, 0, 0, 0])].concat()
}

/// The requests that a client may make at a time. All but the first repeat a field of the first, by its place in the
/// table of HPACK, `times` times.
fn requests(fields: &[(&str, &str)], times: usize) -> Vec<u8> {
    let long = "x".repeat(3_900);
    let mut first = block(fields);
    // A literal that goes into the table: its name and its value, whose length takes 7 bits and a varint.
    first.extend_from_slice(b"\x40\x06x-long\x7f");
    first.extend_from_slice(&[((long.len() - 0x7f) & 0x7f) as u8 | 0x80, ((long.len() - 0x7f) >> 7) as u8]);
    first.extend_from_slice(long.as_bytes());
    let others = [&block(fields)[..], &vec![0xbe; times]].concat();
    let head =
        |n: u32| frame(Kind::Headers, END_HEADERS | END_STREAM, 2 * n + 1, if n == 0 { &first } else { &others });
    (0..STREAMS).flat_map(head).collect()
}

/// Sends bytes that the server may refuse, and reads nothing.
fn client(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut client = TcpStream::connect(server.addr()).expect("the socket listens");
    client.set_nonblocking(true).expect("O_NONBLOCK");
    let _ = client.write(bytes);
    client
}

const MODELS: [&str; 3] = ["exclusive", "leader_follower", "prefork worker_threads=8"];

/// Clients that make a hundred requests with heads of 28 KB at once, and whose answers wait for a window.
fn many_heads(model: &str, directives: &str, megabytes: u64) {
    let starved = Starved::start(model, directives);
    starved.limit(megabytes << 20);
    let bytes = [closed_windows(), requests(&get("/text.html"), 7)].concat();
    let clients: Vec<_> = (0..8).map(|_| client(&starved.server, &bytes)).collect();
    starved.waits_for_a_line();
    drop(clients);
    starved.recovers();
}

#[test]
fn heads_of_http2_that_unpack_to_a_hundred_times_their_size() {
    let repeated = "add_header X-A $http_x_long; add_header X-B $http_x_long;";
    for model in MODELS {
        many_heads(model, "", 1);
        many_heads(model, repeated, 3);
    }
}

/// Their lines in an access log are long, and are made at once when the connection is closed.
#[test]
fn lines_of_heads_of_http2() {
    for model in MODELS {
        many_heads(model, "access_log %dir%/long.log long;", 3);
    }
}

/// The answer is sent, and its line in the access log is lost.
#[test]
fn a_line_of_megabytes() {
    // Each byte takes four in the line, or two.
    let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n", "\"".repeat(30_000));
    for (model, format) in [(MODELS[0], "long"), (MODELS[0], "json"), (MODELS[1], "long"), (MODELS[2], "json")] {
        let starved = Starved::start(
            model,
            &format!("large_client_header_buffers 4 32k; access_log %dir%/long.log {format} buffer=64k;"),
        );
        starved.limit(1 << 20);
        let mut client = starved.server.connect();
        let response = client.send(&long).response();
        assert!(response.is_ok_and(|response| response.text() == "hello"), "{model}, {format}");
        until_true("a line is lost", || starved.server.error_log().contains("Cannot allocate memory), lines lost"));
        drop(client);
        starved.recovers();
    }
}

#[test]
fn compressions_on_each_stream() {
    for model in MODELS {
        let starved = Starved::start(model, "gzip on;");
        starved.limit(3 << 20);
        let fields = [&get("/text.html")[..], &[("accept-encoding", "gzip")]].concat();
        let bytes = [closed_windows(), requests(&fields, 1)].concat();
        let clients: Vec<_> = (0..8).map(|_| client(&starved.server, &bytes)).collect();
        starved.waits_for_a_line();
        drop(clients);
        starved.recovers();
    }
}

/// Bodies of requests take no memory: a crowd of them is answered under a limit that leaves none for bodies.
#[test]
fn uploads_on_each_stream() {
    let starved = Starved::start("exclusive", "client_max_body_size 0; error_page 405 =200 /;");
    starved.limit(3 << 20);
    let fields = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "localhost")];
    for _ in 0..20 {
        let mut client = H2::connect(starved.server.addr());
        for stream in (0..STREAMS).map(|n| 2 * n + 1) {
            client.send(frame(Kind::Headers, END_HEADERS, stream, block(&fields)));
        }
        for stream in (0..STREAMS).map(|n| 2 * n + 1) {
            client.send(frame(Kind::Data, END_STREAM, stream, [b'x'; 600]));
        }
        let _ = client.until_over((0..STREAMS).map(|n| 2 * n + 1));
    }
    starved.recovers();
}

#[test]
fn handshakes() {
    proc::make_room_for_descriptors();
    for (model, more) in [("exclusive", 2 << 20), ("leader_follower", 1 << 20), ("leader_follower", 2 << 20)] {
        let starved = Starved::start(model, "");
        starved.limit(more);
        // How many it takes depends on what the heap has kept of earlier ones.
        let clients: Vec<_> = (0..1_900).take_while(|_| !starved.has_a_line()).map(|_| starved.secure()).collect();
        starved.waits_for_a_line();
        // No alert calls the client's own message wrong, which is what comes of a library without memory.
        let has_alert = |error: &std::io::Error| error.kind() == std::io::ErrorKind::InvalidData;
        let alerts: Vec<_> =
            clients.iter().filter_map(|client| client.as_ref().err().filter(|e| has_alert(e))).collect();
        assert!(alerts.is_empty(), "{model}, {more}: {alerts:?}");
        drop(clients);
        starved.recovers();
    }
}

/// A single request: it is refused, or its connection closed before all of the answer is out.
fn survives(model: &str, directives: &str, more: u64, make: impl Fn(&Server), request: &str) {
    let starved = Starved::start(model, directives);
    make(&starved.server);
    starved.limit(more);
    let mut client = starved.server.connect();
    let response = client.send(request).response();
    let promised = |response: &Response| response.header("Content-Length").and_then(|text| text.parse().ok());
    let is_cut = |response: &Response| promised(response).is_some_and(|length: usize| length > response.body.len());
    let is_refused = response.as_ref().map_or(true, |response| {
        response.status == 500 || is_cut(response) || response.text().contains("500 Internal Server Error")
    });
    assert!(is_refused, "{model}, {directives}: {:?}", response.map(|response| response.status));
    starved.waits_for_a_line();
    drop(client);
    starved.recovers();
}

#[test]
fn a_head_of_megabytes() {
    let line = |n: usize| format!("X-Long-{n}: {}\r\n", "x".repeat(1_000_000));
    let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", (0..3).map(line).collect::<String>());
    let short_fields = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "a:\r\n".repeat(60_000));
    for model in MODELS {
        for request in [&long, &short_fields] {
            survives(model, "large_client_header_buffers 4 1m;", 1 << 20, |_| {}, request);
        }
    }
}

#[test]
fn a_list_of_a_large_directory() {
    let make = |server: &Server| {
        let many = server.dir().join("root/many");
        fs::create_dir(&many).expect("mkdir");
        for n in 0..20_000 {
            fs::File::create(many.join(format!("a file with number {n}"))).expect("create");
        }
    };
    let request = "GET /many/ HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // Less than the names take, and less than the page.
    for (model, more) in [(MODELS[0], 1 << 20), (MODELS[0], 5 << 20), (MODELS[1], 1 << 20), (MODELS[2], 1 << 20)] {
        survives(model, "autoindex on;", more, make, request);
    }
    survives(MODELS[0], "autoindex on; aio threads;", 1 << 20, make, request);
    survives(MODELS[0], "location /many/ { random_index on; }", 1 << 20, make, request);
}

#[test]
fn parts_that_are_copied() {
    let make = |server: &Server| _ = server.file("large", vec![b'x'; 16 << 20]);
    let ranges: Vec<_> = (0..900).map(|n| format!("{}-{}", n * 17_000, n * 17_000 + 16_000)).collect();
    let request = format!("GET /large HTTP/1.1\r\nHost: localhost\r\nRange: bytes={}\r\n\r\n", ranges.join(","));
    for model in MODELS {
        survives(model, "large_client_header_buffers 4 32k;", 2 << 20, make, &request);
    }
}

#[test]
fn additions_that_are_copied() {
    let make = |server: &Server| {
        server.file("long", vec![b'x'; 4 << 20]);
        server.file("short", vec![b'x'; 1 << 20]);
    };
    let request = "GET /text.html HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for model in MODELS {
        survives(model, "location = /text.html { add_before_body /long; }", 6 << 20, make, request);
        let around = "location = /text.html { add_before_body /long; add_after_body /short; }";
        survives(model, around, 3 << 20, make, request);
    }
}
