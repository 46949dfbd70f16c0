//! The lab: which dispatch model should I use, and what does it cost me, on this machine and under this load?
//!
//! `lab compare` measures, `lab fault` breaks something and looks, `lab check` looks for what is known, `lab advise` draws
//! conclusions, `lab simulate` calculates what this machine is too small for.

mod advise;
mod check;
mod cli;
mod compare;
mod environment;
mod fault;
mod handicap;
mod interrupt;
mod load;
mod measure;
mod names;
mod process;
mod report;
mod results;
mod server;
mod simulate;
mod stats;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}
