//! `client_max_body_size`: the limit on the body of a request, and the beginning of the body.

use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Answer, Cx, Exchange, Flow};

/// `client_max_body_size`: how long the body of a request may be, bytes; 0: any length.
pub static CLIENT_MAX_BODY_SIZE: Setting<u64> = Setting::size("client_max_body_size")
    .contexts(Contexts::HTTP_ALL)
    .default("1m")
    .about("The largest body a request may have (else 413); 0: any size.");

/// Phase: takes the part of the body that came with the head; a body that is malformed or too large is refused.
pub(super) fn begin(ex: &mut Exchange, cx: &Cx) -> Flow {
    let max = *ex.location_of(cx).scope.get(&CLIENT_MAX_BODY_SIZE);
    begin_within(ex, cx, max)
}

/// The same with a limit in bytes, 0: none. Nothing happens to a body that has begun.
pub(super) fn begin_within(ex: &mut Exchange, cx: &Cx, max: u64) -> Flow {
    match ex.begin_body(cx, max) {
        Ok(()) => Flow::Next,
        Err(reject) => {
            ex.give_up();
            Flow::Answer(Answer::Error(reject.status()))
        }
    }
}

/// The directive of this module: `client_max_body_size`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&CLIENT_MAX_BODY_SIZE];
