//! Which `error_log` lines go where.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::{Files, Level, LogFile};
use crate::conf::{self, Span};
use crate::os::users::Credentials;
use crate::os::{Failure, daemon};

/// One `error_log` directive.
#[derive(Debug, Clone)]
pub struct Target {
    /// The file.
    pub to: To,
    /// The least grave level that is written.
    pub level: Level,
    /// Where the conf names the file.
    pub span: Span,
}

/// Two that say the same are one log.
impl PartialEq for Target {
    fn eq(&self, other: &Target) -> bool {
        (&self.to, self.level) == (&other.to, other.level)
    }
}

/// Where an `error_log` writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// `error_log stderr`.
    Stderr,
    /// A path, absolute.
    File(PathBuf),
}

impl To {
    fn path(&self) -> &Path {
        match self {
            To::Stderr => Path::new("/dev/stderr"),
            To::File(path) => path,
        }
    }
}

/// An error log of the current configuration, cheap to copy and to ask for its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRef {
    id: u32,
    /// 0: the main log, whose level is asked for when needed.
    level: u8,
}

impl LogRef {
    /// The `error_log` of the main context.
    pub const fn main() -> Self {
        Self { id: 0, level: 0 }
    }

    /// Whether this log writes events of `level`, or they are shown on standard error during the start.
    pub fn takes(self, level: Level) -> bool {
        let limit = if self.level == 0 { MAIN_LEVEL.load(Ordering::Relaxed) } else { self.level };
        level as u8 <= limit || (level <= Level::Warn && super::line::is_startup())
    }

    pub(super) fn id(self) -> u32 {
        self.id
    }
}

impl Default for LogRef {
    fn default() -> Self {
        Self::main()
    }
}

static MAIN_LEVEL: AtomicU8 = AtomicU8::new(Level::Notice as u8);
/// This process is a daemon.
static STDERR_TAKEN: AtomicBool = AtomicBool::new(false);
static CURRENT: RwLock<Option<Arc<Logs>>> = RwLock::new(None);

/// The outputs of one error log: several `error_log` lines of one block all write.
#[derive(Debug)]
pub(super) struct ErrorLog {
    targets: Vec<Target>,
    pub(super) outputs: Vec<(Arc<LogFile>, Level)>,
}

/// Every log file of one configuration, and its error logs.
#[derive(Debug, Default)]
pub struct Logs {
    files: Files,
    error_logs: Mutex<Vec<Arc<ErrorLog>>>,
}

impl Logs {
    /// Opens the main context's error log.
    pub fn open(main: &[Target]) -> Result<Self, conf::Error> {
        let logs = Self::default();
        logs.error_log(main)?;
        Ok(logs)
    }

    /// The same, but what the main context says (its default) stands for `instead`: for `-e`.
    pub fn open_instead(main: &[Target], instead: &[Target]) -> Result<Self, conf::Error> {
        let logs = Self::open(instead)?;
        {
            let mut list = logs.error_logs.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(first) = list.first_mut() {
                *first = Arc::new(ErrorLog { targets: main.to_vec(), outputs: first.outputs.clone() });
            }
        }
        Ok(logs)
    }

    /// The error log that writes to `targets` (a scope's `error_log` value), opened now unless it is open already.
    pub fn error_log(&self, targets: &[Target]) -> Result<LogRef, conf::Error> {
        let mut logs = self.error_logs.lock().unwrap_or_else(PoisonError::into_inner);
        let id = match logs.iter().position(|l| l.targets == targets) {
            Some(id) => id,
            None => {
                let open = |t: &Target| match self.files.open(t.to.path()) {
                    Ok(file) => Ok((file, t.level)),
                    Err(failure) => Err(conf::Error::failed(t.span, failure)),
                };
                let outputs = targets.iter().map(open).collect::<Result<_, _>>()?;
                logs.push(Arc::new(ErrorLog { targets: targets.to_vec(), outputs }));
                logs.len() - 1
            }
        };
        if id == 0 {
            return Ok(LogRef::main());
        }
        let level = targets.iter().map(|t| t.level).max().unwrap_or(Level::Emerg);
        Ok(LogRef { id: id as u32, level: level as u8 })
    }

    /// The log file at `path`, shared with whoever else writes there: for access logs.
    pub fn file(&self, path: &Path) -> Result<Arc<LogFile>, Failure> {
        self.files.open(path)
    }

    /// From now on events go to these logs.
    pub fn make_current(self: &Arc<Self>) {
        let main = self.get(0);
        let level = main.and_then(|l| l.outputs.iter().map(|(_, level)| *level).max()).unwrap_or(Level::Emerg);
        MAIN_LEVEL.store(level as u8, Ordering::Relaxed);
        *CURRENT.write().unwrap_or_else(PoisonError::into_inner) = Some(self.clone());
        self.follow();
    }

    /// The paths of logs that this process's terminal shows.
    pub fn on_terminal(&self) -> Vec<PathBuf> {
        self.files.on_terminal()
    }

    /// Lets standard error, which a daemon has no terminal for, go to the main error log, unless that is standard error itself
    /// (ngx_log_redirect_stderr), and takes the terminal from the logs. It stays so after reloads and reopening.
    pub fn take_over_stderr(&self) -> Result<(), Failure> {
        let Some(main) = self.get(0) else { return Ok(()) };
        STDERR_TAKEN.store(true, Ordering::Relaxed);
        self.files.leave_terminal()?;
        if main.outputs.iter().any(|(file, _)| file.is_stderr()) {
            return daemon::leave_terminal().map_err(|e| Failure::new("dup2(STDERR)", e));
        }
        let Some((file, _)) = main.outputs.first() else { return Ok(()) };
        daemon::redirect_stderr(file.as_ref()).map_err(|e| Failure::new("dup2(STDERR)", e))
    }

    fn follow(&self) {
        if STDERR_TAKEN.load(Ordering::Relaxed)
            && let Err(failure) = self.take_over_stderr()
        {
            super::alert!("{failure}");
        }
    }

    /// Reopens every file, the master's part with the workers' user as `owner`; logs what failed.
    pub fn reopen(&self, owner: Option<&Credentials>) {
        for failure in self.files.reopen(owner) {
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
