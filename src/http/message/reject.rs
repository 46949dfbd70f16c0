//! Why a request is refused before any content is looked for: a closed list, with one status and one log text each.

use std::fmt;

/// The fault of a refused request. Statuses follow RFC 9110 and 9112; the texts are nginx's (ngx_http_request.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reject {
    /// The method has bytes other than `A-Z`, `_`, `-`, or is missing.
    InvalidMethod,
    /// The request line is not one of RFC 9112 section 3, or its path leads above the root.
    InvalidRequest,
    /// A major version above 1.
    InvalidVersion,
    /// An absolute-form or authority-form target with an invalid host.
    InvalidTargetHost,
    /// The request line is longer than one large_client_header_buffers buffer.
    UriTooLong,
    /// Not a field line of RFC 9112 section 5: obs-fold, bare CR, NUL, space before the colon, no colon.
    InvalidFieldLine,
    /// A field line is longer than one large_client_header_buffers buffer.
    FieldLineTooLong,
    /// The whole head is larger than all large_client_header_buffers buffers.
    HeadTooLarge,
    /// More field lines than the limit.
    TooManyFields,
    /// A second Host field.
    DuplicateHost,
    /// A second field of a kind that has a single value, such as Content-Length.
    DuplicateField,
    /// Host is not `uri-host [ ":" port ]`.
    InvalidHost,
    /// HTTP/1.1 without Host.
    MissingHost,
    /// Content-Length is not a number below 2^63.
    InvalidContentLength,
    /// Both Content-Length and Transfer-Encoding: a sign of request smuggling (RFC 9112 section 6.1).
    LengthAndEncoding,
    /// Transfer-Encoding in HTTP/1.0.
    EncodingInOldVersion,
    /// The last transfer coding is not `chunked`, so that nothing tells where the body ends.
    EncodingNotChunked,
    /// A transfer coding other than `chunked` in front of it.
    UnknownEncoding,
    /// The chunked body is malformed.
    InvalidChunk,
    /// Content-Length is above client_max_body_size.
    BodyTooLarge,
    /// A chunked body grew above client_max_body_size.
    ChunkedBodyTooLarge,
    /// The head, or the next part of the body, did not come in time.
    TimedOut,
}

/// The part of the request that was being read when it was refused; ends the log text, as in nginx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The client's request line was being read.
    RequestLine,
    /// The field lines were being read.
    Headers,
    /// The body was being read.
    Body,
}

impl Reject {
    /// The status code of the answer.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidMethod
            | Self::InvalidRequest
            | Self::InvalidTargetHost
            | Self::InvalidFieldLine
            | Self::DuplicateHost
            | Self::DuplicateField
            | Self::InvalidHost
            | Self::MissingHost
            | Self::InvalidContentLength
            | Self::LengthAndEncoding
            | Self::EncodingInOldVersion
            | Self::EncodingNotChunked
            | Self::InvalidChunk => 400,
            Self::TimedOut => 408,
            Self::BodyTooLarge | Self::ChunkedBodyTooLarge => 413,
            Self::UriTooLong => 414,
            Self::FieldLineTooLong | Self::HeadTooLarge | Self::TooManyFields => 431,
            Self::UnknownEncoding => 501,
            Self::InvalidVersion => 505,
        }
    }

    /// The part of the request with the fault.
    pub fn phase(self) -> Phase {
        match self {
            Self::InvalidMethod
            | Self::InvalidRequest
            | Self::InvalidVersion
            | Self::InvalidTargetHost
            | Self::UriTooLong => Phase::RequestLine,
            Self::InvalidChunk | Self::BodyTooLarge | Self::ChunkedBodyTooLarge => Phase::Body,
            _ => Phase::Headers,
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidMethod => "client sent invalid method",
            Self::InvalidRequest => "client sent invalid request",
            Self::InvalidVersion => "client sent invalid version",
            Self::InvalidTargetHost => "client sent invalid host in request line",
            Self::UriTooLong => "client sent too long URI",
            Self::InvalidFieldLine => "client sent invalid header line",
            Self::FieldLineTooLong => "client sent too long header line",
            Self::HeadTooLarge => "client sent too large request",
            Self::TooManyFields => "client sent too many header lines",
            Self::DuplicateHost => "client sent duplicate host header",
            Self::DuplicateField => "client sent duplicate header line",
            Self::InvalidHost => "client sent invalid host header",
            Self::MissingHost => "client sent HTTP/1.1 request without \"Host\" header",
            Self::InvalidContentLength => "client sent invalid \"Content-Length\" header",
            Self::LengthAndEncoding => {
                "client sent \"Content-Length\" and \"Transfer-Encoding\" headers at the same time"
            }
            Self::EncodingInOldVersion => "client sent HTTP/1.0 request with \"Transfer-Encoding\" header",
            Self::EncodingNotChunked | Self::UnknownEncoding => "client sent unknown \"Transfer-Encoding\"",
            Self::InvalidChunk => "client sent invalid chunked body",
            Self::BodyTooLarge => "client intended to send too large body",
            Self::ChunkedBodyTooLarge => "client intended to send too large chunked body",
            Self::TimedOut => "client timed out",
        })
    }
}

impl std::error::Error for Reject {}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RequestLine => "while reading client request line",
            Self::Headers => "while reading client request headers",
            Self::Body => "while reading client request body",
        })
    }
}
