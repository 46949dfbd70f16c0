//! `autoindex`: lists a directory without an index (`src/http/modules/ngx_http_autoindex_module.c`).

mod data;
mod html;

use crate::conf::{self, Contexts, OneOf, Setting};
use crate::http::answer::{charset, conditions};
use crate::http::exchange::variables::argument;
use crate::http::exchange::{Answer, Cx, Exchange, Flow, Listed, Lookup, error_lines, file_lines};
use crate::http::message::head::Method;
use crate::http::site::location::Location;
use crate::os::{Links, memory};

/// `autoindex`: whether a directory without an index file is listed.
pub static AUTOINDEX: Setting<bool> = Setting::flag("autoindex").contexts(Contexts::HTTP_ALL).default("off").about(
    "Whether a uri that ends in a slash, and leads to a directory without an index file, gets a list of what the \
     directory holds. Names that begin with a dot are not listed.",
);

/// The forms of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// A page for people.
    #[default]
    Html,
    /// An array of objects.
    Json,
    /// A call of the function that the argument `callback` names, with that array.
    Jsonp,
    /// A `list` with an element for each entry.
    Xml,
}

impl OneOf for Format {
    const WORDS: &'static [(&'static str, Format)] =
        &[("html", Format::Html), ("json", Format::Json), ("jsonp", Format::Jsonp), ("xml", Format::Xml)];
}

/// `autoindex_format`: the form of the list.
pub static AUTOINDEX_FORMAT: Setting<Format> =
    Setting::one_of("autoindex_format").contexts(Contexts::HTTP_ALL).default("html").about(
        "The form of a list: a page for people, whose entries `?sort=time`, `size` or `name` sorts (`-` in front: the \
         other way round), or JSON or XML for programs. `jsonp` calls the function that the argument `callback` names, \
         and is JSON without one.",
    );

/// `autoindex_exact_size`: whether a list gives sizes in bytes, not rounded.
pub static AUTOINDEX_EXACT_SIZE: Setting<bool> = Setting::flag("autoindex_exact_size")
    .contexts(Contexts::HTTP_ALL)
    .default("on")
    .about("Whether an `html` list gives sizes in bytes, not rounded to kilobytes, megabytes and gigabytes.");

/// `autoindex_localtime`: whether a list gives times in this machine's time zone, not in UTC.
pub static AUTOINDEX_LOCALTIME: Setting<bool> = Setting::flag("autoindex_localtime")
    .contexts(Contexts::HTTP_ALL)
    .default("off")
    .about("Whether an `html` list gives times in this machine's time zone, not in UTC.");

/// The directives of this module, which decide whether and how directories are listed.
pub static DIRECTIVES: &[&dyn conf::Entry] =
    &[&AUTOINDEX, &AUTOINDEX_FORMAT, &AUTOINDEX_EXACT_SIZE, &AUTOINDEX_LOCALTIME];

/// The longest name of a function that a client may have called.
const CALLBACK_MAX: usize = 128;

/// Whether the location lists directories.
pub(super) fn is_needed(location: &Location) -> bool {
    *location.scope.get(&AUTOINDEX)
}

/// Phase: asks for the entries of the directory, if the location lists.
pub(super) fn begin(ex: &mut Exchange, cx: &Cx) -> Flow {
    let scope = &ex.location_of(cx).scope;
    let is_on =
        ex.target.uri.ends_with(b"/") && *scope.get(&AUTOINDEX) && matches!(ex.head.method, Method::Get | Method::Head);
    if !is_on {
        return Flow::Next;
    }
    if *scope.get(&AUTOINDEX_FORMAT) == Format::Jsonp && !may_call(ex, cx) {
        return Flow::Answer(Answer::Error(400));
    }
    map_to_directory(ex, cx);
    Lookup::list()
}

/// Makes the path that of the directory that the uri leads to.
pub(super) fn map_to_directory(ex: &mut Exchange, cx: &Cx) {
    ex.map_uri_to_path(cx);
    if ex.target.path.len() > 1 && ex.target.path.ends_with(b"/") {
        ex.target.path.pop();
    }
}

/// Whether the function that the client wants to have called, if it does, has a name that is safe in a script
/// (ngx_http_autoindex_jsonp_callback).
fn may_call(ex: &Exchange, cx: &Cx) -> bool {
    let Some(name) = argument(&ex.target.args, b"callback") else { return true };
    let is_short = name.len() <= CALLBACK_MAX;
    let may = is_short && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    if !may {
        error_lines::callback_refused(ex, cx, is_short, name);
    }
    may
}

/// The list of the entries, or the answer to the `errno` of opendir(3) or stat(2).
pub(super) fn listed(ex: &mut Exchange, cx: &Cx, _: usize, result: Result<Vec<Listed>, i32>) -> Flow {
    let mut entries = match result {
        Ok(entries) => entries,
        Err(errno) => return failed(ex, cx, errno),
    };
    let (mut body, length) = (Vec::new(), length(&entries, &ex.target.uri));
    // And for its copy behind the head of the answer.
    if memory::reserve(&mut body, length).is_err() || !memory::has_room(length) {
        return failed(ex, cx, libc::ENOMEM);
    }
    let scope = &ex.location_of(cx).scope;
    let format = *scope.get(&AUTOINDEX_FORMAT);
    if format != Format::Html {
        entries.sort_unstable_by(|a, b| html::Order::of(None).compare(a, b));
    }
    let callback = argument(&ex.target.args, b"callback").filter(|name| format == Format::Jsonp && !name.is_empty());
    let media_type = match (format, callback) {
        (Format::Html, _) => {
            let look = html::Look {
                exact_size: *scope.get(&AUTOINDEX_EXACT_SIZE),
                local_time: *scope.get(&AUTOINDEX_LOCALTIME),
                utf8: charset::says_utf8(ex, cx, b"text/html"),
                order: html::Order::of(argument(&ex.target.args, b"sort")),
            };
            html::page(&mut body, &ex.target.uri, &mut entries, &look);
            "text/html"
        }
        (Format::Xml, _) => {
            ex.response.charset = Some("utf-8");
            data::xml(&mut body, &entries);
            "text/xml"
        }
        (_, Some(callback)) => {
            data::jsonp(&mut body, callback, &entries);
            "application/javascript"
        }
        (_, None) => {
            data::json(&mut body, &entries);
            "application/json"
        }
    };
    Flow::Answer(conditions::text(ex, cx, body, Some(media_type)))
}

/// Bytes that a list takes at most. In html a name stands twice, and each of its bytes takes 3 in the link and up to 6
/// in the text, as each of the uri's does, which stands twice as well; an entry has 130 bytes besides, and the page 2k.
fn length(entries: &[Listed], uri: &[u8]) -> usize {
    entries.iter().map(|entry| 9 * entry.name.len() + 130).sum::<usize>() + 12 * uri.len() + (2 << 10)
}

/// The answer to a directory that can't be listed.
pub(super) fn failed(ex: &Exchange, cx: &Cx, errno: i32) -> Flow {
    file_lines::list_failed(ex, cx, errno);
    Flow::Answer(Answer::Error(match errno {
        libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG => 404,
        libc::EACCES => 403,
        // A link that `disable_symlinks` refuses; otherwise, as in nginx, links in a circle.
        libc::ELOOP if ex.file_rules(cx).is_some_and(|rules| rules.links != Links::Follow) => 403,
        _ => 500,
    }))
}
