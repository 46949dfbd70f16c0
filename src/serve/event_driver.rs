//! Connections of an event-driven worker: each in a slot, watched edge-triggered, with one timer.

use super::LULL_MS;
use super::engine::{Conn, Engine, Need};
use super::idle::IdleList;
use crate::event::{Slots, Timers};
use crate::os::{Addr, Interest, Poller, Ready, Socket};

/// nginx closes at most this many idle connections at a time to make room (`ngx_drain_connections`).
const MAX_DRAINED: usize = 32;

#[derive(Debug)]
struct Watched {
    conn: Conn,
    /// The poller has been asked for writability too; it then stays so, since edges come only when something changes.
    writing: bool,
    /// It is among `posted`.
    is_posted: bool,
}

/// The connections of one worker and what they share.
#[derive(Debug)]
pub struct EventDriver {
    pub engine: Engine,
    slots: Slots<Watched>,
    timers: Timers,
    idle: IdleList,
    /// Connections that want to go on in the next turn.
    posted: Vec<u64>,
    next: Vec<u64>,
}

impl EventDriver {
    /// Room for `capacity` connections.
    pub fn new(engine: Engine, capacity: usize) -> EventDriver {
        EventDriver {
            engine,
            slots: Slots::new(capacity),
            timers: Timers::new(capacity),
            idle: IdleList::default(),
            posted: Vec::new(),
            next: Vec::new(),
        }
    }

    /// Takes on an accepted connection: one epoll_ctl. With a request sure to be there (`deferred`), it is served at
    /// once. No free slot: the connection is closed.
    pub fn accept(&mut self, socket: Socket, peer: Addr, listener: usize, poller: &Poller) {
        let conn = self.engine.open(socket, peer, listener);
        let deferred = self.engine.site.is_deferred(listener);
        let deadline = conn.deadline_ms;
        let Ok(key) = self.slots.insert(Watched { conn, writing: false, is_posted: false }) else { return };
        let Some(watched) = self.slots.get_mut(key) else { return };
        let interest = Interest::READ | Interest::RDHUP | Interest::EDGE;
        if let Err(error) = poller.add(&watched.conn.socket, key, interest) {
            crate::log::alert!("epoll_ctl() for a new connection failed ({})", crate::os::ErrnoText(&error));
            self.slots.remove(key);
            return;
        }
        self.timers.set(key, deadline);
        if deferred {
            self.drive(key, false, poller);
        }
    }

    /// Something happened to a connection; a key whose connection is gone is ignored.
    pub fn ready(&mut self, key: u64, ready: Ready, poller: &Poller) {
        self.drive(key, ready.intersects(Ready::RDHUP | Ready::HUP | Ready::ERROR), poller);
    }

    fn drive(&mut self, key: u64, hung_up: bool, poller: &Poller) {
        let Some(watched) = self.slots.get_mut(key) else { return };
        self.idle.remove(key);
        let mut need = self.engine.advance(&mut watched.conn, hung_up);
        if need == Need::Write && !watched.writing {
            let interest = Interest::READ | Interest::WRITE | Interest::RDHUP | Interest::EDGE;
            match poller.modify(&watched.conn.socket, key, interest) {
                Ok(()) => watched.writing = true,
                Err(_) => need = Need::Close,
            }
        }
        match need {
            Need::Close => return self.close(key),
            Need::Idle => self.idle.push(key),
            // An event may have come before its turn: it goes on once a turn all the same.
            Need::Turn if !watched.is_posted => {
                watched.is_posted = true;
                self.posted.push(key);
            }
            Need::Turn => {}
            Need::Read | Need::Write => {}
        }
        self.timers.set(key, watched.conn.deadline_ms);
    }

    fn close(&mut self, key: u64) {
        self.idle.remove(key);
        self.timers.cancel(key);
        if let Some(watched) = self.slots.get_mut(key) {
            self.engine.closing(&mut watched.conn);
        }
        self.slots.remove(key);
    }

    /// Ends the connections whose time is up.
    pub fn expire(&mut self, poller: &Poller) {
        let now = self.engine.clock.now_ms();
        while let Some(key) = self.timers.expire(now) {
            let Some(watched) = self.slots.get_mut(key) else { continue };
            match self.engine.timed_out(&mut watched.conn) {
                Need::Close => self.close(key),
                _ => self.drive(key, false, poller),
            }
        }
    }

    /// By when the loop must go on, in ms of the clock; at once when connections wait for their next turn.
    pub fn next_deadline(&self) -> Option<u64> {
        if !self.posted.is_empty() {
            return Some(self.engine.clock.now_ms());
        }
        [self.timers.next(), self.engine.next_upkeep()].into_iter().flatten().min()
    }

    /// Runs what was put off to this turn, then ends it: log lines go out.
    pub fn end_of_turn(&mut self, poller: &Poller) {
        std::mem::swap(&mut self.posted, &mut self.next);
        for i in 0..self.next.len() {
            let key = self.next[i];
            if let Some(watched) = self.slots.get_mut(key) {
                watched.is_posted = false;
            }
            self.drive(key, false, poller);
        }
        self.next.clear();
        self.engine.end_of_turn();
    }

    /// Connections open now.
    pub fn live(&self) -> usize {
        self.slots.len()
    }

    /// Connections that could be opened still.
    pub fn free(&self) -> usize {
        self.slots.free()
    }

    /// Connections that `make_room` could close.
    pub fn idle(&self) -> usize {
        self.idle.len()
    }

    pub fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// Closes some of the connections that have been idle longest, when less than a sixteenth of the slots is free.
    pub fn make_room(&mut self) {
        if self.free() > self.capacity() / 16 {
            return;
        }
        let count = (self.idle.len() / 8).clamp(1, MAX_DRAINED);
        for _ in 0..count {
            let Some(key) = self.idle.oldest() else { return };
            self.close(key);
        }
    }

    /// The worker is leaving: connections close when they have been idle for a while, or have got their next answer.
    pub fn drain(&mut self) {
        self.engine.leaving = true;
        let until = self.engine.clock.now_ms() + LULL_MS;
        for key in self.idle.keys() {
            let Some(watched) = self.slots.get_mut(key) else { continue };
            watched.conn.deadline_ms = watched.conn.deadline_ms.min(until);
            self.timers.set(key, watched.conn.deadline_ms);
        }
    }

    /// Closes the files that are kept open for requests to come: descriptors have run out.
    pub fn close_files(&mut self) {
        self.engine.close_files();
    }

    /// Writes out what is buffered for the access logs.
    pub fn flush_logs(&mut self) {
        self.engine.flush_logs();
    }

    /// Closes everything.
    pub fn close_all(&mut self) {
        let keys: Vec<u64> = self.slots.keys().collect();
        keys.into_iter().for_each(|key| self.close(key));
        self.engine.flush_logs();
    }
}
