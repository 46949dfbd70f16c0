//! The listening sockets of a process whose threads accept by themselves.

use std::io;
use std::sync::Arc;

use super::accepting::{Refusal, Rest, refusal};
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
    /// For each, whether no other process has it.
    is_own: Vec<bool>,
    poller: Poller,
    /// What is still to be taken, by a process that leaves.
    rests: Vec<Rest>,
}

impl Door {
    /// Why not a blocking accept, which would wake one thread as well: O_NONBLOCK belongs to the socket, which other
    /// processes share, and during a reload some of them may run an event loop.
    pub fn new(listeners: &[Arc<Listener>], is_own: &[bool]) -> io::Result<Door> {
        let poller = Poller::new()?;
        for (n, socket) in listeners.iter().enumerate() {
            poller.add(socket, Source::Listener(n as u32).key(), Interest::READ | Interest::EXCLUSIVE)?;
        }
        Ok(Door { listeners: listeners.to_vec(), is_own: is_own.to_vec(), poller, rests: Vec::new() })
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

    /// Lets go of the sockets, but of those that no other process has only when they are empty.
    pub fn leave(&mut self) -> io::Result<()> {
        let own = (0..).zip(&self.listeners).zip(&self.is_own).filter(|(_, is_own)| **is_own);
        self.rests.extend(own.map(|((n, socket), _)| Rest::of(n, socket.clone())));
        self.listeners.drain(..).try_for_each(|socket| self.poller.delete(&socket))
    }

    /// The next client that waits in one of those.
    pub fn next_of_rest(&mut self, tally: &Tally) -> Option<Visitor> {
        self.rests.iter_mut().find_map(|rest| {
            let (socket, peer) = rest.next(tally)?;
            Some(Visitor { socket, peer, listener: rest.listener as usize })
        })
    }
}
