//! A server that leaves the terminal: the daemon, the process that started it, and their standard streams.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::{dup2_stdin, dup2_stdout, setsid};

use super::process::{Fork, exit_now, fork};
use super::signals;

/// The daemon's end of a pipe to the process that started it. That process waits, so that a shell shows its prompt and
/// a script goes on only when the daemon serves.
#[derive(Debug)]
pub struct Caller(File);

impl Caller {
    /// Lets the waiting process show `text` on its standard error and exit with 0. When the daemon ends without this
    /// call, that process exits with 1.
    pub fn release(mut self, text: &str) -> io::Result<()> {
        // The byte in front tells an empty text from the daemon's death.
        self.0.write_all(format!("\0{text}").as_bytes())
    }
}

/// Waits for the daemon's text, shows it, and returns the exit code.
fn wait_for_release(daemon: impl Into<File>) -> i32 {
    let mut said = Vec::new();
    // An error ends the wait as the daemon's death does.
    let _ = daemon.into().read_to_end(&mut said);
    let Some((_, text)) = said.split_first() else { return 1 };
    // A closed standard error is no failure.
    let _ = io::stderr().write_all(text);
    0
}

/// Leaves the terminal as ngx_daemon() does: returns in a child that leads a session of its own, has no umask, and
/// reads and writes /dev/null. Standard error stays, since `error_log stderr` may need it. The calling process waits
/// for [`Caller::release`] and exits. Its pending signals go to the child, because their senders know no other process.
/// To be called with one thread, and with the handled signals blocked.
pub fn daemonise() -> io::Result<Caller> {
    let (daemon, caller) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
    if let Fork::Parent(child) = fork()? {
        drop(caller);
        let code = wait_for_release(daemon);
        exit_now(code | i32::from(signals::pass_on(child).is_err()));
    }
    setsid()?;
    nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    let null = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    Ok(Caller(caller.into()))
}

/// Makes standard error go where `to` goes.
pub fn redirect_stderr(to: impl AsFd) -> io::Result<()> {
    Ok(nix::unistd::dup2_stderr(to)?)
}

/// Makes standard error go to /dev/null where it is a terminal.
pub fn leave_terminal() -> io::Result<()> {
    if !io::stderr().is_terminal() {
        return Ok(());
    }
    redirect_stderr(File::options().write(true).open("/dev/null")?)
}

/// Whether this process has a controlling terminal, whose keyboard and window can reach it.
pub fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

/// Makes `fd` refer to the file of `new`, in one step: a write by any thread goes to the old or to the new file. The
/// reference is shared because the number, which is all that `fd` owns, does not change.
pub fn replace_fd(fd: &OwnedFd, new: OwnedFd) -> io::Result<()> {
    loop {
        // SAFETY: the arguments own both numbers; dup3 closes the old file of `fd`, and `fd` owns the duplicate.
        match Errno::result(unsafe { libc::dup3(new.as_raw_fd(), fd.as_raw_fd(), libc::O_CLOEXEC) }) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR | Errno::EBUSY) => continue,
            Err(e) => return Err(e.into()),
        }
    }
}

/// Opens this process's standard output or error once more, so that the new descriptor can be non-blocking by itself;
/// duplicates a socket or another user's pipe, which can't be opened. Close-on-exec.
pub fn duplicate_std(number: StdStream) -> io::Result<OwnedFd> {
    let (fd, path) = match number {
        StdStream::Output => (io::stdout().as_fd().try_clone_to_owned()?, c"/proc/self/fd/1"),
        StdStream::Error => (io::stderr().as_fd().try_clone_to_owned()?, c"/proc/self/fd/2"),
    };
    let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    Ok(nix::fcntl::open(path, flags, Mode::empty()).unwrap_or(fd))
}

/// Standard output or standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StdStream {
    /// Descriptor 1.
    Output,
    /// Descriptor 2.
    Error,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::process::id;
    use crate::os::signals::{Signal, Signals};
    use nix::sys::wait::waitpid;
    use std::fs;
    use std::time::Duration;

    #[test]
    fn replaced_descriptor_keeps_its_number_and_writes_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let fd = OwnedFd::from(File::create(dir.path().join("a")).unwrap());
        let number = fd.as_raw_fd();
        let b = OwnedFd::from(File::create(dir.path().join("b")).unwrap());
        replace_fd(&fd, b).unwrap();
        assert_eq!(fd.as_raw_fd(), number);
        File::from(fd).write_all(b"x").unwrap();
        assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"");
        assert_eq!(fs::read(dir.path().join("b")).unwrap(), b"x");
    }

    #[test]
    fn a_daemon_gets_the_signals_that_its_caller_had_not_read() {
        let (mut read, mut write) = io::pipe().unwrap();
        match fork().unwrap() {
            Fork::Child => {
                let heard = signals::block()
                    .and_then(|_| signals::send(id(), Signal::SIGTERM))
                    .and_then(|()| daemonise())
                    .and_then(|caller| {
                        caller.release("")?;
                        let signals = Signals::open()?;
                        signals.wait(Some(Duration::from_secs(10)))?;
                        signals.next()
                    });
                let heard = heard.is_ok_and(|received| received.is_some_and(|r| r.signal == Signal::SIGTERM));
                exit_now(i32::from(write.write_all(&[u8::from(heard)]).is_err()));
            }
            Fork::Parent(pid) => waitpid(nix::unistd::Pid::from_raw(pid), None).unwrap(),
        };
        drop(write);
        let mut heard = Vec::new();
        read.read_to_end(&mut heard).unwrap();
        assert_eq!(heard, [1]);
    }
}
