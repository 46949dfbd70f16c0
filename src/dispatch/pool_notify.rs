//! `pool_notify`: a dispatcher watches the listening sockets, and tells the worker of its choice that a connection waits; the worker
//! accepts it (half-sync/half-async).
//!
//! Nobody is told twice: a socket is watched for one event (EPOLLONESHOT), and again when the worker that was told has answered,
//! whatever it found: the client may be gone, or the connection taken by the process of another generation. A worker that dies
//! answers with its death. One that is stopped, or hangs, answers late: then another is told, and the late one nothing more until
//! it has answered.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::fence;

use super::bell::listen_to;
use super::herd::lone_worker;
use super::pool::{Chooser, Desk, POLICY, Shared, Way};
use super::{Hooks, Kind, Life, Loop, Model, Seat, Setup, Wait, report};
use crate::event::{Ready, Source, monotonic_ms};
use crate::log;
use crate::os::{ErrnoText, Interest};
use crate::shm::Role;

pub static KIND: Kind = Kind {
    name: "pool_notify",
    params: &[POLICY],
    about: "A dispatcher watches the listening sockets, and tells a worker, chosen by `pool_policy` as for pool_pass, that a \
            connection waits; the worker accepts it.",
    make,
};

/// How long an answer may take before somebody else is told, ms: as long as `accept_mutex_lease` is by default.
const PATIENCE_MS: u64 = 100;

const LANE: Source = Source::Model(0);
const GONG: Source = Source::Model(1);

struct PoolNotify {
    shared: Arc<Shared>,
    chooser: Chooser,
}

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    if setup.is_alone {
        return Ok(lone_worker());
    }
    let shared = Arc::new(Shared::new(setup, setup.workers)?);
    Ok(Arc::new(PoolNotify { shared, chooser: Chooser::new(setup) }))
}

impl Model for PoolNotify {
    fn plan(&self) -> Vec<Seat> {
        self.shared.plan()
    }

    fn life(&self, seat: Seat) -> Life {
        let (shared, chooser) = (self.shared.clone(), self.chooser.clone());
        match seat.role {
            Role::Worker => Life::Loop(Box::new(Told { shared, seat: seat.number, hears: false, hears_gong: false })),
            Role::Dispatcher => Life::Own(Box::new(move |context| {
                let mut desk = Desk::new(context, shared, chooser)?;
                desk.listening.set_oneshot();
                desk.run(Telling::default());
                Ok(())
            })),
        }
    }

    fn child_died(&self, seat: Seat, _pid: u32) {
        self.shared.child_died(seat);
    }
}

/// What the dispatcher knows.
#[derive(Default)]
struct Telling {
    open: Vec<Notice>,
    /// Not answered in time.
    late: Vec<Notice>,
}

/// Word that has not been answered.
#[derive(Clone, Copy, Debug)]
struct Notice {
    listener: u32,
    /// The worker's seat, and lane.
    seat: u32,
    pid: u32,
    number: u64,
    /// When it is late, ms of the clock.
    until: u64,
}

impl Notice {
    fn is_settled(&self, shared: &Shared) -> bool {
        shared.has_taken(self.seat, self.number) || shared.worker(self.seat) != Some(self.pid)
    }
}

impl Telling {
    /// Tells the best worker that can be told.
    fn tell_one(&mut self, desk: &mut Desk, listener: u32) {
        let mut but = self.spared();
        while let Some(seat) = desk.choose(&but) {
            let number = desk.next_number(seat);
            match desk.tell(seat, number, listener) {
                Ok(()) => {
                    desk.sent(seat, number);
                    let (pid, until) = (desk.shared.worker(seat).unwrap_or(0), monotonic_ms() + PATIENCE_MS);
                    return self.open.push(Notice { listener, seat, pid, number, until });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => log::alert!("sendmsg() to a worker failed ({})", ErrnoText(&error)),
            }
            but.push(seat);
        }
        desk.want_room();
    }
}

impl Way for Telling {
    fn spared(&self) -> Vec<u32> {
        self.late.iter().map(|notice| notice.seat).collect()
    }

    fn come(&mut self, desk: &mut Desk, n: u32) {
        // When there is room again all sockets are watched again, those too whose connection somebody has been told of.
        if !self.open.iter().any(|notice| notice.listener == n) {
            self.tell_one(desk, n);
        }
    }

    fn look(&mut self, desk: &mut Desk) -> Option<u64> {
        let now = monotonic_ms();
        let (shared, late) = (desk.shared.clone(), &mut self.late);
        late.retain(|notice| !notice.is_settled(&shared));
        self.open.retain(|notice| {
            let is_late = now >= notice.until;
            let is_over = is_late || notice.is_settled(&shared);
            if is_over {
                // What waits is reported now, or again.
                report(desk.listening.rearm(notice.listener, &desk.poller));
            }
            if is_late && !notice.is_settled(&shared) {
                late.push(*notice);
            }
            !is_over
        });
        self.open.iter().map(|notice| notice.until).min()
    }
}

/// A worker's part.
struct Told {
    shared: Arc<Shared>,
    seat: u32,
    /// The lane is in the epoll set.
    hears: bool,
    hears_gong: bool,
}

impl Hooks for Told {
    fn before_wait(&mut self, state: &mut Loop) -> Wait {
        if !self.hears
            && let Some(lane) = self.shared.lane(self.seat)
        {
            self.hears = report(state.poller.add(lane, LANE.key(), Interest::READ));
        }
        if !self.hears_gong {
            self.hears_gong = report(listen_to(&self.shared.gong, GONG, &state.poller));
        }
        self.shared.set_capacity(self.seat, state.driver.capacity());
        // As in `pool::Intake`.
        fence(SeqCst);
        if self.shared.is_room_wanted() {
            state.driver.make_room();
            state.tally.connections.set(state.driver.live() as u64);
        }
        if state.may_listen() {
            self.shared.rest(self.seat, 0);
            self.shared.offer_room();
        }
        let now = state.driver.clock().now_ms();
        let until = [state.pause_ends(), self.shared.wanted_room_from(state)].into_iter().flatten().min();
        Wait { at_most_ms: until.map(|at| at.saturating_sub(now)), posts: false }
    }

    fn own_event(&mut self, state: &mut Loop, n: u32, _ready: Ready) {
        if Source::Model(n) == GONG {
            // It wakes the worker for what it does before each wait.
            return;
        }
        let Some(lane) = self.shared.lane(self.seat) else { return };
        match lane.take() {
            Ok(parcel) => {
                state.accept_from(parcel.listener, self);
                state.tally.connections.set(state.driver.live() as u64);
                self.shared.answer(self.seat, parcel.number);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => log::alert!("recvmsg() from the dispatcher failed ({})", ErrnoText(&error)),
        }
    }

    fn stop_listening(&mut self, state: &mut Loop) {
        // Out of slots is what the ledger says already.
        if state.is_out_of_files() {
            self.shared.rest(self.seat, state.pid);
        }
    }

    fn leave(&mut self, state: &mut Loop) {
        report(state.listening.close(&state.poller));
        self.shared.leave(self.seat, state.pid);
    }
}
