//! Fields of requests that say which part, which version and which coding of a file a client wants.

use drover::http::message::accept_encoding::{Coding, Weights, nginx_takes_gzip};
use drover::http::message::conditional::{ModifiedSince, Outcome, Preconditions, Validators, range_applies};
use drover::http::message::date;
use drover::http::message::head::{Head, Limits};
use drover::http::message::media_ranges;
use drover::http::message::range::{self, ByteRange, Multipart, Ranges};
use drover::http::message::request::{self, Parse};
use regex::bytes::Regex;

/// Ranges lie in the file, are together no longer than the file, and are those that a second reader finds; the
/// announced length is the real one.
pub(super) fn range(input: &[u8]) {
    let size = [0, 1, 10, 1 << 40, i64::MAX as u64][input.len() % 5];
    for most in [Some(50), None] {
        let Ranges::Satisfiable(ranges) = range::parse(input, size, most) else { continue };
        assert!(!ranges.is_empty() && most.is_none_or(|most| ranges.len() as u64 <= most));
        assert!(ranges.iter().all(|range| range.start < range.end && range.end <= size));
        let total: u128 = ranges.iter().map(|range| u128::from(range.size())).sum();
        assert!(total <= u128::from(size));
        assert_eq!(read_ranges(input, size), ranges);
        if size <= 1 << 40 {
            check_multipart(&ranges, size);
        }
    }
}

/// The ranges of a list that is well-formed, but for those that are empty.
fn read_ranges(value: &[u8], size: u64) -> Vec<ByteRange> {
    let list = std::str::from_utf8(&value[6..]).expect("digits and marks");
    let elements =
        list.split(',').map(|element| element.trim_matches([' ', '\t'])).filter(|element| !element.is_empty());
    let number = |text: &str| text.trim_matches([' ', '\t']).parse::<u64>().unwrap_or(u64::MAX);
    let range = |element: &str| match element.split_once('-').expect("a hyphen") {
        (first, last) if first.trim_matches([' ', '\t']).is_empty() => (size.saturating_sub(number(last)), size),
        (first, last) if last.trim_matches([' ', '\t']).is_empty() => (number(first), size),
        (first, last) => (number(first), number(last).saturating_add(1).min(size)),
    };
    elements.map(range).filter(|(start, end)| start < end).map(|(start, end)| ByteRange { start, end }).collect()
}

fn check_multipart(ranges: &[ByteRange], size: u64) {
    let multipart = Multipart { boundary: 7, content_type: Some(b"text/plain"), size };
    let mut text = Vec::new();
    let data: u64 = ranges.iter().map(|range| range.size()).sum();
    ranges.iter().for_each(|range| multipart.part_head(&mut text, *range));
    multipart.end(&mut text);
    assert_eq!(multipart.content_length(ranges), text.len() as u64 + data);
}

/// A date is the same when it is written and read again, and one of the usual form is the second that counting the days
/// gives.
pub(super) fn date(input: &[u8]) {
    let Some(seconds) = date::parse(input) else { return };
    let text = date::format(seconds);
    assert_eq!(date::parse(&text), Some(seconds));
    if input.len() == date::LEN && input[7] == b' ' {
        assert_eq!(count_seconds(input), Some(seconds), "{}", input.escape_ascii());
        // The day of the week is the one that the date has, or it is not looked at.
        assert_eq!(input[3..], text[3..]);
    }
}

/// The seconds up to `Sun, 06 Nov 1994 08:49:37 GMT`.
fn count_seconds(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let number = |at: usize, len: usize| text.get(at..at + len)?.parse::<i64>().ok();
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = names.iter().position(|name| text.get(8..11) == Some(name))?;
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let year = number(12, 4)?;
    let of_years: i64 = (1970..year).map(|year| 365 + i64::from(is_leap(year))).sum();
    let lengths = [31, 28 + i64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days = of_years + lengths[..month].iter().sum::<i64>() + number(5, 2)? - 1;
    Some(((days * 24 + number(17, 2)?) * 60 + number(20, 2)?) * 60 + number(23, 2)?)
}

const TAG: &[u8] = b"\"6b009c17-3e8\"";
const TIME: i64 = 784_111_777;

/// The input is field lines. The outcome is the one that RFC 9110 section 13.2.2 says step by step, of the fields that
/// the lines have.
pub(super) fn conditions(input: &[u8]) {
    for (method, writes) in [("GET", false), ("POST", true)] {
        let text = [method.as_bytes(), b" / HTTP/1.1\r\nHost: a\r\n", input, b"\r\n\r\n"].concat();
        let mut head = Head::default();
        match request::parse(&mut head, &text, &Limits::default()) {
            Ok(Parse::Complete(_)) => {}
            _ => return,
        }
        let preconditions = Preconditions::of(&head, &text);
        for (etag, modified) in [(Some(TAG), Some(TIME)), (None, Some(TIME)), (Some(&b"W/\"x\""[..]), None)] {
            let file = Validators { etag, modified };
            for mode in [ModifiedSince::Off, ModifiedSince::Exact, ModifiedSince::Before] {
                let expected = by_steps(&head, &text, file, mode, writes);
                assert_eq!(preconditions.evaluate(file, mode), expected, "{etag:?} {modified:?} {mode:?}");
            }
            let value = head.get(&text, b"if-range");
            let is_same = value.is_none_or(|value| match value.last() {
                Some(b'"') => etag.is_some_and(|etag| !etag.starts_with(b"W/") && value == etag),
                _ => modified.is_some() && date::parse(value) == modified,
            });
            assert_eq!(range_applies(value, file), is_same);
        }
    }
}

fn by_steps(head: &Head, text: &[u8], file: Validators, mode: ModifiedSince, writes: bool) -> Outcome {
    let list = |name: &str| {
        let same =
            |field: &&drover::http::message::head::Field| field.name.of(text).eq_ignore_ascii_case(name.as_bytes());
        let values: Vec<&[u8]> = head.fields.iter().filter(same).map(|field| field.value.of(text)).collect();
        (!values.is_empty()).then(|| values.join(&b", "[..]))
    };
    let time = |name: &str| head.get(text, name.as_bytes()).and_then(date::parse);
    let strong = |tag: &[u8]| !tag.starts_with(b"W/") && Some(tag) == file.etag;
    let opaque = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
    let weak = |tag: &[u8]| file.etag.is_some_and(|etag| opaque(etag) == opaque(tag));
    if let Some(list) = list("if-match") {
        if !(list == b"*" || tags(&list).iter().any(|tag| strong(tag))) {
            return Outcome::PreconditionFailed;
        }
    } else if let (Some(since), Some(modified)) = (time("if-unmodified-since"), file.modified)
        && modified > since
    {
        return Outcome::PreconditionFailed;
    }
    let is_unchanged = match (list("if-none-match"), time("if-modified-since"), file.modified) {
        (Some(list), ..) => list == b"*" || tags(&list).iter().any(|tag| weak(tag)),
        (None, Some(since), Some(modified)) if !writes => match mode {
            ModifiedSince::Off => false,
            ModifiedSince::Exact => since == modified,
            ModifiedSince::Before => since >= modified,
        },
        _ => false,
    };
    match (is_unchanged, writes) {
        (false, _) => Outcome::Proceed,
        (true, true) => Outcome::PreconditionFailed,
        (true, false) => Outcome::NotModified,
    }
}

/// The entity tags at the beginning of a list, up to what is none.
fn tags(list: &[u8]) -> Vec<Vec<u8>> {
    let tag = Regex::new(r#"(?s-u)\A[ \t,]*((?:W/)?"[^"]*")"#).expect("a pattern");
    let (mut rest, mut tags) = (list, Vec::new());
    while let Some(found) = tag.captures(rest) {
        tags.push(found[1].to_vec());
        rest = &rest[found[0].len()..];
    }
    tags
}

/// The weights of Accept-Encoding are those that a pattern for each element finds; they are at most 1, in thousandths.
pub(super) fn encodings() -> impl FnMut(&[u8]) {
    let element =
        Regex::new(r"(?s-u)\A[ \t]*([^;]*?)[ \t]*(?:;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*)?\z")
            .expect("a pattern");
    move |input| {
        let weights = Weights::of(input);
        let mut known: Vec<(String, u16)> = Vec::new();
        for text in input.split(|byte| *byte == b',') {
            let Some(found) = element.captures(text) else { continue };
            let number = found.get(2).map_or("1", |number| std::str::from_utf8(number.as_bytes()).expect("digits"));
            let weight = (number.parse::<f64>().expect("a number") * 1000.0).round() as u16;
            let name = String::from_utf8_lossy(&found[1]).to_ascii_lowercase();
            known.push((if name == "x-gzip" { "gzip".to_owned() } else { name }, weight));
        }
        let last = |wanted: &str| known.iter().rev().find(|(name, _)| name == wanted).map(|(_, weight)| *weight);
        for coding in [Coding::Brotli, Coding::Zstd, Coding::Gzip] {
            let expected = last(coding.token()).or(last("*")).unwrap_or(0);
            assert_eq!(weights.get(coding), expected, "{known:?}");
            assert!(expected <= 1000 && weights.where_worth(coding) <= expected);
        }
        assert_eq!(weights.identity, last("identity").or(last("*").filter(|weight| *weight == 0)));
        // nginx takes gzip by the first word, and never without it.
        assert!(!nginx_takes_gzip(input) || input.to_ascii_lowercase().windows(4).any(|four| four == b"gzip"));
    }
}

/// A list of media types gives each type one weight, of 1 at most, whatever unknown types stand beside.
pub(super) fn accept(input: &[u8]) {
    let weight = |list: &[u8]| media_ranges::weight(list, "application/openmetrics-text", "1.0.0");
    let (html, metrics) = (media_ranges::accept_html(input), weight(input));
    assert!(metrics.value <= 1000);
    let more = [input, b", image/x"].concat();
    assert_eq!((media_ranges::accept_html(&more), weight(&more)), (html, metrics));
}
