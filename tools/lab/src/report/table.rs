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

/// The table: what was found in a sentence, every load with its sides and conclusions, and what the columns are.
pub(crate) fn table(results: &Results) -> String {
    let mut out = String::new();
    let loads: Vec<&LoadNotes> =
        results.loads.iter().filter(|load| results.measurements.iter().any(|m| m.load == load.name)).collect();
    let mut place = None;
    for load in &loads {
        if place != Some(&load.place) && !load.place.name.is_empty() {
            out.push_str(&text::wrap(&load.place.describe(), "", WIDTH_OF_TERMINAL));
            out.push('\n');
        }
        place = Some(&load.place);
        write_load(&mut out, results, load);
    }
    if results.measurements.is_empty() {
        return out + "Nothing was measured.\n";
    }
    legend(results).iter().for_each(|line| out.push_str(&text::wrap(line, "  ", WIDTH_OF_TERMINAL)));
    results.disturbed.iter().for_each(|line| {
        out.push_str(&text::wrap(&format!("BUSY: {line}"), "  ", WIDTH_OF_TERMINAL));
    });
    out.push('\n');
    out.push_str(&text::wrap(&super::headline::headline(results), "", WIDTH_OF_TERMINAL));
    out
}

/// Explains the names and columns of the table.
fn legend(results: &Results) -> Vec<String> {
    let known =
        results.sides.iter().filter_map(|side| Some(format!("{} = {}", side.name, text::known_as(&side.name)?)));
    let file = format!("Each request fetches {} (1 KiB) on 127.0.0.1.", crate::load::SMALL);
    let mut lines = vec![
        [known.collect::<Vec<_>>().join("; "), file]
            .iter()
            .filter(|part| !part.is_empty())
            .cloned()
            .collect::<Vec<_>>()
            .join(". "),
    ];
    lines.push(
        "req/s: answered a second. CPU µs: server's CPU time a request. p50, p99, max: latency, of half, of 99 %, of \
         all requests. wk/acc: wakeups per accept. sw/req: context switches a request. Jain: 1 = requests evenly \
         spread over the workers. err: requests without a good answer. –: not known."
            .to_owned(),
    );
    if !results.conclusions.is_empty() {
        lines.push("[low, high]: holds for this run; another run of today may find another.".to_owned());
        lines.extend(text::sameness(results));
    }
    lines
}

fn write_load(out: &mut String, results: &Results, load: &LoadNotes) {
    out.push_str(&text::wrap(&format!("{}: {}", load.name, results.about(load)), "  ", WIDTH_OF_TERMINAL));
    let _ = write!(out, "  {:NAME$}", "");
    for (heading, width, _) in COLUMNS {
        let _ = write!(out, "{heading:>width$}");
    }
    out.push('\n');
    for side in &results.sides {
        write_name(out, &side.name);
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

/// The name at the begin of a row; one that is too long for its column has a line of its own.
fn write_name(out: &mut String, name: &str) {
    let is_short = name.chars().count() < NAME;
    if !is_short {
        let _ = writeln!(out, "  {}", name.chars().take(WIDTH_OF_TERMINAL - 2).collect::<String>());
    }
    let _ = write!(out, "  {:NAME$}", if is_short { name } else { "" });
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
        write_name(out, &other.name);
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
    let earlier = text::earlier(conclusion);
    if !earlier.is_empty() {
        out.push_str(&text::wrap(&earlier, "      ", WIDTH_OF_TERMINAL));
    }
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
            m.client.requests = 500;
            m.client.quantiles = vec![(0.5, 100.0), (0.99, if name == "fork" { 1e7 } else { 200.0 })];
            m.server.connection_kib = Some(0.5);
            results.measurements.extend((1..=20).map(|round| Measurement { round, ..m.clone() }));
        }
        results.method.level = 0.99;
        results.loads[0].place.name = "shared".into();
        crate::results::conclude(&mut results, 1);
        let table = table(&results);
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        for said in [
            "accept_mutex = nginx's accept_mutex on",
            "fetches /1k.html",
            "wk/acc: wakeups per accept",
            "Against accept",
        ] {
            assert!(table.contains(said), "{said}: {table}");
        }
        assert_eq!(table.matches("\n  a_name_that_is_longer_than_its_column\n").count(), 2, "{table}");
        let fork = table.lines().filter(|line| line.starts_with("  fork")).nth(1).unwrap();
        assert!(fork.contains("- +4999900 %") && fork.contains("= 0 -> 0"), "{table}");
    }
}
