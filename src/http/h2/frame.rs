//! Frames: nine bytes of head, and the ten types (RFC 9113, sections 4 and 6), read and written.

use std::fmt;

/// Bytes that a client sends first (RFC 9113, section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of a frame's head.
pub const HEAD_LEN: usize = 9;

/// Bytes of payload that a client may put into a frame: the value that holds without a setting, and the smallest that
/// may be set (RFC 9113, section 6.5.2).
pub const MAX_PAYLOAD: usize = 1 << 14;

/// The largest window (RFC 9113, section 6.9.1), and the last stream of a first GOAWAY (section 6.8).
pub const MAX_31: u32 = (1 << 31) - 1;

/// The types of frames that a client may send or get; others are ignored (RFC 9113, section 5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Bytes of a body.
    Data = 0,
    /// The beginning of a header block: of a request, an answer, or trailers.
    Headers = 1,
    /// An advice about the order of streams, which drover does not follow (RFC 9113, section 5.3.2).
    Priority = 2,
    /// A stream ends before its messages do.
    RstStream = 3,
    /// How the other end wants to be talked to.
    Settings = 4,
    /// A server's announcement: no client may send it.
    PushPromise = 5,
    /// A question whether the other end is there, or its answer.
    Ping = 6,
    /// The connection takes no new streams.
    GoAway = 7,
    /// The window of a stream, or of the connection, grows.
    WindowUpdate = 8,
    /// More of a header block.
    Continuation = 9,
}

impl Kind {
    fn of(byte: u8) -> Option<Kind> {
        Some(match byte {
            0 => Kind::Data,
            1 => Kind::Headers,
            2 => Kind::Priority,
            3 => Kind::RstStream,
            4 => Kind::Settings,
            5 => Kind::PushPromise,
            6 => Kind::Ping,
            7 => Kind::GoAway,
            8 => Kind::WindowUpdate,
            9 => Kind::Continuation,
            _ => return None,
        })
    }
}

/// Flag of DATA and HEADERS: the last frame of its direction.
pub const END_STREAM: u8 = 0x1;
/// Flag of SETTINGS and PING: an answer.
pub const ACK: u8 = 0x1;
/// Flag of HEADERS and CONTINUATION: the header block ends.
pub const END_HEADERS: u8 = 0x4;
/// Flag of DATA and HEADERS: the first byte says how many bytes of padding end the frame.
pub const PADDED: u8 = 0x8;
/// Flag of HEADERS: five bytes of advice precede the block.
pub const PRIORITY: u8 = 0x20;

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of payload.
    pub len: usize,
    /// The type; `None`: no type of RFC 9113.
    pub kind: Option<Kind>,
    /// The bits whose meaning depends on the type.
    pub flags: u8,
    /// The stream; 0 is the connection.
    pub stream: u32,
}

impl Head {
    /// The head at the start of `input`; `None`: it is not all there.
    pub fn parse(input: &[u8]) -> Option<Head> {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3, ..] = *input else { return None };
        Some(Head {
            len: usize::from(l0) << 16 | usize::from(l1) << 8 | usize::from(l2),
            kind: Kind::of(kind),
            flags,
            stream: u32::from_be_bytes([s0, s1, s2, s3]) & MAX_31,
        })
    }

    /// Whether the flag is set.
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Appends the head of a frame.
pub fn put_head(out: &mut Vec<u8>, kind: Kind, flags: u8, stream: u32, len: usize) {
    let [_, l0, l1, l2] = (len as u32).to_be_bytes();
    let [s0, s1, s2, s3] = stream.to_be_bytes();
    out.extend_from_slice(&[l0, l1, l2, kind as u8, flags, s0, s1, s2, s3]);
}

/// Writes the head of a frame of `len` bytes over the nine bytes at `at`, which were left for it.
pub fn set_head(out: &mut [u8], at: usize, kind: Kind, flags: u8, stream: u32, len: usize) {
    let mut head = Vec::with_capacity(HEAD_LEN);
    put_head(&mut head, kind, flags, stream, len);
    if let Some(room) = out.get_mut(at..at + HEAD_LEN) {
        room.copy_from_slice(&head);
    }
}

/// Appends a header block in as many frames as it needs, of `max` bytes at most.
pub fn put_block(out: &mut Vec<u8>, stream: u32, block: &[u8], ends_stream: bool, max: usize) {
    let mut kind = Kind::Headers;
    let mut flags = if ends_stream { END_STREAM } else { 0 };
    let mut rest = block;
    loop {
        let (piece, behind) = rest.split_at(rest.len().min(max));
        rest = behind;
        flags |= if rest.is_empty() { END_HEADERS } else { 0 };
        put_head(out, kind, flags, stream, piece.len());
        out.extend_from_slice(piece);
        if rest.is_empty() {
            return;
        }
        (kind, flags) = (Kind::Continuation, 0);
    }
}

/// Appends the end of a stream.
pub fn put_reset(out: &mut Vec<u8>, stream: u32, code: Code) {
    put_head(out, Kind::RstStream, 0, stream, 4);
    out.extend_from_slice(&(code as u32).to_be_bytes());
}

/// Appends the growth of a window, of a stream or, with 0, of the connection.
pub fn put_window_update(out: &mut Vec<u8>, stream: u32, by: u32) {
    put_head(out, Kind::WindowUpdate, 0, stream, 4);
    out.extend_from_slice(&by.to_be_bytes());
}

/// Appends settings, numbers and values.
pub fn put_settings(out: &mut Vec<u8>, settings: &[(Setting, u32)]) {
    put_head(out, Kind::Settings, 0, 0, settings.len() * 6);
    for (setting, value) in settings {
        out.extend_from_slice(&(*setting as u16).to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// Appends the answer to settings.
pub fn put_settings_ack(out: &mut Vec<u8>) {
    put_head(out, Kind::Settings, ACK, 0, 0);
}

/// Appends a question, or with `ACK` its answer.
pub fn put_ping(out: &mut Vec<u8>, flags: u8, data: [u8; 8]) {
    put_head(out, Kind::Ping, flags, 0, 8);
    out.extend_from_slice(&data);
}

/// Appends the end of the connection: streams above `last` are not answered.
pub fn put_goaway(out: &mut Vec<u8>, last: u32, code: Code) {
    put_head(out, Kind::GoAway, 0, 0, 8);
    out.extend_from_slice(&last.to_be_bytes());
    out.extend_from_slice(&(code as u32).to_be_bytes());
}

/// The settings of RFC 9113, section 6.5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub enum Setting {
    HeaderTableSize = 1,
    EnablePush = 2,
    MaxConcurrentStreams = 3,
    InitialWindowSize = 4,
    MaxFrameSize = 5,
    MaxHeaderListSize = 6,
}

/// The error codes of RFC 9113, section 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub enum Code {
    NoError = 0,
    ProtocolError = 1,
    InternalError = 2,
    FlowControlError = 3,
    StreamClosed = 5,
    FrameSizeError = 6,
    RefusedStream = 7,
    CompressionError = 9,
    EnhanceYourCalm = 11,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Code::NoError => "NO_ERROR",
            Code::ProtocolError => "PROTOCOL_ERROR",
            Code::InternalError => "INTERNAL_ERROR",
            Code::FlowControlError => "FLOW_CONTROL_ERROR",
            Code::StreamClosed => "STREAM_CLOSED",
            Code::FrameSizeError => "FRAME_SIZE_ERROR",
            Code::RefusedStream => "REFUSED_STREAM",
            Code::CompressionError => "COMPRESSION_ERROR",
            Code::EnhanceYourCalm => "ENHANCE_YOUR_CALM",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_block_is_cut_where_the_other_end_wants_it() {
        let mut out = Vec::new();
        put_block(&mut out, 3, b"abcde", true, 2);
        assert_eq!(
            out,
            [&b"\0\0\x02\x01\x01\0\0\0\x03ab"[..], b"\0\0\x02\x09\x00\0\0\0\x03cd", b"\0\0\x01\x09\x04\0\0\0\x03e"]
                .concat()
        );
        out.clear();
        put_block(&mut out, 1, b"ab", false, 2);
        assert_eq!(out, b"\0\0\x02\x01\x04\0\0\0\x01ab");
    }

    #[test]
    fn the_reserved_bit_is_ignored() {
        let head = Head::parse(b"\0\x01\x02\x08\xff\xff\xff\xff\xff...").unwrap();
        assert_eq!(head, Head { len: 258, kind: Some(Kind::WindowUpdate), flags: 0xff, stream: MAX_31 });
        assert_eq!(Head::parse(b"\0\0\0\0\0\0\0\0"), None);
        assert_eq!(Head::parse(b"\0\0\0\x0a\0\0\0\0\0").unwrap().kind, None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(len in 0usize..1 << 24, kind in 0u8..10, flags: u8, stream in 0..=MAX_31) {
            let kind = Kind::of(kind).unwrap();
            let mut out = vec![0; HEAD_LEN];
            set_head(&mut out, 0, kind, flags, stream, len);
            prop_assert_eq!(Head::parse(&out), Some(Head { len, kind: Some(kind), flags, stream }));
        }
    }
}
