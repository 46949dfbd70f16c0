//! Reports: everything that the lab prints, draws and writes for people.

mod chart;
mod csv;
mod faults;
mod headline;
mod html;
mod machines;
mod progress;
mod simulation;
mod table;
mod text;

use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result};

pub(crate) use faults::{fault_table, write_faults};
pub(crate) use machines::{machines_table, write_machines};
pub(crate) use progress::progress;
pub(crate) use simulation::{simulation_table, write_simulation};
pub(crate) use table::table;
pub(crate) use text::{Rating, cell, difference, item, number, rating, time, title};

use crate::results::{Results, keep_former, numbered};

/// The files of a comparison.
const FILES: [&str; 3] = ["report.html", "results.json", "results.csv"];

/// Writes results.json, report.html and results.csv into `dir`. A former report keeps its files under numbers.
pub(crate) fn write(results: &Results, dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    keep_former(dir, &FILES)?;
    put(dir, "results.json", &serde_json::to_vec_pretty(results)?)?;
    put(dir, "report.html", html::html(results).as_bytes())?;
    put(dir, "results.csv", &csv::csv(results)?)
}

/// Writes the file `name` into `dir`.
fn put(dir: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = dir.join(name);
    std::fs::write(&path, bytes).with_context(|| path.display().to_string())
}

/// Prints to standard output. A reader that has gone, such as head(1), is no error.
pub(crate) fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}

/// The files that `write` has left, and how many former reports stand beside them.
pub(crate) fn files(dir: &Path) -> String {
    let out = dir.display();
    let former = match numbered(dir, "report.html").len() {
        0 => String::new(),
        1 => "The report before it is report-1.html there.\n".to_owned(),
        n => format!("The reports before it are report-1.html to report-{n}.html there.\n"),
    };
    format!("{out}/report.html  {out}/results.json  {out}/results.csv\n{former}")
}
