//! Log files: each path is opened once, lines are appended with one write, a file is reopened in place.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::socket::{MsgFlags, send};
use nix::unistd::{AccessFlags, eaccess};

use super::shared::FileState;
use crate::os::daemon::{StdStream, duplicate_std, replace_fd};
use crate::os::time::monotonic_ms;
use crate::os::users::Credentials;
use crate::os::{ErrnoText, Failure, Shared, memory_file};

/// A file to which any number of threads and processes append lines.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    /// The descriptor's number never changes: reopening puts another file behind it.
    fd: OwnedFd,
    std: Option<StdStream>,
    sink: Sink,
    state: Shared<FileState>,
}

/// The contents of a log file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// Lines, for [`LogFile::write`].
    Lines,
    /// Compressed lines, for [`LogFile::write_piece`]: any byte may be the last.
    Pieces,
}

/// The way of a log file that is not there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missing {
    /// The file is made.
    #[default]
    Make,
    /// Lines are dropped, and no file is made: a test of a conf by root must not leave files of root's to a service
    /// that another user starts.
    Leave,
}

/// The kind of file that takes the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sink {
    File,
    /// Takes up to PIPE_BUF bytes whole or not at all: lines of several processes stay whole.
    Pipe,
    Socket,
}

/// Bytes that a pipe takes whole (PIPE_BUF).
const ATOMIC: usize = 4096;

impl LogFile {
    /// Opens a file for appending, and creates a missing one (mode 0644, less the umask). /dev/stdout and /dev/stderr
    /// are this process's own streams, even when they are sockets or another user's pipes, which open(2) refuses.
    pub fn open(path: &Path, contents: Contents, missing: Missing) -> Result<Self, Failure> {
        let std = std_stream(path);
        let fd = match std {
            Some(stream) => duplicate_std(stream),
            None if missing == Missing::Leave && !path.exists() => {
                Self::check(path)?;
                memory_file("drover-log", 0).map(OwnedFd::from)
            }
            None => append(path).map(OwnedFd::from),
        };
        let fd = fd.map_err(|e| Failure::on_path("open", path, e))?;
        let sink = sink_of(&fd).map_err(|e| Failure::on_path("fstat", path, e))?;
        let state = Shared::create("drover-log").map_err(|e| Failure::new("memfd_create()", e))?;
        let file = Self { path: path.to_owned(), fd, std, sink, state };
        if contents == Contents::Lines {
            file.look_at_end();
        }
        Ok(file)
    }

    /// Tells whether [`LogFile::open`] would fail, and makes no file.
    pub fn check(path: &Path) -> Result<(), Failure> {
        if std_stream(path).is_some() {
            return Ok(());
        }
        let found = match std::fs::metadata(path) {
            Ok(meta) if meta.is_dir() => Err(io::Error::from_raw_os_error(libc::EISDIR)),
            Ok(_) => eaccess(path, AccessFlags::W_OK).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = made_by_open(path);
                if made.as_os_str().as_encoded_bytes().ends_with(b"/") {
                    Err(io::Error::from_raw_os_error(libc::EISDIR))
                } else {
                    let parent = made.parent().unwrap_or(Path::new("/"));
                    eaccess(parent, AccessFlags::W_OK | AccessFlags::X_OK).map_err(io::Error::from)
                }
            }
            Err(error) => Err(error),
        };
        found.map_err(|error| Failure::on_path("open", path, error))
    }

    /// Ends the last line of the file, which a run that died may have left without its end. A line without its end for
    /// a moment only is being written by the workers of the conf before this one.
    fn look_at_end(&self) {
        let is_cut = || self.sink == Sink::File && ends_in_a_line(&self.path).unwrap_or(false);
        if is_cut() {
            std::thread::sleep(Duration::from_millis(2));
            if is_cut() {
                self.keep_rest(b"\n");
            }
        }
    }

    /// The path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `bytes`, whole lines, so that the lines of several processes don't mix. Returns how many bytes were
    /// taken, whole lines as well: logging never waits for the reader of a pipe, a terminal or a socket. Errors, when
    /// nothing was taken: a full disk, a reader that is gone.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < bytes.len() {
            if self.state.has_rest() && !self.write_rest()? {
                break;
            }
            let most = if self.sink == Sink::File { bytes.len() } else { ATOMIC };
            let piece = lines_up_to(most, &bytes[done..]);
            match self.write_once(piece) {
                Ok(n) => done += self.whole_lines(piece, n),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock || done > 0 => break,
                Err(e) => return Err(e),
            }
        }
        if done > 0
            && let Some(lines) = self.state.losses.to_say(monotonic_ms)
        {
            super::alert!("write() to \"{}\" works again, lines lost: {lines}", self.path.display());
        }
        Ok(done)
    }

    /// Appends `bytes` as one piece, which no other comes between: compressed lines. Returns whether they were taken; a
    /// piece that is cut is written to its end before the next.
    pub fn write_piece(&self, bytes: &[u8]) -> io::Result<bool> {
        if self.state.has_rest() && !self.write_rest()? {
            return Ok(false);
        }
        match self.write_once(bytes) {
            Ok(n) if n < bytes.len() => self.keep_rest(&bytes[n..]),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Counts `lines` that could not be written because of `error`. The first process that loses lines within a minute
    /// logs that.
    pub fn lose(&self, lines: u64, error: &io::Error) {
        self.state.losses.add(lines);
        if let Some(lines) = self.state.losses.to_say(monotonic_ms) {
            let path = self.path.display();
            super::alert!("write() to \"{path}\" failed ({}), lines lost: {lines}", ErrnoText(error));
        }
    }

    /// Takes note that `n` bytes of `lines` are written. The rest of a line that was cut there is kept, to be written
    /// before anything else. Returns how many bytes are taken with that rest.
    fn whole_lines(&self, lines: &[u8], n: usize) -> usize {
        let (done, left) = lines.split_at(n);
        if left.is_empty() || done.last().is_none_or(|byte| *byte == b'\n') {
            return n;
        }
        let rest = memchr::memchr(b'\n', left).map_or(left, |end| &left[..=end]);
        self.keep_rest(rest);
        n + rest.len()
    }

    fn keep_rest(&self, rest: &[u8]) {
        // A process that holds the rest has another cut line there, and the disk is full for both.
        if let Some(held) = self.state.hold() {
            held.set(rest);
        }
    }

    /// Writes the rest of the line that was cut. False: some of the rest is still to be written.
    fn write_rest(&self) -> io::Result<bool> {
        let Some(held) = self.state.hold() else { return Ok(false) };
        let rest = held.get();
        match self.write_once(&rest) {
            Ok(n) => {
                held.set(&rest[n..]);
                Ok(n == rest.len())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => {
                // The beginning of the line has gone with the reader.
                if error.kind() == io::ErrorKind::BrokenPipe {
                    held.set(b"");
                }
                Err(error)
            }
        }
    }

    fn write_once(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let wrote = match self.sink {
                Sink::File | Sink::Pipe => nix::unistd::write(&self.fd, bytes),
                // Without O_NONBLOCK: the descriptor may be a duplicate, whose other holders expect to wait.
                Sink::Socket => send(self.fd.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL),
            };
            match wrote {
                Err(nix::errno::Errno::EINTR) => continue,
                wrote => return Ok(wrote?),
            }
        }
    }

    /// Opens the path again, after a rotation, and puts the new file in the old one's place; on an error the old file
    /// stays. `owner`: the user to whom a master that is root gives the file, because the workers must be able to
    /// reopen it as well (ngx_reopen_files).
    pub fn reopen(&self, owner: Option<&Credentials>) -> Result<(), Failure> {
        if self.std.is_some() {
            return Ok(());
        }
        let file = append(&self.path).map_err(|e| Failure::on_path("open", &self.path, e))?;
        if let Some(owner) = owner {
            give_to(&file, &self.path, owner)?;
        }
        if self.state.has_rest() {
            // The rest of a line belongs to the old file; the new file must not begin with it.
            let _ = self.write_rest();
            self.keep_rest(b"");
        }
        replace_fd(&self.fd, file.into()).map_err(|e| Failure::on_path("dup3", &self.path, e))
    }

    fn is_on_terminal(&self) -> bool {
        self.std.is_some() && self.fd.is_terminal()
    }

    /// Whether the file is this process's standard error.
    pub fn is_stderr(&self) -> bool {
        self.std == Some(StdStream::Error)
    }
}

impl AsFd for LogFile {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The file that open(2) makes for a path where none is: that of symbolic links which lead nowhere.
fn made_by_open(path: &Path) -> PathBuf {
    let mut made = path.to_owned();
    while let Ok(target) = std::fs::read_link(&made) {
        made = made.parent().unwrap_or(Path::new("/")).join(target);
    }
    made
}

fn std_stream(path: &Path) -> Option<StdStream> {
    match path.to_str() {
        Some("/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1") => Some(StdStream::Output),
        Some("/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2") => Some(StdStream::Error),
        _ => None,
    }
}

fn sink_of(fd: &OwnedFd) -> io::Result<Sink> {
    let kind = File::from(fd.try_clone()?).metadata()?.file_type();
    Ok(if kind.is_socket() {
        Sink::Socket
    } else if kind.is_file() {
        Sink::File
    } else {
        Sink::Pipe
    })
}

/// The whole lines that fit into `max` bytes; the whole first line if even that is longer.
pub(crate) fn lines_up_to(max: usize, bytes: &[u8]) -> &[u8] {
    let Some(head) = bytes.get(..max) else { return bytes };
    let end = memchr::memrchr(b'\n', head).or_else(|| memchr::memchr(b'\n', bytes));
    end.and_then(|end| bytes.get(..=end)).unwrap_or(bytes)
}

/// Opens a file for appending, and creates a missing one.
pub(super) fn append(path: &Path) -> io::Result<File> {
    // O_NONBLOCK: a FIFO without a reader is an error (ENXIO), and does not hang the server.
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    OpenOptions::new().append(true).create(true).mode(0o644).custom_flags(flags.bits()).open(path)
}

fn ends_in_a_line(path: &Path) -> io::Result<bool> {
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    let Some(last) = file.metadata()?.len().checked_sub(1) else { return Ok(false) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte != *b"\n")
}

/// Whether `path` is a symbolic link that neither root nor this user made: with such a link, a user who can write to a
/// directory of logs could have root give away any file.
fn is_foreign_link(path: &Path) -> bool {
    let is_ours = |uid| uid == 0 || uid == nix::unistd::geteuid().as_raw();
    std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink() && !is_ours(meta.uid()))
}

/// Gives a log file to the workers' user.
fn give_to(file: &File, path: &Path, owner: &Credentials) -> Result<(), Failure> {
    let meta = file.metadata().map_err(|e| Failure::on_path("fstat", path, e))?;
    // A device, a FIFO or a terminal serves other programs as well.
    if !meta.is_file() || is_foreign_link(path) {
        return Ok(());
    }
    if meta.uid() != owner.uid {
        let advice = || {
            format!("the workers can't reopen it: start drover with CAP_CHOWN, or give the file to \"{}\"", owner.name)
        };
        std::os::unix::fs::fchown(file, Some(owner.uid), None)
            .map_err(|e| Failure::on_path("fchown", path, e).with_advice(advice()))?;
    }
    let mode = meta.permissions().mode();
    if mode & 0o600 != 0o600 {
        let wider = std::fs::Permissions::from_mode(mode | 0o600);
        file.set_permissions(wider).map_err(|e| Failure::on_path("fchmod", path, e))?;
    }
    Ok(())
}

/// The log files of a conf: each path is open once, however many logs write to it.
#[derive(Debug, Default)]
pub struct Files {
    open: Mutex<BTreeMap<PathBuf, Arc<LogFile>>>,
    missing: Missing,
}

impl Files {
    /// No files yet.
    pub fn new(missing: Missing) -> Self {
        Self { open: Mutex::default(), missing }
    }

    /// The log file at `path`, opened now unless it is open already. To be called before root's powers are given up.
    pub fn open(&self, path: &Path, contents: Contents) -> Result<Arc<LogFile>, Failure> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(path) {
            return Ok(file.clone());
        }
        let file = Arc::new(LogFile::open(path, contents, self.missing)?);
        open.insert(path.to_owned(), file.clone());
        Ok(file)
    }

    /// The paths of files that are this process's standard output or error, and a terminal.
    pub fn on_terminal(&self) -> Vec<PathBuf> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.values().filter(|f| f.is_on_terminal()).map(|f| f.path.clone()).collect()
    }

    /// Lets files that are a terminal write to /dev/null from now on.
    pub fn leave_terminal(&self) -> Result<(), Failure> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.values().filter(|f| f.is_on_terminal()).try_for_each(|f| {
            let null = Path::new("/dev/null");
            let null = append(null).map_err(|e| Failure::on_path("open", null, e))?;
            replace_fd(&f.fd, null.into()).map_err(|e| Failure::on_path("dup3", &f.path, e))
        })
    }

    /// The paths of all files.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Reopens all files and returns the failures.
    pub fn reopen(&self, owner: Option<&Credentials>) -> Vec<Failure> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.values().filter_map(|f| f.reopen(owner).err()).collect()
    }
}

#[cfg(test)]
mod tests;
