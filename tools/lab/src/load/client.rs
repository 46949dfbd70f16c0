//! The lab's own client: one thread, all connections of the plan, times that count from the planned send.
//!
//! A client that waits for an answer before it plans the next request leaves out the very requests that would have
//! waited (coordinated omission). Here the plan is fixed: a late send adds to the latency, and is reported by itself as
//! well.

mod connection;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use self::connection::{Connection, Progress};
use super::outcome::{Ending, Outcome, Run};
use super::plan::{ConnectionChoice, Plan, PlannedRequest};
use crate::{interrupt, process};

/// The epoll key of the timer; connections have their index as key.
const TIMER: u64 = u64::MAX;
/// The pause of a slow client between two reads.
const SLOW_GAP: Duration = Duration::from_millis(10);

/// Sends the requests of a plan.
pub(crate) struct Client<'a> {
    plan: &'a Plan,
    server: SocketAddr,
    texts: Vec<[Vec<u8>; 2]>,
    epoll: Epoll,
    timer: TimerFd,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// Connections in the order of their deadlines: deadline, index, generation.
    deadlines: VecDeque<(Instant, usize, u64)>,
    /// Connections that are answered and stay open until a time: time, index, generation.
    kept_open: VecDeque<(Instant, usize, u64)>,
    /// The connections opened before the load that have been closed since, and when.
    gone: BTreeMap<usize, Duration>,
    slow: Vec<(usize, u64)>,
    slow_due: Option<Instant>,
    generation: u64,
    in_flight: usize,
    start: Instant,
    timeout: Duration,
    buffer: Vec<u8>,
    answered: Answered,
    run: Run,
}

/// A client in a closed loop, seen from another thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Answered(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    requests: AtomicU64,
    stopped: AtomicBool,
}

impl Answered {
    /// How many requests have been answered.
    pub(super) fn so_far(&self) -> u64 {
        self.0.requests.load(Ordering::Relaxed)
    }

    /// The present moment, for `Run::since`: how many requests have been answered, and when that was.
    pub(super) fn count_from_now(&self) -> (usize, Instant) {
        (self.so_far() as usize, Instant::now())
    }

    /// Lets each connection end its present request, and send no other.
    pub(super) fn stop(&self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}

impl<'a> Client<'a> {
    /// Opens the idle connections of the plan. A request without an answer after `timeout` is lost.
    pub(crate) fn new(plan: &'a Plan, server: SocketAddr, timeout: Duration) -> Result<Client<'a>> {
        let request = |path: &str, keep: bool| {
            let connection = if keep { "keep-alive" } else { "close" };
            format!("GET {path} HTTP/1.1\r\nHost: lab\r\nConnection: {connection}\r\n\r\n").into_bytes()
        };
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, TIMER))?;
        let mut client = Client {
            plan,
            server,
            texts: plan.paths.iter().map(|path| [request(path, false), request(path, true)]).collect(),
            epoll,
            timer,
            connections: Vec::new(),
            free: Vec::new(),
            deadlines: VecDeque::new(),
            kept_open: VecDeque::new(),
            gone: BTreeMap::new(),
            slow: Vec::new(),
            slow_due: None,
            generation: 0,
            in_flight: 0,
            start: Instant::now(),
            timeout,
            buffer: vec![0; 64 * 1024],
            answered: Answered::default(),
            run: Run::default(),
        };
        client.open_idle()?;
        Ok(client)
    }

    /// Connects one by one and asks each connection for a page, so that a worker has accepted it before the load
    /// begins.
    fn open_idle(&mut self) -> Result<()> {
        for n in 0..self.plan.idle {
            let connection = Connection::open_established(self.server, &self.texts[0][1], self.timeout)
                .with_context(|| format!("opening idle connection {n} of {}", self.plan.idle))?;
            self.add(connection)?;
            if n % 64 == 0 {
                interrupt::check()?;
            }
        }
        Ok(())
    }

    fn add(&mut self, connection: Connection) -> Result<usize> {
        let index = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
        self.epoll.add(&connection.stream, EpollEvent::new(flags, index as u64)).context("epoll_ctl")?;
        self.connections[index] = Some(connection);
        Ok(index)
    }

    /// Sends all requests, and waits for the last answer or its timeout.
    pub(crate) fn go(mut self) -> Result<Run> {
        let cpu = thread_cpu();
        self.start = Instant::now();
        let (mut next, mut ended) = (0, None);
        let mut events = vec![EpollEvent::empty(); 256];
        loop {
            let now = Instant::now();
            while let Some(request) = self.plan.requests.get(next).filter(|request| self.start + request.at <= now) {
                self.start_request(next, request, self.start + request.at)?;
                next += 1;
            }
            self.expire(Instant::now())?;
            if next == self.plan.requests.len() && self.in_flight == self.slow.len() {
                ended.get_or_insert_with(|| (thread_cpu(), self.start.elapsed()));
            }
            if next == self.plan.requests.len() && self.in_flight == 0 {
                break;
            }
            self.arm(next)?;
            let n = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
                Ok(n) => n,
                Err(Errno::EINTR) => 0,
                Err(error) => bail!("epoll_wait: {error}"),
            };
            interrupt::check()?;
            for event in &events[..n] {
                if event.data() == TIMER {
                    self.timer.wait().ok();
                } else {
                    self.progress(event.data() as usize)?;
                }
            }
        }
        let (cpu_then, elapsed) = ended.unwrap_or_else(|| (thread_cpu(), self.start.elapsed()));
        (self.run.cpu, self.run.elapsed) = (cpu_then.saturating_sub(cpu), elapsed);
        self.run.idle = self.plan.idle as u64;
        (self.run.gone, self.run.ended) = (self.gone, Some(Instant::now()));
        Ok(self.run)
    }

    /// Restricts the calling thread to `cpus` (empty: no restriction), then runs the plan as `go` does.
    pub(crate) fn go_on(self, cpus: &[usize]) -> Result<Run> {
        if !cpus.is_empty() {
            process::pin(cpus)?;
        }
        self.go()
    }

    /// Runs the plan on a thread of its own on `cpus`, as `go_on` does.
    pub(super) fn go_beside(self, cpus: &[usize]) -> Result<Run> {
        std::thread::scope(|scope| join(scope.spawn(|| self.go_on(cpus))))
    }

    /// The view of another thread on this client.
    pub(super) fn answered(&self) -> Answered {
        self.answered.clone()
    }

    /// Opens or picks the connection of a request, and begins to send.
    fn start_request(&mut self, number: usize, request: &PlannedRequest, planned: Instant) -> Result<()> {
        let index = match request.connection {
            ConnectionChoice::Held(index) if self.gone.contains_key(&index) => {
                self.run.late.push(planned.elapsed());
                self.fail_to_connect(number, request, planned, Ending::Closed);
                return Ok(());
            }
            ConnectionChoice::Held(index) => index,
            // The server may have closed the idle connection: the client opens another.
            ConnectionChoice::Idle(index)
                if self.connections.get(index).is_some_and(|c| c.as_ref().is_some_and(|c| c.is_idle())) =>
            {
                index
            }
            ConnectionChoice::Idle(_) | ConnectionChoice::New => match Connection::open(self.server) {
                Ok(connection) => {
                    self.run.opened += 1;
                    self.add(connection)?
                }
                Err(error) if let Some(why) = shortage(&error) => bail!("the client {why}"),
                Err(error) => {
                    self.run.late.push(planned.elapsed());
                    self.fail_to_connect(number, request, planned, Ending::from_error(&error));
                    return Ok(());
                }
            },
        };
        self.run.late.push(planned.elapsed());
        self.generation += 1;
        let generation = self.generation;
        if let Some(connection) = &mut self.connections[index] {
            connection.begin(number, *request, planned, generation);
        }
        self.in_flight += 1;
        self.deadlines.push_back((planned + self.timeout, index, generation));
        self.progress(index)
    }

    /// Reads and writes on a connection until it would block, ends, or has to pause.
    fn progress(&mut self, index: usize) -> Result<()> {
        let Some(Some(connection)) = self.connections.get_mut(index) else { return Ok(()) };
        let Some(request) = connection.request() else {
            if connection.is_closed_by_peer() {
                self.close(index);
            }
            return Ok(());
        };
        let request = &self.texts[request.path][usize::from(!request.keep_open.is_zero())];
        match connection.progress(request, &mut self.buffer) {
            Progress::Waits => Ok(()),
            Progress::ReadsSlowly => {
                let generation = connection.generation;
                if !self.slow.contains(&(index, generation)) {
                    self.slow.push((index, generation));
                }
                self.slow_due.get_or_insert_with(|| Instant::now() + SLOW_GAP);
                Ok(())
            }
            Progress::Ends(ending) => self.finish(index, ending),
        }
    }

    fn finish(&mut self, index: usize, ending: Ending) -> Result<()> {
        let Some(Some(connection)) = self.connections.get_mut(index) else { return Ok(()) };
        let Some(outcome) = connection.end(ending, self.start) else { return Ok(()) };
        let keep_open = connection.keep_open;
        let (generation, connection_ends) = (connection.generation, connection.ends);
        self.in_flight -= 1;
        let number = outcome.request;
        self.run.outcomes.push(outcome);
        self.answered.0.requests.fetch_add(1, Ordering::Relaxed);
        if ending != Ending::Answered || keep_open.is_zero() || connection_ends {
            self.close(index);
        } else if keep_open != Duration::MAX {
            self.kept_open.push_back((Instant::now() + keep_open, index, generation));
        }
        let stopped = self.answered.0.stopped.load(Ordering::Relaxed);
        match self.plan.closed {
            Some((_, until)) if !stopped && self.start.elapsed() < until => self.send_next(number, index),
            _ => Ok(()),
        }
    }

    /// Begins the next request of a closed loop, on the same connection if that is still open.
    fn send_next(&mut self, number: usize, index: usize) -> Result<()> {
        let mut request = self.plan.requests[number];
        if self.connections.get(index).is_some_and(Option::is_some) {
            request.connection = ConnectionChoice::Idle(index);
        }
        self.start_request(number, &request, Instant::now())
    }

    fn fail_to_connect(&mut self, number: usize, planned: &PlannedRequest, at: Instant, ending: Ending) {
        let planned_at = at.saturating_duration_since(self.start);
        self.run.outcomes.push(Outcome {
            request: number,
            planned: planned_at,
            first_byte: None,
            ending,
            counts: planned.counts,
        });
    }

    fn close(&mut self, index: usize) {
        if index < self.plan.idle {
            self.gone.entry(index).or_insert_with(|| self.start.elapsed());
        }
        if let Some(connection) = self.connections.get_mut(index).and_then(Option::take) {
            self.epoll.delete(&connection.stream).ok();
            self.free.push(index);
        }
    }

    /// Handles passed deadlines: lost requests, connections that were to stay open until now, reads of slow clients.
    fn expire(&mut self, now: Instant) -> Result<()> {
        while let Some((at, index, generation)) = self.deadlines.front().copied() {
            let current = self.is_current(index, generation);
            if current && at > now {
                break;
            }
            self.deadlines.pop_front();
            if current {
                self.finish(index, Ending::TimedOut)?;
            }
        }
        while let Some((_, index, generation)) = self.kept_open.front().copied().filter(|(at, ..)| *at <= now) {
            self.kept_open.pop_front();
            if self.connections[index].as_ref().is_some_and(|c| c.generation == generation && c.is_idle()) {
                self.close(index);
            }
        }
        if self.slow_due.is_some_and(|at| at <= now) {
            self.slow_due = None;
            for (index, generation) in std::mem::take(&mut self.slow) {
                if let Some(Some(connection)) = self.connections.get_mut(index)
                    && connection.generation == generation
                {
                    connection.refill_allowance();
                    self.progress(index)?;
                }
            }
        }
        Ok(())
    }

    fn is_current(&self, index: usize, generation: u64) -> bool {
        self.connections[index].as_ref().is_some_and(|c| c.generation == generation && c.request().is_some())
    }

    /// Sets the timer to the earliest of: the next planned send, the next deadline, the next close, the next slow read.
    fn arm(&mut self, next: usize) -> Result<()> {
        let request = self.plan.requests.get(next).map(|request| self.start + request.at);
        let deadline = self.deadlines.front().map(|(at, ..)| *at);
        let kept_open = self.kept_open.front().map(|(at, ..)| *at);
        let Some(due) = [request, deadline, kept_open, self.slow_due].into_iter().flatten().min() else {
            return Ok(());
        };
        // A duration of zero would disarm the timer.
        let wait = due.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        self.timer.set(Expiration::OneShot(TimeSpec::from_duration(wait)), TimerSetTimeFlags::empty())?;
        Ok(())
    }
}

/// Runs `plan` on a thread of its own on `cpus`. Meanwhile calls `meanwhile` on this thread, with the moment at which
/// the client began. Errors: the client fails, or never begins.
pub(crate) fn run_beside<T>(
    plan: &Plan,
    server: SocketAddr,
    timeout: Duration,
    cpus: &[usize],
    meanwhile: impl FnOnce(Instant) -> T,
) -> Result<(Run, T)> {
    std::thread::scope(|scope| {
        let (ready, begins) = std::sync::mpsc::channel();
        let client = scope.spawn(move || {
            let client = Client::new(plan, server, timeout)?;
            ready.send(Instant::now()).ok();
            client.go_on(cpus)
        });
        let result = begins.recv().ok().map(meanwhile);
        let run = join(client)?;
        Ok((run, result.context("the client never began")?))
    })
}

/// Waits for the thread of a client.
pub(super) fn join(client: ScopedJoinHandle<'_, Result<Run>>) -> Result<Run> {
    client.join().unwrap_or_else(|_| bail!("the client panicked"))
}

/// Why the client can't connect, when it lacks a resource of its own: that is no fault of the server.
fn shortage(error: &std::io::Error) -> Option<&'static str> {
    match Errno::from_raw(error.raw_os_error()?) {
        Errno::EMFILE => Some("has no descriptors left: raise the limit (ulimit -n), or ask for fewer connections"),
        Errno::ENFILE => Some("gets no descriptors: the machine has none left (fs.file-max)"),
        Errno::EADDRNOTAVAIL => {
            Some("has no ports left: wait a minute for those in TIME_WAIT, or widen net.ipv4.ip_local_port_range")
        }
        _ => None,
    }
}

/// CPU time of the calling thread.
fn thread_cpu() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

#[cfg(test)]
mod tests;
