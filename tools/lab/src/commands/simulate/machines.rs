//! `lab simulate --machines`: the measured machine, several times, behind a balancer.

mod balancer;
mod health;
mod measured;
mod policy;
mod rows;
mod site;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use self::health::Health;
use self::measured::Measured;
use self::policy::Policy;
use super::SimulateArgs;
use super::models::{SIMULATED, Simulated};
use crate::results::{BalancerNotes, HealthNotes, Machines, SCHEMA};
use crate::{args, names, process, report};

/// The most machines.
const MOST: i64 = 64;
/// The model of the machines when none is given: drover's own default.
const MODEL: &str = "exclusive";
/// The table has room for so many policies.
const POLICIES: usize = 3;

/// The part of the command line that is about several machines.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Machines behind a balancer")]
pub(crate) struct MachinesArgs {
    /// Simulates machines like this one behind a balancer instead: 1, 2, 4 and so on, up to this number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST))]
    pub machines: Option<u32>,
    /// How the balancer chooses, in the words of HAProxy's `balance`; three at most
    #[arg(long, default_value = "leastconn,roundrobin,random(2)")]
    pub policies: String,
    /// CPU time of the balancer for a request, µs [default: HAProxy is measured]
    #[arg(long, value_parser = args::positive)]
    pub balancer_us: Option<f64>,
    /// Threads of the balancer [default: as many as this machine has CPUs]
    #[arg(long, value_parser = args::at_least_one)]
    pub balancer_threads: Option<usize>,
    /// CPUs of each machine [default: as many as the measured server had]
    #[arg(long, value_parser = args::at_least_one)]
    pub machine_cpus: Option<usize>,
    /// From the balancer to a machine and back, µs: assumed, not measured
    #[arg(long, default_value_t = 100.0, value_parser = args::not_negative)]
    pub network_us: f64,
    /// Seconds between two health checks (`inter`, `downinter`)
    #[arg(long, default_value_t = 1.0, value_parser = args::positive)]
    pub inter: f64,
    /// Seconds until the next check after one that said something else (`fastinter`)
    #[arg(long, default_value_t = 0.5, value_parser = args::positive)]
    pub fastinter: f64,
    /// Seconds that a check waits for an answer (`timeout check`)
    #[arg(long, default_value_t = 0.5, value_parser = args::positive)]
    pub timeout_check: f64,
    /// Failed checks until a machine is down (`fall`)
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub fall: u32,
    /// Good checks until it is up again (`rise`)
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rise: u32,
    /// Seconds until it has its full weight again (`slowstart`)
    #[arg(long, default_value_t = 10.0, value_parser = args::not_negative)]
    pub slowstart: f64,
    /// How often a request that a machine has failed goes to another (`retries`)
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub retries: u32,
    /// Seconds from the end of a server to the start of the next
    #[arg(long, default_value_t = 2.0, value_parser = args::positive)]
    pub down: f64,
}

impl MachinesArgs {
    fn health(&self) -> Health {
        Health {
            inter: self.inter,
            fastinter: self.fastinter,
            downinter: self.inter,
            timeout: self.timeout_check,
            fall: self.fall,
            rise: self.rise,
            slowstart: self.slowstart,
            retries: self.retries,
        }
    }

    fn policies(&self) -> Result<Vec<Policy>> {
        let policies = self.policies.split(',').map(|text| Policy::parse(text.trim())).collect::<Result<Vec<_>>>()?;
        if policies.len() > POLICIES {
            bail!("--policies: {POLICIES} at most");
        }
        Ok(policies)
    }
}

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

/// What is known before anything is simulated.
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
        health: HealthNotes {
            inter: health.inter,
            fastinter: health.fastinter,
            downinter: health.downinter,
            timeout: health.timeout,
            fall: health.fall,
            rise: health.rise,
            slowstart: health.slowstart,
            retries: health.retries,
        },
        window: rows::WINDOW_S,
        down: of.down,
        ..Machines::default()
    }
}

/// The HAProxy that is installed. Error: there is none, and how to go on without it.
fn haproxy() -> Result<std::path::PathBuf> {
    process::find("haproxy").context(
        "haproxy is not installed (Debian, Ubuntu: apt-get install haproxy), so that its cost can't be measured: say \
         what a request costs a balancer with --balancer-us",
    )
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
