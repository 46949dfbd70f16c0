//! Samples of a server's processes, and the slope of their growth.

use std::fs;

use drover::shm::Role;

use crate::support::proc;
use crate::support::site::{CONTENT, Site};

/// Points that a fit looks at: it compares each with each.
const POINTS: usize = 300;

/// Memory of a process, or of several, in KiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Anonymous memory, also that which a child still shares with its parent: it does not depend on their number.
    pub anonymous: f64,
    /// The proportional share of all memory.
    pub pss: f64,
    pub private_dirty: f64,
    pub shared: f64,
}

/// A moment of a server.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Seconds since the start.
    pub at: f64,
    /// How many masters there have been.
    pub life: usize,
    pub master: Memory,
    /// All children together.
    pub children: Memory,
    /// With the master.
    pub processes: usize,
    /// Threads of the children.
    pub threads: usize,
    /// Descriptors of the master.
    pub master_descriptors: f64,
    /// Descriptors of the children, but for those of clients and of files that a cache holds.
    pub child_descriptors: f64,
}

/// A growth that was measured.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    /// The median of all values.
    pub median: f64,
    /// By the slope, from the first value of a life to its last.
    pub over_life: f64,
    pub per_hour: f64,
}

impl Memory {
    /// The memory of a process; `None`: it has ended, or is another's.
    fn of(pid: i32) -> Option<Memory> {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let kib = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.trim().split(' ').next()?.parse().ok()).unwrap_or(0.0)
        };
        Some(Memory {
            anonymous: kib("Anonymous:"),
            pss: kib("Pss:"),
            private_dirty: kib("Private_Dirty:"),
            shared: kib("Pss_Shmem:"),
        })
    }

    fn add(&mut self, other: Memory) {
        self.anonymous += other.anonymous;
        self.pss += other.pss;
        self.private_dirty += other.private_dirty;
        self.shared += other.shared;
    }
}

impl Sample {
    /// The processes of a server as they are now.
    pub fn of(site: &Site, at: f64, life: usize) -> Sample {
        let mut sample = Sample { at, life, ..Sample::default() };
        let clients = proc::connected_inodes(site.server.port());
        for pid in proc::tree(site.master) {
            let Some(memory) = Memory::of(pid) else { continue };
            let is_own = |target: &&String| {
                let inode = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')?.parse().ok());
                !target.contains(CONTENT) && !inode.is_some_and(|inode: u64| clients.contains(&inode))
            };
            let descriptors = proc::open_targets(pid).iter().filter(is_own).count() as f64;
            sample.processes += 1;
            if pid == site.master {
                (sample.master, sample.master_descriptors) = (memory, descriptors);
            } else {
                sample.children.add(memory);
                sample.child_descriptors += descriptors;
                sample.threads += proc::threads(pid);
            }
        }
        sample
    }
}

/// The children that a dispatch model has beside its workers.
pub fn dispatchers(site: &Site) -> usize {
    site.ledger().map_or(0, |ledger| ledger.live().filter(|slot| slot.role() == Role::Dispatcher).count())
}

/// The growth of a value by the slope of Theil and Sen: the median of the slopes between all pairs of points, both of
/// the same master's life. The first quarter of each life is left out, in which caches fill. `None`: too few points.
pub fn growth(samples: &[Sample], value: impl Fn(&Sample) -> f64) -> Option<Growth> {
    let mut lives: Vec<Vec<(f64, f64)>> = Vec::new();
    for life in 0..=samples.last()?.life {
        let points: Vec<(f64, f64)> = samples.iter().filter(|s| s.life == life).map(|s| (s.at, value(s))).collect();
        let (Some(first), Some(last)) = (points.first(), points.last()) else { continue };
        let from = first.0 + (last.0 - first.0) / 4.0;
        lives.push(points.into_iter().filter(|(at, _)| *at >= from).collect());
    }
    let all: usize = lives.iter().map(Vec::len).sum();
    let thin = all.div_ceil(POINTS).max(1);
    let (mut slopes, mut values, mut longest) = (Vec::new(), Vec::new(), 0.0f64);
    for life in &lives {
        let points: Vec<(f64, f64)> = life.iter().copied().step_by(thin).collect();
        values.extend(points.iter().map(|(_, value)| *value));
        if let (Some(first), Some(last)) = (points.first(), points.last()) {
            longest = longest.max(last.0 - first.0);
        }
        for (index, (from, before)) in points.iter().enumerate() {
            slopes.extend(points[index + 1..].iter().map(|(at, value)| (value - before) / (at - from)));
        }
    }
    let slope = median(&mut slopes)?;
    Some(Growth { median: median(&mut values)?, over_life: slope * longest, per_hour: slope * 3600.0 })
}

/// The median; `None` of nothing.
pub fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// A part of times in microseconds: the one that `share` of them do not exceed, in milliseconds.
pub fn quantile(times: &mut [u32], share: f64) -> f64 {
    times.sort_unstable();
    let at = (times.len() as f64 * share) as usize;
    times.get(at.min(times.len().saturating_sub(1))).map_or(0.0, |time| f64::from(*time) / 1000.0)
}
