//! Clients that go on asking while faults come, and tell what they have lost and on which connection. Five kinds are
//! here; a suite may add its own.

use std::fmt::{self, Display, Formatter};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::client::{Client, Nothing};
use super::h2::{H2, get};
use super::tls::Wish;
use super::{PATIENCE, until_true};

/// A pause that a client makes while it reads slowly, or waits for the word to go on.
const PAUSE: Duration = Duration::from_millis(2);
/// Requests on a connection before its client closes it.
const KEPT_FOR: u64 = 20;
/// RST_STREAM with it says that a request may be sent again (RFC 9113 section 8.7).
const REFUSED_STREAM: u32 = 7;

/// How a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nobody listened.
    Refused,
    /// The connection ended before its time.
    Closed,
    /// The answer is a 5xx.
    Unable,
    /// There is no answer, or a wrong one: no fault is a reason for that.
    Wrong,
}

/// A request that has failed.
#[derive(Clone, Debug)]
pub struct Lost {
    pub loss: Loss,
    /// The client's port; 0: it has not connected.
    pub port: u16,
    /// When the client connected, and when it lost.
    pub from: Instant,
    pub at: Instant,
    pub what: String,
}

impl Display for Lost {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Lost { loss, port, from, at, what } = self;
        let (waited, since) = ((*at - *from).as_millis(), at.elapsed().as_millis());
        write!(f, "{what}: {loss:?}, port {port}, {waited} ms after it connected, {since} ms ago")
    }
}

/// The clients.
pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    stop: AtomicBool,
    is_paused: AtomicBool,
    resting: AtomicUsize,
    /// The server's port.
    port: AtomicU16,
    opened: AtomicU64,
    served: Vec<AtomicU64>,
    /// The times of answers in microseconds, but for those that are slow by the client's own doing.
    times: Mutex<Vec<u32>>,
    lost: Mutex<Vec<Lost>>,
    kinds: Vec<Kind>,
    orders: Orders,
}

/// The orders of all clients.
pub struct Orders {
    pub wish: Wish,
    /// The file that the server has at /large.
    pub large: Vec<u8>,
    /// Between the requests of a client: several tests share two CPUs.
    pub pace: Duration,
}

/// A kind of client: its name, and a connection of it with all its requests.
pub struct Kind {
    name: &'static str,
    body: Box<Body>,
}

type Body = dyn Fn(&Asker<'_>) -> Option<()> + Send + Sync;

impl Kind {
    pub fn new(name: &'static str, body: impl Fn(&Asker<'_>) -> Option<()> + Send + Sync + 'static) -> Kind {
        Kind { name, body: Box::new(body) }
    }

    /// The kinds of this file.
    pub fn common() -> Vec<Kind> {
        vec![
            Kind::new("short", short),
            Kind::new("kept", kept),
            Kind::new("large", large),
            Kind::new("secure", secure),
            Kind::new("http2", http2),
        ]
    }
}

/// A client of one kind.
pub struct Asker<'a> {
    shared: &'a Shared,
    kind: usize,
}

/// An attempt at a connection.
pub struct Try<'a> {
    client: &'a Asker<'a>,
    pub from: Instant,
    pub port: u16,
}

impl Load {
    /// Starts a client of each kind, which rest until [`Load::go_on`].
    pub fn start(orders: Orders, kinds: Vec<Kind>) -> Load {
        let clients = kinds.len();
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            is_paused: AtomicBool::new(true),
            resting: AtomicUsize::new(0),
            port: AtomicU16::new(0),
            opened: AtomicU64::new(0),
            served: kinds.iter().map(|_| AtomicU64::new(0)).collect(),
            times: Mutex::default(),
            lost: Mutex::default(),
            kinds,
            orders,
        });
        let start = |kind: usize| {
            let shared = shared.clone();
            thread::spawn(move || Asker { shared: &shared, kind }.run())
        };
        let threads = (0..clients).map(start).collect();
        Load { shared, threads }
    }

    /// The clients ask the server at this port from now on.
    pub fn go_on(&self, port: u16) {
        self.shared.port.store(port, SeqCst);
        self.shared.is_paused.store(false, SeqCst);
    }

    /// Returns when no client has a connection.
    #[track_caller]
    pub fn pause(&self) {
        self.shared.is_paused.store(true, SeqCst);
        until_true("the clients rest", || self.shared.resting.load(SeqCst) == self.threads.len());
    }

    /// Connections that were made.
    pub fn opened(&self) -> u64 {
        self.shared.opened.load(SeqCst)
    }

    /// Counts a connection that somebody else has made.
    pub fn count_opened(&self) {
        self.shared.opened.fetch_add(1, SeqCst);
    }

    /// Returns when each client has been served again; panics with who has not.
    #[track_caller]
    pub fn wait_for_more(&self) {
        let counts = || -> Vec<u64> { self.shared.served.iter().map(|count| count.load(SeqCst)).collect() };
        let before = counts();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let starving: Vec<&str> = counts()
                .iter()
                .zip(&before)
                .zip(&self.shared.kinds)
                .filter(|((now, before), _)| now == before)
                .map(|(_, kind)| kind.name)
                .collect();
            if starving.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "not served for {PATIENCE:?}: {starving:?}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// The losses since the last call.
    pub fn take_lost(&self) -> Vec<Lost> {
        std::mem::take(&mut *self.shared.lost.lock().expect("losses"))
    }

    /// The times of answers since the last call, in microseconds.
    pub fn take_times(&self) -> Vec<u32> {
        std::mem::take(&mut *self.shared.times.lock().expect("times"))
    }

    /// Requests that were answered, by the kind of client.
    pub fn answered_by_kind(&self) -> Vec<(&'static str, u64)> {
        let counts = self.shared.kinds.iter().zip(&self.shared.served);
        counts.map(|(kind, count)| (kind.name, count.load(SeqCst))).collect()
    }

    /// Requests that were answered.
    pub fn answered(&self) -> u64 {
        self.shared.served.iter().map(|count| count.load(SeqCst)).sum()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        if !thread::panicking() {
            self.threads.drain(..).for_each(|thread| thread.join().expect("a client"));
        }
    }
}

impl Asker<'_> {
    fn run(&self) {
        while !self.shared.stop.load(SeqCst) {
            if self.shared.is_paused.load(SeqCst) {
                self.shared.resting.fetch_add(1, SeqCst);
                while self.shared.is_paused.load(SeqCst) && !self.shared.stop.load(SeqCst) {
                    thread::sleep(PAUSE);
                }
                self.shared.resting.fetch_sub(1, SeqCst);
                continue;
            }
            if (self.shared.kinds[self.kind].body)(self).is_none() {
                thread::sleep(5 * PAUSE);
            }
        }
    }

    /// The orders of all clients.
    pub fn orders(&self) -> &Orders {
        &self.shared.orders
    }

    /// Counts a request that was sent at that time, and waits a little; false: it is time to end the connection.
    pub fn served_since(&self, sent: Instant) -> bool {
        let time = sent.elapsed().as_micros().try_into().unwrap_or(u32::MAX);
        self.shared.times.lock().expect("times").push(time);
        self.served()
    }

    /// The same for a request whose time says nothing about the server.
    pub fn served(&self) -> bool {
        self.shared.served[self.kind].fetch_add(1, SeqCst);
        thread::sleep(self.shared.orders.pace);
        !self.shared.stop.load(SeqCst) && !self.shared.is_paused.load(SeqCst)
    }

    /// Takes a note of a wrong answer, for which no fault is a reason.
    pub fn wrong<T>(&self, what: String) -> Option<T> {
        Try { client: self, from: Instant::now(), port: 0 }.lost(Loss::Wrong, what)
    }

    /// Connects to the server; `None`: nobody listens, which is noted.
    pub fn connect(&self, host: Ipv4Addr) -> Option<(TcpStream, Try<'_>)> {
        let mut attempt = Try { client: self, from: Instant::now(), port: 0 };
        let addr: SocketAddr = (host, self.shared.port.load(SeqCst)).into();
        match TcpStream::connect(addr) {
            Ok(stream) => {
                self.shared.opened.fetch_add(1, SeqCst);
                attempt.port = stream.local_addr().map_or(0, |addr| addr.port());
                let _ = stream.set_nodelay(true);
                stream.set_read_timeout(Some(PATIENCE)).expect("SO_RCVTIMEO");
                Some((stream, attempt))
            }
            Err(error) => attempt.lost(Loss::Refused, error.to_string()),
        }
    }
}

impl Try<'_> {
    /// Takes a note of a loss. Returns `None`, for the caller to return.
    pub fn lost<T>(&self, loss: Loss, what: String) -> Option<T> {
        let name = self.client.shared.kinds[self.client.kind].name;
        let lost = Lost { loss, port: self.port, from: self.from, at: Instant::now(), what: format!("{name}: {what}") };
        self.client.shared.lost.lock().expect("losses").push(lost);
        None
    }

    /// Takes a note of an answer that has not come.
    pub fn nothing<T>(&self, nothing: Nothing, what: &str) -> Option<T> {
        let loss = if nothing == Nothing::Closed { Loss::Closed } else { Loss::Wrong };
        self.lost(loss, format!("{what}: {nothing:?}"))
    }

    /// The answer to a request for `target` at /n/, which is the target.
    pub fn check(&self, target: &str, status: &str, body: &[u8]) -> Option<()> {
        match (status, body == target.as_bytes()) {
            ("200", true) => Some(()),
            ("500" | "503", _) => self.lost(Loss::Unable, format!("{target}: {status}")),
            _ => self.lost(Loss::Wrong, format!("{target}: {status} {:?}", String::from_utf8_lossy(body))),
        }
    }
}

fn short(client: &Asker<'_>) -> Option<()> {
    let (stream, attempt) = client.connect(Ipv4Addr::LOCALHOST)?;
    let target = format!("/n/short{}", attempt.port);
    ask_once(client, &attempt, Client::of(stream), &target)
}

/// Asks for a target, as the only request of a connection.
pub fn ask_once(client: &Asker<'_>, attempt: &Try<'_>, mut wire: Client, target: &str) -> Option<()> {
    let sent = Instant::now();
    wire.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    match wire.response() {
        Ok(response) => attempt.check(target, &response.status.to_string(), &response.body)?,
        Err(nothing) => return attempt.nothing(nothing, target),
    }
    client.served_since(sent);
    Some(())
}

fn kept(client: &Asker<'_>) -> Option<()> {
    let (stream, attempt) = client.connect(Ipv4Addr::LOCALHOST)?;
    let mut wire = Client::of(stream);
    for number in 0..KEPT_FOR {
        // A file, and a text of the conf.
        let target = format!("/n/kept{number}");
        let (asked, expected) = if number % 2 == 0 { (&*target, &*target) } else { ("/small", "small") };
        let sent = Instant::now();
        wire.send(format!("GET {asked} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        let response = match wire.response() {
            Ok(response) => response,
            // The server closed an idle connection while the request was on its way (RFC 9112 section 9.3.1): a client
            // asks again.
            Err(Nothing::Closed) if number > 0 => return Some(()),
            Err(nothing) => return attempt.nothing(nothing, asked),
        };
        attempt.check(expected, &response.status.to_string(), &response.body)?;
        if !client.served_since(sent) || response.header("Connection") == Some("close") {
            break;
        }
    }
    Some(())
}

/// A client that reads slower than the server could send.
fn large(client: &Asker<'_>) -> Option<()> {
    let (mut stream, attempt) = client.connect(Ipv4Addr::LOCALHOST)?;
    let request = b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    if let Err(error) = stream.write_all(request) {
        return attempt.lost(Loss::Closed, format!("/large: {error}"));
    }
    let (mut answer, mut room) = (Vec::new(), [0; 64 << 10]);
    loop {
        match stream.read(&mut room) {
            Ok(0) => break,
            Ok(n) => answer.extend_from_slice(&room[..n]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                return attempt.lost(Loss::Wrong, format!("/large: silence after {} bytes", answer.len()));
            }
            Err(error) => return attempt.lost(Loss::Closed, format!("/large: {error} after {} bytes", answer.len())),
        }
        thread::sleep(PAUSE / 2);
    }
    let at = memchr::memmem::find(&answer, b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    // A killed worker may have sent a part of the head, or no more than the head.
    if answer[at..].len() < client.orders().large.len() && answer.starts_with(b"HTTP/1.1 200") {
        return attempt.lost(Loss::Closed, format!("/large: ended after {} bytes", answer.len()));
    }
    match answer.get(9..12).unwrap_or_default() {
        b"200" if answer[at..] == client.orders().large => {}
        b"500" | b"503" => return attempt.lost(Loss::Unable, "/large: 50x".to_owned()),
        b"" => return attempt.lost(Loss::Closed, "/large: closed".to_owned()),
        _ => {
            let head = String::from_utf8_lossy(&answer[..at.min(500)]).into_owned();
            return attempt.lost(Loss::Wrong, format!("/large: {} bytes, {head:?}", answer.len()));
        }
    }
    client.served();
    Some(())
}

fn secure(client: &Asker<'_>) -> Option<()> {
    let (stream, attempt) = client.connect(Ipv4Addr::new(127, 0, 0, 2))?;
    let target = format!("/n/secure{}", attempt.port);
    let wire = match Client::of(stream).shake_hands(&client.orders().wish) {
        Ok(wire) => wire,
        Err(error) => return attempt.lost(Loss::Closed, format!("handshake for {target}: {error}")),
    };
    ask_once(client, &attempt, wire, &target)
}

/// Two streams at a time.
fn http2(client: &Asker<'_>) -> Option<()> {
    let (stream, attempt) = client.connect(Ipv4Addr::LOCALHOST)?;
    let mut wire = H2::begin(stream);
    for round in 0..KEPT_FOR as u32 / 2 {
        let streams = [round * 4 + 1, round * 4 + 3];
        let target = |stream: u32| format!("/n/http2-{stream}");
        let sent = Instant::now();
        streams.iter().for_each(|stream| _ = wire.ask(*stream, &get(&target(*stream))));
        let over = wire.until_over(streams);
        for stream in streams {
            let answer = wire.answers.get(&stream).cloned().unwrap_or_default();
            // Not seen by the server (RFC 9113 section 6.8): a client asks again on another connection.
            if wire.goaways.iter().any(|(last, _)| stream > *last) || answer.reset == Some(REFUSED_STREAM) {
                return Some(());
            }
            if !answer.is_whole {
                let nothing = over.err().unwrap_or(Nothing::Closed);
                return attempt.nothing(nothing, &format!("{}, GOAWAYs {:?}", target(stream), wire.goaways));
            }
            attempt.check(&target(stream), answer.status(), &answer.body)?;
        }
        if !client.served_since(sent) || !wire.goaways.is_empty() {
            break;
        }
    }
    Some(())
}
