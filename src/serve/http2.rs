//! The state of an HTTP/2 connection: its framing, and an exchange for each of its streams.

use super::session::Session;
use crate::http::h2::connection::{Connection, Options};
use crate::http::message::reject::Reject;
use std::collections::VecDeque;

/// A connection; without streams it has no memory besides the table of its client's fields.
#[derive(Debug)]
pub(super) struct Http2 {
    pub(super) framing: Connection<Stream>,
    /// Streams whose answers are queued whole, and where in the output of the connection each ends: they are counted
    /// and logged when that is out.
    pub(super) queued: VecDeque<(u64, Stream)>,
    /// Bytes of the queue that are out, or in records of TLS.
    pub(super) taken: u64,
    /// Requests that have come.
    pub(super) requests: u32,
    /// The stream that was the last to have its turn.
    pub(super) served: u32,
    /// The stream whose password is being checked: no other exchange goes on meanwhile, as it may want a check as well.
    pub(super) checking: Option<u32>,
    /// The result of that check.
    pub(super) fits: Option<bool>,
    /// The connection may carry no more requests than those that have come: it ends with the last answer.
    pub(super) is_last: bool,
    /// Nothing that comes is read any more: what is queued goes out, then the connection closes.
    pub(super) is_closing: bool,
    /// Since when the client has been idle, has sent only a part of a frame, and has taken nothing of what is queued;
    /// ms of the clock.
    pub(super) idle_since_ms: Option<u64>,
    pub(super) partial_since_ms: Option<u64>,
    pub(super) stalled_since_ms: Option<u64>,
    /// When the second GOAWAY follows the first, unless the client answers before; ms of the clock.
    pub(super) drain_until_ms: Option<u64>,
}

/// A stream's exchange.
#[derive(Debug)]
pub(super) struct Stream {
    /// The head of the request, the exchange, and the answer that is to go out.
    pub(super) session: Box<Session>,
    pub(super) step: Step,
    /// The number of the request on its connection.
    pub(super) number: u32,
    /// The answer has trailers.
    pub(super) has_trailers: bool,
    /// Since when the stream waits for its window, ms of the clock.
    pub(super) stalled_since_ms: Option<u64>,
}

/// How far the exchange of a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The request is there, well-formed or not.
    Start { result: Result<(), Reject> },
    /// The exchange waits until this time, ms of the clock.
    Wait { until_ms: u64 },
    /// The exchange waits for the check of a password.
    Check,
    /// The answer goes out.
    Send,
}

impl Http2 {
    pub(super) fn new(options: Options) -> Http2 {
        Http2 {
            framing: Connection::new(options),
            queued: VecDeque::new(),
            taken: 0,
            requests: 0,
            served: 0,
            checking: None,
            fits: None,
            is_last: false,
            is_closing: false,
            idle_since_ms: None,
            partial_since_ms: None,
            stalled_since_ms: None,
            drain_until_ms: None,
        }
    }

    /// Whether no request is there, and no answer on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.framing.is_empty() && self.queued.is_empty()
    }
}
