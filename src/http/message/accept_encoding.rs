//! Accept-Encoding (RFC 9110 section 12.5.3): which content codings a client takes, and nginx's own reading of it.

use crate::http::message::field::{elements, trim};

/// A content coding of files and responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// The token in Accept-Encoding and Content-Encoding.
    pub fn token(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
            Coding::Gzip => "gzip",
        }
    }

    fn is(self, token: &[u8]) -> bool {
        // RFC 9110, 8.4.1.3: x-gzip is the same.
        let token = if token.eq_ignore_ascii_case(b"x-gzip") { b"gzip" } else { token };
        token.eq_ignore_ascii_case(self.token().as_bytes())
    }
}

/// The weights that a client gives, in thousandths; 0: not acceptable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    brotli: u16,
    zstd: u16,
    gzip: u16,
    /// The weight of the file as it is; `None`: the client does not say, and then it is acceptable.
    pub identity: Option<u16>,
}

impl Weights {
    /// The weights in the value of Accept-Encoding, its lines joined. An element that is malformed counts for nothing.
    pub fn of(list: &[u8]) -> Weights {
        let (mut weights, mut rest) = (Weights::default(), None);
        let mut named = [None; 3];
        for (token, weight) in elements(list).filter_map(element) {
            let place = [Coding::Brotli, Coding::Zstd, Coding::Gzip].iter().position(|coding| coding.is(token));
            match place {
                Some(place) => named[place] = Some(weight),
                None if token == b"*" => rest = Some(weight),
                None if token.eq_ignore_ascii_case(b"identity") => weights.identity = Some(weight),
                None => {}
            }
        }
        [weights.brotli, weights.zstd, weights.gzip] = named.map(|weight| weight.or(rest).unwrap_or(0));
        // `*` refuses what is not named, but it prefers nothing to a coding.
        weights.identity = weights.identity.or(rest.filter(|weight| *weight == 0));
        weights
    }

    /// The weight of a coding.
    pub fn get(&self, coding: Coding) -> u16 {
        match coding {
            Coding::Brotli => self.brotli,
            Coding::Zstd => self.zstd,
            Coding::Gzip => self.gzip,
        }
    }

    /// The same, and 0 for a coding that weighs less than the file as it is.
    pub fn where_worth(&self, coding: Coding) -> u16 {
        let weight = self.get(coding);
        if weight >= self.identity.unwrap_or(0) { weight } else { 0 }
    }
}

/// A coding, and its weight in thousandths.
fn element(element: &[u8]) -> Option<(&[u8], u16)> {
    let (token, weight) = match memchr::memchr(b';', element) {
        Some(at) => (trim(&element[..at]), weight(trim(&element[at + 1..]))?),
        None => (element, 1000),
    };
    Some((token, weight)).filter(|_| !token.is_empty())
}

/// `q=0.5`: RFC 9110 section 12.4.2.
fn weight(text: &[u8]) -> Option<u16> {
    let [b'q' | b'Q', b'=', whole @ (b'0' | b'1'), decimals @ ..] = text else { return None };
    let decimals = match decimals {
        [] => decimals,
        [b'.', decimals @ ..] if decimals.len() <= 3 => decimals,
        _ => return None,
    };
    let mut weight = u16::from(whole - b'0');
    for place in 0..3 {
        let digit = decimals.get(place).unwrap_or(&b'0');
        weight = weight * 10 + u16::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    Some(weight).filter(|weight| *weight <= 1000)
}

/// Whether a line of Accept-Encoding takes gzip, as nginx reads it (`ngx_http_gzip_ok`,
/// `ngx_http_gzip_accept_encoding`): the first `gzip` at the start of a word decides, and `*` means nothing.
pub fn nginx_takes_gzip(line: &[u8]) -> bool {
    if line.starts_with(b"gzip,") {
        return true;
    }
    let starts_word = |at: &usize| *at == 0 || matches!(line[at - 1], b',' | b' ');
    let mut found = 0;
    let at = loop {
        let Some(next) = line[found..].windows(4).position(|word| word.eq_ignore_ascii_case(b"gzip")) else {
            return false;
        };
        let at = found + next;
        if starts_word(&at) {
            break at;
        }
        found = at + 4;
    };
    match skip_spaces(&line[at + 4..]) {
        [] | [b',', ..] => true,
        [b';', rest @ ..] => match skip_spaces(rest) {
            [] => true,
            [b'q' | b'Q', b'=', number @ ..] => is_above_zero(number),
            _ => false,
        },
        _ => false,
    }
}

fn skip_spaces(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| *byte != b' ').unwrap_or(text.len());
    &text[start..]
}

/// nginx's `ngx_http_gzip_quantity`: a malformed number is 0, and so is one above 1, by the sum of its digits.
fn is_above_zero(number: &[u8]) -> bool {
    let (whole, decimals) = match number {
        [whole @ (b'0' | b'1')] | [whole @ (b'0' | b'1'), b',' | b' ', ..] => (*whole, &[][..]),
        [whole @ (b'0' | b'1'), b'.', decimals @ ..] => (*whole, decimals),
        _ => return false,
    };
    let end = decimals.iter().position(|byte| matches!(byte, b',' | b' ')).unwrap_or(decimals.len());
    let decimals = &decimals[..end];
    let sum =
        u32::from(whole - b'0') * 100 + decimals.iter().map(|byte| u32::from(byte.wrapping_sub(b'0'))).sum::<u32>();
    decimals.iter().all(u8::is_ascii_digit) && decimals.len() <= 3 && (1..=100).contains(&sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nginx_reads_the_first_gzip() {
        for line in [
            "gzip",
            "GZip",
            "gzip,",
            "gzip, deflate",
            "deflate, gzip",
            "deflate,gzip;q=0.5",
            "gzip;q=1",
            "gzip ; q=1.000",
            "gzip;",
            "gzip;  ",
            "gzip;q=0.001, x",
            "xgzip, gzip",
            "gzip,;q=0",
            "x;q=0 gzip",
            "gzip;q=1 ,x",
        ] {
            assert!(nginx_takes_gzip(line.as_bytes()), "{line}");
        }
        for line in [
            "",
            "gzi",
            "*",
            "identity",
            "xgzip",
            "gzipx",
            "gzip;q=0",
            "gzip;q=0.000",
            "gzip;q=2",
            "gzip;q=1.001",
            "gzip;x",
            "gzip;q",
            "gzip;q=",
            "gzip;q =1",
            "gzip;q= 1",
            "gzip;q=0.0001",
            "gzip;q=0.5x",
            "gzip;q=0,gzip",
            "gzip\t,",
            "deflate",
        ] {
            assert!(!nginx_takes_gzip(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn weights_are_by_the_rfc() {
        let get = |list: &str| {
            let weights = Weights::of(list.as_bytes());
            ([Coding::Brotli, Coding::Zstd, Coding::Gzip].map(|coding| weights.get(coding)), weights.identity)
        };
        assert_eq!(get(""), ([0, 0, 0], None));
        assert_eq!(get("gzip, br;q=0.5"), ([500, 0, 1000], None));
        assert_eq!(get("x-gzip;q=0.25,ZSTD ; q=0.1"), ([0, 100, 250], None));
        assert_eq!(get("*"), ([1000, 1000, 1000], None));
        assert_eq!(get("*;q=0"), ([0, 0, 0], Some(0)));
        assert_eq!(get("br, *;q=0"), ([1000, 0, 0], Some(0)));
        assert_eq!(get("*;q=0, identity"), ([0, 0, 0], Some(1000)));
        assert_eq!(get("gzip;q=0, *;q=0.5, identity;q=0"), ([500, 500, 0], Some(0)));
        for malformed in ["br;q=1.001", "br;q=2", "br;q=0.0001", "br;q=0.0.", "br;q", "br;level=1", ";q=1", "br q=1"] {
            assert_eq!(get(malformed), ([0, 0, 0], None), "{malformed}");
        }
    }

    #[test]
    fn a_coding_that_weighs_less_than_the_file_is_worth_nothing() {
        let get = |list: &str| Weights::of(list.as_bytes()).where_worth(Coding::Gzip);
        assert_eq!(get("gzip;q=0.1, identity;q=0.5"), 0);
        assert_eq!(get("gzip;q=0.5, identity;q=0.5"), 500);
        assert_eq!(get("gzip;q=0.1"), 100);
        assert_eq!(get("identity;q=0, *"), 1000);
        assert_eq!(get("identity;q=0, gzip;q=0"), 0);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_do_not_panic(bytes: Vec<u8>, text in "[gzip*br;q=01., ]{0,20}") {
            for line in [&bytes[..], text.as_bytes()] {
                let _ = (nginx_takes_gzip(line), Weights::of(line));
            }
        }
    }
}
