//! What the server's side of a load costs: from /proc, from the kernel's socket diagnostics, and from the ledger.

mod accept_queue;
mod epoll_watchers;
mod figures;
mod ledger;
mod metrics;
// Shared with the tests of the server, which look for its sockets among as many others.
#[allow(dead_code, unreachable_pub)]
#[path = "../../../../tests/support/sock_diag.rs"]
mod sock_diag;

pub(crate) use accept_queue::AcceptQueue;
pub(crate) use epoll_watchers::epoll_watchers;
pub(crate) use figures::{Baseline, LoadFacts, ServerFigures};
pub(crate) use ledger::open as open_ledger;
pub(crate) use metrics::{Across, Better, METRICS, Metric, metric};
