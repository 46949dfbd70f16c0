//! Reports: everything that the lab prints, draws and writes for people.

mod chart;
mod csv;
mod faults;
mod headline;
mod html;
mod progress;
mod simulation;
mod table;
mod text;

use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result};

pub(crate) use faults::{fault_table, write_faults};
pub(crate) use progress::progress;
pub(crate) use simulation::{simulation_table, write_simulation};
pub(crate) use table::table;
pub(crate) use text::{Rating, cell, difference, item, number, rating, time, title};

use crate::results::Results;

/// Writes results.json, report.html and results.csv into `dir`.
pub(crate) fn write(results: &Results, dir: &Path) -> Result<()> {
    let put = |name: &str, bytes: Vec<u8>| {
        let path = dir.join(name);
        std::fs::write(&path, bytes).with_context(|| path.display().to_string())
    };
    put("results.json", serde_json::to_vec_pretty(results)?)?;
    put("report.html", html::html(results).into_bytes())?;
    put("results.csv", csv::csv(results)?)
}

/// Prints to standard output. A reader that has gone, such as head(1), is no error.
pub(crate) fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}

/// The names of the files that `write` leaves.
pub(crate) fn files(dir: &Path) -> String {
    format!("{0}/report.html  {0}/results.json  {0}/results.csv", dir.display())
}
