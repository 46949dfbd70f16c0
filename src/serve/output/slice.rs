//! A slice of a file on its way to the client.

use crate::log;
use crate::os::cached::{self, Cached};
use crate::os::{Failure, Socket};
use crate::serve::file_cache::OpenedFile;
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

    /// How many of the next `most` bytes the kernel has in memory.
    pub(super) fn cached(&self, most: usize) -> io::Result<usize> {
        let Some(file) = self.entry.file() else { return Err(self.truncated("open")) };
        let most = (self.end - self.at).min(most as u64);
        let cached = cached::cached_from(file, self.at, most).map_err(|error| self.unreadable(error))?;
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
