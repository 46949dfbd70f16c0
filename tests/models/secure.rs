//! TLS in every model: at 127.0.0.2, beside the plain address of the same port.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use drover::dispatch::ModelKind;
use drover::http::h2::frame::MAX_31;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::room;
use crate::service::{Service, Want};
use crate::support::client::Client;
use crate::support::h2::{H2, get, request};
use crate::support::tls::{Authority, Wish};
use crate::support::until_true;

/// A service with TLS, and a client that trusts it.
pub struct Secure {
    pub service: Service,
    wish: Wish,
    want: Want,
    _pki: TempDir,
}

impl Secure {
    pub fn start(want: Want) -> Secure {
        let (pki, authority) = (tempfile::tempdir().expect("a directory"), Authority::new("the test's authority"));
        authority.sign(&["localhost"]).write_to(pki.path(), "a");
        let dir = pki.path().display();
        let want = want.http(&format!(
            "server {{ listen 127.0.0.2:%port% ssl; http2 on; root %root%; ssl_certificate {dir}/a.crt; \
             ssl_certificate_key {dir}/a.key; location /n/ {{ return 200 $request_uri; }} \
             location /gz/ {{ alias %root%/; gzip on; gzip_types text/plain; }} }}"
        ));
        Secure { service: want.start(), wish: Wish::new(&authority), want, _pki: pki }
    }

    fn addr(&self) -> SocketAddr {
        ([127, 0, 0, 2], self.service.port()).into()
    }

    pub fn connect(&self) -> Client {
        self.wish.connect(self.addr())
    }

    /// A client that has sent the first bytes of a hello.
    fn begin(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr()).expect("connect");
        stream.write_all(b"\x16\x03\x01").expect("a part");
        stream
    }
}

/// Handshakes, kept connections, requests in a row and all at once, large files and files that are compressed.
pub fn secure(kind: &'static ModelKind) {
    let secure = Secure::start(Want::of(kind));
    let service = &secure.service;
    let large: Vec<u8> = (0..1 << 20).map(|n: usize| (n * 31 % 251) as u8).collect();
    service.file("large.txt", &large).file("text.txt", "text ".repeat(20_000));
    let mut clients: Vec<Client> = (0..4).map(|_| secure.connect()).collect();
    for round in 0..10 {
        for (n, client) in clients.iter_mut().enumerate() {
            let target = format!("/n/{n}-{round}");
            assert_eq!(client.get(&target).text(), target);
        }
    }
    for client in &mut clients {
        client.send((0..100).map(|n| format!("GET /n/{n} HTTP/1.1\r\nHost: a\r\n\r\n")).collect::<String>());
        for n in 0..100 {
            assert_eq!(client.response().expect("a pipelined response").text(), format!("/n/{n}"));
        }
        assert!(client.get("/large.txt").body == large);
        client.send("GET /gz/text.txt HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
        let packed = client.response().expect("a compressed file");
        assert_eq!(packed.header("Content-Encoding"), Some("gzip"));
        assert!(packed.body.len() < 10_000, "{} bytes", packed.body.len());
    }
    let mut plain = Client::connect(secure.addr());
    plain.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(plain.response().expect("an answer to HTTP").status, 400);
    let sums = service.sums();
    assert_eq!((sums.tls_handshakes, sums.tls_failures), ([0, 4], [0; 7]));
    drop((clients, plain));
    secure.service.end();
}

/// A handshake that has begun and an answer on its way outlive a reload, and so do sessions.
pub fn secure_reload(kind: &'static ModelKind) {
    let secure = Secure::start(Want::of(kind).workers(2));
    let service = &secure.service;
    let large = vec![b'x'; 8 << 20];
    service.file("large.txt", &large);
    let mut client = secure.connect();
    assert_eq!(client.get("/").text(), "hello");
    client.send("GET /large.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    until_true("the answer is on its way", || service.sums().writing == 1);
    let begun = TcpStream::connect(secure.addr()).expect("connect");
    until_true("two are connected", || service.sums().connections == 2);
    service.reload(&secure.want);
    assert!(client.response().expect("the whole answer").body == large);
    let mut begun = Client::of(begun).shake_hands(&secure.wish).expect("a handshake");
    begun.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let last = begun.response().expect("an answer");
    assert_eq!((last.text().as_str(), last.header("Connection")), ("hello", Some("close")));
    let resumed = service.sums().tls_resumed;
    let mut next = secure.connect();
    assert_eq!(next.get("/").text(), "hello");
    assert_eq!(service.sums().tls_resumed, resumed + 1, "the keys of tickets are those of before");
    drop((client, begun, next));
    service.wait_until_settled();
    secure.service.end();
}

/// Streams beside each other over TLS, of which a reload loses none.
pub fn secure_http2(kind: &'static ModelKind) {
    let secure = Secure::start(Want::of(kind).workers(2));
    let service = &secure.service;
    service.file("large.txt", vec![b'x'; 300_000]);
    let connect = || H2::secure(secure.addr(), &secure.wish);
    let (mut held, mut idle) = (connect(), connect());
    held.stop_behind_the_first_window(1, "/large.txt");
    let streams: Vec<u32> = (0..50).map(|n| 2 * n + 1).collect();
    idle.send(streams.iter().flat_map(|id| request(*id, &get(&format!("/n/{id}")))).collect::<Vec<_>>());
    streams.iter().for_each(|id| assert_eq!(idle.answer(*id).text(), format!("/n/{id}")));
    service.signal(Signal::SIGHUP);
    while held.goaways.is_empty() {
        held.frame().expect("the first GOAWAY");
    }
    held.ask(3, &get("/n/late"));
    held.go_on(1);
    assert_eq!(held.answer(3).text(), "/n/late");
    assert_eq!(held.answer(1).body.len(), 300_000);
    held.until_closed();
    assert_eq!(held.goaways, [(MAX_31, 0), (3, 0)]);
    idle.until_closed();
    assert_eq!(idle.goaways, [(MAX_31, 0), (99, 0)]);
    let mut next = connect();
    assert_eq!(next.get(1, "/large.txt").body.len(), 300_000);
    drop((held, idle, next));
    service.wait_until_settled();
    secure.service.end();
}

/// Clients that begin a handshake and stop are closed for those who do not.
pub fn secure_silence(kind: &'static ModelKind) {
    const PLACES: usize = 16;
    let secure = Secure::start(room::small(kind, PLACES));
    let silent: Vec<TcpStream> = (0..5 * PLACES).map(|_| secure.begin()).collect();
    assert_eq!(secure.connect().get("/").text(), "hello");
    until_true("they make room", || secure.service.sums().reused_connections >= (4 * PLACES - 4) as u64);
    drop(silent);
    secure.service.end();
}

/// Each worker knows the sessions of the others.
pub fn secure_sessions(kind: &'static ModelKind) {
    let secure = Secure::start(Want::of(kind).workers(4));
    for n in 0..40 {
        assert_eq!(secure.connect().get("/").text(), "hello", "connection {n}");
    }
    let sums = secure.service.sums();
    assert_eq!((sums.tls_handshakes[1], sums.tls_resumed), (40, 39));
    secure.service.end();
}
