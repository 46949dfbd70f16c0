//! The blocking driver: one thread, one connection, and poll(2) between the steps of the same engine that the event driver
//! uses.
//!
//! A step never blocks, so that every timeout holds, and orders from outside are heard, whatever the client does: the
//! thread sleeps here and nowhere else.

use std::os::fd::{AsFd, BorrowedFd};

use super::connection::{Conn, LULL_MS, Need, Unfinished};
use super::engine::Engine;
use crate::event::Shutdown;
use crate::log;
use crate::os::{ErrnoText, Interest, Ready, poll};
use crate::shm::Tally;

/// What else a thread listens to while it waits for its client.
pub trait Interrupts {
    /// Readable when there is something to `heed`.
    fn call(&self) -> BorrowedFd<'_>;

    /// Hears what the call is about.
    fn heed(&mut self, engine: &mut Engine) -> Shutdown;

    /// Readable while clients wait for somebody to serve them; `None`: nobody can wait.
    fn crowd(&self) -> Option<BorrowedFd<'_>>;

    /// Whether a client waits whom nobody is free to serve.
    fn is_crowded(&mut self) -> bool;

    /// The same is asked when the client that is being served has not asked for anything in a while: whether it must go.
    fn make_room(&mut self) -> Room;

    /// The connection is closed for that reason: counts it in `tally`, and logs it. `now_ms`: the time of the clock.
    fn count_reuse(&self, tally: &Tally, now_ms: u64);
}

/// Whether an idle connection stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It stays.
    Keep,
    /// It stays; the question is asked again after that many milliseconds.
    KeepFor(u64),
    /// It is closed.
    Give,
}

/// Serves one connection to its end.
pub fn serve(engine: &mut Engine, conn: &mut Conn, interrupts: &mut impl Interrupts) {
    converse(engine, conn, interrupts);
    engine.closing(conn);
}

fn converse(engine: &mut Engine, conn: &mut Conn, interrupts: &mut impl Interrupts) {
    let mut need = step(engine, conn, false);
    let mut idle_since = engine.clock.now_ms();
    // When the crowd is looked at next, and whether it has been seen since the last answer.
    let (mut crowd_from, mut is_wanted) = (0, false);
    while need != Need::Close {
        let woken = wait(engine, conn, need, interrupts, crowd_from);
        engine.clock.update();
        engine.tally.turns.add(1);
        if woken.is_called {
            match interrupts.heed(engine) {
                Shutdown::Fast => break,
                Shutdown::Graceful => conn.shorten_idle(idle_since + LULL_MS),
                Shutdown::No => {}
            }
        }
        let now = engine.clock.now_ms();
        if need == Need::Turn || !woken.conn.is_empty() {
            if (is_wanted || woken.is_crowded) && interrupts.is_crowded() {
                engine.is_full = true;
            }
            need = step(engine, conn, woken.conn.intersects(Ready::HUP | Ready::ERROR));
            (idle_since, is_wanted, crowd_from) = (now, false, 0);
        } else if now >= conn.deadline_ms {
            need = match engine.timed_out(conn) {
                Need::Close => Need::Close,
                _ => step(engine, conn, false),
            };
        } else if woken.is_crowded && now < idle_since + conn.lull_ms() {
            (is_wanted, crowd_from) = (true, idle_since + conn.lull_ms());
        } else if woken.is_crowded && conn.unfinished() != Unfinished::Nothing {
            crowd_from = now + LULL_MS;
        } else if woken.is_crowded {
            match interrupts.make_room() {
                Room::Keep => {}
                Room::KeepFor(ms) => crowd_from = now + ms,
                Room::Give => {
                    conn.say_goodbye();
                    interrupts.count_reuse(&engine.tally, now);
                    break;
                }
            }
        }
        engine.end_of_turn();
    }
    engine.is_full = false;
}

fn step(engine: &mut Engine, conn: &mut Conn, hung_up: bool) -> Need {
    let need = engine.advance(conn, hung_up);
    engine.end_of_turn();
    need
}

struct Woken {
    conn: Ready,
    is_called: bool,
    is_crowded: bool,
}

fn wait(engine: &Engine, conn: &Conn, need: Need, interrupts: &impl Interrupts, crowd_from: u64) -> Woken {
    let now = engine.clock.now_ms();
    let interest = if need == Need::Write { Interest::WRITE } else { Interest::READ };
    let socket = (need != Need::Turn).then(|| (conn.socket.as_fd(), interest));
    let is_idle = matches!(need, Need::Idle | Need::Linger);
    let crowd = interrupts.crowd().filter(|_| is_idle && now >= crowd_from).map(|fd| (fd, Interest::READ));
    let ask_again = (is_idle && now < crowd_from).then_some(crowd_from);
    let until = [Some(conn.deadline_ms), engine.next_upkeep(), ask_again].into_iter().flatten().min();
    let timeout = if need == Need::Turn { Some(0) } else { until.map(|at| at.saturating_sub(now)) };
    match poll([socket, Some((interrupts.call(), Interest::READ)), crowd], timeout) {
        Ok([conn, call, crowd]) => Woken { conn, is_called: !call.is_empty(), is_crowded: !crowd.is_empty() },
        Err(error) => {
            // Out of kernel memory: the step that follows finds out what the client wants, and costs no more than time.
            log::alert!("poll() failed ({})", ErrnoText(&error));
            std::thread::sleep(std::time::Duration::from_millis(1));
            Woken { conn: Ready::READ, is_called: true, is_crowded: false }
        }
    }
}

#[cfg(test)]
mod tests;
