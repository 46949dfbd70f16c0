//! The arguments that several commands share, and how their values are read.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::server::Side;

/// The most workers that a server of the lab has.
const MOST_WORKERS: i64 = 256;

/// A number of workers.
pub(crate) fn workers() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=MOST_WORKERS)
}

/// The arguments of every command that measures.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// CPUs to pin the servers to, e.g. 0,1 [default: all but the last, or as `--place` says]
    #[arg(long, value_delimiter = ',')]
    pub cpus: Vec<usize>,
    /// CPUs to pin the clients to [default: the last, or as `--place` says]
    #[arg(long, value_delimiter = ',')]
    pub client_cpus: Vec<usize>,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Directory for results.json, CSV and report.html
    #[arg(long, default_value = "lab-report")]
    pub out: PathBuf,
    /// A drover other than the one that the lab was built with; must be of the same version
    #[arg(long)]
    pub drover: Option<PathBuf>,
}

impl Common {
    /// Parses the name of a side; see `Side::parse`.
    pub(crate) fn side(&self, text: &str) -> Result<Side> {
        Ok(Side { binary: self.drover.clone(), ..Side::parse(text)? })
    }

    /// Parses the names of several sides; see `Side::list`.
    pub(crate) fn sides(&self, text: &str) -> Result<Vec<Side>> {
        let mut sides = Side::list(text)?;
        sides.iter_mut().for_each(|side| side.binary = self.drover.clone());
        Ok(sides)
    }
}

/// Parses a number over 0, a million at most: a rate, seconds, per cents.
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if value > 0.0 && value <= 1e6 { Ok(value) } else { Err("must be over 0, and a million at most".to_owned()) }
}

/// Parses 0, or a number as `positive` does.
pub(crate) fn not_negative(text: &str) -> Result<f64, String> {
    if text.parse() == Ok(0.0) { Ok(0.0) } else { positive(text) }
}

/// Parses a whole number from 1 up.
pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(value) => Ok(value),
        Err(_) => Err("not a whole number".to_owned()),
    }
}
