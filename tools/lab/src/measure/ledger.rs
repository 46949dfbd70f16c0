//! drover's own counters, read from its shared memory: that costs the server nothing, not even a wakeup.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use drover::shm::histogram::ACCEPT_DELAY_BUCKETS;
use drover::shm::{Ledger, Role, Sums};

/// Opens the ledger of the master `pid`. Error: it has none, or one of another version.
pub(crate) fn open(pid: u32) -> Result<Ledger> {
    drover::master::client::find_ledger(pid as i32)
        .with_context(|| format!("process {pid} has no ledger: is it a drover of this version?"))
}

/// The counters that figures are made of: of a process, or summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counters {
    pub wakeups: u64,
    pub accepts: u64,
    pub empty_accepts: u64,
    pub mutex_tries: u64,
    pub mutex_takes: u64,
    pub mutex_held_us: u64,
    pub handoffs: u64,
    pub takeovers: u64,
    pub requests: u64,
    /// Connections that are open.
    pub connections: u64,
    /// Accepts by how long the connection waited, in the buckets of the ledger.
    pub accept_delay: [u64; ACCEPT_DELAY_BUCKETS],
    pub accept_delay_ms: u64,
}

impl From<&Sums> for Counters {
    fn from(sums: &Sums) -> Counters {
        Counters {
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

impl Counters {
    fn combine(self, other: Counters, f: fn(u64, u64) -> u64) -> Counters {
        Counters {
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

    /// The increase since `before`; `connections` are those that are open now.
    pub(crate) fn since(self, before: Counters) -> Counters {
        Counters { connections: self.connections, ..self.combine(before, u64::saturating_sub) }
    }

    /// Adds up. A connection that passes between threads leaves a number below 0 in one slot: it wraps, and the sum is
    /// right.
    pub(crate) fn plus(self, other: Counters) -> Counters {
        self.combine(other, u64::wrapping_add)
    }
}

/// The counters of all processes at a moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// Sums over the living and the dead.
    pub sums: Counters,
    /// The living workers, by pid. A process with several serving threads counts once.
    pub workers: BTreeMap<u32, Counters>,
}

impl Snapshot {
    /// Copies the counters of `ledger`.
    pub(crate) fn take(ledger: &Ledger) -> Snapshot {
        let mut snapshot = Snapshot { sums: (&ledger.sums()).into(), ..Snapshot::default() };
        for slot in ledger.live().filter(|slot| slot.role() != Role::Dispatcher) {
            let Some(pid) = slot.pid() else { continue };
            let counters = snapshot.workers.entry(pid).or_default();
            *counters = counters.plus((&slot.read()).into());
        }
        snapshot
    }
}
