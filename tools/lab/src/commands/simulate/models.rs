//! What distinguishes the models, as far as the simulation knows them.

/// Who is told of a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// The holder of the accept mutex alone; who loses it looks again after `accept_mutex_delay`.
    Mutex,
    /// Every waiting worker.
    WakeAll,
    /// The waiting worker that was added first; it moves to the end after so many accepts.
    WakeFirst { rotate: u32 },
    /// The worker whose socket the kernel picks, by a hash.
    Hash,
    /// A dispatcher, who gives it to the workers in turn.
    RoundRobin,
    /// A dispatcher, who tells the workers in turn, the next when the last has taken its connection.
    Notify,
    /// A dispatcher, who puts it where any worker takes it.
    SharedQueue,
}

/// A model of drover and its rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Simulated {
    pub name: &'static str,
    pub rule: Rule,
    /// Threads of a worker that serve; drover's defaults.
    pub threads: usize,
}

const fn single_threaded(name: &'static str, rule: Rule) -> Simulated {
    Simulated { name, rule, threads: 1 }
}

pub(super) static SIMULATED: &[Simulated] = &[
    single_threaded("accept_mutex", Rule::Mutex),
    // Who has accepted gives the sockets to the one that has waited longest; while one is awake the next is its deputy.
    single_threaded("accept_handoff", Rule::WakeFirst { rotate: 1 }),
    single_threaded("herd", Rule::WakeAll),
    single_threaded("exclusive", Rule::WakeFirst { rotate: 16 }),
    single_threaded("reuseport", Rule::Hash),
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

/// A process for each connection: what it costs is of another order, and there are no workers to be even or not.
pub(super) const FORK: &str = "fork";

impl Rule {
    /// Whether a process of its own accepts for the others.
    pub(super) fn has_dispatcher(self) -> bool {
        matches!(self, Rule::RoundRobin | Rule::Notify | Rule::SharedQueue)
    }
}
