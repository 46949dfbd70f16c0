//! Files as far as the kernel has them in memory: calls that fail where they would wait for a disk, or for a server
//! behind the file system.
//!
//! A name is looked up with RESOLVE_CACHED (openat2, Linux 5.12), bytes are read with RWF_NOWAIT (preadv2, Linux 4.14).
//! cachestat(2) would tell of many pages at once, and is no help: since Linux 6.14 it refuses with EPERM whoever may
//! not write to the file, which a worker should not.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use super::file::{self, Meta};
use super::{openat2, retry};

/// The kernel has no RESOLVE_CACHED, or a filter of system calls keeps it from the process: found out with the first
/// look-up.
static IS_REFUSED: AtomicBool = AtomicBool::new(false);

/// How far apart the bytes are that `cached_from` reads: the kernel reads ahead at least so much at once from a file
/// that is read in order (its first window is as large as the read, and the next ones double up to 128 KiB).
const STEP: u64 = 32 << 10;

/// The outcome of a look at what is in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cached<T> {
    /// The answer.
    Known(T),
    /// The answer is not in memory.
    Unknown,
}

/// Opens `path` for nothing but questions about it, if its names are all in memory. Errors: those of open(2).
pub fn find(path: &CStr) -> io::Result<Cached<OwnedFd>> {
    if IS_REFUSED.load(Ordering::Relaxed) {
        return Ok(Cached::Unknown);
    }
    match openat2::open(libc::AT_FDCWD, path, libc::O_PATH | libc::O_CLOEXEC, libc::RESOLVE_CACHED) {
        Ok(found) => Ok(Cached::Known(found)),
        Err(error) => match error.raw_os_error() {
            Some(libc::EAGAIN) => Ok(Cached::Unknown),
            Some(libc::ENOSYS | libc::EINVAL | libc::EPERM) => {
                IS_REFUSED.store(true, Ordering::Relaxed);
                Ok(Cached::Unknown)
            }
            _ => Err(error),
        },
    }
}

/// The device of an open file, without a question to the server of a file system that has one.
pub fn device(fd: &OwnedFd) -> io::Result<u64> {
    let mut raw = MaybeUninit::<libc::statx>::uninit();
    let flags = libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC;
    // SAFETY: `fd` is open and the path is empty; `raw` has room for one statx, which the call fills when it succeeds.
    retry(|| unsafe { libc::statx(fd.as_raw_fd(), c"".as_ptr(), flags, 0, raw.as_mut_ptr()) })?;
    // SAFETY: the call succeeded, so it wrote the whole struct.
    let raw = unsafe { raw.assume_init_ref() };
    Ok(libc::makedev(raw.stx_dev_major, raw.stx_dev_minor))
}

/// Whether the kernel alone knows what the file system of an open file holds, so that what it has in memory is true and
/// needs no question to anybody (FUSE, NFS and the like ask their servers, with open(2) too). May wait.
pub fn is_local(fd: impl AsFd) -> bool {
    let mut raw = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: `fd` is open for the length of its borrow; `raw` has room for one statfs, which the call fills.
    if retry(|| unsafe { libc::fstatfs(fd.as_fd().as_raw_fd(), raw.as_mut_ptr()) }).is_err() {
        return false;
    }
    // SAFETY: the call succeeded, so it wrote the whole struct.
    let kind = unsafe { raw.assume_init_ref() }.f_type as u64 & u64::from(u32::MAX);
    LOCAL.contains(&kind)
}

/// The numbers of the local file systems (`linux/magic.h`).
const LOCAL: [u64; 13] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // Btrfs
    0x0102_1994, // tmpfs
    0x8584_58f6, // ramfs
    0x794c_7630, // overlayfs
    0xf2f5_2010, // F2FS
    0xe0f5_e1e2, // EROFS
    0x7371_7368, // SquashFS
    0x9660,      // ISO 9660
    0x2fc1_2fc1, // ZFS
    0xca45_1a4e, // bcachefs
    0x4d44,      // FAT
];

/// Describes the object that `find` has opened, of a local file system.
pub fn describe(fd: &OwnedFd) -> io::Result<Meta> {
    file::fstat(fd)
}

/// Reads bytes from `at` on into `buffer`, as far as they are in memory: at least one, none at the end of the file.
pub fn read(file: impl AsFd, buffer: &mut [u8], at: u64) -> io::Result<Cached<usize>> {
    let file: BorrowedFd<'_> = file.as_fd();
    let at = libc::off_t::try_from(at).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let piece = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let (fd, flags) = (file.as_raw_fd(), libc::RWF_NOWAIT);
    // SAFETY: `fd` is open for the length of its borrow, and the piece is `buffer`, which is ours; the offset takes one
    // argument where a word has 64 bits, and the next one, its upper half, is ignored there.
    let read = retry(|| unsafe { libc::syscall(libc::SYS_preadv2, fd, &raw const piece, 1, at, at >> 32, flags) });
    match read {
        Ok(read) => Ok(Cached::Known(read as usize)),
        Err(error) => match error.raw_os_error() {
            // EOPNOTSUPP: the file system can't tell.
            Some(libc::EAGAIN | libc::EOPNOTSUPP | libc::ENOSYS) => Ok(Cached::Unknown),
            _ => Err(error),
        },
    }
}

/// How many of the `len` bytes from `at` on are in memory, as far as single bytes of them can tell. At the end of the
/// file: all of them.
pub fn cached_from(file: impl AsFd, at: u64, len: u64) -> io::Result<u64> {
    let (file, end) = (file.as_fd(), at + len);
    let mut known = at;
    loop {
        if read(file, &mut [0], known)? == Cached::Unknown {
            return Ok(known - at);
        }
        if known + 1 >= end {
            return Ok(len);
        }
        known = (known + STEP).min(end - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn what_is_in_memory_is_told_without_a_wait() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, vec![b'x'; 100_000]).unwrap();
        let c = |path: &std::path::Path| CString::new(path.as_os_str().as_bytes()).unwrap();
        let Cached::Known(found) = find(&c(&path)).unwrap() else { panic!("the file has just been written") };
        let meta = describe(&found).unwrap();
        assert_eq!((meta.len, device(&found).unwrap()), (100_000, meta.dev));
        assert!(is_local(&found));
        let missing = std::fs::metadata(dir.path().join("none")).unwrap_err().raw_os_error();
        assert_eq!(find(&c(&dir.path().join("none"))).unwrap_err().raw_os_error(), missing);
        let file = std::fs::File::open(&path).unwrap();
        let mut buffer = [0; 10];
        assert_eq!(read(&file, &mut buffer, 99_995).unwrap(), Cached::Known(5));
        assert_eq!(read(&file, &mut buffer, 100_000).unwrap(), Cached::Known(0));
        assert_eq!(cached_from(&file, 10, 99_990).unwrap(), 99_990);
        assert!(!is_local(std::fs::File::open("/proc/self/status").unwrap()));
    }
}
