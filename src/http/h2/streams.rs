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
//! comes, up to a bound, since clients take a reset for a failure (curl 7.88: error 92). Its answer may wait with its
//! end until the request has ended, as curl 7.88 sends no more of a body once the answer is over.

use super::frame::{self, Code, Kind};
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
    /// The answer ends when the request has, or when the client has sent nothing of it for so long, ms.
    pub rest_ms: Option<u64>,
    /// The last frames of an answer that wait for the end of the request.
    pub(super) end: Vec<u8>,
    pub(super) send_window: SendWindow,
    pub(super) recv_window: RecvWindow,
    /// The client has said END_STREAM.
    pub(super) has_ended: bool,
    /// Bytes of the body that are to come, where Content-Length says so.
    pub(super) body_left: Option<u64>,
}

impl<S> Stream<S> {
    /// Whether the end of the answer waits for that of the request.
    pub(super) fn waits(&self) -> bool {
        self.rest_ms.is_some() && !self.has_ended
    }
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
    held: Option<Held>,
}

/// The end of an answer that waits for that of its request.
#[derive(Debug)]
struct Held {
    /// The last frames.
    frames: Vec<u8>,
    /// How long the client may be silent, and until when it has time; ms.
    ms: u64,
    until_ms: Option<u64>,
}

impl Held {
    fn new<S>(stream: &mut Stream<S>) -> Option<Held> {
        let mut frames = std::mem::take(&mut stream.end);
        if frames.is_empty() {
            frame::put_head(&mut frames, Kind::Data, frame::END_STREAM, stream.id, 0);
        }
        Some(Held { frames, ms: stream.rest_ms?, until_ms: None })
    }
}

impl Rest {
    fn put_end(&self, out: &mut Vec<u8>) {
        self.held.iter().for_each(|held| out.extend_from_slice(&held.frames));
    }

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
        self.held.iter_mut().for_each(|held| held.until_ms = None);
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

    /// Takes a stream out that is answered before its request is whole. Resets the oldest of that kind, where there are
    /// too many.
    pub(super) fn close_early(&mut self, at: usize, out: &mut Vec<u8>) -> Option<Stream<S>> {
        let mut stream = self.close(at, Closed::ByUs)?;
        self.rests.push_back(Rest {
            id: stream.id,
            window: stream.recv_window,
            left: REST_MAX,
            body_left: stream.body_left,
            held: Held::new(&mut stream),
        });
        if self.rests.len() > RESTS
            && let Some(oldest) = self.rests.front()
        {
            self.cut_rest(oldest.id, out);
        }
        Some(stream)
    }

    /// The rest of a request that is being dropped.
    pub(super) fn rest_of(&mut self, id: u32) -> Option<&mut Rest> {
        self.rests.iter_mut().find(|rest| rest.id == id)
    }

    /// The client has reset a stream of whose request the rest is being dropped.
    pub(super) fn forget_rest(&mut self, id: u32) {
        self.rests.retain(|rest| rest.id != id);
    }

    /// No more is to come of the rest of a request: the answer ends as well.
    pub(super) fn end_rest(&mut self, id: u32, out: &mut Vec<u8>) {
        self.rest_of(id).iter().for_each(|rest| rest.put_end(out));
        self.forget_rest(id);
    }

    /// The answer ends, and the rest of the request need not be sent (RFC 9113, section 8.1).
    pub(super) fn cut_rest(&mut self, id: u32, out: &mut Vec<u8>) {
        self.end_rest(id, out);
        frame::put_reset(out, id, Code::NoError);
    }

    /// Answers whose end waits for that of the request.
    pub(super) fn held(&self) -> usize {
        self.rests.iter().filter(|rest| rest.held.is_some()).count()
    }

    /// Cuts the rests of which the client has sent nothing for too long; all of them that are waited for, where there
    /// is no `now`. Returns how many.
    pub(super) fn cut_late(&mut self, now: Option<u64>, out: &mut Vec<u8>) -> usize {
        let is_late = |held: &Held| now.is_none_or(|now| held.until_ms.is_some_and(|until| until <= now));
        let late = self.rests.iter().filter(|rest| rest.held.as_ref().is_some_and(is_late));
        let late: Vec<u32> = late.map(|rest| rest.id).collect();
        late.iter().for_each(|id| self.cut_rest(*id, out));
        late.len()
    }

    /// Until when the client has time to send more of the first rest that is waited for.
    pub(super) fn rest_until(&mut self, now: u64) -> Option<u64> {
        let held = self.rests.iter_mut().filter_map(|rest| rest.held.as_mut());
        held.map(|held| *held.until_ms.get_or_insert(now.saturating_add(held.ms))).min()
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
