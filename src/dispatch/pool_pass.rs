//! `pool_pass`: a dispatcher accepts, and passes each connection to the worker of its choice, along that worker's
//! channel. In the field: the half-sync/half-reactive pattern of POSA2, the descriptor-passing server of UNPv1 30.9,
//! Node's cluster module (SCHED_RR).
//!
//! - `plan`: one dispatcher, `worker_processes` workers. Without a master, one worker that always listens.
//! - `life`: `Dispatcher::run` with `PassPolicy`; for a worker the event loop with the hooks `ChannelReader`.
//! - The loop: a worker watches its channel instead of the sockets.
//! - `child_died`: the master wakes the dispatcher and the workers. Connections in flight to a dead worker are its
//!   successor's.
//!
//! See `pool/` for messages, room and leaving.

use std::io;
use std::sync::Arc;

use super::model::{Model, ModelKind, Places, Setup};
use super::pool::{POLICY, Readers, passing_pool};

pub(super) static KIND: ModelKind = ModelKind {
    name: "pool_pass",
    params: &[POLICY],
    about: "A dispatcher accepts, and passes each connection to a worker (SCM_RIGHTS), chosen by `pool_policy`: \
            `round_robin`, `random`, `least_connections`, or `two_choices`: the less loaded of two taken at random.",
    places: Places::OfWorker,
    make,
};

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    passing_pool(setup, Readers::One)
}
