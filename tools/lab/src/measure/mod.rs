//! What the server's side of a load costs: from /proc, from the kernel's socket diagnostics, and from the ledger.

mod figures;
mod ledger;
mod listen_queue;
mod listeners;
mod metrics;
// Shared with the tests of the server, which look for its sockets among as many others.
#[allow(dead_code, unreachable_pub)]
#[path = "../../../../tests/support/sock_diag.rs"]
mod sock_diag;

pub(crate) use figures::{Before, Seen, ServerFigures};
pub(crate) use ledger::open as open_ledger;
pub(crate) use listen_queue::ListenQueue;
pub(crate) use listeners::listeners;
pub(crate) use metrics::{Across, Better, METRICS, Metric, metric};
