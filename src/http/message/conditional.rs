//! Conditional requests: RFC 9110 section 13, with nginx's if_modified_since modes.

use crate::http::message::date;
use crate::http::message::field::Id;
use crate::http::message::head::{Head, Method};
use std::borrow::Cow;
use std::fmt;

/// The validators of a representation: they identify its version (RFC 9110 section 8.8).
#[derive(Clone, Copy, Debug, Default)]
pub struct Validators<'a> {
    /// The entity tag as sent, with quotes, and `W/` if weak; `None` with `etag off`.
    pub etag: Option<&'a [u8]>,
    /// Seconds since the epoch.
    pub modified: Option<i64>,
}

/// How If-Modified-Since is compared (the directive if_modified_since).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModifiedSince {
    /// The response is always considered modified.
    Off,
    /// The times must be equal.
    #[default]
    Exact,
    /// The file must not be newer.
    Before,
}

/// The preconditions of a request; values are raw field values, several lines of a list joined.
#[derive(Clone, Debug, Default)]
pub struct Preconditions<'a> {
    /// The entity tags of If-Match, or `*` (RFC 9110 section 13.1.1).
    pub if_match: Option<Cow<'a, [u8]>>,
    /// The entity tags of If-None-Match, or `*` (RFC 9110 section 13.1.2).
    pub if_none_match: Option<Cow<'a, [u8]>>,
    /// The date of If-Modified-Since (RFC 9110 section 13.1.3); `None` also for methods other than GET and HEAD.
    pub if_modified_since: Option<&'a [u8]>,
    /// The date of If-Unmodified-Since (RFC 9110 section 13.1.4).
    pub if_unmodified_since: Option<&'a [u8]>,
    /// The method is neither GET nor HEAD.
    pub writes: bool,
}

/// The outcome of the preconditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The request is answered as if it had no preconditions.
    Proceed,
    /// 304
    NotModified,
    /// 412
    PreconditionFailed,
}

impl<'a> Preconditions<'a> {
    /// Gathers the preconditions of a request.
    pub fn of(head: &Head, buf: &'a [u8]) -> Self {
        let writes = !matches!(head.method, Method::Get | Method::Head);
        Self {
            if_match: head.list(buf, Id::IfMatch),
            if_none_match: head.list(buf, Id::IfNoneMatch),
            // RFC 9110 section 13.1.3: it means nothing for other methods.
            if_modified_since: head.known(buf, Id::IfModifiedSince).filter(|_| !writes),
            if_unmodified_since: head.known(buf, Id::IfUnmodifiedSince),
            writes,
        }
    }

    /// Evaluates them in the order of RFC 9110 section 13.2.2. nginx differs: it fails If-Unmodified-Since and honours
    /// If-Modified-Since next to entity tags, and says 304 to POST, which the RFC forbids in sections 13.1.2 to 13.1.4.
    pub fn evaluate(&self, validators: Validators, mode: ModifiedSince) -> Outcome {
        if let Some(list) = &self.if_match {
            if !any_tag(list, validators.etag, strong_match) {
                return Outcome::PreconditionFailed;
            }
        } else if let (Some(since), Some(modified)) = (self.if_unmodified_since, validators.modified)
            && date::parse(since).is_some_and(|since| modified > since)
        {
            return Outcome::PreconditionFailed;
        }
        let unchanged = if let Some(list) = &self.if_none_match {
            any_tag(list, validators.etag, weak_match)
        } else if let (Some(since), Some(modified)) = (self.if_modified_since, validators.modified) {
            date::parse(since).is_some_and(|since| match mode {
                ModifiedSince::Off => false,
                ModifiedSince::Exact => modified == since,
                ModifiedSince::Before => modified <= since,
            })
        } else {
            false
        };
        match unchanged {
            true if self.writes => Outcome::PreconditionFailed,
            true => Outcome::NotModified,
            false => Outcome::Proceed,
        }
    }
}

/// Whether If-Range lets Range apply (RFC 9110 section 13.1.5): a strong entity tag that is the same, or the very date.
pub fn range_applies(if_range: Option<&[u8]>, validators: Validators) -> bool {
    match if_range {
        None => true,
        Some(tag) if tag.ends_with(b"\"") => validators.etag.is_some_and(|etag| strong_match(tag, etag)),
        Some(text) => validators.modified.is_some() && date::parse(text) == validators.modified,
    }
}

fn strong_match(a: &[u8], b: &[u8]) -> bool {
    a == b && !a.starts_with(b"W/")
}

fn weak_match(a: &[u8], b: &[u8]) -> bool {
    a.strip_prefix(b"W/").unwrap_or(a) == b.strip_prefix(b"W/").unwrap_or(b)
}

/// Whether a list of entity tags, or `*`, has one that matches. Tags may hold commas; what is no tag ends the list.
fn any_tag(list: &[u8], etag: Option<&[u8]>, same: fn(&[u8], &[u8]) -> bool) -> bool {
    // Every file that is sent exists, so `*` matches even without a tag.
    if list == b"*" {
        return true;
    }
    let Some(etag) = etag else { return false };
    let mut rest = list;
    loop {
        while let [b' ' | b'\t' | b',', tail @ ..] = rest {
            rest = tail;
        }
        let Some((tag, tail)) = split_tag(rest) else { return false };
        if same(tag, etag) {
            return true;
        }
        rest = tail;
    }
}

/// The entity tag at the start of the text, and what follows it.
fn split_tag(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let open = if text.starts_with(b"W/") { 2 } else { 0 };
    let opaque = text.get(open..)?.strip_prefix(b"\"")?;
    let len = memchr::memchr(b'"', opaque)?;
    Some(text.split_at(open + len + 2))
}

/// A file's entity tag as nginx writes it: `"MTIME-SIZE"` in hex (ngx_http_set_etag).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EntityTag {
    text: [u8; EntityTag::MAX],
    len: u8,
}

impl EntityTag {
    /// Quotes, sign, two 64-bit numbers in hex, hyphen.
    const MAX: usize = 2 + 1 + 16 + 1 + 16 + Self::MAX_SUFFIX;

    /// A hyphen, and the longest name of a coding.
    const MAX_SUFFIX: usize = 1 + 4;

    /// The tag of a file with this modification time (seconds) and size (bytes).
    pub fn new(modified: i64, size: u64) -> Self {
        let mut tag = Self { text: [0; Self::MAX], len: 0 };
        tag.push(b'"');
        if modified < 0 {
            tag.push(b'-');
        }
        tag.push_hex(modified.unsigned_abs());
        tag.push(b'-');
        tag.push_hex(size);
        tag.push(b'"');
        tag
    }

    /// No tag.
    pub const NONE: Self = Self { text: [0; Self::MAX], len: 0 };

    /// The tag of a file whose contents have this hash.
    pub fn of_contents(hash: &[u8; 16]) -> Self {
        let mut tag = Self::NONE;
        tag.push(b'"');
        for byte in hash {
            [byte >> 4, byte & 15].into_iter().for_each(|digit| tag.push(b"0123456789abcdef"[usize::from(digit)]));
        }
        tag.push(b'"');
        tag
    }

    /// The tag of the same file in another form, whose name is at most four bytes long.
    pub fn with_suffix(mut self, name: &str) -> Self {
        if self.len == 0 {
            return self;
        }
        self.len = self.len.saturating_sub(1);
        [b"-", name.as_bytes(), b"\""].concat().into_iter().for_each(|byte| self.push(byte));
        self
    }

    /// The tag as the ETag field sends it, with its quotes.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.get(..usize::from(self.len)).unwrap_or_default()
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.text.get_mut(usize::from(self.len)) {
            *place = byte;
            self.len += 1;
        }
    }

    fn push_hex(&mut self, number: u64) {
        let digits = (64 - number.leading_zeros()).div_ceil(4).max(1);
        for digit in (0..digits).rev() {
            self.push(b"0123456789abcdef"[(number >> (4 * digit) & 15) as usize]);
        }
    }
}

impl fmt::Debug for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_bytes().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TAG: &[u8] = b"\"6b009c17-3e8\"";
    const TIME: i64 = 784_111_777;
    const SAME: Option<&[u8]> = Some(b"Sun, 06 Nov 1994 08:49:37 GMT");
    const LATER: Option<&[u8]> = Some(b"Sun, 06 Nov 1994 08:49:38 GMT");
    const EARLIER: Option<&[u8]> = Some(b"Sun, 06 Nov 1994 08:49:36 GMT");

    fn both() -> Validators<'static> {
        Validators { etag: Some(TAG), modified: Some(TIME) }
    }

    fn outcome(preconditions: Preconditions) -> Outcome {
        preconditions.evaluate(both(), ModifiedSince::Exact)
    }

    #[test]
    fn if_none_match() {
        let with =
            |list: &'static str| Preconditions { if_none_match: Some(list.as_bytes().into()), ..Default::default() };
        for list in [
            "\"6b009c17-3e8\"",
            "W/\"6b009c17-3e8\"",
            "*",
            "\"a\", \"6b009c17-3e8\"",
            "\"a,b\" ,,W/\"x\"\t,\"6b009c17-3e8\"",
        ] {
            assert_eq!(outcome(with(list)), Outcome::NotModified, "{list}");
        }
        for list in [
            "",
            "6b009c17-3e8",
            "\"6b009c17-3e8",
            "\"x\"",
            "\"x\" y \"6b009c17-3e8\"",
            "w/\"6b009c17-3e8\"",
            "*, \"x\"",
        ] {
            assert_eq!(outcome(with(list)), Outcome::Proceed, "{list}");
        }
        let no_tag = Validators { etag: None, modified: Some(TIME) };
        assert_eq!(with("\"x\"").evaluate(no_tag, ModifiedSince::Exact), Outcome::Proceed);
        assert_eq!(with("*").evaluate(no_tag, ModifiedSince::Exact), Outcome::NotModified);
    }

    #[test]
    fn if_match_is_strong() {
        let with = |list: &'static str| Preconditions { if_match: Some(list.as_bytes().into()), ..Default::default() };
        for list in ["\"6b009c17-3e8\"", "*", "\"a\",\"6b009c17-3e8\""] {
            assert_eq!(outcome(with(list)), Outcome::Proceed, "{list}");
        }
        for list in ["W/\"6b009c17-3e8\"", "\"a\"", ""] {
            assert_eq!(outcome(with(list)), Outcome::PreconditionFailed, "{list}");
        }
        let weak = Validators { etag: Some(b"W/\"x\""), modified: None };
        assert_eq!(with("W/\"x\"").evaluate(weak, ModifiedSince::Exact), Outcome::PreconditionFailed);
    }

    #[test]
    fn if_modified_since_modes() {
        let outcome =
            |since, mode| Preconditions { if_modified_since: since, ..Default::default() }.evaluate(both(), mode);
        use ModifiedSince::*;
        use Outcome::*;
        for (since, mode, expected) in [
            (SAME, Exact, NotModified),
            (LATER, Exact, Proceed),
            (EARLIER, Exact, Proceed),
            (SAME, Before, NotModified),
            (LATER, Before, NotModified),
            (EARLIER, Before, Proceed),
            (SAME, Off, Proceed),
            (Some(&b"nonsense"[..]), Before, Proceed),
        ] {
            assert_eq!(outcome(since, mode), expected, "{since:?} {mode:?}");
        }
    }

    #[test]
    fn if_unmodified_since() {
        let with = |since| Preconditions { if_unmodified_since: since, ..Default::default() };
        assert_eq!(outcome(with(SAME)), Outcome::Proceed);
        assert_eq!(outcome(with(LATER)), Outcome::Proceed);
        assert_eq!(outcome(with(EARLIER)), Outcome::PreconditionFailed);
        assert_eq!(outcome(with(Some(b"nonsense"))), Outcome::Proceed);
    }

    #[test]
    fn entity_tags_win_over_dates() {
        let tags = Preconditions {
            if_match: Some(TAG.into()),
            if_none_match: Some(b"\"other\"".as_slice().into()),
            ..Default::default()
        };
        assert_eq!(outcome(Preconditions { if_unmodified_since: EARLIER, ..tags.clone() }), Outcome::Proceed);
        assert_eq!(outcome(Preconditions { if_modified_since: SAME, ..tags }), Outcome::Proceed);
        let failed = Preconditions {
            if_match: Some(b"\"x\"".as_slice().into()),
            if_none_match: Some(TAG.into()),
            ..Default::default()
        };
        assert_eq!(outcome(failed), Outcome::PreconditionFailed);
        let unmodified = Preconditions { if_unmodified_since: SAME, if_modified_since: SAME, ..Default::default() };
        assert_eq!(outcome(unmodified), Outcome::NotModified);
    }

    #[test]
    fn lines_of_a_list_are_one_list() {
        let bytes = b"GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"x\"\r\nIf-Match: \"y\"\r\n\
                      if-none-match: \"6b009c17-3e8\"\r\nIf-Match:\r\nIf-Match: \"z\"\r\n\r\n";
        let mut head = Head::default();
        crate::http::message::request::parse(&mut head, bytes, &Default::default()).unwrap();
        let both = Preconditions::of(&head, bytes);
        assert_eq!(both.if_none_match.as_deref(), Some(&b"\"x\", \"6b009c17-3e8\""[..]));
        assert_eq!(both.if_match.as_deref(), Some(&b"\"y\", , \"z\""[..]));
        assert_eq!(outcome(Preconditions { if_match: None, ..both.clone() }), Outcome::NotModified);
        let last = Validators { etag: Some(b"\"z\""), modified: None };
        assert_eq!(both.evaluate(last, ModifiedSince::Exact), Outcome::Proceed);
    }

    #[test]
    fn what_would_write_fails_where_a_get_is_not_modified() {
        for (method, outcome, date_outcome) in [
            ("GET", Outcome::NotModified, Outcome::NotModified),
            ("HEAD", Outcome::NotModified, Outcome::NotModified),
            ("POST", Outcome::PreconditionFailed, Outcome::Proceed),
            ("DELETE", Outcome::PreconditionFailed, Outcome::Proceed),
        ] {
            let evaluate = |field: &str| {
                let bytes = format!("{method} / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n");
                let mut head = Head::default();
                crate::http::message::request::parse(&mut head, bytes.as_bytes(), &Default::default()).unwrap();
                Preconditions::of(&head, bytes.as_bytes()).evaluate(both(), ModifiedSince::Exact)
            };
            assert_eq!(evaluate("If-None-Match: *"), outcome, "{method}");
            assert_eq!(evaluate("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"), date_outcome, "{method}");
        }
    }

    #[test]
    fn if_range() {
        assert!(range_applies(None, both()));
        assert!(range_applies(Some(TAG), both()));
        assert!(range_applies(SAME, both()));
        for value in [LATER, EARLIER, Some(&b"\"x\""[..]), Some(b"W/\"6b009c17-3e8\""), Some(b"x"), Some(b"")] {
            assert!(!range_applies(value, both()), "{value:?}");
        }
        let weak = Validators { etag: Some(b"W/\"x\""), modified: None };
        assert!(!range_applies(Some(b"W/\"x\""), weak));
        assert!(!range_applies(Some(b"x"), weak), "no date is not the same as a bad date");
    }

    #[test]
    fn the_tag_of_a_file() {
        assert_eq!(EntityTag::new(0x6b00_9c17, 0x3e8).as_bytes(), TAG);
        assert_eq!(EntityTag::new(0, 0).as_bytes(), b"\"0-0\"");
        assert_eq!(EntityTag::new(-1, 16).as_bytes(), b"\"-1-10\"");
        assert_eq!(EntityTag::new(i64::MIN, u64::MAX).as_bytes(), b"\"-8000000000000000-ffffffffffffffff\"");
    }

    proptest! {
        #[test]
        fn the_tag_is_the_numbers_in_hex(modified in 0i64.., size: u64) {
            let expected = format!("\"{modified:x}-{size:x}\"");
            let tag = EntityTag::new(modified, size);
            prop_assert_eq!(tag.as_bytes(), expected.as_bytes());
        }

        #[test]
        fn any_list_ends(list in "[W/\"a, *\t]{0,30}") {
            let preconditions = Preconditions {
                if_match: Some(list.as_bytes().into()),
                if_none_match: Some(list.as_bytes().into()),
                ..Default::default()
            };
            let _ = outcome(preconditions);
        }
    }
}
