//! What distinguishes the models, as far as the simulation knows them.

/// Who is told of a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The holder of the accept mutex alone; who loses it looks again after `accept_mutex_delay`.
    Mutex,
    /// The holder of the word, who hands it on to the worker that has waited longest.
    Handoff,
    /// Every waiting worker.
    Everyone,
    /// The waiting worker that was added first; it moves to the end after so many accepts.
    First { rotate: u32 },
    /// The worker that has waited longest: blocking accept.
    LongestWaiting,
    /// The worker whose socket the kernel picks, by a hash.
    Hash,
    /// A dispatcher, who tells the workers in turn.
    InTurn,
    /// A dispatcher, who puts it where any worker takes it.
    Queue,
}

/// A model of drover and its rule.
#[derive(Clone, Copy, Debug)]
pub struct Simulated {
    pub name: &'static str,
    pub rule: Rule,
}

pub static SIMULATED: &[Simulated] = &[
    Simulated { name: "accept_mutex", rule: Rule::Mutex },
    Simulated { name: "accept_handoff", rule: Rule::Handoff },
    Simulated { name: "herd", rule: Rule::Everyone },
    Simulated { name: "exclusive", rule: Rule::First { rotate: 16 } },
    Simulated { name: "reuseport", rule: Rule::Hash },
    Simulated { name: "pool_notify", rule: Rule::InTurn },
    Simulated { name: "pool_pass", rule: Rule::InTurn },
    Simulated { name: "pool_queue", rule: Rule::Queue },
    Simulated { name: "prefork", rule: Rule::LongestWaiting },
    // Processes that compete like exclusive's; handing a connection to a thread is a cost, not another rule.
    Simulated { name: "thread_pool", rule: Rule::First { rotate: 0 } },
    Simulated { name: "leader_follower", rule: Rule::First { rotate: 0 } },
    // The children are as many as there are connections; as many run as there are CPUs.
    Simulated { name: "fork", rule: Rule::Queue },
];

impl Rule {
    /// Whether a process of its own accepts for the others.
    pub fn has_dispatcher(self) -> bool {
        matches!(self, Rule::InTurn | Rule::Queue)
    }
}
