//! The streams of a connection (RFC 9113, section 5.1).
//!
//! ```text
//!            HEADERS of the client
//!                   │
//!                   ▼         END_STREAM of the client
//!   idle ───────▶ open ─────────────────────────────────▶ half-closed (remote)
//!                   │                                              │
//!                   │ answered: END_STREAM, RST_STREAM(NO_ERROR)   │ answered: END_STREAM
//!                   │ RST_STREAM of either                         │ RST_STREAM of either
//!                   ▼                                              ▼
//!                 closed ◀─────────────────────────────────────────┘
//! ```
//!
//! Open streams stand in a list, by their ids. Of closed ones the last are known, to tell frames that were on their way
//! from frames that should not be.

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

/// All open streams, by their ids, and the ends of the last closed ones.
#[derive(Debug)]
pub(super) struct Streams<S> {
    open: Vec<Stream<S>>,
    closed: VecDeque<(u32, Closed)>,
}

impl<S> Default for Streams<S> {
    fn default() -> Self {
        Streams { open: Vec::new(), closed: VecDeque::new() }
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
    }
}
