//! The measurements before machines are simulated: one of them, and the balancer in front of it.

use anyhow::Result;

use super::balancer;
use crate::args::Common;
use crate::commands::simulate::args::SimulateArgs;
use crate::commands::simulate::calibrate::{Calibration, check, points};
use crate::commands::simulate::fleet::{Fleet, Point, SliceLoad};
use crate::commands::simulate::models::{FORK, Simulated};
use crate::report;
use crate::results::{BalancerCost, BalancerNotes, Checked};

/// The shares of the server's CPUs that are busy in the check, and the shares of heavy connections there: half the load
/// that is simulated, and all of it, so that queues are checked and not costs alone.
const CHECKS: [(f64, f64); 2] = [(0.5, 0.0), (1.0, 0.04)];
/// Rates of the check, per second: fewer say nothing, and more are beyond the client.
const RATES: (f64, f64) = (200.0, 12_000.0);

/// The measured machine and the measured balancer.
pub(super) struct Measured {
    pub calibration: Calibration,
    pub checked: Vec<Checked>,
    pub workers: usize,
    /// The CPUs of the server.
    pub cpus: usize,
    pub balancer: BalancerNotes,
}

impl Measured {
    /// Measures. Errors: a server does not start; HAProxy is not installed, and nothing is said of a balancer's cost.
    pub(super) fn take(args: &SimulateArgs, model: &Simulated) -> Result<Measured> {
        let haproxy = match args.machines.balancer_us {
            Some(_) => None,
            None => Some(balancer::find()?),
        };
        let workers = workers(args)?;
        let models = [*model];
        let known = points(&models);
        // The rates of the check follow from the costs; the servers stand ready before.
        let placeholders = check_points(model, workers, 1, 1.0, 0.0, args.utilisation);
        let mut fleet = Fleet::start(&args.common, &[known.clone(), placeholders].concat())?;
        let cpus = fleet.bench.cpus.server.len();
        let seen = observe(&mut fleet, &known, args, "measuring what a connection costs here")?;
        let calibration = Calibration::new(&models, &seen);
        let costs = calibration.costs_of(model);
        let held_out = check_points(model, workers, cpus, costs.serve + costs.wake, costs.heavy, args.utilisation);
        let seen = observe(&mut fleet, &held_out, args, "measuring one machine under load")?;
        let checked = check(&calibration, &models, &held_out, &seen, cpus, args.common.seed);
        let balancer = match (haproxy, args.machines.balancer_us) {
            (Some(haproxy), _) => balancer::measure(&haproxy, &fleet, (model.name, workers), args)?,
            (None, us) => {
                let short = BalancerCost { busy_us: us.unwrap_or(0.0), ..BalancerCost::default() };
                BalancerNotes { short, ..BalancerNotes::default() }
            }
        };
        Ok(Measured { calibration, checked, workers: workers as usize, cpus, balancer })
    }
}

/// The workers of each machine: one for each CPU. More would take turns on a CPU, and the simulation knows less of
/// turns than the kernel does.
fn workers(args: &SimulateArgs) -> Result<u32> {
    let cpus = crate::bench::Cpus::choose(&Common { ..args.common.clone() }, 1)?;
    Ok(args.machines.machine_cpus.unwrap_or(cpus.server.len()).clamp(1, 256) as u32)
}

fn observe(
    fleet: &mut Fleet,
    points: &[Point],
    args: &SimulateArgs,
    what: &'static str,
) -> Result<Vec<Vec<crate::commands::simulate::fleet::Slice>>> {
    let bar = report::progress(u64::from(args.rounds) * points.len() as u64).with_message(what);
    let seen = fleet.observe(points, args.rounds, args.common.seed, || bar.inc(1));
    bar.finish_and_clear();
    seen
}

/// The points of the check: rates at which connections of the cost `light`, with a share of them that costs `heavy`
/// more, keep the server as busy as `CHECKS` says.
fn check_points(model: &Simulated, workers: u32, cpus: usize, light: f64, heavy: f64, utilisation: f64) -> Vec<Point> {
    let point = |(share, heavies): (f64, f64)| {
        let rate = share * utilisation * cpus as f64 * 1e6 / (light + heavies * heavy);
        // A process for each connection is of another order.
        let most = if model.name == FORK { RATES.1 / 10.0 } else { RATES.1 };
        let load = SliceLoad::Open { rate: rate.clamp(RATES.0, most), heavy: heavies };
        Point { model: model.name, workers, load }
    };
    CHECKS.map(point).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::simulate::models::SIMULATED;

    #[test]
    fn the_check_loads_the_machine_as_the_simulation_does() {
        let model = SIMULATED.iter().find(|model| model.name == "exclusive").unwrap();
        let rates: Vec<SliceLoad> =
            check_points(model, 2, 1, 50.0, 1000.0, 0.6).into_iter().map(|point| point.load).collect();
        // 0.3 of a CPU at 50 µs, and 0.6 of it at 50 + 0.04 * 1000.
        assert_eq!(rates[0], SliceLoad::Open { rate: 6000.0, heavy: 0.0 });
        let SliceLoad::Open { rate, heavy } = rates[1] else { panic!("{rates:?}") };
        assert!((rate - 0.6e6 / 90.0).abs() < 1e-6 && heavy == 0.04);
    }
}
