//! The threads of a process, and the one that commands them: it alone hears the signals, which all threads block.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use super::bell::{hear, tell};
use super::{Life, Model, Order, Post, Seat, Setup, announce_leaving, next_order, workers};
use crate::log;
use crate::os::{ErrnoText, EventFd, Failure, Interest, poll, process};
use crate::serve::Engine;
use crate::serve::blocking::Heeded;
use crate::shm::{Role, SLOTS, Tally};

/// How long threads have to obey TERM before the process ends without them; the master would wait 1.6 s.
const ENDING_PATIENCE: Duration = Duration::from_millis(500);

/// How long the reopening of the logs waits for threads to write out their buffers. They obey at once, unless a slow disk
/// holds them.
const FLUSH_PATIENCE: Duration = Duration::from_millis(200);

const SERVING: u8 = 0;
const LEAVING: u8 = 1;
const ENDING: u8 = 2;

/// What the commander and the members share.
struct Orders {
    stands: AtomicU8,
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
pub(super) struct Crew(Arc<Orders>);

/// The model whose workers are crews, and where there is nobody else.
struct Crews<L> {
    workers: u32,
    live: L,
}

/// Makes it. `slots`: how many of the ledger each worker takes, one for each thread that counts; `live`: a worker's life. Errors: the
/// ledger has not so many for two generations.
pub(super) fn crews<L>(setup: &Setup<'_>, slots: usize, live: L) -> io::Result<Arc<dyn Model>>
where
    L: Fn(Post) -> Result<(), Failure> + Clone + Send + Sync + 'static,
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
    L: Fn(Post) -> Result<(), Failure> + Clone + Send + Sync + 'static,
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
    orders: Arc<Orders>,
    number: usize,
    /// What it has heard last.
    heard: u8,
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
        let (stands, flushes) = (AtomicU8::new(SERVING), AtomicU32::new(0));
        Ok(Crew(Arc::new(Orders { stands, flushes, places, news })))
    }

    /// The end of thread `number`.
    pub fn member(&self, number: usize) -> Member {
        Member { orders: self.0.clone(), number, heard: SERVING }
    }

    /// Starts a thread. One that panics ends the process, as a panic in an event loop does.
    pub fn spawn(&self, number: usize, body: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
        let orders = self.0.clone();
        let run = move || {
            if catch_unwind(AssertUnwindSafe(body)).is_err() {
                process::exit_now(101);
            }
            if let Some(place) = orders.places.get(number) {
                place.is_over.store(true, SeqCst);
            }
            tell(&orders.news);
        };
        let started = thread::Builder::new().name(format!("drover/{number}")).spawn(run);
        started.map(drop).map_err(|e| Failure::new("pthread_create()", e))
    }

    /// Commands the threads until all have ended. `wake`: wakes those who sleep somewhere else than on their call.
    pub fn command(&self, post: &Post, wake: impl Fn()) {
        let call = || {
            self.0.places.iter().for_each(|place| tell(&place.call));
            wake();
        };
        let (mut until, mut reopen_by) = (None, None);
        while self.0.places.iter().any(|place| !place.is_over.load(SeqCst)) {
            self.sleep(post, [until, reopen_by]);
            while let Some(order) = next_order(&post.signals) {
                match order {
                    Order::End => {
                        until = Some(Instant::now() + ENDING_PATIENCE);
                        self.0.stands.store(ENDING, SeqCst);
                    }
                    Order::Leave if self.0.stands.load(SeqCst) == SERVING => {
                        announce_leaving("worker process");
                        post.tally.listening.set(0);
                        let timeout = Duration::from_millis(post.shutdown_timeout_ms);
                        until = (!timeout.is_zero()).then(|| Instant::now() + timeout);
                        self.0.stands.store(LEAVING, SeqCst);
                    }
                    Order::ReopenLogs => {
                        log::notice!("reopening logs");
                        reopen_by = Some(Instant::now() + FLUSH_PATIENCE);
                        self.0.flushes.fetch_add(1, SeqCst);
                    }
                    Order::Leave | Order::ChildDied => continue,
                }
                call();
            }
            if reopen_by.is_some_and(|by| self.have_flushed() || Instant::now() >= by) {
                post.engines.logs.reopen(None);
                reopen_by = None;
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                if self.0.stands.swap(ENDING, SeqCst) == ENDING {
                    break;
                }
                until = Some(Instant::now() + ENDING_PATIENCE);
                call();
            }
        }
        log::notice!("exiting");
    }

    fn sleep(&self, post: &Post, deadlines: [Option<Instant>; 2]) {
        let until = deadlines.into_iter().flatten().min();
        // Rounded up, so that the deadline has passed when poll says so.
        let timeout = until.map(|at| at.saturating_duration_since(Instant::now()).as_millis() as u64 + 1);
        let sources = [post.signals.as_fd(), self.0.news.as_fd()].map(|fd| Some((fd, Interest::READ)));
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
        self.orders.stands.load(SeqCst) != self.heard
            || self.orders.flushes.load(SeqCst) != self.place().flushed.load(SeqCst)
    }

    /// Hears what the call is about; the logs are written out if that is wanted.
    pub fn heed(&mut self, engine: Option<&mut Engine>) -> Heeded {
        hear(&self.place().call);
        self.heard = self.orders.stands.load(SeqCst);
        let stands = match self.heard {
            SERVING => Heeded::Serving,
            LEAVING => Heeded::Leaving,
            _ => Heeded::Ending,
        };
        let flushes = self.orders.flushes.load(SeqCst);
        let is_to_flush = self.place().flushed.swap(flushes, SeqCst) != flushes;
        if let Some(engine) = engine {
            engine.leaving = stands != Heeded::Serving;
            if is_to_flush {
                engine.flush_logs();
            }
        }
        if is_to_flush {
            tell(&self.orders.news);
        }
        stands
    }

    fn place(&self) -> &Place {
        &self.orders.places[self.number]
    }
}

/// The slot in the ledger for serving thread `number`: the first has the process's own, since a counter has one writer.
pub(super) fn tally_of(post: &Post, number: usize) -> Result<Arc<Tally>, Failure> {
    if number == 0 {
        return Ok(post.tally.clone());
    }
    let tally = post.tally.ledger().claim(post.pid, Role::Worker, post.seat.number);
    let tally = tally.map(|tally| Arc::new(tally.of_generation(post.tally.generation())));
    tally.map_err(|e| Failure::new("a slot in the ledger for a thread", e))
}
