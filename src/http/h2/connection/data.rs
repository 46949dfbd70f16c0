//! DATA (RFC 9113, section 6.1): the bodies of requests, which are counted and dropped.

use super::headers::without_padding;
use super::{Connection, Event};
use crate::http::h2::fault::{Counted, Fault};
use crate::http::h2::frame::{self, Head, Kind};
use crate::http::h2::streams::Closed;

impl<S> Connection<S> {
    pub(super) fn take_data(&mut self, head: Head, payload: &[u8], out: &mut Vec<u8>) -> Result<Event<S>, Fault> {
        let id = head.stream;
        if id == 0 {
            return Err(Fault::Identifier(Kind::Data, 0));
        }
        let data = without_padding(head, Kind::Data, payload)?;
        self.check_not_idle(Kind::Data, id)?;
        // Whatever becomes of the stream, the window of the connection counts (RFC 9113, section 6.9).
        if !self.recv_window.take(head.len) {
            return Err(Fault::ConnectionWindow);
        }
        if let Some(by) = self.recv_window.give_back() {
            frame::put_window_update(out, 0, by);
        }
        let ends = head.has(frame::END_STREAM);
        if data.is_empty() && !ends {
            self.guard.count(Counted::EmptyData)?;
        }
        let Some(stream) = self.streams.find(id).and_then(|at| self.streams.get_mut(at)) else {
            if self.streams.rest_of(id).is_some() {
                return self.drop_rest(id, head.len, data.len(), ends, out);
            }
            return match self.streams.end_of(id) {
                // The frame was on its way.
                Some(Closed::ByUs) => self.guard.count(Counted::Ignored).map(|()| Event::Nothing),
                _ => self.fail_stream(id, Fault::Closed(Kind::Data, id), out),
            };
        };
        if !stream.recv_window.take(head.len) {
            return self.fail_stream(id, Fault::StreamWindow(id), out);
        }
        if stream.has_ended {
            return self.fail_stream(id, Fault::HalfClosed(id), out);
        }
        if let Some(left) = &mut stream.body_left {
            match left.checked_sub(data.len() as u64) {
                Some(rest) => *left = rest,
                None => return self.fail_stream(id, Fault::BodyLength(id), out),
            }
        }
        self.guard.earn(data.len() as u64);
        if ends {
            if let failed @ Event::Failed(..) = self.end_of_body(id, out)? {
                return Ok(failed);
            }
        } else if let Some(by) = stream.recv_window.give_back() {
            frame::put_window_update(out, id, by);
        }
        Ok(Event::Body { stream: id, bytes: head.len as u64 })
    }

    /// Drops DATA of a request that has been answered, `len` bytes of it the body's. A client that has much more to
    /// send is told to stop. The faults are those of a request that has not been answered, so that they are told
    /// however the frames come in pieces.
    fn drop_rest(
        &mut self,
        id: u32,
        bytes: usize,
        len: usize,
        ends: bool,
        out: &mut Vec<u8>,
    ) -> Result<Event<S>, Fault> {
        let Some(rest) = self.streams.rest_of(id) else { return Ok(Event::Nothing) };
        if !rest.window.take(bytes) {
            self.streams.end_rest(id, out);
            return self.fail_stream(id, Fault::StreamWindow(id), out);
        }
        if !rest.count(len, ends) {
            self.streams.end_rest(id, out);
            return self.fail_stream(id, Fault::BodyLength(id), out);
        }
        let goes_on = rest.drop(bytes);
        if ends {
            self.streams.end_rest(id, out);
        } else if !goes_on {
            self.streams.cut_rest(id, out);
        } else if let Some(by) = rest.window.give_back() {
            frame::put_window_update(out, id, by);
        }
        Ok(Event::Nothing)
    }
}
