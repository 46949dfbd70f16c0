//! The Huffman code of HPACK (RFC 7541, section 5.2). Decoding goes by a table of 256 states and 16 steps each, half a
//! byte at a time, which the compiler makes: building one for each string, as crates do, costs more than the request.

use super::Error;

/// The code of each byte, and at the end that of EOS: its bits, right-aligned, and their number (RFC 7541, appendix B).
#[rustfmt::skip]
pub(super) const CODES: [(u32, u8); 257] = [
    (0x1ff8, 13), (0x7fffd8, 23), (0xfffffe2, 28), (0xfffffe3, 28), (0xfffffe4, 28), (0xfffffe5, 28), (0xfffffe6, 28),
    (0xfffffe7, 28), (0xfffffe8, 28), (0xffffea, 24), (0x3ffffffc, 30), (0xfffffe9, 28), (0xfffffea, 28),
    (0x3ffffffd, 30), (0xfffffeb, 28), (0xfffffec, 28), (0xfffffed, 28), (0xfffffee, 28), (0xfffffef, 28),
    (0xffffff0, 28), (0xffffff1, 28), (0xffffff2, 28), (0x3ffffffe, 30), (0xffffff3, 28), (0xffffff4, 28),
    (0xffffff5, 28), (0xffffff6, 28), (0xffffff7, 28), (0xffffff8, 28), (0xffffff9, 28), (0xffffffa, 28),
    (0xffffffb, 28), (0x14, 6), (0x3f8, 10), (0x3f9, 10), (0xffa, 12), (0x1ff9, 13), (0x15, 6), (0xf8, 8),
    (0x7fa, 11), (0x3fa, 10), (0x3fb, 10), (0xf9, 8), (0x7fb, 11), (0xfa, 8), (0x16, 6), (0x17, 6), (0x18, 6),
    (0x0, 5), (0x1, 5), (0x2, 5), (0x19, 6), (0x1a, 6), (0x1b, 6), (0x1c, 6), (0x1d, 6), (0x1e, 6), (0x1f, 6),
    (0x5c, 7), (0xfb, 8), (0x7ffc, 15), (0x20, 6), (0xffb, 12), (0x3fc, 10), (0x1ffa, 13), (0x21, 6), (0x5d, 7),
    (0x5e, 7), (0x5f, 7), (0x60, 7), (0x61, 7), (0x62, 7), (0x63, 7), (0x64, 7), (0x65, 7), (0x66, 7), (0x67, 7),
    (0x68, 7), (0x69, 7), (0x6a, 7), (0x6b, 7), (0x6c, 7), (0x6d, 7), (0x6e, 7), (0x6f, 7), (0x70, 7), (0x71, 7),
    (0x72, 7), (0xfc, 8), (0x73, 7), (0xfd, 8), (0x1ffb, 13), (0x7fff0, 19), (0x1ffc, 13), (0x3ffc, 14), (0x22, 6),
    (0x7ffd, 15), (0x3, 5), (0x23, 6), (0x4, 5), (0x24, 6), (0x5, 5), (0x25, 6), (0x26, 6), (0x27, 6), (0x6, 5),
    (0x74, 7), (0x75, 7), (0x28, 6), (0x29, 6), (0x2a, 6), (0x7, 5), (0x2b, 6), (0x76, 7), (0x2c, 6), (0x8, 5),
    (0x9, 5), (0x2d, 6), (0x77, 7), (0x78, 7), (0x79, 7), (0x7a, 7), (0x7b, 7), (0x7ffe, 15), (0x7fc, 11),
    (0x3ffd, 14), (0x1ffd, 13), (0xffffffc, 28), (0xfffe6, 20), (0x3fffd2, 22), (0xfffe7, 20), (0xfffe8, 20),
    (0x3fffd3, 22), (0x3fffd4, 22), (0x3fffd5, 22), (0x7fffd9, 23), (0x3fffd6, 22), (0x7fffda, 23), (0x7fffdb, 23),
    (0x7fffdc, 23), (0x7fffdd, 23), (0x7fffde, 23), (0xffffeb, 24), (0x7fffdf, 23), (0xffffec, 24), (0xffffed, 24),
    (0x3fffd7, 22), (0x7fffe0, 23), (0xffffee, 24), (0x7fffe1, 23), (0x7fffe2, 23), (0x7fffe3, 23), (0x7fffe4, 23),
    (0x1fffdc, 21), (0x3fffd8, 22), (0x7fffe5, 23), (0x3fffd9, 22), (0x7fffe6, 23), (0x7fffe7, 23), (0xffffef, 24),
    (0x3fffda, 22), (0x1fffdd, 21), (0xfffe9, 20), (0x3fffdb, 22), (0x3fffdc, 22), (0x7fffe8, 23), (0x7fffe9, 23),
    (0x1fffde, 21), (0x7fffea, 23), (0x3fffdd, 22), (0x3fffde, 22), (0xfffff0, 24), (0x1fffdf, 21), (0x3fffdf, 22),
    (0x7fffeb, 23), (0x7fffec, 23), (0x1fffe0, 21), (0x1fffe1, 21), (0x3fffe0, 22), (0x1fffe2, 21), (0x7fffed, 23),
    (0x3fffe1, 22), (0x7fffee, 23), (0x7fffef, 23), (0xfffea, 20), (0x3fffe2, 22), (0x3fffe3, 22), (0x3fffe4, 22),
    (0x7ffff0, 23), (0x3fffe5, 22), (0x3fffe6, 22), (0x7ffff1, 23), (0x3ffffe0, 26), (0x3ffffe1, 26), (0xfffeb, 20),
    (0x7fff1, 19), (0x3fffe7, 22), (0x7ffff2, 23), (0x3fffe8, 22), (0x1ffffec, 25), (0x3ffffe2, 26), (0x3ffffe3, 26),
    (0x3ffffe4, 26), (0x7ffffde, 27), (0x7ffffdf, 27), (0x3ffffe5, 26), (0xfffff1, 24), (0x1ffffed, 25),
    (0x7fff2, 19), (0x1fffe3, 21), (0x3ffffe6, 26), (0x7ffffe0, 27), (0x7ffffe1, 27), (0x3ffffe7, 26),
    (0x7ffffe2, 27), (0xfffff2, 24), (0x1fffe4, 21), (0x1fffe5, 21), (0x3ffffe8, 26), (0x3ffffe9, 26),
    (0xffffffd, 28), (0x7ffffe3, 27), (0x7ffffe4, 27), (0x7ffffe5, 27), (0xfffec, 20), (0xfffff3, 24), (0xfffed, 20),
    (0x1fffe6, 21), (0x3fffe9, 22), (0x1fffe7, 21), (0x1fffe8, 21), (0x7ffff3, 23), (0x3fffea, 22), (0x3fffeb, 22),
    (0x1ffffee, 25), (0x1ffffef, 25), (0xfffff4, 24), (0xfffff5, 24), (0x3ffffea, 26), (0x7ffff4, 23),
    (0x3ffffeb, 26), (0x7ffffe6, 27), (0x3ffffec, 26), (0x3ffffed, 26), (0x7ffffe7, 27), (0x7ffffe8, 27),
    (0x7ffffe9, 27), (0x7ffffea, 27), (0x7ffffeb, 27), (0xffffffe, 28), (0x7ffffec, 27), (0x7ffffed, 27),
    (0x7ffffee, 27), (0x7ffffef, 27), (0x7fffff0, 27), (0x3ffffee, 26), (0x3fffffff, 30),
];

/// The number of EOS, which is no byte and may stand in no string.
const EOS: usize = 256;

/// The outcome of half a byte.
#[derive(Clone, Copy)]
struct Step {
    /// The state that follows: a node of the tree of codes.
    next: u8,
    /// The byte whose code has ended, if `emits`.
    byte: u8,
    emits: bool,
    /// The bits are those of EOS.
    is_invalid: bool,
}

/// The steps from each node of the tree, and whether a string may end there: what is left of the last byte are the
/// first bits of EOS, 7 at most.
struct Machine {
    steps: [[Step; 16]; 256],
    accepts: [bool; 256],
}

static MACHINE: Machine = build();

/// The tree of codes: the children of its nodes. A number up to 255 is a node, of which 0 is the root and nobody's
/// child; from 256 on, a leaf.
const fn tree() -> [[u16; 2]; 256] {
    let mut children = [[0u16; 2]; 256];
    let (mut used, mut symbol) = (1, 0);
    while symbol <= EOS {
        let (code, len) = CODES[symbol];
        let (mut node, mut left) = (0, len);
        while left > 1 {
            left -= 1;
            let bit = (code >> left & 1) as usize;
            if children[node][bit] == 0 {
                children[node][bit] = used;
                used += 1;
            }
            node = children[node][bit] as usize;
        }
        children[node][(code & 1) as usize] = 256 + symbol as u16;
        symbol += 1;
    }
    children
}

const fn build() -> Machine {
    let children = tree();
    let mut steps = [[Step { next: 0, byte: 0, emits: false, is_invalid: false }; 16]; 256];
    let mut node = 0;
    while node < 256 {
        let mut half = 0;
        while half < 16 {
            let mut step = Step { next: 0, byte: 0, emits: false, is_invalid: false };
            let (mut at, mut bit) = (node, 4);
            while bit > 0 {
                bit -= 1;
                let child = children[at][half >> bit & 1] as usize;
                if child < 256 {
                    at = child;
                } else {
                    step.is_invalid |= child - 256 == EOS;
                    step.byte = (child - 256) as u8;
                    step.emits = true;
                    at = 0;
                }
            }
            step.next = at as u8;
            steps[node][half] = step;
            half += 1;
        }
        node += 1;
    }
    let mut accepts = [false; 256];
    let (mut at, mut depth) = (0, 0);
    while depth < 8 {
        accepts[at] = true;
        at = children[at][1] as usize;
        depth += 1;
    }
    Machine { steps, accepts }
}

/// Appends the string that `coded` stands for. Errors: it holds EOS, or its padding is not the beginning of EOS or
/// longer than 7 bits.
pub(super) fn decode(coded: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    let mut node = 0u8;
    let mut invalid = false;
    // The shortest codes have 5 bits.
    out.reserve(coded.len() * 8 / 5);
    for byte in coded {
        for half in [byte >> 4, byte & 15] {
            let step = MACHINE.steps[usize::from(node)][usize::from(half)];
            if step.emits {
                out.push(step.byte);
            }
            invalid |= step.is_invalid;
            node = step.next;
        }
    }
    if invalid || !MACHINE.accepts[usize::from(node)] { Err(Error::Huffman) } else { Ok(()) }
}

/// Bytes that the code of `text` takes.
pub(super) fn coded_len(text: &[u8]) -> usize {
    text.iter().map(|byte| usize::from(CODES[usize::from(*byte)].1)).sum::<usize>().div_ceil(8)
}

/// Appends the code of `text`.
pub(super) fn encode(text: &[u8], out: &mut Vec<u8>) {
    let (mut bits, mut count) = (0u64, 0u32);
    for byte in text {
        let (code, len) = CODES[usize::from(*byte)];
        bits = bits << len | u64::from(code);
        count += u32::from(len);
        while count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    if count > 0 {
        // The padding is the beginning of EOS, which is all ones.
        out.push((bits << (8 - count)) as u8 | 0xff >> count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(coded: &[u8]) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        decode(coded, &mut out).map(|()| out)
    }

    #[test]
    fn the_examples_of_the_rfc() {
        // RFC 7541, appendix C.4 and C.6.
        for (text, coded) in [
            (&b"www.example.com"[..], &b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"[..]),
            (b"no-cache", b"\xa8\xeb\x10\x64\x9c\xbf"),
            (b"custom-value", b"\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf"),
            (b"302", b"\x64\x02"),
            (b"private", b"\xae\xc3\x77\x1a\x4b"),
        ] {
            let mut out = Vec::new();
            encode(text, &mut out);
            assert_eq!(out, coded);
            assert_eq!(coded_len(text), coded.len());
            assert_eq!(decoded(coded).as_deref(), Ok(text));
        }
    }

    #[test]
    fn eos_and_wrong_padding_are_refused() {
        // EOS; padding of a whole byte; padding with a zero.
        for coded in [&b"\xff\xff\xff\xff"[..], b"\xff", b"\x64\x02\xff", b"\xa8\xeb\x10\x64\x9c\xb0", b"\x00"] {
            assert_eq!(decoded(coded), Err(Error::Huffman), "{}", coded.escape_ascii());
        }
        assert_eq!(decoded(b""), Ok(Vec::new()));
        assert_eq!(decoded(b"\x07"), Ok(b"0".to_vec()), "three bits of padding");
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text: Vec<u8>) {
            let mut coded = Vec::new();
            encode(&text, &mut coded);
            prop_assert_eq!(coded.len(), coded_len(&text));
            prop_assert_eq!(decoded(&coded), Ok(text));
        }

        #[test]
        fn what_decodes_is_the_only_code_of_its_text(coded: Vec<u8>) {
            if let Ok(text) = decoded(&coded) {
                let mut again = Vec::new();
                encode(&text, &mut again);
                prop_assert_eq!(again, coded);
            }
        }
    }
}
