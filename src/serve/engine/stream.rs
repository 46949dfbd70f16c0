//! The connections of `stream`: their input goes to the server's service, its answers go back.

use super::close::DELIVERY_CHECK_MS;
use super::proxy_header::take_proxy_header;
use super::{BATCH_MAX, Engine};
use crate::http::exchange::ConnInfo;
use crate::log::panics::Panic;
use crate::log::{self, LogRef, Origin};
use crate::os::{Addr, ErrnoText};
use crate::serve::accepted::Accepted;
use crate::serve::connection::{Conn, Need, Phase, State};
use crate::serve::output::{Flush, SendOptions};
use crate::serve::session::{Read, Session};
use crate::serve::tls::Wire;
use crate::shm::Protocol;
use crate::stream::{Server, Servers};
use std::fmt;

/// How long a closing connection is read from, and how long it may be silent, ms: as nginx's defaults for HTTP.
const LINGER_MS: u64 = 30_000;
const LINGER_PAUSE_MS: u64 = 5_000;

/// The answers hold no files.
const NO_FILES: SendOptions = SendOptions { sendfile: false, nopush: false, closing: false, most: usize::MAX };

/// The longest header of the PROXY protocol, bytes (`NGX_PROXY_PROTOCOL_MAX_HEADER`).
const STREAM_MAX: usize = 4096;

const READING_HEADER: &str = " while reading PROXY protocol";

/// The origin of an error log line: a connection of `stream`, in the words of ngx_stream_log_error.
struct StreamOrigin<'a> {
    /// The end of the message: ` while reading PROXY protocol`.
    doing: &'static str,
    info: &'a ConnInfo,
    addr: &'a Addr,
    server: &'a Server,
}

impl Origin for StreamOrigin<'_> {
    fn log(&self) -> LogRef {
        self.server.error_log
    }

    fn connection(&self) -> u64 {
        self.info.number
    }

    fn context(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.doing)?;
        match self.info.peer.ip() {
            Some(ip) => write!(f, ", client: {ip}, server: {}", self.addr),
            None => write!(f, ", client: unix:, server: {}", self.addr),
        }
    }
}

fn origin<'a>(streams: &'a Servers, info: &'a ConnInfo) -> StreamOrigin<'a> {
    let (addr, server) = streams.at(info.bound);
    StreamOrigin { doing: "", info, addr, server }
}

impl Engine {
    /// The handling of a connection of `stream` has panicked.
    pub(super) fn stream_panicked(&self, conn: &Conn, panic: &Panic) {
        log::alert!(at: origin(&self.streams, &conn.info), "{panic}");
    }

    /// Takes on a connection that came in by a socket of `stream`; they follow those of `http`.
    pub(super) fn open_stream(&mut self, accepted: Accepted, accept_delay_ms: Option<u32>) -> Conn {
        let Accepted { socket, peer, listener } = accepted;
        let listener = listener - self.site.sockets.len();
        let local = if self.streams.wants_local_address(listener) { socket.local_addr().ok() } else { None };
        let bound = self.streams.bound(listener, local.as_ref()).unwrap_or_default();
        let now = self.clock.now_ms();
        let info = ConnInfo { accept_delay_ms, ..ConnInfo::new(peer, local, bound, self.accepted, now) };
        let server = self.streams.at(bound).1;
        let (phase, timeout) = match self.streams.expects_proxy_header(bound) {
            true => (Phase::ProxyHeader, server.proxy_protocol_timeout()),
            false => (Phase::Serve { frame_until_ms: None }, server.idle_timeout()),
        };
        Conn::new(socket, info, State::Stream(phase), now + timeout, 0)
    }

    /// Sends, answers, reads, until one of them must wait. What a client does not take is not added to: nothing is read
    /// while answers wait to be sent.
    pub(super) fn on_stream(&self, conn: &mut Conn, session: &mut Session, mut phase: Phase, hung_up: bool) -> Need {
        let (_, server) = self.streams.at(conn.info.bound);
        let need = loop {
            if !session.out.is_empty()
                && let Some(need) = self.send(conn, session, server)
            {
                break need;
            }
            match phase {
                Phase::Serve { .. } => {}
                Phase::ProxyHeader => match take_proxy_header(&mut conn.info, session, STREAM_MAX) {
                    Ok(false) => {}
                    Ok(true) => {
                        conn.deadline_ms = self.clock.now_ms() + server.idle_timeout();
                        phase = Phase::Serve { frame_until_ms: None };
                        continue;
                    }
                    Err(broken) => {
                        let origin = StreamOrigin { doing: READING_HEADER, ..origin(&self.streams, &conn.info) };
                        log::error!(at: origin, "{broken}");
                        break Need::Close;
                    }
                },
                Phase::LastWords if conn.shut_write().is_err() => break Need::Close,
                Phase::LastWords => {
                    let now = self.clock.now_ms();
                    phase = Phase::Linger { until_ms: now + LINGER_MS };
                    conn.deadline_ms =
                        now + if self.shutdown.has_begun() { DELIVERY_CHECK_MS } else { LINGER_PAUSE_MS };
                }
                Phase::Linger { until_ms } => break self.on_linger(conn, session, until_ms, LINGER_PAUSE_MS),
            }
            if self.answer(conn, session, server, &mut phase) {
                continue;
            }
            match session.read(Wire::plain(&conn.socket), hung_up) {
                Read::More if phase == Phase::ProxyHeader => {}
                Read::More => conn.deadline_ms = self.clock.now_ms() + server.idle_timeout(),
                Read::Nothing if self.is_done(conn, session, &phase) => phase = Phase::LastWords,
                Read::Nothing => break self.wait(conn, session, server, &mut phase),
                Read::NextTurn => break Need::Turn,
                Read::End => {
                    if session.start < session.input.len() {
                        log::info!(at: origin(&self.streams, &conn.info), "client prematurely closed connection");
                    }
                    break Need::Close;
                }
                Read::Broken(error) => break self.stream_broken(conn, &error),
            }
        };
        conn.state = State::Stream(phase);
        need
    }

    /// Sends what has been answered. `None`: all of it is out.
    fn send(&self, conn: &mut Conn, session: &mut Session, server: &Server) -> Option<Need> {
        let before = session.out.unsent();
        let flushed = session.out.flush(Wire::plain(&conn.socket), NO_FILES);
        let sent = before - session.out.unsent();
        if sent > 0 {
            self.tally.bytes_sent.add(sent);
            conn.deadline_ms = self.clock.now_ms() + server.idle_timeout();
        }
        match flushed {
            Ok(Flush::Done) => None,
            Ok(Flush::Blocked) => Some(Need::Write),
            Ok(Flush::Yield | Flush::Fetch) => Some(Need::Turn),
            Err(error) => Some(self.stream_broken(conn, &error)),
        }
    }

    /// Answers the whole chunks or frames of the input. Returns whether there were any.
    fn answer(&self, conn: &mut Conn, session: &mut Session, server: &Server, phase: &mut Phase) -> bool {
        let Some(input) = session.input.get(session.start..).filter(|input| !input.is_empty()) else { return false };
        let Phase::Serve { .. } = phase else { return false };
        let step = server.answer(input, &mut session.out.bytes, BATCH_MAX);
        session.start += step.used;
        if step.answered == 0 {
            return false;
        }
        self.tally.count_requests(Protocol::Other, step.answered.into());
        conn.info.requests = conn.info.requests.saturating_add(step.answered);
        *phase = Phase::Serve { frame_until_ms: None };
        if let Some(fault) = step.fault {
            log::info!(at: origin(&self.streams, &conn.info), "client sent {fault}");
            *phase = Phase::LastWords;
        }
        true
    }

    /// Waits for the remainder of a frame, or for the next frame: nothing more has come.
    fn wait(&self, conn: &mut Conn, session: &Session, server: &Server, phase: &mut Phase) -> Need {
        if let Phase::Serve { frame_until_ms } = phase
            && session.start < session.input.len()
        {
            let until = *frame_until_ms.get_or_insert(self.clock.now_ms() + server.frame_timeout());
            conn.deadline_ms = conn.deadline_ms.min(until);
            return Need::Read;
        }
        if *phase == Phase::ProxyHeader && session.start < session.input.len() { Need::Read } else { Need::Idle }
    }

    /// Whether a shutdown has begun, and all that was asked is answered. A client that has just come still gets its
    /// answer.
    fn is_done(&self, conn: &Conn, session: &Session, phase: &Phase) -> bool {
        let is_between = matches!(phase, Phase::Serve { .. }) && session.start == session.input.len();
        self.shutdown.has_begun() && is_between && conn.info.requests > 0
    }

    /// Logs that the client was too slow, unless it has its last answer.
    pub(super) fn stream_timed_out(&self, conn: &Conn, phase: Phase) {
        if !matches!(phase, Phase::Linger { .. }) {
            let doing = if phase == Phase::ProxyHeader { READING_HEADER } else { "" };
            let origin = StreamOrigin { doing, ..origin(&self.streams, &conn.info) };
            log::info!(at: origin, "client timed out (110: Connection timed out)");
        }
    }

    fn stream_broken(&self, conn: &Conn, error: &std::io::Error) -> Need {
        let origin = origin(&self.streams, &conn.info);
        log::info!(at: origin, "connection to client failed ({})", ErrnoText(error));
        Need::Close
    }
}
