//! A soak: servers under a mixed load for as long as you like (`tools/soak MINUTES`), two minutes in CI. Memory,
//! descriptors and latency have to stay what they were, each answer has to be a right one, and none may be lost.
//!
//! Each dispatch model has two servers at the same time. In the calm one the processes live as long as the soak, so
//! that a leak of theirs adds up. The restless one gets a reload that changes everything, or a fault, every few
//! seconds: a leak of a reload adds up in its master.

#[path = "../support/mod.rs"]
mod support;

mod clients;
mod confs;
mod content;
mod report;
mod run;
mod samples;

use std::sync::Arc;
use std::time::Duration;

use drover::dispatch::MODELS;
use libtest_mimic::{Arguments, Trial};

/// A model of each way to serve: workers that share sockets, a program in the kernel that chooses, and threads.
const USUAL: [&str; 3] = ["accept_mutex", "steer", "thread_pool"];

fn main() {
    let mut arguments = Arguments::from_args();
    // Masters whose parent has ended become children of this process, which reaps them.
    nix::sys::prctl::set_child_subreaper(true).expect("PR_SET_CHILD_SUBREAPER");
    let variable = |name: &str| std::env::var(name).ok();
    let number = |name: &str, usual: u64| variable(name).map_or(usual, |text| text.parse().expect(name));
    let model = variable("SOAK_MODEL");
    let seed = number("SOAK_SEED", 8);
    let lasts = Duration::from_secs(60 * number("SOAK_MINUTES", 2));
    let pace = Duration::from_millis(number("SOAK_PACE_MS", 250));
    let content = Arc::new(content::Content::new());
    let trial = |kind: &'static drover::dispatch::ModelKind, is_restless: bool| {
        let content = content.clone();
        let name = format!("{}::{}", kind.name, if is_restless { "restless" } else { "calm" });
        Trial::test(name.clone(), move || {
            run::run(&content, kind, &run::Plan { name, seed, lasts, pace, is_restless });
            Ok(())
        })
    };
    let is_chosen = |name: &str| model.as_deref().map_or(USUAL.contains(&name), |model| model == name);
    let chosen = MODELS.iter().copied().filter(|kind| is_chosen(kind.name));
    let trials: Vec<Trial> = chosen.flat_map(|kind| [trial(kind, false), trial(kind, true)]).collect();
    // Side by side.
    arguments.test_threads = Some(trials.len());
    libtest_mimic::run(&arguments, trials).exit();
}
