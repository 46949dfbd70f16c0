//! Every line of `unsafe` and every raw system call, behind safe, small types.
//!
//! The layer decides nothing: each type owns a kernel object and offers the calls that the layers above need. Calls are
//! repeated on EINTR, flags are set once, and errors are returned as the kernel gave them.

mod abandoned;
mod addr;
mod bpf;
pub mod cached;
pub mod confine;
mod connect_unix;
pub mod daemon;
mod datagram;
mod dir;
mod eventfd;
pub mod failure;
pub(crate) mod faults;
mod fd_channel;
pub mod file;
mod glob;
pub mod guarded;
pub mod in_child;
pub mod inherit;
pub mod limits;
mod listener;
pub mod lock;
mod locked_words;
pub mod machine;
pub mod memory;
mod notify_socket;
pub mod openat2;
mod output;
pub mod parent;
pub mod pcre;
mod poll;
mod poller;
pub mod privileges;
pub mod process;
pub mod seccomp;
pub mod secrecy;
mod shared_map;
mod shared_words;
pub mod signals;
mod socket;
mod socket_file;
mod stamps;
mod steering;
pub mod time;
mod title;
mod typed;
pub mod users;

pub use abandoned::replace_abandoned;
pub use addr::{Addr, resolve};
pub use bpf::{LeastLoaded, Refusal, SharedArray, SocketArray, WorkerLoad};
pub use connect_unix::connect_unix;
pub use datagram::Datagrams;
pub use dir::{Dir, Name};
pub use eventfd::EventFd;
pub use failure::{ErrnoText, Failure};
pub use fd_channel::{FdChannel, FdMessage};
pub use glob::glob;
pub use guarded::Links;
#[cfg(test)]
pub(crate) use listener::connect_all;
pub use listener::{Keepalive, ListenOptions, Listener};
pub use locked_words::{LockedWords, Words};
pub use notify_socket::NotifySocket;
pub use output::print;
pub use poll::poll;
pub use poller::{Events, Interest, Poller, Ready};
pub(crate) use shared_map::shareable;
pub use shared_map::{Shareable, Shared, SharedMap, memory_file};
pub use shared_words::SharedWords;
pub use socket::{Linger, Socket};
pub use socket_file::{FileId, SocketFile};
pub use stamps::Stamps;
pub use steering::{CpuGroup, Steer};
pub use title::set_title;
pub use typed::Typed;

use std::io;

/// Makes a system call that reports failure as -1; repeats the call when a signal interrupted it.
fn retry<T: Copy + Into<i64>>(mut call: impl FnMut() -> T) -> io::Result<T> {
    loop {
        let result = call();
        if result.into() != -1 {
            return Ok(result);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
