//! The ends of a connection: the orderly close, silence, slowness, a broken socket.

use super::Engine;
use crate::http::exchange::error_lines;
use crate::http::exchange::limits;
use crate::http::exchange::lingering::{LINGERING_CLOSE, LINGERING_TIME, LINGERING_TIMEOUT, Lingering};
use crate::http::exchange::{Action, After, Cx, Exchange, Stage};
use crate::serve::connection::{Conn, Need, State, Undelivered};
use crate::serve::pace::Pace;
use crate::serve::session::{INPUT_SIZE, READS_A_TURN, Session};
use crate::serve::tls::Wire;
use std::io;

/// How often a process that shuts down checks whether its clients have acknowledged what they were sent, ms.
pub(super) const DELIVERY_CHECK_MS: u64 = 100;

/// How long a client that has been sent its last bytes has to take them, ms.
const DELIVERY_MS: u64 = 30_000;

/// The status of a close without an answer that nginx takes for a time-out (`NGX_HTTP_CLOSE`).
pub(super) const SILENT: u16 = 444;

/// Behind a response of more bytes a close asks whether the client has them: a reset would take the remainder from a
/// client that has sent more. Most shorter responses are acknowledged by then, and the question costs a system call.
const LARGE: u64 = 64 << 10;

impl Engine {
    /// Closes without a response, when the responses to earlier requests are out. `None`: they are on their way.
    pub(super) fn hang_up(&mut self, conn: &mut Conn, session: &mut Session) -> Option<Need> {
        if !session.out.is_empty() {
            self.flush_then(conn, After::Close { linger: true });
            return None;
        }
        if session.ex.status() == SILENT {
            conn.location = session.ex.location() as u32;
            self.set_timeout_reset(conn);
        }
        if session.ex.status() != 0 {
            self.finish(conn, session);
        }
        Some(Need::Close)
    }

    /// Counts and logs a request in the middle of whose head the client has gone. `complain` writes to the error log.
    pub(super) fn abandon(&mut self, conn: &mut Conn, session: &mut Session, complain: impl FnOnce(&Exchange, &Cx)) {
        conn.info.requests += 1;
        let Session { input, start, ex, .. } = &mut *session;
        let cx = cx!(self, conn, input.get(*start..).unwrap_or_default());
        ex.abandon(&cx);
        complain(ex, &cx);
        self.finish(conn, session);
    }

    /// To `Linger`, or to the close. To be called when the last response is in the kernel's buffer: a close then would
    /// be a reset for a client that sends more, and take from it what is on its way (RFC 9112, 9.6). So a client that
    /// may send more is waited for. `None`: it is.
    pub(super) fn close(&mut self, conn: &mut Conn, session: &mut Session, linger: bool) -> Option<Need> {
        let linger = match self.site.location(conn.location as usize).scope.get(&LINGERING_CLOSE) {
            Lingering::Off => false,
            Lingering::On => linger || self.may_send_more(conn, session),
            Lingering::Always => true,
        };
        if !(linger || self.shutdown.has_begun()) || conn.shut_write().is_err() {
            return Some(Need::Close);
        }
        let now = self.clock.now_ms();
        conn.state = State::Linger { until_ms: now + self.timeout(conn, &LINGERING_TIME) };
        // A process that shuts down may be the last of its network namespace, which takes along what is not
        // acknowledged.
        conn.deadline_ms = now + if linger { self.timeout(conn, &LINGERING_TIMEOUT) } else { DELIVERY_CHECK_MS };
        None
    }

    /// Whether the client may send more, or may lose some of its answer by a reset.
    fn may_send_more(&mut self, conn: &mut Conn, session: &mut Session) -> bool {
        let is_large = session.ex.bytes_sent() > LARGE;
        conn.is_pipelining
            || session.has_waited
            || session.reads_more(wire!(self, conn))
            || is_large && conn.socket.unacknowledged().is_ok_and(|left| left > 0)
    }

    /// Finds out whether the client still takes what was sent, and notes how much it has not acknowledged. To be asked
    /// when a connection's time is up, not before: the question costs a system call. A client that has taken nothing
    /// for `DELIVERY_MS`, or for `send_timeout` if that is less, does not any more.
    fn check_delivery(&self, conn: &mut Conn) -> bool {
        let (now_ms, bytes) = (self.clock.now_ms(), conn.socket.unacknowledged().unwrap_or(0));
        if bytes != conn.undelivered.bytes {
            conn.undelivered = Undelivered { bytes, since_ms: now_ms };
        }
        let patience = match conn.state {
            State::Stream(_) => DELIVERY_MS,
            _ => DELIVERY_MS.min(self.rules(conn).send_timeout_ms),
        };
        bytes > 0 && now_ms < conn.undelivered.since_ms + patience
    }

    /// Reads and drops until the client has closed, or is silent for `pause_ms`, so that no reset takes the response
    /// from it.
    pub(super) fn on_linger(&self, conn: &mut Conn, session: &mut Session, until_ms: u64, pause_ms: u64) -> Need {
        let now = self.clock.now_ms();
        for _ in 0..READS_A_TURN {
            session.input.clear();
            session.start = 0;
            session.input.reserve(INPUT_SIZE);
            match conn.socket.recv_into(&mut session.input) {
                Ok(0) => return Need::Close,
                Ok(_) if now < until_ms => conn.deadline_ms = until_ms.min(now + pause_ms),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Need::Linger,
                _ => return Need::Close,
            }
        }
        Need::Turn
    }

    /// The deadline of the connection has passed. Returns what there is to do still: to close, or to go on, because the
    /// client only seems idle.
    pub fn timed_out(&mut self, conn: &mut Conn) -> Need {
        self.last_guarded(|engine| engine.find_timed_out(conn)).unwrap_or(Need::Close)
    }

    fn find_timed_out(&mut self, conn: &mut Conn) -> Need {
        // Its next turn finds out which of its deadlines it is.
        if conn.state == State::Http2 {
            return Need::Turn;
        }
        let is_unfinished = match conn.state {
            // A close would take from an idle client what is on its way, or the answer to a request that is there.
            _ if conn.session.is_none() => self.check_delivery(conn) || conn.socket.has_input(),
            _ => conn.is_lingering() && self.check_delivery(conn),
        };
        if is_unfinished {
            conn.wait_until(self.clock.now_ms() + DELIVERY_CHECK_MS);
            return Need::Turn;
        }
        let has_waited = |session: &Session| match conn.state {
            State::Wait { .. } => session.out.is_empty(),
            _ => session.out.is_fetching() || session.pace.as_ref().is_some_and(Pace::is_paused),
        };
        if conn.session.as_deref().is_some_and(has_waited) {
            return Need::Turn;
        }
        if conn.state == State::Handshake {
            return self.handshake_timed_out(conn);
        }
        let Some(mut session) = conn.session.take() else {
            self.silent_timed_out(conn);
            return Need::Close;
        };
        match conn.state {
            State::Stream(phase) => self.stream_timed_out(conn, phase),
            State::ProxyHeader => error_lines::proxy_header_timed_out(&self.cx(conn, &session)),
            // The client has its answer, which a reset could take from it.
            State::Linger { .. } | State::Handshake => {}
            State::Discard { until_ms } if self.clock.now_ms() >= until_ms => {}
            State::Request if session.out.is_empty() => self.request_timed_out(conn, &mut session),
            state => {
                let is_body = matches!(state, State::Discard { .. });
                let write_line = if is_body { error_lines::body_timed_out } else { error_lines::send_timed_out };
                write_line(&session.ex, &self.cx(conn, &session));
                self.cut_short(conn, &mut session);
                self.set_timeout_reset(conn);
            }
        }
        self.account(conn, &mut session, Need::Close);
        self.recycle(session);
        Need::Close
    }

    /// Logs that a client has sent nothing, unless it has been answered before.
    fn silent_timed_out(&self, conn: &Conn) {
        let cx = cx!(self, conn, &[]);
        match conn.state {
            State::ProxyHeader => error_lines::proxy_header_timed_out(&cx),
            State::Request if conn.is_new() => error_lines::wait_timed_out(&cx),
            _ => {}
        }
    }

    /// Answers 408 to the part of a request; without one there is nothing to answer.
    fn request_timed_out(&mut self, conn: &mut Conn, session: &mut Session) {
        conn.info.requests += 1;
        let Session { input, start, ex, out, .. } = &mut *session;
        let cx = cx!(self, conn, input.get(*start..).unwrap_or_default());
        if !matches!(ex.timed_out(&cx, &mut out.bytes), Action::Send(_)) {
            return self.set_timeout_reset(conn);
        }
        // A single try: a client this slow is not waited for again.
        let options = self.send_options(conn);
        let _ = session.out.flush(wire!(self, conn), options);
        if !session.out.is_empty() {
            conn.silence();
        }
        self.finish(conn, session);
    }

    /// Makes the close that follows a time-out a reset, where the conf says so (`reset_timedout_connection`).
    pub(super) fn set_timeout_reset(&self, conn: &Conn) {
        if *self.site.location(conn.location as usize).scope.get(&limits::RESET_TIMEDOUT_CONNECTION) {
            // Best effort: without the RST the connection closes in the usual way.
            let _ = conn.socket.set_linger_reset();
        }
    }

    pub(super) fn broken(&mut self, conn: &mut Conn, session: &mut Session, error: &io::Error) -> Need {
        conn.silence();
        let has_begun = session.start < session.input.len();
        if matches!(conn.state, State::Request) && has_begun && session.out.is_empty() {
            self.abandon(conn, session, |ex, cx| error_lines::connection_broken(ex, cx, error));
        } else {
            error_lines::connection_broken(&session.ex, &self.cx(conn, session), error);
        }
        self.cut_short(conn, session);
        Need::Close
    }

    /// Counts and logs the response under way, if there is one: no more of it is sent.
    fn cut_short(&mut self, conn: &mut Conn, session: &mut Session) {
        if !session.out.is_empty() {
            conn.silence();
        }
        if matches!(conn.state, State::Flush(_)) {
            session.ex.cut_short(session.out.unsent());
            self.finish(conn, session);
        }
    }

    /// Counts and logs what the connection leaves unfinished. To be called before its close, whatever it was doing.
    pub fn closing(&mut self, conn: &mut Conn) {
        self.last_guarded(|engine| engine.give_up(conn));
    }

    fn give_up(&mut self, conn: &mut Conn) {
        self.http2_closing(conn);
        let Some(mut session) = conn.session.take() else {
            conn.end_tls();
            return self.publish(conn, Stage::Waiting);
        };
        self.cut_short(conn, &mut session);
        conn.end_tls();
        self.account(conn, &mut session, Need::Close);
        self.recycle(session);
    }
}
