//! The machine's CPU time that others take while something is measured: a figure of a busy machine is none of a model.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::SysconfVar;
use serde::{Deserialize, Serialize};

/// The share of the CPUs that others took while something was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Others {
    /// CPU time of processes that are not of the measurement, as a share of all usable CPUs; steal is in it.
    pub share: f64,
    /// CPU time that the hypervisor gave to other machines, as a share of all usable CPUs.
    pub steal: f64,
}

/// A reading of the machine's clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MachineTime {
    at: Instant,
    ticks: Ticks,
    /// CPU time of the lab itself.
    own: Duration,
}

/// Ticks of the usable CPUs since the machine started.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Ticks {
    /// Time of processes: user, nice, system.
    busy: u64,
    steal: u64,
}

impl MachineTime {
    /// Reads /proc/stat for `cpus`, and the lab's own CPU time.
    pub(crate) fn read(cpus: &[usize]) -> MachineTime {
        let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let own = getrusage(UsageWho::RUSAGE_SELF).map_or(Duration::ZERO, |usage| {
            let us = |time: nix::sys::time::TimeVal| time.tv_sec() as u64 * 1_000_000 + time.tv_usec() as u64;
            Duration::from_micros(us(usage.user_time()) + us(usage.system_time()))
        });
        MachineTime { at: Instant::now(), ticks: ticks(&stat, cpus), own }
    }

    /// The share that others took of `cpus` CPUs from this reading to `after`, when server and client used `measured`.
    pub(crate) fn others(&self, after: &MachineTime, cpus: usize, measured: Duration) -> Others {
        let per_second = nix::unistd::sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100).max(1) as f64;
        let all = after.at.saturating_duration_since(self.at).as_secs_f64() * cpus.max(1) as f64;
        let seconds = |ticks: u64| ticks as f64 / per_second;
        let steal = seconds(after.ticks.steal.saturating_sub(self.ticks.steal));
        let ours = (measured + after.own.saturating_sub(self.own)).as_secs_f64();
        // The clocks count in ticks: in a short round what is ours may be more than all that was counted.
        let others = seconds(after.ticks.busy.saturating_sub(self.ticks.busy)) - ours + steal;
        Others { share: others / all.max(1e-9), steal: steal / all.max(1e-9) }
    }
}

/// Sums up the lines `cpuN user nice system idle iowait irq softirq steal ...` of `cpus`. The time of interrupts is
/// nobody's: that of the loopback device is caused by server and client.
fn ticks(stat: &str, cpus: &[usize]) -> Ticks {
    let mut sum = Ticks::default();
    for line in stat.lines() {
        let mut words = line.split_whitespace();
        let cpu = words.next().and_then(|word| word.strip_prefix("cpu")?.parse::<usize>().ok());
        if !cpu.is_some_and(|cpu| cpus.contains(&cpu)) {
            continue;
        }
        let ticks: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
        sum.busy += ticks.iter().take(3).sum::<u64>();
        sum.steal += ticks.get(7).copied().unwrap_or(0);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 10 2 3 100 5 7 8 4 0 0\ncpu1 1 0 1 50 0 0 0 0 0 0\nintr 5\n";

    #[test]
    fn the_time_of_processes_and_of_other_machines_is_read_by_cpu() {
        assert_eq!(ticks(STAT, &[0]), Ticks { busy: 15, steal: 4 });
        assert_eq!(ticks(STAT, &[0, 1]), Ticks { busy: 17, steal: 4 });
        assert_eq!(ticks("", &[0]), Ticks::default());
    }

    #[test]
    fn what_is_not_ours_is_of_others() {
        let at = Instant::now();
        let reading = |ms, busy, steal, own_ms| {
            let (at, own) = (at + Duration::from_millis(ms), Duration::from_millis(own_ms));
            MachineTime { at, ticks: Ticks { busy, steal }, own }
        };
        // A second on two CPUs: 1.5 s were used, 0.9 s by server and client, 0.1 s by the lab; 0.2 s were stolen.
        let others = reading(0, 100, 0, 50).others(&reading(1000, 250, 20, 150), 2, Duration::from_millis(900));
        assert!((others.share - 0.35).abs() < 1e-9 && (others.steal - 0.1).abs() < 1e-9, "{others:?}");
    }

    #[test]
    fn the_clocks_of_this_machine_are_there() {
        let usable = crate::process::usable_cpus();
        assert!(MachineTime::read(&usable).ticks.busy > 0);
    }
}
