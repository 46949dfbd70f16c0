//! Answers into frames: streams take turns, a frame of `http2_chunk_size` each, so that a large answer delays a small
//! one by no more than that.

use crate::http::exchange::{Cx, error_lines, limits};
use crate::http::h2::connection::Sent;
use crate::http::h2::frame::{Code, HEAD_LEN};
use crate::serve::connection::Conn;
use crate::serve::engine::Engine;
use crate::serve::http2::{Http2, Step, Stream};
use crate::serve::output::Output;
use crate::serve::pace;
use crate::serve::session::Session;
use std::io;

/// The first status with which an answer ends before its request has: curl 7.88 sends no more of a body once it has
/// seen such a status.
const FIRST_UNHELD: u16 = 300;

/// The outcome of a stream's turn.
enum Turn {
    /// The stream has nothing to send, or may not send it now.
    Nothing,
    Sent,
    /// The stream is closed.
    Closed,
}

impl Engine {
    /// Queues the head of the answer that is ready at `place`. Returns whether the stream is closed.
    pub(super) fn queue_head(&mut self, conn: &mut Conn, http2: &mut Http2, place: usize, out: &mut Output) -> bool {
        let Some(stream) = http2.framing.at_mut(place) else { return false };
        let (id, stream) = (stream.id, &mut stream.data);
        stream.step = Step::Send;
        let Session { input, ex, out: answer, .. } = &mut *stream.session;
        let cx = cx!(self, conn, &input[..]);
        stream.has_trailers = ex.has_trailers(&cx);
        http2.is_last |= !cx.leaving && !ex.lets_connection_go_on(&cx);
        let (status, head_len) = (ex.status(), ex.begin_frames());
        let body_timeout = *self.site.location(ex.location()).scope.get(&limits::CLIENT_BODY_TIMEOUT);
        answer.advance(head_len);
        let ends = answer.is_empty() && !stream.has_trailers;
        let lines = std::mem::take(&mut answer.bytes);
        let head = lines.get(..head_len).unwrap_or_default();
        let rest_ms = (status < FIRST_UNHELD).then_some(body_timeout);
        http2.framing.at_mut(place).into_iter().for_each(|stream| stream.rest_ms = rest_ms);
        let len = http2.framing.put_head(id, status, head, ends, &mut out.bytes);
        let Some(stream) = http2.framing.at_mut(place) else { return false };
        stream.data.session.out.bytes = lines;
        stream.data.session.ex.add_frame(len, 0);
        if ends {
            self.end_stream(http2, place, out);
        }
        ends
    }

    /// The answer of the stream at `place` is queued whole.
    fn end_stream(&self, http2: &mut Http2, place: usize, out: &mut Output) {
        let Some(stream) = http2.framing.close(place, &mut out.bytes) else { return };
        if http2.is_last && http2.framing.is_empty() && http2.framing.held() == 0 {
            http2.framing.end(Code::NoError, &mut out.bytes);
        }
        http2.queued.push_back((http2.taken + out.unsent(), stream));
    }

    /// Lets the streams take turns until none has more to send, or much is queued. Returns whether that is why.
    pub(super) fn pump(&mut self, conn: &mut Conn, http2: &mut Http2, out: &mut Output) -> bool {
        out.compact();
        if out.holds_records() {
            return true;
        }
        loop {
            let mut has_sent = false;
            let mut place = http2.framing.place_behind(http2.served);
            for _ in 0..http2.framing.len() {
                if out.unsent() >= http2.queue_max || self.is_starved() {
                    return true;
                }
                if place >= http2.framing.len() {
                    place = 0;
                }
                match self.take_turn(conn, http2, place, out) {
                    Turn::Nothing => place += 1,
                    Turn::Sent => (has_sent, place) = (true, place + 1),
                    Turn::Closed => has_sent = true,
                }
            }
            if !has_sent {
                return false;
            }
        }
    }

    /// Lets the stream at `place` send a frame.
    fn take_turn(&mut self, conn: &mut Conn, http2: &mut Http2, place: usize, out: &mut Output) -> Turn {
        let has_room = http2.framing.has_room(place);
        let now = self.clock.now_ms();
        let Some(stream) = http2.framing.at_mut(place) else { return Turn::Nothing };
        let (id, stream) = (stream.id, &mut stream.data);
        if stream.step != Step::Send {
            return Turn::Nothing;
        }
        conn.info.requests = stream.number;
        let Session { input, ex, out: answer, pace, .. } = &mut *stream.session;
        let mut most = ex.chunk_size(&cx!(self, conn, &input[..]));
        match pace.as_mut().map(|pace| pace.step(now)) {
            Some(pace::Step::PauseUntil(_)) => return Turn::Nothing,
            Some(pace::Step::Send(rate)) => most = most.min(rate),
            None => {}
        }
        if !has_room && !answer.is_empty() {
            stream.stalled_since_ms.get_or_insert(now);
            return Turn::Nothing;
        }
        let (begin, mut trailers) = (out.bytes.len(), Vec::new());
        let fill = |stream: &mut Stream, room, frame: &mut Vec<u8>| self.fill(conn, stream, room, frame, &mut trailers);
        let sent = match http2.framing.put_data(place, most, &mut out.bytes, fill) {
            Ok(sent) => sent,
            Err(error) => {
                self.fail_stream(conn, http2, place, &error, out);
                return Turn::Closed;
            }
        };
        if let Some(stream) = http2.framing.at_mut(place) {
            self.ask_for_output(&mut stream.data.session);
        }
        http2.served = id;
        if !trailers.is_empty() {
            let len = http2.framing.put_trailers(id, &trailers, &mut out.bytes);
            http2.framing.at_mut(place).into_iter().for_each(|stream| stream.data.session.ex.add_frame(len, 0));
        }
        let Some(stream) = http2.framing.at_mut(place) else { return Turn::Nothing };
        if let Sent::Data(len) | Sent::Last(len) = sent {
            let Session { ex, pace, .. } = &mut *stream.data.session;
            ex.add_frame(HEAD_LEN, len);
            if let Some(pace) = pace {
                pace.count(len as u64, now);
            }
            stream.data.stalled_since_ms = None;
        }
        match sent {
            Sent::Last(_) => {}
            _ if !trailers.is_empty() => {}
            Sent::Data(_) => return Turn::Sent,
            Sent::Nothing => return Turn::Nothing,
        }
        http2.framing.hold(place, begin, &mut out.bytes);
        self.end_stream(http2, place, out);
        Turn::Closed
    }

    /// Fills a frame with up to `room` bytes of the answer. Returns whether they are the last; where the answer has
    /// trailers these are, and the last bytes are not.
    fn fill(
        &self,
        conn: &Conn,
        stream: &mut Stream,
        room: usize,
        frame: &mut Vec<u8>,
        trailers: &mut Vec<u8>,
    ) -> io::Result<bool> {
        let Session { input, ex, out, .. } = &mut *stream.session;
        while out.has_coder() && !out.is_fetching() && out.unsent() < room as u64 {
            let made = out.make_slice()?;
            made.lengths.into_iter().for_each(|(before, after)| ex.set_coded(before, after));
        }
        out.take(room, frame)?;
        if out.is_empty() && stream.has_trailers {
            ex.put_trailers(&cx!(self, conn, &input[..]), trailers);
        }
        Ok(out.is_empty() && trailers.is_empty())
    }

    /// The file of the answer can't be read to its end.
    fn fail_stream(&mut self, conn: &mut Conn, http2: &mut Http2, place: usize, error: &io::Error, out: &mut Output) {
        let Some(stream) = http2.framing.reset(place, Code::InternalError, &mut out.bytes) else { return };
        error_lines::connection_broken(&stream.session.ex, &cx!(self, conn, &stream.session.input[..]), error);
        self.drop_stream(conn, stream);
    }
}
