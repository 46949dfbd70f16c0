//! The load that a worker publishes, for the kernel's choice of a worker (`os::LeastLoaded`).
//!
//! # Who writes, who reads, in which order
//!
//! ```text
//! word          writer                          reader               ordering, and its partner
//! connections   the worker; the master, when    the program          Relaxed: a count that is late by a turn
//!               the worker is dead
//! beat_ns       the worker; the master, when    the program, master  Relaxed: the same
//!               the worker is dead
//! picked        the program, an atomic          the worker           Relaxed: it only grows
//!               addition
//! accepted      the worker; the master, when    the program          Release, after `picked` was read / read before
//!               the worker is dead                                   `picked`: see `accept`
//! is_moved      the master                      the worker           Release, before the sockets stop and after they
//!                                                                    listen again / Acquire
//! ```
//!
//! The program counts in `picked` what it gives to a worker, at the SYN; the worker counts in `accepted` what is not on
//! its way any more. So `picked - accepted` connections are under way: they are in no worker's count yet, and without
//! them a burst would go to a single worker. Some of what is picked never comes (handshakes that end early; with SYN
//! cookies the program runs twice): a worker whose sockets were silent in a turn has none waiting, and forgets all that
//! had been picked before the turn.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::os::WorkerLoad;
use crate::os::time::coarse_ns;

/// A word that others may change; a trait, so that loom can put its own type in.
pub(crate) trait SharedWord {
    /// Acquire.
    fn get(&self) -> u64;
    /// Release.
    fn set(&self, value: u64);
}

impl SharedWord for AtomicU64 {
    fn get(&self) -> u64 {
        self.load(Ordering::Acquire)
    }

    fn set(&self, value: u64) {
        self.store(value, Ordering::Release);
    }
}

/// The connections that the program has given to a worker, and those that are not under way any more. Of all processes
/// only the worker itself calls these.
#[derive(Debug)]
struct UnderWay<'a, W> {
    picked: &'a W,
    accepted: &'a W,
}

impl<W: SharedWord> UnderWay<'_, W> {
    /// `count` connections were accepted. They may be more than were picked, since what was forgotten may come after
    /// all, and the kernel's hash sends some: `accepted` never exceeds `picked`, or other connections of the worker
    /// would not be counted.
    fn accept(&self, count: u64) {
        self.accepted.set((self.accepted.get() + count).min(self.picked.get()));
    }

    /// None of the first `seen` that were picked is under way: the sockets were found silent after that.
    fn forget(&self, seen: u64) {
        self.accepted.set(seen);
    }
}

/// The room that a worker has, as far as others should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// More.
    Free,
    /// More, but less than an eighth of its slots is left.
    Little,
    /// Nothing now.
    None,
}

/// The load of one worker.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a>(&'a WorkerLoad);

impl<'a> Load<'a> {
    /// The load in these words.
    pub fn of(words: &'a WorkerLoad) -> Load<'a> {
        Load(words)
    }

    fn under_way(&self) -> UnderWay<'a, AtomicU64> {
        UnderWay { picked: &self.0.picked, accepted: &self.0.accepted }
    }

    /// The worker gives a sign of life.
    pub fn beat(&self) {
        self.0.beat_ns.store(coarse_ns(), Ordering::Relaxed);
    }

    /// The worker has so many connections, and room for others or not.
    pub fn publish(&self, connections: u64, room: Room) {
        let rank = match room {
            Room::Free => 0,
            Room::Little => WorkerLoad::OVER,
            Room::None => WorkerLoad::FULL,
        };
        self.0.connections.store(connections + rank, Ordering::Relaxed);
    }

    /// The worker has accepted `count` more, and has `connections` now.
    pub fn accept(&self, count: u64, connections: u64) {
        let rank = self.0.connections.load(Ordering::Relaxed) & (WorkerLoad::OVER | WorkerLoad::FULL);
        self.0.connections.store(connections + rank, Ordering::Relaxed);
        self.under_way().accept(count);
    }

    /// How many were picked for the worker so far: to be read before a wait, for `forget`.
    pub fn picked(&self) -> u64 {
        self.0.picked.get()
    }

    /// The worker's sockets were silent in a turn; `seen` is what `picked` was before it.
    pub fn forget(&self, seen: u64) {
        self.under_way().forget(seen);
    }

    /// The worker is not there (any more): it has no connections, and gives no sign of life.
    pub fn clear(&self) {
        self.0.beat_ns.store(0, Ordering::Relaxed);
        self.0.connections.store(0, Ordering::Relaxed);
        self.under_way().forget(self.picked());
    }

    /// When the worker gave its last sign of life, ns of the monotonic clock; 0: it is not there.
    pub fn last_beat_ns(&self) -> u64 {
        self.0.beat_ns.load(Ordering::Relaxed)
    }

    /// Whether the worker's sockets don't listen now, because the master has moved their queues.
    pub fn is_moved(&self) -> bool {
        self.0.is_moved.get() != 0
    }

    /// Says so; by the master, before it stops the sockets, and after they listen again.
    pub fn set_moved(&self, is_moved: bool) {
        self.0.is_moved.set(u64::from(is_moved));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn under_way(words: &WorkerLoad) -> u64 {
        words.picked.get() - words.accepted.get()
    }

    fn words() -> crate::os::Shared<WorkerLoad> {
        crate::os::Shared::create("drover-test").unwrap()
    }

    #[test]
    fn what_never_comes_is_forgotten_and_what_comes_late_hides_nothing() {
        let words = words();
        let load = Load::of(&words);
        words.picked.set(3);
        assert_eq!(under_way(&words), 3);
        load.accept(1, 1);
        assert_eq!((under_way(&words), words.connections.get()), (2, 1));
        let seen = load.picked();
        words.picked.set(4);
        load.forget(seen);
        assert_eq!(under_way(&words), 1, "the fourth was picked after the wait began");
        load.accept(3, 4);
        assert_eq!(under_way(&words), 0, "accepted is not more than picked");
        words.picked.set(5);
        assert_eq!(under_way(&words), 1);
        load.clear();
        assert_eq!((under_way(&words), load.last_beat_ns()), (0, 0));
    }

    #[test]
    fn room_is_told_with_the_connections() {
        let words = words();
        let load = Load::of(&words);
        load.publish(7, Room::Little);
        assert_eq!(words.connections.get(), 7 + WorkerLoad::OVER);
        load.accept(1, 8);
        assert_eq!(words.connections.get(), 8 + WorkerLoad::OVER, "until the worker says otherwise");
        load.publish(8, Room::None);
        assert_eq!(words.connections.get(), 8 + WorkerLoad::FULL);
        load.publish(2, Room::Free);
        assert_eq!(words.connections.get(), 2);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicU64 as LoomU64;
    use loom::thread;

    impl SharedWord for LoomU64 {
        fn get(&self) -> u64 {
            self.load(Ordering::Acquire)
        }

        fn set(&self, value: u64) {
            self.store(value, Ordering::Release);
        }
    }

    struct Words {
        picked: LoomU64,
        accepted: LoomU64,
        connections: LoomU64,
    }

    fn words() -> Arc<Words> {
        Arc::new(Words { picked: LoomU64::new(0), accepted: LoomU64::new(0), connections: LoomU64::new(0) })
    }

    impl Words {
        fn under_way(&self) -> UnderWay<'_, LoomU64> {
            UnderWay { picked: &self.picked, accepted: &self.accepted }
        }

        /// Reads as the program does, in the same order.
        fn read(&self) -> (u64, u64) {
            let accepted = self.accepted.load(Ordering::Acquire);
            let picked = self.picked.load(Ordering::Relaxed);
            assert!(picked >= accepted, "picked {picked}, accepted {accepted}");
            (picked - accepted, self.connections.load(Ordering::Relaxed))
        }
    }

    #[test]
    fn loom_a_program_never_reads_more_accepted_than_picked() {
        loom::model(|| {
            let words = words();
            // Runs on another CPU, for SYNs.
            let program = {
                let words = words.clone();
                thread::spawn(move || {
                    for _ in 0..2 {
                        words.read();
                        words.picked.fetch_add(1, Ordering::Relaxed);
                    }
                })
            };
            let seen = words.under_way().picked.get();
            // Accepted are one that was picked and one that was not.
            words.connections.set(2);
            words.under_way().accept(2);
            let again = words.under_way().picked.get();
            words.under_way().forget(again);
            assert!(seen <= again);
            program.join().unwrap();
            let (under_way, _) = words.read();
            assert_eq!(under_way, 2 - again, "what was picked before the silent turn is forgotten, and nothing else");
        });
    }

    #[test]
    fn loom_a_connection_is_under_way_or_counted_or_both() {
        loom::model(|| {
            let words = words();
            words.picked.fetch_add(1, Ordering::Relaxed);
            let worker = {
                let words = words.clone();
                thread::spawn(move || {
                    words.connections.set(1);
                    words.under_way().accept(1);
                })
            };
            let (under_way, connections) = words.read();
            assert!(under_way + connections >= 1, "nobody sees a worker with nothing");
            worker.join().unwrap();
            assert_eq!(words.read(), (0, 1));
        });
    }
}
