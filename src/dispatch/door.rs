//! The listening sockets of a process whose threads accept by themselves.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use super::accepting::{Refusal, refusal};
use crate::event::Source;
use crate::os::{Addr, Interest, Listener, Poller, Socket};
use crate::shm::Tally;

/// A client that has been accepted and waits to be served.
pub(super) struct Visitor {
    pub socket: Socket,
    pub peer: Addr,
    /// Index of the listening socket.
    pub listener: usize,
}

/// Shared by the threads of a process. Nobody sleeps while holding the lock, so that the sockets close as soon as the
/// process leaves, however long its clients stay.
pub(super) struct Door(RwLock<Vec<Arc<Listener>>>);

impl Door {
    pub fn new(listeners: Vec<Arc<Listener>>) -> Door {
        Door(RwLock::new(listeners))
    }

    /// Adds the sockets to a set, so that each connection wakes one of all the threads and processes that sleep.
    ///
    /// Why not a blocking accept, which would do the same: O_NONBLOCK belongs to the socket, which other processes share, and
    /// during a reload some of them may run an event loop.
    pub fn watch(&self, poller: &Poller) -> io::Result<()> {
        let listeners = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut sockets = listeners.iter().enumerate();
        sockets.try_for_each(|(n, socket)| {
            poller.add(socket, Source::Listener(n as u32).key(), Interest::READ | Interest::EXCLUSIVE)
        })
    }

    /// The next client of socket `n`. Errors: there is none; counted in `tally`, and logged if need be.
    pub fn accept(&self, n: u32, tally: &Tally) -> Result<Visitor, Refusal> {
        let listeners = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let listener = listeners.get(n as usize).ok_or(Refusal::NobodyWaits)?;
        match listener.accept() {
            Ok((socket, peer)) => {
                tally.accepts.add(1);
                Ok(Visitor { socket, peer, listener: n as usize })
            }
            Err(error) => Err(refusal(&error, tally)),
        }
    }

    /// Closes the sockets, for this process.
    pub fn close(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
