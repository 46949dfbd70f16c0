//! Life of the parent: start, children, reload, upgrade, signals.
//!
//! [`serve`] reads the conf and opens the files and sockets that it names (`loader`, `sockets`), leaves the terminal,
//! writes the pid file, and then sleeps until a signal comes (`run`). The master touches no client and knows no
//! dispatch model: it asks the model for its plan, forks a process for each seat, fills the seats of those that die
//! (`children`), and tells the model of deaths. A reload makes a new [`Cycle`] beside the old one, whose children serve
//! the connections they have. `client` is the other side: `drover -s`.
//!
//! # The processes, and what they share
//!
//! ```text
//! systemd, a shell ──LISTEN_FDS──► master ──fork──► worker 0..n        serve; each seat of the model's plan
//!        ▲                          │  │ └──fork──► dispatcher         accepts or watches, in the models with one
//!        │ exit code,               │  │               └──fork──► child  serves one connection (model fork)
//!        │ greeting                 │  └──spawn─────► next binary      after USR2, with DROVER=6;7; and the sockets
//!   daemon's caller ◄──pipe─────────┘
//!                                   └──fork──► short-lived child       tries `user`, checks roots (os/in_child.rs)
//!
//! drover -s ──signal──► master      found by the pid file, whose locks say who wrote it (pid_file.rs)
//! ```
//!
//! Shared are:
//!
//! - The listening sockets: by master, workers, dispatchers and the next binary, as inherited descriptors. With
//!   `reuseport` each worker has a TCP socket of its own.
//! - The ledger, with the accept mutexes: by all processes, `drover -s reload` and the lab. A memfd that is mapped
//!   before
//!   the first fork and outlives the generations.
//! - A model's memory, eventfds and channels: by the processes of a generation. Made before the fork ([`Cycle`]).
//! - Log files, and the rest of a line that a full disk cut: by all processes. A memfd for each file; each process
//!   reopens its descriptors after USR1.
//! - The conf, the sites and the compiled patterns: by master and children, copy on write, read-only after the fork.
//!
//! Connections, file caches and buffers belong to a single worker. A dispatcher passes signals on to its children. The
//! master reaps its children, and as a subreaper those of a dispatcher that died. A process whose master was killed
//! gets the signal IO and leaves by itself (os/parent.rs).

pub mod back_off;
mod bind_advice;
mod bound;
pub mod children;
pub mod client;
mod cycle;
mod greeting;
mod holders;
mod inherited;
mod loader;
pub mod pid_file;
mod pid_location;
mod port_move;
mod roots;
mod run;
mod settings;
pub mod sockets;
mod start;
mod steered;
mod supervised;
mod user_files;

pub use cycle::Cycle;
pub use inherited::Inherited;
pub use loader::{LoadError, Loader, ParsedConf, Source};
pub use pid_location::PidLocation;
pub use settings::{
    DAEMON, DIRECTIVES, MASTER_PROCESS, PID, PidPath, TERM_DRAIN, USER, WORKER_PROCESSES, WorkerProcesses,
};
pub use start::{serve, test};
