//! What a process that has no event loop is given for its life.

use std::sync::Arc;

use super::{AcceptOptions, Seat};
use crate::event::Clock;
use crate::http::HttpConf;
use crate::log::{self, Logs};
use crate::os::signals::Signals;
use crate::os::{Failure, Listener, limits};
use crate::serve::access_log::AccessLogs;
use crate::serve::{Capacity, Engine, descriptors_for_files};
use crate::shm::Tally;
use crate::stream::Servers;

/// All that such a life needs; limits, identity and CPUs are in force already.
pub struct ProcessContext {
    pub seat: Seat,
    /// This process.
    pub pid: u32,
    /// The process's slot in the ledger; threads claim more.
    pub tally: Arc<Tally>,
    /// The listening sockets, by the index that the site knows them by.
    pub listeners: Vec<Arc<Listener>>,
    /// For each of them, whether no other process has it (reuseport).
    pub is_own: Vec<bool>,
    /// Orders come here, see `next_command`.
    pub signals: Signals,
    pub options: AcceptOptions,
    /// `worker_shutdown_timeout`, ms; 0: none.
    pub shutdown_timeout_ms: u64,
    pub engines: Engines,
}

/// Descriptors that a process is taken to have open, where /proc doesn't tell.
const USUALLY_OPEN: u64 = 64;

impl ProcessContext {
    /// How many descriptors may go to connections, and to what else serves them, beside those that are open now.
    fn spare_descriptors(&self) -> u64 {
        let limit = limits::max_open_files().unwrap_or(u64::MAX);
        let open = limits::open_files().unwrap_or(USUALLY_OPEN);
        limit.saturating_sub(open).saturating_sub(descriptors_for_files(limit))
    }

    /// How many connections the process may have. To be asked when all that it needs for itself is open.
    pub fn capacity(&self) -> Capacity {
        Capacity::new(self.options.connections, self.spare_descriptors())
    }

    /// How many of the `wanted` threads there are descriptors for, if one takes `each` of them, with its connection.
    pub fn threads(&self, wanted: usize, each: u64) -> usize {
        let most = usize::try_from(self.spare_descriptors() / each).unwrap_or(usize::MAX).max(1);
        if most < wanted {
            log::warn!("{wanted} worker_threads exceed open file resource limit, there are {most}");
        }
        most.min(wanted)
    }

    /// How many of the `wanted` places of a queue there are descriptors for: a quarter of those that are left.
    pub fn queue(&self, wanted: usize) -> usize {
        let most = usize::try_from(self.spare_descriptors() / 4).unwrap_or(usize::MAX).max(1);
        most.min(wanted)
    }
}

/// Makes engines: each serving thread has its own.
#[derive(Clone)]
pub struct Engines {
    pub site: Arc<HttpConf>,
    pub streams: Arc<Servers>,
    pub logs: Arc<Logs>,
}

impl Engines {
    /// A new engine, which counts in `tally`. The log files are open already: each is found, not opened again.
    pub fn engine(&self, tally: Arc<Tally>) -> Result<Engine, Failure> {
        let access_logs = AccessLogs::new(&self.site, |log| self.logs.file(log.path()))?;
        Ok(Engine::new(self.site.clone(), self.streams.clone(), Clock::new(), access_logs, tally))
    }
}
