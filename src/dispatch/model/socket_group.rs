//! The sockets of an address, of which each worker has one.

use crate::os::{Addr, Listener, SocketArray};

/// The sockets of an address, by the numbers of their workers.
#[derive(Clone, Debug)]
pub struct SocketGroup<'a> {
    /// The address in the conf.
    pub addr: &'a Addr,
    /// The sockets: number 0 is the first worker's.
    pub listeners: Vec<&'a Listener>,
    /// Where programs in the kernel find the sockets.
    pub array: &'a SocketArray,
    /// `backlog` in the conf.
    pub backlog: i32,
    /// Whether a socket may stop, and listen again later: the kernel keeps its port meanwhile, and no other program has
    /// the socket.
    pub may_stop: bool,
}
