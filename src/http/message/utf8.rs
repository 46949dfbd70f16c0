//! UTF-8 as nginx reads it (`ngx_utf8_decode`): also what a strict reader refuses, surrogates for example.

/// The outcome of reading one character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded {
    /// A character, and how many bytes it takes. The number may be greater than the last of Unicode.
    Character(u32, usize),
    /// No character; so many bytes are to be left behind.
    Invalid(usize),
    /// The bytes end within a character.
    Incomplete,
}

/// Reads the character that `bytes` begin with. One below 0x80 is not for this function: it is `Invalid`.
pub fn decode(bytes: &[u8]) -> Decoded {
    let Some(&lead) = bytes.first() else { return Decoded::Incomplete };
    let (bits, more, least) = match lead {
        0xf0..=0xf7 => (lead & 0x07, 3, 0x1_0000),
        0xe0..=0xef => (lead & 0x0f, 2, 0x800),
        0xc2..=0xdf => (lead & 0x1f, 1, 0x80),
        _ => return Decoded::Invalid(1),
    };
    let Some(rest) = bytes.get(1..=more) else { return Decoded::Incomplete };
    if let Some(at) = rest.iter().position(|byte| *byte < 0x80) {
        return Decoded::Invalid(at + 2);
    }
    let value = rest.iter().fold(u32::from(bits), |value, byte| value << 6 | u32::from(byte & 0x3f));
    if value < least { Decoded::Invalid(more + 1) } else { Decoded::Character(value, more + 1) }
}

/// The bytes that the first `count` characters of `text` take; `None` when the text is no UTF-8 or has fewer.
fn prefix(text: &[u8], count: usize) -> Option<usize> {
    let mut at = 0;
    for _ in 0..count {
        at += next(text.get(at..)?)?;
    }
    Some(at)
}

/// The length of the character that `text` begins with.
fn next(text: &[u8]) -> Option<usize> {
    match text.first()? {
        0..0x80 => Some(1),
        _ => match decode(text) {
            Decoded::Character(0..=0x10_ffff, len) => Some(len),
            _ => None,
        },
    }
}

/// How many characters a text has; `None`: it is no UTF-8.
pub fn count(text: &[u8]) -> Option<usize> {
    let (mut at, mut count) = (0, 0);
    while at < text.len() {
        at += next(&text[at..])?;
        count += 1;
    }
    Some(count)
}

/// The first `count` characters of a text.
pub fn first(text: &[u8], count: usize) -> &[u8] {
    prefix(text, count).and_then(|len| text.get(..len)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_as_nginx_does() {
        for (bytes, expected) in [
            (&b"\xd0\xbf"[..], Decoded::Character(0x43f, 2)),
            (b"\xe2\x82\xac!", Decoded::Character(0x20ac, 3)),
            (b"\xf0\x9f\x98\x80", Decoded::Character(0x1_f600, 4)),
            (b"\xed\xa0\x80", Decoded::Character(0xd800, 3)),
            (b"\xf7\xbf\xbf\xbf", Decoded::Character(0x1f_ffff, 4)),
            (b"\xd0", Decoded::Incomplete),
            (b"\xe2\x82", Decoded::Incomplete),
            (b"", Decoded::Incomplete),
            (b"a", Decoded::Invalid(1)),
            (b"\x80x", Decoded::Invalid(1)),
            (b"\xc1\x80", Decoded::Invalid(1)),
            (b"\xd0a", Decoded::Invalid(2)),
            (b"\xe2\x82a", Decoded::Invalid(3)),
            (b"\xe2ab", Decoded::Invalid(2)),
            (b"\xe0\x80\x80", Decoded::Invalid(3)),
            (b"\xf8\x80\x80\x80", Decoded::Invalid(1)),
        ] {
            assert_eq!(decode(bytes), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn counts_and_cuts_characters() {
        assert_eq!(count("naïve".as_bytes()), Some(5));
        assert_eq!(count(b"na\xefve"), None);
        assert_eq!(count(b"\xf7\xbf\xbf\xbf"), None, "behind the last character");
        assert_eq!(first("пять".as_bytes(), 2), "пя".as_bytes());
        assert_eq!(first(b"ab", 3), b"ab");
    }
}
