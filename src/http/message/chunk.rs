//! The chunked transfer coding of a body that goes out (RFC 9112 section 7.1).

/// Bytes around a chunk, and of the last one: a size of 16 digits, three ends of lines, another size.
pub const FRAMES: usize = 32;

/// Appends the line in front of a chunk of `len` bytes.
pub fn put_size(out: &mut Vec<u8>, len: u64) {
    let digits = (u64::BITS - len.leading_zeros()).div_ceil(4).max(1);
    out.extend((0..digits).rev().map(|digit| b"0123456789abcdef"[(len >> (4 * digit)) as usize & 15]));
    out.extend_from_slice(b"\r\n");
}

/// Appends `bytes` as a chunk; nothing for none, which would be the last.
pub fn put_chunk(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    // The lines around it, and the last chunk, would double the buffer of a long one.
    out.reserve(bytes.len() + FRAMES);
    put_size(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_say_their_length() {
        let mut out = Vec::new();
        put_chunk(&mut out, b"");
        put_chunk(&mut out, b"abc");
        put_chunk(&mut out, &[b'x'; 0x1a0]);
        assert_eq!(out, [b"3\r\nabc\r\n1a0\r\n", &[b'x'; 0x1a0][..], b"\r\n"].concat());
        let mut out = Vec::new();
        [0, 16, u64::MAX].iter().for_each(|len| put_size(&mut out, *len));
        assert_eq!(out, b"0\r\n10\r\nffffffffffffffff\r\n");
    }
}
