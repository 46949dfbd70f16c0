//! Dates in fields: RFC 9110 section 5.6.7. Times are seconds since the Unix epoch.

use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

/// Length of an IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub const LEN: usize = 29;

/// The last second that fits the format: 9999-12-31 23:59:59.
const LAST: i64 = 253_402_300_799;

/// Formats a time as IMF-fixdate; times the format can't hold (a file's may be anything) become the nearest it can.
pub fn format(seconds: i64) -> [u8; LEN] {
    let time = UNIX_EPOCH + Duration::from_secs(seconds.clamp(0, LAST).unsigned_abs());
    let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    // Exactly LEN bytes for every time within the clamp: there is room, and the write can't fail.
    let _ = write!(&mut text[..], "{}", httpdate::HttpDate::from(time));
    text
}

/// Reads IMF-fixdate, RFC 850 and asctime dates; `None` when it's none of them or before 1970.
pub fn parse(text: &[u8]) -> Option<i64> {
    let time = httpdate::parse_http_date(std::str::from_utf8(text).ok()?).ok()?;
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_three_formats() {
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(parse(text.as_bytes()), Some(784_111_777), "{text}");
        }
        assert_eq!(&format(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
        for text in [
            "",
            "x",
            "0",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(b"\xff"), None);
    }

    #[test]
    fn times_outside_the_format_are_clamped() {
        assert_eq!(&format(i64::MIN), b"Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(&format(i64::MAX), b"Fri, 31 Dec 9999 23:59:59 GMT");
    }

    proptest! {
        #[test]
        fn what_is_formatted_reads_back(seconds in 0..=LAST) {
            prop_assert_eq!(parse(&format(seconds)), Some(seconds));
        }

        #[test]
        fn any_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse(&bytes);
        }
    }
}
