//! Handshakes that are slow, odd or broken.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::site::{A, Files, LAST, Site, conf};
use crate::support::client::Client;
use crate::support::conf::Conf;
use crate::support::tls::Wish;
use crate::support::until_true;

/// The first flight of a client that speaks all these protocols.
fn hello(wish: &Wish, protocols: usize) -> (Vec<u8>, rustls::ClientConnection) {
    let mut config = rustls::ClientConfig::clone(&wish.config);
    config.alpn_protocols =
        (0..protocols).map(|n| format!("{n:0250}").into_bytes()).chain([b"http/1.1".to_vec()]).collect();
    let mut tls = rustls::ClientConnection::new(config.into(), wish.server_name()).expect("a client");
    let mut flight = Vec::new();
    tls.write_tls(&mut flight).expect("a hello");
    (flight, tls)
}

#[track_caller]
fn finish(stream: &mut TcpStream, mut tls: rustls::ClientConnection) -> String {
    let mut said = String::new();
    let mut both = rustls::Stream::new(&mut tls, stream);
    both.write_all(LAST.as_bytes()).expect("a request");
    both.read_to_string(&mut said).expect("an answer");
    said
}

#[test]
fn a_hello_comes_byte_by_byte() {
    let site = Site::new(conf());
    let (flight, tls) = hello(&site.wish(), 0);
    let mut stream = TcpStream::connect(site.addr()).expect("connect");
    stream.set_nodelay(true).expect("TCP_NODELAY");
    for byte in flight {
        stream.write_all(&[byte]).expect("a byte");
        std::thread::yield_now();
    }
    assert!(finish(&mut stream, tls).ends_with("hello"));
    site.end();
}

#[test]
fn a_hello_may_have_65_kilobytes() {
    let site = Site::new(conf());
    let (flight, tls) = hello(&site.wish(), 252);
    assert!((64_000..0x1_0000).contains(&flight.len()), "{} bytes", flight.len());
    let mut stream = TcpStream::connect(site.addr()).expect("connect");
    stream.write_all(&flight).expect("a hello");
    assert!(finish(&mut stream, tls).ends_with("hello"));
    site.end();
}

#[test]
fn slow_handshakes_end_and_are_counted() {
    let site = Site::new(conf().server("client_header_timeout 300ms;"));
    let (flight, _) = hello(&site.wish(), 0);
    let mut slow: Vec<TcpStream> = [0, 1, flight.len() / 2, flight.len()]
        .map(|length| {
            let mut stream = TcpStream::connect(site.addr()).expect("connect");
            stream.write_all(&flight[..length]).expect("a part");
            stream
        })
        .into();
    for stream in &mut slow {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
    assert_eq!(site.sums().tls_failures[1], 3, "one has said nothing");
    let log = site.error_log();
    assert_eq!(log.matches("client timed out (110: Connection timed out) while SSL handshaking").count(), 4, "{log}");
    site.end();
}

#[test]
fn broken_handshakes_get_an_alert_and_are_counted() {
    let site = Site::new(conf());
    let (flight, _) = hello(&site.wish(), 0);
    let mut garbage = flight.clone();
    garbage[5] = 99;
    let mut tails = Vec::new();
    for bytes in [&b"\x80\x2e\x01\x03\x01"[..], b"\x16\x03\x01\xff\xff", &garbage] {
        let mut stream = TcpStream::connect(site.addr()).expect("connect");
        stream.write_all(bytes).expect("a part");
        stream.shutdown(Shutdown::Write).expect("a FIN");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        tails.push(rest);
    }
    assert_eq!(tails[2], [21, 3, 3, 0, 2, 2, 10], "unexpected_message");
    // A message that has not come whole, and one that is longer than any. Neither is waited for.
    for part in [&b"\x16\x03\x01\0\x06\x63\0\x10\0ab"[..], b"\x16\x03\x01\0\x06\x63\xff\xff\xffab"] {
        let mut stream = TcpStream::connect(site.addr()).expect("connect");
        stream.write_all(part).expect("a part");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert_eq!(rest, [21, 3, 3, 0, 2, 2, 10], "unexpected_message for {part:?}");
    }
    until_true("they are counted", || site.sums().tls_failures.iter().sum::<u64>() == 5);
    let mut gone = TcpStream::connect(site.addr()).expect("connect");
    gone.write_all(&flight[..20]).expect("a part");
    drop(gone);
    // A client that does not know the authority says so with an alert.
    let stranger = Wish::new(&crate::support::tls::Authority::new("another"));
    assert!(Client::try_connect_tls(site.addr(), &stranger).is_err());
    until_true("all are counted", || site.sums().tls_failures.iter().sum::<u64>() == 7);
    let log = site.error_log();
    assert_eq!(site.sums().tls_failures[3], 1, "an alert\n{log}");
    assert!(log.contains("[info]") && log.contains("SSL_do_handshake() failed (SSL: "), "{log}");
    assert!(log.contains("peer closed connection in SSL handshake while SSL handshaking, client: 127.0.0.1"), "{log}");
    site.end();
}

#[test]
fn requests_come_in_pieces_and_in_crowds() {
    let site = Site::new(conf().server("location /n/ { return 200 $request_uri; }"));
    let mut client = site.wish().connect(site.addr());
    for n in 0..20 {
        assert_eq!(client.get(&format!("/n/{n}")).text(), format!("/n/{n}"));
    }
    for byte in b"GET /n/x HTTP/1.1\r\nHost: localhost\r\n\r\n" {
        client.send([*byte]);
    }
    assert_eq!(client.response().expect("an answer").text(), "/n/x");
    let many: String = (0..500).map(|n| format!("GET /n/{n} HTTP/1.1\r\nHost: localhost\r\n\r\n")).collect();
    client.send(many);
    for n in 0..500 {
        assert_eq!(client.response().expect("an answer").text(), format!("/n/{n}"));
    }
    client.send(format!(
        "POST /n/p HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n{}",
        "x".repeat(200_000)
    ));
    assert_eq!(client.response().expect("an answer").status, 200);
    assert_eq!(client.get("/").text(), "hello");
    assert_eq!(site.sums().accepts, 1);
    drop(client);
    site.end();
}

#[test]
fn a_slow_reader_gets_all_of_a_large_file() {
    let site = Site::new(conf().server("limit_rate_after 1m; limit_rate 8m;"));
    let content: Vec<u8> = (0..4 << 20).map(|n: usize| (n * 7 % 253) as u8).collect();
    site.file("large", &content);
    let mut client = site.wish().connect(site.addr());
    client.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    until_true("the kernel's buffers are full", || site.sums().writing == 1);
    assert!(client.response().expect("a file").body == content);
    assert_eq!(client.response().expect("the next").text(), "hello");
    drop(client);
    site.end();
}

#[test]
fn a_client_without_a_signature_in_common_is_told_so() {
    let site = Site::new(conf());
    for version in ["-tls1_2", "-tls1_3"] {
        let said = site.s_client(&[version, "-sigalgs", "ECDSA+SHA384"], LAST);
        assert!(said.contains("alert handshake failure"), "{version}: {said}");
    }
    assert!(site.error_log().contains("[info]"), "{}", site.error_log());
    // Nothing is critical that a client can do.
    site.end();
}

#[test]
fn the_certificate_is_one_that_the_version_s_suites_can_use() {
    let files = Files::new();
    files.authority().sign_rsa(&["localhost"]).write_to(files.path(), "rsa");
    let rsa = "ssl_certificate %pki%/rsa.crt; ssl_certificate_key %pki%/rsa.key;";
    let rules = "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES256-GCM-SHA384;";
    let site = files.start(Conf::workers(1).listen("127.0.0.1:%port% ssl").server(&format!("{A} {rsa} {rules}")));
    // curl offers suites of TLS 1.3 as well, with which the ECDSA key would do.
    assert_eq!(site.curl(&[], "/"), "hello");
    site.end();
}
