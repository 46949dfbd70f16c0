//! The places that lines of logs go to: files, syslog, memory.

use super::memory::Memory;
use super::syslog::{Peer, Syslog};
use super::{Contents, Files, Level, LogFile, Missing};
use crate::os::Failure;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A place that a conf names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// `error_log stderr`.
    Stderr,
    /// A path, absolute.
    File(PathBuf),
    /// `syslog:`.
    Syslog(Peer),
    /// `memory:SIZE`, bytes.
    Memory(u64),
}

/// The place, open.
#[derive(Debug, Clone)]
pub enum Output {
    /// A file.
    File(Arc<LogFile>),
    /// A receiver of datagrams.
    Syslog(Arc<Syslog>),
    /// A ring of bytes.
    Memory(Arc<Memory>),
}

impl To {
    /// Tells whether the place can't be opened, as far as that is known without opening it: nothing is made.
    ///
    /// # Errors
    /// The failure of opening it.
    pub fn check(&self) -> Result<(), Failure> {
        if let To::File(path) = self { LogFile::check(path) } else { Ok(()) }
    }
}

/// Everything that the logs of a conf write to: each place is open once.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    pub(super) files: Files,
    syslogs: Mutex<Vec<Arc<Syslog>>>,
}

impl Outputs {
    pub(super) fn new(missing: Missing) -> Self {
        Self { files: Files::new(missing), syslogs: Mutex::default() }
    }

    pub(super) fn open(&self, to: &To, contents: Contents) -> Result<Output, Failure> {
        Ok(match to {
            To::Stderr => Output::File(self.files.open(Path::new("/dev/stderr"), contents)?),
            To::File(path) => Output::File(self.files.open(path, contents)?),
            To::Memory(size) => Output::Memory(Arc::new(Memory::new(*size)?)),
            To::Syslog(peer) => {
                let mut open = self.syslogs.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(syslog) = open.iter().find(|syslog| syslog.is_for(peer)) {
                    return Ok(Output::Syslog(syslog.clone()));
                }
                let syslog = Arc::new(Syslog::open(peer)?);
                open.push(syslog.clone());
                Output::Syslog(syslog)
            }
        })
    }
}

impl Output {
    /// Whether lines are shown on this process's standard error.
    pub(super) fn is_stderr(&self) -> bool {
        self.file().is_some_and(LogFile::is_stderr)
    }

    pub(super) fn file(&self) -> Option<&LogFile> {
        match self {
            Output::File(file) => Some(file),
            Output::Syslog(_) | Output::Memory(_) => None,
        }
    }

    /// Writes a line of the error log, with its line end. A failure has no other log to go to.
    pub(super) fn write_event(&self, level: Level, line: &str) {
        match self {
            Output::File(file) => _ = file.write(line.as_bytes()),
            Output::Syslog(syslog) => syslog.write_event(level, line),
            Output::Memory(memory) => memory.write(line.as_bytes()),
        }
    }
}
