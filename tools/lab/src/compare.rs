//! `lab compare`: rounds, interleaved in random order.

mod bench;
mod conclude;
mod pool;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

pub use bench::{Bench, Place, WORKER_CONNECTIONS};
pub use conclude::conclude;

use self::pool::Pool;
use crate::check;
use crate::cli::CompareArgs;
use crate::environment::Environment;
use crate::interrupt;
use crate::load::{self, Load};
use crate::report;
use crate::results::{LoadNotes, MethodNotes, Results, SCHEMA, SideNotes};
use crate::server::Side;

/// Measures, concludes, writes the reports. What was measured before an error or Ctrl-C is kept.
pub fn run(args: &CompareArgs) -> Result<ExitCode> {
    let (sides, loads) = (sides(args)?, loads(&args.loads)?);
    let bench = Bench::new(args)?;
    let mut results = describe(args, &bench, &sides, &loads)?;
    bench.place.notes.iter().for_each(|note| eprintln!("note: {note}"));
    std::fs::create_dir_all(&args.common.out).with_context(|| args.common.out.display().to_string())?;
    let mut pool = Pool::default();
    match measure(args, &bench, &sides, &loads, &mut results, &mut pool) {
        Ok(()) => results.complete = true,
        Err(error) => results.stopped = Some(format!("{error:#}")),
    }
    results.latencies = pool.sum_up();
    results.checks = check::found(&args.common.out, &results.environment);
    conclude(&mut results, args.common.seed);
    report::write(&results, &args.common.out)?;
    report::say(&format!("{}\n{}\n", report::table(&results), report::files(&args.common.out)))?;
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
    pool: &mut Pool,
) -> Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(args.common.seed);
    let rounds = results.method.rounds;
    let bar = ProgressBar::new(u64::from(rounds) * (sides.len() * loads.len()) as u64);
    let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {elapsed}/{duration}  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    for round in 1..=rounds {
        let mut order = loads.to_vec();
        order.shuffle(&mut rng);
        for load in order {
            // One side directly after the other: what changes slowly changes for both.
            let mut turns: Vec<&Side> = sides.iter().collect();
            turns.shuffle(&mut rng);
            for (position, side) in turns.into_iter().enumerate() {
                bar.set_message(format!("round {round}: {} under {}", side.name, load.name));
                let seed = args.common.seed.wrapping_mul(1_000_003).wrapping_add(u64::from(round));
                let mut measurement = bench
                    .measure(side, load, seed)
                    .with_context(|| format!("round {round}, {} under {}", side.name, load.name))?;
                (measurement.round, measurement.position) = (round, position);
                pool.add(&mut measurement);
                results.measurements.push(measurement);
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// The rounds that fit into the time a person waits for an answer: `sides` under `loads` of `seconds` in each.
fn rounds_for(seconds: f64, sides: usize, loads: &[&Load]) -> u32 {
    const PATIENCE: f64 = 95.0;
    let round: f64 = loads.iter().map(|load| seconds + load.around.as_secs_f64()).sum();
    (PATIENCE / (round * sides as f64)).clamp(20.0, 250.0) as u32
}

fn sides(args: &CompareArgs) -> Result<Vec<Side>> {
    let text = [Some(args.models.clone()), args.against.clone()].into_iter().flatten().collect::<Vec<_>>().join(",");
    let mut sides = Side::list(&text)?;
    if sides.len() > 2
        && let Some(again) = sides.iter().find(|side| side.name.contains('#'))
    {
        bail!(
            "{} is named twice; only alone is a side compared with itself",
            again.name.split('#').next().unwrap_or_default()
        );
    }
    sides.iter_mut().for_each(|side| side.binary = args.common.drover.clone());
    sides.iter().try_for_each(Side::is_installed)?;
    if let Some(handicap) = &args.handicap {
        let (name, percent) = handicap.split_once('=').context("--handicap SIDE=PERCENT")?;
        let share = percent.parse::<f64>().context("--handicap SIDE=PERCENT")? / 100.0;
        sides.iter_mut().find(|side| side.name == name).context("--handicap: no such side")?.handicap = share;
    }
    Ok(sides)
}

fn loads(text: &str) -> Result<Vec<&'static Load>> {
    if text == "all" {
        return Ok(load::LOADS.iter().collect());
    }
    let loads = text.split(',').map(|name| load::find(name.trim())).collect::<Result<Vec<_>>>()?;
    match loads.iter().enumerate().find(|(n, load)| loads[..*n].iter().any(|other| other.name == load.name)) {
        // Its rounds would count twice, as if they were more evidence.
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
        let conf = side.conf(&bench.shape(None), "127.0.0.1:8080".parse()?, std::path::Path::new("DIR"))?;
        Ok(SideNotes { name: side.name.clone(), about: about(side), conf: conf.replace(&bench.site(), "SITE") })
    });
    Ok(Results {
        schema: SCHEMA.to_owned(),
        environment: Environment::look(args.common.drover.as_deref()),
        method: MethodNotes {
            workers: args.workers,
            rounds: args.rounds.unwrap_or_else(|| rounds_for(args.seconds, sides.len(), loads)),
            seconds: args.seconds,
            clients: args.clients,
            rate: args.rate,
            server_cpus: bench.place.server.clone(),
            client_cpus: bench.place.client.clone(),
            seed: args.common.seed,
            level: crate::stats::level_for(questions * others),
            least: args.least / 100.0,
            same: Some(args.same / 100.0),
            shared_cpu: bench.place.shared,
            notes: bench.place.notes.clone(),
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
