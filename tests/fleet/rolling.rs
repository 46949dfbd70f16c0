//! Restarts, upgrades and reloads of all machines, one after the other, under load: no request is lost.
//! `DROVER_FLEET_REQUESTS=6000` makes it minutes.

use std::net::Ipv4Addr;

use nix::sys::signal::Signal;

use crate::clients::Load;
use crate::machines::{Fleet, NAMES};
use crate::support::until_true;

/// No limit that a test could reach.
const NO_LIMIT: u32 = 10_000_000;

#[test]
fn a_rolling_restart_loses_nothing() {
    let mut fleet = Fleet::start(NO_LIMIT);
    let load = Load::start(fleet.addr());
    for (at, name) in NAMES.iter().enumerate() {
        load.wait_a_phase();
        fleet.machines[at].drain(true);
        fleet.wait_for(name, "NOLB");
        fleet.wait_until_idle(name);
        assert!(fleet.machines[at].restart().success());
        fleet.machines[at].drain(false);
        fleet.wait_for(name, "UP");
    }
    load.wait_a_phase();
    let sum = load.end();
    println!("{} requests, {} slow", sum.asked, sum.slow.len());
    assert!(sum.failures.is_empty(), "{sum:?}");
    assert!(fleet.machines.iter().all(|machine| machine.access_log().contains("/name")), "each had its part");
}

#[test]
fn a_rolling_upgrade_and_a_rolling_reload_need_no_drain() {
    let mut fleet = Fleet::start(NO_LIMIT);
    let load = Load::start(fleet.addr());
    for machine in &mut fleet.machines {
        load.wait_a_phase();
        machine.upgrade();
        load.wait_a_phase();
        machine.signal_master(Signal::SIGHUP);
    }
    load.wait_a_phase();
    let sum = load.end();
    println!("{} requests, {} slow", sum.asked, sum.slow.len());
    assert!(sum.failures.is_empty(), "{sum:?}");
    NAMES.iter().for_each(|name| fleet.wait_for(name, "UP"));
}

#[test]
fn the_limit_at_the_balancer_is_that_of_all_machines_and_each_client_has_its_own() {
    let fleet = Fleet::start(20);
    let statuses: Vec<u16> = (0..30).map(|_| fleet.connect().get("/name").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 20, "{statuses:?}");
    assert!(statuses[20..].iter().all(|status| *status == 429), "{statuses:?}");
    assert_eq!(fleet.connect_from(Ipv4Addr::new(127, 0, 0, 2)).get("/name").status, 200, "another client");
    for client in ["127.0.0.1 ", "127.0.0.2 "] {
        until_true("the client's address is in a log", || {
            fleet.machines.iter().any(|machine| machine.access_log().lines().any(|line| line.starts_with(client)))
        });
    }
}
