//! A discrete-event simulation: connections arrive, processes wake, take turns on CPUs, serve and go to sleep.
//!
//! Simulated are wakeups, queues and their costs. Locks and cache lines that more CPUs fight for in the kernel are not:
//! a queue shared by many workers looks better here than it may be.

use std::collections::VecDeque;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp};

use super::agenda::Agenda;
use super::models::Rule;
use crate::results::Costs;

/// A second, µs.
pub(super) const SECOND: f64 = 1e6;

/// The parameters of a simulation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub rule: Rule,
    pub workers: usize,
    /// Threads in each worker; each serves a connection at a time.
    pub threads: usize,
    pub cpus: usize,
    pub costs: Costs,
    pub seed: u64,
}

/// The arrival of a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Arrival {
    /// Microseconds from the beginning.
    pub at: f64,
    pub heavy: bool,
}

/// `count` connections of independent clients, `rate` a second; the share `heavy` of them is heavy.
pub(super) fn poisson(rate: f64, heavy: f64, count: usize, seed: u64) -> impl Iterator<Item = Arrival> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Zero connections a second would never end.
    let gaps = Exp::new(rate.max(1.0) / 1e6).ok();
    let mut at = 0.0;
    (0..count).map(move |_| {
        at += gaps.map_or(0.0, |gaps| gaps.sample(&mut rng));
        Arrival { at, heavy: rng.random_bool(heavy) }
    })
}

/// The result of a simulation.
#[derive(Clone, Debug, Default)]
pub(super) struct SimulatedRun {
    /// In the order in which they were served.
    pub served: Vec<Served>,
    pub cpu_us_per_request: f64,
}

/// A connection that was served.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Served {
    /// The connection's number.
    pub id: usize,
    /// The time of the arrival, µs.
    pub at: f64,
    /// From the arrival to the end of service, µs.
    pub latency: f32,
    pub worker: u16,
    pub heavy: bool,
}

/// A worker that lost the accept mutex tries again after this (`accept_mutex_delay`).
const MUTEX_DELAY_US: f64 = 500_000.0;
/// How long a process keeps a CPU while others wait for it: the scheduler's base slice.
const TIME_SLICE_US: f64 = 3_000.0;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    /// The process has ended a step of its work.
    Step(usize),
    /// The worker that was notified has woken up and taken its connection.
    Taken,
    /// The process has slept long enough.
    Timer(usize, u64),
}

/// A connection with one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    pub id: usize,
    pub arrived: f64,
    pub heavy: bool,
    /// The cost beyond `Costs::serve`, µs.
    pub extra: f64,
}

#[derive(Clone, Debug, Default)]
struct Process {
    /// Connections for this process alone: passed to it, or hashed to its socket.
    queue: VecDeque<Connection>,
    awake: bool,
    /// True until the process has done something since it was woken.
    just_woken: bool,
    serving: Option<Connection>,
    sleeps: u64,
    /// When the process got its CPU.
    since: f64,
}

/// The processes of one machine.
pub(super) struct Simulator {
    setup: Setup,
    rng: ChaCha8Rng,
    now: f64,
    events: Agenda<Event>,
    processes: Vec<Process>,
    /// The processes that wait for each CPU; the first of them has it.
    cpus: Vec<VecDeque<usize>>,
    /// Connections that wait to be accepted.
    backlog: VecDeque<Connection>,
    /// A worker has been notified of a connection, and has not taken it.
    notified: bool,
    /// Connections that the dispatcher has accepted for any worker.
    shared_queue: VecDeque<Connection>,
    holder: Option<usize>,
    /// The order in which waiting workers are woken.
    order: VecDeque<usize>,
    since_rotation: Vec<u32>,
    next_worker: usize,
    busy_us: f64,
    run: SimulatedRun,
}

/// Runs until every connection has been served. The same setup and arrivals give the same outcome.
pub(super) fn simulate(setup: Setup, arrivals: impl IntoIterator<Item = Arrival>) -> SimulatedRun {
    let mut simulator = Simulator::new(setup, 0.0);
    let mut arrivals = arrivals.into_iter().enumerate().peekable();
    loop {
        let event = simulator.next_event();
        match arrivals.next_if(|(_, arrival)| arrival.at <= event) {
            Some((id, Arrival { at, heavy })) => {
                let extra = if heavy { setup.costs.heavy } else { 0.0 };
                simulator.arrive(Connection { id, arrived: at, heavy, extra });
            }
            None if event.is_infinite() => break,
            None => simulator.next(arrivals.peek().is_some()),
        }
    }
    simulator.run.cpu_us_per_request = simulator.busy_us / simulator.run.served.len().max(1) as f64;
    simulator.run
}

impl Simulator {
    /// An idle machine that has started at the time `now`.
    pub(super) fn new(setup: Setup, now: f64) -> Simulator {
        let servers = setup.workers * setup.threads;
        let mut simulator = Simulator {
            setup,
            rng: ChaCha8Rng::seed_from_u64(setup.seed),
            now,
            events: Agenda::new(),
            processes: vec![Process::default(); servers + usize::from(setup.rule.has_dispatcher())],
            cpus: vec![VecDeque::new(); setup.cpus.max(1)],
            backlog: VecDeque::new(),
            notified: false,
            shared_queue: VecDeque::new(),
            holder: Some(0),
            order: (0..servers).collect(),
            since_rotation: vec![0; servers],
            next_worker: 0,
            busy_us: 0.0,
            run: SimulatedRun::default(),
        };
        if setup.rule == Rule::Mutex {
            for worker in 1..setup.workers {
                let at = now + simulator.rng.random_range(0.0..MUTEX_DELAY_US);
                simulator.events.add(at, Event::Timer(worker, 0));
            }
        }
        simulator
    }

    /// The time of the next event; infinite when there is none.
    pub(super) fn next_event(&self) -> f64 {
        self.events.next_time()
    }

    /// The connections that were served since the last call.
    pub(super) fn take_served(&mut self) -> std::vec::Drain<'_, Served> {
        self.run.served.drain(..)
    }

    /// Handles the next event. `more`: connections are still to come.
    pub(super) fn next(&mut self, more: bool) {
        let Some((time, event)) = self.events.take() else { return };
        self.now = time;
        match event {
            Event::Step(process) => self.end_step(process),
            Event::Taken => {
                self.notified = false;
                self.wake(self.dispatcher());
            }
            Event::Timer(process, sleep) => {
                let p = &self.processes[process];
                if !p.awake && p.sleeps == sleep && (more || !self.backlog.is_empty()) {
                    self.wake(process);
                }
            }
        }
    }

    /// The index of the dispatcher: behind the last thread of the last worker.
    fn dispatcher(&self) -> usize {
        self.setup.workers * self.setup.threads
    }

    /// Takes a connection that arrives before the next event.
    pub(super) fn arrive(&mut self, connection: Connection) {
        self.now = connection.arrived;
        let picked = match self.setup.rule {
            Rule::Hash => Some(self.rng.random_range(0..self.setup.workers)),
            Rule::FewestConnections => Some(self.with_fewest_connections()),
            _ => None,
        };
        if let Some(worker) = picked {
            self.processes[worker].queue.push_back(connection);
            return self.wake(worker);
        }
        self.backlog.push_back(connection);
        match self.setup.rule {
            rule if rule.has_dispatcher() => self.wake(self.dispatcher()),
            Rule::Mutex => {
                if let Some(holder) = self.holder {
                    self.wake(holder);
                }
            }
            Rule::WakeAll => {
                // All workers race for the connection: the winner is chance.
                let mut all: Vec<usize> = (0..self.setup.workers).collect();
                all.shuffle(&mut self.rng);
                all.into_iter().for_each(|worker| self.wake(worker));
            }
            _ => self.wake_first(),
        }
    }

    /// The first of the workers with the fewest connections, from a random start on.
    fn with_fewest_connections(&mut self) -> usize {
        let workers = self.setup.workers;
        let start = self.rng.random_range(0..workers);
        let connections = |worker: &usize| {
            let p = &self.processes[*worker];
            p.queue.len() + usize::from(p.serving.is_some())
        };
        (start..start + workers).map(|n| n % workers).min_by_key(connections).unwrap_or(start)
    }

    fn wake_first(&mut self) {
        if let Some(worker) = self.order.iter().copied().find(|worker| !self.processes[*worker].awake) {
            self.wake(worker);
        }
    }

    fn wake(&mut self, process: usize) {
        let p = &mut self.processes[process];
        if p.awake {
            return;
        }
        (p.awake, p.just_woken) = (true, true);
        let cpu = process % self.cpus.len();
        self.cpus[cpu].push_back(process);
        if self.cpus[cpu].len() == 1 {
            self.run_on_cpu(process);
        }
    }

    /// Runs the process on its CPU from now on.
    fn run_on_cpu(&mut self, process: usize) {
        self.processes[process].since = self.now;
        self.step(process);
    }

    /// Lets the process take a connection, or find nothing.
    fn step(&mut self, process: usize) {
        let just_woken = std::mem::take(&mut self.processes[process].just_woken);
        let costs = self.setup.costs;
        let Some(connection) = self.next_connection(process) else {
            return self.work(process, if just_woken { costs.spurious } else { 0.0 });
        };
        let wake = if just_woken { costs.wake } else { 0.0 };
        let serve = if process == self.dispatcher() { costs.dispatch } else { costs.serve + connection.extra };
        self.processes[process].serving = Some(connection);
        self.work(process, wake + serve);
    }

    fn work(&mut self, process: usize, cost: f64) {
        self.busy_us += cost;
        self.events.add(self.now + cost, Event::Step(process));
    }

    /// The connection that the process takes now, by the rule of the model.
    fn next_connection(&mut self, process: usize) -> Option<Connection> {
        match self.setup.rule {
            Rule::Notify if process == self.dispatcher() => {
                if self.notified || self.backlog.is_empty() {
                    return None;
                }
                self.notified = true;
                self.backlog.pop_front()
            }
            Rule::Notify => {
                let connection = self.processes[process].queue.pop_front()?;
                self.events.add(self.now + self.setup.costs.wake, Event::Taken);
                Some(connection)
            }
            Rule::RoundRobin | Rule::SharedQueue if process == self.dispatcher() => self.backlog.pop_front(),
            Rule::Hash | Rule::FewestConnections | Rule::RoundRobin => self.processes[process].queue.pop_front(),
            Rule::SharedQueue => self.shared_queue.pop_front(),
            Rule::Mutex => {
                let holder = *self.holder.get_or_insert(process);
                if holder != process || self.backlog.is_empty() {
                    return None;
                }
                // The mutex is released before the request is handled.
                self.holder = None;
                self.backlog.pop_front()
            }
            Rule::WakeFirst { rotate } => {
                let connection = self.backlog.pop_front()?;
                self.since_rotation[process] += 1;
                if rotate > 0 && self.since_rotation[process] >= rotate {
                    self.since_rotation[process] = 0;
                    self.move_to_the_end(process);
                }
                Some(connection)
            }
            Rule::WakeAll => self.backlog.pop_front(),
        }
    }

    fn move_to_the_end(&mut self, worker: usize) {
        self.order.retain(|other| *other != worker);
        self.order.push_back(worker);
    }

    fn end_step(&mut self, process: usize) {
        match self.processes[process].serving.take() {
            Some(connection) if process == self.dispatcher() => self.dispatch(connection),
            Some(Connection { id, arrived, heavy, .. }) => self.run.served.push(Served {
                id,
                at: arrived,
                latency: (self.now - arrived) as f32,
                worker: (process / self.setup.threads) as u16,
                heavy,
            }),
            None => return self.sleep(process),
        }
        let cpu = process % self.cpus.len();
        if self.cpus[cpu].len() > 1 && self.now - self.processes[process].since > TIME_SLICE_US {
            self.cpus[cpu].rotate_left(1);
            self.give_cpu(cpu);
        } else {
            self.step(process);
        }
    }

    fn dispatch(&mut self, connection: Connection) {
        if self.setup.rule == Rule::SharedQueue {
            self.shared_queue.push_back(connection);
            return self.wake_first();
        }
        let worker = self.next_worker % self.setup.workers;
        self.next_worker += 1;
        self.processes[worker].queue.push_back(connection);
        self.wake(worker);
    }

    fn sleep(&mut self, process: usize) {
        let cpu = process % self.cpus.len();
        self.cpus[cpu].pop_front();
        let p = &mut self.processes[process];
        p.awake = false;
        p.sleeps += 1;
        let sleeps = p.sleeps;
        if self.setup.rule == Rule::SharedQueue && process != self.dispatcher() {
            self.move_to_the_end(process);
        }
        if self.setup.rule == Rule::Mutex && self.holder != Some(process) {
            self.events.add(self.now + MUTEX_DELAY_US, Event::Timer(process, sleeps));
        }
        self.give_cpu(cpu);
        // A connection that came while the process went to sleep wakes it again: readiness is a level, not an edge.
        if self.has_more_work(process) {
            self.wake(process);
        }
    }

    fn has_more_work(&self, process: usize) -> bool {
        match self.setup.rule {
            Rule::Notify if process == self.dispatcher() => !self.notified && !self.backlog.is_empty(),
            Rule::RoundRobin | Rule::SharedQueue if process == self.dispatcher() => !self.backlog.is_empty(),
            Rule::Hash | Rule::FewestConnections | Rule::RoundRobin | Rule::Notify => {
                !self.processes[process].queue.is_empty()
            }
            Rule::SharedQueue => !self.shared_queue.is_empty(),
            Rule::Mutex => self.holder == Some(process) && !self.backlog.is_empty(),
            _ => !self.backlog.is_empty(),
        }
    }

    fn give_cpu(&mut self, cpu: usize) {
        if let Some(next) = self.cpus[cpu].front().copied() {
            self.run_on_cpu(next);
        }
    }
}

#[cfg(test)]
mod tests;
