//! The request body: read to its end and dropped, within limits.

use crate::http::message::head::Framing;
use crate::http::message::reject::Reject;

/// Bytes of one chunk-size line, with its extensions.
const MAX_SIZE_LINE: u32 = 4096;
/// Bytes of all trailer lines together.
const MAX_TRAILERS: u32 = 8192;
/// Bytes of framing beyond 16 and twice the content for each chunk: one-byte chunks with long extensions would
/// otherwise keep a connection busy without ever reaching client_max_body_size.
const MAX_EXCESS: u64 = 16 << 10;

/// The bytes that [`RequestBody::feed`] has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fed {
    /// Bytes that belong to the body; the rest is the next request.
    pub consumed: usize,
    /// Bytes of content among them, without the framing.
    pub content: usize,
    /// The body is complete.
    pub done: bool,
}

/// A request body on its way in. A counter for Content-Length, a strict decoder for chunks (RFC 9112 section 7.1).
#[derive(Clone, Debug, Default)]
pub struct RequestBody {
    state: State,
    /// Content announced by chunks so far.
    total: u64,
    /// client_max_body_size.
    max: u64,
    /// Length of the size line, then of the trailers.
    line: u32,
    excess: u64,
}

/// The states of a body; any byte that has no edge is an error.
///
/// ```text
///  new() ──Content-Length──► Length ──content──► Done ◄─────────────────────────────────┐
///    │                                                                                  │
///    └─chunked─► Size ──SP, HT──► AfterSize                                             │
///                │ ▲ │ └───';'───────┐ │ │                                              │
///          digit └─┘ │               ▼ ▼ │ (SP, HT: AfterSize again)                    │
///                    │           Extension (text: Extension again)                      │
///                    │ CR            │ CR│                                              │
///                    └──► SizeLf ◄───┴───┘                                              │
///                           │ LF: end_size_line()                                       │
///                  size > 0 │ size = 0                                                  │
///       Data ◄──────────────┴───────────────► Trailer ──CR──► LastLf ──LF───────────────┘
///        │ content                            │    ▲
///        ▼                               text │    │ LF
///      DataCr ──CR──► DataLf ──LF──► Size     ▼    │
///                                   TrailerLine ──CR──► TrailerLf
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// So much content is left, and nothing follows it.
    Length(u64),
    /// In the hex digits; `None` before the first.
    Size(Option<u64>),
    /// White space after the digits.
    AfterSize(u64),
    Extension(u64),
    SizeLf(u64),
    Data(u64),
    DataCr,
    DataLf,
    /// At the start of a trailer line, or of the empty line that ends the body.
    Trailer,
    TrailerLine,
    TrailerLf,
    LastLf,
    #[default]
    Done,
}

impl RequestBody {
    /// A body with this framing and at most `max` bytes of content (client_max_body_size; 0: any).
    ///
    /// # Errors
    /// `BodyTooLarge` when Content-Length already says so.
    pub fn new(framing: Framing, max: u64) -> Result<Self, Reject> {
        let max = if max == 0 { u64::MAX } else { max };
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(length) if length > max => return Err(Reject::BodyTooLarge),
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Size(None),
        };
        Ok(Self { state, total: 0, max, line: 0, excess: 0 })
    }

    /// Nothing more is to come.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes the next bytes of the connection.
    ///
    /// # Errors
    /// `InvalidChunk` for malformed framing, `ChunkedBodyTooLarge`, `HeadTooLarge` for endless trailers.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Fed, Reject> {
        let (mut at, mut content) = (0, 0);
        while at < bytes.len() && self.state != State::Done {
            match self.state {
                State::Length(left) | State::Data(left) => {
                    let rest = bytes.len() - at;
                    let taken = usize::try_from(left).map_or(rest, |left| left.min(rest));
                    at += taken;
                    content += taken;
                    self.state = match (self.state, left - taken as u64) {
                        (State::Length(_), 0) => State::Done,
                        (State::Length(_), left) => State::Length(left),
                        (_, 0) => State::DataCr,
                        (_, left) => State::Data(left),
                    };
                }
                _ => {
                    self.state = self.framing_byte(bytes[at])?;
                    at += 1;
                }
            }
        }
        Ok(Fed { consumed: at, content, done: self.is_done() })
    }

    /// Takes a byte of the framing. CRLF must be CRLF here: behind a lone LF parsers disagree about the rest.
    fn framing_byte(&mut self, byte: u8) -> Result<State, Reject> {
        self.line += 1;
        let in_trailers = matches!(self.state, State::Trailer | State::TrailerLine | State::TrailerLf | State::LastLf);
        match in_trailers {
            true if self.line > MAX_TRAILERS => return Err(Reject::HeadTooLarge),
            false if self.line > MAX_SIZE_LINE => return Err(Reject::InvalidChunk),
            _ => {}
        }
        let state = match (self.state, byte) {
            (State::Size(size), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = (byte as char).to_digit(16).map_or(0, u64::from);
                let size = size.unwrap_or(0);
                if size > (i64::MAX as u64) >> 4 {
                    return Err(Reject::InvalidChunk);
                }
                State::Size(Some(size << 4 | digit))
            }
            (State::Size(Some(size)) | State::AfterSize(size), b' ' | b'\t') => State::AfterSize(size),
            (State::Size(Some(size)) | State::AfterSize(size), b';') => State::Extension(size),
            (State::Size(Some(size)) | State::AfterSize(size) | State::Extension(size), b'\r') => State::SizeLf(size),
            (State::Extension(size), b'\t' | b' '..=0x7e | 0x80..) => State::Extension(size),
            (State::SizeLf(size), b'\n') => self.end_size_line(size)?,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => {
                self.line = 0;
                State::Size(None)
            }
            (State::Trailer, b'\r') => State::LastLf,
            (State::TrailerLine, b'\r') => State::TrailerLf,
            (State::Trailer, b'!'..=0x7e) | (State::TrailerLine, b'\t' | b' '..=0x7e | 0x80..) => State::TrailerLine,
            (State::TrailerLf, b'\n') => State::Trailer,
            (State::LastLf, b'\n') => State::Done,
            _ => return Err(Reject::InvalidChunk),
        };
        Ok(state)
    }

    /// The size line of a chunk is complete: content follows, or the trailers.
    fn end_size_line(&mut self, size: u64) -> Result<State, Reject> {
        let line = u64::from(std::mem::take(&mut self.line));
        self.excess = (self.excess + line).saturating_sub(size.saturating_mul(2).saturating_add(16));
        if self.excess > MAX_EXCESS {
            return Err(Reject::InvalidChunk);
        }
        if size == 0 {
            return Ok(State::Trailer);
        }
        self.total = self.total.saturating_add(size);
        if self.total > self.max { Err(Reject::ChunkedBodyTooLarge) } else { Ok(State::Data(size)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chunked(bytes: &[u8]) -> Result<Fed, Reject> {
        RequestBody::new(Framing::Chunked, 1000)?.feed(bytes)
    }

    #[test]
    fn content_length_counts_down() {
        let mut body = RequestBody::new(Framing::Length(10), 10).unwrap();
        assert_eq!(body.feed(b"1234"), Ok(Fed { consumed: 4, content: 4, done: false }));
        assert_eq!(body.feed(b""), Ok(Fed { consumed: 0, content: 0, done: false }));
        assert_eq!(body.feed(b"567890GET /"), Ok(Fed { consumed: 6, content: 6, done: true }));
        assert_eq!(body.feed(b"GET /"), Ok(Fed { consumed: 0, content: 0, done: true }));
    }

    #[test]
    fn no_body_is_done_at_once() {
        assert!(RequestBody::new(Framing::None, 0).unwrap().is_done());
        assert!(RequestBody::new(Framing::Length(0), 1).unwrap().is_done());
    }

    #[test]
    fn the_size_limit() {
        assert_eq!(RequestBody::new(Framing::Length(11), 10).unwrap_err(), Reject::BodyTooLarge);
        assert!(RequestBody::new(Framing::Length(i64::MAX as u64), 0).is_ok());
        let mut body = RequestBody::new(Framing::Chunked, 10).unwrap();
        assert!(body.feed(b"a\r\n0123456789\r\n").is_ok());
        assert_eq!(body.feed(b"1\r\n"), Err(Reject::ChunkedBodyTooLarge));
        assert_eq!(chunked(b"7fffffffffffffff\r\n"), Err(Reject::ChunkedBodyTooLarge));
        assert!(RequestBody::new(Framing::Chunked, 0).unwrap().feed(b"7fffffffffffffff\r\nx").is_ok());
    }

    #[test]
    fn chunks() {
        for bytes in [
            &b"3\r\nabc\r\n0\r\n\r\n"[..],
            b"0003\r\nabc\r\n000\r\n\r\n",
            b"3;x=y\r\nabc\r\n0;z\r\n\r\n",
            b"3 ; x=\"y\"\r\nabc\r\n0\r\n\r\n",
            b"3 \r\nabc\r\n0\r\n\r\n",
            b"1\r\na\r\n2\r\nbc\r\n0\r\nX: y\r\nZ: \xff\tw\r\n\r\n",
            b"3\r\n\r\n\r\r\n0\r\n\r\n",
        ] {
            let fed = Fed { consumed: bytes.len(), content: 3, done: true };
            assert_eq!(chunked(&[bytes, b"GET"].concat()), Ok(fed), "{}", bytes.escape_ascii());
        }
        assert_eq!(chunked(b"Ff\r\n").map(|fed| fed.done), Ok(false));
    }

    #[test]
    fn bad_framing() {
        for bytes in [
            &b"\r\n"[..],
            b" 3\r\n",
            b";x\r\n",
            b"0x3\r\n",
            b"-3\r\n",
            b"+3\r\n",
            b"3,\r\n",
            b"g\r\n",
            b"3 3\r\n",
            b"3\nabc",
            b"3\rabc",
            b"3;x\nabc",
            b"3;x\ry\r\n",
            b"3;\0\r\n",
            b"3;\x7f\r\n",
            b"3\r\nabcd",
            b"3\r\nabc\n",
            b"3\r\nabc\r\r\n",
            b"8000000000000000\r\n",
            b"10000000000000003\r\n",
            b"0\r\n\n",
            b"0\r\n X: y\r\n",
            b"0\r\nX: y\n",
            b"0\r\nX: \0\r\n",
            b"0\r\nX: y\r\r\n",
        ] {
            assert_eq!(chunked(bytes), Err(Reject::InvalidChunk), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn framing_is_bounded() {
        let ext = |len: usize| format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(len));
        assert!(chunked(ext(4000).as_bytes()).is_ok());
        assert_eq!(chunked(ext(4100).as_bytes()), Err(Reject::InvalidChunk));
        let trailers = |len: usize| format!("0\r\nX: {}\r\n\r\n", "x".repeat(len));
        assert!(chunked(trailers(8000).as_bytes()).unwrap().done);
        assert_eq!(chunked(trailers(8200).as_bytes()), Err(Reject::HeadTooLarge));
        assert_eq!(chunked(&[b'0'; 5000]), Err(Reject::InvalidChunk));
        // Many short chunks are fine, many with long extensions are not.
        assert!(chunked("1\r\nx\r\n".repeat(900).as_bytes()).is_ok());
        let padded = format!("1;{}\r\nx\r\n", "x".repeat(100));
        assert_eq!(chunked(padded.repeat(300).as_bytes()), Err(Reject::InvalidChunk));
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same(
            chunks in proptest::collection::vec(1usize..40, 0..6),
            cuts in proptest::collection::vec(0usize..200, 0..6),
        ) {
            let mut bytes = Vec::new();
            for size in &chunks {
                bytes.extend(format!("{size:x};e\r\n{}\r\n", "d".repeat(*size)).bytes());
            }
            bytes.extend(b"0\r\nT: v\r\n\r\n");
            let end = bytes.len();
            bytes.extend(b"GET / HTTP/1.1\r\n");
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.push(bytes.len());
            cuts.sort_unstable();
            let mut body = RequestBody::new(Framing::Chunked, 0).unwrap();
            let (mut at, mut content) = (0, 0);
            for cut in cuts {
                let fed = body.feed(&bytes[at..cut.max(at)]).unwrap();
                at += fed.consumed;
                content += fed.content;
                prop_assert_eq!(fed.done, at == end);
            }
            prop_assert_eq!(at, end);
            prop_assert_eq!(content, chunks.iter().sum::<usize>());
        }

        #[test]
        fn any_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = chunked(&bytes);
            let _ = chunked(&[b"3\r\nabc\r\n0\r\n", &bytes[..]].concat());
        }
    }
}
