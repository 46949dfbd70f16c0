//! No uri leads out of the directory of an `alias`.

use crate::http::exchange::{Answer, Cx, Exchange, Flow, error_lines};
use crate::http::site::root::UriTail;

/// Phase: 404 where an alias would lead to a sibling of its directory: `location /i { alias /img/; }` fits `/i../x`, a
/// segment that normalisation leaves alone, and the file would be `/img/../x`. nginx serves it.
pub(super) fn check(ex: &mut Exchange, cx: &Cx) -> Flow {
    let UriTail::After(prefix) = ex.location_of(cx).uri_tail else { return Flow::Next };
    let tail = ex.target.uri.get(prefix..).and_then(|tail| tail.strip_prefix(b".."));
    if tail.is_some_and(|tail| matches!(tail.first(), None | Some(b'/'))) {
        error_lines::outside_of_alias(ex, cx);
        return Flow::Answer(Answer::Error(404));
    }
    Flow::Next
}
