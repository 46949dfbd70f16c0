//! The accept mutex: a word in shared memory that holds the pid of its holder (ngx_shmtx.c), so that the master can
//! free the mutex of a dead worker, and the time of the holder's last sign of life, so that others can take it from a
//! stuck one.
//!
//! Workers take the mutex in two files and nowhere else: `src/dispatch/accept_mutex.rs` (`Competing::compete`) and
//! `src/dispatch/accept_handoff.rs` (`Handoff::before_wait`, `step_in`, `take_over`). A free mutex is taken by
//! `acquire`, and one whose holder is silent for longer than `accept_mutex_lease` by `take_over`. Nobody ever waits for
//! the mutex: a worker tries once in each turn of its loop.
//!
//! # States and edges
//!
//! ```text
//! state          event                                              method             next state
//! Free           a worker finds it free                             acquire(p, t)      Held by p since t
//! Held by p      p begins a turn                                    renew(p, t)        Held by p, last sign of life t
//! Held by p      p has accepted, or can't accept                    unlock(p)          Free
//! Held by p      p has accepted, and q has fewer connections        hand_off(p, q, t)  Held by q since t
//! Held by p      p is silent for a lease while connections wait     take_over(s, q, t) Held by q since t
//! Held by p      p's deputy q is woken in p's place                 take_over(s, q, t) Held by q since t
//! Held by p      the master has reaped p                            force_unlock(p)    Free
//! ```
//!
//! Each edge is one compare-and-swap from the state that the caller has seen, so of two edges that start at the same
//! state one fails. `s` is the `MutexState` that shows the silent holder: a sign of life in between changes the word,
//! and the take-over fails. A former holder learns of the change from its next `renew`, `unlock` or `hand_off`, which
//! fail.
//!
//! The watch, a second word of the same type (`Ledger::watch_of`), has the same edges; `src/dispatch/lease.rs` says who
//! takes that.

use std::sync::atomic::{AtomicU64, Ordering};

/// The atomic operations that the mutex is made of; a trait, so that loom can put its own type in.
pub trait Word {
    /// The present value. Relaxed: a value that is read promises nothing, `replace` decides.
    fn load(&self) -> u64;
    /// Sets the word to `new` if it is `current`; false: it was not. Acquires when it takes the mutex, releases when it
    /// frees it.
    fn replace(&self, current: u64, new: u64) -> bool;
}

const LOAD: Ordering = Ordering::Relaxed;
/// The same for taking and freeing, so that a holder sees what the holder before it did.
const REPLACE: Ordering = Ordering::AcqRel;

impl Word for AtomicU64 {
    fn load(&self) -> u64 {
        self.load(LOAD)
    }

    fn replace(&self, current: u64, new: u64) -> bool {
        self.compare_exchange(current, new, REPLACE, LOAD).is_ok()
    }
}

/// A handle to the word. The low half of the word is the holder's pid, 0 when the mutex is free; the high half is the
/// time of the holder's last sign of life in ms, 0 when the holder needs to give none.
///
/// Times (`now_ms`) are those of the monotonic clock, which all processes share.
#[derive(Clone, Copy, Debug)]
pub struct AcceptMutex<'a, W = AtomicU64> {
    word: &'a W,
}

/// The state of the mutex at one moment; `take_over` succeeds only while it is still the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MutexState(u64);

impl MutexState {
    /// The holder's pid; `None`: the mutex is free.
    pub fn holder(self) -> Option<u32> {
        match self.0 as u32 {
            0 => None,
            pid => Some(pid),
        }
    }

    /// How long ago, at `now_ms`, the holder gave a sign of life, ms; `None`: the holder needs to give none, or there
    /// is none. Right up to 24 days, half of what the stamp can tell apart.
    pub fn silent_ms(self, now_ms: u64) -> Option<u64> {
        let stamp = (self.0 >> 32) as u32;
        // Another CPU may have read the clock later than this one did: the age is negative then, and shown as 0.
        let age = (now_ms as u32).wrapping_sub(stamp) as i32;
        (self.holder().is_some() && stamp != 0).then_some(u64::try_from(age).unwrap_or(0))
    }
}

/// The word of a holder that gave a sign of life at `now_ms`.
fn stamped(pid: u32, now_ms: u64) -> u64 {
    u64::from((now_ms as u32).max(1)) << 32 | u64::from(pid)
}

impl<'a, W: Word> AcceptMutex<'a, W> {
    /// The mutex whose state is `word`; 0: free.
    pub fn new(word: &'a W) -> AcceptMutex<'a, W> {
        AcceptMutex { word }
    }

    /// Takes the mutex if it is free (ngx_shmtx_trylock). A holder that tries again fails: it must know what it holds.
    /// `now_ms` starts the holder's lease; `None`: there is no lease.
    pub fn acquire(&self, pid: u32, now_ms: Option<u64>) -> bool {
        let held = now_ms.map_or(u64::from(pid), |now_ms| stamped(pid, now_ms));
        self.word.load() == 0 && self.word.replace(0, held)
    }

    /// The present state.
    pub fn state(&self) -> MutexState {
        MutexState(self.word.load())
    }

    /// Takes the mutex from the holder in `seen`; the caller knows that it may, because the lease is up or
    /// because it is the deputy. False: the state has changed since, for example because the holder gave a sign of
    /// life.
    pub fn take_over(&self, seen: MutexState, pid: u32, now_ms: u64) -> bool {
        self.word.replace(seen.0, stamped(pid, now_ms))
    }

    /// Gives a sign of life. False: `pid` does not hold the mutex.
    pub fn renew(&self, pid: u32, now_ms: u64) -> bool {
        let word = self.word.load();
        // Others change the word only to take it: then the renewal must fail, and not be tried again.
        word as u32 == pid && (word == stamped(pid, now_ms) || self.word.replace(word, stamped(pid, now_ms)))
    }

    /// Makes `to` the holder, whose lease starts now. False: `pid` does not hold the mutex.
    pub fn hand_off(&self, pid: u32, to: u32, now_ms: u64) -> bool {
        let word = self.word.load();
        word as u32 == pid && self.word.replace(word, stamped(to, now_ms))
    }

    /// Frees the mutex if `pid` holds it (ngx_shmtx_unlock). False: `pid` does not hold it.
    pub fn unlock(&self, pid: u32) -> bool {
        loop {
            let word = self.word.load();
            if word as u32 != pid || pid == 0 {
                return false;
            }
            if self.word.replace(word, 0) {
                return true;
            }
        }
    }

    /// Frees the mutex of a dead holder (ngx_shmtx_force_unlock). For the master, after it has reaped `pid` and before
    /// it forks a successor, which might get the same pid. True: the dead process held the mutex.
    pub fn force_unlock(&self, pid: u32) -> bool {
        self.unlock(pid)
    }

    /// The holder's pid; `None`: the mutex is free.
    pub fn holder(&self) -> Option<u32> {
        self.state().holder()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn only_the_holder_can_free_it() {
        let word = AtomicU64::new(0);
        let mutex = AcceptMutex::new(&word);
        assert!(mutex.acquire(10, None));
        assert_eq!((mutex.acquire(10, None), mutex.acquire(11, None), mutex.holder()), (false, false, Some(10)));
        assert!(!mutex.unlock(11));
        assert!(mutex.unlock(10));
        assert!(!mutex.unlock(10));
        assert!(mutex.acquire(11, None));
    }

    #[test]
    fn the_master_frees_it_for_the_dead_and_for_nobody_else() {
        let word = AtomicU64::new(0);
        let mutex = AcceptMutex::new(&word);
        mutex.acquire(10, None);
        assert!(!mutex.force_unlock(11));
        assert_eq!(mutex.holder(), Some(10));
        assert!(mutex.force_unlock(10));
        assert_eq!(mutex.holder(), None);
        assert!(!mutex.force_unlock(0));
    }

    #[test]
    fn silence_is_measured_over_the_stamp_s_wrap_and_never_negative() {
        let word = AtomicU64::new(0);
        let mutex = AcceptMutex::new(&word);
        assert_eq!(mutex.state().silent_ms(5), None);
        let late = u64::from(u32::MAX) + (7 << 32);
        assert!(mutex.acquire(10, Some(late)));
        let silent = |now| mutex.state().silent_ms(now);
        assert_eq!((silent(late), silent(late + 150), silent(late - 3)), (Some(0), Some(150), Some(0)));
        assert!(mutex.unlock(10) && mutex.acquire(10, None));
        assert_eq!(silent(late + 150), None, "a holder that needs to give no sign of life is never late");
    }

    #[test]
    fn a_state_that_was_seen_can_be_taken_over_until_the_holder_gives_a_sign_of_life() {
        let word = AtomicU64::new(0);
        let mutex = AcceptMutex::new(&word);
        assert!(mutex.acquire(10, Some(1000)));
        let seen = mutex.state();
        assert!(mutex.renew(10, 1100));
        assert!(!mutex.take_over(seen, 11, 1101));
        let seen = mutex.state();
        assert!(mutex.take_over(seen, 11, 1300));
        assert_eq!((mutex.holder(), mutex.state().silent_ms(1310)), (Some(11), Some(10)));
        assert!(!mutex.renew(10, 1310) && !mutex.unlock(10) && !mutex.hand_off(10, 12, 1310), "it is another's now");
        assert!(mutex.hand_off(11, 12, 1310));
        assert_eq!((mutex.holder(), mutex.renew(12, 1310)), (Some(12), true));
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicU64 as LoomU64;
    use loom::thread;

    impl Word for LoomU64 {
        fn load(&self) -> u64 {
            self.load(LOAD)
        }

        fn replace(&self, current: u64, new: u64) -> bool {
            self.compare_exchange(current, new, REPLACE, LOAD).is_ok()
        }
    }

    struct Guarded {
        word: LoomU64,
        /// loom fails the run when two threads touch it without an order between them.
        inside: UnsafeCell<()>,
    }

    fn guarded() -> Arc<Guarded> {
        Arc::new(Guarded { word: LoomU64::new(0), inside: UnsafeCell::new(()) })
    }

    impl Guarded {
        fn mutex(&self) -> AcceptMutex<'_, LoomU64> {
            AcceptMutex::new(&self.word)
        }
    }

    fn enter(shared: &Guarded, pid: u32) -> bool {
        if !shared.mutex().acquire(pid, None) {
            return false;
        }
        shared.inside.with_mut(|_| ());
        true
    }

    #[test]
    fn loom_one_holder_at_a_time() {
        loom::model(|| {
            let shared = guarded();
            let worker = |pid| {
                let shared = shared.clone();
                thread::spawn(move || enter(&shared, pid) && shared.mutex().unlock(pid))
            };
            let (a, b) = (worker(1), worker(2));
            let (a, b) = (a.join().unwrap(), b.join().unwrap());
            assert!(a || b, "one of them found it free");
            assert_eq!(shared.mutex().holder(), None);
        });
    }

    #[test]
    fn loom_a_dead_holder_s_mutex_is_free_for_one_successor() {
        loom::model(|| {
            let shared = guarded();
            assert!(enter(&shared, 1));
            // The master reaps 1 while 2 and 3 compete; the winner stays inside.
            let master = shared.clone();
            let worker = |pid| {
                let shared = shared.clone();
                thread::spawn(move || enter(&shared, pid))
            };
            let (two, three) = (worker(2), worker(3));
            assert!(master.mutex().force_unlock(1));
            let (two, three) = (two.join().unwrap(), three.join().unwrap());
            assert!(!(two && three), "both are inside");
            assert_eq!(
                shared.mutex().holder(),
                if two {
                    Some(2)
                } else if three {
                    Some(3)
                } else {
                    None
                }
            );
            assert!(!master.mutex().force_unlock(1), "the dead can't free what another holds");
        });
    }

    #[test]
    fn loom_a_lease_that_is_up_goes_to_one_successor_or_stays() {
        loom::model(|| {
            let shared = guarded();
            assert!(shared.mutex().acquire(1, Some(1)));
            // 2 and 3 find the time of 1 to be up while 1 comes back to life: it renews, and works on only if that
            // succeeds.
            let successor = |pid| {
                let shared = shared.clone();
                thread::spawn(move || {
                    let seen = shared.mutex().state();
                    let is_late = seen.holder() == Some(1) && seen.silent_ms(200).is_some_and(|ms| ms > 100);
                    is_late && shared.mutex().take_over(seen, pid, 200)
                })
            };
            let (two, three) = (successor(2), successor(3));
            let one = shared.mutex().renew(1, 150);
            let (two, three) = (two.join().unwrap(), three.join().unwrap());
            assert!(!(two && three), "both have taken it over");
            let holder = shared.mutex().holder();
            match (two, three) {
                (true, _) => assert_eq!(holder, Some(2)),
                (_, true) => assert_eq!(holder, Some(3)),
                // The renewal of 1 was first, so it stands.
                _ => assert!(one && holder == Some(1)),
            }
            if two || three {
                // The former holder learns of its loss from whatever it does next.
                assert!(
                    !shared.mutex().renew(1, 201) && !shared.mutex().unlock(1) && !shared.mutex().hand_off(1, 4, 201)
                );
                assert_eq!(shared.mutex().holder(), holder);
            }
        });
    }

    #[test]
    fn loom_a_mutex_that_is_handed_off_is_entered_by_the_successor_alone() {
        loom::model(|| {
            let shared = guarded();
            assert!(enter(&shared, 1));
            let waiting = |pid: u32| {
                let shared = shared.clone();
                thread::spawn(move || {
                    // 2 looks whether it was chosen; 3 competes as a newcomer.
                    let is_in = if pid == 2 { shared.mutex().renew(2, 5) } else { shared.mutex().acquire(3, Some(5)) };
                    if is_in {
                        shared.inside.with_mut(|_| ());
                    }
                    is_in
                })
            };
            let (two, three) = (waiting(2), waiting(3));
            shared.inside.with_mut(|_| ());
            assert!(shared.mutex().hand_off(1, 2, 4));
            assert!(!shared.mutex().renew(1, 6));
            let (_, three) = (two.join().unwrap(), three.join().unwrap());
            assert!(!three, "it was never free");
            assert_eq!(shared.mutex().holder(), Some(2));
        });
    }
}
