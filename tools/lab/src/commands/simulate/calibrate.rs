//! Calibrates the costs of the steps on this machine, and checks the simulation at other points.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::engine::{Arrival, Served, Setup, simulate};
use super::fleet::{Point, Slice, SliceLoad, interquartile_mean};
use super::models::{FORK, Simulated};
use crate::results::{Checked, Cost, Costs, Figures};
use crate::stats::{jain, median};

/// A rate in connections a second at which nearly each finds its worker asleep, while caches stay warm.
const LIGHT: f64 = 2000.0;
const BURST: usize = 24;
/// The share of heavy connections in a check: one in twenty-five, so that the slowest hundredth of the others are those
/// that waited for a heavy one.
const HEAVY: f64 = 0.04;
/// The share of heavy connections where their cost is measured: so many that the cost stands out clearly.
const MIXED: f64 = 0.2;
/// The number of workers where costs depend on it.
const SIZE: u32 = 4;
/// The points of the check: workers, rate and share of heavy connections that were not used for the calibration.
const CHECKS: [(u32, f64, f64); 2] = [(2, 1500.0, 0.0), (8, 2500.0, HEAVY)];

/// The costs of the steps on this machine.
pub(super) struct Calibration {
    pub costs: Vec<Cost>,
    /// Samples of the time from the client to the server and back, with the client's own work, µs.
    pub path_us: Vec<f64>,
}

/// A factor for rates: a connection costs fork ten times as much as the other models.
fn pace(model: &str) -> f64 {
    if model == FORK { 0.3 } else { 1.0 }
}

fn open(model: &'static str, workers: u32, rate: f64, heavy: f64) -> Point {
    Point { model, workers, load: SliceLoad::Open { rate: rate * pace(model), heavy } }
}

/// The points of the calibration: the first give what all models have in common, the others the costs of each model.
pub(super) fn points(chosen: &[Simulated]) -> Vec<Point> {
    let mut points = vec![
        open("exclusive", 1, LIGHT, 0.0),
        Point { model: "exclusive", workers: 1, load: SliceLoad::Bursts(BURST) },
        open("exclusive", 1, LIGHT / 2.0, MIXED),
        open("herd", 1, LIGHT, 0.0),
        open("herd", SIZE, LIGHT, 0.0),
    ];
    points.extend(chosen.iter().map(|model| open(model.name, SIZE, LIGHT, 0.0)));
    let dispatched = chosen.iter().filter(|model| model.rule.has_dispatcher());
    points.extend(dispatched.map(|model| Point { model: model.name, workers: SIZE, load: SliceLoad::Bursts(BURST) }));
    points
}

impl Calibration {
    /// Calibrates by the slices of `points`. Waking: a lone connection against a connection of a burst. Waking for
    /// nothing: what each worker adds to a herd. Dispatching: the dispatcher's CPU time per connection of a burst.
    /// Path: what the client waited beyond the server's part.
    pub(super) fn new(chosen: &[Simulated], seen: &[Vec<Slice>]) -> Calibration {
        let [one, burst, mixed, herd, herds, models @ ..] = seen else { unreachable!("as many as points") };
        let cpu = |slices: &Vec<Slice>| interquartile_mean(slices.iter().map(|slice| slice.cpu).collect());
        let many = BURST as f64;
        let wake = ((cpu(one) - cpu(burst)) * many / (many - 1.0)).max(0.0);
        let spurious = ((cpu(herds) - cpu(herd)) / f64::from(SIZE - 1)).max(0.0);
        let heavy = ((cpu(mixed) - cpu(one)) / MIXED).max(0.0);
        let (models, bursts) = models.split_at(chosen.len());
        let mut bursts = bursts.iter();
        let costs = chosen.iter().zip(models).map(|(model, seen)| {
            // The simulation counts the wakeups of a herd's idle workers by themselves: a lone worker gives the cost
            // without them.
            let all = cpu(if model.name == "herd" { herd } else { seen });
            // A worker that is awake already needs no wakeup.
            let asleep = (1.0 - LIGHT * pace(model.name) * all / 1e6).clamp(0.0, 1.0);
            let burst = if model.rule.has_dispatcher() { bursts.next() } else { None };
            let dispatch =
                burst.map_or(0.0, |slices| interquartile_mean(slices.iter().map(|slice| slice.dispatcher).collect()));
            let wakes = if burst.is_some() { 2.0 } else { 1.0 };
            let serve = (all - dispatch - wakes * wake * asleep).max(1.0);
            let costs = Costs { serve, wake, spurious, dispatch, heavy };
            Cost { model: model.name.to_owned(), costs }
        });
        // A herd of one worker works as exclusive does: more samples.
        let path_us = [one, herd].into_iter().flat_map(|seen| {
            let served = cpu(seen);
            typical(seen).into_iter().flat_map(|slice| &slice.latencies).map(move |us| (us - served).max(0.0))
        });
        let path_us = path_us.collect();
        Calibration { costs: costs.collect(), path_us }
    }

    pub(super) fn costs_of(&self, model: &Simulated) -> Costs {
        self.costs.iter().find(|cost| cost.model == model.name).map(|cost| cost.costs).unwrap_or_default()
    }

    /// The latencies and shares that clients see of `served`, the connections of a simulated slice. Its other figures
    /// are unknown.
    pub(super) fn client_view(
        &self,
        model: &Simulated,
        workers: usize,
        served: &[Served],
        rng: &mut ChaCha8Rng,
    ) -> Slice {
        let mut path_us = || match self.path_us.as_slice() {
            [] => 0.0,
            path_us => path_us[rng.random_range(0..path_us.len())],
        };
        let light = served.iter().filter(|served| !served.heavy);
        let mut latencies: Vec<f64> = light.map(|served| f64::from(served.latency) + path_us()).collect();
        latencies.sort_by(f64::total_cmp);
        let mut shares = vec![0.0; if model.name == FORK { 0 } else { workers }];
        served.iter().filter_map(|s| shares.get_mut(usize::from(s.worker)).map(|n: &mut f64| *n += 1.0)).count();
        Slice { latencies, shares, ..Slice::default() }
    }
}

/// The typical quarter of the slices: those whose 99th percentile is nearest to the median of the slices.
fn typical(slices: &[Slice]) -> Vec<&Slice> {
    let mut sorted: Vec<&Slice> = slices.iter().collect();
    sorted.sort_by(|a, b| a.quantile(0.99).unwrap_or(0.0).total_cmp(&b.quantile(0.99).unwrap_or(0.0)));
    let cut = sorted.len() * 3 / 8;
    sorted[cut..sorted.len() - cut].to_vec()
}

/// The points of the check.
pub(super) fn check_points(chosen: &[Simulated]) -> Vec<Point> {
    let of = |model: &Simulated| CHECKS.map(|(workers, rate, heavy)| open(model.name, workers, rate, heavy));
    chosen.iter().flat_map(of).collect()
}

/// Simulates the very arrivals of each of `points`, on as many CPUs as the servers had.
pub(super) fn check(
    calibration: &Calibration,
    chosen: &[Simulated],
    points: &[Point],
    seen: &[Vec<Slice>],
    cpus: usize,
    seed: u64,
) -> Vec<Checked> {
    let each = points.iter().zip(seen).filter_map(|(point, seen)| {
        let model = chosen.iter().find(|model| model.name == point.model)?;
        let SliceLoad::Open { rate, heavy } = point.load else { return None };
        let (workers, costs) = (point.workers as usize, calibration.costs_of(model));
        let setup = Setup { rule: model.rule, workers, threads: model.threads, cpus, costs, seed };
        Some(Checked {
            model: model.name.to_owned(),
            workers: point.workers,
            rate,
            heavy,
            measured: figures(model, seen),
            simulated: figures(model, &replay(calibration, model, setup, seen)),
        })
    });
    each.collect()
}

/// Simulates the same slices one after the other, a second apart.
fn replay(calibration: &Calibration, model: &Simulated, setup: Setup, seen: &[Slice]) -> Vec<Slice> {
    const APART: f64 = 1e6;
    let mut rng = ChaCha8Rng::seed_from_u64(setup.seed);
    let mut arrivals: Vec<Arrival> = Vec::new();
    let mut starts = Vec::new();
    for slice in seen {
        let start = arrivals.last().map_or(0.0, |last| last.at + APART);
        starts.push(start);
        arrivals.extend(slice.arrivals.iter().map(|arrival| Arrival { at: start + arrival.at, ..*arrival }));
    }
    let mut run = simulate(setup, arrivals);
    run.served.sort_by(|a, b| a.at.total_cmp(&b.at));
    let ends = starts.iter().skip(1).copied().chain([f64::INFINITY]);
    let slice = |(start, end): (&f64, f64)| {
        let served: Vec<Served> = run.served.iter().filter(|s| s.at >= *start && s.at < end).copied().collect();
        Slice { cpu: run.cpu_us_per_request, ..calibration.client_view(model, setup.workers, &served, &mut rng) }
    };
    starts.iter().zip(ends).map(slice).collect()
}

/// The figures of slices: the interquartile mean of the CPU time, the medians of all others.
pub(super) fn figures(model: &Simulated, slices: &[Slice]) -> Figures {
    let typical =
        |figure: &dyn Fn(&Slice) -> Option<f64>| median(&slices.iter().filter_map(figure).collect::<Vec<f64>>());
    let quantile = |q: f64| typical(&|slice| slice.quantile(q)).unwrap_or(f64::NAN);
    Figures {
        cpu_us: interquartile_mean(slices.iter().map(|slice| slice.cpu).collect()),
        p50_us: quantile(0.5),
        p99_us: quantile(0.99),
        jain: typical(&|slice| jain(&slice.shares)).filter(|_| model.name != FORK),
    }
}
