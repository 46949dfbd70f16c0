//! From the fields of an answer to a header block. Keeps no table: a field is a literal that is not indexed, or stands
//! in the static table as it is.

use super::huffman;
use super::table::STATIC_TABLE;

/// Longer names are copied to the heap to be lowered.
const USUAL_NAME: usize = 64;

/// The encoder of one connection.
#[derive(Debug, Default)]
pub struct Encoder {
    /// The client has changed how large the table may be: the next block says that it is empty (RFC 7541, section 4.2).
    says_size: bool,
}

impl Encoder {
    /// The client's settings have a size for the table.
    pub fn table_size_changed(&mut self) {
        self.says_size = true;
    }

    /// Begins a block, whose first field is the status.
    pub fn begin(&mut self, status: u16, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.says_size) {
            out.push(0x20);
        }
        match status {
            200 => out.push(0x88),
            204 => out.push(0x89),
            206 => out.push(0x8a),
            304 => out.push(0x8b),
            400 => out.push(0x8c),
            404 => out.push(0x8d),
            500 => out.push(0x8e),
            other => {
                // Literal, not indexed, with the name of entry 8; three digits, whatever the number.
                let digits = [100, 10, 1].map(|unit| b'0' + (other / unit % 10) as u8);
                out.extend_from_slice(&[0x08, 0x03]);
                out.extend_from_slice(&digits);
            }
        }
    }

    /// Appends a field; its name may be in any case.
    pub fn field(&self, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let mut room = [0; USUAL_NAME];
        let heap;
        let name = match room.get_mut(..name.len()) {
            Some(room) => {
                room.copy_from_slice(name);
                room.make_ascii_lowercase();
                &*room
            }
            None => {
                heap = name.to_ascii_lowercase();
                &heap[..]
            }
        };
        match static_index(name) {
            Some(index) => integer(0x00, 4, index, out),
            None => {
                out.push(0x00);
                string(name, out);
            }
        }
        string(value, out);
    }
}

/// The entry with this name of the static table, among those that stand in answers.
fn static_index(name: &[u8]) -> Option<usize> {
    /// Names of requests alone, and the pseudo-header fields, are passed by.
    const FIRST: usize = 17;
    // By the length first: most names differ in it.
    let same = |(index, (entry, _)): (usize, &(&[u8], &[u8]))| (*entry == name).then_some(index + FIRST + 1);
    STATIC_TABLE.get(FIRST..)?.iter().enumerate().find_map(same)
}

/// Appends a number behind the bits of `pattern` (RFC 7541, section 5.1).
fn integer(pattern: u8, prefix: u32, value: usize, out: &mut Vec<u8>) {
    let most = (1usize << prefix) - 1;
    if value < most {
        out.push(pattern | value as u8);
        return;
    }
    out.push(pattern | most as u8);
    let mut left = value - most;
    while left >= 0x80 {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

/// Appends a string, in the Huffman code where that is shorter.
fn string(text: &[u8], out: &mut Vec<u8>) {
    let coded = huffman::coded_len(text);
    if coded < text.len() {
        integer(0x80, 7, coded, out);
        huffman::encode(text, out);
    } else {
        integer(0x00, 7, text.len(), out);
        out.extend_from_slice(text);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Decoder;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_the_static_table_are_numbers() {
        let mut out = Vec::new();
        Encoder::default().field(b"Content-Type", b"a", &mut out);
        assert_eq!(out, b"\x0f\x10\x01a");
        for (name, index) in [("accept-ranges", 18), ("server", 54), ("www-authenticate", 61), ("location", 46)] {
            assert_eq!(static_index(name.as_bytes()), Some(index), "{name}");
        }
        assert_eq!(static_index(b"x-own"), None);
    }

    #[test]
    fn a_block_says_once_that_there_is_no_table() {
        let mut encoder = Encoder::default();
        let mut block = |status| {
            let mut out = Vec::new();
            encoder.begin(status, &mut out);
            encoder.table_size_changed();
            out
        };
        assert_eq!(block(200), b"\x88");
        assert_eq!(block(304), b"\x20\x8b");
        assert_eq!(block(301), b"\x20\x08\x03301");
    }

    proptest! {
        #[test]
        fn fields_come_back(
            status in 1u16..1000,
            fields in proptest::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>()), 0..20),
        ) {
            let (mut encoder, mut out) = (Encoder::default(), Vec::new());
            encoder.begin(status, &mut out);
            fields.iter().for_each(|(name, value)| encoder.field(name, value, &mut out));
            let mut got = Vec::new();
            let field = |name: &[u8], value: &[u8]| got.push((name.to_vec(), value.to_vec()));
            Decoder::default().decode(&out, &mut Vec::new(), field).unwrap();
            let mut expected = vec![(b":status".to_vec(), format!("{status:03}").into_bytes())];
            expected.extend(fields.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)));
            prop_assert_eq!(got, expected);
        }
    }
}
