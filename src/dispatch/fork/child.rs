//! The process of one connection.

use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::Dispatcher;
use crate::dispatch::bell::hear;
use crate::dispatch::{Command, next_command};
use crate::event::Shutdown;
use crate::log::{self, Logs};
use crate::os::signals::Signals;
use crate::os::{ErrnoText, EventFd, Interest, Ready, parent, poll, process, set_title};
use crate::serve::blocking::{self, Interrupts, Room};
use crate::serve::{Conn, Engine};
use crate::shm::{Role, Tally};

/// Serves `conn` and exits. What the dispatcher watches is left as it is: the epoll set is the dispatcher's too.
pub(super) fn live(dispatcher: &mut Dispatcher, mut conn: Conn, tally: Arc<Tally>) -> ! {
    let served = catch_unwind(AssertUnwindSafe(|| {
        let tally = own_slot(dispatcher, tally);
        if let Err(error) = parent::watch_parent(dispatcher.context.pid as i32) {
            log::alert!("prctl(PR_SET_PDEATHSIG) failed ({})", ErrnoText(&error));
        }
        tally.connections.set(1);
        set_title("drover: connection process");
        dispatcher.listening.forget();
        let engine = &mut dispatcher.engine;
        engine.tally = tally.clone();
        engine.clock.update();
        let mut watch = Watch {
            // A signalfd shows the signals of the process that polls it.
            signals: &dispatcher.context.signals,
            logs: &dispatcher.context.engines.logs,
            room: &dispatcher.room,
            shutdown: Shutdown::No,
        };
        blocking::serve(engine, &mut conn, &mut watch);
        drop(conn);
        engine.flush_logs();
        tally.connections.set(0);
    }));
    process::exit_now(if served.is_ok() { 0 } else { 101 })
}

/// The slot that the dispatcher has given along; another one, if that died too soon.
fn own_slot(dispatcher: &Dispatcher, tally: Arc<Tally>) -> Arc<Tally> {
    let (pid, context) = (process::id() as u32, &dispatcher.context);
    if tally.pass_on(context.pid, pid) {
        return tally;
    }
    match context.tally.ledger().claim(pid, Role::Worker, 0) {
        Ok(tally) => Arc::new(tally.of_generation(context.tally.generation())),
        // It would count in a slot of somebody else.
        Err(_) => process::exit_now(1),
    }
}

struct Watch<'a> {
    signals: &'a Signals,
    logs: &'a Logs,
    room: &'a EventFd,
    shutdown: Shutdown,
}

impl Interrupts for Watch<'_> {
    fn call(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }

    fn heed(&mut self, engine: &mut Engine) -> Shutdown {
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

    fn crowd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.room.as_fd())
    }

    fn is_crowded(&mut self) -> bool {
        poll([Some((self.room.as_fd(), Interest::READ))], Some(0)).is_ok_and(|[ready]| ready != Ready::empty())
    }

    /// Of all idle children one reads what the dispatcher has written.
    fn make_room(&mut self) -> Room {
        if hear(self.room) > 0 { Room::Give } else { Room::Keep }
    }

    /// The dispatcher says it, when it has found out: the children would each say it once a second.
    fn count_reuse(&self, tally: &Tally, _now_ms: u64) {
        tally.reused_connections.add(1);
    }
}
