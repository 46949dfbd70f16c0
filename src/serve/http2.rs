//! The state of an HTTP/2 connection: its framing, and an exchange for each of its streams.

use super::session::Session;
use crate::http::h2::connection::{Connection, Options};
use crate::http::message::reject::Reject;
use std::collections::VecDeque;

/// Frames of answers are made while fewer bytes wait to be sent.
pub(super) const QUEUE_MAX: u64 = 64 << 10;

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
    /// The connection may carry no more requests than those that have come: it ends with the last answer.
    pub(super) is_last: bool,
    /// `QUEUE_MAX`, or less while the client takes less than it could be sent.
    pub(super) queue_max: u64,
    /// Nothing that comes is read any more: what is queued goes out, then the connection closes.
    pub(super) is_closing: bool,
    /// Since when the client has had no stream, has sent only a part of a frame, and has taken nothing of what is
    /// queued; ms of the clock.
    pub(super) idle_since_ms: Option<u64>,
    pub(super) partial_since_ms: Option<u64>,
    pub(super) stalled_since_ms: Option<u64>,
    pub(super) drain: Drain,
}

/// The time between the two GOAWAYs of a connection whose process shuts down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drain {
    /// No second one is to follow.
    No,
    /// The first one is queued; where in the output of the connection it ends.
    Queued(u64),
    /// The first one is out; when the second follows unless the client answers before, ms of the clock.
    Until(u64),
}

impl Drain {
    pub(super) fn until_ms(self) -> Option<u64> {
        match self {
            Drain::Until(until_ms) => Some(until_ms),
            Drain::No | Drain::Queued(_) => None,
        }
    }
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
    /// The exchange waits for the work of a thread.
    Work,
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
            is_last: false,
            queue_max: QUEUE_MAX,
            is_closing: false,
            idle_since_ms: None,
            partial_since_ms: None,
            stalled_since_ms: None,
            drain: Drain::No,
        }
    }

    /// Whether no request is there, and no answer on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.framing.is_empty() && self.queued.is_empty()
    }
}
