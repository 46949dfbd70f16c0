//! A whole connection: bytes go into one end of a socket pair, an engine serves files at the other.

use crate::target::Target;
use drover::conf;
use drover::event::Clock;
use drover::http::HttpConf;
use drover::os::{Addr, Socket};
use drover::serve::access_log::AccessLogs;
use drover::serve::{Accepted, Engine, Need};
use drover::shm::{Ledger, Role};
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

pub(crate) const ENGINE: Target = Target {
    name: "engine",
    new: || {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut engine = engine(dir.path());
        Box::new(move |input| {
            let _tree = &dir;
            serve(&mut engine, input);
        })
    },
    seeds: &[
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\
          GET /sub/ HTTP/1.1\r\nHost: a\r\nRange: bytes=1-2,4-5\r\n\r\n\
          GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde\
          PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
          GET /a HTTP/1.0\r\n\r\n",
        b"GET /moved HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n\
          GET /err/x HTTP/1.1\r\nHost: b\r\n\r\n",
        b"GET /gone HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc\
          GET /al../x HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n",
    ],
    words: &[
        "\r\n",
        "\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /large HTTP/1.1\r\nHost: b\r\n\r\n",
        "POST ",
        "PUT ",
        "TRACE ",
        "OPTIONS * ",
        "/sub",
        "/sub/",
        "/gone",
        "/moved",
        "/text",
        "/err/",
        "/try/x",
        "/al/",
        "/al..",
        "/none",
        "/large",
        "/../",
        "%2e%2e/",
        "%0d%0aX: y",
        "?q=%0d%0a",
        "Content-Length: 3\r\n",
        "Content-Length: 0\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Range: bytes=0-\r\n",
        "Range: bytes=1-2,3-4\r\n",
        "Range: bytes=99999999-\r\n",
        "If-None-Match: *\r\n",
        "If-Modified-Since: Sun, 06 Nov 2094 08:49:37 GMT\r\n",
        "Expect: 100-continue\r\n",
        "Connection: close\r\n",
        "HTTP/1.0",
        "Host: b\r\n",
        "X: \x01\r\n",
        "3\r\nabc\r\n",
        "0\r\n\r\n",
    ],
};

const CONF: &str = r#"events { }
http {
    server {
        listen 80; root %; client_max_body_size 100;
        error_page 404 /404.html; error_page 418 =204 /a; error_page 419 =304 /a;
        location /moved { return 301 /x$uri$is_args$args; }
        location /text { return 200 "$uri $args"; }
        location /gone { return 204 text; }
        location /err/ { return 418; }
        location /err/9 { return 419; }
        location /try/ { try_files $uri /sub/ @far; }
        location @far { return 404 far; }
        location /al { alias %/sub/; }
        location ~ ^/x(.*)y$ { add_header X "$1 $arg_q" always; expires $arg_q; }
        location /in { internal; }
    }
    server { listen 80; server_name b; keepalive_requests 2; return 302 http://c$request_uri; }
}"#;

fn engine(dir: &Path) -> Engine {
    std::fs::create_dir(dir.join("sub")).expect("mkdir");
    for (name, content) in [
        ("index.html", "hello".repeat(5)),
        ("sub/index.html", "sub".into()),
        ("404.html", "none".into()),
        ("a", "a".into()),
        ("large", "l".repeat(300_000)),
    ] {
        std::fs::write(dir.join(name), content).expect("write a file");
    }
    let registry = drover::cli::registry();
    let conf = conf::parse(&registry, &CONF.replace('%', dir.to_str().expect("UTF-8"))).expect("a conf");
    let site = Arc::new(HttpConf::new(&conf).expect("a site"));
    let tally = Ledger::create().and_then(|ledger| ledger.claim(1, Role::Worker, 0)).expect("a ledger");
    Engine::new(site, Arc::default(), Arc::default(), Clock::new(), AccessLogs::default(), Arc::new(tally))
}

/// With every input the engine comes to an end, makes progress in each turn that it asks for, and sends responses that
/// a client can tell apart.
fn serve(engine: &mut Engine, input: &[u8]) {
    let (mut client, server) = UnixStream::pair().expect("a socket pair");
    client.set_nonblocking(true).expect("O_NONBLOCK");
    let socket = Socket::from(OwnedFd::from(server));
    socket.set_nonblocking(true).expect("O_NONBLOCK");
    let mut conn = engine.open(Accepted { socket, peer: Addr::unix(""), listener: 0 });
    let (mut unsent, mut answers, mut need) = (input, Vec::new(), Need::Read);
    let mut is_shut = false;
    for turn in 0.. {
        assert!(turn < 20_000, "it never ends: {need:?}");
        match client.write(unsent) {
            Ok(n) => unsent = &unsent[n..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => unsent = &[],
        }
        if unsent.is_empty() && !is_shut {
            is_shut = true;
            let _ = client.shutdown(Shutdown::Write);
        }
        let mut buffer = [0; 1 << 16];
        let got = client.read(&mut buffer).unwrap_or(0);
        answers.extend_from_slice(&buffer[..got]);
        if need == Need::Close {
            break;
        }
        need = engine.advance(&mut conn, is_shut);
        engine.end_of_turn();
    }
    engine.closing(&mut conn);
    drop(conn);
    let _ = client.set_nonblocking(false);
    let _ = client.read_to_end(&mut answers);
    // Responses to HEAD can be told apart only with the requests at hand.
    if !input.windows(4).any(|four| four == b"HEAD") {
        read_answers(&answers);
    }
}

/// Reads one response after the other, as a client does.
fn read_answers(mut rest: &[u8]) {
    while !rest.is_empty() {
        let text = rest.escape_ascii().to_string();
        let start = text.get(..text.len().min(300)).unwrap_or_default();
        assert!(rest.starts_with(b"HTTP/1.1 "), "{start}");
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| panic!("no end: {start}"));
        let (head, body) = rest.split_at(end + 4);
        // The split above took the empty line away, and with it the line feed of the last field.
        let lines = head[..end].split(|byte| *byte == b'\n');
        let fields: Vec<&[u8]> = lines.skip(1).map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
        assert!(fields.iter().all(|line| !line.contains(&b'\r') && !line.contains(&0)), "{start}");
        assert!(fields.iter().all(|line| line.contains(&b':')), "{start}");
        let length = fields.iter().find_map(|line| line.strip_prefix(b"Content-Length: "));
        let length = length.and_then(|text| std::str::from_utf8(text).ok()?.parse::<usize>().ok());
        rest = match &head[9..12] {
            b"100" | b"204" | b"304" => body,
            _ => body.split_at_checked(length.expect("a length")).unwrap_or_else(|| panic!("cut short: {start}")).1,
        };
    }
}
