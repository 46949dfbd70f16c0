//! `pool_queue`: a dispatcher accepts, and puts each connection on one channel, from which all workers take: a worker
//! that is free takes the next. In the field: the shared work queue of a thread pool, between processes.
//!
//! - `plan`: one dispatcher, `worker_processes` workers. Without a master, one worker that always listens.
//! - `life`: `Dispatcher::run` with `PassPolicy`; for a worker the event loop with the hooks `ChannelReader`.
//! - The loop: a worker watches the channel with EPOLLEXCLUSIVE. A worker without free slots stops watching it; a
//!   worker over 7/8 of its connections does so as long as others are below.
//! - `child_died`: the master wakes the dispatcher and the workers. Other workers take what is in flight.
//!
//! See `pool/` for messages, room and leaving.

use std::io;
use std::sync::Arc;

use super::model::{Model, ModelKind, Places, Setup};
use super::pool::{Readers, passing_pool};

pub(super) static KIND: ModelKind = ModelKind {
    name: "pool_queue",
    params: &[],
    about: "A dispatcher accepts, and puts each connection on a queue (SCM_RIGHTS) from which all workers take: who \
            is free takes the next.",
    places: Places::OfWorker,
    make,
};

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    passing_pool(setup, Readers::All)
}
