//! Takes a part of the server's CPU away while a load runs, so that the lab can be asked whether it finds that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often CPU is taken: often enough that every round of a second sees the same.
const PERIOD: Duration = Duration::from_millis(4);

/// Ends when dropped.
pub struct Handicap {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Handicap {
    /// Takes `share` of each of `cpus`.
    pub fn take(share: f64, cpus: &[usize]) -> Handicap {
        let stop = Arc::new(AtomicBool::new(false));
        let cpus = if share > 0.0 { cpus } else { &[] };
        let threads = cpus.iter().map(|cpu| (*cpu, stop.clone())).map(|(cpu, stop)| {
            std::thread::spawn(move || {
                if crate::process::pin(&[cpu]).is_err() {
                    return;
                }
                let begin = Instant::now();
                let mut taken = Duration::ZERO;
                while !stop.load(Ordering::Relaxed) {
                    let due = begin.elapsed().mul_f64(share);
                    let from = Instant::now();
                    while taken + from.elapsed() < due {
                        std::hint::spin_loop();
                    }
                    taken += from.elapsed();
                    std::thread::sleep(PERIOD);
                }
            })
        });
        Handicap { threads: threads.collect(), stop }
    }
}

impl Drop for Handicap {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| {
            thread.join().ok();
        });
    }
}
