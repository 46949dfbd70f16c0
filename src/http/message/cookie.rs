//! Cookies by name, as nginx finds them (`ngx_http_parse_multi_header_lines`), but for commas: up to 1.29.5 nginx takes
//! them for separators, too, and finds two cookies in `a=1, b=2`, of which the one is in the value of the other.

/// The value of the first cookie of a line that has this name, in any case, up to the next `;`.
pub fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = line;
    while !rest.is_empty() {
        let begins = rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        if begins {
            rest = without_blanks(&rest[name.len()..]);
            let (&sign, behind) = rest.split_first()?;
            if sign == b'=' {
                let value = without_blanks(behind);
                return Some(&value[..memchr::memchr(b';', value).unwrap_or(value.len())]);
            }
            // Even a separator: in `a; a=1` nginx finds no `a`.
            rest = behind;
        }
        let end = memchr::memchr(b';', rest)?;
        rest = without_blanks(&rest[end + 1..]);
    }
    None
}

fn without_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| **byte == b' ').count();
    &text[blanks..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_behind_a_semicolon_and_blanks() {
        for (line, found) in [
            ("a=1", Some("1")),
            ("A=1; a=2", Some("1")),
            ("b=1;a=2", Some("2")),
            ("b=1;   a=2", Some("2")),
            ("a = 1 2 ;b=3", Some("1 2 ")),
            ("a=", Some("")),
            ("a=1,b=2;c", Some("1,b=2")),
            ("a==\"1\"", Some("=\"1\"")),
            ("ab=1; a=2", Some("2")),
            ("b; a=1", Some("1")),
            ("a b=1; a=2", Some("2")),
            ("a; a=1; a=2", Some("2")),
            ("a", None),
            ("a; a=1", None),
            (";\ta=1", None),
            ("b=a=1", None),
            ("b=1, a=2", None),
            ("", None),
        ] {
            assert_eq!(value(line.as_bytes(), b"a"), found.map(str::as_bytes), "{line}");
        }
    }
}
