//! machines.json: what `lab simulate --machines` has calculated for machines behind a balancer.

use serde::{Deserialize, Serialize};

use super::simulation::{Checked, Costs, TRUSTED};

/// The content of machines.json.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Machines {
    pub schema: String,
    /// Always true: `growth`, `restarts` and `uneven` hold no measurement.
    pub simulated: bool,
    /// The model of every machine, its workers and CPUs.
    pub model: String,
    pub workers: usize,
    pub machine_cpus: usize,
    /// The number of CPUs of the measured server.
    pub checked_cpus: usize,
    pub costs: Costs,
    /// Median time from the client to a server and back, part of every latency, µs.
    pub path_us: f64,
    /// Simulated and measured figures of one machine, at points that were not used for the calibration.
    pub checked: Vec<Checked>,
    pub balancer: BalancerNotes,
    /// From the balancer to a machine and back: an assumption, µs.
    pub network_us: f64,
    pub policies: Vec<String>,
    /// Share of each machine's CPUs that is busy when all serve.
    pub utilisation: f64,
    pub heavy: f64,
    pub heavy_factor: f64,
    /// The settings of the balancer's checks, seconds.
    pub health: Health,
    /// How many seconds of a restart are looked at, and how long a server is gone.
    pub window: f64,
    pub down: f64,
    pub notes: Vec<String>,
    pub growth: Vec<GrowthRow>,
    pub restarts: Vec<RestartRow>,
    pub uneven: Vec<UnevenRow>,
}

/// The balancer and what it costs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct BalancerNotes {
    /// The version of the HAProxy that was measured; `None`: the cost was given.
    pub version: Option<String>,
    pub threads: usize,
    /// With a connection for each request: what is simulated.
    pub short: BalancerCost,
    /// With connections that stay; for the limit only.
    pub kept: Option<BalancerCost>,
}

/// CPU time of the balancer for a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BalancerCost {
    /// When it always has something to do, µs.
    pub busy_us: f64,
    /// To go to sleep and to wake, when it has not, µs.
    pub wake_us: f64,
    /// A rate that was not used for the calibration, and what was measured and calculated there; `None`: not measured.
    pub checked: Option<BalancerCheck>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BalancerCheck {
    pub rate: f64,
    pub measured_us: f64,
    pub simulated_us: f64,
}

/// The settings of the balancer that decide what a restart costs, in seconds where they are times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Health {
    pub inter: f64,
    pub fastinter: f64,
    pub downinter: f64,
    /// `timeout check`.
    pub timeout: f64,
    pub fall: u32,
    pub rise: u32,
    pub slowstart: f64,
    pub retries: u32,
}

/// So many machines under a policy.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct GrowthRow {
    pub policy: String,
    pub machines: usize,
    pub rate: f64,
    /// Share of the balancer's threads that is busy; over 1: it would have to be.
    pub balancer_busy: f64,
    /// Threads that keep the balancer at 70 % at most.
    pub threads_needed: usize,
    pub p50_us: f64,
    pub p99_us: f64,
    /// More arrives than can be served: the latencies say only that.
    pub overloaded: bool,
}

/// A restart of one of the machines.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RestartRow {
    /// `drained`, `killed` or `stopped`.
    pub kind: String,
    pub policy: String,
    pub machines: usize,
    pub rate: f64,
    /// Before it, and of the requests of the window that begins with it.
    pub p99_before_us: f64,
    pub p99_us: f64,
    pub longest_us: f64,
    /// Requests that were on the machine when it failed.
    pub on_it: usize,
    /// Requests that were sent to another machine after it had failed them, and requests that got no answer.
    pub again: usize,
    pub lost: usize,
    /// From the beginning until the balancer sent it nothing more, and until it sent to it again, s.
    pub seen_s: Option<f64>,
    pub back_s: Option<f64>,
    /// The other machines could not serve what came meanwhile.
    pub overloaded: bool,
}

/// Machines of which the first has half the speed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct UnevenRow {
    pub policy: String,
    pub machines: usize,
    pub rate: f64,
    pub p99_even_us: f64,
    pub p99_us: f64,
    /// The share of the requests that the slow one got, of what the others got each.
    pub slow_share: f64,
    pub overloaded: bool,
}

impl BalancerCost {
    /// The cost at a rate at which one thread sleeps now and then, µs.
    pub(crate) fn at(&self, rate: f64) -> f64 {
        ((self.busy_us + self.wake_us) / (1.0 + rate * self.wake_us / 1e6)).max(self.busy_us)
    }

    /// The relative error of the check.
    pub(crate) fn error(&self) -> Option<f64> {
        let check = self.checked?;
        Some((check.simulated_us - check.measured_us).abs() / check.measured_us)
    }

    /// Whether the check has found an error that makes the figure worthless.
    pub(crate) fn has_failed(&self) -> bool {
        self.error().is_some_and(|error| error.is_nan() || error > TRUSTED)
    }

    /// Requests a second that one thread can pass on.
    pub(crate) fn limit(&self) -> f64 {
        1e6 / self.busy_us.max(1e-3)
    }
}

impl Machines {
    /// The greatest errors of CPU time, p50 and p99 of one machine where it was checked.
    pub(crate) fn errors(&self) -> [Option<f64>; 3] {
        self.checked.iter().map(Checked::errors).fold([None; 3], |worst, errors| {
            std::array::from_fn(|n| [worst[n], errors[n]].into_iter().flatten().reduce(f64::max))
        })
    }

    /// Whether counts, p50 and p99 can't be trusted: their check failed, or that of a cost that they follow from.
    pub(crate) fn failed(&self) -> [bool; 3] {
        let failed = |error: Option<f64>| error.is_some_and(|error| error.is_nan() || error > TRUSTED);
        let [cpu, p50, p99] = self.errors().map(failed);
        let costs = cpu || self.balancer.short.has_failed();
        [costs, costs || p50, costs || p99]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Figures;

    #[test]
    fn a_cost_lies_between_always_awake_and_always_asleep() {
        let cost = BalancerCost { busy_us: 40.0, wake_us: 20.0, checked: None };
        assert_eq!((cost.at(0.0), cost.limit()), (60.0, 25_000.0));
        // At 10,000 a second it is busy for half the time: asleep for the other half.
        assert_eq!(cost.at(10_000.0), 50.0);
        assert_eq!(cost.at(1e6), 40.0);
    }

    #[test]
    fn a_failed_check_of_a_cost_fails_what_follows_from_it() {
        let figures = |cpu_us, p99_us| Figures { cpu_us, p50_us: 100.0, p99_us, jain: None };
        let checked = |cpu_us, p99_us| Machines {
            checked: vec![Checked {
                measured: figures(10.0, 100.0),
                simulated: figures(cpu_us, p99_us),
                ..Checked::default()
            }],
            ..Machines::default()
        };
        assert_eq!(checked(12.0, 120.0).failed(), [false, false, false]);
        assert_eq!(checked(10.0, 200.0).failed(), [false, false, true]);
        assert_eq!(checked(20.0, 100.0).failed(), [true, true, true]);
        let mut costly = checked(10.0, 100.0);
        costly.balancer.short.checked = Some(BalancerCheck { rate: 1.0, measured_us: 10.0, simulated_us: 20.0 });
        assert_eq!(costly.failed(), [true, true, true]);
    }
}
