//! The rows of the report: each is a simulation, or two.

use anyhow::Result;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::health::{Kind, Trouble};
use super::measured::Measured;
use super::policy::Policy;
use super::site::{Balancer, Fate, Outcome, Request, Site, simulate};
use crate::commands::simulate::args::SimulateArgs;
use crate::commands::simulate::engine::{SECOND, Setup, poisson};
use crate::commands::simulate::models::Simulated;
use crate::results::{Costs, GrowthRow, Machines, RestartRow, UnevenRow};
use crate::{interrupt, report};

/// How many seconds from the beginning of a restart on are looked at.
pub(super) const WINDOW_S: f64 = 10.0;
/// The quiet before it, of which the first half does not count.
const BEFORE_S: f64 = 2.0;
/// A restart with more requests than this is not simulated.
const MOST_REQUESTS: f64 = 2_500_000.0;
/// The share of its time for which a balancer may be busy, where it is not to be the limit.
const BALANCER_BUSY: f64 = 0.7;

/// The simulations to run.
pub(super) struct Plan {
    model: Simulated,
    policies: Vec<Policy>,
    counts: Vec<usize>,
    args: SimulateArgs,
}

impl Plan {
    pub(super) fn new(args: &SimulateArgs, model: Simulated, policies: Vec<Policy>, counts: Vec<usize>) -> Plan {
        Plan { model, policies, counts, args: args.clone() }
    }
}

/// A plan with the costs that were measured.
struct Rows<'a> {
    plan: &'a Plan,
    costs: Costs,
    path_us: &'a [f64],
    machines: &'a Machines,
}

/// Simulates everything. Errors: Ctrl-C.
pub(super) fn fill(machines: Machines, measured: &Measured, plan: &Plan) -> Result<Machines> {
    let known = machines.costs;
    let costs = Costs { heavy: known.serve * (machines.heavy_factor - 1.0), ..known };
    let rows = Rows { plan, costs, path_us: &measured.calibration.path_us, machines: &machines };
    let (mut growth, mut restarts, mut uneven, mut notes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let bar = report::progress((plan.counts.len() * plan.policies.len()) as u64).with_message("simulating");
    for count in plan.counts.iter().copied() {
        let too_many = rows.rate(count) * (BEFORE_S + WINDOW_S) > MOST_REQUESTS;
        if too_many {
            notes.push(format!("no restart among {count} machines: more than 2.5 million requests"));
        }
        for policy in plan.policies.iter().copied() {
            growth.push(rows.growth(policy, count));
            interrupt::check()?;
            if count > 1 {
                uneven.push(rows.uneven(policy, count));
                interrupt::check()?;
            }
            for kind in Kind::ALL.into_iter().filter(|_| count > 1 && !too_many) {
                restarts.push(rows.restart(kind, policy, count));
                interrupt::check()?;
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(Machines { growth, restarts, uneven, notes, ..machines })
}

impl Rows<'_> {
    /// Connections a second that keep the CPUs of so many machines as busy as they are to be.
    fn rate(&self, count: usize) -> f64 {
        let costs = self.costs;
        let each = costs.serve + self.machines.heavy * costs.heavy + costs.wake;
        self.machines.utilisation * (count * self.machines.machine_cpus) as f64 * 1e6 / each
    }

    /// Threads that a balancer needs at this rate, not to be the limit.
    fn threads_needed(&self, rate: f64) -> usize {
        (rate * self.machines.balancer.short.busy_us / 1e6 / BALANCER_BUSY).ceil().max(1.0) as usize
    }

    fn site(&self, policy: Policy, count: usize, threads: usize) -> Site {
        let (machines, args) = (self.machines, &self.plan.args);
        let (rule, cpus) = (self.plan.model.rule, machines.machine_cpus);
        // A dispatcher has no CPU of its own on a machine that was measured without one.
        let machine = Setup {
            rule,
            workers: machines.workers,
            threads: self.plan.model.threads,
            cpus,
            costs: self.costs,
            seed: args.common.seed,
        };
        let cost = machines.balancer.short;
        Site {
            machine,
            slowness: vec![1.0; count],
            policy,
            balancer: Balancer { threads, serve: cost.busy_us, wake: cost.wake_us },
            network_us: machines.network_us,
            health: args.machines.health(),
            trouble: None,
            seed: args.common.seed,
        }
    }

    /// The same requests for every policy.
    fn requests(&self, rate: f64, count: usize) -> impl Iterator<Item = Request> + use<> {
        let heavy = self.costs.heavy;
        poisson(rate, self.machines.heavy, count, self.plan.args.common.seed).map(move |arrival| Request {
            at: arrival.at,
            heavy: arrival.heavy,
            extra: if arrival.heavy { heavy } else { 0.0 },
        })
    }

    /// Simulates without trouble; the first quarter is left out: at the beginning all machines are idle.
    fn steady(&self, site: &Site) -> (Outcome, View) {
        let count = site.slowness.len();
        let (rate, requests) = (self.rate(count), 40_000 + 5_000 * count);
        let outcome = simulate(site, self.requests(rate, requests));
        let length = requests as f64 / rate * SECOND;
        let view = self.view(&outcome, length / 4.0, length, site.seed);
        (outcome, view)
    }

    fn growth(&self, policy: Policy, count: usize) -> GrowthRow {
        let (rate, threads) = (self.rate(count), self.machines.balancer.threads);
        let (_, view) = self.steady(&self.site(policy, count, threads));
        let busy = rate * self.machines.balancer.short.busy_us / 1e6 / threads as f64;
        GrowthRow {
            policy: policy.to_string(),
            machines: count,
            rate,
            balancer_busy: busy,
            threads_needed: self.threads_needed(rate),
            p50_us: view.quantile(0.5),
            p99_us: view.quantile(0.99),
            overloaded: busy >= 1.0 || view.grows,
        }
    }

    fn uneven(&self, policy: Policy, count: usize) -> UnevenRow {
        let rate = self.rate(count);
        let site = self.site(policy, count, self.threads_needed(rate));
        let even = self.steady(&site).1;
        let slowness = std::iter::once(2.0).chain(std::iter::repeat(1.0)).take(count).collect();
        let (outcome, view) = self.steady(&Site { slowness, ..site });
        let slow = outcome.fates.iter().filter(|fate| fate.machine == 0).count() as f64;
        let others = (outcome.fates.len() as f64 - slow) / (count - 1) as f64;
        UnevenRow {
            policy: policy.to_string(),
            machines: count,
            rate,
            p99_even_us: even.quantile(0.99),
            p99_us: view.quantile(0.99),
            slow_share: slow / others.max(1.0),
            overloaded: view.grows,
        }
    }

    fn restart(&self, kind: Kind, policy: Policy, count: usize) -> RestartRow {
        let rate = self.rate(count);
        let begin = BEFORE_S * SECOND;
        let trouble = Some(Trouble { kind, at: begin, down: self.plan.args.machines.down * SECOND });
        let site = Site { trouble, ..self.site(policy, count, self.threads_needed(rate)) };
        let requests = (rate * (BEFORE_S + WINDOW_S)) as usize;
        let outcome = simulate(&site, self.requests(rate, requests));
        let before = self.view(&outcome, begin / 2.0, begin, site.seed);
        let window = self.view(&outcome, begin, begin + WINDOW_S * SECOND, site.seed);
        let those = || outcome.fates.iter().filter(|fate| fate.at >= begin);
        RestartRow {
            kind: kind.name().to_owned(),
            policy: policy.to_string(),
            machines: count,
            rate,
            p99_before_us: before.quantile(0.99),
            p99_us: window.quantile(0.99),
            longest_us: window.quantile(1.0),
            on_it: outcome.on_it,
            again: outcome.fates.iter().filter(|fate| fate.again > 0).count(),
            lost: outcome.fates.iter().filter(|fate| fate.lost).count(),
            seen_s: outcome.seen.map(|at| (at - begin) / SECOND),
            back_s: outcome.back.map(|at| (at - begin) / SECOND),
            overloaded: those().any(|fate| fate.latency > WINDOW_S / 2.0 * SECOND),
        }
    }

    /// The latencies that clients see, of the requests between two times that are not heavy and were answered.
    fn view(&self, outcome: &Outcome, from: f64, to: f64, seed: u64) -> View {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut path_us = || match self.path_us {
            [] => 0.0,
            path_us => path_us[rng.random_range(0..path_us.len())],
        };
        let light = |fate: &&Fate| !fate.heavy && !fate.lost && fate.at >= from && fate.at < to;
        let seen: Vec<(f64, f64)> =
            outcome.fates.iter().filter(light).map(|fate| (fate.at, fate.latency + path_us())).collect();
        View::new(seen, from, to)
    }
}

/// Latencies as clients see them.
struct View {
    /// Sorted.
    latencies: Vec<f64>,
    /// The slowest of the last third take far longer than those of the first: a queue grows all the time.
    grows: bool,
}

impl View {
    /// `seen`: the time of each request, and its latency.
    fn new(seen: Vec<(f64, f64)>, from: f64, to: f64) -> View {
        let sorted = |seen: &mut dyn Iterator<Item = &(f64, f64)>| {
            let mut latencies: Vec<f64> = seen.map(|(_, latency)| *latency).collect();
            latencies.sort_by(f64::total_cmp);
            latencies
        };
        let third = (to - from) / 3.0;
        let early = quantile(&sorted(&mut seen.iter().filter(|(at, _)| *at < from + third)), 0.99);
        let late = quantile(&sorted(&mut seen.iter().filter(|(at, _)| *at >= to - third)), 0.99);
        View { grows: late > 1.3 * early && late > 0.05 * (to - from), latencies: sorted(&mut seen.iter()) }
    }

    fn quantile(&self, q: f64) -> f64 {
        quantile(&self.latencies, q)
    }
}

/// The latency of the share `q` of sorted ones; 0 without any.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = (sorted.len() as f64 * q).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_grows_is_told_from_one_that_is_long() {
        let seen = |latency: fn(f64) -> f64| (0..3000).map(f64::from).map(|at| (at, latency(at))).collect();
        assert!(View::new(seen(|at| at * 0.2), 0.0, 3000.0).grows);
        assert!(!View::new(seen(|_| 900.0), 0.0, 3000.0).grows);
        assert!(!View::new(seen(|at| 1.0 + at / 3000.0), 0.0, 3000.0).grows, "a little: chance");
        let view = View::new(seen(|at| at), 0.0, 3000.0);
        assert_eq!((view.quantile(0.5), view.quantile(0.99), view.quantile(1.0)), (1499.0, 2969.0, 2999.0));
        assert_eq!(View::new(Vec::new(), 0.0, 1.0).quantile(0.99), 0.0);
    }
}
