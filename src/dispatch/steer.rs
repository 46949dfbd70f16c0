//! `steer`: every worker has a listening socket of its own, and a program in the kernel (eBPF) gives each connection to
//! the worker with the fewest. In the field: Alibaba's Hermes (SIGCOMM 2025), for proxies; no web server's conf has it.
//!
//! - `plan`: `worker_processes` workers, no dispatcher.
//! - `life`: the event loop, with the hooks `Steered`; a lone worker always listens.
//! - The loop: a worker's own sockets stay in its epoll set. Each turn publishes connections, room and a sign of life:
//!   stores in shared memory, no system call (`shm::Load`); the program is in `os/bpf/least_loaded.rs`.
//! - `child_died`: the worker's load is cleared; its sockets stay with the master, and its successor goes on with them.
//!
//! The master makes the sockets and keeps them by number over reloads, as under `reuseport`. A worker that gives no
//! sign of life for `steer_lease` gets nothing new. What waits in its sockets then is moved by the master: a socket
//! that stops listening hands its queue, handshakes included, on to the sockets that the program chooses. When the
//! worker goes on, its sockets listen again.
//!
//! ```text
//! the sockets  event                                              where               next
//! listen       the worker is silent, connections wait in its      care (move)  stopped
//!              sockets, and another worker is not silent
//! stopped      the worker gives a sign of life                    care (back)  listen
//! stopped      a reload, an upgrade                               settle       listen
//! listen       the next generation has fewer workers              master::bound       stopped, then closed
//! ```
//!
//! Unix sockets, which have no SO_REUSEPORT that spreads connections, are shared, as under `exclusive`; sockets for
//! Multipath TCP, which can't be in an array of sockets, are as under `reuseport`.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::exclusive::Rotating;
use super::model::{
    Always, Hooks, Life, Loop, Model, ModelKind, Param, Places, Seat, Setup, SocketGroup, Sockets, Takes, Wait, workers,
};
use super::sockets::{Rotation, log_epoll_failure};
use crate::conf::{Contexts, Setting};
use crate::event::{Ready, earlier};
use crate::log;
use crate::os::time::coarse_ns;
use crate::os::{EventFd, Failure, LeastLoaded, Listener, Refusal, SharedArray, SocketArray, Steer, WorkerLoad};
use crate::shm::{Load, Room};

pub(super) static KIND: ModelKind = ModelKind {
    name: "steer",
    params: &[FALLBACK],
    about: "Every worker has a listening socket of its own for each address (SO_REUSEPORT), and a program in the \
            kernel (eBPF) gives each connection to the worker that has the fewest, those on their way included. A \
            worker that is stopped, hung (`steer_lease`) or over 7/8 of its connections gets nothing new, and what \
            waits for a stopped one is moved to the others. Takes CAP_BPF, which root has; where the kernel or a \
            container refuses, the start fails, or with `fallback=reuseport` goes on as `reuseport`. Linux 5.14 or \
            later. Unix sockets are shared; Multipath TCP is spread by a hash.",
    places: Places::OfWorker,
    make,
};

/// The words of `fallback`, by their values.
const FALLBACKS: &[&str] = &["none", "reuseport"];
const FALLBACK: Param = Param { name: "fallback", takes: Takes::Word(FALLBACKS), default: 0 };

/// `steer_lease`.
pub(super) static STEER_LEASE: Setting<u64> = Setting::one("steer_lease", |a| match a.time_ms(0)? {
    // Below, a worker that only waits for its turn on a CPU would be taken for dead.
    ms @ 20..=60_000 => Ok(ms),
    _ => Err(a.bad(0, "\"steer_lease\" must be between 20ms and 60s")),
})
.contexts(Contexts::EVENTS)
.args(1, 1)
.syntax("TIME")
.default("200ms")
.about(
    "Under `dispatch steer`: a worker that has given no sign of life for this long (stopped, hung in a disk read) gets \
     no new connections, and those that wait for it are moved to the others. An idle worker wakes four times in this \
     time to give one.",
);

const NS_PER_MS: u64 = 1_000_000;

struct LeastConnections {
    lease_ms: u64,
    loads: Arc<SharedArray<WorkerLoad>>,
    workers_waker: Arc<EventFd>,
    /// The master's own notes; nobody else locks it.
    seats: Mutex<Vec<SeatCare>>,
}

/// A worker as the master's care knows it.
#[derive(Clone, Copy, Debug, Default)]
struct SeatCare {
    /// When the last process on the seat died, ns of the monotonic clock; 0: none has.
    died_ns: u64,
    /// The sockets are stopped.
    is_moved: bool,
}

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    // With a lone worker there is nothing to choose, and no capability is needed.
    if setup.workers < 2 {
        return Ok(Arc::new(Lone));
    }
    let lease_ms = *setup.events.get(&STEER_LEASE);
    match LeastConnections::new(setup.workers, lease_ms) {
        Ok(model) => Ok(Arc::new(model)),
        Err(refusal) if setup.param(&FALLBACK) == 1 => {
            log::notice!("\"dispatch steer\" goes on as \"dispatch reuseport\": {}", refusal.failure);
            super::reuseport::make_instead(setup, format!("as {} was refused: {}", KIND.name, refusal.failure))
        }
        Err(refusal) => {
            refusal.log.iter().for_each(|line| log::error!("the kernel's verifier: {line}"));
            Err(io::Error::other(advise(refusal.failure)))
        }
    }
}

/// Adds which capability is missing, as far as the error tells.
fn advise(failure: Failure) -> Failure {
    let or = "or say \"dispatch steer fallback=reuseport\"";
    let advice = match failure.error.raw_os_error() {
        Some(libc::EPERM) => format!(
            "\"dispatch steer\" takes CAP_BPF: root has it, but not in a user namespace, and a container or a unit of \
             systemd must be allowed bpf(2); give it, {or}"
        ),
        Some(libc::EACCES) => format!(
            "the kernel does not trust the program of \"dispatch steer\" with CAP_BPF alone, add CAP_PERFMON, {or}"
        ),
        Some(libc::ENOSYS | libc::EINVAL) => {
            format!("\"dispatch steer\" takes CAP_BPF and Linux 5.14 or later with CONFIG_BPF_SYSCALL, {or}")
        }
        _ => format!("\"dispatch steer\" can't begin, try again, {or}"),
    };
    failure.with_advice(advice)
}

impl LeastConnections {
    /// Makes the shared memory, and tries whether the kernel takes the program.
    fn new(workers: u32, lease_ms: u64) -> Result<LeastConnections, Refusal> {
        let loads = Arc::new(SharedArray::create("drover_loads", workers)?);
        LeastLoaded::load(&loads, &SocketArray::create(workers)?, lease_ms * NS_PER_MS)?;
        let waker = EventFd::new().map_err(|e| Failure::new("eventfd()", e))?;
        // Until a lease has passed nobody is taken for silent.
        loads.iter().for_each(|words| Load::of(words).beat());
        let seats = Mutex::new(vec![SeatCare::default(); workers as usize]);
        Ok(LeastConnections { lease_ms, loads, workers_waker: Arc::new(waker), seats })
    }

    fn load(&self, seat: usize) -> Option<Load<'_>> {
        self.loads.get(seat).map(Load::of)
    }

    fn is_silent(&self, number: usize, seat: SeatCare, now_ns: u64) -> bool {
        let beat_ns = self.load(number).map_or(0, |load| load.last_beat_ns());
        // A successor has a lease's time to begin.
        now_ns.saturating_sub(beat_ns.max(seat.died_ns)) > self.lease_ms * NS_PER_MS
    }

    /// Has the sockets of a worker stop. Those of other programs' sockets that must not stop go on.
    fn move_queues(&self, number: usize, groups: &[SocketGroup<'_>]) {
        if let Some(load) = self.load(number) {
            load.set_moved(true);
        }
        log::warn!("worker {number} gives no sign of life: the connections that wait for it are moved to others");
        for group in groups.iter().filter(|group| group.may_stop) {
            if let Some(Err(error)) = group.listeners.get(number).map(|listener| listener.stop()) {
                log::alert!("{}", Failure::new(format!("shutdown() of a socket for {}", group.addr), error));
            }
        }
    }

    /// Has the sockets of a worker listen again. Returns whether all do.
    fn bring_back(&self, number: usize, groups: &[SocketGroup<'_>]) -> bool {
        for group in groups {
            if let Some(listener) = group.listeners.get(number).filter(|listener| !listener.is_listening()) {
                let listens = listener.set_backlog(group.backlog);
                if let Err(error) = listens.and_then(|()| group.array.put(number as u32, listener)) {
                    log::alert!("{}", Failure::new(format!("listen() to {} again", group.addr), error));
                    return false;
                }
            }
        }
        if let Some(load) = self.load(number) {
            load.set_moved(false);
        }
        log::notice!("worker {number} listens again");
        true
    }
}

/// Puts a socket into the array. A socket that a service manager has passed may be in the array of a service that was
/// killed: the program that the socket has still keeps that array, until a while after it was replaced (18 ms).
fn put(array: &SocketArray, number: u32, listener: &Listener) -> io::Result<()> {
    for attempt in 0..PATIENCE {
        match array.put(number, listener) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                if attempt == 0 {
                    listener.steer(&Steer::ByHash)?;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            done => return done,
        }
    }
    array.put(number, listener)
}

/// How many pauses of 5 ms the master makes for an array that is about to go.
const PATIENCE: u32 = 100;

/// Whether connections wait in the sockets of a worker that may stop.
fn wait_for(number: usize, groups: &[SocketGroup<'_>]) -> bool {
    let listeners =
        groups.iter().filter(|group| group.may_stop).filter_map(|group| group.listeners.get(number).copied());
    listeners.into_iter().any(|listener| listener.queue_length().is_ok_and(|waiting| waiting > 0))
}

impl Model for LeastConnections {
    fn plan(&self) -> Vec<Seat> {
        workers(self.loads.len() as u32)
    }

    fn life(&self, seat: Seat) -> Life {
        Life::Loop(Box::new(Steered {
            inner: Rotating::new(Rotation::EVERY, self.workers_waker.clone()),
            loads: self.loads.clone(),
            number: seat.number as usize,
            beat_ms: (self.lease_ms / 4).max(1),
            picked_before: 0,
            is_heard: true,
            is_leaving: false,
        }))
    }

    fn sockets(&self) -> Sockets {
        Sockets::Steered
    }

    fn steer(&self, group: &SocketGroup<'_>) -> Result<(), Failure> {
        let failed = |what: &str| {
            let what = format!("{what} for {}", group.addr);
            move |error| Failure::new(what, error)
        };
        let Some(first) = group.listeners.first() else { return Ok(()) };
        let program = LeastLoaded::load(&self.loads, group.array, self.lease_ms * NS_PER_MS);
        let program = program.map_err(|refusal| refusal.failure)?;
        for (number, listener) in (0..).zip(&group.listeners) {
            put(group.array, number, listener).map_err(failed("storing a socket in a BPF map"))?;
        }
        program.attach(first).map_err(failed("setsockopt(SO_ATTACH_REUSEPORT_EBPF)"))
    }

    fn care(&self, groups: &[SocketGroup<'_>]) -> Option<Duration> {
        let now_ns = coarse_ns();
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let silent: Vec<bool> = (0..).zip(&*seats).map(|(n, seat)| self.is_silent(n, *seat, now_ns)).collect();
        // First of all, so that no socket stops before another one listens that can take its queue.
        for (number, seat) in seats.iter_mut().enumerate().filter(|(_, seat)| seat.is_moved) {
            seat.is_moved = silent[number] || !self.bring_back(number, groups);
        }
        // When all are silent it is the machine that is busy, and nobody would be the better for it.
        let is_anybody_there = seats.iter().zip(&silent).any(|(seat, is_silent)| !seat.is_moved && !is_silent);
        for (number, seat) in seats.iter_mut().enumerate().filter(|(_, seat)| !seat.is_moved) {
            if silent[number] && is_anybody_there && wait_for(number, groups) {
                seat.is_moved = true;
                self.move_queues(number, groups);
            }
        }
        let part = if seats.iter().any(|seat| seat.is_moved) { 8 } else { 2 };
        Some(Duration::from_millis((self.lease_ms / part).max(1)))
    }

    fn settle(&self, groups: &[SocketGroup<'_>]) {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, seat) in seats.iter_mut().enumerate().filter(|(_, seat)| seat.is_moved) {
            seat.is_moved = !self.bring_back(number, groups);
        }
    }

    fn child_died(&self, seat: Seat, _pid: u32) {
        let number = seat.number as usize;
        if let Some(load) = self.load(number) {
            load.clear();
        }
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seat) = seats.get_mut(number) {
            seat.died_ns = coarse_ns();
        }
    }
}

/// The model with a single worker.
struct Lone;

impl Model for Lone {
    fn plan(&self) -> Vec<Seat> {
        workers(1)
    }

    fn life(&self, _seat: Seat) -> Life {
        Life::Loop(Box::new(Always { is_lone: true }))
    }
}

/// Listens to the worker's own sockets, shares the others as `exclusive` does, and publishes the worker's load.
struct Steered {
    inner: Rotating,
    loads: Arc<SharedArray<WorkerLoad>>,
    number: usize,
    /// The longest time without a sign of life.
    beat_ms: u64,
    /// The number of connections picked for the worker before its last wait.
    picked_before: u64,
    /// A listening socket has been heard since then.
    is_heard: bool,
    is_leaving: bool,
}

impl Steered {
    fn load(&self) -> Option<Load<'_>> {
        self.loads.get(self.number).map(Load::of)
    }
}

impl Hooks for Steered {
    fn before_wait(&mut self, state: &mut Loop) -> Wait {
        if self.is_leaving {
            return self.inner.before_wait(state);
        }
        let Some(load) = self.loads.get(self.number).map(Load::of) else { return self.inner.before_wait(state) };
        if !self.is_heard {
            load.forget(self.picked_before);
        }
        let wait = match load.is_moved() {
            true => {
                log_epoll_failure(state.listening.disarm_all(&state.poller));
                Wait::default()
            }
            false => self.inner.before_wait(state),
        };
        let room = match () {
            () if !state.listening.is_armed() => Room::None,
            () if state.is_over_limit() => Room::Little,
            () => Room::Free,
        };
        load.publish(state.driver.live() as u64, room);
        load.beat();
        (self.picked_before, self.is_heard) = (load.picked(), false);
        state.is_heard_between = true;
        Wait { at_most_ms: earlier(wait.at_most_ms, Some(self.beat_ms)), ..wait }
    }

    fn between_events(&mut self) {
        if let Some(load) = self.load().filter(|_| !self.is_leaving) {
            load.beat();
        }
    }

    fn own_event(&mut self, state: &mut Loop, n: u32, ready: Ready) {
        self.inner.own_event(state, n, ready);
    }

    fn before_accepts(&mut self, state: &mut Loop) -> bool {
        self.is_heard = true;
        self.inner.before_accepts(state)
    }

    fn accepted(&mut self, state: &mut Loop, n: u32, count: u64) {
        if let Some(load) = self.load().filter(|_| state.listening.is_own(n)) {
            load.accept(count, state.driver.live() as u64);
        }
        self.inner.accepted(state, n, count);
    }

    fn stop_listening(&mut self, state: &mut Loop) {
        if let Some(load) = self.load() {
            load.publish(state.driver.live() as u64, Room::None);
        }
        self.inner.stop_listening(state);
    }

    fn declined(&mut self, state: &mut Loop) {
        self.inner.declined(state);
    }

    fn leave(&mut self, state: &mut Loop) {
        self.is_leaving = true;
        if let Some(load) = self.load() {
            load.clear();
            load.publish(0, Room::None);
        }
        self.inner.leave(state);
    }
}

#[cfg(test)]
mod tests;
