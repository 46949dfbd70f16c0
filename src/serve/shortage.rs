//! Counts and logs that connections are closed to make room for others.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::log;
use crate::shm::Tally;

/// The log is told no more often than this, ms.
const SAID_EVERY_MS: u64 = 1_000;

/// How many connections a process may have.
#[derive(Clone, Debug)]
pub struct Capacity {
    pub connections: usize,
    /// The thing that has run out, as the log calls it.
    pub of: String,
}

impl Capacity {
    /// The number of slots, or as many as the descriptors that are left allow.
    pub fn new(worker_connections: usize, descriptors: u64) -> Capacity {
        match usize::try_from(descriptors) {
            Ok(most) if most < worker_connections => {
                let connections = most.max(1);
                Capacity { connections, of: format!("descriptors for {connections} connections") }
            }
            _ => Capacity { connections: worker_connections, of: format!("{worker_connections} worker_connections") },
        }
    }
}

/// A process has one, which its threads share.
#[derive(Debug)]
pub struct Shortage {
    /// The thing that is short, as the log calls it.
    of: String,
    /// When the log was told last, ms of the clock; 0: never.
    said_ms: AtomicU64,
}

impl Shortage {
    /// How many of the thing there are.
    pub fn of(what: impl Into<String>) -> Shortage {
        Shortage { of: what.into(), said_ms: AtomicU64::new(0) }
    }

    /// `count` connections have been closed.
    pub fn reuse(&self, count: u64, tally: &Tally, now_ms: u64) {
        if count > 0 {
            tally.reused_connections.add(count);
            self.say(now_ms);
        }
    }

    /// The same where somebody else has counted (`ngx_drain_connections`).
    pub fn say(&self, now_ms: u64) {
        let said = self.said_ms.load(Relaxed);
        let is_due = said == 0 || now_ms.saturating_sub(said) >= SAID_EVERY_MS;
        if is_due && self.said_ms.compare_exchange(said, now_ms, Relaxed, Relaxed).is_ok() {
            log::warn!("{} are not enough, reusing connections", self.of);
        }
    }
}
