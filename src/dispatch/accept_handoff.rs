//! `accept_handoff`: an accept mutex that its holder hands off to the worker with the fewest connections. In the field:
//! no server known to us; the parts are nginx's accept mutex, EPOLLEXCLUSIVE, and the join of the least loaded.
//!
//! - `plan`: `worker_processes` workers, no dispatcher.
//! - `life`: the event loop, with the hooks `Handoff`; a lone worker always listens. The master makes the epoll set of
//!   each seat (`poller`), so that any worker can put the listening sockets into another's set.
//! - The loop: before the wait a worker publishes its load, takes the mutex if it is free or its lease is up, and makes
//!   sure that its set is as its role says. After its accepts the holder hands the mutex off.
//! - `child_died`: the master marks the dead worker absent, ends its deputyship, frees its mutex and its watch, and
//!   wakes a worker.
//!
//! Two workers have the sockets in their sets: the holder of the mutex, and behind it a deputy. Having accepted, the
//! holder hands the mutex off to the worker with the fewest connections (among equals, the one that has waited longest)
//! if that worker has fewer than the holder; the next best becomes the deputy. In the usual round the successor is the
//! former deputy, and all there is to do is to write its pid into the word, to take the sockets from the former holder,
//! and to give them to the new deputy. That wakes no worker: the successor sleeps until a connection comes. An accept
//! costs one wakeup and one hand-off at most, no worker polls for the mutex, and the load is spread by design, not by
//! chance.
//!
//! In a rush, when one connection follows another within half a millisecond, and for some milliseconds after, all
//! workers have the sockets and accept, whoever has the mutex; every few connections each queues up again behind the
//! others. A worker with too many connections, compared with another, disarms its set as soon as it has accepted, so
//! that it isn't woken for connections that it would not take. The holder keeps the mutex for a few connections, and
//! reads the state of the others once a millisecond at most, because cache lines that go from CPU to CPU at each accept
//! are what the model costs then.
//!
//! Why a deputy: on a busy machine a holder that is awake may have to wait for a CPU, some milliseconds, and all new
//! connections with it (at 4000 a second that was seen in one of ten). The sockets are watched with EPOLLEXCLUSIVE, by
//! which the kernel wakes the first worker in the row that sleeps: when the holder doesn't, that is the deputy, which
//! then takes the mutex. A stopped holder doesn't sleep in epoll either. The lease (`lease.rs`) covers the rest.
//!
//! Two workers may accept at the same time then, for a moment. That does no harm: the kernel gives each connection to
//! one accept alone.
//!
//! # The role of a worker, edge by edge
//!
//! ```text
//! role of w  event                              method                              next role of w
//! absent     w has slots and descriptors        before_wait, publish                bystander
//! bystander  the mutex is free                  before_wait, acquire                holder
//! bystander  w watches the holder, whose lease  before_wait, take_over              holder
//!            is up
//! bystander  the holder hands the mutex off to  hand_off, by the holder             holder
//!            w
//! bystander  the holder arms w as its deputy    arm_holder_and_deputy, by the       deputy
//!                                               holder
//! bystander  there is no deputy, w has not too  stand_by                            deputy
//!            many connections
//! bystander  there is a rush, w has not too     stand_by                            bystander, armed
//!            many connections
//! deputy     a connection wakes w, for the      step_in, acquire or take_over       holder
//!            holder is awake
//! deputy     the holder hands the mutex off to  hand_off, by the holder             holder
//!            w
//! deputy     the holder arms another deputy     arm_holder_and_deputy, by the       bystander
//!                                               holder
//! holder     w has accepted, and a peer has     after_accepts, hand_off             deputy, or bystander if two peers
//!            fewer connections                                                      have fewer
//! holder     the deputy is woken in the place   step_in, by the deputy              bystander
//!            of w
//! holder     w is silent for a lease            take_over, by the watcher           absent, until w publishes
//! holder     w lacks slots or descriptors, or   withdraw, hand_off or unlock        absent
//!            leaves
//! others     w lacks slots or descriptors, or   withdraw                            absent
//!            leaves
//! any        w dies                             child_died, by the master           absent
//! ```

mod seats;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use super::lease::{Watch, log_takeover};
use super::model::{
    Always, Hooks, Life, Loop, Model, ModelKind, Places, Seat, Setup, Wait, listen_if_possible, workers,
};
use super::sockets::{Rotation, log_epoll_failure};
use seats::{Peer, Seats};

use crate::event::monotonic_ms;
use crate::os::Poller;
use crate::shm::MutexState;

pub(super) static KIND: ModelKind = ModelKind {
    name: "accept_handoff",
    params: &[],
    about: "An accept mutex that is handed on: having accepted, its holder gives it to the worker with the fewest \
            connections, which alone is woken by the next connection. Nobody competes, and the connections are spread \
            evenly. In a rush all workers accept but those that have too many.",
    places: Places::OfWorker,
    make,
};

/// A worker that doesn't watch the holder checks the watcher once in so many leases.
const BACKUP_LEASES: u64 = 10;

/// The shortest time between two comparisons with the peers in a rush, ns: other CPUs write the cache lines that are
/// read for it.
const COMPARE_NS: u64 = 1_000_000;

struct AcceptHandoff {
    workers: u32,
    seats: Seats,
    lease_ms: Option<u64>,
}

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    // A lone worker has no peer to hand the mutex off to.
    let seats = Seats::new(setup, if setup.workers > 1 { setup.workers } else { 0 })?;
    let lease_ms = setup.options.accept_mutex_lease_ms;
    Ok(Arc::new(AcceptHandoff { workers: setup.workers, seats, lease_ms }))
}

impl Model for AcceptHandoff {
    fn plan(&self) -> Vec<Seat> {
        workers(self.workers)
    }

    fn life(&self, seat: Seat) -> Life {
        if self.workers < 2 {
            return Life::Loop(Box::new(Always { is_lone: true }));
        }
        let watch = Watch::new(self.seats.shared.clone(), seat.number, self.lease_ms);
        Life::Loop(Box::new(Handoff {
            seats: self.seats.clone(),
            seat: seat.number,
            watch,
            is_begun: false,
            accepted: 0,
            accepted_in_rush: 0,
            most: 0,
            compared_ns: 0,
            held_since: None,
        }))
    }

    fn poller(&self, seat: Seat) -> Option<Arc<Poller>> {
        self.seats.sets.get(seat.number as usize).cloned()
    }

    fn child_died(&self, seat: Seat, pid: u32) {
        self.seats.mark_absent(seat.number, pid);
        let deputy = &self.seats.table.coordination.deputy;
        let _ = deputy.compare_exchange(seat.number + 1, 0, Ordering::Relaxed, Ordering::Relaxed);
        self.seats.shared.release_after_death(pid);
        // The worker may have died in `hand_off`, between writing its successor's pid into the word and arming the
        // successor's set: the successor arms that itself when it wakes.
        self.seats.shared.wake_holder();
    }
}

/// The hooks of a worker: its role, and what it knows of its peers.
struct Handoff {
    seats: Seats,
    seat: u32,
    watch: Watch,
    /// The set is disarmed of what a predecessor on the seat may have left in it.
    is_begun: bool,
    /// Connections accepted in this turn.
    accepted: u64,
    /// Connections accepted in a rush since this worker queued up.
    accepted_in_rush: u64,
    /// The number of connections above which this worker had too many, at the last comparison with its peers.
    most: u32,
    /// When it compared, ns of the clock.
    compared_ns: u64,
    /// Since when this worker has known that it holds the mutex, ms.
    held_since: Option<u64>,
}

impl Handoff {
    /// Disarms the set once, at the beginning, and watches the worker's waker.
    fn begin(&mut self, state: &Loop) {
        if !self.is_begun {
            self.seats.disarm(self.seat, state);
            self.is_begun = true;
        }
        self.watch.watch_waker(state);
    }

    /// Writes this worker's load, and whether it takes connections, into the table.
    fn publish(&self, state: &mut Loop, takes_connections: bool) {
        let Some(seat) = self.seats.seat(self.seat) else { return };
        seat.load.connections.store(state.driver.live() as u32, Ordering::Relaxed);
        seat.load.waiting_since_us.store(state.driver.clock().turn_ns() / 1000, Ordering::Relaxed);
        let pid = if takes_connections { state.pid } else { 0 };
        // A store would take the line from the workers that read it.
        if seat.pid.load(Ordering::Relaxed) != pid {
            seat.pid.store(pid, Ordering::Release);
        }
        state.listening.set_armed_by_model(seat.armed.load(Ordering::Relaxed) != 0);
    }

    /// The entry of this worker, as its peers read it.
    fn as_peer(&self, state: &mut Loop) -> Peer {
        let waiting_since_us = state.driver.clock().turn_ns() / 1000;
        Peer { connections: state.driver.live() as u32, waiting_since_us, number: self.seat, pid: state.pid }
    }

    fn is_holder(&self, state: &Loop) -> bool {
        self.seats.mutex().holder() == Some(state.pid)
    }

    /// The two peers that are to have the mutex next.
    fn next_two(&self) -> (Option<Peer>, Option<Peer>) {
        let (mut first, mut second) = (None, None);
        for peer in self.seats.peers(self.seat) {
            if first.is_none_or(|first| peer < first) {
                (first, second) = (Some(peer), first);
            } else if second.is_none_or(|second| peer < second) {
                second = Some(peer);
            }
        }
        (first, second)
    }

    /// Hands the mutex off to `to`. False: another worker held it already, or `to` has just withdrawn.
    fn hand_off(&mut self, state: &mut Loop, to: Peer, deputy: Option<Peer>) -> bool {
        let (seats, now) = (self.seats.clone(), monotonic_ms());
        if !seats.mutex().hand_off(state.pid, to.pid, now) {
            return false;
        }
        // Partner: the fences in `withdraw` and `stand_down`.
        fence(Ordering::SeqCst);
        let still = seats.seat(to.number).is_some_and(|seat| seat.pid.load(Ordering::Acquire) == to.pid);
        if !still && seats.mutex().hand_off(to.pid, state.pid, now) {
            return false;
        }
        seats.arm_holder_and_deputy(to.number, deputy, state);
        self.watch.on_handed_off(state.pid, to.pid, now);
        self.count_held(state, now);
        state.tally.handoffs.add(1);
        true
    }

    fn count_held(&mut self, state: &Loop, now: u64) {
        if let Some(since) = self.held_since.take() {
            state.tally.mutex_held_us.add(now.saturating_sub(since) * 1000);
        }
    }

    /// Takes no connections from now on. If this worker holds the mutex, hands it off to a peer that does, or frees it.
    fn withdraw(&mut self, state: &mut Loop) {
        self.publish(state, false);
        // Partner: the fences in `hand_off` and in `Seats::arm_holder_and_deputy`.
        fence(Ordering::SeqCst);
        if self.is_holder(state) {
            let (next, deputy) = self.next_two();
            let is_handed_off = next.is_some_and(|next| self.hand_off(state, next, deputy));
            if let Some(next) = next.filter(|_| is_handed_off) {
                // The kernel may have woken this worker alone for a connection that it does not take.
                self.seats.rearm_if_waiting(next.number, state);
            } else if self.seats.mutex().unlock(state.pid) {
                // The next worker that can take connections finds the mutex free.
                self.count_held(state, monotonic_ms());
                self.seats.shared.wake_next(self.seat, &[state.pid]);
            }
        }
        self.stand_down(state);
        self.watch.resign(state.pid);
    }

    /// Ends this worker's deputyship and disarms its set. Not for the holder.
    fn stand_down(&self, state: &mut Loop) {
        let deputy = &self.seats.table.coordination.deputy;
        let _ = deputy.compare_exchange(self.seat + 1, 0, Ordering::Relaxed, Ordering::Relaxed);
        self.seats.disarm(self.seat, state);
        state.listening.set_armed_by_model(false);
        // Partner: the fence in `hand_off`. A peer that has made this worker the holder at the same moment may have
        // found its set armed still.
        fence(Ordering::SeqCst);
        if self.is_holder(state) {
            self.seats.arm(self.seat, state);
        }
    }

    /// Makes sure that the sets of this holder and of a deputy are armed. Returns how long the holder may sleep, ms.
    fn hold(&mut self, state: &mut Loop, now: u64) -> Option<u64> {
        self.held_since.get_or_insert(now);
        let deputy = self.seats.table.coordination.deputy.load(Ordering::Relaxed);
        let deputy = deputy.checked_sub(1).filter(|n| *n != self.seat);
        let stands_by = |n: u32| self.seats.is_armed(n) && self.seats.takes_connections(n);
        if !self.seats.is_armed(self.seat) || !deputy.is_some_and(stands_by) {
            let (deputy, _) = self.next_two();
            self.seats.arm_holder_and_deputy(self.seat, deputy, state);
            state.listening.set_armed_by_model(true);
        }
        self.watch.on_held(state.pid, now)
    }

    /// Takes the mutex from the silent holder in `seen`. False: the holder has given a sign of life, or a peer was
    /// quicker.
    fn take_over(&mut self, state: &mut Loop, seen: MutexState, now: u64) -> bool {
        if !self.seats.mutex().take_over(seen, state.pid, now) {
            return false;
        }
        log_takeover(seen, now);
        state.tally.takeovers.add(1);
        let silent = self.seats.peers(self.seat).find(|peer| Some(peer.pid) == seen.holder());
        if let Some(silent) = silent {
            self.seats.disarm(silent.number, state);
            // The mutex is not handed off to the silent worker until it publishes again that it takes connections.
            self.seats.mark_absent(silent.number, silent.pid);
        }
        // The kernel reports a connection to one worker, once, and the silent worker did nothing about it. A set that
        // is armed anew (in `hold`) reports connections that wait.
        self.seats.disarm(self.seat, state);
        self.watch.on_taken_over(state.pid, seen);
        true
    }

    /// Decides whether this worker, which isn't the holder and whose set reports connections, accepts them. The deputy
    /// takes the mutex then.
    fn step_in(&mut self, state: &mut Loop) -> bool {
        if !self.seats.takes_connections(self.seat) {
            self.stand_down(state);
            return false;
        }
        if self.seats.is_rush(state) {
            return true;
        }
        // A worker that has other things to do was not woken for the connection: epoll reports it again if it still
        // waits then.
        if state.posted.waiting().1 > 0 {
            return false;
        }
        // Otherwise the kernel has woken this worker for a connection of its own: as the deputy, because the holder
        // doesn't sleep, or as a holder whose deputy was woken by another connection and was quicker.
        if self.is_deputy() {
            let (mutex, now) = (self.seats.mutex(), monotonic_ms());
            state.tally.mutex_tries.add(1);
            let seen = mutex.state();
            let is_taken = match seen.holder() {
                None => mutex.acquire(state.pid, Some(now)),
                Some(_) => mutex.take_over(seen, state.pid, now),
            };
            if is_taken {
                state.tally.mutex_takes.add(1);
                self.held_since = Some(now);
            }
        }
        true
    }

    /// Whether this worker has so many connections more than a peer that it leaves new ones to the holder, however busy
    /// that is.
    fn has_too_many(&self, state: &Loop) -> bool {
        let least = self.seats.peers(self.seat).map(|peer| peer.connections).min().unwrap_or(0);
        is_too_many(state.driver.live() as u32, least)
    }

    /// Queues this worker up behind its peers, every so many connections, after `count` accepts in a rush. A single
    /// client that connects as fast as it can was served 7 % more slowly by one worker alone: workers that take turns
    /// run on the client's CPU now and then, where one that stays on another CPU has to be woken across (`exclusive
    /// rotate=0` showed the same).
    fn rotate(&mut self, state: &Loop, count: u64) {
        self.accepted_in_rush += count;
        if self.accepted_in_rush >= Rotation::EVERY {
            self.accepted_in_rush = 0;
            self.seats.disarm(self.seat, state);
            self.seats.arm(self.seat, state);
            state.tally.rotations.add(1);
        }
    }

    /// Before this worker sleeps without the mutex: volunteers as the deputy when there is none, arms its set in a
    /// rush, and stands down otherwise unless it is the deputy.
    fn stand_by(&self, state: &mut Loop) {
        let deputy = &self.seats.table.coordination.deputy;
        if deputy.load(Ordering::Relaxed) == 0
            && !self.has_too_many(state)
            && deputy.compare_exchange(0, self.seat + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.seats.arm(self.seat, state);
            state.listening.set_armed_by_model(true);
            return;
        }
        let (is_armed, is_rush) = (self.seats.is_armed(self.seat), self.seats.is_rush(state));
        if is_rush && !is_armed && !self.has_too_many(state) {
            self.seats.arm(self.seat, state);
            state.listening.set_armed_by_model(true);
        } else if !is_rush && is_armed && !self.is_deputy() {
            self.stand_down(state);
        }
    }

    fn is_deputy(&self) -> bool {
        self.seats.table.coordination.deputy.load(Ordering::Relaxed) == self.seat + 1
    }
}

/// How many connections more than its least loaded peer the holder may have before it hands the mutex off. The
/// connection that it has just accepted does not count: when all connections are short, it will be gone before the next
/// one comes, and a worker that is still warm serves that sooner. In a rush, fewer hand-offs are worth a few
/// connections more; Jain's index stays above 0.99.
fn margin(own: u32, rushed: bool) -> u32 {
    if rushed { 4 + own / 32 } else { 1 }
}

/// Whether `own` connections are so many more than `least` that a worker leaves new ones to its peers.
fn is_too_many(own: u32, least: u32) -> bool {
    own > least + 4 + own / 16
}

impl Hooks for Handoff {
    fn before_wait(&mut self, state: &mut Loop) -> Wait {
        if !state.resume_listening() {
            self.withdraw(state);
            return listen_if_possible(state);
        }
        self.begin(state);
        self.publish(state, true);
        let (mutex, now) = (self.seats.mutex(), monotonic_ms());
        let seen = mutex.state();
        if seen.holder() == Some(state.pid) && mutex.renew(state.pid, now) {
            return Wait { at_most_ms: self.hold(state, now), posts: true };
        }
        let is_free = seen.holder().is_none();
        state.tally.mutex_tries.add(is_free.into());
        if is_free && mutex.acquire(state.pid, Some(now)) {
            state.tally.mutex_takes.add(1);
            return Wait { at_most_ms: self.hold(state, now), posts: true };
        }
        if self.watch.confirm_expired(seen, || state.listening.has_waiting(), now) && self.take_over(state, seen, now) {
            return Wait { at_most_ms: self.hold(state, now), posts: true };
        }
        self.held_since = None;
        self.stand_by(state);
        Wait { at_most_ms: self.watch.on_lost(state.pid, seen, now, BACKUP_LEASES), posts: true }
    }

    fn before_accepts(&mut self, state: &mut Loop) -> bool {
        self.is_holder(state) || self.step_in(state)
    }

    /// So many that this worker has one more than its least loaded peer.
    fn batch(&mut self, state: &mut Loop) -> u64 {
        let least = self.seats.peers(self.seat).map(|peer| peer.connections).min();
        least.map_or(u64::MAX, |least| u64::from(least).saturating_sub(state.driver.live() as u64) + 1)
    }

    fn accepted(&mut self, _state: &mut Loop, _n: u32, count: u64) {
        self.accepted += count;
    }

    fn after_accepts(&mut self, state: &mut Loop) {
        let count = std::mem::take(&mut self.accepted);
        if count == 0 {
            return;
        }
        let own = self.as_peer(state);
        if let Some(seat) = self.seats.seat(self.seat) {
            seat.load.connections.store(own.connections, Ordering::Relaxed);
        }
        let now = state.driver.clock().turn_ns();
        let is_rush = self.seats.note_accept(now);
        if is_rush {
            self.rotate(state, count);
        }
        let margin = margin(own.connections, is_rush);
        let has_just_compared =
            is_rush && own.connections <= self.most && now.saturating_sub(self.compared_ns) < COMPARE_NS;
        // With so few connections no worker can have noticeably fewer: there is nothing to hand off.
        if own.connections <= margin || has_just_compared {
            return;
        }
        let (Some(next), second) = self.next_two() else { return };
        (self.most, self.compared_ns) = (next.connections + margin, now);
        if own.connections > self.most {
            self.held_since.get_or_insert_with(monotonic_ms);
            self.hand_off(state, next, second.map_or(Some(own), |second| Some(second.min(own))));
        }
        // In a rush this worker may be the first in the row still: to disarm its set later would cost a wakeup in vain.
        if is_rush && is_too_many(own.connections, next.connections) {
            self.stand_down(state);
        }
    }

    fn stop_listening(&mut self, state: &mut Loop) {
        self.withdraw(state);
        log_epoll_failure(state.listening.disarm_all(&state.poller));
    }

    /// The mutex holder may be asleep in epoll_wait: re-arms its set so that it wakes.
    fn declined(&mut self, state: &mut Loop) {
        let holder = self.seats.mutex().holder();
        if let Some(holder) = self.seats.peers(self.seat).find(|peer| Some(peer.pid) == holder) {
            self.seats.rearm_if_waiting(holder.number, state);
        }
    }

    fn leave(&mut self, state: &mut Loop) {
        self.withdraw(state);
        state.leave_sockets();
    }
}
