//! The parts of an exchange: each starts from its `Default` for every request, and keeps the memory of its buffers.

use crate::http::message::request_body::RequestBody;
use crate::http::message::uid::Uid;
use crate::http::site::captured::Captured;
use crate::shm::{Hold, Limited};
use std::cell::{Cell, RefCell};

/// Where the request leads.
#[derive(Debug, Default)]
pub(crate) struct Target {
    /// The normalised path, as internal redirects change it.
    pub(in crate::http) uri: Vec<u8>,
    /// The query, without its `?`.
    pub(in crate::http) args: Vec<u8>,
    /// There is a query, if an empty one: `$args` has a value (nginx: `r->args.data` is no null pointer).
    pub(in crate::http) has_args: bool,
    /// The file system path of the look-up under way.
    pub(in crate::http) path: Vec<u8>,
    pub(in crate::http) server: usize,
    pub(in crate::http) location: usize,
    /// In a cell: the regex of a map changes it while a text is filled in, so that no borrow may last through an
    /// `eval`.
    pub(in crate::http) captured: RefCell<Captured>,
    /// An internal redirect led here.
    pub(in crate::http) is_internal: bool,
    /// The uri is a name that try_files has found below the alias of a regex location (nginx's `add_uri_to_alias`).
    pub(in crate::http) add_uri_to_alias: bool,
    /// The script that runs has changed the uri, which may need another location (nginx's `uri_changed`).
    pub(in crate::http) is_rewritten: bool,
    /// A script has changed the uri without looking for its location, so that no prefix of it is the location's
    /// (nginx's `valid_location`).
    pub(in crate::http) is_out_of_place: bool,
    /// The script that runs escapes what regexes have captured, where the client has escaped something of the uri
    /// (nginx's `quote`).
    pub(in crate::http) escapes_groups: bool,
    /// Internal redirects, and changes of the location by scripts, so far.
    pub(in crate::http) redirects: u8,
}

/// How far the body of the request has come.
#[derive(Debug, Default)]
pub(crate) struct BodyState {
    pub(in crate::http) reader: RequestBody,
    /// A location, or the answer, has set the limit and taken the bytes that came with the head.
    pub(in crate::http) is_begun: bool,
    /// The limit of the location on the body's length, 0: none.
    pub(in crate::http) max: u64,
    /// Bytes of the body that came with the head.
    pub(in crate::http) ahead: usize,
}

/// The numbers that logs and the ledger show of an exchange.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// When the first byte of the request was there, in ms of the loop's clock.
    pub(in crate::http) started_ms: u64,
    /// Bytes of the request's head; 0 until the head is whole.
    pub(in crate::http) head_len: usize,
    /// Bytes of the request's head that logs count: without empty lines in front, of a refused head up to the fault.
    pub(in crate::http) head_counted: usize,
    /// Bytes of the request's body that have come in, framing included.
    pub(in crate::http) body_bytes: u64,
    /// Bytes of the response that have been queued, head included.
    pub(in crate::http) bytes_sent: u64,
    /// Bytes of `bytes_sent` that are head.
    pub(in crate::http) head_sent: u64,
    /// The beginning of the request was there before the request in front of it was answered.
    pub(in crate::http) is_pipelined: bool,
    /// The response did not go out whole.
    pub(in crate::http) is_cut_short: bool,
    /// Nothing more of the response is to come (nginx's `request_complete`, where it was not cut short).
    pub(in crate::http) is_over: bool,
}

/// The error whose page is being made.
#[derive(Debug, Default)]
pub(crate) struct ErrorState {
    /// The status of the error, 0 if there is none.
    pub(in crate::http) status: u16,
    /// A further error gets the built-in page.
    pub(in crate::http) is_final: bool,
}

/// How far the access phase has come (nginx's `r->access_code` and `headers_out.www_authenticate`).
#[derive(Debug, Default)]
pub(crate) struct AccessState {
    /// The refusal so far, where any module may still let the client in; 0: none.
    pub(in crate::http) code: u16,
    /// A module has let the client in, so that the others are not asked.
    pub(in crate::http) is_open: bool,
    /// The 401 has been held back for `auth_delay`.
    pub(in crate::http) is_delayed: bool,
    /// The values of `WWW-Authenticate`.
    pub(in crate::http) challenges: Vec<Vec<u8>>,
}

/// The verdicts of the limits on clients, and what they count.
#[derive(Debug, Default)]
pub(crate) struct LimitState {
    pub(in crate::http) requests: Option<RequestLimit>,
    pub(in crate::http) connections: Option<ConnectionLimit>,
    /// The zones in which the exchange is counted, until it ends.
    pub(in crate::http) holds: Vec<Hold>,
    /// Bytes a second that the answer may have, 0: any number; once a script or the answer has said it.
    pub(in crate::http) rate: Option<u64>,
}

impl AccessState {
    /// Makes it ready for the next request.
    #[inline]
    pub(super) fn reset(&mut self) {
        let AccessState { code, is_open, is_delayed, challenges } = self;
        (*code, *is_open, *is_delayed) = Default::default();
        challenges.clear();
    }
}

impl LimitState {
    /// Makes it ready for the next request.
    #[inline]
    pub(super) fn reset(&mut self) {
        self.end();
        let LimitState { requests, connections, holds: _, rate } = self;
        (*requests, *connections, *rate) = Default::default();
    }

    /// The verdicts that the ledger counts.
    pub(super) fn limited(&self) -> [Option<Limited>; 2] {
        [self.requests.and_then(RequestLimit::counted), self.connections.and_then(ConnectionLimit::counted)]
    }

    /// The exchange counts in no zone any more.
    #[inline]
    pub(super) fn end(&mut self) {
        // Dropping none is a call, too.
        if !self.holds.is_empty() {
            self.holds.clear();
        }
    }
}

/// The verdict of `limit_req` on the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum RequestLimit {
    Passed,
    Delayed,
    Rejected,
    DelayedDryRun,
    RejectedDryRun,
}

impl RequestLimit {
    fn counted(self) -> Option<Limited> {
        match self {
            RequestLimit::Passed => None,
            RequestLimit::Delayed => Some(Limited::Delayed),
            RequestLimit::Rejected => Some(Limited::Rejected),
            RequestLimit::DelayedDryRun => Some(Limited::DelayedDryRun),
            RequestLimit::RejectedDryRun => Some(Limited::RejectedDryRun),
        }
    }

    pub(in crate::http) fn text(self) -> &'static [u8] {
        match self {
            RequestLimit::Passed => b"PASSED",
            RequestLimit::Delayed => b"DELAYED",
            RequestLimit::Rejected => b"REJECTED",
            RequestLimit::DelayedDryRun => b"DELAYED_DRY_RUN",
            RequestLimit::RejectedDryRun => b"REJECTED_DRY_RUN",
        }
    }
}

/// The verdict of `limit_conn` on the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum ConnectionLimit {
    Passed,
    Rejected,
    RejectedDryRun,
}

impl ConnectionLimit {
    fn counted(self) -> Option<Limited> {
        match self {
            ConnectionLimit::Passed => None,
            ConnectionLimit::Rejected => Some(Limited::ConnRejected),
            ConnectionLimit::RejectedDryRun => Some(Limited::ConnRejectedDryRun),
        }
    }

    pub(in crate::http) fn text(self) -> &'static [u8] {
        match self {
            ConnectionLimit::Passed => b"PASSED",
            ConnectionLimit::Rejected => b"REJECTED",
            ConnectionLimit::RejectedDryRun => b"REJECTED_DRY_RUN",
        }
    }
}

/// The mark that tells the client from others, in its cookie and in ours. In cells: a text that is filled in may be the
/// first to ask.
#[derive(Debug, Default)]
pub(crate) struct MarkState {
    /// The mark that has come, once somebody has looked.
    pub(in crate::http) got: Cell<Option<Uid>>,
    /// The mark that goes out.
    pub(in crate::http) set: Cell<Uid>,
    /// The mark that goes out has been made for this request.
    pub(in crate::http) is_new: Cell<bool>,
}

/// The fate of the connection behind the response.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    /// The next request may come.
    pub(in crate::http) keep_alive: bool,
    /// The client may still be sending: read on for a while before the close.
    pub(in crate::http) linger: bool,
    /// The location that was last asked whether it keeps the connection.
    pub(in crate::http) asked: Option<usize>,
}

impl Target {
    /// Makes it ready for the next request; keeps the memory of its buffers.
    pub(super) fn reset(&mut self) {
        // Field by field, for 100 instructions less than a new `Target`; the pattern forgets none.
        let Target {
            uri,
            args,
            has_args,
            path,
            captured,
            server,
            location,
            is_internal,
            add_uri_to_alias,
            is_rewritten,
            is_out_of_place,
            escapes_groups,
            redirects,
        } = self;
        uri.clear();
        args.clear();
        path.clear();
        captured.get_mut().clear();
        (*server, *location, *is_internal, *add_uri_to_alias, *redirects) = Default::default();
        (*is_rewritten, *is_out_of_place, *escapes_groups, *has_args) = Default::default();
    }

    /// Makes it ready for a script.
    pub(in crate::http) fn begin_script(&mut self) {
        (self.is_rewritten, self.escapes_groups) = (false, true);
    }

    /// Splits `target` into uri and query.
    pub(in crate::http) fn set_uri(&mut self, target: &[u8]) {
        let question = memchr::memchr(b'?', target);
        let (path, query) = match question {
            Some(at) => (&target[..at], &target[at + 1..]),
            None => (target, [].as_slice()),
        };
        self.has_args = question.is_some();
        self.uri.clear();
        self.uri.extend_from_slice(path);
        self.args.clear();
        self.args.extend_from_slice(query);
    }
}
