//! `open_file_cache`: for how long a location takes what it knows of a file for true.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::conf::{self, Contexts, Scope, Setting, parse_count, parse_time_s};

/// Whether what is known of files is kept, and how much.
pub static OPEN_FILE_CACHE: Setting<Option<Cache>> = Setting::one("open_file_cache", Cache::parse)
    .contexts(Contexts::HTTP_ALL)
    .args(1, 2)
    .syntax("off | max=NUMBER [inactive=TIME]")
    .default("off")
    .about(
        "Without it a file is looked at once in each turn of the loop that serves it, so that a change shows at once. \
         With it a worker takes what it has found at a path for true for `open_file_cache_valid`, for at most `max` \
         paths, and forgets a path that nobody has asked for in `inactive` (60s). Files that it holds open count \
         against the eighth of a process's descriptors that is for files. A change is a change of the file's identity, \
         length, permissions or times. A program that stores into a file through a shared mapping may change none of \
         them: contents in memory (of files up to 24k, or 256k where sendfile is off) are therefore read again after a \
         second, and larger files are sent as they are. A file that becomes shorter while it is sent ends the \
         connection, or the stream of HTTP/2, and an alert names it.",
    );

/// How long what has been found at a path holds, seconds.
pub static OPEN_FILE_CACHE_VALID: Setting<u64> =
    Setting::time_s("open_file_cache_valid").contexts(Contexts::HTTP_ALL).default("60").about(
        "How long what `open_file_cache` knows of a path is taken for true: a file that has been replaced, removed or \
         locked is sent as it was for that long, and one that has grown up to its old length. What is written into an \
         open file shows at once, unless its contents are in memory.",
    );

/// How often a path must be asked for before the file is kept open.
pub static OPEN_FILE_CACHE_MIN_USES: Setting<u64> =
    Setting::count("open_file_cache_min_uses").contexts(Contexts::HTTP_ALL).default("1").about(
        "How often a file must be looked up, with less than `inactive` in between, before `open_file_cache` keeps it \
         open. Up to then it is opened for each request.",
    );

/// Whether failures are kept as well.
pub static OPEN_FILE_CACHE_ERRORS: Setting<bool> = Setting::flag("open_file_cache_errors")
    .contexts(Contexts::HTTP_ALL)
    .default("off")
    .about("Whether `open_file_cache` keeps in mind, too, that a file is missing or can't be opened.");

/// The size of a cache, which all blocks share that inherit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cache {
    /// The number of the directive.
    pub id: u64,
    /// Most paths.
    pub max: u64,
    /// For how long a path is kept that nobody asks for, ms.
    pub inactive_ms: u64,
}

/// How a location uses a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caching {
    /// The cache.
    pub cache: Cache,
    /// For how long what was found holds, ms.
    pub valid_ms: u64,
    /// Uses before a file stays open.
    pub min_uses: u64,
    /// Failures are kept.
    pub errors: bool,
}

/// Directives seen in the life of the process.
static CACHES: AtomicU64 = AtomicU64::new(0);

impl Cache {
    fn parse(args: &mut conf::Args) -> Result<Option<Cache>, conf::Error> {
        let (mut max, mut inactive_s, mut is_off) = (0, 60, false);
        for i in 0..args.len() {
            let text = args.str(i)?.to_owned();
            let known = match text.split_once('=') {
                _ if text == "off" => {
                    is_off = true;
                    true
                }
                Some(("max", number)) => {
                    parse_count(number).filter(|number| *number > 0).map(|number| max = number).is_some()
                }
                Some(("inactive", time)) => parse_time_s(time).map(|seconds| inactive_s = seconds).is_some(),
                _ => false,
            };
            if !known {
                let message = format!("invalid \"open_file_cache\" parameter \"{text}\"");
                return Err(args.bad(i, message).help("off, or max=NUMBER with inactive=TIME"));
            }
        }
        if is_off {
            return Ok(None);
        }
        if max == 0 {
            return Err(args.bad(0, "\"open_file_cache\" must have the \"max\" parameter"));
        }
        let id = CACHES.fetch_add(1, Ordering::Relaxed);
        Ok(Some(Cache { id, max, inactive_ms: inactive_s.saturating_mul(1000) }))
    }
}

/// The cache of a location.
pub(super) fn caching(scope: &Scope) -> Option<Caching> {
    scope.get(&OPEN_FILE_CACHE).map(|cache| Caching {
        cache,
        valid_ms: scope.get(&OPEN_FILE_CACHE_VALID).saturating_mul(1000),
        min_uses: *scope.get(&OPEN_FILE_CACHE_MIN_USES),
        errors: *scope.get(&OPEN_FILE_CACHE_ERRORS),
    })
}

/// The directives of this module.
pub static DIRECTIVES: &[&dyn conf::Entry] =
    &[&OPEN_FILE_CACHE, &OPEN_FILE_CACHE_VALID, &OPEN_FILE_CACHE_MIN_USES, &OPEN_FILE_CACHE_ERRORS];
