//! `fork`: a dispatcher accepts, and forks a child for each connection, which serves that connection to its end and
//! exits. In the field: inetd, the concurrent server of UNPv1 30.5, OpenSSH's sshd, PostgreSQL's postmaster.
//!
//! - `plan`: one dispatcher.
//! - `life`: `ForkingDispatcher::run`; a child's is `child::live`.
//! - The loop: the dispatcher's own; it arms the sockets unless `fork_max` children exist or it pauses.
//! - `child_died` (of the dispatcher): nothing to mend. Its children go on, as orphans; the successor finds them by
//!   their slots in the ledger, counts them, and passes signals on to them. The master, which adopts them, reaps them.
//!
//! The children count in slots of the ledger that the dispatcher has claimed, and that pass from child to child, so
//! that no total is lost when a child dies.
//!
//! # The dispatcher, edge by edge
//!
//! ```text
//! state      event                                  method                       next
//! Accepting  a connection is accepted               fork                         Accepting
//! Accepting  `fork_max` children exist              accept                       Full: not listening, an idle child is
//!                                                                                asked for room
//! Full       a child ends                           reap, withdraw_room_request  Accepting
//! Accepting  descriptors have run out               accept, pause                Paused for accept_mutex_delay, an
//!                                                                                idle child is asked for room
//! Accepting  fork fails, or no slot is free         hold                         Paused, with the connection held
//! Paused     the pause is over, or a child ends     prepare_to_wait              Accepting, after the held connection
//!                                                                                is forked for
//! any        QUIT                                   obey                         Leaving: children get QUIT, the end
//!                                                                                when none is left
//! any        TERM, or Leaving for                   terminate                    Ending: children get TERM
//!            worker_shutdown_timeout
//! Ending     ENDING_PATIENCE_MS are over            escalate                     Ending: children get KILL
//! ```

mod child;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use child::Inherited;

use super::model::{
    Command, Life, Model, ModelKind, Param, Places, ProcessContext, Seat, Setup, Takes, announce_shutdown, next_command,
};
use super::sockets::{AcceptError, Listening, log_epoll_failure};
use super::waker::{reset, wake};
use crate::event::{Shutdown, Source};
use crate::log;
use crate::os::process::{self, Exit, Pid};
use crate::os::seccomp::ExtraCalls;
use crate::os::signals::{Signal, send};
use crate::os::{ErrnoText, EventFd, Events, Failure, Poller, parent};
use crate::serve::{Accepted, Conn, Engine, Shortage};
use crate::shm::{Role, Tally};

pub(super) static KIND: ModelKind = ModelKind {
    name: "fork",
    params: &[MAX],
    about: "A dispatcher accepts, and forks a process for each connection. There are `fork_max=N` of them at most: at \
            the limit nothing is accepted, and idle connections make room.",
    places: Places::OfService(&MAX),
    make,
};

/// At most 1500: each child has a slot of the ledger, which has room for two generations.
const MAX: Param = Param { name: "fork_max", takes: Takes::Number(1, 1500), default: 512 };

/// How often a dispatcher that waits for the end of orphans checks the ledger for it, ms.
const ORPHANS_POLL_MS: u64 = 100;

/// How long children have to obey TERM before they are killed, ms; the master would kill the dispatcher after 1.6 s.
const ENDING_PATIENCE_MS: u64 = 800;

struct Forking {
    max: usize,
    room_request: Arc<EventFd>,
}

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    Ok(Arc::new(Forking { max: setup.param(&MAX) as usize, room_request: Arc::new(EventFd::new()?) }))
}

impl Model for Forking {
    fn plan(&self) -> Vec<Seat> {
        vec![Seat { role: Role::Dispatcher, number: 0 }]
    }

    fn extra_calls(&self, _seat: Seat) -> ExtraCalls {
        ExtraCalls::FORK
    }

    fn life(&self, _seat: Seat) -> Life {
        let (max, room_request) = (self.max, self.room_request.clone());
        Life::Own(Box::new(move |context| {
            ForkingDispatcher::new(context, max, room_request).map(ForkingDispatcher::run)
        }))
    }
}

/// The state of the dispatcher's process.
struct ForkingDispatcher {
    context: ProcessContext,
    /// Made once, so that each child has a copy by the fork.
    engine: Engine,
    poller: Poller,
    listening: Listening,
    max: usize,
    /// Woken while clients wait that cannot be accepted. The idle child that resets it makes room.
    room_request: Arc<EventFd>,
    is_room_wanted: bool,
    shortage: Shortage,
    children: HashMap<Pid, Child>,
    /// Slots of the ledger that no child uses now.
    spare_slots: Vec<Arc<Tally>>,
    /// The living children of a dispatcher that has died.
    orphans: Vec<Pid>,
    /// A connection whose fork has failed; tried again after the pause.
    held: Option<Conn>,
    /// The end of a pause, without accepts and forks, ms of the clock.
    pause_until: u64,
    shutdown: Shutdown,
    /// When the children have not obeyed the last signal soon enough, ms of the clock.
    shutdown_deadline: Option<u64>,
}

struct Child {
    /// The child's slot in the ledger.
    tally: Arc<Tally>,
    /// The slot's `reused_connections` when the child got the slot.
    reused: u64,
}

impl ForkingDispatcher {
    fn new(mut context: ProcessContext, max: usize, room_request: Arc<EventFd>) -> Result<ForkingDispatcher, Failure> {
        let poller = Poller::new().map_err(|e| Failure::new("epoll_create()", e))?;
        context.watch_signals(&poller)?;
        let engine = context.engines.engine(context.tally.clone())?;
        let listening = Listening::new(&std::mem::take(&mut context.listeners));
        let generation = context.tally.generation();
        let is_child = |slot: &&crate::shm::Slot| slot.role() == Role::Worker && slot.generation() == generation;
        let orphans = context.tally.ledger().live().filter(is_child).filter_map(|slot| slot.pid());
        let orphans = orphans.filter(|pid| *pid != context.pid).map(|pid| pid as Pid).collect();
        Ok(ForkingDispatcher {
            engine,
            poller,
            listening,
            max,
            room_request,
            is_room_wanted: false,
            shortage: Shortage::of(format!("{max} processes (fork_max)")),
            children: HashMap::new(),
            spare_slots: Vec::new(),
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
        loop {
            self.forget_dead_orphans();
            if self.is_done() {
                break;
            }
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

    /// Whether the shutdown is complete.
    fn is_done(&self) -> bool {
        self.shutdown.has_begun() && self.children.is_empty() && self.orphans.is_empty() && self.held.is_none()
    }

    /// Does what is due, listens if that is possible, and returns how long to wait, ms.
    fn prepare_to_wait(&mut self) -> Option<u64> {
        let now = self.now();
        let until = self.shutdown_deadline;
        if until.is_some_and(|until| now >= until) {
            self.escalate();
        }
        let is_paused = now < self.pause_until;
        if !is_paused && let Some(conn) = self.held.take() {
            self.fork(conn);
        }
        let is_paused = is_paused || self.held.is_some();
        if !is_paused && self.is_room_wanted && self.has_room() {
            self.withdraw_room_request();
        }
        // The death of an orphan is no event for this process.
        let watches_orphans = !self.orphans.is_empty() && (self.is_room_wanted || self.shutdown.has_begun());
        if watches_orphans && self.has_room() {
            self.withdraw_room_request();
        }
        if !is_paused && !self.is_room_wanted && !self.listening.is_closed() {
            log_epoll_failure(self.listening.arm(&self.poller));
        }
        self.context.tally.listening.set(self.listening.is_armed().into());
        let pause = is_paused.then_some(self.pause_until);
        let poll_orphans = watches_orphans.then_some(now + ORPHANS_POLL_MS);
        [until.filter(|at| *at > now), pause, poll_orphans].into_iter().flatten().min().map(|at| at.saturating_sub(now))
    }

    /// Whether another child may be forked.
    fn has_room(&self) -> bool {
        self.children.len() + self.orphans.len() < self.max
    }

    /// Forgets orphans that have ended: the master has reaped them and freed their slots. When the master is dead too,
    /// the process table is asked.
    fn forget_dead_orphans(&mut self) {
        if !self.orphans.is_empty() {
            let ledger = self.context.tally.ledger();
            let is_reaped = |pid: &Pid| !ledger.live().any(|slot| slot.pid() == Some(*pid as u32));
            let has_reaper = !parent::is_orphan();
            self.orphans.retain(|pid| !is_reaped(pid) && (has_reaper || process::is_running(*pid)));
        }
    }

    /// Tells idle children that there is room again.
    fn withdraw_room_request(&mut self) {
        if std::mem::take(&mut self.is_room_wanted) {
            reset(&self.room_request);
        }
    }

    fn accept(&mut self, n: u32) {
        loop {
            if !self.has_room() {
                // Clients wait in the backlog until an idle child makes room.
                self.is_room_wanted = true;
                wake(&self.room_request);
                log_epoll_failure(self.listening.disarm_all(&self.poller));
                return;
            }
            let Some(listener) = self.listening.get(n) else { return };
            match listener.accept() {
                Ok((socket, peer)) => {
                    self.context.tally.accepts.add(1);
                    let conn = self.engine.open(Accepted { socket, peer, listener: n as usize });
                    self.fork(conn);
                }
                Err(error) => match AcceptError::count(&error, &self.context.tally) {
                    AcceptError::ClientGone => {}
                    AcceptError::NoneWaits => return,
                    AcceptError::Other => return self.pause(),
                    error @ AcceptError::OutOfFiles(_) => {
                        error.log_out_of_files();
                        self.pause();
                        // If the system has none left, an idle child's end releases some.
                        self.is_room_wanted = true;
                        return wake(&self.room_request);
                    }
                },
            }
            if !self.context.options.multi_accept || self.held.is_some() {
                return;
            }
        }
    }

    /// Stops accepting and forking for `accept_mutex_delay`.
    fn pause(&mut self) {
        self.pause_until = self.now() + self.context.options.accept_mutex_delay_ms;
        log_epoll_failure(self.listening.disarm_all(&self.poller));
    }

    /// Forks a child for the connection, and closes this process's copy. When that fails the connection is held, and
    /// the fork is tried again later.
    fn fork(&mut self, conn: Conn) {
        let tally = match self.take_spare_slot() {
            Ok(tally) => tally,
            Err(error) => {
                log::alert!("a connection waits for a slot in the ledger ({})", ErrnoText(&error));
                return self.hold(conn);
            }
        };
        match process::fork() {
            Ok(process::Fork::Child) => {
                let (context, engine, listening) = (&self.context, &mut self.engine, &mut self.listening);
                child::live(Inherited { context, engine, listening, room_request: &self.room_request }, conn, tally)
            }
            Ok(process::Fork::Parent(pid)) => {
                // Parent and child both record the child's pid in the slot; whichever runs first wins.
                tally.pass_on(self.context.pid, pid as u32);
                self.children.insert(pid, Child { reused: tally.reused_connections.get(), tally });
            }
            Err(error) => {
                log::alert!("fork() failed while a connection waits for its process ({})", ErrnoText(&error));
                self.spare_slots.push(tally);
                self.hold(conn);
            }
        }
    }

    /// Keeps the connection until the pause is over.
    fn hold(&mut self, conn: Conn) {
        self.held = Some(conn);
        self.pause();
    }

    /// A slot of the ledger for a new child. Error: the ledger has no free slot.
    fn take_spare_slot(&mut self) -> io::Result<Arc<Tally>> {
        match self.spare_slots.pop() {
            Some(tally) => Ok(tally),
            None => self.context.claim_slot(self.context.pid, self.children.len() as u32),
        }
    }

    fn obey(&mut self) {
        while let Some(command) = next_command(&self.context.signals) {
            match command {
                Command::ChildDied => self.reap(),
                Command::Reopen => {
                    log::notice!("reopening logs");
                    self.context.engines.logs.reopen(None);
                    self.signal_children(Signal::SIGUSR1);
                }
                Command::Quit if !self.shutdown.has_begun() => {
                    announce_shutdown("dispatcher process");
                    log_epoll_failure(self.listening.close(&self.poller));
                    let timeout = self.context.shutdown_timeout_ms;
                    (self.shutdown, self.shutdown_deadline) =
                        (Shutdown::Graceful, (timeout > 0).then(|| self.now() + timeout));
                    self.signal_children(Signal::SIGQUIT);
                }
                Command::Quit => {}
                Command::Terminate => self.terminate(),
            }
        }
    }

    /// Begins the fast shutdown.
    fn terminate(&mut self) {
        (self.shutdown, self.shutdown_deadline) = (Shutdown::Fast, Some(self.now() + ENDING_PATIENCE_MS));
        log_epoll_failure(self.listening.close(&self.poller));
        self.held = None;
        self.signal_children(Signal::SIGTERM);
    }

    /// The shutdown's deadline is over: graceful becomes fast, and TERM becomes KILL.
    fn escalate(&mut self) {
        if self.shutdown == Shutdown::Fast {
            self.shutdown_deadline = None;
            self.signal_children(Signal::SIGKILL);
        } else {
            self.terminate();
        }
    }

    /// Signals the children and the orphans. None of them is reaped yet, so no other process can have their pids.
    fn signal_children(&mut self, signal: Signal) {
        self.forget_dead_orphans();
        for pid in self.children.keys().chain(&self.orphans) {
            // Fails for a child that has ended and is not reaped yet.
            let _ = send(*pid, signal);
        }
    }

    /// Reaps the children that have ended, and takes their slots back.
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
                self.shortage.log(self.now());
            }
            tally.pass_on(pid as u32, self.context.pid);
            self.spare_slots.push(tally);
            if self.is_room_wanted && self.held.is_none() {
                // The child has left what was short: a descriptor, memory, a process.
                self.pause_until = 0;
            }
            self.withdraw_room_request();
        }
    }
}
