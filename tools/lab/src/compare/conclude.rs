//! From measurements to conclusions.

use std::collections::BTreeMap;

use crate::measure::metric;
use crate::results::{Conclusion, Measurement, Results};
use crate::stats::{Method, compare};

/// A client above this share of its CPU is the bottleneck.
pub const CLIENT_BOUND: f64 = 0.9;

/// Answers the questions of each load: every other side against the first.
pub fn conclude(results: &mut Results, seed: u64) {
    let method = Method { level: results.method.level, least: results.method.least, seed };
    let Some((first, others)) = results.sides.split_first() else { return };
    let mut conclusions = Vec::new();
    for load in &results.loads {
        for question in &load.questions {
            let Some(metric) = metric(question) else { continue };
            for other in others {
                let pairs = paired(results, &load.name, &first.name, &other.name);
                let figures: Vec<(f64, f64)> = pairs
                    .iter()
                    .filter_map(|(a, b)| (metric.of)(&a.client, &a.server).zip((metric.of)(&b.client, &b.server)))
                    .collect();
                if figures.is_empty() {
                    continue;
                }
                let bound = |m: &Measurement| m.client.cpu_share > CLIENT_BOUND;
                let bounds = pairs.iter().filter(|(a, b)| bound(a) || bound(b)).count();
                let client_bound = metric.needs_idle_client && bounds * 2 >= pairs.len();
                conclusions.push(Conclusion {
                    load: load.name.clone(),
                    metric: question.clone(),
                    a: first.name.clone(),
                    b: other.name.clone(),
                    comparison: compare(&figures, client_bound, method),
                });
            }
        }
    }
    results.conclusions = conclusions;
}

/// The rounds in which both sides were measured, in their order.
fn paired<'a>(results: &'a Results, load: &'a str, a: &'a str, b: &'a str) -> Vec<(&'a Measurement, &'a Measurement)> {
    let second: BTreeMap<u32, &Measurement> = results.of(load, b).map(|m| (m.round, m)).collect();
    let mut pairs: Vec<_> = results.of(load, a).filter_map(|m| Some((m, *second.get(&m.round)?))).collect();
    pairs.sort_by_key(|(m, _)| m.round);
    pairs
}
