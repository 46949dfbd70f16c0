//! The lab: which dispatch model should I use, and what does it cost me, on this machine and under this load?
//!
//! `lab compare` measures, `lab fault` breaks something and counts the losses, `lab check` tests whether known facts
//! show here, `lab advise` draws conclusions, `lab simulate` calculates what this machine is too small for.
//!
//! The rooms below stand in order: each uses only those above it.

/// Names on the command line, and "did you mean".
mod names;

/// Ctrl-C.
mod interrupt;

/// Statistics of repeated rounds.
mod stats;

/// Processes: starting them, pinning them, reading /proc.
mod process;

/// The clients: plans of requests, the lab's own client, ab and wrk.
mod load;

/// The server's side of a load: CPU time, context switches, accept queue, ledger.
mod measure;

/// The servers that are measured: drover under each of its models, nginx, h2o.
mod server;

/// The machine: kernel, CPUs, versions.
mod environment;

/// The files that the lab writes and reads again.
mod results;

/// The tables, pages and charts that people read.
mod report;

/// Arguments that several commands share.
mod args;

/// A measurement: a fresh server, a load, a fault.
mod bench;

/// The commands.
mod commands;

/// The command line.
mod cli;

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
