//! The hooks of a worker of `pool_pass` and `pool_queue`: it reads connections from a channel instead of accepting
//! them.

use std::io;
use std::sync::Arc;

use nix::errno::Errno;

use super::shared::PoolShared;
use crate::dispatch::model::{Hooks, Loop, Wait};
use crate::dispatch::sockets::{Rotation, log_epoll_failure};
use crate::dispatch::waker::{Hearing, WAKE_GRACE_MS, wake};
use crate::event::{Ready, Source};
use crate::log;
use crate::os::{ErrnoText, EventFd, FdChannel, Interest, limits};
use crate::serve::{Accepted, descriptors_for_files};

const CHANNEL: u32 = 0;
const WORKERS_WAKER: u32 = 1;

/// The most descriptors of a worker that are neither clients nor files.
const OTHERS: u64 = 64;

/// The workers that take from a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// A single worker: each has a channel of its own.
    One,
    /// All workers, from one channel.
    All,
}

/// A worker's end of a channel.
pub(crate) struct ChannelReader {
    shared: Arc<PoolShared>,
    seat: u32,
    readers: Readers,
    /// The channel is in the epoll set.
    is_armed: bool,
    hearing: Hearing,
    /// The end of a pause for want of descriptors, ms of the clock.
    paused_until: Option<u64>,
    /// The end of a back-off in favour of less loaded workers, ms of the clock.
    back_off_until: Option<u64>,
    /// Whether the worker had more than 7/8 of its connections in the last turn.
    is_loaded: bool,
    /// Connections taken so far.
    taken: u64,
    rotation: Rotation,
    /// How many descriptors the process may have, as `take` has found.
    max_files: u64,
}

impl ChannelReader {
    pub(crate) fn new(shared: Arc<PoolShared>, seat: u32, readers: Readers) -> ChannelReader {
        ChannelReader {
            shared,
            seat,
            readers,
            is_armed: false,
            hearing: Hearing::default(),
            paused_until: None,
            back_off_until: None,
            is_loaded: false,
            taken: 0,
            rotation: Rotation::default(),
            max_files: limits::max_open_files().unwrap_or(u64::MAX),
        }
    }

    fn interest(&self) -> Interest {
        match self.readers {
            Readers::One => Interest::READ,
            // The kernel wakes one of the workers that sleep.
            Readers::All => Interest::READ | Interest::EXCLUSIVE,
        }
    }

    fn arm(&mut self, state: &Loop) {
        if self.is_armed {
            return;
        }
        let Some(channel) = self.shared.channel(self.seat) else { return };
        self.is_armed = log_epoll_failure(state.poller.add(channel, Source::Model(CHANNEL).key(), self.interest()));
    }

    fn disarm(&mut self, state: &Loop) {
        let Some(channel) = self.shared.channel(self.seat).filter(|_| self.is_armed) else {
            return;
        };
        self.is_armed = !log_epoll_failure(state.poller.delete(channel));
        if self.readers == Readers::All && channel.has_waiting() {
            // The kernel may have woken this worker alone for the connection, and this worker won't take it.
            wake(&self.shared.workers_waker);
        }
    }

    /// Takes the channel out of the epoll set and puts it in again, behind the other workers. A message that waits is
    /// reported anew.
    fn move_to_back(&mut self, state: &Loop) {
        let Some(channel) = self.shared.channel(self.seat).filter(|_| self.is_armed) else {
            return;
        };
        self.is_armed = !log_epoll_failure(state.poller.delete(channel));
        state.tally.rotations.add(1);
        self.arm(state);
    }

    /// Takes a connection, or with multi_accept all that are there. Returns whether there was any.
    fn take(&mut self, state: &mut Loop) -> bool {
        // prlimit(1) may have lowered it since: the kernel closes a connection that it has no descriptor for.
        self.max_files = limits::max_open_files().unwrap_or(u64::MAX);
        let mut is_any = false;
        while self.paused_until.is_none() {
            if state.driver.free() == 0 {
                state.driver.make_room();
                if state.driver.free() == 0 {
                    break;
                }
            }
            if let Err(error) = self.probe_descriptor(state) {
                if state.driver.release_descriptors() {
                    continue;
                }
                log::crit!("connections wait, there is no descriptor for them ({})", ErrnoText(&error));
                self.pause(state);
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

    /// Near the limit, makes sure that there is a free descriptor, by opening one: the kernel closes a connection that
    /// a process without a free descriptor receives. Each client may have a file beside its socket. Error: there is
    /// none.
    fn probe_descriptor(&self, state: &Loop) -> io::Result<()> {
        let used = 2 * state.driver.live() as u64 + descriptors_for_files(self.max_files) + OTHERS;
        if used < self.max_files { Ok(()) } else { EventFd::new().map(drop) }
    }

    /// Takes the next message. Errors: those of `PoolShared::take`.
    fn take_one(&mut self, state: &mut Loop) -> io::Result<()> {
        self.shared.take(self.seat, state.pid, |message| {
            let Some((socket, peer)) = message.connection else { return };
            state.driver.make_room();
            state.count_free();
            state.driver.accept(Accepted { socket, peer, listener: message.listener as usize }, &state.poller);
            state.tally.connections.set(state.driver.live() as u64);
        })?;
        self.taken += 1;
        Ok(())
    }

    /// Counts and logs a failed `take_one`. The kernel has closed the connection if this process had no descriptor for
    /// it; those that come after it must wait.
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
        self.pause(state);
    }

    /// Stops reading for `accept_mutex_delay`, and tells the dispatcher.
    fn pause(&mut self, state: &mut Loop) {
        self.paused_until = Some(state.driver.clock().now_ms() + state.options.accept_mutex_delay_ms);
        self.shared.set_paused(self.seat, state.pid);
        self.disarm(state);
    }

    /// Whether this worker is full, and messages that it or another would have to take first wait in the channel: more
    /// were sent than there is room for, when the dispatcher did not know yet how many connections a worker can have
    /// (`capacity`), when it was about to end (`any_channel`), or when a worker with room has gone or has paused since.
    fn messages_wait(&self, state: &Loop) -> bool {
        let has_room = |seat| {
            let slot = self.shared.available_worker(seat, &mut 0);
            slot.is_some_and(|slot| slot.connections.get() < self.shared.capacity(seat))
        };
        state.driver.free() == 0
            && self.shared.channel(self.seat).is_some_and(FdChannel::has_waiting)
            && !(self.readers == Readers::All && self.others().any(has_room))
    }

    /// The seats of the other workers.
    fn others(&self) -> impl Iterator<Item = u32> + use<> {
        let own = self.seat;
        (0..self.shared.workers).filter(move |seat| *seat != own)
    }

    /// Ends a pause that is over, offers the room that the dispatcher waits for, and returns whether the worker reads
    /// its channel in this turn.
    fn resume_reading(&mut self, state: &mut Loop) -> bool {
        let now = state.driver.clock().now_ms();
        if self.paused_until.is_some_and(|until| now >= until) {
            self.paused_until = None;
            self.shared.set_paused(self.seat, 0);
        }
        if self.paused_until.is_some() || state.driver.free() == 0 {
            return false;
        }
        self.shared.offer_room();
        !self.back_off(state, now)
    }

    /// A worker over 7/8 of its connections leaves the next one to workers below. Returns whether it does so now.
    fn back_off(&mut self, state: &mut Loop, now: u64) -> bool {
        let capacity = state.driver.capacity() as u64;
        let is_loaded = |connections: u64| capacity.saturating_sub(connections) < capacity / 8;
        if self.readers == Readers::One || state.shutdown.has_begun() || !is_loaded(state.driver.live() as u64) {
            (self.is_loaded, self.back_off_until) = (false, None);
            return false;
        }
        if !std::mem::replace(&mut self.is_loaded, true) {
            // The workers that backed off in favour of this one check again.
            wake(&self.shared.workers_waker);
        }
        let is_better =
            |seat| self.shared.available_worker(seat, &mut 0).is_some_and(|slot| !is_loaded(slot.connections.get()));
        if !self.others().any(is_better) {
            self.back_off_until = None;
            return false;
        }
        if self.back_off_until.is_some_and(|until| now < until) {
            return true;
        }
        let is_first = self.back_off_until.replace(now + state.options.accept_mutex_delay_ms).is_none();
        if is_first {
            state.tally.back_offs.add(1);
        }
        // After a back-off the connection still waits, so the workers below are stopped or hang: this worker reads for
        // one turn.
        is_first
    }
}

impl Hooks for ChannelReader {
    fn before_wait(&mut self, state: &mut Loop) -> Wait {
        self.shared.set_capacity(self.seat, state.driver.capacity());
        if !state.listening.is_closed() {
            // The dispatcher alone accepts.
            log_epoll_failure(state.listening.close(&state.poller));
        }
        self.hearing.begin(&self.shared.workers_waker, Source::Model(WORKERS_WAKER), &state.poller);
        let room_from = self.shared.make_wanted_room(state, |state| self.messages_wait(state));
        if self.resume_reading(state) {
            self.arm(state);
        } else {
            self.disarm(state);
        }
        let now = state.driver.clock().now_ms();
        let check_confirmed = (state.shutdown.has_begun() && state.driver.live() == 0).then_some(now + WAKE_GRACE_MS);
        let until = [self.paused_until, self.back_off_until, check_confirmed, room_from].into_iter().flatten().min();
        Wait { at_most_ms: until.map(|at| at.saturating_sub(now)), posts: false }
    }

    fn own_event(&mut self, state: &mut Loop, n: u32, _ready: Ready) {
        if n == WORKERS_WAKER {
            // With a channel of its own, the worker is woken for `before_wait` alone.
            if self.readers == Readers::All {
                self.move_to_back(state);
            }
            return;
        }
        let before = self.taken;
        self.take(state);
        let count = self.taken - before;
        let is_time = count > 0 && self.rotation.count(CHANNEL, count) || state.accept_disabled > 0;
        if self.readers == Readers::All && is_time {
            self.move_to_back(state);
        }
    }

    fn leave(&mut self, state: &mut Loop) {
        self.shared.leave(self.seat, state.pid);
    }

    fn finish(&mut self, state: &mut Loop) -> bool {
        // In this order: messages that were sent before the confirmation are there to be taken.
        if !self.shared.is_confirmed(self.seat, state.pid) || self.take(state) || self.paused_until.is_some() {
            return false;
        }
        self.disarm(state);
        true
    }
}
