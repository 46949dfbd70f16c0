//! A pattern without its look-around, for the regex crate: a text that it does not match, the pattern does not match
//! either, and that takes linear time to find out.
//!
//! Most texts that make a match take for ever make it fail as well: `^((?!x)a+)+$` tries every way to split the letters
//! of `aaaaaaaaaa!`, and `(?!x)\w+\.jpg$` reads a long name once from each of its letters, before they give up. Without
//! look-around each is a pattern that `linear` knows.

use super::linear;
use regex::bytes::Regex;

const LOOK_AROUND: [&[u8]; 4] = [b"(?=", b"(?!", b"(?<=", b"(?<!"];

/// Syntax in which a parenthesis is none: quoted text, comments (as of `(?x)`), control characters.
const HIDING: [&str; 4] = ["\\Q", "\\E", "#", "\\c"];

/// A pattern that matches whatever this one matches; `None`: there is no look-around, or more that `linear` does not
/// know.
pub(super) fn compile(pattern: &str, ignore_case: bool) -> Option<Regex> {
    linear::compile(&without_look_around(pattern)?, ignore_case)
}

/// The pattern with an empty group in the place of each look-around.
fn without_look_around(pattern: &str) -> Option<String> {
    if HIDING.iter().any(|hiding| pattern.contains(hiding)) {
        return None;
    }
    let bytes = pattern.as_bytes();
    let (mut rest, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let is_look_around = LOOK_AROUND.iter().any(|begin| bytes[at..].starts_with(begin));
        let end = if is_look_around { end_of_group(bytes, at)? } else { end_of_piece(bytes, at) };
        rest.extend_from_slice(if is_look_around { b"(?:)" } else { bytes.get(at..end)? });
        at = end;
    }
    (rest != bytes).then(|| String::from_utf8(rest).ok())?
}

/// The end of the group that begins at `at`.
fn end_of_group(pattern: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0;
    loop {
        match pattern.get(at)? {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        at = end_of_piece(pattern, at);
        if depth == 0 {
            return Some(at);
        }
    }
}

/// The end of what begins at `at`: an escape, a class, or a single byte.
fn end_of_piece(pattern: &[u8], at: usize) -> usize {
    match pattern[at] {
        b'\\' => at + 2,
        b'[' => end_of_class(pattern, at),
        _ => at + 1,
    }
}

/// The end of a class: its first `]` that is neither its first member, nor escaped, nor the end of a named class in it.
fn end_of_class(pattern: &[u8], at: usize) -> usize {
    let mut i = at + 1 + usize::from(pattern.get(at + 1) == Some(&b'^'));
    i += usize::from(pattern.get(i) == Some(&b']'));
    while let Some(byte) = pattern.get(i) {
        let named = pattern[i..].starts_with(b"[:").then(|| memchr::memmem::find(&pattern[i..], b":]")).flatten();
        i += match (byte, named) {
            (b']', _) => return i + 1,
            (b'\\', _) => 2,
            (_, Some(end)) => end + 2,
            _ => 1,
        };
    }
    i
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::pcre::Pattern;
    use proptest::prelude::*;

    #[test]
    fn look_around_is_left_out_and_nothing_else() {
        for (pattern, rest) in [
            (r"/\.(?!well-known/)", Some(r"/\.(?:)")),
            (r"^((?!x)a+)+$", Some(r"^((?:)a+)+$")),
            (r"(?<=/)a(?<!b)", Some(r"(?:)a(?:)")),
            (r"(?=(a|(?!b)c)\))d", Some(r"(?:)d")),
            (r"(?=[)(]|[^])]|[[:alpha:])]|[\])])a", Some("(?:)a")),
            (r"\(?!a\)(?<name>b)(?:c)[(?=]", None),
            (r"(?=a", None),
            (r"(?=\Q(\E)a", None),
            ("(?=(?x)a#)\n)b", None),
            (r"(?=a)\c(b", None),
        ] {
            assert_eq!(without_look_around(pattern).as_deref(), rest, "{pattern}");
        }
        for pattern in [r"(?!x)(?>a)", r"(?!x)(a)\1", r"(?!x)a++", r"a(?!x)+", r"(?!x)(?i)a"] {
            assert!(compile(pattern, false).is_none(), "{pattern}");
        }
    }

    /// Up to nine of a letter, an operator, the begin or end of a group, an escape, a class.
    const PIECES: &str = concat!(
        r"([ab.^$|*+?\\]|\(\?=|\(\?!|\(\?<=|\(\?<!|\(\?:|\(|\)|\\[bBdwQEcGK1()\[\]]",
        r"|\[[\^]?[\]()ab]{1,3}\]|\[\[:alpha:\]\)\]){1,9}",
    );

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn whatever_the_pattern_matches_is_matched_without_its_look_around(
            pattern in PIECES,
            text in "[abAB()\\]\n]{0,8}",
        ) {
            let Ok(plain) = Pattern::new(&pattern, false) else { return Ok(()) };
            let Some(relaxed) = compile(&pattern, false) else { return Ok(()) };
            if plain.find(text.as_bytes(), 1_000_000, None) == Ok(true) {
                prop_assert!(relaxed.is_match(text.as_bytes()), "{} {:?}", pattern, text);
            }
        }
    }
}
