//! The headline: what was found, in words. One question under several loads is one question.

use super::text::{Rating, rating, title};
use crate::measure::{Metric, metric};
use crate::results::{Conclusion, Results};
use crate::stats::{Interval, Verdict};

/// The headline of a comparison. With a single other side it says what was found; with several it names the sides, the
/// better ones first.
pub(super) fn headline(results: &Results) -> String {
    let Some((first, others)) = results.sides.split_first() else { return "Nothing was measured".to_owned() };
    match others {
        [] => format!("{}, measured alone", first.name),
        [other] => format!("Against {}, {}", first.name, found(results, &other.name)),
        others => {
            let names: Vec<&str> = others.iter().map(|other| other.name.as_str()).collect();
            format!("Against {}: {}", first.name, grouped(results, &names))
        }
    }
}

/// The findings about a side: a clause for each figure that was asked for.
fn found(results: &Results, side: &str) -> String {
    let mut metrics: Vec<&str> = results.conclusions.iter().map(|c| c.metric.as_str()).collect();
    let mut seen = Vec::new();
    metrics.retain(|name| {
        !seen.contains(name) && {
            seen.push(name);
            true
        }
    });
    let clauses: Vec<String> = metrics.iter().filter_map(|name| clause(results, side, metric(name)?)).collect();
    match (clauses.as_slice(), results.conclusions.is_empty()) {
        ([], true) => format!("{side}: not measured"),
        ([], false) if !results.disturbed.is_empty() => format!("{side}: no verdict, the machine was busy"),
        ([], false) => format!("{side}: no verdict"),
        (clauses, _) => format!("{side} {}", clauses.join("; it ")),
    }
}

/// How a metric of a side was found under its loads; `None`: nowhere with an answer.
fn clause(results: &Results, side: &str, metric: &Metric) -> Option<String> {
    let asked: Vec<&Conclusion> =
        results.conclusions.iter().filter(|c| c.b == side && c.metric == metric.name).collect();
    let of = |verdict: Verdict| asked.iter().filter(|c| c.comparison.verdict == verdict).copied().collect::<Vec<_>>();
    let (lower, higher, same) = (of(Verdict::Lower), of(Verdict::Higher), of(Verdict::NoDifference));
    let open = asked.len() - lower.len() - higher.len() - same.len();
    let part = |found: &[&Conclusion], up: bool| -> Option<String> {
        let all = found.len() == asked.len();
        (!found.is_empty()).then(|| format!("{}{}", words(metric, range(found, up), up), under(found, all)))
    };
    let none = |found: &[&Conclusion]| -> Option<String> {
        let all = found.len() == asked.len();
        (!found.is_empty()).then(|| format!("is no different in {}{}", title(found[0]), under(found, all)))
    };
    let said: Vec<String> = [part(&higher, true), part(&lower, false), none(&same)].into_iter().flatten().collect();
    let open =
        if open > 0 && !said.is_empty() { format!(" ({open} of {} loads open)", asked.len()) } else { String::new() };
    (!said.is_empty()).then(|| said.join(", ") + &open)
}

/// The loads of some conclusions, unless they are `all`.
fn under(found: &[&Conclusion], all: bool) -> String {
    let loads: Vec<&str> = found.iter().map(|c| c.load.as_str()).collect();
    if all && loads.len() > 1 { String::new() } else { format!(" under {}", loads.join(", ")) }
}

/// The range of the claims of some conclusions, in per cent away from none: "8 to 19". Sums have no range.
fn range(found: &[&Conclusion], up: bool) -> Option<String> {
    let claims: Option<Vec<Interval>> = found.iter().map(|c| c.claim.or(c.comparison.interval)).collect();
    let claims = claims.filter(|claims| !claims.is_empty())?;
    let low = claims.iter().map(|claim| claim.low).fold(f64::INFINITY, f64::min);
    let high = claims.iter().map(|claim| claim.high).fold(f64::NEG_INFINITY, f64::max);
    let (from, to) = if up { (low, high) } else { (-high, -low) };
    let (from, to) = (format!("{:.0}", from * 100.0), format!("{:.0}", to * 100.0));
    Some(if from == to { from } else { format!("{from} to {to}") })
}

/// A difference in words.
fn words(metric: &Metric, range: Option<String>, up: bool) -> String {
    let by = range.map_or(String::new(), |range| format!("{range} % "));
    match metric.name {
        "rate" => format!("answers {by}{} requests a second", if up { "more" } else { "fewer" }),
        "cpu_us_per_request" => format!("costs {by}{} CPU a request", if up { "more" } else { "less" }),
        _ => format!("has {by}{} {}", if up { "more" } else { "less" }, metric.title),
    }
}

/// How many of the figures about a side were found how: a figure counts once, however many loads show it.
struct Tally {
    better: usize,
    worse: usize,
    same: usize,
}

impl Tally {
    fn of(results: &Results, side: &str) -> Tally {
        let of_side: Vec<&Conclusion> = results.conclusions.iter().filter(|c| c.b == side).collect();
        let mut metrics: Vec<&str> = of_side.iter().map(|c| c.metric.as_str()).collect();
        metrics.sort_unstable();
        metrics.dedup();
        let count = |wanted: Rating| {
            let is_found = |name: &&&str| of_side.iter().any(|c| c.metric == **name && rating(c) == wanted);
            metrics.iter().filter(is_found).count()
        };
        Tally { better: count(Rating::Better), worse: count(Rating::Worse), same: count(Rating::Same) }
    }
}

fn grouped(results: &Results, sides: &[&str]) -> String {
    type Belongs = fn(&Tally) -> bool;
    const GROUPS: [(&str, Belongs); 5] = [
        ("better in some figures and worse in none", |c| c.better > 0 && c.worse == 0),
        ("better in some and worse in others", |c| c.better > 0 && c.worse > 0),
        ("worse in some and better in none", |c| c.better == 0 && c.worse > 0),
        ("no different where there is a verdict", |c| c.better + c.worse == 0 && c.same > 0),
        ("without verdict", |c| c.better + c.worse + c.same == 0),
    ];
    let counts: Vec<(&str, Tally)> = sides.iter().map(|side| (*side, Tally::of(results, side))).collect();
    let groups = GROUPS.iter().filter_map(|(what, belongs)| {
        let names: Vec<&str> = counts.iter().filter(|(_, count)| belongs(count)).map(|(side, _)| *side).collect();
        (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
    });
    groups.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::SideNotes;
    use crate::stats::Comparison;

    type Answer = (&'static str, &'static str, &'static str, Verdict, f64, f64);

    fn results(sides: &[&str], answers: &[Answer]) -> Results {
        let side = |name: &&str| SideNotes { name: name.to_string(), ..SideNotes::default() };
        let conclusion = |(b, load, metric, verdict, low, high): &Answer| {
            let interval = Some(Interval { low: *low, high: *high });
            Conclusion {
                load: load.to_string(),
                metric: metric.to_string(),
                a: sides[0].into(),
                b: b.to_string(),
                comparison: Comparison { interval, ..Comparison::without_verdict(*verdict, 20, 0.99) },
                earlier: Vec::new(),
                claim: None,
            }
        };
        let (sides, conclusions) = (sides.iter().map(side).collect(), answers.iter().map(conclusion).collect());
        Results { sides, conclusions, ..Results::default() }
    }

    #[test]
    fn one_question_under_three_loads_is_one_question() {
        use Verdict::Higher;
        let answers = [
            ("exclusive", "short", "rate", Higher, 0.08, 0.12),
            ("exclusive", "keepalive", "rate", Higher, 0.10, 0.19),
            ("exclusive", "short", "cpu_us_per_request", Higher, 0.24, 0.30),
            ("exclusive", "keepalive", "cpu_us_per_request", Higher, 0.40, 0.56),
            ("exclusive", "short/pinned", "cpu_us_per_request", Higher, 0.33, 0.44),
        ];
        assert_eq!(
            headline(&results(&["accept_mutex", "exclusive"], &answers)),
            "Against accept_mutex, exclusive answers 8 to 19 % more requests a second; it costs 24 to 56 % more CPU a \
             request"
        );
    }

    #[test]
    fn loads_that_disagree_are_named_and_open_ones_counted() {
        let answers = [
            ("exclusive", "short", "rate", Verdict::Higher, 0.08, 0.12),
            ("exclusive", "keepalive-ab", "rate", Verdict::Lower, -0.29, -0.22),
            ("exclusive", "keepalive", "rate", Verdict::NoDifference, -0.02, 0.02),
            ("exclusive", "short-wrk", "rate", Verdict::Busy, -0.5, 0.2),
        ];
        assert_eq!(
            headline(&results(&["accept_mutex", "exclusive"], &answers)),
            "Against accept_mutex, exclusive answers 8 to 12 % more requests a second under short, answers 22 to 29 % \
             fewer requests a second under keepalive-ab, is no different in answered requests under keepalive (1 of 4 \
             loads open)"
        );
        let busy = [("exclusive", "short", "rate", Verdict::Busy, -0.5, 0.2)];
        assert_eq!(headline(&results(&["herd", "exclusive"], &busy)), "Against herd, exclusive: no verdict");
    }

    #[test]
    fn the_better_and_the_worse_are_named_when_there_are_many() {
        let answers = [
            ("exclusive", "open", "p99_us", Verdict::Lower, -0.2, -0.1),
            ("exclusive", "open", "p50_us", Verdict::NoDifference, 0.0, 0.0),
            ("fork", "open", "p99_us", Verdict::Higher, 1.0, 2.0),
            ("herd", "open", "p99_us", Verdict::Undecided, -1.0, 1.0),
        ];
        assert_eq!(
            headline(&results(&["accept_mutex", "exclusive", "fork", "herd"], &answers)),
            "Against accept_mutex: better in some figures and worse in none: exclusive; worse in some and better in \
             none: fork; without verdict: herd"
        );
        assert_eq!(headline(&results(&["exclusive"], &[])), "exclusive, measured alone");
    }
}
