//! Throws mutated input at every part of drover that reads bytes from the network or from a conf.
//!
//! ```text
//! drover-fuzz                       every target, 2 seconds each
//! drover-fuzz chunked --seconds 60  one target
//! drover-fuzz conf --seed 7 --runs 1000
//! ```
//!
//! The inputs follow from the seed alone, so that a run can be repeated. A target panics when the part under test does,
//! or when a property that must hold does not. The input is then in the file that the last line names, and
//! `drover-fuzz TARGET FILE` runs it again.

/// Makes inputs from examples.
mod mutate;

/// The form of a target.
mod target;

/// The targets.
mod targets;

use mutate::Mutator;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use target::Target;
use targets::TARGETS;

struct Options {
    targets: Vec<&'static Target>,
    time: Duration,
    runs: u64,
    seed: u64,
    files: Vec<PathBuf>,
}

impl Options {
    fn parse() -> Result<Options, lexopt::Error> {
        use lexopt::prelude::*;
        let time = Duration::from_secs(2);
        let mut options = Options { targets: Vec::new(), time, runs: u64::MAX, seed: 1, files: Vec::new() };
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Long("seconds") => options.time = Duration::from_secs(parser.value()?.parse()?),
                Long("runs") => (options.runs, options.time) = (parser.value()?.parse()?, Duration::MAX),
                Long("seed") => options.seed = parser.value()?.parse()?,
                Value(value) => match TARGETS.iter().find(|target| *target.name == *value) {
                    Some(target) => options.targets.push(target),
                    None if options.targets.is_empty() => {
                        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
                        return Err(format!("the targets are {}", names.join(", ")).into());
                    }
                    None => options.files.push(value.into()),
                },
                _ => return Err(arg.unexpected()),
            }
        }
        if options.targets.is_empty() {
            options.targets = TARGETS.iter().collect();
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    let options = match Options::parse() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("drover-fuzz: {error}");
            return ExitCode::FAILURE;
        }
    };
    for target in &options.targets {
        if !options.files.is_empty() {
            for file in &options.files {
                match std::fs::read(file) {
                    Ok(input) => (target.new)()(&input),
                    Err(error) => eprintln!("{}: {error}", file.display()),
                }
            }
        } else if !fuzz(target, &options) {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Runs a target for its time. Returns false when the target fails.
fn fuzz(target: &Target, options: &Options) -> bool {
    let mut run = (target.new)();
    let mut mutator = Mutator::new(options.seed, target.seeds, target.words);
    let (start, mut runs) = (Instant::now(), 0);
    while runs < options.runs && start.elapsed() < options.time {
        let input = mutator.next_input();
        // A state that a panic leaves half changed is not used again: the run ends.
        if catch_unwind(AssertUnwindSafe(|| run(input))).is_err() {
            let file = PathBuf::from(format!("{}.crash", target.name));
            let saved = std::fs::write(&file, input);
            println!("{}: run {runs} of seed {} failed, on {}", target.name, options.seed, input.escape_ascii());
            println!("{}{}", file.display(), saved.map_or_else(|error| format!(": {error}"), |()| String::new()));
            return false;
        }
        runs += 1;
    }
    println!("{}: {runs} runs", target.name);
    true
}
