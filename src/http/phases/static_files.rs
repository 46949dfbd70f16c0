//! Files, as nginx's `ngx_http_static_module.c` sends them: the end of the content phase.

use super::{open_failed, spa_fallback};
use crate::http::answer::file;
use crate::http::exchange::{Answer, Cx, Exchange, FileKind, Flow, Found, Lookup, file_lines};
use crate::http::message::head::Method;
use crate::http::message::uri::{self, Escape};

/// Phase: asks for the file of the uri. A directory that no phase before has answered for is forbidden.
pub(super) fn begin(ex: &mut Exchange, cx: &Cx) -> Flow {
    if !matches!(ex.head.method, Method::Get | Method::Head | Method::Post) {
        return Flow::Answer(ex.response.refuse_method());
    }
    ex.map_uri_to_path(cx);
    if ex.target.uri.ends_with(b"/") {
        if let Some(flow) = spa_fallback::instead_of_missing(ex, cx) {
            return flow;
        }
        file_lines::directory_forbidden(ex, cx);
        return Flow::Answer(Answer::Error(403));
    }
    Lookup::open()
}

/// The file is sent, or the error answered.
pub(super) fn opened(ex: &mut Exchange, cx: &Cx, _: usize, result: Result<Found, i32>) -> Flow {
    match result {
        Ok(found) if found.kind == FileKind::Dir => Flow::Answer(directory_redirect(ex)),
        Ok(_) if ex.head.method == Method::Post => Flow::Answer(ex.response.refuse_method()),
        Ok(found) if found.kind == FileKind::File => Flow::Answer(file::negotiate(ex, cx, found)),
        Ok(_) => {
            file_lines::not_regular(ex, cx);
            Flow::Answer(Answer::Error(404))
        }
        Err(errno) => open_failed::answer(ex, cx, errno),
    }
}

/// A directory is sent to its name with a slash, so that the relative links of its index work.
fn directory_redirect(ex: &Exchange) -> Answer {
    let mut target = Vec::with_capacity(ex.target.uri.len() + ex.target.args.len() + 2);
    uri::escape(&mut target, &ex.target.uri, Escape::Path);
    target.push(b'/');
    if !ex.target.args.is_empty() {
        target.push(b'?');
        target.extend_from_slice(&ex.target.args);
    }
    Answer::Redirect { status: 301, target }
}
