//! The changes of a body on its way out, in the order of nginx's filters (`auto/modules`): gzip is undone, the charset
//! is converted, gzip is made.

use super::fields::Fields;
use super::{charset, chunks, gzip};
use crate::http::exchange::{Body, Coded, Cx, Exchange};
use crate::http::message::status;

/// Whether the answer may be changed at all: where nothing is asked for, `decide` need not be.
#[inline]
pub(super) fn are_asked_for(ex: &Exchange, cx: &Cx) -> bool {
    gzip::is_asked_for(ex, cx) || !cx.conf.charsets().is_empty()
}

/// Decides how the answer, of `length` bytes, is changed; to be asked before its head is written.
pub(super) fn decide(ex: &mut Exchange, cx: &Cx, status: u16, media_type: Option<&[u8]>, length: u64, has_etag: bool) {
    ex.response.codings.coded = Coded::No;
    ex.response.recoding = None;
    if gzip::is_asked_for(ex, cx) {
        gzip::decide_to_undo(ex, cx, status, has_etag);
    }
    if !cx.conf.charsets().is_empty() && !status::has_no_body(status) {
        ex.response.recoding = media_type.and_then(|media_type| charset::table(ex, cx, media_type));
    }
    if gzip::is_asked_for(ex, cx) {
        let length = (!is_length_lost(ex)).then_some(length);
        gzip::decide(ex, cx, status, media_type, length, has_etag);
    }
}

/// Whether the length of the body is another behind the table of its charset.
pub(super) fn is_length_lost(ex: &Exchange) -> bool {
    ex.response.recoding.as_ref().is_some_and(|table| !table.keeps_length())
}

/// The body that is in a file, in the frame that the head says, behind the table of its charset if it passes one.
pub(super) fn framed(ex: &mut Exchange, cx: &Cx, fields: &Fields, body: Body) -> Body {
    match ex.response.recoding.take() {
        Some(table) => Body::Recoded { table, body: Box::new(body), is_chunked: fields.is_chunked },
        None => chunks::framed(ex, cx, fields, body),
    }
}
