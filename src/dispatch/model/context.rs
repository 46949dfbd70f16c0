//! The descriptors, settings and services that a forked process is given for its life.

use std::io;
use std::sync::Arc;

use super::{AcceptOptions, Seat};
use crate::event::{Clock, Source};
use crate::http::HttpConf;
use crate::log::{self, Logs};
use crate::os::signals::Signals;
use crate::os::{Failure, Interest, Listener, Poller, limits};
use crate::serve::access_log::AccessLogs;
use crate::serve::{Capacity, Engine, descriptors_for_files};
use crate::shm::{Role, Tally};
use crate::stream::Servers;
use crate::tls::Endpoints;

/// The context of a forked process, made after the fork. Limits, identity and CPUs are in force already.
pub struct ProcessContext {
    /// The seat that the process has in the model's plan.
    pub seat: Seat,
    /// The pid of this process.
    pub pid: u32,
    /// The process's slot in the ledger; threads claim more.
    pub tally: Arc<Tally>,
    /// The listening sockets, by the index that the site knows them by.
    pub listeners: Vec<Arc<Listener>>,
    /// For each of the sockets, whether no other process has it (reuseport).
    pub is_own: Vec<bool>,
    /// The signalfd from which `next_command` reads the master's commands.
    pub signals: Signals,
    /// The settings that every model has.
    pub options: AcceptOptions,
    /// `worker_shutdown_timeout`, ms; 0: none.
    pub shutdown_timeout_ms: u64,
    /// Makes what serves the connections.
    pub engines: Engines,
}

/// Descriptors that a process is taken to have open, where /proc doesn't tell.
const USUALLY_OPEN: u64 = 64;

impl ProcessContext {
    /// Adds the signalfd to an epoll set, as `Source::Signals`. Error: epoll_ctl has no memory.
    pub fn watch_signals(&self, poller: &Poller) -> Result<(), Failure> {
        let added = poller.add(&self.signals, Source::Signals.key(), Interest::READ);
        added.map_err(|e| Failure::new("epoll_ctl() for the signalfd", e))
    }

    /// Claims another slot of the ledger, for process `pid`, as worker `number` of this generation. Error: no slot is
    /// free.
    pub(crate) fn claim_slot(&self, pid: u32, number: u32) -> io::Result<Arc<Tally>> {
        let tally = self.tally.ledger().claim(pid, Role::Worker, number)?;
        Ok(Arc::new(tally.of_generation(self.tally.generation())))
    }

    /// How many more descriptors may be opened for connections, and for the threads that serve them.
    fn spare_descriptors(&self) -> u64 {
        let limit = limits::max_open_files().unwrap_or(u64::MAX);
        let open = limits::open_files().unwrap_or(USUALLY_OPEN);
        limit.saturating_sub(open).saturating_sub(descriptors_for_files(limit))
    }

    /// How many connections the process may have. To be called when all descriptors are open that the process needs for
    /// itself.
    pub fn capacity(&self) -> Capacity {
        Capacity::new(self.options.connections, self.spare_descriptors())
    }

    /// How many of the `wanted` threads there are descriptors for, if a thread and its connection take `each`.
    pub(crate) fn affordable_threads(&self, wanted: usize, each: u64) -> usize {
        let most = usize::try_from(self.spare_descriptors() / each).unwrap_or(usize::MAX).max(1);
        if most < wanted {
            log::warn!("{wanted} worker_threads exceed open file resource limit, there are {most}");
        }
        most.min(wanted)
    }

    /// For how many of the `wanted` connections in a queue there are descriptors: a quarter of those that are left.
    pub(crate) fn affordable_queue(&self, wanted: usize) -> usize {
        let most = usize::try_from(self.spare_descriptors() / 4).unwrap_or(usize::MAX).max(1);
        most.min(wanted)
    }
}

/// Makes engines: each serving thread has its own.
#[derive(Clone)]
pub struct Engines {
    /// The `http` block.
    pub site: Arc<HttpConf>,
    /// The `stream` block.
    pub streams: Arc<Servers>,
    /// The certificates, with all that handshakes need.
    pub endpoints: Arc<Endpoints>,
    /// The log files of both.
    pub logs: Arc<Logs>,
}

impl Engines {
    /// A new engine, which counts in `tally`. Error: a log file cannot be opened, though the master has opened all of
    /// them.
    pub fn engine(&self, tally: Arc<Tally>) -> Result<Engine, Failure> {
        let access_logs = AccessLogs::new(&self.site, |log, to| self.logs.output(to, log.contents()).map(Some))?;
        Ok(Engine::new(
            self.site.clone(),
            self.streams.clone(),
            self.endpoints.clone(),
            Clock::new(),
            access_logs,
            tally,
        ))
    }
}
