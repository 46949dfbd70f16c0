//! The reports of `lab fault`.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use super::chart::escape;
use super::html::{named_cell, names_row, page};
use super::text::{known_as, number, time, wrap};
use crate::results::{FaultResults, FaultRow as Row, keep_former};

/// Writes fault.json and fault.html. A former report keeps its files under numbers.
pub(crate) fn write_faults(results: &FaultResults, dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    keep_former(dir, &["fault.json", "fault.html"])?;
    std::fs::write(dir.join("fault.json"), serde_json::to_vec_pretty(results)?)?;
    Ok(std::fs::write(dir.join("fault.html"), html(results))?)
}

const HEADINGS: [&str; 6] = ["lost", "delayed", "held lost", "longest", "back in", "before"];
const WIDTHS: [usize; 6] = [10, 9, 11, 10, 11, 10];

fn cells(row: &Row) -> [String; 6] {
    let held = if row.held == 0 { "–".to_owned() } else { format!("{}/{}", row.held_lost, row.held) };
    [
        format!("{}/{}", row.lost, row.connections),
        row.delayed.to_string(),
        held,
        time(row.longest_ms * 1e3),
        row.recovered_ms
            .map_or("not seen".to_owned(), |ms| if ms == 0.0 { "at once".to_owned() } else { time(ms * 1e3) }),
        time(row.before_ms * 1e3),
    ]
}

/// The name of a fault, with a star where drover's lease has acted.
fn fault(row: &Row) -> String {
    format!("{} {}{}", row.fault, row.target, if row.takeovers > 0 { "*" } else { "" })
}

/// Explains the columns, and what is a model's nature; names a machine that was busy before the faults.
fn legend(results: &FaultResults) -> Vec<String> {
    const DELAYED_MS: f64 = 50.0;
    let tried = results.rows.iter().filter(|row| row.skipped.is_none());
    let late = tried.clone().filter(|row| row.before_ms > DELAYED_MS).count();
    let busy = (late > 0).then(|| {
        let all = tried.clone().count();
        format!(
            "BUSY: in {late} of {all} rows a connection waited over 50 ms before the fault: there delays, and back in, \
             are partly the machine's."
        )
    });
    let mut lines = vec![format!(
        "{} new connections a second, {} workers. lost: no answer in 3 s, refused or cut off, of all after the \
             fault. delayed: over 50 ms. held lost: of 40 connections that were open and idle over all processes, \
             those that lost their next request. back in: from the fault until the last one came that was lost or \
             delayed. before: longest wait before the fault.",
        number(results.rate),
        results.workers
    )];
    let acted = tried.clone().any(|row| row.takeovers > 0).then(|| {
        "*: drover's lease has given the accept mutex to another worker; with lease=off, and in nginx, nobody takes \
         it from a stopped holder."
            .to_owned()
    });
    let slow =
        tried.clone().any(|row| row.fault == "slow").then(|| "A slow process runs 10 ms of every 100.".to_owned());
    lines.extend(acted);
    lines.push(nature(results));
    lines.extend(slow);
    lines.extend(busy);
    lines
}

/// The sentence on the nature of the models, and on a lease of drover's that differs from it.
fn nature(results: &FaultResults) -> String {
    let is_steered = results.rows.iter().any(|row| row.side.split([':', '#']).next() == Some("steer"));
    let steered = if is_steered {
        " steer has a lease, too: after it the master moves what waits for a silent worker to the others."
    } else {
        ""
    };
    format!(
        "All else is the nature of the model: what waits in the queue of a stopped process waits for it, and what a \
         killed process held is lost.{steered}"
    )
}

/// A table for a terminal of 80 columns: the servers, and below each its faults.
pub(crate) fn fault_table(results: &FaultResults) -> String {
    let mut out = format!("{:<18}", "");
    for (heading, width) in HEADINGS.iter().zip(WIDTHS) {
        let _ = write!(out, "{heading:>width$}");
    }
    out.push('\n');
    let mut side = "";
    for row in &results.rows {
        if row.side != side {
            side = &row.side;
            let known = known_as(side).map_or(String::new(), |known| format!(" ({known})"));
            let _ = writeln!(out, "{side}{known}");
        }
        let _ = write!(out, "  {:<16}", fault(row));
        match &row.skipped {
            Some(why) => {
                let _ = write!(out, "  {why}");
            }
            None => cells(row).iter().zip(WIDTHS).for_each(|(cell, width)| {
                let _ = write!(out, "{cell:>width$}");
            }),
        }
        out.push('\n');
    }
    out.push('\n');
    legend(results).iter().for_each(|line| out.push_str(&wrap(line, "  ", 79)));
    out.push('\n');
    out + &wrap(&headline(results), "", 79)
}

/// The most that was lost, and all that lost so much: a tie names every one of them, or when it is too long none.
fn headline(results: &FaultResults) -> String {
    const NAMED: usize = 6;
    let tried: Vec<&Row> = results.rows.iter().filter(|row| row.skipped.is_none()).collect();
    let Some(most) = tried.iter().map(|row| row.lost).max() else { return "No fault was tried".to_owned() };
    if most == 0 {
        return "No fault lost a new connection".to_owned();
    }
    let worst: Vec<&&Row> = tried.iter().filter(|row| row.lost == most).collect();
    match worst.as_slice() {
        [row] => {
            let Row { fault, target, side, connections, .. } = row;
            format!("Most was lost by {side} ({fault} {target}): {most} of {connections} new connections")
        }
        rows if rows.len() <= NAMED => {
            let names: Vec<String> =
                rows.iter().map(|row| format!("{} ({} {})", row.side, row.fault, row.target)).collect();
            format!("Most was lost, {most} new connections each, by {}", names.join(", "))
        }
        rows => format!("{} of {} faults lost {most} new connections each, the most", rows.len(), tried.len()),
    }
}

fn html(results: &FaultResults) -> String {
    let mut body = format!("<h1>{}</h1>\n", escape(&headline(results)));
    legend(results).iter().for_each(|line| body.push_str(&format!("<p>{}</p>\n", escape(line))));
    body.push_str("<div class='scroll'><table>\n");
    body.push_str(&names_row("server, fault", HEADINGS));
    let mut side = "";
    for row in &results.rows {
        if row.side != side {
            side = &row.side;
            let known = known_as(side).map_or(String::new(), |known| format!(" ({known})"));
            let _ = writeln!(body, "<tr><td colspan='7'><b>{}</b>{}</td></tr>", escape(side), escape(&known));
        }
        let _ = write!(body, "<tr><td>{}</td>", escape(&fault(row)));
        match &row.skipped {
            Some(why) => {
                let _ = write!(body, "<td colspan='6' class='soft text'>{}</td>", escape(why));
            }
            None => {
                HEADINGS.iter().zip(cells(row)).for_each(|(name, cell)| body.push_str(&named_cell(name, &cell)));
            }
        }
        body.push_str("</tr>\n");
    }
    page("drover lab: faults", &(body + "</table></div>\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(side: &str, lost: usize, takeovers: u64) -> Row {
        let (fault, target) = ("stop".to_owned(), "holder".to_owned());
        let waits = (3000.0, Some(2345.0));
        Row {
            side: side.into(),
            fault,
            target,
            connections: 993,
            lost,
            held: 40,
            held_lost: 10,
            takeovers,
            longest_ms: waits.0,
            recovered_ms: waits.1,
            ..Row::default()
        }
    }

    #[test]
    fn a_tie_names_all_or_none() {
        let of = |rows: Vec<Row>| headline(&FaultResults { rows, ..FaultResults::default() });
        assert_eq!(of(vec![row("nginx", 0, 0)]), "No fault lost a new connection");
        assert!(
            of(vec![row("nginx", 9, 0), row("herd", 8, 0)]).starts_with("Most was lost by nginx (stop holder): 9 of")
        );
        let tie: Vec<Row> = ["prefork", "fork", "nginx"].iter().map(|side| row(side, 250, 0)).collect();
        assert_eq!(
            of(tie.clone()),
            "Most was lost, 250 new connections each, by prefork (stop holder), fork (stop holder), nginx (stop holder)"
        );
        assert_eq!(of([&tie[..], &tie, &tie].concat()), "9 of 9 faults lost 250 new connections each, the most");
    }

    #[test]
    fn a_machine_that_was_busy_before_the_fault_is_named() {
        let rows = vec![Row { before_ms: 80.0, ..row("herd", 0, 0) }, row("fork", 0, 0)];
        let table = fault_table(&FaultResults { rows, ..FaultResults::default() });
        assert!(table.contains("BUSY: in 1 of 2 rows"), "{table}");
    }

    #[test]
    fn notes_stand_where_a_row_needs_them() {
        let said = |rows: Vec<Row>| legend(&FaultResults { rows, ..FaultResults::default() }).join("\n");
        let plain = said(vec![row("herd", 0, 0)]);
        assert!(!plain.contains("*:") && !plain.contains("slow process") && !plain.contains("steer"), "{plain}");
        assert!(said(vec![row("accept_mutex", 0, 1)]).contains("*: drover's lease"));
        assert!(said(vec![Row { fault: "slow".into(), ..row("herd", 0, 0) }]).contains("A slow process runs"));
        let steered = said(vec![row("steer:fallback=reuseport", 0, 0), row("nginx", 0, 0)]);
        assert!(steered.contains("the master moves what waits for a silent worker"), "{steered}");
    }

    #[test]
    fn the_table_fits_and_shows_where_the_lease_acted() {
        let skipped = Row { skipped: Some("has no workers: one process a connection".into()), ..row("fork", 0, 0) };
        let rows = vec![row("accept_mutex", 0, 1), row("nginx-1.28.3:accept_mutex=on", 993, 0), skipped];
        let table = fault_table(&FaultResults { rows, rate: 200.0, workers: 4, ..FaultResults::default() });
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        assert!(table.contains("accept_mutex (nginx's accept_mutex on)\n  stop holder*"), "{table}");
        assert!(!table.contains("BUSY"), "{table}");
        assert!(table.contains("  stop holder        993/993") && table.contains("10/40"), "{table}");
    }
}
