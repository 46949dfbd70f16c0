//! Ranges of a file, as in nginx's `ngx_http_range_filter_module.c`: `max_ranges`, the choice of ranges, their fields.

use super::fields::Fields;
use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Answer, Cx, Exchange, Found};
use crate::http::message::conditional::{self, Validators};
use crate::http::message::field::Id;
use crate::http::message::head::Method;
use crate::http::message::range::{self, Ranges};
use crate::os::memory;

/// `max_ranges`: how many ranges a request may ask for; `None`: as many as are worth it.
pub static MAX_RANGES: Setting<Option<u64>> = Setting::one("max_ranges", |args| args.count(0).map(Some))
    .contexts(Contexts::HTTP_ALL)
    .args(1, 1)
    .syntax("NUMBER")
    .about(
        "The most ranges a request may ask for, else it gets the whole file; 0: Range is ignored. By default as many \
         as are worth it: the whole file is sent when the ranges' bytes and 256 for each are more than the file's \
         and 4096.",
    );

/// Bytes of memory for the head of a part.
const PART_MEMORY: usize = 256;

/// The answer with the ranges of the file that the request asks for: all of the file where it asks for none, or where
/// If-Range names another version than that of `validators`.
pub(super) fn choose(ex: &mut Exchange, cx: &Cx, found: Found, validators: Validators) -> Answer {
    let head = &ex.head;
    // RFC 9110, 14.2: Range has a meaning for GET only.
    let Some(wanted) = head.known(cx.input, Id::Range).filter(|_| head.method == Method::Get) else {
        return Answer::whole(found);
    };
    if !conditional::range_applies(head.known(cx.input, Id::IfRange), validators) {
        return Answer::whole(found);
    }
    match range::parse(wanted, found.len, *ex.location_of(cx).scope.get(&MAX_RANGES)) {
        Ranges::Satisfiable(ranges) if !memory::has_room(ranges.len() * PART_MEMORY) => Answer::whole(found),
        Ranges::Satisfiable(ranges) => Answer::File { found, ranges },
        Ranges::Ignored => Answer::whole(found),
        Ranges::Unsatisfiable => {
            ex.response.unsatisfied = Some(found.len);
            Answer::Error(416)
        }
    }
}

/// Whether the location answers requests for ranges.
pub(super) fn are_accepted(ex: &Exchange, cx: &Cx) -> bool {
    *ex.location_of(cx).scope.get(&MAX_RANGES) != Some(0)
}

/// Header filter: `Accept-Ranges`, `Content-Range`.
pub(super) fn filter_header(ex: &mut Exchange, _: &Cx, fields: &Fields, out: &mut Vec<u8>, _: usize) {
    if fields.accept_ranges {
        out.extend_from_slice(b"Accept-Ranges: bytes\r\n");
    }
    if let Some((range, size)) = fields.content_range {
        out.extend_from_slice(b"Content-Range: ");
        range::content_range(out, range, size);
        out.extend_from_slice(b"\r\n");
    } else if let (416, Some(size)) = (ex.response.status, ex.response.unsatisfied) {
        out.extend_from_slice(b"Content-Range: ");
        range::content_range_unsatisfied(out, size);
        out.extend_from_slice(b"\r\n");
    }
}

/// The directive of this module: `max_ranges`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&MAX_RANGES];
