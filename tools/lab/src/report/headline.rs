//! The headline: all verdicts in a sentence.

use super::text::{Rating, rating};
use crate::results::Results;

/// The headline of a comparison. With a single other side it counts the verdicts; with several it names the sides, the
/// better ones first.
pub(super) fn headline(results: &Results) -> String {
    let Some((first, others)) = results.sides.split_first() else { return "Nothing was measured".to_owned() };
    match others {
        [] => format!("{}, measured alone", first.name),
        [other] => format!("Compared with {}: {}", first.name, counted(results, &other.name)),
        others => {
            let names: Vec<&str> = others.iter().map(|other| other.name.as_str()).collect();
            format!("Against {}: {}", first.name, grouped(results, &names))
        }
    }
}

/// How many of the questions about a side were answered how.
struct Tally {
    better: usize,
    worse: usize,
    same: usize,
    unknown: usize,
}

impl Tally {
    fn of(results: &Results, side: &str) -> Tally {
        let tones: Vec<Rating> = results.conclusions.iter().filter(|c| c.b == side).map(rating).collect();
        let count = |wanted: Rating| tones.iter().filter(|found| **found == wanted).count();
        Tally {
            better: count(Rating::Better),
            worse: count(Rating::Worse),
            same: count(Rating::Same),
            unknown: count(Rating::Unknown),
        }
    }
}

fn counted(results: &Results, side: &str) -> String {
    let Tally { better, worse, same, unknown } = Tally::of(results, side);
    let asked = better + worse + same + unknown;
    if asked == 0 {
        return format!("{side}: not measured");
    }
    let said: Vec<String> =
        [(better, "better in"), (worse, "worse in"), (same, "no different in"), (unknown, "without verdict in")]
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, what)| format!("{what} {n}"))
            .collect();
    format!("{side} is {} of {asked} questions", said.join(", "))
}

fn grouped(results: &Results, sides: &[&str]) -> String {
    type Belongs = fn(&Tally) -> bool;
    const GROUPS: [(&str, Belongs); 5] = [
        ("better in some questions and worse in none", |c| c.better > 0 && c.worse == 0),
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
    use crate::results::{Conclusion, SideNotes};
    use crate::stats::{Comparison, Verdict};

    fn results(sides: &[&str], answers: &[(&str, Verdict)]) -> Results {
        let side = |name: &&str| SideNotes { name: name.to_string(), ..SideNotes::default() };
        let conclusion = |(b, verdict): &(&str, Verdict)| Conclusion {
            load: "open".into(),
            metric: "p99_us".into(),
            a: sides[0].into(),
            b: b.to_string(),
            comparison: Comparison::without_verdict(*verdict, 20, 0.99),
        };
        let (sides, conclusions) = (sides.iter().map(side).collect(), answers.iter().map(conclusion).collect());
        Results { sides, conclusions, ..Results::default() }
    }

    #[test]
    fn the_better_and_the_worse_are_named_when_there_are_many() {
        let answers = [
            ("exclusive", Verdict::Lower),
            ("exclusive", Verdict::NoDifference),
            ("fork", Verdict::Higher),
            ("herd", Verdict::Undecided),
        ];
        assert_eq!(
            headline(&results(&["accept_mutex", "exclusive", "fork", "herd"], &answers)),
            "Against accept_mutex: better in some questions and worse in none: exclusive; worse in some and better in \
             none: fork; without verdict: herd"
        );
    }

    #[test]
    fn one_other_side_is_counted() {
        let answers = [("herd", Verdict::Lower), ("herd", Verdict::Undecided)];
        assert_eq!(
            headline(&results(&["exclusive", "herd"], &answers)),
            "Compared with exclusive: herd is better in 1, without verdict in 1 of 2 questions"
        );
        assert_eq!(headline(&results(&["exclusive"], &[])), "exclusive, measured alone");
    }
}
