//! The windows of Zstandard frames (RFC 8878): how much of what it has unpacked a client must keep.

/// The bytes of a file that [`piece`] looks at.
const HEADER_LEN: usize = 18;

/// The widest window that a client has to have on the web (RFC 9659 section 3), bytes: browsers refuse a wider one.
pub const WEB_MAX: u64 = 8 << 20;

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Pieces that [`widest`] looks at, at most: a look is a read of the file. A frame has a block for each 128 KiB that it
/// unpacks to, so that a file of one frame is seen to its end up to 32 MiB.
const MOST_PIECES: usize = 256;

/// A part of a file, from one of its headers to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// The header of a frame.
    Frame { len: u64, window: u64, has_checksum: bool },
    /// Bytes that are skipped.
    Skippable { len: u64 },
}

/// The widest window that the frames of a file ask for, bytes, up to the first that is wider than a client has.
/// `read_at` fills its buffer with the bytes of the file from a place on, and says how many there were. `None`: the
/// file begins otherwise, or ends before a window is said.
pub fn widest(mut read_at: impl FnMut(&mut [u8], u64) -> usize) -> Option<u64> {
    let (mut at, mut widest) = (0, None);
    // The block to come is one of a frame, behind which a checksum follows or none.
    let mut frame: Option<bool> = None;
    for _ in 0..MOST_PIECES {
        let mut start = [0; HEADER_LEN];
        let len = read_at(&mut start, at);
        let start = start.get(..len)?;
        if let Some(has_checksum) = frame {
            let Some((len, is_last)) = block(start) else { break };
            at += len + if is_last && has_checksum { 4 } else { 0 };
            frame = frame.filter(|_| !is_last);
            continue;
        }
        match piece(start) {
            Some(Piece::Frame { len, window, has_checksum }) => {
                widest = widest.max(Some(window));
                if window > WEB_MAX {
                    break;
                }
                at += len;
                frame = Some(has_checksum);
            }
            Some(Piece::Skippable { len }) => at += len,
            None => break,
        }
    }
    widest
}

/// The length of a block with its header, and whether it is the last of its frame (RFC 8878 section 3.1.1.2).
fn block(start: &[u8]) -> Option<(u64, bool)> {
    let &[a, b, c] = start.first_chunk()?;
    let header = u64::from(u32::from_le_bytes([a, b, c, 0]));
    let len = match header >> 1 & 3 {
        0 | 2 => header >> 3,
        // A byte, so many times.
        1 => 1,
        _ => return None,
    };
    Some((3 + len, header & 1 == 1))
}

/// The piece that begins with these bytes, where no block is expected (RFC 8878 sections 3.1.1.1 and 3.1.2).
fn piece(start: &[u8]) -> Option<Piece> {
    if let [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d, ..] = *start {
        return Some(Piece::Skippable { len: 8 + u64::from(u32::from_le_bytes([a, b, c, d])) });
    }
    let (&descriptor, rest) = start.strip_prefix(&MAGIC)?.split_first()?;
    let (is_single_segment, has_checksum) = (descriptor & 0x20 != 0, descriptor & 4 != 0);
    let dictionary_len = [0, 1, 2, 4][usize::from(descriptor & 3)];
    // The length of the content, whose field is one byte in a single segment where the flag would say none.
    let (len, offset) = [(usize::from(is_single_segment), 0), (2, 256), (4, 0), (8, 0)][usize::from(descriptor >> 6)];
    let header_len = MAGIC.len() + 1 + usize::from(!is_single_segment) + dictionary_len + len;
    let window = if is_single_segment {
        // A single segment is as wide as all that it holds.
        let content = rest.get(dictionary_len..)?.get(..len)?;
        let mut bytes = [0; 8];
        bytes[..len].copy_from_slice(content);
        u64::from_le_bytes(bytes).saturating_add(offset)
    } else {
        let &window = rest.first()?;
        let base = 1u64 << (10 + (window >> 3));
        base + base / 8 * u64::from(window & 7)
    };
    Some(Piece::Frame { len: header_len as u64, window, has_checksum })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that are whole but two were written by zstd 1.5.4.
    #[test]
    fn a_frame_says_its_window() {
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
            assert_eq!(of(&bytes.collect::<Vec<u8>>()), window, "{what}");
        }
    }

    fn of(file: &[u8]) -> Option<u64> {
        widest(|buffer, at| {
            let rest = usize::try_from(at).ok().and_then(|at| file.get(at..)).unwrap_or_default();
            let len = rest.len().min(buffer.len());
            buffer[..len].copy_from_slice(&rest[..len]);
            len
        })
    }

    /// A frame with a raw block, an RLE block and a compressed one, whose content does not matter.
    fn frame(window: u8, has_checksum: bool) -> Vec<u8> {
        let header = |len: u32, kind: u32, is_last: u32| (len << 3 | kind << 1 | is_last).to_le_bytes()[..3].to_vec();
        let mut frame = [&MAGIC[..], &[u8::from(has_checksum) << 2, window]].concat();
        frame.extend([header(5, 0, 0), b"12345".to_vec(), header(70_000, 1, 0), b"x".to_vec()].concat());
        frame.extend([header(4, 2, 1), b"\xff\xff\xff\xff".to_vec()].concat());
        frame.extend(if has_checksum { &b"sum "[..] } else { b"" });
        frame
    }

    #[test]
    fn the_widest_of_all_frames_counts() {
        const NARROW: u8 = 11 << 3;
        const WIDE: u8 = 14 << 3;
        let skipped = [&b"\x5a\x2a\x4d\x18\x04\0\0\0"[..], b"abcd"].concat();
        let [narrow, sum, wide] = [frame(NARROW, false), frame(NARROW, true), frame(WIDE, true)];
        for (what, file, window) in [
            ("one", narrow.clone(), Some(2 << 20)),
            ("two", [&narrow[..], &wide].concat(), Some(16 << 20)),
            ("behind a checksum", [&sum[..], &sum, &wide].concat(), Some(16 << 20)),
            ("behind what is skipped", [&skipped[..], &wide].concat(), Some(16 << 20)),
            ("between", [&narrow[..], &skipped, &wide, &narrow].concat(), Some(16 << 20)),
            ("nothing but what is skipped", skipped.clone(), None),
            ("behind something else", [&narrow[..], b"junk", &wide].concat(), Some(2 << 20)),
            ("cut in a block", narrow[..10].to_vec(), Some(2 << 20)),
        ] {
            assert_eq!(of(&file), window, "{what}");
        }
        assert_eq!(of(&skipped.repeat(MOST_PIECES + 1)), None, "it ends");
    }
}
