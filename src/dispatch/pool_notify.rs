//! `pool_notify`: a dispatcher watches the listening sockets, and tells the worker of its choice that a connection
//! waits; the worker accepts it. In the field: the half-sync/half-async pattern of POSA2; UNPv1 30.9 describes pools
//! whose parent keeps count of the children.
//!
//! - `plan`: one dispatcher, `worker_processes` workers. Without a master, one worker that always listens.
//! - `life`: `Dispatcher::run` with `NotifyPolicy`; for a worker the event loop with the hooks `Notified`.
//! - The loop: a worker watches its channel instead of the sockets, and answers each message when it has tried to
//!   accept.
//! - `child_died`: the master wakes the dispatcher and the workers; the dispatcher notices which messages the dead
//!   worker left.
//!
//! A connection is told of once: a socket is watched for one event (EPOLLONESHOT), and again when the worker that was
//! told has answered, whatever it found: the client may be gone, or a process of another generation may have accepted
//! the connection.
//!
//! # A notice, edge by edge
//!
//! ```text
//! state  event                                  method                           next
//! none   a socket is readable, a worker has     on_readable, notify_one_worker   open: the socket is disarmed
//!        room
//! none   a socket is readable, no worker has    Dispatcher::request_room         none: all sockets are disarmed until
//!        room                                                                    there is room
//! open   the worker has answered, or is dead    before_wait, Notice::is_settled  settled: the socket is rearmed
//! open   no answer within PATIENCE_MS           before_wait                      late: the socket is rearmed, another
//!                                                                                worker is told
//! late   the worker has answered, or is dead    before_wait, Notice::is_settled  settled: the worker may be told again
//! ```

use std::io;
use std::sync::Arc;

use super::model::{Hooks, Life, Loop, Model, ModelKind, Places, Seat, Setup, Wait, lone_worker};
use super::pool::{Chooser, DispatchPolicy, Dispatcher, POLICY, PoolShared};
use super::sockets::log_epoll_failure;
use super::waker::Hearing;
use crate::event::{Ready, Source, monotonic_ms};
use crate::log;
use crate::os::seccomp::ExtraCalls;
use crate::os::{ErrnoText, Interest};
use crate::shm::Role;

pub(super) static KIND: ModelKind = ModelKind {
    name: "pool_notify",
    params: &[POLICY],
    about: "A dispatcher watches the listening sockets, and tells a worker, chosen by `pool_policy` as for pool_pass, \
            that a connection waits; the worker accepts it.",
    places: Places::OfWorker,
    make,
};

/// How long an answer may take before another worker is told, ms: as long as `accept_mutex_lease` is by default.
const PATIENCE_MS: u64 = 100;

const CHANNEL: Source = Source::Model(0);
const WORKERS_WAKER: Source = Source::Model(1);

struct PoolNotify {
    shared: Arc<PoolShared>,
    chooser: Chooser,
}

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    if setup.is_alone {
        return Ok(lone_worker());
    }
    let shared = Arc::new(PoolShared::new(setup, setup.workers)?);
    Ok(Arc::new(PoolNotify { shared, chooser: Chooser::new(setup) }))
}

impl Model for PoolNotify {
    fn plan(&self) -> Vec<Seat> {
        self.shared.plan()
    }

    fn extra_calls(&self, _seat: Seat) -> ExtraCalls {
        ExtraCalls::TAKE_DESCRIPTORS
    }

    fn life(&self, seat: Seat) -> Life {
        let (shared, chooser) = (self.shared.clone(), self.chooser.clone());
        match seat.role {
            Role::Worker => Life::Loop(Box::new(Notified {
                shared,
                seat: seat.number,
                is_channel_watched: false,
                hearing: Hearing::default(),
            })),
            Role::Dispatcher => Life::Own(Box::new(move |context| {
                let mut dispatcher = Dispatcher::new(context, shared, chooser)?;
                dispatcher.listening.set_oneshot();
                dispatcher.run(NotifyPolicy::default());
                Ok(())
            })),
        }
    }

    fn child_died(&self, seat: Seat, _pid: u32) {
        self.shared.child_died(seat);
    }
}

/// Tells a worker of each connection, and waits for its answer.
#[derive(Default)]
struct NotifyPolicy {
    open: Vec<Notice>,
    /// The notices that were not answered in time.
    late: Vec<Notice>,
}

/// A message to a worker that has not been answered.
#[derive(Clone, Copy, Debug)]
struct Notice {
    /// Index of the socket at which a connection waits.
    listener: u32,
    /// The worker's seat, which is the number of its channel.
    seat: u32,
    /// The worker that was told.
    pid: u32,
    /// The message's number.
    number: u64,
    /// When the answer is late, ms of the clock.
    until: u64,
}

impl Notice {
    /// Whether the worker has answered, or is dead.
    fn is_settled(&self, shared: &PoolShared) -> bool {
        shared.has_taken(self.seat, self.number) || shared.living_worker(self.seat) != Some(self.pid)
    }
}

impl NotifyPolicy {
    /// Tells the best worker whose channel has room.
    fn notify_one_worker(&mut self, dispatcher: &mut Dispatcher, listener: u32) {
        let mut excluded = self.excluded();
        while let Some(seat) = dispatcher.choose(&excluded) {
            match dispatcher.send(seat, |channel, number| channel.tell(number, listener)) {
                Ok(number) => {
                    let (pid, until) =
                        (dispatcher.shared.living_worker(seat).unwrap_or(0), monotonic_ms() + PATIENCE_MS);
                    return self.open.push(Notice { listener, seat, pid, number, until });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => log::alert!("sendmsg() to a worker failed ({})", ErrnoText(&error)),
            }
            excluded.push(seat);
        }
        dispatcher.request_room();
    }
}

impl DispatchPolicy for NotifyPolicy {
    fn excluded(&self) -> Vec<u32> {
        self.late.iter().map(|notice| notice.seat).collect()
    }

    fn on_readable(&mut self, dispatcher: &mut Dispatcher, n: u32) {
        // When there is room again all sockets are armed again, also a socket of whose connection a worker has been
        // told.
        if !self.open.iter().any(|notice| notice.listener == n) {
            self.notify_one_worker(dispatcher, n);
        }
    }

    fn before_wait(&mut self, dispatcher: &mut Dispatcher) -> Option<u64> {
        let now = monotonic_ms();
        let (shared, late) = (dispatcher.shared.clone(), &mut self.late);
        late.retain(|notice| !notice.is_settled(&shared));
        self.open.retain(|notice| {
            let is_late = now >= notice.until;
            let is_over = is_late || notice.is_settled(&shared);
            if is_over {
                // A connection that waits at the socket is reported now, or again.
                log_epoll_failure(dispatcher.listening.rearm(notice.listener, &dispatcher.poller));
            }
            if is_late && !notice.is_settled(&shared) {
                late.push(*notice);
            }
            !is_over
        });
        self.open.iter().map(|notice| notice.until).min()
    }
}

/// A worker's hooks: it accepts when the dispatcher tells it to.
struct Notified {
    shared: Arc<PoolShared>,
    seat: u32,
    is_channel_watched: bool,
    hearing: Hearing,
}

impl Hooks for Notified {
    fn before_wait(&mut self, state: &mut Loop) -> Wait {
        if !self.is_channel_watched
            && let Some(channel) = self.shared.channel(self.seat)
        {
            self.is_channel_watched = log_epoll_failure(state.poller.add(channel, CHANNEL.key(), Interest::READ));
        }
        self.hearing.begin(&self.shared.workers_waker, WORKERS_WAKER, &state.poller);
        self.shared.set_capacity(self.seat, state.driver.capacity());
        // Messages need no room: the connections that they tell of wait in the backlog.
        let room_from = self.shared.make_wanted_room(state, |_| false);
        if state.resume_listening() {
            self.shared.set_paused(self.seat, 0);
            if state.driver.free() > 0 {
                self.shared.offer_room();
            }
        }
        let now = state.driver.clock().now_ms();
        let until = [state.pause_ends(), room_from].into_iter().flatten().min();
        Wait { at_most_ms: until.map(|at| at.saturating_sub(now)), posts: false }
    }

    fn own_event(&mut self, state: &mut Loop, n: u32, _ready: Ready) {
        if Source::Model(n) == WORKERS_WAKER {
            // The worker is woken for `before_wait` alone.
            return;
        }
        let shared = Arc::clone(&self.shared);
        let taken = shared.take(self.seat, state.pid, |message| {
            state.accept_from(message.listener, self);
            state.tally.connections.set(state.driver.live() as u64);
        });
        match taken {
            Ok(()) => shared.answer(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => log::alert!("recvmsg() from the dispatcher failed ({})", ErrnoText(&error)),
        }
    }

    fn stop_listening(&mut self, state: &mut Loop) {
        // A worker without slots need not say so: the dispatcher reads its number of connections in the ledger.
        if state.is_out_of_files() {
            self.shared.set_paused(self.seat, state.pid);
        }
    }

    fn leave(&mut self, state: &mut Loop) {
        log_epoll_failure(state.listening.close(&state.poller));
        self.shared.leave(self.seat, state.pid);
    }
}
