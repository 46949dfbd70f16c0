//! The common ground of the integration tests: the real binary (or nginx) in a directory of its own, raw exchanges
//! over TCP, and the kernel's word on the processes behind them.
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
//! | `overload` | slow clients of every kind, crowds of them, and less memory than they ask for |
//! | `serving` | HTTP where nginx is no oracle: load, slow and hostile clients, logs, system calls per request |
//! | `http2` | HTTP/2: frames beside nginx, limits, fairness, real clients |
//! | `stream` | `echo_upper` and `json_rpc` |
//! | `models` | the promises that every dispatch model keeps, one body of cases for all of them |
//! | `chaos` | faults at random moments, for every dispatch model, under load: `tools/chaos` |
//! | `faults` | each system call that can fail, made to fail by strace: start, reload, upgrade, load |
//! | `soak` | the same servers and clients for as long as you like, memory and descriptors flat: `tools/soak` |
//! | `dispatch` | the mechanisms of the models with an event loop: who watches, who is woken, how evenly, leases |
//! | `pool` | the mechanisms of the models with a dispatcher: what is passed to whom, deaths, endings |
//! | `tls` | TLS: certificates by name, versions, resumption, odd hellos, as real clients see them |
//! | `blocking_models` | the mechanisms of the models whose threads or processes block |
//! | `views` | the ledger and its pages: the sums are right, whoever reads them; `conf/prometheus` |
//! | `fleet` | several machines behind HAProxy, and the manifests for Kubernetes |
//! | `guide` | the confs of conf/GUIDE.md |
//! | `clients` | apt, Node's and Python's clients, which keep connections and do not forgive |
//! | `regex` | random regexes, beside PCRE2 |
//! | `layering` | the source itself: layers and comments |

// Every test crate compiles this folder and uses a part of it.
#![allow(dead_code)]

pub mod client;
pub mod conf;
pub mod ended;
pub mod excuses;
pub mod fairness;
pub mod fuse;
pub mod h2;
pub mod load;
pub mod proc;
pub mod seccomp;
pub mod server;
pub mod site;
pub mod sock_diag;
pub mod terminal;
pub mod tls;
pub mod tools;

use std::time::{Duration, Instant};

/// How long a condition may take to become true on a loaded machine before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(40);

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

/// How long something may take that happens "at once", or "within a second" on an idle machine: far less than what the
/// server does by itself after a while, such as the end of an idle connection.
pub const AT_ONCE: Duration = Duration::from_secs(5);

/// The effect of the other work of a machine on a measurement. A figure that it may move in both directions is none
/// to test.
#[derive(Clone, Copy, Debug)]
pub enum Noise {
    /// Other work may add to the figure: the least of several rounds is the nearest to the truth, and can be tested
    /// for an upper limit only.
    Adds,
    /// Other work may take away from the figure: the greatest of several rounds can be tested for a lower limit only.
    TakesAway,
}

/// Measures until one of `rounds` rounds keeps to the limit; prints every round. Panics when none does.
#[track_caller]
pub fn best_of(rounds: usize, noise: Noise, limit: f64, mut measure: impl FnMut() -> f64) {
    let mut figures = Vec::new();
    while figures.len() < rounds {
        let figure = measure();
        println!("round {}: {figure}, limit {limit}, noise {noise:?}", figures.len() + 1);
        let keeps_to_limit = match noise {
            Noise::Adds => figure <= limit,
            Noise::TakesAway => figure >= limit,
        };
        if keeps_to_limit {
            return;
        }
        figures.push(figure);
    }
    panic!("none of {figures:?} keeps to the limit {limit} (noise: {noise:?})");
}

/// [`until`] for a plain condition.
#[track_caller]
pub fn until_true(what: &str, mut probe: impl FnMut() -> bool) {
    until(what, || probe().then_some(()));
}
