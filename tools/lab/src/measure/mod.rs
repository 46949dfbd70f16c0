//! What the server's side of a load costs: from /proc, from the kernel's socket diagnostics, and from the ledger.

mod figures;
mod ledger;
mod listen_queue;
mod listeners;
mod metrics;
// Shared with the tests of the server, which look for its sockets among as many others.
#[allow(dead_code)]
#[path = "../../../../tests/support/sock_diag.rs"]
mod sock_diag;
mod tree;

pub use figures::{Before, Seen, ServerFigures};
pub use ledger::open as open_ledger;
pub use listen_queue::ListenQueue;
pub use listeners::listeners;
pub use metrics::{Across, Better, METRICS, Metric, metric};
pub use tree::{memory_kib, tree};
