//! Bytes that somebody else chose, in a line.

use std::fmt;

/// Bytes that a client or a file's name holds, fit for a line of a log: characters of UTF-8 stand as they are, as in
/// nginx. What could move the cursor of a terminal or end the line is escaped (control characters, also those of
/// U+0080 to U+009F), and so is what is no UTF-8, because a line is text.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a>(pub &'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped =
            |f: &mut fmt::Formatter<'_>, bytes: &[u8]| bytes.iter().try_for_each(|byte| write!(f, "\\x{byte:02X}"));
        self.0.utf8_chunks().try_for_each(|chunk| {
            chunk.valid().chars().try_for_each(|character| {
                let is_control = character.is_control();
                let mut bytes = [0; 4];
                let text = character.encode_utf8(&mut bytes);
                if is_control { escaped(f, text.as_bytes()) } else { f.write_str(text) }
            })?;
            escaped(f, chunk.invalid())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_stand_as_they_are_and_controls_do_not() {
        let said = |bytes: &[u8]| Text(bytes).to_string();
        assert_eq!(said("/Grüße/日本.html \"a\\b\"".as_bytes()), "/Grüße/日本.html \"a\\b\"");
        assert_eq!(said(b"a\nb\x1b[2J\x7f\0"), "a\\x0Ab\\x1B[2J\\x7F\\x00");
        assert_eq!(said("a\u{9b}2J\u{85}".as_bytes()), "a\\xC2\\x9B2J\\xC2\\x85", "CSI and NEL of eight bits");
        assert_eq!(said(b"caf\xe9 \xc3\xa9 \xc3"), "caf\\xE9 \u{e9} \\xC3");
        assert_eq!(said(b""), "");
    }
}
