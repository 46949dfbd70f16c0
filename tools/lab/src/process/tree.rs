//! A process and its descendants, read from /proc.

use std::fs;

use nix::unistd::SysconfVar;

/// The figures of a process and its threads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Process {
    pub pid: u32,
    /// CPU time of all threads, ns (/proc/PID/task/TID/schedstat: exact, where utime and stime count ticks).
    pub cpu_ns: u64,
    /// CPU time of reaped children, ns, in steps of a tick (10 ms).
    pub reaped_cpu_ns: u64,
    pub switches: u64,
    /// Page faults of reaped children: over 0 as soon as one child was reaped.
    pub reaped_faults: u64,
}

/// `root` and all its descendants.
pub(crate) fn tree(root: u32) -> Vec<Process> {
    let mut found = Vec::new();
    let mut todo = vec![root];
    while let Some(pid) = todo.pop() {
        let Some(process) = process(pid) else { continue };
        found.push(process);
        for task in tasks(pid) {
            let children = fs::read_to_string(format!("{task}/children")).unwrap_or_default();
            todo.extend(children.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
        }
    }
    found
}

fn tasks(pid: u32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.path().to_str().map(str::to_owned)).collect()
}

fn process(pid: u32) -> Option<Process> {
    let (reaped_cpu_ns, reaped_faults) = reaped(pid)?;
    let mut process = Process { pid, reaped_cpu_ns, reaped_faults, ..Process::default() };
    for task in tasks(pid) {
        let schedstat = fs::read_to_string(format!("{task}/schedstat")).unwrap_or_default();
        process.cpu_ns += schedstat.split(' ').next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
        let status = fs::read_to_string(format!("{task}/status")).unwrap_or_default();
        let switches = status.lines().filter_map(|line| line.split_once("ctxt_switches:"));
        process.switches += switches.filter_map(|(_, n)| n.trim().parse::<u64>().ok()).sum::<u64>();
    }
    Some(process)
}

/// Reads cutime and cstime, ns, and cminflt: fields 16, 17 and 11 of /proc/PID/stat, counted from behind the name,
/// which may hold spaces.
fn reaped(pid: u32) -> Option<(u64, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(13..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    let per_second = nix::unistd::sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100).max(1) as u64;
    Some((ticks * (1_000_000_000 / per_second), fields.get(8)?.parse().ok()?))
}

/// The memory that would be freed if the processes ended: their proportional set size, KiB.
pub(crate) fn memory_kib(processes: &[Process]) -> Option<f64> {
    let pss = |pid: u32| -> Option<f64> {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?.trim().strip_suffix(" kB")?.trim().parse().ok()
    };
    let all: Vec<f64> = processes.iter().filter_map(|process| pss(process.pid)).collect();
    (!all.is_empty()).then(|| all.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_in_its_own_tree_and_uses_cpu() {
        let pid = std::process::id();
        let before = tree(pid).into_iter().find(|process| process.pid == pid).unwrap();
        let mut sum = 0u64;
        while sum < 20_000_000 {
            sum += std::hint::black_box(1);
        }
        let after = tree(pid).into_iter().find(|process| process.pid == pid).unwrap();
        // Tests of this process that end meanwhile take the time of their threads along.
        assert!(after.cpu_ns > 0 && before.cpu_ns > 0);
        assert!(memory_kib(&tree(pid)).unwrap() > 100.0);
    }
}
