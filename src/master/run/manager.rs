//! The service manager that started this process, and what it has been told (sd_notify(3)).

use crate::log;
use crate::os::process::{self, Pid};
use crate::os::signals::{Signal, is_pending, send};
use crate::os::{ErrnoText, NotifySocket};
use std::ffi::OsString;
use std::time::{Duration, Instant};

/// The time between two looks for an answer: short at first, because a start or a reload waits for it.
pub(super) const FIRST_LOOK: Duration = Duration::from_millis(2);
pub(super) const LAST_LOOK: Duration = Duration::from_millis(200);

/// The service manager, and what it has been told.
#[derive(Debug)]
pub(super) struct Manager {
    socket: NotifySocket,
    /// A third of WATCHDOG_USEC; `None`: the manager watches nobody.
    pub(super) watchdog: Option<Duration>,
    /// Whether READY=1 is to follow when all processes answer.
    pub(super) owes_ready: bool,
    /// The processes that have been asked.
    asked: Vec<Pid>,
    /// The processes that have not answered, and when they were asked.
    silent: Vec<(Pid, Instant)>,
    /// When WATCHDOG=1 was said last.
    watched_at: Instant,
    /// Whether the log has the names of the silent ones.
    has_complained: bool,
    pub(super) pause: Duration,
    pub(super) look_at: Instant,
    pub(super) status: String,
    pub(super) status_at: Instant,
}

impl Manager {
    /// The manager that the environment names. `is_upgrade`: an old binary started this process, and the manager's
    /// variable has the old one's id.
    pub(super) fn from_environment(get: impl Fn(&str) -> Option<OsString>, is_upgrade: bool) -> Option<Manager> {
        let address = get("NOTIFY_SOCKET").filter(|address| !address.is_empty())?;
        let socket = NotifySocket::new(&address).map_err(|error| {
            log::warn!("NOTIFY_SOCKET=\"{}\": {}: the service manager hears nothing", address.display(), error);
        });
        let number = |name| get(name)?.to_str()?.parse::<u64>().ok();
        let is_own = is_upgrade || number("WATCHDOG_PID").is_none_or(|pid| pid == process::id() as u64);
        let watchdog = number("WATCHDOG_USEC").filter(|usec| is_own && *usec > 0);
        let now = Instant::now();
        Some(Manager {
            socket: socket.ok()?,
            watchdog: watchdog.map(|usec| Duration::from_micros(usec / 3)),
            owes_ready: true,
            asked: Vec::new(),
            silent: Vec::new(),
            watched_at: now,
            has_complained: false,
            pause: FIRST_LOOK,
            look_at: now,
            status: String::new(),
            status_at: now,
        })
    }

    /// Sends lines `NAME=value`.
    pub(super) fn tell(&self, message: &str) {
        if let Err(error) = self.socket.send(message) {
            log::error!("sendto() the service manager failed ({}): {message:?} is lost", ErrnoText(&error));
        }
    }

    /// Asks the processes that have not been asked, and takes the answers. True: all have answered.
    pub(super) fn ask(&mut self, processes: &[Pid], now: Instant) -> bool {
        self.asked.retain(|pid| processes.contains(pid));
        for pid in processes.iter().filter(|pid| !self.asked.contains(pid)) {
            // A process that has ended is reaped before the next look.
            if send(*pid, Signal::SIGIO).is_ok() {
                self.silent.push((*pid, now));
            }
        }
        self.asked = processes.to_vec();
        self.silent.retain(|(pid, _)| processes.contains(pid) && is_pending(*pid, Signal::SIGIO) == Some(true));
        self.silent.is_empty()
    }

    /// Says WATCHDOG=1 when it is time and all have answered, and asks them again.
    pub(super) fn watch(&mut self, now: Instant, all_answer: bool) {
        let Some(pause) = self.watchdog else { return };
        if all_answer && now.saturating_duration_since(self.watched_at) >= pause {
            self.tell("WATCHDOG=1");
            self.asked.clear();
            (self.watched_at, self.has_complained) = (now, false);
        } else if let Some((silent, time)) = self.overdue(now, pause).filter(|_| !self.has_complained) {
            self.has_complained = true;
            let seconds = time.as_secs_f64();
            log::alert!("process {silent} has not answered for {seconds:.1} s: no WATCHDOG=1 until it does");
        }
    }

    /// The processes whose answer has not come within `patience`, and how long it is due. That of a process is due
    /// since it was asked: WATCHDOG=1 may be older, because the old binary was the one to say it, or because the master
    /// itself was held up.
    fn overdue(&self, now: Instant, patience: Duration) -> Option<(String, Duration)> {
        let all = self.silent.iter().map(|(pid, asked_at)| (pid.to_string(), now.saturating_duration_since(*asked_at)));
        let (silent, times): (Vec<String>, Vec<Duration>) = all.filter(|(_, time)| *time >= patience).unzip();
        times.into_iter().max().map(|time| (silent.join(", "), time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::process::Fork;
    use crate::os::signals::Signals;
    use std::io::{Read, Write};

    fn watchdog(variables: &[(&str, &str)], is_upgrade: bool) -> Option<Duration> {
        let get = |name: &str| {
            let all = [("NOTIFY_SOCKET", "@nobody")];
            all.iter().chain(variables).find(|(other, _)| *other == name).map(|(_, value)| OsString::from(value))
        };
        Manager::from_environment(get, is_upgrade).expect("a manager").watchdog
    }

    #[test]
    fn the_watchdog_is_for_the_process_that_it_names() {
        let (own, other) = (process::id().to_string(), (process::id() + 1).to_string());
        let usec = ("WATCHDOG_USEC", "30000000");
        let third = Some(Duration::from_secs(10));
        assert_eq!(watchdog(&[], false), None);
        assert_eq!(watchdog(&[usec], false), third);
        assert_eq!(watchdog(&[usec, ("WATCHDOG_PID", &own)], false), third);
        assert_eq!(watchdog(&[usec, ("WATCHDOG_PID", &other)], false), None);
        assert_eq!(watchdog(&[usec, ("WATCHDOG_PID", &other)], true), third);
        assert_eq!(watchdog(&[("WATCHDOG_USEC", "0")], false), None);
    }

    #[test]
    fn a_process_has_answered_when_it_has_read_its_signals() {
        let get = |name: &str| (name == "NOTIFY_SOCKET").then(|| OsString::from("@nobody"));
        let mut manager = Manager::from_environment(get, false).expect("a manager");
        let (mut began, mut begin) = std::io::pipe().unwrap();
        let (mut told, mut tell) = std::io::pipe().unwrap();
        let child = match process::fork().unwrap() {
            Fork::Parent(child) => child,
            Fork::Child => {
                let signals = Signals::open();
                _ = begin.write_all(b"x");
                _ = told.read(&mut [0]);
                while !matches!(signals.as_ref().map(Signals::next), Ok(Ok(Some(_)))) {}
                std::thread::sleep(Duration::from_secs(60));
                process::exit_now(0)
            }
        };
        began.read_exact(&mut [0]).unwrap();
        let asked_at = Instant::now() + Duration::from_secs(25);
        assert!((0..3).all(|_| !manager.ask(&[child], asked_at)), "it is not in its loop");
        let (second, later) = (Duration::from_secs(1), |ms| asked_at + Duration::from_millis(ms));
        assert_eq!(manager.overdue(later(999), second), None, "however long nobody asked before");
        let overdue = Some((child.to_string(), Duration::from_millis(1500)));
        assert!(!manager.ask(&[child], later(1400)));
        assert_eq!(manager.overdue(later(1500), second), overdue);
        tell.write_all(b"x").unwrap();
        let deadline = Instant::now() + Duration::from_secs(40);
        while !manager.ask(&[child], later(1500)) {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
        assert!(manager.ask(&[child], later(1500)), "it is asked once");
        assert_eq!(manager.overdue(later(9000), second), None);
        send(child, Signal::SIGKILL).unwrap();
        assert!(manager.ask(&[], later(9000)), "processes that have gone are forgotten");
        nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(child), None).unwrap();
    }

    #[test]
    fn without_an_address_there_is_no_manager() {
        assert!(Manager::from_environment(|_| None, false).is_none());
        assert!(Manager::from_environment(|_| Some(OsString::new()), false).is_none());
        assert!(Manager::from_environment(|_| Some("vsock:2:1".into()), false).is_none());
    }
}
