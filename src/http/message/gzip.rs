//! gzip (RFC 1952), made and undone a piece at a time.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// The way gzip is made: the same bytes made the same way give the same result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Effort, 1 to 9.
    pub level: u8,
    /// The window's size as a power of two, 9 to 15.
    pub window_bits: u8,
}

/// Bytes on their way into gzip, or out of it.
#[derive(Debug)]
pub struct Stream {
    engine: Engine,
    is_done: bool,
}

#[derive(Debug)]
enum Engine {
    Copy,
    Compress(Compress),
    Decompress(Members),
}

/// The members of a gzip, one behind the other (RFC 1952 section 2.2): `bgzip` and `cat a.gz b.gz` make several.
#[derive(Debug)]
struct Members {
    /// Undoes the member that the input has come to.
    engine: Decompress,
    /// The end of that member has been found.
    has_ended: bool,
}

/// The bytes are no gzip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Stream {
    /// A stream that lets all bytes pass as they are.
    pub fn copy() -> Stream {
        Stream { engine: Engine::Copy, is_done: false }
    }

    /// A stream that compresses.
    pub fn compress(recipe: Recipe) -> Stream {
        let level = Compression::new(recipe.level.into());
        Stream { engine: Engine::Compress(Compress::new_gzip(level, recipe.window_bits.clamp(9, 15))), is_done: false }
    }

    /// A stream that decompresses.
    pub fn decompress() -> Stream {
        let members = Members { engine: Decompress::new_gzip(15), has_ended: false };
        Stream { engine: Engine::Decompress(members), is_done: false }
    }

    /// Whether the end has been written, or found.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// Takes some of `input` and appends at most `room` bytes to `out`. `is_last`: nothing follows the input. Returns
    /// the bytes taken; when all are, and less than `room` came out, there is no more to come.
    ///
    /// # Errors
    /// The input of a decompressor is no gzip, or has something else behind it, be it zeros: as in nginx.
    pub fn run(&mut self, input: &[u8], is_last: bool, out: &mut Vec<u8>, room: usize) -> Result<usize, Malformed> {
        let start = out.len();
        out.resize(start + room, 0);
        let (taken, made, status) = match &mut self.engine {
            Engine::Copy => {
                let taken = input.len().min(room);
                out[start..start + taken].copy_from_slice(&input[..taken]);
                let is_end = is_last && taken == input.len();
                (taken as u64, taken as u64, Ok(if is_end { Status::StreamEnd } else { Status::Ok }))
            }
            Engine::Compress(engine) => {
                let before = (engine.total_in(), engine.total_out());
                let flush = if is_last { FlushCompress::Finish } else { FlushCompress::None };
                let status = engine.compress(input, &mut out[start..], flush).map_err(|_| Malformed);
                (engine.total_in() - before.0, engine.total_out() - before.1, status)
            }
            Engine::Decompress(members) => members.run(input, is_last, &mut out[start..]),
        };
        out.truncate(start + made as usize);
        self.is_done = matches!(status?, Status::StreamEnd);
        Ok(taken as usize)
    }
}

impl Members {
    /// Undoes members as far as the input and the room in `out` go. Returns the bytes taken and made, and whether the
    /// end of the last member has been found (`ngx_http_gunzip_filter_inflate`).
    fn run(&mut self, input: &[u8], is_last: bool, out: &mut [u8]) -> (u64, u64, Result<Status, Malformed>) {
        let (mut taken, mut made) = (0, 0);
        loop {
            if self.has_ended && taken < input.len() {
                self.engine.reset(true);
                self.has_ended = false;
            }
            if self.has_ended {
                let status = if is_last { Status::StreamEnd } else { Status::Ok };
                return (taken as u64, made as u64, Ok(status));
            }
            let before = (self.engine.total_in(), self.engine.total_out());
            let status = self.engine.decompress(&input[taken..], &mut out[made..], FlushDecompress::None);
            taken += (self.engine.total_in() - before.0) as usize;
            made += (self.engine.total_out() - before.1) as usize;
            match status {
                Ok(Status::StreamEnd) => self.has_ended = true,
                status => return (taken as u64, made as u64, status.map_err(|_| Malformed)),
            }
        }
    }
}

/// The whole of `bytes` as gzip.
pub fn whole(recipe: Recipe, mut bytes: &[u8]) -> Vec<u8> {
    const ROOM: usize = 64 << 10;
    let (mut stream, mut out) = (Stream::compress(recipe), Vec::new());
    while !stream.is_done() {
        // Compressing refuses no input.
        let Ok(taken) = stream.run(bytes, true, &mut out, ROOM) else { break };
        bytes = &bytes[taken..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPE: Recipe = Recipe { level: 1, window_bits: 15 };

    fn undo(gzip: &[u8], room: usize) -> Result<Vec<u8>, Malformed> {
        let (mut stream, mut out, mut at) = (Stream::decompress(), Vec::new(), 0);
        while !stream.is_done() {
            let before = (at, out.len());
            at += stream.run(&gzip[at..], true, &mut out, room)?;
            if (at, out.len()) == before {
                return Err(Malformed);
            }
        }
        Ok(out)
    }

    #[test]
    fn what_is_made_can_be_undone_in_pieces_of_any_size() {
        let text: Vec<u8> = (0..100_000_u32).flat_map(|n| (n.wrapping_mul(n) / 7).to_string().into_bytes()).collect();
        for recipe in [RECIPE, Recipe { level: 9, window_bits: 9 }] {
            for bytes in [&text[..], &text[..1], b""] {
                let gzip = whole(recipe, bytes);
                assert_eq!(gzip[..3], [0x1f, 0x8b, 8]);
                assert_eq!(undo(&gzip, 100_000).unwrap(), bytes);
                assert_eq!(undo(&gzip, 999).unwrap(), bytes);
            }
        }
        assert!(whole(RECIPE, &text).len() < text.len() * 3 / 4);
    }

    /// Undoes a gzip that comes `piece` bytes at a time.
    fn undo_pieces(gzip: &[u8], piece: usize) -> Result<Vec<u8>, Malformed> {
        let (mut stream, mut out, mut at) = (Stream::decompress(), Vec::new(), 0);
        while !stream.is_done() {
            let end = (at + piece).min(gzip.len());
            let before = (at, out.len());
            at += stream.run(&gzip[at..end], end == gzip.len(), &mut out, 1000)?;
            if (at, out.len()) == before {
                return Err(Malformed);
            }
        }
        Ok(out)
    }

    #[test]
    fn members_are_undone_one_behind_the_other() {
        let (one, two, long) = (whole(RECIPE, b"one "), whole(RECIPE, b"two"), whole(RECIPE, &[b'x'; 100_000]));
        // The mark at the end of a file of bgzip, which has an extra field.
        let empty = *b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0\x1b\0\x03\0\0\0\0\0\0\0\0\0";
        let several = [&empty[..], &one, &long, &empty, &empty, &two, &empty].concat();
        let expected = [b"one ", &[b'x'; 100_000][..], b"two"].concat();
        // Pieces of the length of a member end where it ends.
        for piece in [1, 7, empty.len(), one.len(), empty.len() + one.len(), 1000, several.len()] {
            assert!(undo_pieces(&several, piece).unwrap() == expected, "{piece}");
            assert_eq!(undo_pieces(&[&one[..], &one, &two].concat(), piece).unwrap(), b"one one two", "{piece}");
        }
        for behind in [&b"\0\0\0\0\0\0\0\0"[..], b"\0", b"something else, not gzip", &two[..two.len() - 1], &two[..4]] {
            for piece in [1, one.len(), 1000] {
                assert_eq!(undo_pieces(&[&one[..], behind].concat(), piece), Err(Malformed), "{behind:?}");
            }
        }
    }

    #[test]
    fn what_is_no_gzip_is_refused() {
        assert_eq!(undo(b"no gzip at all, as all can see", 100), Err(Malformed));
        let mut gzip = whole(RECIPE, b"some text, some more text");
        assert_eq!(undo(&gzip[..gzip.len() - 1], 100), Err(Malformed), "cut short");
        let last = gzip.len() - 5;
        gzip[last] ^= 1;
        assert_eq!(undo(&gzip, 100), Err(Malformed), "another sum");
    }
}
