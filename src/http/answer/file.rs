//! A file as the answer: which of its bytes a request gets, and the head in front of them.
//!
//! A range becomes bytes in five files: `phases/static_files.rs` has found the file; `negotiate` asks `ranges.rs`,
//! which reads Range and If-Range with `message/range.rs`; `write` makes the head, and a `Body` that says which bytes
//! of the file follow; `push_body` of `serve/output.rs` queues these.

use super::conditions::{self, etag, last_modified};
use super::fields::Fields;
use super::{addition, changes, charset, gzip, head, ranges, ready};
use crate::http::exchange::media_type;
use crate::http::exchange::{Answer, Body, Coded, Cx, Exchange, Found, Part};
use crate::http::message::conditional::{Outcome, Validators};
use crate::http::message::range::{ByteRange, Multipart};
use crate::http::message::status;

/// The answer to a request for a file: the file, ranges of it, 304, 406, 412 or 416. An error page is sent whole.
#[inline(always)]
pub(in crate::http) fn negotiate(ex: &mut Exchange, cx: &Cx, found: Found) -> Answer {
    ex.response.is_steady = conditions::are_none(ex) && ready::is_steady(ex, cx) && !ex.is_aside();
    if ex.response.is_steady { Answer::whole(found) } else { decide(ex, cx, found) }
}

fn decide(ex: &mut Exchange, cx: &Cx, found: Found) -> Answer {
    ex.response.codings.coded = Coded::No;
    if ex.is_aside() {
        return Answer::whole(found);
    }
    let status = if ex.error.status != 0 { ex.error.status } else { 200 };
    // `expires modified` counts from it, also in a 304 and for gzip_proxied.
    ex.response.last_modified = found.modified();
    ex.added.is_wanted = addition::is_wanted(ex, cx, status, || media_type::of(ex, cx));
    ex.response.recoding = None;
    if changes::are_asked_for(ex, cx) && !ex.added.is_wanted {
        let has_etag = etag(ex, cx, &found).is_some();
        changes::decide(ex, cx, status, Some(media_type::of(ex, cx)), found.len, has_etag);
        // A 412 or 416 in the file's place forgets what the file would have become.
        let codings = &mut ex.response.codings;
        codings.varies |= codings.always_says_so && codings.coded != Coded::No;
    }
    if !matches!(ex.error.status, 0 | 200) {
        return Answer::whole(found);
    }
    if ex.response.codings.refuses_identity && !ex.response.codings.is_coded() {
        // A cache that is told to keep the 406 must not give it to others.
        ex.response.codings.varies = true;
        return Answer::Error(406);
    }
    if conditions::are_none(ex) {
        return Answer::whole(found);
    }
    let sent = conditions::sent_etag(ex, cx, 200, etag(ex, cx, &found));
    let validators = Validators { etag: sent.as_deref(), modified: conditions::sent_time(ex, cx, found.modified()) };
    match conditions::evaluate(ex, cx, validators) {
        // A file that is coded on its way has no ranges (ngx_http_clear_accept_ranges), nor has one without a length.
        Outcome::Proceed if ex.response.codings.is_coded() || ex.added.is_wanted || changes::is_length_lost(ex) => {
            Answer::whole(found)
        }
        Outcome::Proceed => ranges::choose(ex, cx, found.clone(), validators),
        Outcome::NotModified => Answer::NotModified(Some(found)),
        Outcome::PreconditionFailed => conditions::failed(ex),
    }
}

/// Appends the head of the file's response. Returns the bytes of the file that follow, for `serve` to send.
pub(super) fn write(ex: &mut Exchange, cx: &Cx, out: &mut Vec<u8>, found: &Found, ranges: &[ByteRange]) -> Body {
    let start = out.len();
    if !ranges.is_empty() {
        return write_anew(ex, cx, out, found, ranges);
    }
    if ready::put(ex, cx, found, out) {
        debug_assert_eq!(
            written_anew(ex, cx, found).escape_ascii().to_string(),
            out[start..].escape_ascii().to_string()
        );
        return if ex.is_head(cx) { Body::None } else { Body::File { start: 0, end: found.len } };
    }
    let body = write_anew(ex, cx, out, found, ranges);
    ready::keep(ex, cx, found, &out[start..]);
    body
}

/// The head of a whole file as it is without one that is ready: every test compares the two.
fn written_anew(ex: &mut Exchange, cx: &Cx, found: &Found) -> Vec<u8> {
    let (mut out, sent) = (Vec::new(), ex.account.head_sent);
    write_anew(ex, cx, &mut out, found, &[]);
    ex.account.head_sent = sent;
    out
}

fn write_anew(ex: &mut Exchange, cx: &Cx, out: &mut Vec<u8>, found: &Found, ranges: &[ByteRange]) -> Body {
    let plain_type = media_type::of(ex, cx);
    let content_type = &*charset::content_type(ex, cx, plain_type);
    let etag = etag(ex, cx, found);
    let plain_type = Some(plain_type);
    let mut fields = Fields { content_type: Some(content_type), plain_type, etag, ..Fields::default() };
    let body = match ranges {
        [] => {
            ex.response.status = if ex.error.status != 0 { ex.error.status } else { 200 };
            let ok = ex.response.status == 200;
            fields.last_modified = last_modified(cx, found);
            fields.accept_ranges = ok && ranges::are_accepted(ex, cx);
            fields.content_length = Some(found.len);
            if ex.response.status == 204 {
                (fields.content_type, fields.content_length) = (None, None);
            }
            write_whole(ex, cx, out, &mut fields, found)
        }
        &[only] => {
            ex.response.status = 206;
            fields.last_modified = last_modified(cx, found);
            fields.content_length = Some(only.size());
            fields.content_range = Some((only, found.len));
            fields.whole = Some(found.len);
            head::write(ex, cx, out, &mut fields);
            changes::framed(ex, cx, &fields, Body::File { start: only.start, end: only.end })
        }
        several => write_parts(ex, cx, out, fields, found, several),
    };
    if ex.is_head(cx) || status::has_no_body(ex.response.status) { Body::None } else { body }
}

/// Appends the head of a whole file, which may be coded on its way.
fn write_whole(ex: &mut Exchange, cx: &Cx, out: &mut Vec<u8>, fields: &mut Fields, found: &Found) -> Body {
    let (coded, kept) = (ex.response.codings.coded, ex.response.kept);
    if ex.response.codings.is_coded() || changes::is_length_lost(ex) {
        gzip::frame(fields, kept);
    }
    if ex.added.is_wanted {
        (fields.accept_ranges, fields.content_length) = (false, None);
    }
    head::write(ex, cx, out, fields);
    let is_chunked = fields.is_chunked;
    let body = match coded {
        Coded::Gzip(recipe) => Body::Gzip { recipe, kept, is_chunked },
        Coded::Gunzip => Body::Gunzip { is_chunked },
        Coded::No | Coded::Refused => Body::File { start: 0, end: found.len },
    };
    changes::framed(ex, cx, fields, body)
}

/// Appends the head of a `multipart/byteranges` response.
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
    let content_type = fields.content_type.filter(|text| !text.is_empty());
    let multipart = Multipart { boundary, content_type, size: found.len };
    let mut content_type = Vec::new();
    multipart.response_type(&mut content_type);
    ex.response.status = 206;
    let mut fields = Fields {
        content_type: Some(&content_type),
        last_modified: last_modified(cx, found),
        content_length: Some(multipart.content_length(ranges)),
        whole: Some(found.len),
        ..fields
    };
    head::write(ex, cx, out, &mut fields);
    let part = |range: &ByteRange| {
        let mut head = Vec::new();
        multipart.part_head(&mut head, *range);
        Part { head, start: range.start, end: range.end }
    };
    let mut close = Vec::new();
    multipart.end(&mut close);
    changes::framed(ex, cx, &fields, Body::Parts { parts: ranges.iter().map(part).collect(), close })
}
