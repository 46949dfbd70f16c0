//! The common ground of the integration tests: the real binary (or nginx) in a directory of its own, raw exchanges over TCP,
//! and the kernel's word on the processes behind them.
//!
//! Nothing here sleeps to let something happen: [`until`] polls a condition and fails loudly at its deadline.
//!
//! The suites, in the order in which to read them:
//!
//! | suite | subject |
//! |---|---|
//! | `lifecycle` | the service from start to end: options, starts, accounts, sockets, reloads, upgrades, signals |
//! | `conf` | the configuration: words, mistakes and their messages, compared with `nginx -t` |
//! | `differential` | HTTP: the same bytes to nginx and to drover, the same answers |
//! | `serving` | HTTP where nginx is no oracle: load, slow and hostile clients, logs, system calls per request |
//! | `stream` | `echo_upper` and `json_rpc` |
//! | `models` | the promises that every dispatch model keeps, one body of cases for all of them |
//! | `dispatch` | the mechanisms of the models with an event loop: who watches, who is woken, how evenly, leases |
//! | `pool` | the mechanisms of the models with a dispatcher: what is passed to whom, deaths, endings |
//! | `blocking_models` | the mechanisms of the models whose threads or processes block |
//! | `views` | the ledger and its pages: the sums are right, whoever reads them |
//! | `clients` | apt, Node's and Python's clients, which keep connections and do not forgive |
//! | `regex` | random regexes, beside PCRE2 |
//! | `layering` | the source itself: layers and comments |

// Every test crate compiles this folder and uses a part of it.
#![allow(dead_code)]

pub mod client;
pub mod conf;
pub mod ended;
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
