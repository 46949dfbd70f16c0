//! `lab simulate`: what a machine with more CPUs would do.

mod calibrate;
mod engine;
mod models;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use self::calibrate::{Calibration, Checked};
use self::engine::{Setup, simulate};
use self::models::{SIMULATED, Simulated};
use crate::cli::SimulateArgs;
use crate::results::SCHEMA;
use crate::stats::jain;
use crate::{interrupt, names, report};

/// simulation.json.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Simulation {
    pub schema: String,
    /// Always true: nothing in `rows` was measured.
    pub simulated: bool,
    /// CPU time of the steps on this machine, µs.
    pub serve_us: f64,
    pub wake_us: f64,
    pub spurious_us: f64,
    /// What each model adds to a connection, µs.
    pub extra_us: Vec<(String, f64)>,
    /// Simulated against measured, where this machine is large enough.
    pub checked: Vec<Checked>,
    /// Share of each CPU that is busy, if the model cost no more than serving and waking.
    pub utilisation: f64,
    pub heavy: f64,
    pub heavy_factor: f64,
    pub rows: Vec<Row>,
}

/// One model at one size. Simulated.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Row {
    pub model: String,
    pub workers: usize,
    pub rate: f64,
    pub cpu_us_per_request: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub p999_us: f64,
    pub jain: f64,
    /// More arrived than could be served: latencies say nothing but that.
    pub overloaded: bool,
}

/// Enough for the 99.9th percentile, and for every worker to have its share.
fn connections(workers: usize) -> usize {
    50_000 + 1_000 * workers
}

pub fn run(args: &SimulateArgs) -> Result<ExitCode> {
    let models = chosen(&args.models)?;
    if !(0.01..=0.95).contains(&args.utilisation) {
        bail!("--utilisation must be between 0.01 and 0.95");
    }
    if !(0.0..=1.0).contains(&args.heavy) || args.heavy_factor < 1.0 {
        bail!("--heavy is a share between 0 and 1, --heavy-factor at least 1");
    }
    let calibration = Calibration::measure(args, &models)?;
    let mut simulation = Simulation {
        schema: SCHEMA.to_owned(),
        simulated: true,
        serve_us: calibration.costs.serve,
        wake_us: calibration.costs.wake,
        spurious_us: calibration.costs.spurious,
        extra_us: calibration.extra.clone(),
        checked: calibration.check(args, &models)?,
        utilisation: args.utilisation,
        heavy: args.heavy,
        heavy_factor: args.heavy_factor,
        rows: Vec::new(),
    };
    for model in &models {
        for workers in (0..=8).map(|n| 1usize << n).filter(|workers| *workers <= args.most as usize) {
            interrupt::check()?;
            simulation.rows.push(row(model, workers, &calibration, args));
        }
    }
    report::write_simulation(&simulation, &args.common.out)?;
    print!("{}", report::simulation_table(&simulation));
    println!("\n{0}/simulation.html  {0}/simulation.json", args.common.out.display());
    Ok(ExitCode::SUCCESS)
}

fn row(model: &Simulated, workers: usize, calibration: &Calibration, args: &SimulateArgs) -> Row {
    let costs = calibration.costs_of(model.name);
    let mean_factor = 1.0 + args.heavy * (args.heavy_factor - 1.0);
    let rate = args.utilisation * workers as f64 * 1e6 / (costs.serve * mean_factor + costs.wake);
    let setup = Setup {
        rule: model.rule,
        workers,
        cpus: workers,
        costs,
        rate,
        heavy: args.heavy,
        heavy_factor: args.heavy_factor,
        connections: connections(workers),
        seed: args.common.seed,
    };
    let outcome = simulate(setup);
    let shares: Vec<f64> = outcome.accepts.iter().map(|n| *n as f64).collect();
    // Half of all wait that long only when the queue grows all the time.
    let (length_us, step_us) = (connections(workers) as f64 / rate * 1e6, costs.serve + costs.wake + costs.extra);
    Row {
        model: model.name.to_owned(),
        workers,
        rate,
        cpu_us_per_request: outcome.cpu_us_per_request,
        p50_us: outcome.quantile(0.5),
        p99_us: outcome.quantile(0.99),
        p999_us: outcome.quantile(0.999),
        jain: jain(&shares).unwrap_or(0.0),
        overloaded: outcome.quantile(0.5) > (length_us * 0.02).max(step_us * 10.0),
    }
}

/// The models that the simulation knows. Error: one that it does not.
fn chosen(text: &str) -> Result<Vec<Simulated>> {
    if text == "all" {
        return Ok(SIMULATED.to_vec());
    }
    let known: Vec<&str> = SIMULATED.iter().map(|model| model.name).collect();
    let find = |name: &str| {
        let found = SIMULATED.iter().find(|model| model.name == name).copied();
        found.with_context(|| format!("unknown model \"{name}\"{}", names::hint(name, &known)))
    };
    text.split(',').map(str::trim).map(find).collect()
}
