//! A slice of a file on its way to the client.

use crate::log;
use crate::os::cached::{self, Cached};
use crate::os::{Failure, Socket, time};
use crate::serve::file_cache::{HOT_MS, OpenedFile};
use crate::serve::jobs::Job;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes that a thread fetches at once: the kernel reads ahead 128 KiB, so that the disk is busy with the next ones
/// meanwhile.
const FETCH: u64 = 256 << 10;

/// Bytes that are read at once from what is in memory.
const READ_CHUNK: u64 = 128 << 10;

/// How to send: `sendfile`, `tcp_nopush`, and whether a close follows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SendOptions {
    /// Files are sent by sendfile, else read and sent.
    pub sendfile: bool,
    /// A head waits for its file, so that packets leave full (MSG_MORE).
    pub nopush: bool,
    /// The connection is closed behind the output at once: the last bytes wait for the FIN, and leave in one packet
    /// with it. Of the ten packets of a short connection on loopback that saves one, and 2 to 9 % of the CPU.
    pub closing: bool,
    /// Send this many bytes and no more.
    pub most: usize,
}

/// A slice of a file, to be sent when the first `after` bytes of `Output::bytes` have been.
#[derive(Debug)]
pub(super) struct FileSlice {
    pub(super) after: usize,
    pub(super) entry: Arc<OpenedFile>,
    pub(super) at: u64,
    pub(super) end: u64,
    /// The pool whose threads wait for the disk.
    pub(super) pool: Option<u16>,
    /// Bytes that have been read already, of a slice with a pool.
    pub(super) fetched: Option<Box<Fetched>>,
    /// The bytes that the kernel had in memory a short time ago, of a slice with a pool.
    pub(super) seen: Seen,
}

/// A run of bytes that have been found in the kernel's memory, one look behind the other.
#[derive(Debug, Default)]
pub(super) struct Seen {
    from: u64,
    to: u64,
    /// When the first look was, ms of the monotonic clock.
    since_ms: u64,
}

impl Seen {
    /// How many bytes from `at` on the run has, if it is not too old to go on.
    fn behind(&self, at: u64, now_ms: u64) -> Option<u64> {
        let is_in = self.from <= at && at <= self.to && now_ms < self.since_ms + HOT_MS;
        is_in.then(|| self.to - at)
    }

    /// Adds `len` bytes from `at` on, which begin a run of their own where they don't follow.
    fn add(&mut self, at: u64, len: u64, now_ms: u64) {
        if self.behind(at, now_ms).is_none() {
            *self = Seen { from: at, to: at, since_ms: now_ms };
        }
        self.to = self.to.max(at + len);
    }
}

/// Bytes of a file.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) at: u64,
    pub(super) bytes: Vec<u8>,
}

impl FileSlice {
    /// Sends up to `wanted` bytes of the slice, by sendfile or by way of a buffer. Returns how many the kernel took.
    /// Errors: of the socket; of kind `Other`: the file can't be read, or has become shorter.
    pub(super) fn send(&self, socket: &Socket, wanted: usize, options: SendOptions) -> io::Result<usize> {
        let Some(file) = self.entry.file() else { return Err(self.truncated("open")) };
        let mut at = self.at;
        if options.sendfile {
            return match socket.sendfile(file, &mut at, wanted)? {
                0 => Err(self.truncated("sendfile")),
                sent => Ok(sent),
            };
        }
        let mut chunk = vec![0; wanted];
        self.read(&mut chunk)?;
        socket.send(&chunk, at + (wanted as u64) < self.end)
    }

    /// Reads the next bytes of the slice, as many as `chunk` has room for. Errors: as for `send`.
    pub(super) fn read(&self, chunk: &mut [u8]) -> io::Result<()> {
        let Some(file) = self.entry.file() else { return Err(self.truncated("open")) };
        file.read_exact_at(chunk, self.at).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.truncated("pread"),
            _ => self.unreadable(error),
        })
    }

    /// The next bytes, as far as they are in this process's memory.
    pub(super) fn in_memory(&self) -> Option<&[u8]> {
        if let Some(body) = self.entry.body() {
            return body.get(self.at as usize..self.end as usize);
        }
        let Fetched { at, bytes } = &**self.fetched.as_ref()?;
        let bytes = bytes.get(usize::try_from(self.at.checked_sub(*at)?).ok()?..)?;
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        (!bytes.is_empty()).then(|| &bytes[..bytes.len().min(left)])
    }

    /// Whether nothing is left behind the next `len` bytes.
    pub(super) fn is_up_to_end(&self, len: usize) -> bool {
        self.at + len as u64 == self.end
    }

    /// Reads the next bytes, if the kernel has them in memory. Returns whether `in_memory` has some now. Errors: of
    /// kind `Other`.
    pub(super) fn read_now(&mut self) -> io::Result<bool> {
        let Some(file) = self.entry.file() else { return Err(self.truncated("open")) };
        let mut bytes = vec![0; (self.end - self.at).min(READ_CHUNK) as usize];
        match cached::read(file, &mut bytes, self.at).map_err(|error| self.unreadable(error))? {
            Cached::Unknown => Ok(false),
            Cached::Known(0) => Err(self.truncated("pread")),
            Cached::Known(read) => {
                bytes.truncate(read);
                self.fetched = Some(Box::new(Fetched { at: self.at, bytes }));
                Ok(true)
            }
        }
    }

    /// How many of the next `most` bytes the kernel has in memory, or had a short time ago.
    pub(super) fn cached(&mut self, most: usize) -> io::Result<usize> {
        let Some(file) = self.entry.file() else { return Err(self.truncated("open")) };
        let (at, most) = (self.at, (self.end - self.at).min(most as u64));
        let now_ms = time::coarse_ns() / 1_000_000;
        if self.entry.is_in_memory(now_ms) {
            return Ok(most as usize);
        }
        if let Some(seen @ 1..) = self.seen.behind(at, now_ms) {
            return Ok(seen.min(most) as usize);
        }
        let cached = cached::cached_from(file, at, most).map_err(|error| self.unreadable(error))?;
        self.seen.add(at, cached, now_ms);
        if self.seen.from == 0 && self.seen.to >= self.entry.found().len {
            self.entry.set_in_memory(self.seen.since_ms);
        }
        Ok(cached as usize)
    }

    /// The job of a thread that fetches the next bytes.
    pub(super) fn fetch(&self) -> Job {
        Job::Read { entry: self.entry.clone(), at: self.at, len: (self.end - self.at).min(FETCH) as usize }
    }

    /// Takes what a thread has fetched. Errors: as for `send`.
    pub(super) fn take(&mut self, at: u64, bytes: io::Result<Vec<u8>>) -> io::Result<()> {
        let bytes = bytes.map_err(|error| self.unreadable(error))?;
        if bytes.is_empty() {
            return Err(self.truncated("pread"));
        }
        self.fetched = Some(Box::new(Fetched { at, bytes }));
        Ok(())
    }

    fn unreadable(&self, error: io::Error) -> io::Error {
        io::Error::other(Failure::new(format!("pread() \"{}\"", log::Text(self.entry.path())), error))
    }

    /// The error of a file that has become shorter, in ngx_linux_sendfile's words.
    pub(super) fn truncated(&self, call: &str) -> io::Error {
        let (path, at) = (log::Text(self.entry.path()), self.at);
        io::Error::other(format!("{call}() reported that \"{path}\" was truncated at {at}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_on_where_looks_follow_each_other_and_ends_with_its_time() {
        let mut seen = Seen::default();
        seen.add(0, 100, 5_000);
        assert_eq!((seen.behind(0, 5_000), seen.behind(60, 5_999)), (Some(100), Some(40)));
        assert_eq!((seen.behind(101, 5_000), seen.behind(0, 5_000 + HOT_MS)), (None, None));
        seen.add(100, 50, 5_500);
        assert_eq!((seen.from, seen.to, seen.since_ms), (0, 150, 5_000));
        // A thread has fetched the bytes in between, which were not in memory.
        seen.add(400, 10, 5_600);
        assert_eq!((seen.from, seen.to, seen.since_ms), (400, 410, 5_600));
        seen.add(410, 10, 5_600 + HOT_MS);
        assert_eq!((seen.from, seen.to), (410, 420));
    }
}
