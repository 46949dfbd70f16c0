//! Whether a client gets compressed answers: `gzip_vary`, `gzip_http_version`, `gzip_proxied`, `gzip_disable`, as
//! nginx's `ngx_http_gzip_ok`.

use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Cx, Exchange, error_lines};
use crate::http::message::accept_encoding::nginx_takes_gzip;
use crate::http::message::browser::is_msie6;
use crate::http::message::date;
use crate::http::message::field::Id;
use crate::http::message::head::Version;
use crate::http::site::regex::Regex;

/// `gzip_vary`: whether answers that may be compressed say so.
pub static GZIP_VARY: Setting<bool> = Setting::flag("gzip_vary").contexts(Contexts::HTTP_ALL).default("off").about(
    "Whether answers that depend on Accept-Encoding, by `gzip`, `gunzip` or `gzip_static on`, say so in Vary. Where \
         brotli_static or zstd_static looks for files, they say it always.",
);

/// `gzip_http_version`: the least version of a request whose answer is compressed.
pub static GZIP_HTTP_VERSION: Setting<Version> =
    Setting::one("gzip_http_version", |args| args.one_of(0, &[("1.0", Version::Http10), ("1.1", Version::Http11)]))
        .contexts(Contexts::HTTP_ALL)
        .args(1, 1)
        .syntax("1.0 | 1.1")
        .default("1.1")
        .about("The least version of a request that gets a compressed answer.");

bitflags::bitflags! {
    /// The answers to proxies that are compressed.
    #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
    pub struct Proxied: u16 {
        /// None.
        const OFF = 1;
        /// Answers whose Expires has passed.
        const EXPIRED = 1 << 1;
        /// `Cache-Control: no-cache`
        const NO_CACHE = 1 << 2;
        /// `Cache-Control: no-store`
        const NO_STORE = 1 << 3;
        /// `Cache-Control: private`
        const PRIVATE = 1 << 4;
        /// Answers without Last-Modified.
        const NO_LAST_MODIFIED = 1 << 5;
        /// Answers without ETag.
        const NO_ETAG = 1 << 6;
        /// Answers to requests with Authorization.
        const AUTH = 1 << 7;
        /// All.
        const ANY = 1 << 8;
    }
}

const PROXIED: &[(&str, Proxied)] = &[
    ("off", Proxied::OFF),
    ("expired", Proxied::EXPIRED),
    ("no-cache", Proxied::NO_CACHE),
    ("no-store", Proxied::NO_STORE),
    ("private", Proxied::PRIVATE),
    ("no_last_modified", Proxied::NO_LAST_MODIFIED),
    ("no_etag", Proxied::NO_ETAG),
    ("auth", Proxied::AUTH),
    ("any", Proxied::ANY),
];

/// `gzip_proxied`: the answers to proxies that are compressed.
pub static GZIP_PROXIED: Setting<Proxied> = Setting::many(&["gzip_proxied"], |args, proxied: &mut Proxied| {
    for i in 0..args.len() {
        let word = args.one_of(i, PROXIED)?;
        if proxied.contains(word) {
            args.warn(i, format!("duplicate value \"{}\"", args.str(i)?));
        }
        *proxied |= word;
    }
    Ok(())
})
.contexts(Contexts::HTTP_ALL)
.args(1, usize::MAX)
.syntax("off | expired | no-cache | no-store | private | no_last_modified | no_etag | auth | any ...")
.default("off")
.about(
    "Which answers to requests with a Via field are compressed: none, those that a cache does not keep (by \
     Expires, by Cache-Control, for want of Last-Modified or ETag), those to requests with Authorization, or all.",
);
/// The browsers that get no compressed answers.
#[derive(Debug, Default)]
pub struct Disable {
    msie6: bool,
    regexes: Vec<Regex>,
}

/// `gzip_disable`: the browsers that get no compressed answers.
pub static GZIP_DISABLE: Setting<Disable> = Setting::many(&["gzip_disable"], |args, disable: &mut Disable| {
    for i in 0..args.len() {
        match args.str(i)? {
            "msie6" => disable.msie6 = true,
            pattern => disable.regexes.push(Regex::new(pattern, true).map_err(|error| args.bad(i, error))?),
        }
    }
    Ok(())
})
.joined(|own, outer| Disable { msie6: own.msie6 || outer.msie6, regexes: own.regexes.clone() })
.contexts(Contexts::HTTP_ALL)
.args(1, usize::MAX)
.syntax("REGEX ... | msie6")
.about(
    "Clients whose User-Agent fits a regex, in any case, get no compressed answers; `msie6` stands for \
     `MSIE [4-6]\\.`, without the version 6 of SV1. Regexes take the place of those of the block around, `msie6` stays \
     in force in all blocks inside.",
);

/// The fields of an answer that `gzip_proxied` looks at.
#[derive(Debug, Default)]
pub(in crate::http) struct Cacheable {
    pub(super) expires: Option<Vec<u8>>,
    pub(super) cache_control: Vec<Vec<u8>>,
    pub(super) has_last_modified: bool,
    pub(super) has_etag: bool,
}

/// Whether the client gets gzip. Decided once for a request, as in nginx: the first to ask decides for all.
pub(in crate::http) fn takes_gzip(ex: &mut Exchange, cx: &Cx, answer: impl FnOnce(&Exchange) -> Cacheable) -> bool {
    if let Some(decided) = ex.response.codings.takes_gzip {
        return decided;
    }
    let accepted = || ex.head.known(cx.input, Id::AcceptEncoding).is_some_and(nginx_takes_gzip);
    let takes = ex.response.codings.accepts_gzip.unwrap_or_else(accepted) && may_code(ex, cx, answer);
    ex.response.codings.takes_gzip = Some(takes);
    takes
}

/// Whether the client gets answers in a coding that it accepts.
pub(in crate::http) fn may_code(ex: &Exchange, cx: &Cx, answer: impl FnOnce(&Exchange) -> Cacheable) -> bool {
    let scope = &ex.location_of(cx).scope;
    let agent = ex.head.known(cx.input, Id::UserAgent);
    let disable = scope.get(&GZIP_DISABLE);
    if disable.msie6 && agent.is_some_and(is_msie6) || ex.head.version < *scope.get(&GZIP_HTTP_VERSION) {
        return false;
    }
    if ex.head.known(cx.input, Id::Via).is_some() && !may_code_for_proxy(ex, cx, *scope.get(&GZIP_PROXIED), answer) {
        return false;
    }
    let Some(agent) = agent else { return true };
    // A match that takes too many steps disables, as in nginx.
    !disable.regexes.iter().any(|regex| {
        regex.is_match(agent).unwrap_or_else(|error| {
            error_lines::regex_failed(ex, cx, agent, &error);
            true
        })
    })
}

fn may_code_for_proxy(ex: &Exchange, cx: &Cx, proxied: Proxied, answer: impl FnOnce(&Exchange) -> Cacheable) -> bool {
    if proxied.contains(Proxied::OFF) {
        return false;
    }
    let is_authorized = || ex.head.known(cx.input, Id::Authorization).is_some();
    if proxied.contains(Proxied::ANY) || proxied.contains(Proxied::AUTH) && is_authorized() {
        return true;
    }
    let answer = answer(ex);
    if let Some(expires) = answer.expires {
        let has_passed = || date::parse(&expires).is_some_and(|at| at < cx.clock.unix_s() as i64);
        return proxied.contains(Proxied::EXPIRED) && has_passed();
    }
    if !answer.cache_control.is_empty() {
        let words = [(Proxied::NO_CACHE, "no-cache"), (Proxied::NO_STORE, "no-store"), (Proxied::PRIVATE, "private")];
        let says = |word: &str| answer.cache_control.iter().any(|line| has_word(line, word.as_bytes()));
        return words.iter().any(|(flag, word)| proxied.contains(*flag) && says(word));
    }
    !(proxied.contains(Proxied::NO_LAST_MODIFIED) && answer.has_last_modified
        || proxied.contains(Proxied::NO_ETAG) && answer.has_etag)
}

/// Whether a line of a list has the word without a value (`ngx_http_parse_multi_header_lines`).
fn has_word(line: &[u8], word: &[u8]) -> bool {
    let mut begins = std::iter::once(0).chain(memchr::memchr2_iter(b',', b';', line).map(|at| at + 1));
    begins.any(|at| {
        let element = &line[at..];
        let begin = if at == 0 { 0 } else { element.iter().take_while(|byte| **byte == b' ').count() };
        let Some((name, behind)) = element[begin..].split_at_checked(word.len()) else { return false };
        let next = behind.iter().find(|byte| **byte != b' ');
        name.eq_ignore_ascii_case(word) && matches!(next, None | Some(b','))
    })
}

/// The entity tag of an answer that is coded on its way is weak (`ngx_http_weak_etag`).
pub(super) fn weaken(etag: &[u8]) -> Option<Vec<u8>> {
    match etag {
        [b'W', b'/', ..] => Some(etag.to_vec()),
        [b'"', ..] => Some([b"W/", etag].concat()),
        _ => None,
    }
}

/// The directives of this module, which say who gets compressed answers.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&GZIP_VARY, &GZIP_HTTP_VERSION, &GZIP_PROXIED, &GZIP_DISABLE];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_explorers_are_known_by_nginx_s_marks() {
        for (agent, is_old) in [
            ("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)", true),
            ("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)", false),
            ("MSIE 5.5", true),
            ("MSIE 4.", false),
            ("MSIE 4.0", true),
            ("MSIE 7.0", false),
            ("MSIE 6.0; Opera", false),
            ("MSIE 6", false),
            ("", false),
        ] {
            assert_eq!(is_msie6(agent.as_bytes()), is_old, "{agent}");
        }
    }

    #[test]
    fn words_of_cache_control_have_no_value() {
        for (line, has) in [
            ("no-cache", true),
            ("No-Cache ", true),
            ("max-age=1, no-cache", true),
            ("max-age=1;  no-cache,x", true),
            ("no-cache=\"x\"", false),
            ("xno-cache", false),
            ("no-cachex", false),
            (" no-cache", false),
            ("", false),
        ] {
            assert_eq!(has_word(line.as_bytes(), b"no-cache"), has, "{line:?}");
        }
    }

    #[test]
    fn a_strong_tag_becomes_weak_and_a_malformed_one_goes() {
        assert_eq!(weaken(b"\"a-b\"").as_deref(), Some(&b"W/\"a-b\""[..]));
        assert_eq!(weaken(b"W/\"a\"").as_deref(), Some(&b"W/\"a\""[..]));
        assert_eq!(weaken(b"a"), None);
    }
}
