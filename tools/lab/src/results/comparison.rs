//! results.json: everything that `lab compare` has measured and concluded.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::SCHEMA;
use super::checks::Check;
use crate::environment::Environment;
use crate::load::ClientFigures;
use crate::measure::{Across, Others, ServerFigures};
use crate::stats::{Comparison, Interval, median};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    pub schema: String,
    /// False: interrupted, or a server died; the measurements until then are here.
    pub complete: bool,
    /// Why the comparison is not complete.
    pub stopped: Option<String>,
    pub environment: Environment,
    pub method: MethodNotes,
    pub sides: Vec<SideNotes>,
    pub loads: Vec<LoadNotes>,
    pub measurements: Vec<Measurement>,
    /// Latencies of all rounds together, for loads whose tool reports each.
    #[serde(default)]
    pub latencies: Vec<Latencies>,
    pub conclusions: Vec<Conclusion>,
    /// The facts that `lab check` looked for on this machine.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// The disturbances of the measurement, in sentences.
    #[serde(default)]
    pub disturbed: Vec<String>,
}

/// How a comparison was measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct MethodNotes {
    pub workers: u32,
    pub rounds: u32,
    pub seconds: f64,
    pub clients: usize,
    pub rate: f64,
    pub server_cpus: Vec<usize>,
    pub client_cpus: Vec<usize>,
    pub seed: u64,
    pub level: f64,
    /// The smallest relative difference that counts as a difference.
    pub least: f64,
    /// The verdict "no difference" requires that no greater relative difference is possible.
    #[serde(default)]
    pub same: Option<f64>,
    /// Server and client had a CPU in common.
    #[serde(default)]
    pub shared_cpu: bool,
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct SideNotes {
    pub name: String,
    pub about: String,
    pub conf: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct LoadNotes {
    /// The name of the load; with its place when the load was measured in another place as well: `short/pinned`.
    pub name: String,
    pub about: String,
    pub questions: Vec<String>,
    #[serde(default)]
    pub place: PlaceNotes,
}

/// Where a load was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PlaceNotes {
    /// `shared`: nothing was pinned, server and client had all CPUs together; `pinned`: each had its own. Empty in
    /// results of older labs, which pinned.
    pub name: String,
    pub workers: u32,
    pub server_cpus: Vec<usize>,
    pub client_cpus: Vec<usize>,
}

impl PlaceNotes {
    /// Whether a CPU could be idle while another was busy: on a single CPU no model loses what it costs to let the
    /// others sleep.
    pub(crate) fn shows_idle_cpus(&self) -> bool {
        self.server_cpus.len() > 1 && self.workers > 1
    }

    /// Whether server and client had a CPU in common.
    pub(crate) fn is_shared(&self) -> bool {
        self.server_cpus.iter().any(|cpu| self.client_cpus.contains(cpu))
    }

    /// The place in words.
    pub(crate) fn describe(&self) -> String {
        let cpus = |cpus: &[usize]| {
            let list: Vec<String> = cpus.iter().map(usize::to_string).collect();
            format!("CPU{} {}", if cpus.len() == 1 { "" } else { "s" }, list.join(","))
        };
        let (workers, server) = (self.workers, cpus(&self.server_cpus));
        let s = if workers == 1 { "" } else { "s" };
        match self.name.as_str() {
            "shared" => {
                format!("nothing pinned: {workers} worker{s} and the client share {server}; req/s is of both together")
            }
            _ if self.is_shared() => {
                format!(
                    "pinned: {workers} worker{s} on {server}, of which the client has a part; req/s is of both together"
                )
            }
            "pinned" if self.server_cpus.len() == 1 => format!(
                "pinned: {workers} worker{s} on {server} alone, the client on {}: CPU per request, undisturbed; what \
                 idle CPUs cost can't show",
                cpus(&self.client_cpus)
            ),
            _ => format!("pinned: {workers} worker{s} on {server}, the client on {}", cpus(&self.client_cpus)),
        }
    }
}

/// A measurement: a side under a load in a round.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Measurement {
    pub round: u32,
    /// Position in the order of the round.
    pub position: usize,
    pub load: String,
    pub side: String,
    pub client: ClientFigures,
    pub server: ServerFigures,
    /// The share of the machine that others took meanwhile.
    #[serde(default)]
    pub others: Option<Others>,
}

/// The latencies of a side under a load, all rounds together: a single round is too short to show the slowest of ten
/// thousand.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Latencies {
    pub load: String,
    pub side: String,
    pub requests: u64,
    /// Pairs (share of requests, no slower than this in µs).
    pub quantiles: Vec<(f64, f64)>,
}

/// The answer to a question: how side `b` differs from side `a` in a metric under a load.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Conclusion {
    pub load: String,
    pub metric: String,
    /// The side that the others are compared with.
    pub a: String,
    pub b: String,
    #[serde(flatten)]
    pub comparison: Comparison,
    /// The answers of earlier runs on this machine to the same question, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Interval>,
    /// The claim that may be made for this machine: the interval of this run, widened by those of the earlier ones.
    /// Missing without a verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Interval>,
}

impl Results {
    pub(crate) fn measurements_of<'a>(&'a self, load: &'a str, side: &'a str) -> impl Iterator<Item = &'a Measurement> {
        self.measurements.iter().filter(move |m| m.load == load && m.side == side)
    }

    /// The figure of all rounds: their median, their sum, or a quantile of all latencies.
    pub(crate) fn figure(&self, load: &str, side: &str, metric: &str) -> Option<f64> {
        let metric = crate::measure::metric(metric)?;
        let values: Vec<f64> =
            self.measurements_of(load, side).filter_map(|m| (metric.read)(&m.client, &m.server)).collect();
        match metric.across {
            Across::Sum => (!values.is_empty()).then(|| values.iter().sum()),
            Across::Quantile(share) => match self.latencies(load, side) {
                Some(all) => all.quantiles.iter().find(|(q, _)| (q - share).abs() < 1e-9).map(|(_, us)| *us),
                // The longest of all rounds, not that of the round in the middle.
                None if share == 1.0 => values.into_iter().reduce(f64::max),
                None => median(&values),
            },
            Across::Median => median(&values),
        }
    }

    /// The place of the load of that name.
    pub(crate) fn place(&self, load: &str) -> Option<&PlaceNotes> {
        self.loads.iter().find(|notes| notes.name == load).map(|notes| &notes.place)
    }

    /// The description of `load`, with the tool that measured it.
    pub(crate) fn about(&self, load: &LoadNotes) -> String {
        match self.measurements.iter().find(|m| m.load == load.name).map(|m| m.client.tool.as_str()) {
            Some("lab") if load.about.starts_with("ab") || load.about.starts_with("wrk") => {
                format!("{} (the lab's own client in its place)", load.about)
            }
            _ => load.about.clone(),
        }
    }

    /// The latencies of all rounds together, where the tool reports each.
    pub(crate) fn latencies(&self, load: &str, side: &str) -> Option<&Latencies> {
        self.latencies.iter().find(|all| all.load == load && all.side == side)
    }

    /// Reads results.json. Errors: not readable, or of another version.
    pub(crate) fn read(path: &Path) -> Result<Results> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_said_to_be_measured_with_what_measured_it() {
        let load = LoadNotes { name: "short".into(), about: "ab: as many as go".into(), ..LoadNotes::default() };
        let about = |tool: &str| {
            let mut m = Measurement { load: "short".into(), ..Measurement::default() };
            m.client.tool = tool.to_owned();
            Results { measurements: vec![m], ..Results::default() }.about(&load)
        };
        assert_eq!(about("ab"), "ab: as many as go");
        assert_eq!(about("lab"), "ab: as many as go (the lab's own client in its place)");
    }

    #[test]
    fn a_place_says_what_it_can_show() {
        let place = |name: &str, server: &[usize], client: &[usize]| PlaceNotes {
            name: name.into(),
            workers: 2,
            server_cpus: server.to_vec(),
            client_cpus: client.to_vec(),
        };
        let (shared, pinned) = (place("shared", &[0, 1], &[0, 1]), place("pinned", &[0], &[1]));
        assert!(shared.shows_idle_cpus() && !pinned.shows_idle_cpus());
        assert!(shared.describe().contains("share CPUs 0,1; req/s is of both together"), "{}", shared.describe());
        assert!(pinned.describe().contains("2 workers on CPU 0 alone, the client on CPU 1"), "{}", pinned.describe());
        assert!(place("pinned", &[0, 1, 2], &[3]).shows_idle_cpus());
        assert!(place("pinned", &[0], &[0]).describe().contains("of which the client has a part"));
    }

    #[test]
    fn the_longest_is_that_of_all_rounds() {
        let rounds = [(900.0, 4000.0), (950.0, 1000.0), (800.0, 1000.0)].map(|(p99, longest)| {
            let mut m = Measurement { load: "short".into(), side: "herd".into(), ..Measurement::default() };
            m.client.quantiles = vec![(0.99, p99), (1.0, longest)];
            m
        });
        let results = Results { measurements: rounds.to_vec(), ..Results::default() };
        assert_eq!(results.figure("short", "herd", "max_us"), Some(4000.0));
        assert_eq!(results.figure("short", "herd", "p99_us"), Some(900.0));
    }
}
