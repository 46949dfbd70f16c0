//! drover's own counters, read from its shared memory: that costs the server nothing, not even a wakeup.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};

use anyhow::{Context, Result};
use drover::shm::histogram::ACCEPT_DELAY_BUCKETS;
use drover::shm::{Ledger, Role, Sums};
use serde::{Deserialize, Serialize};

/// Opens the ledger of the master `pid`. Error: it has none, or one of another version.
pub(crate) fn open(pid: u32) -> Result<Ledger> {
    let memfd = memfd(pid).with_context(|| format!("process {pid} has no ledger: is it a drover?"))?;
    Ledger::open(memfd).context("the ledger")
}

fn memfd(pid: u32) -> Option<File> {
    let name = format!("/memfd:{}", drover::shm::LEDGER_NAME);
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
    let mut links =
        entries.filter(|entry| fs::read_link(entry.path()).is_ok_and(|link| link.to_string_lossy().starts_with(&name)));
    OpenOptions::new().read(true).write(true).open(links.next()?.path()).ok()
}

/// What one process has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Count {
    pub turns: u64,
    pub wakeups: u64,
    pub accepts: u64,
    pub empty_accepts: u64,
    pub mutex_tries: u64,
    pub mutex_takes: u64,
    pub mutex_held_us: u64,
    pub handoffs: u64,
    pub takeovers: u64,
    pub requests: u64,
    pub connections: u64,
    /// By bucket, as `Sums` has them.
    pub accept_delay: [u64; ACCEPT_DELAY_BUCKETS],
    pub accept_delay_ms: u64,
}

impl From<&Sums> for Count {
    fn from(sums: &Sums) -> Count {
        Count {
            turns: sums.turns,
            wakeups: sums.wakeups,
            accepts: sums.accepts,
            empty_accepts: sums.empty_accepts,
            mutex_tries: sums.mutex_tries,
            mutex_takes: sums.mutex_takes,
            mutex_held_us: sums.mutex_held_us,
            handoffs: sums.handoffs,
            takeovers: sums.takeovers,
            requests: sums.requests,
            connections: sums.connections,
            accept_delay: sums.accept_delay,
            accept_delay_ms: sums.accept_delay_ms,
        }
    }
}

impl Count {
    fn combine(self, other: Count, f: fn(u64, u64) -> u64) -> Count {
        Count {
            turns: f(self.turns, other.turns),
            wakeups: f(self.wakeups, other.wakeups),
            accepts: f(self.accepts, other.accepts),
            empty_accepts: f(self.empty_accepts, other.empty_accepts),
            mutex_tries: f(self.mutex_tries, other.mutex_tries),
            mutex_takes: f(self.mutex_takes, other.mutex_takes),
            mutex_held_us: f(self.mutex_held_us, other.mutex_held_us),
            handoffs: f(self.handoffs, other.handoffs),
            takeovers: f(self.takeovers, other.takeovers),
            requests: f(self.requests, other.requests),
            connections: f(self.connections, other.connections),
            accept_delay: std::array::from_fn(|i| f(self.accept_delay[i], other.accept_delay[i])),
            accept_delay_ms: f(self.accept_delay_ms, other.accept_delay_ms),
        }
    }

    /// What was counted since `before`; connections are those that are open now.
    pub(super) fn since(self, before: Count) -> Count {
        Count { connections: self.connections, ..self.combine(before, u64::saturating_sub) }
    }

    pub(super) fn and(self, other: Count) -> Count {
        self.combine(other, u64::wrapping_add)
    }
}

/// A copy of the whole ledger.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub sums: Count,
    /// By pid. A process with several serving threads counts as one.
    pub workers: BTreeMap<u32, Count>,
    pub dispatchers: BTreeMap<u32, Count>,
}

impl Counts {
    pub(super) fn read(ledger: &Ledger) -> Counts {
        let mut counts = Counts { sums: (&ledger.sums()).into(), ..Counts::default() };
        for slot in ledger.live() {
            let Some(pid) = slot.pid() else { continue };
            let role = if slot.role() == Role::Dispatcher { &mut counts.dispatchers } else { &mut counts.workers };
            let entry = role.entry(pid).or_default();
            *entry = entry.and((&slot.read()).into());
        }
        counts
    }
}
