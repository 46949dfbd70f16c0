//! The way from a uri to a file: normalisation, server names, locations, types, and the masks of `include`.

use drover::http::message::mime::{MAX_EXTENSION, Types, extension};
use drover::http::message::uri::{self, Escape};
use drover::http::site::regex::Captures;
use drover::http::site::route::{Locations, Rule, ServerNames};
use std::collections::HashMap;

/// A normalised path stays below the root, is the one that decoding, splitting and a stack make, is not changed by
/// normalising again, survives escaping, and is no longer than the path was.
pub(super) fn uri(input: &[u8]) {
    for merge in [true, false] {
        let mut out = Vec::new();
        let normal = uri::normalize(input, merge, &mut out).map(<[u8]>::to_vec).ok();
        assert_eq!(normal, walk(input, merge), "merge_slashes {merge}");
        let Some(normal) = normal else { continue };
        assert!(normal.starts_with(b"/") && !normal.contains(&0) && normal.len() <= input.len());
        assert!(normal.split(|byte| *byte == b'/').all(|segment| segment != b"." && segment != b".."));
        assert!(!merge || !normal.windows(2).any(|pair| pair == b"//"));
        let (mut escaped, mut again) = (Vec::new(), Vec::new());
        uri::escape(&mut escaped, &normal, Escape::Path);
        assert!(escaped.iter().all(u8::is_ascii_graphic));
        assert_eq!(uri::normalize(&escaped, merge, &mut again), Ok(&normal[..]));
    }
    for escape in [Escape::Path, Escape::Argument, Escape::Component, Escape::Refresh] {
        let mut escaped = Vec::new();
        uri::escape(&mut escaped, input, escape);
        assert!(escaped.len() <= 3 * input.len() && !escaped.iter().any(|byte| matches!(byte, b'\r' | b'\n' | b' ')));
    }
    let mut target = Vec::new();
    uri::unescape_redirect(&mut target, input);
    assert!(target.len() <= input.len());
    let mut html = Vec::new();
    uri::escape_html(&mut html, input);
    assert!(!html.iter().any(|byte| matches!(byte, b'<' | b'>' | b'"')));
}

/// The normal path, from the whole decoded path.
fn walk(path: &[u8], merge: bool) -> Option<Vec<u8>> {
    path.strip_prefix(b"/")?;
    let raw = path.split(|byte| matches!(byte, b'?' | b'#')).next()?;
    let (mut decoded, mut rest) = (Vec::new(), raw);
    while let [byte, tail @ ..] = rest {
        let (decoded_byte, tail) = match (byte, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digit = |byte: &u8| (*byte as char).to_digit(16);
                (u8::try_from(16 * digit(high)? + digit(low)?).ok()?, tail)
            }
            (b'%', _) => return None,
            (byte, tail) => (*byte, tail),
        };
        decoded.push(decoded_byte);
        rest = tail;
    }
    let path = decoded.strip_prefix(b"/").filter(|path| !path.contains(&0))?;
    let mut segments: Vec<&[u8]> = Vec::new();
    let all: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    for (n, segment) in all.iter().enumerate() {
        let is_last = n + 1 == all.len();
        match *segment {
            b"." => {}
            b".." => drop(segments.pop()?),
            b"" if merge && !is_last => {}
            segment => {
                segments.push(segment);
                continue;
            }
        }
        if is_last {
            segments.push(b"");
        }
    }
    Some([b"/", &segments.join(&b'/')[..]].concat())
}

/// The lines of the input but the last are server names, the last is a host. The name that is found is the one that a
/// look at all of them finds: the same, the longest mask in front, the longest mask behind.
pub(super) fn names(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Some((list, host)) = text.rsplit_once('\n') else { return };
    let host = host.to_ascii_lowercase();
    let (mut names, mut known) = (ServerNames::default(), Vec::new());
    for name in list.lines().take(20).filter(|name| !name.starts_with('~')) {
        if names.add(name, known.len()).is_ok() {
            known.push(name.to_ascii_lowercase());
        }
    }
    let is_below = |domain: &str| host.strip_suffix(domain).is_some_and(|front| front.ends_with('.'));
    let is_above = |part: &str| host.strip_prefix(part).is_some_and(|rest| rest.starts_with('.'));
    // The masks `.x` and `*.x` of the same length do not stand together: they are duplicates.
    let rank = |name: &str| match () {
        () if let Some(domain) = name.strip_prefix("*.") => is_below(domain).then_some((2, domain.len())),
        () if let Some(part) = name.strip_suffix(".*") => is_above(part).then_some((1, part.len())),
        () if let Some(domain) = name.strip_prefix('.') => match domain == host {
            true => Some((3, 0)),
            false => is_below(domain).then_some((2, domain.len())),
        },
        () => (name.strip_suffix('.').unwrap_or(name) == host).then_some((3, 0)),
    };
    let best = (0..known.len()).filter_map(|n| Some((rank(&known[n])?, n))).max();
    let found = names.find(host.as_bytes(), &mut Captures::default()).expect("no pattern");
    assert_eq!(found.map(|found| *found.value), best.map(|(_, n)| n), "{known:?} {host:?}");
}

/// The lines of the input but the last are locations, the last is a path. The location that is found is the one that a
/// look at all of them finds: the same, the longest prefix.
pub(super) fn locations(input: &[u8]) {
    let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let Some(path) = lines.pop() else { return };
    let (mut locations, mut known) = (Locations::default(), Vec::new());
    for line in lines.into_iter().take(40) {
        let exact = line.strip_prefix(b"= ");
        let rule = match exact {
            Some(path) => Rule::Exact(path.to_vec()),
            None => Rule::Prefix { path: line.to_vec(), no_regex: line.len() % 2 == 0 },
        };
        if locations.add(rule, known.len(), Locations::default()).is_ok() {
            known.push((exact.is_some(), exact.unwrap_or(line)));
        }
    }
    let rank = |(is_exact, text): (bool, &[u8])| match is_exact {
        true => (path == text).then_some(usize::MAX),
        false => path.starts_with(text).then_some(text.len()),
    };
    let best = known.iter().enumerate().filter_map(|(n, rule)| Some((rank(*rule)?, n))).max();
    let found = locations.find(path, &mut Captures::default()).expect("no pattern");
    assert_eq!(found.map(|found| *found.value), best.map(|(_, n)| n), "{known:?}");
}

/// The lines of the input but the last are extensions, the last is a path: its type is that of the last line with its
/// extension, in any case.
pub(super) fn types(input: &[u8]) {
    let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let Some(path) = lines.pop() else { return };
    let (mut types, mut known) = (Types::default(), HashMap::new());
    for (n, line) in lines.into_iter().enumerate() {
        let before = types.insert(line, n);
        let is_long = line.len() > MAX_EXTENSION;
        assert_eq!(before, if is_long { Err(n) } else { Ok(known.insert(line.to_ascii_lowercase(), n)) });
    }
    let file = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let dot = file.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0);
    assert_eq!(extension(path), dot.map(|dot| &file[dot + 1..]).filter(|text| !text.is_empty()));
    assert_eq!(types.get(path), extension(path).and_then(|extension| known.get(&extension.to_ascii_lowercase())));
}

/// The names of the files that `glob` has.
const FILES: &[&str] =
    &["a.conf", "b.conf", ".c.conf", "aa", "ab", "[", "a]", "_x", "^y", "10", "a-b", "aaaaaaaaaaaaaaab"];

/// The input is a mask of `include`. What fits it is there; without brackets and backslashes it is what a table of all
/// pairs of beginnings finds.
pub(super) fn glob() -> impl FnMut(&[u8]) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for name in FILES {
        std::fs::write(dir.path().join(name), "").expect("a file");
    }
    move |input| {
        let Ok(mask) = std::str::from_utf8(input) else { return };
        if mask.contains('/') || mask.len() > 40 || mask.is_empty() {
            return;
        }
        let Ok(found) = drover::os::glob(&format!("{}/{mask}", dir.path().display())) else {
            return assert!(mask.contains('\0'));
        };
        assert!(found.is_sorted() && found.iter().all(|path| path.exists()));
        if mask.contains(['[', '\\']) {
            return;
        }
        let mut expected: Vec<_> = [".", ".."]
            .iter()
            .chain(FILES)
            .filter(|name| fits(mask.as_bytes(), name.as_bytes()))
            .map(|name| dir.path().join(name))
            .collect();
        expected.sort_unstable_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_unstable_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
        assert_eq!(found, expected, "{mask}");
    }
}

/// Whether a mask of `*`, `?` and letters fits a name; a dot in front must be written.
fn fits(mask: &[u8], name: &[u8]) -> bool {
    if name.starts_with(b".") != mask.starts_with(b".") {
        return false;
    }
    // Whether the mask so far fits the first n bytes of the name.
    let mut row: Vec<bool> = (0..=name.len()).map(|n| n == 0).collect();
    for byte in mask {
        let before = row.clone();
        for n in 0..row.len() {
            row[n] = match byte {
                b'*' => before[n] || n > 0 && row[n - 1],
                b'?' => n > 0 && before[n - 1],
                byte => n > 0 && before[n - 1] && name[n - 1] == *byte,
            };
        }
    }
    row[name.len()]
}
