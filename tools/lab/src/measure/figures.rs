//! The server's side of a measurement: the difference between a baseline and a second reading.

use std::collections::BTreeMap;
use std::time::Duration;

use drover::shm::Ledger;
use drover::shm::histogram::bound;
use serde::{Deserialize, Serialize};

use super::ledger::{Counters, Snapshot};
use crate::process::{Process, memory_kib, tree};
use crate::stats::jain;

/// The costs of a load on the side of the server. Figures that are not known of a server are missing: only drover has a
/// ledger.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ServerFigures {
    /// User and system time of all processes per answered request, µs.
    pub cpu_us_per_request: Option<f64>,
    /// CPU time as a share of one CPU.
    pub cpu_share: f64,
    /// Missing when processes have ended meanwhile: the kernel forgets their switches.
    pub switches_per_request: Option<f64>,
    pub wakeups_per_accept: Option<f64>,
    pub empty_accepts_per_accept: Option<f64>,
    pub mutex_tries_per_accept: Option<f64>,
    /// How long the accept mutex was held each time, µs.
    pub mutex_hold_us: Option<f64>,
    pub handoffs_per_accept: Option<f64>,
    pub takeovers: Option<f64>,
    /// The mean and the greatest depth of the accept queue.
    pub queue_mean: Option<f64>,
    pub queue_max: Option<f64>,
    /// The mean wait for the accept, µs: mean depth of the queue divided by connections a second (Little's law).
    pub accept_delay_us: Option<f64>,
    /// The mean wait for the accept as drover has counted it, µs. The kernel counts in ticks: single values are coarse,
    /// their mean is not.
    pub accept_delay_counted_us: Option<f64>,
    /// The upper bound of the ledger's histogram bucket that holds the 99th percentile, µs.
    pub accept_delay_p99_us: Option<f64>,
    pub jain_connections: Option<f64>,
    pub jain_requests: Option<f64>,
    /// Proportional set size of all processes, KiB.
    pub memory_kib: Option<f64>,
    /// The memory that each connection of the load idle has added, KiB.
    pub connection_kib: Option<f64>,
    /// Connections that the kernel dropped because a queue was full, on the whole machine.
    pub overflows: Option<f64>,
    pub workers: Vec<WorkerFigures>,
}

/// The model with a process for each connection: without workers there is no balance.
const ONE_EACH: &str = "fork";

/// The share of a worker.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct WorkerFigures {
    pub pid: u32,
    pub cpu_us: f64,
    pub accepts: Option<u64>,
    pub requests: Option<u64>,
}

/// The readings just before a load.
pub(crate) struct Baseline {
    root: u32,
    ledger: Option<Ledger>,
    processes: Vec<Process>,
    snapshot: Option<Snapshot>,
    respawns: Option<u64>,
    overflows: Option<u64>,
    memory: Option<f64>,
    at: std::time::Instant,
}

/// Facts about a load that neither /proc nor the ledger tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoadFacts {
    /// Requests with a good answer.
    pub answered: u64,
    /// Connections opened while the load ran.
    pub connections: u64,
    /// The mean and the greatest depth of the accept queue.
    pub queue: Option<(f64, u32)>,
    /// CPU time of the handicap, which counts as the server's.
    pub handicap: Duration,
    /// Connections that were opened before the load and stayed; the memory before they were opened, KiB.
    pub idle: Option<(u64, f64)>,
}

impl Baseline {
    pub(crate) fn take(root: u32, ledger: Option<Ledger>) -> Baseline {
        // Under a load the clocks are read last: what takes time to read must not lie between them and the load.
        let (memory, overflows) = (memory_kib(&tree(root)), overflows());
        let respawns = ledger.as_ref().map(|ledger| ledger.header().respawns.get());
        let (snapshot, processes) = (ledger.as_ref().map(Snapshot::take), tree(root));
        Baseline { root, ledger, processes, snapshot, respawns, overflows, memory, at: std::time::Instant::now() }
    }

    /// The CPU time that the server has used since.
    pub(crate) fn cpu(&self) -> Duration {
        let sum = |processes: &[Process]| processes.iter().map(|p| p.cpu_ns + p.reaped_cpu_ns).sum::<u64>();
        Duration::from_nanos(sum(&tree(self.root)).saturating_sub(sum(&self.processes)))
    }

    /// How many processes have died since: by the master's count, or without a ledger those that are missing now.
    pub(crate) fn deaths(&self) -> u64 {
        match (&self.ledger, self.respawns) {
            (Some(ledger), Some(before)) => ledger.header().respawns.get().saturating_sub(before),
            _ => {
                let now = tree(self.root);
                let is_gone = |process: &&Process| now.iter().all(|other| other.pid != process.pid);
                self.processes.iter().filter(is_gone).count() as u64
            }
        }
    }

    /// Reads everything again; the differences become figures.
    pub(crate) fn figures(self, load: &LoadFacts) -> ServerFigures {
        let seconds = self.at.elapsed().as_secs_f64().max(1e-9);
        let after = tree(self.root);
        let old: BTreeMap<u32, &Process> = self.processes.iter().map(|process| (process.pid, process)).collect();
        let since = |pick: fn(&Process) -> u64, now: &Process| {
            pick(now).saturating_sub(old.get(&now.pid).map_or(0, |process| pick(process)))
        };
        let cpu_of = |process: &Process| since(|p| p.cpu_ns, process) + since(|p| p.reaped_cpu_ns, process);
        let cpu_ns = after.iter().map(cpu_of).sum::<u64>() + load.handicap.as_nanos() as u64;
        let switches: u64 = after.iter().map(|process| since(|p| p.switches, process)).sum();
        let forgets = after.iter().any(|process| since(|p| p.reaped_faults, process) > 0);
        let requests = (load.answered > 0).then_some(load.answered as f64);
        let memory = memory_kib(&after);
        let connections = load.connections as f64;
        let mut figures = ServerFigures {
            cpu_us_per_request: requests.map(|n| cpu_ns as f64 / 1e3 / n),
            cpu_share: cpu_ns as f64 / 1e9 / seconds,
            switches_per_request: requests.filter(|_| !forgets).map(|n| switches as f64 / n),
            queue_mean: load.queue.map(|(mean, _)| mean),
            queue_max: load.queue.map(|(_, most)| f64::from(most)),
            accept_delay_us: load
                .queue
                .filter(|_| connections > 0.0)
                .map(|(mean, _)| mean * seconds / connections * 1e6),
            memory_kib: memory,
            overflows: self.overflows.zip(overflows()).map(|(a, b)| b.saturating_sub(a) as f64),
            ..ServerFigures::default()
        };
        let root = self.root;
        let is_worker = |process: &&Process| process.pid != root || after.len() == 1;
        figures.workers = after
            .iter()
            .filter(is_worker)
            .map(|p| WorkerFigures { pid: p.pid, cpu_us: cpu_of(p) as f64 / 1e3, ..WorkerFigures::default() })
            .collect();
        let now = self.ledger.as_ref().map(Snapshot::take);
        // A model with a lower limit has closed the connections above it: divide by those that are open.
        let open = self.snapshot.as_ref().map(|snapshot| snapshot.sums.connections);
        figures.connection_kib = self.memory.zip(load.idle).and_then(|(memory, (idle, before))| {
            let open = open.unwrap_or(idle).min(idle);
            (open > 0).then(|| (memory - before).max(0.0) / open as f64)
        });
        if let (Some(now), Some(before)) = (&now, &self.snapshot) {
            figures.add_counters(now, before);
        }
        if self.ledger.is_some_and(|ledger| ledger.header().model.get() == ONE_EACH) {
            (figures.jain_connections, figures.jain_requests) = (None, None);
            figures.workers.clear();
        }
        figures
    }
}

impl ServerFigures {
    fn add_counters(&mut self, now: &Snapshot, before: &Snapshot) {
        let sums = now.sums.since(before.sums);
        let per_accept = |n: u64| (sums.accepts > 0).then(|| n as f64 / sums.accepts as f64);
        self.wakeups_per_accept = per_accept(sums.wakeups);
        self.empty_accepts_per_accept = per_accept(sums.empty_accepts);
        if sums.mutex_tries > 0 {
            self.mutex_tries_per_accept = per_accept(sums.mutex_tries);
        }
        self.mutex_hold_us = (sums.mutex_takes > 0).then(|| sums.mutex_held_us as f64 / sums.mutex_takes as f64);
        if sums.handoffs > 0 {
            self.handoffs_per_accept = per_accept(sums.handoffs);
        }
        self.takeovers = Some(sums.takeovers as f64);
        let delays: u64 = sums.accept_delay.iter().sum();
        if delays > 0 {
            self.accept_delay_counted_us = Some(sums.accept_delay_ms as f64 * 1e3 / delays as f64);
            self.accept_delay_p99_us = Some(bound_of(0.99, &sums.accept_delay) * 1e3);
        }
        let parts: BTreeMap<u32, Counters> = now
            .workers
            .iter()
            .map(|(pid, counters)| (*pid, counters.since(before.workers.get(pid).copied().unwrap_or_default())))
            .collect();
        let shares = |pick: fn(&Counters) -> u64| parts.values().map(|count| pick(count) as f64).collect::<Vec<_>>();
        self.jain_connections = jain(&shares(|count| count.accepts));
        self.jain_requests = jain(&shares(|count| count.requests));
        self.workers.retain(|worker| parts.contains_key(&worker.pid));
        for worker in &mut self.workers {
            let part = parts.get(&worker.pid);
            (worker.accepts, worker.requests) = (part.map(|p| p.accepts), part.map(|p| p.requests));
        }
    }
}

/// The upper bound of the bucket in or below which the share `q` of all lies; for the last bucket, twice its lower
/// bound.
fn bound_of(q: f64, buckets: &[u64]) -> f64 {
    let wanted = q * buckets.iter().sum::<u64>() as f64;
    let mut sum = 0;
    let at = buckets.iter().position(|n| {
        sum += n;
        sum as f64 >= wanted
    });
    bound(at.unwrap_or_default()) as f64
}

/// Reads ListenOverflows of /proc/net/netstat.
fn overflows() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/net/netstat").ok()?;
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let at = lines.next()?.split(' ').position(|name| name == "ListenOverflows")?;
    lines.next()?.split(' ').nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn per_accept_figures_come_from_what_was_counted_between() {
        let count = |accepts, wakeups| Counters { accepts, wakeups, requests: accepts, ..Counters::default() };
        let snapshot =
            |sums: Counters, workers: &[(u32, Counters)]| Snapshot { sums, workers: workers.iter().copied().collect() };
        let before = snapshot(count(100, 100), &[(1, count(100, 100)), (2, count(0, 0))]);
        let now = snapshot(count(300, 500), &[(1, count(200, 300)), (2, count(100, 200))]);
        let worker = |pid| WorkerFigures { pid, ..WorkerFigures::default() };
        let mut figures = ServerFigures { workers: vec![worker(1), worker(7)], ..ServerFigures::default() };
        figures.add_counters(&now, &before);
        assert_eq!((figures.wakeups_per_accept, figures.jain_connections), (Some(2.0), Some(1.0)));
        assert_eq!(figures.accept_delay_counted_us, None, "nobody counted");
        assert_eq!((figures.workers.len(), figures.workers[0].accepts), (1, Some(100)));
        assert_eq!((figures.mutex_hold_us, figures.handoffs_per_accept), (None, None));
    }

    #[test]
    fn accept_delays_come_from_the_histogram_of_the_time_between() {
        let count = |at: usize, n, ms| {
            let mut count = Counters { accepts: n, accept_delay_ms: ms, ..Counters::default() };
            count.accept_delay[at] = n;
            count
        };
        let before = Snapshot { sums: count(3, 50, 400), ..Snapshot::default() };
        let now = Snapshot { sums: before.sums.plus(count(0, 98, 0)).plus(count(5, 2, 64)), ..Snapshot::default() };
        let mut figures = ServerFigures::default();
        figures.add_counters(&now, &before);
        assert_eq!((figures.accept_delay_counted_us, figures.accept_delay_p99_us), (Some(640.0), Some(32_000.0)));
    }

    #[test]
    fn waiting_by_the_queue_memory_by_connection_and_no_switches_of_the_dead() {
        let me = std::process::id();
        let seen = LoadFacts {
            answered: 10,
            connections: 100,
            queue: Some((2.0, 5)),
            idle: Some((10, 1.0)),
            ..LoadFacts::default()
        };
        let (baseline, begin) = (Baseline::take(me, None), std::time::Instant::now());
        std::thread::sleep(Duration::from_millis(20));
        std::process::Command::new("true").status().unwrap();
        let figures = baseline.figures(&seen);
        let delay = figures.accept_delay_us.unwrap();
        assert!(delay >= 2.0 * 20e3 / 100.0 && delay <= begin.elapsed().as_secs_f64() * 2e6 / 100.0, "{delay}");
        assert!(figures.connection_kib.unwrap() > 10.0);
        assert_eq!(figures.switches_per_request, None);
    }

    #[test]
    fn who_died_meanwhile_is_missed() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let baseline = Baseline::take(child.id(), None);
        assert_eq!(baseline.deaths(), 0);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(baseline.deaths(), 1);
    }

    #[test]
    fn the_kernel_tells_of_overflows() {
        assert!(overflows().is_some());
    }
}
