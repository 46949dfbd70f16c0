//! Numbers and verdicts in words.

use crate::measure::{Better, Metric, metric};
use crate::results::Conclusion;
use crate::stats::Verdict;

/// Three significant digits, without noise.
pub fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.2}"),
    }
}

/// Microseconds as they are read best.
pub fn time(us: f64) -> String {
    match us {
        us if us >= 1e6 => format!("{} s", number(us / 1e6)),
        us if us >= 1e3 => format!("{} ms", number(us / 1e3)),
        us => format!("{} µs", number(us)),
    }
}

/// A figure with its unit.
pub fn value(metric: &Metric, value: f64) -> String {
    match metric.unit {
        "µs" => time(value),
        "" => number(value),
        unit => format!("{} {unit}", number(value)),
    }
}

pub fn percent(share: f64) -> String {
    // Nothing is "-0.0 %".
    let percent = (share * 1000.0).round() / 10.0 + 0.0;
    if percent == 0.0 { "0.0 %".to_owned() } else { format!("{percent:+.1} %") }
}

/// How a verdict looks: the sign says it without colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Better,
    Worse,
    Same,
    Unknown,
}

pub fn tone(conclusion: &Conclusion) -> Tone {
    let lower_is_better = metric(&conclusion.metric).is_none_or(|metric| metric.better == Better::Lower);
    match conclusion.comparison.verdict {
        Verdict::Lower if lower_is_better => Tone::Better,
        Verdict::Higher if !lower_is_better => Tone::Better,
        Verdict::Lower | Verdict::Higher => Tone::Worse,
        Verdict::NoDifference => Tone::Same,
        Verdict::ClientBound | Verdict::Drift | Verdict::TooFewRounds => Tone::Unknown,
    }
}

/// The verdict as a character, for tables.
pub fn sign(conclusion: &Conclusion) -> char {
    match tone(conclusion) {
        Tone::Better => '+',
        Tone::Worse => '-',
        Tone::Same => '=',
        Tone::Unknown => '?',
    }
}

/// One word, or the reason why there is none.
pub fn verdict(conclusion: &Conclusion) -> &'static str {
    match (conclusion.comparison.verdict, tone(conclusion)) {
        (Verdict::ClientBound, _) => "no verdict: the client was the bottleneck",
        (Verdict::Drift, _) => "no verdict: the difference drifts",
        (Verdict::TooFewRounds, _) => "no verdict: too few rounds",
        (_, Tone::Better) => "better",
        (_, Tone::Worse) => "worse",
        _ => "no difference found",
    }
}

/// `-3.1 % [-4.0, -2.2]`
pub fn difference(conclusion: &Conclusion) -> String {
    let c = &conclusion.comparison;
    match c.interval {
        Some(interval) => {
            format!("{} [{:+.1}, {:+.1}]", percent(c.difference), interval.low * 100.0, interval.high * 100.0)
        }
        None => percent(c.difference),
    }
}

/// In lines for a terminal of 80 columns; those after the first further in.
pub fn wrapped(text: &str) -> String {
    let mut lines = vec![" ".to_owned()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        if lines[last].chars().count() + 1 + word.chars().count() > 79 {
            lines.push(format!("    {word}"));
        } else {
            lines[last] += &format!(" {word}");
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!([number(1234.5), number(12.345), number(1.2345), number(0.0)], ["1234", "12.3", "1.23", "0"]);
        assert_eq!([percent(-0.0001), percent(-0.0123), percent(48.0)], ["0.0 %", "-1.2 %", "+4800.0 %"]);
        assert_eq!([time(950.0), time(1500.0), time(2_500_000.0)], ["950 µs", "1.50 ms", "2.50 s"]);
    }
}
