//! openat2(2), Linux 5.6: opens a path under rules that hold for each component of it.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use super::retry;

/// Opens `path` from the directory `dir`, or from AT_FDCWD. Errors: those of openat(2); EAGAIN, ELOOP or EXDEV where a
/// rule of `resolve` does not hold; ENOSYS without the call, EPERM where a filter of system calls refuses it.
pub(super) fn open(dir: RawFd, path: &CStr, flags: libc::c_int, resolve: u64) -> io::Result<OwnedFd> {
    // SAFETY: the struct is integers alone, for which zeros are valid.
    let mut how: libc::open_how = unsafe { MaybeUninit::zeroed().assume_init() };
    how.flags = flags as u64;
    how.resolve = resolve;
    let size = size_of::<libc::open_how>();
    // SAFETY: `path` is NUL-terminated and `how` is a whole open_how; both outlive the call.
    let fd = retry(|| unsafe { libc::syscall(libc::SYS_openat2, dir, path.as_ptr(), &raw const how, size) })?;
    // SAFETY: openat2 returned a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Whether this process may make the call.
pub fn is_there() -> bool {
    open(libc::AT_FDCWD, c"/", libc::O_PATH | libc::O_CLOEXEC, libc::RESOLVE_BENEATH)
        .is_err_and(|error| error.raw_os_error() == Some(libc::EXDEV))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_of_the_path_is_kept() {
        // The kernel of the tests is younger than 5.6.
        assert!(is_there());
        let open = |resolve| super::open(libc::AT_FDCWD, c"/proc/self/exe", libc::O_PATH, resolve);
        assert!(open(0).is_ok());
        assert_eq!(open(libc::RESOLVE_NO_SYMLINKS).unwrap_err().raw_os_error(), Some(libc::ELOOP));
    }
}
