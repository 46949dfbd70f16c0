//! A terminal with a program on it, as a person sees both.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::{proc, until};

/// Dropping it closes the terminal and ends the program's process group.
pub struct Terminal {
    child: Child,
    /// The person's side.
    keys: Option<File>,
    path: PathBuf,
    shown: Vec<u8>,
    status: Option<ExitStatus>,
}

impl Terminal {
    /// Starts the program in a session of its own, with the terminal for its standard streams and its keyboard.
    #[track_caller]
    pub fn run(mut command: Command) -> Terminal {
        let (keys, screen) = open_pair().expect("a pseudo-terminal");
        let path = std::fs::read_link(format!("/proc/self/fd/{}", screen.as_raw_fd())).expect("its name");
        let stream = || screen.as_fd().try_clone_to_owned().expect("dup");
        command.stdin(stream()).stdout(stream()).stderr(stream());
        // SAFETY: setsid, signal and ioctl are async-signal-safe, and nothing else runs between fork and exec.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                // A shell on a terminal has the default, whatever started the tests (nohup).
                nix::sys::signal::signal(Signal::SIGHUP, nix::sys::signal::SigHandler::SigDfl)?;
                Errno::result(libc::ioctl(0, libc::TIOCSCTTY, 0))?;
                Ok(())
            });
        }
        let child = command.spawn().expect("start the program");
        Terminal { child, keys: Some(keys), path, shown: Vec::new(), status: None }
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// The name of the terminal below /dev/pts, as /proc/PID/fd shows it.
    pub fn path(&self) -> &str {
        self.path.to_str().expect("UTF-8")
    }

    /// All that has been shown so far, lines ending as the program wrote them.
    pub fn shown(&mut self) -> String {
        let mut chunk = [0; 4096];
        while let Some(keys) = &mut self.keys {
            match keys.read(&mut chunk) {
                Ok(n) if n > 0 => self.shown.extend_from_slice(&chunk[..n]),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                // Nothing more for now, or nobody has the terminal open any more (EIO).
                _ => break,
            }
        }
        String::from_utf8_lossy(&self.shown).replace("\r\n", "\n")
    }

    /// Waits until the terminal shows `text`, and returns all that it shows.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        until(&format!("\"{text}\" on the terminal"), || {
            let shown = self.shown();
            assert!(shown.contains(text) || self.poll_exit().is_none(), "the program has ended: {}", self.shown());
            Some(shown).filter(|shown| shown.contains(text))
        })
    }

    /// Types `keys`; `\x03` is Ctrl-C.
    pub fn types(&mut self, keys: &str) {
        self.keys.as_mut().expect("an open terminal").write_all(keys.as_bytes()).expect("type");
    }

    /// Closes the window.
    pub fn close(&mut self) {
        self.shown();
        self.keys = None;
    }

    pub fn poll_exit(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().expect("wait for the program");
        }
        self.status
    }

    /// Waits for the program to end by itself.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        until("the program on the terminal ends", || self.poll_exit())
    }
}

/// The person's side, which does not block, and the program's.
fn open_pair() -> io::Result<(File, OwnedFd)> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let keys = File::options().read(true).write(true).custom_flags(flags).open("/dev/ptmx")?;
    // SAFETY: both calls take integers, and the second returns a new descriptor that nobody else owns.
    unsafe {
        Errno::result(libc::unlockpt(keys.as_raw_fd()))?;
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        let screen = Errno::result(libc::ioctl(keys.as_raw_fd(), libc::TIOCGPTPEER, flags))?;
        Ok((keys, OwnedFd::from_raw_fd(screen)))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let shown = self.shown();
            eprintln!("--- {}\n{shown}", self.path.display());
        }
        if self.status.is_none() || proc::group_lives(self.pid()) {
            let _ = killpg(Pid::from_raw(self.pid()), Signal::SIGKILL);
        }
        if self.status.is_none() {
            let _ = self.child.wait();
        }
    }
}
