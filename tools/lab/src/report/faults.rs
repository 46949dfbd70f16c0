//! The reports of `lab fault`.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use super::chart::escape;
use super::html::page;
use super::text::{number, time};
use crate::results::{FaultResults, FaultRow as Row};

/// Writes fault.json and fault.html.
pub(crate) fn write_faults(results: &FaultResults, dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    std::fs::write(dir.join("fault.json"), serde_json::to_vec_pretty(results)?)?;
    Ok(std::fs::write(dir.join("fault.html"), html(results))?)
}

fn cells(row: &Row) -> [String; 5] {
    [
        format!("{}/{}", row.lost, row.connections),
        row.delayed.to_string(),
        time(row.longest_ms * 1e3),
        row.recovered_ms
            .map_or("not seen".to_owned(), |ms| if ms == 0.0 { "at once".to_owned() } else { time(ms * 1e3) }),
        time(row.before_ms * 1e3),
    ]
}

const HEADINGS: [&str; 5] = ["lost", "delayed", "longest", "back in", "before"];

/// A table for a terminal of 80 columns.
pub(crate) fn fault_table(results: &FaultResults) -> String {
    let mut out = format!("{:<21} {:<15}", "", "");
    for (heading, width) in HEADINGS.iter().zip([9, 8, 9, 9, 8]) {
        let _ = write!(out, "{heading:>width$}");
    }
    out.push('\n');
    for row in &results.rows {
        let side: String = row.side.chars().take(21).collect();
        let what = format!("{} {}", row.fault, row.target);
        let _ = write!(out, "{side:<21} {what:<15}");
        match &row.skipped {
            Some(why) => {
                let _ = write!(out, "   {why}");
            }
            None => cells(row).iter().zip([9, 8, 9, 9, 8]).for_each(|(cell, width)| {
                let _ = write!(out, "{cell:>width$}");
            }),
        }
        out.push('\n');
    }
    let _ = write!(
        out,
        "\n{} new connections a second, {} workers. lost: no answer in 3 s, refused or cut\noff, of all after the \
         fault. delayed: over 50 ms. back in: from the fault until\nhalf a second without either. before: longest wait \
         before the fault.\n",
        number(results.rate),
        results.workers
    );
    out
}

fn html(results: &FaultResults) -> String {
    let worst = results.rows.iter().filter(|row| row.skipped.is_none()).max_by_key(|row| row.lost);
    let headline = match worst {
        None => "No fault was tried".to_owned(),
        Some(row) if row.lost == 0 => "No fault lost a connection".to_owned(),
        Some(row) => format!(
            "Worst: {} the {} of {} lost {} of {} connections",
            row.fault, row.target, row.side, row.lost, row.connections
        ),
    };
    let mut body = format!("<h1>{}</h1>\n", escape(&headline));
    let _ = writeln!(
        body,
        "<p>{} new connections a second, {} workers. Lost: no answer within 3 s. Delayed: answered after more than 50 \
         ms. Back in: from the fault until nothing was lost or delayed for half a second. Before: the longest wait \
         before the fault. A slow process runs 10 ms of every 100.</p>",
        number(results.rate),
        results.workers
    );
    body.push_str("<div class='scroll'><table>\n<tr><th>server</th><th>fault</th>");
    HEADINGS.iter().for_each(|heading| body.push_str(&format!("<th>{heading}</th>")));
    body.push_str("</tr>\n");
    for row in &results.rows {
        let _ = write!(body, "<tr><td>{}</td><td>{} {}</td>", escape(&row.side), row.fault, row.target);
        match &row.skipped {
            Some(why) => {
                let _ = write!(body, "<td colspan='5' class='soft'>{}</td>", escape(why));
            }
            None => cells(row).iter().for_each(|cell| body.push_str(&format!("<td>{cell}</td>"))),
        }
        body.push_str("</tr>\n");
    }
    page("drover lab: faults", &(body + "</table></div>\n"))
}
