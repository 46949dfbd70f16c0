//! The events of a simulation that are still to come.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Events by their times.
pub(super) struct Agenda<E> {
    events: BinaryHeap<Reverse<Scheduled<E>>>,
    added: u64,
}

/// A scheduled event: time, number, event. Events of the same time come in the order of their numbers.
struct Scheduled<E>(f64, u64, E);

impl<E> Agenda<E> {
    pub(super) fn new() -> Agenda<E> {
        Agenda { events: BinaryHeap::new(), added: 0 }
    }

    pub(super) fn add(&mut self, time: f64, event: E) {
        self.added += 1;
        self.events.push(Reverse(Scheduled(time, self.added, event)));
    }

    /// The time of the next event; infinite when there is none.
    pub(super) fn next_time(&self) -> f64 {
        self.events.peek().map_or(f64::INFINITY, |Reverse(scheduled)| scheduled.0)
    }

    /// The next event, and its time.
    pub(super) fn take(&mut self) -> Option<(f64, E)> {
        self.events.pop().map(|Reverse(Scheduled(time, _, event))| (time, event))
    }
}

impl<E> PartialEq for Scheduled<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<E> Eq for Scheduled<E> {}

impl<E> PartialOrd for Scheduled<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Scheduled<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1))
    }
}
