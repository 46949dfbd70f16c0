//! `pool_queue`: a dispatcher accepts, and puts each connection on one pair of sockets, from which all workers take: who is free takes
//! the next (a shared work queue).
//!
//! A worker without free slots stops reading the queue; one over 7/8 of its connections does as long as others are not.

use std::io;
use std::sync::Arc;

use super::herd::lone_worker;
use super::pool::{Chooser, Desk, Intake, Passing, Reading, Shared};
use super::{Kind, Life, Model, Seat, Setup};
use crate::shm::Role;

pub static KIND: Kind = Kind {
    name: "pool_queue",
    params: &[],
    about: "A dispatcher accepts, and puts each connection on a queue (SCM_RIGHTS) from which all workers take: who is free \
            takes the next.",
    make,
};

struct PoolQueue {
    shared: Arc<Shared>,
    chooser: Chooser,
}

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    if setup.is_alone {
        return Ok(lone_worker());
    }
    Ok(Arc::new(PoolQueue { shared: Arc::new(Shared::new(setup, 1)?), chooser: Chooser::new(setup) }))
}

impl Model for PoolQueue {
    fn plan(&self) -> Vec<Seat> {
        self.shared.plan()
    }

    fn life(&self, seat: Seat) -> Life {
        let (shared, chooser) = (self.shared.clone(), self.chooser.clone());
        match seat.role {
            Role::Worker => Life::Loop(Box::new(Intake::new(shared, seat.number, Reading::Together))),
            Role::Dispatcher => Life::Own(Box::new(move |post| {
                Desk::new(post, shared, chooser).map(|desk| desk.run(Passing::default()))
            })),
        }
    }

    fn child_died(&self, seat: Seat, _pid: u32) {
        self.shared.child_died(seat);
    }

    fn ended(&self) {
        self.shared.ended();
    }
}
