//! HTTP/1.x itself: connections, strictness, bodies, limits.

use crate::probe::{Probe, Site, Step, get, head, request};
use crate::probes;

const HOST: &str = "Host: localhost\r\n";

pub fn connection() -> Site {
    let http = "server { listen 127.0.0.1:%port%; root %root%; location / { } \
                location /none/ { alias %root%/; keepalive_timeout 0; } \
                location /told/ { alias %root%/; keepalive_timeout 60s 45s; } } \
                server { listen 127.0.0.1:%port%; server_name two; root %root%; keepalive_requests 2; }";
    let page = |extra: &str| format!("GET /page.html HTTP/1.1\r\n{HOST}{extra}\r\n");
    let page10 = |extra: &str| format!("GET /page.html HTTP/1.0\r\n{HOST}{extra}\r\n");
    let many = |n: usize, request: &str| request.repeat(n);
    let two = "GET /page.html HTTP/1.1\r\nHost: two\r\n\r\n";
    let probes = probes![
        get("/page.html").with("Connection", "close"),
        get("/page.html").with("Connection", "Close"),
        get("/page.html").with("Connection", "keep-alive"),
        get("/page.html").with("Connection", "keep-alive, close"),
        get("/page.html").with("Connection", "upgrade").with("Upgrade", "h2c"),
        get("/page.html").with("Connection", "close").with("Connection", "keep-alive"),
        get("/page.html").http10(),
        get("/page.html").http10().with("Connection", "keep-alive"),
        get("/page.html").http10().with("Connection", "Keep-Alive"),
        get("/page.html").http10().with("Connection", "close"),
        get("/page.html").http10().with("Keep-Alive", "300"),
        get("/missing").http10().with("Connection", "keep-alive"),
        get("/dir").http10().with("Connection", "keep-alive"),
        head("/page.html").http10().with("Connection", "keep-alive"),
        head("/page.html").with("Connection", "close"),
        get("/missing").with("Connection", "close"),
        get("/none/page.html"),
        get("/told/page.html"),
        get("/told/page.html").http10().with("Connection", "keep-alive"),
        get("/told/page.html").with("Connection", "close"),
        get("/page.html").with("User-Agent", "Mozilla/4.0 (compatible; MSIE 6.0)"),
        Probe::raw_many("keepalive_requests 2, three sent", many(3, two), 2),
        Probe::raw("two sent, the first asks to close", page("Connection: close\r\n") + &page("")),
        Probe::raw_many("two pipelined", many(2, &page("")), 2),
        Probe::raw_many("ten pipelined", many(10, &page("")), 10),
        Probe::raw_many(
            "pipelined, 200 404 301 304",
            page("")
                + "GET /missing HTTP/1.1\r\nHost: localhost\r\n\r\n\
            GET /dir HTTP/1.1\r\nHost: localhost\r\n\r\n\
            GET /page.html HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: *\r\n\r\n",
            3
        ),
        Probe::raw_many("pipelined, the second is bad", page("") + "BAD\r\n\r\n" + &page(""), 2),
        Probe::raw_many(
            "pipelined after a body",
            format!("POST /page.html HTTP/1.1\r\n{HOST}Content-Length: 3\r\n\r\nabc") + &page(""),
            2
        ),
        Probe::raw_many("pipelined 1.0 with keep-alive", many(2, &page10("Connection: keep-alive\r\n")), 2),
        Probe::raw_many("pipelined 1.0 without", many(2, &page10("")), 1),
        Probe::raw_many("blank lines before requests", format!("\r\n\r\n{}\r\n\r\n{}", page(""), page("")), 2),
        Probe::raw_many("bare line feeds before a request", format!("\n\n{}", page("")), 1),
        Probe::raw("in two pieces", "GET /page.html HT").then_send("TP/1.1\r\nHost: localhost\r\n\r\n").moved(),
        Probe::raw("in pieces through a header", "GET /page.html HTTP/1.1\r\nHo")
            .then_send("st: localhost\r")
            .then_send("\n\r\n")
            .moved(),
        Probe::raw("nothing, then the end", "").moved().then_shutdown().then_read(),
        Probe::raw("half a request line, then the end", "GET /pa").moved().then_shutdown().then_read(),
        Probe::raw("half a header, then the end", "GET / HTTP/1.1\r\nHost: lo").moved().then_shutdown().then_read(),
        Probe::raw("a request, then the end", page("")).moved().then_shutdown().then_read(),
        Probe::raw_many("large pipelined", many(3, "GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n"), 3),
        Probe::raw_many(
            "pipelined past the end of the first buffer",
            many(60, &page("X-Fill: 0123456789012345678901234567890\r\n")),
            60
        ),
    ];
    Site::new("connection", http, probes)
}

impl Probe {
    /// Everything is sent before anything is read.
    fn moved(mut self) -> Probe {
        let (reads, mut steps): (Vec<_>, Vec<_>) =
            self.steps.drain(..).partition(|step| matches!(step, Step::Read { .. }));
        if !self.name.contains("then the end") {
            steps.extend(reads);
        }
        self.steps = steps;
        self
    }
}

/// The bytes behind a CONNECT are meant for a tunnel: each probe waits for an answer to the request among them, in
/// vain.
pub fn connect() -> Site {
    let http = "server { listen 127.0.0.1:%port%; root %root%; location / { } }";
    let connect = |target: &str, fields: &str, behind: &str| {
        let bytes = format!("CONNECT {target} HTTP/1.1\r\n{HOST}{fields}\r\n{behind}");
        Probe::raw_many(format!("{target} {}", fields.lines().next().unwrap_or("")).trim_end(), bytes, 2)
    };
    let request = "GET /page.html HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let targets = [
        "localhost:80",
        "localhost:65535",
        "[::1]:80",
        "localhost",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:http",
        ":80",
        "[localhost]:80",
        "user@localhost:80",
        "localhost:80/page.html",
        "localhost:80?query",
        "/page.html",
        "*",
        "http://localhost/page.html",
        "http://localhost:80/page.html",
    ];
    let mut probes: Vec<_> = targets.iter().map(|target| connect(target, "", request)).collect();
    probes.extend([
        connect("localhost:80", "Content-Length: 3\r\n", &format!("abc{request}")),
        connect("localhost:80", "Content-Length: 3000000\r\n", request),
        connect("localhost:80", "Transfer-Encoding: chunked\r\n", request),
        connect("localhost:80", "Expect: 100-continue\r\nContent-Length: 3\r\n", ""),
        Probe::raw_many("HTTP/1.0", format!("CONNECT localhost:80 HTTP/1.0\r\n\r\n{request}"), 2),
        Probe::raw_many(
            "HTTP/1.0, kept alive",
            format!("CONNECT localhost:80 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n{request}"),
            2,
        ),
        Probe::raw("no Host", "CONNECT localhost:80 HTTP/1.1\r\n\r\n"),
    ]);
    Site::new("connect", http, probes)
}

pub fn strict() -> Site {
    let http = "server { listen 127.0.0.1:%port%; root %root%; location / { } }";
    let raw = |name: &str, bytes: &str| Probe::raw(name, bytes);
    let old =
        |name: &str, bytes: &str| Probe { name: name.to_owned(), steps: vec![Step::Send(bytes.into()), Step::ReadAll] };
    let with =
        |name: &str, header: &str| Probe::raw(name, format!("GET /page.html HTTP/1.1\r\n{HOST}{header}\r\n\r\n"));
    let post = |name: &str, header: &str, body: &str| {
        Probe::raw(name, format!("POST /page.html HTTP/1.1\r\n{HOST}{header}\r\n\r\n{body}"))
    };
    let probes = probes![
        old("no version", "GET /page.html\r\n"),
        old("no version, missing file", "GET /missing\r\n"),
        old("no version, with headers after", "GET /page.html\r\nHost: localhost\r\n\r\n"),
        raw("HTTP/0.9 spelled out", "GET /page.html HTTP/0.9\r\n\r\n"),
        raw("HTTP/1.2", "GET /page.html HTTP/1.2\r\nHost: localhost\r\n\r\n"),
        raw("HTTP/1.10", "GET /page.html HTTP/1.10\r\nHost: localhost\r\n\r\n"),
        raw("HTTP/1.01", "GET /page.html HTTP/1.01\r\nHost: localhost\r\n\r\n"),
        raw("HTTP/01.1", "GET /page.html HTTP/01.1\r\nHost: localhost\r\n\r\n"),
        raw("HTTP/2.0", "GET /page.html HTTP/2.0\r\nHost: localhost\r\n\r\n"),
        raw("HTTP/3.0", "GET /page.html HTTP/3.0\r\nHost: localhost\r\n\r\n"),
        raw("HTTP/1", "GET /page.html HTTP/1\r\nHost: localhost\r\n\r\n"),
        raw("http/1.1 in lower case", "GET /page.html http/1.1\r\nHost: localhost\r\n\r\n"),
        raw("HTP/1.1", "GET /page.html HTP/1.1\r\nHost: localhost\r\n\r\n"),
        raw("the h2c preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        raw("a TLS hello", "\u{16}\u{3}\u{1}\0\u{1}\0\0\r\n\r\n"),
        raw("one word", "HELLO\r\n\r\n"),
        raw("lower-case method", "get /page.html HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        raw("method with a digit", "G3T /page.html HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        raw("method with a hyphen", "M-SEARCH /page.html HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        raw("method with an underscore", "GET_IT /page.html HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        raw("no method", " /page.html HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        raw("two blanks after the method", "GET  /page.html HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        raw("two blanks after the target", "GET /page.html  HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        raw("blank after the version", "GET /page.html HTTP/1.1 \r\nHost: localhost\r\n\r\n"),
        raw("blank in the target", "GET /page .html HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        raw("tab in the request line", "GET\t/page.html\tHTTP/1.1\r\nHost: localhost\r\n\r\n"),
        raw("NUL in the target", "GET /page\0.html HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        raw("control character in the target", "GET /page\u{1}.html HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        raw("line feeds only", "GET /page.html HTTP/1.1\nHost: localhost\n\n"),
        raw("line feeds and CRLF mixed", "GET /page.html HTTP/1.1\r\nHost: localhost\n\r\n"),
        raw("bare CR in the request line", "GET /page.html HTTP/1.1\rHost: localhost\r\n\r\n"),
        raw("no Host", "GET /page.html HTTP/1.1\r\n\r\n"),
        raw("no Host, absolute form", "GET http://localhost/page.html HTTP/1.1\r\n\r\n"),
        raw("no Host, HTTP/1.0", "GET /page.html HTTP/1.0\r\n\r\n"),
        raw("empty Host", "GET /page.html HTTP/1.1\r\nHost:\r\n\r\n"),
        raw("two Hosts", "GET /page.html HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"),
        raw("two different Hosts", "GET /page.html HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n"),
        with("blank before the colon", "X-Test : a"),
        with("tab before the colon", "X-Test\t: a"),
        with("blank before the colon of Host", "Host : other"),
        with("blank before the colon of Content-Length", "Content-Length : 3"),
        with("no colon", "NoColonHere"),
        with("empty name", ": value"),
        with("blank at the start of a line", " X-Test: a"),
        with("obs-fold", "X-Test: a\r\n b"),
        with("obs-fold with a tab", "X-Test: a\r\n\tb"),
        with("bare CR in a value", "X-Test: a\rb"),
        with("NUL in a value", "X-Test: a\0b"),
        with("NUL in a name", "X-T\0st: a"),
        with("control character in a value", "X-Test: a\u{1}b"),
        with("DEL in a value", "X-Test: a\u{7f}b"),
        with("bytes above 127 in a value", "X-Test: caf\u{e9}"),
        with("bytes above 127 in a name", "X-T\u{e9}st: a"),
        with("brackets in a name", "X(Test): a"),
        with("underscore in a name", "X_Test: a"),
        with("dot in a name", "X.Test: a"),
        with("digits only as a name", "123: a"),
        with("empty value", "X-Test:"),
        with("no blank after the colon", "X-Test:a"),
        with("blanks around the value", "X-Test:   a   "),
        with("tabs around the value", "X-Test:\ta\t"),
        post("two equal Content-Length", "Content-Length: 3\r\nContent-Length: 3", "abc"),
        post("two different Content-Length", "Content-Length: 3\r\nContent-Length: 4", "abcd"),
        post("Content-Length with a list", "Content-Length: 3, 3", "abc"),
        post("Content-Length with a sign", "Content-Length: +3", "abc"),
        post("Content-Length below nought", "Content-Length: -3", "abc"),
        post("Content-Length in hex", "Content-Length: 0x3", "abc"),
        post("Content-Length with letters", "Content-Length: 3a", "abc"),
        post("Content-Length empty", "Content-Length:", "abc"),
        post("Content-Length with a blank inside", "Content-Length: 1 2", "abc"),
        post("Content-Length with zeros in front", "Content-Length: 0003", "abc"),
        post("Content-Length too large for 64 bits", "Content-Length: 99999999999999999999", "abc"),
        post("Content-Length and chunked", "Content-Length: 3\r\nTransfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"),
        post("chunked and Content-Length", "Transfer-Encoding: chunked\r\nContent-Length: 3", "3\r\nabc\r\n0\r\n\r\n"),
        post("Transfer-Encoding gzip", "Transfer-Encoding: gzip", "abc"),
        post("Transfer-Encoding gzip, chunked", "Transfer-Encoding: gzip, chunked", "3\r\nabc\r\n0\r\n\r\n"),
        post("Transfer-Encoding identity", "Transfer-Encoding: identity", ""),
        post("Transfer-Encoding identity with a length", "Transfer-Encoding: identity\r\nContent-Length: 3", "abc"),
        post("Transfer-Encoding chunked, chunked", "Transfer-Encoding: chunked, chunked", "3\r\nabc\r\n0\r\n\r\n"),
        post(
            "two Transfer-Encoding",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "3\r\nabc\r\n0\r\n\r\n"
        ),
        post("Transfer-Encoding CHUNKED", "Transfer-Encoding: CHUNKED", "3\r\nabc\r\n0\r\n\r\n"),
        post("Transfer-Encoding xchunked", "Transfer-Encoding: xchunked", "3\r\nabc\r\n0\r\n\r\n"),
        post("Transfer-Encoding with a vertical tab", "Transfer-Encoding: \u{b}chunked", "3\r\nabc\r\n0\r\n\r\n"),
        Probe::raw(
            "chunked in HTTP/1.0",
            format!("POST /page.html HTTP/1.0\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        ),
        with("Transfer-Encoding on GET", "Transfer-Encoding: chunked\r\nX-End: y\r\n\r\n0"),
    ];
    Site::new("strict", http, probes)
}

pub fn bodies() -> Site {
    let http = "client_max_body_size 1000; \
                server { listen 127.0.0.1:%port%; root %root%; location / { } \
                location = /returned { return 200 'returned\\n'; } \
                location /small/ { alias %root%/; client_max_body_size 10; } \
                location /unlimited/ { alias %root%/; client_max_body_size 0; } \
                location = /unlimited-return { client_max_body_size 0; return 200 ok; } }";
    let chunked = |name: &str, target: &str, body: &str| {
        Probe::raw(name, format!("POST {target} HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n{body}"))
    };
    let get_chunked = |name: &str, body: &str| {
        Probe::raw(name, format!("GET /page.html HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n{body}"))
    };
    let expect = |method: &str, target: &str, length: usize| {
        format!("{method} {target} HTTP/1.1\r\n{HOST}Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n")
    };
    let probes = probes![
        get("/page.html").body("abc"),
        get("/page.html").body(&"x".repeat(1000)),
        get("/page.html").body(&"x".repeat(1001)),
        head("/page.html").body("abc"),
        get("/missing").body("abc"),
        get("/dir").body("abc"),
        get("/small/page.html").body(&"x".repeat(10)),
        get("/small/page.html").body(&"x".repeat(11)),
        get("/unlimited/page.html").body(&"x".repeat(100_000)),
        request("POST", "/returned").body(&"x".repeat(900)),
        request("POST", "/returned").body(&"x".repeat(1001)),
        request("POST", "/unlimited-return").body(&"x".repeat(200_000)),
        request("POST", "/page.html").body(&"x".repeat(1001)),
        get("/page.html").http10().body("abc"),
        get("/page.html").http10().with("Connection", "keep-alive").body("abc"),
        get_chunked("GET, one chunk", "3\r\nabc\r\n0\r\n\r\n"),
        get_chunked("GET, no chunk", "0\r\n\r\n"),
        get_chunked("GET, several chunks", "3\r\nabc\r\n5\r\nhello\r\n1\r\nx\r\n0\r\n\r\n"),
        get_chunked("GET, hex sizes", "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"),
        get_chunked("GET, zeros in front", "00003\r\nabc\r\n000\r\n\r\n"),
        get_chunked("GET, extensions", "3;name=value\r\nabc\r\n0;last\r\n\r\n"),
        get_chunked("GET, quoted extension", "3;name=\"a;b\"\r\nabc\r\n0\r\n\r\n"),
        get_chunked("GET, blank after the size", "3 \r\nabc\r\n0\r\n\r\n"),
        get_chunked("GET, blank before the size", " 3\r\nabc\r\n0\r\n\r\n"),
        get_chunked("GET, trailers", "3\r\nabc\r\n0\r\nX-Trailer: a\r\nX-More: b\r\n\r\n"),
        get_chunked("GET, bad size", "g\r\nabc\r\n0\r\n\r\n"),
        get_chunked("GET, negative size", "-3\r\nabc\r\n0\r\n\r\n"),
        get_chunked("GET, size with 0x", "0x3\r\nabc\r\n0\r\n\r\n"),
        get_chunked("GET, empty size", "\r\nabc\r\n0\r\n\r\n"),
        get_chunked("GET, size too small", "2\r\nabc\r\n0\r\n\r\n"),
        get_chunked("GET, size overflows", "fffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
        get_chunked("GET, size just fits", "7fffffffffffffff\r\nabc\r\n0\r\n\r\n"),
        get_chunked("GET, line feeds only", "3\nabc\n0\n\n"),
        get_chunked("GET, data without its CRLF", "3\r\nabc0\r\n\r\n"),
        get_chunked("GET, more than allowed", &format!("3e8\r\n{}\r\n1\r\ny\r\n0\r\n\r\n", "x".repeat(1000))),
        get_chunked("GET, as much as allowed", &format!("3e8\r\n{}\r\n0\r\n\r\n", "x".repeat(1000))),
        chunked("POST to a file, chunked", "/page.html", "3\r\nabc\r\n0\r\n\r\n"),
        chunked("POST to a return, chunked", "/returned", "3\r\nabc\r\n0\r\n\r\n"),
        chunked("POST to nothing, chunked", "/missing", "3\r\nabc\r\n0\r\n\r\n"),
        chunked("POST to a file, a chunk that is none", "/page.html", "no chunk\r\n"),
        chunked("POST to nothing, a chunk that is none", "/missing", "no chunk\r\n"),
        Probe::raw(
            "chunked in pieces",
            format!("GET /page.html HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n1")
        )
        .moved_read(&["0\r\n0123456789012345", "\r", "\n0\r\n", "\r\n"]),
        Probe::raw(
            "Content-Length in pieces",
            format!("GET /page.html HTTP/1.1\r\n{HOST}Content-Length: 10\r\n\r\n01234")
        )
        .moved_read(&["567", "89"]),
        Probe::raw("Expect on a file", expect("GET", "/page.html", 3)).then_send("abc").then_read(),
        Probe::raw("Expect on a return", expect("POST", "/returned", 3)).then_send("abc").then_read(),
        Probe::raw_many("Expect, the body comes along", expect("GET", "/page.html", 3) + "abc", 2),
        // nginx waits five seconds for a body that nobody sends.
        Probe::raw("Expect, too large", expect("GET", "/page.html", 5000)).then_shutdown(),
        Probe::raw("Expect, method not allowed", expect("POST", "/page.html", 3) + "abc"),
        Probe::raw("Expect, missing file", expect("GET", "/missing", 3) + "abc"),
        Probe::raw(
            "Expect something else",
            format!("GET /page.html HTTP/1.1\r\n{HOST}Expect: 200-ok\r\nContent-Length: 3\r\n\r\nabc")
        ),
        Probe::raw("Expect without a body", format!("GET /page.html HTTP/1.1\r\n{HOST}Expect: 100-continue\r\n\r\n")),
        Probe::raw(
            "Expect in HTTP/1.0",
            format!("GET /page.html HTTP/1.0\r\n{HOST}Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"),
        ),
        request("POST", "/page.html"),
        request("PUT", "/page.html"),
        Probe::raw("a body that ends early", format!("GET /page.html HTTP/1.1\r\n{HOST}Content-Length: 10\r\n\r\nabc"))
            .then_shutdown()
            .then_read(),
    ];
    Site::new("bodies", http, probes)
}

impl Probe {
    /// More pieces are sent before the response is read.
    fn moved_read(mut self, pieces: &[&str]) -> Probe {
        self.steps.pop();
        for piece in pieces {
            self = self.then_send(piece);
        }
        self.then_read()
    }
}

pub fn limits() -> Site {
    let http = "client_header_buffer_size 1k; large_client_header_buffers 2 2k; \
                server { listen 127.0.0.1:%port%; root %root%; location / { } }";
    let long = |n: usize| format!("/page.html?{}", "q".repeat(n));
    let line = |n: usize| get(&long(n)).named(&format!("a query of {n}"));
    let header = |n: usize| get("/page.html").with("X-Long", "v".repeat(n));
    let one = |n: usize| header(n).named(&format!("a field of {n}"));
    let second = "w".repeat(1500);
    let probes = probes![
        line(500),
        line(1000),
        line(1500),
        line(2000),
        line(2020),
        line(2100),
        line(5000),
        head(&long(5000)).named("HEAD, a query of 5000"),
        get(&long(5000)).with("Connection", "close").named("Connection: close, a query of 5000"),
        one(500),
        one(1000),
        one(1500),
        one(2030),
        one(2100),
        one(5000),
        header(1500).with("X-Second", &second).named("two fields of 1500"),
        header(1500).with("X-Second", &second).with("X-Third", &second).named("three fields of 1500"),
        get(&long(1500)).with("X-Long", &second).named("query and field of 1500"),
        get(&long(1500)).with("X-Long", &second).with("X-Second", &second).named("query and two fields of 1500"),
        get(&long(1500)).with("Host", "again").named("a query of 1500 and two Hosts"),
        Probe::raw("a hundred small headers", many_headers(100)),
        Probe::raw("five hundred small headers", many_headers(500)),
        Probe::raw("a name without end", format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}", "n".repeat(9000))),
        Probe::raw("a method without end", "A".repeat(9000)),
        Probe::raw_many(
            "large, then small, on one connection",
            [get(&long(1500)).bytes(), get("/page.html").bytes(), header(1500).bytes(), get("/page.html").bytes()]
                .concat(),
            4,
        ),
    ];
    Site::new("limits", http, probes)
}

fn many_headers(n: usize) -> String {
    let headers: String = (0..n).map(|i| format!("X{i}: v\r\n")).collect();
    format!("GET /page.html HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}
