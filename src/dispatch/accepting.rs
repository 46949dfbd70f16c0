//! The state of an event loop that the models see, and the way a connection is accepted (ngx_event_accept.c): it exists
//! once, whatever the model.

use std::io;
use std::sync::Arc;

use nix::errno::Errno;

use super::{Hooks, Listening, report};
use crate::event::{Posted, Shutdown};
use crate::log;
use crate::os::{Addr, ErrnoText, Listener, Poller, Socket};
use crate::serve::Driver;
use crate::shm::Tally;

/// Settings of the `events` block that do not depend on the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptOptions {
    /// Take all that wait at once, or one at a time.
    pub multi_accept: bool,
    /// How long a loop without descriptors, or one that lost the mutex, waits until it tries again; ms.
    pub accept_mutex_delay_ms: u64,
    /// How long the mutex's holder may be silent while connections wait, ms; `None`: for ever.
    pub accept_mutex_lease_ms: Option<u64>,
    /// `worker_connections`.
    pub connections: usize,
}

/// One process's loop: what is in it, apart from the model.
pub struct Loop {
    /// A model may have made it, and change it from other processes; this one alone waits on it.
    pub poller: Arc<Poller>,
    pub driver: Box<dyn Driver>,
    pub listening: Listening,
    pub posted: Posted,
    pub tally: Arc<Tally>,
    /// This process.
    pub pid: u32,
    /// nginx's ngx_accept_disabled: above 0 when less than an eighth of the slots is free.
    pub accept_disabled: i64,
    pub options: AcceptOptions,
    pub shutdown: Shutdown,
    pause: Pause,
    draining: Vec<DrainingQueue>,
    /// When they are taken from again, after descriptors have run out, ms of the clock.
    drain_from: u64,
}

/// Why the loop does not listen, although its model would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    No,
    /// Out of descriptors, until this time, ms of the clock.
    Until(u64),
    /// Every slot is taken, and none of the connections may be closed for another yet.
    Full,
}

impl Loop {
    pub fn new(
        poller: impl Into<Arc<Poller>>,
        driver: Box<dyn Driver>,
        listening: Listening,
        tally: Arc<Tally>,
        pid: u32,
        options: AcceptOptions,
    ) -> Loop {
        let (poller, posted, accept_disabled) = (poller.into(), Posted::default(), 0);
        let (shutdown, pause, draining, drain_from) = (Shutdown::No, Pause::No, Vec::new(), 0);
        Loop {
            poller,
            driver,
            listening,
            posted,
            tally,
            pid,
            accept_disabled,
            options,
            shutdown,
            pause,
            draining,
            drain_from,
        }
    }

    /// Accepts from socket `n`: one connection, or with multi_accept all that wait. The model hears how it ended.
    pub fn accept_from(&mut self, n: u32, hooks: &mut dyn Hooks) {
        let most = if self.options.multi_accept { hooks.batch(self) } else { 1 };
        let (count, ended) = self.accept_some(n, most);
        if count > 0 {
            hooks.accepted(self, n, count);
        }
        match ended {
            Ended::Done => {}
            Ended::Full => {
                self.pause = Pause::Full;
                hooks.stop_listening(self);
            }
            Ended::OutOfFiles => {
                let delayed = self.driver.clock().now_ms() + self.options.accept_mutex_delay_ms;
                // A connection that may be closed then leaves its descriptor.
                self.pause = Pause::Until(self.driver.room_from().map_or(delayed, |from| from.min(delayed)));
                hooks.stop_listening(self);
            }
        }
        if count == 0 && ended != Ended::Done {
            hooks.declined(self);
        }
    }

    fn accept_some(&mut self, n: u32, most: u64) -> (u64, Ended) {
        let mut count = 0;
        loop {
            // Where nginx accepts what it has no slot for, and closes it, the connection stays in the backlog here.
            if self.driver.free() == 0 {
                self.driver.make_room();
                if self.driver.free() == 0 {
                    return (count, Ended::Full);
                }
            }
            let Some(listener) = self.listening.get(n) else { return (count, Ended::Done) };
            match listener.accept() {
                Ok((socket, peer)) => {
                    count += 1;
                    self.tally.accepts.add(1);
                    self.driver.make_room();
                    self.count_free();
                    self.driver.accept(socket, peer, n as usize, &self.poller);
                    // At once, and not when the next connection comes: one that woke this process would wake no other.
                    if !self.has_room() {
                        return (count, Ended::Full);
                    }
                }
                Err(error) => match self.accept_failed(&error) {
                    Some(ended) => return (count, ended),
                    None => continue,
                },
            }
            if count >= most {
                return (count, Ended::Done);
            }
        }
    }

    /// `None`: go on with the next connection.
    fn accept_failed(&mut self, error: &io::Error) -> Option<Ended> {
        match refusal(error, &self.tally) {
            Refusal::ClientGone if self.options.multi_accept => None,
            Refusal::OutOfFiles(_) if self.driver.release_descriptors() => None,
            refusal @ Refusal::OutOfFiles(_) => {
                refusal.complain();
                Some(Ended::OutOfFiles)
            }
            Refusal::ClientGone | Refusal::NobodyWaits | Refusal::Other => Some(Ended::Done),
        }
    }

    /// The back-off: at 7/8 of the slots it turns positive. As in nginx, reckoned before the new connection takes its slot.
    pub fn count_free(&mut self) {
        self.accept_disabled = (self.driver.capacity() / 8) as i64 - self.driver.free() as i64;
    }

    /// Whether less than an eighth of the slots is free now, which a back-off that counts turns does not know.
    pub fn is_over_limit(&self) -> bool {
        self.driver.free() <= self.driver.capacity() / 8
    }

    /// Whether one more connection could be taken, in the place of an idle one if need be.
    fn has_room(&mut self) -> bool {
        let now = self.driver.clock().now_ms();
        self.driver.free() > 0 || self.driver.room_from().is_some_and(|from| from <= now)
    }

    /// Whether the process could take connections: it has descriptors and slots, and is not leaving. Ends a pause whose
    /// reason is gone.
    pub fn may_listen(&mut self) -> bool {
        let may_go_on = match self.pause {
            Pause::No => true,
            Pause::Until(at) => self.driver.clock().now_ms() >= at,
            Pause::Full => self.has_room(),
        };
        if !may_go_on {
            return false;
        }
        self.pause = Pause::No;
        report(self.listening.arm_own(&self.poller));
        !self.listening.is_closed()
    }

    /// The process leaves: it lets go of the sockets, but of those that no other process has only when they are empty.
    pub fn leave_sockets(&mut self) {
        self.draining = self.listening.queues_to_drain();
        report(self.listening.close(&self.poller));
        self.drain_queues();
    }

    /// Accepts what waits in the sockets that it has not let go of, as far as there are slots.
    pub fn drain_queues(&mut self) {
        let now = self.driver.clock().now_ms();
        if now < self.drain_from {
            return;
        }
        let mut draining = std::mem::take(&mut self.draining);
        for queue in &mut draining {
            self.driver.make_room();
            while self.driver.free() > 0 {
                let Some((socket, peer)) = queue.next(&self.tally) else { break };
                self.driver.accept(socket, peer, queue.listener as usize, &self.poller);
                self.driver.make_room();
            }
            if self.driver.free() > 0 && !queue.is_drained() {
                self.drain_from = now + self.options.accept_mutex_delay_ms;
            }
        }
        draining.retain(|queue| !queue.is_drained());
        self.draining = draining;
    }

    /// When a pause ends by itself, ms of the clock.
    pub fn pause_ends(&self) -> Option<u64> {
        match self.pause {
            Pause::No => None,
            Pause::Until(at) => Some(at),
            Pause::Full => self.driver.room_from(),
        }
    }

    /// Whether there are no descriptors, as far as is known.
    pub fn is_out_of_files(&self) -> bool {
        matches!(self.pause, Pause::Until(_))
    }
}

/// What waits in a socket that no other process has, for a process that leaves: nobody else would take it.
///
/// The socket may have been given to a successor, which goes on with its queue. So no more is taken than waited when the process
/// began to leave, and some that were about to.
#[derive(Debug)]
pub struct DrainingQueue {
    /// Index of the socket.
    pub listener: u32,
    socket: Arc<Listener>,
    left: u32,
}

impl DrainingQueue {
    pub(super) fn of(listener: u32, socket: Arc<Listener>) -> DrainingQueue {
        const ABOUT_TO: u32 = 64;
        let left = socket.queue_length().unwrap_or(0).saturating_add(ABOUT_TO);
        DrainingQueue { listener, socket, left }
    }

    /// The next connection; `None`: there is none, or no descriptor for it.
    pub(super) fn next(&mut self, tally: &Tally) -> Option<(Socket, Addr)> {
        while self.left > 0 {
            match self.socket.accept() {
                Ok(found) => {
                    self.left -= 1;
                    tally.accepts.add(1);
                    return Some(found);
                }
                Err(error) => match refusal(&error, tally) {
                    Refusal::ClientGone => {}
                    refusal @ Refusal::OutOfFiles(_) => {
                        refusal.complain();
                        return None;
                    }
                    Refusal::NobodyWaits | Refusal::Other => self.left = 0,
                },
            }
        }
        None
    }

    pub(super) fn is_drained(&self) -> bool {
        self.left == 0
    }
}

/// Why there was nothing to accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    NobodyWaits,
    /// The client was gone before it was accepted: the next one may wait.
    ClientGone,
    /// This process, or the system, has no descriptor left: EMFILE or ENFILE.
    OutOfFiles(Errno),
    Other,
}

impl Refusal {
    /// Logs that there was no descriptor, and none could be had.
    pub(super) fn complain(self) {
        if let Refusal::OutOfFiles(errno) = self {
            log::crit!("accept4() failed ({})", ErrnoText(&errno.into()));
        }
    }
}

/// Counts an accept that failed, and logs it, unless it was for want of a descriptor.
pub(super) fn refusal(error: &io::Error, tally: &Tally) -> Refusal {
    if error.kind() == io::ErrorKind::WouldBlock {
        tally.empty_accepts.add(1);
        return Refusal::NobodyWaits;
    }
    tally.failed_accepts.add(1);
    let text = ErrnoText(error);
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ECONNABORTED) => {
            log::error!("accept4() failed ({text})");
            Refusal::ClientGone
        }
        Some(errno @ (Errno::EMFILE | Errno::ENFILE)) => Refusal::OutOfFiles(errno),
        _ => {
            log::alert!("accept4() failed ({text})");
            Refusal::Other
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Done,
    Full,
    OutOfFiles,
}
