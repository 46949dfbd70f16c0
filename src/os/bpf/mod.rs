//! bpf(2), as far as the choice among sockets of an address needs it (SO_REUSEPORT): two kinds of maps, and a program.
//!
//! The five calls are made directly. A crate would bring a loader of object files, a compiler's output to load, and a
//! hundred times the code that stands here; the program has some fifty instructions.

mod assembler;
mod call;
mod least_loaded;
mod maps;

pub use least_loaded::{LeastLoaded, Refusal, WorkerLoad};
pub use maps::{SharedArray, SocketArray};
