//! `accept_mutex`: nginx's accept mutex. One worker at a time has the listening sockets in its epoll set: the holder of
//! the mutex. In the field: nginx up to 1.11.2 by default, and since then with `accept_mutex on` (ngx_event.c,
//! ngx_trylock_accept_mutex).
//!
//! - `plan`: `worker_processes` workers, no dispatcher.
//! - `life`: the event loop, with the hooks `Competing`; a lone worker has no competitor and always listens.
//! - The loop: before each wait a worker tries to take the mutex, once. The winner adds the sockets to its epoll set,
//!   unless they are there from the last time; a former holder that loses removes them, and waits no longer than
//!   `accept_mutex_delay` until it tries again. After its accepts the holder frees the mutex, and serves what it has
//!   posted (ngx_event_process_events_and_timers).
//! - `child_died`: the master frees the mutex and the watch that the dead worker held.
//!
//! Beyond nginx: a holder that gives no sign of life is replaced (`accept_mutex_lease`, see `lease.rs`). The former
//! holder learns that from its own check before it accepts (`may_accept`). If it is stopped between that check and
//! accept4, it takes one connection late, while another worker holds the mutex. That does no harm: the kernel gives
//! each connection to one accept alone, and the mutex protects nothing else. The mutex only saves wakeups.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::lease::{SharedMutex, Watch, log_takeover};
use super::model::{
    Always, Hooks, Life, Loop, Model, ModelKind, Places, Seat, Setup, Wait, listen_if_possible, workers,
};
use super::sockets::log_epoll_failure;
use crate::event::monotonic_ms;

pub(super) static KIND: ModelKind = ModelKind {
    name: "accept_mutex",
    params: &[],
    about: "nginx's accept mutex: the workers take turns, and only the one that holds the mutex watches the listening \
            sockets. A worker that is over 7/8 of its connections does not compete.",
    places: Places::OfWorker,
    make,
};

struct AcceptMutex {
    workers: u32,
    shared: SharedMutex,
    lease_ms: Option<u64>,
}

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    let lease_ms = setup.options.accept_mutex_lease_ms.filter(|_| setup.workers > 1);
    let shared = SharedMutex::new(setup.ledger, setup.generation, if lease_ms.is_some() { setup.workers } else { 0 })?;
    Ok(Arc::new(AcceptMutex { workers: setup.workers, shared, lease_ms }))
}

impl Model for AcceptMutex {
    fn plan(&self) -> Vec<Seat> {
        workers(self.workers)
    }

    fn life(&self, seat: Seat) -> Life {
        // ngx_event_process_init: a lone worker has nobody to compete with.
        if self.workers < 2 {
            return Life::Loop(Box::new(Always { is_lone: true }));
        }
        let watch = self.lease_ms.map(|_| Watch::new(self.shared.clone(), seat.number, self.lease_ms));
        Life::Loop(Box::new(Competing { shared: self.shared.clone(), watch, is_listening: false, acquired_at: None }))
    }

    fn child_died(&self, _seat: Seat, pid: u32) {
        self.shared.release_after_death(pid);
    }
}

/// The hooks of a worker that competes for the mutex.
struct Competing {
    shared: SharedMutex,
    /// `None`: no lease.
    watch: Option<Watch>,
    /// The sockets are in the epoll set, because the worker's last try to take the mutex succeeded
    /// (ngx_accept_mutex_held).
    is_listening: bool,
    /// When this worker took the mutex; set from before the wait until after the accepts.
    acquired_at: Option<Instant>,
}

impl Competing {
    /// Tries to take the mutex, once: when it is free, or when the lease of its holder is up. Returns how long the turn
    /// may wait, ms, and whether this worker holds the mutex now.
    fn compete(&mut self, state: &mut Loop) -> (Option<u64>, bool) {
        state.tally.mutex_tries.add(1);
        let mutex = self.shared.mutex();
        let Some(watch) = &mut self.watch else {
            let is_acquired = mutex.acquire(state.pid, None);
            return if is_acquired { (None, true) } else { (Some(state.options.accept_mutex_delay_ms), false) };
        };
        watch.watch_waker(state);
        let now = monotonic_ms();
        let seen = mutex.state();
        if seen.holder().is_none() && mutex.acquire(state.pid, Some(now)) {
            return (watch.on_held(state.pid, now), true);
        }
        let is_expired = seen.holder().is_some() && watch.confirm_expired(seen, || state.listening.has_waiting(), now);
        if is_expired && mutex.take_over(seen, state.pid, now) {
            log_takeover(seen, now);
            state.tally.takeovers.add(1);
            watch.on_taken_over(state.pid, seen);
            return (watch.on_held(state.pid, now), true);
        }
        let until_check = watch.on_lost(state.pid, seen, now, u64::MAX);
        (until_check.into_iter().chain([state.options.accept_mutex_delay_ms]).min(), false)
    }

    /// Frees the mutex, if this worker has taken it in this turn.
    fn release(&mut self, state: &Loop) {
        if let Some(since) = self.acquired_at.take() {
            state.tally.mutex_held_us.add(since.elapsed().as_micros() as u64);
            self.shared.mutex().unlock(state.pid);
        }
    }

    /// Leaves the watch over the holder to others, for this worker can't take the mutex now.
    fn resign(&mut self, state: &Loop) {
        if let Some(watch) = &mut self.watch {
            watch.resign(state.pid);
        }
    }
}

impl Hooks for Competing {
    fn before_wait(&mut self, state: &mut Loop) -> Wait {
        if !state.resume_listening() {
            self.resign(state);
            return listen_if_possible(state);
        }
        if state.accept_disabled > 0 && state.is_over_limit() {
            self.resign(state);
            state.accept_disabled -= 1;
            state.tally.back_offs.add(1);
            // nginx waits for its next event here. When all workers do and no client stirs, no worker would ever accept
            // again, although connections wait and slots are free.
            return Wait { at_most_ms: Some(state.options.accept_mutex_delay_ms), posts: false };
        }
        let (at_most_ms, is_holder) = self.compete(state);
        if !is_holder {
            if self.is_listening && log_epoll_failure(state.listening.disarm_shared(&state.poller)) {
                self.is_listening = false;
            }
            return Wait { at_most_ms, posts: false };
        }
        state.tally.mutex_takes.add(1);
        self.acquired_at = Some(Instant::now());
        if !self.is_listening && !log_epoll_failure(state.listening.arm(&state.poller)) {
            self.release(state);
            return Wait { at_most_ms: Some(state.options.accept_mutex_delay_ms), posts: false };
        }
        self.is_listening = true;
        Wait { at_most_ms, posts: true }
    }

    fn before_accepts(&mut self, state: &mut Loop) -> bool {
        if self.acquired_at.is_some() && self.shared.mutex().holder() != Some(state.pid) {
            // Another worker has taken the mutex over, so this one must not free it. The next try fails and removes the
            // sockets.
            self.acquired_at = None;
            return false;
        }
        true
    }

    fn after_accepts(&mut self, state: &mut Loop) {
        self.release(state);
    }

    /// Leaves the mutex to another worker, which may have the descriptors or slots that this one lacks
    /// (ngx_event_accept, EMFILE).
    fn stop_listening(&mut self, state: &mut Loop) {
        if log_epoll_failure(state.listening.disarm_all(&state.poller)) {
            self.is_listening = false;
        }
        self.release(state);
        state.accept_disabled = 1;
    }

    fn leave(&mut self, state: &mut Loop) {
        state.leave_sockets();
        self.is_listening = false;
        self.release(state);
        self.resign(state);
    }
}
