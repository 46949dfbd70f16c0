//! Browsers told apart by their User-Agent: `modern_browser`, `ancient_browser` and their variables, as nginx's
//! `ngx_http_browser_module.c`.

use super::cx::{Cx, Embedded};
use super::state::Exchange;
use super::variables::put;
use crate::conf::{self, Contexts, Setting};
use crate::http::message::browser::is_msie;
use crate::http::message::field::Id;
use memchr::memmem;

/// How a browser names itself and its version.
struct Mask {
    name: &'static str,
    /// Bytes of a User-Agent in which the mark does not stand.
    skip: usize,
    /// The mark that the version follows, behind as many bytes as `gap` says.
    mark: &'static str,
    gap: usize,
}

/// Opera comes first: it may call itself MSIE as well.
const MASKS: [Mask; 5] = [
    Mask { name: "opera", skip: 0, mark: "Opera", gap: 1 },
    Mask { name: "msie", skip: 25, mark: "MSIE ", gap: 0 },
    Mask { name: "gecko", skip: 13, mark: "rv:", gap: 0 },
    Mask { name: "safari", skip: 13, mark: "Safari/", gap: 0 },
    Mask { name: "konqueror", skip: 25, mark: "Konqueror/", gap: 0 },
];

/// Browsers that count as modern.
#[derive(Debug, Default)]
pub struct Modern {
    /// Numbers of masks, with the least version that is modern.
    browsers: Vec<(usize, u64)>,
    unlisted: bool,
}

/// Browsers that count as ancient.
#[derive(Debug, Default)]
pub struct Ancient {
    marks: Vec<String>,
    netscape4: bool,
}

/// `modern_browser`: browsers that count as modern.
pub static MODERN_BROWSER: Setting<Modern> = Setting::many(&["modern_browser"], |args, modern: &mut Modern| {
    let name = args.str(0)?;
    if args.len() == 1 {
        if name != "unlisted" {
            return Err(args.bad(0, format!("invalid value \"{name}\"")).help("a name and a version, or \"unlisted\""));
        }
        modern.unlisted = true;
        return Ok(());
    }
    let mask = MASKS.iter().position(|mask| mask.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
        let names = MASKS.map(|mask| mask.name).join(", ");
        args.bad(0, format!("unknown browser name \"{name}\"")).help(format!("one of {names}"))
    })?;
    let said = args.str(1)?;
    let (version, rest) = version(said.as_bytes());
    if !rest.is_empty() {
        return Err(args.bad(1, format!("invalid browser version \"{said}\"")).help("numbers with dots, such as 1.5"));
    }
    modern.browsers.push((mask, version));
    modern.browsers.sort_by_key(|(mask, _)| *mask);
    Ok(())
})
.contexts(Contexts::HTTP_ALL)
.args(1, 2)
.syntax("opera | msie | gecko | safari | konqueror VERSION | unlisted")
.about(
    "A browser that counts as modern from this version on, for `$modern_browser` and `$ancient_browser`; `unlisted`: \
     those that are neither listed here nor by `ancient_browser` do.",
);

/// `ancient_browser`: marks of browsers that count as ancient.
pub static ANCIENT_BROWSER: Setting<Ancient> = Setting::many(&["ancient_browser"], |args, ancient: &mut Ancient| {
    for i in 0..args.len() {
        match args.str(i)? {
            "netscape4" => ancient.netscape4 = true,
            mark => ancient.marks.push(mark.to_owned()),
        }
    }
    Ok(())
})
.contexts(Contexts::HTTP_ALL)
.args(1, usize::MAX)
.syntax("TEXT ... | netscape4")
.about(
    "Browsers with such a text in User-Agent count as ancient, unless `modern_browser` lists them; `netscape4` stands \
     for `^Mozilla/[1-4]`.",
);

/// `modern_browser_value`: the value of `$modern_browser` for a modern browser.
pub static MODERN_BROWSER_VALUE: Setting<Option<String>> =
    value(&["modern_browser_value"]).about("The value of `$modern_browser` for a modern browser; by default 1.");

/// `ancient_browser_value`: the value of `$ancient_browser` for an ancient browser.
pub static ANCIENT_BROWSER_VALUE: Setting<Option<String>> =
    value(&["ancient_browser_value"]).about("The value of `$ancient_browser` for an ancient browser; by default 1.");

/// The last of several counts.
const fn value(names: &'static [&'static str]) -> Setting<Option<String>> {
    Setting::many(names, |args, value: &mut Option<String>| {
        *value = Some(args.str(0)?.to_owned());
        Ok(())
    })
    .contexts(Contexts::HTTP_ALL)
    .args(1, 1)
    .syntax("TEXT")
}

/// The version at the beginning of a text, and what follows: each number counts a hundredth of the one in front of it.
fn version(text: &[u8]) -> (u64, &[u8]) {
    let end = text.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'.')).unwrap_or(text.len());
    let (numbers, rest) = text.split_at(end);
    let (mut version, mut scale) = (0_u64, 1_000_000);
    for number in numbers.split(|byte| *byte == b'.') {
        let digit = |sum: u64, byte: &u8| sum.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
        version = version.saturating_add(number.iter().fold(0, digit).saturating_mul(scale));
        scale /= 100;
    }
    (version, rest)
}

/// Whether a browser is modern (`ngx_http_browser`).
fn is_modern(modern: &Modern, ancient: &Ancient, agent: Option<&[u8]>) -> bool {
    let Some(agent) = agent else { return modern.unlisted };
    if !modern.browsers.is_empty() {
        // A browser that calls itself Opera is no other, also where the conf does not list Opera.
        let lists_opera = modern.browsers.iter().any(|(mask, _)| *mask == 0);
        let opera = (!lists_opera).then_some((0, u64::MAX));
        for (mask, least) in opera.into_iter().chain(modern.browsers.iter().copied()) {
            let Mask { skip, mark, gap, .. } = &MASKS[mask];
            let Some(rest) = agent.get(*skip..).filter(|rest| !rest.is_empty()) else { continue };
            let Some(at) = memmem::find(rest, mark.as_bytes()) else { continue };
            let Some(said) = rest.get(at + mark.len() + gap..).filter(|said| !said.is_empty()) else { continue };
            return version(said).0 >= least;
        }
        if !modern.unlisted {
            return false;
        }
    }
    let is_netscape4 = ancient.netscape4
        && agent.len() > "Mozilla/4.72 ".len()
        && agent.strip_prefix(b"Mozilla/").is_some_and(|rest| matches!(rest[0], b'1'..=b'4'));
    let is_listed = || ancient.marks.iter().any(|mark| memmem::find(agent, mark.as_bytes()).is_some());
    modern.unlisted && !is_netscape4 && !is_listed()
}

fn browser(ex: &Exchange, cx: &Cx, out: &mut Vec<u8>, of_modern: bool) -> bool {
    let scope = &ex.location_of(cx).scope;
    let agent = ex.head.known(cx.input, Id::UserAgent);
    let is_modern = is_modern(scope.get(&MODERN_BROWSER), scope.get(&ANCIENT_BROWSER), agent);
    let value = scope.get(if of_modern { &MODERN_BROWSER_VALUE } else { &ANCIENT_BROWSER_VALUE });
    let value = value.as_deref().unwrap_or("1");
    put(out, Some(if is_modern == of_modern { value.as_bytes() } else { b"" }))
}

/// The variables that this file computes.
pub static VARIABLES: &[Embedded] = &[
    Embedded::ours(
        "modern_browser",
        "the text of `modern_browser_value` for a modern browser, else empty",
        |ex, cx, out| browser(ex, cx, out, true),
    ),
    Embedded::ours("ancient_browser", "the text of `ancient_browser_value` for others, else empty", |ex, cx, out| {
        browser(ex, cx, out, false)
    }),
    Embedded::ours("msie", "\"1\" for an Internet Explorer, else empty", |ex, cx, out| {
        let is_msie = ex.head.known(cx.input, Id::UserAgent).is_some_and(is_msie);
        put(out, Some(if is_msie { b"1" } else { b"" }))
    }),
];

/// The directives of this module.
pub static DIRECTIVES: &[&dyn conf::Entry] =
    &[&MODERN_BROWSER, &ANCIENT_BROWSER, &MODERN_BROWSER_VALUE, &ANCIENT_BROWSER_VALUE];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_in_hundredths() {
        for (text, number) in
            [("5.5", 5_050_000), ("1.0.1", 1_000_100), ("12", 12_000_000), ("1.2.3.4", 1_020_304), ("", 0)]
        {
            assert_eq!(version(text.as_bytes()), (number, b"".as_slice()), "{text}");
        }
        assert_eq!(version(b"1.5; x"), (1_050_000, b"; x".as_slice()));
        assert_eq!(version(b"99999999999999999999").0, u64::MAX);
    }

    #[test]
    fn opera_is_no_other_browser() {
        let modern = Modern { browsers: vec![(1, 5_000_000)], unlisted: false };
        let is = |agent: &str| is_modern(&modern, &Ancient::default(), Some(agent.as_bytes()));
        assert!(is("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)"));
        assert!(!is("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.0; en) Opera 8.0"));
        assert!(!is("Mozilla/4.0 (compatible; MSIE 4.9; Windows NT 5.1)"));
        assert!(!is("MSIE 6.0"));
    }
}
