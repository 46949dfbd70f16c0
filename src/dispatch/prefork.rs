//! `prefork`: every thread of every worker waits for a connection on the shared socket, serves that one to its end, and
//! waits again. Clients beyond the number of threads wait in the backlog: that is the model's nature.
//!
//! So that an idle keep-alive client does not keep others out, a thread whose client asks for nothing looks at the
//! backlog as well. When a connection waits there and no thread is free, it takes that one, and leaves the idle one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use super::accepting::Refusal;
use super::crew::{Crew, Member, crews, tally_of};
use super::door::{Door, Visitor};
use super::{Kind, Model, Param, ProcessContext, Setup, Takes, report};
use crate::event::{Shutdown, Source};
use crate::log;
use crate::os::{ErrnoText, EventFd, Events, Failure, Interest, poll};
use crate::serve::blocking::{self, Interrupts, Room};
use crate::serve::{Engine, Shortage};
use crate::shm::{Role, Tally};

pub static KIND: Kind = Kind {
    name: "prefork",
    params: &[THREADS],
    about: "Every worker waits for a connection, serves it to its end with blocking I/O, and waits for the next; \
            `worker_threads=N`: N such threads in each worker. Clients beyond that wait, and idle ones make room for them.",
    make,
};

/// Slots of the ledger bound it from above: each serving thread has one.
const THREADS: Param = Param { name: "worker_threads", takes: Takes::Number(1, 1024), default: 16 };

/// How long a thread with an idle client leaves a new connection to the threads that are free, ms, and how often: after that
/// they are taken to be stopped.
const GRACE_MS: u64 = 10;
const GRACES: u32 = 5;

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    let (threads, gong) = (setup.param(&THREADS) as usize, Arc::new(EventFd::new()?));
    crews(setup, threads, move |context| live(context, threads, &gong))
}

fn live(mut context: ProcessContext, threads: usize, gong: &Arc<EventFd>) -> Result<(), Failure> {
    // An eventfd, a poller, which has three, and a connection.
    let threads = context.threads(threads, 5);
    let crew = Crew::new(threads)?;
    let listeners = std::mem::take(&mut context.listeners);
    let shortage = Arc::new(Shortage::of(format!("{threads} worker_threads")));
    for number in 0..threads {
        let engine = context.engines.engine(tally_of(&context, number)?)?;
        let door = Door::new(&listeners, &context.is_own, gong.clone());
        let door = door.map_err(|e| Failure::new("an epoll set of listening sockets", e))?;
        let pause_ms = context.options.accept_mutex_delay_ms;
        let station = Station::new(crew.member(number), door, &engine, shortage.clone(), pause_ms)?;
        crew.spawn(number, move || station.run(engine))?;
    }
    drop(listeners);
    context.tally.listening.set(1);
    crew.command(&context, || {});
    Ok(())
}

/// One serving thread.
struct Station {
    member: Member,
    /// Its set has the call in it, too.
    door: Door,
    events: Events,
    tally: Arc<Tally>,
    /// The process's.
    shortage: Arc<Shortage>,
    shutdown: Shutdown,
    /// Accepted in the place of an idle client.
    held: Option<Visitor>,
    graces: u32,
    /// How long a thread without descriptors waits, ms.
    pause_ms: u64,
}

impl Station {
    fn new(
        member: Member,
        door: Door,
        engine: &Engine,
        shortage: Arc<Shortage>,
        pause_ms: u64,
    ) -> Result<Station, Failure> {
        let watched = door.poller().add(member.call(), Source::Model(0).key(), Interest::READ);
        watched.map_err(|e| Failure::new("epoll_ctl()", e))?;
        let (events, tally) = (Events::with_capacity(64), engine.tally.clone());
        let shutdown = Shutdown::No;
        Ok(Station { member, door, events, tally, shortage, shutdown, held: None, graces: 0, pause_ms })
    }

    fn run(mut self, mut engine: Engine) {
        while let Some(visitor) = self.next(&mut engine) {
            self.tally.connections.set(1);
            engine.clock.update();
            let mut conn = engine.open(visitor.socket, visitor.peer, visitor.listener);
            blocking::serve(&mut engine, &mut conn, &mut self);
            drop(conn);
            self.tally.connections.set(0);
        }
        engine.flush_logs();
    }

    /// Waits for the next client; `None`: there will be no more.
    fn next(&mut self, engine: &mut Engine) -> Option<Visitor> {
        loop {
            match self.shutdown {
                Shutdown::Fast => return None,
                Shutdown::Graceful => {
                    let next = self.held.take().or_else(|| self.door.next_to_drain(&self.tally));
                    if next.is_some() || !self.door.is_draining() {
                        return next;
                    }
                    self.pause();
                    self.heed(engine);
                    continue;
                }
                Shutdown::No if self.held.is_some() => return self.held.take(),
                Shutdown::No => {}
            }
            let now = engine.clock.now_ms();
            let timeout = engine.next_upkeep().map(|at| at.saturating_sub(now));
            self.wait(timeout);
            engine.clock.update();
            self.tally.turns.add(1);
            // First the clients: a connection that has woken this thread wakes no other.
            if let Err(refusal) = self.take()
                && !engine.close_files()
            {
                refusal.complain();
                self.pause();
            }
            if self.member.is_called() {
                self.heed(engine);
            }
            engine.end_of_turn();
        }
    }

    fn wait(&mut self, timeout: Option<u64>) {
        self.door.wait(&mut self.events, timeout);
    }

    /// Until descriptors may be there, or there is something to heed.
    fn pause(&self) {
        if let Err(error) = poll([Some((self.member.call(), Interest::READ))], Some(self.pause_ms)) {
            log::alert!("poll() failed ({})", ErrnoText(&error));
        }
    }

    /// Accepts one of those that the last wait has announced. Errors: nothing can be accepted for some time.
    fn take(&mut self) -> Result<(), Refusal> {
        let listeners = self.events.iter().filter_map(|(key, _)| match Source::of(key) {
            Source::Listener(n) => Some(n),
            _ => None,
        });
        let mut is_woken = false;
        for n in listeners {
            if !std::mem::replace(&mut is_woken, true) {
                self.tally.wakeups.add(1);
            }
            match self.door.accept(n, &self.tally) {
                Ok(visitor) => {
                    self.held = Some(visitor);
                    return Ok(());
                }
                Err(Refusal::NobodyWaits | Refusal::ClientGone) => {}
                Err(refusal @ (Refusal::OutOfFiles(_) | Refusal::Other)) => return Err(refusal),
            }
        }
        Ok(())
    }

    /// Whether another thread, of any process of this generation, has no client.
    fn is_somebody_free(&self) -> bool {
        let generation = self.tally.generation();
        let serving = |slot: &&crate::shm::Slot| slot.role() == Role::Worker && slot.generation() == generation;
        self.tally.ledger().live().filter(serving).any(|slot| slot.connections.get() == 0)
    }
}

impl Interrupts for Station {
    fn call(&self) -> BorrowedFd<'_> {
        self.member.call()
    }

    fn heed(&mut self, engine: &mut Engine) -> Shutdown {
        self.shutdown = self.member.heed(Some(engine));
        if self.shutdown != Shutdown::No {
            report(self.door.leave());
        }
        self.shutdown
    }

    fn crowd(&self) -> Option<BorrowedFd<'_>> {
        (self.shutdown == Shutdown::No).then(|| self.door.poller().as_fd())
    }

    fn is_crowded(&mut self) -> bool {
        self.wait(Some(0));
        let is_socket = |(key, _)| matches!(Source::of(key), Source::Listener(_));
        self.events.iter().any(is_socket) && !self.is_somebody_free()
    }

    fn make_room(&mut self) -> Room {
        if self.graces < GRACES && self.is_somebody_free() {
            self.graces += 1;
            return Room::KeepFor(GRACE_MS);
        }
        self.graces = 0;
        self.wait(Some(0));
        match self.take() {
            Ok(()) if self.held.is_some() => Room::Give,
            Ok(()) => Room::Keep,
            // Its descriptor is what the other one needs.
            Err(Refusal::OutOfFiles(_)) => Room::Give,
            Err(_) => Room::KeepFor(self.pause_ms),
        }
    }

    fn count_reuse(&self, tally: &Tally, now_ms: u64) {
        self.shortage.reuse(1, tally, now_ms);
    }
}
