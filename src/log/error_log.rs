//! The error logs of a conf: which `error_log` lines write to which files.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::output::{Output, Outputs, To};
use super::{Contents, Level, LogRef, Missing, log_ref};
use crate::conf::{self, Mistakes, Span};
use crate::os::users::Credentials;
use crate::os::{Failure, daemon};

/// An `error_log` directive.
#[derive(Debug, Clone)]
pub struct Target {
    /// The file, or another place.
    pub to: To,
    /// The least grave level that is written there.
    pub level: Level,
    /// The place of the file's name in the conf.
    pub span: Span,
}

/// Targets that differ in their place only are one log.
impl PartialEq for Target {
    fn eq(&self, other: &Target) -> bool {
        (&self.to, self.level) == (&other.to, other.level)
    }
}

/// Whether this process is a daemon, whose standard error goes to the main log.
static STDERR_TAKEN: AtomicBool = AtomicBool::new(false);
static CURRENT: RwLock<Option<Arc<Logs>>> = RwLock::new(None);

/// The outputs of one error log: several `error_log` lines of one block all write.
#[derive(Debug)]
pub(super) struct ErrorLog {
    targets: Vec<Target>,
    pub(super) outputs: Vec<(Output, Level)>,
}

/// Every log file of one configuration, and its error logs.
#[derive(Debug, Default)]
pub struct Logs {
    outputs: Outputs,
    error_logs: Mutex<Vec<Arc<ErrorLog>>>,
}

impl Logs {
    /// Opens the main context's error log. To be called before root's powers are given up.
    pub fn open(main: &[Target], missing: Missing, mistakes: &mut Mistakes) -> Self {
        let logs = Self { outputs: Outputs::new(missing), error_logs: Mutex::default() };
        logs.error_log(main, mistakes);
        logs
    }

    /// Opens `instead` in the place of the main context's error log, `main`: for `-e`.
    pub fn open_instead(main: &[Target], instead: &[Target], missing: Missing, mistakes: &mut Mistakes) -> Self {
        let logs = Self::open(instead, missing, mistakes);
        {
            let mut list = logs.error_logs.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(first) = list.first_mut() {
                *first = Arc::new(ErrorLog { targets: main.to_vec(), outputs: first.outputs.clone() });
            }
        }
        logs
    }

    /// The error log that writes to `targets` (a scope's `error_log` value), opened now unless it is open already;
    /// targets that can't be opened are mistakes. To be called before root's powers are given up.
    pub fn error_log(&self, targets: &[Target], mistakes: &mut Mistakes) -> LogRef {
        let mut logs = self.error_logs.lock().unwrap_or_else(PoisonError::into_inner);
        let id = match logs.iter().position(|l| l.targets == targets) {
            Some(id) => id,
            None => {
                let open = |t: &Target| {
                    let opened = self.outputs.open(&t.to, Contents::Lines);
                    let opened = opened.map_err(|failure| conf::Error::failed(t.span, failure));
                    mistakes.keep(opened).map(|output| (output, t.level))
                };
                let outputs = targets.iter().filter_map(open).collect();
                logs.push(Arc::new(ErrorLog { targets: targets.to_vec(), outputs }));
                logs.len() - 1
            }
        };
        if id == 0 {
            return LogRef::main();
        }
        let level = targets.iter().map(|t| t.level).max().unwrap_or(Level::Emerg);
        LogRef::new(id as u32, level)
    }

    /// A place that lines go to, shared with other logs that write there: for access logs.
    pub fn output(&self, to: &To, contents: Contents) -> Result<Output, Failure> {
        self.outputs.open(to, contents)
    }

    /// The paths of all log files.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.outputs.files.paths()
    }

    /// The descriptor of the first file that takes alerts in the main error log, else standard error: for code that may
    /// do no more than write to it. The number stays the same as long as these logs are open.
    pub fn fd_for_alerts(&self) -> RawFd {
        let main = self.get(0);
        let outputs = main.iter().flat_map(|log| &log.outputs).filter(|(_, level)| Level::Alert <= *level);
        let file = outputs.filter_map(|(output, _)| output.file()).next();
        file.map_or_else(|| std::io::stderr().as_raw_fd(), |file| file.as_fd().as_raw_fd())
    }

    /// Sends all events to these logs from now on.
    pub fn make_current(self: &Arc<Self>) {
        let main = self.get(0);
        let level = main.and_then(|l| l.outputs.iter().map(|(_, level)| *level).max()).unwrap_or(Level::Emerg);
        log_ref::set_main_level(level);
        *CURRENT.write().unwrap_or_else(PoisonError::into_inner) = Some(self.clone());
        self.follow();
    }

    /// The paths of logs that end on this process's terminal.
    pub fn on_terminal(&self) -> Vec<PathBuf> {
        self.outputs.files.on_terminal()
    }

    /// For a daemon, which has no terminal: lets standard error go to the main error log, unless that log is standard
    /// error itself (ngx_log_redirect_stderr), and logs on the terminal to /dev/null. Reloads and reopened logs keep to
    /// that.
    pub fn take_over_stderr(&self) -> Result<(), Failure> {
        let Some(main) = self.get(0) else { return Ok(()) };
        STDERR_TAKEN.store(true, Ordering::Relaxed);
        self.outputs.files.leave_terminal()?;
        if main.outputs.iter().any(|(output, _)| output.is_stderr()) {
            return daemon::leave_terminal().map_err(|e| Failure::new("dup2(STDERR)", e));
        }
        let Some(file) = main.outputs.iter().find_map(|(output, _)| output.file()) else {
            return daemon::leave_terminal().map_err(|e| Failure::new("dup2(STDERR)", e));
        };
        daemon::redirect_stderr(file).map_err(|e| Failure::new("dup2(STDERR)", e))
    }

    fn follow(&self) {
        if STDERR_TAKEN.load(Ordering::Relaxed)
            && let Err(failure) = self.take_over_stderr()
        {
            super::alert!("{failure}");
        }
    }

    /// Reopens every file and logs failures. `owner`: see [`LogFile::reopen`](super::file::LogFile::reopen).
    pub fn reopen(&self, owner: Option<&Credentials>) {
        for failure in self.outputs.files.reopen(owner) {
            super::emerg!("{failure}");
        }
        self.follow();
    }

    pub(super) fn get(&self, id: u64) -> Option<Arc<ErrorLog>> {
        let logs = self.error_logs.lock().unwrap_or_else(PoisonError::into_inner);
        usize::try_from(id).ok().and_then(|id| logs.get(id)).or(logs.first()).cloned()
    }

    pub(super) fn current() -> Option<Arc<Self>> {
        CURRENT.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
