//! Conclusions from measurements.

use std::collections::BTreeMap;

use super::comparison::{Conclusion, Measurement, Results};
use super::disturbance::{Disturbance, disturbance, sentences};
use crate::measure::{Across, Metric, metric};
use crate::stats::{Comparison, Method, Verdict, compare, compare_sums};

/// A client that uses more than this share of its CPU is the bottleneck.
pub(super) const CLIENT_BOUND: f64 = 0.9;

/// Answers the questions of each load: every other side against the first.
pub(crate) fn conclude(results: &mut Results, seed: u64) {
    let notes = &results.method;
    let method = Method { level: notes.level, least: notes.least, same: notes.same.unwrap_or(f64::MAX), seed };
    let Some((first, others)) = results.sides.split_first() else { return };
    let mut conclusions = Vec::new();
    let mut disturbances = Vec::new();
    for load in &results.loads {
        let disturbance = disturbance(results, &load.name);
        let shared_cpu = if load.place.name.is_empty() { results.method.shared_cpu } else { load.place.is_shared() };
        for metric in load.questions.iter().filter_map(|question| metric(question)) {
            for other in others {
                let pairs = paired(results, &load.name, &first.name, &other.name);
                if pairs.is_empty() {
                    continue;
                }
                conclusions.push(Conclusion {
                    load: load.name.clone(),
                    metric: metric.name.to_owned(),
                    a: first.name.clone(),
                    b: other.name.clone(),
                    comparison: answer(metric, &pairs, shared_cpu, &disturbance, method),
                    earlier: Vec::new(),
                    claim: None,
                });
            }
        }
        disturbances.push((load.name.as_str(), disturbance));
    }
    let disturbed = sentences(&disturbances);
    (results.conclusions, results.disturbed) = (conclusions, disturbed);
}

/// Answers a question from the rounds in which both sides were measured.
fn answer(
    metric: &Metric,
    pairs: &[(&Measurement, &Measurement)],
    shared_cpu: bool,
    disturbance: &Disturbance,
    method: Method,
) -> Comparison {
    let of = |m: &Measurement| (metric.read)(&m.client, &m.server);
    let figures: Vec<(f64, f64)> = pairs.iter().filter_map(|(a, b)| of(a).zip(of(b))).collect();
    if figures.is_empty() {
        let is_told = |m: &Measurement| m.client.quantile(1.0).is_some();
        let is_short =
            matches!(metric.across, Across::Quantile(_)) && pairs.iter().any(|(a, b)| is_told(a) && is_told(b));
        let why = if is_short { Verdict::TooFewRequests } else { Verdict::NotKnown };
        return Comparison::without_verdict(why, 0, method.level);
    }
    if disturbance.is_starved() {
        return Comparison::without_verdict(Verdict::Busy, figures.len(), method.level);
    }
    if metric.across == Across::Sum {
        return compare_sums(&figures, method);
    }
    let bound = |m: &Measurement| m.client.cpu_share > CLIENT_BOUND;
    let bounds = pairs.iter().filter(|(a, b)| bound(a) || bound(b)).count();
    // Where client and server share their CPUs, requests/s are a figure of both together: the client's limit is a part.
    let is_of_both = shared_cpu && metric.name == "rate";
    let blocked = match metric.needs_idle_client {
        true if disturbance.others.is_some() => Some(Verdict::Busy),
        true if is_of_both => None,
        true if shared_cpu => Some(Verdict::SharedCpu),
        true if bounds * 2 >= pairs.len() => Some(Verdict::ClientBound),
        _ => None,
    };
    compare(&figures, blocked, method)
}

/// The rounds in which both sides were measured, in their order.
fn paired<'a>(results: &'a Results, load: &'a str, a: &'a str, b: &'a str) -> Vec<(&'a Measurement, &'a Measurement)> {
    let second: BTreeMap<u32, &Measurement> = results.measurements_of(load, b).map(|m| (m.round, m)).collect();
    let mut pairs: Vec<_> =
        results.measurements_of(load, a).filter_map(|m| Some((m, *second.get(&m.round)?))).collect();
    pairs.sort_by_key(|(m, _)| m.round);
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{LoadNotes, SideNotes};

    /// The verdict on `question`, from twenty rounds, each altered by `change`.
    fn verdict(question: &str, shared_cpu: bool, change: impl Fn(u32, &mut Measurement)) -> Verdict {
        let side = |name: &str| SideNotes { name: name.to_owned(), ..SideNotes::default() };
        let mut results = Results { sides: vec![side("herd"), side("fork")], ..Results::default() };
        results.loads =
            vec![LoadNotes { name: "open".into(), questions: vec![question.to_owned()], ..LoadNotes::default() }];
        for (round, name) in (1..=20).flat_map(|round| ["herd", "fork"].map(|name| (round, name))) {
            let mut m = Measurement { round, load: "open".into(), side: name.into(), ..Measurement::default() };
            (m.client.requests, m.client.quantiles) = (100, vec![(0.5, 100.0), (1.0, 900.0)]);
            change(round, &mut m);
            results.measurements.push(m);
        }
        (results.method.level, results.method.same, results.method.shared_cpu) = (0.99, Some(0.1), shared_cpu);
        conclude(&mut results, 1);
        results.conclusions[0].comparison.verdict
    }

    #[test]
    fn no_question_vanishes() {
        assert_eq!(verdict("p50_us", false, |_, _| ()), Verdict::NoDifference);
        assert_eq!(verdict("p99_us", false, |_, _| ()), Verdict::TooFewRequests);
        assert_eq!(verdict("jain_requests", false, |_, _| ()), Verdict::NotKnown);
        assert_eq!(verdict("p99_us", false, |_, m| m.client.quantiles.clear()), Verdict::NotKnown);
    }

    #[test]
    fn a_busy_client_and_a_shared_cpu_are_told_apart() {
        let busy = |share| move |_, m: &mut Measurement| m.client.cpu_share = share;
        assert_eq!(verdict("p50_us", false, busy(0.95)), Verdict::ClientBound);
        assert_eq!(verdict("p50_us", true, busy(0.3)), Verdict::SharedCpu);
        assert_eq!(verdict("errors", true, busy(0.95)), Verdict::NoDifference);
    }

    #[test]
    fn requests_of_client_and_server_together_have_a_verdict() {
        let rate = |_, m: &mut Measurement| {
            (m.client.rate, m.client.cpu_share) = (if m.side == "fork" { 9000.0 } else { 10_000.0 }, 0.95);
        };
        assert_eq!(verdict("rate", true, rate), Verdict::Lower);
        assert_eq!(verdict("rate", false, rate), Verdict::ClientBound);
    }

    #[test]
    fn on_a_busy_machine_only_paired_cpu_time_is_judged() {
        let others = Some(crate::measure::Others { share: 0.4, steal: 0.0 });
        let busy = |requests| {
            move |_, m: &mut Measurement| {
                (m.others, m.client.requests, m.client.rate) = (others, requests, 1.0);
                m.server.cpu_us_per_request = Some(if m.side == "fork" { 20.0 } else { 10.0 });
            }
        };
        assert_eq!(verdict("rate", true, busy(100)), Verdict::Busy);
        assert_eq!(verdict("cpu_us_per_request", true, busy(100)), Verdict::Higher);
        assert_eq!(verdict("cpu_us_per_request", true, busy(0)), Verdict::Busy, "rounds without a request");
        assert_eq!(verdict("errors", true, busy(0)), Verdict::Busy, "nothing went wrong where nothing was done");
    }

    #[test]
    fn rare_errors_are_judged_by_their_sum() {
        let found = verdict("errors", false, |round, m| {
            m.client.errors = u64::from(m.side == "fork" && round % 2 == 0);
        });
        assert_eq!(found, Verdict::Higher);
    }
}
