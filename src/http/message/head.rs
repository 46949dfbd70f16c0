//! The head of a request, whatever its framing: method, target, host, fields, and how its body ends.
//!
//! A head holds no borrow of the buffer: it holds spans, and the bytes must stay where they were.

use crate::http::message::field::Id;
use crate::http::message::reject::{Phase, Reject};
use std::borrow::Cow;

/// A piece of the buffer the head was parsed from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Index of the first byte in the buffer.
    pub start: u32,
    /// Length, bytes.
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

    /// Index behind the last byte in the buffer.
    pub fn end(self) -> usize {
        self.start as usize + self.len as usize
    }

    /// Whether the span has no bytes; a field with an empty value has such a span.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The span of the same bytes where they stand so much further on; `by` may wrap.
    fn moved(self, by: u32) -> Self {
        Self { start: self.start.wrapping_add(by), ..self }
    }

    /// The span of `part`, which is a piece of `buf`.
    pub(super) fn within(buf: &[u8], part: &[u8]) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(buf.as_ptr() as usize);
        Self::new(start, start.wrapping_add(part.len()))
    }
}

/// The limits on a head.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the request line, and of each field line: the size of one large_client_header_buffers buffer.
    pub line: usize,
    /// Bytes of the whole head: all large_client_header_buffers buffers together.
    pub head: usize,
}

impl Default for Limits {
    /// nginx's defaults.
    fn default() -> Self {
        Self { line: 8 << 10, head: 32 << 10 }
    }
}

/// The request method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// GET (RFC 9110 section 9.3.1).
    #[default]
    Get,
    /// HEAD: a GET whose response has no body (RFC 9110 section 9.3.2).
    Head,
    /// POST (RFC 9110 section 9.3.3).
    Post,
    /// PUT (RFC 9110 section 9.3.4).
    Put,
    /// DELETE (RFC 9110 section 9.3.5).
    Delete,
    /// OPTIONS (RFC 9110 section 9.3.7).
    Options,
    /// TRACE (RFC 9110 section 9.3.8).
    Trace,
    /// CONNECT: its target is an authority (RFC 9110 section 9.3.6).
    Connect,
    /// PATCH (RFC 5789 section 2).
    Patch,
    /// Any other well-formed one; its text is [`Head::method_text`].
    Other,
}

/// HTTP/1.0; 1.1, which also stands for any later minor version (RFC 9110 section 6.2); HTTP/2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0: no Host is required, no transfer coding allowed.
    Http10,
    /// HTTP/1.1 and later minor versions.
    #[default]
    Http11,
    /// HTTP/2 (RFC 9113).
    Http20,
}

/// The form of the request target (RFC 9112 section 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// A path and a query: `/path?query` (section 3.2.1).
    #[default]
    Origin,
    /// A whole URL: `http://host/path?query` (section 3.2.2).
    Absolute,
    /// CONNECT only, and the only one there; it has no path.
    Authority,
    /// OPTIONS only; the path is `*`.
    Asterisk,
}

/// How the end of the body is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// The request has no body (RFC 9112 section 6.3, item 7).
    #[default]
    None,
    /// Content-Length says the length of the body, bytes.
    Length(u64),
    /// The body comes in chunks, the last of them empty (RFC 9112 section 7.1).
    Chunked,
}

/// A field line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name, in the client's case.
    pub name: Span,
    /// The field's value, without the white space around it.
    pub value: Span,
    /// The number of the name; `None`: the server itself does not read the field.
    pub id: Option<Id>,
}

impl Field {
    /// The same field where its line stands so much further on; `by` may wrap.
    fn moved(self, by: u32) -> Self {
        Self { name: self.name.moved(by), value: self.value.moved(by), id: self.id }
    }
}

/// A field line whose name has other bytes than letters, digits and `-`: the conf of the server says whether it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unusual {
    /// The field.
    pub field: Field,
    /// The number of fields before it in [`Head::fields`].
    pub behind: u16,
}

/// The part of the head that is to blame when it's refused, for the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blame {
    /// No part: the head was not refused, or the log needs no piece of it.
    #[default]
    None,
    /// The line is malformed or too long.
    Line(Span),
    /// A field that must not come twice, and the one before it.
    Second {
        /// The field that came too late; `Head::fields` does not hold it.
        field: Field,
        /// The field of the same name before it.
        first: Field,
    },
}

/// A parsed request head. Spans point into the buffer that was parsed.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// The method; `Other` when the server has no name for it.
    pub method: Method,
    /// The method as the client wrote it ($request_method).
    pub method_text: Span,
    /// The request line without its line end ($request); set as soon as the line is complete, also when it's refused.
    pub line: Span,
    /// The form in which the client wrote the target.
    pub form: Form,
    /// The whole request target.
    pub target: Span,
    /// The target from its path on; empty in absolute-form with neither path nor query.
    pub(super) uri: Span,
    pub(super) path: Span,
    pub(super) query: Option<Span>,
    /// The path is normal as it came (`message/uri.rs`).
    pub has_plain_path: bool,
    /// The version, on which keep-alive and the transfer codings depend.
    pub version: Version,
    /// The version as the client wrote it ($server_protocol).
    pub version_text: Span,
    /// The field lines in the client's order, without those with unusual names that do not count.
    pub fields: Vec<Field>,
    /// The field lines with unusual names, until it is decided whether they count.
    pub unusual: Vec<Unusual>,
    /// Index + 1 into `fields` of the first field of each known name.
    pub(super) known: [u16; Id::COUNT],
    /// How the end of the body is found (RFC 9112 section 6.3).
    pub framing: Framing,
    /// The client wants the connection to stay open (RFC 9112 section 9.3).
    pub keep_alive: bool,
    /// The client waits for `100 Continue` before it sends the body.
    pub expect_continue: bool,
    /// The validated host the request is for, without port and trailing dot, in the client's case; empty if none was
    /// sent.
    pub host: Span,
    /// The port behind that host.
    pub port: Option<u16>,
    /// The part to blame for a refusal, for the error log.
    pub blame: Blame,
    /// Where the request line starts, after the empty lines before it.
    pub(super) start: usize,
    /// Where the field lines start; 0 until the request line is complete.
    pub(super) fields_at: usize,
    /// Up to here there is no end of the line, then of the head: work not to repeat when the head dribbles in.
    pub(super) scanned: usize,
    /// Bytes up to the end of the field lines; 0 until their end is found.
    pub(super) whole: usize,
    /// The field lines of a request before this one.
    pub(super) earlier: Option<Box<Earlier>>,
}

/// The longest field lines that are kept for comparison, bytes.
const EARLIER_MAX: usize = 1 << 10;

/// The field lines of a request, and what they said. Clients send the same ones with each request, and their requests
/// come one behind the other: lines that are equal, byte by byte, say the same again, for a fifth of the instructions.
#[derive(Clone, Debug, Default)]
pub(super) struct Earlier {
    /// The lines, with the empty one behind them.
    text: Vec<u8>,
    /// Where they started in their buffer, which the spans are of.
    at: usize,
    /// The version and the limit that they were read by.
    version: Version,
    line_max: usize,
    fields: Vec<Field>,
    known: [u16; Id::COUNT],
    framing: Framing,
    keep_alive: bool,
    expect_continue: bool,
    host: Span,
    port: Option<u16>,
}

impl Head {
    /// Makes it ready for the next request; keeps the capacity of its lists.
    pub fn clear(&mut self) {
        let (mut fields, mut unusual) = (std::mem::take(&mut self.fields), std::mem::take(&mut self.unusual));
        fields.clear();
        unusual.clear();
        *self = Self { fields, unusual, earlier: self.earlier.take(), ..Self::default() };
    }

    /// Takes the meaning of the field lines from those of an earlier request, if they are the same. To be called when
    /// the request line is read. False: they are to be read.
    pub(super) fn recall(&mut self, buf: &[u8], limits: &Limits) -> bool {
        let Some(earlier) = self.earlier.as_deref() else { return false };
        let lines = buf.get(self.fields_at..).unwrap_or_default();
        let whole = self.fields_at + earlier.text.len();
        let is_same = (earlier.version, earlier.line_max) == (self.version, limits.line)
            && self.form == Form::Origin
            && whole - self.start <= limits.head
            && lines.starts_with(&earlier.text);
        if !is_same {
            return false;
        }
        let by = (self.fields_at as u32).wrapping_sub(earlier.at as u32);
        self.whole = whole;
        self.fields.clear();
        self.fields.extend(earlier.fields.iter().map(|field| field.moved(by)));
        self.known = earlier.known;
        (self.framing, self.keep_alive, self.expect_continue) =
            (earlier.framing, earlier.keep_alive, earlier.expect_continue);
        (self.host, self.port) = (earlier.host.moved(by), earlier.port);
        true
    }

    /// Keeps the field lines of this request, which is accepted, for [`Head::recall`].
    pub(super) fn remember(&mut self, buf: &[u8], limits: &Limits) {
        let lines = buf.get(self.fields_at..self.whole).unwrap_or_default();
        if lines.len() > EARLIER_MAX || self.form != Form::Origin || self.host.is_empty() || !self.unusual.is_empty() {
            return;
        }
        let earlier = self.earlier.get_or_insert_default();
        earlier.text.clear();
        earlier.text.extend_from_slice(lines);
        earlier.fields.clear();
        earlier.fields.extend_from_slice(&self.fields);
        (earlier.at, earlier.version, earlier.line_max) = (self.fields_at, self.version, limits.line);
        (earlier.known, earlier.framing) = (self.known, self.framing);
        (earlier.keep_alive, earlier.expect_continue) = (self.keep_alive, self.expect_continue);
        (earlier.host, earlier.port) = (self.host, self.port);
    }

    /// Takes all field lines out, in the client's order; the flag says that the name is unusual.
    pub fn take_lines(&mut self) -> Vec<(Field, bool)> {
        let mut lines = Vec::with_capacity(self.fields.len() + self.unusual.len());
        let mut unusual = self.unusual.drain(..).peekable();
        for (number, field) in self.fields.drain(..).enumerate() {
            while let Some(before) = unusual.next_if(|before| usize::from(before.behind) <= number) {
                lines.push((before.field, true));
            }
            lines.push((field, false));
        }
        lines.extend(unusual.map(|last| (last.field, true)));
        self.known = [0; Id::COUNT];
        lines
    }

    /// Adds a field line at the end.
    pub fn push(&mut self, field: Field) {
        if let Some(id) = field.id
            && self.known[id as usize] == 0
        {
            self.known[id as usize] = self.fields.len() as u16 + 1;
        }
        self.fields.push(field);
    }

    /// Takes out the field lines from this number on.
    pub fn cut_fields(&mut self, count: usize) {
        self.fields.truncate(count);
        self.known.iter_mut().filter(|first| usize::from(**first) > count).for_each(|first| *first = 0);
    }

    /// Whether the request line is read, and was not refused.
    pub fn has_request_line(&self) -> bool {
        self.fields_at > 0
    }

    /// Bytes of a whole head of `len` bytes without the empty lines in front of it.
    pub fn counted(&self, len: usize) -> usize {
        len.saturating_sub(self.start)
    }

    /// Bytes of the head's lines that have come, if its request line is read (`r->request_length`).
    pub fn counted_so_far(&self, buf: &[u8]) -> usize {
        let newline = memchr::memrchr(b'\n', buf).filter(|_| self.has_request_line());
        newline.map_or(0, |newline| self.counted((newline + 1).max(self.fields_at)))
    }

    /// Bytes of a refused head that nginx counts: those of the lines that it has read when it meets the fault, with the
    /// line itself when its value is at fault (`r->request_length`).
    pub fn counted_of_refused(&self, buf: &[u8], reject: Reject) -> usize {
        let behind_line = |at: usize| {
            let rest = buf.get(at..).unwrap_or_default();
            memchr::memchr(b'\n', rest).map_or(at + rest.len(), |newline| at + newline + 1)
        };
        let end = match (reject.phase(), self.blame, reject) {
            _ if self.fields_at == 0 => return 0,
            (Phase::RequestLine, ..) => self.fields_at,
            (_, Blame::Line(line), _) => line.start as usize,
            (_, Blame::Second { field, .. }, _) => behind_line(field.value.end()),
            (_, _, Reject::InvalidHost) if let Some(host) = self.fields.last() => behind_line(host.value.end()),
            (_, _, Reject::HeadTooLarge | Reject::TimedOut) => return self.counted_so_far(buf),
            _ => self.whole,
        };
        self.counted(end.max(self.fields_at))
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

    /// Whether the request has a field of any of these names.
    #[inline]
    pub fn has_any(&self, ids: &[Id]) -> bool {
        ids.iter().any(|id| self.known[*id as usize] != 0)
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
}
