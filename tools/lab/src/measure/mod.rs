//! The server's side of a load: its costs, from /proc, the kernel's socket diagnostics and the ledger.

mod accept_queue;
mod epoll_watchers;
mod figures;
mod ledger;
mod machine;
mod metrics;
// The tests of the server use the same file, more of it, and need its items public.
#[allow(dead_code, unreachable_pub)]
#[path = "../../../../tests/support/sock_diag.rs"]
mod sock_diag;

pub(crate) use accept_queue::AcceptQueue;
pub(crate) use epoll_watchers::epoll_watchers;
pub(crate) use figures::{Baseline, LoadFacts, ServerFigures};
pub(crate) use ledger::open as open_ledger;
pub(crate) use machine::{MachineTime, Others};
pub(crate) use metrics::{Across, Better, METRICS, Metric, metric};
