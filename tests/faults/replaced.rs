//! Each call of a worker that begins in the place of a dead one, and of the master meanwhile: a worker is there at
//! last.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;

use crate::running::{Running, is_named};
use crate::site::Site;
use crate::strace::{Fault, Report};
use crate::support::proc;
use crate::{Outcome, patiently, plan, try_all};

/// Kills a worker under strace, and waits until the fault has come, or the seats are filled.
fn kill(running: &Running, fault: Option<&Fault>) -> Result<Report, String> {
    let workers = running.server.workers();
    let victim = workers[0];
    let attached = running.attach(true, fault);
    proc::signal(victim, Signal::SIGKILL);
    patiently("a fault, or rest", || {
        if !attached.report().injected().is_empty() {
            return Ok(());
        }
        if running.server.workers().contains(&victim) { Err("not yet dead".to_owned()) } else { running.is_at_rest() }
    })?;
    Ok(attached.detach())
}

fn try_kill(running: &mut Running, fault: &Fault) -> Result<Outcome, String> {
    let injected = kill(running, Some(fault))?.injected();
    if running.has_ended(1, &injected) {
        return Ok(Outcome::Ended);
    }
    let settled = running.settle();
    let news = running.news()?;
    let died = news.lines().any(|line| line.contains("exited with code") && !line.contains("code 0"));
    match settled {
        Err(error) => Err(format!("{error} {injected:?}\n{news}")),
        Ok(()) if died && !is_named(&news, fault) => Err(format!("an end without a reason {injected:?}\n{news}")),
        Ok(()) if injected.is_empty() => Ok(Outcome::Unreached),
        Ok(()) if died => Ok(Outcome::Refused),
        Ok(()) => Ok(Outcome::Served),
    }
}

fn replacements(model: &str, is_tried: impl Fn(&str) -> bool, limit: usize) {
    let site = Site::new();
    let start = || Running::start(&site, model, 1, |running| drop(kill(running, None).expect("a replacement")));
    let mut running = start();
    let report = kill(&running, None).expect("a replacement");
    let text: Vec<String> = report.text().lines().filter(|line| is_tried(line)).map(str::to_owned).collect();
    let faults = plan::faults(&text.join("\n"), |_| true, &BTreeMap::new(), &[], limit);
    try_all(&format!("replacement {model}"), &faults, |fault| {
        let result = try_kill(&mut running, fault);
        running.is_worn(&result).then(|| running = start());
        result
    });
}

#[test]
fn a_worker_of_accept_mutex_is_replaced() {
    replacements("accept_mutex", |_| true, 8);
}

#[test]
fn a_worker_of_thread_pool_is_replaced() {
    replacements("thread_pool", |_| true, 4);
}

#[test]
fn a_process_of_pool_pass_is_replaced() {
    replacements("pool_pass", |_| true, 4);
}

/// A worker whose epoll set lacks a source would sleep for ever, and nobody would notice.
#[test]
fn a_process_of_any_model_watches_what_it_has_to() {
    for model in drover::dispatch::MODELS {
        replacements(model.name, |line| line.contains(" epoll_ctl("), 2);
    }
}
