//! The streams of a connection (RFC 9113, section 5.1).
//!
//! ```text
//!            HEADERS of the client
//!                   │
//!                   ▼         END_STREAM of the client
//!   idle ───────▶ open ─────────────────────────────────▶ half-closed (remote)
//!                   │                                              │
//!                   │ answered: END_STREAM                         │ answered: END_STREAM
//!                   │ RST_STREAM of either                         │ RST_STREAM of either
//!                   ▼                                              ▼
//!                 closed ◀─────────────────────────────────────────┘
//! ```
//!
//! Open streams stand in a list, by their ids. Of closed ones the last are known, to tell frames that were on their way
//! from frames that should not be. Of a stream that is answered before its request is whole the rest is dropped as it
//! comes, up to a bound, since clients take a reset for a failure (curl 7.88: error 92).

use super::window::{RecvWindow, SendWindow};
use std::collections::VecDeque;

/// Closed streams that are remembered.
const REMEMBERED: usize = 32;

/// A stream that is open, or half-closed by the client.
#[derive(Debug)]
pub struct Stream<S> {
    /// The id.
    pub id: u32,
    /// The driver's own.
    pub data: S,
    pub(super) send_window: SendWindow,
    pub(super) recv_window: RecvWindow,
    /// The client has said END_STREAM.
    pub(super) has_ended: bool,
    /// Bytes of the body that are to come, where Content-Length says so.
    pub(super) body_left: Option<u64>,
}

/// The end of a stream that is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// The client has ended it, or reset it.
    ByClient,
    /// The server has ended it: frames of the client may have been on their way.
    ByUs,
}

/// Requests at a time whose rest is dropped.
const RESTS: usize = 8;

/// Bytes that are dropped of one.
const REST_MAX: usize = 1 << 20;

/// The rest of a request that has been answered.
#[derive(Debug)]
pub(super) struct Rest {
    id: u32,
    pub(super) window: RecvWindow,
    left: usize,
    /// Bytes of the body that are to come, where Content-Length says so.
    body_left: Option<u64>,
}

impl Rest {
    /// Counts bytes of the body, the last of it if it `ends`. `false`: the body is not as long as Content-Length says.
    pub(super) fn count(&mut self, bytes: usize, ends: bool) -> bool {
        let Some(left) = &mut self.body_left else { return true };
        match left.checked_sub(bytes as u64) {
            Some(rest) => *left = rest,
            None => return false,
        }
        !ends || *left == 0
    }

    /// Drops bytes; `false`: these were enough.
    pub(super) fn drop(&mut self, bytes: usize) -> bool {
        self.left = self.left.saturating_sub(bytes);
        self.left > 0
    }
}

/// All open streams, by their ids, and the ends of the last closed ones.
#[derive(Debug)]
pub(super) struct Streams<S> {
    open: Vec<Stream<S>>,
    closed: VecDeque<(u32, Closed)>,
    rests: VecDeque<Rest>,
}

impl<S> Default for Streams<S> {
    fn default() -> Self {
        Streams { open: Vec::new(), closed: VecDeque::new(), rests: VecDeque::new() }
    }
}

impl<S> Streams<S> {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// The place of a stream; places change when a stream is closed.
    pub(super) fn find(&self, id: u32) -> Option<usize> {
        self.open.binary_search_by_key(&id, |stream| stream.id).ok()
    }

    /// The place of the first stream behind `id`.
    pub(super) fn behind(&self, id: u32) -> usize {
        self.open.partition_point(|stream| stream.id <= id)
    }

    pub(super) fn get(&self, at: usize) -> Option<&Stream<S>> {
        self.open.get(at)
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Stream<S>> {
        self.open.get_mut(at)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream<S>> {
        self.open.iter_mut()
    }

    /// Adds a stream, whose id is above those of all others.
    pub(super) fn push(&mut self, stream: Stream<S>) {
        self.open.push(stream);
    }

    /// Takes a stream out.
    pub(super) fn close(&mut self, at: usize, how: Closed) -> Option<Stream<S>> {
        if at >= self.open.len() {
            return None;
        }
        let stream = self.open.remove(at);
        self.remember(stream.id, how);
        Some(stream)
    }

    /// Takes a stream out that is answered before its request is whole. Returns a stream to reset, where there are too
    /// many of that kind.
    pub(super) fn close_early(&mut self, at: usize) -> (Option<Stream<S>>, Option<u32>) {
        let stream = self.close(at, Closed::ByUs);
        let rest = stream.as_ref().map(|stream| Rest {
            id: stream.id,
            window: stream.recv_window,
            left: REST_MAX,
            body_left: stream.body_left,
        });
        self.rests.extend(rest);
        let oldest = if self.rests.len() > RESTS { self.rests.pop_front() } else { None };
        (stream, oldest.map(|rest| rest.id))
    }

    /// The rest of a request that is being dropped.
    pub(super) fn rest_of(&mut self, id: u32) -> Option<&mut Rest> {
        self.rests.iter_mut().find(|rest| rest.id == id)
    }

    /// No more is to come of the rest of a request.
    pub(super) fn end_rest(&mut self, id: u32) {
        self.rests.retain(|rest| rest.id != id);
    }

    pub(super) fn remember(&mut self, id: u32, how: Closed) {
        if self.closed.len() == REMEMBERED {
            self.closed.pop_front();
        }
        self.closed.push_back((id, how));
    }

    /// How a stream was closed, if that is remembered.
    pub(super) fn end_of(&self, id: u32) -> Option<Closed> {
        self.closed.iter().rev().find(|(closed, _)| *closed == id).map(|(_, how)| *how)
    }

    /// Takes all streams out.
    pub(super) fn drain(&mut self) -> Vec<Stream<S>> {
        std::mem::take(&mut self.open)
    }

    /// Gives memory back that an idle connection does not need. Streams stay known to which frames of the client may be
    /// on their way.
    pub(super) fn shrink(&mut self) {
        self.open = Vec::new();
        self.closed.retain(|(_, how)| *how == Closed::ByUs);
        self.closed.shrink_to_fit();
        self.rests.shrink_to_fit();
    }
}
