//! The interface of an event loop to the connections of its process.

use super::accepted::Accepted;
use crate::event::{Clock, Ready};
use crate::os::Poller;

/// The connections of one event-driven process. `EventDriver` serves them; tests of the loop put their own driver in.
///
/// All methods are called by the thread that runs the loop, between two waits.
pub trait Driver {
    /// Takes on an accepted connection: one epoll_ctl. A connection for which there is no
    /// free slot is closed: ask `free` before the accept.
    fn accept(&mut self, accepted: Accepted, poller: &Poller);

    /// Goes on with connection `key`, which is ready; a key whose connection is gone is ignored.
    fn ready(&mut self, key: u64, ready: Ready, poller: &Poller);

    /// The threads that work for connections have results.
    fn jobs_finished(&mut self, _: &Poller) {}

    /// Ends the connections whose deadline has passed by the clock.
    fn expire(&mut self, poller: &Poller);

    /// When the loop must go on, ms of the clock; a time that has passed when connections wait for their next turn.
    fn next_deadline(&self) -> Option<u64>;

    /// Runs what was put off to the end of the turn, and lets log lines go.
    fn end_of_turn(&mut self, poller: &Poller);

    /// Connections that are open.
    fn live(&self) -> usize;

    /// `worker_connections`, or as many as there are descriptors for.
    fn capacity(&self) -> usize;

    /// Connections that may still be opened.
    fn free(&self) -> usize {
        self.capacity() - self.live()
    }

    /// From when on `make_room` could close a connection, ms of the clock; `None`: none is idle.
    fn room_from(&self) -> Option<u64>;

    /// Closes some connections that wait for a request, the oldest first, when less than a sixteenth of the slots is
    /// free (ngx_drain_connections).
    fn make_room(&mut self);

    /// Closes files that are kept open for requests to come, or some connections that wait for a request: descriptors
    /// have run out. False: there is nothing to be closed.
    fn release_descriptors(&mut self) -> bool;

    /// A graceful shutdown begins: connections close when they have been idle for a while, or have got their next
    /// answer.
    fn drain(&mut self);

    /// Closes everything, and flushes the logs.
    fn close_all(&mut self);

    /// Writes out what is buffered for the logs.
    fn flush_logs(&mut self);

    /// The loop's clock.
    fn clock(&mut self) -> &mut Clock;
}
