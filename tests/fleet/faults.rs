//! A failure of one of three machines: how many requests notice, and for how long. `--nocapture` shows the figures.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::clients::{Load, Sum};
use crate::machines::{Fleet, Machine, NAMES, Special};
use crate::support::fuse::{Ask, SlowDisk};
use crate::support::until_true;

const NO_LIMIT: u32 = 10_000_000;

/// Breaks machine b, waits until HAProxy knows, mends it, and returns what the clients have seen up to the moment when
/// HAProxy knew, and behind it.
fn break_one(what: &str, break_it: impl Fn(&Machine), mend: impl Fn(&mut Machine)) -> [Sum; 2] {
    let mut fleet = Fleet::start(NO_LIMIT);
    let load = Load::start(fleet.addr());
    load.wait_a_phase();
    break_it(&fleet.machines[1]);
    fleet.wait_for(NAMES[1], "DOWN");
    load.wait_a_phase();
    let first = load.end();
    let load = Load::start(fleet.addr());
    load.wait_a_phase();
    mend(&mut fleet.machines[1]);
    fleet.wait_for(NAMES[1], "UP");
    load.wait_a_phase();
    let second = load.end();
    tell(what, &[("until HAProxy knew", &first), ("behind that", &second)]);
    [first, second]
}

/// Shows the figures.
fn tell(what: &str, sums: &[(&str, &Sum)]) {
    for (when, sum) in sums {
        let longest = sum.slow.iter().chain(sum.failures.iter().map(|failure| &failure.after)).max();
        let (failed, slow) = (sum.failures.len(), sum.slow.len());
        println!("{what}, {when}: {} requests, {failed} failed, {slow} slow, the longest {longest:?}", sum.asked);
        sum.failures.iter().for_each(|failure| println!("    {} after {:?}", failure.what, failure.after));
    }
}

#[test]
fn a_machine_that_hangs_costs_those_who_wait_for_it_and_nobody_later() {
    let [first, second] = break_one("stopped", |b| b.signal_all(Signal::SIGSTOP), |b| b.signal_all(Signal::SIGCONT));
    assert!(first.failures.len() + first.slow.len() >= 1, "the load never met the hanging machine: {first:?}");
    assert!(first.failures.len() <= 6, "each of the six clients notices once at most: {first:?}");
    assert!(second.failures.is_empty(), "{second:?}");
}

#[test]
fn a_machine_that_is_killed_costs_what_it_was_sending() {
    let [first, second] = break_one("killed", |b| b.signal_all(Signal::SIGKILL), Machine::revive);
    assert!(first.failures.len() <= 6, "each of the six clients notices once at most: {first:?}");
    assert!(second.failures.is_empty(), "{second:?}");
}

/// Lets the disk of machine b hang for three seconds, in which its checks could fail twice, and returns what the
/// clients have seen.
fn hang_a_disk(what: &str, directives: &str) -> Sum {
    let disk = SlowDisk::mount(&[("name", 1), ("large", 300_000)]);
    let fleet = Fleet::with(NO_LIMIT, &Special { root: Some(disk.path()), directives });
    let load = Load::start(fleet.addr());
    load.wait_a_phase();
    disk.stop(Ask::Read);
    until_true("a read hangs", || disk.held() > 0);
    let began = Instant::now();
    until_true("three seconds", || began.elapsed() > Duration::from_secs(3));
    disk.go_on();
    fleet.wait_for(NAMES[1], "UP");
    load.wait_a_phase();
    let sum = load.end();
    tell(what, &[("in all", &sum)]);
    assert!(sum.failures.len() + sum.slow.len() >= 1, "the load never met the disk: {sum:?}");
    sum
}

#[test]
fn a_disk_that_hangs_costs_those_who_wait_for_it() {
    let sum = hang_a_disk("a disk hangs for 3 s, aio off", "");
    assert!(sum.failures.len() <= 6, "each of the six clients notices once at most: {sum:?}");
}

#[test]
fn a_disk_that_hangs_costs_time_where_threads_wait_for_it_and_no_request() {
    let sum = hang_a_disk("a disk hangs for 3 s, aio threads", "aio threads;");
    assert!(sum.failures.is_empty(), "{sum:?}");
}
