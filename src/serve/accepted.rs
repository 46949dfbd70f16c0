//! A connection between its accept and its service.

use crate::os::{Addr, Socket};

/// A connection that was accepted and is not served yet.
#[derive(Debug)]
pub struct Accepted {
    /// The connected socket, from accept(2) or from another process.
    pub socket: Socket,
    /// The client's address.
    pub peer: Addr,
    /// Index of the listening socket, in the order of [`super::listen_sockets`].
    pub listener: usize,
}
