//! Request paths: decoded and normalised as nginx does (ngx_http_parse_complex_uri), and escaped again for the client.

use crate::http::message::reject::Reject;

/// Decodes and normalises a raw path: percent-encoding, `.` and `..` segments, and, if `merge` (merge_slashes), runs of
/// slashes. Returns the path itself when there is nothing to do, otherwise what it put into `out` (cleared first).
///
/// # Errors
/// `InvalidRequest` for a path that doesn't start with `/` or leads above the root, for NUL and for a bad `%`.
pub fn normalize<'a>(path: &'a [u8], merge: bool, out: &'a mut Vec<u8>) -> Result<&'a [u8], Reject> {
    if path.first() != Some(&b'/') {
        return Err(Reject::InvalidRequest);
    }
    let Some(first) = first_unusual(path) else { return Ok(path) };
    out.clear();
    // Up to the slash before what is unusual nothing changes.
    let plain = memchr::memrchr(b'/', &path[..first]).unwrap_or(0);
    out.extend_from_slice(&path[..plain]);
    Normalizer { out, merge, segment: plain }.run(&path[plain..])?;
    Ok(out)
}

/// The beginning of a raw target, up to a byte that ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scan {
    /// Its length.
    pub len: usize,
    /// `normalize` takes it over as it is, if it starts with a slash.
    pub is_plain: bool,
}

/// Looks at a raw target up to the first byte of the classes `ends`: once at each byte, as every request has one.
pub(super) fn scan(text: &[u8], ends: u8) -> Scan {
    let (mut before, mut unusual) = (0, 0);
    for (at, byte) in text.iter().enumerate() {
        let class = CLASSES[usize::from(*byte)];
        if class & ends != 0 {
            return Scan { len: at, is_plain: unusual == 0 };
        }
        unusual |= unusual_in(class, before);
        before = class;
    }
    Scan { len: text.len(), is_plain: unusual == 0 }
}

/// Where the first byte is that `normalize` can't take over as it is. Slashes may count as merged.
fn first_unusual(path: &[u8]) -> Option<usize> {
    let mut before = 0;
    path.iter().position(|byte| {
        let class = CLASSES[usize::from(*byte)];
        unusual_in(class, std::mem::replace(&mut before, class)) != 0
    })
}

/// Not 0: a byte of this class can't be taken over as it is behind one of the class `before`.
#[inline(always)]
fn unusual_in(class: u8, before: u8) -> u8 {
    class & (before << 1 | CODED | MARK)
}

/// The classes of bytes, a bit each. Of the bits above them in `before << 1` that of a slash alone is a class.
const SLASH: u8 = 1;
/// A slash, or a dot: unusual behind a slash.
const STEP: u8 = SLASH << 1;
/// Unusual wherever it stands.
const CODED: u8 = 1 << 3;
/// A path ends here.
pub(super) const MARK: u8 = 1 << 5;
/// A target ends here.
pub(super) const SPACE: u8 = 1 << 7;

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte <= b' ' as usize {
        classes[byte] = SPACE;
        byte += 1;
    }
    classes[0x7f] = SPACE;
    classes[0] |= CODED;
    classes[b'%' as usize] = CODED;
    classes[b'?' as usize] = MARK;
    classes[b'#' as usize] = MARK;
    classes[b'/' as usize] = SLASH | STEP;
    classes[b'.' as usize] = STEP;
    classes
};

struct Normalizer<'a> {
    out: &'a mut Vec<u8>,
    merge: bool,
    /// Where the current segment starts in `out`, at its slash.
    segment: usize,
}

impl Normalizer<'_> {
    fn run(&mut self, path: &[u8]) -> Result<(), Reject> {
        let mut rest = path;
        while let Some((byte, tail)) = rest.split_first() {
            rest = tail;
            match byte {
                // The path ends here.
                b'?' | b'#' => break,
                b'%' => {
                    let (decoded, tail) = decode(tail).ok_or(Reject::InvalidRequest)?;
                    rest = tail;
                    self.push(decoded)?;
                }
                byte => self.push(*byte)?,
            }
        }
        match self.dots() {
            Dots::No => {}
            Dots::One => self.out.truncate(self.segment + 1),
            Dots::Two => self.leave()?,
        }
        Ok(())
    }

    /// Takes one decoded byte. An encoded slash or dot counts as a plain one, so that what is checked here is what is
    /// opened.
    fn push(&mut self, byte: u8) -> Result<(), Reject> {
        match byte {
            0 => return Err(Reject::InvalidRequest),
            b'/' => match self.dots() {
                Dots::One => self.out.truncate(self.segment + 1),
                Dots::Two => self.leave()?,
                Dots::No if self.merge && self.out.last() == Some(&b'/') => {}
                Dots::No => {
                    self.segment = self.out.len();
                    self.out.push(b'/');
                }
            },
            byte => self.out.push(byte),
        }
        Ok(())
    }

    fn dots(&self) -> Dots {
        match self.out.get(self.segment..) {
            Some(b"/.") => Dots::One,
            Some(b"/..") => Dots::Two,
            _ => Dots::No,
        }
    }

    /// Removes `/..` and the segment before it; the slash before that segment stays.
    fn leave(&mut self) -> Result<(), Reject> {
        let parent = memchr::memrchr(b'/', &self.out[..self.segment]).ok_or(Reject::InvalidRequest)?;
        self.out.truncate(parent + 1);
        self.segment = parent;
        Ok(())
    }
}

enum Dots {
    No,
    One,
    Two,
}

/// The byte two hex digits stand for, and what follows them.
fn decode(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = text.split_first_chunk::<2>()?;
    let [high, low] = digits.map(|digit| (digit as char).to_digit(16));
    Some(((high? << 4 | low?) as u8, rest))
}

/// The set of bytes that are escaped as `%XX` (ngx_escape_uri).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// A path, as in Location: control bytes, non-ASCII, white space and what delimits or is unsafe.
    Path,
    /// A query argument: those of a path, and `&`, `+`, `;`.
    Argument,
    /// A path segment, or any text on its own: all but unreserved characters are escaped.
    Component,
    /// An address in the attribute of a page that sends its reader on.
    Refresh,
}

impl Escape {
    fn applies(self, byte: u8) -> bool {
        let path = byte <= b' ' || byte >= 0x7f || b"\"#%<>?\\^`{|}".contains(&byte);
        match self {
            Self::Path => path,
            Self::Argument => path || b"&+;".contains(&byte),
            Self::Refresh => byte <= b' ' || byte >= 0x7f || b"\"'<>\\^`{|~".contains(&byte),
            Self::Component => !(byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
        }
    }
}

/// Appends `text` with the bytes escaped that `escape` names.
pub fn escape(out: &mut Vec<u8>, text: &[u8], escape: Escape) {
    for byte in text {
        if escape.applies(*byte) {
            let digit = |value: u8| b"0123456789ABCDEF"[usize::from(value & 15)];
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(*byte)]);
        } else {
            out.push(*byte);
        }
    }
}

/// Appends the target of a redirect with the bytes up to its query decoded that need no escape there: those of ASCII
/// above `%`. What is no hex digit behind a `%` is dropped with it, as in nginx (ngx_unescape_uri,
/// NGX_UNESCAPE_REDIRECT).
pub fn unescape_redirect(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'?' => {
                out.push(b'?');
                break;
            }
            b'%' => {
                let Some((&high, tail)) = rest.split_first() else { return };
                rest = tail;
                if !high.is_ascii_hexdigit() {
                    out.push(high);
                    continue;
                }
                let Some((&low, tail)) = rest.split_first() else { return };
                rest = tail;
                let Some((decoded, _)) = decode(&[high, low]) else { continue };
                match decoded {
                    // Only a hex digit above 9 lets nginx see the `?` that begins the query.
                    b'?' if !low.is_ascii_digit() => {
                        out.push(b'?');
                        break;
                    }
                    b'&'..=b'~' => out.push(decoded),
                    _ => out.extend_from_slice(&[b'%', high, low]),
                }
            }
            byte => out.push(byte),
        }
    }
    out.extend_from_slice(rest);
}

/// Appends `text` safe for HTML text and quoted attributes (ngx_escape_html).
pub fn escape_html(out: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        match byte {
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            byte => out.push(*byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(path: &[u8], merge: bool) -> Result<Vec<u8>, Reject> {
        normalize(path, merge, &mut b"left over".to_vec()).map(<[u8]>::to_vec)
    }

    #[test]
    fn as_nginx_does() {
        for (path, expected) in [
            ("/", "/"),
            ("/a/b.html", "/a/b.html"),
            ("/v%2fx%2F..%2fy", "/v/y"),
            ("/v/%2e%2E/v", "/v"),
            ("//v///x//", "/v/x/"),
            ("/v/./x/.", "/v/x/"),
            ("/v/x/..", "/v/"),
            ("/v/x/../", "/v/"),
            ("/v/..", "/"),
            ("/.", "/"),
            ("/v/.../.x/..y/x..", "/v/.../.x/..y/x.."),
            ("/v+x%20y", "/v+x y"),
            ("/v%2541", "/v%41"),
            ("/v%23x%3fy", "/v#x?y"),
            ("/v/a/..#x", "/v/"),
            ("/a?b", "/a"),
            ("/a//../b", "/b"),
            ("/a/%2e/b", "/a/b"),
            ("/a/.%2e/b", "/b"),
            ("/%41%c3%a9", "/A\u{e9}"),
            ("/a/b/../../c", "/c"),
            ("/a/b.c/../d", "/a/d"),
        ] {
            assert_eq!(of(path.as_bytes(), true), Ok(expected.as_bytes().to_vec()), "{path}");
        }
        for path in [
            "",
            "*",
            "a",
            "/..",
            "/../a",
            "/v/../../x",
            "/%2e%2e/x",
            "/v%",
            "/v%2",
            "/v%2x",
            "/v%x2",
            "/v%00",
            "/v\0",
            "/a/%2e./../b",
        ] {
            assert_eq!(of(path.as_bytes(), true), Err(Reject::InvalidRequest), "{path}");
        }
    }

    #[test]
    fn slashes_stay_when_they_are_not_merged() {
        assert_eq!(of(b"//v///x//", false), Ok(b"//v///x//".to_vec()));
        assert_eq!(of(b"/a//../b", false), Ok(b"/a/b".to_vec()));
        assert_eq!(of(b"//..", false), Ok(b"/".to_vec()));
        assert_eq!(of(b"/a/.//b", false), Ok(b"/a//b".to_vec()));
    }

    #[test]
    fn a_usual_path_is_not_copied() {
        let (path, mut out) = (&b"/a/b/c.d"[..], Vec::new());
        assert_eq!(normalize(path, true, &mut out).unwrap().as_ptr(), path.as_ptr());
        assert_eq!(out.capacity(), 0);
    }

    #[test]
    fn the_target_of_a_redirect_is_decoded_up_to_its_query() {
        let of = |text: &str| {
            let mut out = Vec::new();
            unescape_redirect(&mut out, text.as_bytes());
            String::from_utf8(out).unwrap()
        };
        for (text, expected) in [
            ("/plain", "/plain"),
            ("/%41%7e%2fb", "/A~/b"),
            ("/a%20b%25%22%7F%e9", "/a%20b%25%22%7F%e9"),
            ("/x?%41", "/x?%41"),
            ("/x%3F%41", "/x?%41"),
            ("/x%3f%41?%41", "/x?%41?%41"),
            ("/%zz%4z%41", "/zzA"),
            ("/x%", "/x"),
            ("/x%4", "/x"),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn escapes() {
        let of = |text: &str, kind| {
            let mut out = Vec::new();
            escape(&mut out, text.as_bytes(), kind);
            String::from_utf8(out).unwrap()
        };
        let text = "/a b\"#%&'()*+,-.:;<=>?@[\\]^_`{|}~\u{e9}\n\u{7f}";
        assert_eq!(of(text, Escape::Path), "/a%20b%22%23%25&'()*+,-.:;%3C=%3E%3F@[%5C]%5E_%60%7B%7C%7D~%C3%A9%0A%7F");
        assert_eq!(of("a&b+c;d=e", Escape::Argument), "a%26b%2Bc%3Bd=e");
        assert_eq!(of("a/b:c~", Escape::Component), "a%2Fb%3Ac~");
        let refreshed = "/a%20b%22#%&%27()*+,-.:;%3C=%3E?@[%5C]%5E_%60%7B%7C}%7E%C3%A9%0A%7F";
        assert_eq!(of(text, Escape::Refresh), refreshed);
        let mut html = Vec::new();
        escape_html(&mut html, b"<a href=\"x\">&'</a>");
        assert_eq!(html, b"&lt;a href=&quot;x&quot;&gt;&amp;'&lt;/a&gt;");
    }

    /// The plain way: decode everything, then go through the segments. Only for merged slashes.
    fn by_segments(path: &str) -> Option<String> {
        let (mut decoded, mut bytes) = (Vec::new(), path.bytes());
        while let Some(byte) = bytes.next() {
            decoded.push(match byte {
                b'%' => u8::from_str_radix(&format!("{}{}", bytes.next()? as char, bytes.next()? as char), 16).ok()?,
                byte => byte,
            });
        }
        let decoded = String::from_utf8(decoded).ok()?;
        let mut segments: Vec<&str> = Vec::new();
        for segment in decoded.split('/').skip(1) {
            match segment {
                "" | "." => {}
                ".." => drop(segments.pop()?),
                segment => segments.push(segment),
            }
        }
        let directory = ["/", "/.", "/.."].iter().any(|end| decoded.ends_with(end));
        let end = if directory && !segments.is_empty() { "/" } else { "" };
        Some(format!("/{}{end}", segments.join("/")))
    }

    proptest! {
        #[test]
        fn the_same_as_by_segments(path in "(/|\\.|\\.\\.|a|b|%2e|%2F|%41){0,12}") {
            let path = format!("/{path}");
            let expected = by_segments(&path).map(String::into_bytes).ok_or(Reject::InvalidRequest);
            prop_assert_eq!(of(path.as_bytes(), true), expected, "{}", path);
        }

        #[test]
        fn a_path_is_plain_that_stays_as_it_is(path in "(/|\\.|a|b|%2e|\\?|#| |\u{7f}|\u{0}){0,12}", merge: bool) {
            let text = format!("/{path}").into_bytes();
            let end = |ends: &[u8]| text.iter().position(|byte| ends.contains(byte)).unwrap_or(text.len());
            prop_assert_eq!(scan(&text, MARK).len, end(b"?#"));
            prop_assert_eq!(scan(&text, SPACE).len, end(b"\0 \x7f"));
            let Scan { len, is_plain } = scan(&text, MARK | SPACE);
            prop_assert_eq!(len, end(b"?#\0 \x7f"));
            if is_plain {
                prop_assert_eq!(of(&text[..len], merge), Ok(text[..len].to_vec()));
            }
        }

        #[test]
        fn nothing_leads_out_of_the_root(path in proptest::collection::vec(any::<u8>(), 0..30), merge: bool) {
            if let Ok(normal) = of(&[b"/", &path[..]].concat(), merge) {
                prop_assert!(normal.starts_with(b"/") && !normal.contains(&0));
                prop_assert!(normal.split(|b| *b == b'/').all(|segment| segment != b"." && segment != b".."));
            }
        }

        #[test]
        fn an_escaped_path_decodes_to_itself(path in proptest::collection::vec(1u8.., 0..30)) {
            let mut path = path;
            path.iter_mut().filter(|b| **b == b'/' || **b == b'.').for_each(|b| *b = b'x');
            path.insert(0, b'/');
            let mut escaped = Vec::new();
            escape(&mut escaped, &path, Escape::Path);
            prop_assert!(escaped.iter().all(u8::is_ascii_graphic));
            prop_assert_eq!(of(&escaped, true), Ok(path));
        }
    }
}
