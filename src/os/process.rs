//! Processes: fork, reaping, and what the kernel tells of them.

use std::fs;
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, SysconfVar, sysconf};

use super::{Interest, poll, retry};

/// A process id, as the kernel's `pid_t`.
pub type Pid = i32;

/// The process that returns from [`fork`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fork {
    /// The caller, with the child's id.
    Parent(Pid),
    /// The new process.
    Child,
}

/// fork(2). To be called with one thread: locks that other threads held would stay locked in the child for good.
pub fn fork() -> io::Result<Fork> {
    // SAFETY: the child gets its own copy of every mapping and descriptor, so nothing is owned twice within one address
    // space. glibc makes the allocator usable in the child; other locks are free because the callers have one thread.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Fork::Parent(child.as_raw())),
        ForkResult::Child => Ok(Fork::Child),
    }
}

/// Ends this process without destructors and exit handlers: those of the parent, which a forked child must not run.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit(2) takes an integer and never returns.
    unsafe { libc::_exit(code) }
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// exit(3) with this code.
    Code(i32),
    /// Killed by this signal.
    Signal(i32),
}

/// Takes the status of a child that has ended, if there is one; never blocks. To be called until it returns `None`,
/// since one SIGCHLD may stand for many children.
pub fn reap() -> Option<(Pid, Exit)> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => return Some((pid.as_raw(), Exit::Code(code))),
            Ok(WaitStatus::Signaled(pid, signal, _)) => return Some((pid.as_raw(), Exit::Signal(signal as i32))),
            Ok(WaitStatus::StillAlive) => return None,
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(_) => return None,
        }
    }
}

/// The children of the calling thread, with those that are dead and not reaped; none where /proc does not tell.
pub fn children() -> Vec<Pid> {
    let list = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Whether a process with this id exists, of any user; a zombie counts, as for kill(2).
pub fn is_alive(pid: Pid) -> bool {
    pid > 0 && !matches!(nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None), Err(Errno::ESRCH))
}

/// The time when a process started, at most two seconds too early; `None`: there is no such process, it is a zombie, or
/// /proc doesn't tell.
pub fn started(pid: Pid) -> Option<SystemTime> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // proc_pid_stat(5): field 22, in clock ticks since the boot. The third follows the last ")".
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let ticks: u64 = fields.nth(22 - 4)?.parse().ok()?;
    let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|n| u64::try_from(n).ok())?;
    let all = fs::read_to_string("/proc/stat").ok()?;
    let boot: u64 = all.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(UNIX_EPOCH + Duration::from_secs(boot + ticks.checked_div(per_second)?))
}

/// The name of the program that a process runs, as ps(1) shows it.
pub fn name_of(pid: Pid) -> Option<String> {
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&name).trim_end().to_owned())
}

/// Whether a process runs a program with this one's name.
pub fn is_same_program(pid: Pid) -> bool {
    let name = name_of(pid);
    name.is_some() && name == name_of(id())
}

/// The id of this process.
pub fn id() -> Pid {
    nix::unistd::getpid().as_raw()
}

/// The id of the parent.
pub fn parent_id() -> Pid {
    nix::unistd::getppid().as_raw()
}

/// Whether a process with this id runs; a zombie does not.
pub fn is_running(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    if stat.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
        return is_alive(pid) && !has_ended(pid);
    }
    // The name in parentheses may hold anything.
    is_alive(pid) && !stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

/// Whether the process is a zombie, for a process that sees no /proc: pidfd_open(2), a pidfd of one that has ended is
/// readable.
fn has_ended(pid: Pid) -> bool {
    // SAFETY: the call takes two numbers.
    let opened = retry(|| unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) });
    let Ok(fd) = opened else { return false };
    // SAFETY: the call has just made it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) };
    poll([Some((fd.as_fd(), Interest::READ))], Some(0)).is_ok_and(|[ready]| !ready.is_empty())
}

/// The id of the calling thread; equal to [`id`] in a process's first thread.
pub fn thread_id() -> Pid {
    nix::unistd::gettid().as_raw()
}

/// Makes this process the parent of its orphaned descendants.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_waits_for_its_parent_has_ended() {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = child.id() as Pid;
        assert!(started(pid).is_some());
        drop(child.stdin.take());
        let until = std::time::Instant::now() + Duration::from_secs(10);
        while started(pid).is_some() {
            assert!(std::time::Instant::now() < until, "it has not been reaped, but it has ended");
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }
}
