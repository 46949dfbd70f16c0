//! Header blocks: HEADERS, CONTINUATION (RFC 9113, sections 4.3, 6.2, 6.10).

use super::{Block, Connection, Event, GoAway, MAX_EMPTY_CONTINUATIONS, MAX_HEADER_LIST, Request};
use crate::http::h2::fault::{Counted, Fault};
use crate::http::h2::frame::{self, Head, Kind};
use crate::http::h2::streams::Closed;
use crate::http::message::head::Limits;
use crate::http::message::request_fields::RequestFields;

/// Bytes of the advice in front of a block that has the flag PRIORITY.
const ADVICE: usize = 5;

/// The use of a header block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// A request that is new.
    Request,
    /// The trailers of a request.
    Trailers,
    /// None: but the table of HPACK must know it.
    Nothing,
}

/// The payload of a padded frame without its padding (RFC 9113, section 6.1).
pub(super) fn without_padding(head: Head, kind: Kind, payload: &[u8]) -> Result<&[u8], Fault> {
    if !head.has(frame::PADDED) {
        return Ok(payload);
    }
    let [padding, rest @ ..] = payload else { return Err(Fault::Length(kind, head.len)) };
    let len = rest.len().checked_sub(usize::from(*padding)).ok_or(Fault::Padding(kind))?;
    Ok(&rest[..len])
}

impl<S> Connection<S> {
    pub(super) fn take_headers(
        &mut self,
        head: Head,
        payload: &[u8],
        fields: &mut RequestFields,
        limits: &Limits,
        out: &mut Vec<u8>,
    ) -> Result<Event<S>, Fault> {
        if head.stream == 0 {
            return Err(Fault::Identifier(Kind::Headers, 0));
        }
        if head.stream.is_multiple_of(2) {
            return Err(Fault::EvenStream(head.stream));
        }
        let payload = without_padding(head, Kind::Headers, payload)?;
        let advice = if head.has(frame::PRIORITY) { ADVICE } else { 0 };
        let bytes = payload.get(advice..).ok_or(Fault::Length(Kind::Headers, head.len))?;
        let ends = head.has(frame::END_STREAM);
        if head.has(frame::END_HEADERS) {
            return self.take_block(head.stream, bytes, ends, fields, limits, out);
        }
        let block = Block { stream: head.stream, ends, bytes: bytes.to_vec(), empty: 0 };
        self.block = Some(Box::new(block));
        Ok(Event::Nothing)
    }

    pub(super) fn take_continuation(
        &mut self,
        head: Head,
        payload: &[u8],
        fields: &mut RequestFields,
        limits: &Limits,
        out: &mut Vec<u8>,
    ) -> Result<Event<S>, Fault> {
        let Some(block) = &mut self.block else { return Err(Fault::UnexpectedContinuation) };
        if head.stream != block.stream {
            return Err(Fault::ContinuationStream);
        }
        if payload.is_empty() && !head.has(frame::END_HEADERS) {
            block.empty += 1;
            if block.empty > MAX_EMPTY_CONTINUATIONS {
                return Err(Fault::EmptyContinuations);
            }
        }
        if block.bytes.len() + payload.len() > MAX_HEADER_LIST {
            return Err(Fault::HeaderBlock);
        }
        block.bytes.extend_from_slice(payload);
        if !head.has(frame::END_HEADERS) {
            return Ok(Event::Nothing);
        }
        match self.block.take() {
            Some(block) => self.take_block(block.stream, &block.bytes, block.ends, fields, limits, out),
            None => Ok(Event::Nothing),
        }
    }

    /// The use that a block of a stream has, by the state of the stream.
    fn use_of(&mut self, id: u32, ends: bool) -> Result<(Use, Option<Fault>), Fault> {
        if id > self.last {
            return match self.goaway {
                GoAway::Last(_) => Ok((Use::Nothing, None)),
                // RFC 9113, section 5.1.2.
                _ if self.streams.len() >= self.options.max_streams => Ok((Use::Nothing, Some(Fault::TooManyStreams))),
                _ => Ok((Use::Request, None)),
            };
        }
        if let Some(stream) = self.streams.find(id).and_then(|at| self.streams.get(at)) {
            return Ok(match stream.has_ended {
                true => (Use::Nothing, Some(Fault::Closed(Kind::Headers, id))),
                // RFC 9113, section 8.1.
                false if !ends => (Use::Nothing, Some(Fault::Trailers(id))),
                false => (Use::Trailers, None),
            });
        }
        if self.streams.rest_of(id).is_some() {
            return Ok(if ends { (Use::Trailers, None) } else { (Use::Nothing, Some(Fault::Trailers(id))) });
        }
        match self.streams.end_of(id) {
            Some(Closed::ByUs) => Ok((Use::Nothing, None)),
            Some(Closed::ByClient) => Err(Fault::Closed(Kind::Headers, id)),
            // RFC 9113, section 5.1.1.
            None => Err(Fault::OldStream(id, self.last)),
        }
    }

    fn take_block(
        &mut self,
        id: u32,
        block: &[u8],
        ends: bool,
        fields: &mut RequestFields,
        limits: &Limits,
        out: &mut Vec<u8>,
    ) -> Result<Event<S>, Fault> {
        let (usage, mut fault) = self.use_of(id, ends)?;
        self.last = self.last.max(id);
        let mut size = 0usize;
        let mut has_pseudo = false;
        fields.clear();
        let mut scratch = std::mem::take(&mut fields.scratch);
        let decoded = self.decoder.decode(block, &mut scratch, |name, value| match usage {
            Use::Request => fields.add(name, value, limits),
            Use::Trailers | Use::Nothing => {
                has_pseudo |= name.starts_with(b":");
                size = size.saturating_add(name.len() + value.len());
            }
        });
        fields.scratch = scratch;
        decoded.map_err(Fault::Compression)?;
        if size.max(fields.size()) > MAX_HEADER_LIST {
            return Err(Fault::HeaderBlock);
        }
        if usage == Use::Trailers && has_pseudo {
            fault = Some(Fault::Trailers(id));
        }
        match (usage, fault) {
            (_, Some(fault)) => {
                self.streams.end_rest(id, out);
                self.fail_stream(id, fault, out)
            }
            (Use::Request, None) => {
                let result = fields.finish(ends);
                Ok(Event::Request(Request { stream: id, ends, len: block.len(), result }))
            }
            (Use::Trailers, None) => self.end_of_body(id, out),
            // A stream that has ended here, or one that the client has opened before it knew that none is taken.
            (Use::Nothing, None) => self.guard.count(Counted::Ignored).map(|()| Event::Nothing),
        }
    }

    /// The client has sent the last of a request.
    pub(super) fn end_of_body(&mut self, id: u32, out: &mut Vec<u8>) -> Result<Event<S>, Fault> {
        let Some(stream) = self.streams.find(id).and_then(|at| self.streams.get_mut(at)) else {
            let is_as_said = self.streams.rest_of(id).is_none_or(|rest| rest.count(0, true));
            self.streams.end_rest(id, out);
            return if is_as_said { Ok(Event::Nothing) } else { self.fail_stream(id, Fault::BodyLength(id), out) };
        };
        stream.has_ended = true;
        match stream.body_left {
            // RFC 9113, section 8.1.1.
            Some(1..) => self.fail_stream(id, Fault::BodyLength(id), out),
            _ => Ok(Event::Nothing),
        }
    }
}
