//! `lab compare`: rounds, interleaved in random order.

mod merged_latencies;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use self::merged_latencies::MergedLatencies;
use crate::args::{self, Common, at_least_one, not_negative, positive};
use crate::bench::Bench;
use crate::environment::Environment;
use crate::load::{self, Load};
use crate::report;
use crate::results::{LoadNotes, MethodNotes, Results, SCHEMA, SideNotes, conclude, read_checks};
use crate::server::Side;
use crate::{interrupt, names};

/// The command line of `lab compare`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CompareArgs {
    /// Models, or `all`; the others are compared with the first. Parameters follow a colon: exclusive:rotate=0
    #[arg(long, default_value = "accept_mutex,exclusive")]
    pub models: String,
    /// Other servers to compare with: nginx, nginx:accept_mutex=on, h2o
    #[arg(long)]
    pub against: Option<String>,
    /// Loads, or `all`: short, keepalive, open, burst, minority, idle, storm
    #[arg(long, default_value = "short,keepalive,open")]
    pub loads: String,
    /// Rounds; in each, every side is measured under every load [default: as many as a minute and a half allows, at
    /// least 20]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: Option<u32>,
    /// Seconds of each load
    #[arg(long, default_value_t = load::Settings::DEFAULT.length.as_secs_f64(), value_parser = positive)]
    pub seconds: f64,
    /// Clients of the loads short and keepalive
    #[arg(long, default_value_t = load::Settings::DEFAULT.clients, value_parser = at_least_one)]
    pub clients: usize,
    /// New connections a second of the loads with a fixed rate
    #[arg(long, default_value_t = load::Settings::DEFAULT.rate, value_parser = positive)]
    pub rate: f64,
    /// Connections of a burst
    #[arg(long, default_value_t = load::Settings::DEFAULT.burst, value_parser = at_least_one)]
    pub burst: usize,
    /// Open connections of the load idle
    #[arg(long, default_value_t = load::Settings::DEFAULT.idle, value_parser = at_least_one)]
    pub idle: usize,
    /// Connections beyond the limit in the load storm
    #[arg(long, default_value_t = load::Settings::DEFAULT.surplus)]
    pub surplus: usize,
    /// Smallest difference that would make you choose, in per cent
    #[arg(long, default_value_t = 1.0, value_parser = not_negative)]
    pub least: f64,
    /// Largest difference that counts as none, in per cent: where a greater one is possible the question is undecided
    #[arg(long, default_value_t = 10.0, value_parser = positive)]
    pub same: f64,
    /// A conf to measure drover with; $port, $site, $dir, $workers, $connections and $dispatch are replaced
    #[arg(long)]
    pub conf: Option<PathBuf>,
    /// SIDE=PERCENT: makes that side use so much more CPU, to see whether the lab finds it
    #[arg(long, hide = true)]
    pub handicap: Option<String>,
    /// Workers of each server
    #[arg(long, default_value_t = load::Settings::DEFAULT.workers, value_parser = args::workers())]
    pub workers: u32,
    #[command(flatten)]
    pub common: Common,
}

/// Measures, concludes, writes the reports. Measurements before an error or Ctrl-C are kept.
pub(crate) fn run(args: &CompareArgs) -> Result<ExitCode> {
    let (sides, loads) = (sides(args)?, loads(&args.loads)?);
    let settings = load::Settings {
        length: Duration::from_secs_f64(args.seconds),
        clients: args.clients,
        rate: args.rate,
        burst: args.burst,
        idle: args.idle,
        surplus: args.surplus,
        workers: args.workers,
    };
    let bench = Bench::new(&args.common, settings, args.conf.as_deref())?;
    let mut results = describe(args, &bench, &sides, &loads)?;
    bench.cpus.notes.iter().for_each(|note| eprintln!("note: {note}"));
    std::fs::create_dir_all(&args.common.out).with_context(|| args.common.out.display().to_string())?;
    let mut latencies = MergedLatencies::default();
    match measure(args, &bench, &sides, &loads, &mut results, &mut latencies) {
        Ok(()) => results.complete = true,
        Err(error) => results.stopped = Some(format!("{error:#}")),
    }
    results.latencies = latencies.sum_up();
    results.checks = read_checks(&args.common.out, &results.environment);
    conclude(&mut results, args.common.seed);
    report::write(&results, &args.common.out)?;
    report::print(&format!("{}\n{}\n", report::table(&results), report::files(&args.common.out)))?;
    match &results.stopped {
        None => Ok(ExitCode::SUCCESS),
        Some(_) if interrupt::asked() => {
            eprintln!("lab: interrupted; what was measured until then is kept");
            Ok(ExitCode::from(130))
        }
        Some(why) => bail!("{why}\n(what was measured until then is kept)"),
    }
}

fn measure(
    args: &CompareArgs,
    bench: &Bench,
    sides: &[Side],
    loads: &[&Load],
    results: &mut Results,
    latencies: &mut MergedLatencies,
) -> Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(args.common.seed);
    let rounds = results.method.rounds;
    let bar = report::progress(u64::from(rounds) * (sides.len() * loads.len()) as u64);
    for round in 1..=rounds {
        let mut order = loads.to_vec();
        order.shuffle(&mut rng);
        for load in order {
            // The sides follow directly after each other: slow changes of the machine hit all of them.
            let mut order_of_sides: Vec<&Side> = sides.iter().collect();
            order_of_sides.shuffle(&mut rng);
            for (position, side) in order_of_sides.into_iter().enumerate() {
                bar.set_message(format!("round {round}: {} under {}", side.name, load.name));
                let seed = args.common.seed.wrapping_mul(1_000_003).wrapping_add(u64::from(round));
                let mut measurement = bench
                    .measure(side, load, seed)
                    .with_context(|| format!("round {round}, {} under {}", side.name, load.name))?;
                (measurement.round, measurement.position) = (round, position);
                latencies.take_from(&mut measurement);
                results.measurements.push(measurement);
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// The number of rounds that fit into the time for which a person waits: `sides` sides under `loads` of `seconds` in
/// each.
fn rounds_for(seconds: f64, sides: usize, loads: &[&Load]) -> u32 {
    const PATIENCE: f64 = 95.0;
    let round: f64 = loads.iter().map(|load| seconds + load.overhead.as_secs_f64()).sum();
    (PATIENCE / (round * sides as f64)).clamp(20.0, 250.0) as u32
}

fn sides(args: &CompareArgs) -> Result<Vec<Side>> {
    let text = [Some(args.models.clone()), args.against.clone()].into_iter().flatten().collect::<Vec<_>>().join(",");
    let mut sides = args.common.sides(&text)?;
    if sides.len() > 2
        && let Some(again) = sides.iter().find(|side| side.name.contains('#'))
    {
        bail!(
            "{} is named twice; only alone is a side compared with itself",
            again.name.split('#').next().unwrap_or_default()
        );
    }
    sides.iter().try_for_each(Side::is_installed)?;
    if let Some(handicap) = &args.handicap {
        let (name, percent) = handicap.split_once('=').context("--handicap SIDE=PERCENT")?;
        let share = percent.parse::<f64>().context("--handicap SIDE=PERCENT")? / 100.0;
        sides.iter_mut().find(|side| side.name == name).context("--handicap: no such side")?.handicap = share;
    }
    Ok(sides)
}

fn loads(text: &str) -> Result<Vec<&'static Load>> {
    let loads = names::list(text, "load", load::LOADS, |load| load.name)?;
    match loads.iter().enumerate().find(|(n, load)| loads[..*n].iter().any(|other| other.name == load.name)) {
        // The rounds of a repeated load would count twice, as if they were more evidence.
        Some((_, load)) => bail!("load \"{}\" is named twice", load.name),
        None => Ok(loads),
    }
}

fn describe(args: &CompareArgs, bench: &Bench, sides: &[Side], loads: &[&Load]) -> Result<Results> {
    let questions: usize = loads.iter().map(|load| load.questions.len()).sum();
    let others = sides.len().saturating_sub(1);
    let about = |side: &Side| {
        let kind = drover::dispatch::MODELS.iter().find(|kind| kind.name == side.model);
        kind.map_or_else(|| "another server".to_owned(), |kind| kind.about.to_owned())
    };
    let side_notes = sides.iter().map(|side| {
        let conf = side.conf(&bench.server_spec(None), "127.0.0.1:8080".parse()?, std::path::Path::new("DIR"))?;
        Ok(SideNotes { name: side.name.clone(), about: about(side), conf: conf.replace(&bench.site(), "SITE") })
    });
    Ok(Results {
        schema: SCHEMA.to_owned(),
        environment: Environment::detect(args.common.drover.as_deref()),
        method: MethodNotes {
            workers: args.workers,
            rounds: args.rounds.unwrap_or_else(|| rounds_for(args.seconds, sides.len(), loads)),
            seconds: args.seconds,
            clients: args.clients,
            rate: args.rate,
            server_cpus: bench.cpus.server.clone(),
            client_cpus: bench.cpus.client.clone(),
            seed: args.common.seed,
            level: crate::stats::level_for(questions * others),
            least: args.least / 100.0,
            same: Some(args.same / 100.0),
            shared_cpu: bench.cpus.shared,
            notes: bench.cpus.notes.clone(),
        },
        sides: side_notes.collect::<Result<_>>()?,
        loads: loads
            .iter()
            .map(|load| LoadNotes {
                name: load.name.to_owned(),
                about: load.about.to_owned(),
                questions: load.questions.iter().map(|q| q.to_string()).collect(),
            })
            .collect(),
        ..Results::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_fill_the_time_and_are_never_too_few_for_a_verdict() {
        let rounds = |seconds, sides, names: &str| rounds_for(seconds, sides, &loads(names).unwrap());
        assert!((70..80).contains(&rounds(0.12, 2, "short,keepalive,open")));
        assert_eq!((rounds(0.12, 1, "open"), rounds(1.0, 12, "all")), (250, 20));
        assert!(rounds(0.12, 2, "minority") < 40, "its slow readers outlast it");
    }
}
