use super::*;
use crate::simulate::models::SIMULATED;
use crate::stats::jain;

fn setup(rule: Rule, workers: usize, utilisation: f64) -> Setup {
    let costs = Costs { serve: 20.0, wake: 5.0, spurious: 3.0, extra: 0.0 };
    Setup {
        rule,
        workers,
        cpus: workers,
        costs,
        rate: utilisation * workers as f64 / 25.0 * 1e6,
        heavy: 0.0,
        heavy_factor: 1.0,
        connections: 20_000,
        seed: 1,
    }
}

fn fairness(outcome: &Outcome) -> f64 {
    jain(&outcome.accepts.iter().map(|n| *n as f64).collect::<Vec<_>>()).unwrap()
}

#[test]
fn every_connection_is_served_once_under_every_model() {
    for model in SIMULATED {
        for workers in [1, 3, 8] {
            for cpus in [1, workers] {
                let setup = Setup { cpus, connections: 2000, ..setup(model.rule, workers, 0.1) };
                let outcome = simulate(setup);
                assert_eq!(outcome.latencies.len(), 2000, "{} {workers} {cpus}", model.name);
                assert_eq!(outcome.accepts.iter().sum::<u64>(), 2000, "{}", model.name);
            }
        }
    }
}

#[test]
fn one_worker_is_the_queue_of_the_textbooks() {
    // Poisson arrivals, constant service: M/D/1. Without waking, the mean time in the system is s + s·rho / (2·(1 - rho)).
    let costs = Costs { serve: 20.0, ..Costs::default() };
    let setup = Setup { costs, connections: 200_000, ..setup(Rule::Hash, 1, 0.0) };
    for rho in [0.3, 0.6, 0.8] {
        let outcome = simulate(Setup { rate: rho / 20.0 * 1e6, ..setup });
        let mean = outcome.latencies.iter().sum::<f64>() / outcome.latencies.len() as f64;
        let expected = 20.0 + 20.0 * rho / (2.0 * (1.0 - rho));
        assert!((mean - expected).abs() < expected * 0.03, "{rho}: {mean} instead of {expected}");
    }
}

#[test]
fn what_is_known_of_the_models_comes_out() {
    let light = |rule| simulate(setup(rule, 8, 0.05));
    assert!(fairness(&light(Rule::Mutex)) < 0.2, "the mutex puts a light load on one worker");
    assert!(fairness(&light(Rule::Handoff)) > 0.99);
    assert!(fairness(&light(Rule::First { rotate: 0 })) < 0.3);
    assert!(fairness(&light(Rule::First { rotate: 16 })) > 0.9);
    let herd = |workers| simulate(setup(Rule::Everyone, workers, 0.02)).cpu_us_per_request;
    assert!(herd(16) > herd(4) + 3.0 * 8.0 && herd(4) > herd(1) + 3.0 * 2.0, "a herd costs more the larger it is");
    // A busy worker keeps those waiting that hash to its socket, while a shared queue is served by others.
    let heavy = |rule| simulate(Setup { heavy: 0.01, heavy_factor: 100.0, ..setup(rule, 8, 0.3) }).quantile(0.9);
    assert!(heavy(Rule::Hash) > 2.0 * heavy(Rule::LongestWaiting));
}

#[test]
fn the_same_seed_gives_the_same_outcome() {
    let run = |seed| simulate(Setup { seed, ..setup(Rule::Everyone, 4, 0.5) }).latencies;
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}
