//! Conditional requests, as in nginx's `ngx_http_not_modified_filter_module.c`: `etag`, `if_modified_since`, and the
//! validators they compare.

use super::headers;
use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Answer, Cx, Exchange, Found};
use crate::http::message::conditional::{ModifiedSince, Outcome, Preconditions, Validators};
use crate::http::message::date;
use crate::http::message::field::Id;
use std::borrow::Cow;

/// The entity tags of files.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Etag {
    /// None.
    Off,
    /// Made of time and size.
    #[default]
    On,
    /// Made of what the file holds.
    Content,
}

/// `etag`: whether files have an entity tag, and of what it is made.
pub static ETAG: Setting<Etag> = Setting::one("etag", |args| match args.str(0)? {
    text if text.eq_ignore_ascii_case("content") => Ok(Etag::Content),
    _ => match args.flag(0) {
        Ok(is_on) => Ok(if is_on { Etag::On } else { Etag::Off }),
        Err(error) => Err(error.help("or \"content\", for a tag that is made of what the file holds")),
    },
})
.contexts(Contexts::HTTP_ALL)
.args(1, 1)
.syntax("on | off | content")
.default("on")
.about(
    "Whether files have an entity tag, made of their modification time and size; `content`: made of what they hold, \
     for trees whose times are constant, such as those of container images and of Nix. The tag is then the same on \
     every machine, and there is no Last-Modified: a time that stays when the file changes would keep clients from the \
     change. Each state of a file is read once for its hash, for all workers. A file of more than 256 KiB is hashed \
     beside the event loop, and has no tag until that is done; in models with a process or thread for each client its \
     first answer waits for that. No tag tells what a store through a shared mapping changes, which may leave the \
     times as they are.",
);

/// Whether a location of this scope has tags made of what files hold.
pub fn hashes_contents(scope: &conf::Scope) -> bool {
    *scope.get(&ETAG) == Etag::Content
}

/// Whether the location of the exchange has.
pub fn are_by_contents(ex: &Exchange, cx: &Cx) -> bool {
    hashes_contents(&ex.location_of(cx).scope)
}

/// `if_modified_since`: how the date of If-Modified-Since is compared with that of the file.
pub static IF_MODIFIED_SINCE: Setting<ModifiedSince> = Setting::one("if_modified_since", |args| {
    use ModifiedSince::{Before, Exact, Off};
    args.one_of(0, &[("off", Off), ("exact", Exact), ("before", Before)])
})
.contexts(Contexts::HTTP_ALL)
.args(1, 1)
.syntax("off | exact | before")
.default("exact")
.about("When If-Modified-Since gets a 304: never, when the times are equal, or when the file is not newer.");

/// The fields that ask for a part of a file, or for an answer under a condition only.
const ASKING: &[Id] =
    &[Id::IfMatch, Id::IfModifiedSince, Id::IfNoneMatch, Id::IfRange, Id::IfUnmodifiedSince, Id::Range];

/// Whether the request asks for all of the file, whatever state the file is in.
#[inline]
pub(super) fn are_none(ex: &Exchange) -> bool {
    !ex.head.has_any(ASKING)
}

/// The outcome of the request's conditions for a 200 with these validators.
pub(super) fn evaluate(ex: &Exchange, cx: &Cx, validators: Validators) -> Outcome {
    let mode = *ex.location_of(cx).scope.get(&IF_MODIFIED_SINCE);
    Preconditions::of(&ex.head, cx.input).evaluate(validators, mode)
}

/// A text made here, with status 200, unless the conditions of the request have it otherwise. It has no validators but
/// those that `add_header` says, and with none there is no date that If-Unmodified-Since could be compared with.
pub(in crate::http) fn text(ex: &mut Exchange, cx: &Cx, body: Vec<u8>, media_type: Option<&'static str>) -> Answer {
    text_of(ex, cx, body, media_type, None)
}

/// The same for a text that has not changed since `modified`, seconds since 1970.
pub(in crate::http) fn dated_text(
    ex: &mut Exchange,
    cx: &Cx,
    body: Vec<u8>,
    media_type: &'static str,
    modified: i64,
) -> Answer {
    if !matches!(ex.error.status, 0 | 200) {
        return Answer::Text { status: 200, body, media_type: Some(media_type) };
    }
    ex.response.last_modified = Some(modified);
    text_of(ex, cx, body, Some(media_type), Some(modified))
}

fn text_of(
    ex: &mut Exchange,
    cx: &Cx,
    body: Vec<u8>,
    media_type: Option<&'static str>,
    modified: Option<i64>,
) -> Answer {
    if ex.is_aside() {
        return Answer::Text { status: 200, body, media_type };
    }
    let etag = sent_etag(ex, cx, 200, None);
    let validators = Validators { etag: etag.as_deref(), modified: sent_time(ex, cx, modified) };
    match evaluate(ex, cx, validators) {
        Outcome::Proceed => Answer::Text { status: 200, body, media_type },
        Outcome::NotModified => Answer::NotModified(None),
        Outcome::PreconditionFailed => failed(ex),
    }
}

/// The answer to a condition that does not hold. A redirect that the conf has put this answer in the place of leaves no
/// Location (ngx_http_clean_header).
pub(super) fn failed(ex: &mut Exchange) -> Answer {
    ex.response.location = None;
    Answer::Error(412)
}

pub(super) fn etag<'f>(ex: &Exchange, cx: &Cx, found: &'f Found) -> Option<&'f [u8]> {
    let is_off = *ex.location_of(cx).scope.get(&ETAG) == Etag::Off;
    Some(found.etag.as_bytes()).filter(|tag| !is_off && !tag.is_empty())
}

/// The entity tag that goes out with this status: the response's own, or the value that `add_header` has in its place.
/// A client knows no other, so this one counts in conditions (RFC 9110, 8.8).
pub(super) fn sent_etag<'e>(ex: &Exchange, cx: &Cx, status: u16, own: Option<&'e [u8]>) -> Option<Cow<'e, [u8]>> {
    match headers::ETAG.replacement(ex, cx, status) {
        None => own.map(Cow::Borrowed),
        Some(said) => Some(said).filter(|said| !said.is_empty()).map(Cow::Owned),
    }
}

/// The Last-Modified that goes out with a 200, likewise; `None` also when it is no date.
pub(super) fn sent_time(ex: &Exchange, cx: &Cx, own: Option<i64>) -> Option<i64> {
    match headers::LAST_MODIFIED.replacement(ex, cx, 200) {
        None => own,
        Some(said) => date::parse(&said),
    }
}

/// The value of Last-Modified for a file, if its time says something. A time that has not come yet, of a file from
/// elsewhere, is replaced by that of the response (RFC 9110, 8.8.2.1).
pub(super) fn last_modified<'f>(cx: &'f Cx, found: &'f Found) -> Option<&'f [u8; date::LEN]> {
    let is_future = found.modified()? > cx.clock.unix_s() as i64;
    Some(if is_future { cx.clock.http_date() } else { &found.last_modified })
}

/// The directives of this module: `etag` and `if_modified_since`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&ETAG, &IF_MODIFIED_SINCE];
