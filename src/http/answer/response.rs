//! From an answer to bytes: the head, in nginx's order (`src/http/ngx_http_header_filter_module.c`), and small bodies.

use crate::conf::{self, Contexts, Setting};
use crate::http::answer::headers;
use crate::http::answer::redirect;
use crate::http::exchange::limits;
use crate::http::exchange::media_type;
use crate::http::exchange::{Body, Cx, Exchange, Found, Part};
use crate::http::message::conditional::{self, ModifiedSince, Outcome, Preconditions, Validators};
use crate::http::message::date;
use crate::http::message::field::Id;
use crate::http::message::head::Method;
use crate::http::message::range::{self, ByteRange, Multipart, Ranges};
use crate::http::message::status;
use std::borrow::Cow;

const EVERYWHERE: Contexts = Contexts::HTTP.union(Contexts::SERVER).union(Contexts::LOCATION);

pub static SERVER_TOKENS: Setting<bool> = Setting::one("server_tokens", |args| {
    args.one_of(0, &[("on", true), ("off", false), ("build", true)])
})
.contexts(EVERYWHERE)
.args(1, 1)
.syntax("on | off | build")
.default("on")
.about(
    "Whether the Server field and the built-in pages name the version; `build` is `on`, as in an nginx without one.",
);

pub static ETAG: Setting<bool> = Setting::one("etag", |args| args.flag(0))
    .contexts(EVERYWHERE)
    .args(1, 1)
    .syntax("on | off")
    .default("on")
    .about("Whether files have an entity tag, made of their modification time and size.");

pub static IF_MODIFIED_SINCE: Setting<ModifiedSince> = Setting::one("if_modified_since", |args| {
    use ModifiedSince::{Before, Exact, Off};
    args.one_of(0, &[("off", Off), ("exact", Exact), ("before", Before)])
})
.contexts(EVERYWHERE)
.args(1, 1)
.syntax("off | exact | before")
.default("exact")
.about("When If-Modified-Since gets a 304: never, when the times are equal, or when the file is not newer.");

pub static MAX_RANGES: Setting<Option<u64>> =
    Setting::one("max_ranges", |args| args.count(0).map(Some)).contexts(EVERYWHERE).args(1, 1).syntax("NUMBER").about(
        "The most ranges a request may ask for, else it gets the whole file; 0: Range is ignored. By default as many as are \
         worth it: the whole file is sent when the ranges' bytes and 256 for each are more than the file's and 4096.",
    );

pub static MSIE_PADDING: Setting<bool> = Setting::one("msie_padding", |args| args.flag(0))
    .contexts(EVERYWHERE)
    .args(1, 1)
    .syntax("on | off")
    .default("on")
    .about("Whether the built-in error pages are padded for browsers that replace short ones.");

/// How an exchange ends.
#[derive(Debug)]
pub enum Answer {
    /// The file found, or the ranges of it in [`Response::ranges`].
    File(Found),
    /// 304, for the file found or for a text.
    NotModified(Option<Found>),
    /// A status with the built-in page, unless the conf has another.
    Error(u16),
    Redirect {
        status: u16,
        target: Vec<u8>,
    },
    /// A text made here; without a media type of its own it has that of the uri's extension.
    Text {
        status: u16,
        body: Vec<u8>,
        media_type: Option<&'static str>,
    },
    /// The connection is closed without a response (`return 444`); the log has this status.
    Close(u16),
}

impl Answer {
    /// What a status of the conf comes to that is no redirect: nginx closes the connection without a word for some.
    pub(in crate::http) fn failure(status: u16) -> Answer {
        match status {
            408 | 444 | 499 => Answer::Close(status),
            status => Answer::Error(status),
        }
    }
}

/// What is known of the response once it is written.
#[derive(Debug, Default)]
pub struct Response {
    pub status: u16,
    /// Seconds since 1970.
    pub last_modified: Option<i64>,
    /// The method is not one of those that the resource has.
    method_refused: bool,
    /// The target of a redirect, also when an error page is sent in its place.
    pub(in crate::http) location: Option<Vec<u8>>,
    /// What a 206 sends; empty: the whole file.
    pub(in crate::http) ranges: Vec<ByteRange>,
    /// Size of the file of which a 416 has no such range.
    unsatisfied: Option<u64>,
    /// The head, kept where the conf asks for `$sent_http_*`.
    head: Vec<u8>,
}

impl Response {
    pub(in crate::http) fn clear(&mut self) {
        self.status = 0;
        self.last_modified = None;
        self.method_refused = false;
        self.location = None;
        self.ranges.clear();
        self.unsatisfied = None;
        self.head.clear();
    }

    /// The answer to a method that neither files nor views have.
    pub(in crate::http) fn refuse_method(&mut self) -> Answer {
        self.method_refused = true;
        Answer::Error(405)
    }

    /// The values of a field that was sent, line by line; `_` in `name` stands for `-`. While the head is being
    /// written: of what of it is there.
    pub(in crate::http) fn sent<'s>(&'s self, name: &'s [u8]) -> impl Iterator<Item = &'s [u8]> {
        self.head.split(|&byte| byte == b'\n').skip(1).filter_map(move |line| {
            let colon = memchr::memchr(b':', line)?;
            let same = |(a, b): (&u8, &u8)| a.to_ascii_lowercase() == if *b == b'_' { b'-' } else { *b };
            let fits = colon == name.len() && line[..colon].iter().zip(name).all(same);
            fits.then(|| line[colon + 1..].trim_ascii())
        })
    }

    /// Keeps what has come to a head, for `$sent_http_*`.
    pub(in crate::http) fn keep(&mut self, head: &[u8]) {
        self.head.extend_from_slice(head.get(self.head.len()..).unwrap_or_default());
    }
}

/// The fields of a head that depend on the kind of answer.
#[derive(Default)]
struct Fields<'a> {
    content_type: Option<&'a [u8]>,
    content_length: Option<u64>,
    last_modified: Option<&'a [u8]>,
    etag: Option<&'a [u8]>,
    accept_ranges: bool,
    content_range: Option<(ByteRange, u64)>,
}

/// What a file that is to be sent comes to: itself, ranges of it, 304, 412 or 416.
pub(in crate::http) fn negotiate(ex: &mut Exchange, cx: &Cx, found: Found) -> Answer {
    let scope = &ex.location_of(cx).scope;
    if !matches!(ex.error_status, 0 | 200) {
        return Answer::File(found);
    }
    let sent = sent_etag(ex, cx, 200, etag(ex, cx, &found));
    let validators = Validators { etag: sent.as_deref(), modified: sent_time(ex, cx, Some(found.mtime)) };
    let head = &ex.head;
    match Preconditions::of(head, cx.input).evaluate(validators, *scope.get(&IF_MODIFIED_SINCE)) {
        Outcome::Proceed => {}
        Outcome::NotModified => return Answer::NotModified(Some(found)),
        Outcome::PreconditionFailed => return Answer::Error(412),
    }
    // RFC 9110, 14.2: Range has a meaning for GET only.
    let Some(wanted) = head.known(cx.input, Id::Range).filter(|_| head.method == Method::Get) else {
        return Answer::File(found);
    };
    if !conditional::range_applies(head.known(cx.input, Id::IfRange), validators) {
        return Answer::File(found);
    }
    match range::parse(wanted, found.len, *scope.get(&MAX_RANGES), &mut ex.response.ranges) {
        Ranges::Satisfiable => {}
        Ranges::Ignored => ex.response.ranges.clear(),
        Ranges::Unsatisfiable => {
            ex.response.ranges.clear();
            ex.response.unsatisfied = Some(found.len);
            return Answer::Error(416);
        }
    }
    Answer::File(found)
}

/// A text made here, with status 200, unless the conditions of the request have it otherwise. It has no validators but
/// those that `add_header` says, and with none there is no date that If-Unmodified-Since could be compared with.
pub(in crate::http) fn text(ex: &Exchange, cx: &Cx, body: Vec<u8>, media_type: Option<&'static str>) -> Answer {
    let etag = sent_etag(ex, cx, 200, None);
    let validators = Validators { etag: etag.as_deref(), modified: sent_time(ex, cx, None) };
    let mode = *ex.location_of(cx).scope.get(&IF_MODIFIED_SINCE);
    match Preconditions::of(&ex.head, cx.input).evaluate(validators, mode) {
        Outcome::Proceed => Answer::Text { status: 200, body, media_type },
        Outcome::NotModified => Answer::NotModified(None),
        Outcome::PreconditionFailed => Answer::Error(412),
    }
}

/// Appends the head, and what of the body is not in a file. `None`: the connection is to be closed without a response.
pub(in crate::http) fn write(ex: &mut Exchange, cx: &Cx, out: &mut Vec<u8>, answer: Answer) -> Option<Body> {
    let is_last = cx.leaving || cx.is_full && cx.input.len() <= ex.taken();
    ex.keep_alive = ex.keep_alive && !is_last && limits::may_keep_alive(cx, ex.location_of(cx));
    Some(match answer {
        Answer::Close(status) => {
            ex.response.status = status;
            ex.keep_alive = false;
            return None;
        }
        Answer::File(found) => write_file(ex, cx, out, &found),
        Answer::NotModified(found) => {
            ex.response.status = 304;
            let last_modified = found.as_ref().map(|found| last_modified(cx, found));
            let etag = found.as_ref().and_then(|found| etag(ex, cx, found));
            let fields = Fields { last_modified, etag, ..Fields::default() };
            write_head(ex, cx, out, &fields);
            Body::None
        }
        Answer::Error(status) => write_page(ex, cx, out, status),
        Answer::Redirect { status, target } => {
            ex.response.location = Some(target);
            write_page(ex, cx, out, status)
        }
        Answer::Text { status, body, media_type } => {
            ex.response.status = if ex.error_status != 0 { ex.error_status } else { status };
            let content_type = media_type.map_or_else(|| media_type::of(ex, cx), str::as_bytes);
            write_small(ex, cx, out, Fields { content_type: Some(content_type), ..Fields::default() }, &body)
        }
    })
}

fn etag<'f>(ex: &Exchange, cx: &Cx, found: &'f Found) -> Option<&'f [u8]> {
    let scope = &ex.location_of(cx).scope;
    scope.get(&ETAG).then(|| found.etag.as_bytes())
}

/// The entity tag that goes out with this status: the response's own, or what `add_header` says in its place. A client
/// knows no other, so this one counts in conditions (RFC 9110, 8.8).
fn sent_etag<'e>(ex: &Exchange, cx: &Cx, status: u16, own: Option<&'e [u8]>) -> Option<Cow<'e, [u8]>> {
    match headers::ETAG.replacement(ex, cx, status) {
        None => own.map(Cow::Borrowed),
        Some(said) => Some(said).filter(|said| !said.is_empty()).map(Cow::Owned),
    }
}

/// The Last-Modified that goes out with a 200, likewise; `None` also when it is no date.
fn sent_time(ex: &Exchange, cx: &Cx, own: Option<i64>) -> Option<i64> {
    match headers::LAST_MODIFIED.replacement(ex, cx, 200) {
        None => own,
        Some(said) => date::parse(&said),
    }
}

/// A time that has not come yet, of a file from elsewhere, is replaced by that of the response (RFC 9110, 8.8.2.1).
fn last_modified<'f>(cx: &'f Cx, found: &'f Found) -> &'f [u8] {
    if found.mtime > cx.clock.unix_s() as i64 { cx.clock.http_date() } else { &found.last_modified }
}

fn write_file(ex: &mut Exchange, cx: &Cx, out: &mut Vec<u8>, found: &Found) -> Body {
    let content_type = media_type::of(ex, cx);
    let etag = etag(ex, cx, found);
    ex.response.last_modified = Some(found.mtime);
    let mut fields = Fields { content_type: Some(content_type), etag, ..Fields::default() };
    let ranges = std::mem::take(&mut ex.response.ranges);
    let body = match ranges.as_slice() {
        [] => {
            ex.response.status = if ex.error_status != 0 { ex.error_status } else { 200 };
            let ok = ex.response.status == 200;
            fields.last_modified = ok.then_some(last_modified(cx, found));
            fields.accept_ranges = ok && *ex.location_of(cx).scope.get(&MAX_RANGES) != Some(0);
            fields.content_length = Some(found.len);
            if ex.response.status == 204 {
                (fields.content_type, fields.content_length) = (None, None);
            }
            write_head(ex, cx, out, &fields);
            Body::File { start: 0, end: found.len }
        }
        &[only] => {
            ex.response.status = 206;
            fields.last_modified = Some(last_modified(cx, found));
            fields.content_length = Some(only.size());
            fields.content_range = Some((only, found.len));
            write_head(ex, cx, out, &fields);
            Body::File { start: only.start, end: only.end }
        }
        several => write_parts(ex, cx, out, fields, found, several),
    };
    ex.response.ranges = ranges;
    if ex.is_head(cx) || has_no_body(ex.response.status) { Body::None } else { body }
}

fn write_parts(
    ex: &mut Exchange,
    cx: &Cx,
    out: &mut Vec<u8>,
    fields: Fields,
    found: &Found,
    ranges: &[ByteRange],
) -> Body {
    // Any number will do that other responses do not have: connection and request count together.
    let boundary = cx.conn.number.wrapping_mul(1 << 20).wrapping_add(cx.conn.requests.into());
    let multipart = Multipart { boundary, content_type: fields.content_type, size: found.len };
    let mut content_type = Vec::new();
    multipart.response_type(&mut content_type);
    ex.response.status = 206;
    let fields = Fields {
        content_type: Some(&content_type),
        last_modified: Some(last_modified(cx, found)),
        content_length: Some(multipart.content_length(ranges)),
        ..fields
    };
    write_head(ex, cx, out, &fields);
    let part = |range: &ByteRange| {
        let mut head = Vec::new();
        multipart.part_head(&mut head, *range);
        Part { head, start: range.start, end: range.end }
    };
    let mut close = Vec::new();
    multipart.end(&mut close);
    Body::Parts { parts: ranges.iter().map(part).collect(), close }
}

/// An error or a redirect, with its built-in page.
fn write_page(ex: &mut Exchange, cx: &Cx, out: &mut Vec<u8>, code: u16) -> Body {
    ex.response.status = status::sent(code);
    ex.response.last_modified = None;
    let scope = &ex.location_of(cx).scope;
    let padding =
        *scope.get(&MSIE_PADDING) && ex.head.known(cx.input, Id::UserAgent).is_some_and(status::wants_padding);
    let mut page = Vec::new();
    let has_page = status::page(&mut page, code, product(*scope.get(&SERVER_TOKENS)), padding);
    let content_type = has_page.then_some(b"text/html".as_slice());
    write_small(ex, cx, out, Fields { content_type, ..Fields::default() }, &page)
}

/// Whether a response with this status ends with its head, whatever the head says (RFC 9112, 6.3): what followed would be
/// taken for the next response.
fn has_no_body(status: u16) -> bool {
    matches!(status, 100..=199 | 204 | 304)
}

/// A response whose body is at hand.
fn write_small(ex: &mut Exchange, cx: &Cx, out: &mut Vec<u8>, mut fields: Fields, body: &[u8]) -> Body {
    let empty = has_no_body(ex.response.status);
    if empty {
        fields.content_type = None;
    } else {
        fields.content_length = Some(body.len() as u64);
    }
    write_head(ex, cx, out, &fields);
    if !empty && !ex.is_head(cx) {
        out.extend_from_slice(body);
    }
    Body::None
}

/// What the server calls itself.
pub fn product(tokens: bool) -> &'static str {
    if tokens { concat!("drover/", env!("CARGO_PKG_VERSION")) } else { "drover" }
}

fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

fn write_head(ex: &mut Exchange, cx: &Cx, out: &mut Vec<u8>, fields: &Fields) {
    let start = out.len();
    let mut number = itoa::Buffer::new();
    let scope = &ex.location_of(cx).scope;
    let tokens = *scope.get(&SERVER_TOKENS);
    match ex.response.status {
        200 => put(out, &[b"HTTP/1.1 200 OK\r\n"]),
        code => {
            let text = status::reason(code);
            // Three digits, also where the conf says `return 7`.
            let padding = b"00".get(..2 - code.checked_ilog10().unwrap_or(0).min(2) as usize).unwrap_or_default();
            let code = number.format(code);
            put(out, &[b"HTTP/1.1 ", padding, code.as_bytes(), b" ", text.as_bytes(), b"\r\n"]);
        }
    }
    put(out, &[b"Server: ", product(tokens).as_bytes(), b"\r\nDate: ", cx.clock.http_date(), b"\r\n"]);
    if let Some(content_type) = fields.content_type.filter(|text| !text.is_empty()) {
        put(out, &[b"Content-Type: ", content_type, b"\r\n"]);
    }
    if let Some(length) = fields.content_length {
        put(out, &[b"Content-Length: ", number.format(length).as_bytes(), b"\r\n"]);
    }
    let says_time = || headers::LAST_MODIFIED.replacement(ex, cx, ex.response.status).is_some();
    if let Some(modified) = fields.last_modified.filter(|_| !says_time()) {
        put(out, &[b"Last-Modified: ", modified, b"\r\n"]);
    }
    let location = ex.response.location.take().map(|target| redirect::absolute(ex, cx, target));
    if let Some(redirect::Location { completed: true, text }) = &location {
        put(out, &[b"Location: ", text, b"\r\n"]);
    }
    if ex.keep_alive {
        put(out, &[b"Connection: keep-alive\r\n"]);
        if let Some(seconds) = scope.get(&limits::KEEPALIVE_TIMEOUT).header_s {
            put(out, &[b"Keep-Alive: timeout=", number.format(seconds).as_bytes(), b"\r\n"]);
        }
    } else {
        put(out, &[b"Connection: close\r\n"]);
    }
    if let Some(redirect::Location { completed: false, text }) = &location {
        put(out, &[b"Location: ", text, b"\r\n"]);
    }
    if let Some(own) = fields.etag
        && let Some(etag) = sent_etag(ex, cx, ex.response.status, Some(own))
    {
        put(out, &[b"ETag: ", &etag, b"\r\n"]);
    }
    // RFC 9110, 15.5.6.
    if ex.response.status == 405 && ex.response.method_refused && headers::ALLOW.replacement(ex, cx, 405).is_none() {
        put(out, &[b"Allow: GET, HEAD\r\n"]);
    }
    headers::write(ex, cx, out, start, fields.etag.map(|_| headers::ETAG));
    if fields.accept_ranges {
        put(out, &[b"Accept-Ranges: bytes\r\n"]);
    }
    if let Some((range, size)) = fields.content_range {
        put(out, &[b"Content-Range: "]);
        range::content_range(out, range, size);
        put(out, &[b"\r\n"]);
    } else if let (416, Some(size)) = (ex.response.status, ex.response.unsatisfied) {
        put(out, &[b"Content-Range: "]);
        range::content_range_unsatisfied(out, size);
        put(out, &[b"\r\n"]);
    }
    put(out, &[b"\r\n"]);
    ex.head_sent += (out.len() - start) as u64;
    if cx.site.keeps_heads() {
        ex.response.keep(&out[start..]);
    }
}

pub static DIRECTIVES: &[&dyn conf::Entry] = &[&SERVER_TOKENS, &ETAG, &IF_MODIFIED_SINCE, &MAX_RANGES, &MSIE_PADDING];
