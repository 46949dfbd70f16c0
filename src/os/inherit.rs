//! Descriptors that pass from one program to the next: from systemd to drover, from an old binary to the new one.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use super::process::Pid;
use super::socket::int_option;

/// Whether the program that started this one has left a listening stream socket open under this number.
pub fn is_listening_socket(number: i32) -> bool {
    if number < 3 {
        return false;
    }
    // SAFETY: borrowed for these two calls only, which fail with EBADF when the number isn't open.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    let is = |option, value: fn(libc::c_int) -> bool| int_option(&fd, libc::SOL_SOCKET, option).is_ok_and(value);
    is(libc::SO_TYPE, |kind| kind == libc::SOCK_STREAM) && is(libc::SO_ACCEPTCONN, |on| on != 0)
}

/// Takes ownership of a descriptor that another program left open for this one (systemd's LISTEN_FDS, an old binary's
/// list), and sets close-on-exec. Errors: the number is not open, or was taken already. The caller must have the number
/// from the environment, and call before anything else opens descriptors: the number must not be this program's own.
pub fn take_inherited_fd(number: i32) -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    use std::sync::Mutex;
    static TAKEN: Mutex<Vec<i32>> = Mutex::new(Vec::new());

    let mut taken = TAKEN.lock().unwrap_or_else(|e| e.into_inner());
    if number < 3 || taken.contains(&number) {
        return Err(io::Error::from(Errno::EBADF));
    }
    // SAFETY: borrowed for these two calls only, which fail with EBADF when the number isn't open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl(borrowed, FcntlArg::F_GETFD)?;
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    taken.push(number);
    // SAFETY: it is open, came from the environment's list, and is handed out once.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Descriptors that the starter of this program left open, for no purpose that it knows: a shell's lock, a pipe.
static STRAYS: OnceLock<Vec<i32>> = OnceLock::new();

/// Notes which descriptors are strays. To be called once those that have a purpose are taken, see
/// [`take_inherited_fd`], and before anything else is opened.
pub fn note_strays() {
    STRAYS.get_or_init(|| {
        // Without /proc there are none.
        let open = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
        let numbers = open.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        // The flag is set for all that this program opens or takes.
        let is_stray = |number: &i32| {
            // SAFETY: borrowed for this call only, which fails with EBADF when the number isn't open.
            let flags = fcntl(unsafe { BorrowedFd::borrow_raw(*number) }, FcntlArg::F_GETFD);
            *number > 2 && flags.is_ok_and(|flags| !FdFlag::from_bits_truncate(flags).contains(FdFlag::FD_CLOEXEC))
        };
        numbers.filter(is_stray).collect()
    });
}

/// Closes the strays. To be called in a forked child: the master keeps them, as its starter may expect.
pub fn close_strays() {
    for number in STRAYS.get().into_iter().flatten() {
        // SAFETY: no type of this program owns the number: it was open before the program opened anything, was not
        // taken, and has been open since.
        unsafe { libc::close(*number) };
    }
}

/// Starts another program as a child that inherits `keep` under the same numbers, with signals unblocked and at their
/// defaults (std's Command sees to that), and `env` added to this process's environment. For the binary upgrade.
pub fn spawn_inheriting(
    program: &Path,
    args: &[OsString],
    env: &[(&str, OsString)],
    keep: &[BorrowedFd<'_>],
) -> io::Result<Pid> {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    if let Some((name, rest)) = args.split_first() {
        command.arg0(name).args(rest);
    }
    command.envs(env.iter().map(|(k, v)| (OsStr::new(k), v)));
    let numbers: Vec<i32> = keep.iter().map(|fd| fd.as_raw_fd()).collect();
    // In the child alone: no other program that this process starts meanwhile may get the descriptors.
    let keep_open = move || {
        numbers.iter().try_for_each(|&number| {
            // SAFETY: the child has copies of all descriptors, and its parent keeps these borrowed until the exec.
            let fd = unsafe { BorrowedFd::borrow_raw(number) };
            fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty())).map(drop).map_err(io::Error::from)
        })
    };
    // SAFETY: fcntl(2) is async-signal-safe, and nothing is allocated between the fork and the exec.
    unsafe { command.pre_exec(keep_open) };
    // Dropping the handle neither kills nor waits: the master reaps this child with the others.
    Ok(command.spawn()?.id() as Pid)
}

/// The path of the program that this process runs. Linux appends " (deleted)" when the file was replaced; an upgrade
/// wants the new file at that path.
pub fn executable() -> io::Result<PathBuf> {
    let path = fs::read_link("/proc/self/exe")?;
    Ok(match path.to_str().and_then(|s| s.strip_suffix(" (deleted)")) {
        Some(stripped) => PathBuf::from(stripped),
        None => path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::process::is_alive;
    use nix::sys::wait::waitpid;
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;

    #[test]
    fn inherited_descriptors_are_taken_once_and_only_when_open() {
        assert!(take_inherited_fd(2).is_err());
        assert!(take_inherited_fd(1_000_000).is_err());
        let (read, mut write) = io::pipe().unwrap();
        // A number of its own: others may be taken already by tests of this process.
        let number = fcntl(&read, FcntlArg::F_DUPFD(500)).unwrap();
        drop(read);
        let taken = take_inherited_fd(number).unwrap();
        assert!(take_inherited_fd(number).is_err());
        write.write_all(b"hi").unwrap();
        drop(write);
        let mut text = String::new();
        File::from(taken).read_to_string(&mut text).unwrap();
        assert_eq!(text, "hi");
    }

    #[test]
    fn spawned_program_sees_the_kept_descriptor_and_this_process_keeps_close_on_exec() {
        let (mut read, write) = io::pipe().unwrap();
        // By path: dash knows no descriptors of two digits.
        let script = format!("echo $GREETING > /proc/self/fd/{}", write.as_raw_fd());
        let args = ["sh".into(), "-c".into(), OsString::from(script)];
        let env = [("GREETING", OsString::from("hello"))];
        let pid = spawn_inheriting(Path::new("/bin/sh"), &args, &env, &[write.as_fd()]).unwrap();
        assert_eq!(fcntl(&write, FcntlArg::F_GETFD).unwrap(), FdFlag::FD_CLOEXEC.bits());
        drop(write);
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello\n");
        waitpid(nix::unistd::Pid::from_raw(pid), None).unwrap();
        assert!(!is_alive(pid));
    }
}
