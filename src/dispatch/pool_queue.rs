//! `pool_queue`: a dispatcher accepts, and puts each connection on one pair of sockets, from which all workers take: who is free takes
//! the next (a shared work queue).
//!
//! A worker without free slots stops reading the queue; one over 7/8 of its connections does as long as others are not.

use std::io;
use std::sync::Arc;

use super::pool::{Reading, passing_pool};
use super::{Kind, Model, Setup};

pub static KIND: Kind = Kind {
    name: "pool_queue",
    params: &[],
    about: "A dispatcher accepts, and puts each connection on a queue (SCM_RIGHTS) from which all workers take: who is free \
            takes the next.",
    make,
};

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    passing_pool(setup, Reading::Together)
}
