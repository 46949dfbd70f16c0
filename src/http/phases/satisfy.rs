//! `satisfy` and `auth_delay`: the end of the access phase (`ngx_http_core_access_phase`,
//! `ngx_http_core_post_access_phase`).

use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Answer, Cx, Exchange, Flow, error_lines};

/// Which of the modules that check clients must let one in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Satisfy {
    /// All of them.
    #[default]
    All,
    /// Any of them.
    Any,
}

impl conf::OneOf for Satisfy {
    const WORDS: &'static [(&'static str, Satisfy)] = &[("all", Satisfy::All), ("any", Satisfy::Any)];
}

/// `satisfy`: whether a client must please all modules that check it, or any.
pub static SATISFY: Setting<Satisfy> = Setting::one_of("satisfy").contexts(Contexts::HTTP_ALL).default("all").about(
    "Whether a client must be let in by `allow` and `deny` as well as by `auth_basic` (`all`), or by either (`any`).",
);

/// `auth_delay`: how long an answer 401 is held back, ms.
pub static AUTH_DELAY: Setting<u64> = Setting::time_ms("auth_delay").contexts(Contexts::HTTP_ALL).default("0").about(
    "How long a 401 is held back, so that passwords can't be guessed fast. A request that waits takes no worker's \
     time.",
);

/// A module lets the client in. With `any` the others are not asked.
pub(super) fn allow(ex: &mut Exchange, cx: &Cx) -> Flow {
    if *ex.location_of(cx).scope.get(&SATISFY) == Satisfy::Any {
        ex.access.code = 0;
        ex.access.is_open = true;
        ex.access.challenges.clear();
    }
    Flow::Next
}

/// A module refuses the client, with 401 or 403. With `any` another may let it in still.
pub(super) fn refuse(ex: &mut Exchange, cx: &Cx, status: u16) -> Flow {
    if *ex.location_of(cx).scope.get(&SATISFY) == Satisfy::Any {
        if ex.access.code != 401 {
            ex.access.code = status;
        }
        return Flow::Next;
    }
    match status {
        401 => delay(ex, cx),
        status => Flow::Answer(Answer::Error(status)),
    }
}

/// A 401, at once or when `auth_delay` has passed (`ngx_http_core_auth_delay`).
fn delay(ex: &mut Exchange, cx: &Cx) -> Flow {
    match *ex.location_of(cx).scope.get(&AUTH_DELAY) {
        0 => Flow::Answer(Answer::Error(401)),
        ms => {
            error_lines::delayed_unauthorized(ex, cx);
            ex.access.is_delayed = true;
            Flow::Wait(ms)
        }
    }
}

/// The 401 that has been held back, when its time has passed.
pub(super) fn take_delayed(ex: &mut Exchange) -> Option<Flow> {
    std::mem::take(&mut ex.access.is_delayed).then(|| Flow::Answer(Answer::Error(401)))
}

/// Phase: refuses the client that no module has let in, where any would have been enough.
pub(super) fn check(ex: &mut Exchange, cx: &Cx) -> Flow {
    if let Some(refused) = take_delayed(ex) {
        return refused;
    }
    ex.access.is_open = false;
    match std::mem::take(&mut ex.access.code) {
        0 => Flow::Next,
        401 => delay(ex, cx),
        status => {
            error_lines::forbidden_by_rule(ex, cx);
            Flow::Answer(Answer::Error(status))
        }
    }
}

/// The directives of this module: `satisfy` and `auth_delay`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&SATISFY, &AUTH_DELAY];
