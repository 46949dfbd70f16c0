//! Requests that wait: for a time that the conf says, or for the check of a password.

use super::Engine;
use crate::http::exchange::Cx;
use crate::serve::connection::{Conn, Need, State};
use crate::serve::session::Session;

/// How often a connection whose password is being checked is looked after, ms.
const CHECK_MS: u64 = 60_000;

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
        // nginx: ngx_http_test_reading. The check of a password does not take long enough to ask.
        if hung_up && until_ms.is_some() {
            return Some(self.leave(conn, session));
        }
        let fits = session.fits.take();
        let is_over = until_ms.map_or(fits.is_some(), |until| until <= now);
        if !is_over {
            conn.deadline_ms = until_ms.unwrap_or(now + CHECK_MS);
            return Some(Need::Time);
        }
        conn.state = State::Request;
        let Session { input, start, ex, out, .. } = &mut *session;
        let cx = cx!(self, conn, &input[*start..]);
        let action = match fits {
            Some(fits) => ex.checked(&cx, fits, &mut out.bytes),
            None => ex.resume(&cx, &mut out.bytes),
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
