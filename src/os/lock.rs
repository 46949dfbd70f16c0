//! Record locks (fcntl(2), "Advisory record locking"). A process holds them, its children do not. A lock ends with the
//! process, and when the process closes any descriptor of the file.

use std::fs::File;
use std::io;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

use super::process::Pid;

/// Locks the byte at `at`, which need not exist, for this process alone. False: another process has the lock. Errors:
/// those of fcntl(2); ENOLCK and others where the file system has no locks.
pub fn try_lock_byte(file: &File, at: i64) -> io::Result<bool> {
    match fcntl(file, FcntlArg::F_SETLK(&byte(at, libc::F_WRLCK))) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Gives up the lock of a byte.
pub fn unlock_byte(file: &File, at: i64) -> io::Result<()> {
    fcntl(file, FcntlArg::F_SETLK(&byte(at, libc::F_UNLCK)))?;
    Ok(())
}

/// The other process that has a byte locked, by its id in this pid namespace; 0: a process of a namespace that is not
/// visible here.
pub fn holder_of_byte(file: &File, at: i64) -> io::Result<Option<Pid>> {
    let mut lock = byte(at, libc::F_WRLCK);
    fcntl(file, FcntlArg::F_GETLK(&mut lock))?;
    Ok((libc::c_int::from(lock.l_type) != libc::F_UNLCK).then_some(lock.l_pid))
}

fn byte(at: i64, kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: at,
        l_len: 1,
        l_pid: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::process::{self, Fork};

    #[test]
    fn another_process_sees_whose_a_byte_is_and_does_not_inherit_it() {
        let file = tempfile::tempfile().unwrap();
        assert!(try_lock_byte(&file, 7).unwrap());
        let parent = process::id();
        let see = || {
            let seen = holder_of_byte(&file, 7).unwrap() == Some(parent) && !try_lock_byte(&file, 7).unwrap();
            seen && holder_of_byte(&file, 8).unwrap().is_none() && try_lock_byte(&file, 8).unwrap()
        };
        let pid = match process::fork().unwrap() {
            Fork::Child => process::exit_now(if see() { 0 } else { 1 }),
            Fork::Parent(pid) => pid,
        };
        let status = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None).unwrap();
        assert!(matches!(status, nix::sys::wait::WaitStatus::Exited(_, 0)), "{status:?}");
        unlock_byte(&file, 7).unwrap();
        assert_eq!(holder_of_byte(&file, 7).unwrap(), None);
    }
}
