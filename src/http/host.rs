//! The host a request is for: RFC 3986 section 3.2.2, with nginx's further rules (ngx_http_validate_host).

/// The host of `uri-host [ ":" port ]`, without the port and without one trailing dot; `None` when it is invalid, which
/// RFC 9112 section 3.2 wants answered with 400. Brackets of an IPv6 address stay.
pub fn parse(authority: &[u8]) -> Option<&[u8]> {
    let (host, port) = match authority {
        [b'[', rest @ ..] => {
            let end = rest.iter().position(|b| *b == b']')?;
            let valid = end > 0 && rest[..end].iter().all(|b| *b == b':' || is_reg_name_byte(*b));
            valid.then(|| authority.split_at(end + 2))?
        }
        _ => {
            let end = authority.iter().position(|b| *b == b':').unwrap_or(authority.len());
            let (name, port) = authority.split_at(end);
            (reg_name(name)?, port)
        }
    };
    match port {
        [] => Some(host),
        [b':', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => Some(host),
        _ => None,
    }
}

fn reg_name(name: &[u8]) -> Option<&[u8]> {
    let mut before = 0;
    for byte in name {
        // nginx refuses an empty label: it would name no host and no directory of the kind `root /sites/$host`.
        if !is_reg_name_byte(*byte) || (*byte == b'.' && before == b'.') {
            return None;
        }
        before = *byte;
    }
    let name = name.strip_suffix(b".").unwrap_or(name);
    (!name.is_empty()).then_some(name)
}

/// unreserved, sub-delims and the percent sign of RFC 3986.
fn is_reg_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%')
        || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_host_loses_port_and_trailing_dot() {
        let cases: &[(&[u8], &[u8])] = &[
            (b"a", b"a"),
            (b"a.", b"a"),
            (b"a.b.:80", b"a.b"),
            (b"A_b-c.example:8080", b"A_b-c.example"),
            (b"a:", b"a"),
            (b"127.0.0.1:1", b"127.0.0.1"),
            (b"[::1]", b"[::1]"),
            (b"[::1]:80", b"[::1]"),
            (b"[fe80::1%25eth0]", b"[fe80::1%25eth0]"),
            (b".a", b".a"),
            (b"*", b"*"),
        ];
        for (authority, host) in cases {
            assert_eq!(parse(authority), Some(*host), "{}", authority.escape_ascii());
        }
    }

    #[test]
    fn an_invalid_host_is_none() {
        for authority in [
            &b""[..],
            b".",
            b"..",
            b"a..b",
            b":80",
            b"a:b",
            b"a:80:90",
            b"::1",
            b"[::1",
            b"[]",
            b"[::1]x",
            b"[::1]:x",
            b"[a/b]",
            b"a]b",
            b"a/b",
            b"a b",
            b"a\tb",
            b"a@b",
            b"a\\b",
            b"a?b",
            b"a#b",
            b"a\"b",
            b"a<b",
            b"\xc3\xa9",
            b"a\0",
        ] {
            assert_eq!(parse(authority), None, "{}", authority.escape_ascii());
        }
    }
}
