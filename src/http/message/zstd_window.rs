//! The window of a Zstandard frame (RFC 8878): how much of what it has unpacked a client must keep.

/// The bytes of a file that [`window_len`] looks at.
pub const HEADER_LEN: usize = 18;

/// The widest window that a client has to have on the web (RFC 9659 section 3), bytes: browsers refuse a wider one.
pub const WEB_MAX: u64 = 8 << 20;

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The window that the first frame of a file asks for, bytes, by the file's first [`HEADER_LEN`] bytes (RFC 8878
/// section 3.1.1.1); `None`: it begins otherwise, or ends before that is said.
pub fn window_len(start: &[u8]) -> Option<u64> {
    let (&descriptor, rest) = start.strip_prefix(&MAGIC)?.split_first()?;
    let is_single_segment = descriptor & 0x20 != 0;
    if !is_single_segment {
        let &window = rest.first()?;
        let base = 1u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    // A single segment is as wide as all that it holds; the field's length is one byte where the flag would say none.
    let dictionary_len = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let content = rest.get(dictionary_len..)?;
    let (len, offset) = [(1, 0), (2, 256), (4, 0), (8, 0)][usize::from(descriptor >> 6)];
    let mut bytes = [0; 8];
    bytes[..len].copy_from_slice(content.get(..len)?);
    Some(u64::from_le_bytes(bytes) + offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that are whole but two were written by zstd 1.5.4.
    #[test]
    fn the_first_frame_says_its_window() {
        for (what, start, window) in [
            ("from standard input", "28b52ffd045829000068", Some(2 << 20)),
            ("5 bytes", "28b52ffd240529000068", Some(5)),
            ("1,000 bytes", "28b52ffd64e8024d0000", Some(1000)),
            ("12 MiB, level 19", "28b52ffd84680000c000", Some(8 << 20)),
            ("12 MiB, level 22", "28b52ffda40000c00000", Some(12 << 20)),
            ("--long=27", "28b52ffd048829000068", Some(128 << 20)),
            ("by hand: an eighth more", "28b52ffd0059", Some((2 << 20) + (2 << 20) / 8)),
            ("by hand: with a dictionary", "28b52ffd21aa05", Some(5)),
            ("cut", "28b52ffd", None),
            ("cut in the length", "28b52ffd640e", None),
            ("gzip", "1f8b0800", None),
        ] {
            let bytes = (0..start.len()).step_by(2).map(|at| u8::from_str_radix(&start[at..at + 2], 16).unwrap());
            assert_eq!(window_len(&bytes.collect::<Vec<u8>>()), window, "{what}");
        }
    }
}
