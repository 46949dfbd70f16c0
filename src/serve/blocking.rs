//! The blocking driver: one thread, one connection, and poll(2) between the steps of the same engine that the event
//! driver uses.
//!
//! A step never blocks, so that every timeout holds, and commands of the master are obeyed, whatever the client does:
//! the thread sleeps here and nowhere else.

use std::os::fd::{AsFd, BorrowedFd};

use super::connection::{Conn, LULL_MS, Need, Unfinished};
use super::engine::Engine;
use super::shortage::{Shortage, count_reused};
use crate::event::Shutdown;
use crate::log;
use crate::os::{ErrnoText, Interest, Ready, memory, poll};

/// The events besides those of its client that a serving thread waits for, and what it makes of them.
pub trait Interrupts {
    /// Readable when there is a command to `obey`.
    fn waker(&self) -> BorrowedFd<'_>;

    /// Carries out the commands that wait, and sets `Engine::shutdown`. Returns how far the shutdown has gone.
    fn obey(&mut self, engine: &mut Engine) -> Shutdown;

    /// Readable while clients wait for a thread; `None`: none can wait.
    fn backlog(&self) -> Option<BorrowedFd<'_>>;

    /// Finds out whether a client waits whom no thread is free to serve.
    fn check_backlog(&mut self) -> bool;

    /// Decides whether the client that is being served must go. To be asked when clients wait, and this client has
    /// asked for nothing in a while. `Eviction::Now` may have taken the client to be served next.
    fn decide_eviction(&mut self) -> Eviction;

    /// The shortage to log when a connection is closed for another; `None`: another process logs it.
    fn shortage(&self) -> Option<&Shortage>;
}

/// Whether an idle connection is closed for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// The connection stays.
    No,
    /// The connection stays; the question is asked again after that many milliseconds.
    AskAgainIn(u64),
    /// The connection is closed.
    Now,
}

/// Serves one connection to its end.
pub fn serve(engine: &mut Engine, conn: &mut Conn, interrupts: &mut impl Interrupts) {
    converse(engine, conn, interrupts);
    engine.closing(conn);
}

fn converse(engine: &mut Engine, conn: &mut Conn, interrupts: &mut impl Interrupts) {
    let mut need = step(engine, conn, false);
    engine.clock.update();
    let mut idle_since = engine.clock.now_ms();
    // When the backlog is watched again, and whether clients have waited in it since the last answer.
    let (mut backlog_from, mut is_wanted) = (0, false);
    while need != Need::Close {
        let woken = wait(engine, conn, need, interrupts, backlog_from);
        engine.clock.update();
        engine.tally.turns.add(1);
        if woken.has_command {
            match interrupts.obey(engine) {
                Shutdown::Fast => break,
                Shutdown::Graceful => _ = conn.shorten_idle(idle_since + LULL_MS),
                Shutdown::No => {}
            }
        }
        let now = engine.clock.now_ms();
        if need == Need::Turn || !woken.conn.is_empty() {
            if (is_wanted || woken.has_waiting) && interrupts.check_backlog() {
                engine.is_full = true;
            }
            need = step(engine, conn, woken.conn.intersects(Ready::RDHUP | Ready::HUP | Ready::ERROR));
            // On a busy machine a step takes long, a handshake above all: none of that is time that the client has had.
            engine.clock.update();
            (idle_since, is_wanted, backlog_from) = (engine.clock.now_ms(), false, 0);
        } else if now >= conn.deadline_ms {
            need = match engine.timed_out(conn) {
                Need::Close => Need::Close,
                _ => step(engine, conn, false),
            };
        } else if woken.has_waiting && now < conn.reusable(idle_since).time_ms() {
            (is_wanted, backlog_from) = (true, conn.reusable(idle_since).time_ms());
        } else if woken.has_waiting && conn.unfinished() != Unfinished::Nothing {
            backlog_from = now + LULL_MS;
        } else if woken.has_waiting {
            match interrupts.decide_eviction() {
                Eviction::No => {}
                Eviction::AskAgainIn(ms) => backlog_from = now + ms,
                Eviction::Now => {
                    conn.say_goodbye();
                    count_reused(1, &engine.tally, interrupts.shortage(), now);
                    break;
                }
            }
        }
        engine.end_of_turn();
    }
    engine.is_full = false;
}

fn step(engine: &mut Engine, conn: &mut Conn, hung_up: bool) -> Need {
    // No step begins without a part of the reserve.
    if engine.is_starved() {
        return Need::Close;
    }
    let need = engine.advance(conn, hung_up);
    engine.end_of_turn();
    if memory::is_short() && !engine.relieve(|_| false) { Need::Close } else { need }
}

struct Woken {
    conn: Ready,
    has_command: bool,
    has_waiting: bool,
}

fn wait(engine: &Engine, conn: &Conn, need: Need, interrupts: &impl Interrupts, backlog_from: u64) -> Woken {
    let now = engine.clock.now_ms();
    let interest = match need {
        Need::Write => Interest::WRITE,
        Need::Both => Interest::READ | Interest::WRITE,
        Need::Time => Interest::RDHUP,
        Need::Pause => Interest::empty(),
        _ => Interest::READ,
    };
    let socket = (need != Need::Turn).then(|| (conn.socket.as_fd(), interest));
    let is_idle = matches!(need, Need::Idle | Need::Linger);
    let backlog = interrupts.backlog().filter(|_| is_idle && now >= backlog_from).map(|fd| (fd, Interest::READ));
    let ask_again = (is_idle && now < backlog_from).then_some(backlog_from);
    let until = [Some(conn.deadline_ms), engine.next_upkeep(), ask_again].into_iter().flatten().min();
    let timeout = if need == Need::Turn { Some(0) } else { until.map(|at| at.saturating_sub(now)) };
    match poll([socket, Some((interrupts.waker(), Interest::READ)), backlog], timeout) {
        Ok([conn, waker, backlog]) => Woken { conn, has_command: !waker.is_empty(), has_waiting: !backlog.is_empty() },
        Err(error) => {
            // Out of kernel memory: the step that follows finds out what the client wants, and costs no more than time.
            log::alert!("poll() failed ({})", ErrnoText(&error));
            std::thread::sleep(std::time::Duration::from_millis(1));
            Woken { conn: Ready::READ, has_command: true, has_waiting: false }
        }
    }
}

#[cfg(test)]
mod tests;
