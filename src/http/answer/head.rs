//! The head of a response, in nginx's order (`src/http/ngx_http_header_filter_module.c`).

use super::conditions::sent_etag;
use super::fields::Fields;
use super::server_tokens::product;
use super::{chunks, cors, gzip, gzip_ok, headers, ranges, redirect};
use crate::http::exchange::keep_alive;
use crate::http::exchange::{Cx, Exchange};
use crate::http::message::status;

/// A header filter appends fields of its own. The head begins at `start` of the output.
type Filter = fn(&mut Exchange, &Cx, &Fields, out: &mut Vec<u8>, start: usize);

/// The header filters, in the order of their fields.
const FILTERS: &[Filter] = &[headers::filter_header, cors::filter_header, gzip::filter_header, ranges::filter_header];

fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

/// Appends the head; decides whether the body goes out in chunks.
pub(super) fn write(ex: &mut Exchange, cx: &Cx, out: &mut Vec<u8>, fields: &mut Fields) {
    chunks::frame(ex, cx, fields);
    let start = out.len();
    let mut number = itoa::Buffer::new();
    let scope = &ex.location_of(cx).scope;
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
    put(out, &[b"Server: ", product(scope).as_bytes(), b"\r\nDate: ", cx.clock.http_date(), b"\r\n"]);
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
    if let Some(redirect::LocationField { completed: true, text }) = &location {
        put(out, &[b"Location: ", text, b"\r\n"]);
    }
    if fields.is_chunked {
        put(out, &[b"Transfer-Encoding: chunked\r\n"]);
    }
    if ex.fate.keep_alive {
        put(out, &[b"Connection: keep-alive\r\n"]);
        if let Some(seconds) = scope.get(&keep_alive::KEEPALIVE_TIMEOUT).header_s {
            put(out, &[b"Keep-Alive: timeout=", number.format(seconds).as_bytes(), b"\r\n"]);
        }
    } else {
        put(out, &[b"Connection: close\r\n"]);
    }
    let codings = ex.response.codings;
    if codings.varies() && (codings.always_says_so || *scope.get(&gzip_ok::GZIP_VARY)) {
        put(out, &[b"Vary: Accept-Encoding\r\n"]);
    }
    for challenge in &ex.access.challenges {
        put(out, &[b"WWW-Authenticate: ", challenge, b"\r\n"]);
    }
    if let Some(redirect::LocationField { completed: false, text }) = &location {
        put(out, &[b"Location: ", text, b"\r\n"]);
    }
    if let Some(own) = fields.etag
        && let Some(etag) = sent_etag(ex, cx, ex.response.status, Some(own))
    {
        let weak = codings.is_coded().then(|| gzip_ok::weaken(&etag));
        if let Some(etag) = weak.as_ref().map_or(Some(&*etag), |weak| weak.as_deref()) {
            put(out, &[b"ETag: ", etag, b"\r\n"]);
        }
    }
    if let Some(coding) = codings.sent.filter(|_| !codings.is_coded()) {
        put(out, &[b"Content-Encoding: ", coding.token().as_bytes(), b"\r\n"]);
    }
    // RFC 9110, 15.5.6.
    if ex.response.status == 405 && ex.response.method_refused && headers::ALLOW.replacement(ex, cx, 405).is_none() {
        put(out, &[b"Allow: GET, HEAD\r\n"]);
    }
    for filter in FILTERS {
        filter(ex, cx, fields, out, start);
    }
    put(out, &[b"\r\n"]);
    ex.account.head_sent += (out.len() - start) as u64;
    if cx.conf.keeps_heads() {
        ex.response.keep(&out[start..]);
    }
}
