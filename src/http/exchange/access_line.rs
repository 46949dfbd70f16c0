//! The text of an access log line: a `log_format`, filled in for one exchange, with escaped values.

use super::cx::Cx;
use super::state::Exchange;
use crate::http::site::log_format::{Escape, LogFormat};
use crate::os::memory;
use std::collections::TryReserveError;

impl LogFormat {
    /// Appends one line, without its line end. Error: there is not enough memory, and the line is not whole.
    pub fn write(&self, ex: &Exchange, cx: &Cx, out: &mut Vec<u8>) -> Result<(), TryReserveError> {
        match self.escape() {
            Escape::Default => self.template().eval_escaped(ex, cx, out, b"-", escape_default),
            Escape::Json => self.template().eval_escaped(ex, cx, out, b"", escape_json),
            Escape::None => self.template().eval_escaped(ex, cx, out, b"", |_, _| Ok(())),
        }
    }
}

/// Whether a byte stands for itself in every form.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

/// Whether all bytes are plain, eight at a time: most values of most lines are.
fn are_plain(bytes: &[u8]) -> bool {
    let (Some(last), (words, _)) = (bytes.last_chunk(), bytes.as_chunks()) else {
        return bytes.iter().copied().all(is_plain);
    };
    // The last eight overlap with those before.
    !words.iter().chain([last]).any(|word| holds_special(u64::from_ne_bytes(*word)))
}

/// Whether one of eight bytes is not plain. The sums and differences of bytes may carry into a neighbour, but not
/// without a byte that is found.
fn holds_special(word: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let is_below = |word: u64, least: u8| word.wrapping_sub(ONES * u64::from(least)) & !word;
    let is = |byte: u8| is_below(word ^ (ONES * u64::from(byte)), 1);
    let is_above = word | word.wrapping_add(ONES);
    (is_below(word, b' ') | is(b'"') | is(b'\\') | is_above) & (ONES << 7) != 0
}

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// The two hex digits of a byte.
fn hex(byte: u8) -> [u8; 2] {
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

/// `"`, `\` and everything outside of printable ASCII becomes `\xXX`.
fn escape_default(out: &mut Vec<u8>, start: usize) -> Result<(), TryReserveError> {
    if are_plain(&out[start..]) {
        return Ok(());
    }
    let count = out[start..].iter().filter(|&&byte| !is_plain(byte)).count();
    // From the end on, in place: what has not been read yet is not written over.
    let mut from = out.len();
    memory::reserve(out, 3 * count)?;
    out.resize(from + 3 * count, 0);
    let mut to = out.len();
    while from < to {
        from -= 1;
        let byte = out[from];
        if is_plain(byte) {
            to -= 1;
            out[to] = byte;
        } else {
            to -= 4;
            let [high, low] = hex(byte);
            out[to..to + 4].copy_from_slice(&[b'\\', b'x', high, low]);
        }
    }
    Ok(())
}

/// Escapes what a JSON string may not hold, and by its number each byte that is no part of a UTF-8 character.
/// Other bytes stay.
fn escape_json(out: &mut Vec<u8>, start: usize) -> Result<(), TryReserveError> {
    if are_plain(&out[start..]) {
        return Ok(());
    }
    let mut value = Vec::new();
    memory::reserve(&mut value, out.len() - start)?;
    value.extend_from_slice(&out[start..]);
    out.truncate(start);
    for chunk in value.utf8_chunks() {
        let (valid, invalid) = (chunk.valid(), chunk.invalid());
        memory::reserve(out, NUMBER * (valid.len() + invalid.len()))?;
        valid.bytes().for_each(|byte| push_json(byte, out));
        invalid.iter().for_each(|&byte| push_number(byte, out));
    }
    Ok(())
}

fn push_json(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        8 => out.extend_from_slice(b"\\b"),
        12 => out.extend_from_slice(b"\\f"),
        0..=31 => push_number(byte, out),
        _ => out.push(byte),
    }
}

/// Bytes of a byte by its number.
const NUMBER: usize = 6;

fn push_number(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\u00");
    out.extend_from_slice(&hex(byte));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_nginx_s() {
        let mut out = b"a\"".to_vec();
        out.extend_from_slice("b\"c\\d\x01\u{e9}".as_bytes());
        escape_default(&mut out, 2).unwrap();
        assert_eq!(out, b"a\"b\\x22c\\x5Cd\\x01\\xC3\\xA9");
        let mut out = b"b\"c\\d\x01\n".to_vec();
        escape_json(&mut out, 0).unwrap();
        assert_eq!(out, b"b\\\"c\\\\d\\u0001\\n");
    }

    #[test]
    fn eight_bytes_at_a_time_are_judged_as_each_of_them() {
        proptest::proptest!(|(mut bytes in proptest::collection::vec(32u8..127, 0..40), at: usize, byte: u8)| {
            bytes.retain(|byte| is_plain(*byte));
            proptest::prop_assert!(are_plain(&bytes));
            bytes.insert(at % (bytes.len() + 1), byte);
            proptest::prop_assert_eq!(are_plain(&bytes), is_plain(byte));
            let expected: String = bytes.iter().map(|&byte| match is_plain(byte) {
                true => char::from(byte).to_string(),
                false => format!("\\x{byte:02X}"),
            }).collect();
            escape_default(&mut bytes, 0).unwrap();
            proptest::prop_assert_eq!(bytes, expected.into_bytes());
        });
    }

    #[test]
    fn json_is_json_whatever_the_bytes() {
        let escaped = |bytes: &[u8]| {
            let mut out = [b"\"", bytes].concat();
            escape_json(&mut out, 1).unwrap();
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
