//! A discrete-event simulation of a site: clients, a balancer with its threads, machines behind it.
//!
//! Each machine is a simulated one of `engine`, whose costs are calibrated. The network is a constant; what it does
//! when it is full is not simulated.

use std::collections::VecDeque;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::health::{Kind, Phases, Plan, Trouble};
use super::policy::{Picker, Policy, Seen};
use crate::commands::simulate::agenda::Agenda;
use crate::commands::simulate::engine::{Connection, Setup, Simulator};
use crate::results::Health;

/// The parameters of a simulation.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// A machine of the usual speed.
    pub machine: Setup,
    /// How many times as long each machine takes for everything.
    pub slowness: Vec<f64>,
    pub policy: Policy,
    pub balancer: Balancer,
    /// From the balancer to a machine and back.
    pub network_us: f64,
    pub health: Health,
    /// The trouble that befalls the first machine.
    pub trouble: Option<Trouble>,
    pub seed: u64,
}

/// The balancer: each connection belongs to one of its threads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Balancer {
    pub threads: usize,
    /// CPU time for a request, half of it on its way in, half with the answer.
    pub serve: f64,
    /// CPU time to go to sleep and to wake, on both ways together.
    pub wake: f64,
}

/// A request of a client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Request {
    /// Microseconds from the beginning.
    pub at: f64,
    pub heavy: bool,
    /// The cost for a machine of the usual speed beyond `Costs::serve`, µs.
    pub extra: f64,
}

/// The end of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fate {
    pub at: f64,
    /// Until the balancer has passed the answer on, or has given up; µs.
    pub latency: f64,
    pub heavy: bool,
    /// The last machine that had it.
    pub machine: usize,
    /// How many times it was sent to another machine.
    pub again: u32,
    pub lost: bool,
}

/// The result of a simulation.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outcome {
    /// In the order of their ends.
    pub fates: Vec<Fate>,
    pub balancer_busy_us: f64,
    /// The end of the last request.
    pub ended: f64,
    /// Requests that were on the machine when it failed.
    pub on_it: usize,
    /// When the balancer stopped to send to the machine, and when it sent to it again.
    pub seen: Option<f64>,
    pub back: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    /// A thread of the balancer has ended a step.
    Thread(usize),
    /// Something happens on a machine, unless it has been halted meanwhile.
    Machine(usize),
    /// A request has come to a machine.
    Comes(usize, usize),
    /// The answer has come back to the balancer.
    Answered(usize),
    /// The machine has not answered: the balancer knows that now.
    Failed(usize),
    /// The next thing that befalls the first machine.
    Fails,
    Seen,
    Starts,
    Back,
}

/// A request on its way.
#[derive(Clone, Copy, Debug)]
struct Travelling {
    request: Request,
    thread: usize,
    machine: Option<usize>,
    /// The machine has it, and has not answered.
    inside: bool,
    again: u32,
}

/// A step of a balancer's thread.
#[derive(Clone, Copy, Debug)]
enum Job {
    Forward(usize),
    Answer(usize),
}

#[derive(Clone, Debug, Default)]
struct Thread {
    jobs: VecDeque<Job>,
    current: Option<Job>,
    connections: usize,
}

/// The state of a machine's server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Serves,
    /// The kernel refuses connections for it.
    Gone,
    /// The kernel accepts connections for it, nobody answers.
    Hangs,
}

struct World {
    site: Site,
    now: f64,
    events: Agenda<Event>,
    threads: Vec<Thread>,
    machines: Vec<Simulator>,
    /// The time of the event that is scheduled for each machine; infinite without one.
    watched: Vec<f64>,
    servers: Vec<Server>,
    seen: Vec<Seen>,
    picker: Picker,
    rng: ChaCha8Rng,
    travelling: Vec<Travelling>,
    open: usize,
    plan: Option<Plan>,
    /// The first machine gets nothing new, and ends when it has nothing left.
    drains: bool,
    outcome: Outcome,
}

/// Runs until every request was answered or is lost. The same site and requests give the same outcome.
pub(super) fn simulate(site: &Site, requests: impl IntoIterator<Item = Request>) -> Outcome {
    let mut world = World::new(site);
    let mut requests = requests.into_iter().peekable();
    loop {
        let next = world.events.next_time();
        if let Some(request) = requests.next_if(|request| request.at <= next) {
            world.now = request.at;
            world.arrive(request);
        } else if world.open == 0 && requests.peek().is_none() {
            break;
        } else {
            world.step();
        }
    }
    world.outcome.ended = world.now;
    world.outcome
}

impl World {
    fn new(site: &Site) -> World {
        let count = site.slowness.len();
        let mut rng = ChaCha8Rng::seed_from_u64(site.seed ^ 0x5173);
        let phases = Phases { fails: rng.random(), returns: rng.random() };
        let mut world = World {
            site: site.clone(),
            now: 0.0,
            events: Agenda::new(),
            threads: vec![Thread::default(); site.balancer.threads.max(1)],
            machines: (0..count).map(|n| machine(site, n, 0.0)).collect(),
            watched: vec![f64::INFINITY; count],
            servers: vec![Server::Serves; count],
            seen: vec![Seen { connections: 0, weight: 1.0 }; count],
            picker: Picker::new(site.policy, count, site.seed ^ 0xba1a),
            rng,
            travelling: Vec::new(),
            open: 0,
            plan: site.trouble.map(|trouble| site.health.plan(trouble, phases)),
            drains: false,
            outcome: Outcome::default(),
        };
        (0..count).for_each(|machine| world.watch(machine));
        if let Some(plan) = world.plan {
            world.events.add(plan.fails, Event::Fails);
            plan.seen.into_iter().for_each(|at| world.events.add(at, Event::Seen));
            plan.starts.into_iter().for_each(|at| world.events.add(at, Event::Starts));
        }
        world
    }

    /// Schedules the next event of a machine, unless an earlier one is scheduled.
    fn watch(&mut self, machine: usize) {
        let next = self.machines[machine].next_event();
        if next < self.watched[machine] {
            self.watched[machine] = next;
            self.events.add(next, Event::Machine(machine));
        }
    }

    fn step_machine(&mut self, machine: usize) {
        self.watched[machine] = f64::INFINITY;
        if self.machines[machine].next_event() <= self.now {
            self.machines[machine].next(true);
            let served: Vec<usize> = self.machines[machine].take_served().map(|served| served.id).collect();
            for request in served {
                self.travelling[request].inside = false;
                self.events.add(self.now + self.site.network_us / 2.0, Event::Answered(request));
            }
        }
        self.watch(machine);
    }

    /// A client sends a request, to the less busy of two threads: HAProxy shares out connections like this.
    fn arrive(&mut self, request: Request) {
        let threads = self.threads.len();
        let (a, b) = (self.rng.random_range(0..threads), self.rng.random_range(0..threads));
        let thread = if self.threads[b].connections < self.threads[a].connections { b } else { a };
        self.threads[thread].connections += 1;
        self.open += 1;
        self.travelling.push(Travelling { request, thread, machine: None, inside: false, again: 0 });
        self.give(thread, Job::Forward(self.travelling.len() - 1));
    }

    fn give(&mut self, thread: usize, job: Job) {
        if self.threads[thread].current.is_some() {
            return self.threads[thread].jobs.push_back(job);
        }
        self.work(thread, job, self.site.balancer.wake / 2.0);
    }

    fn work(&mut self, thread: usize, job: Job, wake: f64) {
        let cost = wake + self.site.balancer.serve / 2.0;
        self.outcome.balancer_busy_us += cost;
        self.threads[thread].current = Some(job);
        self.events.add(self.now + cost, Event::Thread(thread));
    }

    fn step(&mut self) {
        let Some((time, event)) = self.events.take() else { return };
        self.now = time;
        match event {
            Event::Thread(thread) => self.end_job(thread),
            Event::Machine(machine) => self.step_machine(machine),
            Event::Comes(request, machine) => self.come(request, machine),
            Event::Answered(request) => self.give(self.travelling[request].thread, Job::Answer(request)),
            Event::Failed(request) => self.fail(request),
            Event::Fails => self.machine_fails(),
            Event::Seen => self.machine_is_seen(),
            Event::Starts => self.machine_starts(),
            Event::Back => self.machine_is_back(),
        }
    }

    fn end_job(&mut self, thread: usize) {
        match self.threads[thread].current.take() {
            Some(Job::Forward(request)) => self.forward(request),
            Some(Job::Answer(request)) => {
                self.release(request);
                self.end(request, false);
            }
            None => {}
        }
        if let Some(job) = self.threads[thread].jobs.pop_front() {
            self.work(thread, job, 0.0);
        }
    }

    fn forward(&mut self, request: usize) {
        self.weigh();
        let avoid = self.travelling[request].machine;
        let Some(machine) = self.picker.pick(&self.seen, avoid) else { return self.end(request, true) };
        self.seen[machine].connections += 1;
        self.travelling[request].machine = Some(machine);
        // SYN and its answer are a round trip, the request is half of one.
        self.events.add(self.now + self.site.network_us * 1.5, Event::Comes(request, machine));
    }

    /// A machine that has come back gets its weight by and by.
    fn weigh(&mut self) {
        if let (Some(back), Some(first)) = (self.outcome.back, self.seen.first_mut()) {
            first.weight = self.site.health.weight_after(self.now - back);
        }
    }

    fn come(&mut self, request: usize, machine: usize) {
        match self.servers[machine] {
            Server::Gone => self.fail(request),
            // Its session was ended while the request was on its way.
            Server::Hangs if self.outcome.seen.is_some() => self.fail(request),
            Server::Hangs => self.travelling[request].inside = true,
            Server::Serves => {
                self.travelling[request].inside = true;
                let Request { heavy, extra, .. } = self.travelling[request].request;
                let extra = extra * self.site.slowness[machine];
                self.machines[machine].arrive(Connection { id: request, arrived: self.now, heavy, extra });
                self.watch(machine);
            }
        }
    }

    /// The machine has failed the request: another one gets it, when there are attempts left.
    fn fail(&mut self, request: usize) {
        self.release(request);
        self.travelling[request].inside = false;
        if self.travelling[request].again == self.site.health.retries {
            return self.end(request, true);
        }
        self.travelling[request].again += 1;
        self.give(self.travelling[request].thread, Job::Forward(request));
    }

    fn release(&mut self, request: usize) {
        let Some(machine) = self.travelling[request].machine else { return };
        self.seen[machine].connections -= 1;
        self.picker.requeue(machine);
        if machine == 0 {
            self.stop_when_drained();
        }
    }

    fn end(&mut self, request: usize, lost: bool) {
        let Travelling { request: Request { at, heavy, .. }, thread, machine, again, .. } = self.travelling[request];
        self.threads[thread].connections -= 1;
        self.open -= 1;
        let machine = machine.unwrap_or(0);
        self.outcome.fates.push(Fate { at, latency: self.now - at, heavy, machine, again, lost });
    }

    /// The trouble of the first machine begins.
    fn machine_fails(&mut self) {
        let Some(plan) = self.plan else { return };
        let inside = self.inside();
        self.outcome.on_it = inside.len();
        match plan.kind {
            // Its health check says from now on that it wants to be left alone.
            Kind::Drained => {}
            Kind::Killed => {
                self.halt(Server::Gone);
                let knows = self.now + self.site.network_us / 2.0;
                inside.into_iter().for_each(|request| self.events.add(knows, Event::Failed(request)));
            }
            Kind::Stopped => self.halt(Server::Hangs),
        }
    }

    /// The requests that the first machine has.
    fn inside(&self) -> Vec<usize> {
        let on_it = |t: &Travelling| t.inside && t.machine == Some(0);
        self.travelling.iter().enumerate().filter(|(_, t)| on_it(t)).map(|(n, _)| n).collect()
    }

    fn halt(&mut self, server: Server) {
        self.servers[0] = server;
        self.machines[0] = machine(&self.site, 0, self.now);
        self.watch(0);
    }

    /// The balancer sends nothing more to the first machine.
    fn machine_is_seen(&mut self) {
        let Some(plan) = self.plan else { return };
        self.seen[0].weight = 0.0;
        self.outcome.seen = Some(self.now);
        match plan.kind {
            Kind::Drained => {
                self.drains = true;
                self.stop_when_drained();
            }
            Kind::Killed => {}
            // `on-marked-down shutdown-sessions`.
            Kind::Stopped => self.inside().into_iter().for_each(|request| self.fail(request)),
        }
    }

    fn stop_when_drained(&mut self) {
        if self.drains && self.seen[0].connections == 0 {
            self.drains = false;
            self.halt(Server::Gone);
            if let Some(plan) = self.plan {
                self.events.add(self.now + plan.down, Event::Starts);
            }
        }
    }

    fn machine_starts(&mut self) {
        self.halt(Server::Serves);
        // Before the balancer has noticed anything it goes on as before.
        if let (Some(plan), Some(_)) = (self.plan, self.outcome.seen) {
            self.events.add(self.now + plan.rises, Event::Back);
        }
    }

    fn machine_is_back(&mut self) {
        self.outcome.back = Some(self.now);
    }
}

/// The machine of number `n`, idle.
fn machine(site: &Site, n: usize, now: f64) -> Simulator {
    let (slowness, costs) = (site.slowness[n], site.machine.costs);
    let costs = crate::results::Costs {
        serve: costs.serve * slowness,
        wake: costs.wake * slowness,
        spurious: costs.spurious * slowness,
        dispatch: costs.dispatch * slowness,
        heavy: costs.heavy * slowness,
    };
    Simulator::new(Setup { costs, seed: site.machine.seed ^ n as u64, ..site.machine }, now)
}

#[cfg(test)]
mod tests;
