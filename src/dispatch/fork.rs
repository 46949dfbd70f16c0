//! `fork`: a dispatcher accepts, and forks a child for each connection, which serves it to its end and exits.
//!
//! The children count in slots of the ledger that the dispatcher has claimed, and that pass from child to child, so that no
//! total is lost when one dies. Children whose dispatcher has died go on; its successor finds them by those slots, and passes
//! signals on to them. The master, which adopts them, reaps them.

mod child;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::accepting::{Refusal, refusal};
use super::bell::{hear, tell};
use super::{
    Command, Kind, Life, Listening, Model, Param, ProcessContext, Seat, Setup, Takes, announce_shutdown, next_command,
    report,
};
use crate::event::{Shutdown, Source};
use crate::log;
use crate::os::process::{self, Exit, Pid};
use crate::os::signals::{Signal, send};
use crate::os::{ErrnoText, EventFd, Events, Failure, Interest, Poller, parent};
use crate::serve::{Conn, Engine, Shortage};
use crate::shm::{Role, Tally};

pub static KIND: Kind = Kind {
    name: "fork",
    params: &[MAX],
    about: "A dispatcher accepts, and forks a process for each connection. There are `fork_max=N` of them at most: at the \
            limit nothing is accepted, and idle connections make room.",
    make,
};

/// Bounded by the slots of the ledger, each child having one, for two generations.
const MAX: Param = Param { name: "fork_max", takes: Takes::Number(1, 1500), default: 512 };

/// How often a dispatcher that waits for the end of orphans looks for it, ms.
const ORPHANS_LOOK_MS: u64 = 100;

/// How long children have to obey TERM before they are killed, ms; the master would kill the dispatcher after 1.6 s.
const ENDING_PATIENCE_MS: u64 = 800;

struct Forking {
    max: usize,
    room: Arc<EventFd>,
}

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    Ok(Arc::new(Forking { max: setup.param(&MAX) as usize, room: Arc::new(EventFd::new()?) }))
}

impl Model for Forking {
    fn plan(&self) -> Vec<Seat> {
        vec![Seat { role: Role::Dispatcher, number: 0 }]
    }

    fn life(&self, _seat: Seat) -> Life {
        let (max, room) = (self.max, self.room.clone());
        Life::Own(Box::new(move |context| Dispatcher::new(context, max, room).map(Dispatcher::run)))
    }
}

struct Dispatcher {
    context: ProcessContext,
    /// Made once: each child has a copy.
    engine: Engine,
    poller: Poller,
    listening: Listening,
    max: usize,
    /// Readable while clients wait that cannot be accepted: an idle child that reads it makes room.
    room: Arc<EventFd>,
    is_room_wanted: bool,
    shortage: Shortage,
    children: HashMap<Pid, Child>,
    /// Slots that no child uses now.
    resting: Vec<Arc<Tally>>,
    /// Children of a dispatcher that has died.
    orphans: Vec<Pid>,
    /// Accepted, but the fork has failed: tried again after the pause.
    held: Option<Conn>,
    /// No accept and no fork until then, ms of the clock.
    pause_until: u64,
    shutdown: Shutdown,
    /// When the children have not obeyed the last signal soon enough, ms of the clock.
    shutdown_deadline: Option<u64>,
}

struct Child {
    /// Its slot.
    tally: Arc<Tally>,
    /// The count of its slot when the child got it.
    reused: u64,
}

impl Dispatcher {
    fn new(mut context: ProcessContext, max: usize, room: Arc<EventFd>) -> Result<Dispatcher, Failure> {
        let poller = Poller::new().map_err(|e| Failure::new("epoll_create()", e))?;
        poller
            .add(&context.signals, Source::Signals.key(), Interest::READ)
            .map_err(|e| Failure::new("epoll_ctl() for the signalfd", e))?;
        let engine = context.engines.engine(context.tally.clone())?;
        let listening = Listening::new(&std::mem::take(&mut context.listeners));
        let generation = context.tally.generation();
        let is_child = |slot: &&crate::shm::Slot| slot.role() == Role::Worker && slot.generation() == generation;
        let orphans = context.tally.ledger().live().filter(is_child).filter_map(|slot| slot.pid());
        let orphans = orphans.filter(|pid| *pid != context.pid).map(|pid| pid as Pid).collect();
        Ok(Dispatcher {
            engine,
            poller,
            listening,
            max,
            room,
            is_room_wanted: false,
            shortage: Shortage::of(format!("{max} processes (fork_max)")),
            children: HashMap::new(),
            resting: Vec::new(),
            orphans,
            held: None,
            pause_until: 0,
            shutdown: Shutdown::No,
            shutdown_deadline: None,
            context,
        })
    }

    fn run(mut self) {
        let mut events = Events::with_capacity(64);
        while !self.is_done() {
            self.engine.clock.update();
            let timeout = self.prepare_to_wait();
            if let Err(error) = self.poller.wait(&mut events, timeout) {
                log::alert!("epoll_wait() failed ({})", ErrnoText(&error));
            }
            self.engine.clock.update();
            self.context.tally.turns.add(1);
            let mut is_woken = false;
            for (key, _) in events.iter() {
                match Source::of(key) {
                    Source::Listener(n) => {
                        if !std::mem::replace(&mut is_woken, true) {
                            self.context.tally.wakeups.add(1);
                        }
                        self.accept(n);
                    }
                    _ => self.obey(),
                }
            }
        }
        log::notice!("exiting");
    }

    fn now(&self) -> u64 {
        self.engine.clock.now_ms()
    }

    fn is_done(&mut self) -> bool {
        if !self.shutdown.has_begun() {
            return false;
        }
        self.forget_dead_orphans();
        self.children.is_empty() && self.orphans.is_empty() && self.held.is_none()
    }

    /// Does what is due, listens if that is possible, and returns how long to wait, ms.
    fn prepare_to_wait(&mut self) -> Option<u64> {
        let now = self.now();
        let until = self.shutdown_deadline;
        if until.is_some_and(|until| now >= until) {
            self.lose_patience();
        }
        let is_paused = now < self.pause_until;
        if !is_paused && let Some(conn) = self.held.take() {
            self.fork(conn);
        }
        let is_paused = is_paused || self.held.is_some();
        if !is_paused && self.is_room_wanted && self.has_room() {
            self.call_off_room();
        }
        // Nobody tells when an orphan dies.
        let is_to_look = !self.orphans.is_empty() && (self.is_room_wanted || self.shutdown.has_begun());
        if is_to_look && self.has_room() {
            self.call_off_room();
        }
        if !is_paused && !self.is_room_wanted && !self.listening.is_closed() {
            report(self.listening.arm(&self.poller));
        }
        self.context.tally.listening.set(self.listening.is_armed().into());
        let pause = is_paused.then_some(self.pause_until);
        let look = is_to_look.then_some(now + ORPHANS_LOOK_MS);
        [until.filter(|at| *at > now), pause, look].into_iter().flatten().min().map(|at| at.saturating_sub(now))
    }

    fn has_room(&mut self) -> bool {
        self.forget_dead_orphans();
        self.children.len() + self.orphans.len() < self.max
    }

    /// The master frees an orphan's slot when it has reaped it, if it lives.
    fn forget_dead_orphans(&mut self) {
        if !self.orphans.is_empty() {
            let ledger = self.context.tally.ledger();
            let is_reaped = |pid: &Pid| !ledger.live().any(|slot| slot.pid() == Some(*pid as u32));
            let has_reaper = !parent::is_orphan();
            self.orphans.retain(|pid| !is_reaped(pid) && (has_reaper || process::is_running(*pid)));
        }
    }

    /// There is room: no idle child has to make it.
    fn call_off_room(&mut self) {
        if std::mem::take(&mut self.is_room_wanted) {
            hear(&self.room);
        }
    }

    fn accept(&mut self, n: u32) {
        loop {
            if !self.has_room() {
                // Whoever waits, waits in the backlog; an idle child that hears of it makes room.
                self.is_room_wanted = true;
                tell(&self.room);
                report(self.listening.disarm_all(&self.poller));
                return;
            }
            let Some(listener) = self.listening.get(n) else { return };
            match listener.accept() {
                Ok((socket, peer)) => {
                    self.context.tally.accepts.add(1);
                    let conn = self.engine.open(socket, peer, n as usize);
                    self.fork(conn);
                }
                Err(error) => match refusal(&error, &self.context.tally) {
                    Refusal::ClientGone => {}
                    Refusal::NobodyWaits => return,
                    Refusal::Other => return self.pause(),
                    refusal @ Refusal::OutOfFiles(_) => {
                        refusal.complain();
                        self.pause();
                        // Where the system has none left, an idle child leaves some.
                        self.is_room_wanted = true;
                        return tell(&self.room);
                    }
                },
            }
            if !self.context.options.multi_accept || self.held.is_some() {
                return;
            }
        }
    }

    fn pause(&mut self) {
        self.pause_until = self.now() + self.context.options.accept_mutex_delay_ms;
        report(self.listening.disarm_all(&self.poller));
    }

    /// Gives the connection to a child of its own. This process's copy is closed, unless there is no child: then it is kept, and the
    /// fork is tried again.
    fn fork(&mut self, conn: Conn) {
        let tally = match self.rested_slot() {
            Ok(tally) => tally,
            Err(error) => {
                log::alert!("a connection waits for a slot in the ledger ({})", ErrnoText(&error));
                return self.hold(conn);
            }
        };
        match process::fork() {
            Ok(process::Fork::Child) => child::live(self, conn, tally),
            Ok(process::Fork::Parent(pid)) => {
                // Either of the two says so first.
                tally.pass_on(self.context.pid, pid as u32);
                self.children.insert(pid, Child { reused: tally.reused_connections.get(), tally });
            }
            Err(error) => {
                log::alert!("fork() failed while a connection waits for its process ({})", ErrnoText(&error));
                self.resting.push(tally);
                self.hold(conn);
            }
        }
    }

    fn hold(&mut self, conn: Conn) {
        self.held = Some(conn);
        self.pause();
    }

    fn rested_slot(&mut self) -> io::Result<Arc<Tally>> {
        match self.resting.pop() {
            Some(tally) => Ok(tally),
            None => {
                let number = self.children.len() as u32;
                let tally = self.context.tally.ledger().claim(self.context.pid, Role::Worker, number)?;
                Ok(Arc::new(tally.of_generation(self.context.tally.generation())))
            }
        }
    }

    fn obey(&mut self) {
        while let Some(command) = next_command(&self.context.signals) {
            match command {
                Command::ChildDied => self.reap(),
                Command::Reopen => {
                    log::notice!("reopening logs");
                    self.context.engines.logs.reopen(None);
                    self.tell_children(Signal::SIGUSR1);
                }
                Command::Quit if !self.shutdown.has_begun() => {
                    announce_shutdown("dispatcher process");
                    report(self.listening.close(&self.poller));
                    let timeout = self.context.shutdown_timeout_ms;
                    (self.shutdown, self.shutdown_deadline) =
                        (Shutdown::Graceful, (timeout > 0).then(|| self.now() + timeout));
                    self.tell_children(Signal::SIGQUIT);
                }
                Command::Quit => {}
                Command::Terminate => self.end(),
            }
        }
    }

    fn end(&mut self) {
        (self.shutdown, self.shutdown_deadline) = (Shutdown::Fast, Some(self.now() + ENDING_PATIENCE_MS));
        report(self.listening.close(&self.poller));
        self.held = None;
        self.tell_children(Signal::SIGTERM);
    }

    fn lose_patience(&mut self) {
        if self.shutdown == Shutdown::Fast {
            self.shutdown_deadline = None;
            self.tell_children(Signal::SIGKILL);
        } else {
            self.end();
        }
    }

    /// The children that are not reaped, and the orphans that the master has not: nobody else can have their ids.
    fn tell_children(&mut self, signal: Signal) {
        self.forget_dead_orphans();
        for pid in self.children.keys().chain(&self.orphans) {
            // One that is gone is reaped soon.
            let _ = send(*pid, signal);
        }
    }

    fn reap(&mut self) {
        while let Some((pid, exit)) = process::reap() {
            let Some(Child { tally, reused }) = self.children.remove(&pid) else { continue };
            match exit {
                Exit::Code(0) => {}
                Exit::Code(code) => log::alert!("connection process {pid} exited with code {code}"),
                Exit::Signal(signal) => log::alert!("connection process {pid} exited on signal {signal}"),
            }
            for counter in [&tally.connections, &tally.reading, &tally.writing] {
                counter.set(0);
            }
            if tally.reused_connections.get() > reused {
                self.shortage.say(self.now());
            }
            tally.pass_on(pid as u32, self.context.pid);
            self.resting.push(tally);
            if self.is_room_wanted && self.held.is_none() {
                // Whatever there was too little of.
                self.pause_until = 0;
            }
            self.call_off_room();
        }
    }
}
