use super::*;
use crate::commands::simulate::models::SIMULATED;
use crate::stats::jain;

fn setup(rule: Rule, workers: usize) -> Setup {
    let costs = Costs { serve: 20.0, wake: 5.0, spurious: 3.0, ..Costs::default() };
    Setup { rule, workers, threads: 1, cpus: workers + 1, costs, seed: 1 }
}

/// Arrivals that keep each worker's CPU busy for the share `utilisation`.
fn load(setup: &Setup, utilisation: f64) -> impl Iterator<Item = Arrival> + use<> {
    poisson(utilisation * setup.workers as f64 / 25.0 * 1e6, 0.0, 20_000, 1)
}

fn fairness(run: &SimulatedRun, workers: usize) -> f64 {
    let mut shares = vec![0.0; workers];
    run.served.iter().for_each(|served| shares[usize::from(served.worker)] += 1.0);
    jain(&shares).unwrap()
}

/// The share of the busiest worker in each piece of `length` connections, on average.
fn busiest(run: &SimulatedRun, length: usize) -> f64 {
    let share = |piece: &[Served]| {
        let mut counts = std::collections::BTreeMap::<u16, usize>::new();
        piece.iter().for_each(|served| *counts.entry(served.worker).or_default() += 1);
        counts.into_values().max().unwrap_or(0) as f64 / piece.len() as f64
    };
    let shares: Vec<f64> = run.served.chunks(length).map(share).collect();
    shares.iter().sum::<f64>() / shares.len() as f64
}

/// The latency below which the share `q` of the connections that are not heavy lies.
fn quantile(run: &SimulatedRun, q: f64) -> f64 {
    let mut latencies: Vec<f32> = run.served.iter().filter(|s| !s.heavy).map(|s| s.latency).collect();
    latencies.sort_by(f32::total_cmp);
    f64::from(latencies[(latencies.len() as f64 * q) as usize])
}

#[test]
fn every_connection_is_served_once_under_every_model() {
    for model in SIMULATED {
        for (workers, cpus) in [(1, 1), (3, 1), (3, 3), (8, 1), (8, 9)] {
            let setup = Setup { cpus, threads: model.threads, ..setup(model.rule, workers) };
            let run = simulate(setup, load(&setup, 0.1).take(2000));
            assert_eq!(run.served.len(), 2000, "{} {workers} {cpus}", model.name);
            assert!(run.served.iter().all(|s| usize::from(s.worker) < workers && s.latency >= 20.0), "{}", model.name);
        }
    }
}

#[test]
fn every_model_of_drover_is_simulated() {
    let simulated: Vec<&str> = SIMULATED.iter().map(|model| model.name).collect();
    let mut missing = crate::server::models();
    missing.retain(|model| !simulated.contains(model));
    assert!(missing.is_empty() && simulated.len() == crate::server::models().len(), "{missing:?}");
}

#[test]
fn one_worker_is_the_queue_of_the_textbooks() {
    // Poisson arrivals, constant service: M/D/1. Without waking, the mean time in the system is s + s·rho / (2·(1 -
    // rho)).
    let costs = Costs { serve: 20.0, ..Costs::default() };
    let setup = Setup { costs, ..setup(Rule::Hash, 1) };
    for rho in [0.3, 0.6, 0.8] {
        let run = simulate(setup, poisson(rho / 20.0 * 1e6, 0.0, 200_000, 1));
        let mean = run.served.iter().map(|s| f64::from(s.latency)).sum::<f64>() / run.served.len() as f64;
        let expected = 20.0 + 20.0 * rho / (2.0 * (1.0 - rho));
        assert!((mean - expected).abs() < expected * 0.03, "{rho}: {mean} instead of {expected}");
    }
}

#[test]
fn what_is_known_of_the_models_comes_out() {
    for workers in [8, 64, 256] {
        // A second and a half: one worker would be busy for a twentieth of it.
        let light = |rule| fairness(&simulate(setup(rule, workers), poisson(2000.0, 0.0, 3000, 1)), workers);
        let even = 1.0 / workers as f64;
        let most = busiest(&simulate(setup(Rule::Mutex, workers), poisson(2000.0, 0.0, 3000, 1)), 30);
        assert!(most > 0.8, "{most}: the mutex puts a light load on one worker at a time");
        assert!(light(Rule::WakeFirst { rotate: 1 }) > 0.9);
        assert!(light(Rule::WakeFirst { rotate: 0 }) < 1.5 * even);
        assert!(light(Rule::WakeFirst { rotate: 16 }) > 0.5);
        assert!(light(Rule::Hash) > 0.9);
        assert!(light(Rule::FewestConnections) > 0.9);
    }
}

#[test]
fn a_herd_costs_more_the_larger_it_is() {
    let cost = |rule, workers| simulate(setup(rule, workers), poisson(200.0, 0.0, 5000, 1)).cpu_us_per_request;
    for workers in [4, 16, 64, 256] {
        // Each connection wakes one worker for work, and all others for nothing.
        let expected = cost(Rule::WakeAll, 1) + 3.0 * (workers - 1) as f64;
        let herd = cost(Rule::WakeAll, workers);
        assert!((herd - expected).abs() < expected * 0.02, "{workers}: {herd} instead of {expected}");
        assert!(cost(Rule::WakeFirst { rotate: 16 }, workers) < 26.0);
    }
}

#[test]
fn reuseport_has_the_worst_tail_when_some_are_busy() {
    // A connection in a hundred costs fifty times as much. Connections that hash to the socket of its worker wait for
    // it; from a shared queue other workers take them.
    for workers in [8, 64, 256] {
        let tail = |rule| {
            let costs = Costs { heavy: 1000.0, ..setup(rule, workers).costs };
            let setup = Setup { costs, ..setup(rule, workers) };
            let arrivals = poisson(0.4 * workers as f64 / 35.0 * 1e6, 0.01, 50_000, 1);
            quantile(&simulate(setup, arrivals), 0.99)
        };
        let (own, shared) = (tail(Rule::Hash), tail(Rule::WakeFirst { rotate: 16 }));
        assert!(own > 500.0 && own > 5.0 * shared, "{workers}: {own} against {shared}");
        // To a worker that is busy with a heavy one nothing goes while another has less.
        let fewest = tail(Rule::FewestConnections);
        assert!(own > 5.0 * fewest, "{workers}: {own} against {fewest}");
    }
}

#[test]
fn a_dispatcher_is_the_limit_of_what_it_serves() {
    let costs = Costs { dispatch: 5.0, ..setup(Rule::SharedQueue, 64).costs };
    let half = |rule, costs| {
        let setup = Setup { costs, ..setup(rule, 64) };
        quantile(&simulate(setup, load(&setup, 0.5)), 0.5)
    };
    // 64 workers at half their speed serve 1.3 million connections a second, a dispatcher 0.2 million.
    assert!(half(Rule::SharedQueue, costs) > 10_000.0 && half(Rule::RoundRobin, costs) > 10_000.0);
    assert!(half(Rule::Notify, costs) > half(Rule::RoundRobin, costs), "one after the other takes longer still");
    assert!(half(Rule::WakeFirst { rotate: 16 }, costs) < 50.0);
}

#[test]
fn the_same_seed_gives_the_same_outcome() {
    let run = |seed| simulate(Setup { seed, ..setup(Rule::WakeAll, 4) }, load(&setup(Rule::WakeAll, 4), 0.5));
    assert_eq!(run(3).served, run(3).served);
    assert_ne!(run(3).served, run(4).served);
}
