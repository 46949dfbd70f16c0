//! The head of a response, in nginx's order (`src/http/ngx_http_header_filter_module.c`).

use super::conditions::sent_etag;
use super::fields::Fields;
use super::server_tokens::server_and_date;
use super::{chunks, cors, gzip, gzip_ok, headers, ranges, redirect, trailers, userid};
use crate::http::exchange::keep_alive;
use crate::http::exchange::{Cx, Exchange};
use crate::http::message::status;

/// A header filter appends fields of its own. The head begins at `start` of the output.
type Filter = fn(&mut Exchange, &Cx, &Fields, out: &mut Vec<u8>, start: usize);

/// The header filters, in the order of their fields.
const FILTERS: &[Filter] =
    &[headers::filter_header, userid::filter_header, cors::filter_header, gzip::filter_header, ranges::filter_header];

/// Appends texts. A macro, so that those of the code keep their lengths: they are stored, not copied by a call.
macro_rules! put {
    ($out:ident, $($part:expr),+) => {{ $($out.extend_from_slice($part);)+ }};
}

/// Appends the head; decides whether the body goes out in chunks. In front of the filters, each field begins with the
/// end of the line before it.
pub(super) fn write(ex: &mut Exchange, cx: &Cx, out: &mut Vec<u8>, fields: &mut Fields) {
    chunks::frame(ex, cx, fields);
    let start = out.len();
    let mut number = itoa::Buffer::new();
    let scope = &ex.location_of(cx).scope;
    match ex.response.status {
        200 => put!(out, b"HTTP/1.1 200 OK\r\n"),
        code => {
            let text = status::reason(code);
            // Three digits, also where the conf says `return 7`.
            let padding = b"00".get(..2 - code.checked_ilog10().unwrap_or(0).min(2) as usize).unwrap_or_default();
            let code = number.format(code);
            put!(out, b"HTTP/1.1 ", padding, code.as_bytes(), b" ", text.as_bytes(), b"\r\n");
        }
    }
    put!(out, server_and_date(scope), cx.clock.http_date());
    if let Some(content_type) = fields.content_type.filter(|text| !text.is_empty()) {
        put!(out, b"\r\nContent-Type: ", content_type);
    }
    if let Some(length) = fields.content_length {
        put!(out, b"\r\nContent-Length: ", number.format(length).as_bytes());
    }
    let says_time = || headers::LAST_MODIFIED.replacement(ex, cx, ex.response.status).is_some();
    // Also that of a `return` or an error page with such a status (ngx_http_header_filter).
    let has_time = matches!(ex.response.status, 200 | 206 | 304);
    if let Some(modified) = fields.last_modified.filter(|_| has_time && !says_time()) {
        put!(out, b"\r\nLast-Modified: ", modified);
    }
    let location = ex.response.location.take().map(|target| redirect::absolute(ex, cx, target));
    if let Some(redirect::LocationField { completed: true, text }) = &location {
        put!(out, b"\r\nLocation: ", text);
    }
    if fields.is_chunked {
        put!(out, b"\r\nTransfer-Encoding: chunked");
    }
    if ex.is_http2() {
        // RFC 9113, 8.2.2: there are no fields about the connection.
    } else if ex.fate.keep_alive {
        put!(out, b"\r\nConnection: keep-alive");
        if let Some(seconds) = scope.get(&keep_alive::KEEPALIVE_TIMEOUT).header_s {
            put!(out, b"\r\nKeep-Alive: timeout=", number.format(seconds).as_bytes());
        }
    } else {
        put!(out, b"\r\nConnection: close");
    }
    let codings = &ex.response.codings;
    if codings.varies() && (codings.always_says_so || *scope.get(&gzip_ok::GZIP_VARY)) {
        put!(out, b"\r\nVary: Accept-Encoding");
    }
    for challenge in &ex.access.challenges {
        put!(out, b"\r\nWWW-Authenticate: ", challenge);
    }
    if let Some(redirect::LocationField { completed: false, text }) = &location {
        put!(out, b"\r\nLocation: ", text);
    }
    if let Some(own) = fields.etag
        && let Some(etag) = sent_etag(ex, cx, ex.response.status, Some(own))
    {
        let weak = (codings.is_coded() || ex.added.is_wanted).then(|| gzip_ok::weaken(&etag));
        if let Some(etag) = weak.as_ref().map_or(Some(&*etag), |weak| weak.as_deref()) {
            put!(out, b"\r\nETag: ", etag);
        }
    }
    if let Some(coding) = codings.sent.filter(|_| !codings.is_coded()) {
        put!(out, b"\r\nContent-Encoding: ", coding.token().as_bytes());
    }
    // RFC 9110, 15.5.6.
    if ex.response.status == 405 && ex.response.method_refused && headers::ALLOW.replacement(ex, cx, 405).is_none() {
        put!(out, b"\r\nAllow: GET, HEAD");
    }
    put!(out, b"\r\n");
    let is_other = |plain: &&[u8]| cx.conf.keeps_heads() && fields.content_type != Some(*plain);
    ex.response.begin_filters(fields.plain_type.filter(is_other), fields.whole);
    for filter in FILTERS {
        filter(ex, cx, fields, out, start);
    }
    ex.response.end_filters();
    put!(out, b"\r\n");
    ex.account.head_sent += (out.len() - start) as u64;
    if cx.conf.keeps_heads() {
        ex.response.keep(&out[start..]);
    }
    if cx.conf.keeps_trailers() && !fields.is_chunked {
        trailers::keep_unsent(ex, cx);
    }
}
