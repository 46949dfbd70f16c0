//! From a header block to fields.

use super::Error;
use super::huffman;
use super::table::Table;

/// Size of the table that a client may fill: the value that holds without a setting (RFC 9113, section 6.5.2).
const TABLE_SIZE: usize = 4096;

/// Numbers may have this many bytes behind the first: more than any length or index that a block can mean.
const MAX_INTEGER_BYTES: u32 = 4;

/// The decoder of one connection, with the table that its client fills.
#[derive(Debug)]
pub struct Decoder {
    table: Table,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder { table: Table::new(TABLE_SIZE) }
    }
}

/// The bytes of a block that are left.
struct Input<'b>(&'b [u8]);

impl<'b> Input<'b> {
    /// A number whose first byte has `prefix` bits of it (RFC 7541, section 5.1).
    fn integer(&mut self, prefix: u32) -> Result<usize, Error> {
        let [first, rest @ ..] = self.0 else { return Err(Error::Truncated) };
        let most = (1usize << prefix) - 1;
        let mut value = usize::from(*first) & most;
        self.0 = rest;
        if value < most {
            return Ok(value);
        }
        for at in 0..MAX_INTEGER_BYTES {
            let [byte, rest @ ..] = self.0 else { return Err(Error::Truncated) };
            self.0 = rest;
            value += usize::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Error::Integer)
    }

    /// Appends a string (RFC 7541, section 5.2).
    fn string(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        let is_huffman = self.0.first().is_some_and(|byte| byte & 0x80 != 0);
        let len = self.integer(7)?;
        let (text, rest) = self.0.split_at_checked(len).ok_or(Error::Truncated)?;
        self.0 = rest;
        if is_huffman {
            return huffman::decode(text, out);
        }
        out.extend_from_slice(text);
        Ok(())
    }
}

impl Decoder {
    /// Gives each field of a whole header block, name and value, to `field`. `scratch` is memory to be used again.
    ///
    /// # Errors
    /// The block is malformed: the connection must end, as the two tables may differ from here on.
    pub fn decode(
        &mut self,
        block: &[u8],
        scratch: &mut Vec<u8>,
        mut field: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), Error> {
        let mut input = Input(block);
        let mut has_field = false;
        while let [first, ..] = input.0 {
            match first {
                // RFC 7541, section 4.2: a change of the size stands in front of the fields.
                0x20..0x40 if has_field => return Err(Error::TableSize),
                0x20..0x40 => {
                    let size = input.integer(5)?;
                    if size > TABLE_SIZE {
                        return Err(Error::TableSize);
                    }
                    self.table.set_max_size(size);
                    continue;
                }
                0x80.. => {
                    let (name, value) = self.table.get(input.integer(7)?).ok_or(Error::Index)?;
                    field(name, value);
                }
                first => {
                    let is_indexed = *first >= 0x40;
                    let index = input.integer(if is_indexed { 6 } else { 4 })?;
                    self.literal(&mut input, index, is_indexed, scratch, &mut field)?;
                }
            }
            has_field = true;
        }
        Ok(())
    }

    /// A field whose value, and with index 0 its name as well, stands in the block.
    fn literal(
        &mut self,
        input: &mut Input,
        index: usize,
        is_indexed: bool,
        scratch: &mut Vec<u8>,
        field: &mut impl FnMut(&[u8], &[u8]),
    ) -> Result<(), Error> {
        scratch.clear();
        if index == 0 {
            input.string(scratch)?;
        } else {
            scratch.extend_from_slice(self.table.get(index).ok_or(Error::Index)?.0);
        }
        let name_len = scratch.len();
        input.string(scratch)?;
        let (name, value) = scratch.split_at(name_len);
        if is_indexed {
            self.table.insert(name, value);
        }
        field(name, value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Fields = Vec<(String, String)>;

    fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Fields, Error> {
        let mut fields = Fields::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        decoder.decode(block, &mut Vec::new(), |name, value| fields.push((text(name), text(value)))).map(|()| fields)
    }

    fn fields(list: &[(&str, &str)]) -> Result<Fields, Error> {
        Ok(list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn the_requests_of_the_rfc() {
        // RFC 7541, appendix C.3 without and C.4 with the Huffman code.
        let mut plain = Decoder::default();
        let mut coded = Decoder::default();
        let first = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")];
        assert_eq!(decode(&mut plain, b"\x82\x86\x84\x41\x0fwww.example.com"), fields(&first));
        let block = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
        assert_eq!(decode(&mut coded, block), fields(&first));
        let second = [&first[..], &[("cache-control", "no-cache")]].concat();
        assert_eq!(decode(&mut plain, b"\x82\x86\x84\xbe\x58\x08no-cache"), fields(&second));
        assert_eq!(decode(&mut coded, b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf"), fields(&second));
        let third = [
            (":method", "GET"),
            (":scheme", "https"),
            (":path", "/index.html"),
            (":authority", "www.example.com"),
            ("custom-key", "custom-value"),
        ];
        assert_eq!(decode(&mut plain, b"\x82\x87\x85\xbf\x40\x0acustom-key\x0ccustom-value"), fields(&third));
        let block = b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";
        assert_eq!(decode(&mut coded, block), fields(&third));
    }

    #[test]
    fn literals_that_are_not_indexed_leave_the_table_alone() {
        let mut decoder = Decoder::default();
        assert_eq!(decode(&mut decoder, b"\x04\x02/a\x10\x01b\x01c"), fields(&[(":path", "/a"), ("b", "c")]));
        assert_eq!(decode(&mut decoder, b"\xbe"), Err(Error::Index));
    }

    #[test]
    fn malformed_blocks() {
        for (block, error) in [
            (&b"\x80"[..], Error::Index),
            (b"\xbe", Error::Index),
            (b"\x7f\x00\x01a", Error::Index),
            (b"\xff", Error::Truncated),
            (b"\xff\x80", Error::Truncated),
            (b"\xff\x80\x80\x80\x80\x01", Error::Integer),
            (b"\x40", Error::Truncated),
            (b"\x40\x05ab", Error::Truncated),
            (b"\x40\x01a", Error::Truncated),
            (b"\x40\x01a\x02b", Error::Truncated),
            (b"\x40\x01a\x81\xff", Error::Huffman),
            (b"\x40\x84\xff\xff\xff\xff\x00", Error::Huffman),
            (b"\x3f\xe2\x1f", Error::TableSize),
            (b"\x82\x20", Error::TableSize),
            (b"\x3f", Error::Truncated),
        ] {
            assert_eq!(decode(&mut Decoder::default(), block), Err(error), "{}", block.escape_ascii());
        }
    }

    #[test]
    fn the_table_s_size_changes_in_front_of_the_fields() {
        let mut decoder = Decoder::default();
        assert!(decode(&mut decoder, b"\x40\x01a\x01b").is_ok());
        assert_eq!(decode(&mut decoder, b"\x3f\xe1\x1f\xbe"), fields(&[("a", "b")]), "4096 is allowed");
        assert_eq!(decode(&mut decoder, b"\x20\x3f\xe1\x1f\x82"), fields(&[(":method", "GET")]));
        assert_eq!(decode(&mut decoder, b"\xbe"), Err(Error::Index), "size 0 has emptied it");
    }

    proptest! {
        #[test]
        fn any_bytes_do_not_panic(blocks in proptest::collection::vec(any::<Vec<u8>>(), 1..5)) {
            let mut decoder = Decoder::default();
            for block in blocks {
                let _ = decode(&mut decoder, &block);
            }
        }
    }
}
