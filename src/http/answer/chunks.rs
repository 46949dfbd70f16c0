//! The end of a body: its length, the last of its chunks, or the end of the connection, as nginx's
//! `ngx_http_chunked_filter_module.c` decides.

use super::fields::Fields;
use super::trailers;
use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Body, Cx, Exchange, Part};
use crate::http::message::chunk::{put_chunk, put_size};
use crate::http::message::head::Version;

/// `chunked_transfer_encoding`: whether bodies may go out in chunks.
pub static CHUNKED_TRANSFER_ENCODING: Setting<bool> =
    Setting::flag("chunked_transfer_encoding").contexts(Contexts::HTTP_ALL).default("on").about(
        "Whether a body whose length is not known when it begins goes out in chunks, as HTTP/1.1 has it; without them \
         it ends where the connection does, and there are no trailers.",
    );

/// Decides how the client finds the end of the body.
pub(super) fn frame(ex: &mut Exchange, cx: &Cx, fields: &mut Fields) {
    let status = ex.response.status;
    // In HTTP/2 the stream ends, and trailers take nothing from the length.
    if ex.is_http2() {
        return;
    }
    let has_trailers = trailers::are_expected(ex, cx);
    if fields.content_length.is_some() && !has_trailers || matches!(status, ..200 | 204 | 304) || ex.is_head(cx) {
        return;
    }
    if ex.head.version >= Version::Http11 && *ex.location_of(cx).scope.get(&CHUNKED_TRANSFER_ENCODING) {
        fields.content_length = None;
        fields.is_chunked = true;
    } else if fields.content_length.is_none() {
        ex.fate.keep_alive = false;
    }
}

/// Appends a body that is at hand, and what is added to it, in chunks where the head says so.
pub(super) fn put_body(ex: &Exchange, cx: &Cx, fields: &Fields, out: &mut Vec<u8>, body: &[u8]) {
    [&ex.added.before[..], body, &ex.added.after[..]].iter().for_each(|bytes| put_piece(fields, out, bytes));
    if fields.is_chunked {
        ex.put_last_chunk(cx, out);
    }
}

fn put_piece(fields: &Fields, out: &mut Vec<u8>, bytes: &[u8]) {
    if fields.is_chunked { put_chunk(out, bytes) } else { out.extend_from_slice(bytes) }
}

/// The body that is in a file, and what is added to it, in chunks where the head says so.
pub(super) fn framed(ex: &Exchange, cx: &Cx, fields: &Fields, body: Body) -> Body {
    let (before, after) = (&ex.added.before, &ex.added.after);
    if !fields.is_chunked && before.is_empty() && after.is_empty() {
        return body;
    }
    let (mut parts, mut close) = match body {
        Body::File { start, end } => (vec![Part { head: Vec::new(), start, end }], Vec::new()),
        Body::Parts { parts, close } => (parts, close),
        body => return body,
    };
    let len = |part: &Part| part.head.len() as u64 + part.end - part.start;
    let total = parts.iter().map(len).sum::<u64>() + close.len() as u64;
    let mut head = Vec::new();
    put_piece(fields, &mut head, before);
    if fields.is_chunked && total > 0 {
        put_size(&mut head, total);
        close.extend_from_slice(b"\r\n");
    }
    if let Some(first) = parts.first_mut() {
        head.append(&mut first.head);
        first.head = head;
    }
    put_piece(fields, &mut close, after);
    if fields.is_chunked {
        ex.put_last_chunk(cx, &mut close);
    }
    Body::Parts { parts, close }
}

impl Exchange {
    /// Appends the chunk behind the last, with the trailers.
    pub fn put_last_chunk(&self, cx: &Cx, out: &mut Vec<u8>) {
        put_size(out, 0);
        trailers::put(self, cx, out);
        out.extend_from_slice(b"\r\n");
    }
}

/// The directive of this module: `chunked_transfer_encoding`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&CHUNKED_TRANSFER_ENCODING];
