//! From an answer to bytes: the head, and small bodies.

use super::conditions::{etag, last_modified};
use super::fields::Fields;
use super::{head, pages, ranges};
use crate::http::exchange::{Answer, Body, Cx, Exchange, Found, Part};
use crate::http::exchange::{limits, media_type};
use crate::http::message::range::{ByteRange, Multipart};
use crate::http::message::status;

/// Appends the head, and the body unless it is in a file. `None`: the connection is to be closed without a response.
pub(in crate::http) fn write(ex: &mut Exchange, cx: &Cx, out: &mut Vec<u8>, answer: Answer) -> Option<Body> {
    let is_last = cx.leaving || cx.is_full && cx.input.len() <= ex.taken();
    ex.fate.keep_alive = ex.fate.keep_alive && !is_last && limits::may_keep_alive(cx, ex.location_of(cx));
    Some(match answer {
        Answer::Close(status) => {
            ex.response.status = status;
            ex.fate.keep_alive = false;
            return None;
        }
        Answer::File(found) => write_file(ex, cx, out, &found),
        Answer::NotModified(found) => {
            ex.response.status = 304;
            ex.response.codings.sent = None;
            let last_modified = found.as_ref().map(|found| last_modified(cx, found));
            let etag = found.as_ref().and_then(|found| etag(ex, cx, found));
            let fields = Fields { last_modified, etag, ..Fields::default() };
            head::write(ex, cx, out, &fields);
            Body::None
        }
        Answer::Error(status) => write_page(ex, cx, out, status),
        Answer::Redirect { status, target } => {
            ex.response.location = Some(target);
            write_page(ex, cx, out, status)
        }
        Answer::Text { status, body, media_type } => {
            ex.response.status = if ex.error.status != 0 { ex.error.status } else { status };
            let content_type = media_type.map_or_else(|| media_type::of(ex, cx), str::as_bytes);
            write_small(ex, cx, out, Fields { content_type: Some(content_type), ..Fields::default() }, &body)
        }
    })
}

fn write_file(ex: &mut Exchange, cx: &Cx, out: &mut Vec<u8>, found: &Found) -> Body {
    let content_type = media_type::of(ex, cx);
    let etag = etag(ex, cx, found);
    ex.response.last_modified = Some(found.mtime);
    let mut fields = Fields { content_type: Some(content_type), etag, ..Fields::default() };
    let ranges = std::mem::take(&mut ex.response.ranges);
    let body = match ranges.as_slice() {
        [] => {
            ex.response.status = if ex.error.status != 0 { ex.error.status } else { 200 };
            let ok = ex.response.status == 200;
            fields.last_modified = ok.then_some(last_modified(cx, found));
            fields.accept_ranges = ok && ranges::are_accepted(ex, cx);
            fields.content_length = Some(found.len);
            if ex.response.status == 204 {
                (fields.content_type, fields.content_length) = (None, None);
            }
            head::write(ex, cx, out, &fields);
            Body::File { start: 0, end: found.len }
        }
        &[only] => {
            ex.response.status = 206;
            fields.last_modified = Some(last_modified(cx, found));
            fields.content_length = Some(only.size());
            fields.content_range = Some((only, found.len));
            head::write(ex, cx, out, &fields);
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
    head::write(ex, cx, out, &fields);
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
    ex.response.codings.sent = None;
    let mut page = Vec::new();
    let has_page = pages::write(ex, cx, code, &mut page);
    let content_type = has_page.then_some(b"text/html".as_slice());
    write_small(ex, cx, out, Fields { content_type, ..Fields::default() }, &page)
}

/// Whether a response with this status ends with its head, whatever the head says (RFC 9112, 6.3): what followed would
/// be taken for the next response.
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
    head::write(ex, cx, out, &fields);
    if !empty && !ex.is_head(cx) {
        out.extend_from_slice(body);
    }
    Body::None
}
