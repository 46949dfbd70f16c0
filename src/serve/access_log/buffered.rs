//! Lines of a file, gathered and written in batches.

use crate::log::{LogFile, REST_MAX, lines_up_to};
use crate::os::memory;
use crate::serve::coder;
use flate2::Compression;
use flate2::write::GzEncoder;
use nix::errno::Errno;
use std::io::{self, Write};
use std::sync::Arc;

/// Bytes kept for a reader that is too slow; further lines are lost.
const MOST_HELD: usize = 1 << 20;

/// How long a reader that was too slow is left alone before the next try, ms.
const RETRY_MS: u64 = 20;

/// Bytes of lines gathered within one turn, where the conf asks for no buffer.
const TURN_BUFFER: usize = 64 << 10;

/// Bytes of lines that are compressed at a time: what a full disk cuts of the result is short enough to be kept, even
/// where the lines can't be made shorter.
const PIECE_LINES: usize = REST_MAX - 1024;

/// A file and the lines that are still to be written to it.
#[derive(Debug)]
pub(super) struct Buffered {
    file: Arc<LogFile>,
    /// Bytes to gather; `None`: the lines of a turn are written when it ends.
    capacity: Option<usize>,
    flush_ms: Option<u64>,
    gzip: Option<Compression>,
    buffer: Vec<u8>,
    /// When the buffer's oldest line must be out, ms of the clock.
    due_ms: Option<u64>,
    /// The last write took less than the buffer held: the reader is too slow.
    is_behind: bool,
    /// Lines that could not be written and are not counted in the ledger yet.
    lost: u64,
}

impl Buffered {
    pub(super) fn new(
        file: Arc<LogFile>,
        capacity: Option<usize>,
        flush_ms: Option<u64>,
        gzip: Option<u32>,
    ) -> Buffered {
        let gzip = gzip.map(Compression::new);
        Buffered { file, capacity, flush_ms, gzip, buffer: Vec::new(), due_ms: None, is_behind: false, lost: 0 }
    }

    /// Whether lines are to be written when the turn ends.
    pub(super) fn is_unbuffered(&self) -> bool {
        self.capacity.is_none()
    }

    /// When the buffer must be written, ms of the clock.
    pub(super) fn due_ms(&self) -> Option<u64> {
        self.due_ms
    }

    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Adds the line that `write` appends; one for which it finds no memory is lost.
    pub(super) fn add<E>(&mut self, now_ms: u64, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) {
        let start = self.buffer.len();
        if write(&mut self.buffer).is_err() || memory::reserve(&mut self.buffer, 1).is_err() {
            self.buffer.truncate(start);
            return self.lose(1, &Errno::ENOMEM.into());
        }
        self.buffer.push(b'\n');
        if self.is_behind {
            if self.buffer.len() > MOST_HELD {
                self.buffer.truncate(start);
                self.lose(1, &io::Error::from_raw_os_error(libc::EAGAIN));
            }
            return;
        }
        let capacity = self.capacity.unwrap_or(TURN_BUFFER);
        if self.buffer.len() > capacity && start > 0 {
            // Writes whole lines only: the line that does not fit any more waits for the next write.
            self.flush_up_to(start, now_ms);
        }
        if self.buffer.len() >= capacity && !self.is_behind {
            self.flush(now_ms);
        } else if let (None, Some(flush_ms)) = (self.due_ms, self.flush_ms) {
            self.due_ms = Some(now_ms + flush_ms);
        }
    }

    /// Writes the lines of a turn that has ended, or a buffer that is due.
    pub(super) fn end_of_turn(&mut self, now_ms: u64) {
        let is_due = self.due_ms.is_some_and(|due| due <= now_ms);
        if is_due || self.is_unbuffered() && !self.is_behind {
            self.flush(now_ms);
        }
    }

    /// Writes what the reader takes, and keeps the remainder for the next try. A log that can't be written (disk full,
    /// reader gone) must not stop the service: its lines are lost.
    pub(super) fn flush(&mut self, now_ms: u64) {
        self.flush_up_to(self.buffer.len(), now_ms);
    }

    fn flush_up_to(&mut self, end: usize, now_ms: u64) {
        let lines = &self.buffer[..end];
        let taken = if end == 0 { Ok(0) } else { self.write(lines) };
        let taken = taken.unwrap_or_else(|error| {
            self.lose(memchr::memchr_iter(b'\n', &self.buffer[..end]).count() as u64, &error);
            end
        });
        self.buffer.drain(..taken);
        self.is_behind = taken < end;
        self.due_ms = self.is_behind.then_some(now_ms + RETRY_MS);
    }

    /// Gives up the memory that no line is in.
    pub(super) fn shrink(&mut self) {
        self.buffer.shrink_to_fit();
    }

    /// Bytes of whole lines that were taken.
    fn write(&self, lines: &[u8]) -> io::Result<usize> {
        let Some(level) = self.gzip else { return self.file.write(lines) };
        if !memory::has_room(coder::MEMORY) {
            return Err(Errno::ENOMEM.into());
        }
        let mut done = 0;
        while done < lines.len() {
            let piece = lines_up_to(PIECE_LINES, &lines[done..]);
            let mut gzip = GzEncoder::new(Vec::with_capacity(piece.len() / 4), level);
            gzip.write_all(piece)?;
            match self.file.write_piece(&gzip.finish()?) {
                Ok(true) => done += piece.len(),
                Err(error) if done == 0 => return Err(error),
                Ok(false) | Err(_) => break,
            }
        }
        Ok(done)
    }

    fn lose(&mut self, lines: u64, error: &io::Error) {
        self.lost += lines;
        self.file.lose(lines, error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Contents, Missing};
    use flate2::read::MultiGzDecoder;
    use std::fs::OpenOptions;
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;

    /// Lines that gzip can't shorten much, into a pipe that takes less than one piece at a time.
    #[test]
    fn compressed_lines_that_are_cut_are_written_to_their_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut reader = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path).unwrap();
        let file = Arc::new(LogFile::open(&path, Contents::Pieces, Missing::Make).unwrap());
        let mut log = Buffered::new(file, Some(1 << 20), None, Some(1));
        let (mut seed, mut expected, mut got) = (1u64, String::new(), Vec::new());
        for _ in 0..20_000 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let line = format!("{seed:016x}");
            log.add(0, |buffer| buffer.write_all(line.as_bytes()));
            expected += &line;
            expected.push('\n');
        }
        loop {
            log.flush(0);
            let is_out = log.due_ms().is_none() && log.file.write_piece(b"").unwrap();
            assert!(reader.read_to_end(&mut got).is_err(), "the pipe is empty");
            if is_out {
                break;
            }
        }
        let mut text = String::new();
        MultiGzDecoder::new(&got[..]).read_to_string(&mut text).unwrap();
        assert!(text == expected);
        assert_eq!(log.take_lost(), 0);
    }
}
