//! fault.json: the losses of clients when a process of a server is stopped, killed or slowed.

use serde::{Deserialize, Serialize};

/// The content of fault.json.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct FaultResults {
    pub schema: String,
    pub complete: bool,
    pub rate: f64,
    pub workers: u32,
    pub rows: Vec<FaultRow>,
}

/// The effect of a fault on a server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct FaultRow {
    pub side: String,
    pub fault: String,
    pub target: String,
    /// Why the fault was not injected: the model has no such process.
    pub skipped: Option<String>,
    /// Connections that were planned after the fault.
    pub connections: usize,
    /// How many of `connections` were not answered within 3 s, refused, or cut off.
    pub lost: usize,
    /// How many of `connections` were answered, but after more than 50 ms.
    pub delayed: usize,
    pub longest_ms: f64,
    /// From the fault until the last connection came that was lost or delayed; missing: until the load ended.
    pub recovered_ms: Option<f64>,
    /// Connections that were open and idle when the fault came, over all processes, and got a request after it.
    #[serde(default)]
    pub held: usize,
    /// How many of `held` got no answer within 3 s, or were cut off.
    #[serde(default)]
    pub held_lost: usize,
    /// How many times drover's lease let another process take the accept mutex from a silent holder.
    #[serde(default)]
    pub takeovers: u64,
    /// The longest wait before the fault, to compare with.
    pub before_ms: f64,
}
