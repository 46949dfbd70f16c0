//! The life of a dispatcher: it waits, hands on what comes by way of its model, and obeys.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::policy::Candidate;
use super::{Chooser, MOST_IN_FLIGHT, Shared};
use crate::dispatch::bell::{listen_to, tell};
use crate::dispatch::{Command, Listening, ProcessContext, announce_shutdown, next_command, report};
use crate::event::{Shutdown, Source, monotonic_ms};
use crate::log;
use crate::os::{ErrnoText, Events, Failure, Interest, Poller};
use crate::shm::Slot;

const BELL: Source = Source::Model(0);

/// What a kind of pool does with the connections that wait.
pub(in crate::dispatch) trait Way {
    /// Connections wait at socket `n`.
    fn come(&mut self, desk: &mut Desk, n: u32);

    /// Before each wait, and after somebody has rung. When it must be asked again, ms of the clock.
    fn look(&mut self, desk: &mut Desk) -> Option<u64>;

    /// Lanes that are not to be used now.
    fn spared(&self) -> Vec<u32> {
        Vec::new()
    }

    /// Whether it holds a connection that no worker has been given.
    fn holds(&self) -> bool {
        false
    }
}

/// What the dispatcher has before it.
pub(in crate::dispatch) struct Desk {
    pub context: ProcessContext,
    pub poller: Poller,
    pub listening: Listening,
    pub shared: Arc<Shared>,
    chooser: Chooser,
    /// Where the workers' slots were found last, by seat.
    hints: Vec<usize>,
    candidates: Vec<Candidate>,
    /// Nobody has a free slot: what comes stays in the backlog.
    is_room_wanted: bool,
    /// Nothing is accepted until then, ms of the clock.
    pause_until: u64,
    shutdown: Shutdown,
    /// When a graceful shutdown becomes a fast one, whatever the process holds, ms of the clock.
    shutdown_deadline: Option<u64>,
}

impl Desk {
    /// For the dispatcher's process.
    pub fn new(mut context: ProcessContext, shared: Arc<Shared>, mut chooser: Chooser) -> Result<Desk, Failure> {
        let poller = Poller::new().map_err(|e| Failure::new("epoll_create()", e))?;
        poller
            .add(&context.signals, Source::Signals.key(), Interest::READ)
            .map_err(|e| Failure::new("epoll_ctl() for the signalfd", e))?;
        listen_to(&shared.bell, BELL, &poller).map_err(|e| Failure::new("epoll_ctl() for an eventfd", e))?;
        chooser.seed(monotonic_ms() ^ u64::from(context.pid) << 32);
        // What a predecessor wanted.
        shared.table.room_wanted.store(0, SeqCst);
        Ok(Desk {
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

    /// Lives until the orders say that it is enough.
    pub fn run(mut self, mut way: impl Way) {
        let mut events = Events::with_capacity(64);
        loop {
            let deadline = self.prepare(&mut way);
            if self.shutdown == Shutdown::Fast || (self.shutdown == Shutdown::Graceful && !way.holds()) {
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
                        way.come(&mut self, n);
                    }
                    BELL => self.is_room_wanted = false,
                    _ => self.obey(),
                }
            }
        }
        if way.holds() {
            log::warn!("an accepted connection is closed, the dispatcher has to end before a worker has room for it");
        }
        log::notice!("exiting");
    }

    /// Does what is due. Returns until when to wait at most, ms of the clock.
    fn prepare(&mut self, way: &mut impl Way) -> Option<u64> {
        let now = monotonic_ms();
        if self.shutdown_deadline.is_some_and(|until| now >= until) {
            self.shutdown = Shutdown::Fast;
        }
        let looked = way.look(self);
        if !way.holds() {
            self.confirm();
        }
        if self.is_room_wanted && self.has_room(&way.spared()) {
            self.is_room_wanted = false;
        }
        let is_paused = now < self.pause_until;
        if !is_paused && !self.is_room_wanted && !way.holds() && !self.listening.is_closed() {
            report(self.listening.arm(&self.poller));
        }
        self.context.tally.listening.set(self.listening.is_armed().into());
        // Who has room rings. Should a bell be lost with a worker that dies, this is how long it takes.
        let backstop = self.is_room_wanted.then(|| now + self.context.options.accept_mutex_delay_ms);
        [looked, self.shutdown_deadline, is_paused.then_some(self.pause_until), backstop].into_iter().flatten().min()
    }

    /// Sees which workers leave, and says so: nothing is passed to them from now on.
    fn confirm(&self) {
        for seat in 0..self.shared.workers {
            let place = self.shared.place(seat);
            let leaving = place.leaving.load(SeqCst);
            if place.confirmed.load(Relaxed) != leaving {
                place.confirmed.store(leaving, SeqCst);
            }
        }
    }

    /// The lane along which to pass the next connection, none of `but`; `None`: there is none whose workers have room.
    pub fn choose(&mut self, but: &[u32]) -> Option<u32> {
        self.candidates.clear();
        for lane in 0..self.shared.lanes.len() as u32 {
            if let Some(load) = self.load(lane).filter(|_| !but.contains(&lane)) {
                self.candidates.push((lane, load));
            }
        }
        self.chooser.choose(&self.candidates)
    }

    /// How loaded a lane is; `None`: nothing may be passed along it.
    fn load(&mut self, lane: u32) -> Option<u64> {
        let (mut load, mut slots) = (self.shared.in_flight(lane), 0);
        if load >= MOST_IN_FLIGHT {
            return None;
        }
        for seat in self.shared.seats_of(lane) {
            let Some(hint) = self.hints.get_mut(seat as usize) else { continue };
            if let Some(slot) = self.shared.willing(seat, hint) {
                load += slot.connections.get();
                slots += self.shared.capacity(seat);
            }
        }
        (load < slots).then_some(load)
    }

    /// Some lane to a living worker, whether or not that has room: it was to be passed before the worker was told that nothing comes.
    pub fn any_lane(&mut self) -> Option<u32> {
        let is_alive = |lane: &u32| {
            self.shared.seats_of(*lane).any(|seat| {
                let confirmed = self.shared.place(seat).confirmed.load(Relaxed);
                self.shared.worker(seat).is_some_and(|pid| pid != confirmed)
            })
        };
        (self.shutdown == Shutdown::Graceful).then(|| (0..self.shared.lanes.len() as u32).find(is_alive)).flatten()
    }

    pub fn now(&self) -> u64 {
        monotonic_ms()
    }

    fn has_room(&mut self, but: &[u32]) -> bool {
        (0..self.shared.lanes.len() as u32).any(|lane| !but.contains(&lane) && self.load(lane).is_some())
    }

    /// Whether there may be connections that wait for a request.
    fn has_idle_clients(&mut self) -> bool {
        let (shared, hints) = (&self.shared, &mut self.hints);
        let waits = |slot: &Slot| slot.connections.get() > slot.reading.get().saturating_add(slot.writing.get());
        (0..).zip(hints).any(|(seat, hint)| shared.willing(seat, hint).is_some_and(waits))
    }

    /// Nobody has room: stops listening until somebody rings.
    pub fn want_room(&mut self) {
        self.is_room_wanted = true;
        self.shared.count_again();
        self.shared.table.room_wanted.store(1, SeqCst);
        if self.has_idle_clients() {
            // Whoever serves them makes room, when it is awake.
            tell(&self.shared.gong);
        }
        // `prepare` looks once more: a slot may have become free before its worker could see that it is wanted.
        report(self.listening.disarm_all(&self.poller));
    }

    /// Out of descriptors, or worse: nothing is accepted for a while.
    pub fn pause(&mut self) {
        self.pause_until = monotonic_ms() + self.context.options.accept_mutex_delay_ms;
        report(self.listening.disarm_all(&self.poller));
    }

    /// The number of the next message along a lane.
    pub fn next_number(&self, lane: u32) -> u64 {
        self.shared.place(lane).passed.get() + 1
    }

    /// Tells the worker on `seat` that connections wait. Errors: those of `FdChannel::tell`.
    pub fn tell(&self, seat: u32, number: u64, listener: u32) -> io::Result<()> {
        self.shared.lane(seat).map_or(Ok(()), |lane| lane.tell(number, listener))
    }

    /// Message `number` is on its way.
    pub fn sent(&self, lane: u32, number: u64) {
        self.shared.place(lane).passed.set(number);
        self.context.tally.handoffs.add(1);
    }

    fn obey(&mut self) {
        while let Some(command) = next_command(&self.context.signals) {
            match command {
                Command::Reopen => {
                    log::notice!("reopening logs");
                    self.context.engines.logs.reopen(None);
                }
                Command::Quit if !self.shutdown.has_begun() => {
                    announce_shutdown("dispatcher process");
                    report(self.listening.close(&self.poller));
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
