//! The connections of `stream`: what comes goes to the server's service, its answers go back.

use super::ends::{LINGER_MS, LINGER_PAUSE_MS};
use super::{Active, BATCH_MAX, Conn, Engine, Fill, Need, State};
use crate::http::exchange::ConnInfo;
use crate::log::{self, LogRef, Place};
use crate::os::{Addr, ErrnoText, Socket};
use crate::serve::LOOK_MS;
use crate::serve::output::{Flush, How};
use crate::stream::{Server, Servers};
use std::fmt;

/// There are no files among the answers.
const NO_FILES: How = How { sendfile: false, nopush: false, closing: false };

/// Where such a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Answering. A frame that has begun to arrive must be whole by `frame_until_ms`.
    Serve { frame_until_ms: Option<u64> },
    /// The last answer is on its way.
    LastWords,
    /// It is out, the write side shut; the client may still be sending.
    Linger { until_ms: u64 },
}

/// A connection as a place of the error log, in the words of ngx_stream_log_error.
struct Here<'a> {
    info: &'a ConnInfo,
    addr: &'a Addr,
    server: &'a Server,
}

impl Place for Here<'_> {
    fn log(&self) -> LogRef {
        self.server.error_log
    }

    fn connection(&self) -> u64 {
        self.info.number
    }

    fn context(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.info.peer.ip() {
            Some(ip) => write!(f, ", client: {ip}, server: {}", self.addr),
            None => write!(f, ", client: unix:, server: {}", self.addr),
        }
    }
}

fn here<'a>(streams: &'a Servers, info: &'a ConnInfo) -> Here<'a> {
    let (addr, server) = streams.at(info.bound);
    Here { info, addr, server }
}

impl Engine {
    /// Takes on a connection of `listener`, counted among the sockets of `stream`.
    pub(super) fn open_stream(
        &mut self,
        socket: Socket,
        peer: Addr,
        listener: usize,
        accept_delay_ms: Option<u32>,
    ) -> Conn {
        let local = if self.streams.wants_local_address(listener) { socket.local_addr().ok() } else { None };
        let bound = self.streams.bound(listener, local.as_ref()).unwrap_or_default();
        let now = self.clock.now_ms();
        Conn {
            socket,
            info: ConnInfo { accept_delay_ms, ..ConnInfo::new(peer, local, bound, self.accepted, now) },
            state: State::Stream(Phase::Serve { frame_until_ms: None }),
            active: None,
            deadline_ms: now + self.streams.at(bound).1.idle_timeout(),
            is_pipelining: false,
            undelivered: (0, 0),
            location: 0,
        }
    }

    /// Sends, answers, reads, until one of them must wait. What a client does not take is not added to: nothing is read
    /// while answers wait to be sent.
    pub(super) fn on_stream(&self, conn: &mut Conn, active: &mut Active, mut phase: Phase, hung_up: bool) -> Need {
        let (_, server) = self.streams.at(conn.info.bound);
        let need = loop {
            if !active.out.is_empty()
                && let Some(need) = self.send(conn, active, server)
            {
                break need;
            }
            match phase {
                Phase::Serve { .. } => {}
                Phase::LastWords if conn.socket.shutdown_write().is_err() => break Need::Close,
                Phase::LastWords => {
                    let now = self.clock.now_ms();
                    phase = Phase::Linger { until_ms: now + LINGER_MS };
                    conn.deadline_ms = now + if self.shutdown.has_begun() { LOOK_MS } else { LINGER_PAUSE_MS };
                }
                Phase::Linger { until_ms } => break self.on_linger(conn, active, until_ms),
            }
            if self.answer(conn, active, server, &mut phase) {
                continue;
            }
            match active.fill(&conn.socket, hung_up) {
                Fill::More => conn.deadline_ms = self.clock.now_ms() + server.idle_timeout(),
                Fill::Nothing if self.is_done(conn, active, &phase) => phase = Phase::LastWords,
                Fill::Nothing => break self.wait(conn, active, server, &mut phase),
                Fill::Later => break Need::Turn,
                Fill::End => {
                    if active.start < active.input.len() {
                        log::info!(at: here(&self.streams, &conn.info), "client prematurely closed connection");
                    }
                    break Need::Close;
                }
                Fill::Broken(error) => break self.stream_broken(conn, &error),
            }
        };
        conn.state = State::Stream(phase);
        need
    }

    /// Sends what has been answered. `None`: all of it is out.
    fn send(&self, conn: &mut Conn, active: &mut Active, server: &Server) -> Option<Need> {
        let before = active.out.left();
        let flushed = active.out.flush(&conn.socket, NO_FILES);
        let sent = before - active.out.left();
        if sent > 0 {
            self.tally.bytes_sent.add(sent);
            conn.deadline_ms = self.clock.now_ms() + server.idle_timeout();
        }
        match flushed {
            Ok(Flush::Done) => None,
            Ok(Flush::Blocked) => Some(Need::Write),
            Ok(Flush::Yield) => Some(Need::Turn),
            Err(error) => Some(self.stream_broken(conn, &error)),
        }
    }

    /// Answers what is whole of the input. Returns whether there was anything.
    fn answer(&self, conn: &mut Conn, active: &mut Active, server: &Server, phase: &mut Phase) -> bool {
        let Some(input) = active.input.get(active.start..).filter(|input| !input.is_empty()) else { return false };
        let Phase::Serve { .. } = phase else { return false };
        let step = server.answer(input, &mut active.out.bytes, BATCH_MAX);
        active.start += step.used;
        if step.answered == 0 {
            return false;
        }
        self.tally.requests.add(step.answered.into());
        conn.info.requests = conn.info.requests.saturating_add(step.answered);
        *phase = Phase::Serve { frame_until_ms: None };
        if let Some(fault) = step.fault {
            log::info!(at: here(&self.streams, &conn.info), "client sent {fault}");
            *phase = Phase::LastWords;
        }
        true
    }

    /// Nothing more has come: waits for the rest of a frame, or for the next.
    fn wait(&self, conn: &mut Conn, active: &Active, server: &Server, phase: &mut Phase) -> Need {
        if let Phase::Serve { frame_until_ms } = phase
            && active.start < active.input.len()
        {
            let until = *frame_until_ms.get_or_insert(self.clock.now_ms() + server.frame_timeout());
            conn.deadline_ms = conn.deadline_ms.min(until);
            return Need::Read;
        }
        Need::Idle
    }

    /// Whether the worker leaves, and has answered all that was asked. One that leaves still answers who has just come.
    fn is_done(&self, conn: &Conn, active: &Active, phase: &Phase) -> bool {
        let is_between = matches!(phase, Phase::Serve { .. }) && active.start == active.input.len();
        self.shutdown.has_begun() && is_between && conn.info.requests > 0
    }

    /// The client was too slow.
    pub(super) fn stream_timed_out(&mut self, conn: &mut Conn, phase: Phase) -> Need {
        if let Some(active) = conn.active.take() {
            if !matches!(phase, Phase::Linger { .. }) {
                log::info!(at: here(&self.streams, &conn.info), "client timed out (110: Connection timed out)");
            }
            self.recycle(active);
        }
        Need::Close
    }

    fn stream_broken(&self, conn: &Conn, error: &std::io::Error) -> Need {
        let place = here(&self.streams, &conn.info);
        log::info!(at: place, "connection to client failed ({})", ErrnoText(error));
        Need::Close
    }
}
