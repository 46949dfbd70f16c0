//! Every state in which the server waits for a client, and the directive that ends the wait.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use drover::http::h2::frame::{END_STREAM, Kind, PREFACE};
use nix::sys::socket::sockopt::RcvBuf;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, connect as connect_to, setsockopt, socket};

use crate::support::client::{Client, Nothing};
use crate::support::h2::{H2, frame, get};
use crate::support::server::{Product, Server};
use crate::support::tls::Wish;
use crate::support::{proc, until_true};

/// A server in whose conf one deadline is short, and a client's trust.
pub struct Site {
    pub server: Server,
    pub wish: Wish,
}

impl Site {
    /// Whether no connection is left.
    pub fn is_deserted(&self) -> bool {
        match self.server.product {
            Product::Drover => self.server.ledger().sums().connections == 0,
            // The worker has the listening socket, and one to hear from the master.
            Product::Nginx => self.server.workers().iter().all(|worker| proc::socket_inodes(*worker).len() == 2),
        }
    }
}

/// The end of a connection, as its client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A close, without a byte behind what was asked for before.
    Close,
    /// 408, then the close. nginx closes.
    Timeout408,
    /// The answer stops before its end.
    Cut,
    /// GOAWAY with this code, then the close.
    GoAway(u32),
    /// The stream is reset; the connection goes on.
    Reset,
}

/// A state, and the deadline in it.
pub struct State {
    pub name: &'static str,
    /// Parameters of `listen`, or the service of `stream`.
    pub listen: &'static str,
    /// The directive that ends the wait, without its value, which is `SHORT`.
    pub directive: &'static str,
    /// More directives of the server.
    pub more: &'static str,
    /// Brings a connection into the state, and waits for its end.
    pub wait: fn(&Site) -> End,
    pub end: End,
    /// The words behind "client timed out" in the error log; "": there is no such line.
    pub doing: &'static str,
}

impl State {
    /// Whether nginx has the state, and ends it by the same directive. It closes a connection whose kernel has not
    /// sent all, and one whose first bytes are no whole header of the PROXY protocol; each change of keys gives an idle
    /// client all of its time again; the rest of a body that it drops is waited for as in a connection that lingers. It
    /// has `lingering_time` too, but in whole seconds of its clock, of which one may be nearly over at once.
    pub fn is_nginx_s(&self) -> bool {
        const OURS: [&str; 3] =
            ["half a PROXY header", "taking nothing of what the kernel holds", "idle with records that hold nothing"];
        let is_ours = OURS.contains(&self.name) || matches!(self.directive, "client_body_timeout" | "lingering_time");
        !is_ours && !self.more.contains("http2") && matches!(self.listen, "" | "ssl" | "proxy_protocol" | "sndbuf=32k")
    }
}

const HALF_A_HEAD: &str = "GET / HTTP/1.1\r\nHost: loc";
const POST: &str = "POST /sink HTTP/1.1\r\nHost: localhost\r\n";
const LARGE: &str = "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n";
const PROXY: &str = "PROXY TCP4 192.0.2.1 198.51.100.2 50000 80\r\n";

const HEADER: &str = "client_header_timeout";
const SEND: &str = "send_timeout";
const KEEP: &str = "keepalive_timeout";

const NO_MORE: &str = "";
const READING: &str = " while reading client request headers";
const WAITING: &str = " while waiting for request";
const SENDING: &str = " while sending response to client";
const SHAKING: &str = " while SSL handshaking";
const PROXYING: &str = " while reading PROXY protocol";
const FRAMES: &str = " while processing HTTP/2 connection";

macro_rules! states {
    ($($name:literal: $listen:literal, $directive:expr, $more:expr => $end:expr, $doing:expr, $wait:expr;)+) => {
        /// All of them.
        pub const STATES: &[State] = &[$(State {
            name: $name, listen: $listen, directive: $directive, more: $more, wait: $wait, end: $end, doing: $doing,
        }),+];
    };
}

states! {
    "nothing": "", HEADER, NO_MORE => End::Close, WAITING, |site| said(site, "");
    "half a request line": "", HEADER, NO_MORE => End::Timeout408, " while reading client request line",
        |site| said(site, "GET / HT");
    "half a head": "", HEADER, NO_MORE => End::Timeout408, READING, |site| said(site, HALF_A_HEAD);
    "a head in drops": "", HEADER, NO_MORE => End::Timeout408, READING, |site| drops(site, HALF_A_HEAD, "x");
    "half a head behind an answer": "", HEADER, NO_MORE => End::Timeout408, READING, |site| kept(site, HALF_A_HEAD);
    "no PROXY header": "proxy_protocol", HEADER, NO_MORE => End::Close, PROXYING, |site| said(site, "");
    "half a PROXY header": "proxy_protocol", HEADER, NO_MORE => End::Close, PROXYING, |site| said(site, &PROXY[..20]);
    "a PROXY header and no more": "proxy_protocol", HEADER, NO_MORE => End::Close, WAITING, |site| said(site, PROXY);
    "no hello": "ssl", HEADER, NO_MORE => End::Close, SHAKING, |site| said(site, "");
    "half a hello": "ssl", HEADER, NO_MORE => End::Close, SHAKING, |site| shaking(site, |hello| &hello[..100]);
    "a hello in drops": "ssl", HEADER, NO_MORE => End::Close, SHAKING, dripping_hello;
    "half a handshake": "ssl", HEADER, NO_MORE => End::Close, SHAKING, |site| shaking(site, |hello| hello);
    "a handshake and no more": "ssl", HEADER, NO_MORE => End::Close, WAITING, |site| secure(site, "");
    "half a head in TLS": "ssl", HEADER, NO_MORE => End::Timeout408, READING, |site| secure(site, HALF_A_HEAD);
    "half a body": "", "client_body_timeout", NO_MORE => End::Cut, " while reading client request body",
        |site| answered(site, "Content-Length: 100\r\n\r\nabc");
    "half a chunk": "", "client_body_timeout", NO_MORE => End::Cut, " while reading client request body",
        |site| answered(site, "Transfer-Encoding: chunked\r\n\r\n64\r\nabc");
    "half a body in TLS": "ssl", "client_body_timeout", NO_MORE => End::Cut, " while reading client request body",
        |site| answered(site, "Content-Length: 100\r\n\r\nabc");
    "a body in drops behind its answer": "", "lingering_time", NO_MORE => End::Cut, "",
        |site| answered_drops(site, "Content-Length: 100000\r\n\r\n", "x");
    "chunks in drops behind their answer": "", "lingering_time", NO_MORE => End::Cut, "",
        |site| answered_drops(site, "Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n");
    "a body in drops behind its answer in TLS": "ssl", "lingering_time", NO_MORE => End::Cut, "",
        |site| answered_drops(site, "Content-Length: 100000\r\n\r\n", "x");
    "a body in drops that nobody takes": "", "lingering_time", "client_max_body_size 10;" => End::Cut, "",
        |site| answered_drops(site, "Content-Length: 100000\r\n\r\n", "x");
    "a body that nobody takes": "", "lingering_timeout", "client_max_body_size 10;" => End::Cut, "",
        |site| answered(site, "Content-Length: 100\r\n\r\nabc");
    "idle": "", KEEP, NO_MORE => End::Close, "", |site| kept(site, "");
    "idle in TLS": "ssl", KEEP, NO_MORE => End::Close, "", |site| kept(site, "");
    "idle with records that hold nothing": "ssl", KEEP, NO_MORE => End::Close, "", empty_records;
    "asking again and again": "", "keepalive_time", "keepalive_requests 1000000;" => End::Close, "", asking;
    "taking nothing": "", SEND, NO_MORE => End::Cut, SENDING, |site| stalled(site, "");
    "taking nothing of a sendfile": "", SEND, "sendfile on; tcp_nopush on;" => End::Cut, SENDING,
        |site| stalled(site, "");
    "taking nothing that threads read": "", SEND, "aio threads; sendfile off; output_buffers 1 64k;" => End::Cut,
        SENDING, |site| stalled(site, "");
    "taking nothing of a paced answer": "", SEND, "limit_rate 64m;" => End::Cut, SENDING, |site| stalled(site, "");
    "taking nothing that is compressed": "sndbuf=32k", SEND, "gzip on; gzip_types *; gzip_min_length 0;" => End::Cut,
        SENDING, |site| stalled(site, "Accept-Encoding: gzip\r\n");
    "taking nothing in TLS": "ssl", SEND, NO_MORE => End::Cut, SENDING, |site| stalled(site, "");
    "taking nothing of what the kernel holds": "", SEND, "keepalive_timeout 1ms;" => End::Cut, "", unacknowledged;
    "half a preface": "", HEADER, "http2 on;" => End::Timeout408, " while reading client request line",
        |site| said(site, str::from_utf8(&PREFACE[..10]).expect("text"));
    "a preface alone": "", HEADER, "http2 on;" => End::GoAway(0), "", |site| framed(site, PREFACE);
    "SETTINGS without end": "", HEADER, "http2 on;" => End::GoAway(0), "",
        |site| framed(site, &[PREFACE, &frame(Kind::Settings, 0, 0, b"")].concat());
    "half a frame": "", HEADER, "http2 on;" => End::GoAway(1), FRAMES,
        |site| framed(site, &[PREFACE, &frame(Kind::Settings, 0, 0, b""), b"\0\0\x08\x06\0"].concat());
    "half a header block": "", HEADER, "http2 on;" => End::GoAway(1), FRAMES,
        |site| framed(site, &[PREFACE, &frame(Kind::Settings, 0, 0, b""),
            &frame(Kind::Headers, END_STREAM, 1, b"\x82")].concat());
    "idle in HTTP/2": "", KEEP, "http2 on;" => End::GoAway(0), "", |site| idle_frames(H2::connect(site.server.addr()));
    "idle in HTTP/2 over TLS": "ssl", KEEP, "http2 on;" => End::GoAway(0), "",
        |site| idle_frames(H2::secure(site.server.addr(), &site.wish));
    "a stream's window closed": "", SEND, "http2 on;" => End::Reset, FRAMES,
        |site| closed_window(site, &frame(Kind::Settings, 0, 0, b"\0\x04\0\0\0\x0a"));
    "the connection's window closed": "", SEND, "http2 on;" => End::Reset, FRAMES,
        |site| closed_window(site, &frame(Kind::Settings, 0, 0, b"\0\x04\x7f\xff\xff\xff"));
    "taking no frame": "", SEND, "http2 on;" => End::Cut, FRAMES, no_frames;
    "no byte for echo_upper": "echo_upper", "idle_timeout", NO_MORE => End::Close, "", |site| said(site, "");
    "no more for echo_upper": "echo_upper", "idle_timeout", NO_MORE => End::Cut, "", |site| said(site, "abc");
    "half a frame for json_rpc": "json_rpc", "rpc_frame_timeout", NO_MORE => End::Close, ", client: ",
        |site| said(site, "\x40\0\0\0{");
    "half a PROXY header of a stream": "echo_upper proxy_protocol", "proxy_protocol_timeout", NO_MORE => End::Close,
        PROXYING, |site| said(site, &PROXY[..20]);
}

/// Reads to the end of the connection.
fn end_of(client: &mut Client) -> End {
    match client.until_closed() {
        Ok(said) if said.is_empty() => End::Close,
        Ok(said) if said.starts_with(b"HTTP/1.1 408 ") => End::Timeout408,
        Ok(_) => End::Cut,
        Err(nothing) => panic!("still open: {nothing:?}"),
    }
}

fn said(site: &Site, bytes: &str) -> End {
    end_of(site.server.connect().send(bytes))
}

/// Sends `drop` again and again until the server has had enough.
fn drops(site: &Site, first: &str, drop: &str) -> End {
    let mut client = site.server.connect();
    client.patience(Duration::from_millis(20)).send(first);
    loop {
        match client.send(drop).response() {
            Err(Nothing::Silent) => {}
            Ok(answer) if answer.status == 408 => return End::Timeout408,
            Err(Nothing::Closed) => return End::Close,
            other => panic!("{other:?}"),
        }
    }
}

/// A client with TLS where the server has it.
fn connect(site: &Site) -> Client {
    match site.server.read("server.conf").contains(" ssl;") {
        true => site.wish.connect(site.server.addr()),
        false => site.server.connect(),
    }
}

fn kept(site: &Site, more: &str) -> End {
    let mut client = connect(site);
    assert_eq!(client.get("/").text(), "hello");
    end_of(client.send(more))
}

fn secure(site: &Site, bytes: &str) -> End {
    end_of(connect(site).send(bytes))
}

/// A request that is answered before its body is there.
fn answered(site: &Site, fields_and_body: &str) -> End {
    let mut client = connect(site);
    assert!(matches!(client.send([POST, fields_and_body].concat()).status(), 200 | 413));
    end_when_gone(site, &mut client)
}

/// A request that is answered before its body is there, which comes in drops until the server has had enough.
fn answered_drops(site: &Site, fields: &str, drop: &str) -> End {
    let mut client = connect(site);
    client.send([POST, fields].concat());
    assert!(matches!(client.status(), 200 | 413));
    until_true("the connection is closed", || {
        client.send(drop);
        site.is_deserted()
    });
    End::Cut
}

/// Waits until no process of the server has the connection, then reads what is there.
fn end_when_gone(site: &Site, client: &mut Client) -> End {
    until_true("the connection is closed", || site.is_deserted());
    end_of(client)
}

fn stalled(site: &Site, field: &str) -> End {
    let mut client = connect(site);
    client.send(LARGE.replace("\r\n\r\n", &format!("\r\n{field}\r\n"))).wait_for_bytes(1000);
    end_when_gone(site, &mut client)
}

/// Gets an answer that the kernel of the server takes, and that of the client does not.
fn unacknowledged(site: &Site) -> End {
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None).expect("a socket");
    setsockopt(&socket, RcvBuf, &4096).expect("SO_RCVBUF");
    let SocketAddr::V4(addr) = site.server.addr() else { unreachable!("an address of IPv4") };
    connect_to(socket.as_raw_fd(), &SockaddrIn::from(addr)).expect("connect");
    let mut client = Client::of(TcpStream::from(socket));
    client.send("GET /middle HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.status(), 200);
    end_when_gone(site, &mut client)
}

fn asking(site: &Site) -> End {
    let mut client = site.server.connect();
    loop {
        let answer = client.get("/");
        assert_eq!(answer.text(), "hello");
        if answer.header("Connection") == Some("close") {
            return end_of(&mut client);
        }
        std::thread::yield_now();
    }
}

/// The first flight of a client.
fn hello(site: &Site) -> (Vec<u8>, rustls::ClientConnection) {
    let mut tls = rustls::ClientConnection::new(site.wish.config.clone(), site.wish.server_name()).expect("a client");
    let mut flight = Vec::new();
    tls.write_tls(&mut flight).expect("a hello");
    (flight, tls)
}

/// Sends a part of the first flight, and reads to the end: what there is is the server's flight.
fn shaking(site: &Site, part: fn(&[u8]) -> &[u8]) -> End {
    let (flight, _tls) = hello(site);
    let mut stream = TcpStream::connect(site.server.addr()).expect("connect");
    stream.write_all(part(&flight)).expect("a hello");
    let _ = stream.read_to_end(&mut Vec::new());
    End::Close
}

fn dripping_hello(site: &Site) -> End {
    let (flight, _tls) = hello(site);
    let mut stream = TcpStream::connect(site.server.addr()).expect("connect");
    stream.set_read_timeout(Some(Duration::from_millis(20))).expect("SO_RCVTIMEO");
    for byte in flight {
        if stream.write_all(&[byte]).is_err() || stream.read(&mut [0]).is_ok_and(|read| read == 0) {
            return End::Close;
        }
    }
    End::Cut
}

/// An idle client of TLS, which sends a record again and again that holds no byte.
fn empty_records(site: &Site) -> End {
    let mut socket = TcpStream::connect(site.server.addr()).expect("connect");
    let wish = &site.wish;
    let mut tls = rustls::ClientConnection::new(wish.config.clone(), wish.server_name()).expect("a client");
    while tls.is_handshaking() {
        tls.complete_io(&mut socket).expect("a handshake");
    }
    let mut both = rustls::Stream::new(&mut tls, &mut socket);
    both.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
    let mut answer = vec![0; 8192];
    let read = both.read(&mut answer).expect("an answer");
    assert!(answer[..read].starts_with(b"HTTP/1.1 200 "));
    // Fewer records, and for a longer time than the deadline, than rustls takes for an attack (32).
    socket.set_read_timeout(Some(Duration::from_millis(200))).expect("SO_RCVTIMEO");
    let is_closed = |_| {
        // A change of keys is a record without bytes for the application.
        tls.refresh_traffic_keys().expect("TLS 1.3");
        let _ = tls.write_tls(&mut socket);
        match tls.read_tls(&mut socket) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    };
    assert!((0..30).any(is_closed), "each record begins the idle time anew");
    End::Close
}

/// Sends bytes of HTTP/2 and answers nothing.
fn framed(site: &Site, bytes: &[u8]) -> End {
    let mut client = H2::raw(site.server.addr());
    client.is_polite = false;
    client.send(bytes);
    end_of_frames(&mut client)
}

fn end_of_frames(client: &mut H2) -> End {
    assert_eq!(client.until_closed(), Nothing::Closed);
    match client.goaways[..] {
        [(_, code)] => End::GoAway(code),
        _ => panic!("{:?}", client.goaways),
    }
}

fn idle_frames(mut client: H2) -> End {
    assert_eq!(client.get(1, "/").text(), "hello");
    end_of_frames(&mut client)
}

fn closed_window(site: &Site, settings: &[u8]) -> End {
    let mut client = H2::raw(site.server.addr());
    client.is_polite = false;
    client.send([PREFACE, settings].concat()).ask(1, &get("/large"));
    let reset = client.answer(1).reset;
    client.is_polite = true;
    client.send(frame(Kind::WindowUpdate, 0, 0, 100_000_u32.to_be_bytes()));
    assert_eq!(client.get(3, "/").text(), "hello", "the connection goes on");
    match reset {
        Some(_) => End::Reset,
        None => End::Cut,
    }
}

/// Opens all windows and reads nothing.
fn no_frames(site: &Site) -> End {
    let mut client = H2::raw(site.server.addr());
    client.is_polite = false;
    client.send([PREFACE, &frame(Kind::Settings, 0, 0, b"\0\x04\x7f\xff\xff\xff")].concat());
    client.send(frame(Kind::WindowUpdate, 0, 0, 0x7fff_0000_u32.to_be_bytes())).ask(1, &get("/large"));
    until_true("the answer has begun", || site.server.ledger().sums().writing == 1);
    until_true("the connection is closed", || site.is_deserted());
    assert_eq!(client.until_closed(), Nothing::Closed);
    assert!(client.goaways.is_empty());
    End::Cut
}
