//! Fields behind the body: `add_trailer`, as nginx's `ngx_http_headers_filter_module.c`.

use super::headers::AddHeader;
use crate::conf::{self, Contexts, Inherit, Setting};
use crate::http::exchange::{Cx, Exchange};

/// `add_trailer`: the fields that follow the bodies of responses.
pub static ADD_TRAILER: Setting<Vec<AddHeader>> = Setting::many(&["add_trailer"], |args, trailers| {
    let name = args.str(0)?;
    if NEVER.iter().any(|never| name.eq_ignore_ascii_case(never)) {
        let error = args.bad(0, format!("\"{name}\" can't be a trailer"));
        return Err(error.help("a client needs this field before the body: use \"add_header\""));
    }
    AddHeader::add(args, trailers)
})
.contexts(Contexts::HTTP_AND_IF)
.inherits_by(&ADD_TRAILER_INHERIT, AddHeader::merge)
.args(2, 3)
.syntax("NAME VALUE [always]")
.about(
    "Adds a field behind the body of responses with status 200, 201, 206, 301, 302, 303, 307 or 308, with `always` to \
     all that have a body. Such a response goes out in chunks, and has no Content-Length; there are no trailers in \
     HTTP/1.0. A block with a trailer of its own inherits none, unless `add_trailer_inherit` says so. A field whose \
     value is empty is not sent.",
);

/// `add_trailer_inherit`: whether a block has the trailers of the block around it as well.
pub static ADD_TRAILER_INHERIT: Setting<Inherit> =
    Setting::one_of("add_trailer_inherit").contexts(Contexts::HTTP_ALL).default("on").about(
        "How blocks inherit `add_trailer`. `on`: a block with trailers of its own has no others. `merge`: it has those \
         of the block around it, too, behind its own. `off`: it has its own alone, if any.",
    );

/// Fields that say how a body is framed, coded or handled, which a client must know before it reads the body (RFC 9110,
/// 6.5.1).
const NEVER: [&str; 9] = [
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Range",
    "Content-Type",
    "Keep-Alive",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
];

/// Whether responses have no trailers in this scope.
pub(super) fn are_none(scope: &conf::Scope) -> bool {
    scope.get(&ADD_TRAILER).is_empty()
}

/// Whether the response, whose status is set, may have trailers (nginx's `expect_trailers`).
pub(super) fn are_expected(ex: &Exchange, cx: &Cx) -> bool {
    let trailers = ex.location_of(cx).scope.get(&ADD_TRAILER);
    trailers.iter().any(|trailer| trailer.applies(ex.response.status))
}

/// Appends the trailers of the response.
pub(super) fn put(ex: &Exchange, cx: &Cx, out: &mut Vec<u8>) {
    let trailers = ex.location_of(cx).scope.get(&ADD_TRAILER);
    ex.response.trailers.borrow_mut().0.clear();
    for trailer in trailers.iter().filter(|trailer| trailer.applies(ex.response.status)) {
        let line = out.len();
        out.extend_from_slice(trailer.name().as_bytes());
        out.extend_from_slice(b": ");
        let value = out.len();
        trailer.value(ex, cx, out);
        if out.len() == value {
            out.truncate(line);
        } else {
            out.extend_from_slice(b"\r\n");
            if cx.conf.keeps_trailers() {
                ex.response.trailers.borrow_mut().0.extend_from_slice(&out[line..]);
            }
        }
    }
}

impl Exchange {
    /// Whether fields follow the body of the response, as far as its client takes them.
    pub fn has_trailers(&self, cx: &Cx) -> bool {
        are_expected(self, cx) && !self.is_head(cx) && !matches!(self.response.status, ..200 | 204 | 304)
    }

    /// Appends the trailers, line by line.
    pub fn put_trailers(&self, cx: &Cx, out: &mut Vec<u8>) {
        put(self, cx, out);
    }
}

/// Keeps the trailers that the response would have if it went out in chunks: `$sent_trailer_*` has them all the same
/// (`ngx_http_trailers_filter`).
pub(super) fn keep_unsent(ex: &Exchange, cx: &Cx) {
    if ex.has_trailers(cx) {
        put(ex, cx, &mut Vec::new());
    }
}

/// The directives of this module: `add_trailer` and `add_trailer_inherit`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&ADD_TRAILER, &ADD_TRAILER_INHERIT];
