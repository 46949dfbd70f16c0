//! A dispatcher that accepts, and passes the connections on.

use std::io;
use std::sync::Arc;

use super::{Chooser, Desk, Intake, Reading, Shared, Way};
use crate::dispatch::accepting::{Refusal, refusal};
use crate::dispatch::herd::lone_worker;
use crate::dispatch::{Life, Model, Seat, Setup};
use crate::log;
use crate::os::{Addr, ErrnoText, Socket};
use crate::shm::Role;

/// Tried again when a lane that had room was full all the same, ms.
const FULL_LANE_MS: u64 = 10;

/// What pool_pass and pool_queue are: they differ in who reads which lane.
struct PassingPool {
    shared: Arc<Shared>,
    chooser: Chooser,
    reading: Reading,
}

/// A pool with a lane for each worker, or with one that they read together.
///
/// Errors: descriptors or memory for the lanes cannot be had.
pub(in crate::dispatch) fn passing_pool(setup: &Setup<'_>, reading: Reading) -> io::Result<Arc<dyn Model>> {
    if setup.is_alone {
        return Ok(lone_worker());
    }
    let lanes = if reading == Reading::Alone { setup.workers } else { 1 };
    Ok(Arc::new(PassingPool { shared: Arc::new(Shared::new(setup, lanes)?), chooser: Chooser::new(setup), reading }))
}

impl Model for PassingPool {
    fn plan(&self) -> Vec<Seat> {
        self.shared.plan()
    }

    fn life(&self, seat: Seat) -> Life {
        let (shared, chooser) = (self.shared.clone(), self.chooser.clone());
        match seat.role {
            Role::Worker => Life::Loop(Box::new(Intake::new(shared, seat.number, self.reading))),
            Role::Dispatcher => Life::Own(Box::new(move |context| {
                Desk::new(context, shared, chooser).map(|desk| desk.run(Passing::default()))
            })),
        }
    }

    fn child_died(&self, seat: Seat, _pid: u32) {
        self.shared.child_died(seat);
    }

    fn ended(&self) {
        self.shared.ended();
    }
}

#[derive(Default)]
struct Passing {
    held: Option<Held>,
}

/// Accepted, but no lane would take it.
struct Held {
    socket: Socket,
    peer: Addr,
    listener: u32,
}

impl Passing {
    /// Passes it along the best lane that takes it, or holds it.
    fn pass(&mut self, desk: &mut Desk, mut lane: u32, held: Held) {
        let mut refused = Vec::new();
        loop {
            let number = desk.next_number(lane);
            let sent =
                desk.shared.lanes.get(lane as usize).map(|to| to.pass(number, held.listener, &held.socket, &held.peer));
            match sent {
                // The copy in this process is closed here.
                Some(Ok(())) => return desk.sent(lane, number),
                Some(Err(error)) if error.kind() != io::ErrorKind::WouldBlock => {
                    log::alert!("sendmsg() of an accepted connection failed ({})", ErrnoText(&error));
                }
                _ => {}
            }
            refused.push(lane);
            match desk.choose(&refused) {
                Some(next) => lane = next,
                None => break,
            }
        }
        self.held = Some(held);
        desk.want_room();
    }
}

impl Way for Passing {
    fn come(&mut self, desk: &mut Desk, n: u32) {
        while self.held.is_none() {
            let Some(lane) = desk.choose(&[]) else { return desk.want_room() };
            let Some(listener) = desk.listening.get(n) else { return };
            match listener.accept() {
                Ok((socket, peer)) => {
                    desk.context.tally.accepts.add(1);
                    self.pass(desk, lane, Held { socket, peer, listener: n });
                }
                Err(error) => match refusal(&error, &desk.context.tally) {
                    Refusal::ClientGone => {}
                    Refusal::NobodyWaits => return,
                    refusal @ (Refusal::OutOfFiles(_) | Refusal::Other) => {
                        refusal.complain();
                        return desk.pause();
                    }
                },
            }
            if !desk.context.options.multi_accept {
                return;
            }
        }
    }

    fn look(&mut self, desk: &mut Desk) -> Option<u64> {
        let held = self.held.take()?;
        match desk.choose(&[]).or_else(|| desk.any_lane()) {
            Some(lane) => self.pass(desk, lane, held),
            None => self.held = Some(held),
        }
        self.holds().then(|| desk.now() + FULL_LANE_MS)
    }

    fn holds(&self) -> bool {
        self.held.is_some()
    }
}
