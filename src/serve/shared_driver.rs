//! Connections of several threads that share one epoll set.
//!
//! Each is watched EPOLLONESHOT, so that an event of it reaches one thread. That thread takes the connection out of its slot, goes
//! on with it in an engine of its own, without any lock, and puts it back before it is watched again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Capacity;
use super::connection::{Conn, LULL_MS, Need};
use super::engine::Engine;
use super::table::{Record, Table};
use crate::event::Shutdown;
use crate::log;
use crate::os::{Addr, ErrnoText, Interest, Poller, Ready, Socket};
use crate::shm::Tally;

/// What the threads share.
#[derive(Debug)]
pub struct SharedDriver {
    inner: Mutex<Inner>,
}

impl Record for Option<Conn> {
    fn conn(&mut self) -> Option<&mut Conn> {
        self.as_mut()
    }
}

#[derive(Debug)]
struct Inner {
    /// `None`: a thread has the connection in hand; the deadline that it had holds on.
    table: Table<Option<Conn>>,
    /// When the thread that waits for events will expire timers, ms of the clock.
    next_expiry_ms: u64,
    shutdown: Shutdown,
    /// The process's: its `connections` are written under the lock.
    tally: Arc<Tally>,
}

/// A connection that has been accepted into a reserved slot.
#[derive(Debug)]
pub struct Arrived {
    /// The slot.
    pub key: u64,
    pub socket: Socket,
    pub peer: Addr,
    /// Index of the listening socket.
    pub listener: usize,
}

/// Whether the thread that waits for events must be woken: it would look too late, or it has no slots and now there is one.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WakeLeader(pub bool);

impl SharedDriver {
    pub fn new(capacity: Capacity, tally: Arc<Tally>) -> SharedDriver {
        let inner = Inner { table: Table::new(capacity), next_expiry_ms: 0, shutdown: Shutdown::No, tally };
        SharedDriver { inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot for a connection that is about to be accepted: the next leader may accept before this one is taken on.
    pub fn reserve(&self) -> Option<u64> {
        self.lock().insert()
    }

    /// There was no connection for that slot.
    pub fn release(&self, key: u64) {
        self.lock().remove(key);
    }

    /// Takes on an accepted connection, and goes on with it until it must wait: what it asks is often there already.
    pub fn accept(&self, engine: &mut Engine, arrived: Arrived, poller: &Poller) -> WakeLeader {
        let Arrived { key, socket, peer, listener } = arrived;
        let conn = engine.open(socket, peer, listener);
        engine.is_full = self.lock().table.is_full();
        self.drive(engine, key, conn, false, |conn, interest| poller.add(&conn.socket, key, interest))
    }

    /// An event of connection `key`; a key whose connection is gone is ignored.
    pub fn ready(&self, engine: &mut Engine, key: u64, ready: Ready, poller: &Poller) -> WakeLeader {
        let taken = {
            let mut inner = self.lock();
            engine.is_full = inner.table.is_full();
            inner.take(key)
        };
        let Some(conn) = taken else { return WakeLeader(false) };
        let hung_up = ready.intersects(Ready::RDHUP | Ready::HUP | Ready::ERROR);
        self.drive(engine, key, conn, hung_up, |conn, interest| poller.modify(&conn.socket, key, interest))
    }

    /// Ends the connections whose time is up by the engine's clock.
    pub fn expire(&self, engine: &mut Engine, poller: &Poller) {
        loop {
            let mut inner = self.lock();
            let Some(key) = inner.table.expire(engine.clock.now_ms()) else { return };
            let Some(mut conn) = inner.take(key) else { continue };
            drop(inner);
            match engine.timed_out(&mut conn) {
                Need::Close => _ = self.close(engine, key, conn),
                // The thread that expires is the one that looks at the timers next.
                _ => _ = self.drive(engine, key, conn, false, |c, interest| poller.modify(&c.socket, key, interest)),
            }
        }
    }

    fn drive(
        &self,
        engine: &mut Engine,
        key: u64,
        mut conn: Conn,
        hung_up: bool,
        watch: impl FnOnce(&Conn, Interest) -> std::io::Result<()>,
    ) -> WakeLeader {
        let need = engine.advance(&mut conn, hung_up);
        let interest = match need {
            Need::Close => return self.close(engine, key, conn),
            Need::Read | Need::Idle | Need::Linger => Interest::READ | Interest::RDHUP,
            Need::Write => Interest::WRITE,
            // Ready at once, but behind whatever else is.
            Need::Turn => Interest::READ | Interest::WRITE,
        };
        let mut inner = self.lock();
        let (is_idle, now) = (matches!(need, Need::Idle | Need::Linger), engine.clock.now_ms());
        if is_idle && inner.shutdown.has_begun() {
            conn.shorten_idle(now + LULL_MS);
        }
        // Under the lock: who gets the next event must find the connection in its slot.
        if let Err(error) = watch(&conn, interest | Interest::ONESHOT) {
            drop(inner);
            log::alert!("epoll_ctl() for a connection failed ({})", ErrnoText(&error));
            return self.close(engine, key, conn);
        }
        let deadline = conn.deadline_ms;
        inner.table.set_deadline(key, deadline);
        let is_first_room = is_idle && inner.table.free() == 0 && inner.table.room_from().is_none();
        if is_idle {
            inner.table.set_reusable(key, now + conn.lull_ms());
        }
        if let Some(slot) = inner.table.get_mut(key) {
            *slot = Some(conn);
        }
        WakeLeader(deadline < inner.next_expiry_ms || is_first_room)
    }

    fn close(&self, engine: &mut Engine, key: u64, mut conn: Conn) -> WakeLeader {
        engine.closing(&mut conn);
        drop(conn);
        let mut inner = self.lock();
        let was_full = inner.table.free() == 0;
        inner.remove(key);
        WakeLeader(was_full || inner.shutdown.has_begun() && inner.table.len() == 0)
    }

    /// For the thread that is about to wait for events: when it must look at the timers, ms of the clock.
    pub fn next_deadline(&self) -> Option<u64> {
        let mut inner = self.lock();
        let next = inner.table.next_deadline();
        inner.next_expiry_ms = next.unwrap_or(u64::MAX);
        next
    }

    /// Connections open now.
    pub fn live(&self) -> usize {
        self.lock().table.len()
    }

    /// From when on one more could be opened, in the place of another if need be, ms of the clock.
    pub fn room_from(&self) -> Option<u64> {
        let inner = self.lock();
        if inner.table.free() > 0 { Some(0) } else { inner.table.room_from() }
    }

    /// Closes some of the connections that wait for a request, when less than a sixteenth of the slots is free.
    pub fn make_room(&self, now_ms: u64) {
        let Inner { table, tally, .. } = &mut *self.lock();
        table.make_room(now_ms, tally);
        tally.connections.set(table.len() as u64);
    }

    /// Closes the files that `engine` keeps open for requests to come, or some connections that wait for a request:
    /// descriptors have run out. False: there is nothing to be closed.
    pub fn release_descriptors(&self, engine: &mut Engine) -> bool {
        let Inner { table, tally, .. } = &mut *self.lock();
        let is_any = engine.close_files() || table.release_descriptors(engine.clock.now_ms(), tally);
        tally.connections.set(table.len() as u64);
        is_any
    }

    /// Closes all connections that nobody has in hand.
    pub fn close_all(&self, engine: &mut Engine) {
        let keys: Vec<u64> = self.lock().table.keys();
        for key in keys {
            let taken = self.lock().take(key);
            if let Some(conn) = taken {
                let _ = self.close(engine, key, conn);
            }
        }
    }

    /// The process leaves: connections close when they have been idle for a while, or have got their next answer. For the
    /// thread that looks at the timers next.
    pub fn drain(&self, now_ms: u64) {
        let mut inner = self.lock();
        inner.shutdown = Shutdown::Graceful;
        inner.table.drain(now_ms);
    }
}

impl Inner {
    fn insert(&mut self) -> Option<u64> {
        let key = self.table.insert(None).ok();
        self.tally.connections.set(self.table.len() as u64);
        key
    }

    fn take(&mut self, key: u64) -> Option<Conn> {
        let conn = self.table.get_mut(key)?.take()?;
        self.table.set_busy(key);
        Some(conn)
    }

    fn remove(&mut self, key: u64) {
        self.table.remove(key);
        self.tally.connections.set(self.table.len() as u64);
    }
}
