//! simulation.json: what `lab simulate` has calculated, and how far it was from what could be measured.

use serde::{Deserialize, Serialize};

/// simulation.json.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Simulation {
    pub schema: String,
    /// Always true: nothing in `rows` was measured.
    pub simulated: bool,
    /// CPUs that the servers had while they were measured: what more would change is not checked.
    pub checked_cpus: usize,
    /// CPU time of the steps on this machine.
    pub costs: Vec<Cost>,
    /// Median time from client to server and back, in all latencies, µs.
    pub path_us: f64,
    /// Simulated against measured, at points that nothing was calibrated with.
    pub checked: Vec<Checked>,
    /// Share of each worker's CPU that is busy.
    pub utilisation: f64,
    pub heavy: f64,
    pub heavy_factor: f64,
    pub rows: Vec<SimulatedRow>,
}

/// What the steps cost under one model.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub model: String,
    #[serde(flatten)]
    pub costs: Costs,
}

/// What is measured, simulated and compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// CPU time per request, µs.
    pub cpu_us: f64,
    /// As clients see it, from the send to the first byte, of connections that are not heavy.
    pub p50_us: f64,
    pub p99_us: f64,
    /// Jain's index of connections; `None` when there are no workers.
    pub jain: Option<f64>,
}

impl Figures {
    /// In the order in which they are shown.
    pub(crate) fn all(&self) -> [Option<f64>; 4] {
        [Some(self.cpu_us), Some(self.p50_us), Some(self.p99_us), self.jain]
    }
}

/// One model at one size. Simulated.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct SimulatedRow {
    pub model: String,
    pub workers: usize,
    pub rate: f64,
    #[serde(flatten)]
    pub figures: Figures,
    /// More arrived than could be served: latencies say nothing but that.
    pub overloaded: bool,
    /// With more CPUs than here, those that lost the accept mutex sleep while others could be served: the check can't see that.
    pub unchecked_latency: bool,
}

/// Over this, a figure is not to be trusted.
pub(crate) const TRUSTED: f64 = 0.35;

impl Checked {
    /// |simulated - measured| / measured, in the order of `Figures::all`.
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
        if row.unchecked_latency { [cpu, None, None, jain] } else { [cpu, p50, p99, jain] }
    }
}

/// One point, measured and simulated.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Checked {
    pub model: String,
    pub workers: u32,
    /// Connections a second, and the share of heavy ones.
    pub rate: f64,
    pub heavy: f64,
    pub measured: Figures,
    pub simulated: Figures,
}

/// CPU time of the steps under one model, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Costs {
    /// What a worker does for a connection: accept or take over, receive, send, close.
    pub serve: f64,
    /// Going to sleep and being woken.
    pub wake: f64,
    /// Being woken for nothing.
    pub spurious: f64,
    /// What a dispatcher does for a connection.
    pub dispatch: f64,
    /// What a heavy connection costs beyond the others.
    pub heavy: f64,
}
