//! The count and the log of connections that are closed for others: each eviction, whatever the driver, ends here.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nix::errno::Errno;

use crate::log;
use crate::os::{ErrnoText, memory};
use crate::shm::Tally;

/// A shortage is logged no more often than this, ms.
const LOGGED_EVERY_MS: u64 = 1_000;

/// The number of connections a process may have.
#[derive(Clone, Debug)]
pub struct Capacity {
    /// The most connections at a time.
    pub connections: usize,
    /// The thing that has run out, as the log calls it.
    pub of: String,
}

impl Capacity {
    /// `worker_connections`, or as many as there are descriptors for.
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

/// The thing a process is short of. The threads of the process share it.
#[derive(Debug)]
pub struct Shortage {
    /// The thing that is short, as the log calls it.
    of: String,
    /// When the shortage was logged last, ms of the clock; 0: never.
    logged_ms: AtomicU64,
}

impl Shortage {
    /// `what`: the thing, with the number there is.
    pub fn of(what: impl Into<String>) -> Shortage {
        Shortage { of: what.into(), logged_ms: AtomicU64::new(0) }
    }

    /// Logs that connections are closed for others, in nginx's words (`ngx_drain_connections`).
    pub fn log(&self, now_ms: u64) {
        if is_due(&self.logged_ms, now_ms) {
            log::warn!("{} are not enough, reusing connections", self.of);
        }
    }
}

/// Whether a line is to be logged that was logged last at `logged_ms`, 0 being never; if so it is noted.
fn is_due(logged_ms: &AtomicU64, now_ms: u64) -> bool {
    let logged = logged_ms.load(Relaxed);
    let is_due = logged == 0 || now_ms.saturating_sub(logged) >= LOGGED_EVERY_MS;
    is_due && logged_ms.compare_exchange(logged, now_ms, Relaxed, Relaxed).is_ok()
}

/// Logs that the system has refused memory to this process, in nginx's words (`ngx_alloc`).
pub(super) fn log_refused_memory(now_ms: u64) {
    static LOGGED_MS: AtomicU64 = AtomicU64::new(0);
    if is_due(&LOGGED_MS, now_ms) {
        let error = io::Error::from(Errno::ENOMEM);
        log::emerg!("malloc({}) failed ({}), closing connections", memory::refused(), ErrnoText(&error));
    }
}

/// Counts `count` connections that have been closed for others, and logs why. `None`: another process logs the
/// shortage.
pub(super) fn count_reused(count: u64, tally: &Tally, shortage: Option<&Shortage>, now_ms: u64) {
    if count == 0 {
        return;
    }
    tally.reused_connections.add(count);
    if let Some(shortage) = shortage {
        shortage.log(now_ms);
    }
}
