//! The loads: one entry each.

use std::time::Duration;

use anyhow::Result;

use super::client::{Client, join};
use super::figures::{ClientFigures, figures};
use super::plan::Plan;
use super::settings::{Settings, Target};
use super::{ab, wrk};
use crate::{names, process};

/// A load: its name, its questions, and how it is run.
pub(crate) struct Load {
    pub name: &'static str,
    pub about: &'static str,
    /// The figures that verdicts are given on.
    pub questions: &'static [&'static str],
    /// The `worker_connections` that the load needs; otherwise plenty.
    pub worker_connections: Option<u32>,
    /// Whether drover counts how long connections wait for their accept. Counting costs a system call per connection:
    /// not for loads whose question is CPU time.
    pub counts_delays: bool,
    /// The time that a measurement takes beside the length of the load: preparing it, and waiting for the last answer.
    pub overhead: Duration,
    /// Runs the load. Calls `ready` when everything is prepared, just before the load begins.
    pub run: fn(&Settings, &Target<'_>, ready: &mut dyn FnMut()) -> Result<ClientFigures>,
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

pub(crate) static LOADS: &[Load] = &[
    Load {
        name: "short",
        about: "a connection for each request, as many as go",
        questions: &["cpu_us_per_request", "rate"],
        worker_connections: None,
        counts_delays: false,
        overhead: OVERHEAD,
        run: |settings, target, ready| match process::find("ab") {
            Some(ab) => {
                ready();
                ab::run(&ab, settings, target)
            }
            None => with_own_client(&Plan::closed(settings.clients, false, settings.length), target, ready),
        },
    },
    Load {
        name: "keepalive",
        about: "requests on connections that stay, as many as go",
        questions: &["cpu_us_per_request", "rate"],
        worker_connections: None,
        counts_delays: false,
        overhead: OVERHEAD,
        run: |settings, target, ready| match process::find("wrk") {
            Some(wrk) => {
                ready();
                wrk::run(&wrk, settings, target)
            }
            None => with_own_client(&Plan::closed(settings.clients, true, settings.length), target, ready),
        },
    },
    Load {
        name: "open",
        about: "new connections at a fixed rate, whether the server keeps up or not",
        questions: &["cpu_us_per_request", "p99_us"],
        worker_connections: None,
        counts_delays: false,
        overhead: OVERHEAD,
        run: |settings, target, ready| {
            with_own_client(&Plan::open(settings.rate, settings.length, target.seed), target, ready)
        },
    },
    Load {
        name: "burst",
        about: "many connections at the same moment, and nothing between",
        questions: &["p50_us", "p99_us", "jain_requests", "errors"],
        worker_connections: None,
        counts_delays: true,
        overhead: OVERHEAD,
        run: |settings, target, ready| {
            // At least one burst, however short the round.
            let gap = Duration::from_millis(100).min(settings.length);
            with_own_client(&Plan::burst(settings.burst, gap, settings.length), target, ready)
        },
    },
    Load {
        name: "minority",
        about: "one request in a hundred is for 8 MiB, some of these are read slowly; latency is that of the others",
        questions: &["p50_us", "p99_us", "errors"],
        worker_connections: None,
        counts_delays: true,
        overhead: Duration::from_millis(1400),
        run: |settings, target, ready| {
            // On average each request is for a hundredth of 8 MiB: a quarter of the rate keeps one core busy, but not
            // full.
            with_own_client(&Plan::minority(settings.rate / 4.0, settings.length, target.seed), target, ready)
        },
    },
    Load {
        name: "idle",
        about: "many idle connections, and a trickle of requests on them",
        questions: &["cpu_us_per_request", "p99_us", "connection_kib", "errors"],
        worker_connections: None,
        counts_delays: false,
        overhead: Duration::from_millis(250),
        run: |settings, target, ready| {
            with_own_client(&Plan::trickle(settings.idle, settings.rate, settings.length, target.seed), target, ready)
        },
    },
    Load {
        name: "storm",
        about: "more connections at once than all workers may have; each stays 200 ms after its answer",
        questions: &["p50_us", "p99_us", "errors"],
        worker_connections: Some(STORM_CONNECTIONS),
        counts_delays: true,
        overhead: Duration::from_millis(400),
        run: |settings, target, ready| {
            let count = (STORM_CONNECTIONS * settings.workers) as usize + settings.surplus;
            with_own_client(&Plan::storm(count, STORM_HOLD), target, ready)
        },
    },
];

/// The load of that name. Error: there is none; says which one may have been meant.
pub(crate) fn find(name: &str) -> Result<&'static Load> {
    names::find(name, "load", LOADS, |load| load.name)
}

/// Runs a plan with the lab's own client, on a thread of its own on the client's CPUs.
fn with_own_client(plan: &Plan, target: &Target<'_>, ready: &mut dyn FnMut()) -> Result<ClientFigures> {
    let client = Client::new(plan, target.server, target.timeout)?;
    ready();
    let run = std::thread::scope(|scope| join(scope.spawn(|| client.go_on(target.cpus))))?;
    Ok(figures(&run))
}
