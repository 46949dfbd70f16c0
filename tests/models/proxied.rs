//! Connections that begin with a header of the PROXY protocol.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use drover::dispatch::ModelKind;
use drover::os::Socket;

use crate::service::{Service, Want};
use crate::support::{PATIENCE, until_true};

const HEADER: &str = "PROXY TCP4 192.0.2.7 198.51.100.2 50000 80\r\n";
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn connect(service: &Service) -> UnixStream {
    let client = UnixStream::connect(service.dir().join("proxied")).expect("connect");
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

/// Sends one piece, and waits until it has been read.
fn send(client: &mut UnixStream, piece: &str) {
    client.write_all(piece.as_bytes()).expect("send");
    let socket = Socket::from(OwnedFd::from(client.try_clone().unwrap()));
    until_true("the piece is read", || socket.unacknowledged().is_ok_and(|bytes| bytes == 0));
}

#[track_caller]
fn assert_answer(client: &mut UnixStream, end: &str) {
    let mut answer = Vec::new();
    while !answer.ends_with(end.as_bytes()) {
        let mut byte = [0];
        assert_eq!(client.read(&mut byte).expect("an answer"), 1, "{}", answer.escape_ascii());
        answer.push(byte[0]);
    }
}

/// The header comes in pieces, is of the connection, and alone is no request: such a client makes room for others.
pub fn proxy_header(kind: &'static ModelKind) {
    const PLACES: usize = 8;
    let server = "server { listen unix:%dir%/proxied proxy_protocol; set_real_ip_from unix:; \
         real_ip_header proxy_protocol; return 200 '$remote_addr $remote_port $connection_requests!'; }";
    let small = Want::of(kind).workers(1).events(&format!("worker_connections {PLACES};")).http(server);
    let small = small.param("worker_threads", PLACES as u64).param("fork_max", PLACES as u64).param("queue", 2);
    let service = small.start();
    let mut client = connect(&service);
    for piece in ["PR", "OXY TCP4 192.0.2.7 198.5", "1.100.2 50000 80\r", "\n", "GET /", " HTTP/1.1\r\nHost: a\r\n\r\n"]
    {
        send(&mut client, piece);
    }
    assert_answer(&mut client, "192.0.2.7 50000 1!");
    send(&mut client, REQUEST);
    assert_answer(&mut client, "192.0.2.7 50000 2!");
    drop(client);
    let mut half = connect(&service);
    send(&mut half, &HEADER[..20]);
    let mut idle: Vec<UnixStream> = (0..3 * PLACES).map(|_| connect(&service)).collect();
    idle.iter_mut().for_each(|client| client.write_all(HEADER.as_bytes()).expect("send"));
    let mut last = connect(&service);
    last.write_all(&[HEADER, REQUEST].concat().into_bytes()).expect("send");
    assert_answer(&mut last, "192.0.2.7 50000 1!");
    assert!(service.sums().reused_connections > 0);
    send(&mut half, &[&HEADER[20..], REQUEST].concat());
    assert_answer(&mut half, "192.0.2.7 50000 1!");
    drop((half, idle, last));
    service.end();
}
