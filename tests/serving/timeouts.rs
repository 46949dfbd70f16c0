//! Clients that are slow, and clients that never say anything.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::client::Nothing;
use crate::support::conf::Conf;
use crate::support::server::Server;
use crate::support::until_true;

/// More than a socket takes from a server whose client does not read.
const LARGE: usize = 32 << 20;

fn server(directives: &str) -> Server {
    let server = Server::drover(Conf::workers(1).logged().server(directives));
    server.file("index.html", "hello").file("large", vec![3; LARGE]);
    server
}

/// Runs `wait` and asserts that it took at least `least`: a timeout that comes too early is as wrong as none.
fn takes_at_least<T>(least: Duration, wait: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = wait();
    assert!(start.elapsed() >= least, "after {:?} already", start.elapsed());
    result
}

#[test]
fn a_header_that_does_not_come_ends_the_connection() {
    let server = server("client_header_timeout 300ms;");
    // A client that has begun a request is told why it ends (RFC 9110 15.5.9); nginx is silent then, too.
    for beginning in ["GET / HT", "GET / HTTP/1.1\r\nHost: loc"] {
        let mut client = server.connect();
        let answer = takes_at_least(Duration::from_millis(250), || client.send(beginning).response());
        let answer = answer.unwrap_or_else(|nothing| panic!("{beginning:?}: {nothing:?}"));
        assert_eq!((answer.status, answer.header("Connection")), (408, Some("close")), "{beginning:?}");
        assert!(client.is_closed_by_server(), "{beginning:?}");
    }
    let mut silent = server.connect();
    assert!(takes_at_least(Duration::from_millis(250), || silent.is_closed_by_server()));
    until_true("two 408 in the log", || server.read("access.log").matches("\" 408 ").count() == 2);
}

/// The timeout is for the whole header, so that bytes in drops don't prolong it.
#[test]
fn a_header_in_drops_ends_the_connection() {
    let server = server("client_header_timeout 500ms;");
    let mut client = server.connect();
    client.patience(Duration::from_millis(20)).send("GET / HTTP/1.1\r\n");
    let start = Instant::now();
    let answer = loop {
        match client.send("X-Drop: 1\r\n").response() {
            Err(Nothing::Silent) => assert!(start.elapsed() < Duration::from_secs(10), "still open"),
            other => break other,
        }
    };
    assert_eq!(answer.map(|answer| answer.status), Ok(408));
}

#[test]
fn a_body_that_does_not_come_ends_the_connection() {
    let server = server("client_body_timeout 300ms; location = /sink { return 200 ok; }");
    let mut client = server.connect();
    client.send("POST /sink HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc");
    assert!(takes_at_least(Duration::from_millis(250), || client.until_closed()).is_ok());
    let line =
        "client timed out (110: Connection timed out) while reading client request body, client: 127.0.0.1, server: \n";
    until_true("the log says so", || server.error_log().contains(line));
}

#[test]
fn an_idle_connection_is_closed_after_keepalive_timeout() {
    let server = server("keepalive_timeout 300ms;");
    let mut client = server.connect();
    assert_eq!(client.get("/").text(), "hello");
    assert!(takes_at_least(Duration::from_millis(250), || client.is_closed_by_server()));
}

#[test]
fn a_client_that_does_not_read_is_given_up() {
    for reset in ["off", "on"] {
        let server = server(&format!("send_timeout 300ms; reset_timedout_connection {reset};"));
        let mut client = server.connect();
        client.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").wait_for_bytes(1000);
        let line = "client timed out (110: Connection timed out) while sending response to client, client: 127.0.0.1, \
                    server: , request: \"GET /large HTTP/1.1\", host: \"localhost\"\n";
        until_true("the log says so", || server.error_log().contains(line));
        let response = client.response().expect("the beginning of the response");
        assert!(response.ended_by_close, "the rest is not sent");
        assert!(bytes_logged(&server) >= response.body.len() as u64);
    }
}

/// The access log has its line for /large, and how many bytes it counts: not all.
fn bytes_logged(server: &Server) -> u64 {
    until_true("a line in the access log", || server.read("access.log").contains("/large"));
    let log = server.read("access.log");
    let (_, rest) = log.split_once("\"GET /large HTTP/1.1\" 200 ").unwrap_or_else(|| panic!("{log}"));
    let bytes = rest.split(' ').next().and_then(|bytes| bytes.parse().ok()).unwrap_or_else(|| panic!("{log}"));
    assert!((1000..LARGE as u64).contains(&bytes), "{log}");
    bytes
}

#[test]
fn a_response_that_the_end_of_the_worker_cuts_short_is_logged() {
    let drivers = ["exclusive", "prefork", "leader_follower"];
    for (signal, dispatch) in
        drivers.iter().flat_map(|dispatch| [Signal::SIGQUIT, Signal::SIGTERM].map(|s| (s, dispatch)))
    {
        let conf = Conf::workers(1).logged().main("worker_shutdown_timeout 300ms;").dispatch(dispatch);
        let mut server = Server::drover(conf);
        server.file("large", vec![3; LARGE]);
        let mut client = server.connect();
        client.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").wait_for_bytes(1000);
        server.signal(signal);
        server.wait();
        bytes_logged(&server);
    }
}

/// A deleted file takes up room on the disk until it is closed.
#[test]
fn a_deleted_file_that_nobody_asks_for_is_closed() {
    for dispatch in ["exclusive", "prefork", "thread_pool", "leader_follower"] {
        let server = Server::drover(Conf::workers(1).logged().dispatch(dispatch));
        let worker = server.wait_for_workers(1)[0];
        server.file("big", vec![3; 1 << 20]);
        let is_open = || {
            let files = std::fs::read_dir(format!("/proc/{worker}/fd")).expect("the worker's descriptors");
            let targets = files.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
            targets.into_iter().any(|path| path.to_string_lossy().contains("/root/big"))
        };
        assert_eq!(server.connect().get("/big").status, 200);
        assert!(is_open(), "{dispatch}: it is kept for the next request");
        std::fs::remove_file(server.dir().join("root/big")).expect("delete a file");
        until_true("the file is closed", || !is_open());
    }
}

const DRIVERS: [&str; 5] = ["exclusive", "prefork", "fork", "thread_pool", "leader_follower"];

/// A client that promised nothing, and may send more.
const REFUSED: &str = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n";
const LAST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[test]
fn a_closing_connection_is_read_from_as_the_conf_says() {
    const LONG: &str = "lingering_time 1h; lingering_timeout 1h;";
    const SHORT: Duration = Duration::from_millis(250);
    for dispatch in DRIVERS {
        for (directives, request, ends, least) in [
            (LONG.to_owned(), REFUSED, false, Duration::ZERO),
            (LONG.to_owned(), LAST, true, Duration::ZERO),
            (format!("lingering_close off; {LONG}"), REFUSED, true, Duration::ZERO),
            (format!("lingering_close always; {LONG}"), LAST, false, Duration::ZERO),
            ("lingering_time 1h; lingering_timeout 300ms;".to_owned(), REFUSED, true, SHORT),
            ("lingering_time 300ms; lingering_timeout 1h; lingering_close always;".to_owned(), LAST, true, SHORT),
        ] {
            let conf = Conf::workers(1).dispatch(dispatch).server(&format!("client_max_body_size 10; {directives}"));
            let server = Server::drover(conf);
            server.file("index.html", "hello");
            let mut client = server.connect();
            let open = || server.ledger().sums().connections;
            let drips = directives.starts_with("lingering_time 300ms");
            takes_at_least(least, || {
                client.send(request).response().expect("an answer");
                assert!(client.is_closed_by_server(), "its side of the connection is shut");
                if ends {
                    until_true(&format!("{dispatch}: closed: {directives}"), || {
                        if drips {
                            client.send("drops");
                        }
                        open() == 0
                    });
                }
            });
            if !ends {
                assert_eq!(server.connect().get("/").text(), "hello");
                assert!(open() >= 1, "{dispatch}: {directives}");
                drop(client);
                until_true("it is closed when the client is", || open() == 0);
            }
        }
    }
}

#[test]
fn an_idle_connection_outlives_the_beginning_of_a_shutdown_for_keepalive_min_timeout() {
    for dispatch in DRIVERS {
        for (directives, is_kept) in [("", false), ("keepalive_min_timeout 1h;", true)] {
            let mut server = Server::drover(Conf::workers(1).dispatch(dispatch).server(directives));
            server.file("index.html", "hello");
            let mut client = server.connect();
            assert_eq!(client.get("/").header("Connection"), Some("keep-alive"));
            server.signal(Signal::SIGQUIT);
            if is_kept {
                let silent = client.patience(Duration::from_millis(900)).response();
                assert_eq!(silent, Err(Nothing::Silent), "{dispatch}: longer than others are kept");
                client.patience(crate::support::PATIENCE);
                assert_eq!(client.get("/").header("Connection"), Some("close"), "{dispatch}");
            }
            assert!(client.is_closed_by_server(), "{dispatch}");
            assert!(server.wait().success(), "{dispatch}");
        }
    }
}

/// A client that is kept for `keepalive_min_timeout` makes no room for others, unlike the one behind it.
#[test]
fn keepalive_min_timeout_keeps_a_connection_from_those_who_want_its_place() {
    for dispatch in ["exclusive", "leader_follower"] {
        let conf = Conf::workers(1)
            .dispatch(dispatch)
            .events("worker_connections 4;")
            .server("location /kept { keepalive_min_timeout 1h; return 204; }");
        let server = Server::drover(conf);
        server.file("index.html", "hello");
        let mut kept = server.connect();
        assert_eq!(kept.get("/kept").status, 204);
        for _ in 0..8 {
            // Each stays open until the server closes it for another.
            let mut next = server.connect();
            assert_eq!(next.get("/").text(), "hello");
            std::mem::forget(next);
        }
        assert!(server.ledger().sums().reused_connections > 0, "{dispatch}");
        assert_eq!(kept.get("/kept").status, 204, "{dispatch}");
    }
}

#[test]
fn a_close_without_an_answer_is_a_reset_where_the_conf_says_so() {
    use std::io::{ErrorKind, Read, Write};
    for dispatch in DRIVERS {
        let server = Server::drover(Conf::workers(1).dispatch(dispatch).server(
            "location /reset { reset_timedout_connection on; return 444; } location /plain { return 444; } \
             location /other { reset_timedout_connection on; return 499; }",
        ));
        for (target, is_reset) in [("/reset", true), ("/plain", false), ("/other", false)] {
            let mut stream = std::net::TcpStream::connect(("127.0.0.1", server.port())).expect("connect");
            stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).expect("write");
            let read = stream.read(&mut [0; 1]).map_err(|error| error.kind());
            assert_eq!(read, if is_reset { Err(ErrorKind::ConnectionReset) } else { Ok(0) }, "{dispatch}: {target}");
        }
    }
}
