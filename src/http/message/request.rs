//! The head of a request: `parse` fills a reusable [`Head`] from the bytes received so far.
//!
//! The request line is read by nginx's rules (ngx_http_parse.c), the field lines by httparse, and then the strict rules of
//! RFC 9112 decide. A head holds no borrow of the buffer: it holds spans, and the bytes must stay where they were.

mod line;

use crate::http::message::field::{Id, elements};
use crate::http::message::host;
use crate::http::message::reject::Reject;
use std::borrow::Cow;

/// A piece of the buffer the head was parsed from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub len: u32,
}

impl Span {
    /// From `start` up to, not including, `end`. Buffers are far below 4 GiB (see [`Limits::head`]).
    pub fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, len: end.saturating_sub(start) as u32 }
    }

    /// The bytes; none when the buffer is not the one the span was made for.
    pub fn of(self, buf: &[u8]) -> &[u8] {
        buf.get(self.start as usize..self.end()).unwrap_or_default()
    }

    pub fn end(self) -> usize {
        self.start as usize + self.len as usize
    }

    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The span of `part`, which is a piece of `buf`.
    fn within(buf: &[u8], part: &[u8]) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(buf.as_ptr() as usize);
        Self::new(start, start.wrapping_add(part.len()))
    }
}

/// What a head may be at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the request line, and of each field line: the size of one large_client_header_buffers buffer.
    pub line: usize,
    /// Bytes of the whole head: all large_client_header_buffers buffers together.
    pub head: usize,
    /// Field lines.
    pub fields: usize,
    /// Keep fields with `_` in their name (underscores_in_headers).
    pub underscores: bool,
}

impl Default for Limits {
    /// nginx's defaults, and at most 1000 fields.
    fn default() -> Self {
        Self { line: 8 << 10, head: 32 << 10, fields: 1000, underscores: false }
    }
}

/// The request method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    Trace,
    Connect,
    Patch,
    /// Any other well-formed one; its text is [`Head::method_text`].
    Other,
}

/// HTTP/1.0, or 1.1, which also stands for any later minor version (RFC 9110 section 6.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    Http10,
    #[default]
    Http11,
}

/// The form of the request target (RFC 9112 section 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    #[default]
    Origin,
    Absolute,
    /// CONNECT only, and the only one there; it has no path.
    Authority,
    /// OPTIONS only; the path is `*`.
    Asterisk,
}

/// How the end of the body is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    #[default]
    None,
    Length(u64),
    Chunked,
}

/// One field line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: Span,
    pub value: Span,
    pub id: Option<Id>,
}

/// The part of the head that is to blame when it's refused, for the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blame {
    #[default]
    None,
    /// This line.
    Line(Span),
    /// A field that must not come twice, and the one before it.
    Second { field: Field, first: Field },
}

/// How far the parser got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parse {
    /// More bytes are needed.
    Partial,
    /// The head is complete and this many bytes long; the body or the next request follows.
    Complete(usize),
}

/// A parsed request head. Spans point into the buffer given to [`parse`].
#[derive(Clone, Debug, Default)]
pub struct Head {
    pub method: Method,
    pub method_text: Span,
    /// The request line without its line end ($request); set as soon as the line is complete, also when it's refused.
    pub line: Span,
    pub form: Form,
    /// The whole request target.
    pub target: Span,
    /// The target from its path on; empty in absolute-form with neither path nor query.
    uri: Span,
    path: Span,
    query: Option<Span>,
    pub version: Version,
    /// The version as the client wrote it ($server_protocol).
    pub version_text: Span,
    pub fields: Vec<Field>,
    /// Index + 1 into `fields` of the first field of each known name.
    known: [u16; Id::COUNT],
    pub framing: Framing,
    /// The client wants the connection to stay open (RFC 9112 section 9.3).
    pub keep_alive: bool,
    /// The client waits for `100 Continue` before it sends the body.
    pub expect_continue: bool,
    /// The validated host the request is for, without port and trailing dot, in the client's case; empty if none was sent.
    pub host: Span,
    pub blame: Blame,
    /// Where the request line starts, after the empty lines before it.
    start: usize,
    /// Where the field lines start; 0 until the request line is complete.
    fields_at: usize,
    /// Up to here there is no end of the line, then of the head: work not to repeat when the head dribbles in.
    scanned: usize,
}

impl Head {
    /// Makes it ready for the next request; keeps the capacity of `fields`.
    pub fn clear(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        *self = Self { fields, ..Self::default() };
    }

    /// The raw path: not decoded, not normalised, without the query. `/` for an absolute-form target without a path.
    pub fn path<'a>(&self, buf: &'a [u8]) -> &'a [u8] {
        if self.path.is_empty() { b"/" } else { self.path.of(buf) }
    }

    /// The target from its path on, as it came ($request_uri). `/` for an absolute-form target that ends with its host,
    /// as in nginx: `return 301 https://other$request_uri` needs a slash there.
    pub fn uri<'a>(&self, buf: &'a [u8]) -> &'a [u8] {
        match self.uri.of(buf) {
            [] if self.form == Form::Absolute => b"/",
            uri => uri,
        }
    }

    /// The query without `?`: `None` if there was no `?`.
    pub fn query<'a>(&self, buf: &'a [u8]) -> Option<&'a [u8]> {
        self.query.map(|span| span.of(buf))
    }

    /// The first value of a known field.
    pub fn known<'a>(&self, buf: &'a [u8], id: Id) -> Option<&'a [u8]> {
        let index = usize::from(self.known[id as usize]).checked_sub(1)?;
        self.fields.get(index).map(|field| field.value.of(buf))
    }

    /// The values of every field of a known name, in order.
    pub fn all<'a>(&self, buf: &'a [u8], id: Id) -> impl Iterator<Item = &'a [u8]> {
        let first = usize::from(self.known[id as usize]).checked_sub(1).unwrap_or(self.fields.len());
        self.fields.iter().skip(first).filter(move |f| f.id == Some(id)).map(|f| f.value.of(buf))
    }

    /// The value of a list field: its lines, joined (RFC 9110 section 5.3).
    pub fn list<'a>(&self, buf: &'a [u8], id: Id) -> Option<Cow<'a, [u8]>> {
        let mut lines = self.all(buf, id);
        let mut list = Cow::Borrowed(lines.next()?);
        for line in lines {
            let list = list.to_mut();
            list.extend_from_slice(b", ");
            list.extend_from_slice(line);
        }
        Some(list)
    }

    /// The first value of any field, by its name in any case.
    pub fn get<'a>(&self, buf: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
        let same = |f: &&Field| f.name.of(buf).eq_ignore_ascii_case(name);
        self.fields.iter().find(same).map(|f| f.value.of(buf))
    }

    /// The values of every field of a name as in `$http_NAME`: in lower case, with `_` for `-`.
    pub fn all_of_variable<'a>(&'a self, buf: &'a [u8], name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let same = |byte: &u8, wanted: &u8| match byte {
            b'-' => *wanted == b'_',
            _ => byte.to_ascii_lowercase() == *wanted,
        };
        let matches = move |f: &&Field| {
            f.name.len as usize == name.len() && f.name.of(buf).iter().zip(name).all(|(a, b)| same(a, b))
        };
        self.fields.iter().filter(matches).map(|f| f.value.of(buf))
    }

    /// The request line has come in full (client_header_timeout's text and `$request` depend on it).
    pub fn has_line(&self) -> bool {
        self.fields_at > 0
    }

    /// Nothing but empty lines so far: an idle connection.
    pub fn is_untouched(&self, buf: &[u8]) -> bool {
        self.fields_at == 0 && self.start >= buf.len()
    }
}

/// Parses the head at the start of `buf`. After `Partial`, call again with the same bytes and more behind them; what was
/// looked at is not looked at again. The head must be fresh or cleared before the first call for a request.
pub fn parse(head: &mut Head, buf: &[u8], limits: &Limits) -> Result<Parse, Reject> {
    if head.fields_at == 0 {
        match line::parse(head, buf, limits)? {
            Some(end) => head.fields_at = end,
            None => return Ok(Parse::Partial),
        }
    } else if !end_in_sight(head, buf) {
        return partial(head, buf, limits);
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
    if head.fields_at + len - head.start > limits.head {
        return Err(Reject::HeadTooLarge);
    }
    check(head, buf)?;
    Ok(Parse::Complete(head.fields_at + len))
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

/// Parses the field lines; returns their length with the empty line, or `None` while they are incomplete.
fn field_lines(head: &mut Head, buf: &[u8], limits: &Limits) -> Result<Option<usize>, Reject> {
    let lines = buf.get(head.fields_at..).unwrap_or_default();
    let mut room = [httparse::EMPTY_HEADER; USUAL_FIELDS];
    match httparse::parse_headers(lines, &mut room) {
        Ok(httparse::Status::Complete((len, headers))) => take_fields(head, buf, limits, headers).map(|()| Some(len)),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) if limits.fields > USUAL_FIELDS => many_field_lines(head, buf, limits),
        Err(error) => refuse_fields(head, buf, limits, &room, error),
    }
}

#[cold]
#[inline(never)]
fn many_field_lines(head: &mut Head, buf: &[u8], limits: &Limits) -> Result<Option<usize>, Reject> {
    let lines = buf.get(head.fields_at..).unwrap_or_default();
    let mut room = vec![httparse::EMPTY_HEADER; limits.fields.min(usize::from(u16::MAX) - 1)];
    match httparse::parse_headers(lines, &mut room) {
        Ok(httparse::Status::Complete((len, headers))) => take_fields(head, buf, limits, headers).map(|()| Some(len)),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(error) => refuse_fields(head, buf, limits, &room, error),
    }
}

/// What stands in front of the error has been read: the host in it tells whose error page is sent, as in nginx.
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
    if headers.len() > limits.fields {
        return Err(Reject::TooManyFields);
    }
    head.fields.clear();
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
        if id.is_none() && !is_plain_name(header.name.as_bytes(), limits.underscores) {
            continue;
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
    }
    Ok(())
}

/// nginx drops fields with other names (ignore_invalid_headers): an underscore would be taken for a hyphen further on.
fn is_plain_name(name: &[u8], underscores: bool) -> bool {
    name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-' || (underscores && *b == b'_'))
}

/// The rules that need the whole head.
fn check(head: &mut Head, buf: &[u8]) -> Result<(), Reject> {
    check_host(head, buf)?;
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
        head.host = Span::within(buf, authority.host);
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
