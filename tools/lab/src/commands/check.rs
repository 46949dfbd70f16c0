//! `lab check`: looks for known facts about the models. A lab that does not find them measures something else.

mod clients;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;

use crate::args::Common;
use crate::bench::{Bench, Fault, Victim};
use crate::environment::Environment;
use crate::interrupt;
use crate::load::{self, Outcome, Plan, Settings, run_beside};
use crate::report::{item, number, print, time};
use crate::results::{Check, Measurement, write_checks};
use crate::server::{Server, models};

/// The command line of `lab check`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub common: Common,
}

/// So few connections a second that any worker could serve them alone.
const LIGHT: f64 = 500.0;
/// How long a worker is kept from serving.
const BUSY: Duration = Duration::from_millis(400);
/// How long one is kept from serving that is to be given up: many times `steer_lease`, which is 200 ms.
const GONE: Duration = Duration::from_millis(1200);
/// Connections that wait for a worker which `steer` has given up are answered within this: the lease, half of it until
/// the master looks, and the time to answer.
const MOVED: Duration = Duration::from_millis(600);

pub(crate) fn run(args: &CheckArgs) -> Result<ExitCode> {
    let all: [fn(&CheckArgs) -> Result<Check>; 8] =
        [mutex, handoff, herd, rotation, reuseport, steer, moved, |args| clients::clients(&args.common)];
    let mut checks = Vec::new();
    for check in all {
        interrupt::check()?;
        let check = check(args)?;
        print(&item(&format!("{:<8}{}: {}", check.verdict(), check.name, check.found)))?;
        checks.push(check);
    }
    let failed = checks.iter().filter(|check| check.holds == Some(false)).count();
    let out = &args.common.out;
    std::fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    write_checks(out, Environment::detect(args.common.drover.as_deref()), checks)?;
    if failed > 0 { bail!("{failed} known facts were not found again") } else { Ok(ExitCode::SUCCESS) }
}

/// Measures `side` with `workers` workers under a light load.
fn light(args: &CheckArgs, side: &str, workers: u32) -> Result<Measurement> {
    let settings = Settings { rate: LIGHT, length: Duration::from_secs(1), workers, ..Settings::DEFAULT };
    let bench = Bench::new(&args.common, settings, None)?;
    bench.measure(&args.common.side(side)?, load::find("open")?, args.common.seed)
}

fn skipped(name: &str, model: &str) -> Option<Check> {
    let known = models().contains(&model);
    (!known).then(|| Check { name: name.to_owned(), holds: None, found: format!("this drover has no {model}") })
}

/// Others may take this share of the CPUs before a fact that is not found tells nothing of the lab.
const IDLE: f64 = 0.1;

/// The check of a fact that was looked for in `rounds`. Where others used the machine meanwhile, a fact that is not
/// found again is not looked for: facts are known of idle machines.
fn judge(name: &str, holds: bool, found: String, rounds: &[&Measurement]) -> Check {
    let others: Vec<f64> = rounds.iter().filter_map(|m| Some(m.others?.share)).collect();
    let share = others.iter().sum::<f64>() / others.len().max(1) as f64;
    let name = name.to_owned();
    if !holds && share > IDLE {
        let found = format!("known of an idle machine, but others took {:.0} % of the CPUs; {found}", share * 100.0);
        return Check { name, holds: None, found };
    }
    Check { name, holds: Some(holds), found }
}

/// The share of the busiest worker in all accepts.
fn busiest(m: &Measurement) -> f64 {
    let accepts = || m.server.workers.iter().filter_map(|worker| worker.accepts);
    accepts().max().unwrap_or(0) as f64 / accepts().sum::<u64>().max(1) as f64
}

fn mutex(args: &CheckArgs) -> Result<Check> {
    let round = light(args, "accept_mutex", 4)?;
    let (name, share) = ("accept_mutex puts all of a light load on one worker", busiest(&round));
    Ok(judge(name, share > 0.9, format!("the busiest of 4 has {:.1} %", share * 100.0), &[&round]))
}

fn handoff(args: &CheckArgs) -> Result<Check> {
    let name = "accept_handoff spreads open connections evenly, at one wakeup an accept";
    if let Some(check) = skipped(name, "accept_handoff") {
        return Ok(check);
    }
    let bench = Bench::new(&args.common, Settings::DEFAULT, None)?;
    let (index, wakeups) = bench.spread(&args.common.side("accept_handoff")?, 400)?;
    Ok(Check {
        name: name.to_owned(),
        holds: Some(index >= 0.99 && wakeups < 1.1),
        found: format!("400 connections on 4 workers: Jain's index {index:.3}, {wakeups:.2} wakeups an accept"),
    })
}

fn herd(args: &CheckArgs) -> Result<Check> {
    // On a single CPU the first worker that runs takes the connection before the others have tried: of their wakeups
    // only the context switches show.
    let sizes = [1, 2, 4, 8];
    let rounds: Vec<Measurement> = sizes.iter().map(|workers| light(args, "herd", *workers)).collect::<Result<_>>()?;
    let switches: Vec<f64> = rounds.iter().map(|m| m.server.switches_per_request.unwrap_or(0.0)).collect();
    let found: Vec<String> = sizes.iter().zip(&switches).map(|(n, s)| format!("{n}: {}", number(*s))).collect();
    Ok(judge(
        "a herd wakes more the more workers it has",
        switches[3] > 2.0 * switches[0] && switches[3] > switches[1],
        format!("context switches a request, by workers: {}", found.join(", ")),
        &rounds.iter().collect::<Vec<_>>(),
    ))
}

fn rotation(args: &CheckArgs) -> Result<Check> {
    let rounds = [light(args, "exclusive:rotate=0", 4)?, light(args, "exclusive", 4)?];
    let [without, with] = [0, 1].map(|n| rounds[n].server.jain_connections.unwrap_or(0.0));
    Ok(judge(
        "exclusive is uneven without rotation, and even with it",
        without < 0.5 && with > 0.9,
        format!("Jain's index {without:.2} without, {with:.2} with"),
        &[&rounds[0], &rounds[1]],
    ))
}

fn reuseport(args: &CheckArgs) -> Result<Check> {
    let name = "reuseport is even, and makes some wait when a worker is busy";
    if let Some(check) = skipped(name, "reuseport") {
        return Ok(check);
    }
    let round = light(args, "reuseport", 4)?;
    let index = round.server.jain_connections.unwrap_or(0.0);
    let (own, shared) = (waits(args, "reuseport", BUSY)?.most, waits(args, "exclusive", BUSY)?.most);
    let found = format!(
        "Jain's index {index:.2}; a worker busy for {} ms: 90 % are served within {}, with exclusive within {}",
        BUSY.as_millis(),
        time(own),
        time(shared)
    );
    Ok(judge(name, index > 0.9 && own > 10.0 * shared, found, &[&round]))
}

fn steer(args: &CheckArgs) -> Result<Check> {
    let name = "steer spreads open connections evenly, and makes nobody wait for a busy worker";
    if let Some(check) = skipped(name, "steer") {
        return Ok(check);
    }
    let round = light(args, "steer", 4)?;
    let bench = Bench::new(&args.common, Settings::DEFAULT, None)?;
    let (index, wakeups) = bench.spread(&args.common.side("steer")?, 400)?;
    let (steered, hashed) = (waits(args, "steer", BUSY)?.most, waits(args, "reuseport", BUSY)?.most);
    let found = format!(
        "400 connections on 4 workers: Jain's index {index:.3}, {wakeups:.2} wakeups an accept; a worker busy for {} \
         ms: 90 % are served within {}, with reuseport within {}",
        BUSY.as_millis(),
        time(steered),
        time(hashed)
    );
    Ok(judge(name, index >= 0.99 && wakeups < 1.1 && hashed > 10.0 * steered, found, &[&round]))
}

fn moved(args: &CheckArgs) -> Result<Check> {
    let name = "steer gives up a stopped worker: what waits for it is moved to others, and nothing new follows";
    if let Some(check) = skipped(name, "steer") {
        return Ok(check);
    }
    let round = light(args, "steer", 4)?;
    let (steered, hashed) = (waits(args, "steer", GONE)?, waits(args, "reuseport", GONE)?);
    let found = format!(
        "a worker stopped for {} ms: of those who came meanwhile {} waited over {} ms and {} got no answer, the \
         longest wait was {}; with reuseport {} waited so long, the longest {}",
        GONE.as_millis(),
        steered.late,
        MOVED.as_millis(),
        steered.lost,
        time(steered.longest),
        hashed.late,
        time(hashed.longest)
    );
    Ok(judge(name, is_moved(&steered, &hashed), found, &[&round]))
}

/// Whether a stopped worker kept nobody waiting under `steer`, where under `reuseport` it did.
fn is_moved(steered: &Waits, hashed: &Waits) -> bool {
    steered.late == 0 && steered.lost == 0 && hashed.late > 0
}

/// The waits of clients that came while a worker was stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Waits {
    /// The 90th percentile of the latency of those who came in the first half of that time, µs.
    most: f64,
    /// The longest latency of all who came meanwhile, µs.
    longest: f64,
    /// How many of them waited longer than `MOVED`.
    late: usize,
    /// How many of them got no answer.
    lost: usize,
}

/// Stops a worker of `side` for a while under a light load.
fn waits(args: &CheckArgs, side: &str, stopped: Duration) -> Result<Waits> {
    let bench = Bench::new(&args.common, Settings::DEFAULT, None)?;
    let side = args.common.side(side)?;
    let server = Server::start(&side, &bench.server_spec(None), bench.dir())?;
    // Finding the victim takes its time: done before the load begins, it does not delay the fault.
    let victim = Victim::find("worker", &server).map_err(|why| anyhow!("{}: {why}", side.name))?;
    let plan = Plan::open(LIGHT, stopped * 2, args.common.seed);
    let (run, at) = run_beside(&plan, server.address, Duration::from_secs(5), &bench.cpus.client, |begun| {
        std::thread::sleep(stopped / 2);
        let _fault = Fault::inject("stop", victim);
        let at = begun.elapsed();
        std::thread::sleep(stopped);
        at
    })?;
    Ok(Waits::of(&run.outcomes, at, stopped))
}

impl Waits {
    /// A worker was stopped for `stopped` from `at` on.
    fn of(outcomes: &[Outcome], at: Duration, stopped: Duration) -> Waits {
        let came = |until: Duration| outcomes.iter().filter(move |o| o.planned > at && o.planned < at + until);
        let sorted = |until| {
            let mut times: Vec<f64> = came(until).filter_map(|o| Some(o.first_byte?.as_secs_f64() * 1e6)).collect();
            times.sort_by(f64::total_cmp);
            times
        };
        let (half, all) = (sorted(stopped / 2), sorted(stopped));
        Waits {
            most: half.get(half.len() * 9 / 10).copied().unwrap_or(0.0),
            longest: all.last().copied().unwrap_or(0.0),
            late: all.iter().filter(|time| **time > MOVED.as_secs_f64() * 1e6).count(),
            lost: came(stopped).filter(|o| o.first_byte.is_none()).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Ending;

    #[test]
    fn a_fact_that_is_not_found_fails_on_an_idle_machine_and_is_skipped_on_a_busy_one() {
        let round = |share| {
            let others = Some(crate::measure::Others { share, steal: 0.0 });
            Measurement { others, ..Measurement::default() }
        };
        let check = |holds, share| judge("the sun rises", holds, "it does not".to_owned(), &[&round(share)]);
        assert_eq!((check(true, 0.5).holds, check(false, 0.02).holds), (Some(true), Some(false)));
        let busy = check(false, 0.5);
        assert_eq!((busy.holds, busy.verdict()), (None, "skipped"));
        assert!(busy.found.starts_with("known of an idle machine, but others took 50 %"), "{}", busy.found);
    }

    /// 800 requests, one each ms; a worker is stopped from `at` on, and those who came then wait until `until`.
    fn outcomes(at: Duration, stopped: Duration, until: Duration) -> Vec<Outcome> {
        let outcome = |ms| {
            let planned = Duration::from_millis(ms);
            let is_stuck = planned > at && planned < at + stopped.min(until);
            let wait = if is_stuck { at + until - planned } else { Duration::from_millis(1) };
            Outcome { request: 0, planned, first_byte: Some(wait), ending: Ending::Answered, counts: true }
        };
        (0..800).map(outcome).collect()
    }

    #[test]
    fn only_those_count_that_come_while_the_worker_is_busy_whenever_that_began() {
        let at = Duration::from_millis(350);
        let most = Waits::of(&outcomes(at, BUSY, BUSY), at, BUSY).most;
        let half = BUSY.as_secs_f64() * 1e6 / 2.0;
        assert!((half..2.0 * half).contains(&most), "{most}");
    }

    #[test]
    fn a_queue_that_is_moved_is_told_from_one_that_waits_and_from_one_that_is_lost() {
        let at = Duration::from_millis(50);
        let (hashed, steered) =
            (Waits::of(&outcomes(at, GONE, GONE), at, GONE), Waits::of(&outcomes(at, GONE, MOVED / 2), at, GONE));
        assert!(hashed.late > 500 && steered.late == 0, "{hashed:?} {steered:?}");
        assert!(is_moved(&steered, &hashed));
        assert!(!is_moved(&hashed, &hashed) && !is_moved(&steered, &steered), "where nobody waits nothing is shown");
        let mut broken = outcomes(at, GONE, MOVED / 2);
        broken[100].first_byte = None;
        let broken = Waits::of(&broken, at, GONE);
        assert_eq!(broken.lost, 1);
        assert!(!is_moved(&broken, &hashed));
    }
}
