//! Work in a child process, which leaves nothing changed in this one.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;

use super::process::{Fork, Pid, exit_now, fork};
use super::{Failure, Interest, poll};

/// Children that were killed and not waited for.
static LEFT: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// Whether a process that has ended is a child that [`in_child`] did not wait for. Asked once for each.
pub fn was_left(pid: Pid) -> bool {
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    left.iter().position(|known| *known == pid).map(|n| left.swap_remove(n)).is_some()
}

/// Runs `attempt` in a child, so that nothing changes in this process, and returns the result. To be called with one
/// thread, as [`fork`].
pub fn attempt_in_child(attempt: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    let report = || match attempt() {
        Ok(()) => String::new(),
        Err(failure) => format!("{} {}", failure.error.raw_os_error().unwrap_or(0), failure.what),
    };
    match in_child(report, None)?.split_once(' ') {
        None => Ok(()),
        Some((error, what)) => {
            Err(Failure::new(what, io::Error::from_raw_os_error(error.parse().unwrap_or(libc::EIO))))
        }
    }
}

/// Runs `work` in a child, so that nothing changes in this process, and returns the text. To be called with one thread,
/// as [`fork`]. A child that takes longer than `timeout` is killed, and not waited for: a dead file system may hold it.
pub fn in_child(work: impl FnOnce() -> String, timeout: Option<Duration>) -> Result<String, Failure> {
    let (mut result, mut report) = io::pipe().map_err(|e| Failure::new("pipe()", e))?;
    let pid = match fork().map_err(|e| Failure::new("fork()", e))? {
        Fork::Child => {
            let done = catch_unwind(AssertUnwindSafe(|| report.write_all(format!("{}\n", work()).as_bytes())));
            exit_now(i32::from(!matches!(done, Ok(Ok(())))))
        }
        Fork::Parent(pid) => nix::unistd::Pid::from_raw(pid),
    };
    drop(report);
    let read = read_within(&mut result, timeout);
    if read.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::TimedOut) {
        // Fails for a child that has just ended.
        let _ = kill(pid, Signal::SIGKILL);
        LEFT.lock().unwrap_or_else(PoisonError::into_inner).push(pid.as_raw());
    } else {
        while waitpid(pid, None) == Err(Errno::EINTR) {}
    }
    let text = read.map_err(|e| Failure::new("read() from a child", e))?;
    let died = || Failure::new("an attempt in a child", io::Error::other("the child died"));
    text.strip_suffix('\n').map(str::to_owned).ok_or_else(died)
}

/// Reads to the end. Error: `TimedOut`.
fn read_within(from: &mut io::PipeReader, timeout: Option<Duration>) -> io::Result<String> {
    let end = timeout.map(|timeout| Instant::now() + timeout);
    let (mut text, mut piece) = (Vec::new(), [0; 512]);
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()).as_millis() as u64);
        let [ready] = poll([Some((from.as_fd(), Interest::READ))], left)?;
        if ready.is_empty() && left == Some(0) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if ready.is_empty() {
            continue;
        }
        match from.read(&mut piece)? {
            0 => return Ok(String::from_utf8_lossy(&text).into_owned()),
            n => text.extend_from_slice(piece.get(..n).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_changes_nothing_here_and_tells_what_failed() {
        let before = std::env::current_dir().unwrap();
        let chdir = |path: &'static str| {
            attempt_in_child(move || {
                std::env::set_current_dir(path).map_err(|e| Failure::new(format!("chdir({path})"), e))
            })
        };
        chdir("/").unwrap();
        assert_eq!(std::env::current_dir().unwrap(), before);
        assert_eq!(chdir("/no such").unwrap_err().to_string(), "chdir(/no such) failed (2: No such file or directory)");
        let died = attempt_in_child(|| exit_now(0)).unwrap_err();
        assert_eq!(died.to_string(), "an attempt in a child failed (the child died)");
    }

    #[test]
    fn a_child_that_hangs_is_not_waited_for() {
        assert_eq!(in_child(|| "two\nlines".to_owned(), Some(Duration::from_secs(60))).unwrap(), "two\nlines");
        let pause = || {
            std::thread::sleep(Duration::from_secs(600));
            String::new()
        };
        let failure = in_child(pause, Some(Duration::from_millis(10))).unwrap_err();
        assert_eq!(failure.error.kind(), io::ErrorKind::TimedOut);
        let pid = LEFT.lock().unwrap()[0];
        assert_eq!((was_left(pid), was_left(pid)), (true, false));
    }
}
