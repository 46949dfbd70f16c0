//! When which request is sent: fixed before the load begins, so that a slow answer delays no later request and both sides
//! of a comparison get the same ones.

use std::time::Duration;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp};

/// One request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PlannedRequest {
    /// Planned send, from the start of the load. Latency counts from here.
    pub at: Duration,
    pub connection: ConnectionChoice,
    /// Index into the plan's paths.
    pub path: usize,
    /// The connection stays open this long after the answer; zero: the request says `Connection: close`.
    pub keep_open: Duration,
    /// Reads at most 64 KiB every 10 ms.
    pub slow: bool,
    /// Whether its latency counts: not that of the heavy minority, whose answers are long by design.
    pub counts: bool,
}

/// The connection for a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ConnectionChoice {
    New,
    /// One of the connections that were opened before the load.
    Idle(usize),
}

/// All requests of a load, in the order of their time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub requests: Vec<PlannedRequest>,
    pub paths: Vec<String>,
    /// Connections that are opened before, and stay.
    pub idle: usize,
    /// Sends the first so many at once, and another after each answer until this time: a closed loop.
    pub closed: Option<(usize, Duration)>,
}

pub(crate) const SMALL: &str = "/1k.html";
pub(super) const LARGE: &str = "/8m.bin";

const PLAIN: PlannedRequest = PlannedRequest {
    at: Duration::ZERO,
    connection: ConnectionChoice::New,
    path: 0,
    keep_open: Duration::ZERO,
    slow: false,
    counts: true,
};

impl Plan {
    fn new(requests: Vec<PlannedRequest>) -> Plan {
        Plan { requests, paths: vec![SMALL.into(), LARGE.into()], idle: 0, closed: None }
    }

    /// `rate` new connections a second, as independent clients send them (a Poisson process).
    pub(crate) fn open(rate: f64, length: Duration, seed: u64) -> Plan {
        Plan::new(arrivals(rate, length, seed).map(|at| PlannedRequest { at, ..PLAIN }).collect())
    }

    /// `size` connections at the same moment, every `gap`, and nothing between.
    pub(crate) fn burst(size: usize, gap: Duration, length: Duration) -> Plan {
        let bursts = (length.as_secs_f64() / gap.as_secs_f64()).floor().max(1.0) as u32;
        // The first one comes after a gap as well: from idle.
        let times = (1..=bursts).map(|n| gap * n);
        Plan::new(times.flat_map(|at| std::iter::repeat_n(PlannedRequest { at, ..PLAIN }, size)).collect())
    }

    /// Every hundredth request is for a large file, and of these the first and every fifth after it reads slowly: a short round
    /// has no second.
    pub(crate) fn minority(rate: f64, length: Duration, seed: u64) -> Plan {
        let mut heavy = 0;
        let requests = arrivals(rate, length, seed).enumerate().map(|(n, at)| {
            if n % 100 != 50 {
                return PlannedRequest { at, ..PLAIN };
            }
            heavy += 1;
            PlannedRequest { at, path: 1, slow: heavy % 5 == 1, counts: false, ..PLAIN }
        });
        Plan::new(requests.collect())
    }

    /// `idle` open connections, and `rate` requests a second on any of them.
    pub(crate) fn trickle(idle: usize, rate: f64, length: Duration, seed: u64) -> Plan {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x1d1e);
        let mut order: Vec<usize> = (0..idle).collect();
        order.shuffle(&mut rng);
        let requests = arrivals(rate, length, seed).enumerate().map(|(n, at)| {
            let connection = ConnectionChoice::Idle(order[n % idle]);
            PlannedRequest { at, connection, keep_open: Duration::MAX, ..PLAIN }
        });
        Plan { idle, ..Plan::new(requests.collect()) }
    }

    /// `count` connections at once; each stays open for `hold` after its answer.
    pub(crate) fn storm(count: usize, keep_open: Duration) -> Plan {
        let at = Duration::from_millis(50);
        Plan::new(vec![PlannedRequest { at, keep_open, ..PLAIN }; count])
    }

    /// `clients` clients that send the next request when the last is answered, on new connections or the same.
    pub(crate) fn closed(clients: usize, keep_alive: bool, length: Duration) -> Plan {
        let keep_open = if keep_alive { Duration::MAX } else { Duration::ZERO };
        Plan { closed: Some((clients, length)), ..Plan::new(vec![PlannedRequest { keep_open, ..PLAIN }; clients]) }
    }
}

/// The times of a Poisson process.
fn arrivals(rate: f64, length: Duration, seed: u64) -> impl Iterator<Item = Duration> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // A rate of zero would be a gap without end.
    let gaps = Exp::new(rate.max(0.001)).ok();
    let mut at = 0.0;
    std::iter::from_fn(move || {
        at += gaps?.sample(&mut rng) + rng.random_range(0.0..1e-9);
        (at < length.as_secs_f64()).then(|| Duration::from_secs_f64(at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_rate_is_kept_and_the_seed_decides() {
        let plan = Plan::open(5000.0, SECOND * 4, 1);
        assert!((19_400..20_600).contains(&plan.requests.len()), "{}", plan.requests.len());
        assert!(plan.requests.is_sorted_by_key(|request| request.at));
        assert_eq!(plan.requests, Plan::open(5000.0, SECOND * 4, 1).requests);
        assert_ne!(plan.requests, Plan::open(5000.0, SECOND * 4, 2).requests);
    }

    #[test]
    fn one_in_a_hundred_is_heavy() {
        let plan = Plan::minority(1000.0, SECOND * 4, 1);
        let heavy = plan.requests.iter().filter(|request| request.path == 1).count();
        assert_eq!(heavy, (plan.requests.len() + 49) / 100);
        assert!(plan.requests.iter().all(|request| request.counts == (request.path == 0)));
        assert_eq!(plan.requests.iter().filter(|request| request.slow).count(), heavy.div_ceil(5));
        let short = Plan::minority(1000.0, SECOND / 8, 1);
        assert_eq!(
            short.requests.iter().filter(|request| request.slow).count(),
            1,
            "in every round of the default length"
        );
    }

    #[test]
    fn bursts_come_from_idle() {
        let plan = Plan::burst(16, Duration::from_millis(250), SECOND);
        assert_eq!(plan.requests.len(), 64);
        assert_eq!(plan.requests[0].at, Duration::from_millis(250));
    }
}
