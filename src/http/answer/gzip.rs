//! Answers that are compressed on their way out: `gzip` and its kin, as nginx's `ngx_http_gzip_filter_module.c`; and
//! files decompressed for clients that don't take gzip: `gunzip`, as its `ngx_http_gunzip_filter_module.c`.

use super::fields::Fields;
use super::gzip_ok;
use super::headers;
use super::media_types::MediaTypes;
use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Coded, Cx, Embedded, Exchange};
use crate::http::message::accept_encoding::Coding;
use crate::http::message::gzip::Recipe;
use std::io::Write;

/// `gzip`: whether answers are compressed.
pub static GZIP: Setting<bool> = Setting::flag("gzip").contexts(Contexts::HTTP_AND_IF).default("off").about(
    "Compresses answers with status 200, 403 or 404 whose type gzip_types names, for clients that accept gzip. A file \
     that was compressed once is kept (gzip_cache); a large one is compressed piece by piece as it is sent.",
);

/// `gzip_types`: the media types that are compressed.
pub static GZIP_TYPES: Setting<MediaTypes> =
    Setting::many(&["gzip_types"], |args, types: &mut MediaTypes| types.add(args))
        .contexts(Contexts::HTTP_ALL)
        .args(1, usize::MAX)
        .syntax("TYPE ... | *")
        .about("The media types that are compressed, besides text/html; `*`: all.");

/// `gzip_min_length`: the least length of an answer that is compressed.
pub static GZIP_MIN_LENGTH: Setting<u64> = Setting::size("gzip_min_length")
    .contexts(Contexts::HTTP_ALL)
    .default("20")
    .about("The least length of an answer that is compressed.");

/// `gzip_comp_level`: the effort.
pub static GZIP_COMP_LEVEL: Setting<u8> = Setting::one("gzip_comp_level", |args| match args.count(0)? {
    level @ 1..=9 => Ok(level as u8),
    _ => Err(args.bad(0, "value must be between 1 and 9").help("1 is fast, 9 makes the least bytes")),
})
.contexts(Contexts::HTTP_ALL)
.args(1, 1)
.syntax("NUMBER")
.default("1")
.about("The effort of compressing, 1 to 9.");

/// `gzip_window`: how far back the compressor looks for what it has seen, as a power of two.
pub static GZIP_WINDOW: Setting<u8> = Setting::one("gzip_window", |args| {
    let size = args.size(0)?;
    let is_known = size.is_power_of_two() && (512..=32 << 10).contains(&size);
    let error = || args.directive("must be 512, 1k, 2k, 4k, 8k, 16k, or 32k");
    if is_known { Ok(size.trailing_zeros() as u8) } else { Err(error()) }
})
.contexts(Contexts::HTTP_ALL)
.args(1, 1)
.syntax("SIZE")
.default("32k")
.about("How far back the compressor looks for what it has seen before; less takes less memory.");

/// `gzip_cache`: the memory for what is compressed, bytes; 0: nothing is kept.
pub static GZIP_CACHE: Setting<u64> = Setting::one("gzip_cache", |args| match args.str(0)? {
    "off" => Ok(0),
    _ => match args.size(0)? {
        size @ LEAST_CACHE..=MOST_CACHE => Ok(size),
        _ => Err(args.bad(0, "the size of \"gzip_cache\" must be between 1m and 64g").help("\"off\" keeps nothing")),
    },
})
.contexts(Contexts::HTTP)
.args(1, 1)
.syntax("SIZE | off")
.default("64m")
.about(
    "The memory that the service has for files it has compressed, shared by its workers: each state of a file is \
     compressed once, and then sent with its length. The oldest go first; a gzip of more than a quarter of the memory \
     is not kept. It stays through a reload, unless its size changes, and is touched only as it fills. A state is told \
     by identity, length and times, which a store through a shared mapping may leave as they are: `off` where programs \
     write files in that way.",
);

const LEAST_CACHE: u64 = 1 << 20;
const MOST_CACHE: u64 = 64 << 30;

/// The size of the cache that a conf needs; 0: none.
pub fn cache_size<'s>(http: &conf::Scope, mut locations: impl Iterator<Item = &'s conf::Scope>) -> u64 {
    if locations.any(|scope| *scope.get(&GZIP)) { *http.get(&GZIP_CACHE) } else { 0 }
}

/// `gunzip`: whether compressed files are decompressed for clients that don't take them.
pub static GUNZIP: Setting<bool> = Setting::flag("gunzip")
    .contexts(Contexts::HTTP_ALL)
    .default("off")
    .about("Decompresses what `gzip_static always` sends, for clients that don't accept gzip.");

/// The types that are compressed without a `gzip_types`.
const OWN_TYPES: &[&str] = &["text/html"];

/// nginx's levels in those of zlib-rs, whose first is a quicker method with 20 % longer results (text of 100 KiB: zlib
/// 35,042 bytes, zlib-rs 42,653 and, from its second level, 33,020 in the same time).
fn zlib_rs_level(level: u8) -> u8 {
    level.max(2)
}

/// Whether answers may be compressed in this scope.
pub(super) fn is_on(scope: &conf::Scope) -> bool {
    *scope.get(&GZIP)
}

/// Whether the answer may be compressed or decompressed at all: where neither is asked for, `decide` need not be.
#[inline]
pub(super) fn is_asked_for(ex: &Exchange, cx: &Cx) -> bool {
    let scope = &ex.location_of(cx).scope;
    is_on(scope) || ex.response.codings.sent.is_some() && *scope.get(&GUNZIP)
}

/// Decides whether the answer is decompressed on its way (`ngx_http_gunzip_header_filter`).
pub(super) fn decide_to_undo(ex: &mut Exchange, cx: &Cx, status: u16, has_etag: bool) {
    if ex.response.codings.sent != Some(Coding::Gzip) || !*ex.location_of(cx).scope.get(&GUNZIP) {
        return;
    }
    ex.response.codings.varies = true;
    if !gzip_ok::takes_gzip(ex, cx, |ex| headers::cacheable(ex, cx, status, has_etag)) {
        ex.response.codings.coded = Coded::Gunzip;
    }
}

/// Whether an answer, of `length` bytes if that is known, is compressed for clients that take gzip.
pub(in crate::http) fn is_for(
    ex: &Exchange,
    cx: &Cx,
    status: u16,
    media_type: Option<&[u8]>,
    length: Option<u64>,
) -> bool {
    let scope = &ex.location_of(cx).scope;
    *scope.get(&GZIP)
        && matches!(status, 200 | 403 | 404)
        && ex.response.codings.sent.is_none()
        && length.is_none_or(|length| length >= *scope.get(&GZIP_MIN_LENGTH))
        && scope.get(&GZIP_TYPES).has(media_type.unwrap_or_default(), OWN_TYPES)
}

/// Decides whether the answer, of `length` bytes if that is known, is compressed on its way (the conditions of
/// `ngx_http_gzip_header_filter`, in their order).
pub(super) fn decide(
    ex: &mut Exchange,
    cx: &Cx,
    status: u16,
    media_type: Option<&[u8]>,
    length: Option<u64>,
    has_etag: bool,
) {
    if !is_for(ex, cx, status, media_type, length) {
        return;
    }
    let scope = &ex.location_of(cx).scope;
    let cacheable = |ex: &Exchange| headers::cacheable(ex, cx, status, has_etag);
    ex.response.codings.coded = if gzip_ok::takes_gzip(ex, cx, cacheable) {
        let level = zlib_rs_level(*scope.get(&GZIP_COMP_LEVEL));
        Coded::Gzip(Recipe { level, window_bits: *scope.get(&GZIP_WINDOW) })
    } else {
        Coded::Refused
    };
}

/// Leaves out of the head what does not hold for an answer whose length changes on its way.
pub(super) fn frame(fields: &mut Fields, kept: Option<u64>) {
    fields.accept_ranges = false;
    fields.content_length = kept;
}

/// Header filter: Content-Encoding, behind what the conf adds.
pub(super) fn filter_header(ex: &mut Exchange, _: &Cx, _: &Fields, out: &mut Vec<u8>, _: usize) {
    if let Coded::Gzip(_) = ex.response.codings.coded
        && ex.response.status != 304
    {
        out.extend_from_slice(b"Content-Encoding: gzip\r\n");
    }
}

/// `$gzip_ratio`, rounded as in nginx (`ngx_http_gzip_ratio_variable`).
fn ratio(ex: &Exchange, _: &Cx, out: &mut Vec<u8>) -> bool {
    let Some((before, after)) = ex.response.codings.lengths.filter(|(_, after)| *after > 0) else { return false };
    let mut hundredths = before * 100 / after;
    if before * 1000 / after % 10 > 4 {
        hundredths += 1;
    }
    // Writing to a Vec can't fail.
    let _ = write!(out, "{}.{:02}", hundredths / 100, hundredths % 100);
    true
}

/// The variables that this file computes.
pub static VARIABLES: &[Embedded] =
    &[Embedded::ours("gzip_ratio", "how many times shorter gzip has made the answer, where it has", ratio)];

/// The directives of this module, but for those of `gzip_ok`.
pub static DIRECTIVES: &[&dyn conf::Entry] =
    &[&GZIP, &GZIP_TYPES, &GZIP_MIN_LENGTH, &GZIP_COMP_LEVEL, &GZIP_WINDOW, &GZIP_CACHE, &GUNZIP];
