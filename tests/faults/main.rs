//! Each system call that can fail, made to fail by strace, one at a time, in the life of a master and its children:
//! start, reload, upgrade, replacement of a worker, load. A service that can't go on says so in a line that names the
//! errno, and leaves nothing behind; any other goes on, and has lost one connection at most.
//!
//! A run takes some of all faults, spread evenly. `DROVER_FAULTS=all` takes every one, and `DROVER_FAULTS=` with one as
//! it is printed (`openat:error=EMFILE:when=7`) that one.

#[path = "../support/mod.rs"]
mod support;

mod plan;
mod running;
mod site;
mod strace;

mod start;

mod reload;

mod replaced;

mod upgrade;

mod load;

use std::fmt::Display;
use std::time::Instant;

use strace::Fault;
use support::PATIENCE;

/// How a server has taken a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The server has gone on.
    Served,
    /// The server could not do its task, and has said why; or one client has lost an answer.
    Refused,
    /// The service has ended, because strace kept all its workers from beginning, and it has said so.
    Ended,
    /// The server never made the call.
    Unreached,
}

/// Tries all of `faults`; panics with those that the server took otherwise than it may.
#[track_caller]
fn try_all(subject: &str, faults: &[Fault], mut attempt: impl FnMut(&Fault) -> Result<Outcome, String>) {
    let mut counts = std::collections::BTreeMap::new();
    let mut harms = Vec::new();
    for fault in faults {
        match attempt(fault) {
            Ok(outcome) => *counts.entry(outcome).or_insert(0) += 1,
            Err(harm) => {
                println!("{subject}: {fault}: {harm}\n");
                harms.push(format!("{fault}: {}", harm.lines().next().unwrap_or_default()));
            }
        }
    }
    println!("{subject}: {} faults: {counts:?}, harm: {}", faults.len(), harms.len());
    assert!(harms.is_empty(), "{subject}, {} harmed:\n{}", harms.len(), harms.join("\n"));
}

/// Waits for what `probe` gives; the error names `what` is missing, and what `probe` said last.
fn patiently<T, E: Display>(what: &str, mut probe: impl FnMut() -> Result<T, E>) -> Result<T, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match probe() {
            Ok(value) => return Ok(value),
            Err(state) if Instant::now() > deadline => return Err(format!("in vain: {what}; {state}")),
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(3)),
        }
    }
}
