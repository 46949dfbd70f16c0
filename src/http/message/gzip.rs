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
    Decompress(Decompress),
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
        Stream { engine: Engine::Decompress(Decompress::new_gzip(15)), is_done: false }
    }

    /// Whether the end has been written, or found.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// Takes some of `input` and appends at most `room` bytes to `out`. `is_last`: nothing follows the input. Returns
    /// the bytes taken; when all are, and less than `room` came out, there is no more to come.
    ///
    /// # Errors
    /// The input of a decompressor is no gzip.
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
            Engine::Decompress(engine) => {
                let before = (engine.total_in(), engine.total_out());
                let status = engine.decompress(input, &mut out[start..], FlushDecompress::None).map_err(|_| Malformed);
                (engine.total_in() - before.0, engine.total_out() - before.1, status)
            }
        };
        out.truncate(start + made as usize);
        self.is_done = matches!(status?, Status::StreamEnd);
        Ok(taken as usize)
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
