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
    /// From the fault until connections are neither lost nor delayed; missing: not while the load lasted.
    pub recovered_ms: Option<f64>,
    /// The longest wait before the fault, to compare with.
    pub before_ms: f64,
}
