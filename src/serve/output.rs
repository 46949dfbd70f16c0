//! What a connection has yet to send: bytes made here and slices of files, in order, in as few calls as they fit into.

use super::file_cache::Entry;
use crate::os::{Failure, Socket};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bodies up to this size are copied behind their head: cheaper than a second buffer in the call, and the responses to
/// pipelined requests then leave in one.
const COPY_MAX: u64 = 16 << 10;

/// Buffers in one sendmsg.
const MAX_SLICES: usize = 16;

/// Bytes of a file that one connection may send in one turn (nginx: sendfile_max_chunk, 2m).
const TURN_MAX: usize = 2 << 20;

/// Bytes read at once where sendfile is off.
const READ_CHUNK: usize = 128 << 10;

/// A slice of a file, to be sent when `after` bytes of the buffer have been.
#[derive(Debug)]
struct FileSlice {
    after: usize,
    entry: Arc<Entry>,
    at: u64,
    end: u64,
}

/// How far a flush came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// All is sent.
    Done,
    /// The kernel's buffer is full: go on when the socket is writable.
    Blocked,
    /// Others are to have their turn: go on in the next.
    Yield,
}

/// How files are sent: `sendfile` and `tcp_nopush`.
#[derive(Debug, Clone, Copy)]
pub struct How {
    pub sendfile: bool,
    /// A head waits for its file, so that packets leave full.
    pub nopush: bool,
    /// The connection is closed behind it at once: the last bytes wait for the FIN, and leave in one packet with it. Of the
    /// ten packets of a short connection on loopback that saves one, and 2 to 9 % of the CPU.
    pub closing: bool,
}

/// The queue. Reused: its memory stays.
#[derive(Debug, Default)]
pub struct Output {
    /// All the bytes that are not in files, sent ones included until everything is.
    pub bytes: Vec<u8>,
    sent: usize,
    files: VecDeque<FileSlice>,
}

impl Output {
    pub fn is_empty(&self) -> bool {
        self.sent == self.bytes.len() && self.files.is_empty()
    }

    /// Bytes that are held in memory for this queue.
    pub fn held(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Whether another response may be put behind those that are there: up to `max` bytes, and as many slices of files as leave
    /// in one call. Each keeps its file open.
    pub fn has_room(&self, max: usize) -> bool {
        self.held() < max && self.files.len() < MAX_SLICES
    }

    /// Bytes yet to be sent.
    pub fn left(&self) -> u64 {
        self.held() as u64 + self.files.iter().map(|slice| slice.end - slice.at).sum::<u64>()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.sent = 0;
        self.files.clear();
    }

    /// Queues bytes `start..end` of a file. A small slice is copied. Errors: a small one can't be read.
    pub fn push_file(&mut self, entry: &Arc<Entry>, start: u64, end: u64) -> io::Result<()> {
        if end - start > COPY_MAX {
            self.files.push_back(FileSlice { after: self.bytes.len(), entry: entry.clone(), at: start, end });
            return Ok(());
        }
        if let Some(body) = entry.body() {
            self.bytes.extend_from_slice(body.get(start as usize..end as usize).unwrap_or_default());
            return Ok(());
        }
        let Some(file) = entry.file() else { return Ok(()) };
        let len = self.bytes.len();
        self.bytes.resize(len + (end - start) as usize, 0);
        file.read_exact_at(&mut self.bytes[len..], start).inspect_err(|_| self.bytes.truncate(len))
    }

    /// Sends what fits. Errors: of the socket; of kind `Other`, with a sentence: a file can't be read, or has become
    /// shorter than its response promises.
    pub fn flush(&mut self, socket: &Socket, how: How) -> io::Result<Flush> {
        let mut budget = TURN_MAX;
        loop {
            if self.is_empty() {
                self.clear();
                return Ok(Flush::Done);
            }
            if budget == 0 {
                return Ok(Flush::Yield);
            }
            let (wanted, sent) = match self.files.front_mut() {
                Some(slice) if slice.after == self.sent && slice.entry.body().is_none() => {
                    let most = if how.sendfile { budget } else { budget.min(READ_CHUNK) };
                    let wanted = (slice.end - slice.at).min(most as u64) as usize;
                    // A short sendfile says nothing about the socket: a signal may have interrupted it, or the file
                    // has ended. Only EAGAIN promises another event (nginx: ngx_linux_sendfile_chain).
                    (if how.sendfile { 0 } else { wanted }, slice.send(socket, wanted, how))
                }
                _ => self.send_memory(socket, how),
            };
            match sent {
                Ok(sent) => {
                    self.advance(sent);
                    budget = budget.saturating_sub(sent);
                    if sent < wanted {
                        return Ok(Flush::Blocked);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Flush::Blocked),
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends bytes and file contents that are in memory, up to the first file that is not. Returns how many there were.
    fn send_memory(&self, socket: &Socket, how: How) -> (usize, io::Result<usize>) {
        if self.files.is_empty() {
            let rest = &self.bytes[self.sent..];
            return (rest.len(), socket.send(rest, how.closing));
        }
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let (mut used, mut wanted, mut at) = (0, 0, self.sent);
        let mut more = false;
        let mut push = |slice| {
            slices[used] = IoSlice::new(slice);
            used += 1;
            wanted += slice.len();
            used < MAX_SLICES - 1
        };
        let mut all = true;
        for file in &self.files {
            if at < file.after && !push(&self.bytes[at..file.after]) {
                all = false;
                break;
            }
            at = file.after;
            let Some(body) = file.entry.body() else {
                (all, more) = (false, how.nopush);
                break;
            };
            if !push(body.get(file.at as usize..file.end as usize).unwrap_or_default()) {
                all = false;
                break;
            }
        }
        if all && at < self.bytes.len() {
            push(&self.bytes[at..]);
        }
        more |= all && how.closing;
        (wanted, socket.send_vectored(&slices[..used], more))
    }

    fn advance(&mut self, mut sent: usize) {
        while let Some(slice) = self.files.front_mut() {
            let before = (slice.after - self.sent).min(sent);
            self.sent += before;
            sent -= before;
            let part = (slice.end - slice.at).min(sent as u64);
            slice.at += part;
            sent -= part as usize;
            if self.sent < slice.after || slice.at < slice.end {
                return;
            }
            self.files.pop_front();
        }
        self.sent += sent;
    }
}

impl FileSlice {
    fn send(&self, socket: &Socket, wanted: usize, how: How) -> io::Result<usize> {
        let Some(file) = self.entry.file() else { return Err(self.truncated("open")) };
        let mut at = self.at;
        if how.sendfile {
            return match socket.sendfile(file, &mut at, wanted)? {
                0 => Err(self.truncated("sendfile")),
                sent => Ok(sent),
            };
        }
        let mut chunk = vec![0; wanted];
        file.read_exact_at(&mut chunk, at).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.truncated("pread"),
            _ => io::Error::other(Failure::new(format!("pread() \"{}\"", self.entry.path().escape_ascii()), error)),
        })?;
        socket.send(&chunk, at + (wanted as u64) < self.end)
    }

    /// ngx_linux_sendfile's words.
    fn truncated(&self, call: &str) -> io::Error {
        let (path, at) = (self.entry.path().escape_ascii(), self.at);
        io::Error::other(format!("{call}() reported that \"{path}\" was truncated at {at}"))
    }
}
