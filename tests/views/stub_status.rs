//! stub_status, compared with nginx's, request by request.

use crate::support::client::Client;
use crate::support::conf::Conf;
use crate::support::server::{Product, Server, Setup};
use crate::support::{proc, until_true};

fn conf() -> Conf {
    Conf::workers(1).server("location /stub { stub_status; }")
}

/// Status, head and body.
type Page = (u16, Vec<(String, String)>, String);

/// A page, its head without what differs between servers.
fn ask(client: &mut Client, method: &str, path: &str) -> Page {
    client.send(format!("{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
    let response = if method == "HEAD" { client.head_response() } else { client.response() };
    let mut response = response.unwrap_or_else(|nothing| panic!("{method} {path}: {nothing:?}"));
    response.headers.retain(|(name, _)| name != "Server" && name != "Date");
    if response.status != 200 {
        // The page of an error names the server, and so its length differs; nginx does not say what is allowed.
        response.headers.retain(|(name, _)| name != "Content-Length" && name != "Allow");
        response.body.clear();
    }
    let text = response.text();
    (response.status, response.headers, text)
}

/// Every page of a fixed course of events. One worker, and each step is over before the next begins: the numbers are
/// the same whenever it runs.
fn course(server: &Server) -> Vec<Page> {
    // A connection may have its answer before its worker watches it.
    let settle = || {
        let is_settled = || server.workers().into_iter().all(proc::is_asleep) && proc::unread_bytes(server.port()) == 0;
        until_true("the worker waits for events", is_settled);
    };
    let mut pages = Vec::new();
    let mut first = server.connect();
    pages.push(ask(&mut first, "GET", "/stub"));
    pages.push(ask(&mut first, "GET", "/stub/deeper.html?x=y"));
    pages.push(ask(&mut first, "HEAD", "/stub"));
    let mut idle = server.connect();
    pages.push(ask(&mut idle, "GET", "/nothing"));
    pages.push(ask(&mut first, "GET", "/stub"));
    let mut slow = server.connect();
    pages.push(ask(&mut slow, "GET", "/stub"));
    settle();
    slow.send("GET /stub HT");
    settle();
    pages.push(ask(&mut first, "GET", "/stub"));
    slow.send("TP/1.1\r\nHost: a\r\n\r\n");
    pages.push((0, Vec::new(), slow.response().expect("the slow one's page").text()));
    pages.push(ask(&mut first, "GET", "/stub"));
    settle();
    drop(idle);
    settle();
    pages.push(ask(&mut first, "POST", "/stub"));
    pages.push(ask(&mut server.connect(), "GET", "/stub"));
    pages
}

#[test]
fn every_page_is_nginx_s_byte_for_byte() {
    let [ours, theirs] = [Product::Drover, Product::Nginx].map(|product| course(&Setup::new(product, conf()).start()));
    assert!(theirs[6].2.contains("Reading: 1 Writing: 1 Waiting: 1"), "{theirs:?}");
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
}
