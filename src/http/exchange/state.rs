//! The state of an exchange, one request and its response. It touches neither socket nor file: its driver (`serve`)
//! carries out the [`Action`](super::action::Action)s and reports back; `phases/walk.rs` leads it.
//!
//! ```text
//!            request(): part of a head
//!              ┌──┐
//!              │  ▼  request(): head whole, look-up asked for
//!          ┌─► Head ───────────────────────────────────────► Lookup ◄─┐
//!          │     │ request(): answered at once                 │   └──┘ opened(), listed(): another look-up
//!  reset() │     │ reject(), timed_out()                       │
//!          │     ▼                  opened(), listed(): answered
//!          ├── Sending ◄───────────────────────────────────────┘
//!          │     ╎ an answer that is to close without a response
//!          │     ▼
//!          └── Done
//! ```
//!
//! `Check` and `Wait` are look-ups as well: checked() gives the one its result, resume() ends the other.
//!
//! While it is Sending, discard() takes the rest of the request's body; after() tells what follows on the connection.

use super::action::After;
use super::added::AddedState;
use super::parts::{AccessState, Account, BodyState, ErrorState, Fate, LimitState, MarkState, Target};
use super::response::{Coded, Response};
use super::values::Values;
use crate::http::message::head::Head;
use crate::os::Addr;
use crate::shm::Limited;

/// How far an exchange has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::http) enum Progress {
    /// The head is not whole.
    #[default]
    Head,
    /// The driver looks a path up, for the phase of this number; `step` is the phase's own mark.
    Lookup { phase: usize, step: usize },
    /// The driver checks a password for the phase of this number.
    Check { phase: usize },
    /// The driver lets time pass, before the phase of this number is asked again.
    Wait { phase: usize },
    /// The response has been queued.
    Sending,
    /// The exchange ended without a response.
    Done,
}

/// A request and its response. Connections use an exchange again: [`Exchange::reset`] keeps the memory of its buffers.
#[derive(Debug, Default)]
pub struct Exchange {
    pub(in crate::http) progress: Progress,
    pub(in crate::http) head: Head,
    pub(in crate::http) target: Target,
    pub(in crate::http) body: BodyState,
    pub(in crate::http) values: Values,
    pub(in crate::http) response: Response,
    pub(in crate::http) error: ErrorState,
    pub(in crate::http) access: AccessState,
    pub(in crate::http) limits: LimitState,
    pub(in crate::http) mark: MarkState,
    pub(in crate::http) added: AddedState,
    pub(in crate::http) fate: Fate,
    pub(in crate::http) account: Account,
    /// The client's address as a proxy has named it, where that is believed.
    pub(in crate::http) named_client: Option<Addr>,
}

impl Exchange {
    /// The request begins for which it is ready.
    pub fn start(&mut self, now_ms: u64) {
        (self.account.started_ms, self.account.is_pipelined) = (now_ms, false);
    }

    /// Whether no request has begun.
    pub fn is_ready(&self) -> bool {
        self.progress == Progress::Head && self.response.status == 0 && self.target.uri.is_empty()
    }

    /// Makes it ready for the next request.
    pub fn reset(&mut self) {
        // A part that is added can't be forgotten here: the pattern names them all.
        let Exchange {
            progress,
            head,
            target,
            body,
            values,
            response,
            error,
            access,
            limits,
            mark,
            added,
            fate,
            account,
            named_client,
        } = self;
        *progress = Progress::default();
        head.clear();
        target.reset();
        *body = BodyState::default();
        values.clear();
        response.reset();
        *error = ErrorState::default();
        access.reset();
        limits.reset();
        *mark = MarkState::default();
        added.reset();
        *fate = Fate::default();
        *account = Account::default();
        *named_client = None;
    }

    /// The exchange is over: it counts for no limit any more.
    pub fn end(&mut self) {
        self.limits.end();
    }

    /// The response is out, or given up: the logs get their lines.
    pub fn set_over(&mut self) {
        self.account.is_over = true;
    }

    /// The next step on the connection, now that the response is queued.
    pub fn after(&self) -> After {
        match (self.fate.keep_alive, self.body.reader.is_done()) {
            (true, true) => After::KeepAlive,
            (true, false) => After::Discard,
            (false, done) => After::Close { linger: self.fate.linger || !done },
        }
    }

    /// Tells whether the beginning of the request was there before the request in front of it was answered.
    pub fn set_pipelined(&mut self, is_pipelined: bool) {
        self.account.is_pipelined = is_pipelined;
    }

    /// Counts `n` more bytes of the response as queued.
    pub fn add_sent(&mut self, n: u64) {
        self.account.bytes_sent += n;
    }

    /// The body has been coded to its end: `before` bytes, of which `after` were made.
    pub fn set_coded(&mut self, before: u64, after: u64) {
        if let Coded::Gzip(_) = self.response.codings.coded {
            self.response.codings.lengths = Some((before, after));
        }
    }

    /// The connection broke with `unsent` bytes of the response still queued.
    pub fn cut_short(&mut self, unsent: u64) {
        self.account.bytes_sent = self.account.bytes_sent.saturating_sub(unsent);
        self.account.is_cut_short = true;
    }

    /// The rest of the request is not worth reading: answer, linger, close.
    pub(in crate::http) fn give_up(&mut self) {
        self.fate = Fate { keep_alive: false, linger: true, asked: None };
    }

    /// Bytes of the input that this exchange has taken: its request's head, and the part of the body that came along.
    pub fn taken(&self) -> usize {
        self.account.head_len + self.body.ahead
    }

    /// The file system path that an action asks about.
    pub fn path(&self) -> &[u8] {
        &self.target.path
    }

    /// Bytes of the response, head and body, that have been queued or sent.
    pub fn bytes_sent(&self) -> u64 {
        self.account.bytes_sent
    }

    /// Whether `limit_req` or `limit_conn` has judged it.
    #[inline]
    pub fn has_limits(&self) -> bool {
        self.limits.requests.is_some() || self.limits.connections.is_some()
    }

    /// The verdicts of `limit_req` and `limit_conn`, unless they have let it by at once.
    pub fn limited(&self) -> [Option<Limited>; 2] {
        self.limits.limited()
    }

    /// The status sent, 0 before there is one.
    pub fn status(&self) -> u16 {
        self.response.status
    }

    /// Index of the location that answered.
    pub fn location(&self) -> usize {
        self.target.location
    }
}
