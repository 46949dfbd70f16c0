//! The differences between the models, as far as the simulation knows them.

/// Which process is woken for a new connection, or gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// The holder of the accept mutex alone; workers without it try again after `accept_mutex_delay`.
    Mutex,
    /// Every waiting worker.
    WakeAll,
    /// The waiting worker that was added first; it moves to the end after so many accepts.
    WakeFirst { rotate: u32 },
    /// The worker whose socket the kernel picks, by a hash.
    Hash,
    /// The worker with the fewest connections; the kernel picks its socket by a program.
    FewestConnections,
    /// A dispatcher, which passes connections to the workers in turn.
    RoundRobin,
    /// A dispatcher, which notifies the workers in turn, the next when the last has taken its connection.
    Notify,
    /// A dispatcher, which puts connections into a queue that all workers take from.
    SharedQueue,
}

/// A model of drover and its rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Simulated {
    pub name: &'static str,
    pub rule: Rule,
    /// The threads of a worker that serve, by drover's defaults.
    pub threads: usize,
}

const fn single_threaded(name: &'static str, rule: Rule) -> Simulated {
    Simulated { name, rule, threads: 1 }
}

pub(super) static SIMULATED: &[Simulated] = &[
    single_threaded("accept_mutex", Rule::Mutex),
    // The worker that has accepted hands the sockets to the worker that has waited longest; while that one is awake,
    // the next is its deputy.
    single_threaded("accept_handoff", Rule::WakeFirst { rotate: 1 }),
    single_threaded("herd", Rule::WakeAll),
    single_threaded("exclusive", Rule::WakeFirst { rotate: 16 }),
    single_threaded("reuseport", Rule::Hash),
    single_threaded("steer", Rule::FewestConnections),
    single_threaded("pool_notify", Rule::Notify),
    single_threaded("pool_pass", Rule::RoundRobin),
    single_threaded("pool_queue", Rule::SharedQueue),
    // Every thread waits with EPOLLEXCLUSIVE: the first that was added is woken.
    Simulated { threads: 16, ..single_threaded("prefork", Rule::WakeFirst { rotate: 0 }) },
    // Processes compete like exclusive's; handing a connection to a thread is a cost, not another rule.
    Simulated { threads: 16, ..single_threaded("thread_pool", Rule::WakeFirst { rotate: 0 }) },
    Simulated { threads: 4, ..single_threaded("leader_follower", Rule::WakeFirst { rotate: 0 }) },
    // The children are as many as there are connections; as many run as there are CPUs.
    single_threaded(FORK, Rule::SharedQueue),
];

/// The model with a process for each connection: its costs are of another order, and without workers there is no
/// balance.
pub(super) const FORK: &str = "fork";

impl Rule {
    /// Whether a process of its own accepts for the others.
    pub(super) fn has_dispatcher(self) -> bool {
        matches!(self, Rule::RoundRobin | Rule::Notify | Rule::SharedQueue)
    }
}
