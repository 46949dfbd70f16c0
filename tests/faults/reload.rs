//! Each call of a reload, by the master and by the processes that it forks meanwhile: the old service goes on, the log
//! says why, and the next reload succeeds.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;

use crate::plan::Found;
use crate::running::{Running, WORKERS, is_named};
use crate::site::Site;
use crate::strace::{Fault, Report};
use crate::{Outcome, patiently, plan, try_all};

fn outcomes(running: &Running) -> (u64, u64) {
    let ledger = running.server.ledger();
    (ledger.header().reloads_ok.get(), ledger.header().reloads_failed.get())
}

/// HUP, under strace; whether the reload has succeeded, and what strace has written.
fn reload(running: &Running, follows: bool, fault: Option<&Fault>) -> Result<(bool, Report), String> {
    let before = outcomes(running);
    let attached = running.attach(follows, fault);
    running.server.signal(Signal::SIGHUP);
    let after = patiently("the end of a reload", || match outcomes(running) {
        after if after != before => Ok(after),
        _ => Err("no word of it"),
    })?;
    if follows || fault.is_none() {
        // New processes may be at their beginning still, and old ones not yet gone.
        patiently("a fault, or rest", || match attached.report().injected().is_empty() {
            false => Ok(()),
            true => running.is_at_rest(),
        })?;
    }
    Ok((after.0 > before.0, attached.detach()))
}

fn try_reload(running: &mut Running, follows: bool, fault: &Fault) -> Result<Outcome, String> {
    let (is_done, report) = reload(running, follows, Some(fault))?;
    let injected = report.injected();
    if follows && running.has_ended(1, &injected) {
        return Ok(Outcome::Ended);
    }
    let told = |error: String| format!("{error} {injected:?}\n{}", running.server.error_log());
    patiently("the service", || running.site.is_served(&running.server)).map_err(told)?;
    let news = running.news()?;
    let told = |error: String| format!("{error} {injected:?}\n{news}");
    if !is_done && (fault.error == "EINTR" || !is_named(&news, fault)) {
        return Err(told("a refusal without a reason".to_owned()));
    }
    let (code, said) = running.server.send("reload");
    if code != Some(0) {
        return Err(told(format!("the next reload: {said}")));
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

fn reloads(model: &str, follows: bool, found: &[Found], limit: usize) {
    let site = Site::new();
    let start = || {
        Running::start(&site, model, if follows { 1 } else { WORKERS }, |running| {
            assert_eq!(running.server.send("reload").0, Some(0));
        })
    };
    let mut running = start();
    let (is_done, report) = reload(&running, follows, None).expect("a reload");
    assert!(is_done, "{}", running.server.error_log());
    let master = running.server.pid();
    // Only children's calls, where they are followed.
    let faults = plan::faults(&report.text(), |pid| pid != master, &BTreeMap::new(), found, limit);
    try_all(&format!("reload {model}, children: {follows}"), &faults, |fault| {
        let result = try_reload(&mut running, follows, fault);
        running.is_worn(&result).then(|| running = start());
        result
    });
}

#[test]
fn a_reload_of_accept_mutex() {
    // The pid file was taken for another, and removed.
    reloads("accept_mutex", false, &[("statx", "ENOMEM", "/server.pid")], 16);
}

#[test]
fn the_children_of_a_reload_of_accept_mutex() {
    reloads("accept_mutex", true, &[("epoll_ctl", "ENOMEM", "EPOLLIN")], 8);
}

#[test]
fn a_reload_of_thread_pool() {
    reloads("thread_pool", false, &[], 4);
}

#[test]
fn the_children_of_a_reload_of_thread_pool() {
    reloads("thread_pool", true, &[], 4);
}

#[test]
fn a_reload_of_pool_pass() {
    reloads("pool_pass", false, &[], 4);
}

#[test]
fn the_children_of_a_reload_of_pool_pass() {
    reloads("pool_pass", true, &[], 4);
}

#[test]
fn a_reload_of_steer() {
    reloads("steer", false, &[], 4);
}
