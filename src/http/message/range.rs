//! Byte ranges: RFC 9110 section 14, as nginx's range filter decides (ngx_http_range_filter_module.c).

use crate::http::message::field::trim;
use std::io::Write;

/// A part of a representation: bytes `start` up to, not including, `end`; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// Offset of the range's first byte.
    pub start: u64,
    /// Offset behind the range's last byte.
    pub end: u64,
}

impl ByteRange {
    /// Bytes in the range.
    pub fn size(self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

/// The outcome of a Range field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ranges {
    /// The field is ignored: 200 with everything.
    Ignored,
    /// 206 with these ranges, in the order of the field: one, or several as multipart/byteranges.
    Satisfiable(Vec<ByteRange>),
    /// 416
    Unsatisfiable,
}

/// The cost of a part besides its bytes, about, and how much more than the whole the ranges may cost: nginx's from
/// 1.29.5 on.
const PART_COST: u64 = 256;
const SPARE: u64 = 4096;

/// Reads a Range field for a representation of `size` bytes.
///
/// A malformed list is 416, as in nginx, and a unit other than bytes is ignored, and so are more than `max` ranges
/// (max_ranges; 0: no ranges at all), ranges which together exceed the size, and, without `max`, many small ones that
/// would take more bytes than the whole: neither overlaps nor the heads of the parts can multiply the traffic. Unlike
/// nginx, as the RFC has it: empty list elements are skipped (section 5.6.1) and numbers may be larger than any integer
/// (section 14.1.1).
pub fn parse(value: &[u8], size: u64, max: Option<u64>) -> Ranges {
    let Some((unit, list)) = value.split_at_checked(6) else { return Ranges::Ignored };
    if max == Some(0) || !unit.eq_ignore_ascii_case(b"bytes=") || list.is_empty() {
        return Ranges::Ignored;
    }
    let (mut ranges, mut total, mut elements) = (Vec::new(), 0u64, 0);
    for element in list.split(|b| *b == b',').map(trim).filter(|e| !e.is_empty()) {
        elements += 1;
        let Some((start, end)) = bounds(element, size) else { return Ranges::Unsatisfiable };
        if start < end {
            if max.is_some_and(|max| ranges.len() as u64 >= max) {
                return Ranges::Ignored;
            }
            total = total.saturating_add(end - start);
            // Without memory for the list the client gets all.
            if ranges.try_reserve(1).is_err() {
                return Ranges::Ignored;
            }
            ranges.push(ByteRange { start, end });
        } else if start == 0 {
            // Any range of an empty file.
            return Ranges::Ignored;
        }
    }
    match () {
        () if elements == 0 || ranges.is_empty() => Ranges::Unsatisfiable,
        () if total > size => Ranges::Ignored,
        () if max.is_none() && total.saturating_add(PART_COST * ranges.len() as u64) > size.saturating_add(SPARE) => {
            Ranges::Ignored
        }
        () => Ranges::Satisfiable(ranges),
    }
}

/// Start and end of one range-spec, clamped to the size; `None` if it's none.
fn bounds(spec: &[u8], size: u64) -> Option<(u64, u64)> {
    let hyphen = spec.iter().position(|b| *b == b'-')?;
    let (first, last) = (trim(&spec[..hyphen]), trim(&spec[hyphen + 1..]));
    if first.is_empty() {
        return Some((size.saturating_sub(number(last)?), size));
    }
    let start = number(first)?;
    let end = if last.is_empty() { size } else { number(last)?.saturating_add(1).min(size) };
    Some((start, end))
}

/// A decimal number; one that is too large for an integer is larger than any file.
fn number(digits: &[u8]) -> Option<u64> {
    let add = |sum: u64, digit: &u8| {
        digit.is_ascii_digit().then(|| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}

/// The value of Content-Range for a 206.
pub fn content_range(out: &mut Vec<u8>, range: ByteRange, size: u64) {
    out.extend_from_slice(b"bytes ");
    push_number(out, range.start);
    out.push(b'-');
    push_number(out, range.end.saturating_sub(1));
    out.push(b'/');
    push_number(out, size);
}

/// The value of Content-Range for a 416.
pub fn content_range_unsatisfied(out: &mut Vec<u8>, size: u64) {
    out.extend_from_slice(b"bytes */");
    push_number(out, size);
}

fn push_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// A multipart/byteranges body around several ranges of one representation, byte for byte nginx's.
#[derive(Clone, Copy, Debug)]
pub struct Multipart<'a> {
    /// A number other than that of any other response; written with 20 digits.
    pub boundary: u64,
    /// The representation's own type, with its charset; `None` if it has none.
    pub content_type: Option<&'a [u8]>,
    /// Bytes of the whole representation.
    pub size: u64,
}

/// CRLF, two hyphens, 20 digits.
const BOUNDARY_LEN: u64 = 2 + 2 + 20;

impl Multipart<'_> {
    /// The response's Content-Type.
    pub fn response_type(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"multipart/byteranges; boundary=");
        self.boundary_text(out);
    }

    /// Appends the delimiter and the head of a part, which stand before its bytes.
    pub fn part_head(&self, out: &mut Vec<u8>, range: ByteRange) {
        out.extend_from_slice(b"\r\n--");
        self.boundary_text(out);
        if let Some(content_type) = self.content_type {
            out.extend_from_slice(b"\r\nContent-Type: ");
            out.extend_from_slice(content_type);
        }
        out.extend_from_slice(b"\r\nContent-Range: ");
        content_range(out, range, self.size);
        out.extend_from_slice(b"\r\n\r\n");
    }

    /// Appends the closing delimiter, which stands behind the last part.
    pub fn end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n--");
        self.boundary_text(out);
        out.extend_from_slice(b"--\r\n");
    }

    /// Content-Length of the response.
    pub fn content_length(&self, ranges: &[ByteRange]) -> u64 {
        let field = |name: &str, len: u64| name.len() as u64 + len;
        let content_type = self.content_type.map_or(0, |value| field("\r\nContent-Type: ", value.len() as u64));
        let size = digits(self.size);
        let part = |range: &ByteRange| {
            let text = field("bytes -/", digits(range.start) + digits(range.end.saturating_sub(1)) + size);
            BOUNDARY_LEN + content_type + field("\r\nContent-Range: \r\n\r\n", text) + range.size()
        };
        ranges.iter().map(part).sum::<u64>() + BOUNDARY_LEN + 4
    }

    fn boundary_text(&self, out: &mut Vec<u8>) {
        // Writing to a Vec can't fail.
        let _ = write!(out, "{:020}", self.boundary);
    }
}

fn digits(number: u64) -> u64 {
    u64::from(number.checked_ilog10().unwrap_or(0)) + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(value: &str, size: u64, max: impl Into<Option<u64>>) -> Ranges {
        parse(value.as_bytes(), size, max.into())
    }

    fn is_satisfiable(ranges: Ranges) -> bool {
        matches!(ranges, Ranges::Satisfiable(_))
    }

    #[test]
    fn satisfiable() {
        for (value, expected) in [
            ("bytes=0-0", &[(0, 1)][..]),
            ("BYTES=0-1", &[(0, 2)]),
            ("bytes=-5", &[(995, 1000)]),
            ("bytes=-2000", &[(0, 1000)]),
            ("bytes=990-", &[(990, 1000)]),
            ("bytes=999-2000", &[(999, 1000)]),
            ("bytes=0-999", &[(0, 1000)]),
            ("bytes=0-1,3-4", &[(0, 2), (3, 5)]),
            ("bytes= 0 - 1 , 3-4 ", &[(0, 2), (3, 5)]),
            ("bytes=0-499,0-499", &[(0, 500), (0, 500)]),
            ("bytes=2000-,0-1,5-4,-0", &[(0, 2)]),
            ("bytes=-1,-1,-1", &[(999, 1000), (999, 1000), (999, 1000)]),
            // Where nginx answers 416.
            ("bytes=,0-1,, 2-3,", &[(0, 2), (2, 4)]),
            ("bytes=0-99999999999999999999999", &[(0, 1000)]),
            ("bytes=-99999999999999999999999", &[(0, 1000)]),
        ] {
            let expected = expected.iter().map(|&(start, end)| ByteRange { start, end }).collect();
            assert_eq!(of(value, 1000, None), Ranges::Satisfiable(expected), "{value}");
        }
    }

    #[test]
    fn unsatisfiable() {
        for value in [
            "bytes=-0",
            "bytes=1000-",
            "bytes=2000-3000",
            "bytes=5-4",
            "bytes=a-b",
            "bytes=1",
            "bytes=-",
            "bytes=--1",
            "bytes=,",
            "bytes=0-1,a",
            "bytes=0-1,-",
            "bytes=0-1;",
            "bytes=0x1-2",
            "bytes=+1-2",
            "bytes=1-2-3",
            "bytes=1 2-3",
            "bytes=99999999999999999999-",
            "bytes=2000-,-0",
            "bytes=1-0",
        ] {
            assert_eq!(of(value, 1000, None), Ranges::Unsatisfiable, "{value}");
        }
    }

    #[test]
    fn ignored() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "chars=0-1",
            "bytes = 0-1",
            "bytes 0-1",
            "bytes=0-,0-",
            "bytes=0-999,0-0",
            "bytes=0-500,500-999",
        ] {
            assert_eq!(of(value, 1000, None), Ranges::Ignored, "{value}");
        }
        for value in ["bytes=0-0", "bytes=-5", "bytes=-0", "bytes=0-"] {
            assert_eq!(of(value, 0, None), Ranges::Ignored, "{value} of nothing");
        }
        assert_eq!(of("bytes=1-", 0, None), Ranges::Unsatisfiable);
    }

    #[test]
    fn no_more_ranges_than_the_maximum() {
        assert!(is_satisfiable(of("bytes=0-1,2-3,4-5", 1000, 3)));
        assert!(is_satisfiable(of("bytes=0-1,2-3,4-5,2000-", 1000, 3)));
        assert_eq!(of("bytes=0-1,2-3,4-5,6-7", 1000, 3), Ranges::Ignored);
        assert_eq!(of("bytes=0-1", 1000, 0), Ranges::Ignored);
    }

    /// 1900 ranges of a byte each would be 164 kB for a file of 2 kB.
    #[test]
    fn more_ranges_than_pay_are_the_whole_file() {
        let bytes = |n: usize, len: usize| {
            let list: Vec<_> = (0..n).map(|i| format!("{}-{}", i * 100, i * 100 + len - 1)).collect();
            format!("bytes={}", list.join(","))
        };
        // 1 + 256 for each, and 2000 + 4096 in all.
        assert!(is_satisfiable(of(&bytes(20, 1), 2000, None)));
        assert!(is_satisfiable(of(&vec!["0-0"; 23].join(",").replacen("0-0", "bytes=0-0", 1), 2000, None)));
        assert_eq!(of(&vec!["0-0"; 24].join(",").replacen("0-0", "bytes=0-0", 1), 2000, None), Ranges::Ignored);
        assert!(is_satisfiable(of(&bytes(16, 99), 2000, None)));
        assert_eq!(of(&bytes(20, 99), 2000, None), Ranges::Ignored);
        assert!(is_satisfiable(of(&bytes(20, 99), 2000, 20)), "the conf allows so many");
        assert_eq!(of("bytes=0-", 0, None), Ranges::Ignored);
        assert!(is_satisfiable(of("bytes=0-18446744073709551614", u64::MAX, None)));
    }

    #[test]
    fn multipart_as_nginx_writes_it() {
        let multipart = Multipart { boundary: 1, content_type: Some(b"text/plain"), size: 1000 };
        let ranges = [ByteRange { start: 0, end: 2 }, ByteRange { start: 5, end: 7 }];
        let mut body = Vec::new();
        multipart.part_head(&mut body, ranges[0]);
        body.extend(b"ab");
        multipart.part_head(&mut body, ranges[1]);
        body.extend(b"cd");
        multipart.end(&mut body);
        let expected = "\r\n--00000000000000000001\r\nContent-Type: text/plain\r\n\
                        Content-Range: bytes 0-1/1000\r\n\r\nab\
                        \r\n--00000000000000000001\r\nContent-Type: text/plain\r\n\
                        Content-Range: bytes 5-6/1000\r\n\r\ncd\
                        \r\n--00000000000000000001--\r\n";
        assert_eq!(String::from_utf8(body).unwrap(), expected);
        assert_eq!(multipart.content_length(&ranges), 202);
        let mut text = Vec::new();
        multipart.response_type(&mut text);
        assert_eq!(text, b"multipart/byteranges; boundary=00000000000000000001");
        text.clear();
        content_range_unsatisfied(&mut text, 1000);
        assert_eq!(text, b"bytes */1000");
    }

    proptest! {
        #[test]
        fn found_ranges_lie_within_the_size(value in "bytes=[-0-9, ]{0,40}", size in 0u64..10_000) {
            if let Ranges::Satisfiable(ranges) = of(&value, size, 10) {
                prop_assert!(!ranges.is_empty() && ranges.len() <= 10);
                prop_assert!(ranges.iter().all(|range| range.start < range.end && range.end <= size));
                prop_assert!(ranges.iter().map(|range| range.size()).sum::<u64>() <= size);
            }
        }

        #[test]
        fn any_bytes_do_not_panic(value in proptest::collection::vec(any::<u8>(), 0..60), size: u64) {
            let _ = parse(&value, size, Some(10));
            let _ = parse(&[b"bytes=", &value[..]].concat(), size, Some(10));
        }

        #[test]
        fn the_length_is_that_of_what_is_written(
            specs in proptest::collection::vec((0u64..100_000, 1u64..50), 1..5), boundary: u64,
            content_type in proptest::option::of("[a-z/]{0,20}"), extra in 0u64..1_000_000_000_000,
        ) {
            let range = |(start, len): &(u64, u64)| ByteRange { start: *start, end: start + len };
            let ranges: Vec<_> = specs.iter().map(range).collect();
            let content_type = content_type.as_deref().map(str::as_bytes);
            let multipart = Multipart { boundary, content_type, size: 100_050 + extra };
            let mut body = Vec::new();
            for range in &ranges {
                multipart.part_head(&mut body, *range);
                body.resize(body.len() + range.size() as usize, b'x');
            }
            multipart.end(&mut body);
            prop_assert_eq!(multipart.content_length(&ranges), body.len() as u64);
        }
    }
}
