//! Wakers: eventfds by which processes and threads wake each other from epoll_wait or poll.

use std::io;

use crate::event::Source;
use crate::log;
use crate::os::{ErrnoText, EventFd, Interest, Poller};

/// How long a process that has been woken may take until it runs, ms, on a busy machine. A process that has not reacted
/// to a connection by then is taken to be stopped.
pub(crate) const WAKE_GRACE_MS: u64 = 10;

/// Wakes the processes or threads that watch `waker`. Fails only for a closed descriptor, so an error is logged and
/// borne.
pub(crate) fn wake(waker: &EventFd) {
    if let Err(error) = waker.notify() {
        log::alert!("write() to an eventfd failed ({})", ErrnoText(&error));
    }
}

/// Sets `waker` back, so that it is not readable any more. Returns how often it was woken since the last time.
pub(crate) fn reset(waker: &EventFd) -> u64 {
    waker.drain().unwrap_or_else(|error| {
        log::alert!("read() from an eventfd failed ({})", ErrnoText(&error));
        0
    })
}

/// Whether a loop hears its waker: whether its epoll set has that.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    is_begun: bool,
}

impl Hearing {
    /// Adds `waker` to the loop's epoll set, once. Called each turn, because a loop that lacks memory may fail at
    /// first.
    pub(crate) fn begin(&mut self, waker: &EventFd, source: Source, poller: &Poller) {
        if self.is_begun {
            return;
        }
        match watch_waker(waker, source, poller) {
            Ok(()) => self.is_begun = true,
            // Where the set is the seat's, a predecessor may have added the waker.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.is_begun = true,
            Err(error) => log::alert!("epoll_ctl() for an eventfd failed ({})", ErrnoText(&error)),
        }
    }
}

/// Adds `waker` to an epoll set. Edge-triggered: each `wake` is a change, so that the counter need not be read, and all
/// processes that watch the waker are woken.
pub(crate) fn watch_waker(waker: &EventFd, source: Source, poller: &Poller) -> io::Result<()> {
    poller.add(waker, source.key(), Interest::READ | Interest::EDGE)
}
