//! Faults: stops, kills or slows a process of a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use drover::shm::Role;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::measure::epoll_watchers;
use crate::process::tree;
use crate::server::Server;

/// A slow process runs for `RUNS`, then stands still for `STANDS`, and so on: it runs a tenth of the time.
const RUNS: Duration = Duration::from_millis(10);
const STANDS: Duration = Duration::from_millis(90);

/// The number of attempts to find the holder of the mutex, and the pause between them.
const PATIENCE: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// The process that suffers the fault.
pub(crate) struct Victim(Pid);

impl Victim {
    /// Finds the process of `server` that is its `target`: "holder", "dispatcher" or "worker". Error: why there is
    /// none.
    pub(crate) fn find(target: &str, server: &Server) -> Result<Victim, String> {
        let mut found = Victim::find_once(target, server);
        // Between two turns of the loop the mutex may be free for a moment.
        for _ in 1..if target == "holder" { PATIENCE } else { 1 } {
            if found.is_ok() {
                break;
            }
            std::thread::sleep(PAUSE);
            found = Victim::find_once(target, server);
        }
        found.map(|pid| Victim(Pid::from_raw(pid as i32))).map_err(str::to_owned)
    }

    fn find_once(target: &str, server: &Server) -> Result<u32, &'static str> {
        let processes = tree(server.pid());
        let watching = epoll_watchers(&processes, server.address.port());
        let dispatchers: Vec<u32> = server
            .ledger
            .iter()
            .flat_map(|ledger| {
                ledger.live().filter(|slot| slot.role() == Role::Dispatcher).filter_map(|slot| slot.pid())
            })
            .collect();
        let workers: Vec<_> =
            processes.iter().filter(|p| p.pid != server.pid() && !dispatchers.contains(&p.pid)).collect();
        // A worker leaves the listening sockets in its epoll set after it has released the mutex, until another takes
        // it.
        let holder = match watching.as_slice() {
            [one] if workers.len() > 1 && !dispatchers.contains(one) => Some(*one),
            _ => server.ledger.as_ref().and_then(|ledger| ledger.mutex().holder()),
        };
        match target {
            "dispatcher" => dispatchers.first().copied().ok_or("has no dispatcher"),
            "holder" => holder.ok_or("has no accept mutex"),
            _ => {
                let others = workers.iter().filter(|process| Some(process.pid) != holder);
                others.max_by_key(|process| process.cpu_ns).map(|process| process.pid).ok_or("has no other worker")
            }
        }
    }
}

/// A fault that lasts until it is dropped.
pub(crate) struct Fault {
    victim: Pid,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Fault {
    pub(crate) fn inject(fault: &str, Victim(victim): Victim) -> Fault {
        let over = Arc::new(AtomicBool::new(false));
        let mut thread = None;
        match fault {
            "stop" => drop(kill(victim, Signal::SIGSTOP)),
            "kill" => drop(kill(victim, Signal::SIGKILL)),
            _ => {
                let over = over.clone();
                thread = Some(std::thread::spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        kill(victim, Signal::SIGSTOP).ok();
                        std::thread::sleep(STANDS);
                        kill(victim, Signal::SIGCONT).ok();
                        std::thread::sleep(RUNS);
                    }
                }));
            }
        }
        Fault { victim, over, thread }
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
        // A killed process has been reaped and its number may be reused; SIGCONT does nothing to a running process.
        kill(self.victim, Signal::SIGCONT).ok();
    }
}
