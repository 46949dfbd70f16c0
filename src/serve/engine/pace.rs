//! Responses that must not go out faster than the conf says.

use super::Engine;
use crate::serve::connection::{Conn, Need};
use crate::serve::output::{Flush, SendOptions};
use crate::serve::pace::Step;
use crate::serve::session::Session;

impl Engine {
    /// Sends as much of what is queued as its pace lets out now. `None`: all of it is out.
    pub(super) fn flush_slowly(&mut self, conn: &mut Conn, session: &mut Session) -> Option<Need> {
        let now = self.clock.now_ms();
        let pace = session.pace.as_mut()?;
        let was_paused = pace.is_paused();
        let most = match pace.step(now) {
            Step::Send(most) => most,
            Step::PauseUntil(until) => {
                conn.deadline_ms = until;
                return Some(Need::Pause);
            }
        };
        let before = session.out.total();
        // A pause follows, for which the last bytes must not wait.
        let options = SendOptions { most, closing: false, ..self.send_options(conn) };
        let stop = match self.send_queued(conn, session, options) {
            Ok(Flush::Done) => {
                session.pace = None;
                return None;
            }
            Ok(Flush::Fetch) if session.out.total() == before => return Some(self.wait_for_output(conn, session)),
            Ok(stop) => stop,
            Err(error) => return Some(self.broken(conn, session, &error)),
        };
        let sent = session.out.total() - before;
        if let Some(until) = session.pace.as_mut()?.count(sent, now) {
            conn.deadline_ms = until;
            return Some(Need::Pause);
        }
        if sent > 0 || was_paused {
            conn.deadline_ms = now + self.rules(conn).send_timeout_ms;
        }
        Some(match stop {
            Flush::Blocked => Need::Write,
            Flush::Fetch => self.wait_for_output(conn, session),
            _ => Need::Turn,
        })
    }
}
