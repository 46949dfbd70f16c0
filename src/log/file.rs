//! Log files: opened once a path, appended to with one write, reopened in place.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nix::fcntl::OFlag;
use nix::sys::socket::{MsgFlags, send};

use crate::os::Failure;
use crate::os::process::{StdStream, duplicate_std, replace_fd};
use crate::os::users::Credentials;

/// A file that lines are appended to, by any number of threads and processes.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    /// Its number never changes: reopening puts another file behind it.
    fd: OwnedFd,
    std: Option<StdStream>,
    sink: Sink,
}

/// What takes the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sink {
    File,
    /// Whole or not at all goes in what is no longer than PIPE_BUF: lines of several processes stay whole.
    Pipe,
    Socket,
}

/// Bytes that a pipe takes as one (PIPE_BUF).
const ATOMIC: usize = 4096;

impl LogFile {
    /// Opens for appending, made when missing (mode 0644, less the umask). /dev/stdout and /dev/stderr are this process's own
    /// streams, also when they are sockets or somebody else's pipes, which open(2) refuses.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let std = std_stream(path);
        let fd = match std {
            Some(stream) => duplicate_std(stream),
            None => append(path).map(OwnedFd::from),
        };
        let fd = fd.map_err(|e| Failure::on_path("open", path, e))?;
        let sink = sink_of(&fd).map_err(|e| Failure::on_path("fstat", path, e))?;
        Ok(Self { path: path.to_owned(), fd, std, sink })
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `bytes`, whole lines, so that those of several processes don't mix, and returns how many bytes were taken: logging
    /// never waits for whoever reads a pipe, a terminal or a socket. Errors: a full disk, a reader that is gone.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        if self.sink == Sink::File {
            return self.write_once(bytes);
        }
        let mut done = 0;
        while done < bytes.len() {
            let piece = lines_up_to(ATOMIC, &bytes[done..]);
            match self.write_once(piece) {
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    fn write_once(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let wrote = match self.sink {
                Sink::File | Sink::Pipe => nix::unistd::write(&self.fd, bytes),
                // It may be a duplicate, whose other holders expect to wait.
                Sink::Socket => send(self.fd.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL),
            };
            match wrote {
                Err(nix::errno::Errno::EINTR) => continue,
                wrote => return Ok(wrote?),
            }
        }
    }

    /// Opens the path again (after a rotation) and puts the new file in the old one's place; on an error the old one stays. A
    /// master that is root gives the file to the workers' `owner`, who must be able to reopen it too (ngx_reopen_files).
    pub fn reopen(&self, owner: Option<&Credentials>) -> Result<(), Failure> {
        if self.std.is_some() {
            return Ok(());
        }
        let file = append(&self.path).map_err(|e| Failure::on_path("open", &self.path, e))?;
        if let Some(owner) = owner {
            give_to(&file, &self.path, owner)?;
        }
        replace_fd(&self.fd, file.into()).map_err(|e| Failure::on_path("dup3", &self.path, e))
    }

    /// True when lines end up on this process's standard error.
    pub fn is_stderr(&self) -> bool {
        self.std == Some(StdStream::Error)
    }
}

impl AsFd for LogFile {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }
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

/// As many whole lines as fit into `max` bytes; if not even one does, all of that one.
fn lines_up_to(max: usize, bytes: &[u8]) -> &[u8] {
    let Some(head) = bytes.get(..max) else { return bytes };
    let end = memchr::memrchr(b'\n', head).or_else(|| memchr::memchr(b'\n', bytes));
    end.and_then(|end| bytes.get(..=end)).unwrap_or(bytes)
}

fn append(path: &Path) -> io::Result<File> {
    // O_NONBLOCK: a FIFO without a reader is an error at once (ENXIO) and not a server that hangs.
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    OpenOptions::new().append(true).create(true).mode(0o644).custom_flags(flags.bits()).open(path)
}

fn give_to(file: &File, path: &Path, owner: &Credentials) -> Result<(), Failure> {
    let meta = file.metadata().map_err(|e| Failure::on_path("fstat", path, e))?;
    if meta.uid() != owner.uid {
        std::os::unix::fs::fchown(file, Some(owner.uid), None).map_err(|e| Failure::on_path("fchown", path, e))?;
    }
    let mode = meta.permissions().mode();
    if mode & 0o600 != 0o600 {
        let wider = std::fs::Permissions::from_mode(mode | 0o600);
        file.set_permissions(wider).map_err(|e| Failure::on_path("fchmod", path, e))?;
    }
    Ok(())
}

/// The log files of one configuration: each path is open once, whoever writes to it.
#[derive(Debug, Default)]
pub struct Files {
    open: Mutex<Vec<Arc<LogFile>>>,
}

impl Files {
    /// The log file at `path`, opened now unless it is open already. Call it before privileges drop.
    pub fn open(&self, path: &Path) -> Result<Arc<LogFile>, Failure> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.iter().find(|f| f.path == path) {
            return Ok(file.clone());
        }
        let file = Arc::new(LogFile::open(path)?);
        open.push(file.clone());
        Ok(file)
    }

    /// Reopens them all, and returns what failed.
    pub fn reopen(&self, owner: Option<&Credentials>) -> Vec<Failure> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.iter().filter_map(|f| f.reopen(owner).err()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_path_is_opened_once_and_lines_are_appended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        fs::write(&path, "old\n").unwrap();
        let files = Files::default();
        let (a, b) = (files.open(&path).unwrap(), files.open(&path).unwrap());
        assert!(Arc::ptr_eq(&a, &b));
        a.write(b"one\n").unwrap();
        b.write(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old\none\ntwo\n");
    }

    #[test]
    fn after_a_rotation_lines_go_to_the_new_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let files = Files::default();
        let log = files.open(&path).unwrap();
        fs::rename(&path, dir.path().join("x.log.1")).unwrap();
        log.write(b"before\n").unwrap();
        assert!(files.reopen(None).is_empty());
        log.write(b"after\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "after\n");
        assert_eq!(fs::read_to_string(dir.path().join("x.log.1")).unwrap(), "before\n");
    }

    #[test]
    fn a_path_that_can_not_be_reopened_keeps_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let sub = dir.path().join("sub");
        fs::create_dir(&sub).unwrap();
        let files = Files::default();
        let log = files.open(&sub.join("x.log")).unwrap();
        let moved = dir.path().join("moved");
        fs::rename(&sub, &moved).unwrap();
        let failed = files.reopen(None);
        assert_eq!(failed.len(), 1);
        assert!(failed[0].to_string().ends_with("failed (2: No such file or directory)"), "{}", failed[0]);
        log.write(b"still\n").unwrap();
        assert_eq!(fs::read_to_string(moved.join("x.log")).unwrap(), "still\n");
    }

    #[test]
    fn a_full_device_is_an_error_and_nothing_more() {
        let log = LogFile::open(Path::new("/dev/full")).unwrap();
        assert_eq!(log.write(b"x\n").unwrap_err().raw_os_error(), Some(nix::errno::Errno::ENOSPC as i32));
    }

    #[test]
    fn the_workers_user_gets_the_reopened_file() {
        if !crate::os::users::is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let log = LogFile::open(&path).unwrap();
        log.reopen(Some(&Credentials { name: "daemon".into(), uid: 1, gid: 1 })).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().uid(), 1);
    }

    /// Three lines of 2000 bytes at a time, until the pipe is full: no line is cut, and nothing waits.
    #[test]
    fn a_reader_that_stops_gets_whole_lines_and_is_not_waited_for() {
        use std::io::Read;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut reader = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path).unwrap();
        let log = LogFile::open(&path).unwrap();
        let lines = format!("{}\n", "x".repeat(1999)).repeat(3);
        let mut taken = 0;
        for _ in 0..1000 {
            let n = log.write(lines.as_bytes()).unwrap();
            taken += n;
            assert_eq!(n % 2000, 0);
        }
        assert!(taken > 0 && taken < 1000 * lines.len());
        let mut got = vec![0; taken];
        reader.read_exact(&mut got).unwrap();
        assert!(got.split_inclusive(|byte| *byte == b'\n').all(|line| line.len() == 2000));
        assert_eq!(log.write(lines.as_bytes()).unwrap(), lines.len(), "it goes on when there is room");
    }

    #[test]
    fn pieces_end_with_a_line() {
        assert_eq!(lines_up_to(8, b"ab\ncd\nefgh\n"), b"ab\ncd\n");
        assert_eq!(lines_up_to(2, b"abcd\nef\n"), b"abcd\n");
        assert_eq!(lines_up_to(99, b"ab\n"), b"ab\n");
    }
}
