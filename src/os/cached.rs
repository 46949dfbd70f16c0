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
    kind(fd.as_fd()).is_some_and(|kind| LOCAL.contains(&kind))
}

/// The number of the file system of an open file (`linux/magic.h`).
fn kind(fd: BorrowedFd<'_>) -> Option<u64> {
    let mut raw = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: `fd` is open for the length of its borrow; `raw` has room for one statfs, which the call fills.
    retry(|| unsafe { libc::fstatfs(fd.as_raw_fd(), raw.as_mut_ptr()) }).ok()?;
    // SAFETY: the call succeeded, so it wrote the whole struct.
    Some(unsafe { raw.assume_init_ref() }.f_type as u64 & u64::from(u32::MAX))
}

/// File systems whose files are in memory and nowhere else, unless they are swapped out. They refuse RWF_NOWAIT with
/// EOPNOTSUPP (Linux 6.18), as overlayfs does.
const IN_MEMORY: [u64; 2] = [TMPFS, RAMFS];

const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;
const OVERLAYFS: u64 = 0x794c_7630;

/// The numbers of the local file systems.
const LOCAL: [u64; 13] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // Btrfs
    TMPFS,
    RAMFS,
    OVERLAYFS,
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
    let file = file.as_fd();
    match read_with(file, buffer, at, libc::RWF_NOWAIT) {
        Err(error) if is_in_memory(file, &error) => read_with(file, buffer, at, 0).map(Cached::Known),
        result => known(result),
    }
}

/// Reads with flags of preadv2(2).
fn read_with(file: BorrowedFd<'_>, buffer: &mut [u8], at: u64, flags: libc::c_int) -> io::Result<usize> {
    let at = libc::off_t::try_from(at).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let piece = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let fd = file.as_raw_fd();
    // SAFETY: `fd` is open for the length of its borrow, and the piece is `buffer`, which is ours; the offset takes one
    // argument where a word has 64 bits, and the next one, its upper half, is ignored there.
    let read = retry(|| unsafe { libc::syscall(libc::SYS_preadv2, fd, &raw const piece, 1, at, at >> 32, flags) })?;
    Ok(read as usize)
}

/// Whether a file that was refused RWF_NOWAIT is in memory all the same.
fn is_in_memory(file: BorrowedFd<'_>, error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EOPNOTSUPP) && kind(file).is_some_and(|kind| IN_MEMORY.contains(&kind))
}

/// The result of a read with RWF_NOWAIT.
fn known(result: io::Result<usize>) -> io::Result<Cached<usize>> {
    match result {
        Ok(read) => Ok(Cached::Known(read)),
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
    let mut place = at;
    loop {
        let byte = read_with(file, &mut [0], place, libc::RWF_NOWAIT);
        if byte.as_ref().is_err_and(|error| is_in_memory(file, error)) {
            return Ok(len);
        }
        if known(byte)? == Cached::Unknown {
            return Ok(place - at);
        }
        if place + 1 >= end {
            return Ok(len);
        }
        place = (place + STEP).min(end - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn what_is_in_memory_is_told_without_a_wait() {
        for dir in [tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm").unwrap()] {
            let path = dir.path().join("a");
            std::fs::write(&path, vec![b'x'; 100_000]).unwrap();
            let file = std::fs::File::open(&path).unwrap();
            let c = |path: &std::path::Path| CString::new(path.as_os_str().as_bytes()).unwrap();
            let Cached::Known(found) = find(&c(&path)).unwrap() else { panic!("the file has just been written") };
            let meta = describe(&found).unwrap();
            assert_eq!((meta.len, device(&found).unwrap()), (100_000, meta.dev));
            assert!(is_local(&found));
            // The kernel keeps the name of a file that is not there, but for tmpfs.
            let none = dir.path().join("none");
            assert!(!none.exists());
            match find(&c(&none)) {
                Ok(Cached::Unknown) => assert_eq!(kind(file.as_fd()), Some(TMPFS)),
                found => assert_eq!(found.unwrap_err().raw_os_error(), Some(libc::ENOENT)),
            }
            let reads = [99_995, 100_000].map(|at| read(&file, &mut [0; 10], at).unwrap());
            let len = cached_from(&file, 10, 99_990).unwrap();
            // Overlayfs, where a container has its temporary files, can't tell.
            match kind(file.as_fd()) {
                Some(OVERLAYFS) => assert_eq!((reads, len), ([Cached::Unknown; 2], 0)),
                _ => assert_eq!((reads, len), ([Cached::Known(5), Cached::Known(0)], 99_990)),
            }
        }
        assert!(!is_local(std::fs::File::open("/proc/self/status").unwrap()));
    }
}
