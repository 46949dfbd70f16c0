//! Strikes in an upgrade, after which one of the two masters has to be in office.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::plan::{Fault, Strike};
use crate::run::Run;
use crate::support::load::Loss;
use crate::support::{PATIENCE, proc, until_true};

/// How an upgrade has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Both masters serve.
    Both(i32),
    /// The old one goes on, and the new one has failed.
    Old,
    /// The old one is dead.
    New(i32),
    /// Nobody is left.
    Nobody,
}

impl Run<'_> {
    /// USR2, the strike, and the end of the upgrade one way or the other.
    pub fn at_upgrade(&mut self, strike: &Strike) -> Result<(), String> {
        let old = self.site.master;
        let before = self.ended_binaries();
        self.site.signal(Signal::SIGUSR2);
        sleep(strike.delay);
        let all: Vec<i32> = self.site.alive().into_iter().map(|p| p.pid).collect();
        let masters: Vec<i32> = all.iter().filter(|pid| !self.serves(**pid)).copied().collect();
        let from = if strike.fault == Fault::KillMaster { masters } else { all };
        if let Some(victim) = (!from.is_empty()).then(|| from[strike.pick % from.len()]) {
            self.hit_in_upgrade(strike, victim, old);
        }
        let outcome = self.outcome(old, before)?;
        match outcome {
            Outcome::Nobody => {
                self.excuses.begin(&[Loss::Closed, Loss::Refused]);
                self.site.wait_until_gone();
                self.restart();
                return Ok(());
            }
            Outcome::Old => {}
            Outcome::New(new) => self.site.master = new,
            Outcome::Both(new) if strike.pick.is_multiple_of(2) => {
                self.quit_master(old)?;
                self.site.master = new;
            }
            Outcome::Both(new) => self.quit_master(new)?,
        }
        self.compared = None;
        self.site.settle()?;
        let deadline = Instant::now() + PATIENCE;
        while self.site.pid_in_file() != Some(self.site.master) {
            if Instant::now() > deadline {
                let file = self.site.pid_in_file();
                return Err(format!("{outcome:?}: master {} is in office, and {file:?} in its file", self.site.master));
            }
            sleep(Duration::from_millis(3));
        }
        Ok(())
    }

    /// Whether the process counts as a child in the old master's ledger.
    fn serves(&self, pid: i32) -> bool {
        self.site.ledger().is_some_and(|ledger| ledger.live().any(|slot| slot.pid() == Some(pid as u32)))
    }

    fn hit_in_upgrade(&mut self, strike: &Strike, victim: i32, old: i32) {
        let fault = if strike.fault == Fault::KillMaster { Fault::Kill } else { strike.fault };
        if victim == old && matches!(fault, Fault::Kill | Fault::KillAndReload | Fault::Terminate | Fault::Quit) {
            // The new master may not have begun: then the service is over.
            self.excuses.begin(&[Loss::Closed, Loss::Refused]);
        }
        let is_master = !self.serves(victim);
        self.hit(&Strike { fault, ..*strike }, victim);
        // A master that is about to end is no outcome yet.
        if is_master && matches!(fault, Fault::Kill | Fault::KillAndReload | Fault::Terminate | Fault::Quit) {
            until_true("the end of a master", || !self.site.alive().iter().any(|p| p.pid == victim));
        }
    }

    /// New binaries that the old master has seen end.
    fn ended_binaries(&self) -> usize {
        self.site.server.error_log().matches(": new binary process ").count()
    }

    /// Waits until an upgrade has come to an end, or to its middle, in which both serve.
    fn outcome(&mut self, old: i32, before: usize) -> Result<Outcome, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let masters = self.site.masters();
            let all = self.site.alive();
            let new = masters.iter().copied().find(|pid| *pid != old);
            let is_old_there = all.iter().any(|p| p.pid == old);
            let ready = new.filter(|new| self.site.pid_in_file() == Some(*new) && self.site.is_complete(*new));
            match (is_old_there, ready) {
                (true, Some(new)) => return Ok(Outcome::Both(new)),
                (true, None) if new.is_none() && self.ended_binaries() > before => return Ok(Outcome::Old),
                (false, Some(new)) => return Ok(Outcome::New(new)),
                (false, None) if all.is_empty() => return Ok(Outcome::Nobody),
                _ => {}
            }
            if Instant::now() > deadline {
                let file = self.site.pid_in_file();
                return Err(format!(
                    "the upgrade has come to no end: masters {masters:?}, the old one is {old}, all {all:?}, {file:?} \
                     in the pid file"
                ));
            }
            sleep(Duration::from_millis(3));
        }
    }

    fn quit_master(&mut self, master: i32) -> Result<(), String> {
        let _ = kill(Pid::from_raw(master), Signal::SIGQUIT);
        let deadline = Instant::now() + PATIENCE;
        while self.site.alive().iter().any(|p| p.pid == master) {
            if Instant::now() > deadline {
                return Err(format!("master {master} does not end: {}", proc::what_it_waits_for(master)));
            }
            sleep(Duration::from_millis(3));
        }
        Ok(())
    }
}
