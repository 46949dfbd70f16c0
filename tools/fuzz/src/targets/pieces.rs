//! The parsers of `http`, one by one.

use crate::target::Target;
use drover::http::message::head::{Framing, Head, Limits};
use drover::http::message::range::{self, ByteRange, Multipart, Ranges};
use drover::http::message::request::{self, Parse};
use drover::http::message::request_body::RequestBody;
use drover::http::message::uri::{self, Escape};
use drover::http::site::regex::{Captures, Regex};

const HTTP: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    " ",
    "\t",
    ":",
    "HTTP/1.1",
    "HTTP/1.0",
    "HTTP/2.0",
    "GET ",
    "HEAD ",
    "POST ",
    "OPTIONS * ",
    "CONNECT a:1 ",
    "Host: a\r\n",
    "Host: [::1]:80\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "Expect: 100-continue\r\n",
    "Range: bytes=0-1\r\n",
    "Range: bytes=0-0,2-3,-1\r\n",
    "If-None-Match: *\r\n",
    "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
    "If-Range: \"x\"\r\n",
    "http://a:80/",
    "/../",
    "%2e%2e",
    "%00",
    "%",
    "//",
    "?",
    "#",
    "\0",
    "0\r\n\r\n",
    "5\r\nabcde\r\n",
    ";x=y",
    "ffffffffffffffff",
    "User-Agent: MSIE 5 \r\n",
];

pub(crate) const REQUEST: Target = Target {
    name: "request",
    new: || Box::new(request),
    seeds: &[
        b"GET /a/b?c=d HTTP/1.1\r\nHost: example.org\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n",
        b"\r\nPOST http://a.b:80/x#y HTTP/1.1\r\nHost: c\r\nContent-Length: 3\r\n\r\nabc",
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    ],
    words: HTTP,
};

/// A head that arrives in two pieces is parsed like a head that arrives at once.
fn request(input: &[u8]) {
    let limits = Limits { line: 600, head: 2000 };
    let mut whole = Head::default();
    let result = request::parse(&mut whole, input, &limits);
    for field in &whole.fields {
        assert!(field.name.end() <= input.len() && field.value.end() <= input.len());
    }
    let Ok(Parse::Complete(len)) = result else { return };
    assert!(len <= input.len());
    let cut = input.iter().fold(7usize, |sum, byte| sum.wrapping_mul(31).wrapping_add((*byte).into())) % (len + 1);
    let mut pieces = Head::default();
    let first = request::parse(&mut pieces, &input[..cut], &limits);
    assert!(cut == len || first == Ok(Parse::Partial), "{first:?} at {cut} of {len}");
    if cut < len {
        assert_eq!(request::parse(&mut pieces, input, &limits), result);
    }
    assert_eq!((whole.fields, whole.unusual), (pieces.fields, pieces.unusual));
    assert_eq!((whole.host, whole.framing), (pieces.host, pieces.framing));
}

pub(crate) const CHUNKED: Target = Target {
    name: "chunked",
    new: || Box::new(chunked),
    seeds: &[b"3\r\nabc\r\n0\r\n\r\n", b"1;x=\"y\"\r\na\r\n0a\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nGET /"],
    words: HTTP,
};

/// A body that arrives byte by byte is decoded like a body that arrives at once.
fn chunked(input: &[u8]) {
    let body = || RequestBody::new(Framing::Chunked, 1 << 20);
    let (Ok(mut whole), Ok(mut pieces)) = (body(), body()) else { panic!("chunks are allowed") };
    let at_once = whole.feed(input);
    let (mut at, mut content) = (0, 0);
    for byte in input {
        match pieces.feed(std::slice::from_ref(byte)) {
            Ok(fed) if fed.consumed == 0 => break,
            Ok(fed) => (at, content) = (at + fed.consumed, content + fed.content),
            Err(reject) => return assert_eq!(at_once, Err(reject)),
        }
    }
    let Ok(fed) = at_once else { panic!("{at_once:?} at once only") };
    assert_eq!((fed.consumed, fed.content, fed.done), (at, content, pieces.is_done()));
    assert!(fed.done || fed.consumed == input.len());
}

pub(crate) const URI: Target = Target {
    name: "uri",
    new: || Box::new(uri),
    seeds: &[b"/a/b/c.html", b"/a/%2e%2e/b/./c//d/../%41%c3%a9", b"/..%2f..%2fetc/passwd", b"/a/.../..b/c.."],
    words: &[
        "/", "//", "/.", "/..", "/../", "%2f", "%2F", "%2e", "%2e%2e/", "%00", "%25", "%", "?", "#", "\\", "\0", ";",
    ],
};

/// A normalized path stays below the root, is not changed by normalizing again, and survives escaping.
fn uri(input: &[u8]) {
    for merge in [true, false] {
        let mut out = Vec::new();
        let Ok(normal) = uri::normalize(input, merge, &mut out).map(<[u8]>::to_vec) else { continue };
        assert!(normal.starts_with(b"/") && !normal.contains(&0));
        assert!(normal.split(|byte| *byte == b'/').all(|segment| segment != b"." && segment != b".."));
        assert!(!merge || !normal.windows(2).any(|pair| pair == b"//"));
        let (mut escaped, mut again) = (Vec::new(), Vec::new());
        uri::escape(&mut escaped, &normal, Escape::Path);
        assert!(escaped.iter().all(u8::is_ascii_graphic));
        assert_eq!(uri::normalize(&escaped, merge, &mut again), Ok(&normal[..]));
    }
}

pub(crate) const RANGE: Target = Target {
    name: "range",
    new: || Box::new(range),
    seeds: &[b"bytes=0-1", b"bytes=-5", b"bytes=3-", b"bytes=0-0, 2-3 ,-1", b"bytes=9-3"],
    words: &["bytes=", "-", ",", "0", "9", "18446744073709551615", "9223372036854775808", " ", "\t", "items="],
};

/// Ranges lie in the file and are together no longer than the file, and the announced length is the real one.
fn range(input: &[u8]) {
    let size = [0, 1, 10, 1 << 40, i64::MAX as u64][input.len() % 5];
    let Ranges::Satisfiable(ranges) = range::parse(input, size, Some(50)) else { return };
    assert!(!ranges.is_empty() && ranges.len() <= 50);
    assert!(ranges.iter().all(|range| range.start < range.end && range.end <= size));
    let total: u128 = ranges.iter().map(|range| u128::from(range.size())).sum();
    assert!(total <= u128::from(size));
    if size > 1 << 41 {
        return;
    }
    let multipart = Multipart { boundary: 7, content_type: Some(b"text/plain"), size };
    let mut text = Vec::new();
    let data: u64 = ranges.iter().map(|range: &ByteRange| range.size()).sum();
    ranges.iter().for_each(|range| multipart.part_head(&mut text, *range));
    multipart.end(&mut text);
    assert_eq!(multipart.content_length(&ranges), text.len() as u64 + data);
}

pub(crate) const REGEX: Target = Target {
    name: "regex",
    new: || Box::new(regex),
    seeds: &[
        b"^/(a|b)+\\.(?<ext>js|css)$\n/a.js",
        b"(?!x)[\\w.-]+/\\d{1,3}\n/a/12",
        b"^(a+)+$\naaaaaaaaaaaaaaaaaaaaaaaa!",
        b"(?!x)(a+)+$\naaaaaaaaaaaaaaaaaaaaaaaa!",
        b"^/(?|a(b)|(c))\\g{-1}(*SKIP)\\p{L}(?R)?\n/abbx",
    ],
    words: &[
        "(",
        ")",
        "[",
        "]",
        "[^",
        "\\w",
        "\\d",
        "\\Q",
        "\\E",
        "\\h",
        "{1,3}",
        "{,5}",
        "(?i)",
        "(?>",
        "(?|",
        "(?R)",
        "(*SKIP)",
        "(*UTF)",
        "\\p{L}",
        "\\K",
        "*",
        "+?",
        "(?:",
        "(?=",
        "(?<!",
        "(?<n>",
        "\\1",
        "|",
        "^",
        "$",
        "-",
        "[:alpha:]",
        "\n",
        "é",
    ],
};

/// The input is a pattern, a line feed and a text.
fn regex(input: &[u8]) {
    let cut = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let Ok(pattern) = std::str::from_utf8(&input[..cut]) else { return };
    let text = &input[cut..input.len().min(cut + 200)];
    let Ok(regex) = Regex::new(pattern, input.len().is_multiple_of(2)) else { return };
    let mut captures = Captures::default();
    if regex.captures(text, &mut captures) == Ok(true) {
        assert!(regex.groups() == 0 || captures.get(0).is_some());
        assert!(captures.get(regex.groups() + 1).is_none());
    }
}
