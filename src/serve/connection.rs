//! A client's connection and its states.
//!
//! ```text
//!                accept
//!                  │
//!                  ▼     response queued
//!  ┌──────────▶ Request ────────────────▶ Flush ──────────────────┐
//!  │             │   ▲                    │   │                   │
//!  │             │   └────── KeepAlive ───┘   │ Discard           │ Close
//!  │             │                            ▼                   ▼
//!  └─────────────┼──────────────────────── Discard ────────────▶ Linger
//!     body over  │                            │       Close       │
//!                ▼                            ▼                   ▼
//!              closed                       closed              closed
//!
//! A connection whose first bytes are the preface of HTTP/2 goes from Request to Http2, and from Handshake if ALPN has
//! chosen it; its streams have exchanges of their own (`serve/http2.rs`). From there it goes to Linger or to the close.
//!
//! With `listen ... ssl` a state Handshake is in front of the first Request, with `proxy_protocol` a state ProxyHeader
//! in front of both.
//!
//!  state    event                                     next state               method of Engine
//!  Handshake  it is over; or the client speaks HTTP     Request                  on_handshake
//!           it fails, the client closes, deadline     closed                   on_handshake, timed_out
//!  Request  a request is whole, another is behind it  Request                  on_request, begin_next
//!           a request is whole                        Flush                    flush_then
//!           bytes that get no response, behind others Flush(Close)             hang_up
//!           bytes that get no response                closed                   hang_up
//!           the client closes, or the socket fails    closed                   abandon, broken
//!           deadline, a request has begun             closed, behind a 408     timed_out
//!           deadline, idle, all is acknowledged       closed                   timed_out
//!  Flush    all is out, KeepAlive                     Request                  begin_next
//!           all is out, Discard                       Discard                  on_flush
//!           all is out, Close                         Linger, closed           close
//!           the socket fails, deadline                closed                   broken, timed_out
//!  Discard  the body is over, KeepAlive               Request                  begin_next
//!           the body is over, Close; or is malformed  Linger, closed           close
//!           the client closes, the socket fails       closed                   on_discard, broken
//!           client_body_timeout, lingering_time       closed                   timed_out, on_discard
//!  Linger   the client closes, lingering_* is over    closed                   on_linger, timed_out
//!
//!  Stream(Serve)      a fault, or a shutdown between frames   Stream(LastWords)   on_stream
//!                     the client closes, the socket fails     closed              on_stream
//!                     deadline                                closed              stream_timed_out
//!  Stream(LastWords)  all is out                              Stream(Linger)      on_stream
//!  Stream(Linger)     as Linger
//! ```
//!
//! A request that the conf holds back (`auth_delay`), or that waits for a thread's work (`serve/jobs.rs`), is in state
//! Wait between Request and the next one (`on_wait`). An answer that waits for a thread stays in Flush.
//!
//! Any state: `Engine::closing`, when a driver closes the connection for another client, or at the end of the process.

use super::http2::Http2;
use super::jobs::Done;
use super::session::Session;
use super::tls::{Sealed, Tls};
use crate::http::exchange::{After, ConnInfo};
use crate::http::h2::frame::Code;
use crate::os::Socket;

/// How long an idle client that must go may still send a request, ms. A client that has its answer and goes on asking
/// is not cut off in the middle of that, as nginx does, but told with its next answer (`Connection: close`), so that a
/// reload fails no request. A program that gets twenty files at a time in one thread comes back to a connection after
/// 70 to 160 ms on a busy machine.
pub(crate) const LULL_MS: u64 = 500;

/// The same for a client that must make room and has just connected, or has its last answer, ms: Node sends the first
/// of sixty requests that long after the handshake. Clients that connect and say nothing can hold each slot that long.
const FIRST_LULL_MS: u64 = 100;

/// The event a connection waits for: the drivers wait, each in its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Bytes from the client.
    Read,
    /// A request, the first one or the next, owning no buffer: it may be closed when room is needed.
    Idle,
    /// The client's end, all answers being out: it may be closed when room is needed.
    Linger,
    /// Room in the kernel's buffer.
    Write,
    /// Either.
    Both,
    /// Its deadline, or a thread's work.
    Time,
    /// Its deadline: the answer is not to go out faster.
    Pause,
    /// The next turn of the loop.
    Turn,
    /// Nothing: it is to be closed.
    Close,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// In front of the first request, whose bytes follow a header of the PROXY protocol.
    ProxyHeader,
    /// In front of the first request, in the handshake of TLS or before it.
    Handshake,
    /// Between requests, or with a part of one.
    Request,
    /// A request waits: until a time, ms of the clock, or for a thread's work.
    Wait { until_ms: Option<u64> },
    /// A response is being sent; what follows when it is out.
    Flush(After),
    /// The response is out; the remaining body of the request is being dropped, until a time, ms of the clock.
    Discard { until_ms: u64 },
    /// The response is out, the write side shut; the client may still be sending.
    Linger { until_ms: u64 },
    /// Speaking HTTP/2: its streams have states of their own.
    Http2,
    /// A connection of `stream`.
    Stream(Phase),
}

impl State {
    /// Whether a session that is blank in this state begins a request with the next byte.
    pub(super) fn precedes_request(self) -> bool {
        matches!(self, State::Request | State::ProxyHeader | State::Handshake)
    }
}

/// The state of a connection of `stream`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// In front of a header of the PROXY protocol.
    ProxyHeader,
    /// Answering. A frame that has begun to arrive must be whole by `frame_until_ms`.
    Serve { frame_until_ms: Option<u64> },
    /// The last answer is on its way.
    LastWords,
    /// The last answer is out, the write side shut; the client may still be sending.
    Linger { until_ms: u64 },
}

/// The bytes a close now would take from a client that is sent nothing and asked for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfinished {
    Nothing,
    /// A request, whose first byte is in the kernel's buffer.
    Request,
    /// The end of the last answer, which the client has not acknowledged.
    Answer,
}

/// When an idle connection may be closed for another, ms of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reusable {
    /// From then on, behind those that have been idle for longer.
    From(u64),
    /// The conf holds it until then.
    HeldUntil(u64),
}

impl Reusable {
    /// The time.
    pub fn time_ms(self) -> u64 {
        match self {
            Reusable::From(ms) | Reusable::HeldUntil(ms) => ms,
        }
    }
}

/// A client's connection. An idle one has no memory besides.
#[derive(Debug)]
pub struct Conn {
    /// Bytes of the client pass only through `Session::read`, `Session::read_raw`, `Engine::on_linger`,
    /// `Output::flush`, `Output::send_sealed` and `Conn::end_tls`; everything else asks the kernel about the
    /// connection.
    pub socket: Socket,
    /// TLS, where the client speaks it: from its first byte on.
    pub(super) tls: Option<Box<Tls>>,
    /// The client, the listen address and the times of the connection, as exchanges see them.
    pub info: ConnInfo,
    pub(super) state: State,
    pub(super) session: Option<Box<Session>>,
    pub(super) http2: Option<Box<Http2>>,
    /// When the wait for the client is over, ms of the loop's clock.
    pub deadline_ms: u64,
    /// Until when it is kept while it is idle, whatever comes, ms of the clock.
    pub(super) keep_until_ms: u64,
    /// The end of its idle time, ms of the clock; 0: it has not been idle since its last answer.
    idle_until_ms: u64,
    /// The client has sent bytes before the response to the request before them was out, and may do so again at any
    /// time.
    pub(super) is_pipelining: bool,
    pub(super) undelivered: Undelivered,
    /// Index of the location of the last exchange, whose timeouts hold.
    pub(super) location: u32,
}

/// Bytes sent and not acknowledged, as the kernel said when it was last asked.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Undelivered {
    pub bytes: u32,
    /// Since when there are so many, ms of the clock.
    pub since_ms: u64,
}

impl Conn {
    /// A connection that has just been accepted.
    pub(super) fn new(socket: Socket, info: ConnInfo, state: State, deadline_ms: u64, location: usize) -> Conn {
        Conn {
            socket,
            tls: None,
            info,
            state,
            session: None,
            http2: None,
            deadline_ms,
            keep_until_ms: 0,
            idle_until_ms: 0,
            is_pipelining: false,
            undelivered: Undelivered::default(),
            location: location as u32,
        }
    }

    /// The job is done that a request waits for, or an answer; of HTTP/2 on this stream, if that is still there.
    pub(super) fn take_done(&mut self, stream: u32, done: Done) {
        let session = match &mut self.http2 {
            Some(http2) => {
                let place = http2.framing.place_of(stream);
                place.and_then(|place| http2.framing.at_mut(place)).map(|stream| &mut stream.data.session)
            }
            None => self.session.as_mut(),
        };
        if let Some(session) = session {
            session.take_done(done);
        }
    }

    /// Whether no request has begun on it yet.
    pub fn is_new(&self) -> bool {
        self.info.requests == 0
    }

    /// Whether its client has sent anything.
    pub(super) fn has_begun(&self) -> bool {
        self.session.is_some() || self.tls.is_some() || !self.is_new()
    }

    /// Whether it has been answered and waits for the next request.
    pub fn is_kept_alive(&self) -> bool {
        self.session.is_none() && !self.is_new()
    }

    /// Whether all its answers are out, and nothing it sends is read any more.
    pub fn is_lingering(&self) -> bool {
        matches!(self.state, State::Linger { .. } | State::Stream(Phase::Linger { .. }))
    }

    /// When it may be closed for another, if it is idle since `idle_since_ms`.
    pub fn reusable(&self, idle_since_ms: u64) -> Reusable {
        let is_silent = self.tls.is_none() && self.is_new();
        let lull = if is_silent || self.is_lingering() { FIRST_LULL_MS } else { LULL_MS };
        let from_ms = idle_since_ms + lull;
        if self.is_kept_alive() && self.keep_until_ms > from_ms {
            return Reusable::HeldUntil(self.keep_until_ms);
        }
        Reusable::From(from_ms)
    }

    /// A shutdown has begun: ends the wait for the next request by `until_ms`, ms of the clock, if it waits for one. A
    /// client that has just come still gets its answer; one of HTTP/2 is told at once, and not again.
    pub fn shorten_idle(&mut self, until_ms: u64) -> bool {
        if let Some(http2) = &self.http2 {
            let is_told = http2.framing.is_ending();
            self.deadline_ms = if is_told { self.deadline_ms } else { 0 };
            return !is_told;
        }
        let is_idle = self.is_kept_alive();
        if is_idle {
            self.wait_until(self.deadline_ms.min(until_ms.max(self.keep_until_ms)));
        }
        is_idle
    }

    /// Its idle time ends at `ms` of the clock.
    pub(super) fn wait_until(&mut self, ms: u64) {
        (self.deadline_ms, self.idle_until_ms) = (ms, ms);
    }

    /// Forgets the idle time under way: the client has been answered.
    pub(super) fn begin_next(&mut self) {
        (self.undelivered, self.idle_until_ms) = (Undelivered::default(), 0);
    }

    /// Goes on with the idle time under way: records of TLS that hold no byte, which a client can send for ever, do not
    /// prolong it. False: there is none.
    pub(super) fn goes_on_waiting(&mut self) -> bool {
        if self.idle_until_ms > 0 {
            self.deadline_ms = self.idle_until_ms;
        }
        self.idle_until_ms > 0
    }

    /// The loss of the client if the connection were closed now. For a connection that waits for its client alone; two
    /// system calls at most.
    pub(super) fn unfinished(&self) -> Unfinished {
        let is_delivered = || self.socket.unacknowledged().map_or(true, |bytes| bytes == 0);
        if self.is_lingering() {
            return if is_delivered() { Unfinished::Nothing } else { Unfinished::Answer };
        }
        match self.socket.has_input() {
            true => Unfinished::Request,
            false if !is_delivered() => Unfinished::Answer,
            false => Unfinished::Nothing,
        }
    }

    /// Sends a FIN in front of the close. A byte that comes between `unfinished` and a close alone would make a reset
    /// of it, which clients do not take for the end of an idle connection (`ab -k` gives up).
    pub(super) fn say_goodbye(&mut self) {
        // Best effort: the close follows.
        if let Some(http2) = &mut self.http2 {
            let (mut goaway, mut sealed) = (Vec::new(), Sealed::default());
            http2.framing.end(Code::NoError, &mut goaway);
            let is_sealed = self.tls.as_mut().map(|tls| tls.seal(&goaway, &mut sealed));
            let _ = match is_sealed {
                None => self.socket.send(&goaway, false),
                Some(_) => self.socket.send(sealed.bytes(), false),
            };
        }
        let _ = self.shut_write();
    }

    /// Ends the stream of bytes to the client. To be called when all that is queued is out.
    pub(super) fn shut_write(&mut self) -> std::io::Result<()> {
        self.end_tls();
        self.socket.shutdown_write()
    }

    /// Tells the client within TLS that nothing more will be sent, unless it has been told, or will not be: see
    /// `silence`. Best effort, as the close follows.
    pub(super) fn end_tls(&mut self) {
        let Some(tls) = &mut self.tls else { return };
        let mut sealed = Sealed::default();
        tls.say_goodbye(&mut sealed);
        if !sealed.bytes().is_empty() {
            let _ = self.socket.send(sealed.bytes(), false);
        }
    }

    /// The close will be one without a word within TLS: the client has closed, or has not got all of an answer
    /// (`ngx_ssl_shutdown`).
    pub(super) fn silence(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.is_silent = true;
        }
    }

    /// Whether a part of a record has come.
    pub(super) fn has_part(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.has_part())
    }

    /// The protocol that ALPN has chosen, once the handshake is over.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.tls.as_ref()?.session()?.alpn_protocol()
    }
}
