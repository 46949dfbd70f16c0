//! The master's loop: it sleeps until a signal comes or a pause is over (ngx_master_process_cycle).

mod care;
mod certificates;
mod conf_watch;
mod deaths;
mod manager;
mod notices;
mod reload;
mod upgrade;
mod upkeep;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::manager::Manager;
use self::upkeep::{Certificates, ConfWatch};
use super::children::{Children, name_of, signal_all};
use super::loader::Loader;
use super::pid_file::PidFile;
use super::port_move::Retired;
use super::steered::Surplus;
use super::{Cycle, DAEMON, TERM_DRAIN, bound, inherited, supervised};
use crate::dispatch::{Model, Seat};
use crate::event::Shutdown;
use crate::log;
use crate::os::process::{self, Fork, Pid};
use crate::os::signals::{self, Received, Signal, Signals};
use crate::os::{ErrnoText, Failure, daemon, inherit, set_title};

/// The time between TERM and KILL for children: about the sum of nginx's doubling delays (50 ms to 1 s).
const TERM_TIMEOUT: Duration = Duration::from_millis(1600);

/// The parent process.
pub(crate) struct Master {
    loader: Loader,
    cycle: Cycle,
    pid_file: Option<PidFile>,
    /// The models of the generations that have children, the newest last. Empty in children.
    models: Vec<(u32, Arc<dyn Model>)>,
    children: Children,
    /// Keys of tickets to replace, and files of certificates to watch.
    certificates: Certificates,
    /// The files of the conf, where `conf_watch` is on.
    conf_watch: ConfWatch,
    /// When the dispatch model is to look after its processes; `None`: it need not.
    care_at: Option<Instant>,
    /// The service manager that is told of changes. `None` in children, and where none wants to be told.
    manager: Option<Manager>,
    /// Sockets that a reload, while under way, has retired.
    retired: Retired,
    /// Sockets that a reload, while under way, has no worker for.
    surplus: Surplus,
    /// `None` in children, which make their own.
    signals: Option<Signals>,
    shutdown: Shutdown,
    /// When children that TERM has not ended get KILL; `None`: TERM was not sent, or they have got KILL.
    kill_at: Option<Instant>,
    /// When a graceful end that TERM began becomes a fast one.
    end_at: Option<Instant>,
    /// 1 when the service ends because no process can serve.
    exit_code: i32,
    /// Whether WINCH has sent the workers away: none replaces them until a HUP.
    is_idle: bool,
    /// Whether WINCH counts: on a terminal the signal means that the window changed its size.
    takes_winch: bool,
    /// Whether the server ends with the terminal: it was started without nohup(1), and is no daemon.
    ends_with_terminal: bool,
    /// The reason to refuse USR2; `None`: an upgrade is possible.
    upgrade_refusal: Option<String>,
    next_binary: Option<Pid>,
    /// The old binary that started this process; see [`Master::old_binary`].
    old_binary: Option<Pid>,
    /// The program's path, found at the start: after an upgrade on disk the running file has lost its path.
    executable: PathBuf,
    args: Vec<OsString>,
}

impl Master {
    /// Makes this process one that can be a master: it learns of signals, and of the ends of its children's children.
    /// To be called after the process became a daemon, with signals blocked, while errors can still be told to its
    /// caller.
    pub(crate) fn take_office() -> Result<Signals, Failure> {
        process::adopt_orphans().map_err(|e| Failure::new("prctl(PR_SET_CHILD_SUBREAPER)", e))?;
        Signals::open().map_err(|e| Failure::new("signalfd()", e))
    }

    /// A master without children. `signals`: from [`Master::take_office`]. `is_upgrade`: an old binary started this
    /// process. `has_terminal`: it has a terminal, and is no daemon.
    pub(crate) fn new(loader: Loader, cycle: Cycle, signals: Signals, is_upgrade: bool, has_terminal: bool) -> Self {
        let is_daemon = *cycle.conf.root.scope.get(&DAEMON);
        let executable = inherit::executable().map_err(|e| Failure::new("readlink() \"/proc/self/exe\"", e));
        // A container may have no /proc, and need no upgrade.
        let upgrade_refusal =
            supervised::reason(!is_daemon && !is_upgrade).or(executable.as_ref().err().map(Failure::to_string));
        let executable = executable.unwrap_or_default();
        let args: Vec<OsString> = std::env::args_os().collect();
        set_title(&format!("drover: master process {}", args.join(OsStr::new(" ")).display()));
        Self {
            conf_watch: ConfWatch::of(&cycle.conf, &loader),
            loader,
            pid_file: None,
            certificates: Certificates::of(&cycle.endpoints, Instant::now()),
            cycle,
            models: Vec::new(),
            children: Children::default(),
            care_at: None,
            manager: Manager::from_environment(|name| std::env::var_os(name), is_upgrade),
            retired: Retired::default(),
            surplus: Surplus::default(),
            signals: Some(signals),
            shutdown: Shutdown::No,
            kill_at: None,
            end_at: None,
            exit_code: 0,
            is_idle: false,
            takes_winch: !has_terminal,
            ends_with_terminal: has_terminal && !signals::is_ignored(Signal::SIGHUP),
            upgrade_refusal,
            next_binary: None,
            old_binary: is_upgrade.then(inherited::old_binary),
            executable,
            args,
        }
    }

    /// Starts the children, and runs until the service has ended. Returns the exit code. `pid_file`: the file that the
    /// start has written.
    pub(crate) fn run(mut self, pid_file: Option<PidFile>) -> i32 {
        self.pid_file = pid_file;
        self.start_children();
        loop {
            self.wait();
            while let Some(received) = self.signals.as_ref().and_then(|s| s.next().ok().flatten()) {
                self.handle(received);
            }
            self.reap();
            if self.shutdown.has_begun() && self.children.is_empty() && self.orphans(u32::MAX).is_empty() {
                return self.exit();
            }
            self.run_due_work(Instant::now());
        }
    }

    fn wait(&self) {
        let watched = [self.certificates.next_due(), self.conf_watch.next_due()].into_iter().flatten().min();
        let manager = self.manager.as_ref().map(|manager| manager.look_at);
        let due = [self.kill_at, self.end_at, self.children.next_due(), watched, self.care_at, manager];
        let due = due.into_iter().flatten().min();
        let timeout = due.map(|at| at.saturating_duration_since(Instant::now()));
        if let Some(Err(error)) = self.signals.as_ref().map(|s| s.wait(timeout)) {
            log::alert!("poll() failed ({})", ErrnoText(&error));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn handle(&mut self, received: Received) {
        let signal = received.signal;
        if signal != Signal::SIGCHLD {
            log::notice!("signal {} ({signal}) received from {}", signal as i32, received.sender);
        }
        match signal {
            Signal::SIGTERM if self.shutdown == Shutdown::No => self.end_within_term_drain(),
            Signal::SIGTERM | Signal::SIGINT => self.end_fast(),
            Signal::SIGQUIT => self.end_gracefully(),
            // A shell whose terminal was closed sends the signal as well.
            Signal::SIGHUP if self.ends_with_terminal && (received.is_kernel_s || !daemon::has_terminal()) => {
                log::notice!("the terminal was closed");
                self.end_fast();
            }
            Signal::SIGHUP => self.reload(),
            Signal::SIGUSR1 => self.reopen_logs(),
            Signal::SIGUSR2 => self.start_next_binary(),
            Signal::SIGWINCH => self.send_workers_away(),
            _ => {}
        }
    }

    fn end_fast(&mut self) {
        if self.shutdown == Shutdown::Fast {
            return;
        }
        self.release_name();
        (self.shutdown, self.kill_at) = (Shutdown::Fast, Some(Instant::now() + TERM_TIMEOUT));
        self.tell_stopping();
        self.end_before(u32::MAX, Signal::SIGTERM);
    }

    /// TERM: finishes the requests in progress for the time of `term_drain`, then ends what is left.
    fn end_within_term_drain(&mut self) {
        match *self.cycle.conf.root.scope.get(&TERM_DRAIN) {
            0 => self.end_fast(),
            ms => {
                self.end_at = Some(Instant::now() + Duration::from_millis(ms));
                self.end_gracefully();
            }
        }
    }

    /// Releases the pid file's name, so that a successor may start while the last clients are served.
    fn release_name(&self) {
        self.pid_file.iter().for_each(PidFile::release_name);
    }

    fn end_gracefully(&mut self) {
        if self.shutdown.has_begun() {
            return;
        }
        self.release_name();
        self.shutdown = Shutdown::Graceful;
        self.tell_stopping();
        self.end_before(u32::MAX, Signal::SIGQUIT);
        self.close_sockets();
    }

    /// Sends `signal`, which ends a process, to all processes of a generation before `generation`.
    fn end_before(&mut self, generation: u32, signal: Signal) {
        self.children.end_before(generation, signal);
        signal_all(&self.orphans(generation), signal);
    }

    fn close_sockets(&mut self) {
        self.remove_paths(&[]);
        self.cycle.sockets.clear();
    }

    /// Removes the paths of Unix sockets that are not in `kept`, unless another binary serves there as well.
    fn remove_paths(&self, kept: &[bound::Bound]) {
        if self.next_binary.is_none() && self.old_binary().is_none() {
            bound::close_missing(&self.cycle.sockets, kept);
        }
    }

    fn reopen_logs(&mut self) {
        log::notice!("reopening logs");
        self.cycle.logs.reopen(self.cycle.user.as_ref());
        self.children.signal_all(Signal::SIGUSR1);
    }

    fn send_workers_away(&mut self) {
        if self.takes_winch && !self.shutdown.has_begun() && !self.is_idle {
            self.is_idle = true;
            self.end_before(u32::MAX, Signal::SIGQUIT);
        }
    }

    fn run_due_work(&mut self, now: Instant) {
        self.care_for_certificates(now);
        self.look_at_conf(now);
        for seat in self.children.due(now) {
            self.start(seat);
        }
        self.care_for_processes(now);
        self.care_for_manager(now);
        if self.end_at.is_some_and(|at| now >= at) {
            self.end_at = None;
            log::notice!("term_drain is over: what is open ends now");
            self.end_fast();
        }
        if self.kill_at.is_some_and(|at| now >= at) {
            self.kill_at = None;
            self.children.signal_all(Signal::SIGKILL);
            signal_all(&self.orphans(u32::MAX), Signal::SIGKILL);
        }
    }

    fn start_children(&mut self) {
        self.cycle.announce();
        let generation = self.cycle.generation;
        if !self.models.iter().any(|(g, _)| *g == generation) {
            self.models.push((generation, self.cycle.model.clone()));
        }
        for seat in self.cycle.model.plan() {
            self.start(seat);
        }
        self.care_at = Some(Instant::now());
    }

    fn start(&mut self, seat: Seat) {
        let name = name_of(seat);
        match process::fork() {
            Ok(Fork::Parent(pid)) => {
                log::notice!("start {name} {pid}");
                self.children.add(pid, seat, self.cycle.generation, Instant::now());
            }
            Ok(Fork::Child) => {
                (self.signals, self.pid_file, self.manager) = (None, None, None);
                // A child would never close them.
                (self.retired, self.surplus) = (Retired::default(), Surplus::default());
                // The models of older generations hold descriptors.
                self.models.clear();
                self.cycle.live_and_exit(seat)
            }
            Err(error) => {
                log::alert!("fork() failed while spawning \"{name}\" ({})", ErrnoText(&error));
                self.children.postpone(seat, self.cycle.generation, Instant::now());
            }
        }
    }

    fn exit(&mut self) -> i32 {
        self.pid_file.take().into_iter().for_each(PidFile::remove);
        self.models.iter().for_each(|(_, model)| model.ended());
        self.close_sockets();
        self.tell_successor();
        log::notice!("exit");
        self.exit_code
    }
}
