//! The threads of a process, and the one that commands them: it alone hears the signals, which all threads block.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use super::bell::{hear, tell};
use super::{Command, Life, Model, ProcessContext, Seat, Setup, announce_shutdown, next_command, workers};
use crate::event::{AtomicShutdown, Shutdown};
use crate::log;
use crate::os::{ErrnoText, EventFd, Failure, Interest, poll, process};
use crate::serve::Engine;
use crate::shm::{Role, SLOTS, Tally};

/// How long threads have to obey TERM before the process ends without them; the master would wait 1.6 s.
const ENDING_PATIENCE: Duration = Duration::from_millis(500);

/// How long the reopening of the logs waits for threads to write out their buffers. They obey at once, unless a slow disk
/// holds them.
const FLUSH_PATIENCE: Duration = Duration::from_millis(200);

/// What the commander and the members share.
struct ThreadControl {
    shutdown: AtomicShutdown,
    /// How often the logs were to be written out.
    flushes: AtomicU32,
    places: Vec<Place>,
    /// Readable when a member has obeyed, or has ended.
    news: EventFd,
}

struct Place {
    call: EventFd,
    /// The last of `flushes` that was obeyed.
    flushed: AtomicU32,
    is_over: AtomicBool,
}

/// The threads of one process.
pub(super) struct Crew(Arc<ThreadControl>);

/// The model whose workers are crews, and where there is nobody else.
struct Crews<L> {
    workers: u32,
    live: L,
}

/// Makes it. `slots`: how many of the ledger each worker takes, one for each thread that counts; `live`: a worker's life. Errors: the
/// ledger has not so many for two generations.
pub(super) fn crews<L>(setup: &Setup<'_>, slots: usize, live: L) -> io::Result<Arc<dyn Model>>
where
    L: Fn(ProcessContext) -> Result<(), Failure> + Clone + Send + Sync + 'static,
{
    let (workers, most) = (setup.workers, SLOTS / 2);
    if workers as usize * slots > most {
        let message = format!("{workers} workers with {slots} threads each: there may be {most} threads in all");
        return Err(io::Error::other(message));
    }
    Ok(Arc::new(Crews { workers, live }))
}

impl<L> Model for Crews<L>
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

/// One thread's end of it.
pub(super) struct Member {
    control: Arc<ThreadControl>,
    number: usize,
    /// What it has heard last.
    heard: Shutdown,
}

impl Crew {
    /// A crew of `count`, none of whom has begun.
    pub fn new(count: usize) -> Result<Crew, Failure> {
        let failed = |e| Failure::new("eventfd()", e);
        let place = |_| {
            let call = EventFd::new().map_err(failed)?;
            Ok(Place { call, flushed: AtomicU32::new(0), is_over: AtomicBool::new(false) })
        };
        let places = (0..count).map(place).collect::<Result<_, _>>()?;
        let news = EventFd::new().map_err(failed)?;
        let (shutdown, flushes) = (AtomicShutdown::default(), AtomicU32::new(0));
        Ok(Crew(Arc::new(ThreadControl { shutdown, flushes, places, news })))
    }

    /// The end of thread `number`.
    pub fn member(&self, number: usize) -> Member {
        Member { control: self.0.clone(), number, heard: Shutdown::No }
    }

    /// Starts a thread. One that panics ends the process, as a panic in an event loop does.
    pub fn spawn(&self, number: usize, body: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
        let control = self.0.clone();
        let run = move || {
            if catch_unwind(AssertUnwindSafe(body)).is_err() {
                process::exit_now(101);
            }
            if let Some(place) = control.places.get(number) {
                place.is_over.store(true, SeqCst);
            }
            tell(&control.news);
        };
        let started = thread::Builder::new().name(format!("drover/{number}")).spawn(run);
        started.map(drop).map_err(|e| Failure::new("pthread_create()", e))
    }

    /// Commands the threads until all have ended. `wake`: wakes those who sleep somewhere else than on their call.
    pub fn command(&self, context: &ProcessContext, wake: impl Fn()) {
        let call = || {
            self.0.places.iter().for_each(|place| tell(&place.call));
            wake();
        };
        let (mut until, mut reopen_by) = (None, None);
        while self.0.places.iter().any(|place| !place.is_over.load(SeqCst)) {
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
                call();
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
                call();
            }
        }
        log::notice!("exiting");
    }

    fn sleep(&self, context: &ProcessContext, deadlines: [Option<Instant>; 2]) {
        let until = deadlines.into_iter().flatten().min();
        // Rounded up, so that the deadline has passed when poll says so.
        let timeout = until.map(|at| at.saturating_duration_since(Instant::now()).as_millis() as u64 + 1);
        let sources = [context.signals.as_fd(), self.0.news.as_fd()].map(|fd| Some((fd, Interest::READ)));
        if let Err(error) = poll(sources, timeout) {
            log::alert!("poll() failed ({})", ErrnoText(&error));
            thread::sleep(Duration::from_millis(100));
        }
        hear(&self.0.news);
    }

    fn have_flushed(&self) -> bool {
        let flushes = self.0.flushes.load(SeqCst);
        self.0.places.iter().all(|place| place.is_over.load(SeqCst) || place.flushed.load(SeqCst) == flushes)
    }
}

impl Member {
    /// Readable when there is something to heed.
    pub fn call(&self) -> BorrowedFd<'_> {
        self.place().call.as_fd()
    }

    /// The same, asked without a system call.
    pub fn is_called(&self) -> bool {
        self.control.shutdown.load() != self.heard
            || self.control.flushes.load(SeqCst) != self.place().flushed.load(SeqCst)
    }

    /// Hears what the call is about; the logs are written out if that is wanted.
    pub fn heed(&mut self, engine: Option<&mut Engine>) -> Shutdown {
        hear(&self.place().call);
        self.heard = self.control.shutdown.load();
        let flushes = self.control.flushes.load(SeqCst);
        let is_to_flush = self.place().flushed.swap(flushes, SeqCst) != flushes;
        if let Some(engine) = engine {
            engine.shutdown = self.heard;
            if is_to_flush {
                engine.flush_logs();
            }
        }
        if is_to_flush {
            tell(&self.control.news);
        }
        self.heard
    }

    fn place(&self) -> &Place {
        &self.control.places[self.number]
    }
}

/// The slot in the ledger for serving thread `number`: the first has the process's own, since a counter has one writer.
pub(super) fn tally_of(context: &ProcessContext, number: usize) -> Result<Arc<Tally>, Failure> {
    if number == 0 {
        return Ok(context.tally.clone());
    }
    let tally = context.tally.ledger().claim(context.pid, Role::Worker, context.seat.number);
    let tally = tally.map(|tally| Arc::new(tally.of_generation(context.tally.generation())));
    tally.map_err(|e| Failure::new("a slot in the ledger for a thread", e))
}
