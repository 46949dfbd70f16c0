//! `split_clients`: a variable whose value is drawn by a hash of a text (`ngx_http_split_clients_module.c`).

use super::cx::{Cx, Defined};
use super::defined;
use super::state::Exchange;
use crate::conf::{self, Contexts, Setting};
use crate::http::site::template::Template;
use std::sync::Arc;

/// A `split_clients`.
#[derive(Debug)]
struct Split {
    source: Template,
    /// The values, with the shares of all hashes that they have.
    parts: Vec<Part>,
}

/// The hash that the share ends before; `None`: it has all hashes that are left.
type Part = (Option<u32>, Box<[u8]>);

/// Hundredths of a percent in the whole.
const WHOLE: u64 = 10_000;

/// A variable with a share of the clients for each value.
pub static SPLIT_CLIENTS: Setting<()> = Setting::many(&["split_clients"], |args, (): &mut ()| {
    let source = Template::parse(args, 0)?;
    defined::name(args, 1)?;
    let mut shares = Vec::new();
    for item in args.block() {
        let [share, value, ..] = item.words.as_slice() else {
            return Err(conf::Error::at(item.span, "invalid number of the split_clients parameters"));
        };
        let hundredths = match share.text.as_str() {
            "*" => None,
            text => Some(text.strip_suffix('%').and_then(hundredths).filter(|n| *n > 0).ok_or_else(|| {
                let message = format!("invalid percent value \"{text}\"");
                conf::Error::at(share.span, message).help("a share such as 12.5%, or * for the rest")
            })?),
        };
        shares.push((hundredths, Box::from(value.text.as_bytes())));
    }
    let parts = parts(shares).ok_or_else(|| {
        let error = args.bad(1, "percent total is greater than 100%");
        error.help("the lines share the clients, and * at the end has the rest")
    })?;
    defined::define(args, 1, false, Arc::new(Split { source, parts }))
})
.contexts(Contexts::HTTP)
.args(2, 2)
.takes_block()
.syntax("TEXT $VARIABLE { SHARE% VALUE; ... * VALUE; }")
.about(
    "Defines a variable: a hash of TEXT, with its variables filled in, chooses among the values, of which each has its \
     SHARE of all hashes, with up to two decimals; `*` has the rest. The same text has always the same value, and the \
     same one as under nginx.",
);

/// Reads a share (`ngx_atofp`).
fn hundredths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if text.is_empty() || fraction.len() > 2 || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<2}").parse().ok()
}

/// The ends of the shares. `None`: they are more than there is.
fn parts(shares: Vec<(Option<u64>, Box<[u8]>)>) -> Option<Vec<Part>> {
    let (mut sum, mut end) = (0_u64, 0_u64);
    let mut part = |(share, value): (Option<u64>, Box<[u8]>)| {
        sum = share.map_or(Some(WHOLE), |share| sum.checked_add(share)).filter(|sum| *sum <= WHOLE)?;
        end += share.unwrap_or_default() * u64::from(u32::MAX) / WHOLE;
        Some((share.map(|_| end as u32), value))
    };
    shares.into_iter().map(&mut part).collect()
}

/// MurmurHash2 with the seed 0 (`ngx_murmur_hash2`).
fn murmur_hash2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let (words, rest) = data.as_chunks::<4>();
    let mut h = words.iter().fold(data.len() as u32, |h, word| {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        h.wrapping_mul(M) ^ k.wrapping_mul(M)
    });
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0_u32, |tail, byte| tail << 8 | u32::from(*byte));
        h = (h ^ tail).wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ h >> 15
}

impl Defined for Split {
    fn value(&self, ex: &Exchange, cx: &Cx, out: &mut Vec<u8>) {
        let mut text = Vec::new();
        self.source.eval(ex, cx, &mut text);
        let hash = murmur_hash2(&text);
        if let Some((_, value)) = self.parts.iter().find(|(end, _)| end.is_none_or(|end| hash < end)) {
            out.extend_from_slice(value);
        }
    }
}

/// The directive of this module: `split_clients`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&SPLIT_CLIENTS];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_as_nginx_reads_them() {
        for (text, value) in [
            ("12.5", Some(1250)),
            ("0.01", Some(1)),
            (".5", Some(50)),
            ("5.", Some(500)),
            ("100", Some(10_000)),
            ("", None),
            ("1.234", None),
            ("1.2.3", None),
            ("-1", None),
            ("+1", None),
        ] {
            assert_eq!(hundredths(text), value, "{text}");
        }
    }

    #[test]
    fn the_hash_is_murmur_hash_2() {
        // Known answers of the reference implementation.
        for (text, hash) in [("", 0), ("a", 0x9268_5f5e), ("abc", 0x1357_7c9b), ("abcd", 0x2687_3021)] {
            assert_eq!(murmur_hash2(text.as_bytes()), hash, "{text}");
        }
    }
}
