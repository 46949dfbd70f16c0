//! HTTP/1 requests: [`parse`] fills a reusable [`Head`] from the bytes received so far.
//!
//! The request line is read by nginx's rules (`request_line.rs`), the field lines by httparse, and then the strict
//! rules of RFC 9112 decide. Field lines that an earlier request has sent just so are not read again
//! (`Head::recall`).

use super::field::{Id, elements};
use super::head::{Blame, Field, Framing, Head, Limits, Span, Unusual, Version};
use super::host;
use super::reject::Reject;
use super::request_line;

/// How far the parser got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parse {
    /// More bytes are needed.
    Partial,
    /// The head is complete and this many bytes long; the body or the next request follows.
    Complete(usize),
}

/// Parses the head at the start of `buf`. After `Partial`, call again with the same bytes and more behind them; what
/// was looked at is not looked at again. The head must be fresh or cleared before the first call for a request.
pub fn parse(head: &mut Head, buf: &[u8], limits: &Limits) -> Result<Parse, Reject> {
    if head.fields_at == 0 {
        match request_line::parse(head, buf, limits)? {
            Some(end) => head.fields_at = end,
            None => return Ok(Parse::Partial),
        }
    } else if !end_in_sight(head, buf) {
        return partial(head, buf, limits);
    }
    if head.recall(buf, limits) {
        return Ok(Parse::Complete(head.whole));
    }
    let len = match field_lines(head, buf, limits) {
        Ok(Some(len)) => len,
        Ok(None) => {
            end_in_sight(head, buf);
            return partial(head, buf, limits);
        }
        Err(reject) => {
            // The first error counts; the host is wanted all the same.
            let _ = check_host(head, buf);
            return Err(reject);
        }
    };
    head.whole = head.fields_at + len;
    if head.whole - head.start > limits.head {
        return Err(Reject::HeadTooLarge);
    }
    check(head, buf)?;
    head.remember(buf, limits);
    Ok(Parse::Complete(head.whole))
}

fn partial(head: &Head, buf: &[u8], limits: &Limits) -> Result<Parse, Reject> {
    if buf.len() - head.start >= limits.head { Err(Reject::HeadTooLarge) } else { Ok(Parse::Partial) }
}

/// Looks for the empty line that ends the head, from where the last look ended.
fn end_in_sight(head: &mut Head, buf: &[u8]) -> bool {
    let from = head.scanned.max(head.fields_at.saturating_sub(1));
    for newline in memchr::memchr_iter(b'\n', buf.get(from..).unwrap_or_default()) {
        match buf.get(from + newline + 1..) {
            Some([b'\n', ..] | [b'\r', b'\n', ..]) => return true,
            None | Some([] | [b'\r']) => {
                head.scanned = from + newline;
                return false;
            }
            _ => {}
        }
    }
    head.scanned = buf.len();
    false
}

/// How many fields the first attempt has room for; more are rare and get a second attempt with room for all.
const USUAL_FIELDS: usize = 32;

/// The most fields that a head has numbers for.
const MOST_FIELDS: usize = u16::MAX as usize - 1;

/// Parses the field lines; returns their length with the empty line, or `None` while they are incomplete.
fn field_lines(head: &mut Head, buf: &[u8], limits: &Limits) -> Result<Option<usize>, Reject> {
    let lines = buf.get(head.fields_at..).unwrap_or_default();
    let mut room = [httparse::EMPTY_HEADER; USUAL_FIELDS];
    match httparse::parse_headers(lines, &mut room) {
        Ok(httparse::Status::Complete((len, headers))) => take_fields(head, buf, limits, headers).map(|()| Some(len)),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) => many_field_lines(head, buf, limits),
        Err(error) => refuse_fields(head, buf, limits, &room, error),
    }
}

#[cold]
#[inline(never)]
fn many_field_lines(head: &mut Head, buf: &[u8], limits: &Limits) -> Result<Option<usize>, Reject> {
    let lines = buf.get(head.fields_at..).unwrap_or_default();
    let count = memchr::memchr_iter(b'\n', lines).count();
    let mut room = vec![httparse::EMPTY_HEADER; count.min(MOST_FIELDS)];
    match httparse::parse_headers(lines, &mut room) {
        Ok(httparse::Status::Complete((len, headers))) => take_fields(head, buf, limits, headers).map(|()| Some(len)),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(error) => refuse_fields(head, buf, limits, &room, error),
    }
}

/// Refuses the field lines, and takes those in front of the error: the host among them tells whose error page is sent,
/// as in nginx.
fn refuse_fields(
    head: &mut Head,
    buf: &[u8],
    limits: &Limits,
    room: &[httparse::Header],
    error: httparse::Error,
) -> Result<Option<usize>, Reject> {
    let read = room.iter().position(|header| header.name.is_empty()).unwrap_or(room.len());
    take_fields(head, buf, limits, &room[..read])?;
    head.blame = Blame::Line(line_behind(head, buf, room[..read].last()));
    Err(if error == httparse::Error::TooManyHeaders { Reject::TooManyFields } else { Reject::InvalidFieldLine })
}

/// The line that follows the last field that was read.
fn line_behind(head: &Head, buf: &[u8], last: Option<&httparse::Header>) -> Span {
    let line_end = |from: usize| {
        let rest = buf.get(from..).unwrap_or_default();
        from + memchr::memchr(b'\n', rest).unwrap_or(rest.len())
    };
    let start = last.map_or(head.fields_at, |last| line_end(Span::within(buf, last.name.as_bytes()).end()) + 1);
    let line = buf.get(start..line_end(start)).unwrap_or_default();
    Span::within(buf, line.strip_suffix(b"\r").unwrap_or(line))
}

fn take_fields(head: &mut Head, buf: &[u8], limits: &Limits, headers: &[httparse::Header]) -> Result<(), Reject> {
    head.fields.clear();
    head.unusual.clear();
    head.known = [0; Id::COUNT];
    for header in headers {
        let (name, value) = (Span::within(buf, header.name.as_bytes()), Span::within(buf, header.value));
        // An empty value's slice may lie anywhere.
        let value = if value.is_empty() { Span { start: name.end() as u32, len: 0 } } else { value };
        if value.end() - name.start as usize >= limits.line {
            head.blame = Blame::Line(Span::new(name.start as usize, value.end()));
            return Err(Reject::FieldLineTooLong);
        }
        let id = Id::of(header.name.as_bytes());
        let field = Field { name, value, id };
        if id.is_none() && !is_usual_name(header.name.as_bytes()) {
            head.unusual.push(Unusual { field, behind: head.fields.len() as u16 });
            continue;
        }
        if let Some(id) = id {
            let first = &mut head.known[id as usize];
            if *first == 0 {
                *first = head.fields.len() as u16 + 1;
            } else if id.is_unique() {
                head.blame = Blame::Second { field, first: head.fields[usize::from(*first) - 1] };
                if id == Id::Host {
                    return Err(Reject::DuplicateHost);
                }
                // nginx's list has the line, too ($http_authorization); `host` is the first one there.
                head.fields.push(field);
                return Err(Reject::DuplicateField);
            }
        }
        head.fields.push(field);
    }
    Ok(())
}

/// Whether the name has nothing but letters, digits and hyphens, as all that are registered.
fn is_usual_name(name: &[u8]) -> bool {
    name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
}

/// The rules that need the whole head.
fn check(head: &mut Head, buf: &[u8]) -> Result<(), Reject> {
    check_host(head, buf).inspect_err(|reject| {
        // nginx reads no line behind one that it refuses (ngx_http_process_host).
        if *reject == Reject::InvalidHost {
            head.cut_fields(usize::from(head.known[Id::Host as usize]));
        }
    })?;
    head.framing = framing(head, buf)?;
    head.keep_alive = keep_alive(head, buf);
    head.expect_continue = head.version == Version::Http11
        && head.all(buf, Id::Expect).flat_map(elements).any(|value| value.eq_ignore_ascii_case(b"100-continue"));
    Ok(())
}

/// RFC 9112 sections 3.2 and 3.2.2: one valid Host in HTTP/1.1; the target's own host wins over it.
fn check_host(head: &mut Head, buf: &[u8]) -> Result<(), Reject> {
    let Some(value) = head.known(buf, Id::Host) else {
        return if head.version == Version::Http11 { Err(Reject::MissingHost) } else { Ok(()) };
    };
    let authority = host::parse(value).ok_or(Reject::InvalidHost)?;
    if head.host.is_empty() {
        (head.host, head.port) = (Span::within(buf, authority.host), authority.port);
    }
    Ok(())
}

/// RFC 9112 section 6.3; anything ambiguous is refused.
fn framing(head: &Head, buf: &[u8]) -> Result<Framing, Reject> {
    let length = head.known(buf, Id::ContentLength);
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    if let Some(coding) = head.known(buf, Id::TransferEncoding) {
        return match () {
            () if head.version == Version::Http10 => Err(Reject::EncodingInOldVersion),
            () if !elements(coding).last().is_some_and(is_chunked) => Err(Reject::EncodingNotChunked),
            () if !is_chunked(coding) => Err(Reject::UnknownEncoding),
            () if length.is_some() => Err(Reject::LengthAndEncoding),
            () => Ok(Framing::Chunked),
        };
    }
    let Some(length) = length else { return Ok(Framing::None) };
    let digits = std::str::from_utf8(length).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let length = digits.and_then(|text| text.parse::<i64>().ok()).ok_or(Reject::InvalidContentLength)?;
    Ok(Framing::Length(length.unsigned_abs()))
}

/// RFC 9112 section 9.3: `close` wins, HTTP/1.0 has to ask.
fn keep_alive(head: &Head, buf: &[u8]) -> bool {
    let mut keep = head.version == Version::Http11;
    for option in head.all(buf, Id::Connection).flat_map(elements) {
        if option.eq_ignore_ascii_case(b"close") {
            return false;
        }
        keep |= option.eq_ignore_ascii_case(b"keep-alive");
    }
    keep
}

#[cfg(test)]
mod tests;
