//! The end of a lane where connections come out: what a worker's loop does instead of accepting.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::fence;

use nix::errno::Errno;

use super::Shared;
use crate::dispatch::bell::{listen_to, tell};
use crate::dispatch::rotation::Rotation;
use crate::dispatch::{Hooks, Loop, Wait, report};
use crate::event::{Ready, Source};
use crate::log;
use crate::os::{ErrnoText, EventFd, Interest, limits};
use crate::serve::descriptors_for_files;

const LANE: u32 = 0;
const GONG: u32 = 1;

/// How often a worker that leaves and has nothing to do looks whether the dispatcher has seen that, ms: it has at once, unless the
/// machine is busy.
const CONFIRMED_SOON_MS: u64 = 10;

/// Descriptors of a worker that are neither clients nor files, at most.
const OTHERS: u64 = 64;

/// Who takes from a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dispatch) enum Reading {
    /// One worker.
    Alone,
    /// All of them.
    Together,
}

/// One worker's part.
pub(in crate::dispatch) struct Intake {
    shared: Arc<Shared>,
    seat: u32,
    reading: Reading,
    is_armed: bool,
    hears_gong: bool,
    /// Out of descriptors until then, ms of the clock.
    rest_until: Option<u64>,
    /// Over 7/8 and stood aside for others, until then, ms of the clock.
    aside_until: Option<u64>,
    /// Over 7/8 of its connections, when it last looked.
    is_loaded: bool,
    /// Connections taken so far.
    taken: u64,
    rotation: Rotation,
    /// How many descriptors the process may have.
    max_files: u64,
}

impl Intake {
    pub fn new(shared: Arc<Shared>, seat: u32, reading: Reading) -> Intake {
        Intake {
            shared,
            seat,
            reading,
            is_armed: false,
            hears_gong: false,
            rest_until: None,
            aside_until: None,
            is_loaded: false,
            taken: 0,
            rotation: Rotation::default(),
            max_files: limits::max_open_files().unwrap_or(u64::MAX),
        }
    }

    fn interest(&self) -> Interest {
        match self.reading {
            Reading::Alone => Interest::READ,
            // The kernel wakes one of those that sleep.
            Reading::Together => Interest::READ | Interest::EXCLUSIVE,
        }
    }

    fn arm(&mut self, state: &Loop) {
        if self.is_armed {
            return;
        }
        let Some(lane) = self.shared.lane(self.seat) else { return };
        self.is_armed = report(state.poller.add(lane, Source::Model(LANE).key(), self.interest()));
    }

    fn disarm(&mut self, state: &Loop) {
        let Some(lane) = self.shared.lane(self.seat).filter(|_| self.is_armed) else {
            return;
        };
        self.is_armed = !report(state.poller.delete(lane));
        if self.reading == Reading::Together && lane.has_waiting() {
            // The one wakeup for it may have been this worker's, which won't take it.
            tell(&self.shared.gong);
        }
    }

    /// Takes the lane out of the epoll set and puts it in again, behind the other workers; what waits is reported anew.
    fn move_to_back(&mut self, state: &Loop) {
        let Some(lane) = self.shared.lane(self.seat).filter(|_| self.is_armed) else {
            return;
        };
        self.is_armed = !report(state.poller.delete(lane));
        state.tally.rotations.add(1);
        self.arm(state);
    }

    /// Takes what is there: one connection, or with multi_accept all. Returns whether there was any.
    fn take(&mut self, state: &mut Loop) -> bool {
        let mut is_any = false;
        while self.rest_until.is_none() {
            if state.driver.free() == 0 {
                state.driver.make_room();
                if state.driver.free() == 0 {
                    break;
                }
            }
            if let Err(error) = self.look_for_descriptor(state) {
                if state.driver.release_descriptors() {
                    continue;
                }
                log::crit!("connections wait, there is no descriptor for them ({})", ErrnoText(&error));
                self.rest(state);
                break;
            }
            match self.take_one(state) {
                Ok(()) => is_any = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    state.tally.empty_accepts.add(1);
                    break;
                }
                Err(error) => {
                    self.failed(state, &error);
                    break;
                }
            }
            if !state.options.multi_accept {
                break;
            }
        }
        is_any
    }

    /// The kernel closes a connection that is passed to a process without a free descriptor: near the limit, that is tried with
    /// what can be lost. Each client may have a file beside it.
    fn look_for_descriptor(&self, state: &Loop) -> io::Result<()> {
        let used = 2 * state.driver.live() as u64 + descriptors_for_files(self.max_files) + OTHERS;
        if used < self.max_files { Ok(()) } else { EventFd::new().map(drop) }
    }

    fn take_one(&mut self, state: &mut Loop) -> io::Result<()> {
        let Some(lane) = self.shared.lane(self.seat) else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let parcel = lane.take()?;
        if let Some((socket, peer)) = parcel.connection {
            state.driver.make_room();
            state.count_free();
            state.driver.accept(socket, peer, parcel.listener as usize, &state.poller);
            // Before it is no longer under way: in between the dispatcher would see a worker with less to do than it has.
            state.tally.connections.set(state.driver.live() as u64);
        }
        let taken = &self.shared.place(self.seat).taken;
        match self.reading {
            Reading::Alone => taken.set(parcel.number),
            Reading::Together => taken.add(1),
        }
        self.taken += 1;
        Ok(())
    }

    /// The kernel closes a connection for which this process has no descriptor; those that come after it may wait.
    fn failed(&mut self, state: &mut Loop, error: &io::Error) {
        state.tally.failed_accepts.add(1);
        let text = ErrnoText(error);
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EMFILE) => {
                log::crit!("recvmsg() of an accepted connection failed, it is closed ({text})");
                if state.driver.release_descriptors() {
                    return;
                }
            }
            _ => log::alert!("recvmsg() of an accepted connection failed ({text})"),
        }
        self.rest(state);
    }

    fn rest(&mut self, state: &mut Loop) {
        self.rest_until = Some(state.driver.clock().now_ms() + state.options.accept_mutex_delay_ms);
        self.shared.rest(self.seat, state.pid);
        self.disarm(state);
    }

    /// Whether the worker reads its lane in this turn.
    fn decide(&mut self, state: &mut Loop) -> bool {
        let now = state.driver.clock().now_ms();
        if self.rest_until.is_some_and(|until| now >= until) {
            self.rest_until = None;
            self.shared.rest(self.seat, 0);
        }
        // The number of connections was stored before; were it not to be seen before this look, room that is wanted from now on would
        // be offered by nobody.
        fence(SeqCst);
        if self.shared.is_room_wanted() {
            state.driver.make_room();
            state.tally.connections.set(state.driver.live() as u64);
        }
        if self.rest_until.is_some() || state.driver.free() == 0 {
            return false;
        }
        self.shared.offer_room();
        !self.stands_aside(state, now)
    }

    /// Who is over 7/8 of its connections leaves the next one to those who are not.
    fn stands_aside(&mut self, state: &mut Loop, now: u64) -> bool {
        let capacity = state.driver.capacity() as u64;
        let is_loaded = |connections: u64| capacity.saturating_sub(connections) < capacity / 8;
        if self.reading == Reading::Alone || state.shutdown.has_begun() || !is_loaded(state.driver.live() as u64) {
            (self.is_loaded, self.aside_until) = (false, None);
            return false;
        }
        if !std::mem::replace(&mut self.is_loaded, true) {
            // Those that stood aside for this one look again.
            tell(&self.shared.gong);
        }
        let mut others = (0..self.shared.workers).filter(|seat| *seat != self.seat);
        let is_better = |seat| self.shared.willing(seat, &mut 0).is_some_and(|slot| !is_loaded(slot.connections.get()));
        if !others.any(is_better) {
            self.aside_until = None;
            return false;
        }
        if self.aside_until.is_some_and(|until| now < until) {
            return true;
        }
        let is_first = self.aside_until.replace(now + state.options.accept_mutex_delay_ms).is_none();
        if is_first {
            state.tally.back_offs.add(1);
        }
        // Later: those that could take what comes are stopped, or hang. One turn for this one.
        is_first
    }
}

impl Hooks for Intake {
    fn before_wait(&mut self, state: &mut Loop) -> Wait {
        self.shared.set_capacity(self.seat, state.driver.capacity());
        if !state.listening.is_closed() {
            // Accepting is the dispatcher's business.
            report(state.listening.close(&state.poller));
        }
        if !self.hears_gong {
            self.hears_gong = report(listen_to(&self.shared.gong, Source::Model(GONG), &state.poller));
        }
        if self.decide(state) {
            self.arm(state);
        } else {
            self.disarm(state);
        }
        let now = state.driver.clock().now_ms();
        let confirmed_soon =
            (state.shutdown.has_begun() && state.driver.live() == 0).then_some(now + CONFIRMED_SOON_MS);
        let room_from = self.shared.wanted_room_from(state);
        let until = [self.rest_until, self.aside_until, confirmed_soon, room_from].into_iter().flatten().min();
        Wait { at_most_ms: until.map(|at| at.saturating_sub(now)), posts: false }
    }

    fn own_event(&mut self, state: &mut Loop, n: u32, _ready: Ready) {
        if n == GONG {
            // Where the worker reads alone, it is woken for what it does before each wait.
            if self.reading == Reading::Together {
                self.move_to_back(state);
            }
            return;
        }
        let before = self.taken;
        self.take(state);
        let count = self.taken - before;
        let is_time = count > 0 && self.rotation.is_due(LANE, count) || state.accept_disabled > 0;
        if self.reading == Reading::Together && is_time {
            self.move_to_back(state);
        }
    }

    fn leave(&mut self, state: &mut Loop) {
        self.shared.leave(self.seat, state.pid);
    }

    fn may_end(&mut self, state: &mut Loop) -> bool {
        // In this order: what was passed before the confirmation is there to be taken.
        if !self.shared.is_confirmed(self.seat, state.pid) || self.take(state) || self.rest_until.is_some() {
            return false;
        }
        self.disarm(state);
        true
    }
}
