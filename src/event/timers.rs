//! Deadlines of connections: a heap with lazy updates.
//!
//! A busy connection moves its deadline with every request, nearly always to a later time. That is one store here: the
//! entry in the heap stays where it is, and is moved when it comes up (nginx's NGX_TIMER_LAZY_DELAY is the same idea,
//! for moves of less than 300 ms).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

const NEVER: u64 = u64::MAX;

/// The earlier of two times; `None`: never.
pub fn earlier(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// A deadline for each slot, in milliseconds of any clock. Keys are those of `Slots`.
#[derive(Debug, Default)]
pub struct Timers {
    /// By index of the slot.
    deadlines: Vec<Deadline>,
    heap: BinaryHeap<Reverse<(u64, u32)>>,
}

#[derive(Clone, Copy, Debug)]
struct Deadline {
    key: u64,
    /// When the timer runs out; `NEVER` when it is not set.
    at: u64,
    /// INVARIANT: the heap has an entry for this time unless it is `NEVER`; other entries of this slot are dead. The
    /// entry is kept when the slot changes hands, so that short connections leave no trail of entries behind.
    queued: u64,
}

impl Timers {
    /// No timers; room for those of `capacity` slots, whose memory is touched when it is first used: a table that grows
    /// leaves its former self in the heap.
    pub fn new(capacity: usize) -> Timers {
        Timers { deadlines: Vec::with_capacity(capacity), heap: BinaryHeap::with_capacity(capacity) }
    }

    /// Sets or moves the deadline of `key`.
    pub fn set(&mut self, key: u64, at_ms: u64) {
        let index = key as u32;
        if self.deadlines.len() <= index as usize {
            self.deadlines.resize(index as usize + 1, Deadline { key: 0, at: NEVER, queued: NEVER });
        }
        let Some(deadline) = self.deadlines.get_mut(index as usize) else { return };
        (deadline.key, deadline.at) = (key, at_ms);
        if at_ms < deadline.queued {
            deadline.queued = at_ms;
            self.heap.push(Reverse((at_ms, index)));
            // Deadlines that again and again move to an earlier time leave dead entries; they must not pile up.
            if self.heap.len() > 64 + 4 * self.deadlines.len() {
                self.rebuild();
            }
        }
    }

    /// Forgets the deadline of `key`.
    pub fn cancel(&mut self, key: u64) {
        if let Some(deadline) = self.deadlines.get_mut(key as u32 as usize).filter(|d| d.key == key) {
            deadline.at = NEVER;
        }
    }

    /// A time no later than the earliest deadline; `None`: no timer is set.
    pub fn next(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes a timer that has run out by `now_ms`. To be called until it returns `None`.
    pub fn expire(&mut self, now_ms: u64) -> Option<u64> {
        while let Some(&Reverse((queued, index))) = self.heap.peek() {
            if queued > now_ms {
                return None;
            }
            self.heap.pop();
            let Some(deadline) = self.deadlines.get_mut(index as usize).filter(|d| d.queued == queued) else {
                continue;
            };
            if deadline.at <= now_ms {
                (deadline.at, deadline.queued) = (NEVER, NEVER);
                return Some(deadline.key);
            }
            deadline.queued = deadline.at;
            if deadline.at != NEVER {
                self.heap.push(Reverse((deadline.at, index)));
            }
        }
        None
    }

    fn rebuild(&mut self) {
        self.heap.clear();
        for (index, deadline) in self.deadlines.iter_mut().enumerate() {
            deadline.queued = deadline.at;
            if deadline.at != NEVER {
                self.heap.push(Reverse((deadline.at, index as u32)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn due(timers: &mut Timers, now: u64) -> Vec<u64> {
        std::iter::from_fn(|| timers.expire(now)).collect()
    }

    #[test]
    fn a_time_is_earlier_than_never() {
        assert_eq!(earlier(Some(1), Some(2)), Some(1));
        assert_eq!(earlier(Some(2), Some(1)), Some(1));
        assert_eq!((earlier(None, Some(3)), earlier(Some(3), None), earlier(None, None)), (Some(3), Some(3), None));
    }

    #[test]
    fn timers_run_out_in_order_and_once() {
        let mut timers = Timers::new(4);
        for (key, at) in [(1, 30), (2, 10), (3, 20)] {
            timers.set(key, at);
        }
        assert_eq!(timers.next(), Some(10));
        assert!(due(&mut timers, 9).is_empty());
        assert_eq!(due(&mut timers, 20), [2, 3]);
        assert!(due(&mut timers, 20).is_empty());
        assert_eq!(due(&mut timers, 99), [1]);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_later_deadline_costs_no_heap_entry() {
        let mut timers = Timers::new(1);
        for at in 100..10_000 {
            timers.set(7, at);
        }
        assert_eq!(timers.heap.len(), 1);
        assert_eq!((due(&mut timers, 9_998), timers.next()), (vec![], Some(9_999)));
        assert_eq!(due(&mut timers, 9_999), [7]);
    }

    #[test]
    fn an_earlier_deadline_wins() {
        let mut timers = Timers::new(1);
        timers.set(7, 100);
        timers.set(7, 50);
        assert_eq!(due(&mut timers, 60), [7]);
        assert!(due(&mut timers, 200).is_empty());
    }

    #[test]
    fn a_slot_that_changes_hands_has_one_entry() {
        let mut timers = Timers::new(1);
        for generation in 1..1000_u64 {
            let key = generation << 32;
            timers.set(key, 1000 + generation);
            timers.cancel(key);
            timers.cancel(key - (1 << 32));
        }
        assert_eq!(timers.heap.len(), 1);
        timers.set(5000 << 32, 1500);
        assert_eq!(due(&mut timers, 3000), [5000 << 32]);
    }

    #[test]
    fn dead_entries_do_not_pile_up() {
        let mut timers = Timers::new(1);
        for at in (1..100_000).rev() {
            timers.set(7, at);
        }
        assert!(timers.heap.len() <= 68);
        assert_eq!(due(&mut timers, 1), [7]);
        assert!(due(&mut timers, u64::MAX - 1).is_empty());
    }

    proptest! {
        /// The timers behave as a plain list of deadlines.
        #[test]
        fn behaves_as_a_list(steps in prop::collection::vec((0..6_u8, 0..5_u64, 0..50_u64), 1..300)) {
            let (mut timers, mut list, mut now) = (Timers::new(5), std::collections::BTreeMap::new(), 0);
            for (step, key, ms) in steps {
                match step {
                    0..=2 => {
                        timers.set(key, now + ms);
                        list.insert(key, now + ms);
                    }
                    3 => {
                        timers.cancel(key);
                        list.remove(&key);
                    }
                    _ => {
                        now += ms;
                        let mut fired = due(&mut timers, now);
                        fired.sort_unstable();
                        let due = list.iter().filter(|(_, at)| **at <= now);
                        let expected: Vec<u64> = due.map(|(key, _)| *key).collect();
                        list.retain(|_, at| *at > now);
                        prop_assert_eq!(fired, expected);
                    }
                }
                if let Some(first) = list.values().min() {
                    prop_assert!(timers.next().is_some_and(|at| at <= *first));
                }
            }
        }
    }
}
