//! The loads: one entry each.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::client::{Client, join};
use super::figures::{ClientFigures, figures};
use super::plan::Plan;
use super::settings::{Mark, Settings, Target, least_to_settle};
use super::{ab, wrk};
use crate::{names, process};

/// Runs a load on a server.
type RunLoad = fn(&Settings, &Target<'_>, mark: &mut dyn FnMut(Mark)) -> Result<ClientFigures>;

/// A load: its name, its questions, and how it is run.
pub(crate) struct Load {
    pub name: &'static str,
    pub about: &'static str,
    /// The figures that verdicts are given on.
    pub questions: &'static [&'static str],
    /// A closed loop: each client sends its next request after an answer, so that requests/s tell how fast client and
    /// server are together.
    pub closed: bool,
    /// The `worker_connections` that the load needs; otherwise plenty.
    pub worker_connections: Option<u32>,
    /// Whether drover counts how long connections wait for their accept. Counting costs a system call per connection:
    /// not for loads whose question is CPU time.
    pub counts_delays: bool,
    /// The time that a measurement takes beside the length of the load: preparing it, and waiting for the last answer.
    pub overhead: Duration,
    /// Runs the load. Calls `mark` when connections have settled and the load begins to count, and when it has ended.
    pub run: RunLoad,
}

impl std::fmt::Debug for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// `worker_connections` of the storm: so few that a thousand clients more are affordable.
const STORM_CONNECTIONS: u32 = 64;
const STORM_HOLD: Duration = Duration::from_millis(200);

/// The time to start a server, to warm it up and to end it.
const OVERHEAD: Duration = Duration::from_millis(90);

/// The same for a closed loop, whose connections settle first; wrk ends within a tenth of a second after its signal.
const OVERHEAD_OF_TOOLS: Duration = Duration::from_millis(280);

/// A closed loop of ab or wrk.
const fn closed(name: &'static str, about: &'static str, run: RunLoad) -> Load {
    let questions = &["rate", "cpu_us_per_request"];
    let (worker_connections, counts_delays, overhead) = (None, false, OVERHEAD_OF_TOOLS);
    Load { name, about, questions, closed: true, worker_connections, counts_delays, overhead, run }
}

pub(crate) static LOADS: &[Load] = &[
    closed("short", "ab: a connection for each request, as many as go", |settings, target, mark| {
        with_ab(false, settings, target, mark)
    }),
    closed("short-wrk", "wrk: a connection for each request, as many as go", |settings, target, mark| {
        with_wrk(false, settings, target, mark)
    }),
    closed("keepalive", "wrk: requests on connections that stay, as many as go", |settings, target, mark| {
        with_wrk(true, settings, target, mark)
    }),
    closed("keepalive-ab", "ab -k: requests on connections that stay, as many as go", |settings, target, mark| {
        with_ab(true, settings, target, mark)
    }),
    Load {
        name: "open",
        about: "new connections at a fixed rate, whether the server keeps up or not",
        questions: &["cpu_us_per_request", "p99_us"],
        closed: false,
        worker_connections: None,
        counts_delays: false,
        overhead: OVERHEAD,
        run: |settings, target, mark| {
            let before = Plan::open(settings.rate, settings.settle, !target.seed);
            Client::new(&before, target.server, target.timeout)?.go_beside(target.cpus)?;
            with_own_client(&Plan::open(settings.rate, settings.length, target.seed), target, mark)
        },
    },
    Load {
        name: "burst",
        about: "many connections at the same moment, and nothing between",
        questions: &["p50_us", "p99_us", "jain_requests", "errors"],
        closed: false,
        worker_connections: None,
        counts_delays: true,
        overhead: OVERHEAD,
        run: |settings, target, mark| {
            // At least one burst, however short the round.
            let gap = Duration::from_millis(100).min(settings.length);
            with_own_client(&Plan::burst(settings.burst, gap, settings.length), target, mark)
        },
    },
    Load {
        name: "minority",
        about: "one request in a hundred is for 8 MiB, some of these are read slowly; latency is that of the others",
        questions: &["p50_us", "p99_us", "errors"],
        closed: false,
        worker_connections: None,
        counts_delays: true,
        overhead: Duration::from_millis(1400),
        run: |settings, target, mark| {
            // On average each request is for a hundredth of 8 MiB: a quarter of the rate keeps one core busy, but not
            // full.
            with_own_client(&Plan::minority(settings.rate / 4.0, settings.length, target.seed), target, mark)
        },
    },
    Load {
        name: "idle",
        about: "many idle connections, and a trickle of requests on them",
        questions: &["cpu_us_per_request", "p99_us", "connection_kib", "errors"],
        closed: false,
        worker_connections: None,
        counts_delays: false,
        overhead: Duration::from_millis(250),
        run: |settings, target, mark| {
            with_own_client(&Plan::trickle(settings.idle, settings.rate, settings.length, target.seed), target, mark)
        },
    },
    Load {
        name: "storm",
        about: "more connections at once than all workers may have; each stays 200 ms after its answer",
        questions: &["p50_us", "p99_us", "errors"],
        closed: false,
        worker_connections: Some(STORM_CONNECTIONS),
        counts_delays: true,
        overhead: Duration::from_millis(400),
        run: |settings, target, mark| {
            let count = (STORM_CONNECTIONS * settings.workers) as usize + settings.surplus;
            with_own_client(&Plan::storm(count, STORM_HOLD), target, mark)
        },
    },
];

/// The load of that name. Error: there is none; says which one may have been meant.
pub(crate) fn find(name: &str) -> Result<&'static Load> {
    names::find(name, "load", LOADS, |load| load.name)
}

fn with_ab(
    keep_alive: bool,
    settings: &Settings,
    target: &Target<'_>,
    mark: &mut dyn FnMut(Mark),
) -> Result<ClientFigures> {
    match process::find("ab") {
        Some(program) => ab::run(&program, keep_alive, settings, target, mark),
        None => in_closed_loop(keep_alive, settings, target, mark),
    }
}

fn with_wrk(
    keep_alive: bool,
    settings: &Settings,
    target: &Target<'_>,
    mark: &mut dyn FnMut(Mark),
) -> Result<ClientFigures> {
    match process::find("wrk") {
        Some(program) => wrk::run(&program, keep_alive, settings, target, mark),
        None => in_closed_loop(keep_alive, settings, target, mark),
    }
}

/// Runs a plan with the lab's own client, on a thread of its own on the client's CPUs.
fn with_own_client(plan: &Plan, target: &Target<'_>, mark: &mut dyn FnMut(Mark)) -> Result<ClientFigures> {
    let client = Client::new(plan, target.server, target.timeout)?;
    mark(Mark::Begin);
    let run = client.go_beside(target.cpus)?;
    mark(Mark::End);
    Ok(figures(&run))
}

/// A closed loop of the lab's own client, where ab or wrk is missing.
fn in_closed_loop(
    keep_alive: bool,
    settings: &Settings,
    target: &Target<'_>,
    mark: &mut dyn FnMut(Mark),
) -> Result<ClientFigures> {
    let least = if keep_alive { least_to_settle(settings) } else { 0 };
    let plan = Plan::closed(settings.clients, keep_alive, Duration::MAX);
    let client = Client::new(&plan, target.server, target.timeout)?;
    let answered = client.answered();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| client.go_on(target.cpus));
        let begin = Instant::now();
        let settled = || {
            let (time, many) = (begin.elapsed(), answered.so_far() >= least);
            time >= settings.settle && (many || time >= settings.settle * 10)
        };
        while !settled() && !running.is_finished() {
            std::thread::sleep(Duration::from_millis(2));
        }
        mark(Mark::Begin);
        let from = answered.count_from_now();
        std::thread::sleep(settings.length);
        answered.stop();
        mark(Mark::End);
        Ok(figures(&join(running)?.since(from)))
    })
}
