//! `prefork`: every thread of every worker waits for a connection on the shared sockets, serves that connection to its
//! end with blocking I/O, and waits again. In the field: Apache's prefork MPM (one thread a process) and worker MPM,
//! UNPv1 30.6 "pre-forked server, no locking around accept".
//!
//! - `plan`: `worker_processes` workers, no dispatcher.
//! - `life`: `live`, a group of `worker_threads` serving threads.
//! - The loop: none; a thread waits for the sockets in an epoll set of its own (`SharedListeners`).
//! - `child_died`: nothing to mend; the kernel closes the sockets of a dead worker.
//!
//! Clients beyond the number of threads wait in the backlog: that is the model's nature. So that an idle keep-alive
//! client does not keep others out, a thread whose client asks for nothing watches the backlog as well. When a
//! connection waits there and no thread is free, the thread accepts that connection and closes the idle one.
//!
//! # A serving thread, edge by edge
//!
//! ```text
//! state                   event                                 method            next
//! Waiting                 epoll reports a connection            accept_announced  Serving
//! Waiting                 descriptors have run out              pause             Waiting, after accept_mutex_delay
//! Serving                 the connection ends                   run               Waiting, or Serving the connection
//!                                                                                 that is held
//! Serving an idle client  a connection waits, a thread is free  decide_eviction   Serving, asked again after
//!                                                                                 WAKE_GRACE_MS; the second time all
//!                                                                                 free threads are woken
//! Serving an idle client  a connection waits, no thread is      decide_eviction   Serving the connection that is held
//!                         free, or none accepts
//! Waiting, Serving        the process shuts down gracefully     heed              Draining: the thread's own backlogs,
//!                                                                                 then the end
//! any                     the process shuts down fast           heed              the end
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use super::model::{Model, ModelKind, Param, Places, ProcessContext, Setup};
use super::sockets::{AcceptError, log_epoll_failure};
use super::threads::{
    SharedListeners, ThreadControl, ThreadGroup, serve_to_end, tally_of, threaded_workers, worker_threads,
};
use super::waker::WAKE_GRACE_MS;
use crate::event::{Shutdown, Source};
use crate::log;
use crate::os::{ErrnoText, EventFd, Events, Failure, Interest, poll};
use crate::serve::blocking::{Eviction, Interrupts};
use crate::serve::{Accepted, Engine, Shortage};
use crate::shm::{Role, Slot, Tally};

pub(super) static KIND: ModelKind = ModelKind {
    name: "prefork",
    params: &[THREADS],
    about: "Every worker waits for a connection, serves it to its end with blocking I/O, and waits for the next; \
            `worker_threads=N`: N such threads in each worker. Clients beyond that wait, and idle ones make room for \
            them. A thread takes five descriptors, its connection among them; where `worker_rlimit_nofile` allows no \
            more, there are fewer threads.",
    places: Places::OfThread(&THREADS),
    make,
};

const THREADS: Param = worker_threads(16);

/// How often a thread with an idle client leaves a new connection to the threads that are free, for `WAKE_GRACE_MS`
/// each time, while none of them accepts anything: after that they are taken to be stopped.
const GRACES: u32 = 20;

/// The grace with which all free threads are woken. The kernel has woken a single one, whose process may be stopped or
/// dead.
const WAKING_GRACE: u32 = 2;

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    let (threads, workers_waker) = (setup.param(&THREADS) as usize, Arc::new(EventFd::new()?));
    threaded_workers(setup, threads, move |context| live(context, threads, &workers_waker))
}

fn live(mut context: ProcessContext, threads: usize, workers_waker: &Arc<EventFd>) -> Result<(), Failure> {
    // An eventfd, a poller, which has two more for what polling offers beside epoll, and a connection.
    let threads = context.affordable_threads(threads, 5);
    let group = ThreadGroup::new(threads)?;
    let sockets = std::mem::take(&mut context.listeners);
    let shortage = Arc::new(Shortage::of(format!("{threads} worker_threads")));
    for number in 0..threads {
        let engine = context.engines.engine(tally_of(&context, number)?)?;
        let listeners = SharedListeners::new(&sockets, &context.is_own, workers_waker.clone());
        let listeners = listeners.map_err(|e| Failure::new("an epoll set of listening sockets", e))?;
        let pause_ms = context.options.accept_mutex_delay_ms;
        let thread = ServingThread::new(group.control(number), listeners, &engine, shortage.clone(), pause_ms)?;
        group.spawn(number, move || thread.run(engine))?;
    }
    drop(sockets);
    context.tally.listening.set(1);
    group.supervise(&context, || {});
    Ok(())
}

/// A thread that accepts a connection, serves it to its end, and accepts the next.
struct ServingThread {
    control: ThreadControl,
    /// The epoll set of these has the thread's waker as well.
    listeners: SharedListeners,
    events: Events,
    tally: Arc<Tally>,
    /// Shared by the threads of the process.
    shortage: Arc<Shortage>,
    shutdown: Shutdown,
    /// A connection that was accepted in the place of an idle one, and is served next.
    held: Option<Accepted>,
    /// How often the idle client has been left in peace since a connection was accepted anywhere.
    graces: u32,
    /// How many connections the generation had accepted when `graces` began.
    accepts: u64,
    /// How long a thread without descriptors waits, ms.
    pause_ms: u64,
}

impl ServingThread {
    fn new(
        control: ThreadControl,
        listeners: SharedListeners,
        engine: &Engine,
        shortage: Arc<Shortage>,
        pause_ms: u64,
    ) -> Result<ServingThread, Failure> {
        listeners.watch_thread_waker(control.waker())?;
        let (events, tally) = (Events::with_capacity(64), engine.tally.clone());
        Ok(ServingThread {
            control,
            listeners,
            events,
            tally,
            shortage,
            shutdown: Shutdown::No,
            held: None,
            graces: 0,
            accepts: 0,
            pause_ms,
        })
    }

    fn run(mut self, mut engine: Engine) {
        while let Some(accepted) = self.next(&mut engine) {
            serve_to_end(&mut engine, accepted, &mut self);
        }
        engine.flush_logs();
    }

    /// Waits for the next connection; `None`: there will be no more.
    fn next(&mut self, engine: &mut Engine) -> Option<Accepted> {
        loop {
            match self.shutdown {
                Shutdown::Fast => return None,
                Shutdown::Graceful => {
                    let next = self.held.take().or_else(|| self.listeners.next_to_drain(&self.tally));
                    if next.is_some() || !self.listeners.is_draining() {
                        return next;
                    }
                    self.pause();
                    self.obey(engine);
                    continue;
                }
                Shutdown::No if self.held.is_some() => return self.held.take(),
                Shutdown::No => {}
            }
            let now = engine.clock.now_ms();
            let timeout = engine.next_upkeep().map(|at| at.saturating_sub(now));
            self.wait(timeout);
            engine.clock.update();
            self.tally.turns.add(1);
            // Before commands: a connection that has woken this thread wakes no other.
            if let Err(error) = self.accept_announced()
                && !engine.close_files()
            {
                error.log_out_of_files();
                self.pause();
            }
            if self.control.has_command() {
                self.obey(engine);
            }
            engine.end_of_turn();
        }
    }

    fn wait(&mut self, timeout: Option<u64>) {
        self.listeners.wait(&mut self.events, timeout);
    }

    /// Waits for a command, or until descriptors may be there again.
    fn pause(&self) {
        if let Err(error) = poll([Some((self.control.waker(), Interest::READ))], Some(self.pause_ms)) {
            log::alert!("poll() failed ({})", ErrnoText(&error));
        }
    }

    /// Accepts a connection that the last wait has announced, if it is there still, into `held`. Errors: nothing can be
    /// accepted for some time.
    fn accept_announced(&mut self) -> Result<(), AcceptError> {
        let listeners = self.events.iter().filter_map(|(key, _)| match Source::of(key) {
            Source::Listener(n) => Some(n),
            _ => None,
        });
        let mut is_woken = false;
        for n in listeners {
            if !std::mem::replace(&mut is_woken, true) {
                self.tally.wakeups.add(1);
            }
            match self.listeners.accept(n, &self.tally) {
                Ok(accepted) => {
                    self.held = Some(accepted);
                    return Ok(());
                }
                Err(AcceptError::NoneWaits | AcceptError::ClientGone) => {}
                Err(error @ (AcceptError::OutOfFiles(_) | AcceptError::Other)) => return Err(error),
            }
        }
        Ok(())
    }

    /// The slots of the threads that accept from the same sockets, of all processes of this generation.
    fn generation(&self) -> impl Iterator<Item = &Slot> {
        let generation = self.tally.generation();
        self.tally.ledger().live().filter(move |slot| slot.role() == Role::Worker && slot.generation() == generation)
    }

    fn is_a_thread_free(&self) -> bool {
        self.generation().any(|slot| slot.connections.get() == 0)
    }

    /// Waits for nothing; whether a connection waits in a backlog.
    fn is_a_connection_there(&mut self) -> bool {
        self.wait(Some(0));
        self.events.iter().any(|(key, _)| matches!(Source::of(key), Source::Listener(_)))
    }

    /// Whether the free threads are given more time to accept what waits. As long as connections are accepted, the next
    /// one that waits is another one.
    fn leaves_it_to_others(&mut self) -> bool {
        let accepts = self.generation().map(|slot| slot.accepts.get()).sum();
        if std::mem::replace(&mut self.accepts, accepts) != accepts {
            self.graces = 0;
        }
        if self.graces >= GRACES || !self.is_a_thread_free() {
            return false;
        }
        self.graces += 1;
        if self.graces == WAKING_GRACE {
            self.listeners.wake_workers();
        }
        true
    }
}

impl Interrupts for ServingThread {
    fn waker(&self) -> BorrowedFd<'_> {
        self.control.waker()
    }

    fn obey(&mut self, engine: &mut Engine) -> Shutdown {
        self.shutdown = self.control.obey(Some(engine));
        if self.shutdown != Shutdown::No {
            log_epoll_failure(self.listeners.leave());
        }
        self.shutdown
    }

    fn backlog(&self) -> Option<BorrowedFd<'_>> {
        (self.shutdown == Shutdown::No).then(|| self.listeners.poller().as_fd())
    }

    fn check_backlog(&mut self) -> bool {
        self.is_a_connection_there() && !self.is_a_thread_free()
    }

    fn decide_eviction(&mut self) -> Eviction {
        // The waker of the workers makes the set readable as well.
        if !self.is_a_connection_there() {
            return Eviction::No;
        }
        if self.leaves_it_to_others() {
            return Eviction::AskAgainIn(WAKE_GRACE_MS);
        }
        self.graces = 0;
        match self.accept_announced() {
            Ok(()) if self.held.is_some() => Eviction::Now,
            Ok(()) => Eviction::No,
            // The new connection needs the descriptor of the idle one.
            Err(AcceptError::OutOfFiles(_)) => Eviction::Now,
            Err(_) => Eviction::AskAgainIn(self.pause_ms),
        }
    }

    fn shortage(&self) -> Option<&Shortage> {
        Some(&self.shortage)
    }
}
