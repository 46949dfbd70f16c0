//! Texts from one charset in another, as `ngx_http_charset_filter_module.c` converts them.

use std::io::Write;
use std::sync::Arc;

use super::utf8::{Decoded, decode};

/// The conversion of one charset into another.
#[derive(Debug, PartialEq, Eq)]
pub enum Table {
    /// A byte becomes a byte.
    Bytes(Box<[u8; 256]>),
    /// A byte becomes the bytes of a character: their number, then they.
    ToUtf8(Box<[[u8; 4]; 256]>),
    /// A character becomes a byte: pages by the upper byte of its number, in which 0 says that there is none.
    FromUtf8(Vec<Option<Box<[u8; 256]>>>),
}

impl Table {
    /// Bytes of ASCII stay as they are, others become a question mark.
    pub fn bytes() -> Table {
        Table::Bytes(Box::new(std::array::from_fn(|i| if i < 128 { i as u8 } else { b'?' })))
    }

    /// The same, into UTF-8.
    pub fn to_utf8() -> Table {
        Table::ToUtf8(Box::new(std::array::from_fn(|i| [1, if i < 128 { i as u8 } else { b'?' }, 0, 0])))
    }

    /// Characters of ASCII stay as they are, others become references by number.
    pub fn from_utf8() -> Table {
        let mut pages: Vec<Option<Box<[u8; 256]>>> = vec![None; 256];
        pages[0] = Some(Box::new(std::array::from_fn(|i| if i < 128 { i as u8 } else { 0 })));
        Table::FromUtf8(pages)
    }

    /// Sets what a byte, or a character up to 0xffff, becomes: of these at most three bytes.
    pub fn set(&mut self, from: u16, to: &[u8]) {
        let (Some(first), index) = (to.first(), usize::from(from & 0xff)) else { return };
        match self {
            Table::Bytes(bytes) => bytes[index] = *first,
            Table::ToUtf8(characters) => {
                let len = to.len().min(3);
                characters[index][0] = len as u8;
                characters[index][1..=len].copy_from_slice(&to[..len]);
            }
            Table::FromUtf8(pages) => {
                pages[usize::from(from >> 8)].get_or_insert_with(|| Box::new([0; 256]))[index] = *first;
            }
        }
    }

    /// Whether a text keeps its length.
    pub fn keeps_length(&self) -> bool {
        matches!(self, Table::Bytes(_))
    }
}

/// A text on its way through a table, piece by piece.
#[derive(Debug)]
pub struct Recoder {
    table: Arc<Table>,
    /// The beginning of a character whose other bytes are in the next piece.
    begun: Vec<u8>,
}

impl Recoder {
    /// At the start of a text.
    pub fn new(table: Arc<Table>) -> Recoder {
        Recoder { table, begun: Vec::new() }
    }

    /// Appends the next piece of the text, converted. A character that the text does not end is left out.
    pub fn run(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        match &*self.table {
            Table::Bytes(bytes) => out.extend(piece.iter().map(|byte| bytes[usize::from(*byte)])),
            Table::ToUtf8(characters) => {
                for byte in piece {
                    let [len, bytes @ ..] = &characters[usize::from(*byte)];
                    out.extend_from_slice(&bytes[..usize::from(*len)]);
                }
            }
            Table::FromUtf8(pages) if self.begun.is_empty() => self.begun = from_utf8(pages, piece, out).to_vec(),
            Table::FromUtf8(pages) => {
                self.begun.extend_from_slice(piece);
                self.begun = from_utf8(pages, &self.begun, out).to_vec();
            }
        }
    }
}

/// A whole text, converted.
pub fn recode(table: Arc<Table>, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    Recoder::new(table).run(text, &mut out);
    out
}

/// Returns the beginning of a character at the end of the piece.
fn from_utf8<'p>(pages: &[Option<Box<[u8; 256]>>], piece: &'p [u8], out: &mut Vec<u8>) -> &'p [u8] {
    let mut rest = piece;
    while let Some(&byte) = rest.first() {
        let used = match decode(rest) {
            _ if byte < 0x80 => {
                out.push(byte);
                1
            }
            Decoded::Character(number, used) => {
                put(pages, number, out);
                used
            }
            Decoded::Invalid(used) => {
                out.push(b'?');
                used
            }
            Decoded::Incomplete => break,
        };
        rest = &rest[used..];
    }
    rest
}

fn put(pages: &[Option<Box<[u8; 256]>>], number: u32, out: &mut Vec<u8>) {
    let byte =
        pages.get((number >> 8) as usize).and_then(Option::as_ref).map_or(0, |page| page[(number & 0xff) as usize]);
    match (byte, number) {
        (0, 0x11_0000..) => out.push(b'?'),
        // Writing to a Vec can't fail.
        (0, _) => drop(write!(out, "&#{number};")),
        (byte, _) => out.push(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tables() -> [Table; 2] {
        let (mut to, mut from) = (Table::to_utf8(), Table::from_utf8());
        for (byte, character) in [(0xd0_u8, 'п'), (0xd1, 'я'), (0xa0, '─'), (0xf0, '€')] {
            let mut bytes = [0; 4];
            to.set(byte.into(), character.encode_utf8(&mut bytes).as_bytes());
            from.set(character as u16, &[byte]);
        }
        [to, from]
    }

    fn run(table: Table, pieces: &[&[u8]]) -> Vec<u8> {
        let (mut recoder, mut out) = (Recoder::new(Arc::new(table)), Vec::new());
        pieces.iter().for_each(|piece| recoder.run(piece, &mut out));
        out
    }

    #[test]
    fn bytes_become_characters_and_back() {
        let [to, from] = tables();
        assert_eq!(run(to, &[b"a\xd0", b"\xd1\xa0!\xff"]), "aпя─!?".as_bytes());
        assert_eq!(run(from, &["aпя─!€".as_bytes()]), b"a\xd0\xd1\xa0!\xf0");
    }

    #[test]
    fn characters_without_a_byte_become_references() {
        let [_, from] = tables();
        assert_eq!(run(from, &["ж é 😀 ".as_bytes(), b"\xf7\xbf\xbf\xbf"]), b"&#1078; &#233; &#128512; ?");
        let [_, from] = tables();
        assert_eq!(run(from, &[b"\xff\xc1\x80-\xd0a\xe2\x82"]), b"???-?", "what the text does not end is left out");
    }

    #[test]
    fn ascii_stays() {
        let ascii: Vec<u8> = (0..128).collect();
        for table in tables().into_iter().chain([Table::bytes()]) {
            assert_eq!(run(table, &[&ascii]), ascii);
        }
        let mut table = Table::bytes();
        table.set(0xe1, &[0xc1]);
        assert_eq!(run(table, &[b"\xe1\xe2"]), b"\xc1?");
    }

    proptest! {
        #[test]
        fn the_ends_of_pieces_are_not_seen(text: Vec<u8>, cuts: [usize; 3]) {
            let mut ends = cuts.map(|cut| if text.is_empty() { 0 } else { cut % text.len() });
            ends.sort_unstable();
            let pieces = [&text[..ends[0]], &text[ends[0]..ends[1]], &text[ends[1]..ends[2]], &text[ends[2]..]];
            for (whole, parts) in tables().into_iter().zip(tables()) {
                prop_assert_eq!(run(whole, &[&text]), run(parts, &pieces));
            }
        }
    }
}
