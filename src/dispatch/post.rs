//! What a process that has no event loop is given for its life.

use std::sync::Arc;

use super::{AcceptOptions, Seat};
use crate::event::Clock;
use crate::http::site::Site;
use crate::log::Logs;
use crate::os::signals::Signals;
use crate::os::{Failure, Listener};
use crate::serve::Engine;
use crate::serve::access_log::AccessLogs;
use crate::shm::Tally;
use crate::stream::Servers;

/// All that such a life needs; limits, identity and CPUs are in force already.
pub struct Post {
    pub seat: Seat,
    /// This process.
    pub pid: u32,
    /// The process's slot in the ledger; threads claim more.
    pub tally: Arc<Tally>,
    /// The listening sockets, by the index that the site knows them by.
    pub listeners: Vec<Arc<Listener>>,
    /// For each of them, whether no other process has it (reuseport).
    pub is_own: Vec<bool>,
    /// Orders come here, see `next_order`.
    pub signals: Signals,
    pub options: AcceptOptions,
    /// `worker_shutdown_timeout`, ms; 0: none.
    pub shutdown_timeout_ms: u64,
    pub engines: Engines,
}

/// Makes engines: each serving thread has its own.
#[derive(Clone)]
pub struct Engines {
    pub site: Arc<Site>,
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
