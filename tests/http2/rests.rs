//! Answers to requests that are not whole yet: curl 7.88 stops sending where one is over before.

use drover::http::h2::frame::{END_HEADERS, END_STREAM, Kind, MAX_31};
use nix::sys::signal::Signal;

use crate::support::h2::{Answer, H2, block, frame, get};
use crate::support::until_true;
use crate::{conf, server};

const TEXT: &str = "location /text { return 200 text; } location /none { return 204; }";

/// Begins a request that has a body.
fn begin(client: &mut H2, stream: u32, path: &str) {
    let post = [&[(":method", "POST")], &get(path)[1..]].concat();
    client.send(frame(Kind::Headers, END_HEADERS, stream, block(&post)));
}

/// Waits until the head of an answer, and all that is to come before the request ends, is there.
fn until_head(client: &mut H2, stream: u32) {
    let pongs = client.pongs.len();
    while !client.answers.contains_key(&stream) {
        client.frame().expect("a head");
    }
    client.send(frame(Kind::Ping, 0, 0, [0; 8]));
    while client.pongs.len() == pongs {
        client.frame().expect("an answer to PING");
    }
    assert!(!client.is_over(stream) && client.answers[&stream].reset.is_none());
}

/// Reads until the answer is whole, and then reset.
fn until_reset(client: &mut H2, stream: u32) -> Answer {
    while !client.answers[&stream].is_whole {
        client.frame().expect("the end of the answer");
        assert_eq!(client.goaways, []);
        assert_eq!(client.answers[&stream].reset, None);
    }
    while client.answers[&stream].reset.is_none() {
        client.frame().expect("a reset");
        assert_eq!(client.goaways, []);
    }
    client.answers[&stream].clone()
}

#[test]
fn an_answer_ends_behind_its_request() {
    let server = server(conf().server(TEXT));
    let mut client = H2::connect(server.addr());
    for (stream, path, status, text) in [(1, "/text", "200", "text"), (3, "/none", "204", "")] {
        begin(&mut client, stream, path);
        until_head(&mut client, stream);
        (0..10).for_each(|_| _ = client.send(frame(Kind::Data, 0, stream, [0; 16384])));
        until_head(&mut client, stream);
        client.send(frame(Kind::Data, END_STREAM, stream, b"x"));
        let answer = client.answer(stream);
        assert_eq!((answer.status(), &answer.text()[..], answer.reset), (status, text, None));
    }
    begin(&mut client, 5, "/");
    assert_eq!(client.answer(5).status(), "405", "an error ends at once");
    client.send(frame(Kind::Data, END_STREAM, 5, b"x"));
    assert_eq!(client.get(7, "/text").text(), "text");
}

#[test]
fn a_request_that_stops_or_does_not_end_is_not_waited_for() {
    let server = server(conf().server(TEXT).server("client_body_timeout 500ms;"));
    let mut client = H2::connect(server.addr());
    for (stream, path, text) in [(1, "/text", "text"), (3, "/none", "")] {
        begin(&mut client, stream, path);
        until_head_or_end(&mut client, stream);
        let answer = until_reset(&mut client, stream);
        assert_eq!((answer.text().as_str(), answer.reset), (text, Some(0)));
    }
    let server = self::server(conf().server(TEXT));
    let mut client = H2::connect(server.addr());
    begin(&mut client, 1, "/text");
    until_head(&mut client, 1);
    (0..64).for_each(|_| _ = client.send(frame(Kind::Data, 0, 1, [0; 16384])));
    let answer = until_reset(&mut client, 1);
    assert_eq!((answer.text().as_str(), answer.reset), ("text", Some(0)), "a MiB");
    assert_eq!(client.get(3, "/text").text(), "text");
}

/// Waits until the head of an answer is there.
fn until_head_or_end(client: &mut H2, stream: u32) {
    while !client.answers.contains_key(&stream) {
        client.frame().expect("a head");
    }
}

#[test]
fn an_idle_connection_ends_its_answers_before_it_closes() {
    let server = server(conf().server(TEXT).server("keepalive_timeout 500ms;"));
    let mut client = H2::connect(server.addr());
    begin(&mut client, 1, "/text");
    until_head_or_end(&mut client, 1);
    assert_eq!(until_reset(&mut client, 1).text(), "text");
    client.until_closed();
    assert_eq!(client.goaways, [(1, 0)]);
}

#[test]
fn a_connection_that_ends_waits_for_the_requests_that_are_answered() {
    let mut server = server(conf().server(TEXT).server("keepalive_requests 1;"));
    let mut client = H2::connect(server.addr());
    begin(&mut client, 1, "/text");
    until_head(&mut client, 1);
    assert_eq!(client.goaways, [], "the GOAWAY of the last request comes behind its answer");
    client.send(frame(Kind::Data, END_STREAM, 1, b"x"));
    assert_eq!(client.answer(1).text(), "text");
    client.until_closed();
    assert_eq!(client.goaways, [(1, 0)]);

    let mut client = H2::connect(server.addr());
    client.is_polite = true;
    begin(&mut client, 1, "/text");
    until_head(&mut client, 1);
    server.signal(Signal::SIGQUIT);
    while client.goaways.len() < 2 {
        client.frame().expect("a GOAWAY");
    }
    assert_eq!(client.goaways, [(MAX_31, 0), (1, 0)]);
    until_true("the listener is closed", || std::net::TcpStream::connect(server.addr()).is_err());
    until_head(&mut client, 1);
    client.send(frame(Kind::Data, END_STREAM, 1, b"x"));
    assert_eq!(client.answer(1).text(), "text");
    client.until_closed();
    assert!(server.wait().success());
}
