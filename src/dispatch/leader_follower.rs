//! `leader_follower`: the threads of a worker share one epoll set, and one of them at a time, the leader, waits on it,
//! with room for one event. Before it handles the event it promotes a follower to the leader. In the field: the
//! Leader/Followers pattern of POSA2, as in ACE and TAO.
//!
//! - `plan`: `worker_processes` workers, no dispatcher.
//! - `life`: `live`, a group of `worker_threads` threads.
//! - The loop: `PoolThread::run`; the leader arms the sockets before it waits, and accepts while it leads.
//! - `child_died`: nothing to mend; the kernel closes the sockets of a dead worker.
//!
//! No event passes from thread to thread, and successive requests of one connection may be served by different threads.
//!
//! # A thread, edge by edge
//!
//! ```text
//! state       event                                   method                    next
//! Following   the leadership is free                  follow                    Leading
//! Following   a command, or log lines are due         follow                    Following
//! Leading     an event of a connection                lead, promote_follower    Processing
//! Leading     an event of a socket                    accept, promote_follower  Processing the last connection that
//!                                                                               was accepted
//! Leading     an earlier deadline, a waker            lead, promote_follower    Following
//! Leading     the process shuts down, no connection   LeaderFollowers::end      the end of all threads
//!             is left
//! Processing  the event is handled                    run                       Following
//! Following   the process shuts down fast             follow                    the end
//! ```

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::model::{AcceptOptions, Model, ModelKind, Param, Places, ProcessContext, Setup};
use super::sockets::{AcceptError, Draining, Listening, Rotation, log_epoll_failure};
use super::threads::{ThreadControl, ThreadGroup, tally_of, threaded_workers, worker_threads};
use super::waker::{reset, wake, watch_waker};
use crate::event::{Shutdown, Source};
use crate::log;
use crate::os::{ErrnoText, EventFd, Events, Failure, Interest, Poller, Ready};
use crate::serve::{Accepted, Engine, SharedDriver};
use crate::shm::Tally;

pub(super) static KIND: ModelKind = ModelKind {
    name: "leader_follower",
    params: &[THREADS],
    about: "In every worker `worker_threads=N` threads share one epoll set. One waits for one event, lets the next \
            thread wait, and handles the event itself: successive requests of a connection may be served by different \
            threads.",
    places: Places::OfWorker,
    make,
};

const THREADS: Param = worker_threads(4);

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    let (threads, workers_waker) = (setup.param(&THREADS) as usize, Arc::new(EventFd::new()?));
    threaded_workers(setup, threads, move |context| live(context, threads, workers_waker.clone()))
}

fn live(mut context: ProcessContext, threads: usize, workers_waker: Arc<EventFd>) -> Result<(), Failure> {
    let threads = context.affordable_threads(threads, 2);
    let group = ThreadGroup::new(threads)?;
    let shared = Arc::new(LeaderFollowers::new(&mut context, workers_waker)?);
    for number in 0..threads {
        let engine = context.engines.engine(tally_of(&context, number)?)?;
        let thread = PoolThread {
            control: group.control(number),
            shared: shared.clone(),
            options: context.options,
            shutdown: Shutdown::No,
        };
        group.spawn(number, move || thread.run(engine))?;
    }
    group.supervise(&context, || shared.wake_all());
    Ok(())
}

const LEADER_WAKER: Source = Source::Model(0);
const WORKERS_WAKER: Source = Source::Model(1);

/// The connections, the epoll set and the leadership, which the threads of a process share.
struct LeaderFollowers {
    poller: Poller,
    driver: SharedDriver,
    /// The process's slot in the ledger.
    tally: Arc<Tally>,
    /// Wakes the leader of this process.
    leader_waker: EventFd,
    /// Wakes the leaders of all workers. Woken by a leader that was woken for a connection and can't take it.
    workers_waker: Arc<EventFd>,
    succession: Mutex<Succession>,
    /// Signalled when the leadership is free, or there is a command to obey.
    changed: Condvar,
}

/// The order in which threads lead.
struct Succession {
    /// The leadership, while no thread has it.
    lead: Option<Leadership>,
    /// The process has no connections left, and takes no new ones.
    is_over: bool,
}

/// The listening sockets and the right to wait for them: the thread that owns this is the leader.
struct Leadership {
    listening: Listening,
    events: Events,
    rotation: Rotation,
    /// The backlogs that a leaving process still accepts from.
    draining: Draining,
    /// Out of descriptors until then, ms of the clock.
    pause_until: u64,
}

/// The event that the leader has got, to be handled once another thread leads.
enum Job {
    Serve { key: u64, accepted: Accepted },
    Resume { key: u64, ready: Ready },
    Nothing,
}

impl LeaderFollowers {
    fn new(context: &mut ProcessContext, workers_waker: Arc<EventFd>) -> Result<LeaderFollowers, Failure> {
        let poller = Poller::new().map_err(|e| Failure::new("epoll_create()", e))?;
        let leader_waker = EventFd::new().map_err(|e| Failure::new("eventfd()", e))?;
        poller.add(&leader_waker, LEADER_WAKER.key(), Interest::READ).map_err(|e| Failure::new("epoll_ctl()", e))?;
        watch_waker(&workers_waker, WORKERS_WAKER, &poller).map_err(|e| Failure::new("epoll_ctl()", e))?;
        let mut listening = Listening::new(&std::mem::take(&mut context.listeners)).with_own(&context.is_own);
        // The kernel wakes one of the workers' leaders; of a worker's threads only the leader waits.
        listening.set_exclusive();
        // Room for one event: the next event is for the next leader.
        let (events, rotation) = (Events::with_capacity(1), Rotation::default());
        let lead = Leadership { listening, events, rotation, draining: Draining::default(), pause_until: 0 };
        let driver = SharedDriver::new(context.capacity(), context.tally.clone());
        let succession = Succession { lead: Some(lead), is_over: false };
        Ok(LeaderFollowers {
            poller,
            driver,
            tally: context.tally.clone(),
            leader_waker,
            workers_waker,
            succession: Mutex::new(succession),
            changed: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Succession> {
        self.succession.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the leadership to a follower.
    fn promote_follower(&self, lead: Leadership) {
        self.lock().lead = Some(lead);
        self.changed.notify_one();
    }

    /// Accepts from the backlogs that are to be drained, as far as there are slots.
    fn drain_queues(&self, lead: &mut Leadership, engine: &mut Engine) {
        while !lead.draining.is_over()
            && let Some(key) = self.driver.reserve()
        {
            let Some(accepted) = lead.draining.next(&engine.tally) else {
                self.driver.release(key);
                return;
            };
            // No need to wake the leader for the timers: this thread leads, and sets its timeout after this.
            let _ = self.driver.accept(engine, key, accepted, &self.poller);
        }
    }

    /// Ends all threads.
    fn end(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    /// Wakes the leader and the followers, to obey a command.
    fn wake_all(&self) {
        wake(&self.leader_waker);
        let _free = self.lock();
        self.changed.notify_all();
    }
}

/// A thread that leads, handles what it has got, and follows.
struct PoolThread {
    control: ThreadControl,
    shared: Arc<LeaderFollowers>,
    options: AcceptOptions,
    shutdown: Shutdown,
}

impl PoolThread {
    fn run(mut self, mut engine: Engine) {
        while let Some(mut lead) = self.follow(&mut engine) {
            let job = self.lead(&mut lead, &mut engine);
            self.shared.promote_follower(lead);
            let (driver, poller) = (&self.shared.driver, &self.shared.poller);
            let wakes_leader = match job {
                Job::Serve { key, accepted } => driver.accept(&mut engine, key, accepted, poller).0,
                Job::Resume { key, ready } => driver.ready(&mut engine, key, ready, poller).0,
                Job::Nothing => false,
            };
            if wakes_leader {
                wake(&self.shared.leader_waker);
            }
            engine.end_of_turn();
        }
        if self.shutdown == Shutdown::Fast {
            self.shared.driver.close_all(&mut engine);
        }
        engine.flush_logs();
    }

    /// Waits until the leadership is free, and takes it; `None`: the thread must end.
    fn follow(&mut self, engine: &mut Engine) -> Option<Leadership> {
        loop {
            if self.control.has_command() {
                self.shutdown = self.control.obey(Some(engine));
            }
            {
                let mut succession = self.shared.lock();
                if succession.is_over || self.shutdown == Shutdown::Fast {
                    return None;
                }
                if let Some(lead) = succession.lead.take() {
                    return Some(lead);
                }
                if !self.control.has_command() {
                    self.sleep(succession, engine);
                }
            }
            engine.clock.update();
            engine.end_of_turn();
        }
    }

    /// Waits for the leadership, for a command, or until log lines are due.
    fn sleep(&self, succession: MutexGuard<'_, Succession>, engine: &Engine) {
        let now = engine.clock.now_ms();
        match engine.next_upkeep().map(|at| Duration::from_millis(at.saturating_sub(now))) {
            None => drop(self.shared.changed.wait(succession)),
            Some(timeout) => drop(self.shared.changed.wait_timeout(succession, timeout)),
        }
    }

    /// Waits for one event as the leader, and returns what is to be done. Begins the shutdown of the sockets, and ends
    /// the threads when it is complete.
    fn lead(&mut self, lead: &mut Leadership, engine: &mut Engine) -> Job {
        let shared = self.shared.clone();
        engine.clock.update();
        shared.driver.expire(engine, &shared.poller);
        if self.shutdown != Shutdown::No && !lead.listening.is_closed() {
            lead.draining = lead.listening.to_drain();
            log_epoll_failure(lead.listening.close(&shared.poller));
            shared.driver.drain(engine.clock.now_ms());
        }
        shared.drain_queues(lead, engine);
        if self.shutdown != Shutdown::No && shared.driver.live() == 0 {
            shared.end();
            return Job::Nothing;
        }
        let is_paused = engine.clock.now_ms() < lead.pause_until;
        let (now, room_from) = (engine.clock.now_ms(), shared.driver.room_from());
        let has_room = room_from.is_some_and(|from| from <= now);
        if !is_paused && has_room {
            log_epoll_failure(lead.listening.arm(&shared.poller));
        }
        let pause = is_paused.then_some(lead.pause_until);
        let until = [shared.driver.next_deadline(), engine.next_upkeep(), pause, room_from.filter(|_| !has_room)];
        let timeout = until.into_iter().flatten().min().map(|at| at.saturating_sub(now));
        // A command that comes from here on wakes the leader by `leader_waker`.
        if self.control.has_command() {
            return Job::Nothing;
        }
        shared.tally.listening.set(lead.listening.is_armed().into());
        if let Err(error) = shared.poller.wait(&mut lead.events, timeout) {
            log::alert!("epoll_wait() failed ({})", ErrnoText(&error));
        }
        engine.clock.update();
        engine.tally.turns.add(1);
        let event = lead.events.iter().next();
        match event.map(|(key, ready)| (Source::of(key), ready)) {
            Some((Source::Listener(n), _)) => self.accept(lead, engine, n),
            Some((Source::Connection(key), ready)) => Job::Resume { key, ready },
            Some((WORKERS_WAKER, _)) => {
                // A connection that waits is reported anew for sockets that are put in anew.
                log_epoll_failure(lead.listening.move_all_to_back(&shared.poller));
                Job::Nothing
            }
            Some((Source::Model(_), _)) => {
                reset(&shared.leader_waker);
                Job::Nothing
            }
            Some((Source::Signals | Source::Jobs, _)) | None => Job::Nothing,
        }
    }

    /// Accepts while still leading: a follower would be woken by the same connection. With multi_accept all connections
    /// that wait: the thread starts each when it accepts the next, and returns the last.
    fn accept(&self, lead: &mut Leadership, engine: &mut Engine, n: u32) -> Job {
        let (driver, poller) = (&self.shared.driver, &self.shared.poller);
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
                    if !lead.listening.is_own(n) && lead.rotation.count(n, 1) {
                        engine.tally.rotations.add(1);
                        log_epoll_failure(lead.listening.move_to_back(n, poller));
                    }
                    let accepted = Accepted { socket, peer, listener: n as usize };
                    let last = Job::Serve { key, accepted };
                    if let Job::Serve { key, accepted } = std::mem::replace(&mut job, last) {
                        // No need to wake the leader for the timers: the next one reads them before it waits.
                        let _ = driver.accept(engine, key, accepted, poller);
                    }
                }
                Err(error) => match AcceptError::count(&error, &engine.tally) {
                    AcceptError::ClientGone if self.options.multi_accept => continue,
                    AcceptError::ClientGone | AcceptError::NoneWaits => return job,
                    AcceptError::OutOfFiles(_) if driver.release_descriptors(engine) => continue,
                    error @ (AcceptError::OutOfFiles(_) | AcceptError::Other) => {
                        error.log_out_of_files();
                        self.stop_listening(lead, &job);
                        let delayed = engine.clock.now_ms() + self.options.accept_mutex_delay_ms;
                        // An idle connection that may be closed earlier leaves its descriptor.
                        let from = driver.room_from().filter(|from| *from > engine.clock.now_ms());
                        lead.pause_until = from.map_or(delayed, |from| from.min(delayed));
                        return job;
                    }
                },
            }
            // Now, and not when the next connection comes: that would wake this process, and no other.
            if driver.room_from().is_none_or(|from| from > engine.clock.now_ms()) {
                self.stop_listening(lead, &job);
                return job;
            }
            if !self.options.multi_accept {
                return job;
            }
        }
    }

    /// Disarms the sockets. If `job` is not the connection that this process was woken for, wakes the other workers:
    /// the kernel has woken none of them for it.
    fn stop_listening(&self, lead: &mut Leadership, job: &Job) {
        log_epoll_failure(lead.listening.disarm_all(&self.shared.poller));
        if matches!(job, Job::Nothing) {
            wake(&self.shared.workers_waker);
        }
    }
}
