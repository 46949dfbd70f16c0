mod conditions;
mod header_lines;
mod keep_alive;
mod ready;
mod variables;

use super::*;
use crate::conf::{self, Registry};
use crate::event::Clock;
use crate::http::exchange::{After, Body, ConnInfo, Facts, FileKind, HttpConf};

use crate::os::Addr;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};

/// A driver without sockets: a conf, the files that are there, and one connection.
struct Driver {
    conf: HttpConf,
    files: HashMap<&'static str, Found>,
    clock: Clock,
    conn: ConnInfo,
}

/// The end of an exchange.
#[derive(Debug)]
struct Reply {
    head: String,
    text: String,
    body: Body,
    after: After,
    opened: Vec<String>,
}

const FILE: FileKind = FileKind::File;
const DIR: FileKind = FileKind::Dir;

impl Driver {
    fn new(conf: &str, files: &[(&'static str, FileKind)]) -> Driver {
        let registry = Registry::new(crate::http::DIRECTIVES);
        let conf = conf::parse(&registry, &format!("http {{ {conf} }}")).unwrap();
        let addr = |port| Addr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let mut clock = Clock::new();
        clock.set(1_000, 1_700_000_000_000);
        let conn = ConnInfo { requests: 1, ..ConnInfo::new(addr(5), Some(addr(80)), 0, 7, 0) };
        Driver {
            conf: HttpConf::new(&conf).unwrap(),
            files: files.iter().map(|(path, kind)| (*path, Facts::new(*kind, 10, 1_700_000_000, 0).into())).collect(),
            clock,
            conn,
        }
    }

    fn cx<'d>(&'d self, input: &'d [u8]) -> Cx<'d> {
        Cx {
            conf: &self.conf,
            clock: &self.clock,
            conn: &self.conn,
            leaving: false,
            is_full: false,
            ledger: None,
            input,
        }
    }

    fn ask(&self, request: &str) -> Reply {
        let cx = self.cx(request.as_bytes());
        let (mut ex, mut out, mut opened) = (Exchange::default(), Vec::new(), Vec::new());
        let mut action = ex.request(&cx, &mut out);
        loop {
            action = match action {
                Action::Open | Action::Stat => {
                    let path = String::from_utf8(ex.path().to_vec()).unwrap();
                    let found = self.files.get(path.as_str()).cloned().ok_or(libc::ENOENT);
                    opened.push(path);
                    ex.opened(&cx, found, &mut out)
                }
                Action::List | Action::Names => {
                    opened.push(String::from_utf8(ex.path().to_vec()).unwrap());
                    let entry = |name: &str, kind| Listed { name: name.into(), kind, len: 5, mtime: 784_111_777 };
                    ex.listed(&cx, Ok(vec![entry("b <&>", FILE), entry("sub", DIR), entry("a", FILE)]), &mut out)
                }
                Action::FindGzip(_) => ex.kept(&cx, None, &mut out),
                Action::Send(body) => {
                    let out = String::from_utf8(out).unwrap();
                    let (head, text) = out.split_once("\r\n\r\n").unwrap();
                    let (head, text) = (head.to_owned(), text.to_owned());
                    return Reply { head, text, body, after: ex.after(), opened };
                }
                other => panic!("{other:?} for {request:?}"),
            };
        }
    }

    fn get(&self, target: &str) -> Reply {
        self.ask(&format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n"))
    }
}

impl Reply {
    fn status(&self) -> &str {
        &self.head[9..12]
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

#[test]
fn a_file_is_looked_up_under_the_root_and_sent_with_nginx_s_head() {
    let driver = Driver::new("server { listen 80; root /www; }", &[("/www/a.html", FILE)]);
    let reply = driver.get("/a.html?x");
    assert_eq!(
        reply.head,
        format!(
            "HTTP/1.1 200 OK\r\nServer: drover/{}\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\nContent-Type: text/html\r\n\
             Content-Length: 10\r\nLast-Modified: Tue, 14 Nov 2023 22:13:20 GMT\r\nConnection: keep-alive\r\n\
             ETag: \"6553f100-a\"\r\nAccept-Ranges: bytes",
            env!("CARGO_PKG_VERSION")
        )
    );
    assert_eq!((reply.body, reply.after), (Body::File { start: 0, end: 10 }, After::KeepAlive));
}

#[test]
fn a_slash_asks_for_the_index_then_for_the_directory() {
    let files = [("/www/index.htm", FILE), ("/www/sub", DIR), ("/www/empty/", DIR)];
    let driver = Driver::new("server { listen 80; root /www; index index.html index.htm; }", &files);
    assert_eq!(driver.get("/").status(), "404", "the root itself is missing");
    let files = [("/www/", DIR), ("/www/index.htm", FILE), ("/www/sub", DIR), ("/www/empty/", DIR)];
    let driver = Driver::new("server { listen 80; root /www; index index.html index.htm; }", &files);
    let reply = driver.get("/");
    assert_eq!(reply.status(), "200");
    assert_eq!(reply.opened, ["/www/index.html", "/www/", "/www/index.htm", "/www/index.htm"]);
    assert_eq!(driver.get("/empty/").status(), "403");
    assert_eq!(driver.get("/sub?q=1").field("Location"), Some("http://a.test/sub/?q=1"));
}

#[test]
fn try_files_serves_the_first_that_is_there_or_falls_back() {
    let conf = "server { listen 80; root /www; location / { try_files $uri $uri/ /index.html; }
        location /api/ { try_files $uri =404; } location /x/ { try_files /none @far; }
        location @far { return 200 far; } }";
    let driver = Driver::new(conf, &[("/www/index.html", FILE), ("/www/a", FILE)]);
    assert_eq!(driver.get("/a").opened, ["/www/a", "/www/a"]);
    assert_eq!(driver.get("/deep/link").status(), "200");
    assert_eq!(driver.get("/api/x").status(), "404");
    assert_eq!(driver.get("/x/y").text, "far");
}

#[test]
fn error_pages_replace_body_and_status() {
    let conf = "server { listen 80; root /www; error_page 404 /404.html; error_page 403 =200 @ok;
        error_page 405 =302 http://b.test/;
        location /no/ { deny all; } location @ok { return 418 ok; } }";
    let driver = Driver::new(conf, &[("/www/404.html", FILE)]);
    let reply = driver.get("/missing");
    assert_eq!((reply.status(), &reply.body), ("404", &Body::File { start: 0, end: 10 }));
    assert_eq!(driver.get("/no/x").text, "ok");
    assert_eq!(driver.get("/no/x").status(), "200");
    let reply = driver.ask("PUT / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((reply.status(), reply.field("Location")), ("302", Some("http://b.test/")));
}

#[test]
fn an_error_of_an_error_page_has_a_page_where_the_first_location_says_so() {
    let conf = "server { listen 80; root /www; error_page 404 =410 /410.html;
        location /on { recursive_error_pages on; error_page 404 /gone; } location /off { error_page 404 /rec; }
        location /rec { recursive_error_pages on; }
        location /loop { recursive_error_pages on; error_page 404 /loop; } }";
    let driver = Driver::new(conf, &[("/www/410.html", FILE)]);
    assert_eq!(driver.get("/on").status(), "410");
    assert_eq!((driver.get("/off").status(), driver.get("/off").body), ("404", Body::None));
    assert_eq!(driver.get("/loop").status(), "500");
}

/// An exchange serves one connection after the other: the logs of a client that leaves must not be those of the server
/// that the client before it asked.
#[test]
fn a_head_that_is_not_whole_belongs_to_the_default_server() {
    let driver = Driver::new("server { listen 80; } server { server_name b.test; listen 80; return 204; }", &[]);
    let (mut ex, mut out) = (Exchange::default(), Vec::new());
    let action = ex.request(&driver.cx(b"GET / HTTP/1.1\r\nHost: b.test\r\n\r\n"), &mut out);
    assert!(matches!(action, Action::Send(_)));
    assert_ne!(ex.location(), 0);
    ex.reset();
    assert!(matches!(ex.request(&driver.cx(b"GET / HT"), &mut out), Action::Read));
    assert_eq!(ex.location(), 0);
}

#[test]
fn trace_and_connect_are_refused_whatever_the_conf_says() {
    let driver = Driver::new("server { listen 80; root /www; location / { return 200 ok; } }", &[]);
    assert_eq!(driver.ask("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n").status(), "405");
    assert_eq!(driver.ask("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n").status(), "405");
}

/// A body or a next request behind a CONNECT would be what the client wants to send through the tunnel.
#[test]
fn nothing_behind_a_connect_is_read() {
    let conf = "server { listen 80; root /www; error_page 405 =200 /405.html; error_page 400 = /400.html; }";
    let driver = Driver::new(conf, &[("/www/405.html", FILE), ("/www/400.html", FILE)]);
    let behind = [
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nno chunk",
        "Content-Length: 2000000\r\n\r\nab",
        "Expect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    ];
    for (target, status) in [("a:80", "405"), ("a", "400"), ("/", "400")] {
        for rest in behind {
            let reply = driver.ask(&format!("CONNECT {target} HTTP/1.1\r\nHost: a\r\n{rest}"));
            assert_eq!((reply.status(), reply.after), (status, After::Close { linger: true }), "{target} {rest:?}");
            assert_eq!(reply.body, Body::File { start: 0, end: 10 }, "the conf's page, with a status that fits");
        }
    }
    let allow = driver.ask("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(allow.field("Allow"), Some("GET, HEAD"));
}

#[test]
fn a_405_says_which_methods_there_are_where_the_method_is_to_blame() {
    let conf =
        "server { listen 80; root /www; location /no { return 405; } location /page { error_page 405 /405.html; }
        location /ok { error_page 405 =200 /405.html; } location /own { add_header Allow GET always; } }";
    let driver = Driver::new(conf, &[("/www/a", FILE), ("/www/405.html", FILE)]);
    let allow = |method: &str, target: &str| {
        let reply = driver.ask(&format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        reply.field("Allow").map(str::to_owned)
    };
    for (method, target) in [("PUT", "/a"), ("POST", "/a"), ("TRACE", "/a"), ("DELETE", "/page")] {
        assert_eq!(allow(method, target).as_deref(), Some("GET, HEAD"), "{method} {target}");
    }
    assert_eq!((allow("GET", "/no"), allow("PUT", "/ok")), (None, None));
    assert_eq!(allow("PUT", "/own").as_deref(), Some("GET"));
}

#[test]
fn a_file_is_never_younger_than_its_response() {
    let mut driver = Driver::new("server { listen 80; root /www; }", &[("/www/a", FILE)]);
    driver.clock.set(1_000, 1_600_000_000_000);
    for (field, status) in
        [("X: y", "200"), ("Range: bytes=0-1", "206"), ("Range: bytes=0-1,4-5", "206"), ("If-None-Match: *", "304")]
    {
        let reply = driver.ask(&format!("GET /a HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n"));
        assert_eq!((reply.status(), reply.field("Last-Modified")), (status, reply.field("Date")), "{field}");
    }
}

#[test]
fn an_error_page_that_is_missing_ends_in_the_built_in_one() {
    let driver = Driver::new("server { listen 80; root /www; error_page 404 /404.html; }", &[]);
    let reply = driver.get("/missing");
    assert_eq!(reply.status(), "404");
    assert!(reply.text.contains("<h1>404 Not Found</h1>"));
}

#[test]
fn circles_of_the_conf_end() {
    let driver = Driver::new("server { listen 80; root /www; location / { try_files /none /again; } }", &[]);
    assert_eq!(driver.get("/").status(), "500");
}

#[test]
fn a_body_is_dropped_before_the_next_request_and_one_too_large_closes() {
    let driver = Driver::new("server { listen 80; client_max_body_size 5; root /www; }", &[("/www/a", FILE)]);
    let put = |length: usize| driver.ask(&format!("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"));
    assert_eq!((put(5).status(), put(5).after), ("405", After::Discard));
    assert_eq!((put(6).status(), put(6).after), ("413", After::Close { linger: true }));
}

/// A `return 444` shows a scanner neither an error about the body nor a page in its place.
#[test]
fn a_return_that_is_silent_is_so_whatever_the_body() {
    let page = "error_page 400 413 =200 @page; location @page { return 200 page; }";
    let bodies = [
        "\r\n",
        "Content-Length: 3\r\n\r\nabc",
        "Content-Length: 3000000\r\n\r\n",
        "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nno chunk",
        "Transfer-Encoding: chunked\r\n\r\nffffff\r\n",
    ];
    for status in ["444", "408", "499"] {
        for conf in [
            format!("server {{ listen 80; return {status}; {page} }}"),
            format!("server {{ listen 80; location / {{ return {status}; }} {page} }}"),
        ] {
            let driver = Driver::new(&conf, &[]);
            for body in bodies {
                let request = format!("POST /x HTTP/1.1\r\nHost: a\r\n{body}");
                let (mut ex, mut out) = (Exchange::default(), Vec::new());
                let action = ex.request(&driver.cx(request.as_bytes()), &mut out);
                assert!(matches!(action, Action::Close) && out.is_empty(), "{conf} {body:?}: {action:?} {out:?}");
                assert_eq!(ex.status().to_string(), status);
            }
        }
    }
}

/// Bytes of a body that are not dropped would be taken for the next request: a door for smuggling.
#[test]
fn a_body_is_dropped_whoever_answers() {
    let confs = [
        "server { listen 80; return 301 https://a.test$request_uri; }",
        "server { listen 80; location / { internal; } }",
        "server { listen 80; location / { return 200 ok; } }",
        "server { listen 80; location / { deny all; } }",
        "server { listen 80; error_page 404 /none; location / { internal; } }",
    ];
    for conf in confs {
        let driver = Driver::new(conf, &[]);
        let ask = |rest: &str| driver.ask(&format!("POST /x HTTP/1.1\r\nHost: a\r\n{rest}"));
        assert_eq!(ask("Content-Length: 99\r\n\r\nGET /").after, After::Discard, "{conf}");
        assert_eq!(ask("Content-Length: 5\r\n\r\nGET /").after, After::KeepAlive, "{conf}");
        assert_eq!(ask("Transfer-Encoding: chunked\r\n\r\n2\r\nab").after, After::Discard, "{conf}");
        let reply = ask("Transfer-Encoding: chunked\r\n\r\nGET /");
        assert_eq!((reply.status(), reply.after), ("400", After::Close { linger: true }), "{conf}");
    }
}

/// A client reads no body after these, so that one would be taken for the next response.
#[test]
fn some_statuses_have_no_body_wherever_they_come_from() {
    let conf = "server { listen 80; root /www; error_page 401 =204 /a; error_page 402 =304 /a;
        error_page 403 =204 @text;
        location /1 { return 401; } location /2 { return 402; } location /3 { return 403; }
        location @text { return 200 text; }
        location /4 { return 204 text; } location /5 { return 304 text; } location /6 { return 103 text; }
        location /7 { try_files /none =204; } }";
    let driver = Driver::new(conf, &[("/www/a", FILE)]);
    for (target, status) in
        [("/1", "204"), ("/2", "304"), ("/3", "204"), ("/4", "204"), ("/5", "304"), ("/6", "103"), ("/7", "204")]
    {
        let reply = driver.get(target);
        assert_eq!((reply.status(), &*reply.text, &reply.body), (status, "", &Body::None), "{target}");
        assert_eq!(reply.field("Content-Length").is_some(), target == "/2", "{target}");
    }
}

#[test]
fn a_status_has_three_digits() {
    let driver = Driver::new("server { listen 80; location /7 { return 7; } location /42 { return 42; } }", &[]);
    assert_eq!((driver.get("/7").status(), driver.get("/42").status()), ("007", "042"));
}

/// `/i../x` has no `..` segment, but the path that alias makes of it has.
#[test]
fn an_alias_is_not_left() {
    let conf = "server { listen 80; root /www; location /i { alias /img/; }
        location /j { alias /img/; try_files $uri =404; } }";
    let driver = Driver::new(conf, &[("/img/a", FILE), ("/img/..a", FILE), ("/img/../x", FILE), ("/img/..", DIR)]);
    assert_eq!((driver.get("/ia").status(), driver.get("/i..a").status()), ("200", "200"));
    for target in ["/i../x", "/i..", "/i%2e%2e/x", "/i%2e.%2fx", "/j../x"] {
        assert_eq!((driver.get(target).status(), driver.get(target).opened.len()), ("404", 0), "{target}");
    }
}

#[test]
fn a_time_that_no_clock_reaches_is_no_overflow() {
    let conf =
        "server { listen 80; root /www; expires $arg_e; location /m { expires modified 9223372036854775807s; } }";
    let driver = Driver::new(conf, &[("/www/a", FILE), ("/www/m", FILE)]);
    for target in ["/a?e=9223372036854775807", "/a?e=-9223372036854775807", "/m"] {
        assert_eq!(driver.get(target).status(), "200", "{target}");
    }
}

#[test]
fn clients_may_be_let_in_by_address() {
    let conf = "server { listen 80; root /www; location /in { allow 127.0.0.0/8; deny all; }
        location /out { deny 127.0.0.1; } }";
    let driver = Driver::new(conf, &[("/www/in", FILE), ("/www/out", FILE)]);
    assert_eq!(driver.get("/in").status(), "200");
    assert_eq!(driver.get("/out").status(), "403");
}

#[test]
fn a_head_without_end_is_waited_for_and_then_refused() {
    let driver = Driver::new("server { listen 80; }", &[]);
    let cx = driver.cx(b"GET / HT");
    let (mut ex, mut out) = (Exchange::default(), Vec::new());
    assert!(matches!(ex.request(&cx, &mut out), Action::Read));
    assert!(matches!(ex.timed_out(&cx, &mut out), Action::Send(Body::None)));
    assert!(out.starts_with(b"HTTP/1.1 408 "));
}

#[test]
fn a_directory_without_an_index_is_listed_where_the_conf_says_so() {
    let conf = "server { listen 80; root /r; autoindex on; location /off/ { autoindex off; } }";
    let driver = Driver::new(conf, &[("/r/d/", DIR), ("/r/off/", DIR), ("/r/i/index.html", FILE)]);
    let reply = driver.get("/d/");
    assert_eq!((reply.status(), reply.field("Content-Type")), ("200", Some("text/html")));
    assert_eq!(reply.opened.last().map(String::as_str), Some("/r/d"));
    let line = |href: &str, text: &str, spaces: usize, size: &str| {
        format!("<a href=\"{href}\">{text}</a>{} 06-Nov-1994 08:49 {size:>19}\r\n", " ".repeat(spaces))
    };
    let lines =
        [line("sub/", "sub/", 46, "-"), line("a", "a", 49, "5"), line("b%20%3C%26%3E", "b &lt;&amp;&gt;", 45, "5")]
            .concat();
    let list = format!("<hr><pre><a href=\"../\">../</a>\r\n{lines}</pre><hr></body>\r\n</html>\r\n");
    assert!(reply.text.ends_with(&list), "{}", reply.text);
    assert!(reply.text.contains("<title>Index of /d/</title></head>\r\n<body>\r\n<h1>Index of /d/</h1><form>"));
    assert_eq!(driver.get("/off/").status(), "403");
    assert_eq!(driver.get("/i/").opened.last().map(String::as_str), Some("/r/i/index.html"));
    assert_eq!(driver.ask("POST /d/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").status(), "403");
}
