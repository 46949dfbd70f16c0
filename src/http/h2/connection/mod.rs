//! The state of a connection: frames in, events out.
//!
//! A frame is looked at when it is there whole, so that the answers are the same however the bytes come in pieces. The
//! handlers of most types stand in `control.rs`, those of DATA in `data.rs`, those of header blocks in `headers.rs`.

mod answers;
mod control;
mod data;
mod headers;

use super::fault::{Counted, Fault};
use super::frame::{self, Code, HEAD_LEN, Head, Kind, MAX_31, MAX_PAYLOAD, PREFACE, Setting};
use super::guard::Guard;
use super::hpack::{Decoder, Encoder};
use super::streams::{Closed, Stream, Streams};
use super::window::{DEFAULT_WINDOW, RecvWindow, SendWindow};
use crate::http::message::head::Limits;
use crate::http::message::reject::Reject;
use crate::http::message::request_fields::RequestFields;

/// Bytes of a header block, and of the list of fields that is made of it.
pub const MAX_HEADER_LIST: usize = 64 << 10;

/// CONTINUATION frames of a header block that have no bytes.
pub const MAX_EMPTY_CONTINUATIONS: u32 = 8;

/// The data of a PING that asks whether the client has seen the first GOAWAY.
const DRAIN_PING: [u8; 8] = *b"drain...";

/// How a conf wants connections to be.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Streams at a time (`http2_max_concurrent_streams`).
    pub max_streams: usize,
    /// Bytes that a client may send on a stream before some of them are taken (`http2_body_preread_size`).
    pub window: u32,
}

/// A frame's meaning for the driver.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<S> {
    /// None: the frame is dealt with.
    Nothing,
    /// A request is whole in the fields that `receive` was given: the driver opens the stream.
    Request(Request),
    /// So many bytes of a body have come, and are dropped.
    Body {
        /// The stream.
        stream: u32,
        /// Bytes, padding included.
        bytes: u64,
    },
    /// The client resets a stream, with this code.
    Reset(S, u32),
    /// A stream is reset for a fault of the client's.
    Failed(Option<S>, Fault),
    /// The client has seen the first GOAWAY.
    DrainSeen,
}

/// A request that has come.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// The stream.
    pub stream: u32,
    /// No body follows.
    pub ends: bool,
    /// Bytes of the header block.
    pub len: usize,
    /// Whether the request is well-formed.
    pub result: Result<(), Reject>,
}

/// The outcome of a stream's turn to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Nothing: a window is empty, or the stream has nothing to send now.
    Nothing,
    /// So many bytes.
    Data(usize),
    /// So many bytes, the last of the answer: the stream is to be closed.
    Last(usize),
}

/// A header block that goes on in the next frame.
#[derive(Debug)]
struct Block {
    stream: u32,
    ends: bool,
    bytes: Vec<u8>,
    empty: u32,
}

/// How far the end of the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GoAway {
    No,
    /// The client knows that it is to open no more streams; those that are on their way are answered.
    Begun,
    /// Streams above this one are not answered.
    Last(u32),
}

/// A connection; each of its streams carries an `S`.
#[derive(Debug)]
pub struct Connection<S> {
    decoder: Decoder,
    encoder: Encoder,
    streams: Streams<S>,
    options: Options,
    send_window: SendWindow,
    recv_window: RecvWindow,
    /// The window of a stream that is opened, as the client's settings have it.
    stream_window: u32,
    /// Bytes of payload that the client takes in a frame.
    max_payload: usize,
    /// The highest stream of the client.
    last: u32,
    /// The preface has come, and then the first SETTINGS.
    has_preface: bool,
    has_settings: bool,
    /// The client has seen the settings.
    is_acknowledged: bool,
    block: Option<Box<Block>>,
    guard: Guard,
    goaway: GoAway,
}

impl<S> Connection<S> {
    /// A connection whose preface is to come.
    pub fn new(options: Options) -> Connection<S> {
        Connection {
            decoder: Decoder::default(),
            encoder: Encoder::default(),
            streams: Streams::default(),
            options,
            send_window: SendWindow::new(DEFAULT_WINDOW),
            recv_window: RecvWindow::new(DEFAULT_WINDOW),
            stream_window: DEFAULT_WINDOW,
            max_payload: MAX_PAYLOAD,
            last: 0,
            has_preface: false,
            has_settings: false,
            is_acknowledged: false,
            block: None,
            guard: Guard::default(),
            goaway: GoAway::No,
        }
    }

    /// Takes the frame at the start of `input`, with the preface in front of it if that has not come. The fields of a
    /// request go to `fields`; `out` gets what is to be sent. Returns how many bytes were taken, and the event; `None`:
    /// more bytes are needed.
    ///
    /// # Errors
    /// The connection must end: `fail` tells the client.
    pub fn receive(
        &mut self,
        input: &[u8],
        fields: &mut RequestFields,
        limits: &Limits,
        out: &mut Vec<u8>,
    ) -> Result<Option<(usize, Event<S>)>, Fault> {
        if !self.has_preface {
            return Ok(self.take_preface(input, out)?.then_some((PREFACE.len(), Event::Nothing)));
        }
        let Some(head) = Head::parse(input) else { return Ok(None) };
        if head.len > MAX_PAYLOAD {
            return Err(Fault::FrameTooLarge(head.len));
        }
        let Some(payload) = input.get(HEAD_LEN..HEAD_LEN + head.len) else { return Ok(None) };
        let event = self.take_frame(head, payload, fields, limits, out)?;
        Ok(Some((HEAD_LEN + head.len, event)))
    }

    fn take_preface(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<bool, Fault> {
        let there = input.len().min(PREFACE.len());
        if input[..there] != PREFACE[..there] {
            return Err(Fault::Preface);
        }
        self.has_preface = there == PREFACE.len();
        if self.has_preface {
            let streams = u32::try_from(self.options.max_streams).unwrap_or(MAX_31);
            let window = self.options.window;
            let settings = [(Setting::MaxConcurrentStreams, streams), (Setting::InitialWindowSize, window)];
            frame::put_settings(out, &settings);
        }
        Ok(self.has_preface)
    }

    fn take_frame(
        &mut self,
        head: Head,
        payload: &[u8],
        fields: &mut RequestFields,
        limits: &Limits,
        out: &mut Vec<u8>,
    ) -> Result<Event<S>, Fault> {
        // RFC 9113, section 3.4.
        if !self.has_settings && (head.kind != Some(Kind::Settings) || head.has(frame::ACK)) {
            return Err(Fault::FirstFrame);
        }
        // RFC 9113, section 6.10.
        if self.block.is_some() && head.kind != Some(Kind::Continuation) {
            return Err(Fault::ContinuationExpected);
        }
        match head.kind {
            Some(Kind::Data) => self.take_data(head, payload, out),
            Some(Kind::Headers) => self.take_headers(head, payload, fields, limits, out),
            Some(Kind::Continuation) => self.take_continuation(head, payload, fields, limits, out),
            Some(Kind::Priority) => self.take_priority(head),
            Some(Kind::RstStream) => self.take_reset(head, payload),
            Some(Kind::Settings) => self.take_settings(head, payload, out),
            Some(Kind::PushPromise) => Err(Fault::PushPromise),
            Some(Kind::Ping) => self.take_ping(head, payload, out),
            Some(Kind::GoAway) => self.take_goaway(head),
            Some(Kind::WindowUpdate) => self.take_window_update(head, payload, out),
            None => self.guard.count(Counted::Ignored).map(|()| Event::Nothing),
        }
    }

    /// Opens the stream of a request. `length`: its Content-Length.
    pub fn open(&mut self, request: &Request, length: Option<u64>, data: S) {
        // A client that has not seen the settings goes by those that hold without any.
        let window = if self.is_acknowledged { self.options.window } else { self.options.window.max(DEFAULT_WINDOW) };
        self.streams.push(Stream {
            id: request.stream,
            data,
            rest_ms: None,
            end: Vec::new(),
            send_window: SendWindow::new(self.stream_window),
            recv_window: RecvWindow::new(window),
            has_ended: request.ends,
            body_left: length.filter(|_| !request.ends),
        });
    }

    /// Resets a stream for a fault of the client's.
    fn fail_stream(&mut self, id: u32, fault: Fault, out: &mut Vec<u8>) -> Result<Event<S>, Fault> {
        frame::put_reset(out, id, fault.code());
        self.guard.count(Counted::Reset)?;
        let stream = self.streams.find(id).and_then(|at| self.streams.close(at, Closed::ByUs));
        if stream.is_none() {
            self.streams.remember(id, Closed::ByUs);
        }
        Ok(Event::Failed(stream.map(|stream| stream.data), fault))
    }

    /// Refuses a frame for a stream that no request has opened yet (RFC 9113, section 5.1).
    fn check_not_idle(&self, kind: Kind, id: u32) -> Result<(), Fault> {
        if id > self.last || id.is_multiple_of(2) { Err(Fault::Idle(kind, id)) } else { Ok(()) }
    }

    /// Tells the client of the fault for which the connection ends.
    pub fn fail(&mut self, fault: Fault, out: &mut Vec<u8>) {
        self.end(fault.code(), out);
    }

    /// Tells the client that the connection takes no more streams than those that have come. With an error no request
    /// is waited for.
    pub fn end(&mut self, code: Code, out: &mut Vec<u8>) {
        if code != Code::NoError {
            self.streams.cut_late(None, out);
        }
        if code != Code::NoError || !self.has_ended() {
            frame::put_goaway(out, self.last, code);
            self.goaway = GoAway::Last(self.last);
        }
    }

    /// Tells the client to open no more streams; those that are on their way are answered until `end` (RFC 9113,
    /// section 6.8). A PING finds out when it has seen that.
    pub fn begin_end(&mut self, out: &mut Vec<u8>) {
        if self.goaway == GoAway::No && self.has_preface {
            frame::put_goaway(out, MAX_31, Code::NoError);
            frame::put_ping(out, 0, DRAIN_PING);
            self.goaway = GoAway::Begun;
        }
    }

    /// Whether the client has been told that the connection ends.
    pub fn is_ending(&self) -> bool {
        self.goaway != GoAway::No
    }

    /// Whether no stream is taken any more.
    pub fn has_ended(&self) -> bool {
        matches!(self.goaway, GoAway::Last(_))
    }

    /// Whether a header block has begun and not ended.
    pub fn is_within_block(&self) -> bool {
        self.block.is_some()
    }

    /// Gives memory back that an idle connection does not need.
    pub fn shrink(&mut self) {
        self.streams.shrink();
    }
}

#[cfg(test)]
mod tests;
