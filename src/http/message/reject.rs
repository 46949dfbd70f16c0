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
    /// A field name of HTTP/2 is not in lower case, or no token (RFC 9113, section 8.2.1).
    InvalidFieldName,
    /// A field value of HTTP/2 has a NUL, CR, LF, or white space at an end (RFC 9113, section 8.2.1).
    InvalidFieldValue,
    /// A field of HTTP/2 that is about an HTTP/1 connection (RFC 9113, section 8.2.2).
    ConnectionField,
    /// A pseudo-header field that no request has (RFC 9113, section 8.3).
    UnknownPseudo,
    /// A pseudo-header field behind another field (RFC 9113, section 8.3).
    LatePseudo,
    /// The pseudo-header field comes twice (RFC 9113, section 8.3).
    DuplicatePseudo(&'static str),
    /// The pseudo-header field is empty (RFC 9113, section 8.3.1).
    EmptyPseudo(&'static str),
    /// The pseudo-header field is malformed, or must not be there (RFC 9113, sections 8.3.1 and 8.5).
    InvalidPseudo(&'static str),
    /// The pseudo-header field is missing (RFC 9113, section 8.3.1).
    MissingPseudo(&'static str),
    /// A request of HTTP/2 has neither `:authority` nor Host.
    NoAuthority,
    /// Host is not what `:authority` says (RFC 9113, section 8.3.1).
    OtherHost,
    /// The stream ends in front of the body that Content-Length announces (RFC 9113, section 8.1.1).
    StreamEndedEarly,
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
            | Self::InvalidChunk
            | Self::InvalidFieldName
            | Self::InvalidFieldValue
            | Self::ConnectionField
            | Self::UnknownPseudo
            | Self::LatePseudo
            | Self::DuplicatePseudo(_)
            | Self::EmptyPseudo(_)
            | Self::InvalidPseudo(_)
            | Self::MissingPseudo(_)
            | Self::NoAuthority
            | Self::OtherHost
            | Self::StreamEndedEarly => 400,
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
            Self::DuplicatePseudo(name) => return write!(f, "client sent duplicate {name} header"),
            Self::EmptyPseudo(name) => return write!(f, "client sent empty {name} header"),
            Self::InvalidPseudo(name) => return write!(f, "client sent invalid {name} header"),
            Self::MissingPseudo(name) => return write!(f, "client sent no {name} header"),
            Self::InvalidFieldName => "client sent invalid header name",
            Self::InvalidFieldValue => "client sent header with invalid value",
            Self::ConnectionField => "client sent header of an HTTP/1 connection",
            Self::UnknownPseudo => "client sent unknown pseudo-header",
            Self::LatePseudo => "client sent pseudo-header behind another header",
            Self::NoAuthority => "client sent neither \":authority\" nor \"Host\" header",
            Self::OtherHost => "client sent \":authority\" and \"Host\" headers with different values",
            Self::StreamEndedEarly => "client prematurely closed stream",
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
            Self::TimedOut => "client timed out (110: Connection timed out)",
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
