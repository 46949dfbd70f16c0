//! `pool_pass`: a dispatcher accepts, and passes each connection to the worker of its choice, along that worker's pair of sockets
//! (half-sync/half-reactor).

use std::io;
use std::sync::Arc;

use super::herd::lone_worker;
use super::pool::{Chooser, Desk, Intake, POLICY, Passing, Reading, Shared};
use super::{Kind, Life, Model, Seat, Setup};
use crate::shm::Role;

pub static KIND: Kind = Kind {
    name: "pool_pass",
    params: &[POLICY],
    about: "A dispatcher accepts, and passes each connection to a worker (SCM_RIGHTS), chosen by `pool_policy`: \
            `round_robin`, `random`, `least_connections`, or `two_choices`: the less loaded of two taken at random.",
    make,
};

struct PoolPass {
    shared: Arc<Shared>,
    chooser: Chooser,
}

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    if setup.is_alone {
        return Ok(lone_worker());
    }
    Ok(Arc::new(PoolPass { shared: Arc::new(Shared::new(setup, setup.workers)?), chooser: Chooser::new(setup) }))
}

impl Model for PoolPass {
    fn plan(&self) -> Vec<Seat> {
        self.shared.plan()
    }

    fn life(&self, seat: Seat) -> Life {
        let (shared, chooser) = (self.shared.clone(), self.chooser.clone());
        match seat.role {
            Role::Worker => Life::Loop(Box::new(Intake::new(shared, seat.number, Reading::Alone))),
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
