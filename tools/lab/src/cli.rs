//! The command line: which command runs.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::commands::{advise, check, compare, fault, load, simulate};
use crate::results::Results;
use crate::{interrupt, process, report};

/// Which dispatch model should I use, and what does it cost me, on this machine and under this load?
#[derive(Debug, Parser)]
#[command(name = "lab", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures models against each other. Without arguments: accept_mutex on against off, as this machine has it, in
    /// two minutes
    Compare(compare::CompareArgs),
    /// Stops, kills or slows a process of the server, and counts what clients lose
    Fault(fault::FaultArgs),
    /// Calculates, for up to 256 workers with a CPU each, what this machine is too small to measure
    Simulate(simulate::SimulateArgs),
    /// Says which model fits, from the ledger of a running drover or from a comparison, and why
    Advise(advise::AdviseArgs),
    /// Looks for what is known of the models, to see whether the lab can be believed here
    Check(check::CheckArgs),
    /// Writes the reports of a results.json again
    Report {
        /// results.json
        results: PathBuf,
        /// Directory for the files
        #[arg(long, default_value = "lab-report")]
        out: PathBuf,
    },
    /// Makes requests of a server that runs, and prints the figures as JSON.
    #[command(hide = true)]
    Load(load::LoadArgs),
    /// Runs a program on given CPUs until the lab ends.
    #[command(hide = true)]
    Keep {
        #[arg(long, value_delimiter = ',')]
        cpus: Vec<usize>,
        #[arg(long)]
        output: PathBuf,
        #[arg(last = true)]
        command: Vec<OsString>,
    },
    /// drover itself, as it is linked into the lab.
    #[command(hide = true, disable_help_flag = true)]
    Drover {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

/// Runs the command that the command line asks for.
pub(crate) fn run() -> Result<ExitCode> {
    let cli = Cli::parse();
    match cli.command {
        Command::Keep { cpus, output, command } => Ok(code(process::keep(&cpus, &output, &command)?)),
        Command::Drover { args } => Ok(code(drover::cli::run(args))),
        Command::Report { results, out } => {
            let results = Results::read(&results)?;
            report::write(&results, &out)?;
            report::print(&report::table(&results))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Simulate(args) => {
            prepare()?;
            simulate::run(&args)
        }
        Command::Load(args) => {
            prepare()?;
            load::run(&args)
        }
        Command::Check(args) => {
            prepare()?;
            check::run(&args)
        }
        Command::Advise(args) => {
            interrupt::watch()?;
            advise::run(&args)
        }
        Command::Fault(args) => {
            prepare()?;
            fault::run(&args)
        }
        Command::Compare(args) => {
            prepare()?;
            compare::run(&args)
        }
    }
}

/// Prepares for measuring: Ctrl-C and descriptors.
fn prepare() -> Result<()> {
    interrupt::watch()?;
    process::raise_descriptors()
}

fn code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
