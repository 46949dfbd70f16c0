//! A body that is compressed or decompressed as it is sent: a slice at a time, so that a large file holds up no other
//! client.

use super::file_cache::OpenedFile;
use crate::http::message::gzip::{LAST_CHUNK, Stream, put_chunk};
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
    is_chunked: bool,
    /// Bytes that have come out of the stream.
    made: u64,
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
        Coder { stream, input, is_chunked, made: 0, scratch: Vec::new() }
    }

    /// Whether all of the body has been made.
    pub(crate) fn is_done(&self) -> bool {
        self.stream.is_done()
    }

    /// The lengths of the body so far: of the file, and of what has been made of it.
    pub(crate) fn lengths(&self) -> (u64, u64) {
        (self.input.at, self.made)
    }

    /// Codes a slice of the file, and appends what comes out, framed. Errors: the file can't be read, or it is no gzip.
    pub(crate) fn slice(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.scratch.clear();
        self.code()?;
        self.made += self.scratch.len() as u64;
        if !self.is_chunked {
            out.extend_from_slice(&self.scratch);
            return Ok(());
        }
        put_chunk(out, &self.scratch);
        if self.is_done() {
            out.extend_from_slice(LAST_CHUNK);
        }
        Ok(())
    }

    fn code(&mut self) -> io::Result<()> {
        let Coder { stream, input, scratch, .. } = self;
        let (slice, is_last) = input.slice()?;
        let taken = stream.run(slice, is_last, scratch, ROOM).map_err(|_| input.malformed("inflate() failed"))?;
        let is_stuck = taken == 0 && scratch.is_empty() && !stream.is_done();
        if is_stuck {
            return Err(input.malformed("gzip ends too early"));
        }
        input.take(taken);
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
