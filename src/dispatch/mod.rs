//! The dispatch models: who accepts the next connection. One file each, one line each in `MODELS`.
//!
//! # Adding a model
//!
//! 1. Write `src/dispatch/NAME.rs` with a `pub static KIND: Kind` (its name, its parameters, what it is about) and a type that implements
//!    `Model`. The model answers four questions: which processes exist (`plan`), what each does in its life (`life`), what its loop
//!    does before it waits and after its accepts (`Hooks`), and what must be mended when one of them dies (`child_died`).
//! 2. Add the module, and `&NAME::KIND` to `MODELS`.
//!
//! Nothing else changes: the directive, its checks and its reference page, forking, respawn, drain, reload, signals, the
//! ledger and HTTP know no model by name.
//!
//! A life is either the loop of `worker::event_loop` with hooks of the model (`Life::Loop`), or something else altogether:
//! a dispatcher, or threads that block (`Life::Own`).

mod accept_handoff;
mod accept_mutex;
mod accepting;
mod bell;
mod command;
mod context;
mod crew;
mod door;
mod exclusive;
mod fork;
mod herd;
mod leader_follower;
mod lease;
mod listening;
mod pool;
mod pool_notify;
mod pool_pass;
mod pool_queue;
mod prefork;
mod reuseport;
mod rotation;
pub mod settings;
mod thread_pool;

use std::io;
use std::sync::Arc;

pub use accepting::{AcceptOptions, Loop};
pub use command::{Command, announce_shutdown, next_command};
pub use context::{Engines, ProcessContext};
pub use listening::Listening;
pub use settings::{Choice, DIRECTIVES};

use crate::event::Ready;
use crate::log;
use crate::os::{ErrnoText, Failure, Poller};
use crate::shm::{Ledger, Role};

/// All models, in the order of the reference page.
pub static MODELS: &[&Kind] = &[
    &accept_mutex::KIND,
    &accept_handoff::KIND,
    &herd::KIND,
    &exclusive::KIND,
    &reuseport::KIND,
    &pool_notify::KIND,
    &pool_pass::KIND,
    &pool_queue::KIND,
    &prefork::KIND,
    &thread_pool::KIND,
    &fork::KIND,
    &leader_follower::KIND,
];

/// A dispatch model as the conf file knows it.
pub struct Kind {
    pub name: &'static str,
    pub params: &'static [Param],
    /// One or two sentences for the reference page.
    pub about: &'static str,
    /// Makes what the processes of one generation share: called by the master before it forks. Errors: no descriptors left.
    pub make: fn(&Setup<'_>) -> io::Result<Arc<dyn Model>>,
}

/// `NAME=VALUE` after the model's name.
pub struct Param {
    pub name: &'static str,
    pub takes: Takes,
    pub default: u64,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A count between these.
    Number(u64, u64),
    /// One of these words, by its place among them.
    Word(&'static [&'static str]),
}

impl Param {
    /// A value as the conf file writes it.
    fn text(&self, value: u64) -> String {
        match self.takes {
            Takes::Number(..) => value.to_string(),
            Takes::Word(words) => words.get(value as usize).copied().unwrap_or_default().to_owned(),
        }
    }
}

/// What a model is made of.
pub struct Setup<'a> {
    /// `worker_processes`.
    pub workers: u32,
    /// `master_process off`: there will be one process, on the seat of the first worker.
    pub is_alone: bool,
    /// Generation of the conf, from 1.
    pub generation: u32,
    pub ledger: &'a Ledger,
    pub options: AcceptOptions,
    /// The parameters that the conf file gives.
    pub params: &'a [(&'static str, u64)],
}

impl Setup<'_> {
    /// The value of a parameter, or its default.
    fn param(&self, param: &Param) -> u64 {
        self.params.iter().find(|(name, _)| *name == param.name).map_or(param.default, |(_, value)| *value)
    }
}

/// One place in a plan: a process has it, and when the process dies its successor gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seat {
    pub role: Role,
    /// Number among those of the role, from 0.
    pub number: u32,
}

/// A model at work, for one generation of the conf. Made by the master; a fork takes a copy along.
pub trait Model: Send + Sync {
    /// Which processes exist.
    fn plan(&self) -> Vec<Seat>;

    /// What the process on `seat` does. Called in that process.
    fn life(&self, seat: Seat) -> Life;

    /// The epoll instance of the process on `seat`, where the model has made one; `None`: the loop makes its own.
    fn poller(&self, _seat: Seat) -> Option<Arc<Poller>> {
        None
    }

    /// Whether the processes that accept share the listening sockets.
    fn sockets(&self) -> Sockets {
        Sockets::Shared
    }

    /// Process `pid` is dead and reaped: mends what it leaves behind. Called in the master.
    fn child_died(&self, _seat: Seat, _pid: u32) {}

    /// The last process of the generation has ended, and none will follow. Called in the master.
    fn ended(&self) {}
}

/// Who has a listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sockets {
    /// All processes that accept; but one that `listen ... reuseport` asks for is as below.
    Shared,
    /// Each has its own for each address, and the kernel spreads connections over them by a hash.
    Own,
    /// As `Own`, and the kernel chooses by the CPU that a connection comes in on.
    OwnByCpu,
}

/// How many processes of a plan accept: the dispatchers, where there are any.
pub fn acceptors(plan: &[Seat]) -> u32 {
    let dispatchers = plan.iter().filter(|seat| seat.role == Role::Dispatcher).count();
    (if dispatchers > 0 { dispatchers } else { plan.len() }) as u32
}

/// The ways to spend a life.
pub enum Life {
    /// The event loop.
    Loop(Box<dyn Hooks>),
    /// Anything else. It ends when the orders that come to its context say so; an error is a life that could not begin.
    Own(Box<dyn FnOnce(ProcessContext) -> Result<(), Failure>>),
}

/// What a model does in the event loop.
pub trait Hooks {
    /// Decides whether the process listens in this turn.
    fn before_wait(&mut self, state: &mut Loop) -> Wait;

    /// Connections wait, and the process is about to accept. False: not from the sockets that it shares with others.
    fn may_accept(&mut self, _state: &mut Loop) -> bool {
        true
    }

    /// How many connections one event may bring at most, where `multi_accept` allows more than one.
    fn batch(&mut self, _state: &mut Loop) -> u64 {
        u64::MAX
    }

    /// An event of socket `n` has brought `count` connections, at least one.
    fn accepted(&mut self, _state: &mut Loop, _n: u32, _count: u64) {}

    /// All accepts of the turn are done.
    fn after_accepts(&mut self, _state: &mut Loop) {}

    /// A descriptor of the model's own, watched as `Source::Model(n)`, is ready.
    fn own_event(&mut self, _state: &mut Loop, _n: u32, _ready: Ready) {}

    /// The process has no descriptor or no slot left: until `Loop::may_listen` says otherwise it must not be woken by connections.
    fn stop_listening(&mut self, state: &mut Loop) {
        report(state.listening.disarm_all(&state.poller));
    }

    /// The process was woken for a connection that it can't take, and has stopped listening. Where one process alone is woken, others
    /// have to be told.
    fn declined(&mut self, _state: &mut Loop) {}

    /// The process leaves: it accepts nothing from now on. What waits in a socket of its own nobody else would take: that it
    /// takes first.
    fn leave(&mut self, state: &mut Loop) {
        state.leave_sockets();
    }

    /// The process leaves and has no connections any more. False: the model knows of some that will come still.
    fn may_end(&mut self, _state: &mut Loop) -> bool {
        true
    }
}

/// How a turn waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    /// No longer than this, ms.
    pub at_most_ms: Option<u64>,
    /// Events of connections are put off until the accepts are done.
    pub posts: bool,
}

/// The seats of a model that has workers and nobody else.
fn workers(count: u32) -> Vec<Seat> {
    (0..count).map(|number| Seat { role: Role::Worker, number }).collect()
}

/// epoll_ctl fails when memory or descriptors run out: the loop goes on and tries again next turn.
fn report(result: io::Result<()>) -> bool {
    if let Err(error) = &result {
        log::alert!("epoll_ctl() for a listening socket failed ({})", ErrnoText(error));
    }
    result.is_ok()
}
