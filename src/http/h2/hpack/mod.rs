//! The compression of header fields, HPACK (RFC 7541).
//!
//! The decoder is drover's own because those of crates build their Huffman table for each string, 30 µs a request, or
//! are not safe to feed. The encoder keeps no table, so that an idle connection has no memory of answers; the fields of
//! an answer are few, and the names of most stand in the static table.

mod decoder;
mod encoder;
mod huffman;
mod table;

pub use decoder::Decoder;
pub use encoder::Encoder;

use std::fmt;

/// The fault of a header block. Each leaves the table of the connection unknown, so that the connection must end
/// (RFC 9113, section 4.3: COMPRESSION_ERROR).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The block ends within a field.
    Truncated,
    /// A number is larger than any that can be meant.
    Integer,
    /// No entry has this index.
    Index,
    /// A string is not what the Huffman code makes.
    Huffman,
    /// The table would become larger than the settings allow, or changes its size behind a field.
    TableSize,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Truncated => "client sent header block with incorrect length",
            Error::Integer => "client sent header block with too long number",
            Error::Index => "client sent invalid hpack table index",
            Error::Huffman => "client sent invalid encoded header field",
            Error::TableSize => "client sent invalid table size update",
        })
    }
}

impl std::error::Error for Error {}
