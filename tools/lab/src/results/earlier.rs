//! The answers of earlier runs on this machine. An interval holds for the run that it is from: the next run on the same
//! machine may find another, so that what is claimed of the machine is what all of them have found.

use std::path::Path;

use super::comparison::{Conclusion, Results};
use super::kept::numbered;
use crate::environment::Environment;
use crate::stats::{Interval, Verdict};

/// So many earlier runs are looked at, the latest first.
const MOST: usize = 20;

/// The complete comparisons kept in `dir` by this machine with this kernel and these versions, the latest first.
pub(crate) fn read_earlier(dir: &Path, here: &Environment) -> Vec<Results> {
    let last = dir.join("results.json");
    let numbered = numbered(dir, "results.json");
    let files = std::iter::once(last).chain(numbered.into_iter().rev().map(|(_, path)| path));
    let read = files.take(MOST).filter_map(|path| Results::read(&path).ok());
    read.filter(|results| results.complete && is_same_machine(&results.environment, here)).collect()
}

fn is_same_machine(there: &Environment, here: &Environment) -> bool {
    (&there.kernel, &there.cpu, &there.cpus) == (&here.kernel, &here.cpu, &here.cpus)
}

/// Whether a comparison has ended with an answer.
fn is_answer(conclusion: &Conclusion) -> bool {
    use Verdict::{Higher, Lower, NoDifference};
    matches!(conclusion.comparison.verdict, Lower | Higher | NoDifference)
}

/// The answer of a comparison by its own run alone.
fn own_answer(conclusion: &Conclusion) -> Verdict {
    let found = &conclusion.comparison;
    match (found.verdict, found.interval) {
        (Verdict::Varies, Some(interval)) if interval.spans_zero() => Verdict::NoDifference,
        (Verdict::Varies, _) if found.difference < 0.0 => Verdict::Lower,
        (Verdict::Varies, _) => Verdict::Higher,
        (verdict, _) => verdict,
    }
}

/// Widens the claims of `results` by what `earlier` runs answered to the same questions. A difference that an earlier
/// run has not found, or found the other way round, is no verdict.
pub(crate) fn widen(results: &mut Results, earlier: &[Results]) {
    let mut conclusions = std::mem::take(&mut results.conclusions);
    for conclusion in conclusions.iter_mut().filter(|c| is_answer(c)) {
        let Some(found) = conclusion.comparison.interval else { continue };
        let answers: Vec<&Conclusion> =
            earlier.iter().filter_map(|run| same_question(results, run, conclusion)).collect();
        conclusion.earlier = answers.iter().filter_map(|answer| answer.comparison.interval).collect();
        let all = std::iter::once(&found).chain(&conclusion.earlier);
        let low = all.clone().map(|i| i.low).fold(f64::INFINITY, f64::min);
        let high = all.map(|i| i.high).fold(f64::NEG_INFINITY, f64::max);
        conclusion.claim = Some(Interval { low, high });
        if answers.iter().any(|answer| own_answer(answer) != conclusion.comparison.verdict) {
            conclusion.comparison.verdict = Verdict::Varies;
        }
    }
    results.conclusions = conclusions;
}

/// The answer of `run` to the question of `conclusion`, when it was asked under the same conditions.
fn same_question<'a>(results: &Results, run: &'a Results, conclusion: &Conclusion) -> Option<&'a Conclusion> {
    let conditions = |of: &Results| (of.method.clients, of.method.rate.to_bits(), of.method.seconds.to_bits());
    let place = |of: &Results| of.place(&conclusion.load).cloned();
    let conf = |of: &Results, name: &str| of.sides.iter().find(|side| side.name == name).map(|side| side.conf.clone());
    let is_same = conditions(results) == conditions(run)
        && place(results) == place(run)
        && [&conclusion.a, &conclusion.b].iter().all(|side| conf(results, side) == conf(run, side));
    // An answer that varied was one in its own run.
    run.conclusions.iter().filter(|_| is_same).find(|other| {
        (&other.load, &other.metric, &other.a, &other.b)
            == (&conclusion.load, &conclusion.metric, &conclusion.a, &conclusion.b)
            && (is_answer(other) || other.comparison.verdict == Verdict::Varies)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{LoadNotes, SCHEMA};
    use crate::stats::Comparison;

    fn run(verdict: Verdict, low: f64, high: f64) -> Results {
        let comparison =
            Comparison { interval: Some(Interval { low, high }), ..Comparison::without_verdict(verdict, 20, 0.99) };
        let conclusion = Conclusion {
            load: "short".into(),
            metric: "rate".into(),
            a: "accept_mutex".into(),
            b: "exclusive".into(),
            comparison,
            earlier: Vec::new(),
            claim: None,
        };
        Results {
            schema: SCHEMA.into(),
            complete: true,
            environment: Environment { kernel: "Linux".into(), ..Environment::default() },
            loads: vec![LoadNotes { name: "short".into(), ..LoadNotes::default() }],
            conclusions: vec![conclusion],
            ..Results::default()
        }
    }

    #[test]
    fn two_runs_whose_intervals_do_not_overlap_claim_what_both_have_found() {
        let mut now = run(Verdict::Higher, 0.18, 0.42);
        widen(&mut now, &[run(Verdict::Higher, 0.47, 0.62)]);
        let found = &now.conclusions[0];
        assert_eq!(
            (found.claim, found.comparison.verdict),
            (Some(Interval { low: 0.18, high: 0.62 }), Verdict::Higher)
        );
        assert_eq!(found.earlier, [Interval { low: 0.47, high: 0.62 }]);
    }

    #[test]
    fn a_difference_that_another_run_has_not_found_is_no_verdict() {
        let mut now = run(Verdict::Higher, 0.18, 0.42);
        widen(&mut now, &[run(Verdict::NoDifference, -0.03, 0.02)]);
        assert_eq!(now.conclusions[0].comparison.verdict, Verdict::Varies);
        let mut now = run(Verdict::Higher, 0.18, 0.42);
        widen(&mut now, &[run(Verdict::Busy, -0.5, 0.5)]);
        assert_eq!(now.conclusions[0].comparison.verdict, Verdict::Higher, "a busy run has answered nothing");
    }

    #[test]
    fn runs_under_other_conditions_do_not_count() {
        let mut other = run(Verdict::Lower, -0.4, -0.2);
        other.loads[0].place.workers = 8;
        let mut now = run(Verdict::Higher, 0.18, 0.42);
        widen(&mut now, &[other]);
        assert_eq!(now.conclusions[0].claim, Some(Interval { low: 0.18, high: 0.42 }));
    }

    #[test]
    fn reports_of_this_machine_are_found_in_their_folder() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, results: &Results| {
            std::fs::write(dir.path().join(name), serde_json::to_vec(results).unwrap()).unwrap();
        };
        write("results-1.json", &run(Verdict::Higher, 0.1, 0.2));
        write("results.json", &run(Verdict::Higher, 0.3, 0.4));
        write("results-2.json", &Results { complete: false, ..run(Verdict::Higher, 0.5, 0.6) });
        let here = run(Verdict::Higher, 0.0, 0.0).environment;
        let lows: Vec<f64> = read_earlier(dir.path(), &here)
            .iter()
            .map(|run| run.conclusions[0].comparison.interval.unwrap().low)
            .collect();
        assert_eq!(lows, [0.3, 0.1]);
        assert!(read_earlier(dir.path(), &Environment { kernel: "Linux 0.1".into(), ..here }).is_empty());
    }
}
