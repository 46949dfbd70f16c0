//! The start of a server, and the part of it that `-t` does (main() of nginx.c).

use std::io::{IsTerminal, Write};
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use super::greeting::EndedBy;
use super::inherited::Inherited;
use super::loader::{Before, LoadError, Loader, Source, log_warnings};
use super::pid_file::PidFile;
use super::run::Master;
use super::settings::{DAEMON, MASTER_PROCESS, PID};
use super::sockets::InUse;
use super::{Cycle, bound, greeting};
use crate::conf::{self, Span, Warning};
use crate::dispatch::Seat;
use crate::log;
use crate::os::daemon::{self, Caller, daemonise};
use crate::os::process;
use crate::os::signals::{self, Signals};
use crate::os::{self, Failure, NotifySocket, SocketFile};
use crate::shm::{Ledger, Role};

/// Runs a server, from its start to its end, and returns the exit code. `what`: the thing that a built-in conf serves,
/// and a hint: a line on standard error tells them, even when that is no terminal.
pub fn serve(loader: Loader, mut inherited: Inherited, what: Option<(&str, &str)>) -> i32 {
    let mut cycle = match first_cycle(&loader, &mut inherited) {
        Ok(cycle) => cycle,
        Err(error) => {
            error.show();
            return 1;
        }
    };
    log::log_panics();
    // To be asked before a daemon redirects its standard error.
    let is_watched = std::io::stderr().is_terminal();
    match detach(&cycle, &inherited) {
        Ok(Detached { caller, signals, pid_file }) => {
            let is_upgrade = inherited.is_upgrade;
            steer(&mut cycle, inherited);
            log::set_startup(false);
            // To be asked before the greeting: the person may close the terminal at once.
            let has_terminal = daemon::has_terminal();
            greet(&cycle, what, is_watched, caller, pid_file.is_some());
            announce(&cycle);
            match signals {
                Some(signals) => Master::new(loader, cycle, signals, is_upgrade, has_terminal).run(pid_file),
                None => run_alone(cycle, pid_file),
            }
        }
        Err(error) => {
            give_up(&error, &own_files(&cycle, inherited.is_upgrade));
            1
        }
    }
}

/// The files of Unix sockets to be removed when the start fails; none when an old binary listens there.
fn own_files(cycle: &Cycle, is_upgrade: bool) -> Vec<SocketFile> {
    if is_upgrade { Vec::new() } else { bound::files(&cycle.sockets) }
}

fn give_up(error: &LoadError, files: &[SocketFile]) {
    bound::remove_files(files);
    error.show();
}

fn first_cycle(loader: &Loader, inherited: &mut Inherited) -> Result<Cycle, LoadError> {
    let ledger = Ledger::create().map_err(|e| Failure::new("memfd_create()", e))?;
    let in_use = match loader.source {
        Source::File(_) => InUse::Retry,
        Source::BuiltIn { .. } => InUse::Fail,
    };
    let read = loader.read_to_serve(inherited.dual_stack())?;
    // Up to here a signal may end the process: there is nothing to clean up, and looking up a name may take long.
    signals::block().map_err(|e| Failure::new("sigprocmask()", e))?;
    let prepared = loader.prepare(read, &ledger, Before::default(), inherited, in_use);
    let cycle = prepared.inspect_err(|_| inherited.name_unused())?;
    log_warnings(&cycle.conf);
    if let Some(warning) = lost_logs(&cycle) {
        log::warn!("{warning}");
    }
    Ok(cycle)
}

/// Keeps new connections from inherited sockets that this conf has no use for; the old binary's processes accept those
/// that wait there. Ends `inherited`: what it holds would stay open in every child.
fn steer(cycle: &mut Cycle, mut inherited: Inherited) {
    let rest = inherited.take_rest();
    let mut before = bound::addrs(&cycle.sockets);
    before.extend(rest.iter().map(|listener| listener.addr().clone()));
    cycle.steer(&before);
}

/// Greets a person at a terminal, and releases a daemon's caller: nothing is written to the terminal afterwards.
fn greet(cycle: &Cycle, what: Option<(&str, &str)>, is_watched: bool, caller: Option<Caller>, has_pid_file: bool) {
    let is_wanted = what.is_some() || is_watched;
    let end = match (&caller, has_pid_file) {
        (None, _) => EndedBy::Key,
        (Some(_), true) => EndedBy::Command,
        (Some(_), false) => EndedBy::Kill,
    };
    let line = if is_wanted { greeting::line(cycle, what, end) } else { String::new() };
    match caller {
        // An error means that the caller was killed, and does not wait.
        Some(caller) => _ = caller.release(&line),
        None => _ = std::io::stderr().write_all(line.as_bytes()),
    }
}

/// The things that a process has once nothing can fail any more.
struct Detached {
    /// The program that waits for the daemon.
    caller: Option<Caller>,
    /// `None`: there is no master (`master_process off`).
    signals: Option<Signals>,
    pid_file: Option<PidFile>,
}

/// Becomes a daemon if the conf says so and no old binary is one already, and writes the pid file.
fn detach(cycle: &Cycle, inherited: &Inherited) -> Result<Detached, LoadError> {
    let is_daemon = *cycle.conf.root.scope.get(&DAEMON) && !inherited.is_upgrade;
    let caller = if is_daemon { Some(daemonise().map_err(|e| Failure::new("fork()", e))?) } else { None };
    let has_master = *cycle.conf.root.scope.get(&MASTER_PROCESS);
    let signals = if has_master { Some(Master::take_office()?) } else { None };
    let pid_file = cycle.pid_location.create().map_err(|failure| on_pid_file(cycle, failure))?;
    // A program that reads the daemon's standard error until its end must not wait for the daemon's end.
    if is_daemon && let Err(failure) = cycle.logs.take_over_stderr() {
        pid_file.into_iter().for_each(PidFile::remove);
        return Err(failure.into());
    }
    Ok(Detached { caller, signals, pid_file })
}

/// A failure on the pid file, with the conf's line that names the file.
fn on_pid_file(cycle: &Cycle, failure: Failure) -> LoadError {
    let span = cycle.conf.root.scope.span_of(&PID).unwrap_or(Span::NOWHERE);
    cycle.conf.explain(conf::Error::failed(span, failure)).into()
}

/// A warning about logs on the terminal, which a daemon would lose.
fn lost_logs(cycle: &Cycle) -> Option<String> {
    let scope = &cycle.conf.root.scope;
    if !*scope.get(&DAEMON) {
        return None;
    }
    let paths: Vec<String> = cycle.logs.on_terminal().iter().map(|path| format!("\"{}\"", path.display())).collect();
    let place = scope.span_of(&DAEMON).and_then(|span| cycle.conf.place(span)).unwrap_or_default();
    let message =
        "a daemon leaves the terminal, and what it logs there goes nowhere: log to a file, or leave \"daemon\" off";
    (!paths.is_empty()).then(|| format!("{message} ({}) in {place}", paths.join(", ")))
}

/// Tells the ledger and the log who serves, and since when.
fn announce(cycle: &Cycle) {
    let header = cycle.ledger.header();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
    header.started_unix_ms.store(now, Ordering::Relaxed);
    header.master.store(process::id() as u32, Ordering::Relaxed);
    log::notice!("drover/{}", env!("CARGO_PKG_VERSION"));
}

/// Serves with `master_process off` (ngx_single_process_cycle): a single process that keeps its powers.
fn run_alone(mut cycle: Cycle, pid_file: Option<PidFile>) -> i32 {
    cycle.announce();
    let files = bound::files(&cycle.sockets);
    let manager = std::env::var_os("NOTIFY_SOCKET").and_then(|address| NotifySocket::new(&address).ok());
    // The process can't reload, and nobody watches it: this is all that a service manager can be told. A manager that
    // is gone changes nothing.
    let tell = |message| _ = manager.as_ref().map(|manager| manager.send(message));
    tell("READY=1\nSTATUS=serving, by one process without a master");
    let code = cycle.live(Seat { role: Role::Worker, number: 0 }, None);
    tell("STOPPING=1");
    pid_file.into_iter().for_each(PidFile::remove);
    bound::remove_files(&files);
    code
}

/// `-t`: everything that a start does before it forks, beside a server that may be running. Returns the exit code.
pub fn test(loader: &Loader, dump: bool, quiet: bool) -> i32 {
    let name = loader.source.name();
    let tested = try_all(loader, quiet);
    match tested {
        Ok(cycle) => {
            if !quiet {
                say(&format!("configuration file {name} test is successful"));
            }
            if dump { print_sources(&cycle) } else { 0 }
        }
        Err(error) => {
            error.show();
            say(&format!("configuration file {name} test failed"));
            1
        }
    }
}

fn try_all(loader: &Loader, quiet: bool) -> Result<Cycle, LoadError> {
    let ledger = Ledger::create().map_err(|e| Failure::new("memfd_create()", e))?;
    let read = loader.read_to_serve(Vec::new())?;
    if !quiet && !read.has_mistakes() {
        say(&format!("the configuration file {} syntax is ok", loader.source.name()));
    }
    say_warnings(&read.conf.warnings, quiet);
    let said = read.conf.warnings.len();
    let mut none = Inherited::default();
    let mask = signals::block().map_err(|e| Failure::new("sigprocmask()", e))?;
    let cycle = loader.prepare(read, &ledger, Before::default(), &mut none, InUse::Ignore)?;
    bound::close_missing(&cycle.sockets, &[]);
    mask.restore().map_err(|e| Failure::new("sigprocmask()", e))?;
    say_warnings(cycle.conf.warnings.get(said..).unwrap_or_default(), quiet);
    if let Some(warning) = lost_logs(&cycle) {
        say(&format!("[warn] {warning}"));
    }
    Ok(cycle)
}

fn say_warnings(warnings: &[Warning], quiet: bool) {
    for Warning { notice, error } in warnings.iter().filter(|w| !quiet || !w.notice) {
        match notice {
            true => say(&format!("[notice] {}", error.sentence())),
            false => say(&format!("[warn] {}{}", error.sentence(), error.snippet())),
        }
    }
}

/// Prints the texts of the conf, for `-T`.
fn print_sources(cycle: &Cycle) -> i32 {
    let mut all = Vec::new();
    for (name, text) in cycle.conf.sources.shown_files() {
        all.extend_from_slice(format!("# configuration file {name}:\n").as_bytes());
        all.extend_from_slice(&text);
        all.push(b'\n');
    }
    match os::print(&all) {
        Ok(()) => 0,
        Err(failure) => {
            say(&format!("[emerg] {failure}"));
            1
        }
    }
}

/// Writes a line to standard error, which is not the error log.
fn say(text: &str) {
    // A closed standard error is no failure.
    let _ = writeln!(std::io::stderr(), "drover: {text}");
}
