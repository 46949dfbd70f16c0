//! Files to be served: opened read-only and without blocking, described by what a response needs.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::retry;

/// The kind of object that a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// Anything else: a FIFO, a socket, a device.
    Other,
}

/// The parts of `struct stat` that tell one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The kind of object.
    pub kind: FileKind,
    /// Bytes.
    pub len: u64,
    /// Seconds since 1970.
    pub mtime_s: i64,
    /// Nanoseconds within that second.
    pub mtime_ns: u32,
    /// Last change of contents or attributes: moves even when a copy keeps the mtime. Seconds since 1970.
    pub ctime_s: i64,
    /// Nanoseconds within that second.
    pub ctime_ns: u32,
    /// The device.
    pub dev: u64,
    /// The inode.
    pub ino: u64,
    /// Permission bits and type, as in `st_mode`.
    pub mode: u32,
}

impl Meta {
    pub(super) fn from_raw(raw: &libc::stat) -> Meta {
        let kind = match raw.st_mode & libc::S_IFMT {
            libc::S_IFREG => FileKind::File,
            libc::S_IFDIR => FileKind::Dir,
            _ => FileKind::Other,
        };
        Meta {
            kind,
            len: u64::try_from(raw.st_size).unwrap_or(0),
            mtime_s: raw.st_mtime,
            mtime_ns: u32::try_from(raw.st_mtime_nsec).unwrap_or(0),
            ctime_s: raw.st_ctime,
            ctime_ns: u32::try_from(raw.st_ctime_nsec).unwrap_or(0),
            dev: raw.st_dev,
            ino: raw.st_ino,
            mode: raw.st_mode,
        }
    }

    /// Whether this is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == FileKind::File
    }

    /// Whether this is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == FileKind::Dir
    }
}

/// Opens `path` for reading. Non-blocking, so that a FIFO can't hang the worker (nginx: NGX_FILE_NONBLOCK).
pub fn open(path: &CStr) -> io::Result<OwnedFd> {
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_CLOEXEC;
    // SAFETY: `path` is NUL-terminated and outlives the call.
    let fd = retry(|| unsafe { libc::open(path.as_ptr(), flags) })?;
    // SAFETY: open returned a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Describes the object that `path` names, through symbolic links.
pub fn stat(path: &CStr) -> io::Result<Meta> {
    let mut raw = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `path` is NUL-terminated; `raw` has room for one stat, which the call fills when it succeeds.
    retry(|| unsafe { libc::stat(path.as_ptr(), raw.as_mut_ptr()) })?;
    // SAFETY: the call succeeded, so it wrote the whole struct.
    Ok(Meta::from_raw(unsafe { raw.assume_init_ref() }))
}

/// Describes an open file.
pub fn fstat(fd: impl AsFd) -> io::Result<Meta> {
    let fd: BorrowedFd<'_> = fd.as_fd();
    let mut raw = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `fd` is open for the length of the borrow; `raw` has room for one stat.
    retry(|| unsafe { libc::fstat(fd.as_raw_fd(), raw.as_mut_ptr()) })?;
    // SAFETY: the call succeeded, so it wrote the whole struct.
    Ok(Meta::from_raw(unsafe { raw.assume_init_ref() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::io::Write;
    use std::os::unix::ffi::OsStrExt;

    fn c(path: &std::path::Path) -> CString {
        CString::new(path.as_os_str().as_bytes()).unwrap()
    }

    #[test]
    fn stat_and_fstat_agree_and_tell_kinds_apart() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"hello").unwrap();
        let path = c(file.path());
        let by_name = stat(&path).unwrap();
        assert_eq!(by_name, fstat(open(&path).unwrap()).unwrap());
        assert_eq!((by_name.len, by_name.kind), (5, FileKind::File));
        assert!(stat(&c(file.path().parent().unwrap())).unwrap().is_dir());
        assert_eq!(stat(c"/dev/null").unwrap().kind, FileKind::Other);
        assert_eq!(open(c"/nonexistent").unwrap_err().raw_os_error(), Some(libc::ENOENT));
    }

    #[test]
    fn opening_a_fifo_without_a_writer_does_not_block() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(open(&c(&path)).is_ok());
    }
}
