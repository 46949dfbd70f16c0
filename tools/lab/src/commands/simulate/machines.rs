//! `lab simulate --machines`: the measured machine, several times, behind a balancer.

mod args;
mod balancer;
mod health;
mod measured;
mod policy;
mod rows;
mod site;

use std::process::ExitCode;

use anyhow::{Result, bail};

pub(super) use self::args::MachinesArgs;
use self::measured::Measured;
use self::policy::Policy;
use super::args::SimulateArgs;
use super::models::{SIMULATED, Simulated};
use crate::results::{BalancerNotes, Machines, SCHEMA};
use crate::{names, process, report};

/// The model of the machines when none is given: drover's own default.
const MODEL: &str = "exclusive";

/// The numbers of machines that are simulated: powers of two, and the greatest.
fn counts(most: u32) -> Vec<usize> {
    let most = most as usize;
    (0..).map(|n| 1 << n).take_while(|count| *count < most).chain([most]).collect()
}

/// The one model that all machines have.
fn model(models: Option<&str>) -> Result<Simulated> {
    match names::list(models.unwrap_or(MODEL), "model", SIMULATED, |model| model.name)?.as_slice() {
        [model] => Ok(**model),
        _ => bail!("--machines: all machines have one model, e.g. --models {MODEL}"),
    }
}

pub(super) fn run(args: &SimulateArgs, most: u32) -> Result<ExitCode> {
    let of = &args.machines;
    let (policies, model) = (of.policies()?, model(args.models.as_deref())?);
    let measured = Measured::take(args, &model)?;
    let machines = notes(args, &model, &policies, &measured);
    let machines = rows::fill(machines, &measured, &rows::Plan::new(args, model, policies, counts(most)))?;
    report::write_machines(&machines, &args.common.out)?;
    let out = args.common.out.display();
    report::print(&format!("{}\n{out}/machines.html  {out}/machines.json\n", report::machines_table(&machines)))?;
    Ok(ExitCode::SUCCESS)
}

/// The notes of the report: the settings and the measurements, before anything is simulated.
fn notes(args: &SimulateArgs, model: &Simulated, policies: &[Policy], measured: &Measured) -> Machines {
    let of = &args.machines;
    let health = of.health();
    Machines {
        schema: SCHEMA.to_owned(),
        simulated: true,
        model: model.name.to_owned(),
        workers: measured.workers,
        machine_cpus: of.machine_cpus.unwrap_or(measured.cpus),
        checked_cpus: measured.cpus,
        costs: measured.calibration.costs_of(model),
        path_us: crate::stats::median(&measured.calibration.path_us).unwrap_or(0.0),
        checked: measured.checked.clone(),
        balancer: BalancerNotes {
            threads: of.balancer_threads.unwrap_or(process::usable_cpus().len().max(1)),
            ..measured.balancer.clone()
        },
        network_us: of.network_us,
        policies: policies.iter().map(Policy::to_string).collect(),
        utilisation: args.utilisation,
        heavy: args.heavy,
        heavy_factor: args.heavy_factor,
        health,
        window: rows::WINDOW_S,
        down: of.down,
        ..Machines::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_powers_of_two_and_the_greatest() {
        assert_eq!(counts(1), [1]);
        assert_eq!(counts(6), [1, 2, 4, 6]);
        assert_eq!(counts(64), [1, 2, 4, 8, 16, 32, 64]);
    }

    #[test]
    fn all_machines_have_one_model() {
        assert_eq!(model(None).unwrap().name, "exclusive");
        assert_eq!(model(Some("steer")).unwrap().name, "steer");
        assert!(model(Some("herd,steer")).unwrap_err().to_string().contains("one model"));
    }

    #[test]
    fn the_default_model_is_drovers() {
        assert!(SIMULATED.iter().any(|simulated| simulated.name == MODEL));
    }
}
