//! What a loop asks of whoever serves the connections.

use crate::event::{Clock, Ready};
use crate::os::{Addr, Poller, Socket};
use crate::serve::EventDriver;

/// The connections of one event-driven process. `serve::EventDriver` is the real one; tests of the loop put their own in.
pub trait Driver {
    /// Takes on a connection that socket `listener` has accepted.
    fn accept(&mut self, socket: Socket, peer: Addr, listener: usize, poller: &Poller);
    /// Connection `key` is ready; a key whose connection is gone is ignored.
    fn ready(&mut self, key: u64, ready: Ready, poller: &Poller);
    /// Ends what has waited too long, by the clock.
    fn expire(&mut self, poller: &Poller);
    /// When the loop must look again, ms of the clock; a time that has passed: at once.
    fn next_deadline(&self) -> Option<u64>;
    /// Runs what was put off to the end of the turn, and lets log lines go.
    fn end_of_turn(&mut self, poller: &Poller);
    /// Connections that are open.
    fn live(&self) -> usize;
    /// Connections that may still be opened.
    fn free(&self) -> usize;
    /// From when on `make_room` could close one of them, ms of the clock; `None`: none is idle.
    fn room_from(&self) -> Option<u64> {
        None
    }
    /// `worker_connections`.
    fn capacity(&self) -> usize;
    /// Closes some connections that wait for a request, the oldest first, when free slots run short
    /// (ngx_drain_connections).
    fn make_room(&mut self);
    /// Closes files that are kept open for requests to come, or some connections that wait for one: descriptors have
    /// run out. False: there is nothing to be closed.
    fn release_descriptors(&mut self) -> bool {
        false
    }
    /// Closes idle connections now and the others after their response.
    fn drain(&mut self);
    /// Closes everything, and flushes the logs.
    fn close_all(&mut self);
    /// Writes out what is buffered for the logs.
    fn flush_logs(&mut self);
    /// The loop's clock.
    fn clock(&mut self) -> &mut Clock;
}

impl Driver for EventDriver {
    fn accept(&mut self, socket: Socket, peer: Addr, listener: usize, poller: &Poller) {
        EventDriver::accept(self, socket, peer, listener, poller);
    }

    fn ready(&mut self, key: u64, ready: Ready, poller: &Poller) {
        EventDriver::ready(self, key, ready, poller);
    }

    fn expire(&mut self, poller: &Poller) {
        EventDriver::expire(self, poller);
    }

    fn next_deadline(&self) -> Option<u64> {
        EventDriver::next_deadline(self)
    }

    fn end_of_turn(&mut self, poller: &Poller) {
        EventDriver::end_of_turn(self, poller);
    }

    fn live(&self) -> usize {
        EventDriver::live(self)
    }

    fn free(&self) -> usize {
        EventDriver::free(self)
    }

    fn room_from(&self) -> Option<u64> {
        EventDriver::room_from(self)
    }

    fn capacity(&self) -> usize {
        EventDriver::capacity(self)
    }

    fn make_room(&mut self) {
        EventDriver::make_room(self);
    }

    fn release_descriptors(&mut self) -> bool {
        EventDriver::release_descriptors(self)
    }

    fn drain(&mut self) {
        EventDriver::drain(self);
    }

    fn close_all(&mut self) {
        EventDriver::close_all(self);
    }

    fn flush_logs(&mut self) {
        EventDriver::flush_logs(self);
    }

    fn clock(&mut self) -> &mut Clock {
        &mut self.engine.clock
    }
}
