//! Accept (RFC 9110 section 12.5.1), as far as pages and metrics are concerned.

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

/// The weight of a media type, in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// 0: not acceptable.
    pub value: u16,
    /// The type itself is in the list.
    pub is_named: bool,
}

/// The weight that the value of Accept gives to `media_type` with the parameter `version`, by the most specific of its
/// ranges. A range of another version does not count; other parameters are not looked at.
pub fn weight(list: &[u8], media_type: &str, version: &str) -> Weight {
    let main = media_type.split('/').next().unwrap_or_default().as_bytes();
    let mut best = (0, 0);
    for element in elements(list) {
        let mut parts = element.split(|byte| *byte == b';').map(trim);
        let mut specific = match parts.next().unwrap_or_default() {
            b"*/*" => 1,
            range if range.strip_suffix(b"/*").is_some_and(|range| range.eq_ignore_ascii_case(main)) => 2,
            range if range.eq_ignore_ascii_case(media_type.as_bytes()) => 3,
            _ => continue,
        };
        let (mut q, mut is_other) = (1000, false);
        for part in parts {
            let (name, value) = part.split_at(memchr::memchr(b'=', part).unwrap_or(part.len()));
            let value = value.strip_prefix(b"=").unwrap_or_default();
            if name.eq_ignore_ascii_case(b"q") {
                q = thousandths(value);
            } else if name.eq_ignore_ascii_case(b"version") {
                let value = value.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(value);
                is_other |= value != version.as_bytes();
                specific = 4;
            }
        }
        if !is_other {
            best = best.max((specific, q));
        }
    }
    Weight { value: best.1, is_named: best.0 >= 3 }
}

/// A weight (RFC 9110, 12.4.2); any other text is one of nothing.
fn thousandths(text: &[u8]) -> u16 {
    let Some((whole @ (b'0' | b'1'), rest)) = text.split_first() else { return 0 };
    let digits = match rest {
        [] => rest,
        [b'.', digits @ ..] if digits.len() <= 3 && digits.iter().all(u8::is_ascii_digit) => digits,
        _ => return 0,
    };
    let fraction = [100, 10, 1].into_iter().zip(digits).map(|(place, digit)| place * u16::from(digit - b'0'));
    (u16::from(whole - b'0') * 1000 + fraction.sum::<u16>()).min(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_that_of_the_most_specific_range() {
        for (list, value, is_named) in [
            ("", 0, false),
            ("*/*", 1000, false),
            ("*/*;q=0.1, text/*;q=0.25", 250, false),
            ("text/plain;q=0.5, */*", 500, true),
            ("TEXT/plain ; Q=0.5", 500, true),
            ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", 500, true),
            ("text/plain;version=\"0.0.4\"", 1000, true),
            ("text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", 300, true),
            ("text/plain;version=1.0.0;q=0.4,*/*;q=0.2", 200, false),
            ("text/plain;q=0.9,text/plain;version=0.0.4;q=0.25", 250, true),
            ("text/plain;q=0, */*", 0, true),
            ("text/html", 0, false),
            ("text/plain;q=1.000", 1000, true),
            ("text/plain;q=1.5", 1000, true),
            ("text/plain;q=0.0001", 0, true),
            ("text/plain;q=x", 0, true),
            ("text/plain;q", 0, true),
        ] {
            assert_eq!(weight(list.as_bytes(), "text/plain", "0.0.4"), Weight { value, is_named }, "{list}");
        }
    }

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
