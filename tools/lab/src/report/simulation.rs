//! The reports of `lab simulate`: the calculated figures, marked as such, and their errors where they could be
//! measured.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use super::chart::{self, escape};
use super::html::{named_cell, names_row, page};
use super::text::{item, number, time};
use crate::results::{Checked, Figures, SimulatedRow, Simulation, TRUSTED, keep_former};
use crate::stats::median;

/// Writes simulation.json and simulation.html.
pub(crate) fn write_simulation(simulation: &Simulation, dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    keep_former(dir, &["simulation.json", "simulation.html"])?;
    std::fs::write(dir.join("simulation.json"), serde_json::to_vec_pretty(simulation)?)?;
    Ok(std::fs::write(dir.join("simulation.html"), html(simulation))?)
}

const HEADINGS: [&str; 4] = ["CPU/request", "p50", "p99", "Jain"];

fn shown(figures: &Figures) -> [String; 4] {
    let jain = figures.jain.map_or("–".to_owned(), |jain| format!("{jain:.2}"));
    [time(figures.cpu_us), time(figures.p50_us), time(figures.p99_us), jain]
}

/// The figures of a row. A figure whose check failed is none: "?".
fn cells(row: &SimulatedRow, errors: [Option<f64>; 4]) -> [String; 4] {
    let [cpu, p50, p99, jain] = shown(&row.figures);
    let full = |figure: String| if row.overloaded { "full".to_owned() } else { figure };
    let figures = [cpu, full(p50), full(p99), jain];
    std::array::from_fn(|n| if has_failed(errors[n]) { "?".to_owned() } else { figures[n].clone() })
}

/// Whether a check has found an error that makes the figure worthless.
fn has_failed(error: Option<f64>) -> bool {
    error.is_some_and(|error| error > TRUSTED)
}

/// The error of a figure in a few letters: nothing when there is no figure, "n.c." not checked.
fn error(error: Option<f64>, figure: &str) -> String {
    match error {
        _ if ["–", "full", "?"].contains(&figure) => String::new(),
        None => "n.c.".to_owned(),
        Some(error) => format!("±{:.0}%", error * 100.0),
    }
}

/// A rate in a few letters.
pub(super) fn rate(rate: f64) -> String {
    match rate {
        rate if rate >= 1e6 => format!("{}M", number(rate / 1e6)),
        rate if rate >= 1e4 => format!("{:.0}k", rate / 1e3),
        rate => format!("{rate:.0}"),
    }
}

/// The median error, the greatest error and the number of errors, over these figures of all checks.
fn summary(simulation: &Simulation, figures: std::ops::Range<usize>) -> Option<(f64, f64, usize)> {
    let errors: Vec<f64> =
        simulation.checked.iter().flat_map(|checked| checked.errors()[figures.clone()].to_vec()).flatten().collect();
    Some((median(&errors)?, errors.iter().copied().fold(0.0, f64::max), errors.len()))
}

fn summaries(simulation: &Simulation) -> Vec<String> {
    let of = |name: &str, figures| {
        let (middle, most, count) = summary(simulation, figures)?;
        let (middle, most) = (middle * 100.0, most * 100.0);
        Some(format!("{name}: median error {middle:.0} %, greatest {most:.0} % ({count} figures)"))
    };
    let each = HEADINGS.iter().enumerate().filter_map(|(n, name)| of(name, n..n + 1));
    of("all", 0..HEADINGS.len()).into_iter().chain(each).collect()
}

/// The models with a figure whose error is over the limit, for each such figure.
fn untrusted(simulation: &Simulation) -> Vec<String> {
    let of = |(n, name): (usize, &&str)| {
        let far = |checked: &&Checked| checked.errors()[n].is_some_and(|error| error > TRUSTED);
        let mut models: Vec<&str> =
            simulation.checked.iter().filter(far).map(|checked| checked.model.as_str()).collect();
        models.dedup();
        (!models.is_empty()).then(|| format!("{name} of {}", models.join(", ")))
    };
    HEADINGS.iter().enumerate().filter_map(of).collect()
}

fn cpus(simulation: &Simulation) -> String {
    match simulation.checked_cpus {
        1 => "1 CPU".to_owned(),
        n => format!("{n} CPUs"),
    }
}

/// The checks for a terminal of 80 columns.
pub(super) fn checked_lines(checked: &[Checked]) -> String {
    let mut out = String::from("MEASURED here, and what the simulation makes of the same arrivals:\n\n");
    let _ = writeln!(
        out,
        "{:<15}{:>3}{:>6} {:>14}{:>14}{:>15}{:>11}",
        "measured/simul.", "wrk", "req/s", "CPU/request µs", "p50 µs", "p99 µs", "Jain"
    );
    for c in checked {
        let pair = |a: f64, b: f64| format!("{a:.0}/{b:.0}");
        let jain = c.measured.jain.zip(c.simulated.jain).map_or("–".to_owned(), |(a, b)| format!("{a:.2}/{b:.2}"));
        let _ = writeln!(
            out,
            "{:<15}{:>3}{:>6} {:>14}{:>14}{:>15}{:>11}",
            c.model,
            c.workers,
            rate(c.rate),
            pair(c.measured.cpu_us, c.simulated.cpu_us),
            pair(c.measured.p50_us, c.simulated.p50_us),
            pair(c.measured.p99_us, c.simulated.p99_us),
            jain
        );
    }
    out
}

/// A table for a terminal of 80 columns.
pub(crate) fn simulation_table(simulation: &Simulation) -> String {
    let mut out = checked_lines(&simulation.checked);
    out.push('\n');
    summaries(simulation).iter().for_each(|line| out.push_str(&format!("{line}\n")));
    for line in untrusted(simulation) {
        out.push_str(&item(&format!("NOT SHOWN, the check failed: {line}")));
    }
    let _ = writeln!(
        out,
        "\nSIMULATED, a CPU for each worker, {:.0} % busy; {} % of the connections cost\n{} times as much, latency is \
         that of the others.\n±: greatest error where it was checked, with 2 and 8 workers on {}.\n?: off by over \
         {:.0} % there, so not shown. n.c.: not checked here.\nfull: more arrives than can be served. What more CPUs \
         change in the kernel is\nnot checked either.\n",
        simulation.utilisation * 100.0,
        number(simulation.heavy * 100.0),
        number(simulation.heavy_factor),
        cpus(simulation),
        TRUSTED * 100.0
    );
    let _ = write!(out, "{:<15}{:>5}{:>7}", "simulated", "wrk", "req/s");
    HEADINGS.iter().for_each(|heading| out.push_str(&format!("{heading:>13}")));
    out.push('\n');
    for row in &simulation.rows {
        let _ = write!(out, "{:<15}{:>5}{:>7}", row.model, row.workers, rate(row.rate));
        let errors = simulation.errors_of(row);
        for (cell, e) in cells(row, errors).iter().zip(errors) {
            let _ = write!(out, "{cell:>8}{:>5}", error(e, cell));
        }
        out.push('\n');
    }
    out
}

fn html(simulation: &Simulation) -> String {
    let mut body = String::from("<h1>Simulated: more workers than this machine has CPUs</h1>\n");
    let _ = writeln!(
        body,
        "<p class='banner'>A simulation. Only the check below was measured, with 2 and 8 workers on {}. It knows who \
         is woken and who waits for whom; it does not know the locks and cache lines that more CPUs fight for in the \
         kernel.</p>",
        cpus(simulation)
    );
    let _ = writeln!(
        body,
        "<p>Each worker has a CPU of its own, {:.0} % busy. {} % of the connections cost {} times as much; latency is \
         that of the others, as clients here would see it: {} of it are their own and the way.</p>",
        simulation.utilisation * 100.0,
        number(simulation.heavy * 100.0),
        number(simulation.heavy_factor),
        time(simulation.path_us)
    );
    body.push_str("<h2>How far to trust it</h2>\n<ul>\n");
    summaries(simulation).iter().for_each(|line| body.push_str(&format!("<li>{}</li>\n", escape(line))));
    for line in untrusted(simulation) {
        let _ = writeln!(body, "<li><b>Not shown, the check failed</b>: {}</li>", escape(&line));
    }
    body.push_str("</ul>\n");
    body.push_str(&curves(simulation));
    body.push_str(&check(&simulation.checked));
    body.push_str(&costs(simulation));
    body.push_str(&rows(simulation));
    page("drover lab: simulation", &body)
}

fn curves(simulation: &Simulation) -> String {
    let mut names: Vec<String> = simulation.rows.iter().map(|row| row.model.clone()).collect();
    names.dedup();
    // `n` is the figure's place in `Figures::all`.
    let of = |n: usize, pick: fn(&Figures) -> f64| -> Vec<Vec<(f64, f64)>> {
        let of = |name: &String| -> Vec<(f64, f64)> {
            let is_shown = |row: &&SimulatedRow| !row.overloaded && !has_failed(simulation.errors_of(row)[n]);
            let rows = simulation.rows.iter().filter(|row| row.model == *name).filter(is_shown);
            rows.map(|row| (row.workers as f64, pick(&row.figures))).collect()
        };
        names.iter().map(of).collect()
    };
    let mut out = chart::key(&names);
    out.push_str("<h2>99 % of the connections are served within (simulated)</h2>\n");
    out.push_str(&chart::growth("simulated latency by workers", "workers", &of(2, |figures| figures.p99_us)));
    out.push_str("<h2>Server CPU per request (simulated)</h2>\n");
    out + &chart::growth("simulated CPU per request by workers", "workers", &of(0, |figures| figures.cpu_us))
}

/// A table; its first column names the rows.
pub(super) fn table(headings: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let (first, others) = headings.split_first().unwrap_or((&"", &[]));
    let mut out = format!("<div class='scroll'><table>\n{}", names_row(first, others));
    for row in rows {
        let (name, cells) = row.split_first().map_or(("", &[][..]), |(name, cells)| (name.as_str(), cells));
        let cells: String = others.iter().zip(cells).map(|(name, cell)| named_cell(name, cell)).collect();
        let _ = writeln!(out, "<tr><td>{}</td>{cells}</tr>", escape(name));
    }
    out + "</table></div>\n"
}

/// The checks as a table of a page.
pub(super) fn check(checked: &[Checked]) -> String {
    let row = |c: &Checked| {
        let (measured, simulated) = (shown(&c.measured), shown(&c.simulated));
        let load = format!("{} /s, {} % heavy", number(c.rate), number(c.heavy * 100.0));
        let pairs = measured.iter().zip(&simulated).zip(c.errors()).map(|((m, s), error)| match error {
            Some(error) => format!("{m} / {s} ({:.0} % off)", error * 100.0),
            None => "–".to_owned(),
        });
        [c.model.clone(), c.workers.to_string(), load].into_iter().chain(pairs).collect()
    };
    let headings = ["model", "workers", "load", HEADINGS[0], HEADINGS[1], HEADINGS[2], HEADINGS[3]];
    format!(
        "<h2>Check: measured / simulated</h2>\n<p>Nothing was calibrated with these; the simulation got the very \
         arrivals that were measured.</p>\n{}",
        table(&headings, checked.iter().map(row))
    )
}

fn costs(simulation: &Simulation) -> String {
    let rows = simulation.costs.iter().map(|cost| {
        let c = cost.costs;
        vec![cost.model.clone(), time(c.serve), time(c.wake), time(c.spurious), time(c.dispatch)]
    });
    let headings = ["model", "serving", "waking", "waking for nothing", "dispatcher"];
    format!("<h2>What the steps cost here</h2>\n{}", table(&headings, rows))
}

fn rows(simulation: &Simulation) -> String {
    let rows = simulation.rows.iter().map(|row| {
        let errors = simulation.errors_of(row);
        let cells = cells(row, errors).into_iter().zip(errors).map(|(cell, e)| match error(e, &cell) {
            error if error == "n.c." => format!("{cell} (not checked)"),
            error => format!("{cell} {error}"),
        });
        [row.model.clone(), row.workers.to_string(), format!("{} /s", rate(row.rate))]
            .into_iter()
            .chain(cells)
            .collect()
    });
    let headings = ["model", "workers", "load", HEADINGS[0], HEADINGS[1], HEADINGS[2], HEADINGS[3]];
    format!(
        "<h2>All figures (simulated)</h2>\n<p>±: the greatest error where the model was checked. ?: off by over \
         {:.0} % there, so not shown. Full: more arrives than can be served.</p>\n{}",
        TRUSTED * 100.0,
        table(&headings, rows)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simulation() -> Simulation {
        let figures = Figures { cpu_us: 1234.5, p50_us: 123_456.0, p99_us: 4_567_890.0, jain: Some(0.123) };
        let half = Figures { cpu_us: 617.0, jain: Some(0.1), ..figures };
        let models = ["leader_follower", "accept_handoff", "accept_mutex", "pool_notify", "reuseport", "exclusive"];
        let checked = models.map(|model| Checked {
            model: model.to_owned(),
            workers: 8,
            rate: 2500.0,
            heavy: 0.04,
            measured: half,
            simulated: figures,
        });
        let row = |model: &str, overloaded| SimulatedRow {
            model: model.to_owned(),
            workers: 256,
            rate: 1_234_567.0,
            figures,
            overloaded,
            unchecked_latency: false,
        };
        let rows = vec![row("leader_follower", false), row("accept_handoff", true), row("herd", false)];
        Simulation { checked: checked.to_vec(), rows, checked_cpus: 1, ..Simulation::default() }
    }

    #[test]
    fn every_figure_says_how_far_to_trust_it() {
        let table = simulation_table(&simulation());
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        let rows: Vec<&str> = table.lines().skip_while(|line| !line.starts_with("simulated")).skip(1).collect();
        let words = |n: usize| rows[n].split_whitespace().collect::<Vec<_>>();
        assert_eq!(
            words(0)[3..],
            ["?", "123", "ms", "±0%", "4.57", "s", "±0%", "0.12", "±23%"],
            "no figure that failed"
        );
        assert_eq!(words(1)[3..6], ["?", "full", "full"]);
        // No check was made of this model.
        assert_eq!(rows[2].matches("n.c.").count(), 4, "{}", rows[2]);
        assert!(table.contains("the check failed: CPU/request of leader_follower") && table.contains("SIMULATED"));
        let html = html(&simulation());
        assert!(html.contains("A simulation.") && html.contains("(not checked)") && html.contains("(100 % off)"));
    }

    #[test]
    fn errors_are_summed_up() {
        let lines = summaries(&simulation());
        assert_eq!(lines[1], "CPU/request: median error 100 %, greatest 100 % (6 figures)");
        assert_eq!(lines[2], "p50: median error 0 %, greatest 0 % (6 figures)");
        assert_eq!(lines.len(), 5);
    }
}
