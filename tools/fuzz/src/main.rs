//! Fuzz targets for whatever reads bytes from the network, from a conf or from the files that it names.
//!
//! `tools/fuzz/run` builds this crate with `--cfg fuzzing`: then it is libFuzzer's, and `FUZZ_TARGET` names the target.
//! Built as usual it runs targets with files:
//!
//! ```text
//! drover-fuzz                   the names of the targets, each with the files that it is for
//! drover-fuzz uri FILE|DIR...   runs a target with each file
//! ```
//!
//! A target panics when the part under test does, or when a property that must hold does not. `cargo test --package
//! drover-fuzz` runs every target with all of its corpus.

#![cfg_attr(fuzzing, no_main)]

/// Runs a target with files.
#[cfg(not(fuzzing))]
mod replay;

/// The form of a target.
mod target;

/// The targets.
mod targets;

#[cfg(not(fuzzing))]
use targets::TARGETS;

#[cfg(fuzzing)]
mod fuzzer {
    use super::target::Run;
    use super::targets::TARGETS;
    use std::cell::RefCell;

    thread_local! {
        static RUN: RefCell<Run> = RefCell::new({
            let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
            (TARGETS.iter().find(|target| target.name == name).expect("a target of that name").new)()
        });
    }

    libfuzzer_sys::fuzz_target!(|input: &[u8]| {
        RUN.with_borrow_mut(|run| run(input));
    });
}

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    let mut args = std::env::args_os().skip(1);
    let Some(name) = args.next() else {
        TARGETS.iter().for_each(|target| println!("{} {}", target.name, target.files));
        return std::process::ExitCode::SUCCESS;
    };
    let Some(target) = TARGETS.iter().find(|target| *target.name == *name) else {
        eprintln!("drover-fuzz: there is no target {}", name.display());
        return std::process::ExitCode::FAILURE;
    };
    let runs = args.map(|path| replay::replay(target, path.as_ref())).sum::<usize>();
    println!("{}: {runs} runs", target.name);
    std::process::ExitCode::SUCCESS
}
