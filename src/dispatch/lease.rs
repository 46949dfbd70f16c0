//! The lease on the accept mutex and the watch over its holder, so that a holder that is stopped or hung does not stop
//! the service. `accept_mutex` and `accept_handoff` use it.
//!
//! The holder gives a sign of life when it takes the mutex and once in each turn of its loop. While it sleeps it gives
//! none, and need not: its silence is a fault only when connections wait. So one other worker, the watcher, wakes once
//! in each lease and checks: has the holder been silent for longer than the lease, and do connections wait, and is all
//! that still so `WAKE_GRACE_MS` later? Then the watcher takes the mutex.
//!
//! The watch is a second word of the mutex's type. A worker that fails to get the mutex takes the watch when it is
//! free, when the holder of the mutex has it, or when the watcher is silent. A watcher that becomes the holder is
//! unwatched until another worker fails to get the mutex: when that takes longer than a lease, the holder wakes one of
//! the others.
//!
//! ```text
//! the watch   event                                     method               next
//! free        w fails to get the mutex                  on_lost (take_over)  w watches
//! w watches   w fails to get the mutex again, a lease   on_lost (renew)      w watches
//!             later
//! w watches   w is silent for two leases, v fails to    on_lost (take_over)  v watches
//!             get the mutex
//! w watches   w gets the mutex, v fails to get it       on_lost (take_over)  v watches
//! w watches   w gets the mutex, none fails to get it    on_held              w watches, the next worker is woken
//!             for a lease
//! w watches   the mutex's holder is silent for a        confirm_expired      w suspects
//!             lease, connections wait
//! w suspects  the holder gives a sign of life, or no    confirm_expired      w watches
//!             connection waits
//! w suspects  all is still so, WAKE_GRACE_MS later      on_taken_over        free; w holds the mutex, the next worker
//!                                                                            is woken
//! w watches   the holder h hands the mutex off to w     on_handed_off        h watches
//! w watches   w can't take the mutex: back-off, no      resign               free; the next worker is woken
//!             descriptors
//! w watches   w dies                                    release_after_death  free; a worker is woken
//! ```
//!
//! The cost for an idle service: one wakeup a lease, however many workers there are. The gain: connections that meet a
//! dead holder wait for a lease and `WAKE_GRACE_MS` at most, unless holder and watcher are both stopped within the same
//! `accept_mutex_delay`.

use std::io;
use std::sync::Arc;

use super::model::Loop;
use super::waker::{Hearing, WAKE_GRACE_MS, wake};
use crate::event::Source;
use crate::log;
use crate::os::EventFd;
use crate::shm::{AcceptMutex, Ledger, MutexState, Role, Slot};

/// The number by which the loop knows the worker's waker.
const WAKER: Source = Source::Model(u32::MAX);

/// The mutex, the watch and the wakers, which the processes of one generation share.
#[derive(Clone)]
pub(super) struct SharedMutex {
    pub(super) ledger: Ledger,
    pub(super) generation: u32,
    /// A waker for each seat, made by the master: any process can wake any worker.
    wakers: Arc<Vec<EventFd>>,
}

impl SharedMutex {
    /// For `workers` seats; by the master, before the fork. Errors: no descriptors left.
    pub(super) fn new(ledger: &Ledger, generation: u32, workers: u32) -> io::Result<SharedMutex> {
        let wakers = (0..workers).map(|_| EventFd::new()).collect::<io::Result<Vec<_>>>()?;
        Ok(SharedMutex { ledger: ledger.clone(), generation, wakers: Arc::new(wakers) })
    }

    /// The accept mutex of the generation.
    pub(super) fn mutex(&self) -> AcceptMutex<'_> {
        self.ledger.mutex_of(self.generation)
    }

    /// Wakes the worker that holds the mutex.
    pub(super) fn wake_holder(&self) {
        let Some(pid) = self.mutex().holder() else { return };
        if let Some(slot) = self.ledger.live().find(|slot| slot.pid() == Some(pid)) {
            self.wake(slot.number());
        }
    }

    fn watch(&self) -> AcceptMutex<'_> {
        self.ledger.watch_of(self.generation)
    }

    /// Frees the mutex and the watch that `pid` held, and wakes a worker that may take them. For the master, after it
    /// has reaped `pid`.
    pub(super) fn release_after_death(&self, pid: u32) {
        let held = self.mutex().force_unlock(pid);
        let watched = self.watch().force_unlock(pid);
        if held || watched {
            self.wake_next(0, &[pid]);
        }
    }

    /// Wakes the next living worker after seat `number`, in a circle, whose pid is none of `but`.
    pub(super) fn wake_next(&self, number: u32, but: &[u32]) {
        let seats = self.wakers.len() as u32;
        let is_candidate = |slot: &&Slot| {
            slot.role() == Role::Worker
                && slot.generation() == self.generation
                && slot.pid().is_some_and(|pid| !but.contains(&pid))
        };
        let distance = |slot: &&Slot| slot.number().wrapping_add(seats).wrapping_sub(number + 1) % seats.max(1);
        let next = self.ledger.live().filter(is_candidate).min_by_key(distance);
        if let Some(slot) = next {
            self.wake(slot.number());
        }
    }

    fn wake(&self, number: u32) {
        if let Some(waker) = self.wakers.get(number as usize) {
            wake(waker);
        }
    }
}

/// A worker's part in the watch. The `on_` methods are called once in each turn, before the wait, by what the
/// worker's try to take the mutex came to.
pub(super) struct Watch {
    shared: SharedMutex,
    seat: u32,
    /// `None`: no lease. Nobody watches, and no holder is ever late.
    lease_ms: Option<u64>,
    hearing: Hearing,
    /// The state of the mutex with a silent holder while connections waited, and when this worker saw it first, ms.
    suspect: Option<(MutexState, u64)>,
    /// For the holder: since when no worker is known to watch, ms, and the seat that it woke last.
    unwatched: Option<(u64, u32)>,
}

impl Watch {
    pub(super) fn new(shared: SharedMutex, seat: u32, lease_ms: Option<u64>) -> Watch {
        Watch { shared, seat, lease_ms, hearing: Hearing::default(), suspect: None, unwatched: None }
    }

    /// Lets the worker hear its waker. Called each turn.
    pub(super) fn watch_waker(&mut self, state: &Loop) {
        if let Some(waker) = self.shared.wakers.get(self.seat as usize) {
            self.hearing.begin(waker, WAKER, &state.poller);
        }
    }

    /// Whether the holder in `seen`, another process, must be taken for dead: its lease is up while connections wait,
    /// now and `WAKE_GRACE_MS` ago. Notes the first such sight.
    pub(super) fn confirm_expired(&mut self, seen: MutexState, has_waiting: impl FnOnce() -> bool, now: u64) -> bool {
        let is_late = |lease_ms| seen.silent_ms(now).is_some_and(|silent| silent > lease_ms);
        if !self.lease_ms.is_some_and(is_late) || !has_waiting() {
            self.suspect = None;
            return false;
        }
        match self.suspect {
            Some((suspect, at)) if suspect == seen => now.saturating_sub(at) >= WAKE_GRACE_MS,
            _ => {
                self.suspect = Some((seen, now));
                false
            }
        }
    }

    /// To be called when another process holds the mutex. Takes the watch if it is vacant. Returns how long this worker
    /// may sleep, ms: `backup_leases` leases for a worker that does not watch; `None`: there is no lease.
    pub(super) fn on_lost(&mut self, pid: u32, mutex: MutexState, now: u64, backup_leases: u64) -> Option<u64> {
        self.unwatched = None;
        let lease_ms = self.lease_ms?;
        let (word, seen) = (self.shared.watch(), self.shared.watch().state());
        let is_vacant = seen.holder().is_none()
            || seen.holder() == mutex.holder()
            // Twice the lease: a watcher that is up to its ears in work looks late.
            || seen.silent_ms(now).is_none_or(|silent| silent > 2 * lease_ms);
        let watches =
            if seen.holder() == Some(pid) { word.renew(pid, now) } else { is_vacant && word.take_over(seen, pid, now) };
        Some(match (self.suspect, mutex.silent_ms(now)) {
            (Some((_, at)), _) => (at + WAKE_GRACE_MS).saturating_sub(now).max(1),
            _ if !watches => backup_leases.saturating_mul(lease_ms),
            // A check before the lease is up would see nothing; a check exactly at its end neither.
            (None, Some(silent)) if silent <= lease_ms => lease_ms - silent + 1,
            (None, _) => lease_ms,
        })
    }

    /// To be called when this process holds the mutex. Wakes another worker when none has watched for a lease. Returns
    /// how long this worker may sleep, ms; `None`: another watches, or there is no lease.
    pub(super) fn on_held(&mut self, pid: u32, now: u64) -> Option<u64> {
        self.suspect = None;
        let lease_ms = self.lease_ms?;
        let seen = self.shared.watch().state();
        let is_watched = seen.holder().is_some_and(|watcher| watcher != pid)
            && seen.silent_ms(now).is_some_and(|silent| silent <= 2 * lease_ms);
        if is_watched {
            self.unwatched = None;
            return None;
        }
        let (since, last) = *self.unwatched.get_or_insert((now, self.seat));
        let waited = now.saturating_sub(since);
        if waited < lease_ms {
            return Some(lease_ms - waited);
        }
        let next = (last + 1) % (self.shared.wakers.len() as u32).max(1);
        self.shared.wake_next(last, &[pid]);
        self.unwatched = Some((now, next));
        Some(lease_ms)
    }

    /// To be called when this process has handed the mutex off to `to`. If `to` was the watcher, this process watches
    /// instead, and neither need be woken.
    pub(super) fn on_handed_off(&mut self, pid: u32, to: u32, now: u64) {
        self.unwatched = None;
        if self.lease_ms.is_some() {
            self.shared.watch().hand_off(to, pid, now);
        }
    }

    /// To be called when this process has taken the mutex from the holder in `from`, which seems to be dead. Wakes
    /// another worker, so that this holder is watched at once.
    pub(super) fn on_taken_over(&mut self, pid: u32, from: MutexState) {
        self.suspect = None;
        self.shared.watch().unlock(pid);
        self.shared.wake_next(self.seat, &[pid, from.holder().unwrap_or(pid)]);
    }

    /// To be called when this process can't take the mutex now. Gives up the watch, and wakes another worker to take
    /// it.
    pub(super) fn resign(&mut self, pid: u32) {
        (self.suspect, self.unwatched) = (None, None);
        if self.shared.watch().unlock(pid) {
            self.shared.wake_next(self.seat, &[pid]);
        }
    }
}

/// Says in the log why the holder in `from` has lost the mutex.
pub(super) fn log_takeover(from: MutexState, now_ms: u64) {
    let (pid, silent) = (from.holder().unwrap_or(0), from.silent_ms(now_ms).unwrap_or(0));
    log::warn!(
        "worker process {pid} held the accept mutex without a sign of life for {silent} ms while connections waited"
    );
}
