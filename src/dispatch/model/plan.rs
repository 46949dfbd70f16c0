//! Which processes a model has: its seats.

use crate::shm::Role;

/// A place in a model's plan. A process has the seat, and when the process dies its successor gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seat {
    /// The kind of the process.
    pub role: Role,
    /// Number among those of the role, from 0.
    pub number: u32,
}

/// The plan of a model that has workers and no dispatcher.
pub(crate) fn workers(count: u32) -> Vec<Seat> {
    (0..count).map(|number| Seat { role: Role::Worker, number }).collect()
}

/// The plan of a model that has a dispatcher and workers.
pub(crate) fn dispatcher_and_workers(count: u32) -> Vec<Seat> {
    let mut seats = vec![Seat { role: Role::Dispatcher, number: 0 }];
    seats.extend(workers(count));
    seats
}

/// How many processes of a plan accept: the dispatchers, where there are any.
pub fn acceptors(plan: &[Seat]) -> u32 {
    let dispatchers = plan.iter().filter(|seat| seat.role == Role::Dispatcher).count();
    (if dispatchers > 0 { dispatchers } else { plan.len() }) as u32
}
