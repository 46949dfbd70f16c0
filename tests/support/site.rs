//! The server under faults: its masters, their children, and the state that it has to come back to.

use std::collections::BTreeMap;
use std::fs;

use drover::master::client::find_ledger;
use drover::shm::{Ledger, Role, Sums};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::proc::{self, Listed};
use super::server::Server;
use super::{PATIENCE, until, until_true};

/// In the path of a document root, and of no other file, so that the files a cache holds open can be told from others.
pub const CONTENT: &str = "drover-content-";

/// A server, and the pid of the master that is in office.
pub struct Site {
    pub server: Server,
    pub master: i32,
    /// Children of a master at rest.
    pub seats: usize,
}

/// The processes of a role, by how many descriptors and shared mappings they have: how many there are.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Holdings(BTreeMap<(&'static str, usize, usize), usize>);

impl Site {
    pub fn of(server: Server) -> Site {
        let master = server.pid();
        let site = Site { server, master, seats: 0 };
        let mut last = Vec::new();
        let mut times = 0;
        until_true("the children of the start", || {
            let children = proc::children(master);
            // A master that is awake may have more to fork, however long it waits for a CPU.
            let is_settled = !children.is_empty() && proc::is_asleep(master) && site.all_count(&children);
            times = if is_settled && children == last { times + 1 } else { 0 };
            last = children;
            times >= 5
        });
        Site { seats: last.len(), ..site }
    }

    fn all_count(&self, children: &[i32]) -> bool {
        let Some(ledger) = find_ledger(self.master) else { return false };
        let counting: Vec<i32> = ledger.live().filter_map(|slot| slot.pid()).map(|pid| pid as i32).collect();
        children.iter().all(|pid| counting.contains(pid))
    }

    pub fn ledger(&self) -> Option<Ledger> {
        find_ledger(self.master)
    }

    pub fn sums(&self) -> Sums {
        self.ledger().map(|ledger| ledger.sums()).unwrap_or_default()
    }

    pub fn signal(&self, signal: Signal) {
        let _ = nix::sys::signal::kill(Pid::from_raw(self.master), signal);
    }

    /// The living processes, after the dead that fell to this process have been reaped.
    pub fn alive(&mut self) -> Vec<Listed> {
        let _ = self.server.poll_exit();
        let own = std::process::id() as i32;
        let all = proc::group(self.server.pid());
        for dead in all.iter().filter(|p| p.is_zombie && p.parent == own && p.pid != self.server.pid()) {
            let _ = waitpid(Pid::from_raw(dead.pid), Some(WaitPidFlag::WNOHANG));
        }
        all.into_iter().filter(|p| !p.is_zombie).collect()
    }

    /// The dead that a process of the service has not reaped. By the group: a list of children in /proc leaves some out
    /// while others of them are reaped (proc(5)).
    fn zombies(&self) -> Vec<i32> {
        let own = std::process::id() as i32;
        let all = proc::group(self.server.pid()).into_iter();
        all.filter(|p| p.is_zombie && p.parent != own).map(|p| p.pid).collect()
    }

    /// The masters: each has made the ledger that it has.
    pub fn masters(&mut self) -> Vec<i32> {
        let is_master = |pid: &i32| {
            let number = |ledger: Ledger| ledger.header().master.load(std::sync::atomic::Ordering::Relaxed);
            find_ledger(*pid).map(number) == Some(*pid as u32)
        };
        self.alive().into_iter().map(|p| p.pid).filter(is_master).collect()
    }

    /// The pid in the pid file.
    pub fn pid_in_file(&self) -> Option<i32> {
        self.server.read("server.pid").trim().parse().ok()
    }

    /// Whether a master has all its children, of the newest generation, and no others.
    pub fn is_complete(&self, master: i32) -> bool {
        let Some(ledger) = find_ledger(master) else { return false };
        let generation = ledger.header().generation.load(std::sync::atomic::Ordering::Relaxed);
        let children = proc::children(master);
        let own = |slot: &&drover::shm::Slot| slot.pid().is_some_and(|pid| children.contains(&(pid as i32)));
        let mut counting: Vec<u32> = ledger.live().filter(own).filter_map(|slot| slot.pid()).collect();
        counting.sort_unstable();
        counting.dedup();
        counting.len() == self.seats
            && children.len() == self.seats
            && ledger.live().all(|slot| slot.generation() == generation)
    }

    /// Returns when the service is as it was: a master with its children, and nobody else. The error says what is
    /// wrong instead.
    pub fn settle(&mut self) -> Result<(), String> {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let master = self.master;
            // Before the zombies: a child that dies between the two looks is in one of them.
            let is_complete = self.is_complete(master);
            let all: Vec<i32> = self.alive().into_iter().map(|p| p.pid).collect();
            let tree = proc::tree(master);
            let strangers: Vec<i32> = all.iter().filter(|pid| !tree.contains(pid)).copied().collect();
            let zombies = self.zombies();
            if all.contains(&master) && is_complete && strangers.is_empty() && zombies.is_empty() {
                return Ok(());
            }
            if !all.contains(&master) || std::time::Instant::now() > deadline {
                let children = proc::children(master);
                let slots: Vec<String> = self.ledger().map_or(Vec::new(), |ledger| {
                    let line = |slot: &drover::shm::Slot| {
                        format!("{:?} of generation {}: {:?}", slot.role(), slot.generation(), slot.pid())
                    };
                    ledger.live().map(line).collect()
                });
                return Err(format!(
                    "the service of master {master} has not come back to {} children: all {all:?}, children \
                     {children:?}, strangers {strangers:?}, zombies {zombies:?}, in the ledger {slots:?}",
                    self.seats
                ));
            }
            std::thread::sleep(std::time::Duration::from_millis(3));
        }
    }

    /// The descriptors and the shared memory of all processes. To be called when nobody is connected.
    pub fn holdings(&self) -> Holdings {
        let mut times = 0;
        until_true("all processes sleep", || {
            let all = proc::tree(self.master);
            times = if all.into_iter().all(proc::is_asleep) { times + 1 } else { 0 };
            times >= 5
        });
        let mut holdings = Holdings::default();
        let dispatchers: Vec<i32> = self.ledger().map_or(Vec::new(), |ledger| {
            let slots = ledger.live().filter(|slot| slot.role() == Role::Dispatcher);
            slots.filter_map(|slot| slot.pid()).map(|pid| pid as i32).collect()
        });
        for pid in proc::tree(self.master) {
            let role = match pid {
                _ if pid == self.master => "master",
                _ if dispatchers.contains(&pid) => "dispatcher",
                _ => "worker",
            };
            let shared = shared_mappings(pid).len();
            // The file cache keeps files of the document root open for a while.
            let descriptors = proc::open_targets(pid).iter().filter(|target| !target.contains(CONTENT)).count();
            *holdings.0.entry((role, descriptors, shared)).or_default() += 1;
        }
        holdings
    }

    /// The descriptors and the shared memory of all processes, for a message.
    pub fn listing(&self) -> String {
        let line = |pid: i32| format!("{pid}: {:?}, {:?}\n", proc::open_targets(pid), shared_mappings(pid));
        proc::tree(self.master).into_iter().map(line).collect()
    }

    /// Returns when nobody is left.
    pub fn wait_until_gone(&mut self) {
        until("nobody is left", || self.alive().is_empty().then_some(()));
    }
}

/// The lines of /proc/PID/maps with memory that processes share.
fn shared_mappings(pid: i32) -> Vec<String> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let is_shared = |line: &&str| line.contains("/memfd:") || line.contains("/dev/zero");
    maps.lines().filter(is_shared).map(str::to_owned).collect()
}
