//! The seam between a dispatch model and the service: what a model is, and what its processes are given.
//!
//! A model answers four questions: which processes exist (`Model::plan`), what each does in its life (`Model::life`),
//! what its event loop does before it waits and after its accepts (`Hooks`), and what must be mended when a process
//! dies (`Model::child_died`). A life is either the loop of `worker::event_loop` with hooks of the model
//! (`Life::Loop`), or something else altogether (`Life::Own`): a dispatcher, or threads that block.

mod accepting;
mod always;
mod command;
mod context;
mod hooks;
mod loop_state;
mod options;
mod plan;
mod socket_group;
mod stand_in;

use std::io;
use std::sync::Arc;
use std::time::Duration;

pub(super) use always::{Always, listen_if_possible, lone_worker};
pub use command::{Command, announce_shutdown, next_command};
pub use context::{Engines, ProcessContext};
pub use hooks::{Hooks, Wait};
pub use loop_state::Loop;
pub use options::AcceptOptions;
pub use plan::{Seat, acceptors};
pub(super) use plan::{dispatcher_and_workers, workers};
pub use socket_group::SocketGroup;
pub use stand_in::StandIn;

use crate::conf::Scope;
use crate::os::seccomp::ExtraCalls;
use crate::os::{Failure, Poller};
use crate::shm::Ledger;

/// A dispatch model as the conf file knows it.
pub struct ModelKind {
    /// The word in the conf file.
    pub name: &'static str,
    /// The parameters that the model takes.
    pub params: &'static [Param],
    /// The text of the reference page, one or two sentences.
    pub about: &'static str,
    /// The limit of its connections.
    pub places: Places,
    /// Makes the memory and the descriptors that the processes of one generation share. For the master, before it
    /// forks. Errors: no descriptors left, or another failure, which the io::Error then carries (`Failure`).
    pub make: fn(&Setup<'_>) -> io::Result<Arc<dyn Model>>,
}

/// The limit of a service's connections.
#[derive(Clone, Copy)]
pub enum Places {
    /// `worker_connections` in each worker.
    OfWorker,
    /// A connection for each thread, of which every worker has as many as the parameter says.
    OfThread(&'static Param),
    /// The parameter's number, of all processes together.
    OfService(&'static Param),
}

/// `NAME=VALUE` after the model's name.
pub struct Param {
    /// The word before `=`.
    pub name: &'static str,
    /// The values that the parameter may have.
    pub takes: Takes,
    /// The value when the conf does not name the parameter.
    pub default: u64,
}

/// The values that a parameter may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A count between these, both included.
    Number(u64, u64),
    /// A word of the list; its index is the value.
    Word(&'static [&'static str]),
}

impl Param {
    /// A value as the conf file writes it.
    pub(super) fn text(&self, value: u64) -> String {
        match self.takes {
            Takes::Number(..) => value.to_string(),
            Takes::Word(words) => words.get(value as usize).copied().unwrap_or_default().to_owned(),
        }
    }
}

/// The settings and the shared memory from which a model is made.
pub struct Setup<'a> {
    /// `worker_processes`.
    pub workers: u32,
    /// `master_process off`: there will be one process, on the seat of the first worker.
    pub is_alone: bool,
    /// Generation of the conf, from 1.
    pub generation: u32,
    /// The ledger, which outlives generations.
    pub ledger: &'a Ledger,
    /// The settings that every model has.
    pub options: AcceptOptions,
    /// The parameters that the conf file gives.
    pub params: &'a [(&'static str, u64)],
    /// The values in force in the `events` block, for directives of the model's own.
    pub events: &'a Scope,
}

impl Setup<'_> {
    /// The value of a parameter, or its default.
    pub(super) fn param(&self, param: &Param) -> u64 {
        self.params.iter().find(|(name, _)| *name == param.name).map_or(param.default, |(_, value)| *value)
    }
}

/// A model at work, for one generation of the conf. Made by the master before it forks; each child has a copy.
pub trait Model: Send + Sync {
    /// Which processes exist. The master forks one for each seat, and another when that dies.
    fn plan(&self) -> Vec<Seat>;

    /// The life of the process on `seat`. Called in that process, after the fork.
    fn life(&self, seat: Seat) -> Life;

    /// The epoll instance of the process on `seat`, if the model has made it before the fork; `None`: the loop makes
    /// its own.
    fn poller(&self, _seat: Seat) -> Option<Arc<Poller>> {
        None
    }

    /// The system calls that the process on `seat` makes beside those that all make, for its sandbox.
    fn extra_calls(&self, _seat: Seat) -> ExtraCalls {
        ExtraCalls::empty()
    }

    /// The reason why this model serves in the place of the one that the conf names; `None`: it is that one.
    fn stand_in(&self) -> Option<&StandIn> {
        None
    }

    /// Whether the processes that accept share the listening sockets.
    fn sockets(&self) -> Sockets {
        Sockets::Shared
    }

    /// Tells the kernel how it chooses among the sockets of an address (`Sockets::Steered`). Called in the master
    /// before the processes of the generation start, and when another program may have told the kernel otherwise.
    fn steer(&self, _group: &SocketGroup<'_>) -> Result<(), Failure> {
        Ok(())
    }

    /// Looks after the processes and their sockets, in the master, while they serve. Returns when to look again;
    /// `None`: never.
    fn care(&self, _groups: &[SocketGroup<'_>]) -> Option<Duration> {
        None
    }

    /// Undoes what `care` has done to the sockets: another generation or another program is about to take them over.
    /// Called in the master.
    fn settle(&self, _groups: &[SocketGroup<'_>]) {}

    /// Mends what process `pid` on `seat` leaves behind. Called in the master, after it has reaped the process and
    /// before it forks a successor.
    fn child_died(&self, _seat: Seat, _pid: u32) {}

    /// The last process of the generation has ended, and none will follow. Called in the master.
    fn ended(&self) {}
}

/// How the processes that accept have the listening sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sockets {
    /// All of them have all sockets; except that a socket of `listen ... reuseport` is as under `Own`.
    Shared,
    /// Each has a socket of its own for each address (SO_REUSEPORT), and the kernel spreads connections over them by a
    /// hash.
    Own,
    /// Each has a socket of its own, and the kernel chooses by the CPU that a connection comes in on: one of the
    /// processes that belong to the CPU (`worker::workers_by_cpu`).
    OwnByCpu,
    /// Each has a socket of its own, and the kernel chooses as `Model::steer` says.
    Steered,
}

/// The ways to spend a life.
pub enum Life {
    /// The event loop, with these hooks.
    Loop(Box<dyn Hooks>),
    /// Anything else. Returns when the commands that come by the context's signals say so. Error: the life could not
    /// begin.
    Own(Box<dyn FnOnce(ProcessContext) -> Result<(), Failure>>),
}
