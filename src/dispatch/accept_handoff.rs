//! `accept_handoff`: an accept mutex that is handed on, not fought for.
//!
//! All workers can put the listening sockets into each other's epoll sets and take them out, because the master has made those
//! sets. Two workers have the sockets: the holder of the mutex, and behind it a deputy. Having accepted, the holder gives the
//! mutex to the worker with the fewest connections (among equals, to the one that has waited longest) if that one has
//! fewer than it has itself; the next best becomes the deputy. In the usual round the successor is the deputy that was, and
//! all there is to do is to write its pid into the word, to take the sockets from the holder, and to give them to the new
//! deputy. That wakes nobody: the successor sleeps until a connection comes. An accept costs one wakeup and one
//! hand-off at most, nobody polls for the mutex, and the load is spread by design, not by chance.
//!
//! In a rush, when one connection follows another within half a millisecond, and for some milliseconds after, all workers have
//! the sockets and accept, whoever has the mutex; every few connections each queues up again behind the others. One that has too
//! many connections, compared with another, lets go of the sockets as soon as it has accepted, so that it isn't woken for what it
//! would not take. The holder keeps the mutex for a few connections, and what others write is looked at once a millisecond, because
//! cache lines that go from CPU to CPU at each accept are what the model costs then.
//!
//! Why a deputy: on a busy machine a holder that is awake may have to wait for a CPU, some milliseconds, and all new connections with
//! it (at 4000 a second that was seen in one of ten). The sockets are watched with EPOLLEXCLUSIVE, by which the kernel
//! wakes the first worker in the row that sleeps: when the holder doesn't, that is the deputy, which then takes the mutex
//! (it steps in). A stopped holder doesn't sleep in epoll either. The lease (`lease.rs`) covers the rest.
//!
//! Two workers may accept at the same time then, for a moment. That does no harm: the kernel gives each connection to one accept alone.

mod places;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use places::{Common, Other};

use super::accept_mutex::say_taken_over;
use super::herd::{Always, listen_if_possible};
use super::lease::Watch;
use super::{Hooks, Kind, Life, Loop, Model, Seat, Setup, Wait, report, workers};
use crate::event::monotonic_ms;
use crate::os::Poller;
use crate::shm::Look;

pub static KIND: Kind = Kind {
    name: "accept_handoff",
    params: &[],
    about: "An accept mutex that is handed on: having accepted, its holder gives it to the worker with the fewest connections, \
            which alone is woken by the next connection. Nobody competes, and the connections are spread evenly. In a rush \
            all workers accept but those that have too many.",
    make,
};

/// A worker that doesn't watch looks after the watcher once in so many leases.
const BACKUP_LEASES: u64 = 10;

/// In a rush a worker looks at the others, whose cache lines other CPUs write, no more often than this, ns.
const LOOK_NS: u64 = 1_000_000;

/// In a rush a worker queues up again behind the others every so many connections, as under `exclusive`. A single client that connects
/// as fast as it can was served 7 % more slowly by one worker alone: workers that take turns run on the client's CPU now
/// and then, where one that stays on another CPU has to be woken across (`exclusive rotate=0` showed the same).
const ROTATE: u64 = 16;

struct AcceptHandoff {
    workers: u32,
    common: Common,
    lease_ms: Option<u64>,
}

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    // A lone worker has nobody to hand anything to.
    let seats = if setup.workers > 1 { setup.workers } else { 0 };
    let common = Common::new(setup, seats)?;
    let lease_ms = setup.options.accept_mutex_lease_ms;
    Ok(Arc::new(AcceptHandoff { workers: setup.workers, common, lease_ms }))
}

impl Model for AcceptHandoff {
    fn plan(&self) -> Vec<Seat> {
        workers(self.workers)
    }

    fn life(&self, seat: Seat) -> Life {
        if self.workers < 2 {
            return Life::Loop(Box::new(Always));
        }
        let watch = Watch::new(self.common.shared.clone(), seat.number, self.lease_ms);
        let common = self.common.clone();
        Life::Loop(Box::new(Handing {
            common,
            seat: seat.number,
            watch,
            is_seated: false,
            accepted: 0,
            in_row: 0,
            enough: 0,
            looked: 0,
            held_since: None,
        }))
    }

    fn poller(&self, seat: Seat) -> Option<Arc<Poller>> {
        self.common.sets.get(seat.number as usize).cloned()
    }

    fn child_died(&self, seat: Seat, pid: u32) {
        self.common.clear(seat.number, pid);
        let deputy = &self.common.places.front.deputy;
        let _ = deputy.compare_exchange(seat.number + 1, 0, Ordering::Relaxed, Ordering::Relaxed);
        self.common.shared.bury(pid);
        // It may have died between writing another's pid into the word and giving the sockets to that one's set.
        self.common.shared.ring_holder();
    }
}

/// One worker's part in it.
struct Handing {
    common: Common,
    seat: u32,
    watch: Watch,
    /// What a predecessor on the seat may have left behind is gone.
    is_seated: bool,
    /// Connections accepted in this turn.
    accepted: u64,
    /// Connections accepted in a rush since it queued up.
    in_row: u64,
    /// With more connections than this it had too many, when it looked at the others last.
    enough: u32,
    /// When that was, ns of the clock.
    looked: u64,
    /// Since when it has known that it holds the mutex, ms.
    held_since: Option<u64>,
}

impl Handing {
    /// Once, at the beginning.
    fn sit_down(&mut self, state: &Loop) {
        if !self.is_seated {
            self.common.take_out(self.seat, state);
            self.is_seated = true;
        }
        self.watch.listen_to_bell(state);
    }

    fn say(&self, state: &mut Loop, takes_connections: bool) {
        let Some(place) = self.common.place(self.seat) else { return };
        place.load.connections.store(state.driver.live() as u32, Ordering::Relaxed);
        place.load.since.store(state.driver.clock().turn_ns() / 1000, Ordering::Relaxed);
        let pid = if takes_connections { state.pid } else { 0 };
        // A store would take the line from those that read it.
        if place.pid.load(Ordering::Relaxed) != pid {
            place.pid.store(pid, Ordering::Release);
        }
        state.listening.set_lent(place.turn.load(Ordering::Relaxed) != 0);
    }

    /// This worker, as others see it.
    fn itself(&self, state: &mut Loop) -> Other {
        let since = state.driver.clock().turn_ns() / 1000;
        Other { connections: state.driver.live() as u32, since, number: self.seat, pid: state.pid }
    }

    fn holds(&self, state: &Loop) -> bool {
        self.common.shared.mutex().holder() == Some(state.pid)
    }

    /// The two that are to have the mutex next.
    fn next_two(&self) -> (Option<Other>, Option<Other>) {
        let (mut first, mut second) = (None, None);
        for other in self.common.others(self.seat) {
            if first.is_none_or(|first| other < first) {
                (first, second) = (Some(other), first);
            } else if second.is_none_or(|second| other < second) {
                second = Some(other);
            }
        }
        (first, second)
    }

    /// Hands the mutex on to `to`. False: it was another's already, or `to` has just said that it takes no connections.
    fn hand_on(&mut self, state: &mut Loop, to: Other, deputy: Option<Other>) -> bool {
        let (mutex, now) = (self.common.shared.mutex(), monotonic_ms());
        if !mutex.hand_on(state.pid, to.pid, now) {
            return false;
        }
        // The other end of the fence in `withdraw`: of two that do this at the same time one sees what the other did.
        fence(Ordering::SeqCst);
        let still = self.common.place(to.number).is_some_and(|place| place.pid.load(Ordering::Acquire) == to.pid);
        if !still && mutex.hand_on(to.pid, state.pid, now) {
            return false;
        }
        self.common.arrange(to.number, deputy, state);
        self.watch.handed_on(state.pid, to.pid, now);
        self.count_held(state, now);
        state.tally.handoffs.add(1);
        true
    }

    fn count_held(&mut self, state: &Loop, now: u64) {
        if let Some(since) = self.held_since.take() {
            state.tally.mutex_held_us.add(now.saturating_sub(since) * 1000);
        }
    }

    /// Takes no connections from now on; who else does gets the mutex.
    fn withdraw(&mut self, state: &mut Loop) {
        self.say(state, false);
        fence(Ordering::SeqCst);
        if self.holds(state) {
            let (next, deputy) = self.next_two();
            let is_handed_on = next.is_some_and(|next| self.hand_on(state, next, deputy));
            if let Some(next) = next.filter(|_| is_handed_on) {
                // This worker may have been woken for what it does not take.
                self.common.look_again(next.number, state);
            } else if self.common.shared.mutex().unlock(state.pid) {
                // Whoever can take connections next finds it free.
                self.count_held(state, monotonic_ms());
                self.common.shared.ring_after(self.seat, &[state.pid]);
            }
        }
        self.step_back(state);
        self.watch.rest(state.pid);
    }

    /// Is neither holder nor deputy.
    fn step_back(&self, state: &mut Loop) {
        let own = (self.seat + 1, 0);
        let _ = self.common.places.front.deputy.compare_exchange(own.0, own.1, Ordering::Relaxed, Ordering::Relaxed);
        self.common.take_out(self.seat, state);
        state.listening.set_lent(false);
        // Whoever made it the holder at the same moment may have found that its set has the sockets already.
        fence(Ordering::SeqCst);
        if self.holds(state) {
            self.common.put_in(self.seat, state);
        }
    }

    /// This process has the mutex: makes sure of its set. How long it may sleep, ms.
    fn hold(&mut self, state: &mut Loop, now: u64) -> Option<u64> {
        self.held_since.get_or_insert(now);
        let deputy = self.common.places.front.deputy.load(Ordering::Relaxed).checked_sub(1).filter(|n| *n != self.seat);
        let stands_by = |n: u32| self.common.turn_of(n) != 0 && self.common.takes_connections(n);
        if self.common.turn_of(self.seat) == 0 || !deputy.is_some_and(stands_by) {
            let (deputy, _) = self.next_two();
            self.common.arrange(self.seat, deputy, state);
            state.listening.set_lent(true);
        }
        self.watch.holds(state.pid, now)
    }

    fn take_over(&mut self, state: &mut Loop, seen: Look, now: u64) -> bool {
        if !self.common.shared.mutex().take_over(seen, state.pid, now) {
            return false;
        }
        say_taken_over(seen, now);
        state.tally.takeovers.add(1);
        let dead = self.common.others(self.seat).find(|other| Some(other.pid) == seen.holder());
        if let Some(dead) = dead {
            self.common.take_out(dead.number, state);
            // Nor is it handed anything until it says again that it is there.
            self.common.clear(dead.number, dead.pid);
        }
        // The kernel tells one worker of a connection, once, and that one did nothing about it. A set that is given the sockets anew
        // looks whether anything waits.
        self.common.take_out(self.seat, state);
        self.watch.took_over(state.pid, seen);
        true
    }

    /// The sockets have something for this worker, which isn't the holder. Whether it may accept all the same.
    fn step_in(&mut self, state: &mut Loop) -> bool {
        if !self.common.takes_connections(self.seat) {
            self.step_back(state);
            return false;
        }
        if self.common.is_rush(state) {
            return true;
        }
        // A worker that has other things to do was not woken for the connection: it will be told of it again if it still waits then.
        if state.posted.waiting().1 > 0 {
            return false;
        }
        // Otherwise the kernel has woken it for a connection of its own: as the deputy, because the holder doesn't sleep, or as a
        // holder whose deputy was woken by another connection and was quicker.
        if self.is_deputy() {
            let (mutex, now) = (self.common.shared.mutex(), monotonic_ms());
            state.tally.mutex_tries.add(1);
            if mutex.take_over(mutex.look(), state.pid, now) {
                state.tally.mutex_takes.add(1);
                self.held_since = Some(now);
            }
        }
        true
    }

    /// It has so many connections more than another that it leaves new ones to the holder, however busy that is.
    fn has_too_many(&self, state: &Loop) -> bool {
        let least = self.common.others(self.seat).map(|other| other.connections).min().unwrap_or(0);
        too_many(state.driver.live() as u32, least)
    }

    /// After `count` accepts in a rush.
    fn rotate(&mut self, state: &Loop, count: u64) {
        self.in_row += count;
        if self.in_row >= ROTATE {
            self.in_row = 0;
            self.common.take_out(self.seat, state);
            self.common.put_in(self.seat, state);
            state.tally.rotations.add(1);
        }
    }

    /// Before it sleeps without the mutex: volunteers when there is no deputy or a rush, and else lets go of the sockets when it
    /// isn't the deputy.
    fn stand_by(&self, state: &mut Loop) {
        let deputy = &self.common.places.front.deputy;
        let own = self.seat + 1;
        if deputy.load(Ordering::Relaxed) == 0
            && !self.has_too_many(state)
            && deputy.compare_exchange(0, own, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.common.put_in(self.seat, state);
            state.listening.set_lent(true);
            return;
        }
        let (is_in, is_rush) = (self.common.turn_of(self.seat) != 0, self.common.is_rush(state));
        if is_rush && !is_in && !self.has_too_many(state) {
            self.common.put_in(self.seat, state);
            state.listening.set_lent(true);
        } else if !is_rush && is_in && !self.is_deputy() {
            self.step_back(state);
        }
    }

    fn is_deputy(&self) -> bool {
        self.common.places.front.deputy.load(Ordering::Relaxed) == self.seat + 1
    }
}

/// By how many connections the holder may have more than the one with fewest, before it hands the mutex on. The one that it has
/// just accepted does not count: when all connections are short, it will be gone before the next one comes, and a worker
/// that is still warm serves that sooner. In a rush, fewer hand-ons are worth a few connections more; Jain's index stays above 0.99.
fn margin(own: u32, rushed: bool) -> u32 {
    if rushed { 4 + own / 32 } else { 1 }
}

/// Whether `own` connections are so many more than `least` that a worker leaves new ones to others.
fn too_many(own: u32, least: u32) -> bool {
    own > least + 4 + own / 16
}

impl Hooks for Handing {
    fn before_wait(&mut self, state: &mut Loop) -> Wait {
        if !state.may_listen() {
            self.withdraw(state);
            return listen_if_possible(state);
        }
        self.sit_down(state);
        self.say(state, true);
        let (mutex, now) = (self.common.shared.mutex(), monotonic_ms());
        let seen = mutex.look();
        if seen.holder() == Some(state.pid) && mutex.renew(state.pid, now) {
            return Wait { at_most_ms: self.hold(state, now), posts: true };
        }
        let is_free = seen.holder().is_none();
        state.tally.mutex_tries.add(is_free.into());
        if is_free && mutex.take_over(seen, state.pid, now) {
            state.tally.mutex_takes.add(1);
            return Wait { at_most_ms: self.hold(state, now), posts: true };
        }
        if self.watch.is_up(seen, || state.listening.has_waiting(), now) && self.take_over(state, seen, now) {
            return Wait { at_most_ms: self.hold(state, now), posts: true };
        }
        self.held_since = None;
        self.stand_by(state);
        Wait { at_most_ms: self.watch.lost(state.pid, seen, now, BACKUP_LEASES), posts: true }
    }

    fn may_accept(&mut self, state: &mut Loop) -> bool {
        self.holds(state) || self.step_in(state)
    }

    /// As many as make this worker the one with the most connections.
    fn batch(&mut self, state: &mut Loop) -> u64 {
        let least = self.common.others(self.seat).map(|other| other.connections).min();
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
        let itself = self.itself(state);
        if let Some(place) = self.common.place(self.seat) {
            place.load.connections.store(itself.connections, Ordering::Relaxed);
        }
        let now = state.driver.clock().turn_ns();
        let is_rush = self.common.note_accept(now);
        if is_rush {
            self.rotate(state, count);
        }
        let (own, margin) = (itself.connections, margin(itself.connections, is_rush));
        let has_just_looked = is_rush && own <= self.enough && now.saturating_sub(self.looked) < LOOK_NS;
        // Nobody has fewer than none.
        if own <= margin || has_just_looked {
            return;
        }
        let (Some(next), second) = self.next_two() else { return };
        (self.enough, self.looked) = (next.connections + margin, now);
        if own > self.enough {
            self.held_since.get_or_insert_with(monotonic_ms);
            self.hand_on(state, next, second.map_or(Some(itself), |second| Some(second.min(itself))));
        }
        // In a rush it may be first in the row still. Waiting until it is woken again would be a wakeup in vain.
        if is_rush && too_many(own, next.connections) {
            self.step_back(state);
        }
    }

    fn stop_listening(&mut self, state: &mut Loop) {
        self.withdraw(state);
        report(state.listening.disarm_all(&state.poller));
    }

    /// Whoever holds the mutex sleeps, as far as is known here.
    fn declined(&mut self, state: &mut Loop) {
        let holder = self.common.shared.mutex().holder();
        if let Some(holder) = self.common.others(self.seat).find(|other| Some(other.pid) == holder) {
            self.common.look_again(holder.number, state);
        }
    }

    fn leave(&mut self, state: &mut Loop) {
        self.withdraw(state);
        state.leave_sockets();
    }
}
