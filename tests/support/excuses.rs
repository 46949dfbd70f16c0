//! The losses of clients that a fault explains.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::load::{Loss, Lost};
use super::proc;

/// The losses that are no fault of the server.
#[derive(Default)]
pub struct Excuses {
    /// Clients whose connections a victim held, by port, and when.
    held: BTreeMap<u16, Instant>,
    /// Losses of these kinds since then.
    since: Option<(Instant, Vec<Loss>)>,
}

impl Excuses {
    /// From now on losses of these kinds are excused, until the strike is judged.
    pub fn begin(&mut self, losses: &[Loss]) {
        let from = self.since.as_ref().map_or_else(Instant::now, |(from, _)| *from);
        self.since = Some((from, losses.to_vec()));
    }

    /// Whether a loss has an excuse.
    pub fn covers(&self, lost: &Lost) -> bool {
        let was_held = self.held.get(&lost.port).is_some_and(|at| lost.from <= *at && *at <= lost.at);
        let is_excused = self.since.as_ref().is_some_and(|(at, losses)| lost.at >= *at && losses.contains(&lost.loss));
        lost.loss != Loss::Wrong && (was_held || is_excused)
    }

    /// Kills a process, and excuses the clients whose connections to the server's `port` die with it.
    pub fn kill(&mut self, victim: i32, port: u16) {
        let pid = Pid::from_raw(victim);
        if kill(pid, Signal::SIGSTOP).is_err() {
            return;
        }
        let deadline = Instant::now() + Duration::from_secs(5);
        while !proc::is_stopped(victim) && proc::is_alive(victim) && Instant::now() < deadline {
            std::thread::yield_now();
        }
        let now = Instant::now();
        self.held.extend(proc::clients_of(victim, port).into_iter().map(|client| (client, now)));
        let _ = kill(pid, Signal::SIGKILL);
    }
}
