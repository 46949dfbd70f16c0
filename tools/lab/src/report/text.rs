//! Numbers and verdicts in words.

use crate::measure::{Across, Better, Metric, metric};
use crate::results::{Conclusion, Results};
use crate::stats::Verdict;

/// A number with three significant digits.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.2}"),
    }
}

/// Microseconds in the unit that reads best.
pub(crate) fn time(us: f64) -> String {
    match us {
        us if us >= 1e6 => format!("{} s", number(us / 1e6)),
        us if us >= 1e3 => format!("{} ms", number(us / 1e3)),
        us => format!("{} µs", number(us)),
    }
}

/// A figure with its unit.
pub(super) fn value(metric: &Metric, value: f64) -> String {
    match metric.unit {
        "µs" => time(value),
        "" => number(value),
        unit => format!("{} {unit}", number(value)),
    }
}

pub(super) fn percent(share: f64) -> String {
    // Adding 0.0 turns -0.0 into 0.0.
    let percent = (share * 1000.0).round() / 10.0 + 0.0;
    match percent.abs() {
        0.0 => "0.0 %".to_owned(),
        p if p >= 100.0 => format!("{percent:+.0} %"),
        _ => format!("{percent:+.1} %"),
    }
}

/// A verdict as good or bad news; reports show it by a sign and a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rating {
    Better,
    Worse,
    Same,
    Unknown,
}

pub(crate) fn rating(conclusion: &Conclusion) -> Rating {
    let lower_is_better = metric(&conclusion.metric).is_none_or(|metric| metric.better == Better::Lower);
    match conclusion.comparison.verdict {
        Verdict::Lower if lower_is_better => Rating::Better,
        Verdict::Higher if !lower_is_better => Rating::Better,
        Verdict::Lower | Verdict::Higher => Rating::Worse,
        Verdict::NoDifference => Rating::Same,
        Verdict::Undecided
        | Verdict::ClientBound
        | Verdict::SharedCpu
        | Verdict::Busy
        | Verdict::Varies
        | Verdict::Drift
        | Verdict::TooFewRounds
        | Verdict::TooFewRequests
        | Verdict::NotKnown => Rating::Unknown,
    }
}

/// The verdict as a character, for tables.
pub(super) fn sign(conclusion: &Conclusion) -> char {
    match rating(conclusion) {
        Rating::Better => '+',
        Rating::Worse => '-',
        Rating::Same => '=',
        Rating::Unknown => '?',
    }
}

/// The name by which nginx's users know a side, when it is another.
pub(crate) fn known_as(side: &str) -> Option<&'static str> {
    match side.split('#').next().unwrap_or(side) {
        "accept_mutex" => Some("nginx's accept_mutex on"),
        "exclusive" => Some("accept_mutex off, nginx's default"),
        _ => None,
    }
}

/// The short name of a metric, for the head of a column.
pub(super) fn heading(name: &str) -> &str {
    match name {
        "rate" => "req/s",
        "cpu_us_per_request" => "CPU",
        "p50_us" => "p50",
        "p99_us" => "p99",
        "jain_requests" => "Jain",
        "errors" => "err",
        "connection_kib" => "KiB/conn",
        _ => name,
    }
}

/// The verdict in words, or the reason why there is none.
pub(super) fn verdict(conclusion: &Conclusion) -> String {
    let why = match (conclusion.comparison.verdict, rating(conclusion)) {
        (Verdict::Undecided, _) => return "undecided".to_owned(),
        (Verdict::ClientBound, _) => "the client was the bottleneck".to_owned(),
        (Verdict::SharedCpu, _) => "server and client share a CPU".to_owned(),
        (Verdict::Busy, _) => return "busy: the machine had other work".to_owned(),
        (Verdict::Varies, _) => "an earlier run here has found something else".to_owned(),
        (Verdict::Drift, _) => "the difference drifts".to_owned(),
        (Verdict::TooFewRounds, _) => "too few rounds".to_owned(),
        (Verdict::TooFewRequests, _) => match metric(&conclusion.metric).map(|metric| metric.across) {
            Some(Across::Quantile(share)) => format!("fewer than {:.0} requests a round", 1.0 / (1.0 - share)),
            _ => "too few requests a round".to_owned(),
        },
        (Verdict::NotKnown, _) => "not known of both".to_owned(),
        (_, Rating::Better) => return "better".to_owned(),
        (_, Rating::Worse) => return "worse".to_owned(),
        _ => return "no difference found".to_owned(),
    };
    format!("no verdict: {why}")
}

/// A sentence that tells how large a difference may be and still count as none; `None` for results without that limit.
pub(super) fn sameness(results: &Results) -> Option<String> {
    let same = results.method.same? * 100.0;
    Some(format!("no difference: {same} % at most; undecided: more is possible"))
}

/// The difference in words: `-3.1 % [-4.0, -2.2]`, or `3 -> 12` for a metric that is summed up; empty when nothing was
/// measured.
pub(crate) fn difference(conclusion: &Conclusion) -> String {
    let c = &conclusion.comparison;
    if c.verdict == Verdict::Busy {
        return String::new();
    }
    match (c.total_a.zip(c.total_b), c.interval) {
        (Some((a, b)), _) => format!("{a} -> {b}"),
        (None, Some(i)) => format!("{} [{:+.1}, {:+.1}]", percent(c.difference), i.low * 100.0, i.high * 100.0),
        (None, None) if c.pairs == 0 => String::new(),
        (None, None) => percent(c.difference),
    }
}

/// The findings of earlier runs on this machine, in words; empty when there are none.
pub(super) fn earlier(conclusion: &Conclusion) -> String {
    const SHOWN: usize = 3;
    if conclusion.earlier.is_empty() {
        return String::new();
    }
    let intervals =
        conclusion.earlier.iter().take(SHOWN).map(|i| format!("[{:+.1}, {:+.1}]", i.low * 100.0, i.high * 100.0));
    let more = conclusion.earlier.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let claim = conclusion
        .claim
        .map_or(String::new(), |i| format!("; together {:+.1} to {:+.1} %", i.low * 100.0, i.high * 100.0));
    format!("earlier runs here: {}{more}{claim}", intervals.collect::<Vec<_>>().join(" "))
}

/// The difference for a column of a table, with its sign; an undecided one shows its interval.
pub(crate) fn cell(conclusion: &Conclusion) -> String {
    let c = &conclusion.comparison;
    let said = match (c.verdict, c.interval) {
        (Verdict::Busy, _) => "busy".to_owned(),
        (Verdict::Undecided, Some(i)) if c.total_a.is_none() => {
            format!("{:+.0}..{:+.0} %", i.low * 100.0, i.high * 100.0)
        }
        _ if c.interval.is_some() && c.total_a.is_none() => percent(c.difference),
        _ => difference(conclusion),
    };
    format!("{} {said}", sign(conclusion)).trim_end().to_owned()
}

/// The title of the metric of a conclusion.
pub(crate) fn title(conclusion: &Conclusion) -> &str {
    metric(&conclusion.metric).map_or(conclusion.metric.as_str(), |metric| metric.title)
}

/// Breaks `text` into lines of at most `columns` columns, each ended by a line feed. All lines but the first begin with
/// `indent`; the first is indented by two columns less.
pub(crate) fn wrap(text: &str, indent: &str, columns: usize) -> String {
    let mut width = indent.len().saturating_sub(2);
    let mut out = indent[..width].to_owned();
    for (n, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if n > 0 && width + 1 + length > columns {
            out.push('\n');
            out.push_str(indent);
            width = indent.len();
        } else if n > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += length;
    }
    out.push('\n');
    out
}

/// An item of a list, in lines for a terminal of 80 columns.
pub(crate) fn item(text: &str) -> String {
    wrap(text, "    ", 79)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Comparison;

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!([number(1234.5), number(12.345), number(1.2345), number(0.0)], ["1234", "12.3", "1.23", "0"]);
        assert_eq!([percent(-0.0001), percent(-0.0123), percent(48.0)], ["0.0 %", "-1.2 %", "+4800 %"]);
        assert_eq!([time(950.0), time(1500.0), time(2_500_000.0)], ["950 µs", "1.50 ms", "2.50 s"]);
    }

    #[test]
    fn earlier_runs_are_shown_beside_a_difference_and_widen_it() {
        let interval = |low, high| crate::stats::Interval { low, high };
        let conclusion = Conclusion {
            load: "short".into(),
            metric: "rate".into(),
            a: "herd".into(),
            b: "fork".into(),
            comparison: Comparison::without_verdict(Verdict::Higher, 20, 0.99),
            earlier: vec![interval(0.47, 0.62); 4],
            claim: Some(interval(0.18, 0.62)),
        };
        let shown = earlier(&conclusion);
        assert!(
            shown.starts_with("earlier runs here: [+47.0, +62.0] [+47.0") && shown.contains(" and 1 more"),
            "{shown}"
        );
        assert!(shown.ends_with("; together +18.0 to +62.0 %"), "{shown}");
        assert_eq!(earlier(&Conclusion { earlier: Vec::new(), ..conclusion }), "");
    }

    #[test]
    fn verdicts_and_differences_in_words() {
        let interval = Some(crate::stats::Interval { low: -0.547, high: 0.572 });
        let conclusion = |metric: &str, comparison| {
            let (load, a, b) = ("open".to_owned(), "herd".to_owned(), "fork".to_owned());
            Conclusion { load, metric: metric.to_owned(), a, b, comparison, earlier: Vec::new(), claim: None }
        };
        let plain = |verdict| Comparison::without_verdict(verdict, 20, 0.99);
        let open = conclusion("p99_us", Comparison { difference: -0.041, interval, ..plain(Verdict::Undecided) });
        assert_eq!((cell(&open).as_str(), rating(&open)), ("? -55..+57 %", Rating::Unknown));
        assert_eq!(difference(&open), "-4.1 % [-54.7, +57.2]");
        let totals = Comparison { total_a: Some(0.0), total_b: Some(12.0), ..plain(Verdict::Higher) };
        assert_eq!(cell(&conclusion("errors", totals)), "- 0 -> 12");
        let busy = conclusion("rate", Comparison { difference: 0.3, interval, ..plain(Verdict::Busy) });
        assert_eq!((cell(&busy).as_str(), rating(&busy), difference(&busy).as_str()), ("? busy", Rating::Unknown, ""));
        let few = conclusion("p99_us", Comparison::without_verdict(Verdict::TooFewRequests, 0, 0.99));
        assert_eq!(verdict(&few), "no verdict: fewer than 100 requests a round");
        assert_eq!((cell(&few).as_str(), difference(&few).as_str()), ("?", ""));
    }
}
