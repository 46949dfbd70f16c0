//! What distinguishes the models, as far as the simulation knows them.

/// Who is told of a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// The holder of the accept mutex alone; who loses it looks again after `accept_mutex_delay`.
    Mutex,
    /// Every waiting worker.
    Everyone,
    /// The waiting worker that was added first; it moves to the end after so many accepts.
    First { rotate: u32 },
    /// The worker whose socket the kernel picks, by a hash.
    Hash,
    /// A dispatcher, who gives it to the workers in turn.
    InTurn,
    /// A dispatcher, who tells the workers in turn, the next when the last has taken its connection.
    Told,
    /// A dispatcher, who puts it where any worker takes it.
    Queue,
}

/// A model of drover and its rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Simulated {
    pub name: &'static str,
    pub rule: Rule,
    /// Threads of a worker that serve; drover's defaults.
    pub threads: usize,
}

const fn of(name: &'static str, rule: Rule) -> Simulated {
    Simulated { name, rule, threads: 1 }
}

pub(super) static SIMULATED: &[Simulated] = &[
    of("accept_mutex", Rule::Mutex),
    // Who has accepted gives the sockets to the one that has waited longest; while one is awake the next is its deputy.
    of("accept_handoff", Rule::First { rotate: 1 }),
    of("herd", Rule::Everyone),
    of("exclusive", Rule::First { rotate: 16 }),
    of("reuseport", Rule::Hash),
    of("pool_notify", Rule::Told),
    of("pool_pass", Rule::InTurn),
    of("pool_queue", Rule::Queue),
    // Every thread waits with EPOLLEXCLUSIVE: the first that was added is woken.
    Simulated { threads: 16, ..of("prefork", Rule::First { rotate: 0 }) },
    // Processes compete like exclusive's; handing a connection to a thread is a cost, not another rule.
    Simulated { threads: 16, ..of("thread_pool", Rule::First { rotate: 0 }) },
    Simulated { threads: 4, ..of("leader_follower", Rule::First { rotate: 0 }) },
    // The children are as many as there are connections; as many run as there are CPUs.
    of(FORK, Rule::Queue),
];

/// A process for each connection: what it costs is of another order, and there are no workers to be even or not.
pub(super) const FORK: &str = "fork";

impl Rule {
    /// Whether a process of its own accepts for the others.
    pub(super) fn has_dispatcher(self) -> bool {
        matches!(self, Rule::InTurn | Rule::Told | Rule::Queue)
    }
}
