//! `lab simulate`: calculates the figures of a machine with more CPUs, or of several machines.

mod agenda;
mod args;
mod calibrate;
mod engine;
mod fleet;
mod machines;
mod models;

use std::process::ExitCode;

use anyhow::{Result, bail};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub(crate) use self::args::SimulateArgs;
use self::calibrate::{Calibration, check, check_points, figures, points};
use self::engine::{Served, Setup, poisson, simulate};
use self::fleet::{Fleet, Slice};
use self::models::{Rule, SIMULATED, Simulated};
use crate::results::{Checked, Costs, SCHEMA, SimulatedRow, Simulation};
use crate::{interrupt, names, report};

const MODELS: &str = "accept_mutex,accept_handoff,herd,exclusive,reuseport,steer,pool_pass,prefork";

/// The number of connections to simulate: enough for the 99th percentile and for every worker to have its share. Losers
/// of an accept mutex sleep for half a second: then at least two seconds' worth.
fn connections(rule: Rule, workers: usize, rate: f64) -> usize {
    let least = 20_000 + 1_000 * workers;
    if rule == Rule::Mutex { least.max((rate * 2.0) as usize) } else { least }
}

pub(crate) fn run(args: &SimulateArgs) -> Result<ExitCode> {
    if !(0.01..=0.95).contains(&args.utilisation) {
        bail!("--utilisation must be between 0.01 and 0.95");
    }
    if !(0.0..=1.0).contains(&args.heavy) || args.heavy_factor < 1.0 {
        bail!("--heavy is a share between 0 and 1, --heavy-factor at least 1");
    }
    if let Some(most) = args.machines.machines {
        return machines::run(args, most);
    }
    let models = names::list(args.models.as_deref().unwrap_or(MODELS), "model", SIMULATED, |model| model.name)?;
    let models: Vec<Simulated> = models.into_iter().copied().collect();
    let (calibration, checked, checked_cpus) = measure(args, &models)?;
    let mut simulation = Simulation {
        schema: SCHEMA.to_owned(),
        simulated: true,
        checked_cpus,
        costs: calibration.costs.clone(),
        path_us: crate::stats::median(&calibration.path_us).unwrap_or(0.0),
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
    report::print(&format!(
        "{}\n{out}/simulation.html  {out}/simulation.json\n",
        report::simulation_table(&simulation)
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Calibrates; checks at other points, which are measured in turn with those of the calibration.
fn measure(args: &SimulateArgs, models: &[Simulated]) -> Result<(Calibration, Vec<Checked>, usize)> {
    let (known, checks) = (points(models), check_points(models));
    let all = [known.clone(), checks.clone()].concat();
    let mut fleet = Fleet::start(&args.common, &all)?;
    let bar = report::progress(u64::from(args.rounds) * all.len() as u64).with_message("measuring what is known here");
    let seen = fleet.observe(&all, args.rounds, args.common.seed, || bar.inc(1));
    bar.finish_and_clear();
    let seen = seen?;
    let (calibrated, held_out) = seen.split_at(known.len());
    let calibration = Calibration::new(models, calibrated);
    let cpus = fleet.bench.cpus.server.len();
    let checked = check(&calibration, models, &checks, held_out, cpus, args.common.seed);
    Ok((calibration, checked, cpus))
}

fn row(
    model: &Simulated,
    workers: usize,
    calibration: &Calibration,
    checked_cpus: usize,
    args: &SimulateArgs,
) -> SimulatedRow {
    let known = calibration.costs_of(model);
    let costs = Costs { heavy: known.serve * (args.heavy_factor - 1.0), ..known };
    let rate = args.utilisation * workers as f64 * 1e6 / (costs.serve + args.heavy * costs.heavy + costs.wake);
    // A dispatcher has a CPU of its own.
    let cpus = workers + usize::from(model.rule.has_dispatcher());
    let (seed, count) = (args.common.seed, connections(model.rule, workers, rate));
    let setup = Setup { rule: model.rule, workers, threads: model.threads, cpus, costs, seed };
    let mut run = simulate(setup, poisson(rate, args.heavy, count, seed));
    // The first quarter is left out: at the beginning all workers are idle.
    let length_us = count as f64 / rate * 1e6;
    run.served.retain(|served| served.at > length_us / 4.0);
    let overloaded = is_overloaded(&run.served, length_us);
    let seen = calibration.client_view(model, workers, &run.served, &mut ChaCha8Rng::seed_from_u64(seed));
    let figures = figures(model, &[Slice { cpu: run.cpu_us_per_request, ..seen }]);
    let unchecked_latency = model.rule == Rule::Mutex && workers > checked_cpus;
    SimulatedRow { model: model.name.to_owned(), workers, rate, figures, overloaded, unchecked_latency }
}

/// Whether late connections wait far longer than early ones: then the queue grows all the time.
fn is_overloaded(served: &[Served], length_us: f64) -> bool {
    let median_between = |from: f64, to: f64| {
        let those = served.iter().filter(|s| (from * length_us..to * length_us).contains(&s.at));
        crate::stats::median(&those.map(|s| f64::from(s.latency)).collect::<Vec<_>>()).unwrap_or(0.0)
    };
    let (early, late) = (median_between(0.25, 0.5), median_between(0.75, 1.0));
    late > 1.5 * early && late > 0.1 * length_us
}
