//! The dispatch models: who accepts the next connection. One file each, one line each in `MODELS`.
//!
//! # Which processes exist, and what they share
//!
//! The master forks them all, and touches no client. Each process has its slot in the ledger, and a copy of all
//! descriptors that existed before the fork.
//!
//! ```text
//! accept_mutex      worker 0 ... n-1     each waits in an epoll set of its own for the shared listening sockets
//! accept_handoff                         shared: accept mutex and watch (in the ledger), a waker for each worker;
//!                                        accept_handoff: also a table of loads and roles, and all epoll sets
//!
//! herd              worker 0 ... n-1     each waits in an epoll set of its own
//! exclusive                              shared: the listening sockets; exclusive, reuseport: a waker of all workers
//! reuseport                              in reuseport each has listening sockets of its own, kept by the master
//! steer                                  steer: the same, and a table of loads, which the kernel reads for each SYN
//!
//! pool_notify       dispatcher --FdChannel i--> worker i       messages: a connection waits at socket k
//! pool_pass         dispatcher --FdChannel i--> worker i       messages: accepted connections (SCM_RIGHTS)
//! pool_queue        dispatcher --FdChannel----> all workers    the same; a worker that is free takes the next
//!                                        shared: the channels, a table of messages in flight, two wakers; of all
//!                                        processes the dispatcher alone waits for the listening sockets
//!
//! prefork           worker 0 ... n-1     t serving threads each; a thread has an epoll set of the listening sockets
//! thread_pool       worker 0 ... n-1     an acceptor thread, a bounded queue and t serving threads each
//! leader_follower   worker 0 ... n-1     t threads each, which share an epoll set and all connections
//!                                        shared by the workers: the listening sockets, a waker of all workers
//!
//! fork              dispatcher --fork--> a process for each connection
//!                                        shared: an eventfd by which the dispatcher asks idle children for room
//! ```
//!
//! # Adding a model
//!
//! 1. Write `src/dispatch/NAME.rs` with a `pub(super) static KIND: ModelKind` (its name, its parameters, its text for
//!    the reference page) and a type that implements `Model`. `herd.rs` is the smallest; `model/` describes the seam.
//! 2. Below, add `mod NAME;` to the models and `&NAME::KIND` to `MODELS`.
//!
//! Nothing else changes: the directive, its checks and its reference page, forking, respawn, drain, reload, signals,
//! the ledger and HTTP know no model by name.

// The parts that models are built of. Each uses those above it.
mod waker;

mod sockets;

mod model;

mod lease;

mod threads;

mod pool;

// The models.
mod accept_handoff;
mod accept_mutex;
mod exclusive;
mod fork;
mod herd;
mod leader_follower;
mod pool_notify;
mod pool_pass;
mod pool_queue;
mod prefork;
mod reuseport;
mod steer;
mod thread_pool;

/// All models, in the order of the reference page.
pub static MODELS: &[&ModelKind] = &[
    &accept_mutex::KIND,
    &accept_handoff::KIND,
    &herd::KIND,
    &exclusive::KIND,
    &reuseport::KIND,
    &steer::KIND,
    &pool_notify::KIND,
    &pool_pass::KIND,
    &pool_queue::KIND,
    &prefork::KIND,
    &thread_pool::KIND,
    &fork::KIND,
    &leader_follower::KIND,
];

// The `events` block, which chooses one.
pub mod settings;

pub use model::{
    AcceptOptions, Command, Engines, Hooks, Life, Loop, Model, ModelKind, Param, Places, ProcessContext, Seat, Setup,
    SocketGroup, Sockets, StandIn, Takes, Wait, acceptors, announce_shutdown, next_command,
};
pub use settings::{Choice, DIRECTIVES};
pub use sockets::Listening;
