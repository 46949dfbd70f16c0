//! The text of an access log line: a `log_format`, filled in for one exchange, with escaped values.

use super::cx::Cx;
use super::state::Exchange;
use crate::http::site::log_format::{Escape, LogFormat};
use std::io::Write;

impl LogFormat {
    /// Appends one line, without its line end.
    pub fn write(&self, ex: &Exchange, cx: &Cx, out: &mut Vec<u8>) {
        match self.escape() {
            Escape::Default => self.template().eval_escaped(ex, cx, out, b"-", escape_default),
            Escape::Json => self.template().eval_escaped(ex, cx, out, b"", escape_json),
            Escape::None => self.template().eval(ex, cx, out),
        }
    }
}

/// Rewrites what follows `start` if it holds a byte that `needs` an escape.
fn escape_with(out: &mut Vec<u8>, start: usize, needs: fn(u8) -> bool, write: fn(u8, &mut Vec<u8>)) {
    let Some(first) = out[start..].iter().position(|&byte| needs(byte)) else { return };
    let rest = out.split_off(start + first);
    for byte in rest {
        if needs(byte) { write(byte, out) } else { out.push(byte) }
    }
}

/// `"`, `\` and everything outside of printable ASCII becomes `\xXX`.
fn escape_default(out: &mut Vec<u8>, start: usize) {
    let needs = |byte| matches!(byte, b'"' | b'\\' | 0..=31 | 127..=255);
    // Writing to a Vec can't fail.
    escape_with(out, start, needs, |byte, out| drop(write!(out, "\\x{byte:02X}")));
}

/// Escapes what a JSON string may not hold, and by its number each byte that is no part of a UTF-8 character.
/// Other bytes stay.
fn escape_json(out: &mut Vec<u8>, start: usize) {
    let is_plain = |byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    let Some(first) = out[start..].iter().position(|&byte| !is_plain(byte)) else { return };
    for chunk in out.split_off(start + first).utf8_chunks() {
        chunk.valid().bytes().for_each(|byte| push_json(byte, out));
        chunk.invalid().iter().for_each(|byte| drop(write!(out, "\\u{byte:04X}")));
    }
}

fn push_json(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        8 => out.extend_from_slice(b"\\b"),
        12 => out.extend_from_slice(b"\\f"),
        0..=31 => drop(write!(out, "\\u{byte:04X}")),
        _ => out.push(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_nginx_s() {
        let mut out = b"a\"".to_vec();
        out.extend_from_slice("b\"c\\d\x01\u{e9}".as_bytes());
        escape_default(&mut out, 2);
        assert_eq!(out, b"a\"b\\x22c\\x5Cd\\x01\\xC3\\xA9");
        let mut out = b"b\"c\\d\x01\n".to_vec();
        escape_json(&mut out, 0);
        assert_eq!(out, b"b\\\"c\\\\d\\u0001\\n");
    }

    #[test]
    fn json_is_json_whatever_the_bytes() {
        let escaped = |bytes: &[u8]| {
            let mut out = [b"\"", bytes].concat();
            escape_json(&mut out, 1);
            out.push(b'"');
            out
        };
        assert_eq!(escaped(b"caf\xe9 \xc3\xa9"), b"\"caf\\u00E9 \xc3\xa9\"");
        // Overlong, a surrogate, beyond Unicode, cut off.
        for bytes in [&b"\xc0\xaf"[..], b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82"] {
            let numbers: String = bytes.iter().map(|byte| format!("\\u00{byte:02X}")).collect();
            assert_eq!(escaped(bytes), format!("\"{numbers}\"").into_bytes());
        }
        proptest::proptest!(|(bytes: Vec<u8>)| {
            let text: String = serde_json::from_slice(&escaped(&bytes)).unwrap();
            let expected: String = bytes.utf8_chunks().flat_map(|chunk| {
                chunk.valid().chars().chain(chunk.invalid().iter().map(|byte| char::from(*byte)))
            }).collect();
            proptest::prop_assert_eq!(text, expected);
        });
    }
}
