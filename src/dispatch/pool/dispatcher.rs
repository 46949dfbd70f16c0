//! The dispatcher of a pool: it waits for connections, lets the model's policy hand them to the workers, and obeys the
//! master.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::fence;

use super::policy::{Candidate, Chooser};
use super::shared::{MOST_IN_FLIGHT, PoolShared};
use crate::dispatch::model::{Command, ProcessContext, announce_shutdown, next_command};
use crate::dispatch::sockets::{Listening, log_epoll_failure};
use crate::dispatch::waker::{wake, watch_waker};
use crate::event::{Shutdown, Source, monotonic_ms};
use crate::log;
use crate::os::{ErrnoText, Events, Failure, FdChannel, Poller};
use crate::shm::Slot;

const DISPATCHER_WAKER: Source = Source::Model(0);

/// How a kind of pool hands connections to the workers.
pub(crate) trait DispatchPolicy {
    /// Connections wait at socket `n`.
    fn on_readable(&mut self, dispatcher: &mut Dispatcher, n: u32);

    /// Called before each wait, which ends when a worker wakes the dispatcher. Returns when it must be called again, ms
    /// of the clock.
    fn before_wait(&mut self, dispatcher: &mut Dispatcher) -> Option<u64>;

    /// The channels along which nothing may be sent now.
    fn excluded(&self) -> Vec<u32> {
        Vec::new()
    }

    /// Whether the policy holds a connection that it could not pass on.
    fn holds_connection(&self) -> bool {
        false
    }
}

/// The state of the dispatcher's process, apart from the policy.
pub(crate) struct Dispatcher {
    pub(crate) context: ProcessContext,
    pub(crate) poller: Poller,
    pub(crate) listening: Listening,
    pub(crate) shared: Arc<PoolShared>,
    chooser: Chooser,
    /// The indices of the workers' slots in the ledger, where they were found last, by seat.
    hints: Vec<usize>,
    candidates: Vec<Candidate>,
    /// No worker has a free slot: connections stay in the backlog.
    is_room_wanted: bool,
    /// The end of a pause, without accepts, ms of the clock.
    pause_until: u64,
    shutdown: Shutdown,
    /// When a graceful shutdown becomes a fast one, whatever the process holds, ms of the clock.
    shutdown_deadline: Option<u64>,
}

impl Dispatcher {
    /// For the dispatcher's process. Errors: no descriptors or memory left.
    pub(crate) fn new(
        mut context: ProcessContext,
        shared: Arc<PoolShared>,
        mut chooser: Chooser,
    ) -> Result<Dispatcher, Failure> {
        let poller = Poller::new().map_err(|e| Failure::new("epoll_create()", e))?;
        context.watch_signals(&poller)?;
        watch_waker(&shared.dispatcher_waker, DISPATCHER_WAKER, &poller)
            .map_err(|e| Failure::new("epoll_ctl() for an eventfd", e))?;
        chooser.seed(monotonic_ms() ^ u64::from(context.pid) << 32);
        // A dead predecessor may have waited for room.
        shared.table.room_wanted.store(0, SeqCst);
        Ok(Dispatcher {
            listening: Listening::new(&std::mem::take(&mut context.listeners)),
            poller,
            chooser,
            hints: vec![0; shared.workers as usize],
            candidates: Vec::new(),
            is_room_wanted: false,
            pause_until: 0,
            shutdown: Shutdown::No,
            shutdown_deadline: None,
            shared,
            context,
        })
    }

    /// Runs until the master's commands end the process.
    pub(crate) fn run(mut self, mut policy: impl DispatchPolicy) {
        let mut events = Events::with_capacity(64);
        loop {
            let deadline = self.prepare(&mut policy);
            if self.shutdown == Shutdown::Fast || (self.shutdown == Shutdown::Graceful && !policy.holds_connection()) {
                break;
            }
            let timeout = deadline.map(|at| at.saturating_sub(monotonic_ms()));
            if let Err(error) = self.poller.wait(&mut events, timeout) {
                log::alert!("epoll_wait() failed ({})", ErrnoText(&error));
            }
            self.context.tally.turns.add(1);
            let mut is_woken = false;
            for (key, _) in events.iter() {
                match Source::of(key) {
                    Source::Listener(n) => {
                        if !std::mem::replace(&mut is_woken, true) {
                            self.context.tally.wakeups.add(1);
                        }
                        policy.on_readable(&mut self, n);
                    }
                    DISPATCHER_WAKER => self.is_room_wanted = false,
                    _ => self.obey(),
                }
            }
        }
        if policy.holds_connection() {
            log::warn!("an accepted connection is closed, the dispatcher has to end before a worker has room for it");
        }
        log::notice!("exiting");
    }

    /// Everything that must be done before a wait; arms the sockets if the process can accept. Returns until when to
    /// wait at most, ms of the clock.
    fn prepare(&mut self, policy: &mut impl DispatchPolicy) -> Option<u64> {
        let now = monotonic_ms();
        if self.shutdown_deadline.is_some_and(|until| now >= until) {
            self.shutdown = Shutdown::Fast;
        }
        let policy_deadline = policy.before_wait(self);
        if !policy.holds_connection() {
            self.confirm();
        }
        if self.is_room_wanted {
            self.shared.recount_sent();
            self.is_room_wanted = !self.has_room(&policy.excluded());
        }
        let is_paused = now < self.pause_until;
        if !is_paused && !self.is_room_wanted && !policy.holds_connection() && !self.listening.is_closed() {
            log_epoll_failure(self.listening.arm(&self.poller));
        }
        self.context.tally.listening.set(self.listening.is_armed().into());
        // A worker that has room wakes the dispatcher. This limits the wait in case that worker has died before it
        // could.
        let backstop = self.is_room_wanted.then(|| now + self.context.options.accept_mutex_delay_ms);
        [policy_deadline, self.shutdown_deadline, is_paused.then_some(self.pause_until), backstop]
            .into_iter()
            .flatten()
            .min()
    }

    /// Confirms to the workers that leave that no message will be sent to them. Only while the policy holds no
    /// connection.
    fn confirm(&self) {
        for seat in 0..self.shared.workers {
            let record = self.shared.record(seat);
            let leaving = record.leaving.load(SeqCst);
            if record.confirmed.load(Relaxed) != leaving {
                record.confirmed.store(leaving, SeqCst);
            }
        }
    }

    /// The channel for the next connection, none of `excluded`; `None`: no worker has room.
    pub(crate) fn choose(&mut self, excluded: &[u32]) -> Option<u32> {
        self.candidates.clear();
        for channel in 0..self.shared.channels.len() as u32 {
            if let Some(load) = self.load(channel).filter(|_| !excluded.contains(&channel)) {
                self.candidates.push((channel, load));
            }
        }
        self.chooser.choose(&self.candidates)
    }

    /// The load of a channel: connections of its workers, and messages in flight; `None`: nothing may be sent along it.
    fn load(&mut self, channel: u32) -> Option<u64> {
        let (mut load, mut slots) = (self.shared.in_flight(channel), 0);
        if load >= MOST_IN_FLIGHT {
            return None;
        }
        for seat in self.shared.seats_of(channel) {
            let Some(hint) = self.hints.get_mut(seat as usize) else { continue };
            if let Some(slot) = self.shared.available_worker(seat, hint) {
                load += slot.connections.get();
                slots += self.shared.capacity(seat);
            }
        }
        (load < slots).then_some(load)
    }

    /// In a graceful shutdown: a channel to a living worker that is not confirmed yet, whether or not it has room. For
    /// a connection that the policy holds, which must be sent before the workers' leaving is confirmed.
    pub(crate) fn any_channel(&mut self) -> Option<u32> {
        let is_alive = |channel: &u32| {
            self.shared.seats_of(*channel).any(|seat| {
                let confirmed = self.shared.record(seat).confirmed.load(Relaxed);
                self.shared.living_worker(seat).is_some_and(|pid| pid != confirmed)
            })
        };
        (self.shutdown == Shutdown::Graceful).then(|| (0..self.shared.channels.len() as u32).find(is_alive)).flatten()
    }

    /// Whether any worker has room; mutable for the hints alone.
    fn has_room(&mut self, excluded: &[u32]) -> bool {
        (0..self.shared.channels.len() as u32)
            .any(|channel| !excluded.contains(&channel) && self.load(channel).is_some())
    }

    /// Whether there may be connections that wait for a request, and could be closed for others. Mutable for the hints
    /// alone.
    fn has_idle_clients(&mut self) -> bool {
        let (shared, hints) = (&self.shared, &mut self.hints);
        let waits = |slot: &Slot| slot.connections.get() > slot.reading.get().saturating_add(slot.writing.get());
        (0..).zip(hints).any(|(seat, hint)| shared.available_worker(seat, hint).is_some_and(waits))
    }

    /// Wakes the workers, so that one that is full makes room for a message that was sent all the same.
    pub(crate) fn wake_workers(&self) {
        wake(&self.shared.workers_waker);
    }

    /// Whether the dispatcher waits for room.
    pub(crate) fn is_room_wanted(&self) -> bool {
        self.is_room_wanted
    }

    /// No worker has room: stops listening until a worker wakes the dispatcher.
    pub(crate) fn request_room(&mut self) {
        self.is_room_wanted = true;
        self.shared.table.room_wanted.store(1, SeqCst);
        // A worker that does not see this is seen to have connections. Partner: the fence in `make_wanted_room`.
        fence(SeqCst);
        if self.has_idle_clients() {
            // Their workers make room when they are awake.
            wake(&self.shared.workers_waker);
        }
        // `prepare` looks for room once more: a slot may have become free before its worker could see that it is
        // wanted.
        log_epoll_failure(self.listening.disarm_all(&self.poller));
    }

    /// Stops accepting for `accept_mutex_delay`, after an error such as EMFILE.
    pub(crate) fn pause(&mut self) {
        self.pause_until = monotonic_ms() + self.context.options.accept_mutex_delay_ms;
        log_epoll_failure(self.listening.disarm_all(&self.poller));
    }

    /// Sends the next message along channel `n` by `send`, which is given the channel and the message's number, and
    /// returns the number. Errors: those of `send`.
    pub(crate) fn send(&self, n: u32, send: impl FnOnce(&FdChannel, u64) -> io::Result<()>) -> io::Result<u64> {
        let Some(channel) = self.shared.channels.get(n as usize) else { return Err(io::ErrorKind::WouldBlock.into()) };
        let sent = &self.shared.record(n).sent;
        let number = sent.get() + 1;
        // Before the message is sent: a dispatcher that died in between would leave its successor a load that is too
        // low.
        sent.set(number);
        send(channel, number).inspect_err(|_| sent.set(number - 1))?;
        self.context.tally.handoffs.add(1);
        Ok(number)
    }

    /// Carries out the master's commands.
    fn obey(&mut self) {
        while let Some(command) = next_command(&self.context.signals) {
            match command {
                Command::Reopen => {
                    log::notice!("reopening logs");
                    self.context.engines.logs.reopen(None);
                }
                Command::Quit if !self.shutdown.has_begun() => {
                    announce_shutdown("dispatcher process");
                    log_epoll_failure(self.listening.close(&self.poller));
                    self.shutdown = Shutdown::Graceful;
                    let timeout = self.context.shutdown_timeout_ms;
                    self.shutdown_deadline = (timeout > 0).then(|| monotonic_ms() + timeout);
                }
                Command::Terminate => self.shutdown = Shutdown::Fast,
                Command::Quit | Command::ChildDied => {}
            }
        }
    }
}
