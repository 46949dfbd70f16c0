//! Signals: blocked for good, and read as data from a signalfd in the same epoll set as the sockets.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
pub use nix::sys::signal::Signal;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, sigaction, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::process::Pid;

/// The signals that master and workers handle (ngx_process.c, `signals`).
pub const HANDLED: &[Signal] = &[
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGCHLD,
    Signal::SIGALRM,
    Signal::SIGIO,
];

/// The signals of [`HANDLED`] that end the service.
const ENDING: &[Signal] = &[Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT];

/// The signals that a thread had blocked before [`block`].
#[derive(Debug)]
pub struct Mask(SigSet);

impl Mask {
    /// Blocks these signals and no others; pending ones are delivered.
    pub fn restore(&self) -> io::Result<()> {
        Ok(sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.0), None)?)
    }
}

/// Blocks the handled signals in this thread, and in threads and processes that it starts from now on: they stay
/// pending until a [`Signals`] reads them.
pub fn block() -> io::Result<Mask> {
    let mut before = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&HANDLED.iter().copied().collect()), Some(&mut before))?;
    Ok(Mask(before))
}

/// Sleeps for `time`, or until a signal that ends the service is pending. The signal stays pending. To be called with
/// the handled signals blocked. True: such a signal is pending.
pub fn sleep(time: Duration) -> bool {
    Signals::over(ENDING).and_then(|signals| signals.wait(Some(time))).unwrap_or_else(|_| {
        std::thread::sleep(time);
        false
    })
}

/// Sends the handled signals that are pending for this process to `to`.
pub fn pass_on(to: Pid) -> io::Result<()> {
    let mut waiting = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigpending(2) writes one sigset_t, to memory that is ours.
    nix::errno::Errno::result(unsafe { libc::sigpending(waiting.as_mut_ptr()) })?;
    // SAFETY: sigpending has succeeded, and so has written it.
    let waiting = unsafe { SigSet::from_sigset_t_unchecked(waiting.assume_init()) };
    HANDLED.iter().filter(|signal| waiting.contains(**signal)).try_for_each(|signal| send(to, *signal))
}

/// A signal and its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// The signal.
    pub signal: Signal,
    /// The sender's process id; 0: the kernel.
    pub sender: Pid,
    /// Whether the kernel sent it by itself: a terminal was closed, a key pressed.
    pub is_kernel_s: bool,
}

/// A signalfd over [`HANDLED`]. A signalfd shows the signals of the process that reads it, but epoll wakes the process
/// that added it: each process makes its own after the fork.
#[derive(Debug)]
pub struct Signals {
    fd: SignalFd,
}

impl Signals {
    /// Blocks the handled signals, ignores the signals that failed writes raise, and opens the descriptor.
    pub fn open() -> io::Result<Self> {
        block()?;
        ignore_signals_of_writes()?;
        Self::over(HANDLED)
    }

    /// Blocks the signals that end a program, and opens a descriptor over these alone. A signal that the program was
    /// started to ignore stays ignored.
    pub fn of_the_end() -> io::Result<Self> {
        let signals = ENDING.iter().chain(&[Signal::SIGHUP]).copied().filter(|signal| !is_ignored(*signal));
        let signals: Vec<Signal> = signals.collect();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&signals.iter().copied().collect()), None)?;
        Self::over(&signals)
    }

    /// Non-blocking, close-on-exec.
    fn over(signals: &[Signal]) -> io::Result<Self> {
        let set: SigSet = signals.iter().copied().collect();
        Ok(Self { fd: SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)? })
    }

    /// The next pending signal, or `None`.
    pub fn next(&self) -> io::Result<Option<Received>> {
        loop {
            let Some(info) = self.fd.read_signal()? else { return Ok(None) };
            if let Ok(signal) = Signal::try_from(info.ssi_signo as i32) {
                let is_kernel_s = info.ssi_code == libc::SI_KERNEL;
                return Ok(Some(Received { signal, sender: info.ssi_pid as Pid, is_kernel_s }));
            }
        }
    }

    /// Sleeps until a signal is pending or the time is up (`None`: no limit). True: a signal is pending.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<bool> {
        let deadline = timeout.map(|t| Instant::now() + t);
        loop {
            let left = match deadline {
                None => PollTimeout::NONE,
                // Rounded up, so that the deadline has passed when poll(2) says so.
                Some(d) => (d.saturating_duration_since(Instant::now()) + Duration::from_micros(999))
                    .try_into()
                    .unwrap_or(PollTimeout::MAX),
            };
            match poll(&mut [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)], left) {
                Ok(n) => {
                    if n > 0 || deadline.is_some_and(|d| Instant::now() >= d) {
                        return Ok(n > 0);
                    }
                }
                Err(nix::errno::Errno::EINTR) => continue,
                Err(e) => return Err(e.into()),
            }
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Makes a write to a closed connection, or beyond RLIMIT_FSIZE, an error instead of the process's death.
fn ignore_signals_of_writes() -> io::Result<()> {
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGPIPE, Signal::SIGXFSZ] {
        // SAFETY: SIG_IGN runs no code of ours.
        unsafe { sigaction(signal, &ignore) }?;
    }
    Ok(())
}

/// Whether the program that started this one made it ignore `signal`, as nohup(1) does with HUP. A signalfd shows a
/// blocked signal all the same.
pub fn is_ignored(signal: Signal) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null pointer changes no action; `action` has room for one, which is read only when the call has filled
    // it.
    unsafe {
        libc::sigaction(signal as i32, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init_ref().sa_sigaction == libc::SIG_IGN
    }
}

/// Whether a blocked `signal` was sent to a process that has not read it yet. `None`: there is no such process, or
/// /proc does not tell.
pub fn is_pending(pid: Pid, signal: Signal) -> Option<bool> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    // proc_pid_status(5): the mask of the signals that wait for the whole process, in hexadecimal.
    let mask = status.lines().find_map(|line| line.strip_prefix("ShdPnd:"))?.trim();
    u64::from_str_radix(mask, 16).ok().map(|mask| mask & 1 << (signal as i32 - 1) != 0)
}

/// kill(2). ESRCH when there is no such process. Refuses ids that mean groups (0 and below).
pub fn send(pid: Pid, signal: Signal) -> io::Result<()> {
    if pid <= 0 {
        return Err(io::Error::from(nix::errno::Errno::ESRCH));
    }
    Ok(nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::process::{self, Exit, Fork};

    /// Runs `body` in a forked child, since signal masks belong to a thread and the test runner has many; returns the
    /// exit code.
    fn in_child(body: impl FnOnce() -> i32) -> i32 {
        let pid = match process::fork().unwrap() {
            Fork::Child => {
                process::exit_now(std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(99))
            }
            Fork::Parent(pid) => pid,
        };
        match nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None).unwrap() {
            nix::sys::wait::WaitStatus::Exited(_, code) => code,
            _ => -1,
        }
    }

    #[test]
    fn blocked_signals_are_read_with_their_sender() {
        let code = in_child(|| {
            let signals = Signals::open().unwrap();
            if signals.wait(Some(Duration::ZERO)).unwrap() || signals.next().unwrap().is_some() {
                return 1;
            }
            send(process::id(), Signal::SIGTERM).unwrap();
            if !signals.wait(None).unwrap() {
                return 2;
            }
            if is_pending(process::id(), Signal::SIGTERM) != Some(true) {
                return 4;
            }
            let got = signals.next().unwrap().unwrap();
            if is_pending(process::id(), Signal::SIGTERM) != Some(false) {
                return 5;
            }
            if got == (Received { signal: Signal::SIGTERM, sender: process::id(), is_kernel_s: false }) { 0 } else { 3 }
        });
        assert_eq!(code, 0);
    }

    #[test]
    fn a_dead_child_is_a_signal_and_is_reaped_once() {
        let code = in_child(|| {
            let signals = Signals::open().unwrap();
            let pid = match process::fork().unwrap() {
                Fork::Child => process::exit_now(7),
                Fork::Parent(pid) => pid,
            };
            signals.wait(Some(Duration::from_secs(10))).unwrap();
            let seen = signals.next().unwrap().map(|r| r.signal) == Some(Signal::SIGCHLD);
            let reaped = process::reap() == Some((pid, Exit::Code(7))) && process::reap().is_none();
            if seen && reaped && !process::is_alive(pid) { 0 } else { 1 }
        });
        assert_eq!(code, 0);
    }

    #[test]
    fn groups_are_never_signalled() {
        assert!(send(0, Signal::SIGTERM).is_err());
        assert!(send(-1, Signal::SIGTERM).is_err());
    }
}
