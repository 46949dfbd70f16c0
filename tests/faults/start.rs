//! Each call of a master, from its `main` to its end: the service starts, or says why not and leaves nothing.

use nix::sys::signal::Signal;

use crate::plan::Found;
use crate::running::is_named;
use crate::site::Site;
use crate::strace::{Fault, Report, before_main};
use crate::support::proc;
use crate::support::server::Server;
use crate::{Outcome, patiently, plan, try_all};

const WORKERS: usize = 2;

fn traced(site: &Site, model: &str, report: &Report, fault: Option<&Fault>) -> Server {
    let mut options = vec!["-DD".to_owned()];
    options.extend(report.options(fault));
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    site.setup(model, WORKERS).via("strace", &options).spawn()
}

/// Waits until the service is there (true), or has ended.
fn is_up(site: &Site, server: &mut Server) -> Result<bool, String> {
    patiently("the service, or its end", || match server.poll_exit() {
        Some(_) => Ok(false),
        None if server.workers().len() < WORKERS => Err("few workers".to_owned()),
        None => site.is_served(server).map(|()| true),
    })
}

/// An end leaves no process, no pid file and no Unix socket, and has said what the matter was.
fn judge_end(server: &mut Server, fault: &Fault) -> Result<(), String> {
    let status = patiently("an end", || server.poll_exit().ok_or("it runs"))?;
    let said = server.stderr();
    patiently("no process is left", || if proc::group_lives(server.pid()) { Err(String::new()) } else { Ok(()) })?;
    for name in ["s", "server.pid"] {
        if server.dir().join(name).exists() {
            return Err(format!("{name} is left, {status}\n{said}"));
        }
    }
    let lines = said.lines().filter(|line| line.contains("[emerg]")).count();
    // glibc says that there is no such user or group, whatever kept it from reading /etc.
    let is_lookup = said.contains("getpwnam(") || said.contains("getgrnam(");
    let number = format!("({}: ", plan::number(fault.error));
    match status.code() {
        Some(0) => Err(format!("it has ended with 0\n{said}")),
        None => Err(format!("it has ended by {status}\n{said}")),
        Some(_) if fault.error == "EINTR" => Err(format!("a signal ends it\n{said}")),
        Some(_) if lines != 1 => Err(format!("{lines} lines of [emerg]\n{said}")),
        Some(_) if !said.contains(&number) && !is_lookup => Err(format!("no errno in the error\n{said}")),
        Some(_) => {
            println!("{fault}: {}", said.lines().next().unwrap_or_default());
            Ok(())
        }
    }
}

fn start(site: &Site, model: &str, fault: &Fault) -> Result<Outcome, String> {
    let report = Report::new();
    let mut server = traced(site, model, &report, Some(fault));
    let result = live(site, &mut server, fault);
    let injected = report.injected();
    let harm =
        ["panicked", "on signal"].into_iter().find(|harm| (server.stderr() + &server.error_log()).contains(harm));
    match (harm, result) {
        (Some(harm), _) => Err(format!("{harm} {injected:?}\n{}{}", server.stderr(), server.error_log())),
        (None, Err(error)) => Err(format!("{error} {injected:?}\n{}", server.error_log())),
        (None, Ok(_)) if injected.is_empty() => Ok(Outcome::Unreached),
        (None, Ok(outcome)) => Ok(outcome),
    }
}

fn live(site: &Site, server: &mut Server, fault: &Fault) -> Result<Outcome, String> {
    if !is_up(site, server)? {
        judge_end(server, fault)?;
        return Ok(Outcome::Refused);
    }
    server.signal(Signal::SIGQUIT);
    let status = patiently("an end after QUIT", || server.poll_exit().ok_or("it runs"))?;
    patiently("no process is left", || if proc::group_lives(server.pid()) { Err(String::new()) } else { Ok(()) })?;
    let is_left = |name: &&str| server.dir().join(name).exists();
    match ["s", "server.pid"].into_iter().find(is_left) {
        Some(_) if is_named(&server.error_log(), fault) => Ok(Outcome::Refused),
        Some(name) => Err(format!("{name} is left after QUIT")),
        None if !status.success() => Err(format!("after QUIT {status}")),
        None => Ok(Outcome::Served),
    }
}

fn starts(model: &str, found: &[Found], limit: usize) {
    let site = Site::new();
    let report = Report::new();
    let mut server = traced(&site, model, &report, None);
    assert_eq!(is_up(&site, &mut server), Ok(true), "{}", server.stderr());
    assert!(server.quit().success());
    let faults = plan::faults(&report.text(), |_| true, &before_main(), found, limit);
    try_all(&format!("start {model}"), &faults, |fault| start(&site, model, fault));
}

#[test]
fn a_start_of_accept_mutex() {
    let found: [Found; 9] = [
        // A pid file was left.
        ("ftruncate", "ENOSPC", "/server.pid"),
        ("pread64", "EIO", "/server.pid"),
        ("readlink", "ENOMEM", "/server.pid"),
        ("write", "ENOSPC", "/server.pid"),
        // A Unix socket was left.
        ("getsockname", "ENOBUFS", "/s\""),
        ("statx", "ENOMEM", "/s\""),
        // The error was logged after the start had been reported.
        ("prctl", "ENOMEM", "PR_SET_CHILD_SUBREAPER"),
        ("signalfd4", "EMFILE", ""),
        // glibc has no error for a file that can't be read, but the look-up is named.
        ("openat", "EMFILE", "/etc/group"),
    ];
    starts("accept_mutex", &found, 25);
}

#[test]
fn a_start_of_thread_pool() {
    starts("thread_pool", &[], 6);
}

#[test]
fn a_start_of_pool_pass() {
    starts("pool_pass", &[], 6);
}

#[test]
fn a_start_of_steer() {
    starts("steer", &[], 8);
}
