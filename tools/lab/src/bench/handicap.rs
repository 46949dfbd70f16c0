//! Makes a server dearer by a known share while a load runs, to see whether the lab finds the difference.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use crate::process::{pin, tree};

/// The pause between two passes: short enough that the shortest round pays its share.
const PERIOD: Duration = Duration::from_millis(4);

/// A thread that burns CPU time on the server's CPUs, a fixed share of the time that the server uses. The server loses
/// this time, as if each request cost more, and the measurement counts it as the server's. Ends when dropped.
pub(super) struct Handicap {
    stop: Arc<AtomicBool>,
    taken_ns: Arc<AtomicU64>,
    /// How many times the thread has burned the time that was due.
    passes: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Handicap {
    /// Burns `share` (0.05: a twentieth) of the CPU time of the process `root` and its present descendants, on `cpus`.
    pub(super) fn take(share: f64, root: u32, cpus: &[usize]) -> Handicap {
        let (stop, taken_ns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let passes = Arc::new(AtomicU64::new(0));
        let thread = (share > 0.0).then(|| {
            let (stop, taken_ns, passes, cpus) = (stop.clone(), taken_ns.clone(), passes.clone(), cpus.to_vec());
            std::thread::spawn(move || {
                if !cpus.is_empty() && pin(&cpus).is_err() {
                    return;
                }
                let clocks: Vec<ClockId> = tree(root)
                    .iter()
                    .filter_map(|process| ClockId::pid_cpu_clock_id(Pid::from_raw(process.pid as i32)).ok())
                    .collect();
                let used = || clocks.iter().map(|clock| read(*clock)).sum::<Duration>();
                let (used_before, own_before) = (used(), read(ClockId::CLOCK_THREAD_CPUTIME_ID));
                while !stop.load(Ordering::Relaxed) {
                    let due = used().saturating_sub(used_before).mul_f64(share);
                    let mut taken = Duration::ZERO;
                    while taken < due {
                        std::hint::spin_loop();
                        taken = read(ClockId::CLOCK_THREAD_CPUTIME_ID).saturating_sub(own_before);
                    }
                    taken_ns.store(taken.as_nanos() as u64, Ordering::Relaxed);
                    passes.fetch_add(1, Ordering::Release);
                    std::thread::sleep(PERIOD);
                }
            })
        });
        Handicap { stop, taken_ns, passes, thread }
    }

    /// The CPU time that was burned so far. Waits until the thread has caught up, which may take a while on a busy CPU.
    pub(super) fn taken(&self) -> Duration {
        let (passes, patience) = (self.passes.load(Ordering::Acquire), Instant::now() + Duration::from_secs(1));
        // The present pass may have read the server's clock too early: wait for a whole one.
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
            && self.passes.load(Ordering::Acquire) < passes + 2
            && Instant::now() < patience
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        Duration::from_nanos(self.taken_ns.load(Ordering::Relaxed))
    }
}

fn read(clock: ClockId) -> Duration {
    clock_gettime(clock).map(Duration::from).unwrap_or_default()
}

impl Drop for Handicap {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_its_share_of_what_the_process_uses() {
        let before = read(ClockId::CLOCK_PROCESS_CPUTIME_ID);
        let handicap = Handicap::take(0.5, std::process::id(), &[]);
        let clock = ClockId::CLOCK_THREAD_CPUTIME_ID;
        let begin = read(clock);
        while read(clock).saturating_sub(begin) < Duration::from_millis(50) {
            std::hint::spin_loop();
        }
        let (taken, used) = (handicap.taken(), read(ClockId::CLOCK_PROCESS_CPUTIME_ID).saturating_sub(before));
        assert!(taken >= Duration::from_millis(25) && taken < used.mul_f64(0.5) + PERIOD, "{taken:?} of {used:?}");
        assert_eq!(Handicap::take(0.0, std::process::id(), &[]).taken(), Duration::ZERO);
    }
}
