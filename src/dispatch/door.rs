//! The listening sockets of a process whose threads accept by themselves.

use std::io;
use std::sync::Arc;

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

/// One thread's share of the sockets, and the set in which it waits for them.
///
/// A connection wakes one thread of all those that sleep, and nobody else hears of it. So a thread lets go of its share only
/// between two waits, when it has looked for what it was woken for: sockets that another thread closed behind its back would
/// leave that connection to nobody. They are closed when the last thread of the process has let go.
pub(super) struct Door {
    listeners: Vec<Arc<Listener>>,
    poller: Poller,
}

impl Door {
    /// Why not a blocking accept, which would wake one thread as well: O_NONBLOCK belongs to the socket, which other
    /// processes share, and during a reload some of them may run an event loop.
    pub fn new(listeners: &[Arc<Listener>]) -> io::Result<Door> {
        let poller = Poller::new()?;
        for (n, socket) in listeners.iter().enumerate() {
            poller.add(socket, Source::Listener(n as u32).key(), Interest::READ | Interest::EXCLUSIVE)?;
        }
        Ok(Door { listeners: listeners.to_vec(), poller })
    }

    /// Where to wait for the sockets, and for other things.
    pub fn poller(&self) -> &Poller {
        &self.poller
    }

    /// The next client of socket `n`. Errors: there is none; counted in `tally`, and logged if need be.
    pub fn accept(&self, n: u32, tally: &Tally) -> Result<Visitor, Refusal> {
        let listener = self.listeners.get(n as usize).ok_or(Refusal::NobodyWaits)?;
        match listener.accept() {
            Ok((socket, peer)) => {
                tally.accepts.add(1);
                Ok(Visitor { socket, peer, listener: n as usize })
            }
            Err(error) => Err(refusal(&error, tally)),
        }
    }

    /// Lets go of the sockets.
    pub fn close(&mut self) -> io::Result<()> {
        self.listeners.drain(..).try_for_each(|socket| self.poller.delete(&socket))
    }
}
