//! How a connection ends other than well: silence, slowness, a broken socket.

use super::active::{Active, INPUT_SIZE, READS_A_TURN};
use super::{Conn, Engine, Need, State};
use crate::http::exchange::error_lines;
use crate::http::exchange::limits;
use crate::http::exchange::{Action, After, Cx, Stage};
use crate::serve::LOOK_MS;
use std::io;

/// nginx's lingering_timeout and lingering_time: how long a closing connection is read from, ms.
pub(super) const LINGER_PAUSE_MS: u64 = 5_000;
pub(super) const LINGER_MS: u64 = 30_000;

/// Behind a response of more bytes a close asks whether the client has them: a reset would take the rest from one that
/// has sent more. Most shorter ones are acknowledged by then, and the question costs a system call.
const LARGE: u64 = 64 << 10;

impl Engine {
    /// Closes without a response; those to the requests before it go out first. `None`: they do.
    pub(super) fn hang_up(&mut self, conn: &mut Conn, active: &mut Active) -> Option<Need> {
        if !active.out.is_empty() {
            self.send_last(conn, After::Close { linger: true });
            return None;
        }
        if active.ex.status() != 0 {
            self.finish(conn, active);
        }
        Some(Need::Close)
    }

    /// The client has closed in the middle of a request.
    pub(super) fn abandon(&mut self, conn: &mut Conn, active: &mut Active) {
        conn.info.requests += 1;
        let Active { input, start, ex, .. } = &mut *active;
        ex.abandon(&cx!(self, conn, input.get(*start..).unwrap_or_default()));
        self.finish(conn, active);
    }

    /// The last response is in the kernel's buffer. A close now would be a reset for a client that sends more, and
    /// takes from it what is on its way (RFC 9112, 9.6): one that may is waited for. `None`: it is.
    pub(super) fn close(&mut self, conn: &mut Conn, active: &mut Active, linger: bool) -> Option<Need> {
        let is_large = active.ex.bytes_sent() > LARGE;
        let linger = linger || conn.is_pipelining || active.has_waited || active.is_spoken_to(&conn.socket);
        let linger = linger || is_large && conn.socket.unacknowledged().is_ok_and(|left| left > 0);
        if !(linger || self.shutdown.has_begun()) || conn.socket.shutdown_write().is_err() {
            return Some(Need::Close);
        }
        let now = self.clock.now_ms();
        conn.state = State::Linger { until_ms: now + LINGER_MS };
        // A process that leaves may be the last of its network namespace, which takes along what is not acknowledged.
        conn.deadline_ms = now + if linger { LINGER_PAUSE_MS } else { LOOK_MS };
        None
    }

    /// Whether the client still takes what was sent. To be asked when a connection's time is up, not before: it costs a
    /// system call. A client that has taken nothing for `LINGER_MS` does not any more.
    fn is_delivering(&self, conn: &mut Conn) -> bool {
        let (now, left) = (self.clock.now_ms(), conn.socket.unacknowledged().unwrap_or(0));
        if left != conn.undelivered.0 {
            conn.undelivered = (left, now);
        }
        left > 0 && now < conn.undelivered.1 + LINGER_MS
    }

    /// Whether a close of an idle connection would take something from its client: what is on its way to it, or the
    /// answer to a request that is there to be read.
    pub fn is_unfinished(&self, conn: &mut Conn) -> bool {
        self.is_delivering(conn) || conn.socket.has_input()
    }

    /// Reads and drops until the client has closed, so that no reset takes the response from it.
    pub(super) fn on_linger(&self, conn: &mut Conn, active: &mut Active, until_ms: u64) -> Need {
        let now = self.clock.now_ms();
        for _ in 0..READS_A_TURN {
            active.input.clear();
            active.start = 0;
            active.input.reserve(INPUT_SIZE);
            match conn.socket.recv_into(&mut active.input) {
                Ok(0) => return Need::Close,
                Ok(_) if now < until_ms => conn.deadline_ms = until_ms.min(now + LINGER_PAUSE_MS),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Need::Linger,
                _ => return Need::Close,
            }
        }
        Need::Turn
    }

    /// The client was too slow. Returns what there is to do still: nothing, or to go on, because the client only seems
    /// idle.
    pub fn timed_out(&mut self, conn: &mut Conn) -> Need {
        let is_unfinished = match conn.state {
            _ if conn.active.is_none() => self.is_unfinished(conn),
            _ => conn.is_lingering() && self.is_delivering(conn),
        };
        if is_unfinished {
            conn.deadline_ms = self.clock.now_ms() + LOOK_MS;
            return Need::Turn;
        }
        if let State::Stream(phase) = conn.state {
            return self.stream_timed_out(conn, phase);
        }
        let Some(mut active) = conn.active.take() else { return Need::Close };
        let answer = if conn.state == State::Request && active.out.is_empty() {
            let Active { input, start, ex, out, .. } = &mut *active;
            conn.info.requests += 1;
            let cx = cx!(self, conn, input.get(*start..).unwrap_or_default());
            matches!(ex.timed_out(&cx, &mut out.bytes), Action::Send(_))
        } else if matches!(conn.state, State::Linger { .. }) {
            // It has its answer, which a reset could take from it.
            self.recycle(active);
            return Need::Close;
        } else {
            let write_line =
                if conn.state == State::Discard { error_lines::body_timed_out } else { error_lines::send_timed_out };
            write_line(&active.ex, &self.cx(conn, &active));
            self.cut_short(conn, &mut active);
            false
        };
        if !answer {
            if self.timeout_resets(conn) {
                // Best effort: without the RST the connection closes in the usual way.
                let _ = conn.socket.set_linger_reset();
            }
            self.settle(conn, &mut active, Need::Close);
            self.recycle(active);
            return Need::Close;
        }
        // One try: a client this slow is not waited for again.
        let _ = active.out.flush(&conn.socket, self.how(conn));
        self.finish(conn, &mut active);
        self.settle(conn, &mut active, Need::Close);
        self.recycle(active);
        Need::Close
    }

    pub(super) fn timeout_resets(&self, conn: &Conn) -> bool {
        *self.site.location(conn.location as usize).scope.get(&limits::RESET_TIMEDOUT_CONNECTION)
    }

    pub(super) fn broken(&mut self, conn: &Conn, active: &mut Active, error: &io::Error) -> Need {
        error_lines::connection_broken(&active.ex, &self.cx(conn, active), error);
        self.cut_short(conn, active);
        Need::Close
    }

    /// The rest of the response under way, if there is one, is not sent.
    fn cut_short(&mut self, conn: &Conn, active: &mut Active) {
        if matches!(conn.state, State::Flush(_)) {
            active.ex.cut_short(active.out.left());
            self.finish(conn, active);
        }
    }

    /// The connection is about to be closed, whatever it was doing.
    pub fn closing(&mut self, conn: &mut Conn) {
        let Some(mut active) = conn.active.take() else { return self.publish(conn, Stage::Waiting) };
        self.cut_short(conn, &mut active);
        self.settle(conn, &mut active, Need::Close);
        self.recycle(active);
    }
}
