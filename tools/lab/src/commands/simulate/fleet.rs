//! Measurements for the simulation: all servers stand ready, and get short slices of load in turn, in random order.
//!
//! Machines that others use as well change their speed from second to second. In turn, all servers see the same
//! changes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use drover::shm::Role;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::engine::Arrival;
use crate::args::Common;
use crate::bench::Bench;
use crate::interrupt;
use crate::load::{Ending, Outcome, Plan, Run, Settings, run_beside};
use crate::process::tree;
use crate::server::{Server, ServerSpec, user_directive};

/// The length of a slice of load.
pub(super) const SLICE: Duration = Duration::from_millis(120);
/// An uncounted load before each slice: it brings the server's code back into the caches.
pub(super) const WARM_UP: Duration = Duration::from_millis(10);
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// A page that answers like any small page, but after a millisecond in the regex engine, which tries every way to split
/// the letters.
const HEAVY: &str = "/heavy/aaaaaaaaaaaa/";
const CONF: &str = r#"daemon off; worker_processes $workers; worker_rlimit_nofile 65536; pid $dir/pid; $user
error_log $dir/error.log warn;
events { worker_connections $connections; $dispatch }
http { access_log off; keepalive_timeout 75s; types { text/html html; }
    server { listen 127.0.0.1:$port backlog=4096; root $site;
        location ~ "^/heavy/(?:(a+)\1?)+$" { return 404; }
        location / { try_files $uri /1k.html; } } }
"#;

/// A point of measurement: a load on a model with a number of workers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub model: &'static str,
    pub workers: u32,
    pub load: SliceLoad,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum SliceLoad {
    /// New connections a second, the share `heavy` of them for the heavy page.
    Open { rate: f64, heavy: f64 },
    /// So many connections at once, every 20 ms: all but the first find their worker awake.
    Bursts(usize),
}

/// The figures of a slice of load.
#[derive(Clone, Debug, Default)]
pub(super) struct Slice {
    /// CPU time per request of all processes, µs.
    pub cpu: f64,
    /// The dispatcher's part of `cpu`.
    pub dispatcher: f64,
    /// From the send to the first byte, of requests that are not heavy, sorted; µs.
    pub latencies: Vec<f64>,
    /// The requests at the times of their sends.
    pub arrivals: Vec<Arrival>,
    /// Requests of each worker.
    pub shares: Vec<f64>,
}

/// The interquartile mean: it ignores slices in which the machine stood still, and evens out a clock that ticks
/// coarsely.
pub(super) fn interquartile_mean(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let cut = values.len() / 4;
    let kept = &values[cut..values.len() - cut];
    kept.iter().sum::<f64>() / kept.len().max(1) as f64
}

/// Servers that stand ready.
pub(super) struct Fleet {
    servers: BTreeMap<(&'static str, u32), Server>,
    // Behind the servers: the directory is removed when they are gone.
    pub bench: Bench,
}

impl Fleet {
    /// Starts a server for each model and size among `points`.
    pub(super) fn start(common: &Common, points: &[Point]) -> Result<Fleet> {
        let workers = points.iter().map(|point| point.workers).max().unwrap_or(1);
        let bench = Bench::new(common, Settings { workers, ..Settings::DEFAULT }, None)?;
        let template = Some(CONF.replace("$user", user_directive()));
        let mut servers = BTreeMap::new();
        for point in points {
            if servers.contains_key(&(point.model, point.workers)) {
                continue;
            }
            interrupt::check()?;
            let spec = ServerSpec { workers: point.workers, template: template.clone(), ..bench.server_spec(None) };
            let server = Server::start(&common.side(point.model)?, &spec, bench.dir())?;
            servers.insert((point.model, point.workers), server);
        }
        Ok(Fleet { servers, bench })
    }

    /// The address of the server of this model and size.
    pub(super) fn address(&self, server: (&'static str, u32)) -> Result<SocketAddr> {
        self.servers.get(&server).map(|server| server.address).context("no such server stands ready")
    }

    /// Measures every point once in each round. `tick` is called after each slice.
    pub(super) fn observe(
        &mut self,
        points: &[Point],
        rounds: u32,
        seed: u64,
        tick: impl Fn(),
    ) -> Result<Vec<Vec<Slice>>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut observed = vec![Vec::new(); points.len()];
        for round in 0..rounds {
            let mut order: Vec<usize> = (0..points.len()).collect();
            order.shuffle(&mut rng);
            for n in order {
                interrupt::check()?;
                observed[n].push(self.slice(&points[n], seed ^ (u64::from(round) << 32 | n as u64))?);
                tick();
            }
        }
        Ok(observed)
    }

    fn slice(&mut self, point: &Point, seed: u64) -> Result<Slice> {
        let Some(server) = self.servers.get_mut(&(point.model, point.workers)) else {
            bail!("{} with {} workers does not stand ready", point.model, point.workers);
        };
        let cpus = &self.bench.cpus.client;
        run(&Plan::closed(2, false, WARM_UP), server, cpus)?;
        let plan = plan(point.load, seed);
        let before = Usage::of(server);
        let run = run(&plan, server, cpus)?;
        let after = Usage::of(server);
        server.check()?;
        if run.outcomes.iter().any(|outcome| outcome.ending != Ending::Answered) {
            bail!("{} with {} workers did not answer everything", point.model, point.workers);
        }
        Ok(Slice::new(&plan, &run, &before, &after))
    }
}

fn plan(load: SliceLoad, seed: u64) -> Plan {
    match load {
        SliceLoad::Bursts(size) => Plan::burst(size, Duration::from_millis(20), SLICE),
        SliceLoad::Open { rate, heavy } => {
            let mut plan = Plan::open(rate, SLICE, seed);
            let page = plan.paths.len();
            plan.paths.push(HEAVY.to_owned());
            // Heavy requests come at regular places, not by chance: every slice costs the same.
            let every = if heavy > 0.0 { (1.0 / heavy).round() as usize } else { usize::MAX };
            for request in plan.requests.iter_mut().skip(every / 2).step_by(every) {
                (request.path, request.counts) = (page, false);
            }
            plan
        }
    }
}

fn run(plan: &Plan, server: &Server, cpus: &[usize]) -> Result<Run> {
    Ok(run_beside(plan, server.address, TIMEOUT, cpus, |_| ())?.0)
}

impl Slice {
    pub(super) fn quantile(&self, q: f64) -> Option<f64> {
        let at = (self.latencies.len() as f64 * q).ceil() as usize;
        self.latencies.get(at.saturating_sub(1)).copied()
    }

    fn new(plan: &Plan, run: &Run, before: &Usage, after: &Usage) -> Slice {
        let us = |time: Duration| time.as_secs_f64() * 1e6;
        let requests = run.outcomes.len().max(1) as f64;
        let spent = |pick: fn(&Usage) -> u64| pick(after).saturating_sub(pick(before)) as f64 / 1e3 / requests;
        // `late` is in the order of the plan, too.
        let sent = plan.requests.iter().zip(&run.late);
        let latency = |outcome: &Outcome| Some(us(outcome.first_byte?.saturating_sub(*run.late.get(outcome.request)?)));
        let mut latencies: Vec<f64> = run.outcomes.iter().filter(|o| o.counts).filter_map(latency).collect();
        latencies.sort_by(f64::total_cmp);
        let old = |pid: &u32| before.requests.get(pid).copied().unwrap_or(0);
        Slice {
            cpu: spent(|usage| usage.cpu_ns),
            dispatcher: spent(|usage| usage.dispatcher_ns),
            latencies,
            arrivals: sent
                .map(|(request, late)| Arrival { at: us(request.at + *late), heavy: !request.counts })
                .collect(),
            shares: after.requests.iter().map(|(pid, now)| now.saturating_sub(old(pid)) as f64).collect(),
        }
    }
}

/// The CPU time and the requests of a server so far.
#[derive(Default)]
struct Usage {
    cpu_ns: u64,
    dispatcher_ns: u64,
    /// The requests of each worker, by pid.
    requests: BTreeMap<u32, u64>,
}

impl Usage {
    fn of(server: &Server) -> Usage {
        let mut usage = Usage::default();
        let mut dispatchers = Vec::new();
        for slot in server.ledger.iter().flat_map(|ledger| ledger.live()) {
            match slot.pid() {
                Some(pid) if slot.role() == Role::Dispatcher => dispatchers.push(pid),
                Some(pid) => *usage.requests.entry(pid).or_default() += slot.read().requests,
                None => {}
            }
        }
        for process in tree(server.pid()) {
            usage.cpu_ns += process.cpu_ns + process.reaped_cpu_ns;
            if dispatchers.contains(&process.pid) {
                usage.dispatcher_ns += process.cpu_ns;
            }
        }
        usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_ignores_what_stands_out() {
        assert_eq!(interquartile_mean(vec![1000.0, 10.0, 12.0, 0.0]), 11.0);
        assert_eq!(interquartile_mean(vec![5.0]), 5.0);
    }

    #[test]
    fn every_so_many_th_request_is_heavy() {
        let plan = plan(SliceLoad::Open { rate: 5000.0, heavy: 0.04 }, 1);
        let heavy = plan.requests.iter().filter(|request| !request.counts).count();
        assert_eq!(heavy, (plan.requests.len() + 12) / 25);
        assert!(plan.requests.iter().all(|request| request.counts == (plan.paths[request.path] != HEAVY)));
    }
}
