//! The costs of the steps, measured on this machine; and whether the simulation gives back what was measured.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::engine::{Costs, Setup, simulate};
use super::models::Simulated;
use crate::cli::{CompareArgs, SimulateArgs};
use crate::compare::Bench;
use crate::load::{self, Load};
use crate::results::Measurement;
use crate::server::{Side, models};
use crate::stats::median;

/// So few connections a second that nearly every one finds its worker asleep, and so many that caches stay warm.
const LIGHT: f64 = 3000.0;
/// Workers for what depends on their number.
const WORKERS: u32 = 4;
const ROUNDS: u32 = 3;

/// What the steps cost here.
pub struct Calibration {
    pub costs: Costs,
    pub extra: Vec<(String, f64)>,
}

/// A size that was both measured and simulated.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Checked {
    pub model: String,
    pub workers: u32,
    pub rate: f64,
    pub measured_cpu_us: f64,
    pub simulated_cpu_us: f64,
    /// (simulated - measured) / measured.
    pub error: f64,
}

impl Calibration {
    /// From a busy worker: serving. From one that sleeps between connections: waking. From a herd: waking for nothing. From
    /// each model under a light load: what it adds.
    pub fn measure(args: &SimulateArgs, chosen: &[Simulated]) -> Result<Calibration> {
        let serve = cpu(args, "exclusive", "short", 1, LIGHT)?;
        let light = |model: &str, workers| cpu(args, model, "open", workers, LIGHT);
        let one = light("exclusive", 1)?;
        let wake = (one - serve).max(0.0);
        let herd = light("herd", WORKERS)?;
        let spurious = ((herd - one) / f64::from(WORKERS - 1)).max(0.0);
        let mut extra = Vec::new();
        for model in chosen.iter().filter(|model| models().contains(&model.name)) {
            let here = match model.name {
                "herd" => 0.0,
                // A dispatcher makes a second process wake for each connection.
                name if model.rule.has_dispatcher() => light(name, WORKERS)? - one - wake,
                name => light(name, WORKERS)? - one,
            };
            extra.push((model.name.to_owned(), here.max(0.0)));
        }
        Ok(Calibration { costs: Costs { serve, wake, spurious, extra: 0.0 }, extra })
    }

    pub fn costs_of(&self, model: &str) -> Costs {
        let extra = self.extra.iter().find(|(name, _)| name == model).map_or(0.0, |(_, extra)| *extra);
        Costs { extra, ..self.costs }
    }

    /// Measures sizes and rates that nothing was calibrated with, and simulates them.
    pub fn check(&self, args: &SimulateArgs, chosen: &[Simulated]) -> Result<Vec<Checked>> {
        let mut checked = Vec::new();
        for model in chosen.iter().filter(|model| models().contains(&model.name)) {
            for (workers, rate) in [(2, 2000.0), (8, 5000.0)] {
                let measured = cpu(args, model.name, "open", workers, rate)?;
                let outcome = simulate(Setup {
                    rule: model.rule,
                    workers: workers as usize,
                    cpus: crate::compare::Place::choose(&args.common)?.server.len(),
                    costs: self.costs_of(model.name),
                    rate,
                    heavy: 0.0,
                    heavy_factor: 1.0,
                    connections: 20_000,
                    seed: args.common.seed,
                });
                checked.push(Checked {
                    model: model.name.to_owned(),
                    workers,
                    rate,
                    measured_cpu_us: measured,
                    simulated_cpu_us: outcome.cpu_us_per_request,
                    error: outcome.cpu_us_per_request / measured - 1.0,
                });
            }
        }
        Ok(checked)
    }
}

/// Median CPU time per request of `model`, µs.
fn cpu(args: &SimulateArgs, model: &str, load: &str, workers: u32, rate: f64) -> Result<f64> {
    let mut common = args.common.clone();
    common.workers = workers;
    let bench = Bench::new(&CompareArgs { rate, seconds: 0.5, ..CompareArgs::plain(common) })?;
    let load: &Load = load::find(load)?;
    let mut side = Side::parse(model)?;
    side.binary = args.common.drover.clone();
    eprintln!("calibrating: {model}, {workers} workers, {}", load.name);
    let rounds: Vec<Measurement> =
        (0..ROUNDS).map(|n| bench.measure(&side, load, u64::from(n))).collect::<Result<_>>()?;
    let values: Vec<f64> = rounds.iter().filter_map(|m| m.server.cpu_us_per_request).collect();
    median(&values).with_context(|| format!("{model}: nothing was measured"))
}
