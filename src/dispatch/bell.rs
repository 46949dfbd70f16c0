//! Eventfds by which processes and threads wake each other.

use std::io;

use crate::event::Source;
use crate::log;
use crate::os::{ErrnoText, EventFd, Interest, Poller};

/// An eventfd that is open can be written to and read.
pub(super) fn tell(fd: &EventFd) {
    if let Err(error) = fd.notify() {
        log::alert!("write() to an eventfd failed ({})", ErrnoText(&error));
    }
}

/// How often it was told since the last time.
pub(super) fn hear(fd: &EventFd) -> u64 {
    fd.drain().unwrap_or_else(|error| {
        log::alert!("read() from an eventfd failed ({})", ErrnoText(&error));
        0
    })
}

/// Lets a set hear a bell. By edges: each ring is a change, so that the counter need not be read, and all hear it who watch it.
pub(super) fn listen_to(bell: &EventFd, source: Source, poller: &Poller) -> io::Result<()> {
    poller.add(bell, source.key(), Interest::READ | Interest::EDGE)
}

/// How long a process that has been woken may take until it runs, ms, on a busy machine. A process that has not reacted to a
/// connection by then is taken to be stopped.
pub(super) const WAKE_GRACE_MS: u64 = 10;
