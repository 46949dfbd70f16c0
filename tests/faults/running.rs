//! A server that runs, with which many faults are tried in turn.

use std::fs;

use crate::site::Site;
use crate::strace::{Attached, Fault};
use crate::support::proc;
use crate::support::server::Server;
use crate::{Outcome, patiently, plan};

/// Where a fault hits the master alone. Where it hits a worker there is one, whose silence another would hide.
pub const WORKERS: usize = 2;

pub struct Running<'a> {
    pub site: &'a Site,
    pub server: Server,
    /// The children that the master has at rest.
    children: usize,
    /// Descriptors and shared mappings of the master, and the sum of its children's.
    held: Held,
    /// Bytes of the log that have been read.
    read: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    master: (usize, usize),
    children: Vec<(usize, usize)>,
}

impl Held {
    /// Whether nothing has leaked. A process may do without what it could not get.
    fn is_within(&self, other: &Held) -> bool {
        let is_within = |(own, other): (&(usize, usize), &(usize, usize))| own.0 <= other.0 && own.1 <= other.1;
        is_within((&self.master, &other.master)) && self.children.iter().zip(&other.children).all(is_within)
    }
}

impl<'a> Running<'a> {
    /// Starts a server, and warms it up by `once`, which is to do what will be done with faults.
    pub fn start(site: &'a Site, model: &str, workers: usize, once: impl FnOnce(&mut Running)) -> Running<'a> {
        let server = site.setup(model, workers).start();
        let children = proc::children(server.pid()).len();
        let held = Held { master: (0, 0), children: Vec::new() };
        let mut running = Running { site, server, children, held, read: 0 };
        patiently("the service", || site.is_served(&running.server)).expect("the service");
        running.children = patiently("the children", || running.children_at_rest()).expect("the children");
        once(&mut running);
        patiently("the service", || site.is_served(&running.server)).expect("the service");
        patiently("rest", || running.is_at_rest()).expect("rest");
        running.held = running.held_now();
        running
    }

    fn children_at_rest(&self) -> Result<usize, String> {
        let children = self.server.workers();
        let ledger = self.server.ledger();
        let counted = ledger.live().filter_map(|slot| slot.pid()).filter(|pid| children.contains(&(*pid as i32)));
        if children.is_empty() || counted.count() < children.len() || !proc::is_asleep(self.server.pid()) {
            return Err(format!("{children:?}"));
        }
        Ok(children.len())
    }

    /// The children that the master has at rest.
    pub fn at_rest(&self) -> usize {
        self.children
    }

    pub fn is_at_rest(&self) -> Result<(), String> {
        let children = self.server.workers();
        let all = [&children[..], &[self.server.pid()]].concat();
        match all.iter().find(|pid| !proc::is_asleep(**pid)) {
            Some(pid) => return Err(format!("process {pid} is at work")),
            None if children.len() != self.children => {
                return Err(format!("{} children, not {}", children.len(), self.children));
            }
            None => {}
        }
        // A process that goes to sleep again and again has something to do.
        let sleeps: Vec<u64> = all.iter().map(|pid| proc::sleeps(*pid)).collect();
        std::thread::sleep(std::time::Duration::from_millis(5));
        if sleeps != all.iter().map(|pid| proc::sleeps(*pid)).collect::<Vec<_>>() {
            return Err(format!("some of {all:?} wakes again and again"));
        }
        Ok(())
    }

    fn held_now(&self) -> Held {
        let root = self.site.root().display().to_string();
        let of = |pid: i32| {
            let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
            // A cache holds files of the site open for a while.
            let lasting = |target: &String| !target.starts_with(&root);
            // A pipe, of which a poller uses one where it can't have an eventfd, counts once.
            let (pipes, others): (Vec<String>, Vec<String>) =
                proc::open_targets(pid).into_iter().filter(lasting).partition(|target| target.starts_with("pipe:"));
            let pipes: std::collections::BTreeSet<String> = pipes.into_iter().collect();
            (pipes.len() + others.len(), maps.lines().filter(|line| line.contains("/memfd:")).count())
        };
        let mut children: Vec<_> = self.server.workers().into_iter().map(of).collect();
        children.sort_unstable();
        Held { master: of(self.server.pid()), children }
    }

    /// The service is right, all processes are asleep, and hold what they held at the beginning.
    pub fn settle(&self) -> Result<(), String> {
        patiently("the service", || self.site.is_served(&self.server))?;
        patiently("rest", || {
            self.is_at_rest()?;
            let held = self.held_now();
            if held.is_within(&self.held) { Ok(()) } else { Err(format!("held {:?}, now {held:?}", self.held)) }
        })
    }

    /// Whether the service has ended because strace kept all workers from beginning, each of which it hits.
    pub fn has_ended(&mut self, workers: usize, injected: &[String]) -> bool {
        let is_said = |log: &str| log.contains(" process can begin, the service ends");
        let may_end = injected.len() >= workers && plan::is_fatal(injected);
        may_end
            && patiently("the end", || match self.server.poll_exit() {
                Some(_) => Ok(is_said(&self.server.error_log())),
                None if self.site.is_served(&self.server).is_ok() => Ok(false),
                None => Err("it runs"),
            }) == Ok(true)
    }

    /// Whether other faults need another server: this one has been harmed, or processes of it have died, and the pauses
    /// before their successors begin grow.
    pub fn is_worn(&self, result: &Result<Outcome, String>) -> bool {
        let log = self.server.error_log();
        let is_death =
            |line: &str| line.contains("died at once") || line.contains(" exited with code ") && !line.ends_with(" 0");
        !matches!(result, Ok(Outcome::Served | Outcome::Unreached)) || log.lines().any(is_death)
    }

    /// The lines of the log since the last call. Error: one tells of a panic or a crash.
    pub fn news(&mut self) -> Result<String, String> {
        let log = self.server.error_log();
        let news = log.get(self.read..).unwrap_or_default().to_owned();
        self.read = log.len();
        let is_harm = |line: &&str| {
            line.contains("panicked") || (line.contains("exited on signal") && !line.contains("signal 9"))
        };
        match news.lines().find(is_harm).map(str::to_owned).or_else(|| self.panic()) {
            Some(line) => Err(format!("{line}\n{news}")),
            None => Ok(news),
        }
    }

    fn panic(&self) -> Option<String> {
        self.server.stderr().lines().find(|line| line.contains("panicked")).map(str::to_owned)
    }

    /// The master as strace sees it.
    pub fn attach(&self, follows: bool, fault: Option<&Fault>) -> Attached {
        Attached::to(&[self.server.pid()], follows, fault)
    }
}

/// Whether a line of at least `[warn]` names the errno, or the look-up of an account: glibc says that there is none,
/// whatever kept it from reading /etc. A short-lived child that can't write has no way to tell its errno.
pub fn is_named(news: &str, fault: &Fault) -> bool {
    if ["getpwnam(", "getgrnam(", "(the child died)"].iter().any(|reason| news.contains(reason)) {
        return true;
    }
    // pthread_create(3) knows no ENOMEM.
    let error = if fault.call.starts_with("clone") { "EAGAIN" } else { fault.error };
    let numbers = [fault.error, error].map(|error| format!("({}: ", plan::number(error)));
    let levels = ["[emerg]", "[alert]", "[crit]", "[error]", "[warn]"];
    let is_error = |line: &&str| levels.iter().any(|level| line.contains(level));
    news.lines().filter(is_error).any(|line| numbers.iter().any(|number| line.contains(number)))
}
