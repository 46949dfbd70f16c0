//! Each call of an upgrade, by the old master and by the next binary: one of them serves, and the next try succeeds.

use std::collections::BTreeMap;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::running::{Running, WORKERS, is_named};
use crate::site::Site;
use crate::strace::{Fault, Report, before_main};
use crate::support::proc;
use crate::{Outcome, patiently, plan, try_all};

/// The end of an upgrade: the pid of the next master, which serves, or nothing: it is over.
fn next_master(running: &Running, asked: usize) -> Result<Option<i32>, String> {
    let log = running.server.error_log();
    let log = log.get(asked..).unwrap_or_default();
    let own = running.server.pid();
    let named = running.server.read("server.pid").trim().parse().ok().filter(|pid| *pid != own);
    // The line of the end may be the one that could not be written.
    let has_next = proc::children(own).len() > running.at_rest();
    let is_over = log.contains("exited with code") || log.contains("[emerg]") && !has_next;
    let is_refused = !log.contains("start new binary process") && log.contains("[alert]");
    let could_not = log.contains("execve") && log.contains("[alert]");
    match named {
        _ if is_over || is_refused || could_not => Ok(None),
        None => Err(format!("no next master\n{log}")),
        Some(pid) if proc::children(pid).len() < WORKERS => Err(format!("{pid} has few workers")),
        Some(pid) => running.site.is_served(&running.server).map(|()| Some(pid)),
    }
}

/// USR2 under strace, and the end of the next binary if there is one. Whether there was one, and strace's report.
fn upgrade(running: &Running, follows: bool, fault: Option<&Fault>) -> Result<(bool, Report), String> {
    let asked = running.server.error_log().len();
    let attached = running.attach(follows, fault);
    running.server.signal(Signal::SIGUSR2);
    let next = patiently("the next binary", || next_master(running, asked))?;
    let report = attached.detach();
    if let Some(pid) = next {
        patiently("the end of the next binary", || {
            // Its master may have to start a worker yet.
            let _ = kill(Pid::from_raw(pid), Signal::SIGQUIT);
            let log = running.server.error_log();
            let is_over = log.get(asked..).unwrap_or_default().contains(&format!("process {pid} exited"));
            if is_over { Ok(()) } else { Err("it runs") }
        })?;
    }
    let own = running.server.pid().to_string();
    patiently("the old pid file", || {
        let text = running.server.read("server.pid");
        let is_left = running.server.dir().join("server.pid.oldbin").exists();
        let log = running.server.error_log();
        let is_excused = log.get(asked..).is_some_and(|log| log.contains("[alert]") && log.contains(" rename() "));
        if text.trim() == own && !is_left || is_excused { Ok(()) } else { Err(format!("{text:?}, oldbin {is_left}")) }
    })?;
    Ok((next.is_some(), report))
}

fn try_upgrade(running: &mut Running, follows: bool, fault: &Fault) -> Result<Outcome, String> {
    let (is_done, report) =
        upgrade(running, follows, Some(fault)).map_err(|error| format!("{error}\n{}", running.server.error_log()))?;
    let injected = report.injected();
    let settled = running.settle();
    let news = running.news()? + &running.server.stderr();
    let told = |error: String| format!("{error} {injected:?}\n{news}");
    settled.map_err(told)?;
    if !is_done && (fault.error == "EINTR" || !is_named(&news, fault)) {
        return Err(told("a refusal without a reason".to_owned()));
    }
    if news.contains(" rename() ") {
        // The name of the pid file could not be given back, and the log has said so.
        return Ok(Outcome::Refused);
    }
    match upgrade(running, false, None).map_err(told)? {
        (true, _) => {}
        (false, _) => return Err(told("the next upgrade fails".to_owned())),
    }
    running.settle().map_err(told)?;
    running.news()?;
    Ok(if injected.is_empty() {
        Outcome::Unreached
    } else if is_done {
        Outcome::Served
    } else {
        Outcome::Refused
    })
}

fn upgrades(model: &str, follows: bool, limit: usize) {
    let site = Site::new();
    let start = || {
        Running::start(&site, model, WORKERS, |running| {
            assert!(upgrade(running, false, None).expect("an upgrade").0);
        })
    };
    let mut running = start();
    let (is_done, report) = upgrade(&running, follows, None).expect("an upgrade");
    assert!(is_done, "{}", running.server.error_log());
    let master = running.server.pid();
    let skipped = if follows { before_main() } else { BTreeMap::new() };
    let mut faults = plan::faults(&report.text(), |pid| pid != master, &skipped, &[], limit);
    // By this call, for which the kernel needs no memory, std::process learns that the program could be executed. It
    // panics when that fails, so that the old master ends and the next serves.
    faults.retain(|fault| fault.call != "recvfrom" || follows);
    try_all(&format!("upgrade {model}, next binary: {follows}"), &faults, |fault| {
        let result = try_upgrade(&mut running, follows, fault);
        running.is_worn(&result).then(|| running = start());
        result
    });
}

#[test]
fn an_upgrade_of_accept_mutex() {
    upgrades("accept_mutex", false, 4);
}

#[test]
fn the_next_binary_of_accept_mutex() {
    upgrades("accept_mutex", true, 4);
}

#[test]
fn the_next_binary_of_pool_pass() {
    upgrades("pool_pass", true, 2);
}
