//! Regular expressions of the conf file: PCRE patterns as nginx takes them, matched within a bound.
//!
//! fancy-regex gives every pattern that allows it to a linear-time engine and backtracks, up to a limit, for look-around and
//! back references. Both match bytes, as PCRE does in nginx: a path need not be UTF-8.
//!
//! What PCRE writes in another way is rewritten (see [`rewrite`]); these differences stay: `$` is the very end and not also
//! before a last newline, `\p{..}` classes and PCRE's verbs and recursion are errors, and so is any class of PCRE alone.

use fancy_regex::{BytesMode, RegexBuilder};
use std::fmt;

/// Steps back in one match; at some 20 ns each a hostile subject costs a worker no more than a few milliseconds.
const BACKTRACK_LIMIT: usize = 100_000;

/// A compiled pattern.
#[derive(Clone)]
pub struct Regex {
    pattern: Box<str>,
    compiled: fancy_regex::Regex,
    names: Box<[(Box<str>, usize)]>,
}

/// A match took more steps than allowed; for nginx (pcre match limit) and for us the request fails with 500.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooHard;

impl fmt::Display for TooHard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the regular expression needs too many steps for this text")
    }
}

impl std::error::Error for TooHard {}

/// What the groups of the last successful match were: reusable, and independent of the text that was matched.
#[derive(Clone, Debug, Default)]
pub struct Captures {
    text: Vec<u8>,
    groups: Vec<Option<(usize, usize)>>,
}

impl Captures {
    /// The text of a group; 0 is the whole match. `None` for a group that took no part or doesn't exist.
    pub fn get(&self, group: usize) -> Option<&[u8]> {
        let (start, end) = (*self.groups.get(group)?)?;
        self.text.get(start..end)
    }

    /// Forgets the match; keeps the capacity.
    pub fn clear(&mut self) {
        self.text.clear();
        self.groups.clear();
    }
}

impl Regex {
    /// Compiles a PCRE pattern.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub fn new(pattern: &str, ignore_case: bool) -> Result<Self, String> {
        let compiled = RegexBuilder::new(&rewrite(pattern))
            .bytes_mode(BytesMode::Ascii)
            .case_insensitive(ignore_case)
            .backtrack_limit(BACKTRACK_LIMIT)
            .build()
            .map_err(|error| format!("invalid regex \"{pattern}\": {}", explain(&error)))?;
        let mut names: Vec<(Box<str>, usize)> = Vec::new();
        for (group, name) in compiled.capture_names().enumerate() {
            let Some(name) = name else { continue };
            if names.iter().any(|(known, _)| **known == *name) {
                return Err(format!("invalid regex \"{pattern}\": two groups have the name \"{name}\""));
            }
            names.push((name.into(), group));
        }
        Ok(Self { pattern: pattern.into(), compiled, names: names.into() })
    }

    /// The pattern as it was given.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The named groups, with their numbers.
    pub fn names(&self) -> impl Iterator<Item = (&str, usize)> {
        self.names.iter().map(|(name, group)| (&**name, *group))
    }

    /// How many groups there are, without the whole match.
    pub fn groups(&self) -> usize {
        self.compiled.captures_len().saturating_sub(1)
    }

    /// Whether it matches anywhere in the text.
    ///
    /// # Errors
    /// `TooHard` when it can't be decided within the limit.
    pub fn is_match(&self, text: &[u8]) -> Result<bool, TooHard> {
        self.compiled.is_match(text).map_err(|_| TooHard)
    }

    /// As `is_match`; after a match `captures` holds its groups, without one it's left as it was. Allocates only for
    /// patterns with groups.
    ///
    /// # Errors
    /// `TooHard` when it can't be decided within the limit.
    pub fn captures(&self, text: &[u8], captures: &mut Captures) -> Result<bool, TooHard> {
        if self.groups() == 0 {
            let matches = self.is_match(text)?;
            if matches {
                captures.clear();
            }
            return Ok(matches);
        }
        let Some(found) = self.compiled.captures(text).map_err(|_| TooHard)? else { return Ok(false) };
        captures.clear();
        captures.text.extend_from_slice(text);
        captures.groups.extend((0..found.len()).map(|group| found.get(group).map(|m| (m.start(), m.end()))));
        Ok(true)
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "~{}", self.pattern)
    }
}

/// The innermost reason, without the drawing of the pattern that regex-syntax adds.
fn explain(error: &fancy_regex::Error) -> String {
    let mut text = error.to_string();
    let mut source = match error {
        fancy_regex::Error::CompileError(inner) => match &**inner {
            fancy_regex::CompileError::InnerError(inner) => std::error::Error::source(inner),
            _ => None,
        },
        _ => None,
    };
    while let Some(error) = source {
        text = error.to_string();
        source = error.source();
    }
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// Writes a PCRE pattern the way fancy-regex reads it, where the two read the same text differently:
/// in classes `[`, `&`, `~` are plain characters and so is `-` beside `\w` and the like; `\<`, `\>` are plain; `\h` is
/// white space; `{,n}` is plain; `\Q..\E` quotes; non-ASCII characters in classes stand for their bytes.
fn rewrite(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '\\' => escape_sequence(rest, &mut out, false),
            '[' => class(rest, &mut out),
            '{' if rest.starts_with("{,") => {
                out.push('\\');
                take(rest, 1, &mut out)
            }
            _ => take(rest, first.len_utf8(), &mut out),
        };
    }
    out
}

/// Moves `len` bytes over.
fn take<'a>(text: &'a str, len: usize, out: &mut String) -> &'a str {
    let (head, tail) = text.split_at_checked(len).unwrap_or((text, ""));
    out.push_str(head);
    tail
}

/// Rewrites a sequence that starts with a backslash; returns what follows it.
fn escape_sequence<'a>(text: &'a str, out: &mut String, in_class: bool) -> &'a str {
    let Some(escaped) = text.chars().nth(1) else { return take(text, 1, out) };
    let rest = &text[1 + escaped.len_utf8()..];
    match escaped {
        'Q' => {
            let (quoted, tail) = rest.split_once("\\E").unwrap_or((rest, ""));
            out.push_str(&fancy_regex::escape(quoted));
            tail
        }
        'E' => rest,
        '<' | '>' => {
            out.push(escaped);
            rest
        }
        'h' => {
            out.push_str(if in_class { "\\t " } else { "[\\t ]" });
            rest
        }
        'H' if !in_class => {
            out.push_str("[^\\t ]");
            rest
        }
        _ => take(text, 1 + escaped.len_utf8(), out),
    }
}

/// Rewrites a bracketed class; returns what follows it.
fn class<'a>(text: &'a str, out: &mut String) -> &'a str {
    let mut rest = take(text, if text.starts_with("[^") { 2 } else { 1 }, out);
    if let Some(tail) = rest.strip_prefix(']') {
        out.push_str("\\]");
        rest = tail;
    }
    // Whether a range can start with the item before, and whether it ends with this one.
    let (mut can_start, mut is_end) = (false, false);
    while let Some(first) = rest.chars().next() {
        let mut single = true;
        let (started, ends) = (std::mem::take(&mut can_start), std::mem::take(&mut is_end));
        rest = match first {
            ']' => return take(rest, 1, out),
            '\\' => {
                single = !is_class(rest);
                escape_sequence(rest, out, true)
            }
            '[' => match rest.find(":]").filter(|_| is_class(rest)) {
                Some(end) => {
                    single = false;
                    take(rest, end + 2, out)
                }
                None => escaped(rest, out),
            },
            '-' if started && !rest.starts_with("-]") && !is_class(&rest[1..]) => {
                is_end = true;
                take(rest, 1, out)
            }
            '-' | '&' | '~' => escaped(rest, out),
            _ if !first.is_ascii() => {
                for byte in first.encode_utf8(&mut [0; 4]).bytes() {
                    out.push_str(&format!("\\x{byte:02x}"));
                }
                &rest[first.len_utf8()..]
            }
            _ => take(rest, 1, out),
        };
        can_start = single && !ends && !is_end;
    }
    rest
}

/// Moves one ASCII character over as a literal.
fn escaped<'a>(text: &'a str, out: &mut String) -> &'a str {
    out.push('\\');
    take(text, 1, out)
}

/// Whether an item of a class is itself a class.
fn is_class(text: &str) -> bool {
    matches!(text.as_bytes(), [b'\\', b'w' | b'W' | b'd' | b'D' | b's' | b'S' | b'h' | b'H', ..] | [b'[', b':', ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, text: &[u8]) -> bool {
        let regex = Regex::new(pattern, false).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        regex.is_match(text).unwrap()
    }

    #[test]
    fn what_sites_write() {
        for (pattern, yes, no) in [
            (r"\.(?:css|js)$", "/a.css", "/a.cssx"),
            (r"^/[\w-.]+$", "/a-b.c", "/a/b"),
            (r"^/[\w\-\.]+\/$", "/a-b/", "/a-b"),
            (r"^(?!/api).*$", "/x", "/api/x"),
            (r"^/(?<!x)a(?=b)", "/ab", "/ac"),
            (r"^(.)\1$", "aa", "ab"),
            (r"^[a-z[0-9]+$", "a[0", "a]"),
            (r"^[&&x]+$", "&x", "y"),
            (r"^[--/]+$", "-./", ","),
            (r"^[a-c-e]+$", "a-e", "d"),
            (r"^[\w-\d]+$", "a-1", "/"),
            (r"^[a-\d]+$", "a-1", "b"),
            (r"^[+--]+$", "+,-", "*"),
            (r"^[]a]+$", "]a", "b"),
            (r"^[^]a]+$", "b", "]"),
            (r"^[[:alpha:]-_]+$", "a-_", "1"),
            (r"^a{2}$", "aa", "a"),
            (r"^a{,2}$", "a{,2}", "aa"),
            (r"^/a{x$", "/a{x", "/ax"),
            (r"^\<\>\_\-\@\%\!\#\/$", "<>_-@%!#/", ""),
            (r"^a\hb$", "a\tb", "aab"),
            (r"^a\Hb$", "axb", "a b"),
            (r"^\Qa.b\Ec$", "a.bc", "axbc"),
            (r"^(?>a+)b++$", "aab", "aa"),
            (r"(?i)^/A$", "/a", "/b"),
            ("^/\u{e9}$", "/\u{e9}", "/e"),
            ("^/[\u{e9}]+$", "/\u{e9}", "/e"),
            (r"", "x", "\0never"),
        ] {
            assert!(matches(pattern, yes.as_bytes()), "{pattern} {yes}");
            assert!(no == "\0never" || !matches(pattern, no.as_bytes()), "{pattern} {no}");
        }
    }

    #[test]
    fn bytes_need_not_be_utf8() {
        assert!(matches(r"^/.$", b"/\xe9"));
        assert!(matches(r"^/[^x](?!y)$", b"/\xe9"));
        assert!(matches(r"^/\xe9$", b"/\xe9"));
        assert!(matches(r"^/..$", "/\u{e9}".as_bytes()));
    }

    #[test]
    fn groups_by_number_and_name() {
        let regex = Regex::new(r"^/(?<lang>[a-z]{2})/(x)?(.*)", false).unwrap();
        assert_eq!(regex.names().collect::<Vec<_>>(), [("lang", 1)]);
        assert_eq!(regex.groups(), 3);
        let mut captures = Captures::default();
        assert_eq!(regex.captures(b"/de/y\xff", &mut captures), Ok(true));
        assert_eq!((captures.get(0), captures.get(1)), (Some(&b"/de/y\xff"[..]), Some(&b"de"[..])));
        assert_eq!((captures.get(2), captures.get(3), captures.get(4)), (None, Some(&b"y\xff"[..]), None));
        assert_eq!(regex.captures(b"/x", &mut captures), Ok(false));
        assert_eq!(captures.get(1), Some(&b"de"[..]), "no match leaves them");
        assert_eq!(Regex::new("^/x", false).unwrap().captures(b"/x", &mut captures), Ok(true));
        assert_eq!(captures.get(1), None);
    }

    #[test]
    fn case() {
        assert_eq!(Regex::new(r"\.PHP$", true).unwrap().is_match(b"/a.php"), Ok(true));
        assert_eq!(Regex::new(r"\.PHP$", false).unwrap().is_match(b"/a.php"), Ok(false));
    }

    #[test]
    fn a_bad_pattern_is_explained_in_one_line() {
        for pattern in ["(", "[a", "*", "a\\", "(?<n", "[z-a]", "\\p{L}"] {
            let error = Regex::new(pattern, false).unwrap_err();
            assert!(!error.is_empty() && !error.contains('\n'), "{pattern}: {error:?}");
        }
        assert!(Regex::new("[z-a]", false).unwrap_err().contains("range"));
    }

    #[test]
    fn nested_repetition_is_linear_without_look_around() {
        let text = "a".repeat(5000);
        assert!(!matches(r"^(a+)+(a|aa)+(.+)+\.php$", text.as_bytes()));
    }

    #[test]
    fn a_match_that_is_too_hard_is_an_error() {
        let regex = Regex::new(r"^(?:(a|aa)(?!x))+\1c$", false).unwrap();
        assert_eq!(regex.is_match("a".repeat(60).as_bytes()), Err(TooHard));
        assert_eq!(regex.captures("a".repeat(60).as_bytes(), &mut Captures::default()), Err(TooHard));
        assert_eq!(regex.is_match(b"aac"), Ok(true));
    }

    proptest! {
        #[test]
        fn any_pattern_and_text(pattern in "[\\[\\]\\\\^$.|?*+(){}a-c:&~wQEh<,0-9\u{e9}-]{0,16}", text in proptest::collection::vec(any::<u8>(), 0..20)) {
            if let Ok(regex) = Regex::new(&pattern, false) {
                let _ = regex.captures(&text, &mut Captures::default());
            }
        }
    }
}
