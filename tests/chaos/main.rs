//! Faults at any moment of any process's life, at random, and for each dispatch model: `tools/chaos` runs it for as
//! long as you like, and CI a few strikes of a fixed seed.
//!
//! After each strike the service has to be as it was: all its processes, no orphan, no zombie; each client has its
//! answer unless the victim held its connection. At rest from time to time: no descriptor and no shared memory more
//! than at the start, and the sums of the ledger are those of the clients.

#[path = "../support/mod.rs"]
mod support;

mod content;
mod plan;
mod run;
mod upgrade;

use std::sync::Arc;

use drover::dispatch::MODELS;
use libtest_mimic::{Arguments, Trial};

/// Strikes for a model when nobody says how many: CI has seconds for them.
const FEW: u64 = 6;
/// The seed of CI.
const SEED: u64 = 8;

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(2);
    // Masters whose parent has been killed become children of this process, which reaps them.
    nix::sys::prctl::set_child_subreaper(true).expect("PR_SET_CHILD_SUBREAPER");
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    let seed = number("CHAOS_SEED").unwrap_or(SEED);
    let strikes: Vec<u64> = match number("CHAOS_STRIKE") {
        Some(only) => vec![only],
        None => (0..number("CHAOS_COUNT").unwrap_or(FEW)).collect(),
    };
    let model = std::env::var("CHAOS_MODEL").ok();
    let content = Arc::new(content::Content::new());
    let trial = |kind: &'static drover::dispatch::ModelKind| {
        let (content, strikes) = (content.clone(), strikes.clone());
        Trial::test(kind.name, move || {
            run::run(&content, kind, seed, &strikes);
            Ok(())
        })
    };
    let chosen = MODELS.iter().copied().filter(|kind| model.as_deref().is_none_or(|name| name == kind.name));
    libtest_mimic::run(&arguments, chosen.map(trial).collect()).exit();
}
