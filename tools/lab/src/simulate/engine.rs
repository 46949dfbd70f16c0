//! A discrete-event simulation: connections arrive, processes wake, take turns on CPUs, serve and go to sleep.
//!
//! What is simulated is who is woken, who waits for whom, and what that costs. What is not: locks and cache lines in the kernel
//! that more CPUs fight for, so that a queue shared by many looks better here than it may be.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp};

use super::models::Rule;

/// CPU time of the steps, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Costs {
    /// Accept, receive, send, close.
    pub serve: f64,
    /// Going to sleep and being woken.
    pub wake: f64,
    /// Being woken for nothing.
    pub spurious: f64,
    /// What the model adds to each connection: handing on, passing a descriptor, forking.
    pub extra: f64,
}

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub rule: Rule,
    pub workers: usize,
    pub cpus: usize,
    pub costs: Costs,
    /// Connections a second.
    pub rate: f64,
    /// Share of connections that cost `heavy_factor` times as much to serve.
    pub heavy: f64,
    pub heavy_factor: f64,
    pub connections: usize,
    pub seed: u64,
}

/// What came out.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// From arrival to the end of service, µs, sorted.
    pub latencies: Vec<f64>,
    pub cpu_us_per_request: f64,
    /// Connections of each worker.
    pub accepts: Vec<u64>,
}

impl Outcome {
    pub fn quantile(&self, q: f64) -> f64 {
        let at = ((self.latencies.len() as f64 * q).ceil() as usize).clamp(1, self.latencies.len().max(1)) - 1;
        self.latencies.get(at).copied().unwrap_or(f64::NAN)
    }
}

/// A worker that lost the accept mutex looks again after this (`accept_mutex_delay`), µs.
const MUTEX_DELAY: f64 = 500_000.0;
/// How long a process keeps a CPU while others wait for it, µs: the scheduler's base slice.
const SLICE: f64 = 3_000.0;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Arrival,
    /// The process has ended a step of its work.
    Step(usize),
    /// The process has slept long enough.
    Timer(usize, u64),
}

/// In order of time; events of the same time in order of their making.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Due(f64, u64, Event);

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Due) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1))
    }
}

#[derive(Clone, Copy, Debug)]
struct Connection {
    arrived: f64,
    serve: f64,
}

#[derive(Clone, Debug, Default)]
struct Process {
    /// Its own connections: accepted for it, or hashed to its socket.
    queue: VecDeque<Connection>,
    awake: bool,
    /// Has done nothing since it was woken.
    fresh: bool,
    serving: Option<Connection>,
    sleeps: u64,
    /// When it got its CPU.
    since: f64,
}

struct World {
    setup: Setup,
    now: f64,
    made: u64,
    events: BinaryHeap<Reverse<Due>>,
    processes: Vec<Process>,
    /// Waiting for each CPU; the first has it.
    cpus: Vec<VecDeque<usize>>,
    /// Connections that nobody has accepted.
    backlog: VecDeque<Connection>,
    /// Accepted by the dispatcher for whoever is free.
    pool: VecDeque<Connection>,
    holder: Option<usize>,
    /// Order in which waiting workers are woken.
    order: VecDeque<usize>,
    since_rotation: Vec<u32>,
    turn: usize,
    busy_us: f64,
    outcome: Outcome,
}

/// Runs until every connection has been served. The same setup gives the same outcome.
pub fn simulate(setup: Setup) -> Outcome {
    let mut rng = ChaCha8Rng::seed_from_u64(setup.seed);
    let processes = setup.workers + usize::from(setup.rule.has_dispatcher());
    let mut world = World {
        setup,
        now: 0.0,
        made: 0,
        events: BinaryHeap::new(),
        processes: vec![Process::default(); processes],
        cpus: vec![VecDeque::new(); setup.cpus.max(1)],
        backlog: VecDeque::new(),
        pool: VecDeque::new(),
        holder: Some(0),
        order: (0..setup.workers).collect(),
        since_rotation: vec![0; setup.workers],
        turn: 0,
        busy_us: 0.0,
        outcome: Outcome { accepts: vec![0; setup.workers], ..Outcome::default() },
    };
    let mut left = setup.connections;
    // Zero connections a second would never end.
    let gaps = Exp::new(setup.rate.max(1.0) / 1e6).ok();
    world.at(0.0, Event::Arrival);
    while let Some(Reverse(Due(time, _, event))) = world.events.pop() {
        world.now = time;
        match event {
            Event::Arrival if left == 0 => {}
            Event::Arrival => {
                left -= 1;
                let factor = if rng.random_bool(setup.heavy) { setup.heavy_factor } else { 1.0 };
                let connection = Connection { arrived: time, serve: setup.costs.serve * factor };
                world.arrive(connection, rng.random_range(0..setup.workers));
                if let Some(gaps) = gaps {
                    world.at(time + gaps.sample(&mut rng), Event::Arrival);
                }
            }
            Event::Step(process) => world.step_ended(process),
            Event::Timer(process, sleep) => {
                let p = &world.processes[process];
                if !p.awake && p.sleeps == sleep && world.outcome.latencies.len() < setup.connections {
                    world.wake(process);
                }
            }
        }
    }
    let served = world.outcome.latencies.len().max(1) as f64;
    world.outcome.cpu_us_per_request = world.busy_us / served;
    world.outcome.latencies.sort_by(f64::total_cmp);
    world.outcome
}

impl World {
    fn at(&mut self, time: f64, event: Event) {
        self.made += 1;
        self.events.push(Reverse(Due(time, self.made, event)));
    }

    fn dispatcher(&self) -> usize {
        self.setup.workers
    }

    fn arrive(&mut self, connection: Connection, hash: usize) {
        if self.setup.rule == Rule::Hash {
            self.processes[hash].queue.push_back(connection);
            return self.wake(hash);
        }
        self.backlog.push_back(connection);
        match self.setup.rule {
            Rule::InTurn | Rule::Queue => self.wake(self.dispatcher()),
            Rule::Mutex | Rule::Handoff => {
                if let Some(holder) = self.holder {
                    self.wake(holder);
                }
            }
            Rule::Everyone => (0..self.setup.workers).for_each(|worker| self.wake(worker)),
            _ => self.wake_first(),
        }
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
        (p.awake, p.fresh) = (true, true);
        let cpu = process % self.cpus.len();
        self.cpus[cpu].push_back(process);
        if self.cpus[cpu].len() == 1 {
            self.begin(process);
        }
    }

    /// The process gets its CPU.
    fn begin(&mut self, process: usize) {
        self.processes[process].since = self.now;
        self.step(process);
    }

    /// The process looks for work.
    fn step(&mut self, process: usize) {
        let fresh = std::mem::take(&mut self.processes[process].fresh);
        let costs = self.setup.costs;
        let Some(connection) = self.take(process) else {
            return self.work(process, if fresh { costs.spurious } else { 0.0 });
        };
        let wake = if fresh { costs.wake } else { 0.0 };
        let serve = if process == self.dispatcher() {
            costs.extra
        } else {
            self.outcome.accepts[process] += 1;
            // A dispatcher has paid for what the model adds.
            connection.serve + if self.setup.rule.has_dispatcher() { 0.0 } else { costs.extra }
        };
        self.processes[process].serving = Some(connection);
        self.work(process, wake + serve);
    }

    fn work(&mut self, process: usize, cost: f64) {
        self.busy_us += cost;
        self.at(self.now + cost, Event::Step(process));
    }

    /// A connection that the process may have now.
    fn take(&mut self, process: usize) -> Option<Connection> {
        match self.setup.rule {
            Rule::InTurn | Rule::Queue if process == self.dispatcher() => self.backlog.pop_front(),
            Rule::Hash | Rule::InTurn => self.processes[process].queue.pop_front(),
            Rule::Queue => self.pool.pop_front(),
            Rule::Mutex | Rule::Handoff => {
                let holder = *self.holder.get_or_insert(process);
                if holder != process || self.backlog.is_empty() {
                    return None;
                }
                // The mutex is released before the request is handled.
                self.holder = None;
                if self.setup.rule == Rule::Handoff {
                    self.hand_on(process);
                }
                self.backlog.pop_front()
            }
            Rule::First { rotate } => {
                let connection = self.backlog.pop_front()?;
                self.since_rotation[process] += 1;
                if rotate > 0 && self.since_rotation[process] >= rotate {
                    self.since_rotation[process] = 0;
                    self.run_to_the_end(process);
                }
                Some(connection)
            }
            Rule::LongestWaiting | Rule::Everyone => self.backlog.pop_front(),
        }
    }

    /// To the worker that has waited longest, if one waits: it has fewer connections than the one that has just accepted.
    fn hand_on(&mut self, from: usize) {
        let next = self.order.iter().copied().find(|worker| *worker != from && !self.processes[*worker].awake);
        if let Some(next) = next {
            self.holder = Some(next);
            self.wake(next);
        }
    }

    fn run_to_the_end(&mut self, worker: usize) {
        self.order.retain(|other| *other != worker);
        self.order.push_back(worker);
    }

    fn step_ended(&mut self, process: usize) {
        match self.processes[process].serving.take() {
            Some(connection) if process == self.dispatcher() => self.dispatch(connection),
            Some(connection) => self.outcome.latencies.push(self.now - connection.arrived),
            None => return self.sleep(process),
        }
        let cpu = process % self.cpus.len();
        if self.cpus[cpu].len() > 1 && self.now - self.processes[process].since > SLICE {
            self.cpus[cpu].rotate_left(1);
            self.give_cpu(cpu);
        } else {
            self.step(process);
        }
    }

    fn dispatch(&mut self, connection: Connection) {
        if self.setup.rule == Rule::Queue {
            self.pool.push_back(connection);
            return self.wake_first();
        }
        let worker = self.turn % self.setup.workers;
        self.turn += 1;
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
        let is_worker = process < self.setup.workers;
        if is_worker && matches!(self.setup.rule, Rule::Handoff | Rule::LongestWaiting) {
            self.run_to_the_end(process);
        }
        if self.setup.rule == Rule::Mutex && self.holder != Some(process) {
            self.at(self.now + MUTEX_DELAY, Event::Timer(process, sleeps));
        }
        self.give_cpu(cpu);
        // What came while it was going to sleep wakes it again: readiness is a level, not an edge.
        if self.may_have_more(process) {
            self.wake(process);
        }
    }

    fn may_have_more(&self, process: usize) -> bool {
        match self.setup.rule {
            Rule::InTurn | Rule::Queue if process == self.dispatcher() => !self.backlog.is_empty(),
            Rule::Hash | Rule::InTurn => !self.processes[process].queue.is_empty(),
            Rule::Queue => !self.pool.is_empty(),
            Rule::Mutex | Rule::Handoff => self.holder == Some(process) && !self.backlog.is_empty(),
            _ => !self.backlog.is_empty(),
        }
    }

    fn give_cpu(&mut self, cpu: usize) {
        if let Some(next) = self.cpus[cpu].front().copied() {
            self.begin(next);
        }
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
