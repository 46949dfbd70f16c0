//! `thread_pool`: in each worker one thread accepts and puts the connections into a queue, from which serving threads
//! take them, each serving one connection to its end with blocking I/O. In the field: the half-sync/half-async pattern
//! of POSA2, Apache's worker and event MPMs, Java's ThreadPoolExecutor behind an acceptor.
//!
//! - `plan`: `worker_processes` workers, no dispatcher.
//! - `life`: `live`, a group of an acceptor thread and `worker_threads` serving threads.
//! - The loop: none; the acceptor waits for the sockets in an epoll set (`SharedListeners`), the serving threads for
//!   the queue.
//! - `child_died`: nothing to mend; connections in the queue die with their worker.
//!
//! The queue is bounded, and nothing is ever dropped from it: when it is full the acceptor sleeps, and the clients wait
//! in the backlog of the sockets, where other workers accept them.
//!
//! # The acceptor, edge by edge
//!
//! ```text
//! state      event                                method                           next
//! Accepting  a connection is accepted, the queue  Queue::push                      Accepting
//!            has room
//! Accepting  the queue is full                    Queue::await_room                Asleep: the sockets are not watched
//! Asleep     a serving thread takes a connection  Queue::pop wakes `room`          Accepting
//! Accepting  descriptors have run out             pause                            Starved: idle clients make room
//! Starved    an idle client has left its          ServingThread::run wakes `room`  Accepting
//!            descriptor
//! Starved    accept_mutex_delay is over           pause                            Accepting
//! any        the process shuts down gracefully    run                              Draining the own backlogs, then the
//!                                                                                  queue is closed
//! any        the process shuts down fast          run                              the queue is closed
//! ```

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::model::{AcceptOptions, Model, ModelKind, Param, Places, ProcessContext, Setup, Takes};
use super::sockets::{AcceptError, log_epoll_failure};
use super::threads::{
    SharedListeners, ThreadControl, ThreadGroup, serve_to_end, tally_of, threaded_workers, worker_threads,
};
use super::waker::{reset, wake};
use crate::event::{Shutdown, Source};
use crate::log;
use crate::os::{ErrnoText, EventFd, Events, Failure, Interest, poll};
use crate::serve::blocking::{Eviction, Interrupts};
use crate::serve::{Accepted, Engine, Shortage};
use crate::shm::Tally;

pub(super) static KIND: ModelKind = ModelKind {
    name: "thread_pool",
    params: &[THREADS, QUEUE],
    about: "In every worker one thread accepts, and `worker_threads=N` threads serve with blocking I/O, each one \
            connection to its end. Between them is a queue of `queue=N` connections; while it is full nothing is \
            accepted. What is in it waits for the threads of this worker, also where another worker has idle ones: a \
            short queue leaves more to that one.",
    places: Places::OfThread(&THREADS),
    make,
};

const THREADS: Param = worker_threads(16);
const QUEUE: Param = Param { name: "queue", takes: Takes::Number(1, 65536), default: 64 };

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    let (threads, queue) = (setup.param(&THREADS) as usize, setup.param(&QUEUE) as usize);
    let workers_waker = Arc::new(EventFd::new()?);
    // The acceptor is a thread more.
    threaded_workers(setup, threads + 1, move |context| live(context, threads, queue, workers_waker.clone()))
}

fn live(mut context: ProcessContext, threads: usize, queue: usize, workers_waker: Arc<EventFd>) -> Result<(), Failure> {
    let sockets = std::mem::take(&mut context.listeners);
    let listeners = SharedListeners::new(&sockets, &context.is_own, workers_waker);
    let listeners = listeners.map_err(|e| Failure::new("an epoll set of listening sockets", e))?;
    drop(sockets);
    let queue = context.affordable_queue(queue);
    // Each thread takes an eventfd, its connection, and another in the queue.
    let threads = context.affordable_threads(threads, 3);
    let group = ThreadGroup::new(threads + 1)?;
    let shortage = Shortage::of(format!("{threads} worker_threads"));
    let queue = Arc::new(Queue::new(queue, shortage, context.tally.clone())?);
    for number in 0..threads {
        // The process's own slot is the acceptor's.
        let engine = context.engines.engine(tally_of(&context, number + 1)?)?;
        let thread = ServingThread::new(group.control(number), queue.clone());
        group.spawn(number, move || thread.run(engine))?;
    }
    let acceptor = AcceptorThread::new(group.control(threads), listeners, queue.clone(), context.options)?;
    group.spawn(threads, move || acceptor.run())?;
    context.tally.listening.set(1);
    group.supervise(&context, || queue.wake_all());
    Ok(())
}

/// The connections that are accepted and not served yet.
struct Queue {
    inner: Mutex<Inner>,
    /// Signalled when there is a connection to take, a command to obey, or the queue is closed.
    changed: Condvar,
    /// Readable while the queue has a backlog, see `Inner::has_backlog`.
    backlog: EventFd,
    /// Woken for the acceptor: the queue was full and is not any more, or a descriptor has become free.
    room: EventFd,
    capacity: usize,
    shortage: Shortage,
    /// The acceptor's slot in the ledger, whose open connections are those in the queue. Written under the lock.
    tally: Arc<Tally>,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Accepted>,
    /// How many threads wait for a connection.
    idle: usize,
    /// `Queue::backlog` is readable.
    is_backlog_shown: bool,
    /// The acceptor waits for a descriptor.
    is_starved: bool,
    is_acceptor_asleep: bool,
    /// The acceptor has ended: no connection will be added.
    is_closed: bool,
}

impl Queue {
    fn new(capacity: usize, shortage: Shortage, tally: Arc<Tally>) -> Result<Queue, Failure> {
        let eventfd = || EventFd::new().map_err(|e| Failure::new("eventfd()", e));
        let (backlog, room) = (eventfd()?, eventfd()?);
        Ok(Queue { inner: Mutex::default(), changed: Condvar::new(), backlog, room, capacity, shortage, tally })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, accepted: Accepted) {
        let mut inner = self.lock();
        inner.waiting.push_back(accepted);
        self.update_backlog(&mut inner);
        self.changed.notify_one();
    }

    /// Whether there is room for another connection. If not, `room` is woken when there is. For the acceptor.
    fn await_room(&self) -> bool {
        let mut inner = self.lock();
        inner.is_acceptor_asleep = inner.waiting.len() >= self.capacity;
        !inner.is_acceptor_asleep
    }

    fn pop(&self, inner: &mut Inner) -> Option<Accepted> {
        let accepted = inner.waiting.pop_front()?;
        if std::mem::take(&mut inner.is_acceptor_asleep) {
            wake(&self.room);
        }
        self.update_backlog(inner);
        Some(accepted)
    }

    /// Brings the ledger and the `backlog` eventfd up to date, after each change of `inner`.
    fn update_backlog(&self, inner: &mut Inner) {
        self.tally.connections.set(inner.waiting.len() as u64);
        let has_backlog = inner.has_backlog();
        if has_backlog != inner.is_backlog_shown {
            inner.is_backlog_shown = has_backlog;
            if has_backlog {
                wake(&self.backlog);
            } else {
                reset(&self.backlog);
            }
        }
    }

    /// Notes whether the acceptor lacks a descriptor.
    fn set_starved(&self, is_starved: bool) {
        let mut inner = self.lock();
        inner.is_starved = is_starved;
        self.update_backlog(&mut inner);
    }

    /// Ends the serving threads once the queue is empty. For the acceptor, at its end.
    fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Wakes the threads that wait for a connection, to obey a command.
    fn wake_all(&self) {
        let _inner = self.lock();
        self.changed.notify_all();
    }
}

impl Inner {
    /// Whether idle clients should make room: more connections wait than threads, or the acceptor lacks a descriptor.
    fn has_backlog(&self) -> bool {
        self.waiting.len() > self.idle || self.is_starved
    }
}

/// A thread that takes a connection from the queue, serves it to its end, and takes the next.
struct ServingThread {
    control: ThreadControl,
    queue: Arc<Queue>,
    shutdown: Shutdown,
    /// A connection that was taken in the place of an idle one, and is served next.
    held: Option<Accepted>,
    /// An idle client is being closed because the acceptor waits for its descriptor.
    gives_descriptor: bool,
}

impl ServingThread {
    fn new(control: ThreadControl, queue: Arc<Queue>) -> ServingThread {
        ServingThread { control, queue, shutdown: Shutdown::No, held: None, gives_descriptor: false }
    }

    fn run(mut self, mut engine: Engine) {
        while let Some(accepted) = self.next(&mut engine) {
            serve_to_end(&mut engine, accepted, &mut self);
            if std::mem::take(&mut self.gives_descriptor) {
                wake(&self.queue.room);
            }
        }
        engine.flush_logs();
    }

    /// Waits for the next connection; `None`: there will be no more.
    fn next(&mut self, engine: &mut Engine) -> Option<Accepted> {
        loop {
            if self.shutdown == Shutdown::Fast {
                return None;
            }
            if self.held.is_some() {
                return self.held.take();
            }
            {
                let mut inner = self.queue.lock();
                if inner.waiting.is_empty() && !inner.is_closed && !self.control.has_command() {
                    inner = self.sleep(inner, engine);
                }
                if let Some(accepted) = self.queue.pop(&mut inner) {
                    return Some(accepted);
                }
                if inner.is_closed {
                    return None;
                }
            }
            engine.clock.update();
            engine.tally.turns.add(1);
            if self.control.has_command() {
                self.shutdown = self.control.obey(Some(engine));
            }
            engine.end_of_turn();
        }
    }

    /// Waits for a connection or a command, or until log lines are due.
    fn sleep<'a>(&'a self, mut inner: MutexGuard<'a, Inner>, engine: &Engine) -> MutexGuard<'a, Inner> {
        let now = engine.clock.now_ms();
        let timeout = engine.next_upkeep().map(|at| Duration::from_millis(at.saturating_sub(now)));
        inner.idle += 1;
        let mut inner = match timeout {
            None => self.queue.changed.wait(inner).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => self.queue.changed.wait_timeout(inner, timeout).unwrap_or_else(PoisonError::into_inner).0,
        };
        inner.idle -= 1;
        inner
    }
}

impl Interrupts for ServingThread {
    fn waker(&self) -> BorrowedFd<'_> {
        self.control.waker()
    }

    fn obey(&mut self, engine: &mut Engine) -> Shutdown {
        self.shutdown = self.control.obey(Some(engine));
        self.shutdown
    }

    fn backlog(&self) -> Option<BorrowedFd<'_>> {
        Some(self.queue.backlog.as_fd())
    }

    fn check_backlog(&mut self) -> bool {
        self.queue.lock().has_backlog()
    }

    fn decide_eviction(&mut self) -> Eviction {
        let mut inner = self.queue.lock();
        if inner.has_backlog() {
            self.held = self.queue.pop(&mut inner);
        }
        self.gives_descriptor = self.held.is_none() && std::mem::take(&mut inner.is_starved);
        self.queue.update_backlog(&mut inner);
        if self.held.is_some() || self.gives_descriptor { Eviction::Now } else { Eviction::No }
    }

    fn shortage(&self) -> Option<&Shortage> {
        Some(&self.queue.shortage)
    }
}

/// The thread that accepts.
struct AcceptorThread {
    control: ThreadControl,
    /// The epoll set of these has the thread's waker as well.
    listeners: SharedListeners,
    queue: Arc<Queue>,
    options: AcceptOptions,
    events: Events,
}

impl AcceptorThread {
    fn new(
        control: ThreadControl,
        listeners: SharedListeners,
        queue: Arc<Queue>,
        options: AcceptOptions,
    ) -> Result<AcceptorThread, Failure> {
        listeners.watch_thread_waker(control.waker())?;
        Ok(AcceptorThread { control, listeners, queue, options, events: Events::with_capacity(64) })
    }

    fn run(mut self) {
        loop {
            if !self.queue.await_room() {
                self.sleep_without_sockets(Some(&self.queue.room), None);
            } else {
                self.accept();
            }
            if self.control.has_command() && self.control.obey(None) != Shutdown::No {
                break;
            }
        }
        log_epoll_failure(self.listeners.leave());
        self.drain_queues();
        self.queue.close();
    }

    /// Queues the connections that wait in sockets which no other process has, as there is room.
    fn drain_queues(&mut self) {
        while self.control.obey(None) != Shutdown::Fast {
            if !self.queue.await_room() {
                self.sleep_without_sockets(Some(&self.queue.room), None);
                continue;
            }
            match self.listeners.next_to_drain(&self.queue.tally) {
                Some(accepted) => self.queue.push(accepted),
                None if self.listeners.is_draining() => {
                    self.sleep_without_sockets(None, Some(self.options.accept_mutex_delay_ms));
                }
                None => return,
            }
        }
    }

    fn accept(&mut self) {
        self.listeners.wait(&mut self.events, None);
        let tally = &self.queue.tally;
        tally.turns.add(1);
        let mut is_woken = false;
        for (key, _) in self.events.iter() {
            let Source::Listener(n) = Source::of(key) else { continue };
            if !std::mem::replace(&mut is_woken, true) {
                tally.wakeups.add(1);
            }
            while self.queue.await_room() {
                match self.listeners.accept(n, tally) {
                    Ok(accepted) => self.queue.push(accepted),
                    Err(AcceptError::ClientGone) => {}
                    Err(AcceptError::NoneWaits) => break,
                    Err(error @ (AcceptError::OutOfFiles(_) | AcceptError::Other)) => return self.pause(error),
                }
                if !self.options.multi_accept {
                    break;
                }
            }
        }
    }

    /// Waits after a failed accept: for `accept_mutex_delay`, or until an idle client has left its descriptor.
    fn pause(&self, error: AcceptError) {
        let is_starved = matches!(error, AcceptError::OutOfFiles(_));
        self.queue.set_starved(is_starved);
        self.sleep_without_sockets(Some(&self.queue.room), Some(self.options.accept_mutex_delay_ms));
        if is_starved && std::mem::take(&mut self.queue.lock().is_starved) {
            self.queue.set_starved(false);
            error.log_out_of_files();
        }
    }

    /// Waits for room, for a command, or for `timeout_ms`.
    fn sleep_without_sockets(&self, room: Option<&EventFd>, timeout_ms: Option<u64>) {
        let sources = [Some(self.control.waker()), room.map(AsFd::as_fd)].map(|fd| fd.map(|fd| (fd, Interest::READ)));
        if let Err(error) = poll(sources, timeout_ms) {
            log::alert!("poll() failed ({})", ErrnoText(&error));
        }
        if let Some(room) = room {
            reset(room);
        }
    }
}
