//! Work that would hold up an event loop, for the threads of the worker's pools (`src/core/ngx_thread_pool.c`): waits
//! for a disk, and what takes long to compute.
//!
//! A connection asks for a job with `ask`, its driver hands it over with `submit`, and the loop is woken when
//! `take_finished` has results. A file that a job needs stays open until the job is done, whatever becomes of the
//! client.

use super::coder::Coder;
use super::file_cache::{Look, OpenedFile};
use super::listing::Listing;
use super::passwords::Digested;
use crate::event::Source;
use crate::http::exchange::aio::ThreadPools;
use crate::http::exchange::{Check, Listed};
use crate::log::{self, panics};
use crate::os::{ErrnoText, EventFd, Interest, Poller, faults, memory};
use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Threads of a pool that may compute at a time: the loop must not share its CPU with more, however many clients send
/// passwords.
const MOST_COMPUTING: usize = 2;

/// The name of the pool for work that no directive gives a pool, and its size (`thread_pool`).
const DEFAULT: (&str, usize, usize) = ("default", 32, 65536);

/// A piece of work.
#[derive(Debug)]
pub(crate) enum Job {
    /// Find out what is at a path.
    Look(Look),
    /// Read a directory.
    List(Listing),
    /// Read all of a file.
    Contents(Look),
    /// Read a piece of a file.
    Read { entry: Arc<OpenedFile>, at: u64, len: usize },
    /// Make the next slice of a body.
    Code(Box<Coder>),
    /// Check a password.
    Check(Digested, Check),
}

/// The result of a job.
#[derive(Debug)]
pub(crate) enum Done {
    Found(Result<Arc<OpenedFile>, i32>),
    Listed(Result<Vec<Listed>, i32>),
    Contents(Result<Vec<u8>, i32>),
    Read {
        at: u64,
        bytes: io::Result<Vec<u8>>,
    },
    Coded {
        coder: Box<Coder>,
        bytes: Vec<u8>,
        result: io::Result<()>,
    },
    Checked(Digested, bool),
    /// The queue is full, or there is no descriptor by which a result could be told.
    Refused,
}

impl Job {
    /// Whether it takes a CPU, and no disk.
    fn computes(&self) -> bool {
        match self {
            Job::Check(..) => true,
            Job::Code(coder) => coder.is_at_hand(),
            _ => false,
        }
    }

    fn run(self) -> Done {
        match self {
            Job::Look(look) => {
                faults::strike("job", &look.path);
                Done::Found(look.run())
            }
            Job::List(listing) => Done::Listed(listing.run()),
            Job::Contents(look) => Done::Contents(look.run().and_then(|entry| entry.contents())),
            Job::Read { entry, at, len } => Done::Read { at, bytes: read(&entry, at, len) },
            Job::Code(mut coder) => {
                let mut bytes = Vec::new();
                let result = coder.slice(&mut bytes);
                Done::Coded { coder, bytes, result }
            }
            Job::Check(digested, check) => Done::Checked(digested, check.run()),
        }
    }
}

/// Up to `len` bytes of the file: fewer at its end.
fn read(entry: &OpenedFile, at: u64, len: usize) -> io::Result<Vec<u8>> {
    let Some(file) = entry.file() else { return Ok(Vec::new()) };
    let mut bytes = vec![0; len];
    let mut read = 0;
    while read < len {
        match file.read_at(&mut bytes[read..], at + read as u64)? {
            0 => break,
            more => read += more,
        }
    }
    bytes.truncate(read);
    Ok(bytes)
}

/// A job, and who waits for it: a connection, and of HTTP/2 its stream.
#[derive(Debug)]
struct Task {
    key: u64,
    stream: u32,
    job: Job,
}

/// A result, and who waits for it.
#[derive(Debug)]
pub(crate) struct Finished {
    pub key: u64,
    pub stream: u32,
    pub done: Done,
}

/// The jobs of one engine.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    pools: Vec<Pool>,
    /// The pool for what no directive gives one.
    default: u16,
    results: Option<Results>,
    /// Jobs are for threads, not for whoever asks.
    is_on: bool,
    /// The jobs that the connection in hand has asked for.
    pending: Vec<(u16, u32, Job)>,
}

#[derive(Debug)]
struct Results {
    sender: Sender<Finished>,
    receiver: Receiver<Finished>,
    waker: Arc<EventFd>,
}

/// A pool of threads, which start when there is work for them.
#[derive(Debug)]
struct Pool {
    name: String,
    threads: usize,
    max_queue: usize,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Notified when there is work, or the pool is over.
    work: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Task>,
    /// Tasks that compute wait by themselves: they must not keep the others from the threads.
    computing: VecDeque<Task>,
    /// Threads that have been started, that wait for work, that work, and that compute.
    started: usize,
    idle: usize,
    busy: usize,
    busy_computing: usize,
    /// The two kinds of tasks take turns.
    was_computing: bool,
    is_over: bool,
}

impl Jobs {
    /// Without threads: whoever asks does the work, until `use_threads`.
    pub(crate) fn new(pools: &ThreadPools) -> Jobs {
        let pool = |name: &str, threads, max_queue| Pool {
            name: name.to_owned(),
            threads,
            max_queue,
            shared: Default::default(),
        };
        let mut made: Vec<Pool> =
            pools.all().iter().map(|conf| pool(&conf.name, conf.threads, conf.max_queue)).collect();
        let default = made.iter().position(|pool| pool.name == DEFAULT.0).unwrap_or(made.len());
        if default == made.len() {
            made.push(pool(DEFAULT.0, DEFAULT.1, DEFAULT.2));
        }
        Jobs { pools: made, default: default as u16, ..Jobs::default() }
    }

    /// Leaves jobs to threads, whose results come by `take_finished`.
    pub(crate) fn use_threads(&mut self) {
        self.is_on = true;
    }

    /// Whether jobs are for threads.
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Notes a job for pool `pool`; `None`: for the default one. `stream`: of HTTP/2.
    pub(crate) fn ask(&mut self, pool: Option<u16>, stream: u32, job: Job) {
        self.pending.push((pool.unwrap_or(self.default), stream, job));
    }

    /// Forgets the jobs that the connection in hand has asked for.
    pub(crate) fn drop_pending(&mut self) {
        self.pending.clear();
    }

    /// Hands over the jobs that connection `key` has just asked for. Returns the streams whose jobs are refused at
    /// once, as no result could come back.
    #[inline]
    pub(crate) fn submit(&mut self, key: u64, poller: &Poller) -> Vec<u32> {
        if self.pending.is_empty() { Vec::new() } else { self.submit_all(key, poller) }
    }

    fn submit_all(&mut self, key: u64, poller: &Poller) -> Vec<u32> {
        if self.results.is_none() {
            match Results::new(poller) {
                Ok(results) => self.results = Some(results),
                Err(error) => {
                    log::alert!("the threads of a pool can't be heard ({})", ErrnoText(&error));
                    return self.pending.drain(..).map(|(_, stream, _)| stream).collect();
                }
            }
        }
        let Some(results) = &self.results else { return Vec::new() };
        for (pool, stream, job) in self.pending.drain(..) {
            let is_taken = match self.pools.get(usize::from(pool)) {
                Some(pool) => pool.post(Task { key, stream, job }, results),
                None => false,
            };
            if !is_taken {
                results.send(Finished { key, stream, done: Done::Refused });
            }
        }
        Vec::new()
    }

    /// The results that are there.
    pub(crate) fn take_finished(&mut self) -> Vec<Finished> {
        let Some(results) = &self.results else { return Vec::new() };
        if let Err(error) = results.waker.drain() {
            log::alert!("read() from an eventfd failed ({})", ErrnoText(&error));
        }
        results.receiver.try_iter().collect()
    }
}

impl Results {
    fn new(poller: &Poller) -> io::Result<Results> {
        let waker = Arc::new(EventFd::new()?);
        poller.add(&*waker, Source::Jobs.key(), Interest::READ)?;
        let (sender, receiver) = channel();
        Ok(Results { sender, receiver, waker })
    }

    fn send(&self, finished: Finished) {
        // The receiver lives as long as `self`, and the loop looks at it when it is woken.
        let _ = self.sender.send(finished);
        let _ = self.waker.notify();
    }
}

impl Pool {
    /// Gives a task to the threads. False: too many wait, or there is no thread.
    fn post(&self, task: Task, results: &Results) -> bool {
        let mut queue = self.shared.lock();
        // A thread that has nothing to do takes one off the count, as in nginx, whether it has been started or not.
        let waiting = (queue.waiting.len() + queue.computing.len() + queue.busy) as i64 - self.threads as i64;
        if waiting >= self.max_queue as i64 {
            drop(queue);
            log::error!("thread pool \"{}\" queue overflow: {waiting} tasks waiting", self.name);
            return false;
        }
        if task.job.computes() {
            queue.computing.push_back(task)
        } else {
            queue.waiting.push_back(task)
        }
        if queue.ready() > queue.idle && queue.started < self.threads {
            match self.start(results) {
                Ok(()) => queue.started += 1,
                Err(error) if queue.started == 0 => {
                    (queue.waiting, queue.computing) = Default::default();
                    drop(queue);
                    log::alert!("a thread of pool \"{}\" can't be started ({})", self.name, ErrnoText(&error));
                    return false;
                }
                // The threads that there are do it.
                Err(_) => {}
            }
        }
        self.shared.work.notify_one();
        true
    }

    fn start(&self, results: &Results) -> io::Result<()> {
        let (shared, sender, waker) = (self.shared.clone(), results.sender.clone(), results.waker.clone());
        thread::Builder::new().name(format!("pool {}", self.name)).spawn(move || work(&shared, &sender, &waker))?;
        Ok(())
    }
}

/// The threads end when they have done what they do: a worker that exits does not wait for a disk.
impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.work.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Tasks that a thread may begin with now.
    fn ready(&self) -> usize {
        self.waiting.len() + self.computing.len().min(MOST_COMPUTING - self.busy_computing)
    }

    /// The next task, and whether it computes.
    fn next(&mut self) -> Option<(Task, bool)> {
        let may_compute = !self.computing.is_empty() && self.busy_computing < MOST_COMPUTING;
        let computes = may_compute && (self.waiting.is_empty() || !self.was_computing);
        let task = if computes { self.computing.pop_front()? } else { self.waiting.pop_front()? };
        (self.was_computing, self.busy) = (computes, self.busy + 1);
        self.busy_computing += usize::from(computes);
        Some((task, computes))
    }
}

/// Does a job. One that panics has failed as if there had been no thread for it.
fn run_guarded(job: Job) -> Done {
    panics::catch(|| job.run()).unwrap_or_else(|panic| {
        log::alert!("{panic}");
        Done::Refused
    })
}

/// The life of a thread.
fn work(shared: &Shared, results: &Sender<Finished>, waker: &EventFd) {
    memory::refill();
    let mut queue = shared.lock();
    while !queue.is_over {
        let Some((Task { key, stream, job }, computes)) = queue.next() else {
            queue.idle += 1;
            queue = shared.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
            continue;
        };
        if queue.ready() > 0 && queue.idle > 0 {
            shared.work.notify_one();
        }
        drop(queue);
        // Without its reserve the thread would end the process where memory is refused to it.
        if memory::is_exhausted() {
            memory::refill();
        }
        let done = if memory::is_exhausted() { Done::Refused } else { run_guarded(job) };
        if memory::is_short() {
            memory::refill();
        }
        let is_heard = results.send(Finished { key, stream, done }).is_ok() && waker.notify().is_ok();
        queue = shared.lock();
        queue.busy -= 1;
        queue.busy_computing -= usize::from(computes);
        if !is_heard {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
