//! The types of values: nginx's syntax of numbers, sizes and times (`ngx_parse.c`), and lists of words.

/// A type whose values are words of the conf.
pub trait OneOf: Copy + Default + Send + Sync + 'static {
    /// The words with their values, in the order to show them.
    const WORDS: &'static [(&'static str, Self)];
}

/// How a block inherits a list that it may add to itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Inherit {
    /// A block that has none of its own takes the list of the block around it.
    #[default]
    On,
    /// A block takes nothing over.
    Off,
    /// A block adds the list of the block around it behind its own.
    Merge,
}

impl OneOf for Inherit {
    const WORDS: &'static [(&'static str, Inherit)] =
        &[("on", Inherit::On), ("off", Inherit::Off), ("merge", Inherit::Merge)];
}

/// `a | b | c`, the syntax of a list of words.
pub(super) fn one_of_syntax<T: OneOf>() -> String {
    T::WORDS.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" | ")
}

/// The greatest number: nginx's are signed.
const MAX: u64 = i64::MAX as u64;

/// A whole number, digits only.
pub fn parse_count(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|number| *number <= MAX)
}

/// Bytes: a number, and `k`, `m` or `g` in either case (`ngx_parse_offset`).
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, scale) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 1 << 10),
        b'm' | b'M' => (&text[..text.len() - 1], 1 << 20),
        b'g' | b'G' => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    parse_count(number)?.checked_mul(scale).filter(|bytes| *bytes <= MAX)
}

/// Milliseconds: `1h30m`, `500ms`, `75` or `75s`; units `w d h m s ms`, each once, the largest first.
pub fn parse_time_ms(text: &str) -> Option<u64> {
    parse_time(text, false)
}

/// Seconds: `30d`, `1y6M`, `75`; units `y M w d h m s`, each once, the largest first.
pub fn parse_time_s(text: &str) -> Option<u64> {
    parse_time(text, true)
}

/// The units by rank, with their seconds; nginx takes them in this order only, and years and months only where whole
/// seconds are meant (`ngx_parse_time`).
const UNITS: &[(u8, u64)] =
    &[(b'y', 365 * 86400), (b'M', 30 * 86400), (b'w', 7 * 86400), (b'd', 86400), (b'h', 3600), (b'm', 60), (b's', 1)];
const MONTH: usize = 2;
const SECOND: usize = 7;
const MILLISECOND: usize = 8;
const LAST: usize = 9;

fn parse_time(text: &str, whole_seconds: bool) -> Option<u64> {
    let scale = if whole_seconds { 1 } else { 1000 };
    let mut rank = if whole_seconds { 0 } else { MONTH };
    let (mut total, mut value, mut digits) = (0u64, 0u64, false);
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if byte.is_ascii_digit() {
            value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0')).filter(|value| *value <= MAX)?;
            digits = true;
            continue;
        }
        let (next, unit) = match (byte, rest) {
            (b'm', [b's', ..]) if whole_seconds => return None,
            (b'm', [b's', after @ ..]) => {
                rest = after;
                (MILLISECOND, 1)
            }
            (b' ', _) if rank < SECOND => (LAST, scale),
            _ => {
                let index = UNITS.iter().position(|(name, _)| name == byte)?;
                (index + 1, UNITS.get(index)?.1 * scale)
            }
        };
        if next <= rank {
            return None;
        }
        rank = next;
        total = value.checked_mul(unit)?.checked_add(total).filter(|total| *total <= MAX)?;
        value = 0;
        while let [b' ', after @ ..] = rest {
            rest = after;
        }
    }
    value.checked_mul(scale)?.checked_add(total).filter(|total| digits && *total <= MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_nginx_takes_and_what_it_refuses() {
        for (text, ms) in [
            ("0", 0),
            ("75", 75_000),
            ("75s", 75_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("1d12h", 129_600_000),
            ("2w", 1_209_600_000),
            ("500ms", 500),
            ("1s500ms", 1500),
            ("1m30", 90_000),
        ] {
            assert_eq!(parse_time_ms(text), Some(ms), "{text}");
        }
        for text in
            ["", "s", "x", "1x", "-1", "1y", "1M", "30m1h", "1s1s", "1ms1s", "9223372036854775807", "1.5s", "1S"]
        {
            assert_eq!(parse_time_ms(text), None, "{text}");
        }
        assert_eq!(parse_time_s("1y6M1d"), Some((365 + 180 + 1) * 86400));
        assert_eq!(parse_time_s("1ms"), None);
        for (text, bytes) in [("0", 0), ("512", 512), ("8k", 8192), ("8K", 8192), ("1m", 1 << 20), ("2G", 2 << 30)] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "k", "1kb", "-1", "1.5m", "+1", " 1", "9223372036854775808", "9007199254740993k", "1é"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        assert_eq!(parse_count("9223372036854775807"), Some(MAX));
        assert_eq!(parse_count("9223372036854775808"), None);
    }

    proptest! {
        #[test]
        fn sizes_come_back(number in 0..1u64 << 32, (unit, scale) in prop::sample::select(vec![
            ("", 1), ("k", 1 << 10), ("K", 1 << 10), ("m", 1 << 20), ("M", 1 << 20), ("g", 1u64 << 30), ("G", 1 << 30),
        ])) {
            prop_assert_eq!(parse_size(&format!("{number}{unit}")), number.checked_mul(scale).filter(|n| *n <= MAX));
        }

        #[test]
        fn times_come_back(ms in 0..1u64 << 40) {
            let (s, m, h, d) = (ms / 1000 % 60, ms / 60_000 % 60, ms / 3_600_000 % 24, ms / 86_400_000);
            prop_assert_eq!(parse_time_ms(&format!("{d}d{h}h{m}m{s}s{}ms", ms % 1000)), Some(ms));
            prop_assert_eq!(parse_time_s(&format!("{d}d {h}h {m}m {s}s")), Some(ms / 1000));
        }

        #[test]
        fn anything_is_parsed_or_refused(text in ".{0,30}") {
            let _ = (parse_size(&text), parse_time_ms(&text), parse_time_s(&text), parse_count(&text));
        }
    }
}
