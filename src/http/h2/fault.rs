//! The faults of clients, with the error code of the RFC and the text of the log line each: nginx's words where nginx
//! sees the fault (ngx_http_v2.c).

use super::frame::{Code, Kind};
use super::hpack;
use std::fmt;

/// The kinds of frames that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Streams that the client resets, or that are reset or refused for its faults (CVE-2023-44487, and "made you
    /// reset").
    Reset,
    /// PING, which is answered.
    Ping,
    /// SETTINGS, which are answered.
    Settings,
    /// PRIORITY, which means nothing.
    Priority,
    /// DATA without data that does not end its stream.
    EmptyData,
    /// WINDOW_UPDATE.
    WindowUpdate,
    /// Frames of unknown types, and others that are ignored.
    Ignored,
}

/// The fault that ends a connection, or a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the texts below say what each is")]
pub enum Fault {
    Preface,
    FirstFrame,
    FrameTooLarge(usize),
    Length(Kind, usize),
    Padding(Kind),
    Identifier(Kind, u32),
    Idle(Kind, u32),
    Closed(Kind, u32),
    HalfClosed(u32),
    EvenStream(u32),
    OldStream(u32, u32),
    ContinuationExpected,
    ContinuationStream,
    UnexpectedContinuation,
    EmptyContinuations,
    HeaderBlock,
    Compression(hpack::Error),
    AckedSettings,
    SettingValue(&'static str, u32),
    ConnectionWindow,
    StreamWindow(u32),
    WindowIncrement(u32),
    WindowOverflow(u32),
    PushPromise,
    TooManyStreams,
    Trailers(u32),
    BodyLength(u32),
    Flood(Counted),
}

impl Fault {
    /// The code that the client is told.
    pub fn code(self) -> Code {
        match self {
            Fault::Preface
            | Fault::FirstFrame
            | Fault::Padding(_)
            | Fault::Identifier(..)
            | Fault::Idle(..)
            | Fault::EvenStream(_)
            | Fault::OldStream(..)
            | Fault::ContinuationExpected
            | Fault::ContinuationStream
            | Fault::UnexpectedContinuation
            | Fault::WindowIncrement(_)
            | Fault::PushPromise
            | Fault::Trailers(_)
            | Fault::BodyLength(_) => Code::ProtocolError,
            // RFC 9113, section 6.5.2.
            Fault::SettingValue("INITIAL_WINDOW_SIZE", _) => Code::FlowControlError,
            Fault::SettingValue(..) => Code::ProtocolError,
            Fault::FrameTooLarge(_) | Fault::Length(..) | Fault::AckedSettings => Code::FrameSizeError,
            Fault::Closed(..) | Fault::HalfClosed(_) => Code::StreamClosed,
            Fault::EmptyContinuations | Fault::HeaderBlock | Fault::Flood(_) => Code::EnhanceYourCalm,
            Fault::Compression(_) => Code::CompressionError,
            Fault::ConnectionWindow | Fault::StreamWindow(_) | Fault::WindowOverflow(_) => Code::FlowControlError,
            Fault::TooManyStreams => Code::RefusedStream,
        }
    }
}

/// A type of frames, as in the RFC.
struct Name(Kind);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Data => "DATA",
            Kind::Headers => "HEADERS",
            Kind::Priority => "PRIORITY",
            Kind::RstStream => "RST_STREAM",
            Kind::Settings => "SETTINGS",
            Kind::PushPromise => "PUSH_PROMISE",
            Kind::Ping => "PING",
            Kind::GoAway => "GOAWAY",
            Kind::WindowUpdate => "WINDOW_UPDATE",
            Kind::Continuation => "CONTINUATION",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Fault::Preface => f.write_str("invalid connection preface"),
            Fault::FirstFrame => f.write_str("client sent no SETTINGS frame first"),
            Fault::FrameTooLarge(len) => write!(f, "client sent too large frame: {len}"),
            Fault::Length(kind, len) => write!(f, "client sent {} frame with incorrect length {len}", Name(kind)),
            Fault::Padding(kind) => write!(f, "client sent padded {} frame with incorrect length", Name(kind)),
            Fault::Identifier(kind, 0) => write!(f, "client sent {} frame with incorrect identifier", Name(kind)),
            Fault::Identifier(kind, id) => write!(f, "client sent {} frame with incorrect identifier {id}", Name(kind)),
            Fault::Idle(kind, id) => write!(f, "client sent {} frame for idle stream {id}", Name(kind)),
            Fault::Closed(kind, id) => write!(f, "client sent {} frame for closed stream {id}", Name(kind)),
            Fault::HalfClosed(id) => write!(f, "client sent DATA frame for half-closed stream {id}"),
            Fault::EvenStream(id) => write!(f, "client sent HEADERS frame with incorrect identifier {id}"),
            Fault::OldStream(id, last) => {
                write!(f, "client sent HEADERS frame with incorrect identifier {id}, the last was {last}")
            }
            Fault::ContinuationExpected => {
                f.write_str("client sent inappropriate frame while CONTINUATION was expected")
            }
            Fault::ContinuationStream => f.write_str("client sent CONTINUATION frame with incorrect identifier"),
            Fault::UnexpectedContinuation => f.write_str("client sent unexpected CONTINUATION frame"),
            Fault::EmptyContinuations => f.write_str("client sent too many empty CONTINUATION frames"),
            Fault::HeaderBlock => f.write_str("client sent too large header"),
            Fault::Compression(error) => error.fmt(f),
            Fault::AckedSettings => f.write_str("client sent SETTINGS frame with the ACK flag and nonzero length"),
            Fault::SettingValue(name, value) => {
                write!(f, "client sent SETTINGS frame with incorrect {name} value {value}")
            }
            Fault::ConnectionWindow => f.write_str("client violated connection flow control"),
            Fault::StreamWindow(id) => write!(f, "client violated flow control for stream {id}"),
            Fault::WindowIncrement(_) => {
                f.write_str("client sent WINDOW_UPDATE frame with incorrect window increment 0")
            }
            Fault::WindowOverflow(0) => {
                f.write_str("client violated connection flow control: received WINDOW_UPDATE frame beyond 2147483647")
            }
            Fault::WindowOverflow(id) => write!(
                f,
                "client violated flow control for stream {id}: received WINDOW_UPDATE frame beyond 2147483647"
            ),
            Fault::PushPromise => f.write_str("client sent PUSH_PROMISE frame"),
            Fault::TooManyStreams => f.write_str("concurrent streams exceeded"),
            Fault::Trailers(id) => write!(f, "client sent second HEADERS frame for stream {id} that is no trailer"),
            Fault::BodyLength(id) => {
                write!(f, "client sent body of stream {id} that is not as long as its \"Content-Length\" header says")
            }
            Fault::Flood(kind) => write!(f, "http2 flood detected: too many {}", flood(kind)),
        }
    }
}

fn flood(kind: Counted) -> &'static str {
    match kind {
        Counted::Reset => "streams that were reset",
        Counted::Ping => "PING frames",
        Counted::Settings => "SETTINGS frames",
        Counted::Priority => "PRIORITY frames",
        Counted::EmptyData => "empty DATA frames",
        Counted::WindowUpdate => "WINDOW_UPDATE frames",
        Counted::Ignored => "frames that mean nothing",
    }
}

impl std::error::Error for Fault {}
