//! `lab compare`: rounds, interleaved in random order.

mod arrange;
mod merged_latencies;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use self::arrange::{Arranged, arrange};
use self::merged_latencies::MergedLatencies;
use crate::args::{self, Common, at_least_one, not_negative, positive};
use crate::bench::{Bench, Cpus};
use crate::environment::Environment;
use crate::interrupt;
use crate::load;
use crate::report;
use crate::results::{
    LoadNotes, MethodNotes, PlaceNotes, Results, SCHEMA, SideNotes, conclude, read_checks, read_earlier, widen,
};
use crate::server::Side;

/// The command line of `lab compare`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CompareArgs {
    /// Models, or `all`; the others are compared with the first. Parameters follow a colon: exclusive:rotate=0
    #[arg(long, default_value = "accept_mutex,exclusive")]
    pub models: String,
    /// Other servers to compare with: nginx, nginx-1.28.3:accept_mutex=on, nginx:reuseport:multi_accept=on, h2o
    #[arg(long)]
    pub against: Option<String>,
    /// Loads, or `all`: short, short-wrk, keepalive, keepalive-ab, open, burst, minority, idle, storm [default: the
    /// first four, and short and keepalive pinned beside them where nothing is pinned]
    #[arg(long)]
    pub loads: Option<String>,
    /// Where: shared (nothing is pinned, server and client share all CPUs) or pinned (each has its own) [default:
    /// pinned with four CPUs or more; with fewer, shared for ab and wrk and pinned for the others]
    #[arg(long)]
    pub place: Option<String>,
    /// Rounds; in each, every side is measured under every load [default: as many as a minute and a half allows, at
    /// least 20]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: Option<u32>,
    /// Seconds of each load
    #[arg(long, default_value_t = load::Settings::DEFAULT.length.as_secs_f64(), value_parser = positive)]
    pub seconds: f64,
    /// Clients of ab and wrk
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
    /// Workers of each server [default: as many as the server has CPUs, and two at least]
    #[arg(long, value_parser = args::workers())]
    pub workers: Option<u32>,
    #[command(flatten)]
    pub common: Common,
}

/// A place with the loads that are measured there.
struct Station {
    bench: Bench,
    loads: Vec<Arranged>,
}

/// Measures, concludes, writes the reports. Measurements before an error or Ctrl-C are kept.
pub(crate) fn run(args: &CompareArgs) -> Result<ExitCode> {
    let sides = sides(args)?;
    let stations = stations(args)?;
    let specs = stations.iter().map(|station| (station.bench.server_spec(None), station.bench.dir()));
    specs.take(1).try_for_each(|(spec, dir)| sides.iter().try_for_each(|side| side.check(&spec, dir)))?;
    let mut results = describe(args, &stations, &sides)?;
    results.method.notes.iter().for_each(|note| eprintln!("note: {note}"));
    let mut latencies = MergedLatencies::default();
    match measure(args, &stations, &sides, &mut results, &mut latencies) {
        Ok(()) => results.complete = true,
        Err(error) => results.stopped = Some(format!("{error:#}")),
    }
    results.latencies = latencies.sum_up();
    results.checks = read_checks(&args.common.out, &results.environment);
    conclude(&mut results, args.common.seed);
    finish(args, results)
}

/// Writes the reports and tells how the comparison ended. What measured nothing replaces no report.
fn finish(args: &CompareArgs, mut results: Results) -> Result<ExitCode> {
    let out = &args.common.out;
    let mut kept = "nothing was measured, and no report written";
    if !results.measurements.is_empty() {
        let earlier = read_earlier(out, &results.environment);
        widen(&mut results, &earlier);
        report::write(&results, out)?;
        report::print(&format!("{}\n{}", report::table(&results), report::files(out)))?;
        kept = "what was measured until then is kept";
    }
    match &results.stopped {
        None => Ok(ExitCode::SUCCESS),
        Some(_) if interrupt::asked() => {
            eprintln!("lab: interrupted; {kept}");
            Ok(ExitCode::from(130))
        }
        Some(why) => bail!("{why}\n({kept})"),
    }
}

/// The places and their loads, the one that answers for this machine first.
fn stations(args: &CompareArgs) -> Result<Vec<Station>> {
    let places = Cpus::places(&args.common)?;
    let main = places.first().map_or(1, |cpus| cpus.server.len());
    let workers = args.workers.unwrap_or(main.clamp(2, 256) as u32);
    let settings = load::Settings {
        length: Duration::from_secs_f64(args.seconds),
        clients: args.clients,
        rate: args.rate,
        burst: args.burst,
        idle: args.idle,
        surplus: args.surplus,
        workers,
        ..load::Settings::DEFAULT
    };
    let names: Vec<_> = places.iter().map(|cpus| cpus.place).collect();
    let arranged = arrange(&names, args.place.as_deref(), args.loads.as_deref())?;
    let mut stations = Vec::new();
    for (n, mut cpus) in places.into_iter().enumerate() {
        let loads: Vec<Arranged> = arranged.iter().filter(|load| load.place == n).cloned().collect();
        if loads.is_empty() {
            continue;
        }
        if cpus.server.len() > 1 {
            cpus.note_turns(workers);
        }
        stations.push(Station { bench: Bench::at(cpus, settings.clone(), args.conf.as_deref())?, loads });
    }
    Ok(stations)
}

fn measure(
    args: &CompareArgs,
    stations: &[Station],
    sides: &[Side],
    results: &mut Results,
    latencies: &mut MergedLatencies,
) -> Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(args.common.seed);
    let rounds = results.method.rounds;
    let all: Vec<(&Bench, &Arranged)> =
        stations.iter().flat_map(|station| station.loads.iter().map(|load| (&station.bench, load))).collect();
    let bar = report::progress(u64::from(rounds) * (sides.len() * all.len()) as u64);
    for round in 1..=rounds {
        let mut order = all.clone();
        order.shuffle(&mut rng);
        for (bench, arranged) in order {
            // The sides follow directly after each other: slow changes of the machine hit all of them.
            let mut order_of_sides: Vec<&Side> = sides.iter().collect();
            order_of_sides.shuffle(&mut rng);
            for (position, side) in order_of_sides.into_iter().enumerate() {
                bar.set_message(format!("round {round}: {} under {}", side.name, arranged.name));
                let seed = args.common.seed.wrapping_mul(1_000_003).wrapping_add(u64::from(round));
                let mut measurement = bench
                    .measure(side, arranged.load, seed)
                    .with_context(|| format!("round {round}, {} under {}", side.name, arranged.name))?;
                (measurement.round, measurement.position) = (round, position);
                measurement.load.clone_from(&arranged.name);
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
fn rounds_for(seconds: f64, sides: usize, loads: &[Arranged]) -> u32 {
    const PATIENCE: f64 = 100.0;
    let round: f64 = loads.iter().map(|arranged| seconds + arranged.load.overhead.as_secs_f64()).sum();
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

fn describe(args: &CompareArgs, stations: &[Station], sides: &[Side]) -> Result<Results> {
    let main = &stations.first().context("no load to measure")?.bench;
    let all: Vec<Arranged> = stations.iter().flat_map(|station| station.loads.iter().cloned()).collect();
    let questions: usize = all.iter().map(|load| load.questions.len()).sum();
    let others = sides.len().saturating_sub(1);
    let about = |side: &Side| {
        let kind = drover::dispatch::MODELS.iter().find(|kind| kind.name == side.model);
        kind.map_or_else(|| "another server".to_owned(), |kind| kind.about.to_owned())
    };
    let side_notes = sides.iter().map(|side| {
        let conf = side.conf(&main.server_spec(None), "127.0.0.1:8080".parse()?, std::path::Path::new("DIR"))?;
        Ok(SideNotes { name: side.name.clone(), about: about(side), conf: conf.replace(&main.site(), "SITE") })
    });
    let mut notes: Vec<String> = stations.iter().flat_map(|station| station.bench.cpus.notes.clone()).collect();
    notes.dedup();
    Ok(Results {
        schema: SCHEMA.to_owned(),
        environment: Environment::detect(args.common.drover.as_deref()),
        method: MethodNotes {
            workers: main.workers(),
            rounds: args.rounds.unwrap_or_else(|| rounds_for(args.seconds, sides.len(), &all)),
            seconds: args.seconds,
            clients: args.clients,
            rate: args.rate,
            server_cpus: main.cpus.server.clone(),
            client_cpus: main.cpus.client.clone(),
            seed: args.common.seed,
            level: crate::stats::level_for(questions * others),
            least: args.least / 100.0,
            same: Some(args.same / 100.0),
            shared_cpu: main.cpus.shared,
            notes,
        },
        sides: side_notes.collect::<Result<_>>()?,
        loads: stations.iter().flat_map(|station| station.loads.iter().map(|load| load_notes(station, load))).collect(),
        ..Results::default()
    })
}

fn load_notes(station: &Station, arranged: &Arranged) -> LoadNotes {
    let cpus = &station.bench.cpus;
    LoadNotes {
        name: arranged.name.clone(),
        about: arranged.load.about.to_owned(),
        questions: arranged.questions.iter().map(|question| (*question).to_owned()).collect(),
        place: PlaceNotes {
            name: cpus.place.name().to_owned(),
            workers: station.bench.workers(),
            server_cpus: cpus.server.clone(),
            client_cpus: cpus.client.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Place;

    #[test]
    fn rounds_fill_the_time_and_are_never_too_few_for_a_verdict() {
        let rounds = |seconds, sides, loads: Option<&str>| {
            rounds_for(seconds, sides, &arrange(&[Place::Shared, Place::Pinned], None, loads).unwrap())
        };
        assert_eq!((rounds(0.12, 1, Some("open")), rounds(1.0, 12, Some("all"))), (250, 20));
        assert!(rounds(0.12, 2, Some("minority")) < 40, "its slow readers outlast it");
        // The default run ends in under two minutes.
        let seconds = load::Settings::DEFAULT.length.as_secs_f64();
        let all = arrange(&[Place::Shared, Place::Pinned], None, None).unwrap();
        let round: f64 = all.iter().map(|load| seconds + load.load.overhead.as_secs_f64()).sum::<f64>() * 2.0;
        assert!(f64::from(rounds(seconds, 2, None)) * round < 115.0);
    }
}
