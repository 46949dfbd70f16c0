//! A body that is compressed or decompressed as it is sent: a slice at a time, so that a large file holds up no other
//! client. A gzip that is kept is read from there, a part at a time.

use super::file_cache::OpenedFile;
use super::keeper::{Keeper, Kept};
use crate::http::message::chunk::put_chunk;
use crate::http::message::gzip::Stream;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes of a file that are coded in one turn. Compressing takes 1 to 5 ms for so many.
const SLICE: usize = 64 << 10;

/// Bytes that come out of a slice at most: a short gzip may be a long file.
const ROOM: usize = 128 << 10;

/// The file of a response, on its way through gzip.
#[derive(Debug)]
pub(crate) struct Coder {
    stream: Stream,
    input: Input,
    /// The body goes out in chunks; the one behind the last is not the coder's.
    is_chunked: bool,
    /// The gzip is read from where it is kept, as far as it is still there.
    kept: Option<Kept>,
    /// The gzip is given to be kept.
    keeper: Option<Keeper>,
    /// The length of the gzip that the head has promised.
    promised: Option<u64>,
    /// Bytes of the body that have been made, or read.
    made: u64,
    /// Bytes that the stream makes once more: they have been sent from a gzip that was kept.
    skip: u64,
    scratch: Vec<u8>,
}

/// The bytes of a file from a place on.
#[derive(Debug)]
struct Input {
    entry: Arc<OpenedFile>,
    at: u64,
    end: u64,
    /// A slice of a file that is not in memory, and how much of it has been taken.
    read: Vec<u8>,
    taken: usize,
}

impl Coder {
    pub(crate) fn new(stream: Stream, entry: Arc<OpenedFile>, is_chunked: bool) -> Coder {
        let end = entry.found().len;
        let input = Input { entry, at: 0, end, read: Vec::new(), taken: 0 };
        let (kept, keeper, promised, scratch) = (None, None, None, Vec::new());
        Coder { stream, input, is_chunked, kept, keeper, promised, made: 0, skip: 0, scratch }
    }

    /// Lets what is made be kept.
    pub(crate) fn with_keeper(self, keeper: Keeper) -> Coder {
        Coder { keeper: Some(keeper), ..self }
    }

    /// Reads what is kept, of the length that the head promises; what is not there any more is made again.
    pub(crate) fn with_kept(self, kept: Kept) -> Coder {
        Coder { promised: Some(kept.total()), kept: Some(kept), ..self }
    }

    /// Whether all of the body has been made.
    pub(crate) fn is_done(&self) -> bool {
        if self.kept.is_some() { self.promised == Some(self.made) } else { self.stream.is_done() }
    }

    /// The lengths of the body: of the file, and of what has been made of it.
    pub(crate) fn lengths(&self) -> (u64, u64) {
        (self.input.end, self.made)
    }

    /// Whether the body goes out in chunks.
    pub(crate) fn is_chunked(&self) -> bool {
        self.is_chunked
    }

    /// Codes a slice of the file, and appends what comes out, framed. Errors: the file can't be read, or it is no gzip.
    pub(crate) fn slice(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.scratch.clear();
        if let Some(kept) = &mut self.kept {
            if kept.read(&mut self.scratch) {
                self.made += self.scratch.len() as u64;
                self.put_scratch(out, 0);
                return Ok(());
            }
            // The compressor makes the same bytes of the same slices.
            (self.skip, self.made, self.kept) = (self.made, 0, None);
        }
        self.code()?;
        self.made += self.scratch.len() as u64;
        if self.is_done() && self.promised.is_some_and(|promised| promised != self.made) {
            return Err(self.input.malformed("has changed"));
        }
        let skipped = self.skip.min(self.scratch.len() as u64);
        self.skip -= skipped;
        self.put_scratch(out, skipped as usize);
        Ok(())
    }

    fn put_scratch(&self, out: &mut Vec<u8>, from: usize) {
        let made = &self.scratch[from..];
        if self.is_chunked { put_chunk(out, made) } else { out.extend_from_slice(made) }
    }

    fn code(&mut self) -> io::Result<()> {
        let Coder { stream, input, scratch, keeper, .. } = self;
        let (slice, is_last) = input.slice()?;
        let taken = stream.run(slice, is_last, scratch, ROOM).map_err(|_| input.malformed("inflate() failed"))?;
        let is_stuck = taken == 0 && scratch.is_empty() && !stream.is_done();
        if is_stuck {
            return Err(input.malformed("gzip ends too early"));
        }
        input.take(taken);
        let Some(mut keeping) = keeper.take() else { return Ok(()) };
        if keeping.add(scratch) {
            if stream.is_done() {
                keeping.finish(&input.entry);
            } else {
                *keeper = Some(keeping);
            }
        }
        Ok(())
    }
}

impl Input {
    /// The bytes to come, a slice at most; whether they are the last.
    fn slice(&mut self) -> io::Result<(&[u8], bool)> {
        let len = (self.end - self.at).min(SLICE as u64) as usize;
        let is_last = self.at + len as u64 == self.end;
        if let Some(body) = self.entry.body() {
            return Ok((body.get(self.at as usize..self.at as usize + len).unwrap_or_default(), is_last));
        }
        if self.taken == self.read.len() {
            self.read.resize(len, 0);
            self.taken = 0;
            let Some(file) = self.entry.file() else { return Err(self.malformed("is not open")) };
            file.read_exact_at(&mut self.read, self.at).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => self.malformed("was truncated"),
                _ => error,
            })?;
        }
        let rest = &self.read[self.taken..];
        Ok((rest, self.at + rest.len() as u64 == self.end))
    }

    fn take(&mut self, taken: usize) {
        self.at += taken as u64;
        if self.entry.body().is_none() {
            self.taken += taken;
        }
    }

    fn malformed(&self, what: &str) -> io::Error {
        io::Error::other(format!("\"{}\" {what} at {}", self.entry.path().escape_ascii(), self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::message::gzip::Recipe;
    use crate::serve::file_cache::FileCache;
    use crate::serve::keeper;
    use crate::shm::{GzipCache, PART};
    use std::os::unix::ffi::OsStrExt;

    const RECIPE: Recipe = Recipe { level: 2, window_bits: 15 };

    /// A text that gzip can't shorten much.
    fn text() -> Vec<u8> {
        let mut n: u64 = 1;
        let mut next = || {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            b'a' + (n >> 60) as u8
        };
        (0..1_000_000).map(|_| next()).collect()
    }

    fn body(mut coder: Coder) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        while !coder.is_done() {
            coder.slice(&mut out)?;
        }
        Ok(out)
    }

    #[test]
    fn what_the_cache_has_lost_while_it_was_sent_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, text()).unwrap();
        let entry = FileCache::new(true).get(path.as_os_str().as_bytes(), 1, 0).unwrap();
        let key = keeper::key(&entry, RECIPE, u64::MAX >> 1).unwrap();
        assert_eq!(keeper::key(&entry, RECIPE, 0), None, "it may change yet");
        let cache = GzipCache::of_size(3 << 20).unwrap();
        let coder = || Coder::new(Stream::compress(RECIPE), entry.clone(), false);
        let whole = body(coder().with_keeper(Keeper::new(cache.clone(), key))).unwrap();
        let total = cache.find(&key).unwrap();
        assert!(total == whole.len() as u64 && total > 3 * PART as u64);
        let kept = |total| Kept::new(cache.clone(), key, total);
        assert!(body(coder().with_kept(kept(total))).unwrap() == whole);
        let mut half = coder().with_kept(kept(total));
        let mut out = Vec::new();
        half.slice(&mut out).unwrap();
        // The ring is written over.
        (0..30).for_each(|n| cache.insert(&[n; 8], 0, &[0; 200_000]));
        assert_eq!(cache.find(&key), None);
        assert_eq!(out.len(), PART);
        out.extend(body(half).unwrap());
        assert!(out == whole);
        assert!(body(coder().with_kept(kept(total - 1))).is_err(), "the head has said another length");
    }
}
