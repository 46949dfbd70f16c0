//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::results::Results;
use crate::{advise, check, compare, fault, interrupt, process, report, simulate};

/// Which dispatch model should I use, and what does it cost me, on this machine and under this load?
#[derive(Debug, Parser)]
#[command(name = "lab", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures models against each other. Without arguments: accept_mutex on against off, in under two minutes.
    Compare(CompareArgs),
    /// Stops, kills or slows a process of the server, and counts what clients lose
    Fault(FaultArgs),
    /// Calculates, for up to 256 workers with a CPU each, what this machine is too small to measure
    Simulate(SimulateArgs),
    /// Says which model fits, from the ledger of a running drover or from a comparison, and why
    Advise(AdviseArgs),
    /// Looks for what is known of the models, to see whether the lab can be believed here
    Check(CheckArgs),
    /// Writes the reports of a results.json again
    Report {
        /// results.json
        results: PathBuf,
        /// Directory for the files
        #[arg(long, default_value = "lab-report")]
        out: PathBuf,
    },
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

/// What all that measure have in common.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// CPUs of the servers, e.g. 0,1 [default: all but the last]
    #[arg(long, value_delimiter = ',')]
    pub cpus: Vec<usize>,
    /// CPUs of the clients [default: the last]
    #[arg(long, value_delimiter = ',')]
    pub client_cpus: Vec<usize>,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Directory for results.json, CSV and report.html
    #[arg(long, default_value = "lab-report")]
    pub out: PathBuf,
    /// A drover other than the one that the lab was built with; must be of the same version
    #[arg(long)]
    pub drover: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub struct CompareArgs {
    /// Models, or `all`; the others are compared with the first. Parameters follow a colon: exclusive:rotate=0
    #[arg(long, default_value = "accept_mutex,exclusive")]
    pub models: String,
    /// Other servers to compare with: nginx, nginx:accept_mutex=on, h2o
    #[arg(long)]
    pub against: Option<String>,
    /// Loads, or `all`: short, keepalive, open, burst, minority, idle, storm
    #[arg(long, default_value = "short,keepalive,open")]
    pub loads: String,
    /// Rounds; in each, every side is measured under every load [default: as many as a minute and a half allows, at least 20]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: Option<u32>,
    /// Seconds of each load
    #[arg(long, default_value_t = 0.12, value_parser = positive)]
    pub seconds: f64,
    /// Clients of the loads short and keepalive
    #[arg(long, default_value_t = 32, value_parser = at_least_one)]
    pub clients: usize,
    /// New connections a second of the loads with a fixed rate
    #[arg(long, default_value_t = 4000.0, value_parser = positive)]
    pub rate: f64,
    /// Connections of a burst
    #[arg(long, default_value_t = 128, value_parser = at_least_one)]
    pub burst: usize,
    /// Open connections of the load idle
    #[arg(long, default_value_t = 1000, value_parser = at_least_one)]
    pub idle: usize,
    /// Connections beyond the limit in the load storm
    #[arg(long, default_value_t = 1000)]
    pub surplus: usize,
    /// Smallest difference that would make you choose, in per cent
    #[arg(long, default_value_t = 1.0, value_parser = not_negative)]
    pub least: f64,
    /// Largest difference that counts as none, in per cent: where a greater one is possible the question is undecided
    #[arg(long, default_value_t = 10.0, value_parser = positive)]
    pub same: f64,
    /// A conf to measure drover with; $port, $site, $dir, $workers, $connections and $dispatch are replaced
    #[arg(long)]
    pub conf: Option<PathBuf>,
    /// SIDE=PERCENT: makes that side use so much more CPU, to see whether the lab finds it
    #[arg(long, hide = true)]
    pub handicap: Option<String>,
    /// Workers of each server
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub workers: u32,
    #[command(flatten)]
    pub common: Common,
}

impl CompareArgs {
    /// The defaults, with so many workers and `common`.
    pub fn plain(workers: u32, common: Common) -> CompareArgs {
        CompareArgs {
            models: String::new(),
            against: None,
            loads: String::new(),
            rounds: Some(1),
            seconds: 0.5,
            clients: 32,
            rate: 4000.0,
            burst: 128,
            idle: 1000,
            surplus: 1000,
            least: 1.0,
            same: 10.0,
            conf: None,
            handicap: None,
            workers,
            common,
        }
    }
}

#[derive(Clone, Debug, Args)]
pub struct FaultArgs {
    /// stop (SIGSTOP), kill (SIGKILL), slow (runs a tenth of the time), or all
    #[arg(long, default_value = "stop")]
    pub fault: String,
    /// holder (of the accept mutex), worker (the busiest that is not the holder), dispatcher, or all
    #[arg(long, default_value = "all")]
    pub target: String,
    /// Models, or `all`
    #[arg(long, default_value = "all")]
    pub models: String,
    /// Other servers beside them [default: nginx:accept_mutex=on]
    #[arg(long)]
    pub against: Option<String>,
    /// New connections a second
    #[arg(long, default_value_t = 200.0, value_parser = positive)]
    pub rate: f64,
    /// Workers of each server
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub workers: u32,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Clone, Debug, Args)]
pub struct SimulateArgs {
    /// Models, or `all`
    #[arg(long, default_value = "accept_mutex,accept_handoff,herd,exclusive,reuseport,pool_pass,prefork")]
    pub models: String,
    /// Workers, in powers of two up to this
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub most: u32,
    /// Share of each CPU that is busy
    #[arg(long, default_value_t = 0.6)]
    pub utilisation: f64,
    /// Share of connections that are heavy
    #[arg(long, default_value_t = 0.01)]
    pub heavy: f64,
    /// How many times as much a heavy one costs
    #[arg(long, default_value_t = 50.0)]
    pub heavy_factor: f64,
    /// Rounds of the measurements that costs and errors come from
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Clone, Debug, Args)]
pub struct AdviseArgs {
    /// http://HOST:PORT/PATH of a location with `ledger;`
    #[arg(long, conflicts_with = "results")]
    pub ledger: Option<String>,
    /// How long to watch it
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// results.json of a comparison
    #[arg(long)]
    pub results: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub common: Common,
}

fn positive(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if value > 0.0 && value <= 1e6 { Ok(value) } else { Err("must be over 0, and a million at most".to_owned()) }
}

fn not_negative(text: &str) -> Result<f64, String> {
    if text.parse() == Ok(0.0) { Ok(0.0) } else { positive(text) }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(value) => Ok(value),
        Err(_) => Err("not a whole number".to_owned()),
    }
}

/// Runs the command that the command line asks for.
pub fn run() -> Result<ExitCode> {
    let cli = Cli::parse();
    match cli.command {
        Command::Keep { cpus, output, command } => Ok(code(process::keep(&cpus, &output, &command)?)),
        Command::Drover { args } => Ok(code(drover::cli::run(args))),
        Command::Report { results, out } => {
            let results = Results::read(&results)?;
            std::fs::create_dir_all(&out)?;
            report::write(&results, &out)?;
            report::say(&report::table(&results))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Simulate(args) => {
            prepare()?;
            simulate::run(&args)
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

/// What all need that measure.
fn prepare() -> Result<()> {
    interrupt::watch()?;
    process::raise_descriptors()
}

fn code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
