//! `drover --agent` on each machine, as HAProxy hears it.

use nix::sys::signal::Signal;

use crate::machines::{Fleet, Machine, NAMES, PLACES};
use crate::support::client::Client;
use crate::support::until_true;

const NO_LIMIT: u32 = 10_000_000;

/// The least weight of a machine with nothing under way: that of one that accepts everything late.
const FREE: u64 = 10;

/// Asks for a hundred answers by HAProxy; returns how many of them a machine wrote into its log.
fn share(fleet: &Fleet, machine: &Machine) -> usize {
    let lines = || machine.access_log().lines().filter(|line| line.contains("/name")).count();
    let before = lines();
    (0..100).for_each(|_| assert_eq!(fleet.connect().get("/name").status, 200));
    lines() - before
}

#[test]
fn a_loaded_machine_weighs_less_and_one_that_ends_nothing() {
    let mut fleet = Fleet::start(NO_LIMIT);
    let weight = |fleet: &Fleet, name| fleet.weight(name).expect("a weight");
    let waiting: Vec<Client> = (0..PLACES * 15 / 16).map(|_| fleet.machines[0].half_request()).collect();
    until_true("machine a weighs little", || (1..FREE).contains(&weight(&fleet, NAMES[0])));
    until_true("the others weigh more", || NAMES[1..].iter().all(|name| weight(&fleet, name) >= FREE));
    drop(waiting);
    until_true("machine a weighs what it did", || weight(&fleet, NAMES[0]) >= FREE);

    let mut last = fleet.machines[0].half_request();
    until_true("the machine has it", || fleet.machines[0].is_busy());
    fleet.machines[0].signal_master(Signal::SIGQUIT);
    until_true("machine a weighs nothing", || weight(&fleet, NAMES[0]) == 0);
    assert_eq!(share(&fleet, &fleet.machines[0]), 0, "a machine that ends gets nothing new");
    assert_eq!(last.send("\r\n").status(), 200);
    fleet.machines[0].revive();
    fleet.wait_for(NAMES[0], "UP");
    until_true("machine a weighs what it did", || weight(&fleet, NAMES[0]) >= FREE);
    until_true("machine a has its part", || share(&fleet, &fleet.machines[0]) > 0);
}
