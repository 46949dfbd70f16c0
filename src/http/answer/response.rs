//! From an answer to bytes: the head, and small bodies.

use super::conditions::{etag, last_modified};
use super::fields::Fields;
use super::{changes, charset, chunks, file, gzip, head, pages};
use crate::http::exchange::{Answer, Body, Coded, Cx, Exchange};
use crate::http::exchange::{keep_alive, media_type};
use crate::http::message::charset::recode;
use crate::http::message::date;
use crate::http::message::gzip::{Recipe, whole};
use crate::http::message::status;
use crate::os::memory;
use std::borrow::Cow;

/// Bytes of a text that is served from the reserve of memory, if need be.
const SHORT_TEXT: usize = 64 << 10;

/// Bytes of memory that compressing takes besides the text.
const GZIP_MEMORY: usize = 512 << 10;

/// Appends the head, and the body unless it is in a file. `None`: the connection is to be closed without a response.
pub(in crate::http) fn write(ex: &mut Exchange, cx: &Cx, out: &mut Vec<u8>, answer: Answer) -> Option<Body> {
    // The walk may have come to no location.
    keep_alive::check(ex, cx);
    ex.fate.keep_alive &= !keep_alive::must_end(ex, cx);
    Some(match answer {
        Answer::Close(status) => {
            ex.response.status = status;
            ex.fate.keep_alive = false;
            return None;
        }
        Answer::File { found, ranges } => file::write(ex, cx, out, &found, &ranges),
        Answer::NotModified(found) => {
            ex.response.status = 304;
            ex.response.codings.sent = None;
            let dated = ex.response.last_modified.map(date::format);
            let last_modified = found.as_ref().and_then(|found| last_modified(cx, found)).or(dated.as_ref());
            let etag = found.as_ref().and_then(|found| etag(ex, cx, found));
            let mut fields = Fields { last_modified, etag, ..Fields::default() };
            head::write(ex, cx, out, &mut fields);
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
            let dated = ex.response.last_modified.map(date::format);
            let fields =
                Fields { content_type: Some(content_type), last_modified: dated.as_ref(), ..Fields::default() };
            // Its copy behind the head, and what else is made of it: its gzip, or its text in another charset.
            let len = ex.added.before.len() + body.len() + ex.added.after.len();
            if len > SHORT_TEXT && (memory::reserve(out, len).is_err() || !memory::has_room(2 * len)) {
                ex.fate.keep_alive = false;
                return None;
            }
            write_small(ex, cx, out, fields, &body)
        }
    })
}

/// An error or a redirect, with its built-in page.
fn write_page(ex: &mut Exchange, cx: &Cx, out: &mut Vec<u8>, code: u16) -> Body {
    ex.response.status = status::sent(code);
    ex.response.last_modified = None;
    ex.response.codings.sent = None;
    ex.response.charset = None;
    if let Some(page) = pages::refresh(ex, cx, code) {
        (ex.response.status, ex.response.location) = (200, None);
        return write_small(ex, cx, out, Fields { content_type: Some(b"text/html"), ..Fields::default() }, &page);
    }
    let mut page = Vec::new();
    let has_page = pages::write(ex, cx, code, &mut page);
    let content_type = has_page.then_some(b"text/html".as_slice());
    write_small(ex, cx, out, Fields { content_type, ..Fields::default() }, &page)
}

/// A response whose body is at hand.
fn write_small(ex: &mut Exchange, cx: &Cx, out: &mut Vec<u8>, mut fields: Fields, body: &[u8]) -> Body {
    let empty = status::has_no_body(ex.response.status);
    if empty {
        fields.content_type = None;
    } else {
        fields.content_length = Some(body.len() as u64);
    }
    ex.response.codings.coded = Coded::No;
    ex.response.recoding = None;
    if ex.added.is_wanted {
        fields.content_length = None;
    } else if changes::are_asked_for(ex, cx) {
        changes::decide(ex, cx, ex.response.status, fields.content_type, body.len() as u64, false);
    }
    let is_length_lost = changes::is_length_lost(ex);
    let body = match ex.response.recoding.clone() {
        Some(table) => Cow::Owned(recode(table, body)),
        None => Cow::Borrowed(body),
    };
    // The types that are compressed are named without a charset.
    let plain_type = fields.content_type;
    let content_type = plain_type.map(|media_type| charset::content_type(ex, cx, media_type));
    let mut fields = Fields { content_type: content_type.as_deref(), plain_type, ..fields };
    if let Coded::Gzip(recipe) = ex.response.codings.coded {
        if memory::has_room(GZIP_MEMORY + body.len()) {
            return write_small_coded(ex, cx, out, fields, &body, recipe);
        }
        ex.response.codings.coded = Coded::No;
    }
    if is_length_lost {
        gzip::frame(&mut fields, None);
    }
    head::write(ex, cx, out, &mut fields);
    if !empty && !ex.is_head(cx) {
        chunks::put_body(ex, cx, &fields, out, &body);
    }
    Body::None
}

/// The same, compressed: such a body is made anew for each request, and so is its gzip.
fn write_small_coded(
    ex: &mut Exchange,
    cx: &Cx,
    out: &mut Vec<u8>,
    mut fields: Fields,
    body: &[u8],
    recipe: Recipe,
) -> Body {
    gzip::frame(&mut fields, None);
    head::write(ex, cx, out, &mut fields);
    if ex.is_head(cx) {
        return Body::None;
    }
    let coded = whole(recipe, body);
    chunks::put_body(ex, cx, &fields, out, &coded);
    ex.response.codings.lengths = Some((body.len() as u64, coded.len() as u64));
    Body::None
}
