//! The listening sockets of a process: which of them its epoll set watches, what accept4 gives or refuses, and what a
//! leaving process still takes from its own. Knows no model.

mod accept_error;
mod draining;
mod listening;
mod rotation;

pub(super) use accept_error::AcceptError;
pub(super) use draining::Draining;
pub use listening::Listening;
pub(super) use listening::log_epoll_failure;
pub(super) use rotation::Rotation;
