//! The listening sockets of a process whose threads accept by themselves.

use std::io;
use std::sync::Arc;

use super::accepting::{DrainingQueue, Refusal, refusal};
use super::bell::{listen_to, tell};
use super::report;
use super::rotation::Rotation;
use crate::event::Source;
use crate::log;
use crate::os::{Addr, ErrnoText, EventFd, Events, Interest, Listener, Poller, Socket};
use crate::shm::Tally;

/// A client that has been accepted and waits to be served.
pub(super) struct Visitor {
    pub socket: Socket,
    pub peer: Addr,
    /// Index of the listening socket.
    pub listener: usize,
}

/// The number by which the set knows the gong; 0 is the thread's own.
const GONG: Source = Source::Model(1);

fn watch(poller: &Poller, n: u32, socket: &Listener) -> io::Result<()> {
    poller.add(socket, Source::Listener(n).key(), Interest::READ | Interest::EXCLUSIVE)
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
    /// Rung by a thread that was woken for a connection and can't take it: the kernel tells nobody else.
    gong: Arc<EventFd>,
    rotation: Rotation,
    /// What is still to be taken, by a process that leaves.
    draining: Vec<DrainingQueue>,
}

impl Door {
    /// Why not a blocking accept, which would wake one thread as well: O_NONBLOCK belongs to the socket, which other
    /// processes share, and during a reload some of them may run an event loop.
    pub fn new(listeners: &[Arc<Listener>], is_own: &[bool], gong: Arc<EventFd>) -> io::Result<Door> {
        let poller = Poller::new()?;
        listen_to(&gong, GONG, &poller)?;
        for (n, socket) in listeners.iter().enumerate() {
            watch(&poller, n as u32, socket)?;
        }
        let (listeners, is_own) = (listeners.to_vec(), is_own.to_vec());
        Ok(Door { listeners, is_own, poller, gong, rotation: Rotation::default(), draining: Vec::new() })
    }

    /// Where to wait for the sockets, and for other things.
    pub fn poller(&self) -> &Poller {
        &self.poller
    }

    /// Waits until a socket has something, or another source of the set, for `timeout` ms at most.
    pub fn wait(&self, events: &mut Events, timeout: Option<u64>) {
        if let Err(error) = self.poller.wait(events, timeout) {
            log::alert!("epoll_wait() failed ({})", ErrnoText(&error));
        }
        if events.iter().any(|(key, _)| Source::of(key) == GONG) {
            // Sockets that are put in anew are looked at once more.
            report((0..).zip(&self.listeners).try_for_each(|(n, socket)| self.move_to_back(n, socket)));
        }
    }

    fn is_own(&self, n: u32) -> bool {
        self.is_own.get(n as usize).is_some_and(|is_own| *is_own)
    }

    /// Takes a socket out of the set and puts it in again, behind the others that watch it.
    fn move_to_back(&self, n: u32, socket: &Listener) -> io::Result<()> {
        self.poller.delete(socket).and_then(|()| watch(&self.poller, n, socket))
    }

    /// The next client of socket `n`. Errors: there is none; counted in `tally`, and logged unless it is for want of a
    /// descriptor. Who has none lets others know.
    pub fn accept(&mut self, n: u32, tally: &Tally) -> Result<Visitor, Refusal> {
        let listener = self.listeners.get(n as usize).ok_or(Refusal::NobodyWaits)?;
        match listener.accept() {
            Ok((socket, peer)) => {
                tally.accepts.add(1);
                if !self.is_own(n) && self.rotation.is_due(n, 1) {
                    tally.rotations.add(1);
                    report(self.move_to_back(n, listener));
                }
                Ok(Visitor { socket, peer, listener: n as usize })
            }
            Err(error) => {
                let refusal = refusal(&error, tally);
                if matches!(refusal, Refusal::OutOfFiles(_) | Refusal::Other) {
                    tell(&self.gong);
                }
                Err(refusal)
            }
        }
    }

    /// Lets go of the sockets, but of those that no other process has only when they are empty.
    pub fn leave(&mut self) -> io::Result<()> {
        let own = (0..).zip(&self.listeners).zip(&self.is_own).filter(|(_, is_own)| **is_own);
        self.draining.extend(own.map(|((n, socket), _)| DrainingQueue::of(n, socket.clone())));
        self.listeners.drain(..).try_for_each(|socket| self.poller.delete(&socket))
    }

    /// Whether there is something left in one of those, as far as is known.
    pub fn is_draining(&self) -> bool {
        self.draining.iter().any(|queue| !queue.is_drained())
    }

    /// The next client that waits there; `None`: there is none, or no descriptor for it.
    pub fn next_to_drain(&mut self, tally: &Tally) -> Option<Visitor> {
        self.draining.iter_mut().find_map(|queue| {
            let (socket, peer) = queue.next(tally)?;
            Some(Visitor { socket, peer, listener: queue.listener as usize })
        })
    }
}
