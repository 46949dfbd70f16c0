//! What the integration tests share: the real binary (or nginx) in a directory of its own, raw exchanges over TCP,
//! and what the kernel says about the processes behind them.
//!
//! Nothing here sleeps to let something happen: [`until`] polls a condition and fails loudly at its deadline.

// Every test crate compiles this folder and uses a part of it.
#![allow(dead_code)]

pub mod client;
pub mod conf;
pub mod fairness;
pub mod proc;
pub mod seccomp;
pub mod server;
pub mod sock_diag;
pub mod terminal;
pub mod tools;

use std::time::{Duration, Instant};

/// How long a condition may take to become true on a loaded machine before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Polls `probe` until it gives a value; panics with `what` when [`PATIENCE`] is over.
#[track_caller]
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        std::thread::sleep(pause);
        // To look is work too, and others want the CPU.
        pause = (pause * 5 / 4).min(Duration::from_millis(10));
    }
}

/// [`until`] for a plain condition.
#[track_caller]
pub fn until_true(what: &str, mut probe: impl FnMut() -> bool) {
    until(what, || probe().then_some(()));
}
