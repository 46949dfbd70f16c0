//! Life of the parent: start, children, reload, upgrade, signals.
//!
//! [`serve`] reads the conf and opens what it names (`loader`, `sockets`), leaves the terminal, writes the pid file, and then
//! sleeps until a signal comes (`run`). The master touches no client and knows no dispatch model: it asks the model for its plan,
//! forks a process for each seat, fills the seats of those that die (`children`), and tells the model of deaths. A reload
//! makes a new [`Cycle`] beside the old one, and lets the old one's children serve to their end. `client` is the other
//! side: `drover -s`.

pub mod back_off;
mod bind_advice;
pub mod children;
pub mod client;
mod cycle;
mod greeting;
mod holders;
mod loader;
pub mod pid_file;
mod pid_place;
mod port_move;
mod roots;
mod run;
mod settings;
pub mod sockets;
mod start;
mod supervised;

pub use cycle::Cycle;
pub use loader::{LoadError, Loader, Read, Source};
pub use pid_place::PidPlace;
pub use settings::{DAEMON, DIRECTIVES, MASTER_PROCESS, PID, PidPath, USER, WORKER_PROCESSES, WorkerProcesses};
pub use start::{serve, test};
