//! Heads that are kept with their files: where nothing but the location and the uri decides about the head of a file,
//! the next answer has the same one, but for its Date.

use super::{addition, charset, conditions, cors, gzip, headers, trailers, userid};
use crate::conf::Scope;
use crate::http::exchange::{Cx, Exchange, Found, HttpConf, ReadyHead};
use crate::http::message::head::Version;

/// Whether all heads of 200s with whole files are the same in a location of this scope, for one uri and one state of
/// the file. Asked once, when the conf is compiled.
pub(in crate::http) fn are_steady(scope: &Scope, conf: &HttpConf) -> bool {
    !conf.keeps_heads()
        && conf.charsets().is_empty()
        && headers::are_steady(scope)
        && trailers::are_none(scope)
        && charset::is_steady(scope)
        && addition::is_none(scope)
        && userid::is_none(scope)
        && cors::is_off(scope)
        && !gzip::is_on(scope)
        && !conditions::hashes_contents(scope)
}

/// Whether a 200 with the whole file would have the head that all have in this location.
pub(super) fn is_steady(ex: &Exchange, cx: &Cx) -> bool {
    ex.location_of(cx).has_steady_heads
        && ex.error.status == 0
        && ex.head.version <= Version::Http11
        && ex.access.challenges.is_empty()
        && ex.response.is_plain()
        && !ex.added.is_wanted
}

/// Appends the head that is kept with the file, if it is the one that this exchange would get.
pub(super) fn put(ex: &mut Exchange, cx: &Cx, found: &Found, out: &mut Vec<u8>) -> bool {
    let Some(head) = found.ready(ex.fate.keep_alive).get() else { return false };
    let is_it = head.location == ex.target.location && *head.uri == *ex.target.uri;
    if !is_it || !(ex.response.is_steady || is_steady(ex, cx)) || has_to_come(cx, found) {
        return false;
    }
    let start = out.len();
    out.extend_from_slice(&head.text);
    if let Some(date) = out.get_mut(start + head.date_at..).and_then(<[u8]>::first_chunk_mut) {
        *date = *cx.clock.http_date();
    }
    (ex.response.status, ex.response.last_modified) = (200, found.modified());
    ex.account.head_sent += head.text.len() as u64;
    true
}

/// Keeps a head that has been written with its file, unless another is kept.
pub(super) fn keep(ex: &Exchange, cx: &Cx, found: &Found, text: &[u8]) {
    let place = found.ready(ex.fate.keep_alive);
    if place.get().is_some() || !is_steady(ex, cx) || has_to_come(cx, found) {
        return;
    }
    const DATE: &[u8] = b"\r\nDate: ";
    let Some(field) = text.windows(DATE.len()).position(|window| window == DATE) else { return };
    let (location, uri) = (ex.target.location, ex.target.uri.as_slice().into());
    // Another thread may have been faster.
    let _ = place.set(ReadyHead { location, uri, text: text.into(), date_at: field + DATE.len() });
}

/// Whether the file's time has not come yet: its Last-Modified is that of the answer.
fn has_to_come(cx: &Cx, found: &Found) -> bool {
    found.modified().is_some_and(|modified| modified > cx.clock.unix_s() as i64)
}
