use rand_distr::{Distribution, Exp};

use super::*;
use crate::commands::simulate::engine::SECOND;
use crate::commands::simulate::models::Rule;
use crate::results::{Costs, Health};

/// The mean service time, µs.
const SERVICE: f64 = 100.0;
const FEWEST: Policy = Policy::LeastConnections;
const POLICIES: [Policy; 3] = [FEWEST, Policy::RoundRobin, Policy::Random(2)];

const HEALTH: Health =
    Health { inter: 1.0, fastinter: 0.5, downinter: 1.0, timeout: 0.5, fall: 2, rise: 2, slowstart: 2.0, retries: 3 };

/// Machines of `workers` CPUs behind a balancer and a network that cost nothing.
fn site(policy: Policy, machines: usize, workers: usize) -> Site {
    let rule = Rule::WakeFirst { rotate: 1 };
    let machine = Setup { rule, workers, threads: 1, cpus: workers, costs: Costs::default(), seed: 1 };
    Site {
        machine,
        slowness: vec![1.0; machines],
        policy,
        balancer: Balancer { threads: 1, ..Balancer::default() },
        network_us: 0.0,
        health: HEALTH,
        trouble: None,
        seed: 1,
    }
}

/// Poisson arrivals that keep `servers` CPUs busy for the share `rho`; service is exponential or constant.
fn requests(rho: f64, servers: usize, exponential: bool, count: usize, seed: u64) -> Vec<Request> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let gaps = Exp::new(rho * servers as f64 / SERVICE).unwrap();
    let services = Exp::new(1.0 / SERVICE).unwrap();
    let mut at = 0.0;
    let mut request = || {
        at += gaps.sample(&mut rng);
        let extra = if exponential { services.sample(&mut rng) } else { SERVICE };
        Request { at, heavy: false, extra }
    };
    (0..count).map(|_| request()).collect()
}

fn mean(outcome: &Outcome) -> f64 {
    outcome.fates.iter().map(|fate| fate.latency).sum::<f64>() / outcome.fates.len() as f64
}

fn quantile(outcome: &Outcome, q: f64) -> f64 {
    let mut sorted: Vec<f64> = outcome.fates.iter().map(|fate| fate.latency).collect();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() as f64 * q) as usize]
}

fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() < expected * tolerance, "{what}: {found} instead of {expected}");
}

#[test]
fn one_machine_is_the_queue_of_the_textbooks() {
    for rho in [0.3, 0.6, 0.8] {
        let run = |exponential| mean(&simulate(&site(FEWEST, 1, 1), requests(rho, 1, exponential, 60_000, 1)));
        near(run(true), SERVICE / (1.0 - rho), 0.05, "M/M/1");
        near(run(false), SERVICE + SERVICE * rho / (2.0 * (1.0 - rho)), 0.03, "M/D/1");
    }
}

/// The mean time in a system of `c` servers by Erlang's C formula.
fn erlang_c(c: usize, rho: f64) -> f64 {
    let load = c as f64 * rho;
    let term = |n: usize| (1..=n).fold(1.0, |product, k| product * load / k as f64);
    let waiting = term(c) / (1.0 - rho);
    let waits = waiting / ((0..c).map(term).sum::<f64>() + waiting);
    SERVICE + waits * SERVICE / (c as f64 * (1.0 - rho))
}

#[test]
fn workers_of_one_queue_wait_as_erlang_says() {
    for (workers, rho) in [(2, 0.6), (4, 0.8), (8, 0.9)] {
        let run = simulate(&site(FEWEST, 1, workers), requests(rho, workers, true, 60_000, 1));
        near(mean(&run), erlang_c(workers, rho), 0.05, "M/M/c");
    }
}

#[test]
fn policies_wait_as_theory_says() {
    let (machines, rho) = (32, 0.8);
    let run = |policy| mean(&simulate(&site(policy, machines, 1), requests(rho, machines, true, 100_000, 1)));
    // By chance every machine is an M/M/1 of its own.
    near(run(Policy::Random(1)), SERVICE / (1.0 - rho), 0.06, "random(1)");
    // Mitzenmacher, for many machines: the sum of rho^(2^i - 2).
    let two: f64 = (1..8).map(|i| rho.powi((1 << i) - 2)).sum::<f64>() * SERVICE;
    near(run(Policy::Random(2)), two, 0.05, "random(2)");
}

#[test]
fn the_shortest_queue_has_the_best_tail_then_two_choices() {
    for machines in [8, 24] {
        let tail = |policy| {
            let requests = requests(0.8, machines, true, 40_000, 1);
            quantile(&simulate(&site(policy, machines, 1), requests), 0.99)
        };
        let all = [FEWEST, Policy::Random(2), Policy::RoundRobin, Policy::Random(1)].map(tail);
        assert!(all.is_sorted_by(|a, b| a * 1.05 < *b), "{machines}: {all:?}");
    }
}

#[test]
fn the_balancer_is_a_queue_too() {
    let limited = |threads| Site { balancer: Balancer { threads, serve: 50.0, wake: 0.0 }, ..site(FEWEST, 8, 1) };
    // Eight machines at half their speed take 40,000 requests a second; a thread passes 20,000 on.
    let run = |threads| simulate(&limited(threads), requests(0.5, 8, true, 30_000, 1));
    let (one, four) = (run(1), run(4));
    assert!(quantile(&one, 0.5) > 300_000.0, "the queue grows all the time");
    assert!(quantile(&four, 0.5) < 300.0, "{}", quantile(&four, 0.5));
    near(one.fates.len() as f64 / one.ended * 1e6, 20_000.0, 0.02, "what a thread passes on");
    assert_eq!(four.balancer_busy_us, 30_000.0 * 50.0);
}

#[test]
fn waking_the_balancer_costs_when_it_sleeps() {
    let site = Site { balancer: Balancer { threads: 1, serve: 20.0, wake: 10.0 }, ..site(FEWEST, 2, 1) };
    let apart = (1..=100).map(|n| Request { at: f64::from(n) * 1e4, heavy: false, extra: SERVICE });
    let run = simulate(&site, apart);
    assert_eq!(run.balancer_busy_us, 100.0 * 30.0);
    assert!(run.fates.iter().all(|fate| (fate.latency - 130.0).abs() < 1e-6));
}

#[test]
fn a_slow_machine_holds_up_what_is_sent_by_turns() {
    let (machines, rho) = (4, 0.6);
    let run = |policy| {
        let uneven = Site { slowness: vec![2.0, 1.0, 1.0, 1.0], ..site(policy, machines, 1) };
        let run = simulate(&uneven, requests(rho, machines, true, 40_000, 1));
        let slow = run.fates.iter().filter(|fate| fate.machine == 0).count() as f64 / 4e4;
        (quantile(&run, 0.99), slow)
    };
    let (fewest, turns) = (run(FEWEST), run(Policy::RoundRobin));
    // By turns the slow one gets a quarter: 1.2 times what it can do.
    near(turns.1, 0.25, 0.001, "its share by turns");
    assert!(fewest.1 < 0.2 && turns.0 > 50.0 * fewest.0, "{fewest:?} {turns:?}");
}

/// The load under which machines get into trouble.
const LIGHT: f64 = 0.1;

/// A site whose first machine gets into trouble half a second after the start, under load for `seconds`.
fn troubled(kind: Kind, policy: Policy, retries: u32, seconds: f64) -> (Outcome, usize) {
    let trouble = Some(Trouble { kind, at: 0.5 * SECOND, down: SECOND });
    let health = Health { retries, ..HEALTH };
    let site = Site { trouble, health, network_us: 100.0, ..site(policy, 4, 1) };
    let requests = requests(LIGHT, 4, true, (LIGHT * 4.0 / SERVICE * seconds * SECOND) as usize, 1);
    let count = requests.len();
    (simulate(&site, requests), count)
}

#[test]
fn every_request_is_answered_or_told_lost() {
    for kind in Kind::ALL {
        for policy in POLICIES {
            for retries in [0, 3] {
                let (run, count) = troubled(kind, policy, retries, 3.5);
                let mut ends: Vec<u64> = run.fates.iter().map(|fate| fate.at.to_bits()).collect();
                ends.sort_unstable();
                ends.dedup();
                assert_eq!((run.fates.len(), ends.len()), (count, count), "{kind:?} {policy} {retries}");
                assert!(run.fates.iter().all(|fate| fate.again <= retries && fate.latency > 0.0));
                let lost = run.fates.iter().filter(|fate| fate.lost).count();
                let loses = retries == 0 && kind != Kind::Drained;
                assert_eq!(lost > 0, loses, "{kind:?} {policy} {retries}: {lost} lost");
                assert!(!loses || lost >= run.on_it, "{kind:?} {policy}: {lost} of {}", run.on_it);
            }
        }
    }
}

#[test]
fn a_drained_machine_disturbs_nobody_and_comes_back() {
    for policy in POLICIES {
        let (run, _) = troubled(Kind::Drained, policy, 3, 8.0);
        assert!(run.fates.iter().all(|fate| fate.again == 0 && !fate.lost), "{policy}");
        let (seen, back) = (run.seen.unwrap(), run.back.unwrap());
        assert!((0.5 * SECOND..1.5 * SECOND).contains(&seen) && back > seen + SECOND && back < seen + 2.6 * SECOND);
        let on_it = |from: f64, to: f64| {
            let those = run.fates.iter().filter(|fate| (from..to).contains(&fate.at));
            let (first, all) = those
                .fold((0.0, 0.0), |(first, all), fate| (first + f64::from(u8::from(fate.machine == 0)), all + 1.0));
            first / all
        };
        assert_eq!(on_it(seen + 1e3, back - 1e3), 0.0, "{policy}");
        near(on_it(back + 2.5 * SECOND, 8.0 * SECOND), 0.25, 0.2, "its share at its full weight");
    }
}

#[test]
fn a_machine_that_hangs_holds_few_under_leastconn() {
    let held = |policy| {
        let (run, _) = troubled(Kind::Stopped, policy, 3, 5.0);
        run.fates.iter().filter(|fate| fate.latency > 0.1 * SECOND).count()
    };
    let (fewest, turns) = (held(FEWEST), held(Policy::RoundRobin));
    // By turns a quarter of 4,000 a second for over two seconds; under leastconn as many as the others have at once.
    assert!(turns > 2000 && fewest > 0 && fewest < 50, "{fewest} {turns}");
    // Connections that are refused are no load: leastconn sends all to the machine that refuses, then to another.
    let again = |policy| troubled(Kind::Killed, policy, 3, 3.0).0.fates.iter().filter(|fate| fate.again > 0).count();
    assert!(again(FEWEST) > again(Policy::RoundRobin));
}

#[test]
fn the_same_seed_gives_the_same_outcome() {
    let run = |seed| {
        let site = Site { seed, ..site(Policy::Random(2), 4, 2) };
        simulate(&site, requests(0.6, 8, true, 5000, seed))
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}
