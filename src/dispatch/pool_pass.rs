//! `pool_pass`: a dispatcher accepts, and passes each connection to the worker of its choice, along that worker's pair of sockets
//! (half-sync/half-reactor).

use std::io;
use std::sync::Arc;

use super::pool::{POLICY, Reading, passing_pool};
use super::{Kind, Model, Setup};

pub static KIND: Kind = Kind {
    name: "pool_pass",
    params: &[POLICY],
    about: "A dispatcher accepts, and passes each connection to a worker (SCM_RIGHTS), chosen by `pool_policy`: \
            `round_robin`, `random`, `least_connections`, or `two_choices`: the less loaded of two taken at random.",
    make,
};

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    passing_pool(setup, Reading::Alone)
}
