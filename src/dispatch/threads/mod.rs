//! The threads of a worker process, and the main thread that passes the master's commands on to them. Signals reach the
//! main thread alone: all threads block them, and it reads the signalfd.
//!
//! `prefork`, `thread_pool` and `leader_follower` are built of this.
//!
//! # The atomics: who writes, who reads
//!
//! All are SeqCst: commands are rare. Each write is followed by a `wake` of its reader's waker.
//!
//! ```text
//! atomic                  writer                             reader                             partner
//! GroupState::shutdown    main thread                        each thread, `has_command` and     ThreadState::waker
//!                                                            `obey`
//! GroupState::flushes     main thread                        each thread, `has_command` and     ThreadState::waker
//!                                                            `obey`
//! ThreadState::flushed    the thread, after its logs are     main thread, `have_flushed`        GroupState::main_waker
//!                         written out
//! ThreadState::has_ended  the thread, at its end             main thread                        GroupState::main_waker
//! ```

mod shared_listeners;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use crate::dispatch::model::{
    Command, Life, Model, Param, ProcessContext, Seat, Setup, Takes, announce_shutdown, next_command, workers,
};
use crate::dispatch::waker::{reset, wake};
pub(super) use shared_listeners::SharedListeners;

use crate::event::{AtomicShutdown, Shutdown};
use crate::log;
use crate::os::{ErrnoText, EventFd, Failure, Interest, memory, poll, process};
use crate::serve::blocking::{self, Interrupts};
use crate::serve::{Accepted, Engine};
use crate::shm::{SLOTS, Tally};

/// How long threads have to obey TERM before the process ends without them; the master would wait 1.6 s.
const ENDING_PATIENCE: Duration = Duration::from_millis(500);

/// How long the reopening of the logs waits for threads to write out their buffers. They obey at once, unless a slow
/// disk holds them.
const FLUSH_PATIENCE: Duration = Duration::from_millis(200);

/// The parameter `worker_threads=N`.
pub(crate) const fn worker_threads(default: u64) -> Param {
    Param { name: "worker_threads", takes: Takes::Number(1, 1024), default }
}

/// The commands of the main thread, and what the threads have done of them.
struct GroupState {
    shutdown: AtomicShutdown,
    /// How often the logs were to be written out.
    flushes: AtomicU32,
    threads: Vec<ThreadState>,
    /// Woken by a thread that has obeyed or has ended.
    main_waker: EventFd,
}

struct ThreadState {
    /// Woken when there is a command for the thread.
    waker: EventFd,
    /// The value of `flushes` that the thread obeyed last.
    flushed: AtomicU32,
    has_ended: AtomicBool,
}

/// The threads of a process, as its main thread has them.
pub(crate) struct ThreadGroup(Arc<GroupState>);

/// A thread's end of the group.
pub(crate) struct ThreadControl {
    group: Arc<GroupState>,
    number: usize,
    /// The shutdown that the thread has heard of.
    heard: Shutdown,
}

/// A model whose only processes are workers of several threads.
struct ThreadedWorkers<L> {
    workers: u32,
    live: L,
}

/// A model of workers, each of which spends its life in `live`. `slots`: how many slots of the ledger a worker takes,
/// one for each thread that counts. Error: the ledger has not so many for two generations.
pub(crate) fn threaded_workers<L>(setup: &Setup<'_>, slots: usize, live: L) -> io::Result<Arc<dyn Model>>
where
    L: Fn(ProcessContext) -> Result<(), Failure> + Clone + Send + Sync + 'static,
{
    let (workers, most) = (setup.workers, SLOTS / 2);
    if workers as usize * slots > most {
        let message = format!("{workers} workers with {slots} threads each: there may be {most} threads in all");
        return Err(io::Error::other(message));
    }
    Ok(Arc::new(ThreadedWorkers { workers, live }))
}

impl<L> Model for ThreadedWorkers<L>
where
    L: Fn(ProcessContext) -> Result<(), Failure> + Clone + Send + Sync + 'static,
{
    fn plan(&self) -> Vec<Seat> {
        workers(self.workers)
    }

    fn life(&self, _seat: Seat) -> Life {
        Life::Own(Box::new(self.live.clone()))
    }
}

impl ThreadGroup {
    /// A group of `count` threads, none of which has started. Error: no descriptors left.
    pub(crate) fn new(count: usize) -> Result<ThreadGroup, Failure> {
        let failed = |e| Failure::new("eventfd()", e);
        let thread = |_| {
            let waker = EventFd::new().map_err(failed)?;
            Ok(ThreadState { waker, flushed: AtomicU32::new(0), has_ended: AtomicBool::new(false) })
        };
        let threads = (0..count).map(thread).collect::<Result<_, _>>()?;
        let main_waker = EventFd::new().map_err(failed)?;
        let (shutdown, flushes) = (AtomicShutdown::default(), AtomicU32::new(0));
        Ok(ThreadGroup(Arc::new(GroupState { shutdown, flushes, threads, main_waker })))
    }

    /// The control of thread `number`, for that thread.
    pub(crate) fn control(&self, number: usize) -> ThreadControl {
        ThreadControl { group: self.0.clone(), number, heard: Shutdown::No }
    }

    /// Starts thread `number`. A thread that panics ends the process, as a panic in an event loop does.
    pub(crate) fn spawn(&self, number: usize, body: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
        let group = self.0.clone();
        let run = move || {
            memory::refill();
            if catch_unwind(AssertUnwindSafe(body)).is_err() {
                process::exit_now(101);
            }
            if let Some(thread) = group.threads.get(number) {
                thread.has_ended.store(true, SeqCst);
            }
            wake(&group.main_waker);
        };
        let started = thread::Builder::new().name(format!("drover/{number}")).spawn(run);
        started.map(drop).map_err(|e| Failure::new("pthread_create()", e))
    }

    /// Passes the master's commands on until all threads have ended. For the main thread. `wake_others`: wakes threads
    /// that sleep somewhere else than on their waker.
    pub(crate) fn supervise(&self, context: &ProcessContext, wake_others: impl Fn()) {
        let wake_threads = || {
            self.0.threads.iter().for_each(|thread| wake(&thread.waker));
            wake_others();
        };
        let (mut until, mut reopen_by) = (None, None);
        while self.0.threads.iter().any(|thread| !thread.has_ended.load(SeqCst)) {
            self.sleep(context, [until, reopen_by]);
            while let Some(command) = next_command(&context.signals) {
                match command {
                    Command::Terminate => {
                        until = Some(Instant::now() + ENDING_PATIENCE);
                        self.0.shutdown.store(Shutdown::Fast);
                    }
                    Command::Quit if self.0.shutdown.load() == Shutdown::No => {
                        announce_shutdown("worker process");
                        context.tally.listening.set(0);
                        let timeout = Duration::from_millis(context.shutdown_timeout_ms);
                        until = (!timeout.is_zero()).then(|| Instant::now() + timeout);
                        self.0.shutdown.store(Shutdown::Graceful);
                    }
                    Command::Reopen => {
                        log::notice!("reopening logs");
                        reopen_by = Some(Instant::now() + FLUSH_PATIENCE);
                        self.0.flushes.fetch_add(1, SeqCst);
                    }
                    Command::Quit | Command::ChildDied => continue,
                }
                wake_threads();
            }
            if reopen_by.is_some_and(|by| self.have_flushed() || Instant::now() >= by) {
                context.engines.logs.reopen(None);
                reopen_by = None;
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                if self.0.shutdown.load() == Shutdown::Fast {
                    break;
                }
                self.0.shutdown.store(Shutdown::Fast);
                until = Some(Instant::now() + ENDING_PATIENCE);
                wake_threads();
            }
        }
        log::notice!("exiting");
    }

    /// Waits for a command, a thread's news, or the first of the deadlines.
    fn sleep(&self, context: &ProcessContext, deadlines: [Option<Instant>; 2]) {
        let until = deadlines.into_iter().flatten().min();
        // Rounded up, so that the deadline has passed when poll says so.
        let timeout = until.map(|at| at.saturating_duration_since(Instant::now()).as_millis() as u64 + 1);
        let sources = [context.signals.as_fd(), self.0.main_waker.as_fd()].map(|fd| Some((fd, Interest::READ)));
        if let Err(error) = poll(sources, timeout) {
            log::alert!("poll() failed ({})", ErrnoText(&error));
            thread::sleep(Duration::from_millis(100));
        }
        reset(&self.0.main_waker);
    }

    /// Whether all threads have written out their logs since the last command to do so.
    fn have_flushed(&self) -> bool {
        let flushes = self.0.flushes.load(SeqCst);
        self.0.threads.iter().all(|thread| thread.has_ended.load(SeqCst) || thread.flushed.load(SeqCst) == flushes)
    }
}

impl ThreadControl {
    /// Readable when there is a command that `obey` has not seen.
    pub(crate) fn waker(&self) -> BorrowedFd<'_> {
        self.state().waker.as_fd()
    }

    /// Whether there is a command that `obey` has not seen; without a system call.
    pub(crate) fn has_command(&self) -> bool {
        self.group.shutdown.load() != self.heard || self.group.flushes.load(SeqCst) != self.state().flushed.load(SeqCst)
    }

    /// Resets the waker, writes out the engine's logs if that is wanted, and returns how far the shutdown has gone.
    pub(crate) fn obey(&mut self, engine: Option<&mut Engine>) -> Shutdown {
        reset(&self.state().waker);
        self.heard = self.group.shutdown.load();
        let flushes = self.group.flushes.load(SeqCst);
        let is_to_flush = self.state().flushed.swap(flushes, SeqCst) != flushes;
        if let Some(engine) = engine {
            engine.shutdown = self.heard;
            if is_to_flush {
                engine.flush_logs();
            }
        }
        if is_to_flush {
            wake(&self.group.main_waker);
        }
        self.heard
    }

    fn state(&self) -> &ThreadState {
        &self.group.threads[self.number]
    }
}

/// Serves a connection to its end on the calling thread, and counts it as open meanwhile.
pub(crate) fn serve_to_end(engine: &mut Engine, accepted: Accepted, interrupts: &mut impl Interrupts) {
    engine.tally.connections.set(1);
    engine.clock.update();
    let mut conn = engine.open(accepted);
    blocking::serve(engine, &mut conn, interrupts);
    drop(conn);
    engine.tally.connections.set(0);
}

/// The slot in the ledger for serving thread `number`. The first thread has the process's own, since a counter has one
/// writer. Error: the ledger has no free slot.
pub(crate) fn tally_of(context: &ProcessContext, number: usize) -> Result<Arc<Tally>, Failure> {
    if number == 0 {
        return Ok(context.tally.clone());
    }
    let claimed = context.claim_slot(context.pid, context.seat.number);
    claimed.map_err(|e| Failure::new("a slot in the ledger for a thread", e))
}
