//! `leader_follower`: the threads of a worker share one epoll set, and one of them at a time, the leader, waits on it, with room
//! for one event. Before it handles the event it lets a follower lead; then it follows again. No event passes from
//! thread to thread, and successive requests of one connection may be served by different threads.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::accepting::{DrainingQueue, Refusal, refusal};
use super::bell::{hear, listen_to, tell};
use super::crew::{Crew, Member, crews, tally_of};
use super::rotation::Rotation;
use super::{AcceptOptions, Kind, Listening, Model, Param, ProcessContext, Setup, Takes, report};
use crate::event::{Shutdown, Source};
use crate::log;
use crate::os::{ErrnoText, EventFd, Events, Failure, Interest, Poller, Ready};
use crate::serve::{Arrived, Engine, SharedDriver};
use crate::shm::Tally;

pub static KIND: Kind = Kind {
    name: "leader_follower",
    params: &[THREADS],
    about: "In every worker `worker_threads=N` threads share one epoll set. One waits for one event, lets the next thread \
            wait, and handles the event itself: successive requests of a connection may be served by different threads.",
    make,
};

const THREADS: Param = Param { name: "worker_threads", takes: Takes::Number(1, 1024), default: 4 };

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    let (threads, gong) = (setup.param(&THREADS) as usize, Arc::new(EventFd::new()?));
    crews(setup, threads, move |context| live(context, threads, gong.clone()))
}

fn live(mut context: ProcessContext, threads: usize, gong: Arc<EventFd>) -> Result<(), Failure> {
    let threads = context.threads(threads, 2);
    let crew = Crew::new(threads)?;
    let team = Arc::new(Team::new(&mut context, gong)?);
    for number in 0..threads {
        let engine = context.engines.engine(tally_of(&context, number)?)?;
        let thread = Thread {
            member: crew.member(number),
            team: team.clone(),
            options: context.options,
            shutdown: Shutdown::No,
        };
        crew.spawn(number, move || thread.run(engine))?;
    }
    crew.command(&context, || team.wake_all());
    Ok(())
}

const WAKE: Source = Source::Model(0);
const GONG: Source = Source::Model(1);

/// What the threads share.
struct Team {
    poller: Poller,
    driver: SharedDriver,
    /// The process's.
    tally: Arc<Tally>,
    /// Wakes the leader.
    wake: EventFd,
    /// Rung by the leader of a worker that was woken for a connection and can't take it.
    gong: Arc<EventFd>,
    /// The lead, while nobody has it.
    lead: Mutex<Free>,
    /// The lead is free, or there is something to heed.
    come: Condvar,
}

struct Free {
    lead: Option<Lead>,
    /// The process has no connections left, and takes no new ones.
    is_over: bool,
}

/// Who has this leads.
struct Lead {
    listening: Listening,
    events: Events,
    rotation: Rotation,
    /// What is still to be taken from sockets that no other process has, by a process that leaves.
    draining: Vec<DrainingQueue>,
    /// Out of descriptors until then, ms of the clock.
    pause_until: u64,
}

/// What the leader has got to do.
enum Job {
    Serve(Arrived),
    GoOn { key: u64, ready: Ready },
    Nothing,
}

impl Team {
    fn new(context: &mut ProcessContext, gong: Arc<EventFd>) -> Result<Team, Failure> {
        let poller = Poller::new().map_err(|e| Failure::new("epoll_create()", e))?;
        let wake = EventFd::new().map_err(|e| Failure::new("eventfd()", e))?;
        poller.add(&wake, WAKE.key(), Interest::READ).map_err(|e| Failure::new("epoll_ctl()", e))?;
        listen_to(&gong, GONG, &poller).map_err(|e| Failure::new("epoll_ctl()", e))?;
        let mut listening = Listening::new(&std::mem::take(&mut context.listeners)).with_own(&context.is_own);
        // Between processes one is woken; within this one only the leader waits.
        listening.set_exclusive();
        // Room for one event: the next one is for the next leader.
        let (events, rotation) = (Events::with_capacity(1), Rotation::default());
        let lead = Lead { listening, events, rotation, draining: Vec::new(), pause_until: 0 };
        let driver = SharedDriver::new(context.capacity(), context.tally.clone());
        let free = Free { lead: Some(lead), is_over: false };
        Ok(Team {
            poller,
            driver,
            tally: context.tally.clone(),
            wake,
            gong,
            lead: Mutex::new(free),
            come: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Free> {
        self.lead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a follower lead.
    fn promote(&self, lead: Lead) {
        self.lock().lead = Some(lead);
        self.come.notify_one();
    }

    fn drain_queues(&self, lead: &mut Lead, engine: &mut Engine) {
        for queue in &mut lead.draining {
            while let Some(key) = self.driver.reserve() {
                let Some((socket, peer)) = queue.next(&engine.tally) else {
                    self.driver.release(key);
                    break;
                };
                let arrived = Arrived { key, socket, peer, listener: queue.listener as usize };
                // The one who leads looks at the timers before it waits.
                let _ = self.driver.accept(engine, arrived, &self.poller);
            }
        }
        lead.draining.retain(|queue| !queue.is_drained());
    }

    fn end(&self) {
        self.lock().is_over = true;
        self.come.notify_all();
    }

    fn wake_all(&self) {
        tell(&self.wake);
        let _free = self.lock();
        self.come.notify_all();
    }
}

struct Thread {
    member: Member,
    team: Arc<Team>,
    options: AcceptOptions,
    shutdown: Shutdown,
}

impl Thread {
    fn run(mut self, mut engine: Engine) {
        while let Some(mut lead) = self.follow(&mut engine) {
            let job = self.lead(&mut lead, &mut engine);
            self.team.promote(lead);
            let (driver, poller) = (&self.team.driver, &self.team.poller);
            let wake = match job {
                Job::Serve(arrived) => driver.accept(&mut engine, arrived, poller).0,
                Job::GoOn { key, ready } => driver.ready(&mut engine, key, ready, poller).0,
                Job::Nothing => false,
            };
            if wake {
                tell(&self.team.wake);
            }
            engine.end_of_turn();
        }
        if self.shutdown == Shutdown::Fast {
            self.team.driver.close_all(&mut engine);
        }
        engine.flush_logs();
    }

    /// Waits until there is nobody else who leads; `None`: it is over.
    fn follow(&mut self, engine: &mut Engine) -> Option<Lead> {
        loop {
            if self.member.is_called() {
                self.shutdown = self.member.heed(Some(engine));
            }
            {
                let mut free = self.team.lock();
                if free.is_over || self.shutdown == Shutdown::Fast {
                    return None;
                }
                if let Some(lead) = free.lead.take() {
                    return Some(lead);
                }
                if !self.member.is_called() {
                    self.sleep(free, engine);
                }
            }
            engine.clock.update();
            engine.end_of_turn();
        }
    }

    /// Waits for the lead, for something to heed, or until log lines are due.
    fn sleep(&self, free: MutexGuard<'_, Free>, engine: &Engine) {
        let now = engine.clock.now_ms();
        match engine.next_upkeep().map(|at| Duration::from_millis(at.saturating_sub(now))) {
            None => drop(self.team.come.wait(free)),
            Some(timeout) => drop(self.team.come.wait_timeout(free, timeout)),
        }
    }

    /// Leads until there is one thing to do.
    fn lead(&mut self, lead: &mut Lead, engine: &mut Engine) -> Job {
        let team = self.team.clone();
        engine.clock.update();
        team.driver.expire(engine, &team.poller);
        if self.shutdown != Shutdown::No && !lead.listening.is_closed() {
            lead.draining = lead.listening.queues_to_drain();
            report(lead.listening.close(&team.poller));
            team.driver.drain(engine.clock.now_ms());
        }
        team.drain_queues(lead, engine);
        if self.shutdown != Shutdown::No && team.driver.live() == 0 {
            team.end();
            return Job::Nothing;
        }
        let is_paused = engine.clock.now_ms() < lead.pause_until;
        let (now, room_from) = (engine.clock.now_ms(), team.driver.room_from());
        let has_room = room_from.is_some_and(|from| from <= now);
        if !is_paused && has_room {
            report(lead.listening.arm(&team.poller));
        }
        let pause = is_paused.then_some(lead.pause_until);
        let until = [team.driver.next_deadline(), engine.next_upkeep(), pause, room_from.filter(|_| !has_room)];
        let timeout = until.into_iter().flatten().min().map(|at| at.saturating_sub(now));
        // An order that comes from here on makes the wait short.
        if self.member.is_called() {
            return Job::Nothing;
        }
        team.tally.listening.set(lead.listening.is_armed().into());
        if let Err(error) = team.poller.wait(&mut lead.events, timeout) {
            log::alert!("epoll_wait() failed ({})", ErrnoText(&error));
        }
        engine.clock.update();
        engine.tally.turns.add(1);
        let event = lead.events.iter().next();
        match event.map(|(key, ready)| (Source::of(key), ready)) {
            Some((Source::Listener(n), _)) => self.accept(lead, engine, n),
            Some((Source::Connection(key), ready)) => Job::GoOn { key, ready },
            Some((GONG, _)) => {
                // Sockets that are put in anew are looked at once more.
                report(lead.listening.move_all_to_back(&team.poller));
                Job::Nothing
            }
            Some((Source::Model(_), _)) => {
                hear(&team.wake);
                Job::Nothing
            }
            Some((Source::Signals, _)) | None => Job::Nothing,
        }
    }

    /// Accepts while still leading: a follower would be woken by the same connection. With multi_accept all that wait are taken,
    /// and all but one are left to the followers.
    fn accept(&self, lead: &mut Lead, engine: &mut Engine, n: u32) -> Job {
        let (driver, poller) = (&self.team.driver, &self.team.poller);
        engine.tally.wakeups.add(1);
        let mut job = Job::Nothing;
        loop {
            driver.make_room(engine.clock.now_ms());
            let Some(listener) = lead.listening.get(n) else { return job };
            let Some(key) = driver.reserve() else {
                self.stop_listening(lead, &job);
                return job;
            };
            let accepted = listener.accept();
            if accepted.is_err() {
                driver.release(key);
            }
            match accepted {
                Ok((socket, peer)) => {
                    engine.tally.accepts.add(1);
                    if !lead.listening.is_own(n) && lead.rotation.is_due(n, 1) {
                        engine.tally.rotations.add(1);
                        report(lead.listening.move_to_back(n, poller));
                    }
                    let arrived = Job::Serve(Arrived { key, socket, peer, listener: n as usize });
                    if let Job::Serve(earlier) = std::mem::replace(&mut job, arrived) {
                        // The one who leads looks at the timers before it waits.
                        let _ = driver.accept(engine, earlier, poller);
                    }
                }
                Err(error) => match refusal(&error, &engine.tally) {
                    Refusal::ClientGone if self.options.multi_accept => continue,
                    Refusal::ClientGone | Refusal::NobodyWaits => return job,
                    Refusal::OutOfFiles(_) if driver.release_descriptors(engine) => continue,
                    refusal @ (Refusal::OutOfFiles(_) | Refusal::Other) => {
                        refusal.complain();
                        self.stop_listening(lead, &job);
                        let delayed = engine.clock.now_ms() + self.options.accept_mutex_delay_ms;
                        // A connection that may be closed then leaves its descriptor.
                        let from = driver.room_from().filter(|from| *from > engine.clock.now_ms());
                        lead.pause_until = from.map_or(delayed, |from| from.min(delayed));
                        return job;
                    }
                },
            }
            // At once, and not when the next connection comes: one that woke this process would wake no other.
            if driver.room_from().is_none_or(|from| from > engine.clock.now_ms()) {
                self.stop_listening(lead, &job);
                return job;
            }
            if !self.options.multi_accept {
                return job;
            }
        }
    }

    /// Others are told, when `job` is not the connection that this process was woken for: it has woken no other.
    fn stop_listening(&self, lead: &mut Lead, job: &Job) {
        report(lead.listening.disarm_all(&self.team.poller));
        if matches!(job, Job::Nothing) {
            tell(&self.team.gong);
        }
    }
}
