//! A connection between its accept and its service.

use crate::os::{Addr, Socket};

/// A connection that was accepted and is not served yet.
#[derive(Debug)]
pub struct Accepted {
    pub socket: Socket,
    pub peer: Addr,
    /// Index of the listening socket, in the order of [`super::listen_sockets`].
    pub listener: usize,
}
