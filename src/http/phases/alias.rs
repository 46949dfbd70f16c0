//! The uris that an `alias` can't serve.

use crate::http::exchange::{Answer, Cx, Exchange, Flow, error_lines};
use crate::http::site::location::Location;
use crate::http::site::root::{ROOT, UriTail};

/// Whether the location's directory takes the place of a part of the uri.
pub(super) fn is_needed(location: &Location) -> bool {
    location.scope.get(&ROOT).is_alias()
}

/// Phase: 404 where an alias would lead to a sibling of its directory: `location /i { alias /img/; }` fits `/i../x`, a
/// segment that normalisation leaves alone, and the file would be `/img/../x`. nginx serves it. 500 where a script has
/// changed the uri, so that the alias takes the place of nothing (`ngx_http_map_uri_to_path`).
pub(super) fn check(ex: &mut Exchange, cx: &Cx) -> Flow {
    if ex.has_lost_alias(cx) && cx.conf.handler(ex.location_of(cx)).is_none() {
        error_lines::alias_of_rewritten(ex, cx);
        return Flow::Answer(Answer::Error(500));
    }
    let UriTail::After(prefix) = ex.location_of(cx).uri_tail else { return Flow::Next };
    let tail = ex.target.uri.get(prefix..).and_then(|tail| tail.strip_prefix(b".."));
    if tail.is_some_and(|tail| matches!(tail.first(), None | Some(b'/'))) {
        error_lines::outside_of_alias(ex, cx);
        return Flow::Answer(Answer::Error(404));
    }
    Flow::Next
}
