//! The master's life: it sleeps until a signal comes or a pause is over (ngx_master_process_cycle).

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::children::{Began, Child, Children, name_of, tell_all};
use super::loader::{LoadError, Loader, log_warnings};
use super::pid_file::PidFile;
use super::port_move::{self, Retired};
use super::sockets::{self, InUse, Inherited, UPGRADE_VARIABLE};
use super::{Cycle, DAEMON, PidPlace, supervised};
use crate::dispatch::{Model, Seat};
use crate::log;
use crate::os::process::{self, Exit, Fork, Pid};
use crate::os::signals::{self, Received, Signal, Signals};
use crate::os::{ErrnoText, Failure, daemon, inherit, set_title};
use crate::worker;

/// How long children have to obey TERM before they are killed: about what nginx's doubling delay (50 ms to 1 s) sums up to.
const TERM_PATIENCE: Duration = Duration::from_millis(1600);

/// How the service is being ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    No,
    /// QUIT: clients are served to their end.
    Graceful,
    /// TERM, INT: now; KILL at the time given.
    Fast {
        kill_at: Option<Instant>,
    },
}

/// The parent process.
pub struct Master {
    loader: Loader,
    cycle: Cycle,
    pid_file: Option<PidFile>,
    /// Of the generations that have children: the newest last. None in children.
    models: Vec<(u32, Arc<dyn Model>)>,
    children: Children,
    /// The state of a reload that is under way.
    retired: Retired,
    /// Taken out in children, which make their own.
    signals: Option<Signals>,
    ending: Ending,
    /// 1 when the service ends because nobody can serve.
    exit_code: i32,
    /// WINCH: the workers were sent away, and nobody replaces them until a HUP.
    is_idle: bool,
    /// WINCH is for servers in the background: in a terminal it means that a window changed its size.
    heeds_winch: bool,
    /// The end of the terminal is the end of the server: nobody asked nohup(1) or a daemon to keep it.
    ends_with_terminal: bool,
    /// Why USR2 is refused.
    stays: Option<String>,
    next_binary: Option<Pid>,
    /// The old binary that this one was started by, as long as it is the parent.
    old_binary: Option<Pid>,
    /// Found at the start: after an upgrade on disk the running file has lost its path.
    executable: PathBuf,
    args: Vec<OsString>,
}

impl Master {
    /// Takes over from the start. `is_upgrade`: an old binary started it; `has_terminal`: on one, and it is no daemon.
    pub fn new(loader: Loader, cycle: Cycle, is_upgrade: bool, has_terminal: bool) -> Result<Self, Failure> {
        let signals = Signals::open().map_err(|e| Failure::new("signalfd()", e))?;
        process::adopt_orphans().map_err(|e| Failure::new("prctl(PR_SET_CHILD_SUBREAPER)", e))?;
        let is_daemon = *cycle.conf.root.scope.get(&DAEMON);
        let stays = supervised::reason(!is_daemon && !is_upgrade);
        let executable = inherit::executable().map_err(|e| Failure::new("readlink() \"/proc/self/exe\"", e))?;
        let args: Vec<OsString> = std::env::args_os().collect();
        set_title(&format!("drover: master process {}", args.join(OsStr::new(" ")).display()));
        Ok(Self {
            loader,
            pid_file: None,
            cycle,
            models: Vec::new(),
            children: Children::default(),
            retired: Retired::default(),
            signals: Some(signals),
            ending: Ending::No,
            exit_code: 0,
            is_idle: false,
            heeds_winch: !has_terminal,
            ends_with_terminal: has_terminal && !signals::is_ignored(Signal::SIGHUP),
            stays,
            next_binary: None,
            old_binary: is_upgrade.then(process::parent_id),
            executable,
            args,
        })
    }

    /// Runs until the service has ended. Returns the exit code. `pid_file`: the one that the start has written.
    pub fn run(mut self, pid_file: Option<PidFile>) -> i32 {
        self.pid_file = pid_file;
        self.start_children();
        loop {
            self.wait();
            while let Some(received) = self.signals.as_ref().and_then(|s| s.next().ok().flatten()) {
                self.obey(received);
            }
            self.reap();
            if self.ending != Ending::No && self.children.is_empty() && self.orphans(u32::MAX).is_empty() {
                return self.exit();
            }
            self.do_what_is_due(Instant::now());
        }
    }

    fn wait(&self) {
        let kill_at = if let Ending::Fast { kill_at } = self.ending { kill_at } else { None };
        let due = [kill_at, self.children.next_due()].into_iter().flatten().min();
        let timeout = due.map(|at| at.saturating_duration_since(Instant::now()));
        if let Some(Err(error)) = self.signals.as_ref().map(|s| s.wait(timeout)) {
            log::alert!("poll() failed ({})", ErrnoText(&error));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn obey(&mut self, received: Received) {
        let signal = received.signal;
        if signal != Signal::SIGCHLD {
            log::notice!("signal {} ({signal}) received from {}", signal as i32, received.sender);
        }
        match signal {
            Signal::SIGTERM | Signal::SIGINT => self.end_fast(),
            Signal::SIGQUIT => self.end_gracefully(),
            // A shell whose terminal is closed passes the signal on.
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
        if matches!(self.ending, Ending::Fast { .. }) {
            return;
        }
        self.give_up_name();
        self.ending = Ending::Fast { kill_at: Some(Instant::now() + TERM_PATIENCE) };
        self.end_before(u32::MAX, Signal::SIGTERM);
    }

    /// A successor may start while the last clients are served.
    fn give_up_name(&self) {
        self.pid_file.iter().for_each(PidFile::give_up_name);
    }

    fn end_gracefully(&mut self) {
        if self.ending != Ending::No {
            return;
        }
        self.give_up_name();
        self.ending = Ending::Graceful;
        self.end_before(u32::MAX, Signal::SIGQUIT);
        self.close_sockets();
    }

    /// Tells all processes of a generation before `generation` to end in the way that `signal` says.
    fn end_before(&mut self, generation: u32, signal: Signal) {
        self.children.end_before(generation, signal);
        tell_all(&self.orphans(generation), signal);
    }

    /// The children of dispatchers that have died, of a generation before `generation`: the kernel has made them this process's. It
    /// may have other children still, from before it became drover; they don't count in the ledger.
    fn orphans(&self, generation: u32) -> Vec<Pid> {
        let is_orphan = |pid: &Pid| {
            let slot = self.cycle.ledger.live().find(|slot| slot.pid() == Some(*pid as u32));
            !self.children.contains(*pid) && slot.is_some_and(|slot| slot.generation() < generation)
        };
        process::children().into_iter().filter(is_orphan).collect()
    }

    fn close_sockets(&mut self) {
        self.remove_paths(&[]);
        self.cycle.sockets.clear();
    }

    /// Removes the paths of Unix sockets that are not in `kept`, unless another binary serves them as well.
    fn remove_paths(&self, kept: &[sockets::Bound]) {
        if self.next_binary.is_none() && self.old_binary().is_none() {
            sockets::close_missing(&self.cycle.sockets, kept);
        }
    }

    /// The old binary, while it is this process's parent.
    fn old_binary(&self) -> Option<Pid> {
        self.old_binary.filter(|&pid| process::parent_id() == pid)
    }

    fn reload(&mut self) {
        if self.ending != Ending::No {
            return;
        }
        if self.is_idle && self.next_binary.is_some() {
            let called = self.call_workers_back();
            return self.answer(called);
        }
        if self.next_binary.is_some() {
            return self.answer(Err(LoadError::Other("a binary upgrade is under way".into())));
        }
        log::notice!("reconfiguring");
        let old = (&self.cycle.sockets[..], self.cycle.generation);
        let mut none = Inherited::default();
        let next = self
            .loader
            .read_to_serve(sockets::passed_dual_stack(&self.cycle.sockets))
            .and_then(|read| self.loader.prepare(read, &self.cycle.ledger, old, &mut none, InUse::Retry));
        let done = next.and_then(|next| match self.move_pid_file(&next.pid_place) {
            Ok(()) => {
                self.adopt(next);
                Ok(())
            }
            Err(error) => {
                sockets::close_missing(&next.sockets, &self.cycle.sockets);
                Err(error)
            }
        });
        port_move::end(&self.cycle.sockets);
        self.answer(done);
    }

    /// HUP to an old binary (ngx_master_process_cycle): new workers with the conf that the old ones had. They are a generation of
    /// their own, because those that were sent away may still use what theirs shares.
    fn call_workers_back(&mut self) -> Result<(), LoadError> {
        self.cycle.renew()?;
        self.is_idle = false;
        self.start_children();
        Ok(())
    }

    /// Tells the log, and whoever waits for the ledger's counters to move.
    fn answer(&self, result: Result<(), LoadError>) {
        let header = self.cycle.ledger.header();
        match result {
            Ok(()) => {
                header.reload_error.set("");
                header.reloads_ok.add(1);
            }
            Err(error) => {
                log::emerg!("{error}");
                header.reload_error.set(&error.to_string());
                header.reloads_failed.add(1);
            }
        }
    }

    /// New children first, so that no moment is without somebody who accepts.
    fn adopt(&mut self, next: Cycle) {
        if self.cycle.sockets.iter().any(|socket| socket.copy.is_some()) {
            // What waits in the socket of a process that has just died is for nobody else.
            self.reap();
            self.children.take_empty().into_iter().for_each(|seat| self.start(seat));
        }
        self.remove_paths(&next.sockets);
        next.steer(&sockets::addrs(&self.cycle.sockets));
        // An old binary may have to take them back.
        if self.old_binary().is_none() {
            self.retired = Retired::replace(&self.cycle.sockets, &next.sockets);
        }
        self.cycle = next;
        self.cycle.logs.make_current();
        log_warnings(&self.cycle.conf);
        self.is_idle = false;
        self.start_children();
        std::mem::take(&mut self.retired).wait_until_empty();
        self.end_before(self.cycle.generation, Signal::SIGQUIT);
    }

    /// A file that is where `to` says, in whatever spelling, stays; one that somebody has removed is made again.
    fn move_pid_file(&mut self, to: &PidPlace) -> Result<(), LoadError> {
        if !self.pid_file.as_ref().is_some_and(|file| to.is_at(file)) {
            let new = to.create()?;
            std::mem::replace(&mut self.pid_file, new).into_iter().for_each(PidFile::remove);
        }
        Ok(())
    }

    fn reopen_logs(&mut self) {
        log::notice!("reopening logs");
        self.cycle.logs.reopen(self.cycle.user.as_ref());
        self.children.tell_all(Signal::SIGUSR1);
    }

    fn send_workers_away(&mut self) {
        if self.heeds_winch && self.ending == Ending::No && !self.is_idle {
            self.is_idle = true;
            self.end_before(u32::MAX, Signal::SIGQUIT);
        }
    }

    /// USR2 (ngx_exec_new_binary): the program at this one's path is started with the listening sockets, while this one goes on.
    fn start_next_binary(&mut self) {
        if self.next_binary.is_some() || self.old_binary().is_some() || self.ending != Ending::No {
            log::notice!("a binary upgrade is under way already: ignored");
            return;
        }
        if let Some(reason) = &self.stays {
            log::error!("signal USR2 is refused: {reason}");
            return;
        }
        if self.cycle.sockets.is_empty() {
            log::error!(
                "a binary upgrade hands over listening sockets, and there are none: restart the service instead"
            );
            return;
        }
        if let Some(Err(failure)) = self.pid_file.as_mut().map(PidFile::make_old) {
            log::alert!("{failure}");
            return;
        }
        log::notice!("start new binary process \"{}\"", self.executable.display());
        let (list, keep) = sockets::for_next_binary(&self.cycle.sockets);
        match inherit::spawn_inheriting(&self.executable, &self.args, &[(UPGRADE_VARIABLE, list)], &keep) {
            Ok(pid) => self.next_binary = Some(pid),
            Err(error) => {
                log::alert!("{}", Failure::on_path("execve", &self.executable, error));
                self.take_pid_file_back();
            }
        }
    }

    fn take_pid_file_back(&mut self) {
        if let Some(Err(failure)) = self.pid_file.as_mut().map(PidFile::take_back) {
            log::alert!("{failure}");
        }
    }

    fn reap(&mut self) {
        while let Some((pid, exit)) = process::reap() {
            if Some(pid) == self.next_binary {
                self.next_binary_ended(pid, exit);
            } else {
                self.child_ended(pid, exit);
            }
        }
    }

    fn next_binary_ended(&mut self, pid: Pid, exit: Exit) {
        log_exit("new binary process", pid, exit);
        self.next_binary = None;
        self.take_pid_file_back();
        // It may have turned new connections away from sockets that it had no worker for.
        self.cycle.steer(&[]);
        if self.is_idle
            && self.ending == Ending::No
            && let Err(error) = self.call_workers_back()
        {
            log::emerg!("{error}");
        }
    }

    fn child_ended(&mut self, pid: Pid, exit: Exit) {
        let began = self.began(pid, exit);
        let Some((child, pause)) = self.children.remove(pid, began, Instant::now()) else {
            // A child of a dispatcher that has died.
            log_exit("orphaned process", pid, exit);
            self.cycle.ledger.retire(pid as u32);
            return;
        };
        log_exit(name_of(child.seat), pid, exit);
        self.cycle.ledger.retire(pid as u32);
        if let Some((_, model)) = self.models.iter().find(|(generation, _)| *generation == child.generation) {
            model.child_died(child.seat, pid as u32);
        }
        if child.is_ending {
            // It may have died before it could pass that on.
            self.end_orphans();
        }
        let newest = self.cycle.generation;
        for (_, model) in self.models.extract_if(.., |(g, _)| !self.children.has(*g) && *g != newest) {
            model.ended();
        }
        if let Some(pause) = pause {
            self.cycle.ledger.header().respawns.add(1);
            let (name, ms) = (name_of(child.seat), pause.time.as_millis());
            if began == Began::Never {
                log::alert!("{name} {pid} exited with fatal code {}, tried again in {ms} ms", worker::FATAL);
            } else if ms > 0 {
                log::alert!("{name} {pid} died at once, its successor starts in {ms} ms");
            }
            if pause.is_hopeless {
                self.end_unless_served(&child);
            }
        }
    }

    /// Whether a process that has ended was at work: it was if it ever woke up.
    fn began(&self, pid: Pid, exit: Exit) -> Began {
        let mut own_slots = self.cycle.ledger.live().filter(|slot| slot.pid() == Some(pid as u32));
        match exit {
            Exit::Code(worker::FATAL) => Began::Never,
            // Somebody else ended it.
            Exit::Code(0)
            | Exit::Signal(libc::SIGKILL | libc::SIGTERM | libc::SIGINT | libc::SIGQUIT | libc::SIGHUP) => Began::Yes,
            _ if own_slots.any(|slot| slot.turns.get() > 0) => Began::Yes,
            _ => Began::No,
        }
    }

    /// `dead` could not begin. When nobody else does what it would have done, the service must not look as if it ran:
    /// clients would connect, and hang.
    fn end_unless_served(&mut self, dead: &Child) {
        let Child { seat, generation, .. } = *dead;
        if self.ending == Ending::No
            && generation == self.cycle.generation
            && !self.children.serves(generation, seat.role)
        {
            log::emerg!("no {} can begin, the service ends", name_of(seat));
            self.exit_code = 1;
            self.end_gracefully();
        }
    }

    fn end_orphans(&self) {
        let (generation, signal) = match self.ending {
            Ending::Fast { kill_at: Some(_) } => (u32::MAX, Signal::SIGTERM),
            Ending::Fast { kill_at: None } => (u32::MAX, Signal::SIGKILL),
            Ending::Graceful => (u32::MAX, Signal::SIGQUIT),
            Ending::No => (self.cycle.generation, Signal::SIGQUIT),
        };
        tell_all(&self.orphans(generation), signal);
    }

    fn do_what_is_due(&mut self, now: Instant) {
        for seat in self.children.due(now) {
            self.start(seat);
        }
        if let Ending::Fast { kill_at: Some(at) } = self.ending
            && now >= at
        {
            self.ending = Ending::Fast { kill_at: None };
            self.children.tell_all(Signal::SIGKILL);
            tell_all(&self.orphans(u32::MAX), Signal::SIGKILL);
        }
    }

    fn start_children(&mut self) {
        let (header, generation) = (self.cycle.ledger.header(), self.cycle.generation);
        header.generation.store(generation, Ordering::Relaxed);
        header.model.set(self.cycle.choice.name());
        if !self.models.iter().any(|(g, _)| *g == generation) {
            self.models.push((generation, self.cycle.model.clone()));
        }
        for seat in self.cycle.model.plan() {
            self.start(seat);
        }
    }

    fn start(&mut self, seat: Seat) {
        let name = name_of(seat);
        match process::fork() {
            Ok(Fork::Parent(pid)) => {
                log::notice!("start {name} {pid}");
                self.children.add(pid, seat, self.cycle.generation, Instant::now());
            }
            Ok(Fork::Child) => {
                (self.signals, self.pid_file) = (None, None);
                // In a child they would never be closed.
                self.retired = Retired::default();
                // What the processes of older generations share holds descriptors.
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
        log::notice!("exit");
        self.exit_code
    }
}

/// ngx_process_get_status.
fn log_exit(name: &str, pid: Pid, exit: Exit) {
    match exit {
        Exit::Code(code) => log::notice!("{name} {pid} exited with code {code}"),
        Exit::Signal(signal) => log::alert!("{name} {pid} exited on signal {signal}"),
    }
}
