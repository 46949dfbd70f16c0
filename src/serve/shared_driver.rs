//! Connections of several threads that share one epoll set.
//!
//! Each connection is watched EPOLLONESHOT, so that an event reaches one thread. That thread takes the connection out
//! of its slot, goes on with it in an engine of its own, without any lock, and puts it back before it is watched again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::accepted::Accepted;
use super::connection::{Conn, LULL_MS, Need};
use super::engine::Engine;
use super::shortage::Capacity;
use super::table::{Record, Table};
use crate::event::Shutdown;
use crate::log;
use crate::os::{ErrnoText, Interest, Poller, Ready, memory};
use crate::shm::Tally;

/// The connections, which the threads share.
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
    /// When the thread that waits for events will expire timers, ms of the clock; written before its wait.
    next_expiry_ms: u64,
    shutdown: Shutdown,
    /// The slot of the process in the ledger; its `connections` are written under the lock.
    tally: Arc<Tally>,
}

/// Whether the thread that waits for events must be woken: it would expire timers too late, or it waits for a free slot
/// and there is one now.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WakeLeader(pub bool);

impl SharedDriver {
    /// Creates a driver without connections; `capacity` is the number it may have, and `tally` gets their count.
    pub fn new(capacity: Capacity, tally: Arc<Tally>) -> SharedDriver {
        let inner = Inner { table: Table::new(capacity), next_expiry_ms: 0, shutdown: Shutdown::No, tally };
        SharedDriver { inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves a slot for a connection that is about to be accepted: the next leader may accept before this connection
    /// is taken on. To be followed by `accept` or `release`.
    pub fn reserve(&self) -> Option<u64> {
        self.lock().insert()
    }

    /// Gives back a reserved slot: there was no connection to accept.
    pub fn release(&self, key: u64) {
        self.lock().remove(key);
    }

    /// Takes on an accepted connection in the reserved slot `key`, and goes on with it until it must wait: its request
    /// is often there already.
    pub fn accept(&self, engine: &mut Engine, key: u64, accepted: Accepted, poller: &Poller) -> WakeLeader {
        let conn = engine.open(accepted);
        engine.is_full = self.lock().table.is_full();
        self.drive(engine, key, conn, false, |conn, interest| poller.add(&conn.socket, key, interest))
    }

    /// Goes on with connection `key`, which is ready; a key whose connection is gone is ignored.
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

    /// Ends the connections whose deadline has passed by the engine's clock. For the thread that waits for events next.
    pub fn expire(&self, engine: &mut Engine, poller: &Poller) {
        loop {
            let mut inner = self.lock();
            let Some(key) = inner.table.expire(engine.clock.now_ms()) else { return };
            let Some(mut conn) = inner.take(key) else { continue };
            drop(inner);
            match engine.timed_out(&mut conn) {
                Need::Close => _ = self.close(engine, key, conn),
                // No wake: this thread asks `next_deadline` before it waits.
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
        // No event begins without a part of the reserve.
        let has_memory = !memory::is_exhausted() || self.relieve(engine);
        let mut need = if has_memory { engine.advance(&mut conn, hung_up) } else { Need::Close };
        if memory::is_short() && !self.relieve(engine) {
            need = Need::Close;
        }
        let interest = match need {
            Need::Close => return self.close(engine, key, conn),
            Need::Read | Need::Idle | Need::Linger => Interest::READ | Interest::RDHUP,
            Need::Write => Interest::WRITE,
            Need::Both => Interest::READ | Interest::WRITE | Interest::RDHUP,
            Need::Time => Interest::RDHUP,
            Need::Pause => Interest::empty(),
            // A writable socket is ready at once, but behind the events that wait already.
            Need::Turn => Interest::READ | Interest::WRITE,
        };
        let mut inner = self.lock();
        let (is_idle, now) = (matches!(need, Need::Idle | Need::Linger), engine.clock.now_ms());
        if is_idle && inner.shutdown.has_begun() {
            let _ = conn.shorten_idle(now + LULL_MS);
        }
        // The lock is held across epoll_ctl: the thread that gets the next event must find the connection in its slot.
        if let Err(error) = watch(&conn, interest | Interest::ONESHOT) {
            drop(inner);
            log::alert!("epoll_ctl() for a connection failed ({})", ErrnoText(&error));
            return self.close(engine, key, conn);
        }
        let deadline = conn.deadline_ms;
        inner.table.set_deadline(key, deadline);
        let is_first_room = is_idle && inner.table.free() == 0 && inner.table.room_from().is_none();
        if is_idle {
            inner.table.set_reusable(key, conn.reusable(now));
        }
        if let Some(slot) = inner.table.get_mut(key) {
            *slot = Some(conn);
        }
        WakeLeader(deadline < inner.next_expiry_ms || is_first_room)
    }

    /// Makes room in memory, see [`Engine::relieve`].
    fn relieve(&self, engine: &mut Engine) -> bool {
        engine.relieve(|engine| {
            let Inner { table, tally, .. } = &mut *self.lock();
            let has_closed = table.release_memory(engine.clock.now_ms(), tally);
            tally.connections.set(table.len() as u64);
            has_closed
        })
    }

    fn close(&self, engine: &mut Engine, key: u64, mut conn: Conn) -> WakeLeader {
        engine.closing(&mut conn);
        drop(conn);
        let mut inner = self.lock();
        let was_full = inner.table.free() == 0;
        inner.remove(key);
        WakeLeader(was_full || inner.shutdown.has_begun() && inner.table.len() == 0)
    }

    /// When the thread that is about to wait for events must expire timers, ms of the clock. To be called by that
    /// thread, before its wait.
    pub fn next_deadline(&self) -> Option<u64> {
        let mut inner = self.lock();
        let next = inner.table.next_deadline();
        inner.next_expiry_ms = next.unwrap_or(u64::MAX);
        next
    }

    /// Connections that are open, and slots that are reserved.
    pub fn live(&self) -> usize {
        self.lock().table.len()
    }

    /// From when on another connection could be opened, in the place of an idle one if need be, ms of the clock.
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

    /// Closes all connections that are in their slots; a connection in hand is closed by its thread.
    pub fn close_all(&self, engine: &mut Engine) {
        let keys: Vec<u64> = self.lock().table.keys();
        for key in keys {
            let taken = self.lock().take(key);
            if let Some(conn) = taken {
                let _ = self.close(engine, key, conn);
            }
        }
    }

    /// A graceful shutdown begins: connections close when they have been idle for a while, or have got their next
    /// answer. For the thread that waits for events next.
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
