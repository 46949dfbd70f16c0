//! Plans: when which request is sent. A plan is fixed before the load begins, so that a slow answer delays no later
//! request and both sides of a comparison get the same requests.

use std::time::Duration;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp};

/// A request of a plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PlannedRequest {
    /// The planned send, from the start of the load. Latency counts from this moment.
    pub at: Duration,
    pub connection: ConnectionChoice,
    /// Index into the plan's paths.
    pub path: usize,
    /// How long the connection stays open after the answer; zero: the request says `Connection: close`.
    pub keep_open: Duration,
    /// The client reads at most 64 KiB every 10 ms.
    pub slow: bool,
    /// Whether the latency counts. The large answers of the heavy minority take long by design and don't count.
    pub counts: bool,
}

/// The connection on which a request goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ConnectionChoice {
    New,
    /// The connection of this index, opened before the load.
    Idle(usize),
    /// The same, but when the connection has been closed the request is lost.
    Held(usize),
}

/// All requests of a load, in the order of their time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub requests: Vec<PlannedRequest>,
    pub paths: Vec<String>,
    /// The number of connections that are opened before the load, and stay.
    pub idle: usize,
    /// A closed loop: the first so many requests are sent at once, and another after each answer until this time.
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

    /// `rate` new connections a second, as independent clients open them (a Poisson process).
    pub(crate) fn open(rate: f64, length: Duration, seed: u64) -> Plan {
        Plan::new(arrivals(rate, length, seed).map(|at| PlannedRequest { at, ..PLAIN }).collect())
    }

    /// `size` connections at the same moment, every `gap`, and nothing between.
    pub(crate) fn burst(size: usize, gap: Duration, length: Duration) -> Plan {
        let bursts = (length.as_secs_f64() / gap.as_secs_f64()).floor().max(1.0) as u32;
        // The first burst comes after a gap, too, and finds the server idle.
        let times = (1..=bursts).map(|n| gap * n);
        Plan::new(times.flat_map(|at| std::iter::repeat_n(PlannedRequest { at, ..PLAIN }, size)).collect())
    }

    /// Every hundredth request is for a large file. The first of these and every fifth after it are read slowly: a
    /// short round has a single large request.
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

    /// `rate` new connections a second; at the moment `at` a request on each of `held` connections that were opened
    /// before.
    pub(crate) fn holding(held: usize, at: Duration, rate: f64, length: Duration, seed: u64) -> Plan {
        let mut plan = Plan::open(rate, length, seed);
        let asked = (0..held).map(|index| PlannedRequest {
            at,
            connection: ConnectionChoice::Held(index),
            keep_open: Duration::MAX,
            ..PLAIN
        });
        plan.requests.extend(asked);
        plan.requests.sort_by_key(|request| request.at);
        Plan { idle: held, ..plan }
    }

    /// Whether the request of that number goes on a held connection, and on which.
    pub(crate) fn held(&self, request: usize) -> Option<usize> {
        match self.requests.get(request)?.connection {
            ConnectionChoice::Held(index) => Some(index),
            ConnectionChoice::New | ConnectionChoice::Idle(_) => None,
        }
    }

    /// `count` connections at once; each stays open for `keep_open` after its answer.
    pub(crate) fn storm(count: usize, keep_open: Duration) -> Plan {
        let at = Duration::from_millis(50);
        Plan::new(vec![PlannedRequest { at, keep_open, ..PLAIN }; count])
    }

    /// A closed loop of `clients` clients: each sends its next request after an answer, on a new connection or the
    /// same.
    pub(crate) fn closed(clients: usize, keep_alive: bool, length: Duration) -> Plan {
        let keep_open = if keep_alive { Duration::MAX } else { Duration::ZERO };
        Plan { closed: Some((clients, length)), ..Plan::new(vec![PlannedRequest { keep_open, ..PLAIN }; clients]) }
    }

    /// A closed loop on `clients` connections that were opened before, and stay.
    pub(crate) fn staying(clients: usize, length: Duration) -> Plan {
        let requests = (0..clients).map(|index| PlannedRequest {
            connection: ConnectionChoice::Idle(index),
            keep_open: Duration::MAX,
            ..PLAIN
        });
        Plan { closed: Some((clients, length)), idle: clients, ..Plan::new(requests.collect()) }
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
