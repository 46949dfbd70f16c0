//! The edges between the states of an HTTP connection, see the drawing in [`crate::serve::connection`].

use super::http2::Beginning;
use super::rules::Rules;
use super::wait::THREAD_MS;
use super::{BATCH_MAX, Engine};
use crate::http::exchange::error_lines;
use crate::http::exchange::limits;
use crate::http::exchange::lingering::{LINGERING_TIME, LINGERING_TIMEOUT};
use crate::http::exchange::{After, Cx};
use crate::os::faults;
use crate::serve::connection::{Conn, LULL_MS, Need, State};
use crate::serve::output::{Flush, SendOptions};
use crate::serve::session::{Read, Session};
use crate::serve::tls::Wire;
use std::io;

impl Engine {
    /// Goes on with `conn` until it must wait. To be called when the event it waited for has come, by the one driver
    /// that has the connection in hand. `hung_up`: the client has closed its side, so that the end of the stream is
    /// there to be read.
    pub fn advance(&mut self, conn: &mut Conn, hung_up: bool) -> Need {
        let mut session = match conn.session.take() {
            // A driver that did not wait for the first bytes: the request begins when they come.
            Some(mut session) if session.is_blank() && conn.state.precedes_request() => {
                self.start(&mut session);
                session
            }
            Some(session) => session,
            None => self.begin(conn),
        };
        (session.has_read_all, session.reads, session.has_answered) = (false, 0, false);
        session.hung_up |= hung_up;
        if hung_up && let Some(pace) = &mut session.pace {
            pace.is_alarmed = true;
        }
        let hung_up = session.hung_up;
        let need = self.pass_states_guarded(conn, &mut session, hung_up);
        self.account(conn, &mut session, need);
        match need {
            Need::Idle => self.put_back(session),
            Need::Close => self.recycle(session),
            _ => conn.session = Some(session),
        }
        need
    }

    pub(super) fn pass_states(&mut self, conn: &mut Conn, session: &mut Session, hung_up: bool) -> Need {
        loop {
            let waits = match conn.state {
                State::ProxyHeader => self.on_proxy_header(conn, session, hung_up),
                State::Handshake => self.on_handshake(conn, session, hung_up),
                State::Request => self.on_request(conn, session, hung_up),
                State::Wait { until_ms } => self.on_wait(conn, session, until_ms, hung_up),
                State::Flush(after) => self.on_flush(conn, session, after),
                State::Discard { until_ms } => self.on_discard(conn, session, until_ms, hung_up),
                State::Http2 => self.on_http2(conn, session, hung_up),
                State::Linger { until_ms } => {
                    Some(self.on_linger(conn, session, until_ms, self.timeout(conn, &LINGERING_TIMEOUT)))
                }
                State::Stream(phase) => Some(self.on_stream(conn, session, phase, hung_up)),
            };
            if let Some(need) = waits {
                return need;
            }
        }
    }

    /// Answers the requests that are there, then reads on. `None`: the state has changed, or more has come.
    fn on_request(&mut self, conn: &mut Conn, session: &mut Session, hung_up: bool) -> Option<Need> {
        let beginning = if conn.is_new() { self.beginning(conn, session) } else { Beginning::Http1 };
        if beginning == Beginning::Http2 {
            self.begin_http2(conn);
            return None;
        }
        if session.start < session.input.len() && beginning == Beginning::Http1 {
            match self.exchange(conn, session) {
                Ok(Some(After::KeepAlive))
                    if session.has_pipelined() && session.out.has_room(BATCH_MAX) && session.pace.is_none() =>
                {
                    self.finish(conn, session);
                    self.begin_next(conn, session);
                    return None;
                }
                Ok(Some(after)) => {
                    self.flush_then(conn, after);
                    return None;
                }
                Ok(None) if matches!(conn.state, State::Wait { .. }) => {
                    self.begin_wait(conn);
                    return None;
                }
                Ok(None) => {}
                Err(()) => return self.hang_up(conn, session),
            }
        }
        if !session.out.is_empty()
            && let Some(need) = self.flush(conn, session)
        {
            return Some(need);
        }
        match session.read(wire!(self, conn), hung_up) {
            Read::More => {
                conn.is_pipelining |= session.has_answered;
                None
            }
            // A part of a record is a part of a request.
            Read::Nothing if conn.has_part() => Some(Need::Read),
            Read::Nothing if session.is_blank() && conn.is_new() => Some(Need::Idle),
            Read::Nothing if session.is_blank() && conn.goes_on_waiting() => Some(Need::Idle),
            Read::Nothing if session.is_blank() => {
                let Rules { idle_ms: idle, idle_least_ms: least, .. } = *self.rules(conn);
                // The last answer promised to go on.
                let idle = if self.shutdown.has_begun() { idle.min(LULL_MS.max(least)) } else { idle };
                let now = self.clock.now_ms();
                conn.keep_until_ms = now + least;
                conn.wait_until(now + idle);
                Some(Need::Idle)
            }
            Read::Nothing => Some(Need::Read),
            Read::NextTurn => Some(Need::Turn),
            Read::End => {
                conn.silence();
                if session.start < session.input.len() {
                    self.abandon(conn, session, error_lines::closed_early);
                }
                Some(Need::Close)
            }
            Read::Broken(error) => Some(self.broken(conn, session, &error)),
        }
    }

    pub(super) fn send_options(&self, conn: &Conn) -> SendOptions {
        let Rules { sendfile, nopush, .. } = *self.rules(conn);
        let closing = matches!(conn.state, State::Flush(After::Close { .. }));
        SendOptions { sendfile, nopush, closing, most: usize::MAX }
    }

    /// Sends what is queued, as far as it goes. `None`: all of it is out. A client that takes some has its time again.
    pub(super) fn flush(&mut self, conn: &mut Conn, session: &mut Session) -> Option<Need> {
        if session.pace.is_some() {
            return self.flush_slowly(conn, session);
        }
        let before = session.out.total();
        let options = self.send_options(conn);
        let stop = match self.send_queued(conn, session, options) {
            Ok(Flush::Done) => return None,
            Ok(Flush::Fetch) => return Some(self.wait_for_output(conn, session)),
            Ok(stop) => stop,
            Err(error) => return Some(self.broken(conn, session, &error)),
        };
        if session.out.total() != before {
            conn.deadline_ms = self.clock.now_ms() + self.rules(conn).send_timeout_ms;
        }
        Some(if stop == Flush::Blocked { Need::Write } else { Need::Turn })
    }

    /// The next bytes are not there yet: a thread fetches them. The client's time does not run meanwhile.
    pub(super) fn wait_for_output(&mut self, conn: &mut Conn, session: &mut Session) -> Need {
        self.ask_for_output(session);
        conn.deadline_ms = self.clock.now_ms() + THREAD_MS;
        Need::Time
    }

    /// Sends; of a body that is made as it is sent, the next slice.
    #[inline(always)]
    pub(super) fn send_queued(
        &mut self,
        conn: &mut Conn,
        session: &mut Session,
        options: SendOptions,
    ) -> io::Result<Flush> {
        if session.out.has_coder() {
            self.make_slice(conn, session)?;
        }
        session.out.flush(wire!(self, conn), options)
    }

    /// Makes the next slice of a body, and counts it.
    fn make_slice(&self, conn: &Conn, session: &mut Session) -> io::Result<()> {
        let Session { input, start, ex, out, .. } = session;
        let made = out.make_slice()?;
        ex.add_sent(made.bytes);
        if made.needs_last_chunk {
            let before = out.bytes.len();
            ex.put_last_chunk(&cx!(self, conn, &input[*start..]), &mut out.bytes);
            ex.add_sent((out.bytes.len() - before) as u64);
        }
        // In nginx's order, which is why no trailer has a $gzip_ratio.
        if let Some((before, after)) = made.lengths {
            ex.set_coded(before, after);
        }
        Ok(())
    }

    /// To `Flush`: nothing is queued behind the response that is; all of it goes out, then `after`.
    pub(super) fn flush_then(&self, conn: &mut Conn, after: After) {
        conn.state = State::Flush(after);
        conn.deadline_ms = self.clock.now_ms() + self.rules(conn).send_timeout_ms;
    }

    fn on_flush(&mut self, conn: &mut Conn, session: &mut Session, after: After) -> Option<Need> {
        if let Some(need) = self.flush(conn, session) {
            session.has_waited = true;
            faults::strike("sending", session.ex.path());
            return Some(need);
        }
        self.finish(conn, session);
        match after {
            After::KeepAlive => self.begin_next(conn, session),
            After::Discard => {
                let until_ms = self.clock.now_ms() + self.timeout(conn, &LINGERING_TIME);
                conn.state = State::Discard { until_ms };
                self.wait_for_body(conn, until_ms);
            }
            After::Close { linger } => return self.close(conn, session, linger),
        }
        None
    }

    /// To `Request`, for the request behind the one that has been answered.
    fn begin_next(&self, conn: &mut Conn, session: &mut Session) {
        conn.state = State::Request;
        self.reset(session);
        let is_pipelined = session.start < session.input.len();
        session.ex.set_pipelined(is_pipelined);
        session.has_answered = true;
        conn.is_pipelining |= is_pipelined;
        conn.begin_next();
        conn.deadline_ms = self.clock.now_ms() + self.rules(conn).header_timeout_ms;
    }

    /// Gives a client that has its answer time for the next bytes of its body, until `until_ms` at most.
    fn wait_for_body(&self, conn: &mut Conn, until_ms: u64) {
        let pause_ms = self.timeout(conn, &limits::CLIENT_BODY_TIMEOUT);
        conn.deadline_ms = until_ms.min(self.clock.now_ms() + pause_ms);
    }

    fn on_discard(&mut self, conn: &mut Conn, session: &mut Session, until_ms: u64, hung_up: bool) -> Option<Need> {
        let Session { input, start, ex, .. } = session;
        let cx = cx!(self, conn, &[]);
        match ex.discard(&cx, &input[*start..]) {
            Ok(used) => *start += used,
            Err(_) => return self.close(conn, session, true),
        }
        match ex.after() {
            After::KeepAlive => {
                self.begin_next(conn, session);
                return None;
            }
            After::Close { linger } => return self.close(conn, session, linger),
            After::Discard => {}
        }
        match session.read(wire!(self, conn), hung_up) {
            Read::More if self.clock.now_ms() < until_ms => {
                self.wait_for_body(conn, until_ms);
                None
            }
            Read::More => Some(Need::Close),
            Read::Nothing => Some(Need::Read),
            Read::NextTurn => Some(Need::Turn),
            Read::End => {
                conn.silence();
                Some(Need::Close)
            }
            Read::Broken(error) => Some(self.broken(conn, session, &error)),
        }
    }
}
