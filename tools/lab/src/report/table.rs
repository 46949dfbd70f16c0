//! The table of a comparison for a terminal of 80 columns.

use std::fmt::Write;

use super::text::{self, number};
use crate::results::{Conclusion, LoadNotes, Results};

/// Columns: heading, width, name of the metric.
const COLUMNS: &[(&str, usize, &str)] = &[
    ("req/s", 7, "rate"),
    ("CPU µs", 7, "cpu_us_per_request"),
    ("p50 ms", 7, "p50_us"),
    ("p99 ms", 7, "p99_us"),
    ("max ms", 7, "max_us"),
    ("wk/acc", 7, "wakeups"),
    ("sw/req", 7, "switches"),
    ("Jain", 5, "jain_requests"),
    ("err", 5, "errors"),
];
const NAME: usize = 18;
const WIDTH_OF_TERMINAL: usize = 80;

/// The table: every load with its sides and conclusions.
pub(crate) fn table(results: &Results) -> String {
    let mut out = String::new();
    for load in results.loads.iter().filter(|load| results.measurements.iter().any(|m| m.load == load.name)) {
        write_load(&mut out, results, load);
    }
    if let Some(sameness) = text::sameness(results).filter(|_| !results.conclusions.is_empty()) {
        out.push_str(&text::wrap(&sameness, "  ", WIDTH_OF_TERMINAL));
    }
    if results.measurements.is_empty() {
        out.push_str("Nothing was measured.\n");
    }
    out
}

fn write_load(out: &mut String, results: &Results, load: &LoadNotes) {
    out.push_str(&text::wrap(&format!("{}: {}", load.name, results.about(load)), "  ", WIDTH_OF_TERMINAL));
    let _ = write!(out, "  {:NAME$}", "");
    for (heading, width, _) in COLUMNS {
        let _ = write!(out, "{heading:>width$}");
    }
    out.push('\n');
    for side in &results.sides {
        let name: String = side.name.chars().take(NAME - 1).collect();
        let _ = write!(out, "  {name:NAME$}");
        for (_, width, name) in COLUMNS {
            let value =
                results.figure(&load.name, &side.name, name).map_or("–".to_owned(), |value| cell(name, value));
            let _ = write!(out, "{value:>width$}");
        }
        out.push('\n');
    }
    let conclusions: Vec<&Conclusion> = results.conclusions.iter().filter(|c| c.load == load.name).collect();
    if results.sides.len() > 2 {
        write_matrix(out, results, load, &conclusions);
    } else {
        conclusions.iter().for_each(|conclusion| write_conclusion(out, conclusion));
    }
    out.push('\n');
}

fn cell(name: &str, value: f64) -> String {
    let value = if matches!(name, "p50_us" | "p99_us" | "max_us") { value / 1e3 } else { value };
    number(value)
}

/// A row for each side and a column for each question; below them the reasons why there is no verdict.
fn write_matrix(out: &mut String, results: &Results, load: &LoadNotes, conclusions: &[&Conclusion]) {
    const WIDTH: usize = 15;
    let Some((first, others)) = results.sides.split_first().filter(|_| !conclusions.is_empty()) else { return };
    let _ = write!(out, "  {:NAME$}", "");
    load.questions.iter().for_each(|question| out.push_str(&format!("{:>WIDTH$}", text::heading(question))));
    let against: String = first.name.chars().take(40).collect();
    let _ = writeln!(out, "\n  against {against}: + better, - worse, = no difference, ? open");
    for other in others {
        let name: String = other.name.chars().take(NAME - 1).collect();
        let _ = write!(out, "  {name:NAME$}");
        for question in &load.questions {
            let found = conclusions.iter().find(|c| c.b == other.name && c.metric == *question);
            let cell = found.map_or("–".to_owned(), |c| text::cell(c));
            let _ = write!(out, "{cell:>WIDTH$}");
        }
        out.push('\n');
    }
    let open = conclusions.iter().filter(|c| text::verdict(c).contains(':'));
    let mut reasons: Vec<String> =
        open.map(|c| format!("? {}: {}", text::heading(&c.metric), text::verdict(c))).collect();
    reasons.sort();
    reasons.dedup();
    reasons.iter().for_each(|reason| out.push_str(&text::wrap(reason, "    ", WIDTH_OF_TERMINAL)));
}

fn write_conclusion(out: &mut String, conclusion: &Conclusion) {
    let sign = text::sign(conclusion);
    let found = [text::title(conclusion), &text::difference(conclusion)].join(" ");
    let line = format!("{sign} {}: {}: {}", conclusion.b, found.trim_end(), text::verdict(conclusion));
    out.push_str(&text::wrap(&line, "    ", WIDTH_OF_TERMINAL));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Measurement, SideNotes};

    #[test]
    fn many_sides_get_a_line_each_within_eighty_columns() {
        let names = ["accept_mutex", "a_name_that_is_longer_than_its_column", "fork"];
        let questions = ["p50_us", "p99_us", "connection_kib", "errors"].map(str::to_owned).to_vec();
        let side = |name: &str| SideNotes { name: name.to_owned(), ..SideNotes::default() };
        let mut results = Results { sides: names.map(side).to_vec(), ..Results::default() };
        results.loads = vec![LoadNotes { name: "idle".into(), questions, ..LoadNotes::default() }];
        for name in names {
            let mut m = Measurement { load: "idle".into(), side: name.into(), ..Measurement::default() };
            m.client.quantiles = vec![(0.5, 100.0), (0.99, if name == "fork" { 1e7 } else { 200.0 })];
            m.server.connection_kib = Some(0.5);
            results.measurements.extend((1..=20).map(|round| Measurement { round, ..m.clone() }));
        }
        results.method.level = 0.99;
        crate::results::conclude(&mut results, 1);
        let table = table(&results);
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        let fork = table.lines().filter(|line| line.starts_with("  fork")).nth(1).unwrap();
        assert!(fork.contains("- +4999900 %") && fork.contains("= 0 -> 0"), "{table}");
    }
}
