//! The table for a terminal of 80 columns.

use std::fmt::Write;

use super::text::{self, number};
use crate::measure::metric;
use crate::results::{Conclusion, LoadNotes, Results};

/// Heading, width, metric.
const COLUMNS: &[(&str, usize, &str)] = &[
    ("req/s", 7, "rate"),
    ("CPU µs", 7, "cpu_us_per_request"),
    ("p50 ms", 7, "p50_us"),
    ("p99 ms", 7, "p99_us"),
    ("max ms", 7, "max_us"),
    ("wake/acc", 9, "wakeups"),
    ("Jain", 5, "jain_connections"),
    ("err", 5, "errors"),
];
const NAME: usize = 18;

/// Every load with its sides and the conclusions; no line is longer than 80 columns.
pub fn table(results: &Results) -> String {
    let mut out = String::new();
    for load in results.loads.iter().filter(|load| results.measurements.iter().any(|m| m.load == load.name)) {
        write_load(&mut out, results, load);
    }
    if results.measurements.is_empty() {
        out.push_str("Nothing was measured.\n");
    }
    out
}

fn write_load(out: &mut String, results: &Results, load: &LoadNotes) {
    wrap(out, &format!("{}: {}", load.name, load.about), "  ");
    let _ = write!(out, "  {:NAME$}", "");
    for (heading, width, _) in COLUMNS {
        let _ = write!(out, "{heading:>width$}");
    }
    out.push('\n');
    for side in &results.sides {
        let name: String = side.name.chars().take(NAME - 1).collect();
        let _ = write!(out, "  {name:NAME$}");
        for (_, width, name) in COLUMNS {
            let value = results.figure(&load.name, &side.name, name).map_or("-".to_owned(), |value| cell(name, value));
            let _ = write!(out, "{value:>width$}");
        }
        out.push('\n');
    }
    for conclusion in results.conclusions.iter().filter(|c| c.load == load.name) {
        write_conclusion(out, conclusion);
    }
    out.push('\n');
}

fn cell(name: &str, value: f64) -> String {
    let value = if matches!(name, "p50_us" | "p99_us" | "max_us") { value / 1e3 } else { value };
    number(value)
}

fn write_conclusion(out: &mut String, conclusion: &Conclusion) {
    let title = metric(&conclusion.metric).map_or(conclusion.metric.as_str(), |metric| metric.title);
    let sign = match text::tone(conclusion) {
        text::Tone::Better => '+',
        text::Tone::Worse => '-',
        text::Tone::Same => '=',
        text::Tone::Unknown => '?',
    };
    let line =
        format!("{sign} {}: {title} {}: {}", conclusion.b, text::difference(conclusion), text::verdict(conclusion));
    wrap(out, &line, "    ");
}

/// Appends `text` in lines of at most 80 columns; the first is not indented more than the others by two.
fn wrap(out: &mut String, text: &str, indent: &str) {
    let mut width = indent.len().saturating_sub(2);
    out.push_str(&indent[..width]);
    for (n, word) in text.split(' ').enumerate() {
        let long = word.chars().count();
        if n > 0 && width + 1 + long > 80 {
            out.push('\n');
            out.push_str(indent);
            width = indent.len();
        } else if n > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += long;
    }
    out.push('\n');
}
