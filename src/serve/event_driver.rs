//! Connections of an event-driven worker: each in a slot, watched edge-triggered, with one timer.

use super::engine::{Conn, Engine, Need};
use super::table::{Claim, Holder, Table, say_goodbye};
use super::{Capacity, LULL_MS};
use crate::event::Shutdown;
use crate::os::{Addr, Interest, Poller, Ready, Socket};

#[derive(Debug)]
struct Watched {
    conn: Conn,
    /// The poller has been asked for writability too; it then stays so, since edges come only when something changes.
    writing: bool,
    /// It is among `posted`.
    is_posted: bool,
}

impl Holder for Watched {
    fn claim(&self) -> Claim {
        Claim::of(&self.conn)
    }

    fn say_goodbye(&self) {
        say_goodbye(&self.conn);
    }
}

/// The connections of one worker and what they share.
#[derive(Debug)]
pub struct EventDriver {
    pub engine: Engine,
    table: Table<Watched>,
    /// Connections that want to go on in the next turn.
    posted: Vec<u64>,
    next: Vec<u64>,
}

impl EventDriver {
    pub fn new(engine: Engine, capacity: Capacity) -> EventDriver {
        EventDriver { engine, table: Table::new(capacity), posted: Vec::new(), next: Vec::new() }
    }

    /// Takes on an accepted connection: one epoll_ctl. With a request sure to be there (`deferred`), it is served at
    /// once. No free slot: the connection is closed.
    pub fn accept(&mut self, socket: Socket, peer: Addr, listener: usize, poller: &Poller) {
        let conn = self.engine.open(socket, peer, listener);
        let deferred = self.engine.site.is_deferred(listener);
        let (deadline, lull) = (conn.deadline_ms, conn.lull_ms());
        let Ok(key) = self.table.insert(Watched { conn, writing: false, is_posted: false }) else { return };
        let Some(watched) = self.table.get_mut(key) else { return };
        let interest = Interest::READ | Interest::RDHUP | Interest::EDGE;
        if let Err(error) = poller.add(&watched.conn.socket, key, interest) {
            crate::log::alert!("epoll_ctl() for a new connection failed ({})", crate::os::ErrnoText(&error));
            self.table.remove(key);
            return;
        }
        self.table.set_deadline(key, deadline);
        if deferred {
            return self.drive(key, false, poller);
        }
        self.table.set_reusable(key, self.engine.clock.now_ms() + lull);
    }

    /// Something happened to a connection; a key whose connection is gone is ignored.
    pub fn ready(&mut self, key: u64, ready: Ready, poller: &Poller) {
        self.drive(key, ready.intersects(Ready::RDHUP | Ready::HUP | Ready::ERROR), poller);
    }

    fn drive(&mut self, key: u64, hung_up: bool, poller: &Poller) {
        self.table.set_busy(key);
        self.engine.is_full = self.table.is_full();
        let Some(watched) = self.table.get_mut(key) else { return };
        let mut need = self.engine.advance(&mut watched.conn, hung_up);
        if need == Need::Write && !watched.writing {
            let interest = Interest::READ | Interest::WRITE | Interest::RDHUP | Interest::EDGE;
            match poller.modify(&watched.conn.socket, key, interest) {
                Ok(()) => watched.writing = true,
                Err(_) => need = Need::Close,
            }
        }
        let deadline = watched.conn.deadline_ms;
        match need {
            Need::Close => return self.close(key),
            Need::Idle | Need::Linger => {
                let from = self.engine.clock.now_ms() + watched.conn.lull_ms();
                self.table.set_reusable(key, from);
            }
            // An event may have come before its turn: it goes on once a turn all the same.
            Need::Turn if !watched.is_posted => {
                watched.is_posted = true;
                self.posted.push(key);
            }
            Need::Turn => {}
            Need::Read | Need::Write => {}
        }
        self.table.set_deadline(key, deadline);
    }

    fn close(&mut self, key: u64) {
        if let Some(watched) = self.table.get_mut(key) {
            self.engine.closing(&mut watched.conn);
        }
        self.table.remove(key);
    }

    /// Ends the connections whose time is up.
    pub fn expire(&mut self, poller: &Poller) {
        let now = self.engine.clock.now_ms();
        while let Some(key) = self.table.expire(now) {
            let Some(watched) = self.table.get_mut(key) else { continue };
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
        [self.table.next_deadline(), self.engine.next_upkeep()].into_iter().flatten().min()
    }

    /// Runs what was put off to this turn, then ends it: log lines go out.
    pub fn end_of_turn(&mut self, poller: &Poller) {
        std::mem::swap(&mut self.posted, &mut self.next);
        for i in 0..self.next.len() {
            let key = self.next[i];
            if let Some(watched) = self.table.get_mut(key) {
                watched.is_posted = false;
            }
            self.drive(key, false, poller);
        }
        self.next.clear();
        self.engine.end_of_turn();
    }

    /// Connections open now.
    pub fn live(&self) -> usize {
        self.table.len()
    }

    /// Connections that could be opened still.
    pub fn free(&self) -> usize {
        self.table.free()
    }

    /// From when on `make_room` could close one, ms of the clock.
    pub fn room_from(&self) -> Option<u64> {
        self.table.room_from()
    }

    pub fn capacity(&self) -> usize {
        self.table.capacity()
    }

    /// Closes some of the connections that wait for a request, when less than a sixteenth of the slots is free.
    pub fn make_room(&mut self) {
        self.table.make_room(self.engine.clock.now_ms(), &self.engine.tally);
    }

    /// The worker is leaving: connections close when they have been idle for a while, or have got their next answer.
    pub fn drain(&mut self) {
        self.engine.shutdown = Shutdown::Graceful;
        let until = self.engine.clock.now_ms() + LULL_MS;
        for key in self.table.reusable() {
            // A client that has just come still gets its answer.
            let Some(watched) = self.table.get_mut(key).filter(|watched| watched.conn.is_kept_alive()) else {
                continue;
            };
            let deadline = watched.conn.deadline_ms.min(until);
            watched.conn.deadline_ms = deadline;
            self.table.set_deadline(key, deadline);
        }
    }

    /// Closes the files that are kept open for requests to come, or some connections that wait for a request:
    /// descriptors have run out. False: there is nothing to be closed.
    pub fn release_descriptors(&mut self) -> bool {
        self.engine.close_files() || self.table.release_descriptors(self.engine.clock.now_ms(), &self.engine.tally)
    }

    /// Writes out what is buffered for the access logs.
    pub fn flush_logs(&mut self) {
        self.engine.flush_logs();
    }

    /// Closes everything.
    pub fn close_all(&mut self) {
        self.table.keys().into_iter().for_each(|key| self.close(key));
        self.engine.flush_logs();
    }
}
