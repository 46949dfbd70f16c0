//! Messages to the service manager that started this process (sd_notify(3)): whether it serves, reloads, ends, lives.
//!
//! ```text
//! this process                                               message
//! every seat has a process that has answered                 READY=1, once after the start and after each reload
//! HUP has come                                               RELOADING=1, MONOTONIC_USEC; READY=1 follows, also when
//!                                                            the new conf is refused: the old one serves
//! QUIT, TERM, INT have come                                  STOPPING=1, unless the next binary serves on
//! every process has answered since the last look             WATCHDOG=1, three times in WATCHDOG_USEC
//! its end, while the next binary lives                       MAINPID= of the next binary
//! at each of these, and when the numbers have changed        STATUS=
//! ```
//!
//! The question to a process is the signal IO, which stays pending until the process reads its signals: its loop turns.
//! The manager listens to its main process alone, so a next binary is silent until the old one has ended.

use super::Master;
use super::manager::{FIRST_LOOK, LAST_LOOK};
use crate::event::Shutdown;
use crate::os::time;
use crate::shm::Role;
use std::time::{Duration, Instant};

/// How often the numbers of STATUS are compared with those told last.
const STATUS_PAUSE: Duration = Duration::from_secs(5);

impl Master {
    /// Tells the service manager what is new, if it is time to look.
    pub(super) fn care_for_manager(&mut self, now: Instant) {
        if self.manager.as_ref().is_none_or(|manager| now < manager.look_at) {
            return;
        }
        let is_main = self.old_binary().is_none();
        let (processes, wanted) = (self.children.pids_of(self.cycle.generation), self.cycle.model.plan().len());
        let is_leaving = self.shutdown.has_begun() || self.is_idle;
        let status = self.status();
        let Some(manager) = &mut self.manager else { return };
        let pauses = [Some(STATUS_PAUSE), manager.watchdog];
        let mut pause = pauses.into_iter().flatten().min().unwrap_or(STATUS_PAUSE);
        if is_main {
            let all_answer = is_leaving || manager.ask(&processes, now);
            let is_complete = all_answer && (is_leaving || processes.len() == wanted);
            if manager.owes_ready && is_complete {
                manager.owes_ready = false;
                manager.tell(&format!("READY=1\nSTATUS={status}"));
                (manager.status, manager.status_at) = (status, now);
            } else if !manager.owes_ready && status != manager.status && now >= manager.status_at + STATUS_PAUSE {
                manager.tell(&format!("STATUS={status}"));
                (manager.status, manager.status_at) = (status, now);
            }
            manager.watch(now, all_answer);
            if manager.owes_ready || !all_answer {
                manager.pause = (manager.pause * 2).min(LAST_LOOK);
                pause = pause.min(manager.pause);
            } else {
                manager.pause = FIRST_LOOK;
            }
        }
        manager.look_at = now + pause;
    }

    /// A line about the service.
    fn status(&self) -> String {
        let mut sums = self.cycle.ledger.sums();
        sums.clamp_negatives();
        let (workers, connections) = (self.children.count(self.cycle.generation, Role::Worker), sums.connections);
        let plural = |n: u64, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        let numbers = format!("{}, {}", plural(workers as u64, "worker"), plural(connections, "connection"));
        if self.shutdown.has_begun() {
            return format!("ending: {} open", plural(connections, "connection"));
        }
        match self.cycle.ledger.header().reload_error.get().lines().next() {
            Some(error) if !error.is_empty() => format!("serving: {numbers}; the last reload failed: {error}"),
            _ => format!("serving: {numbers}; generation {} of the conf", self.cycle.generation),
        }
    }

    /// Tells the service manager that a reload begins. READY=1 follows by itself.
    pub(super) fn tell_reloading(&mut self) {
        if self.old_binary().is_some() {
            return;
        }
        if let Some(manager) = &mut self.manager {
            let usec = time::monotonic_us();
            manager.tell(&format!("RELOADING=1\nMONOTONIC_USEC={usec}\nSTATUS=reloading the conf"));
            // The numbers of a reload that fails stay the same.
            manager.status.clear();
            (manager.owes_ready, manager.pause, manager.look_at) = (true, FIRST_LOOK, Instant::now());
        }
    }

    /// Tells the service manager that the service ends. While the next binary lives it does not.
    pub(super) fn tell_stopping(&mut self) {
        if self.old_binary().is_some() || self.next_binary.is_some() {
            return;
        }
        let how = if self.shutdown == Shutdown::Fast { "ending" } else { "ending when the open requests are answered" };
        if let Some(manager) = &mut self.manager {
            manager.owes_ready = false;
            manager.tell(&format!("STOPPING=1\nSTATUS={how}"));
        }
    }

    /// Tells the service manager, as this process's last word, that the next binary is the service now.
    pub(super) fn tell_successor(&self) {
        if let (Some(manager), Some(next), None) = (&self.manager, self.next_binary, self.old_binary()) {
            let watchdog = if manager.watchdog.is_some() { "WATCHDOG=1\n" } else { "" };
            manager.tell(&format!("{watchdog}MAINPID={next}"));
        }
    }
}
