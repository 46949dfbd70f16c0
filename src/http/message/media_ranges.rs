//! Accept (RFC 9110 section 12.5.1), as far as pages are concerned.

use super::field::{elements, trim};

/// Whether the value of Accept, its lines joined, takes text/html: the most specific of its ranges decides.
pub fn accept_html(list: &[u8]) -> bool {
    let mut best = (0, true);
    for element in elements(list) {
        let mut parts = element.split(|byte| *byte == b';').map(trim);
        let specific = match parts.next().unwrap_or_default() {
            b"*/*" => 1,
            range if range.eq_ignore_ascii_case(b"text/*") => 2,
            range if range.eq_ignore_ascii_case(b"text/html") => 3,
            _ => continue,
        };
        if specific > best.0 {
            best = (specific, !parts.any(is_zero));
        }
    }
    best.0 > 0 && best.1
}

/// Whether a parameter is a weight of nothing: `q=0`, `q=0.000`.
fn is_zero(parameter: &[u8]) -> bool {
    match parameter {
        [b'q' | b'Q', b'=', digits @ ..] => !digits.is_empty() && digits.iter().all(|byte| matches!(byte, b'0' | b'.')),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_range_decides() {
        for (list, accepts) in [
            ("text/html,application/xhtml+xml,*/*;q=0.8", true),
            ("*/*", true),
            ("text/*;q=0.1", true),
            ("TEXT/HTML", true),
            ("application/json, text/html;q=0.5", true),
            ("application/json", false),
            ("image/avif,image/*;q=0.8", false),
            ("text/html;q=0, */*", false),
            ("text/html;level=1;q=0.000, */*", false),
            ("text/*;q=0, text/html", true),
            ("*/*;q=0", false),
            ("", false),
        ] {
            assert_eq!(accept_html(list.as_bytes()), accepts, "{list}");
        }
    }
}
