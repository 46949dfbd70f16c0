//! results.json: everything that was measured and concluded. The schema is documented in tools/lab/RESULTS.md.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::load::ClientFigures;
use crate::measure::ServerFigures;
use crate::stats::Comparison;

/// Raised when a field changes its meaning or goes; new fields leave it.
pub const SCHEMA: &str = "drover-lab/1";

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Results {
    pub schema: String,
    /// False: interrupted, or a server died; what was measured until then is here.
    pub complete: bool,
    /// Why it is not complete.
    pub stopped: Option<String>,
    pub environment: Environment,
    pub method: MethodNotes,
    pub sides: Vec<SideNotes>,
    pub loads: Vec<LoadNotes>,
    pub measurements: Vec<Measurement>,
    pub conclusions: Vec<Conclusion>,
}

/// How it was measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MethodNotes {
    pub workers: u32,
    pub rounds: u32,
    pub seconds: f64,
    pub clients: usize,
    pub rate: f64,
    pub server_cpus: Vec<usize>,
    pub client_cpus: Vec<usize>,
    pub seed: u64,
    pub level: f64,
    /// Smallest relative difference that is called one.
    pub least: f64,
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SideNotes {
    pub name: String,
    pub about: String,
    pub conf: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LoadNotes {
    pub name: String,
    pub about: String,
    pub questions: Vec<String>,
}

/// One side under one load in one round.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Measurement {
    pub round: u32,
    /// Place in the order of the round.
    pub position: usize,
    pub load: String,
    pub side: String,
    pub client: ClientFigures,
    pub server: ServerFigures,
}

/// The answer to one question.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Conclusion {
    pub load: String,
    pub metric: String,
    /// The side that the others are compared with.
    pub a: String,
    pub b: String,
    #[serde(flatten)]
    pub comparison: Comparison,
}

impl Results {
    pub fn of<'a>(&'a self, load: &'a str, side: &'a str) -> impl Iterator<Item = &'a Measurement> {
        self.measurements.iter().filter(move |m| m.load == load && m.side == side)
    }

    /// Median over the rounds of one figure.
    pub fn median(&self, load: &str, side: &str, metric: &str) -> Option<f64> {
        let metric = crate::measure::metric(metric)?;
        let values: Vec<f64> = self.of(load, side).filter_map(|m| (metric.of)(&m.client, &m.server)).collect();
        crate::stats::median(&values)
    }

    /// Error: not readable, or of another version.
    pub fn read(path: &Path) -> Result<Results> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let schema: Schema = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        if schema.schema != SCHEMA {
            bail!("{}: schema \"{}\", but this lab reads \"{SCHEMA}\"", path.display(), schema.schema);
        }
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }
}

#[derive(Deserialize)]
struct Schema {
    #[serde(default)]
    schema: String,
}
