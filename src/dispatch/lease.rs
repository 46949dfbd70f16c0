//! Who looks after the holder of the accept mutex, so that one that is stopped or hung does not stop the service.
//!
//! The holder gives a sign of life when it takes the mutex, once a turn; while it sleeps, because nothing happens, it
//! gives none, and need not: its silence is a fault only when connections wait. So one other worker, the watcher, wakes
//! once a lease and looks: has the holder been silent for longer than the lease, and do connections wait, and is all that so
//! still some milliseconds later? Then the watcher takes the mutex.
//!
//! The watch is a second word of the same kind. Whoever loses the mutex and finds the watch free, or held by the holder itself, or by
//! somebody silent, has it from then on. A watcher that becomes the holder has nobody to look after it until another loses:
//! when that takes longer than a lease, the holder rings one of the others awake.
//!
//! What it costs an idle service: one wakeup a lease, however many workers there are. What it gives: connections that meet a dead
//! holder wait for a lease and `GRACE_MS` at most, unless holder and watcher are both stopped within the same
//! `accept_mutex_delay`.

use std::io;
use std::sync::Arc;

use super::Loop;
use super::bell::{listen_to, tell};
use crate::event::Source;
use crate::log;
use crate::os::{ErrnoText, EventFd};
use crate::shm::{AcceptMutex, Ledger, Look, Role};

/// Between two looks that find the same silent holder and waiting connections, ms. A connection that came just before the first
/// is accepted by a holder that only slept; this is the time it has to wake, on a machine that is busy.
const GRACE_MS: u64 = 10;

/// The number by which the loop knows the bell.
const BELL: Source = Source::Model(u32::MAX);

/// What the processes of one generation share.
#[derive(Clone)]
pub(super) struct Shared {
    pub ledger: Ledger,
    pub generation: u32,
    /// One a seat, made by the master: any process can wake any worker.
    bells: Arc<Vec<EventFd>>,
}

impl Shared {
    /// For `workers` seats. Errors: no descriptors left.
    pub fn new(ledger: &Ledger, generation: u32, workers: u32) -> io::Result<Shared> {
        let bells = (0..workers).map(|_| EventFd::new()).collect::<io::Result<Vec<_>>>()?;
        Ok(Shared { ledger: ledger.clone(), generation, bells: Arc::new(bells) })
    }

    pub fn mutex(&self) -> AcceptMutex<'_> {
        self.ledger.mutex_of(self.generation)
    }

    /// Wakes the worker that holds the mutex.
    pub fn ring_holder(&self) {
        let Some(pid) = self.mutex().holder() else { return };
        if let Some(slot) = self.ledger.live().find(|slot| slot.pid() == Some(pid)) {
            self.ring(slot.number());
        }
    }

    fn watch(&self) -> AcceptMutex<'_> {
        self.ledger.watch_of(self.generation)
    }

    /// For the master: what a dead process held is free, and somebody is told so.
    pub fn bury(&self, pid: u32) {
        let held = self.mutex().force_unlock(pid);
        let watched = self.watch().force_unlock(pid);
        if held || watched {
            self.ring_after(0, &[pid]);
        }
    }

    /// Wakes the next living worker after seat `number`, in a circle, that is none of `but`.
    pub fn ring_after(&self, number: u32, but: &[u32]) {
        let seats = self.bells.len() as u32;
        let is_next = |slot: &&crate::shm::Slot| {
            slot.role() == Role::Worker
                && slot.generation() == self.generation
                && slot.pid().is_some_and(|pid| !but.contains(&pid))
        };
        let distance =
            |slot: &&crate::shm::Slot| slot.number().wrapping_add(seats).wrapping_sub(number + 1) % seats.max(1);
        let next = self.ledger.live().filter(is_next).min_by_key(distance);
        if let Some(slot) = next {
            self.ring(slot.number());
        }
    }

    fn ring(&self, number: u32) {
        if let Some(bell) = self.bells.get(number as usize) {
            tell(bell);
        }
    }
}

/// One worker's part in it.
pub(super) struct Watch {
    shared: Shared,
    seat: u32,
    /// `None`: no lease. Nobody watches, and nobody is ever late.
    lease_ms: Option<u64>,
    hears: bool,
    /// A silent holder while connections waited, and when that was seen first, ms.
    suspect: Option<(Look, u64)>,
    /// As the holder: since when nobody is known to look, ms, and whom it rang last.
    alone: Option<(u64, u32)>,
}

impl Watch {
    pub fn new(shared: Shared, seat: u32, lease_ms: Option<u64>) -> Watch {
        Watch { shared, seat, lease_ms, hears: false, suspect: None, alone: None }
    }

    /// Lets the loop wake when the bell is rung. Called each turn, because a loop that lacks memory may fail at first.
    pub fn listen_to_bell(&mut self, state: &Loop) {
        let Some(bell) = self.shared.bells.get(self.seat as usize).filter(|_| !self.hears) else { return };
        match listen_to(bell, BELL, &state.poller) {
            Ok(()) => self.hears = true,
            // Where the set is the seat's, a predecessor may have put it in.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.hears = true,
            Err(error) => log::alert!("epoll_ctl() for an eventfd failed ({})", ErrnoText(&error)),
        }
    }

    /// The holder at that look is another process. True: it must be taken for dead.
    pub fn is_up(&mut self, holder: Look, has_waiting: impl FnOnce() -> bool, now: u64) -> bool {
        let is_late = |lease_ms| holder.silent_ms(now).is_some_and(|silent| silent > lease_ms);
        if !self.lease_ms.is_some_and(is_late) || !has_waiting() {
            self.suspect = None;
            return false;
        }
        match self.suspect {
            Some((seen, at)) if seen == holder => now.saturating_sub(at) >= GRACE_MS,
            _ => {
                self.suspect = Some((holder, now));
                false
            }
        }
    }

    /// Another process holds the mutex. Takes the watch if nobody has it. Returns how long this worker may sleep then, ms, which is
    /// `backup_leases` for those that need not watch.
    pub fn lost(&mut self, pid: u32, holder: Look, now: u64, backup_leases: u64) -> Option<u64> {
        self.alone = None;
        let lease_ms = self.lease_ms?;
        let (word, seen) = (self.shared.watch(), self.shared.watch().look());
        let is_vacant = seen.holder().is_none()
            || seen.holder() == holder.holder()
            // Twice: a watcher that is up to its ears in work looks late.
            || seen.silent_ms(now).is_none_or(|silent| silent > 2 * lease_ms);
        let watches =
            if seen.holder() == Some(pid) { word.renew(pid, now) } else { is_vacant && word.take_over(seen, pid, now) };
        Some(match (self.suspect, holder.silent_ms(now)) {
            (Some((_, at)), _) => (at + GRACE_MS).saturating_sub(now).max(1),
            _ if !watches => backup_leases.saturating_mul(lease_ms),
            // A look before the lease is up would see nothing; one exactly at its end neither.
            (None, Some(silent)) if silent <= lease_ms => lease_ms - silent + 1,
            (None, _) => lease_ms,
        })
    }

    /// This process holds the mutex. How long it may sleep, ms; `None`: somebody looks after it, or there is no lease.
    pub fn holds(&mut self, pid: u32, now: u64) -> Option<u64> {
        self.suspect = None;
        let lease_ms = self.lease_ms?;
        let seen = self.shared.watch().look();
        let is_watched = seen.holder().is_some_and(|watcher| watcher != pid)
            && seen.silent_ms(now).is_some_and(|silent| silent <= 2 * lease_ms);
        if is_watched {
            self.alone = None;
            return None;
        }
        let (since, last) = *self.alone.get_or_insert((now, self.seat));
        let waited = now.saturating_sub(since);
        if waited < lease_ms {
            return Some(lease_ms - waited);
        }
        let next = (last + 1) % (self.shared.bells.len() as u32).max(1);
        self.shared.ring_after(last, &[pid]);
        self.alone = Some((now, next));
        Some(lease_ms)
    }

    /// This process gave the mutex to `to`. If that one was the watcher, the two change places, and neither need be woken.
    pub fn handed_on(&mut self, pid: u32, to: u32, now: u64) {
        self.alone = None;
        if self.lease_ms.is_some() {
            self.shared.watch().hand_on(to, pid, now);
        }
    }

    /// This process took the mutex from a holder that seems to be dead: somebody must look after this one, and at once.
    pub fn took_over(&mut self, pid: u32, from: Look) {
        self.suspect = None;
        self.shared.watch().unlock(pid);
        self.shared.ring_after(self.seat, &[pid, from.holder().unwrap_or(pid)]);
    }

    /// This process can't take the mutex now: others must look.
    pub fn rest(&mut self, pid: u32) {
        (self.suspect, self.alone) = (None, None);
        if self.shared.watch().unlock(pid) {
            self.shared.ring_after(self.seat, &[pid]);
        }
    }
}
