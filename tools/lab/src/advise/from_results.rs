//! Advice from a comparison.

use std::collections::BTreeMap;

use super::Advice;
use crate::measure::metric;
use crate::report::{Tone, difference, tone};
use crate::results::Results;

/// The side that is better in something and worse in nothing; otherwise says between what one has to choose.
pub fn advise(results: &Results) -> Advice {
    let Some(first) = results.sides.first().map(|side| side.name.as_str()) else { return Advice::default() };
    let mut advice = Advice::default();
    // Better and worse answers of each other side, against the first.
    let mut score: BTreeMap<&str, (Vec<String>, Vec<String>, usize)> = BTreeMap::new();
    for c in &results.conclusions {
        let entry = score.entry(&c.b).or_default();
        let title = metric(&c.metric).map_or(c.metric.as_str(), |metric| metric.title);
        let what = format!("{title} under {}: {}", c.load, difference(c));
        match tone(c) {
            Tone::Better => entry.0.push(what),
            Tone::Worse => entry.1.push(what),
            Tone::Same => {}
            Tone::Unknown => entry.2 += 1,
        }
        advice.figures.push((format!("{} {title}, {}", c.b, c.load), crate::report::percent(c.comparison.difference)));
    }
    let asked = results.conclusions.len();
    let unknown: usize = score.values().map(|(_, _, unknown)| unknown).sum();
    if asked == 0 || unknown * 2 > asked {
        advice.reasons.push(format!("{unknown} of {asked} questions have no verdict"));
        return advice;
    }
    // Other servers can't be chosen by a directive.
    let is_model =
        |side: &str| crate::server::models().iter().any(|model| side.split([':', '#']).next() == Some(model));
    let mut winners: Vec<_> = score
        .iter()
        .filter(|(side, (better, worse, _))| is_model(side) && !better.is_empty() && worse.is_empty())
        .collect();
    winners.sort_by_key(|(_, (better, ..))| std::cmp::Reverse(better.len()));
    if let Some((side, (better, ..))) = winners.first() {
        advice.model = Some(directive(side));
        advice.reasons.extend(better.iter().cloned());
        advice.reasons.push(format!("worse than {first} in nothing that was asked"));
        return advice;
    }
    let split: Vec<_> = score.iter().filter(|(side, (better, ..))| is_model(side) && !better.is_empty()).collect();
    advice.model = Some(directive(first));
    match split.as_slice() {
        [] => advice.reasons.push(format!("nothing is better than {first} beyond doubt")),
        _ => {
            for (side, (better, worse, _)) in split {
                advice.reasons.push(format!("{side} gains ({}) but loses ({})", better.join("; "), worse.join("; ")));
            }
            advice.reasons.push(format!("so {first} stays unless those gains matter more to you"));
        }
    }
    advice
}

/// `exclusive:rotate=0#2` as the conf has it.
fn directive(side: &str) -> String {
    side.split('#').next().unwrap_or(side).replace(':', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Conclusion, SideNotes};
    use crate::stats::{Comparison, Verdict};

    fn results(answers: &[(&str, &str, Verdict)]) -> Results {
        let side = |name: &str| SideNotes { name: name.to_owned(), ..SideNotes::default() };
        let conclusions = answers.iter().map(|(b, metric, verdict)| Conclusion {
            load: "short".into(),
            metric: metric.to_string(),
            a: "accept_mutex".into(),
            b: b.to_string(),
            comparison: Comparison {
                median_a: 1.0,
                median_b: 0.9,
                difference: -0.1,
                interval: None,
                level: 0.99,
                pairs: 20,
                verdict: *verdict,
            },
        });
        let sides = vec![side("accept_mutex"), side("exclusive"), side("herd")];
        Results { sides, conclusions: conclusions.collect(), ..Results::default() }
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
}
