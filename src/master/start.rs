//! How a server starts, and what `-t` does of it (main() of nginx.c).

use std::io::{IsTerminal, Write};
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use super::greeting::End;
use super::loader::{LoadError, Loader, Source, log_warnings};
use super::pid_file::PidFile;
use super::run::Master;
use super::settings::{DAEMON, MASTER_PROCESS, PID};
use super::sockets::{InUse, Inherited};
use super::{Cycle, greeting, sockets};
use crate::conf::{self, Span, Warning};
use crate::dispatch::Seat;
use crate::log;
use crate::os::daemon::{self, Caller, daemonise};
use crate::os::process;
use crate::os::{Failure, SocketFile, signals};
use crate::shm::{Ledger, Role};

/// Starts the server and returns the exit code of its end. `what`: what is served, and a hint, where that is not a conf
/// of the person's own: they are told, wherever standard error leads.
pub fn serve(loader: Loader, mut inherited: Inherited, what: Option<(&str, &str)>) -> i32 {
    let cycle = match first_cycle(&loader, &mut inherited) {
        Ok(cycle) => cycle,
        Err(error) => {
            error.show();
            return 1;
        }
    };
    log_panics();
    // Asked now: a daemon's standard error does not stay what it is.
    let is_watched = std::io::stderr().is_terminal();
    match detach(&cycle, &inherited) {
        Ok((caller, pid_file)) => {
            steer(&cycle, &mut inherited);
            log::set_startup(false);
            // Asked before the person is told, who may close it at once.
            let has_terminal = daemon::has_terminal();
            greet(&cycle, what, is_watched, caller, pid_file.is_some());
            run(loader, cycle, pid_file, inherited.is_upgrade, has_terminal)
        }
        Err(error) => {
            give_up(&error, &own_files(&cycle, inherited.is_upgrade));
            1
        }
    }
}

/// The files of Unix sockets to be removed when the start fails: none that an old binary listens on.
fn own_files(cycle: &Cycle, is_upgrade: bool) -> Vec<SocketFile> {
    if is_upgrade { Vec::new() } else { sockets::files(&cycle.sockets) }
}

fn give_up(error: &LoadError, files: &[SocketFile]) {
    sockets::remove_files(files);
    error.show();
}

fn first_cycle(loader: &Loader, inherited: &mut Inherited) -> Result<Cycle, LoadError> {
    let ledger = Ledger::create().map_err(|e| Failure::new("memfd_create()", e))?;
    let in_use = match loader.source {
        Source::File(_) => InUse::Retry,
        Source::Carried { .. } => InUse::Fail,
    };
    let read = loader.read_to_serve(inherited.dual_stack())?;
    // Until now a signal may end the process: there is nothing to tidy up, and the lookup of a name may take long.
    signals::block().map_err(|e| Failure::new("sigprocmask()", e))?;
    let prepared = loader.prepare(read, &ledger, (&[], 0), inherited, in_use);
    let cycle = prepared.inspect_err(|_| inherited.name_unused())?;
    log_warnings(&cycle.conf);
    if let Some(warning) = lost_logs(&cycle) {
        log::warn!("{warning}");
    }
    Ok(cycle)
}

/// Sockets that are too many here get nothing new: what waits in them is for the old binary's processes.
fn steer(cycle: &Cycle, inherited: &mut Inherited) {
    let rest = inherited.take_rest();
    let mut before = sockets::addrs(&cycle.sockets);
    before.extend(rest.iter().map(|listener| listener.addr().clone()));
    cycle.steer(&before);
}

/// Tells a person who watches where the server is, and lets a daemon's caller go: nothing is written to its terminal
/// after that.
fn greet(cycle: &Cycle, what: Option<(&str, &str)>, is_watched: bool, caller: Option<Caller>, has_pid_file: bool) {
    let is_wanted = what.is_some() || is_watched;
    let end = match (&caller, has_pid_file) {
        (None, _) => End::Key,
        (Some(_), true) => End::Command,
        (Some(_), false) => End::Kill,
    };
    let line = if is_wanted { greeting::line(cycle, what, end) } else { String::new() };
    match caller {
        // A caller that has been killed waits for nothing.
        Some(caller) => _ = caller.release(&line),
        None => _ = std::io::stderr().write_all(line.as_bytes()),
    }
}

/// Leaves the terminal where the conf says so and no old binary has left it already, and writes the pid file. Returns
/// who waits for the daemon, and the file.
fn detach(cycle: &Cycle, inherited: &Inherited) -> Result<(Option<Caller>, Option<PidFile>), LoadError> {
    let is_daemon = *cycle.conf.root.scope.get(&DAEMON) && !inherited.is_upgrade;
    let caller = if is_daemon { Some(daemonise().map_err(|e| Failure::new("fork()", e))?) } else { None };
    let pid_file = cycle.pid_place.create().map_err(|failure| on_pid_file(cycle, failure))?;
    if is_daemon {
        // Whoever started the daemon must not be kept waiting for the end of what it writes.
        cycle.logs.take_over_stderr()?;
    }
    Ok((caller, pid_file))
}

/// A failure on the pid file, with the line that names it.
fn on_pid_file(cycle: &Cycle, failure: Failure) -> LoadError {
    let span = cycle.conf.root.scope.span_of(&PID).unwrap_or(Span::NOWHERE);
    cycle.conf.explain(conf::Error::failed(span, failure)).into()
}

/// Warns of what a daemon would lose, for `-t` as well: the logs that are shown on the terminal it leaves.
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

fn run(loader: Loader, cycle: Cycle, pid_file: Option<PidFile>, is_upgrade: bool, has_terminal: bool) -> i32 {
    let header = cycle.ledger.header();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
    header.started_unix_ms.store(now, Ordering::Relaxed);
    header.master.store(process::id() as u32, Ordering::Relaxed);
    log::notice!("drover/{}", env!("CARGO_PKG_VERSION"));
    if !*cycle.conf.root.scope.get(&MASTER_PROCESS) {
        return run_alone(cycle, pid_file);
    }
    let files = own_files(&cycle, is_upgrade);
    match Master::new(loader, cycle, is_upgrade, has_terminal) {
        Ok(master) => master.run(pid_file),
        Err(failure) => {
            pid_file.into_iter().for_each(PidFile::remove);
            give_up(&failure.into(), &files);
            1
        }
    }
}

/// `master_process off` (ngx_single_process_cycle): one process that keeps its powers and serves until it is told to end.
fn run_alone(mut cycle: Cycle, pid_file: Option<PidFile>) -> i32 {
    cycle.ledger.header().generation.store(cycle.generation, Ordering::Relaxed);
    cycle.ledger.header().model.set(cycle.choice.name());
    let files = sockets::files(&cycle.sockets);
    let code = cycle.live(Seat { role: Role::Worker, number: 0 }, None);
    pid_file.into_iter().for_each(PidFile::remove);
    sockets::remove_files(&files);
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
    if !quiet {
        say(&format!("the configuration file {} syntax is ok", loader.source.name()));
    }
    for Warning { notice, error } in read.conf.warnings.iter().filter(|w| !quiet || !w.notice) {
        match notice {
            true => say(&format!("[notice] {}", error.sentence())),
            false => say(&format!("[warn] {}{}", error.sentence(), error.snippet())),
        }
    }
    let mut none = Inherited::default();
    let mask = signals::block().map_err(|e| Failure::new("sigprocmask()", e))?;
    let cycle = loader.prepare(read, &ledger, (&[], 0), &mut none, InUse::Ignore)?;
    sockets::close_missing(&cycle.sockets, &[]);
    mask.restore().map_err(|e| Failure::new("sigprocmask()", e))?;
    if let Some(warning) = lost_logs(&cycle) {
        say(&format!("[warn] {warning}"));
    }
    cycle.pid_place.check().map_err(|failure| on_pid_file(&cycle, failure))?;
    Ok(cycle)
}

/// `-T`.
fn print_sources(cycle: &Cycle) -> i32 {
    let mut out = std::io::stdout().lock();
    for (name, text) in cycle.conf.sources.files() {
        let written = writeln!(out, "# configuration file {name}:").and_then(|()| out.write_all(text));
        if written.and_then(|()| writeln!(out)).is_err() {
            return 1;
        }
    }
    0
}

/// One line of the program's own to whoever started it.
fn say(text: &str) {
    // A closed standard error is nobody's problem.
    let _ = writeln!(std::io::stderr(), "drover: {text}");
}

/// A bug is a line in the error log; the process it happens in ends.
fn log_panics() {
    std::panic::set_hook(Box::new(|info| log::alert!("{info}")));
}
