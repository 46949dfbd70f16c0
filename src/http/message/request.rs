//! HTTP/1 requests: [`parse`] fills a reusable [`Head`] from the bytes received so far.
//!
//! The request line is read by nginx's rules (`request_line.rs`), the field lines one after the other
//! (`field_line.rs`), and then the strict rules of RFC 9112 decide.

use super::field::{Id, elements};
use super::field_line::{self, Line};
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
    let end = match field_lines(head, buf, limits) {
        Ok(Some(end)) => end,
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
    if end - head.start > limits.head {
        return Err(Reject::HeadTooLarge);
    }
    check(head, buf)?;
    Ok(Parse::Complete(end))
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

/// The most fields that a head has numbers for.
const MOST_FIELDS: usize = u16::MAX as usize - 1;

/// Takes the field lines; returns where the body begins, or `None` while they are incomplete: then none is taken. Of
/// several errors the first counts, but a line that can't be one is an error at once.
fn field_lines(head: &mut Head, buf: &[u8], limits: &Limits) -> Result<Option<usize>, Reject> {
    let (mut at, mut refused) = (head.fields_at, None);
    loop {
        match field_line::read(buf, at) {
            Line::Field { .. } if head.fields.len() + head.unusual.len() == MOST_FIELDS => {
                return Err(refused.unwrap_or_else(|| refuse_line(head, buf, at, Reject::TooManyFields)));
            }
            Line::Field { field, is_usual, next } => {
                if refused.is_none() {
                    refused = take_field(head, limits, field, is_usual).err();
                }
                at = next;
            }
            Line::End(end) => return refused.map_or(Ok(Some(end)), Err),
            Line::Partial => {
                head.forget_fields();
                return Ok(None);
            }
            Line::Invalid => {
                return Err(refused.unwrap_or_else(|| refuse_line(head, buf, at, Reject::InvalidFieldLine)));
            }
        }
    }
}

/// Blames the line that begins at `start`.
#[cold]
fn refuse_line(head: &mut Head, buf: &[u8], start: usize, reject: Reject) -> Reject {
    let rest = buf.get(start..).unwrap_or_default();
    let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
    head.blame = Blame::Line(Span::within(buf, line.strip_suffix(b"\r").unwrap_or(line)));
    reject
}

fn take_field(head: &mut Head, limits: &Limits, field: Field, is_usual: bool) -> Result<(), Reject> {
    let Field { name, value, id } = field;
    if value.end() - name.start as usize >= limits.line {
        head.blame = Blame::Line(Span::new(name.start as usize, value.end()));
        return Err(Reject::FieldLineTooLong);
    }
    if !is_usual {
        head.unusual.push(Unusual { field, behind: head.fields.len() as u16 });
        return Ok(());
    }
    if let Some(id) = id {
        let first = &mut head.known[id as usize];
        if *first == 0 {
            *first = head.fields.len() as u16 + 1;
        } else if id.is_unique() {
            head.blame = Blame::Second { field, first: head.fields[usize::from(*first) - 1] };
            return Err(if id == Id::Host { Reject::DuplicateHost } else { Reject::DuplicateField });
        }
    }
    head.fields.push(field);
    Ok(())
}

/// The rules that need the whole head.
fn check(head: &mut Head, buf: &[u8]) -> Result<(), Reject> {
    check_host(head, buf)?;
    head.framing = framing(head, buf)?;
    head.keep_alive = keep_alive(head, buf);
    head.expect_continue = head.version == Version::Http11
        && head.has_any(&[Id::Expect])
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
    if !head.has_any(&[Id::Connection]) {
        return keep;
    }
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
