//! Lists for programs: JSON and XML, byte for byte as nginx writes them.

use std::io::Write;

use crate::http::exchange::{FileKind, Listed};
use crate::http::message::{date, uri};

/// The list as JSON.
pub(super) fn json(out: &mut Vec<u8>, entries: &[Listed]) {
    out.push(b'[');
    for (i, entry) in entries.iter().enumerate() {
        out.extend_from_slice(if i == 0 { b"\r\n{ \"name\":\"" } else { b",\r\n{ \"name\":\"" });
        escape_json(out, &entry.name);
        out.extend_from_slice(b"\", \"type\":\"");
        out.extend_from_slice(kind(entry));
        out.extend_from_slice(b"\", \"mtime\":\"");
        out.extend_from_slice(&date::format(entry.mtime));
        out.push(b'"');
        if entry.kind == FileKind::File {
            // Writing to a Vec does not fail.
            let _ = write!(out, ", \"size\":{}", entry.len);
        }
        out.extend_from_slice(b" }");
    }
    out.extend_from_slice(b"\r\n]");
}

/// The list as a call of the function `callback` with the JSON.
pub(super) fn jsonp(out: &mut Vec<u8>, callback: &[u8], entries: &[Listed]) {
    out.extend_from_slice(&[b"/* callback */\r\n", callback, b"("].concat());
    json(out, entries);
    out.extend_from_slice(b");");
}

/// The list as XML.
pub(super) fn xml(out: &mut Vec<u8>, entries: &[Listed]) {
    out.extend_from_slice(b"<?xml version=\"1.0\"?>\r\n<list>\r\n");
    for entry in entries {
        out.push(b'<');
        out.extend_from_slice(kind(entry));
        out.extend_from_slice(b" mtime=\"");
        put_time(out, entry.mtime);
        if entry.kind == FileKind::File {
            let _ = write!(out, "\" size=\"{}", entry.len);
        }
        out.extend_from_slice(b"\">");
        uri::escape_html(out, &entry.name);
        out.extend_from_slice(b"</");
        out.extend_from_slice(kind(entry));
        out.extend_from_slice(b">\r\n");
    }
    out.extend_from_slice(b"</list>\r\n");
}

fn kind(entry: &Listed) -> &'static [u8] {
    match entry.kind {
        FileKind::Dir => b"directory",
        FileKind::File => b"file",
        FileKind::Other => b"other",
    }
}

/// `1994-11-06T08:49:37Z`
fn put_time(out: &mut Vec<u8>, mtime: i64) {
    const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let text = date::format(mtime);
    let (day, name, year, time) = (&text[5..7], &text[8..11], &text[12..16], &text[17..25]);
    let month = MONTHS.chunks(3).position(|month| month == name).map_or(0, |i| i + 1);
    out.extend_from_slice(year);
    let _ = write!(out, "-{month:02}-");
    out.extend_from_slice(day);
    out.push(b'T');
    out.extend_from_slice(time);
    out.push(b'Z');
}

/// Appends `text` for a string of JSON (ngx_escape_json). Bytes that are no UTF-8 stay as they are.
fn escape_json(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..0x20 => drop(write!(out, "\\u{byte:04X}")),
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Listed> {
        let entry = |name: &[u8], kind, len| Listed { name: name.to_vec(), kind, len, mtime: 784_111_777 };
        vec![
            entry(b"a&<\"\\\x01\x1f\n\xe9", FileKind::File, 7),
            entry(b"d", FileKind::Dir, 4096),
            entry(b"p", FileKind::Other, 0),
        ]
    }

    fn made(make: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        make(&mut out);
        out
    }

    #[test]
    fn json_has_sizes_of_files_only_and_escapes_what_it_must() {
        let expected = b"[\r\n{ \"name\":\"a&<\\\"\\\\\\u0001\\u001F\\n\xe9\", \"type\":\"file\", \
            \"mtime\":\"Sun, 06 Nov 1994 08:49:37 GMT\", \"size\":7 },\r\n\
            { \"name\":\"d\", \"type\":\"directory\", \"mtime\":\"Sun, 06 Nov 1994 08:49:37 GMT\" },\r\n\
            { \"name\":\"p\", \"type\":\"other\", \"mtime\":\"Sun, 06 Nov 1994 08:49:37 GMT\" }\r\n]";
        assert_eq!(made(|out| json(out, &entries())).escape_ascii().to_string(), expected.escape_ascii().to_string());
        assert_eq!(made(|out| json(out, &[])), b"[\r\n]");
        assert_eq!(made(|out| jsonp(out, b"f.g", &[])), b"/* callback */\r\nf.g([\r\n]);");
    }

    #[test]
    fn xml_names_the_kinds_and_counts_months_from_one() {
        let text = made(|out| xml(out, &entries()));
        let lines: Vec<_> = text.split(|byte| *byte == b'\n').collect();
        assert_eq!(lines[3].escape_ascii().to_string(), r#"\xe9</file>\r"#);
        assert_eq!(lines[4], b"<directory mtime=\"1994-11-06T08:49:37Z\">d</directory>\r");
        assert_eq!(lines[5], b"<other mtime=\"1994-11-06T08:49:37Z\">p</other>\r");
        assert!(lines[2].starts_with(b"<file mtime=\"1994-11-06T08:49:37Z\" size=\"7\">a&amp;&lt;&quot;\\"));
    }
}
