//! `accept_mutex`: nginx's. One worker at a time has the listening sockets in its epoll set: the one that holds the mutex.
//!
//! Before each wait a worker tries to take it, once. Who wins adds the sockets, unless they are there from the last time; who
//! had them and loses removes them, and waits no longer than `accept_mutex_delay` until it tries again. The holder accepts first,
//! frees the mutex, and then serves (ngx_event_process_events_and_timers, ngx_trylock_accept_mutex).
//!
//! Beyond nginx: a holder that gives no sign of life is replaced (`accept_mutex_lease`, see `lease.rs`). It learns that when it goes on,
//! before it accepts. If it is stopped between that look and accept4, it takes one connection late, while another worker holds
//! the mutex. That does no harm: the kernel gives each connection to one accept alone, and the mutex protects nothing else. It only
//! saves wakeups.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::herd::{Always, listen_if_possible};
use super::lease::{Shared, Watch};
use super::{Hooks, Kind, Life, Loop, Model, Seat, Setup, Wait, report, workers};
use crate::event::monotonic_ms;
use crate::log;
use crate::shm::Look;

pub static KIND: Kind = Kind {
    name: "accept_mutex",
    params: &[],
    about: "nginx's accept mutex: the workers take turns, and only the one that holds the mutex watches the listening \
            sockets. A worker that is over 7/8 of its connections does not compete.",
    make,
};

struct AcceptMutex {
    workers: u32,
    shared: Shared,
    lease_ms: Option<u64>,
}

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    let lease_ms = setup.options.accept_mutex_lease_ms.filter(|_| setup.workers > 1);
    let shared = Shared::new(setup.ledger, setup.generation, if lease_ms.is_some() { setup.workers } else { 0 })?;
    Ok(Arc::new(AcceptMutex { workers: setup.workers, shared, lease_ms }))
}

impl Model for AcceptMutex {
    fn plan(&self) -> Vec<Seat> {
        workers(self.workers)
    }

    fn life(&self, seat: Seat) -> Life {
        // ngx_event_process_init: a lone worker has nobody to compete with.
        if self.workers < 2 {
            return Life::Loop(Box::new(Always));
        }
        let watch = self.lease_ms.map(|_| Watch::new(self.shared.clone(), seat.number, self.lease_ms));
        Life::Loop(Box::new(Competing { shared: self.shared.clone(), watch, is_listening: false, taken_at: None }))
    }

    fn child_died(&self, _seat: Seat, pid: u32) {
        self.shared.bury(pid);
    }
}

struct Competing {
    shared: Shared,
    /// `None`: no lease.
    watch: Option<Watch>,
    /// nginx's ngx_accept_mutex_held: the mutex was this worker's when it last tried, so the sockets are in its epoll set.
    is_listening: bool,
    /// Set while the mutex is held, which is from before the wait until after the accepts.
    taken_at: Option<Instant>,
}

impl Competing {
    /// Tries to take the mutex, once. Returns how long the turn may wait, ms, and whether it was taken.
    fn compete(&mut self, state: &mut Loop) -> (Option<u64>, bool) {
        state.tally.mutex_tries.add(1);
        let mutex = self.shared.mutex();
        let Some(watch) = &mut self.watch else {
            let taken = mutex.try_lock(state.pid);
            return if taken { (None, true) } else { (Some(state.options.accept_mutex_delay_ms), false) };
        };
        watch.listen_to_bell(state);
        let now = monotonic_ms();
        let seen = mutex.look();
        if seen.holder().is_none() && mutex.take_over(seen, state.pid, now) {
            return (watch.holds(state.pid, now), true);
        }
        let is_up = seen.holder().is_some() && watch.is_up(seen, || state.listening.has_waiting(), now);
        if is_up && mutex.take_over(seen, state.pid, now) {
            say_taken_over(seen, now);
            state.tally.takeovers.add(1);
            watch.took_over(state.pid, seen);
            return (watch.holds(state.pid, now), true);
        }
        let look_again = watch.lost(state.pid, seen, now, u64::MAX);
        (look_again.into_iter().chain([state.options.accept_mutex_delay_ms]).min(), false)
    }

    fn free(&mut self, state: &Loop) {
        if let Some(since) = self.taken_at.take() {
            state.tally.mutex_held_us.add(since.elapsed().as_micros() as u64);
            self.shared.mutex().unlock(state.pid);
        }
    }

    fn rest(&mut self, state: &Loop) {
        if let Some(watch) = &mut self.watch {
            watch.rest(state.pid);
        }
    }
}

/// One line for whoever wonders why a worker lost its place.
pub(super) fn say_taken_over(from: Look, now_ms: u64) {
    let (pid, silent) = (from.holder().unwrap_or(0), from.silent_ms(now_ms).unwrap_or(0));
    log::warn!(
        "worker process {pid} held the accept mutex without a sign of life for {silent} ms while connections waited"
    );
}

impl Hooks for Competing {
    fn before_wait(&mut self, state: &mut Loop) -> Wait {
        if !state.may_listen() {
            self.rest(state);
            return listen_if_possible(state);
        }
        if state.accept_disabled > 0 && state.is_over_limit() {
            self.rest(state);
            state.accept_disabled -= 1;
            state.tally.back_offs.add(1);
            // nginx waits for whatever comes next. When all workers are here and no client stirs, nobody would accept any more,
            // although connections wait and slots are free.
            return Wait { at_most_ms: Some(state.options.accept_mutex_delay_ms), posts: false };
        }
        let (at_most_ms, is_taken) = self.compete(state);
        if !is_taken {
            if self.is_listening && report(state.listening.disarm_shared(&state.poller)) {
                self.is_listening = false;
            }
            return Wait { at_most_ms, posts: false };
        }
        state.tally.mutex_takes.add(1);
        self.taken_at = Some(Instant::now());
        if !self.is_listening && !report(state.listening.arm(&state.poller)) {
            self.free(state);
            return Wait { at_most_ms: Some(state.options.accept_mutex_delay_ms), posts: false };
        }
        self.is_listening = true;
        Wait { at_most_ms, posts: true }
    }

    fn may_accept(&mut self, state: &mut Loop) -> bool {
        if self.taken_at.is_some() && self.shared.mutex().holder() != Some(state.pid) {
            // Taken over: the mutex is not this worker's to free. The next try will be lost, and the sockets removed.
            self.taken_at = None;
            return false;
        }
        true
    }

    fn after_accepts(&mut self, state: &mut Loop) {
        self.free(state);
    }

    /// ngx_event_accept, EMFILE: another worker may have what this one lacks.
    fn stop_listening(&mut self, state: &mut Loop) {
        if report(state.listening.disarm_all(&state.poller)) {
            self.is_listening = false;
        }
        self.free(state);
        state.accept_disabled = 1;
    }

    fn leave(&mut self, state: &mut Loop) {
        state.leave_sockets();
        self.is_listening = false;
        self.free(state);
        self.rest(state);
    }
}
