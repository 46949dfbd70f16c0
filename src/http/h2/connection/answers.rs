//! Answers: header blocks and DATA out, in the windows that the client gives. The driver takes turns between streams.

use super::{Connection, Sent};
use crate::http::h2::frame::{self, Code, HEAD_LEN, Kind};
use crate::http::h2::streams::{Closed, Stream};
use std::io;

impl<S> Connection<S> {
    /// Streams that are open.
    pub fn len(&self) -> usize {
        self.streams.len()
    }

    /// Whether no stream is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place of the first stream behind `id`, of which places are counted around.
    pub fn place_behind(&self, id: u32) -> usize {
        self.streams.behind(id)
    }

    /// The place of a stream, which holds until one is closed.
    pub fn place_of(&self, id: u32) -> Option<usize> {
        self.streams.find(id)
    }

    /// The stream at a place.
    pub fn at(&self, place: usize) -> Option<&Stream<S>> {
        self.streams.get(place)
    }

    /// The stream at a place.
    pub fn at_mut(&mut self, place: usize) -> Option<&mut Stream<S>> {
        self.streams.get_mut(place)
    }

    /// All streams, in the order in which the client has opened them.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Stream<S>> {
        self.streams.iter_mut()
    }

    /// Whether the windows let the stream at a place send anything.
    pub fn has_room(&self, place: usize) -> bool {
        self.send_window.room() > 0 && self.at(place).is_some_and(|stream| stream.send_window.room() > 0)
    }

    /// Appends the head of an answer: HTTP/1's, line by line, of which HTTP/2 has all but those about the connection.
    /// Returns the bytes of the frames.
    pub fn put_head(&mut self, id: u32, status: u16, lines: &[u8], ends: bool, out: &mut Vec<u8>) -> usize {
        let begin = out.len();
        let mut block = Vec::with_capacity(lines.len());
        self.encoder.begin(status, &mut block);
        let fields = memchr::memchr(b'\n', lines).map_or(0, |end| end + 1);
        self.encode(&lines[fields..], &mut block);
        let waits = self.place_of(id).and_then(|place| self.at(place)).is_some_and(Stream::waits);
        frame::put_block(out, id, &block, ends && !waits, self.max_payload);
        self.guard.earn(block.len() as u64);
        out.len() - begin
    }

    /// Appends the fields behind an answer's body, line by line as those of the head.
    pub fn put_trailers(&mut self, id: u32, lines: &[u8], out: &mut Vec<u8>) -> usize {
        let begin = out.len();
        let mut block = Vec::with_capacity(lines.len());
        self.encode(lines, &mut block);
        frame::put_block(out, id, &block, true, self.max_payload);
        out.len() - begin
    }

    fn encode(&self, lines: &[u8], block: &mut Vec<u8>) {
        for line in lines.split(|byte| *byte == b'\n') {
            if let Some(colon) = memchr::memchr(b':', line) {
                self.encoder.field(&line[..colon], line[colon + 1..].trim_ascii(), block);
            }
        }
    }

    /// Lets the stream at `place` send a frame of at most `max` bytes: `fill` appends as many as it is given room for
    /// and has at hand, and says whether they are the last.
    ///
    /// # Errors
    /// The error of `fill`; then nothing has been appended.
    pub fn put_data(
        &mut self,
        place: usize,
        max: usize,
        out: &mut Vec<u8>,
        fill: impl FnOnce(&mut S, usize, &mut Vec<u8>) -> io::Result<bool>,
    ) -> io::Result<Sent> {
        let Some(stream) = self.streams.get_mut(place) else { return Ok(Sent::Nothing) };
        let room = self.send_window.room().min(stream.send_window.room()).min(self.max_payload).min(max);
        let at = out.len();
        out.extend_from_slice(&[0; HEAD_LEN]);
        let ends = fill(&mut stream.data, room, out).inspect_err(|_| out.truncate(at))?;
        let len = out.len() - at - HEAD_LEN;
        if len == 0 && !ends {
            out.truncate(at);
            return Ok(Sent::Nothing);
        }
        frame::set_head(out, at, Kind::Data, if ends { frame::END_STREAM } else { 0 }, stream.id, len);
        stream.send_window.take(len);
        self.send_window.take(len);
        self.guard.earn(len as u64);
        Ok(if ends { Sent::Last(len) } else { Sent::Data(len) })
    }

    /// Holds what `out` has from `begin`, the last frames of the answer at `place`, where they wait for the request.
    /// To hold END_STREAM alone would not do: curl 7.88 reads no WINDOW_UPDATE behind the last byte that Content-Length
    /// lets it expect.
    pub fn hold(&mut self, place: usize, begin: usize, out: &mut Vec<u8>) {
        if let Some(stream) = self.at_mut(place).filter(|stream| stream.waits()) {
            stream.end = out.split_off(begin.min(out.len()));
        }
    }

    /// Closes the stream at `place`, whose answer is whole. What the client has yet to send of its request is dropped.
    pub fn close(&mut self, place: usize, out: &mut Vec<u8>) -> Option<S> {
        if self.at(place)?.has_ended {
            return Some(self.streams.close(place, Closed::ByClient)?.data);
        }
        self.streams.close_early(place, out).map(|stream| stream.data)
    }

    /// Answers that are sent but for their end, which waits for that of the request.
    pub fn held(&self) -> usize {
        self.streams.held()
    }

    /// Until when the client has time to send more of a request that is waited for.
    pub fn rest_until(&mut self, now_ms: u64) -> Option<u64> {
        self.streams.rest_until(now_ms)
    }

    /// Ends the answers of which the requests are late; all that wait, where there is no `now_ms`. Returns whether
    /// there are any.
    pub fn end_held(&mut self, now_ms: Option<u64>, out: &mut Vec<u8>) -> bool {
        self.streams.cut_late(now_ms, out) > 0
    }

    /// Resets the stream at `place`: there is no answer, or no more of it.
    pub fn reset(&mut self, place: usize, code: Code, out: &mut Vec<u8>) -> Option<S> {
        let stream = self.streams.close(place, Closed::ByUs)?;
        frame::put_reset(out, stream.id, code);
        Some(stream.data)
    }

    /// Closes all streams: the connection is over.
    pub fn close_all(&mut self) -> impl Iterator<Item = S> {
        self.streams.drain().into_iter().map(|stream| stream.data)
    }
}
