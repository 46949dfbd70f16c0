//! The client's side of a measurement, summed up.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::outcome::{Ending, Run};

/// The client's side of a measurement. Times are in microseconds; figures that a tool does not report are missing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ClientFigures {
    /// The tool: ab, wrk or lab.
    pub tool: String,
    pub requests: u64,
    pub errors: u64,
    pub refused: u64,
    pub reset: u64,
    pub timed_out: u64,
    pub seconds: f64,
    /// Answered requests a second.
    pub rate: f64,
    /// Pairs (share of requests, no slower than this). The lab's own client counts from the planned send to the first
    /// byte, ab and wrk as they define it.
    pub quantiles: Vec<(f64, f64)>,
    pub mean_us: Option<f64>,
    /// The client's CPU time as a share of the elapsed time: over 0.9 the client was the bottleneck.
    pub cpu_share: f64,
    /// The 99th percentile of the delay of the lab's own client behind its plan.
    pub late_p99_us: Option<f64>,
    /// Connections opened while the load ran.
    pub connections: u64,
    /// Connections that were open all along.
    pub idle: u64,
    /// All latencies in tenths of a microsecond, when the tool reports each.
    #[serde(skip)]
    pub latencies: Option<Histogram<u64>>,
}

impl ClientFigures {
    /// The latency below which the share `q` of the requests lies, if that was measured.
    pub(crate) fn quantile(&self, q: f64) -> Option<f64> {
        self.quantiles.iter().find(|(share, _)| (share - q).abs() < 1e-9).map(|(_, us)| *us)
    }
}

/// The shares at which distributions are kept.
pub(crate) const SHARES: &[f64] = &[
    0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999, 0.9999, 1.0,
];

/// Sums up a run of the lab's own client.
pub(crate) fn figures(run: &Run) -> ClientFigures {
    let mut latency = histogram();
    let mut late = histogram();
    let mut sums = ClientFigures { tool: "lab".into(), ..ClientFigures::default() };
    for outcome in &run.outcomes {
        sums.requests += 1;
        match outcome.ending {
            Ending::Answered => {}
            Ending::Refused => sums.refused += 1,
            Ending::Reset | Ending::Closed => sums.reset += 1,
            Ending::TimedOut => sums.timed_out += 1,
            Ending::Status(_) | Ending::BadAnswer | Ending::Other => {}
        }
        sums.errors += u64::from(outcome.ending != Ending::Answered);
        if let (Some(time), true) = (outcome.first_byte, outcome.counts) {
            latency.record(time.as_nanos() as u64 / 100).ok();
        }
    }
    run.late.iter().for_each(|time| late.record(time.as_nanos() as u64 / 100).unwrap_or(()));
    sums.seconds = run.elapsed.as_secs_f64();
    sums.rate = (sums.requests - sums.errors) as f64 / sums.seconds.max(1e-9);
    if !latency.is_empty() {
        sums.quantiles = quantiles(&latency);
        sums.mean_us = Some(latency.mean() / 10.0);
    }
    sums.late_p99_us = (!late.is_empty()).then(|| late.value_at_quantile(0.99) as f64 / 10.0);
    sums.cpu_share = run.cpu.as_secs_f64() / sums.seconds.max(1e-9);
    (sums.connections, sums.idle) = (run.opened, run.idle);
    sums.latencies = Some(latency);
    sums
}

/// Quantiles of latencies that are in tenths of a microsecond: pairs (share of requests, no slower than this in µs).
pub(crate) fn quantiles(latencies: &Histogram<u64>) -> Vec<(f64, f64)> {
    // With too few requests for a share, its quantile would only repeat the maximum.
    let shown = SHARES.iter().filter(|q| **q == 1.0 || (1.0 - **q) * latencies.len() as f64 >= 1.0);
    shown.map(|q| (*q, latencies.value_at_quantile(*q) as f64 / 10.0)).collect()
}

/// An empty histogram of tenths of a microsecond with three digits; it grows with its values.
pub(crate) fn histogram() -> Histogram<u64> {
    let mut histogram = Histogram::new(3).unwrap_or_else(|_| unreachable!("three digits are valid"));
    histogram.auto(true);
    histogram
}
