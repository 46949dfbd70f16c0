//! Reads DER (X.690), as far as certificates, keys and OCSP responses need it. Anything may be given to it.

/// Tags that are used (X.690 8.1.2, X.680 8.4).
pub(super) mod tag {
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const ENUMERATED: u8 = 0x0a;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const T61_STRING: u8 = 0x14;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const UNIVERSAL_STRING: u8 = 0x1c;
    pub(crate) const BMP_STRING: u8 = 0x1e;

    /// The constructed tag `[n]` of a context.
    pub(crate) const fn context(n: u8) -> u8 {
        0xa0 | n
    }
}

/// The elements of some bytes, one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

/// An element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    /// Its contents.
    pub(super) value: &'a [u8],
    /// Tag, length and contents.
    pub(super) whole: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes of all elements that are left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The next element; `None`: there is none, or no whole one.
    pub(super) fn next(&mut self) -> Option<Element<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        // Tags above 30 have more bytes; nothing here uses them.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (len, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit)), rest)
            }
            _ => return None,
        };
        let (value, after) = rest.split_at_checked(len)?;
        let whole = self.0.get(..self.0.len() - after.len())?;
        self.0 = after;
        Some(Element { tag, value, whole })
    }

    /// The next element, which has this tag.
    pub(super) fn next_of(&mut self, tag: u8) -> Option<Element<'a>> {
        self.next().filter(|element| element.tag == tag)
    }

    /// The elements of the next one, which has this tag.
    pub(super) fn open(&mut self, tag: u8) -> Option<Reader<'a>> {
        self.next_of(tag).map(|element| element.inner())
    }

    /// The next element if it has this tag; else it stays.
    pub(super) fn optional(&mut self, tag: u8) -> Option<Element<'a>> {
        if self.0.first() == Some(&tag) { self.next() } else { None }
    }
}

impl<'a> Element<'a> {
    /// The elements within this one.
    pub(super) fn inner(&self) -> Reader<'a> {
        Reader(self.value)
    }

    /// The time of a UTCTime or a GeneralizedTime, in seconds since 1970 (RFC 5280 4.1.2.5).
    pub(super) fn time(&self) -> Option<i64> {
        let text = self.value.strip_suffix(b"Z")?;
        let number = |digits: &[u8]| {
            let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
            text.parse::<i64>().ok()
        };
        let (year, rest) = match self.tag {
            tag::UTC_TIME => {
                let (year, rest) = text.split_at_checked(2)?;
                let year = number(year)?;
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            tag::GENERALIZED_TIME => {
                let (year, rest) = text.split_at_checked(4)?;
                (number(year)?, rest)
            }
            _ => return None,
        };
        let fields: Vec<i64> = rest.chunks(2).map(number).collect::<Option<_>>()?;
        if rest.len() % 2 != 0 {
            return None;
        }
        let [month @ 1..=12, day @ 1..=31, hour @ 0..=23, minute @ 0..=59, second @ 0..=60] = fields[..] else {
            return None;
        };
        Some(days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second)
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that the leap day is their last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468
}

/// Year, month and day of a number of days since 1970-01-01.
pub(super) fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    (year + era * 400, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time(tag: u8, text: &str) -> Option<i64> {
        Element { tag, value: text.as_bytes(), whole: b"" }.time()
    }

    #[test]
    fn times_are_those_of_the_standard() {
        assert_eq!(time(tag::UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(time(tag::UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(time(tag::UTC_TIME, "500101000000Z"), Some(-631_152_000));
        assert_eq!(time(tag::GENERALIZED_TIME, "20261128193831Z"), Some(1_795_894_711));
        assert_eq!(time(tag::GENERALIZED_TIME, "20240229120000Z"), Some(1_709_208_000));
        for bad in ["", "Z", "261128193831", "26112819383Z", "261328193831Z", "26112819383xZ", "2611281938311Z"] {
            assert_eq!(time(tag::UTC_TIME, bad), None, "{bad}");
        }
    }

    #[test]
    fn lengths_are_short_or_long_and_never_beyond_the_end() {
        let long = [&[0x04, 0x81, 0x80][..], &[7; 128]].concat();
        let element = Reader::new(&long).next().unwrap();
        assert_eq!((element.tag, element.value.len(), element.whole.len()), (4, 128, 131));
        for bad in [&[][..], &[4], &[4, 1], &[4, 0x80], &[4, 0x85, 0, 0, 0, 0, 1, 1], &[4, 0x82, 1], &[0x1f, 1, 1]] {
            assert!(Reader::new(bad).next().is_none(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = Reader::new(&bytes);
            while let Some(element) = reader.next() {
                let _ = element.time();
                prop_assert!(element.whole.len() >= element.value.len() + 2);
            }
        }

        #[test]
        fn dates_come_back(number in -800_000_i64..800_000) {
            let (year, month, day) = date(number);
            prop_assert_eq!(days(year, month, day), number);
        }
    }
}
