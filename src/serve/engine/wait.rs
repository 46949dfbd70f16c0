//! Requests that wait: for a time that the conf says, or for the work of a thread.

use super::Engine;
use crate::http::exchange::Cx;
use crate::serve::connection::{Conn, Need, State};
use crate::serve::session::Session;

/// How often a connection is looked after that waits for a thread, ms.
pub(super) const THREAD_MS: u64 = 60_000;

impl Engine {
    /// The request on `conn` has begun to wait. Answers in front of it have their time to be sent.
    pub(super) fn begin_wait(&self, conn: &mut Conn) {
        conn.deadline_ms = self.clock.now_ms() + self.rules(conn).send_timeout_ms;
    }

    /// Sends the answers in front of the request, then lets it wait. `None`: the wait is over.
    pub(super) fn on_wait(
        &mut self,
        conn: &mut Conn,
        session: &mut Session,
        until_ms: Option<u64>,
        hung_up: bool,
    ) -> Option<Need> {
        if !session.out.is_empty()
            && let Some(need) = self.flush(conn, session)
        {
            return Some(need);
        }
        let now = self.clock.now_ms();
        // nginx: ngx_http_test_reading. The work of a thread does not take long enough to ask.
        if hung_up && until_ms.is_some() {
            return Some(self.leave(conn, session));
        }
        let is_over = until_ms.map_or(session.done.is_some(), |until| until <= now);
        if !is_over {
            conn.deadline_ms = until_ms.unwrap_or(now + THREAD_MS);
            return Some(Need::Time);
        }
        conn.state = State::Request;
        session.begun = session.out.queued();
        let action = match session.waiting.take() {
            Some(action) => action,
            None => {
                let Session { input, start, ex, out, .. } = &mut *session;
                ex.resume(&cx!(self, conn, &input[*start..]), &mut out.bytes)
            }
        };
        match self.carry_out(conn, session, action) {
            Ok(Some(after)) => {
                self.flush_then(conn, after);
                None
            }
            Ok(None) => {
                self.begin_wait(conn);
                None
            }
            Err(()) => self.hang_up(conn, session),
        }
    }

    /// The client of a request that waits has gone.
    fn leave(&mut self, conn: &mut Conn, session: &mut Session) -> Need {
        let Session { input, start, ex, .. } = &mut *session;
        ex.leave(&cx!(self, conn, &input[*start..]));
        self.finish(conn, session);
        Need::Close
    }
}
