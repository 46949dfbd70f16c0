//! Bodies in front of an answer's own, and behind it: `add_before_body` and `add_after_body`, as nginx's
//! `ngx_http_addition_filter_module.c`.

use super::media_types::MediaTypes;
use super::pages;
use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Answer, Cx, Exchange, Flow, Lookup, Side, file_lines, media_type};
use crate::http::message::status;
use crate::os::memory;

/// `add_before_body`: the uri whose body stands in front; empty: none.
pub static ADD_BEFORE_BODY: Setting<String> = uri("add_before_body").about(
    "Puts the body of this uri, which the same server answers for itself (through its locations, internal ones as \
     well), in front of answers with status 200 and a type of `addition_types`. They go out in chunks, without ranges \
     and with a weak ETag, and are not compressed. Empty: nothing.",
);

/// `add_after_body`: the uri whose body stands behind; empty: none.
pub static ADD_AFTER_BODY: Setting<String> = uri("add_after_body")
    .about("Puts the body of this uri behind answers, as `add_before_body` puts one in front of them. Empty: nothing.");

/// `addition_types`: the media types of the answers that get additions.
pub static ADDITION_TYPES: Setting<MediaTypes> =
    Setting::many(&["addition_types"], |args, types: &mut MediaTypes| types.add(args))
        .contexts(Contexts::HTTP_ALL)
        .args(1, usize::MAX)
        .syntax("TYPE ... | *")
        .about(
            "The media types of the answers that `add_before_body` and `add_after_body` are for, besides text/html; \
             `*`: all.",
        );

/// The type of answers that get additions without an `addition_types`.
const OWN_TYPES: &[&str] = &["text/html"];

const fn uri(name: &'static str) -> Setting<String> {
    Setting::one(name, |args| args.str(0).map(str::to_owned)).contexts(Contexts::HTTP_ALL).args(1, 1).syntax("URI")
}

/// Whether no answer of this scope gets additions.
pub(super) fn is_none(scope: &conf::Scope) -> bool {
    scope.get(&ADD_BEFORE_BODY).is_empty() && scope.get(&ADD_AFTER_BODY).is_empty()
}

/// Whether an answer gets additions. Its media type is looked up for those that may.
pub(super) fn is_wanted<'t>(ex: &Exchange, cx: &Cx, status: u16, media_type: impl FnOnce() -> &'t [u8]) -> bool {
    let scope = &ex.location_of(cx).scope;
    !is_none(scope)
        && status == 200
        // Nobody could tell where the coded part ends.
        && ex.response.codings.sent.is_none()
        && !ex.is_aside()
        && scope.get(&ADDITION_TYPES).has(media_type(), OWN_TYPES)
}

/// Whether the answer goes out as it is: a file's, when its conditions were looked at and nothing is to be added. For
/// most answers `next` would only move it.
#[inline]
pub(in crate::http) fn is_settled(ex: &Exchange, answer: &Answer) -> bool {
    matches!(answer, Answer::File { .. } | Answer::NotModified(_)) && !ex.added.is_wanted && !ex.is_aside()
}

/// Where the request goes before its answer goes out; the answer, if there is nowhere left to go. The answer of a
/// request for an addition becomes one.
pub(in crate::http) fn next(ex: &mut Exchange, cx: &Cx, answer: Answer) -> Result<Flow, Answer> {
    if ex.is_aside() {
        let mut body = Vec::new();
        match answer {
            Answer::File { .. } => return Ok(Lookup::contents()),
            Answer::Text { status, body: text, .. } if !status::has_no_body(status) => body = text,
            Answer::Error(code) | Answer::Redirect { status: code, .. } => {
                pages::write(ex, cx, code, &mut body);
            }
            Answer::Close(_) => {
                ex.step_back();
                return Err(answer);
            }
            Answer::Text { .. } | Answer::NotModified(_) => {}
        }
        return add(ex, cx, body);
    }
    match &answer {
        // A file knows since its conditions were looked at, and so does a 304 in its place.
        Answer::File { .. } | Answer::NotModified(_) => {}
        Answer::Text { status, media_type, .. } => {
            let status = if ex.error.status != 0 { ex.error.status } else { *status };
            let media_type = || media_type.map_or_else(|| media_type::of(ex, cx), str::as_bytes);
            ex.added.is_wanted = is_wanted(ex, cx, status, media_type);
        }
        _ => ex.added.is_wanted = false,
    }
    let has_body = matches!(answer, Answer::File { .. } | Answer::Text { .. }) && !ex.is_head(cx);
    if !ex.added.is_wanted || !has_body {
        return Err(answer);
    }
    let scope = &ex.location_of(cx).scope;
    match scope.get(&ADD_BEFORE_BODY).as_str() {
        "" => go_behind(ex, cx, answer),
        before => {
            ex.step_aside(before, Side::Before, answer);
            Ok(Flow::Aside)
        }
    }
}

/// The file of an addition has been read: as `next`.
pub(in crate::http) fn read(ex: &mut Exchange, cx: &Cx, result: Result<Vec<u8>, i32>) -> Result<Flow, Answer> {
    // Both the list of parts and the bytes behind the head get a copy of all additions.
    let before = ex.added.before.len();
    let has_room = |body: &Vec<u8>| memory::has_room(2 * (before + body.len()));
    let result = result.and_then(|body| if has_room(&body) { Ok(body) } else { Err(libc::ENOMEM) });
    match result {
        Ok(body) => add(ex, cx, body),
        Err(errno) => {
            file_lines::open_failed(ex, cx, errno);
            let mut page = Vec::new();
            pages::write(ex, cx, 500, &mut page);
            add(ex, cx, page)
        }
    }
}

/// Keeps an addition, and goes on with the request that gets it.
fn add(ex: &mut Exchange, cx: &Cx, body: Vec<u8>) -> Result<Flow, Answer> {
    match ex.step_back() {
        Some((Side::Before, answer)) => {
            ex.added.before = body;
            go_behind(ex, cx, answer)
        }
        Some((Side::After, answer)) => {
            ex.added.after = body;
            Err(answer)
        }
        None => Err(Answer::Error(500)),
    }
}

fn go_behind(ex: &mut Exchange, cx: &Cx, answer: Answer) -> Result<Flow, Answer> {
    match ex.location_of(cx).scope.get(&ADD_AFTER_BODY).as_str() {
        "" => Err(answer),
        after => {
            ex.step_aside(after, Side::After, answer);
            Ok(Flow::Aside)
        }
    }
}

/// The directives of this module.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&ADD_BEFORE_BODY, &ADD_AFTER_BODY, &ADDITION_TYPES];
