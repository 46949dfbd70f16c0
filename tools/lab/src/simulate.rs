//! `lab simulate`: what a machine with more CPUs would do.

mod calibrate;
mod engine;
mod models;
mod stand;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub use self::calibrate::Checked;
use self::calibrate::{Calibration, check, check_points, points};
use self::engine::{Costs, Served, Setup, poisson, simulate};
use self::models::{Rule, SIMULATED, Simulated};
use self::stand::{Slice, Stand};
use crate::cli::SimulateArgs;
use crate::results::SCHEMA;
use crate::{interrupt, names, report};

/// simulation.json.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Simulation {
    pub schema: String,
    /// Always true: nothing in `rows` was measured.
    pub simulated: bool,
    /// CPUs that the servers had while they were measured: what more would change is not checked.
    pub checked_cpus: usize,
    /// CPU time of the steps on this machine.
    pub costs: Vec<Cost>,
    /// Median time from client to server and back, in all latencies, µs.
    pub path_us: f64,
    /// Simulated against measured, at points that nothing was calibrated with.
    pub checked: Vec<Checked>,
    /// Share of each worker's CPU that is busy.
    pub utilisation: f64,
    pub heavy: f64,
    pub heavy_factor: f64,
    pub rows: Vec<Row>,
}

/// What the steps cost under one model.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Cost {
    pub model: String,
    #[serde(flatten)]
    pub costs: Costs,
}

/// What is measured, simulated and compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// CPU time per request, µs.
    pub cpu_us: f64,
    /// As clients see it, from the send to the first byte, of connections that are not heavy.
    pub p50_us: f64,
    pub p99_us: f64,
    /// Jain's index of connections; `None` when there are no workers.
    pub jain: Option<f64>,
}

impl Figures {
    /// In the order in which they are shown.
    pub fn all(&self) -> [Option<f64>; 4] {
        [Some(self.cpu_us), Some(self.p50_us), Some(self.p99_us), self.jain]
    }
}

/// One model at one size. Simulated.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Row {
    pub model: String,
    pub workers: usize,
    pub rate: f64,
    #[serde(flatten)]
    pub figures: Figures,
    /// More arrived than could be served: latencies say nothing but that.
    pub overloaded: bool,
    /// With more CPUs than here, those that lost the accept mutex sleep while others could be served: the check can't see that.
    pub unchecked_latency: bool,
}

/// Over this, a figure is not to be trusted.
pub const TRUSTED: f64 = 0.35;

impl Checked {
    /// |simulated - measured| / measured, in the order of `Figures::all`.
    pub fn errors(&self) -> [Option<f64>; 4] {
        let (simulated, measured) = (self.simulated.all(), self.measured.all());
        std::array::from_fn(|n| Some((simulated[n]? - measured[n]?).abs() / measured[n]?))
    }
}

impl Simulation {
    /// The greatest errors of the model of `row` where it was checked.
    pub fn errors_of(&self, row: &Row) -> [Option<f64>; 4] {
        let checked = self.checked.iter().filter(|checked| checked.model == row.model);
        let [cpu, p50, p99, jain] = checked.map(Checked::errors).fold([None; 4], |worst, errors| {
            std::array::from_fn(|n| [worst[n], errors[n]].into_iter().flatten().reduce(f64::max))
        });
        if row.unchecked_latency { [cpu, None, None, jain] } else { [cpu, p50, p99, jain] }
    }
}

/// Enough for the 99th percentile, and for every worker to have its share; with an accept mutex, whose losers sleep for half a
/// second, at least two seconds.
fn connections(rule: Rule, workers: usize, rate: f64) -> usize {
    let least = 20_000 + 1_000 * workers;
    if rule == Rule::Mutex { least.max((rate * 2.0) as usize) } else { least }
}

pub fn run(args: &SimulateArgs) -> Result<ExitCode> {
    let models = chosen(&args.models)?;
    if !(0.01..=0.95).contains(&args.utilisation) {
        bail!("--utilisation must be between 0.01 and 0.95");
    }
    if !(0.0..=1.0).contains(&args.heavy) || args.heavy_factor < 1.0 {
        bail!("--heavy is a share between 0 and 1, --heavy-factor at least 1");
    }
    let (calibration, checked, checked_cpus) = measure(args, &models)?;
    let mut simulation = Simulation {
        schema: SCHEMA.to_owned(),
        simulated: true,
        checked_cpus,
        costs: calibration.costs.clone(),
        path_us: crate::stats::median(&calibration.path).unwrap_or(0.0),
        checked,
        utilisation: args.utilisation,
        heavy: args.heavy,
        heavy_factor: args.heavy_factor,
        rows: Vec::new(),
    };
    for model in &models {
        for workers in (0..=8).map(|n| 1usize << n).filter(|workers| *workers <= args.most as usize) {
            interrupt::check()?;
            simulation.rows.push(row(model, workers, &calibration, checked_cpus, args));
        }
    }
    report::write_simulation(&simulation, &args.common.out)?;
    let out = args.common.out.display();
    report::say(&format!("{}\n{out}/simulation.html  {out}/simulation.json\n", report::simulation_table(&simulation)))?;
    Ok(ExitCode::SUCCESS)
}

/// Calibrates, and checks at other points that were measured by turns with the first.
fn measure(args: &SimulateArgs, models: &[Simulated]) -> Result<(Calibration, Vec<Checked>, usize)> {
    let (known, checks) = (points(models), check_points(models));
    let all = [known.clone(), checks.clone()].concat();
    let mut stand = Stand::start(args, &all)?;
    let bar = ProgressBar::new(u64::from(args.rounds) * all.len() as u64).with_message("measuring what is known here");
    let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {elapsed}/{duration}  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let seen = stand.observe(&all, args.rounds, args.common.seed, || bar.inc(1));
    bar.finish_and_clear();
    let seen = seen?;
    let (calibrated, held_out) = seen.split_at(known.len());
    let calibration = Calibration::new(models, calibrated);
    let cpus = stand.place.server.len();
    let checked = check(&calibration, models, &checks, held_out, cpus, args.common.seed);
    Ok((calibration, checked, cpus))
}

fn row(model: &Simulated, workers: usize, calibration: &Calibration, checked_cpus: usize, args: &SimulateArgs) -> Row {
    let known = calibration.costs_of(model);
    let costs = Costs { heavy: known.serve * (args.heavy_factor - 1.0), ..known };
    let rate = args.utilisation * workers as f64 * 1e6 / (costs.serve + args.heavy * costs.heavy + costs.wake);
    // A dispatcher has a CPU of its own.
    let cpus = workers + usize::from(model.rule.has_dispatcher());
    let (seed, count) = (args.common.seed, connections(model.rule, workers, rate));
    let setup = Setup { rule: model.rule, workers, threads: model.threads, cpus, costs, seed };
    let mut outcome = simulate(setup, poisson(rate, args.heavy, count, seed));
    // The first quarter is left out: it begins with everybody idle.
    let length_us = count as f64 / rate * 1e6;
    outcome.served.retain(|served| served.at > length_us / 4.0);
    let overloaded = grows(&outcome.served, length_us);
    let seen = calibration.seen(model, workers, &outcome.served, &mut ChaCha8Rng::seed_from_u64(seed));
    let figures = Figures::of(model, &[Slice { cpu: outcome.cpu_us_per_request, ..seen }]);
    let unchecked_latency = model.rule == Rule::Mutex && workers > checked_cpus;
    Row { model: model.name.to_owned(), workers, rate, figures, overloaded, unchecked_latency }
}

/// Whether those that come last wait far longer than those that come first: the queue grows all the time.
fn grows(served: &[Served], length_us: f64) -> bool {
    let middle = |from: f64, to: f64| {
        let those = served.iter().filter(|s| (from * length_us..to * length_us).contains(&s.at));
        crate::stats::median(&those.map(|s| f64::from(s.latency)).collect::<Vec<_>>()).unwrap_or(0.0)
    };
    let (early, late) = (middle(0.25, 0.5), middle(0.75, 1.0));
    late > 1.5 * early && late > 0.1 * length_us
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
