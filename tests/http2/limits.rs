//! Clients that make work, or take their time.

use std::time::Duration;

use drover::http::h2::frame::{ACK, END_HEADERS, END_STREAM, Kind};

use crate::support::client::Nothing;
use crate::support::h2::{H2, block, frame, get, request};
use crate::support::{PATIENCE, until_true};
use crate::{conf, server};

/// Sends `flood` again and again until the server has had enough; it says so once.
fn floods(first: &[u8], flood: impl Fn(u32) -> Vec<u8>, word: &str) {
    let server = server(conf().server("location /large { limit_rate 1k; }"));
    let mut client = H2::connect(server.addr());
    client.send(first);
    let many: Vec<u8> = (0..6000).flat_map(flood).collect();
    client.send(many);
    client.until_closed();
    assert_eq!(client.goaways.iter().map(|(_, code)| *code).collect::<Vec<_>>(), [11], "ENHANCE_YOUR_CALM");
    let said = || server.error_log().matches("http2 flood detected").count();
    until_true("a line in the log", || said() > 0);
    assert!(server.error_log().contains(word), "{}", server.error_log());
    assert_eq!(said(), 1);
    assert_eq!(server.connect().get("/").text(), "hello");
}

#[test]
fn pings() {
    floods(b"", |_| frame(Kind::Ping, 0, 0, [0; 8]), "too many PING frames");
}

#[test]
fn settings() {
    floods(b"", |_| frame(Kind::Settings, 0, 0, b""), "too many SETTINGS frames");
}

#[test]
fn priorities() {
    floods(b"", |n| frame(Kind::Priority, 0, 2 * n + 1, [0; 5]), "too many PRIORITY frames");
}

#[test]
fn rapid_resets() {
    let flood = |n| [request(2 * n + 1, &get("/large")), frame(Kind::RstStream, 0, 2 * n + 1, [0, 0, 0, 8])].concat();
    floods(b"", flood, "too many streams that were reset");
}

#[test]
fn resets_that_the_client_has_the_server_make() {
    let flood = |n| {
        let update = frame(Kind::WindowUpdate, 0, 2 * n + 1, [0; 4]);
        [request(2 * n + 1, &get("/large")), update].concat()
    };
    floods(b"", flood, "too many streams that were reset");
}

#[test]
fn empty_data() {
    let open = frame(Kind::Headers, END_HEADERS, 1, block(&get("/large")));
    floods(&open, |_| frame(Kind::Data, 0, 1, b""), "too many empty DATA frames");
}

#[test]
fn window_updates() {
    floods(b"", |_| frame(Kind::WindowUpdate, 0, 0, [0, 0, 0, 1]), "too many WINDOW_UPDATE frames");
}

#[test]
fn a_client_that_takes_nothing_loses_its_stream() {
    let server = server(conf().server("send_timeout 500ms;"));
    let mut client = H2::connect(server.addr());
    client.is_polite = false;
    client.send(frame(Kind::Settings, 0, 0, b"\0\x04\0\0\0\x0a"));
    client.ask(1, &get("/large"));
    assert_eq!(client.answer(1).reset, Some(1));
    assert_eq!(client.answers[&1].body.len(), 10);
    assert_eq!(client.get(3, "/small1").text(), "small 1", "the others go on");
}

#[test]
fn a_client_that_is_idle_is_told_that_it_must_go() {
    let server = server(conf().server("keepalive_timeout 300ms;"));
    let mut client = H2::connect(server.addr());
    client.get(1, "/");
    client.until_closed();
    assert_eq!(client.goaways, [(1, 0)]);
}

/// Sends `idle` again and again, a piece of it at a time, until the server has told the client that it must go.
fn is_told_though_it_sends(client: &mut H2, idle: &[u8]) {
    let mut pieces = idle.chunks(7).cycle();
    client.is_polite = false;
    client.set_patience(Duration::from_millis(20));
    until_true("a GOAWAY", || {
        client.send(pieces.next().expect("a piece"));
        while client.frame().is_ok() {}
        !client.goaways.is_empty()
    });
    client.set_patience(PATIENCE);
    assert_eq!(client.until_closed(), Nothing::Closed);
}

#[test]
fn frames_that_open_no_stream_give_an_idle_client_no_more_time() {
    let server = server(conf().server("keepalive_timeout 400ms; client_header_timeout 900ms;"));
    let idle = [
        frame(Kind::Ping, 0, 0, [0; 8]),
        frame(Kind::Settings, 0, 0, b""),
        frame(Kind::WindowUpdate, 0, 0, [0, 0, 0, 1]),
        b"\0\0\0\x63\0\0\0\0\0".to_vec(),
    ];
    for idle in idle {
        let mut client = H2::connect(server.addr());
        client.get(1, "/");
        is_told_though_it_sends(&mut client, &idle);
        assert!(matches!(client.goaways[..], [(1, 0 | 1)]), "{:?}", client.goaways);
        let mut client = H2::connect(server.addr());
        is_told_though_it_sends(&mut client, &idle);
        assert!(matches!(client.goaways[..], [(0, 0 | 1)]), "{:?}", client.goaways);
    }
    // A request begins the time anew.
    let mut client = H2::connect(server.addr());
    for n in 0..4 {
        client.get(2 * n + 1, "/");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_header_block_without_end_times_out() {
    let server = server(conf().server("client_header_timeout 300ms;"));
    let mut client = H2::connect(server.addr());
    // No answer to SETTINGS may stand within the block.
    client.is_polite = false;
    client.send(frame(Kind::Headers, END_STREAM, 1, b"\x82"));
    client.until_closed();
    assert_eq!(client.goaways, [(0, 1)]);
    let mut client = H2::connect(server.addr());
    client.send(&frame(Kind::Ping, 0, 0, [0; 8])[..12]);
    client.until_closed();
    assert_eq!(client.goaways, [(0, 1)]);
}

#[test]
fn connections_without_streams_make_room_for_others() {
    let server = server(conf().events("worker_connections 40;"));
    let mut clients: Vec<H2> = (0..30).map(|_| H2::connect(server.addr())).collect();
    clients.iter_mut().for_each(|client| _ = client.get(1, "/"));
    let mut more: Vec<H2> = (0..30).map(|_| H2::connect(server.addr())).collect();
    for client in &mut more {
        assert_eq!(client.get(1, "/").text(), "hello");
    }
    let told = clients.iter_mut().chain(&mut more).filter_map(|client| {
        client.send(frame(Kind::Ping, 0, 0, [0; 8]));
        while client.pongs.is_empty() {
            if client.frame().is_err() {
                return Some(client.goaways.clone());
            }
        }
        None
    });
    let told: Vec<_> = told.collect();
    assert!(!told.is_empty());
    assert!(told.iter().all(|goaways| *goaways == [(1, 0)]), "each is told first: {told:?}");
}

#[test]
fn an_answer_to_settings_opens_no_window_beyond_them() {
    let server = server(conf().server("http2_body_preread_size 1k; location /large { limit_rate 1k; }"));
    let mut client = H2::connect(server.addr());
    client.send(frame(Kind::Settings, ACK, 0, b""));
    client.is_polite = false;
    client.send(frame(Kind::Headers, END_HEADERS, 1, block(&get("/large"))));
    client.send(frame(Kind::Data, 0, 1, vec![0; 1025]));
    client.until_over([1]).expect("a reset");
    assert_eq!(client.answers[&1].reset, Some(3));
}
