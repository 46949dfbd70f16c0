//! The listening sockets of a process whose threads accept by themselves.

use std::cell::RefCell;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::dispatch::sockets::{AcceptError, Draining, Rotation, log_epoll_failure};
use crate::dispatch::waker::{wake, watch_waker};
use crate::event::Source;
use crate::log;
use crate::os::{ErrnoText, EventFd, Events, Failure, Interest, Listener, Poller};
use crate::serve::Accepted;
use crate::shm::Tally;

/// The numbers by which the set knows the wakers.
const THREAD_WAKER: Source = Source::Model(0);
const WORKERS_WAKER: Source = Source::Model(1);

/// A thread's descriptors of the listening sockets, and the epoll set in which the thread waits for them.
///
/// A connection wakes one thread of all those that sleep (EPOLLEXCLUSIVE), and no other. So a thread lets go of its
/// sockets only between two waits, when it has looked for the connection that it was woken for: a socket that another
/// thread closed meanwhile would leave that connection to no thread. The sockets are closed when the last thread of the
/// process has let go.
///
/// Not a blocking accept, which would wake one thread as well: O_NONBLOCK belongs to the socket, which other processes
/// share, and during a reload some of them may run an event loop.
pub(crate) struct SharedListeners {
    listeners: Vec<Arc<Listener>>,
    /// For each socket, whether no other process has it.
    is_own: Vec<bool>,
    poller: Poller,
    /// Woken by a thread that was woken for a connection and can't take it, or sees one that nobody takes: the kernel
    /// wakes no other thread for that connection.
    workers_waker: Arc<EventFd>,
    rotation: Rotation,
    /// The sockets that were taken out of the set and could not be put in again.
    missing: RefCell<Vec<u32>>,
    /// The backlogs that a leaving process still accepts from.
    draining: Draining,
}

impl SharedListeners {
    /// A thread's share of the sockets. `workers_waker`: the same for all processes of the generation. Error: no
    /// descriptors left.
    pub(crate) fn new(
        listeners: &[Arc<Listener>],
        is_own: &[bool],
        workers_waker: Arc<EventFd>,
    ) -> io::Result<SharedListeners> {
        let poller = Poller::new()?;
        watch_waker(&workers_waker, WORKERS_WAKER, &poller)?;
        for (n, socket) in listeners.iter().enumerate() {
            watch(&poller, n as u32, socket)?;
        }
        Ok(SharedListeners {
            listeners: listeners.to_vec(),
            is_own: is_own.to_vec(),
            poller,
            workers_waker,
            rotation: Rotation::default(),
            missing: RefCell::default(),
            draining: Draining::default(),
        })
    }

    /// The epoll set, whose descriptor is readable while a connection waits.
    pub(crate) fn poller(&self) -> &Poller {
        &self.poller
    }

    /// Adds the thread's waker to the epoll set, so that commands end a wait. Error: epoll_ctl has no memory.
    pub(crate) fn watch_thread_waker(&self, waker: BorrowedFd<'_>) -> Result<(), Failure> {
        let added = self.poller.add(waker, THREAD_WAKER.key(), Interest::READ);
        added.map_err(|e| Failure::new("epoll_ctl()", e))
    }

    /// Waits until a socket or another source of the set is ready, for `timeout` ms at most; `None`: for ever.
    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<u64>) {
        self.add_missing();
        if let Err(error) = self.poller.wait(events, timeout) {
            log::alert!("epoll_wait() failed ({})", ErrnoText(&error));
        }
        if events.iter().any(|(key, _)| Source::of(key) == WORKERS_WAKER) {
            // A connection that waits is reported anew for sockets that are put in anew.
            (0..).zip(&self.listeners).for_each(|(n, socket)| self.move_to_back(n, socket));
        }
    }

    fn is_own(&self, n: u32) -> bool {
        self.is_own.get(n as usize).is_some_and(|is_own| *is_own)
    }

    /// Takes a socket out of the set and puts it in again, behind the other threads that watch it.
    fn move_to_back(&self, n: u32, socket: &Listener) {
        let is_there = !self.missing.borrow().contains(&n);
        if is_there
            && log_epoll_failure(self.poller.delete(socket))
            && !log_epoll_failure(watch(&self.poller, n, socket))
        {
            self.missing.borrow_mut().push(n);
        }
    }

    /// Puts the sockets into the set that are missing there.
    fn add_missing(&self) {
        self.missing.borrow_mut().retain(|n| {
            self.listeners.get(*n as usize).is_some_and(|socket| !log_epoll_failure(watch(&self.poller, *n, socket)))
        });
    }

    /// Accepts from socket `n`. Errors are counted in `tally`, and logged except for OutOfFiles. When this thread can't
    /// accept what it was woken for, it wakes the other workers.
    pub(crate) fn accept(&mut self, n: u32, tally: &Tally) -> Result<Accepted, AcceptError> {
        let listener = self.listeners.get(n as usize).ok_or(AcceptError::NoneWaits)?;
        match listener.accept() {
            Ok((socket, peer)) => {
                tally.accepts.add(1);
                if !self.is_own(n) && self.rotation.count(n, 1) {
                    tally.rotations.add(1);
                    self.move_to_back(n, listener);
                }
                Ok(Accepted { socket, peer, listener: n as usize })
            }
            Err(error) => {
                let error = AcceptError::count(&error, tally);
                if matches!(error, AcceptError::OutOfFiles(_) | AcceptError::Other) {
                    self.wake_workers();
                }
                Err(error)
            }
        }
    }

    /// Wakes the threads of all workers: those that wait accept what is there, also if the kernel woke another for it.
    pub(crate) fn wake_workers(&self) {
        wake(&self.workers_waker);
    }

    /// Lets go of the sockets, for the shutdown of the process. Those that no other process has are kept until their
    /// backlogs are drained.
    pub(crate) fn leave(&mut self) -> io::Result<()> {
        let own = (0..).zip(&self.listeners).zip(&self.is_own).filter(|(_, is_own)| **is_own);
        if !self.listeners.is_empty() {
            self.draining = Draining::of(own.map(|((n, socket), _)| (n, socket.clone())));
        }
        let missing = self.missing.take();
        let watched = (0..).zip(self.listeners.drain(..)).filter(|(n, _)| !missing.contains(n));
        watched.map(|(_, socket)| self.poller.delete(&socket)).fold(Ok(()), Result::and)
    }

    /// Whether a backlog is still to be drained, as far as is known.
    pub(crate) fn is_draining(&self) -> bool {
        !self.draining.is_over()
    }

    /// The next connection of the backlogs that are to be drained; `None`: there is none, or no descriptor for it.
    pub(crate) fn next_to_drain(&mut self, tally: &Tally) -> Option<Accepted> {
        self.draining.next(tally)
    }
}

fn watch(poller: &Poller, n: u32, socket: &Listener) -> io::Result<()> {
    poller.add(socket, Source::Listener(n).key(), Interest::READ | Interest::EXCLUSIVE)
}
