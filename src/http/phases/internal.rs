//! `internal`: locations for internal redirects only.

use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Answer, Cx, Exchange, Flow};
use crate::http::site::location::Location;

/// Only internal redirects may come here.
pub static INTERNAL: Setting<bool> =
    Setting::one("internal", |_| Ok(true)).contexts(Contexts::LOCATION).args(0, 0).syntax("").about(
        "The location, and those in it, answer internal redirects only (error_page, try_files, index); anyone else \
         gets a 404.",
    );

/// Whether the location is for internal requests alone.
pub(super) fn is_needed(location: &Location) -> bool {
    *location.scope.get(&INTERNAL)
}

/// Phase: a client's own request gets a 404 here.
pub(super) fn check(ex: &mut Exchange, cx: &Cx) -> Flow {
    if !ex.target.is_internal && *ex.location_of(cx).scope.get(&INTERNAL) {
        return Flow::Answer(Answer::Error(404));
    }
    Flow::Next
}

/// The directive of this module: `internal`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&INTERNAL];
