//! Connections of an event-driven worker: each in a slot, watched edge-triggered, with one timer.

use super::accepted::Accepted;
use super::connection::{Conn, Need};
use super::contents::Hashes;
use super::driver::Driver;
use super::engine::Engine;
use super::jobs::{Done, Finished};
use super::shortage::Capacity;
use super::table::{Record, Table};
use crate::event::{Clock, Odds, Ready, Shutdown, earlier};
use crate::os::{Interest, Poller, memory};

/// The events of a connection that the poller reports, as edges: from then on, and to the end of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Watch {
    /// The connection has just been accepted, and is read from first.
    Nothing,
    Input,
    /// Writability too.
    Both,
}

#[derive(Debug)]
struct Watched {
    conn: Conn,
    watch: Watch,
    /// The key is among `posted`.
    is_posted: bool,
}

impl Record for Watched {
    fn conn(&mut self) -> Option<&mut Conn> {
        Some(&mut self.conn)
    }
}

impl Watched {
    /// Watches for more. False: the kernel has no memory for it, and the connection is to be closed.
    fn set_watch(&mut self, watch: Watch, key: u64, poller: &Poller) -> bool {
        let interest = Interest::READ | Interest::RDHUP | Interest::EDGE;
        let interest = if watch == Watch::Both { interest | Interest::WRITE } else { interest };
        let done = match self.watch {
            Watch::Nothing => poller.add(&self.conn.socket, key, interest),
            Watch::Input | Watch::Both => poller.modify(&self.conn.socket, key, interest),
        };
        if let Err(error) = &done {
            crate::log::alert!("epoll_ctl() for a connection failed ({})", crate::os::ErrnoText(error));
            return false;
        }
        self.watch = watch;
        true
    }
}

/// The connections of one worker, and their engine.
#[derive(Debug)]
pub struct EventDriver {
    /// The engine that reads, answers and writes for all connections of the driver.
    pub engine: Engine,
    table: Table<Watched>,
    /// Connections that go on when the turn ends, one share of work each; `next` is the list being worked off.
    posted: Vec<u64>,
    next: Vec<u64>,
    /// Whether a new connection is read from before epoll watches it. A client sends its request right behind the
    /// handshake, so that a connection which has waited in the backlog has often brought it. Then it is answered
    /// without epoll_ctl and another turn; if it ends with its answer, it is never watched. A silent one costs a recv.
    early: Odds,
}

impl EventDriver {
    /// Creates a driver without connections; `capacity` is the number it may have.
    pub fn new(engine: Engine, capacity: Capacity) -> EventDriver {
        let mut engine = engine;
        engine.jobs.use_threads();
        engine.hashes.iter_mut().for_each(Hashes::use_helper);
        let (table, early) = (Table::new(capacity), Odds::default());
        EventDriver { engine, table, posted: Vec::new(), next: Vec::new(), early }
    }

    fn drive(&mut self, key: u64, hung_up: bool, poller: &Poller) {
        // No event begins without a part of the reserve.
        if memory::is_exhausted() && !self.relieve() {
            return self.close(key);
        }
        self.go_on(key, hung_up, poller);
        if memory::is_short() && !self.relieve() {
            self.close(key);
        }
    }

    fn go_on(&mut self, key: u64, hung_up: bool, poller: &Poller) {
        self.table.set_busy(key);
        self.engine.is_full = self.table.is_full();
        let Some(watched) = self.table.get_mut(key) else { return };
        let mut need = self.engine.advance(&mut watched.conn, hung_up);
        if watched.watch == Watch::Nothing {
            self.early.count(need != Need::Idle || watched.conn.has_begun());
        }
        let wanted = if matches!(need, Need::Write | Need::Both) { Watch::Both } else { Watch::Input };
        if watched.watch < wanted && need != Need::Close && !watched.set_watch(wanted, key, poller) {
            need = Need::Close;
        }
        let deadline = watched.conn.deadline_ms;
        let refused = self.engine.jobs.submit(key, poller);
        if !refused.is_empty() && need != Need::Close {
            refused.into_iter().for_each(|stream| watched.conn.take_done(stream, Done::Refused));
            if !std::mem::replace(&mut watched.is_posted, true) {
                self.posted.push(key);
            }
        }
        match need {
            Need::Close => return self.close(key),
            Need::Idle | Need::Linger => {
                let from = watched.conn.reusable(self.engine.clock.now_ms());
                self.table.set_reusable(key, from);
            }
            // An event may have come before the turn for which the key is posted: the connection goes on once a turn
            // all the same.
            Need::Turn if !watched.is_posted => {
                watched.is_posted = true;
                self.posted.push(key);
            }
            Need::Turn => {}
            Need::Read | Need::Write | Need::Both | Need::Time | Need::Pause => {}
        }
        self.table.set_deadline(key, deadline);
    }

    /// Makes room in memory, see [`Engine::relieve`].
    fn relieve(&mut self) -> bool {
        let EventDriver { engine, table, .. } = self;
        engine.relieve(|engine| table.release_memory(engine.clock.now_ms(), &engine.tally))
    }

    fn close(&mut self, key: u64) {
        if let Some(watched) = self.table.get_mut(key) {
            self.engine.closing(&mut watched.conn);
        }
        self.table.remove(key);
    }
}

impl Driver for EventDriver {
    fn accept(&mut self, accepted: Accepted, poller: &Poller) {
        // Where the accept is deferred the kernel has waited for the first bytes.
        if memory::is_short() && !self.relieve() {
            return;
        }
        let is_early = self.engine.site.is_deferred(accepted.listener) || self.early.are_good();
        let conn = self.engine.open(accepted);
        let (deadline, reusable) = (conn.deadline_ms, conn.reusable(self.engine.clock.now_ms()));
        let Ok(key) = self.table.insert(Watched { conn, watch: Watch::Nothing, is_posted: is_early }) else { return };
        if is_early {
            // At the end of the turn: the accept mutex is free by then, and the request has had more time to come.
            self.posted.push(key);
            return;
        }
        let Some(watched) = self.table.get_mut(key) else { return };
        if !watched.set_watch(Watch::Input, key, poller) {
            self.table.remove(key);
            return;
        }
        self.table.set_deadline(key, deadline);
        self.table.set_reusable(key, reusable);
    }

    fn ready(&mut self, key: u64, ready: Ready, poller: &Poller) {
        self.drive(key, ready.intersects(Ready::RDHUP | Ready::HUP | Ready::ERROR), poller);
    }

    fn jobs_finished(&mut self, poller: &Poller) {
        for Finished { key, stream, done } in self.engine.take_finished() {
            if let Some(watched) = self.table.get_mut(key) {
                watched.conn.take_done(stream, done);
                self.drive(key, false, poller);
            }
        }
    }

    fn expire(&mut self, poller: &Poller) {
        let now = self.engine.clock.now_ms();
        while let Some(key) = self.table.expire(now) {
            let Some(watched) = self.table.get_mut(key) else { continue };
            match self.engine.timed_out(&mut watched.conn) {
                Need::Close => self.close(key),
                _ => self.drive(key, false, poller),
            }
        }
    }

    fn next_deadline(&self) -> Option<u64> {
        if !self.posted.is_empty() {
            return Some(self.engine.clock.now_ms());
        }
        earlier(self.table.next_deadline(), self.engine.next_upkeep())
    }

    fn end_of_turn(&mut self, poller: &Poller) {
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

    fn live(&self) -> usize {
        self.table.len()
    }

    fn room_from(&self) -> Option<u64> {
        self.table.room_from()
    }

    fn capacity(&self) -> usize {
        self.table.capacity()
    }

    fn make_room(&mut self) {
        self.table.make_room(self.engine.clock.now_ms(), &self.engine.tally);
    }

    fn drain(&mut self) {
        self.engine.shutdown = Shutdown::Graceful;
        self.table.drain(self.engine.clock.now_ms());
    }

    fn release_descriptors(&mut self) -> bool {
        self.engine.close_files() || self.table.release_descriptors(self.engine.clock.now_ms(), &self.engine.tally)
    }

    fn flush_logs(&mut self) {
        self.engine.flush_logs();
    }

    fn close_all(&mut self) {
        self.table.keys().into_iter().for_each(|key| self.close(key));
        self.engine.flush_logs();
    }

    fn clock(&mut self) -> &mut Clock {
        &mut self.engine.clock
    }
}
