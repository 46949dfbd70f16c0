//! The process of one connection.

use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::dispatch::model::{Command, ProcessContext, next_command};
use crate::dispatch::sockets::Listening;
use crate::dispatch::waker::reset;
use crate::event::Shutdown;
use crate::log::{self, Logs};
use crate::os::signals::Signals;
use crate::os::{ErrnoText, EventFd, Interest, Ready, parent, poll, process, set_title};
use crate::serve::blocking::{self, Eviction, Interrupts};
use crate::serve::{Conn, Engine, Shortage};
use crate::shm::Tally;

/// The parts of the dispatcher's state that the child, a copy of the dispatcher, uses.
pub(super) struct Inherited<'a> {
    pub(super) context: &'a ProcessContext,
    pub(super) engine: &'a mut Engine,
    pub(super) listening: &'a mut Listening,
    pub(super) room_request: &'a EventFd,
}

/// Serves `conn` and exits. For the child, directly after the fork. The dispatcher's epoll set is shared by the fork,
/// so it is left as it is.
pub(super) fn live(inherited: Inherited<'_>, mut conn: Conn, tally: Arc<Tally>) -> ! {
    let served = catch_unwind(AssertUnwindSafe(|| {
        let Inherited { context, engine, listening, room_request } = inherited;
        let tally = own_slot(context, tally);
        if let Err(error) = parent::watch_parent(context.pid as i32) {
            log::alert!("prctl(PR_SET_PDEATHSIG) failed ({})", ErrnoText(&error));
        }
        tally.connections.set(1);
        set_title("drover: connection process");
        listening.forget();
        engine.tally = tally.clone();
        engine.clock.update();
        let mut interrupts = ChildInterrupts {
            // The dispatcher's signalfd, which shows a process that polls it the signals of that process.
            signals: &context.signals,
            logs: &context.engines.logs,
            room_request,
            shutdown: Shutdown::No,
        };
        blocking::serve(engine, &mut conn, &mut interrupts);
        drop(conn);
        engine.flush_logs();
        tally.connections.set(0);
    }));
    process::exit_now(if served.is_ok() { 0 } else { 101 })
}

/// The slot that the dispatcher has given to the child; another slot, if the dispatcher has died before the hand-over.
fn own_slot(context: &ProcessContext, tally: Arc<Tally>) -> Arc<Tally> {
    let pid = process::id() as u32;
    if tally.pass_on(context.pid, pid) {
        return tally;
    }
    // The child must not count in the slot of another process.
    context.claim_slot(pid, 0).unwrap_or_else(|_| process::exit_now(1))
}

/// The interrupts of a child: the master's commands, passed on by the dispatcher, and its requests for room.
struct ChildInterrupts<'a> {
    signals: &'a Signals,
    logs: &'a Logs,
    room_request: &'a EventFd,
    shutdown: Shutdown,
}

impl Interrupts for ChildInterrupts<'_> {
    fn waker(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }

    fn obey(&mut self, engine: &mut Engine) -> Shutdown {
        while let Some(command) = next_command(self.signals) {
            match command {
                Command::Terminate => self.shutdown = Shutdown::Fast,
                Command::Quit if self.shutdown == Shutdown::No => self.shutdown = Shutdown::Graceful,
                Command::Reopen => {
                    engine.flush_logs();
                    self.logs.reopen(None);
                }
                Command::Quit | Command::ChildDied => {}
            }
        }
        engine.shutdown = self.shutdown;
        self.shutdown
    }

    fn backlog(&self) -> Option<BorrowedFd<'_>> {
        Some(self.room_request.as_fd())
    }

    fn check_backlog(&mut self) -> bool {
        poll([Some((self.room_request.as_fd(), Interest::READ))], Some(0)).is_ok_and(|[ready]| ready != Ready::empty())
    }

    /// The request is for one child: the first idle one that resets the eventfd.
    fn decide_eviction(&mut self) -> Eviction {
        if reset(self.room_request) > 0 { Eviction::Now } else { Eviction::No }
    }

    /// The dispatcher logs the shortage (`ForkingDispatcher::reap`): the children would each log it once a second.
    fn shortage(&self) -> Option<&Shortage> {
        None
    }
}
