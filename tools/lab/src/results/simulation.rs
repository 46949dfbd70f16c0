//! simulation.json: the figures that `lab simulate` has calculated, and their errors where they could be measured.

use serde::{Deserialize, Serialize};

/// The content of simulation.json.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Simulation {
    pub schema: String,
    /// Always true: `rows` holds no measurement.
    pub simulated: bool,
    /// The number of CPUs of the measured servers: the effect of more is not checked.
    pub checked_cpus: usize,
    /// CPU time of the steps on this machine.
    pub costs: Vec<Cost>,
    /// Median time from client to server and back, part of every latency, µs.
    pub path_us: f64,
    /// Simulated and measured figures, at points that were not used for the calibration.
    pub checked: Vec<Checked>,
    /// Share of each worker's CPU that is busy.
    pub utilisation: f64,
    pub heavy: f64,
    pub heavy_factor: f64,
    pub rows: Vec<SimulatedRow>,
}

/// The CPU time of the steps under a model.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub model: String,
    #[serde(flatten)]
    pub costs: Costs,
}

/// The figures that are measured, simulated and compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// CPU time per request, µs.
    pub cpu_us: f64,
    /// Latency as clients see it, from the send to the first byte, of connections that are not heavy, µs.
    pub p50_us: f64,
    pub p99_us: f64,
    /// Jain's index of connections; `None` without workers.
    pub jain: Option<f64>,
}

impl Figures {
    /// All figures, in the order in which reports show them.
    pub(crate) fn all(&self) -> [Option<f64>; 4] {
        [Some(self.cpu_us), Some(self.p50_us), Some(self.p99_us), self.jain]
    }
}

/// The simulated figures of a model with a number of workers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct SimulatedRow {
    pub model: String,
    pub workers: usize,
    pub rate: f64,
    #[serde(flatten)]
    pub figures: Figures,
    /// More connections arrived than could be served: the latencies say only that.
    pub overloaded: bool,
    /// The latencies of an accept mutex with more workers than CPUs here are not checked: with more CPUs, workers that
    /// lost the mutex sleep while connections wait for them.
    pub unchecked_latency: bool,
}

/// A relative error over this makes a figure untrustworthy.
pub(crate) const TRUSTED: f64 = 0.35;

impl Checked {
    /// The relative errors |simulated - measured| / measured, in the order of `Figures::all`.
    pub(crate) fn errors(&self) -> [Option<f64>; 4] {
        let (simulated, measured) = (self.simulated.all(), self.measured.all());
        std::array::from_fn(|n| Some((simulated[n]? - measured[n]?).abs() / measured[n]?))
    }
}

impl Simulation {
    /// The greatest errors of the model of `row` where it was checked.
    pub(crate) fn errors_of(&self, row: &SimulatedRow) -> [Option<f64>; 4] {
        let checked = self.checked.iter().filter(|checked| checked.model == row.model);
        let [cpu, p50, p99, jain] = checked.map(Checked::errors).fold([None; 4], |worst, errors| {
            std::array::from_fn(|n| [worst[n], errors[n]].into_iter().flatten().reduce(f64::max))
        });
        // A check that failed on few CPUs is not mended by more of them.
        let failed = |error: Option<f64>| error.filter(|error| *error > TRUSTED);
        if row.unchecked_latency { [cpu, failed(p50), failed(p99), jain] } else { [cpu, p50, p99, jain] }
    }
}

/// The measured and simulated figures of a point.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Checked {
    pub model: String,
    pub workers: u32,
    /// Connections a second, and the share of heavy connections.
    pub rate: f64,
    pub heavy: f64,
    pub measured: Figures,
    pub simulated: Figures,
}

/// The CPU time of each step under a model, µs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Costs {
    /// A worker's steps for a connection: accept or take over, receive, send, close.
    pub serve: f64,
    /// Going to sleep and being woken.
    pub wake: f64,
    /// Being woken for nothing.
    pub spurious: f64,
    /// A dispatcher's steps for a connection.
    pub dispatch: f64,
    /// The additional cost of a heavy connection.
    pub heavy: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_check_counts_where_more_cpus_are_not_checked() {
        let figures = |p99_us| Figures { cpu_us: 10.0, p50_us: 100.0, p99_us, jain: None };
        let checked = Checked { measured: figures(100.0), simulated: figures(300.0), ..Checked::default() };
        let simulation = Simulation { checked: vec![checked], ..Simulation::default() };
        let errors =
            |unchecked_latency| simulation.errors_of(&SimulatedRow { unchecked_latency, ..SimulatedRow::default() });
        assert_eq!(errors(false), [Some(0.0), Some(0.0), Some(2.0), None]);
        assert_eq!(errors(true), [Some(0.0), None, Some(2.0), None]);
    }
}
