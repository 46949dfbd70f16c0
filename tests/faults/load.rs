//! Each call of a process that serves: it costs one client its answer at most.

use std::collections::BTreeMap;

use crate::plan::Found;
use crate::running::Running;
use crate::site::{Site, expect, secure};
use crate::strace::{Attached, Fault};
use crate::support::client::Client;
use crate::support::h2::{self, H2};
use crate::support::proc;
use crate::support::server::Server;
use crate::{Outcome, plan, try_all};

/// A bounded load; what clients have lost. Error: an answer is wrong.
fn load(site: &Site, server: &Server, round: usize) -> Result<Vec<String>, String> {
    let fresh = format!("fresh {round}\n").repeat(1000 + round % 7);
    std::fs::write(site.root().join("fresh.txt"), &fresh).expect("write a file");
    let tcp = || Client::try_connect(server.addr());
    let tls = || Client::try_connect_tls(secure(server), &site.wish);
    let mut results = vec![
        site.small(tcp()),
        site.large(tcp()),
        site.gzipped(tcp(), "/fresh.txt", &fresh),
        thrice(site, tcp()),
        site.small(tls()),
        site.large(tls()),
        by_http2(server),
        folder(tcp()),
        site.small(tcp()),
    ];
    // After as many, models with an exclusive watch queue up anew at a socket.
    results.extend((0..16).map(|_| site.small(tcp())));
    let lost: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    match lost.iter().find(|lost| lost.contains("WRONG") || lost.contains("Silent")) {
        Some(wrong) => Err(wrong.clone()),
        None => Ok(lost),
    }
}

/// Three requests on a connection.
fn thrice(site: &Site, client: std::io::Result<Client>) -> Result<(), String> {
    let mut client = client.map_err(|error| format!("connect: {error}"))?;
    let get = |path: &str| format!("GET /{path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect(&mut client, &get("small"), b"small")?;
    expect(&mut client, &get("large"), &site.large)?;
    expect(&mut client, &get("text.txt"), site.text.as_bytes())
}

fn folder(client: std::io::Result<Client>) -> Result<(), String> {
    let mut client = client.map_err(|error| format!("connect: {error}"))?;
    client.send("GET /folder/ HTTP/1.0\r\n\r\n");
    let answer = client.response().map_err(|nothing| format!("GET /folder/: {nothing:?}"))?;
    match answer.status {
        200 if answer.text().contains("../") => Ok(()),
        200 => Err(format!("WRONG: {:?}", answer.text())),
        status => Err(format!("GET /folder/: {status}")),
    }
}

fn by_http2(server: &Server) -> Result<(), String> {
    let mut client = H2::connect(server.addr());
    client.set_patience(std::time::Duration::from_secs(5));
    client.ask(1, &h2::get("/small")).ask(3, &h2::get("/large"));
    while client.answers.values().filter(|answer| answer.is_whole || answer.reset.is_some()).count() < 2 {
        client.frame().map_err(|nothing| format!("HTTP/2: {nothing:?}"))?;
    }
    match client.answers.get(&1) {
        Some(answer) if answer.status() == "200" && answer.text() == "small" => Ok(()),
        answer => Err(format!("HTTP/2: {answer:?}")),
    }
}

fn try_load(running: &mut Running, dispatches: bool, fault: &Fault) -> Result<Outcome, String> {
    let attached = attach(running, dispatches, Some(fault));
    let result = load(running.site, &running.server, fault.nth);
    let injected = attached.detach().injected();
    let settled = running.settle();
    let news = running.news()?;
    let told = |error: String| format!("{error} {injected:?}\n{news}");
    let lost = result.map_err(told)?;
    settled.map_err(told)?;
    match (lost.len(), injected.len()) {
        (0, 0) => Ok(Outcome::Unreached),
        (0, _) => Ok(Outcome::Served),
        (1, _) => Ok(Outcome::Refused),
        // strace counts the calls of each thread, all of which may have failed once.
        (lost, failed) if lost <= failed => Ok(Outcome::Refused),
        _ => Err(told(format!("{} lost: {lost:?}", lost.len()))),
    }
}

/// strace at the worker, or at the dispatcher.
fn attach(running: &Running, dispatches: bool, fault: Option<&Fault>) -> Attached {
    let ledger = running.server.ledger();
    let is_meant = |pid: &i32| {
        let slot = ledger.live().find(|slot| slot.pid() == Some(*pid as u32));
        slot.is_some_and(|slot| (slot.role() == drover::shm::Role::Dispatcher) == dispatches)
    };
    let pids: Vec<i32> = running.server.workers().into_iter().filter(is_meant).collect();
    assert_eq!(pids.len(), 1, "{:?}", proc::children(running.server.pid()));
    Attached::to(&pids, true, fault)
}

fn loads(model: &str, dispatches: bool, found: &[Found], limit: usize) {
    let site = Site::new();
    let start = || {
        Running::start(&site, model, 1, |running| {
            for round in 0..3 {
                assert_eq!(load(&site, &running.server, round), Ok(Vec::new()), "{}", running.server.error_log());
            }
        })
    };
    let mut running = start();
    let attached = attach(&running, dispatches, None);
    assert_eq!(load(&site, &running.server, 0), Ok(Vec::new()), "{}", running.server.error_log());
    let faults = plan::faults(&attached.detach().text(), |_| true, &BTreeMap::new(), found, limit);
    try_all(&format!("load {model}, dispatcher: {dispatches}"), &faults, |fault| {
        let result = try_load(&mut running, dispatches, fault);
        running.is_worn(&result).then(|| running = start());
        result
    });
}

#[test]
fn a_worker_of_accept_mutex_under_load() {
    loads("accept_mutex", false, &[], 12);
}

#[test]
fn a_worker_of_thread_pool_under_load() {
    // The socket was out of the epoll set from then on.
    loads("thread_pool", false, &[("epoll_ctl", "ENOSPC", "EPOLLEXCLUSIVE")], 6);
}

#[test]
fn a_worker_of_pool_pass_under_load() {
    loads("pool_pass", false, &[], 6);
}

#[test]
fn the_dispatcher_of_pool_pass_under_load() {
    loads("pool_pass", true, &[], 4);
}
