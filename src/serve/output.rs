//! The output of a connection: bytes made here and slices of files, sent in order, in as few calls as they fit into.
//!
//! The head of a response and the texts of errors are appended to `bytes`; `push_body` queues the body that is in a
//! file, a range of it, or several; `flush` sends: from memory with send and sendmsg, from files with sendfile.

mod at_hand;
mod fetch;
mod sealed;
mod slice;

pub(crate) use slice::SendOptions;

use super::coder::Coder;
use super::file_cache::OpenedFile;
use super::jobs::Job;
use super::tls::Wire;
use crate::http::exchange::{Body, Part};
use crate::http::message::gzip::Stream;
use crate::os::cached::{self, Cached};
use crate::os::{Socket, memory};
use fetch::Fetch;
use nix::errno::Errno;
use slice::{FileSlice, Seen};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;

/// Bodies up to this size are copied behind their head: cheaper than a second buffer in the call, and the responses to
/// pipelined requests then leave in one buffer.
const COPY_MAX: u64 = 16 << 10;

/// Buffers in one sendmsg.
const MAX_SLICES: usize = 16;

/// Bytes of a file that one connection may send in one turn (nginx: sendfile_max_chunk, 2m).
const TURN_MAX: usize = 2 << 20;

/// The next slice of a body that is made as it is sent waits while the client has not taken so many bytes.
const UNSENT_MAX: usize = 64 << 10;

/// Bytes of an answer that are encrypted for one call.
const SEALED_MAX: usize = 64 << 10;

/// Bytes read at once where sendfile is off.
const READ_CHUNK: usize = 128 << 10;

/// A body that is made as it is sent.
#[derive(Debug)]
enum Making {
    Here(Box<Coder>),
    /// A thread makes the next slice.
    Away,
    /// A thread has made a slice.
    Made {
        coder: Box<Coder>,
        bytes: Vec<u8>,
        result: io::Result<()>,
    },
}

/// The work of a coder on a slice.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Made {
    /// Bytes that have been queued.
    pub bytes: u64,
    /// The lengths of the body before and behind the coder, when it is through.
    pub lengths: Option<(u64, u64)>,
    /// All chunks have been queued, but for the one behind the last.
    pub needs_last_chunk: bool,
}

/// The outcome of a flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flush {
    /// All is sent.
    Done,
    /// The kernel's buffer is full: go on when the socket is writable.
    Blocked,
    /// The connection has sent its share of this turn: go on in the next.
    Yield,
    /// A thread has to fetch the next bytes: see `Output::take_wanted`.
    Fetch,
}

/// The queue of a connection. Its memory stays for the next responses.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// All the bytes that are not in files, those sent included until everything is sent.
    pub bytes: Vec<u8>,
    sent: usize,
    files: VecDeque<FileSlice>,
    /// The rest of the last response, yet to be made.
    coder: Option<Making>,
    /// The wait for a thread.
    fetch: Fetch,
    /// Records of TLS that the kernel had no room for: what is in them counts as sent.
    sealed: Vec<u8>,
    sealed_sent: usize,
    /// Bytes sent on the connection.
    total: u64,
    /// Bytes of the queue that are out, or in records of TLS.
    taken: u64,
}

impl Output {
    pub(crate) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len() && self.files.is_empty() && self.coder.is_none() && self.sealed.is_empty()
    }

    /// Whether records of TLS wait for room in the kernel's buffer.
    pub(crate) fn holds_records(&self) -> bool {
        !self.sealed.is_empty()
    }

    /// Bytes sent so far: more than before when the client takes some.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Queues a body that is made as it is sent. Nothing may be queued behind it.
    pub(crate) fn push_coder(&mut self, coder: Coder) {
        self.coder = Some(Making::Here(Box::new(coder)));
    }

    /// Whether the rest of the last response is yet to be made, here or by a thread.
    pub(crate) fn has_coder(&self) -> bool {
        self.coder.is_some()
    }

    /// Makes the next slice of the body, unless the client has much to take still. To be called before a flush. Errors:
    /// as those of `flush`.
    pub(crate) fn make_slice(&mut self) -> io::Result<Made> {
        let mut made = Made::default();
        if self.coder.is_none() || self.bytes.len() - self.sent > UNSENT_MAX {
            return Ok(made);
        }
        if self.files.is_empty() {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        let before = self.bytes.len();
        let coder = match self.coder.take() {
            Some(Making::Made { coder, bytes, result }) => {
                self.bytes.extend_from_slice(&bytes);
                result?;
                coder
            }
            Some(Making::Here(coder)) if let Some(pool) = coder.pool() => {
                (self.coder, self.fetch) = (Some(Making::Away), Fetch::Wanted(pool, Job::Code(coder)));
                return Ok(made);
            }
            Some(Making::Here(mut coder)) => {
                coder.slice(&mut self.bytes)?;
                coder
            }
            away => {
                self.coder = away;
                return Ok(made);
            }
        };
        made.bytes = (self.bytes.len() - before) as u64;
        if coder.is_done() {
            made.lengths = Some(coder.lengths());
            made.needs_last_chunk = coder.is_chunked();
        } else {
            self.coder = Some(Making::Here(coder));
        }
        Ok(made)
    }

    /// Bytes of `bytes` yet to be sent.
    fn unsent_bytes(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Whether another response may be put behind those that are there: up to `max` bytes, and as many slices of files
    /// as leave in one call. Each slice keeps its file open.
    pub(crate) fn has_room(&self, max: usize) -> bool {
        self.unsent_bytes() < max && self.files.len() < MAX_SLICES && self.coder.is_none()
    }

    /// Bytes yet to be sent, those of files included.
    pub(crate) fn unsent(&self) -> u64 {
        self.unsent_bytes() as u64 + self.files.iter().map(|slice| slice.end - slice.at).sum::<u64>()
    }

    /// Bytes that have been queued so far, and are out or not.
    #[inline]
    pub(crate) fn queued(&self) -> u64 {
        // Most answers have no files in front of them, and to sum up none costs each request some instructions.
        self.taken + if self.files.is_empty() { self.unsent_bytes() as u64 } else { self.unsent() }
    }

    /// Drops all that was queued behind the first `begin` bytes. False: some of that is out, or a thread is making it.
    pub(crate) fn take_back_to(&mut self, begin: u64) -> bool {
        let Some(mut left) = begin.checked_sub(self.taken) else { return false };
        if self.is_fetching() {
            return false;
        }
        let mut at = self.sent;
        let mut kept = 0;
        for slice in &self.files {
            let before = (slice.after - at) as u64;
            if left <= before {
                break;
            }
            // A whole slice: an answer begins with bytes that are in memory.
            left = left.saturating_sub(before + slice.end - slice.at);
            (at, kept) = (slice.after, kept + 1);
        }
        self.files.truncate(kept);
        self.bytes.truncate(at + left as usize);
        (self.coder, self.fetch) = (None, Fetch::No);
        true
    }

    /// Forgets all that is queued, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.sent = 0;
        self.files.clear();
        self.sealed = Vec::new();
        self.sealed_sent = 0;
        self.coder = None;
        self.fetch = Fetch::No;
    }

    /// Queues the body of a response, which is in the file of `entry`: all of it, one range, or parts between heads of
    /// multipart/byteranges. Returns how many bytes will be sent from the file, without those that were copied into
    /// `bytes`. `pool`: threads wait for the disk. Errors: a small slice can't be read, which is of kind `Other`;
    /// there is no memory for the parts.
    pub(crate) fn push_body(&mut self, entry: &Arc<OpenedFile>, body: Body, pool: Option<u16>) -> io::Result<u64> {
        match body {
            Body::None => Ok(0),
            Body::File { start, end } => self.push_file(entry, start, end, pool),
            // The engine makes a coder of it.
            Body::Gzip { .. } => Ok(0),
            Body::Gunzip { is_chunked } => {
                self.push_coder(Coder::new(Stream::decompress(), entry.clone(), is_chunked).with_pool(pool));
                Ok(0)
            }
            Body::Recoded { table, body, is_chunked } => {
                self.push_coder(Coder::recode(table, entry.clone(), *body, is_chunked).with_pool(pool));
                Ok(0)
            }
            Body::Parts { parts, close } => {
                let copied = |part: &Part| Some(part.end - part.start).filter(|len| *len <= COPY_MAX).unwrap_or(0);
                let room = |part: &Part| part.head.len() + copied(part) as usize;
                let room = parts.iter().map(room).sum::<usize>() + close.len();
                memory::reserve(&mut self.bytes, room).map_err(|_| Errno::ENOMEM)?;
                self.files.try_reserve(parts.len()).map_err(|_| Errno::ENOMEM)?;
                let mut total = 0;
                for part in parts {
                    self.bytes.extend_from_slice(&part.head);
                    total += self.push_file(entry, part.start, part.end, pool)?;
                }
                self.bytes.extend_from_slice(&close);
                Ok(total)
            }
        }
    }

    /// Queues bytes `start..end` of a file; a small slice is copied into `bytes` at once. Returns how many bytes will
    /// be sent from the file: 0 if they were copied. Errors, of kind `Other`: a small slice can't be read.
    fn push_file(&mut self, entry: &Arc<OpenedFile>, start: u64, end: u64, pool: Option<u16>) -> io::Result<u64> {
        if end - start > COPY_MAX {
            let (after, entry) = (self.bytes.len(), entry.clone());
            self.files.push_back(FileSlice {
                after,
                entry,
                at: start,
                end,
                pool,
                fetched: None,
                seen: Seen::default(),
            });
            return Ok(end - start);
        }
        if let Some(body) = entry.body() {
            self.bytes.extend_from_slice(body.get(start as usize..end as usize).unwrap_or_default());
            return Ok(0);
        }
        let Some(file) = entry.file() else { return Ok(0) };
        let len = self.bytes.len();
        self.bytes.resize(len + (end - start) as usize, 0);
        if pool.is_some() {
            if cached::read(file, &mut self.bytes[len..], start)
                .is_ok_and(|read| read == Cached::Known((end - start) as usize))
            {
                return Ok(0);
            }
            self.bytes.truncate(len);
            self.files.push_back(FileSlice {
                after: len,
                entry: entry.clone(),
                at: start,
                end,
                pool,
                fetched: None,
                seen: Seen::default(),
            });
            return Ok(end - start);
        }
        let slice =
            FileSlice { after: len, entry: entry.clone(), at: start, end, pool, fetched: None, seen: Seen::default() };
        slice.read(&mut self.bytes[len..]).inspect_err(|_| self.bytes.truncate(len))?;
        Ok(0)
    }

    /// Gives back the memory of what has been sent, once it is much.
    pub(crate) fn compact(&mut self) {
        if self.sent >= UNSENT_MAX && self.files.is_empty() {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Sends what fits. To be called when the socket may be writable. Errors: of the socket; of kind `Other`, with a
    /// sentence: a file can't be read, or has become shorter than its response promises.
    pub(super) fn flush(&mut self, wire: Wire<'_>, options: SendOptions) -> io::Result<Flush> {
        let is_last = self.coder.is_none();
        let closing = options.closing && is_last;
        match self.flush_made(wire, SendOptions { closing, ..options })? {
            Flush::Done if self.is_fetching() => Ok(Flush::Fetch),
            Flush::Done if !is_last => Ok(Flush::Yield),
            flushed => Ok(flushed),
        }
    }

    fn flush_made(&mut self, wire: Wire<'_>, options: SendOptions) -> io::Result<Flush> {
        if let Some((tls, scratch)) = wire.tls {
            return self.flush_sealed(wire.socket, tls, scratch, options);
        }
        let socket = wire.socket;
        let (mut budget, mut left) = (TURN_MAX, options.most);
        loop {
            if self.sent == self.bytes.len() && self.files.is_empty() {
                self.bytes.clear();
                self.sent = 0;
                return Ok(Flush::Done);
            }
            if budget == 0 || left == 0 {
                return Ok(Flush::Yield);
            }
            let (wanted, sent) = match self.files.front_mut() {
                Some(slice) if slice.after == self.sent && slice.pool.is_some() && slice.entry.body().is_none() => {
                    match self.send_at_hand(socket, budget.min(left), options)? {
                        Some(sent) => sent,
                        None => return Ok(Flush::Fetch),
                    }
                }
                Some(slice) if slice.after == self.sent && slice.entry.body().is_none() => {
                    let most = if options.sendfile { budget } else { budget.min(READ_CHUNK) };
                    let wanted = (slice.end - slice.at).min(most.min(left) as u64) as usize;
                    // A short sendfile says nothing about the socket: a signal may have interrupted it, or the file
                    // has ended. Only EAGAIN promises another event (nginx: ngx_linux_sendfile_chain).
                    (if options.sendfile { 0 } else { wanted }, slice.send(socket, wanted, options))
                }
                _ => self.send_memory(socket, options, left),
            };
            match sent {
                Ok(sent) => {
                    self.total += sent as u64;
                    self.advance(sent);
                    (budget, left) = (budget.saturating_sub(sent), left - sent);
                    if sent < wanted {
                        return Ok(Flush::Blocked);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Flush::Blocked),
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends bytes and file contents that are in memory, up to the first file that is not and `left` at most, in one
    /// call of at most `MAX_SLICES` buffers. Returns how many bytes were to be sent, and the outcome of the call.
    fn send_memory<'s>(&'s self, socket: &Socket, options: SendOptions, mut left: usize) -> (usize, io::Result<usize>) {
        if self.files.is_empty() {
            let unsent = &self.bytes[self.sent..];
            let unsent = &unsent[..unsent.len().min(left)];
            return (unsent.len(), socket.send(unsent, options.closing));
        }
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let (mut used, mut wanted, mut at) = (0, 0, self.sent);
        let mut more = false;
        let mut push = |slice: &'s [u8]| {
            let slice = &slice[..slice.len().min(left)];
            slices[used] = IoSlice::new(slice);
            used += 1;
            wanted += slice.len();
            left -= slice.len();
            used < MAX_SLICES - 1 && left > 0
        };
        let mut all = true;
        for file in &self.files {
            if at < file.after && !push(&self.bytes[at..file.after]) {
                all = false;
                break;
            }
            at = file.after;
            let Some(body) = file.entry.body() else {
                (all, more) = (false, options.nopush);
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
        more |= all && options.closing;
        (wanted, socket.send_vectored(&slices[..used], more))
    }

    /// Takes the first `sent` unsent bytes off the queue, in the order of the stream.
    pub(crate) fn advance(&mut self, mut sent: usize) {
        self.taken += sent as u64;
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

impl Output {
    /// The next bytes, as far as they lie in memory in one piece.
    fn front_in_memory(&self) -> Option<&[u8]> {
        match self.files.front() {
            Some(slice) if slice.after > self.sent => self.bytes.get(self.sent..slice.after),
            Some(slice) => slice.in_memory(),
            None => self.bytes.get(self.sent..),
        }
    }

    /// Moves up to `most` bytes of what is queued, wherever they lie, to the end of `into`; fewer where a thread has to
    /// fetch the next ones. Errors: those of `flush`.
    pub(crate) fn take(&mut self, most: usize, into: &mut Vec<u8>) -> io::Result<()> {
        let end = into.len() + most;
        while into.len() < end && !self.is_all_taken() {
            let before = into.len();
            match self.front_in_memory() {
                Some(front) => into.extend_from_slice(&front[..front.len().min(end - before)]),
                None => {
                    if !self.is_at_hand()? {
                        break;
                    }
                    let Some(slice) = self.files.front() else { break };
                    if slice.pool.is_some() {
                        continue;
                    }
                    let length = (slice.end - slice.at).min((end - before) as u64) as usize;
                    into.resize(before + length, 0);
                    slice.read(&mut into[before..])?;
                }
            }
            self.advance(into.len() - before);
        }
        Ok(())
    }
}
