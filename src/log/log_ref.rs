//! A reference to an error log, which knows the level that the log takes.

use std::sync::atomic::{AtomicU8, Ordering};

use super::Level;
use super::startup::is_startup;

/// The level of the main log; a reload changes it.
static MAIN_LEVEL: AtomicU8 = AtomicU8::new(Level::Notice as u8);

/// An error log of the current conf, by its index. Cheap to copy and to ask for its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRef {
    id: u32,
    /// 0: the level of the main log, whatever that is at the time.
    level: u8,
}

impl LogRef {
    /// The `error_log` of the main context.
    pub const fn main() -> Self {
        Self { id: 0, level: 0 }
    }

    /// Whether this log writes events of `level`, or standard error shows them during the start.
    pub fn takes(self, level: Level) -> bool {
        let limit = if self.level == 0 { MAIN_LEVEL.load(Ordering::Relaxed) } else { self.level };
        level as u8 <= limit || (level <= Level::Warn && is_startup())
    }

    /// The log with this index among those of its conf, and its level.
    pub(super) fn new(id: u32, level: Level) -> Self {
        Self { id, level: level as u8 }
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

pub(super) fn set_main_level(level: Level) {
    MAIN_LEVEL.store(level as u8, Ordering::Relaxed);
}
