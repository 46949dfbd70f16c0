//! `client_max_body_size`: the limit on the body of a request, and the beginning of the body.

use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Answer, Cx, Exchange, Flow};
use crate::http::message::head::Framing;
use crate::http::site::script::Script;

/// `client_max_body_size`: how long the body of a request may be, bytes; 0: any length.
pub static CLIENT_MAX_BODY_SIZE: Setting<u64> = Setting::size("client_max_body_size")
    .contexts(Contexts::HTTP_ALL)
    .default("1m")
    .about("The largest body a request may have (else 413); 0: any size.");

/// Phase: takes the limit of the location, and refuses a body that is announced as longer.
pub(super) fn check(ex: &mut Exchange, cx: &Cx) -> Flow {
    if ex.body.is_begun || ex.head.framing == Framing::None {
        return Flow::Next;
    }
    let location = ex.location_of(cx);
    ex.body.max = *location.scope.get(&CLIENT_MAX_BODY_SIZE);
    let closes = || location.script.as_ref().is_some_and(Script::closes_at_once);
    match ex.head.framing {
        // `return 444` says nothing, whatever the request.
        Framing::Length(length) if ex.body.max > 0 && length > ex.body.max && !closes() => begin(ex, cx),
        _ => Flow::Next,
    }
}

/// Phase: takes the part of the body that came with the head; a body that is malformed or too large is refused. Nothing
/// happens to a body that has begun.
#[inline(always)]
pub(super) fn begin(ex: &mut Exchange, cx: &Cx) -> Flow {
    match ex.begin_body(cx, ex.body.max) {
        Ok(()) => Flow::Next,
        Err(reject) => {
            ex.give_up();
            Flow::Answer(Answer::Error(reject.status()))
        }
    }
}

/// The directive of this module: `client_max_body_size`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&CLIENT_MAX_BODY_SIZE];
