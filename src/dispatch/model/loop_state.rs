//! The state of one process's event loop, as the hooks of the models see it.

use std::sync::Arc;

use super::AcceptOptions;

use crate::dispatch::sockets::{Draining, Listening, log_epoll_failure};
use crate::event::{Odds, Posted, Shutdown};
use crate::os::Poller;
use crate::serve::Driver;
use crate::shm::Tally;

/// The parts of one process's event loop, apart from its model.
pub struct Loop {
    /// The epoll set. A model may have made it, and may change it from other processes; this process alone waits on it.
    pub poller: Arc<Poller>,
    /// The connections.
    pub driver: Box<dyn Driver>,
    /// The listening sockets.
    pub listening: Listening,
    /// Events that are put off to a later part of the turn.
    pub posted: Posted,
    /// The process's slot in the ledger.
    pub tally: Arc<Tally>,
    /// The pid of this process.
    pub pid: u32,
    /// nginx's ngx_accept_disabled: above 0 when less than an eighth of the slots is free.
    pub accept_disabled: i64,
    /// The settings that every model has.
    pub options: AcceptOptions,
    /// How far the shutdown of the process has gone.
    pub shutdown: Shutdown,
    /// Whether `Hooks::between_events` is called: set by the hooks that have something to do there.
    pub is_heard_between: bool,
    pub(super) pause: Pause,
    /// Whether more than one connection waits, where one alone need not be taken: an accept more saves a wait and a
    /// turn, a vain one costs as much.
    pub(super) more_wait: Odds,
    draining: Draining,
    /// When `draining` is accepted from again, after descriptors have run out, ms of the clock.
    drain_from: u64,
}

/// Why the loop does not listen, although its model would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    No,
    /// Out of descriptors, until this time, ms of the clock.
    Until(u64),
    /// Every slot is taken, and none of the connections may be closed for another yet.
    Full,
}

impl Loop {
    /// A loop that serves by `driver` and has not begun.
    pub fn new(
        poller: impl Into<Arc<Poller>>,
        driver: Box<dyn Driver>,
        listening: Listening,
        tally: Arc<Tally>,
        pid: u32,
        options: AcceptOptions,
    ) -> Loop {
        Loop {
            poller: poller.into(),
            driver,
            listening,
            posted: Posted::default(),
            tally,
            pid,
            accept_disabled: 0,
            options,
            shutdown: Shutdown::No,
            is_heard_between: false,
            pause: Pause::No,
            more_wait: Odds::default(),
            draining: Draining::default(),
            drain_from: 0,
        }
    }

    /// Computes the back-off, which is positive from 7/8 of the slots on. As in nginx, computed before the new
    /// connection takes its slot.
    pub(crate) fn count_free(&mut self) {
        self.accept_disabled = (self.driver.capacity() / 8) as i64 - self.driver.free() as i64;
    }

    /// Whether less than an eighth of the slots is free now, which `accept_disabled`, a count of turns, does not know.
    pub(crate) fn is_over_limit(&self) -> bool {
        self.driver.free() <= self.driver.capacity() / 8
    }

    /// Whether one more connection could be accepted, in the place of an idle one if need be. Mutable for the clock
    /// alone.
    pub(super) fn has_room(&mut self) -> bool {
        let now = self.driver.clock().now_ms();
        self.driver.free() > 0 || self.driver.room_from().is_some_and(|from| from <= now)
    }

    /// Ends a pause whose reason is gone, and arms the process's own sockets. Returns whether the process can accept:
    /// it has descriptors and slots, and has not closed its sockets. Called once a turn, before the wait.
    pub(crate) fn resume_listening(&mut self) -> bool {
        let is_over = match self.pause {
            Pause::No => true,
            Pause::Until(at) => self.driver.clock().now_ms() >= at,
            Pause::Full => self.has_room(),
        };
        if !is_over {
            return false;
        }
        self.pause = Pause::No;
        log_epoll_failure(self.listening.arm_own(&self.poller));
        !self.listening.is_closed()
    }

    /// Closes the listening sockets for this process, for its graceful shutdown. Those that no other process has are
    /// kept until their backlogs are drained.
    pub(crate) fn leave_sockets(&mut self) {
        self.draining = self.listening.to_drain();
        log_epoll_failure(self.listening.close(&self.poller));
        self.drain_queues();
    }

    /// Accepts from the backlogs that are to be drained, as far as there are slots.
    pub fn drain_queues(&mut self) {
        let now = self.driver.clock().now_ms();
        if self.draining.is_over() || now < self.drain_from {
            return;
        }
        self.driver.make_room();
        while self.driver.free() > 0 {
            let Some(accepted) = self.draining.next(&self.tally) else {
                self.drain_from = now + self.options.accept_mutex_delay_ms;
                return;
            };
            self.driver.accept(accepted, &self.poller);
            self.driver.make_room();
        }
    }

    /// When a pause ends by itself, ms of the clock; `None`: there is no pause, or its end is not known.
    pub(crate) fn pause_ends(&self) -> Option<u64> {
        match self.pause {
            Pause::No => None,
            Pause::Until(at) => Some(at),
            Pause::Full => self.driver.room_from(),
        }
    }

    /// Whether there are no descriptors, as far as is known.
    pub(crate) fn is_out_of_files(&self) -> bool {
        matches!(self.pause, Pause::Until(_))
    }
}
