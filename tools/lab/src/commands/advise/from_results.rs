//! Advice from a comparison.

use std::collections::BTreeMap;

use super::advice::Advice;
use crate::report::{Rating, cell, difference, rating, title};
use crate::results::{Conclusion, PlaceNotes, Results};
use crate::server::models;
use crate::stats::Verdict;

/// The answers about a side, against the first.
#[derive(Default)]
struct Score {
    better: Vec<String>,
    worse: Vec<String>,
    /// Without a verdict, although more rounds might give one.
    undecided: Vec<String>,
    /// The number of questions without a verdict.
    unknown: usize,
}

/// Advises the side that is better in something and worse in nothing; otherwise lays open the trade.
pub(super) fn advise(results: &Results) -> Advice {
    let Some(first) = results.sides.first().map(|side| side.name.as_str()) else { return Advice::default() };
    let mut advice = Advice { figures: results.conclusions.iter().map(figure).collect(), ..Advice::default() };
    let shows = |c: &&Conclusion| results.place(&c.load).is_some_and(PlaceNotes::shows_idle_cpus);
    let shown: Vec<&Conclusion> = results.conclusions.iter().filter(shows).collect();
    if shown.is_empty() && !results.conclusions.is_empty() {
        advice.reasons.push(
            "the servers had a single CPU or worker in this run: what a model costs by leaving CPUs idle could not \
             show; compare without --cpus and --place, on a machine with two CPUs at least"
                .to_owned(),
        );
        return advice;
    }
    let score = score(&shown);
    let asked = shown.len();
    let unknown: usize = score.values().map(|score| score.unknown).sum();
    if !results.complete {
        let why = results.stopped.as_deref().unwrap_or("the comparison did not end");
        advice.reasons.push(format!("the results are not complete: {why}"));
    } else if asked == 0 || unknown * 2 > asked {
        advice.reasons.push(format!("{unknown} of {asked} questions have no verdict"));
        advice.reasons.extend(results.disturbed.iter().cloned());
    } else {
        choose(first, &score, &mut advice);
    }
    advice
}

fn score<'a>(conclusions: &[&'a Conclusion]) -> BTreeMap<&'a str, Score> {
    let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
    for c in conclusions.iter().copied() {
        let score = scores.entry(&c.b).or_default();
        let what = format!("{} under {}: {}", title(c), c.load, difference(c));
        match rating(c) {
            Rating::Better => score.better.push(what),
            Rating::Worse => score.worse.push(what),
            Rating::Same => {}
            Rating::Unknown => {
                score.unknown += 1;
                if matches!(
                    c.comparison.verdict,
                    Verdict::Undecided | Verdict::Drift | Verdict::TooFewRounds | Verdict::Varies | Verdict::Busy
                ) {
                    score.undecided.push(what);
                }
            }
        }
    }
    scores
}

fn figure(c: &Conclusion) -> (String, String) {
    (format!("{} {}, {}", c.b, title(c), c.load), cell(c))
}

/// Whether a side is a model: other servers can't be chosen by a directive.
fn is_model(side: &str) -> bool {
    models().iter().any(|model| side.split([':', '#']).next() == Some(model))
}

fn choose(first: &str, scores: &BTreeMap<&str, Score>, advice: &mut Advice) {
    let sides = || scores.iter().filter(|(side, _)| is_model(side));
    let only_gains = |score: &Score| !score.better.is_empty() && score.worse.is_empty() && score.undecided.is_empty();
    if let Some((side, score)) = sides().filter(|(_, s)| only_gains(s)).max_by_key(|(_, s)| s.better.len()) {
        advice.model = Some(directive(side));
        advice.reasons.extend(score.better.iter().cloned());
        advice.reasons.push(format!("worse than {first} in nothing that has a verdict"));
        return;
    }
    for (side, score) in sides().filter(|(_, score)| score.worse.is_empty() && !score.undecided.is_empty()) {
        advice.reasons.push(format!("{side} may be better or worse: {}", score.undecided.join("; ")));
    }
    if !advice.reasons.is_empty() {
        advice.reasons.push("more rounds (--rounds) narrow the intervals".to_owned());
        return;
    }
    for (side, Score { better, worse, .. }) in sides().filter(|(_, score)| !score.better.is_empty()) {
        advice.reasons.push(format!("{side} gains ({}) but loses ({})", better.join("; "), worse.join("; ")));
    }
    if !is_model(first) {
        advice.reasons.push(format!("{first} is another server: compare with a model, which is named first"));
        return;
    }
    advice.model = Some(directive(first));
    advice.reasons.push(match advice.reasons.len() {
        0 => format!("nothing is better than {first} beyond doubt"),
        _ => format!("so {first} stays unless those gains matter more to you"),
    });
}

/// A side as the arguments of `dispatch`: `exclusive:rotate=0#2` becomes `exclusive rotate=0`.
fn directive(side: &str) -> String {
    side.split('#').next().unwrap_or(side).replace(':', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{LoadNotes, SideNotes};
    use crate::stats::Comparison;

    fn results(answers: &[(&str, &str, Verdict)]) -> Results {
        let side = |name: &str| SideNotes { name: name.to_owned(), ..SideNotes::default() };
        let conclusions = answers.iter().map(|(b, metric, verdict)| Conclusion {
            load: "short".into(),
            metric: metric.to_string(),
            a: "accept_mutex".into(),
            b: b.to_string(),
            comparison: Comparison { difference: -0.1, ..Comparison::without_verdict(*verdict, 20, 0.99) },
            earlier: Vec::new(),
            claim: None,
        });
        let sides = vec![side("accept_mutex"), side("exclusive"), side("herd")];
        let place = PlaceNotes { workers: 2, server_cpus: vec![0, 1], ..PlaceNotes::default() };
        let loads = vec![LoadNotes { name: "short".into(), place, ..LoadNotes::default() }];
        Results { complete: true, sides, loads, conclusions: conclusions.collect(), ..Results::default() }
    }

    #[test]
    fn a_run_in_which_no_cpu_could_be_idle_gives_no_advice() {
        let mut all = results(&[("exclusive", "cpu_us_per_request", Verdict::Higher)]);
        all.loads[0].place.server_cpus = vec![0];
        let found = advise(&all);
        assert_eq!(found.model, None);
        assert!(found.reasons[0].contains("leaving CPUs idle could not show"), "{:?}", found.reasons);
    }

    #[test]
    fn a_busy_machine_gives_no_advice_and_is_named() {
        let mut all = results(&[("exclusive", "rate", Verdict::Busy)]);
        all.disturbed = vec!["others took 34 % of the CPUs under short".to_owned()];
        let found = advise(&all);
        assert_eq!(found.model, None);
        assert!(found.reasons.contains(&all.disturbed[0]), "{:?}", found.reasons);
    }

    #[test]
    fn the_side_that_only_gains_is_advised() {
        let found = advise(&results(&[
            ("exclusive", "p99_us", Verdict::Lower),
            ("exclusive", "rate", Verdict::NoDifference),
            ("herd", "p99_us", Verdict::Lower),
            ("herd", "cpu_us_per_request", Verdict::Higher),
        ]));
        assert_eq!(found.model.as_deref(), Some("exclusive"));
        assert!(found.reasons[0].contains("latency, 99 % under short"), "{:?}", found.reasons);
    }

    #[test]
    fn without_verdicts_there_is_no_advice() {
        let found = advise(&results(&[("herd", "rate", Verdict::ClientBound), ("herd", "p99_us", Verdict::Drift)]));
        assert_eq!(found.model, None);
        assert_eq!(advise(&Results::default()), Advice::default());
    }

    #[test]
    fn a_trade_is_laid_open() {
        let found =
            advise(&results(&[("herd", "p99_us", Verdict::Lower), ("herd", "cpu_us_per_request", Verdict::Higher)]));
        assert_eq!(found.model.as_deref(), Some("accept_mutex"));
        assert!(found.reasons[0].starts_with("herd gains ("), "{:?}", found.reasons);
    }
    #[test]
    fn what_is_undecided_is_not_enough_evidence() {
        let mut answers = vec![
            ("exclusive", "p99_us", Verdict::Undecided),
            ("exclusive", "rate", Verdict::NoDifference),
            ("exclusive", "cpu_us_per_request", Verdict::Lower),
        ];
        let found = advise(&results(&answers));
        assert_eq!(found.model, None);
        assert!(found.reasons[0].starts_with("exclusive may be better or worse: latency, 99 %"), "{:?}", found.reasons);
        answers[0].2 = Verdict::ClientBound;
        assert_eq!(advise(&results(&answers)).model.as_deref(), Some("exclusive"), "no round would tell more");
    }

    #[test]
    fn incomplete_results_are_not_enough_evidence() {
        let stopped = Some("interrupted".to_owned());
        let all = results(&[("exclusive", "p99_us", Verdict::Lower)]);
        let found = advise(&Results { complete: false, stopped, ..all });
        assert_eq!((found.model, found.reasons), (None, vec!["the results are not complete: interrupted".to_owned()]));
    }

    #[test]
    fn another_server_is_never_advised() {
        let mut all = results(&[("herd", "p99_us", Verdict::Higher)]);
        all.sides[0].name = "nginx:accept_mutex=on".into();
        let found = advise(&all);
        assert_eq!(found.model, None);
        assert!(found.reasons[0].starts_with("nginx:accept_mutex=on is another server"), "{:?}", found.reasons);
    }
}
