//! fault.json: what became of connections when a process of a server stopped, died or crawled.

use serde::{Deserialize, Serialize};

/// fault.json.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct FaultResults {
    pub schema: String,
    pub complete: bool,
    pub rate: f64,
    pub workers: u32,
    pub rows: Vec<FaultRow>,
}

/// One fault in one server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct FaultRow {
    pub side: String,
    pub fault: String,
    pub target: String,
    /// Why it was not done: the model has no such process.
    pub skipped: Option<String>,
    /// Connections that were planned after the fault.
    pub connections: usize,
    /// Of these: not answered within 3 s, refused, or cut off.
    pub lost: usize,
    /// Of these: answered, but after more than 50 ms.
    pub delayed: usize,
    pub longest_ms: f64,
    /// From the fault until all is as before; missing: not within the time of observation.
    pub recovered_ms: Option<f64>,
    /// The longest wait before the fault, to compare with.
    pub before_ms: f64,
}
