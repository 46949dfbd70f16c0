//! report.html: a single file, verdict first.

use std::fmt::Write;

use super::chart::{self, Difference, escape};
use super::text::{self, Rating};
use crate::load::SHARES;
use crate::measure::METRICS;
use crate::results::{Conclusion, LoadNotes, Results};
use crate::stats::{Verdict, median};

const STYLE: &str = include_str!("style.css");

/// A page around `body`.
pub(super) fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n<meta name='viewport' \
         content='width=device-width'>\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escape(title)
    )
}

/// A name that may break at its signs: names of sides are wider than their figures.
pub(super) fn breakable(name: &str) -> String {
    escape(name).replace('_', "_<wbr>").replace(':', ":<wbr>").replace('-', "-<wbr>")
}

/// The row of a table's names.
pub(super) fn names_row(first: &str, names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let names: String = names.into_iter().map(|name| format!("<th>{}</th>", breakable(name.as_ref()))).collect();
    format!("<tr class='names'><th>{}</th>{names}</tr>\n", escape(first))
}

/// A cell of a table. On a narrow page its column's `name` stands before it.
pub(super) fn named_cell(name: &str, text: &str) -> String {
    format!("<td data-name=\"{}\">{}</td>", escape(name), escape(text))
}

/// The report of a comparison.
pub(super) fn html(results: &Results) -> String {
    let mut body = verdicts(results);
    for load in results.loads.iter().filter(|load| results.measurements.iter().any(|m| m.load == load.name)) {
        body.push_str(&section(results, load));
    }
    body.push_str(&checks(results));
    body.push_str(&method(results));
    page("drover lab: comparison", &body)
}

/// The verdicts: a sentence, then a card for each question, or a table when there are several other sides.
fn verdicts(results: &Results) -> String {
    let mut out = format!("<h1>{}</h1>\n", escape(&super::headline::headline(results)));
    if let Some(why) = &results.stopped {
        let _ =
            write!(out, "<p class='banner'>Not complete: {}. What was measured until then is shown.</p>", escape(why));
    }
    if !results.disturbed.is_empty() {
        let reasons: String = results.disturbed.iter().map(|reason| format!("<li>{}</li>", escape(reason))).collect();
        let _ = writeln!(out, "<div class='banner'><b>The machine was busy</b><ul>{reasons}</ul></div>");
    }
    let known: Vec<String> = results
        .sides
        .iter()
        .filter_map(|side| Some(format!("{}: {}", side.name, text::known_as(&side.name)?)))
        .collect();
    if !known.is_empty() {
        let _ = writeln!(out, "<p>{}.</p>", escape(&known.join("; ")));
    }
    if results.sides.len() > 2 {
        return out + &matrix(results);
    }
    out.push_str(&cards(results));
    let sameness = text::sameness(results).filter(|_| !results.conclusions.is_empty());
    out + &sameness.map_or(String::new(), |sameness| format!("<p class='soft'>{}</p>\n", escape(&sameness)))
}

fn class(conclusion: &Conclusion) -> &'static str {
    match text::rating(conclusion) {
        Rating::Better => "better",
        Rating::Worse => "worse",
        Rating::Same | Rating::Unknown => "open",
    }
}

/// A table for each load, with a row for each side and a column for each question: so many cards would be unreadable,
/// so many columns too wide.
fn matrix(results: &Results) -> String {
    let Some((first, others)) = results.sides.split_first() else { return String::new() };
    let mut out = String::from("<div class='matrices'>\n");
    for load in &results.loads {
        let asked: Vec<&Conclusion> = results.conclusions.iter().filter(|c| c.load == load.name).collect();
        if asked.is_empty() {
            continue;
        }
        let headings = load.questions.iter().map(|q| text::heading(q));
        let _ = write!(out, "<div class='scroll'><table class='matrix'>\n{}", names_row(&load.name, headings));
        for other in others {
            let of = |question: &str| asked.iter().find(|c| c.metric == *question && c.b == other.name);
            let cells: String = load
                .questions
                .iter()
                .map(|question| of(question).map_or(named_cell(text::heading(question), "–"), |c| cell(c)))
                .collect();
            let _ = writeln!(out, "<tr><td>{}</td>{cells}</tr>", escape(&other.name));
        }
        out.push_str("</table></div>\n");
    }
    out.push_str("</div>\n");
    let mut reasons: Vec<String> = results.conclusions.iter().map(text::verdict).filter(|v| v.contains(':')).collect();
    reasons.extend(text::sameness(results));
    reasons.sort_unstable();
    reasons.dedup();
    let _ = writeln!(
        out,
        "<p class='soft'>Against {}: + better, - worse, = no difference, ? open. {}</p>",
        escape(&first.name),
        escape(&reasons.join("; "))
    );
    out
}

fn cell(conclusion: &Conclusion) -> String {
    let why = escape(&format!("{}: {}", text::difference(conclusion), text::verdict(conclusion)));
    let (name, class) = (escape(text::heading(&conclusion.metric)), class(conclusion));
    format!("<td class='{class}' data-name=\"{name}\" title=\"{why}\">{}</td>", escape(&text::cell(conclusion)))
}

fn cards(results: &Results) -> String {
    let mut out = String::from("<ul class='cards'>\n");
    for conclusion in &results.conclusions {
        let class = class(conclusion);
        let _ = writeln!(
            out,
            "<li class='{class}'><b>{}: {}</b>{} <span class='figure'>{}</span><br><span class='soft'>{}{}</span></li>",
            escape(&conclusion.b),
            text::verdict(conclusion),
            escape(text::title(conclusion)),
            text::difference(conclusion),
            escape(&format!("{}, against {}", conclusion.load, conclusion.a)),
            match text::earlier(conclusion) {
                earlier if earlier.is_empty() => earlier,
                earlier => format!("<br>{}", escape(&earlier)),
            },
        );
    }
    out + "</ul>\n"
}

fn section(results: &Results, load: &LoadNotes) -> String {
    let names: Vec<String> = results.sides.iter().map(|side| side.name.clone()).collect();
    let mut out = format!("<h2>{}</h2>\n<p class='soft'>{}</p>\n", escape(&load.name), escape(&results.about(load)));
    if !load.place.name.is_empty() {
        let _ = writeln!(out, "<p class='soft'>{}</p>", escape(&load.place.describe()));
    }
    let rows: Vec<Difference> = results
        .conclusions
        .iter()
        .filter(|c| c.load == load.name && c.comparison.verdict != Verdict::Busy)
        .map(|c| Difference {
            // The reason stands above; here it would not fit on a narrow page.
            label: format!("{}: {}, {}", c.b, text::title(c), text::verdict(c).split(':').next().unwrap_or_default()),
            middle: c.comparison.difference,
            interval: c.comparison.interval.map(|i| (i.low, i.high)),
            series: names.iter().position(|name| *name == c.b).unwrap_or(0),
        })
        .collect();
    if let Some(first) = names.first().filter(|_| !rows.is_empty()) {
        let _ = writeln!(out, "<h3>Difference from {}</h3>", escape(first));
        out.push_str(&chart::differences(&format!("differences from {first} under {}", load.name), &rows));
    }
    out.push_str("<h3>Latency</h3>\n");
    out.push_str(&chart::key(&names));
    let series: Vec<Vec<(f64, f64)>> = names.iter().map(|side| distribution(results, &load.name, side)).collect();
    out.push_str(&chart::latency(&format!("latency under {}", load.name), &series));
    let balance: Vec<(String, Vec<f64>)> = names.iter().filter_map(|side| balance(results, &load.name, side)).collect();
    if !balance.is_empty() {
        out.push_str("<h3>Balance: requests of each worker, the busiest first</h3>\n");
        out.push_str(&chart::shares(&format!("requests of each worker under {}", load.name), &balance));
    }
    out.push_str("<h3>All figures</h3>\n");
    out + &costs(results, load)
}

/// Quantiles of all rounds together; where the tool does not report each latency, the medians of the rounds' quantiles
/// and the longest of all.
fn distribution(results: &Results, load: &str, side: &str) -> Vec<(f64, f64)> {
    if let Some(all) = results.latencies(load, side) {
        return all.quantiles.clone();
    }
    let of = |q: f64| {
        let values: Vec<f64> = results.measurements_of(load, side).filter_map(|m| m.client.quantile(q)).collect();
        let stands_for_all = if q == 1.0 { values.into_iter().reduce(f64::max) } else { median(&values) };
        stands_for_all.map(|us| (q, us))
    };
    SHARES.iter().filter_map(|q| of(*q)).collect()
}

/// Mean shares of the busiest worker, the second busiest and so on, over all rounds.
fn balance(results: &Results, load: &str, side: &str) -> Option<(String, Vec<f64>)> {
    let mut sums: Vec<f64> = Vec::new();
    for m in results.measurements_of(load, side) {
        let mut parts: Vec<f64> = m.server.workers.iter().filter_map(|w| w.requests.map(|n| n as f64)).collect();
        let all: f64 = parts.iter().sum();
        parts.sort_by(|a, b| b.total_cmp(a));
        sums.resize(sums.len().max(parts.len()), 0.0);
        parts.iter().enumerate().for_each(|(n, part)| sums[n] += part / all.max(1.0));
    }
    // The processes of fork come and go: there is no balance to show.
    let jain = results.figure(load, side, "jain_requests").filter(|_| sums.iter().sum::<f64>() > 0.0)?;
    Some((format!("{side}: Jain's index {}", text::number(jain)), sums))
}

fn costs(results: &Results, load: &LoadNotes) -> String {
    let names: Vec<&str> = results.sides.iter().map(|side| side.name.as_str()).collect();
    let class = if names.len() > 6 { "many" } else { "" };
    let mut out = format!("<div class='scroll'><table class='{class}'>\n{}", names_row("", &names));
    for metric in METRICS {
        let values: Vec<Option<f64>> =
            results.sides.iter().map(|side| results.figure(&load.name, &side.name, metric.name)).collect();
        if values.iter().all(Option::is_none) {
            continue;
        }
        let _ = write!(out, "<tr><td>{}</td>", escape(metric.title));
        for (name, value) in names.iter().zip(values) {
            let value = value.map_or("–".to_owned(), |value| text::value(metric, value));
            out.push_str(&named_cell(name, &value));
        }
        out.push_str("</tr>\n");
    }
    let client = results.sides.iter().map(|side| {
        let shares: Vec<f64> = results.measurements_of(&load.name, &side.name).map(|m| m.client.cpu_share).collect();
        named_cell(&side.name, &median(&shares).map_or("–".to_owned(), |share| format!("{:.0} %", share * 100.0)))
    });
    let _ = writeln!(out, "<tr><td>client CPU</td>{}</tr>", client.collect::<String>());
    out + "</table></div>\n<p class='soft'>Medians of the rounds; latencies are of all rounds together (ab tells only \
           percentiles: medians of these, and the longest in whole milliseconds), and what went wrong is summed up. –: \
           not known. Only drover has a ledger, and the kernel forgets the context switches of processes that have \
           ended, as those of fork have.</p>\n"
}

/// The known facts that `lab check` has looked for on this machine.
fn checks(results: &Results) -> String {
    if results.checks.is_empty() {
        return String::new();
    }
    let rows = results.checks.iter().map(|check| {
        let (sign, name, found) = (check.verdict(), escape(&check.name), escape(&check.found));
        format!("<tr><td>{name}</td><td>{sign}</td><td class='text'>{found}</td></tr>\n")
    });
    format!(
        "<h2>Known facts, looked for here</h2>\n<p class='soft'>What lab check has found on this machine.</p>\n\
         <div class='scroll'><table>\n{}</table></div>\n",
        rows.collect::<String>()
    )
}

fn method(results: &Results) -> String {
    let (m, e) = (&results.method, &results.environment);
    let mut out = format!(
        "<h2>Method</h2>\n<p>{} rounds; in each, every load is put on every side for {} s, the sides directly after \
         each other, in random order, each on a freshly started and warmed-up server, whose connections have settled \
         before anything counts. A request fetches {} (1 KiB); a connection that stays ends after {} requests. A \
         difference is the median of the rounds' paired differences; its interval ({:.2} %, corrected for the number \
         of questions) is the bootstrap's, and never narrower than the distribution-free one. It holds for this run: \
         what earlier runs in the same folder found stands beside it and widens what is claimed. Errors are judged by \
         their sums. A difference below {} % is none{}. Where server and client share all CPUs, requests/s are of both \
         together. There is no verdict when a client with CPUs of its own used over 90 % of one (for rates and \
         latencies), when others took over a tenth of the CPUs (the same; all, when rounds were starved), or when the \
         difference drifts from the first rounds to the last. Latency of the lab's own loads counts from the planned \
         send to the first byte. Under burst, minority and storm drover has a page of its ledger as well, which makes \
         it count how long connections wait for their accept.</p>\n<ul>",
        m.rounds,
        m.seconds,
        crate::load::SMALL,
        crate::load::KEEPALIVE_REQUESTS,
        m.level * 100.0,
        text::number(m.least * 100.0),
        text::sameness(results).map_or(String::new(), |sameness| format!(" ({sameness})"))
    );
    let mut places: Vec<String> =
        results.loads.iter().filter(|load| !load.place.name.is_empty()).map(|load| load.place.describe()).collect();
    places.dedup();
    if places.is_empty() {
        let (server, client) = (&m.server_cpus, &m.client_cpus);
        places.push(format!("{} workers, servers on CPU {server:?}, clients on CPU {client:?}", m.workers));
    }
    let lines = [format!(
        "{} clients in closed loops, {} connections a second in open ones, seed {}",
        m.clients, m.rate, m.seed
    )];
    places.iter().chain(&lines).chain(&m.notes).for_each(|line| out.push_str(&format!("<li>{}</li>", escape(line))));
    out.push_str("</ul>\n<h2>Environment</h2>\n<div class='scroll'><table>\n");
    let quota = e.cpu_quota.map_or("none".to_owned(), |quota| format!("{quota} CPUs"));
    let load = e.load_average.map_or("unknown".to_owned(), |load| load.to_string());
    let rows = [
        ("kernel", e.kernel.clone()),
        ("CPU", format!("{} ({} usable)", e.cpu, e.cpus.len())),
        ("control group", format!("{}, CPU quota: {quota}", e.cgroup)),
        ("load average before", load),
    ];
    let rows = rows.into_iter().map(|(name, value)| (name.to_owned(), value));
    for (name, value) in rows.chain(e.versions.iter().cloned()).chain(e.sysctls.iter().cloned()) {
        let _ = writeln!(out, "<tr><td>{}</td><td class='text'>{}</td></tr>", escape(&name), escape(&value));
    }
    out.push_str("</table></div>\n");
    for side in &results.sides {
        let _ = writeln!(
            out,
            "<details><summary>{}: conf</summary><p>{}</p><pre>{}</pre></details>",
            escape(&side.name),
            escape(&side.about),
            escape(&side.conf)
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Measurement, SideNotes};
    use crate::stats::Comparison;

    fn results() -> Results {
        let side = |name: &str| SideNotes { name: name.to_owned(), ..SideNotes::default() };
        let questions = vec!["p50_us".to_owned(), "p99_us".to_owned()];
        let conclusion = |(b, metric, verdict): (&str, &str, Verdict)| Conclusion {
            load: "short".into(),
            metric: metric.into(),
            a: "exclusive".into(),
            b: b.into(),
            comparison: Comparison { difference: 0.2, ..Comparison::without_verdict(verdict, 20, 0.99) },
            earlier: Vec::new(),
            claim: None,
        };
        let answers = [
            ("herd", "p50_us", Verdict::Higher),
            ("herd", "p99_us", Verdict::Undecided),
            ("fork", "p99_us", Verdict::Lower),
        ];
        Results {
            sides: ["exclusive", "herd", "fork"].map(side).to_vec(),
            loads: vec![LoadNotes { name: "short".into(), questions, ..LoadNotes::default() }],
            conclusions: answers.map(conclusion).to_vec(),
            ..Results::default()
        }
    }

    #[test]
    fn many_sides_have_a_row_each_and_questions_a_column() {
        let found = verdicts(&results());
        assert!(found.contains("<h1>Against exclusive: better in some figures and worse in none: fork; "), "{found}");
        assert!(found.contains("<tr class='names'><th>short</th><th>p50</th><th>p99</th></tr>"), "{found}");
        let row =
            |name: &str| found.lines().find(|line| line.contains(&format!("<td>{name}</td>"))).unwrap().to_owned();
        assert!(row("herd").contains(">- +20.0 %</td>") && row("herd").contains(">? +20.0 %</td>"), "{found}");
        assert!(row("fork").contains(">–</td>") && row("fork").contains(">+ +20.0 %</td>"), "{found}");
    }

    #[test]
    fn the_end_of_a_curve_is_the_longest_of_all_rounds() {
        let mut results = results();
        results.measurements = [4000.0, 1000.0, 1000.0]
            .map(|longest| {
                let mut m = Measurement { load: "short".into(), side: "herd".into(), ..Measurement::default() };
                m.client.quantiles = vec![(0.5, longest / 10.0), (1.0, longest)];
                m
            })
            .to_vec();
        assert_eq!(distribution(&results, "short", "herd"), [(0.5, 100.0), (1.0, 4000.0)]);
    }
}
