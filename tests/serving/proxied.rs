//! Clients behind proxies that speak the PROXY protocol: what Debian's nginx does not have, or does not do.

use std::time::{Duration, Instant};

use crate::support::conf::Conf;
use crate::support::server::Server;
use crate::support::until_true;

fn server(directives: &str) -> Server {
    Server::drover(Conf::workers(1).listen("127.0.0.1:%port% proxy_protocol").logged().server(directives))
}

/// A header of version 2 for 192.0.2.1:50000, with TLVs.
fn v2(tlvs: &[(u8, &[u8])]) -> Vec<u8> {
    let tlvs: Vec<u8> = tlvs.iter().flat_map(|(kind, value)| tlv(*kind, value)).collect();
    let addrs = [192, 0, 2, 1, 198, 51, 100, 2, 0xc3, 0x50, 0, 80];
    let len = ((addrs.len() + tlvs.len()) as u16).to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11", &len[..], &addrs, &tlvs].concat()
}

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind], &(value.len() as u16).to_be_bytes()[..], value].concat()
}

/// The answers are those of nginx 1.28.3.
#[test]
fn tlvs_are_variables() {
    let server = server(
        "location / { return 200 '$proxy_protocol_tlv_alpn|$proxy_protocol_tlv_authority|$proxy_protocol_tlv_0xEA|\
         $proxy_protocol_tlv_ssl_version|$proxy_protocol_tlv_ssl_verify|$proxy_protocol_tlv_unique_id|\
         $proxy_protocol_addr|$proxy_protocol_port|$proxy_protocol_server_addr|$proxy_protocol_server_port'; } \
         location /unknown { return 200 '[$proxy_protocol_tlv_nope]'; }",
    );
    let ssl = [&[7, 0, 0, 1, 0][..], &tlv(0x21, b"TLSv1.3")].concat();
    let mut client = server.connect();
    client.send(v2(&[(1, b"h2"), (2, b"a.example"), (0x20, &ssl), (0xea, b"\x01x")]));
    let expected = "h2|a.example|\u{1}x|TLSv1.3|256||192.0.2.1|50000|198.51.100.2|80";
    assert_eq!(client.get("/").text(), expected);
    assert_eq!(client.get("/").text(), expected, "it is the connection's");
    assert_eq!(client.get("/unknown").text(), "[]");
    until_true("a line", || {
        server.error_log().contains("[error]")
            && server.error_log().contains("unknown PROXY protocol TLV \"nope\", client: 127.0.0.1")
    });
    let mut none = server.connect();
    none.send("PROXY UNKNOWN\r\n");
    assert_eq!(none.get("/").text(), "|||||||||");
}

/// A header may be as long as a small head of a request.
#[test]
fn a_header_has_the_room_of_a_small_head() {
    let server = server("client_header_buffer_size 2k; return 200 $proxy_protocol_tlv_0xe0;");
    let value = vec![b'x'; 2048 - 16 - 12 - 3];
    let mut client = server.connect();
    client.send(v2(&[(0xe0, &value)]));
    assert_eq!(client.get("/").text().len(), value.len());
    let mut long = server.connect();
    long.send(v2(&[(0xe0, &[&value[..], b"x"].concat())]));
    assert!(long.is_closed_by_server());
    until_true("a line", || server.error_log().contains("header is too large while reading PROXY protocol, client: "));
}

#[test]
fn a_header_that_does_not_come_ends_the_connection_without_a_word() {
    let server = server("client_header_timeout 300ms;");
    for beginning in ["", "PROXY TCP4 1.2.3.4 ", "\r\n\r\n\0\r\nQU", "PROXY UNKNOWN\r\n"] {
        let start = Instant::now();
        let mut client = server.connect();
        assert_eq!(client.send(beginning).until_closed(), Ok(Vec::new()), "{beginning:?}");
        assert!(start.elapsed() >= Duration::from_millis(250), "{beginning:?}: after {:?}", start.elapsed());
    }
    let line = "client timed out (110: Connection timed out) while reading PROXY protocol, client: 127.0.0.1";
    until_true("three lines", || server.error_log().matches(line).count() == 3);
    let mut gone = server.connect();
    gone.send("PROXY TC").shutdown_write();
    assert_eq!(gone.until_closed(), Ok(Vec::new()));
    until_true("a line", || server.error_log().contains("broken header: \"PROXY TC\" while reading PROXY protocol"));
    assert_eq!(server.read("access.log"), "", "no request has begun");
}

/// nginx has these from 1.29.3 on.
#[test]
fn the_port_of_the_request_is_a_variable() {
    let server = Server::drover(Conf::workers(1).server("return 200 '$host$is_request_port$request_port';"));
    let mut client = server.connect();
    for (target, host, expected) in [
        ("/", "a.example:8080", "a.example:8080"),
        ("/", "a.example", "a.example"),
        ("/", "[::1]:81", "[::1]:81"),
        ("http://b.example:9/", "a.example:8080", "b.example:9"),
    ] {
        client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(client.response().expect("an answer").text(), expected, "{target} {host}");
    }
}
