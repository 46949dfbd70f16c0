//! A body that is changed as it is sent, compressed, decompressed or in another charset: a slice at a time, so that a
//! large file holds up no other client. A gzip that is kept is read from there, a part at a time.

use super::file_cache::OpenedFile;
use super::keeper::{Keeper, Kept};
use crate::http::exchange::Body;
use crate::http::message::charset::{Recoder, Table};
use crate::http::message::chunk::{FRAMES, put_chunk};
use crate::http::message::gzip::Stream;
use crate::log;
use crate::os::{cached, memory};
use nix::errno::Errno;
use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes of a file that are coded in one turn. Compressing takes 1 to 5 ms for so many.
const SLICE: usize = 64 << 10;

/// Bytes that come out of a slice at most: a short gzip may be a long file. In another charset they may be five times
/// as many.
const ROOM: usize = 128 << 10;

/// Bytes of memory that a coder is about to ask for: the state of a compression (0.37 MiB), a slice and what comes out
/// of it, which is copied once as it grows.
pub(crate) const MEMORY: usize = 768 << 10;

/// The body of a response, on its way through gzip, or into another charset.
#[derive(Debug)]
pub(crate) struct Coder {
    input: Input,
    stream: Stream,
    /// Converts what comes out of a gzip.
    behind: Option<Recoder>,
    /// The body goes out in chunks; the one behind the last is not the coder's.
    is_chunked: bool,
    /// The gzip is read from where it is kept, as far as it is still there.
    kept: Option<Kept>,
    /// The gzip is given to be kept.
    keeper: Option<Keeper>,
    /// The length of the gzip that the head has promised.
    promised: Option<u64>,
    /// Bytes of the body that have gone into the stream.
    taken: u64,
    /// Bytes of the body that have been made, or read.
    made: u64,
    /// Bytes that the stream makes once more: they have been sent from a gzip that was kept.
    skip: u64,
    scratch: Vec<u8>,
    /// The pool whose threads make the slices.
    pool: Option<u16>,
}

/// The bytes that are changed.
#[derive(Debug)]
struct Input {
    entry: Arc<OpenedFile>,
    pieces: VecDeque<Piece>,
    /// The charset is converted before all else.
    recoder: Option<Recoder>,
    /// A slice of a file that is not in memory, or converted, and how much of it has been taken.
    read: Vec<u8>,
    taken: usize,
}

/// A piece of a body.
#[derive(Debug)]
enum Piece {
    Bytes(Vec<u8>),
    /// Bytes `at` up to, not including, `end` of the file.
    File {
        at: u64,
        end: u64,
    },
}

impl Coder {
    /// All of the file on its way through the stream.
    pub(crate) fn new(stream: Stream, entry: Arc<OpenedFile>, is_chunked: bool) -> Coder {
        let pieces = VecDeque::from([Piece::File { at: 0, end: entry.found().len }]);
        let input = Input { entry, pieces, recoder: None, read: Vec::new(), taken: 0 };
        Coder {
            input,
            stream,
            behind: None,
            is_chunked,
            kept: None,
            keeper: None,
            promised: None,
            taken: 0,
            made: 0,
            skip: 0,
            scratch: Vec::new(),
            pool: None,
        }
    }

    /// A body of the file in another charset.
    pub(crate) fn recode(table: Arc<Table>, entry: Arc<OpenedFile>, body: Body, is_chunked: bool) -> Coder {
        let recoder = Some(Recoder::new(table));
        let (stream, pieces) = match body {
            Body::Gunzip { .. } => {
                return Coder { behind: recoder, ..Coder::new(Stream::decompress(), entry, is_chunked) };
            }
            Body::Gzip { recipe, .. } => {
                let whole = Piece::File { at: 0, end: entry.found().len };
                (Stream::compress(recipe), VecDeque::from([whole]))
            }
            body => (Stream::copy(), pieces(body)),
        };
        let mut coder = Coder::new(stream, entry, is_chunked);
        (coder.input.pieces, coder.input.recoder) = (pieces, recoder);
        coder
    }

    /// Lets what is made be kept.
    pub(crate) fn with_keeper(self, keeper: Keeper) -> Coder {
        Coder { keeper: Some(keeper), ..self }
    }

    /// Reads what is kept, of the length that the head promises; what is not there any more is made again.
    pub(crate) fn with_kept(self, kept: Kept) -> Coder {
        Coder { promised: Some(kept.total()), kept: Some(kept), ..self }
    }

    /// Leaves the slices to the threads of a pool.
    pub(crate) fn with_pool(self, pool: Option<u16>) -> Coder {
        Coder { pool, ..self }
    }

    /// The pool whose threads make the slices.
    pub(crate) fn pool(&self) -> Option<u16> {
        self.pool
    }

    /// Whether the next slice can be made without a wait for a disk, as far as is known.
    pub(crate) fn is_at_hand(&self) -> bool {
        let (at, end) = self.input.place();
        let len = (end - at).min(SLICE as u64);
        let is_cached = |file| cached::cached_from(file, at, len).is_ok_and(|cached| cached == len);
        self.kept.is_some() || len == 0 || self.input.entry.file().is_none_or(is_cached)
    }

    /// Whether all of the body has been made.
    pub(crate) fn is_done(&self) -> bool {
        if self.kept.is_some() { self.promised == Some(self.made) } else { self.stream.is_done() }
    }

    /// The lengths of the body: before the stream, and of what has been made of it.
    pub(crate) fn lengths(&self) -> (u64, u64) {
        let before = if self.input.recoder.is_some() { self.taken } else { self.input.entry.found().len };
        (before, self.made)
    }

    /// Whether the body goes out in chunks.
    pub(crate) fn is_chunked(&self) -> bool {
        self.is_chunked
    }

    /// Codes a slice of the body, and appends what comes out, framed. Errors: the file can't be read, or it is no gzip,
    /// or there is no memory.
    pub(crate) fn slice(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        // Nothing of it could stop half-way.
        if !memory::has_room(SLICE + 2 * ROOM) {
            return Err(Errno::ENOMEM.into());
        }
        self.scratch.clear();
        reserve(&mut self.scratch, ROOM)?;
        if let Some(kept) = &mut self.kept {
            if kept.read(&mut self.scratch) {
                self.made += self.scratch.len() as u64;
                return self.put_scratch(out, 0);
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
        self.put_scratch(out, skipped as usize)
    }

    fn put_scratch(&self, out: &mut Vec<u8>, from: usize) -> io::Result<()> {
        let made = &self.scratch[from..];
        reserve(out, made.len() + FRAMES)?;
        if self.is_chunked {
            put_chunk(out, made)
        } else {
            out.extend_from_slice(made)
        }
        Ok(())
    }

    fn code(&mut self) -> io::Result<()> {
        let Coder { stream, input, scratch, keeper, behind, .. } = self;
        let (slice, is_last) = input.slice()?;
        let taken = stream.run(slice, is_last, scratch, ROOM).map_err(|_| input.no_gzip("inflate() failed"))?;
        let is_stuck = taken == 0 && scratch.is_empty() && !stream.is_done();
        if is_stuck {
            return Err(input.no_gzip("gzip ends too early"));
        }
        input.take(taken);
        self.taken += taken as u64;
        if let Some(recoder) = behind {
            let text = std::mem::take(scratch);
            recoder.run(&text, scratch);
        }
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

/// Makes room in a buffer, or fails: memory that was there in one piece may be too little in parts.
fn reserve(buffer: &mut Vec<u8>, bytes: usize) -> io::Result<()> {
    memory::reserve(buffer, bytes).map_err(|_| Errno::ENOMEM.into())
}

/// The pieces of a body that is sent as it is.
fn pieces(body: Body) -> VecDeque<Piece> {
    match body {
        Body::File { start, end } => VecDeque::from([Piece::File { at: start, end }]),
        Body::Parts { parts, close } => {
            let pieces = parts
                .into_iter()
                .flat_map(|part| [Piece::Bytes(part.head), Piece::File { at: part.start, end: part.end }]);
            pieces.chain([Piece::Bytes(close)]).collect()
        }
        _ => VecDeque::new(),
    }
}

impl Input {
    /// The bytes to come, a slice at most; whether they are the last.
    fn slice(&mut self) -> io::Result<(&[u8], bool)> {
        if self.is_direct() {
            let (at, end) = self.place();
            let len = (end - at).min(SLICE as u64);
            let body = self.entry.body().and_then(|body| body.get(at as usize..(at + len) as usize));
            return Ok((body.unwrap_or_default(), at + len == end));
        }
        // A slice may be the beginning of a character, of which nothing is made yet.
        while self.taken == self.read.len() && !self.pieces.is_empty() {
            self.fill()?;
        }
        Ok((&self.read[self.taken..], self.pieces.is_empty()))
    }

    /// Whether the bytes are taken from where the file is kept in memory.
    fn is_direct(&self) -> bool {
        self.recoder.is_none() && self.entry.body().is_some()
    }

    /// The bytes of the file that come next.
    fn place(&self) -> (u64, u64) {
        match self.pieces.front() {
            Some(Piece::File { at, end }) => (*at, *end),
            _ => (self.entry.found().len, self.entry.found().len),
        }
    }

    fn take(&mut self, taken: usize) {
        if !self.is_direct() {
            self.taken += taken;
        } else if let Some(Piece::File { at, .. }) = self.pieces.front_mut() {
            *at += taken as u64;
        }
    }

    /// Reads the next slice, and converts it.
    fn fill(&mut self) -> io::Result<()> {
        self.taken = 0;
        let Some(piece) = self.pieces.pop_front() else { return Ok(()) };
        match piece {
            Piece::Bytes(bytes) => self.read = bytes,
            Piece::File { at, end } => {
                let len = (end - at).min(SLICE as u64);
                self.read_file(at, len as usize)?;
                if at + len < end {
                    self.pieces.push_front(Piece::File { at: at + len, end });
                }
            }
        }
        if let Some(recoder) = &mut self.recoder {
            let text = std::mem::take(&mut self.read);
            recoder.run(&text, &mut self.read);
        }
        Ok(())
    }

    fn read_file(&mut self, at: u64, len: usize) -> io::Result<()> {
        self.read.clear();
        if let Some(body) = self.entry.body() {
            self.read.extend_from_slice(body.get(at as usize..at as usize + len).unwrap_or_default());
            return Ok(());
        }
        reserve(&mut self.read, len)?;
        self.read.resize(len, 0);
        let Some(file) = self.entry.file() else { return Err(self.malformed("is not open")) };
        file.read_exact_at(&mut self.read, at).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.truncated(at),
            _ => error,
        })
    }

    /// The words of a file that is sent as it is.
    fn truncated(&self, at: u64) -> io::Error {
        let path = log::Text(self.entry.path());
        io::Error::other(format!("pread() reported that \"{path}\" was truncated at {at}"))
    }

    fn malformed(&self, what: &str) -> io::Error {
        io::Error::other(self.sentence(what))
    }

    /// The file is not what its name says: the administrator's error, and no alarm.
    fn no_gzip(&self, what: &str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, self.sentence(what))
    }

    fn sentence(&self, what: &str) -> String {
        format!("\"{}\" {what} at {}", log::Text(self.entry.path()), self.place().0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::exchange::Part;
    use crate::http::message::gzip::{self, Recipe};
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

    /// Dots become exclamation marks; bytes of the upper half become letters, and letters bytes.
    fn tables() -> [Arc<Table>; 3] {
        let (mut bytes, mut to, mut from) = (Table::bytes(), Table::to_utf8(), Table::from_utf8());
        bytes.set(b'.'.into(), b"!");
        for byte in 0x80..=0xff_u8 {
            let letter = char::from_u32(0x380 + u32::from(byte)).unwrap();
            to.set(byte.into(), letter.encode_utf8(&mut [0; 4]).as_bytes());
            from.set(letter as u16, &[byte]);
        }
        [bytes, to, from].map(Arc::new)
    }

    #[test]
    fn charsets_are_converted_in_front_of_gzip_and_behind_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            FileCache::new(true).get(path.as_os_str().as_bytes(), 1, 0).unwrap()
        };
        // Characters lie across the ends of slices.
        let bytes: Vec<u8> = (0..300_001_u32).map(|n| if n % 3 == 0 { b'.' } else { 0x80 | n as u8 }).collect();
        let [dots, to, from] = tables();
        let text = crate::http::message::charset::recode(to.clone(), &bytes);
        assert_eq!(text.len(), 500_001);
        let (plain, letters, zipped) = (file("a", &bytes), file("b", &text), file("c", &gzip::whole(RECIPE, &text)));
        let whole = |entry: &Arc<OpenedFile>| Body::File { start: 0, end: entry.found().len };
        let run = |table: &Arc<Table>, entry: &Arc<OpenedFile>, made: Body| {
            body(Coder::recode(table.clone(), entry.clone(), made, false)).unwrap()
        };
        assert!(run(&to, &plain, whole(&plain)) == text);
        assert!(run(&from, &letters, whole(&letters)) == bytes);
        assert!(run(&from, &zipped, Body::Gunzip { is_chunked: false }) == bytes);
        let made = Body::Gzip { recipe: RECIPE, kept: None, is_chunked: false };
        assert!(run(&from, &letters, made) == gzip::whole(RECIPE, &bytes), "the gzip of what is converted");
        let part = |head: &str, start| Part { head: head.into(), start, end: start + 100_000 };
        let parts = Body::Parts { parts: vec![part("1.", 0), part("2.", 150_000)], close: b"end.".to_vec() };
        let dotted: Vec<u8> = bytes.iter().map(|byte| if *byte == b'.' { b'!' } else { b'?' }).collect();
        let expected = [b"1!", &dotted[..100_000], b"2!", &dotted[150_000..250_000], b"end!"].concat();
        assert!(run(&dots, &plain, parts) == expected);
        assert_eq!(run(&to, &file("empty", b""), Body::File { start: 0, end: 0 }), b"");
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
    #[test]
    fn a_file_that_becomes_shorter_is_named_with_the_place_that_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, text()).unwrap();
        let entry = FileCache::new(true).get(path.as_os_str().as_bytes(), 1, 0).unwrap();
        let mut coder = Coder::new(Stream::compress(RECIPE), entry, false);
        coder.slice(&mut Vec::new()).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_len(2 * SLICE as u64 + 10).unwrap();
        let said = body(coder).unwrap_err().to_string();
        let end = format!("was truncated at {}", 2 * SLICE);
        assert!(said.starts_with("pread() reported that ") && said.ends_with(&end), "{said}");
    }
}
