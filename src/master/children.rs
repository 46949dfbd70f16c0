//! The children of the master: those that live, those told to end, and the empty seats.

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use super::back_off::BackOff;
use crate::dispatch::Seat;
use crate::log;
use crate::os::process::Pid;
use crate::os::signals::{Signal, send};
use crate::os::{ErrnoText, process};
use crate::shm::Role;

/// The name of a seat's process in log lines.
pub fn name_of(seat: Seat) -> &'static str {
    match seat.role {
        Role::Worker => "worker process",
        Role::Dispatcher => "dispatcher process",
    }
}

/// A process that this master forked and has not reaped.
#[derive(Debug, Clone)]
pub struct Child {
    /// The process id.
    pub pid: Pid,
    /// The seat in the model's plan.
    pub seat: Seat,
    /// The generation of the conf that the process serves.
    pub generation: u32,
    /// Whether the process was told to end: its death leaves no empty seat.
    pub is_ending: bool,
    started: Instant,
}

/// Whether a process that has died had been at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Began {
    /// The process had been at work.
    Yes,
    /// The process crashed before its first wakeup.
    No,
    /// The process could not begin, and its exit code says that its successor can't either.
    Never,
}

/// The consequence of a death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// How long the seat stays empty.
    pub time: Duration,
    /// Whether the next process will probably not begin either.
    pub is_hopeless: bool,
}

/// A seat without a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Empty {
    seat: Seat,
    generation: u32,
    until: Instant,
}

/// All children and empty seats.
#[derive(Debug, Default)]
pub struct Children {
    living: Vec<Child>,
    empty: Vec<Empty>,
    back_off: HashMap<Seat, BackOff>,
}

impl Children {
    /// Adds a process that was forked for `seat`.
    pub fn add(&mut self, pid: Pid, seat: Seat, generation: u32, now: Instant) {
        self.living.push(Child { pid, seat, generation, is_ending: false, started: now });
    }

    /// Removes a process that was reaped. If it was not told to end, its seat is due after the pause that is returned.
    pub fn remove(&mut self, pid: Pid, began: Began, now: Instant) -> Option<(Child, Option<Pause>)> {
        let at = self.living.iter().position(|c| c.pid == pid)?;
        let child = self.living.swap_remove(at);
        if child.is_ending {
            return Some((child, None));
        }
        let lived = now.saturating_duration_since(child.started);
        let back_off = self.back_off.entry(child.seat).or_default();
        match began {
            Began::Yes => back_off.had_begun(),
            Began::No => back_off.could_not_begin(),
            Began::Never => back_off.can_not_begin(),
        }
        let time = back_off.died(lived);
        let pause = Pause { time, is_hopeless: began != Began::Yes && back_off.is_hopeless() };
        self.empty.push(Empty { seat: child.seat, generation: child.generation, until: now + time });
        Some((child, Some(pause)))
    }

    /// Makes the seat due later, after a fork that failed.
    pub fn postpone(&mut self, seat: Seat, generation: u32, now: Instant) {
        let pause = self.back_off.entry(seat).or_default().died(Duration::ZERO).max(Duration::from_millis(100));
        self.empty.push(Empty { seat, generation, until: now + pause });
    }

    /// Takes out the empty seats whose pause is over.
    pub fn due(&mut self, now: Instant) -> Vec<Seat> {
        self.empty.extract_if(.., |empty| empty.until <= now).map(|empty| empty.seat).collect()
    }

    /// Takes out all empty seats, whenever they are due.
    pub fn take_empty(&mut self) -> Vec<Seat> {
        self.empty.drain(..).map(|empty| empty.seat).collect()
    }

    /// The time when the next pause is over.
    pub fn next_due(&self) -> Option<Instant> {
        self.empty.iter().map(|empty| empty.until).min()
    }

    /// Sends `signal`, which ends a process, to every child of a generation before `generation`. Their seats stay
    /// empty.
    pub fn end_before(&mut self, generation: u32, signal: Signal) {
        self.empty.retain(|empty| empty.generation >= generation);
        for child in self.living.iter_mut().filter(|c| c.generation < generation) {
            child.is_ending = true;
            signal_one(child.pid, signal);
        }
    }

    /// Sends `signal` to all children.
    pub fn signal_all(&self, signal: Signal) {
        self.living.iter().for_each(|c| signal_one(c.pid, signal));
    }

    /// Whether `pid` is a child.
    pub fn contains(&self, pid: Pid) -> bool {
        self.living.iter().any(|child| child.pid == pid)
    }

    /// Whether a child of this generation lives.
    pub fn has(&self, generation: u32) -> bool {
        self.living.iter().any(|c| c.generation == generation)
    }

    /// Whether a child of this generation lives that has this role and was not told to end.
    pub fn serves(&self, generation: u32, role: Role) -> bool {
        self.at_work(generation).any(|c| c.seat.role == role)
    }

    /// The children of this generation that were not told to end.
    fn at_work(&self, generation: u32) -> impl Iterator<Item = &Child> {
        self.living.iter().filter(move |c| c.generation == generation && !c.is_ending)
    }

    /// The ids of those of this generation that were not told to end.
    pub fn pids_of(&self, generation: u32) -> Vec<Pid> {
        self.at_work(generation).map(|c| c.pid).collect()
    }

    /// How many of these have the role.
    pub fn count(&self, generation: u32, role: Role) -> usize {
        self.at_work(generation).filter(|c| c.seat.role == role).count()
    }

    /// Whether no child lives.
    pub fn is_empty(&self) -> bool {
        self.living.is_empty()
    }
}

/// Sends `signal` to processes that this process has yet to reap, so that no id can belong to another process.
pub fn signal_all(pids: &[Pid], signal: Signal) {
    pids.iter().for_each(|pid| signal_one(*pid, signal));
}

/// Sends `signal` to a child. A child that has ended, and waits to be reaped, is no failure.
fn signal_one(pid: Pid, signal: Signal) {
    if let Err(error) = send(pid, signal)
        && process::is_alive(pid)
    {
        log_failure(pid, signal, &error);
    }
}

fn log_failure(pid: Pid, signal: Signal, error: &io::Error) {
    log::alert!("kill({pid}, {}) failed ({})", signal as i32, ErrnoText(error));
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEAT: Seat = Seat { role: Role::Worker, number: 0 };
    /// Ids above the kernel's limit (2^22): no process has them, so nothing can be hit by a signal.
    const NOBODY: Pid = 0x7fff_0000;

    #[test]
    fn a_death_empties_the_seat_until_the_pause_is_over() {
        let (mut children, start) = (Children::default(), Instant::now());
        let mut now = start;
        for expected in [0, 100, 200] {
            children.add(NOBODY, SEAT, 1, now);
            let (child, pause) = children.remove(NOBODY, Began::Yes, now).unwrap();
            let pause = pause.unwrap();
            let time = Duration::from_millis(expected);
            assert_eq!((child.seat, pause), (SEAT, Pause { time, is_hopeless: false }));
            assert_eq!(children.next_due(), Some(now + time));
            if expected > 0 {
                assert!(children.due(now).is_empty());
            }
            now += time;
            assert_eq!(children.due(now), [SEAT]);
            assert_eq!(children.next_due(), None);
        }
        assert!(children.is_empty());
    }

    #[test]
    fn who_was_asked_to_end_is_not_replaced() {
        let (mut children, now) = (Children::default(), Instant::now());
        children.add(NOBODY, SEAT, 1, now);
        children.add(NOBODY + 1, SEAT, 2, now);
        children.end_before(2, Signal::SIGQUIT);
        assert!(children.serves(2, Role::Worker) && !children.serves(1, Role::Worker), "the first one is ending");
        assert!(children.remove(NOBODY, Began::Yes, now).unwrap().1.is_none());
        assert!(children.remove(NOBODY + 1, Began::Never, now).unwrap().1.unwrap().is_hopeless);
        assert!(children.remove(NOBODY + 2, Began::Yes, now).is_none());
        children.postpone(SEAT, 3, now);
        children.end_before(3, Signal::SIGTERM);
        assert_eq!(children.take_empty(), [SEAT], "the seat of the new generation waits for somebody");
        assert!(children.next_due().is_none(), "an empty seat of the old generation stays empty");
    }
}
