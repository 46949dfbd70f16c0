//! The end of a connection whose handling has panicked: it costs its client an answer, and nobody else anything.
//!
//! A panic is a bug, in drover or in a library. What the connection owns may be in any state, so that all of it goes;
//! what connections share keeps nothing that was half made. A client that has not been sent a byte of its answer gets
//! 500, and every one is closed. Of HTTP/2 one stream ends where its request was being answered, else the connection.

use super::Engine;
use crate::http::exchange::{After, Cx, error_lines, http2 as lines};
use crate::http::message::request_fields::RequestFields;
use crate::log;
use crate::log::panics::{self, Panic};
use crate::serve::connection::{Conn, Need, State};
use crate::serve::session::Session;

impl Engine {
    /// Passes states as far as they go without waiting. A panic ends the connection.
    #[inline(always)]
    pub(super) fn pass_states_guarded(&mut self, conn: &mut Conn, session: &mut Session, hung_up: bool) -> Need {
        match panics::catch(|| self.pass_states(conn, session, hung_up)) {
            Ok(need) => need,
            Err(panic) => self.rescue(conn, session, panic),
        }
    }

    /// Answers 500 where nothing of the answer is out; else the connection is to be closed.
    #[cold]
    fn rescue(&mut self, conn: &mut Conn, session: &mut Session, panic: Panic) -> Need {
        self.clean_up();
        let mut unsaid = Some(panic);
        let rescued = panics::catch(|| {
            self.log_panic(conn, session, &mut unsaid);
            if !self.answer_failure(conn, session) {
                return None;
            }
            Some(self.pass_states(conn, session, session.hung_up))
        });
        let second = match rescued {
            Ok(Some(need)) => return need,
            Ok(None) => None,
            Err(second) => {
                self.clean_up();
                Some(second)
            }
        };
        unsaid.into_iter().chain(second).for_each(|panic| log::alert!("{panic}"));
        self.forsake(conn, session);
        Need::Close
    }

    /// Counts a panic, and drops what it may have left half made in the engine.
    pub(super) fn clean_up(&mut self) {
        self.tally.panics.add(1);
        self.jobs.drop_pending();
        self.fields = RequestFields::default();
        self.close_files();
    }

    fn log_panic(&self, conn: &Conn, session: &Session, unsaid: &mut Option<Panic>) {
        let Some(panic) = unsaid else { return };
        match conn.state {
            State::Stream(_) => self.stream_panicked(conn, panic),
            State::Http2 => lines::panicked(&cx!(self, conn, &[]), panic),
            _ => error_lines::panicked(&session.ex, &self.cx(conn, session), panic),
        }
        *unsaid = None;
    }

    /// Queues 500 behind the answers to earlier requests, in the place of what there is of this one's. False: it has
    /// none, or some of it is out.
    fn answer_failure(&mut self, conn: &mut Conn, session: &mut Session) -> bool {
        let has_request = matches!(conn.state, State::Request | State::Wait { .. } | State::Flush(_));
        let is_new = conn.state == State::Request && session.unread().is_empty();
        if !has_request || is_new || session.ex.is_over() || !session.out.take_back_to(session.begun) {
            return false;
        }
        conn.state = State::Request;
        (session.entry, session.aside, session.pace) = (None, None, None);
        (session.waiting, session.done) = (None, None);
        let Session { input, start, ex, out, .. } = &mut *session;
        let action = ex.panicked(&cx!(self, conn, &input[*start..]), &mut out.bytes);
        if let Ok(Some(after)) = self.carry_out(conn, session, action) {
            let linger = matches!(after, After::Close { linger: true });
            self.flush_then(conn, After::Close { linger });
            return true;
        }
        // An error page that waits for a thread.
        matches!(conn.state, State::Wait { .. })
    }

    /// Ends a connection of HTTP/2: the streams that are open are counted and logged, and get no more.
    #[cold]
    pub(super) fn http2_panicked(&mut self, conn: &mut Conn, session: &mut Session, panic: Panic) -> Need {
        self.clean_up();
        self.log_panic(conn, session, &mut Some(panic));
        self.forsake(conn, session);
        Need::Close
    }

    /// Answers 500 on a stream of HTTP/2 whose exchange has panicked before its answer was ready. An error: no answer
    /// can be made.
    #[cold]
    pub(super) fn rescue_stream(
        &mut self,
        conn: &mut Conn,
        session: &mut Session,
        panic: Panic,
    ) -> Result<Option<After>, ()> {
        self.clean_up();
        error_lines::panicked(&session.ex, &cx!(self, conn, &session.input[..]), &panic);
        let answered = panics::catch(|| {
            session.out.clear();
            (session.entry, session.aside, session.pace) = (None, None, None);
            (session.waiting, session.done) = (None, None);
            let Session { input, ex, out, .. } = &mut *session;
            let action = ex.panicked(&cx!(self, conn, &input[..]), &mut out.bytes);
            self.carry_out(conn, session, action)
        });
        answered.unwrap_or_else(|second| {
            self.clean_up();
            log::alert!("{second}");
            session.ex.forsake(0);
            Err(())
        })
    }

    /// Counts and logs what is under way on the connection, and drops all that it has.
    fn forsake(&mut self, conn: &mut Conn, session: &mut Session) {
        conn.silence();
        let counted = panics::catch(|| {
            self.http2_closing(conn);
            let has_request = match conn.state {
                State::Request | State::Wait { .. } => !session.unread().is_empty(),
                State::Flush(_) => true,
                _ => false,
            };
            if has_request && !session.ex.is_over() {
                session.ex.forsake(session.out.unsent());
                self.finish(conn, session);
            }
        });
        if let Err(panic) = counted {
            self.clean_up();
            log::alert!("{panic}");
        }
        conn.http2 = None;
        let unmeasured = std::mem::take(&mut session.unmeasured);
        *session = Session { unmeasured, ..Session::default() };
    }

    /// Does what ends a connection: to be closed all the same if that panics.
    #[inline]
    pub(super) fn last_guarded<T>(&mut self, work: impl FnOnce(&mut Engine) -> T) -> Option<T> {
        let done = panics::catch(|| work(self));
        done.inspect_err(|panic| {
            self.clean_up();
            log::alert!("{panic}");
        })
        .ok()
    }
}
