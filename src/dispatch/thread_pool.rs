//! `thread_pool`: in each worker one thread accepts and puts the connections into a queue, from which the serving threads
//! take them, each serving one to its end.
//!
//! The queue is bounded, and nothing is ever dropped from it: when it is full the acceptor sleeps, and the clients wait in the
//! backlog, where other workers find them.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::accepting::Refusal;
use super::bell::{hear, tell};
use super::crew::{Crew, Member, crews, tally_of};
use super::door::{Door, Visitor};
use super::{AcceptOptions, Kind, Model, Param, ProcessContext, Setup, Takes, report};
use crate::event::{Shutdown, Source};
use crate::log;
use crate::os::{ErrnoText, EventFd, Events, Failure, Interest, poll};
use crate::serve::blocking::{self, Interrupts, Room};
use crate::serve::{Engine, Shortage};
use crate::shm::Tally;

pub static KIND: Kind = Kind {
    name: "thread_pool",
    params: &[THREADS, QUEUE],
    about: "In every worker one thread accepts, and `worker_threads=N` threads serve with blocking I/O, each one connection \
            to its end. Between them is a queue of `queue=N` connections; while it is full nothing is accepted.",
    make,
};

const THREADS: Param = Param { name: "worker_threads", takes: Takes::Number(1, 1024), default: 16 };
const QUEUE: Param = Param { name: "queue", takes: Takes::Number(1, 65536), default: 64 };

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    let (threads, queue) = (setup.param(&THREADS) as usize, setup.param(&QUEUE) as usize);
    let gong = Arc::new(EventFd::new()?);
    // One more accepts.
    crews(setup, threads + 1, move |context| live(context, threads, queue, gong.clone()))
}

fn live(mut context: ProcessContext, threads: usize, queue: usize, gong: Arc<EventFd>) -> Result<(), Failure> {
    let listeners = std::mem::take(&mut context.listeners);
    let door = Door::new(&listeners, &context.is_own, gong);
    let door = door.map_err(|e| Failure::new("an epoll set of listening sockets", e))?;
    drop(listeners);
    let queue = context.queue(queue);
    // An eventfd, a connection, and one that is in the queue.
    let threads = context.threads(threads, 3);
    let crew = Crew::new(threads + 1)?;
    let shortage = Shortage::of(format!("{threads} worker_threads"));
    let queue = Arc::new(Queue::new(queue, shortage, context.tally.clone())?);
    for number in 0..threads {
        // The process's own slot is the acceptor's.
        let engine = context.engines.engine(tally_of(&context, number + 1)?)?;
        let server = Server::new(crew.member(number), queue.clone());
        crew.spawn(number, move || server.run(engine))?;
    }
    let acceptor = Acceptor::new(crew.member(threads), door, queue.clone(), context.options)?;
    crew.spawn(threads, move || acceptor.run())?;
    context.tally.listening.set(1);
    crew.command(&context, || queue.wake_all());
    Ok(())
}

/// Connections that are accepted and not yet served.
struct Queue {
    inner: Mutex<Inner>,
    /// There is something to take, or to heed.
    come: Condvar,
    /// Readable while there are more connections than free threads, or no descriptors.
    crowd: EventFd,
    /// Readable when the queue was full and is not any more, or a descriptor has become free.
    room: EventFd,
    capacity: usize,
    shortage: Shortage,
    /// The acceptor's: its open connections are those in the queue. Written under the lock.
    tally: Arc<Tally>,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Visitor>,
    /// Threads that wait for a connection.
    free: usize,
    is_crowd_told: bool,
    /// The acceptor waits for a descriptor.
    is_starved: bool,
    is_acceptor_asleep: bool,
    /// The acceptor has ended: what is here is all there will be.
    is_last: bool,
}

impl Queue {
    fn new(capacity: usize, shortage: Shortage, tally: Arc<Tally>) -> Result<Queue, Failure> {
        let eventfd = || EventFd::new().map_err(|e| Failure::new("eventfd()", e));
        let (crowd, room) = (eventfd()?, eventfd()?);
        Ok(Queue { inner: Mutex::default(), come: Condvar::new(), crowd, room, capacity, shortage, tally })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, visitor: Visitor) {
        let mut inner = self.lock();
        inner.waiting.push_back(visitor);
        self.settle(&mut inner);
        self.come.notify_one();
    }

    /// Whether there is room for one more. If not, `room` tells when there is.
    fn has_room(&self) -> bool {
        let mut inner = self.lock();
        inner.is_acceptor_asleep = inner.waiting.len() >= self.capacity;
        !inner.is_acceptor_asleep
    }

    fn pop(&self, inner: &mut Inner) -> Option<Visitor> {
        let visitor = inner.waiting.pop_front()?;
        if std::mem::take(&mut inner.is_acceptor_asleep) {
            tell(&self.room);
        }
        self.settle(inner);
        Some(visitor)
    }

    /// Tells the ledger and the crowd's descriptor how many wait.
    fn settle(&self, inner: &mut Inner) {
        self.tally.connections.set(inner.waiting.len() as u64);
        let is_crowd = inner.is_crowd();
        if is_crowd != inner.is_crowd_told {
            inner.is_crowd_told = is_crowd;
            if is_crowd {
                tell(&self.crowd);
            } else {
                hear(&self.crowd);
            }
        }
    }

    /// The acceptor has no descriptor, or goes on.
    fn set_starved(&self, is_starved: bool) {
        let mut inner = self.lock();
        inner.is_starved = is_starved;
        self.settle(&mut inner);
    }

    /// Nobody will push any more.
    fn end(&self) {
        self.lock().is_last = true;
        self.come.notify_all();
    }

    /// For threads that wait here and are to heed something.
    fn wake_all(&self) {
        let _inner = self.lock();
        self.come.notify_all();
    }
}

impl Inner {
    fn is_crowd(&self) -> bool {
        self.waiting.len() > self.free || self.is_starved
    }
}

/// One serving thread.
struct Server {
    member: Member,
    queue: Arc<Queue>,
    shutdown: Shutdown,
    /// Taken in the place of an idle client.
    held: Option<Visitor>,
    /// An idle client is closed for its descriptor, for which the acceptor waits.
    gives_descriptor: bool,
}

impl Server {
    fn new(member: Member, queue: Arc<Queue>) -> Server {
        Server { member, queue, shutdown: Shutdown::No, held: None, gives_descriptor: false }
    }

    fn run(mut self, mut engine: Engine) {
        while let Some(visitor) = self.next(&mut engine) {
            engine.tally.connections.set(1);
            engine.clock.update();
            let mut conn = engine.open(visitor.socket, visitor.peer, visitor.listener);
            blocking::serve(&mut engine, &mut conn, &mut self);
            drop(conn);
            engine.tally.connections.set(0);
            if std::mem::take(&mut self.gives_descriptor) {
                tell(&self.queue.room);
            }
        }
        engine.flush_logs();
    }

    /// Waits for the next connection; `None`: there will be no more.
    fn next(&mut self, engine: &mut Engine) -> Option<Visitor> {
        loop {
            if self.shutdown == Shutdown::Fast {
                return None;
            }
            if self.held.is_some() {
                return self.held.take();
            }
            {
                let mut inner = self.queue.lock();
                if inner.waiting.is_empty() && !inner.is_last && !self.member.is_called() {
                    inner = self.sleep(inner, engine);
                }
                if let Some(visitor) = self.queue.pop(&mut inner) {
                    return Some(visitor);
                }
                if inner.is_last {
                    return None;
                }
            }
            engine.clock.update();
            engine.tally.turns.add(1);
            if self.member.is_called() {
                self.shutdown = self.member.heed(Some(engine));
            }
            engine.end_of_turn();
        }
    }

    /// Waits for something to take, or to heed, or until log lines are due.
    fn sleep<'a>(&'a self, mut inner: MutexGuard<'a, Inner>, engine: &Engine) -> MutexGuard<'a, Inner> {
        let now = engine.clock.now_ms();
        let timeout = engine.next_upkeep().map(|at| Duration::from_millis(at.saturating_sub(now)));
        inner.free += 1;
        let mut inner = match timeout {
            None => self.queue.come.wait(inner).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => self.queue.come.wait_timeout(inner, timeout).unwrap_or_else(PoisonError::into_inner).0,
        };
        inner.free -= 1;
        inner
    }
}

impl Interrupts for Server {
    fn call(&self) -> BorrowedFd<'_> {
        self.member.call()
    }

    fn heed(&mut self, engine: &mut Engine) -> Shutdown {
        self.shutdown = self.member.heed(Some(engine));
        self.shutdown
    }

    fn crowd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.queue.crowd.as_fd())
    }

    fn is_crowded(&mut self) -> bool {
        self.queue.lock().is_crowd()
    }

    fn make_room(&mut self) -> Room {
        let mut inner = self.queue.lock();
        if inner.is_crowd() {
            self.held = self.queue.pop(&mut inner);
        }
        self.gives_descriptor = self.held.is_none() && std::mem::take(&mut inner.is_starved);
        self.queue.settle(&mut inner);
        if self.held.is_some() || self.gives_descriptor { Room::Give } else { Room::Keep }
    }

    fn count_reuse(&self, tally: &Tally, now_ms: u64) {
        self.queue.shortage.reuse(1, tally, now_ms);
    }
}

/// The thread that accepts.
struct Acceptor {
    member: Member,
    /// Its set has the call in it, too.
    door: Door,
    queue: Arc<Queue>,
    options: AcceptOptions,
    events: Events,
}

impl Acceptor {
    fn new(member: Member, door: Door, queue: Arc<Queue>, options: AcceptOptions) -> Result<Acceptor, Failure> {
        let watched = door.poller().add(member.call(), Source::Model(0).key(), Interest::READ);
        watched.map_err(|e| Failure::new("epoll_ctl()", e))?;
        Ok(Acceptor { member, door, queue, options, events: Events::with_capacity(64) })
    }

    fn run(mut self) {
        loop {
            if !self.queue.has_room() {
                self.sleep_without_sockets(Some(&self.queue.room), None);
            } else {
                self.accept();
            }
            if self.member.is_called() && self.member.heed(None) != Shutdown::No {
                break;
            }
        }
        report(self.door.leave());
        self.drain_queues();
        self.queue.end();
    }

    /// What waits in sockets that no other process has is queued up, as there is room.
    fn drain_queues(&mut self) {
        while self.member.heed(None) != Shutdown::Fast {
            if !self.queue.has_room() {
                self.sleep_without_sockets(Some(&self.queue.room), None);
                continue;
            }
            match self.door.next_to_drain(&self.queue.tally) {
                Some(visitor) => self.queue.push(visitor),
                None if self.door.is_draining() => {
                    self.sleep_without_sockets(None, Some(self.options.accept_mutex_delay_ms));
                }
                None => return,
            }
        }
    }

    fn accept(&mut self) {
        self.door.wait(&mut self.events, None);
        let tally = &self.queue.tally;
        tally.turns.add(1);
        let mut is_woken = false;
        for (key, _) in self.events.iter() {
            let Source::Listener(n) = Source::of(key) else { continue };
            if !std::mem::replace(&mut is_woken, true) {
                tally.wakeups.add(1);
            }
            while self.queue.has_room() {
                match self.door.accept(n, tally) {
                    Ok(visitor) => self.queue.push(visitor),
                    Err(Refusal::ClientGone) => {}
                    Err(Refusal::NobodyWaits) => break,
                    Err(refusal @ (Refusal::OutOfFiles(_) | Refusal::Other)) => return self.pause(refusal),
                }
                if !self.options.multi_accept {
                    break;
                }
            }
        }
    }

    /// Nothing can be accepted until an idle client has left its descriptor, or for some time.
    fn pause(&self, refusal: Refusal) {
        let is_starved = matches!(refusal, Refusal::OutOfFiles(_));
        self.queue.set_starved(is_starved);
        self.sleep_without_sockets(Some(&self.queue.room), Some(self.options.accept_mutex_delay_ms));
        if is_starved && std::mem::take(&mut self.queue.lock().is_starved) {
            self.queue.set_starved(false);
            refusal.complain();
        }
    }

    /// Waits for room, a call, or the end of a pause.
    fn sleep_without_sockets(&self, room: Option<&EventFd>, timeout_ms: Option<u64>) {
        let sources = [Some(self.member.call()), room.map(AsFd::as_fd)].map(|fd| fd.map(|fd| (fd, Interest::READ)));
        if let Err(error) = poll(sources, timeout_ms) {
            log::alert!("poll() failed ({})", ErrnoText(&error));
        }
        if let Some(room) = room {
            hear(room);
        }
    }
}
