//! The accept mutex: a word in shared memory that holds its owner's pid (ngx_shmtx.c), so that the master can free it
//! when the owner dies, and the time of the owner's last sign of life, so that others can take it when the owner is stuck.

use std::sync::atomic::{AtomicU64, Ordering};

/// The atomic operations that the mutex is made of; a trait, so that loom can put its own in.
pub trait Word {
    fn load(&self) -> u64;
    /// Sets the word to `new` if it is `current`. Acquires when it takes, releases when it frees.
    fn replace(&self, current: u64, new: u64) -> bool;
}

/// A look without a lock promises nothing; the replacement that follows it decides.
const LOOK: Ordering = Ordering::Relaxed;
/// One order for taking and freeing: what an owner did is seen by the next one.
const CHANGE: Ordering = Ordering::AcqRel;

impl Word for AtomicU64 {
    fn load(&self) -> u64 {
        self.load(LOOK)
    }

    fn replace(&self, current: u64, new: u64) -> bool {
        self.compare_exchange(current, new, CHANGE, LOOK).is_ok()
    }
}

/// Never waited for: a worker tries once a turn of its loop. The low half of the word is the owner's pid, 0 when free;
/// the high half is the time of the owner's last sign of life, 0 when it needs to give none.
#[derive(Clone, Copy, Debug)]
pub struct AcceptMutex<'a, W = AtomicU64> {
    word: &'a W,
}

/// What the word said at one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look(u64);

impl Look {
    /// The owner's pid.
    pub fn holder(self) -> Option<u32> {
        match self.0 as u32 {
            0 => None,
            pid => Some(pid),
        }
    }

    /// How long ago, at `now_ms`, the owner gave a sign of life, ms; `None`: it needs to give none, or nobody owns it. Right up to
    /// 24 days, which is half of what the stamp can tell apart.
    pub fn silent_ms(self, now_ms: u64) -> Option<u64> {
        let stamp = (self.0 >> 32) as u32;
        // Another CPU may have read the clock later than this one did: that is no age at all.
        let age = (now_ms as u32).wrapping_sub(stamp) as i32;
        (self.holder().is_some() && stamp != 0).then_some(u64::try_from(age).unwrap_or(0))
    }
}

/// The word of an owner that gave a sign of life at `now_ms`.
fn stamped(pid: u32, now_ms: u64) -> u64 {
    u64::from((now_ms as u32).max(1)) << 32 | u64::from(pid)
}

impl<'a, W: Word> AcceptMutex<'a, W> {
    /// The mutex whose state is `word`; 0: free.
    pub fn new(word: &'a W) -> AcceptMutex<'a, W> {
        AcceptMutex { word }
    }

    /// Takes the mutex if it is free (ngx_shmtx_trylock). A holder that tries again fails: it must know what it holds.
    pub fn try_lock(&self, pid: u32) -> bool {
        self.word.load() == 0 && self.word.replace(0, u64::from(pid))
    }

    /// The same, with a sign of life: when the owner gives no other, its time will be up. `now_ms`: of the clock that all
    /// processes share and that never jumps.
    pub fn try_lock_at(&self, pid: u32, now_ms: u64) -> bool {
        self.word.load() == 0 && self.word.replace(0, stamped(pid, now_ms))
    }

    /// What the word says now.
    pub fn look(&self) -> Look {
        Look(self.word.load())
    }

    /// Takes the mutex from whoever held it at that look. False: it has changed since, be it that the owner gave a sign of life.
    /// Whether the owner's time is up is for the caller to know.
    pub fn take_over(&self, seen: Look, pid: u32, now_ms: u64) -> bool {
        self.word.replace(seen.0, stamped(pid, now_ms))
    }

    /// Gives a sign of life. False: the mutex isn't `pid`'s.
    pub fn renew(&self, pid: u32, now_ms: u64) -> bool {
        let word = self.word.load();
        // Others change the word only to take it: then the renewal must fail, and not be tried again.
        word as u32 == pid && (word == stamped(pid, now_ms) || self.word.replace(word, stamped(pid, now_ms)))
    }

    /// Makes `to` the owner, whose time runs from now on. False: the mutex isn't `pid`'s.
    pub fn hand_on(&self, pid: u32, to: u32, now_ms: u64) -> bool {
        let word = self.word.load();
        word as u32 == pid && self.word.replace(word, stamped(to, now_ms))
    }

    /// Frees the mutex if `pid` holds it (ngx_shmtx_unlock). False: it did not.
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

    /// Frees the mutex of a dead owner: for the master, after it has reaped `pid` (ngx_shmtx_force_unlock). True: the
    /// dead process held it.
    pub fn force_unlock(&self, pid: u32) -> bool {
        self.unlock(pid)
    }

    /// The owner's pid.
    pub fn holder(&self) -> Option<u32> {
        self.look().holder()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_can_free_it() {
        let word = AtomicU64::new(0);
        let mutex = AcceptMutex::new(&word);
        assert!(mutex.try_lock(10));
        assert_eq!((mutex.try_lock(10), mutex.try_lock(11), mutex.holder()), (false, false, Some(10)));
        assert!(!mutex.unlock(11));
        assert!(mutex.unlock(10));
        assert!(!mutex.unlock(10));
        assert!(mutex.try_lock(11));
    }

    #[test]
    fn the_master_frees_it_for_the_dead_and_for_nobody_else() {
        let word = AtomicU64::new(0);
        let mutex = AcceptMutex::new(&word);
        mutex.try_lock(10);
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
        assert_eq!(mutex.look().silent_ms(5), None);
        let late = u64::from(u32::MAX) + (7 << 32);
        assert!(mutex.try_lock_at(10, late));
        let silent = |now| mutex.look().silent_ms(now);
        assert_eq!((silent(late), silent(late + 150), silent(late - 3)), (Some(0), Some(150), Some(0)));
        assert!(mutex.unlock(10) && mutex.try_lock(10));
        assert_eq!(silent(late + 150), None, "who needs to give no sign of life is never late");
    }

    #[test]
    fn what_was_seen_can_be_taken_over_until_the_owner_gives_a_sign_of_life() {
        let word = AtomicU64::new(0);
        let mutex = AcceptMutex::new(&word);
        assert!(mutex.try_lock_at(10, 1000));
        let seen = mutex.look();
        assert!(mutex.renew(10, 1100));
        assert!(!mutex.take_over(seen, 11, 1101));
        let seen = mutex.look();
        assert!(mutex.take_over(seen, 11, 1300));
        assert_eq!((mutex.holder(), mutex.look().silent_ms(1310)), (Some(11), Some(10)));
        assert!(!mutex.renew(10, 1310) && !mutex.unlock(10) && !mutex.hand_on(10, 12, 1310), "it is another's now");
        assert!(mutex.hand_on(11, 12, 1310));
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
            self.load(LOOK)
        }

        fn replace(&self, current: u64, new: u64) -> bool {
            self.compare_exchange(current, new, CHANGE, LOOK).is_ok()
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
        if !shared.mutex().try_lock(pid) {
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
    fn loom_a_dead_owner_is_freed_for_one_successor() {
        loom::model(|| {
            let shared = guarded();
            assert!(enter(&shared, 1));
            // The master reaps 1 while 2 and 3 compete; whoever wins stays inside.
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
            assert!(shared.mutex().try_lock_at(1, 1));
            // 2 and 3 find the time of 1 to be up while 1 comes back to life: it renews, and works on only if that succeeds.
            let successor = |pid| {
                let shared = shared.clone();
                thread::spawn(move || {
                    let seen = shared.mutex().look();
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
                // Nobody was quicker than 1, so its renewal stands.
                _ => assert!(one && holder == Some(1)),
            }
            if two || three {
                // Whatever 1 believes, what it does next tells it the truth.
                assert!(
                    !shared.mutex().renew(1, 201) && !shared.mutex().unlock(1) && !shared.mutex().hand_on(1, 4, 201)
                );
                assert_eq!(shared.mutex().holder(), holder);
            }
        });
    }

    #[test]
    fn loom_what_is_handed_on_is_entered_by_the_successor_alone() {
        loom::model(|| {
            let shared = guarded();
            assert!(enter(&shared, 1));
            let waiting = |pid: u32| {
                let shared = shared.clone();
                thread::spawn(move || {
                    // 2 looks whether it was chosen; 3 competes as a newcomer.
                    let is_in = if pid == 2 { shared.mutex().renew(2, 5) } else { shared.mutex().try_lock_at(3, 5) };
                    if is_in {
                        shared.inside.with_mut(|_| ());
                    }
                    is_in
                })
            };
            let (two, three) = (waiting(2), waiting(3));
            shared.inside.with_mut(|_| ());
            assert!(shared.mutex().hand_on(1, 2, 4));
            assert!(!shared.mutex().renew(1, 6));
            let (_, three) = (two.join().unwrap(), three.join().unwrap());
            assert!(!three, "it was never free");
            assert_eq!(shared.mutex().holder(), Some(2));
        });
    }
}
