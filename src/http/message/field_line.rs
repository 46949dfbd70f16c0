//! A field line, read in one pass: RFC 9112 section 5, without line folding, and with a bare LF for a line end.

use super::field::{Id, trim};
use super::head::{Field, Span};
use super::scan;

/// The line that begins at a place in the head.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A field, and where the next line begins.
    Field {
        field: Field,
        /// The name has nothing but letters, digits and hyphens, as all that are registered.
        is_usual: bool,
        next: usize,
    },
    /// The empty line that ends the head, and what is behind it.
    End(usize),
    /// A line that more bytes may make whole.
    Partial,
    /// No field line.
    Invalid,
}

/// Reads the line that begins at `start`.
#[inline]
pub(super) fn read(buf: &[u8], start: usize) -> Line {
    let rest = buf.get(start..).unwrap_or_default();
    match rest {
        [b'\n', ..] => return Line::End(start + 1),
        [b'\r', b'\n', ..] => return Line::End(start + 2),
        [] | [b'\r'] => return Line::Partial,
        [b':', ..] => return Line::Invalid,
        _ => {}
    }
    let Some(colon) = scan::find(rest, b':') else {
        return if token(rest) == Token::No { Line::Invalid } else { Line::Partial };
    };
    let (name, value) = (&rest[..colon], &rest[colon + 1..]);
    let id = Id::of(name);
    // A known name needs no look at each byte.
    let token = if id.is_some() { Token::Usual } else { token(name) };
    if token == Token::No {
        return Line::Invalid;
    }
    let Some(end) = end_of_value(value) else { return Line::Partial };
    let line_end = match value[end..] {
        [b'\n', ..] => 1,
        [b'\r', b'\n', ..] => 2,
        [b'\r'] => return Line::Partial,
        _ => return Line::Invalid,
    };
    let next = start + colon + 1 + end + line_end;
    let value = match trim(&value[..end]) {
        [] => Span::new(start + colon, start + colon),
        value => Span::within(buf, value),
    };
    let field = Field { name: Span::new(start, start + colon), value, id };
    Line::Field { field, is_usual: token == Token::Usual, next }
}

/// Where the first byte is that a value can't have. It may have tabs.
fn end_of_value(value: &[u8]) -> Option<usize> {
    let mut end = scan::find_control(value, 0)?;
    while value.get(end) == Some(&b'\t') {
        end = scan::find_control(value, end + 1)?;
    }
    Some(end)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// Some bytes can't be in a token (RFC 9110, 5.6.2).
    No,
    /// Some are not letters, digits or hyphens.
    Unusual,
    Usual,
}

fn token(text: &[u8]) -> Token {
    let class = |byte: &u8| match byte {
        b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => Token::Usual,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~' => {
            Token::Unusual
        }
        _ => Token::No,
    };
    let mut least = Token::Usual;
    for byte in text {
        match class(byte) {
            Token::No => return Token::No,
            Token::Unusual => least = Token::Unusual,
            Token::Usual => {}
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Names and values.
    type Lines<'b> = Vec<(&'b [u8], &'b [u8])>;

    /// The lines as the crate httparse reads them: `None` for what can't be any, none while they are incomplete.
    fn by_httparse(buf: &[u8]) -> Option<Option<Lines<'_>>> {
        let mut room = [httparse::EMPTY_HEADER; 64];
        match httparse::parse_headers(buf, &mut room) {
            Ok(httparse::Status::Complete((_, fields))) => {
                Some(Some(fields.iter().map(|field| (field.name.as_bytes(), field.value)).collect()))
            }
            Ok(httparse::Status::Partial) => Some(None),
            Err(_) => None,
        }
    }

    fn by_lines(buf: &[u8]) -> Option<Option<Lines<'_>>> {
        let (mut fields, mut at) = (Vec::new(), 0);
        loop {
            match read(buf, at) {
                Line::Field { field, is_usual, next } => {
                    let name = field.name.of(buf);
                    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
                    assert_eq!((is_usual, field.id), (name.iter().all(is_plain), Id::of(name)));
                    assert!(!field.value.is_empty() || field.value.start as usize == field.name.end());
                    fields.push((name, field.value.of(buf)));
                    at = next;
                }
                Line::End(_) => return Some(Some(fields)),
                Line::Partial => return Some(None),
                Line::Invalid => return None,
            }
        }
    }

    proptest! {
        #[test]
        fn lines_are_those_that_httparse_reads(pieces in proptest::collection::vec(0..PIECES.len(), 0..40)) {
            let buf: Vec<u8> = pieces.iter().flat_map(|piece| PIECES[*piece]).copied().collect();
            for end in 0..=buf.len() {
                prop_assert_eq!(by_lines(&buf[..end]), by_httparse(&buf[..end]), "{}", buf[..end].escape_ascii());
            }
        }

        #[test]
        fn any_bytes_are_read_as_httparse_reads_them(buf in proptest::collection::vec(any::<u8>(), 0..60)) {
            let buf = [b"a:", &buf[..], b"\r\n\r\n"].concat();
            prop_assert_eq!(by_lines(&buf), by_httparse(&buf));
        }
    }

    /// Bytes that mean something stand among those that don't.
    const PIECES: &[&[u8]] = &[
        b"Host",
        b"host",
        b"User-Agent",
        b"User\rAgent",
        b"x_y",
        b"X",
        b":",
        b": ",
        b":",
        b"\t",
        b" ",
        b"\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"a value of some length",
        b"\x7f",
        b"\x00",
        b"\xff",
        b"(",
        b"Accept: */*\r\n",
        b"Via:\r\n",
    ];
}
