//! Streams beside each other, their windows, and the end of a connection that has carried enough.

use drover::http::h2::frame::{END_HEADERS, END_STREAM, Kind, MAX_31};
use nix::sys::signal::Signal;

use crate::support::h2::{H2, block, frame, get, request};
use crate::support::server::Server;
use crate::support::{proc, until_true};
use crate::{conf, server};

/// Lets answers of any size out: windows as large as they may be.
fn open_windows(client: &mut H2) {
    client.is_polite = false;
    client.send(frame(Kind::Settings, 0, 0, [&b"\0\x04"[..], &MAX_31.to_be_bytes()].concat()));
    client.send(frame(Kind::WindowUpdate, 0, 0, (MAX_31 - 65_535).to_be_bytes()));
}

#[test]
fn a_large_answer_delays_small_ones_by_a_frame_each() {
    let server = server(conf());
    server.file("huge", vec![b'x'; 20_000_000]);
    let mut client = H2::connect(server.addr());
    open_windows(&mut client);
    client.ask(1, &get("/huge"));
    while client.data.len() < 20 {
        client.frame().expect("the large answer");
    }
    let smalls: Vec<u32> = (0..100).map(|n| 2 * n + 3).collect();
    let asked: Vec<u8> =
        smalls.iter().enumerate().flat_map(|(n, id)| request(*id, &get(&format!("/small{n}")))).collect();
    client.send(asked);
    client.until_over(smalls.iter().copied()).expect("the small answers");
    for (n, stream) in smalls.iter().enumerate() {
        assert_eq!(client.answers[stream].text(), format!("small {n}"));
    }
    assert!(!client.is_over(1), "the large answer is not out");
    let first = client.data.iter().position(|(stream, _)| *stream != 1).expect("a small answer");
    let last = client.data.iter().rposition(|(stream, _)| *stream != 1).expect("a small answer");
    let between = &client.data[first..last];
    let large = between.iter().filter(|(stream, _)| *stream == 1).count();
    assert!(large <= 100, "{large} frames of the large answer between those of 100 small ones");
    assert!(between.iter().all(|(_, len)| *len <= 8192), "http2_chunk_size");
    assert_eq!(client.answer(1).body.len(), 20_000_000);
}

/// Asks for a large file and reads nothing until no more of it fits into what lies between.
fn blocked(server: &Server) -> H2 {
    let mut client = H2::connect(server.addr());
    open_windows(&mut client);
    client.ask(1, &get("/huge"));
    let (worker, mut before) = (proc::children(server.pid())[0], 0);
    until_true("the worker waits for the client", || {
        let there = client.waiting();
        let is_full = there > 0 && std::mem::replace(&mut before, there) == there && proc::is_asleep(worker);
        std::thread::sleep(std::time::Duration::from_millis(20));
        is_full
    });
    client
}

#[test]
fn little_of_a_large_answer_lies_between_a_slow_client_and_a_new_stream() {
    let server = server(conf());
    server.file("huge", vec![b'x'; 20_000_000]);
    let mut client = blocked(&server);
    let smalls: Vec<u32> = (0..100).map(|n| 2 * n + 3).collect();
    let asked: Vec<u8> =
        smalls.iter().enumerate().flat_map(|(n, id)| request(*id, &get(&format!("/small{n}")))).collect();
    client.send(asked);
    client.until_over(smalls.iter().copied()).expect("the small answers");
    let sent: usize = client.data.iter().filter(|(stream, _)| *stream == 1).map(|(_, len)| len).sum();
    assert!(sent < 1_000_000, "{sent} bytes of the large answer came first");
}

#[test]
fn a_stream_that_a_client_opens_while_it_does_not_read_is_answered_on_quit() {
    let mut server = server(conf());
    server.file("huge", vec![b'x'; 20_000_000]);
    let mut client = blocked(&server);
    server.signal(Signal::SIGQUIT);
    client.ask(3, &get("/small1"));
    until_true("the request is taken", || proc::unread_bytes(server.port()) == 0);
    assert_eq!(client.answer(3).text(), "small 1");
    assert_eq!(client.answer(1).body.len(), 20_000_000);
    client.until_closed();
    assert_eq!(client.goaways, [(MAX_31, 0), (3, 0)]);
    assert!(server.wait().success());
}

#[test]
fn answers_keep_to_the_windows_of_stream_and_connection() {
    let server = server(conf());
    let mut client = H2::connect(server.addr());
    client.is_polite = false;
    client.send(frame(Kind::Settings, 0, 0, b"\0\x04\0\0\0\x0a"));
    client.ask(1, &get("/large")).ask(3, &get("/large"));
    client.send(frame(Kind::Ping, 0, 0, *b"12345678"));
    while client.pongs.is_empty() || client.data.len() < 2 {
        client.frame().expect("the first bytes");
    }
    assert_eq!(client.data, [(1, 10), (3, 10)]);
    client.send(frame(Kind::WindowUpdate, 0, 3, 7u32.to_be_bytes()));
    client.frame().expect("more of stream 3");
    assert_eq!(client.data[2..], [(3, 7)]);
    // The window of the connection is what is left when those of the streams are large.
    client.send(frame(Kind::WindowUpdate, 0, 1, 1_000_000u32.to_be_bytes()));
    while client.data.iter().map(|(_, len)| len).sum::<usize>() < 65_535 {
        client.frame().expect("the rest of the window");
    }
    client.send(frame(Kind::Ping, 0, 0, *b"87654321"));
    while client.pongs.len() < 2 {
        client.frame().expect("an answer to PING");
    }
    assert_eq!(client.data.iter().map(|(_, len)| len).sum::<usize>(), 65_535);
    client.is_polite = true;
    client.send(frame(Kind::WindowUpdate, 0, 0, 3_000_000u32.to_be_bytes()));
    client.send(frame(Kind::WindowUpdate, 0, 1, 2_000_000u32.to_be_bytes()));
    assert_eq!(client.answer(1).body.len(), 2_000_000);
    client.send(frame(Kind::WindowUpdate, 0, 3, 2_000_000u32.to_be_bytes()));
    assert_eq!(client.answer(3).body.len(), 2_000_000);
}

#[test]
fn more_streams_than_the_conf_allows_are_refused() {
    let server = server(conf().server("http2_max_concurrent_streams 2; location /small { limit_rate 1; }"));
    let mut client = H2::connect(server.addr());
    client.ask(1, &get("/small1")).ask(3, &get("/small2")).ask(5, &get("/small3"));
    assert_eq!(client.answer(5).reset, Some(7));
    client.send(frame(Kind::RstStream, 0, 1, 8u32.to_be_bytes()));
    assert_eq!(client.get(7, "/").text(), "hello");
}

#[test]
fn logs_and_variables_know_http_2() {
    let format = "log_format own '$request|$server_protocol|$http2|$status|$body_bytes_sent|$connection_requests|\
                  $http_host|$request_completion|$request_length';";
    let server = server(conf().http(format).server("access_log %dir%/own.log own; location /c { return 444; }"));
    let mut client = H2::connect(server.addr());
    client.get(1, "/");
    client.get(3, "/none");
    let body = [
        frame(Kind::Headers, END_HEADERS, 5, block(&[&[(":method", "POST")], &get("/")[1..]].concat())),
        frame(Kind::Data, END_STREAM, 5, b"abc"),
    ];
    client.send(body.concat());
    assert_eq!(client.answer(5).status(), "405");
    client.ask(7, &get("/c"));
    assert_eq!(client.answer(7).reset, Some(1), "as in nginx");
    assert_eq!(server.connect().get("/").text(), "hello");
    until_true("five lines", || server.read("own.log").lines().count() == 5);
    let log = server.read("own.log");
    let lines: Vec<&str> = log.lines().collect();
    let head = block(&get("/")).len();
    assert_eq!(lines[0], format!("GET / HTTP/2.0|HTTP/2.0|h2c|200|5|1|localhost|OK|{head}"));
    assert!(lines[1].starts_with("GET /none HTTP/2.0|HTTP/2.0|h2c|404|") && lines[1].contains("|2|localhost|OK|"));
    assert!(lines[2].starts_with("POST / HTTP/2.0|HTTP/2.0|h2c|405|"), "{}", lines[2]);
    assert_eq!(lines[3].split('|').skip(3).take(3).collect::<Vec<_>>(), ["444", "0", "4"]);
    assert!(lines[4].starts_with("GET / HTTP/1.1|HTTP/1.1||200|5|1|"));
}

#[test]
fn the_last_request_brings_a_goaway_behind_its_answer() {
    let server = server(conf().server("keepalive_requests 3;"));
    let mut client = H2::connect(server.addr());
    for stream in [1, 3, 5] {
        assert_eq!(client.goaways, []);
        assert_eq!(client.get(stream, "/large").body.len(), 2_000_000);
    }
    client.until_closed();
    assert_eq!(client.goaways, [(5, 0)]);
    // With several open it comes at once, and they are answered.
    let mut client = H2::connect(server.addr());
    let streams = [1, 3, 5, 7];
    client.send(streams.iter().flat_map(|id| request(*id, &get("/large"))).collect::<Vec<u8>>());
    client.until_over(streams).expect("the answers");
    client.until_closed();
    assert_eq!(client.goaways, [(7, 0)]);
    assert!(streams.iter().all(|id| client.answers[id].body.len() == 2_000_000));
}

#[test]
fn a_server_without_http_2_is_not_reached_by_it() {
    let other = "server { listen 127.0.0.1:%port%; server_name other; http2 off; root %root%; }";
    let server = server(conf().listen("127.0.0.1:%port% default_server").http(other));
    let mut client = H2::connect(server.addr());
    assert_eq!(client.get(1, "/").status(), "200");
    client.ask(3, &[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "other")]);
    assert_eq!(client.answer(3).status(), "421");
}

/// A process that shuts down tells its clients first to open no more streams, then which it answers, and loses none.
fn drains(signal: Signal) {
    let mut server = server(conf());
    let mut client = H2::connect(server.addr());
    client.is_polite = false;
    client.ask(1, &get("/large"));
    while client.data.iter().map(|(_, len)| len).sum::<usize>() < 65_535 {
        client.frame().expect("the first window");
    }
    let mut idle = H2::connect(server.addr());
    idle.get(1, "/");
    server.signal(signal);
    while client.goaways.is_empty() {
        client.frame().expect("the first GOAWAY");
    }
    assert_eq!(client.goaways, [(MAX_31, 0)]);
    // A request that was on its way.
    client.ask(3, &get("/small1"));
    client.is_polite = true;
    client.send(frame(Kind::Ping, 0, 0, [0; 8]));
    client.send(frame(Kind::WindowUpdate, 0, 0, 3_000_000u32.to_be_bytes()));
    client.send(frame(Kind::WindowUpdate, 0, 1, 3_000_000u32.to_be_bytes()));
    assert_eq!(client.answer(3).text(), "small 1");
    assert_eq!(client.answer(1).body.len(), 2_000_000);
    client.until_closed();
    assert_eq!(client.goaways, [(MAX_31, 0), (3, 0)]);
    idle.until_closed();
    assert_eq!(idle.goaways, [(MAX_31, 0), (1, 0)]);
    if signal == Signal::SIGQUIT {
        assert!(server.wait().success());
    }
}

#[test]
fn a_quit_loses_no_stream() {
    drains(Signal::SIGQUIT);
}

#[test]
fn a_reload_loses_no_stream() {
    drains(Signal::SIGHUP);
}

#[test]
fn passwords_are_checked_one_after_the_other() {
    let users = "%root%/users";
    let location = format!("location / {{ auth_basic x; auth_basic_user_file {users}; }}");
    let server: Server = server(conf().server(&location));
    server.file("users", "bob:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\nc:{PLAIN}other\n");
    let mut client = H2::connect(server.addr());
    let with = |token: &'static str| [get("/"), vec![("authorization", token)]].concat();
    // "bob:secret", "c:other", "bob:wrong".
    let tokens = ["Basic Ym9iOnNlY3JldA==", "Basic YzpvdGhlcg==", "Basic Ym9iOndyb25n"];
    let asked: Vec<u8> = (0..12).flat_map(|n| request(2 * n + 1, &with(tokens[n as usize % 3]))).collect();
    client.send(asked);
    for n in 0..12 {
        assert_eq!(client.answer(2 * n + 1).status(), ["200", "200", "401"][n as usize % 3]);
    }
}
