//! HTTP where TLS is spoken, and TLS where HTTP is.

use crate::site::{A, LAST, Site, conf};
use crate::support::client::Client;
use crate::support::conf::Conf;

#[test]
fn http_at_a_tls_port_is_told_so() {
    let site = Site::new(conf());
    let mut client = site.connect();
    client.send(LAST);
    let told = client.response().expect("an answer");
    assert_eq!((told.status, told.header("Connection")), (400, Some("close")));
    assert!(told.text().contains("The plain HTTP request was sent to HTTPS port"), "{}", told.text());
    assert!(client.is_closed_by_server());
    assert!(
        site.error_log().contains("client sent plain HTTP request to HTTPS port while reading client request headers")
    );
    assert_eq!(site.sums().tls_failures.iter().sum::<u64>(), 0);
    site.end();
}

#[test]
fn the_preface_of_http_2_at_a_tls_port_is_no_request() {
    let site = Site::new(conf().server("http2 on;"));
    let mut client = site.connect();
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(client.response().expect("an answer").status, 400, "as in nginx");
    assert!(site.error_log().contains("client sent invalid request while reading client request line"));
    site.end();
}

#[test]
fn the_page_for_it_may_lead_to_https() {
    let site =
        Site::new(conf().server("error_page 497 https://$host:$server_port$request_uri; location /in/ { }").logged());
    let moved = site.connect().get("/a/b?c");
    let target = format!("https://localhost:{}/a/b?c", site.port());
    assert_eq!((moved.status, moved.header("Location")), (302, Some(target.as_str())));
    // Within TLS redirects stay there.
    site.file("in/index.html", "in");
    let inner = site.wish().connect(site.addr()).get("/in");
    let target = format!("https://localhost:{}/in/", site.port());
    assert_eq!((inner.status, inner.header("Location")), (301, Some(target.as_str())));
    site.end();
}

#[test]
fn a_hello_at_a_plain_port_is_named_in_the_log() {
    let site = Site::new(Conf::workers(1).http(&format!("server {{ listen 127.0.0.1:%port2% ssl; {A} }}")));
    let mut client = Client::connect(site.addr());
    client.send(b"\x16\x03\x01\x00\x05hello\r\n\r\n");
    assert_eq!(client.response().expect("an answer").status, 400);
    let log = site.error_log();
    assert!(log.contains("begins a handshake of TLS, and this address has no \"ssl\""), "{log}");
    site.end();
}

#[test]
fn the_proxy_protocol_comes_before_tls() {
    let site = Site::new(
        conf()
            .listen("127.0.0.1:%port% ssl proxy_protocol")
            .server("location = /who { return 200 \"$proxy_protocol_addr $scheme\"; }"),
    );
    let mut plain = Client::connect(site.addr());
    plain.send("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET /who HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(plain.response().expect("an answer").status, 400);
    for cut in [false, true] {
        let mut client = Client::connect(site.addr());
        client.send("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
        if cut {
            // The header is read by itself.
            std::thread::yield_now();
        }
        let mut client = client.shake_hands(&site.wish()).expect("a handshake");
        assert_eq!(client.get("/who").text(), "192.0.2.1 https");
    }
    site.end();
}
