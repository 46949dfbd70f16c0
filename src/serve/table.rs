//! The connections of a driver: each in a slot, with a timer. Eviction and drain, which are the same for all drivers.

use super::connection::{Conn, LULL_MS, Reusable, Unfinished};
use super::reusable::ReusableList;
use super::shortage::{Capacity, Shortage, count_reused};
use crate::event::{Slots, Timers};
use crate::shm::Tally;

/// nginx closes at most this many connections at a time to make room (`ngx_drain_connections`).
const MAX_EVICTED: usize = 32;

/// A driver's record of a connection, kept in a slot.
pub(super) trait Record {
    /// The connection; `None` while a thread has it in hand.
    fn conn(&mut self) -> Option<&mut Conn>;

    /// The loss of its client if it were closed now.
    fn unfinished(&mut self) -> Unfinished {
        self.conn().map_or(Unfinished::Nothing, |conn| conn.unfinished())
    }
}

/// Connections in their slots, with their timers and the order in which they may be closed for others.
#[derive(Debug)]
pub(super) struct Table<T> {
    slots: Slots<T>,
    timers: Timers,
    reusable: ReusableList,
    /// The idle connections with a `keepalive_min_timeout`, and when they join `reusable`.
    held: Timers,
    of_slots: Shortage,
    of_descriptors: Shortage,
    is_full: bool,
}

impl<T: Record> Table<T> {
    pub(crate) fn new(capacity: Capacity) -> Table<T> {
        Table {
            slots: Slots::new(capacity.connections),
            timers: Timers::new(capacity.connections),
            reusable: ReusableList::new(capacity.connections),
            held: Timers::default(),
            of_slots: Shortage::of(capacity.of),
            of_descriptors: Shortage::of("descriptors"),
            is_full: false,
        }
    }

    /// Puts a connection into a free slot; it comes back when there is none.
    pub(crate) fn insert(&mut self, value: T) -> Result<u64, T> {
        self.slots.insert(value)
    }

    pub(crate) fn get_mut(&mut self, key: u64) -> Option<&mut T> {
        self.slots.get_mut(key)
    }

    /// Takes a connection out; nothing happens when it is gone.
    pub(crate) fn remove(&mut self, key: u64) {
        self.set_busy(key);
        self.timers.cancel(key);
        self.slots.remove(key);
        self.is_full &= self.is_short();
    }

    /// Sets when the wait for the client is over, ms of the clock.
    pub(crate) fn set_deadline(&mut self, key: u64, at_ms: u64) {
        self.timers.set(key, at_ms);
    }

    /// Takes a connection whose deadline has passed by `now_ms`. To be called until it returns `None`.
    pub(crate) fn expire(&mut self, now_ms: u64) -> Option<u64> {
        self.timers.expire(now_ms)
    }

    /// A time no later than the first deadline, ms of the clock.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.timers.next()
    }

    /// Notes that the connection waits for a request, or for the client's end: from `from_ms` on it may be closed for
    /// another.
    pub(crate) fn set_reusable(&mut self, key: u64, from: Reusable) {
        match from {
            Reusable::From(from_ms) => self.reusable.push(key, from_ms),
            Reusable::HeldUntil(until_ms) => self.held.set(key, until_ms),
        }
    }

    /// Notes that the connection may not be closed for another any more, or not while a thread has it in hand.
    pub(crate) fn set_busy(&mut self, key: u64) {
        self.reusable.remove(key);
        self.held.cancel(key);
    }

    pub(crate) fn keys(&self) -> Vec<u64> {
        self.slots.keys().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn free(&self) -> usize {
        self.slots.free()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// From when on a connection may be closed for another, ms of the clock; `None`: none may.
    pub(crate) fn room_from(&self) -> Option<u64> {
        let oldest = self.reusable.oldest().map(|(_, from)| from);
        [oldest, self.held.next()].into_iter().flatten().min()
    }

    /// Closes some connections, when less than a sixteenth of the slots is free.
    pub(crate) fn make_room(&mut self, now_ms: u64, tally: &Tally) {
        if self.is_short() {
            let count = self.evict(now_ms);
            count_reused(count, tally, Some(&self.of_slots), now_ms);
        }
    }

    fn is_short(&self) -> bool {
        self.free() <= self.capacity() / 16
    }

    /// Whether others wait, and too few connections could be closed for them: clients that get their answer are to make
    /// room.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Closes some connections: no descriptor is left. False: there were none to be closed.
    pub(crate) fn release_descriptors(&mut self, now_ms: u64, tally: &Tally) -> bool {
        let count = self.evict(now_ms);
        count_reused(count, tally, Some(&self.of_descriptors), now_ms);
        count > 0
    }

    /// Closes some connections: memory has run out. False: there were none to be closed.
    pub(crate) fn release_memory(&mut self, now_ms: u64, tally: &Tally) -> bool {
        let count = self.evict(now_ms);
        count_reused(count, tally, None, now_ms);
        count > 0
    }

    /// Closes some of the connections that wait for a request or for the client's end, the oldest first
    /// (`ngx_drain_connections`). Returns how many.
    fn evict(&mut self, now_ms: u64) -> u64 {
        while let Some(key) = self.held.expire(now_ms) {
            self.reusable.push(key, now_ms);
        }
        let most = (self.reusable.len() / 8).clamp(1, MAX_EVICTED);
        let mut count = 0;
        while count < most as u64
            && let Some((key, from)) = self.reusable.oldest()
            && from <= now_ms
        {
            match self.slots.get_mut(key).map_or(Unfinished::Nothing, Record::unfinished) {
                Unfinished::Nothing => {
                    if let Some(conn) = self.slots.get_mut(key).and_then(Record::conn) {
                        conn.say_goodbye();
                    }
                    self.remove(key);
                    count += 1;
                }
                // The event of that request is on the way.
                Unfinished::Request => self.reusable.remove(key),
                Unfinished::Answer => self.reusable.push(key, now_ms + LULL_MS),
            }
        }
        self.is_full = count == 0 || self.is_short();
        count
    }

    /// A graceful shutdown begins: kept-alive connections are given `LULL_MS` for another request,
    /// those of HTTP/2 are told.
    pub(crate) fn drain(&mut self, now_ms: u64) {
        for key in self.keys() {
            if let Some(conn) = self.slots.get_mut(key).and_then(Record::conn)
                && conn.shorten_idle(now_ms + LULL_MS)
            {
                self.timers.set(key, conn.deadline_ms);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shm::{Ledger, Role};

    impl Record for Unfinished {
        fn conn(&mut self) -> Option<&mut Conn> {
            None
        }

        fn unfinished(&mut self) -> Unfinished {
            *self
        }
    }

    fn tally() -> Tally {
        Ledger::create().unwrap().claim(1, Role::Worker, 0).unwrap()
    }

    /// A full table, and the keys of its connections, the n-th of which may be closed from millisecond n on.
    fn full(capacity: u64, unfinished: impl Fn(u64) -> Unfinished) -> (Table<Unfinished>, Vec<u64>) {
        let mut table = Table::new(Capacity::new(capacity as usize, u64::MAX));
        let keys = (0..capacity).map(|n| {
            let key = table.insert(unfinished(n)).unwrap();
            table.set_reusable(key, Reusable::From(n));
            key
        });
        let keys = keys.collect();
        (table, keys)
    }

    #[test]
    fn the_oldest_make_room_once_their_time_has_come() {
        let (mut table, keys) = full(64, |_| Unfinished::Nothing);
        let tally = tally();
        table.set_busy(keys[0]);
        table.make_room(0, &tally);
        assert_eq!((table.free(), table.room_from()), (0, Some(1)));
        table.make_room(100, &tally);
        assert_eq!((table.free(), tally.reused_connections.get()), (7, 7), "an eighth of them");
        let is_open: Vec<bool> = keys.iter().map(|key| table.get_mut(*key).is_some()).collect();
        assert_eq!(is_open.iter().position(|is_open| !is_open), Some(1));
        assert!(is_open[8..].iter().all(|is_open| *is_open));
        table.make_room(100, &tally);
        assert_eq!(table.free(), 7, "more than a sixteenth is free");
        assert!(table.release_descriptors(100, &tally));
        assert_eq!((table.free(), tally.reused_connections.get()), (14, 14), "whatever is free");
    }

    #[test]
    fn held_connections_make_room_when_their_time_is_over_and_hold_up_no_other() {
        let (mut table, keys) = full(16, |_| Unfinished::Nothing);
        for key in &keys[..14] {
            table.set_busy(*key);
            table.set_reusable(*key, Reusable::HeldUntil(500));
        }
        table.set_busy(keys[0]);
        assert_eq!((table.evict(100), table.evict(100), table.evict(100)), (1, 1, 0));
        assert!(table.get_mut(keys[14]).is_none() && table.get_mut(keys[15]).is_none());
        assert_eq!(table.room_from(), Some(500));
        table.remove(keys[1]);
        assert_eq!((table.evict(499), table.evict(500)), (0, 1));
        assert_eq!(table.room_from(), Some(500), "eleven are left");
        assert!(table.get_mut(keys[0]).is_some(), "it has work again");
    }

    #[test]
    fn it_is_full_from_when_room_is_wanted_in_vain_until_there_is_some() {
        let (mut table, keys) = full(32, |_| Unfinished::Nothing);
        let tally = tally();
        assert!(!table.is_full(), "nobody waits");
        keys.iter().for_each(|key| table.set_busy(*key));
        table.make_room(100, &tally);
        assert!(table.is_full());
        keys[..3].iter().for_each(|key| {
            assert!(table.is_full());
            table.remove(*key);
        });
        assert!(!table.is_full(), "more than a sixteenth is free");
        assert!(!table.release_descriptors(100, &tally));
        assert!(table.is_full(), "something else than slots is wanted");
    }

    #[test]
    fn a_request_that_has_come_or_an_answer_on_its_way_keeps_a_connection() {
        let (mut table, keys) = full(16, |n| {
            [Unfinished::Request, Unfinished::Answer, Unfinished::Request, Unfinished::Nothing][n.min(3) as usize]
        });
        assert_eq!(table.evict(100), 2);
        let is_open: Vec<bool> = keys.iter().map(|key| table.get_mut(*key).is_some()).collect();
        assert_eq!(is_open[..6], [true, true, true, false, false, true]);
        let (mut table, _) = full(16, |_| Unfinished::Request);
        assert_eq!((table.evict(100), table.room_from()), (0, None));
        let (mut table, _) = full(16, |_| Unfinished::Answer);
        assert_eq!((table.evict(100), table.room_from()), (0, Some(100 + LULL_MS)), "asked again");
    }
}
