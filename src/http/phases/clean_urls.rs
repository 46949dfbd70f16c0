//! `clean_urls`: pages without `.html` in their addresses.

use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Answer, Cx, Exchange, FileKind, Flow, Found, Lookup, media_type};
use crate::http::message::head::Method;
use crate::http::message::uri::{self, Escape};
use crate::http::phases::index::INDEX;
use crate::http::site::location::Location;
use crate::http::site::root::UriTail;

/// `clean_urls`: whether pages have addresses without `.html`.
pub static CLEAN_URLS: Setting<bool> = Setting::flag("clean_urls").contexts(Contexts::HTTP_ALL).default("off").about(
    "Serves `about.html` at `/about`, by an internal redirect, and sends those who ask for `/about.html` there, \
     `/about/` too where there is no such directory, and `/docs/index.html` to `/docs/`, with 301 and the query they \
     have. A file `about` goes before the page, the page before a directory `about`. Looked up before try_files.",
);

/// The directive of this module: `clean_urls`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&CLEAN_URLS];

const HTML: &[u8] = b".html";

/// The marks of the look-ups: of the path itself, of the page that it would be, and so on.
const PAGE: usize = 0;
const SAME_NAME: usize = 1;
const BARE: usize = 2;
const BARE_PAGE: usize = 3;
const DIRECTORY: usize = 4;
const DIRECTORY_PAGE: usize = 5;

/// Whether pages have clean addresses in the location.
pub(super) fn is_needed(location: &Location) -> bool {
    *location.scope.get(&CLEAN_URLS)
}

/// Phase: looks up what the uri is.
pub(super) fn begin(ex: &mut Exchange, cx: &Cx) -> Flow {
    let location = ex.location_of(cx);
    let is_on = *location.scope.get(&CLEAN_URLS)
        && !ex.target.is_internal
        && location.uri_tail != UriTail::Nothing
        && matches!(ex.head.method, Method::Get | Method::Head);
    if !is_on {
        return Flow::Next;
    }
    let name = ex.target.uri.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let step = match name {
        b"" if ex.target.uri.len() > 1 => DIRECTORY,
        b"" => return Flow::Next,
        // A rewritten uri is the server's own business: the client has not asked for it.
        name if name.ends_with(HTML) && (name == HTML || !asked_for_html(ex, cx)) => return Flow::Next,
        name if name.ends_with(HTML) => PAGE,
        _ if media_type::known(ex, cx).is_some() => return Flow::Next,
        _ => BARE,
    };
    ex.map_uri_to_path(cx);
    if step == DIRECTORY {
        ex.target.path.pop();
    }
    Lookup::stat(step)
}

fn asked_for_html(ex: &Exchange, cx: &Cx) -> bool {
    ex.head.uri(cx.input).split(|byte| *byte == b'?').next().is_some_and(|path| path.ends_with(HTML))
}

/// The page is served, or the client sent to its clean address.
pub(super) fn opened(ex: &mut Exchange, cx: &Cx, step: usize, result: Result<Found, i32>) -> Flow {
    let kind = result.ok().map(|found| found.kind);
    match (step, kind) {
        (PAGE, Some(FileKind::File)) => page_asked_for(ex, cx),
        // Another file has the clean address.
        (SAME_NAME, Some(FileKind::File)) => Flow::Next,
        (SAME_NAME, _) => redirect(ex, ex.target.uri.len() - HTML.len()),
        (BARE, Some(FileKind::File)) | (DIRECTORY, Some(FileKind::Dir)) => Flow::Next,
        (BARE | DIRECTORY, _) => {
            ex.target.path.extend_from_slice(HTML);
            Lookup::stat(step + 1)
        }
        (BARE_PAGE, Some(FileKind::File)) => {
            ex.target.uri.extend_from_slice(HTML);
            Flow::Redirect
        }
        (DIRECTORY_PAGE, Some(FileKind::File)) => redirect(ex, ex.target.uri.len() - 1),
        _ => Flow::Next,
    }
}

/// An index goes by the address of its directory; of another page it is looked up whether its clean address is free.
fn page_asked_for(ex: &mut Exchange, cx: &Cx) -> Flow {
    const INDEX_PAGE: &[u8] = b"index.html";
    let is_index = ex.target.uri.ends_with(b"/index.html")
        && ex.location_of(cx).scope.get(&INDEX).iter().any(|name| name.as_text() == Some(INDEX_PAGE));
    if is_index {
        return redirect(ex, ex.target.uri.len() - INDEX_PAGE.len());
    }
    ex.target.path.truncate(ex.target.path.len() - HTML.len());
    Lookup::stat(SAME_NAME)
}

/// To the first `len` bytes of the uri, with the query.
fn redirect(ex: &Exchange, len: usize) -> Flow {
    let mut target = Vec::with_capacity(len + ex.target.args.len() + 1);
    uri::escape(&mut target, &ex.target.uri[..len], Escape::Path);
    if !ex.target.args.is_empty() {
        target.push(b'?');
        target.extend_from_slice(&ex.target.args);
    }
    Flow::Answer(Answer::Redirect { status: 301, target })
}
