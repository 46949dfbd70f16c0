//! `lab fault`: the losses of clients when a process of the server is stopped, killed or slowed.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

use crate::args::{self, Common, positive};
use crate::bench::{Bench, Fault, Victim};
use crate::load::{Ending, Outcome, Plan, Run, Settings, run_beside};
use crate::results::{FaultResults, FaultRow, SCHEMA};
use crate::server::{BUILT_NGINX, Server, Side, built_nginx};
use crate::{interrupt, names, process, report};

const FAULTS: [&str; 3] = ["stop", "kill", "slow"];
const TARGETS: [&str; 3] = ["holder", "worker", "dispatcher"];

/// The time of the load before the fault, and after it.
const BEFORE: Duration = Duration::from_millis(1500);
const AFTER: Duration = Duration::from_secs(5);
/// A request without an answer after this is lost: the published measurement of nginx waited as long.
const LOST: Duration = Duration::from_secs(3);
/// An answer that takes longer than this is delayed. It is less than the 90 ms for which a slow process stands still.
const DELAYED: Duration = Duration::from_millis(50);
/// The service has recovered when every request of this time, the last of the load, was answered without delay.
const CALM: Duration = Duration::from_millis(500);
/// Connections that are open when the fault comes, and when they are asked for something: after the fault, however long
/// it takes to find the victim.
const HELD: usize = 40;
const ASKED: Duration = Duration::from_millis(500);

/// The command line of `lab fault`.
#[derive(Clone, Debug, Args)]
pub(crate) struct FaultArgs {
    /// stop (SIGSTOP), kill (SIGKILL), slow (runs a tenth of the time), or all
    #[arg(long, default_value = "stop,kill")]
    pub fault: String,
    /// holder (of the accept mutex), worker (the busiest that is not the holder), dispatcher, or all
    #[arg(long, default_value = "all")]
    pub target: String,
    /// Models, or `all`; the default adds accept_mutex without drover's lease
    #[arg(long, default_value = "all,accept_mutex:lease=off")]
    pub models: String,
    /// Other servers beside them [default: nginx:accept_mutex=on, and the same of nginx-1.28.3 when it is built]
    #[arg(long)]
    pub against: Option<String>,
    /// New connections a second
    #[arg(long, default_value_t = 200.0, value_parser = positive)]
    pub rate: f64,
    /// Workers of each server
    #[arg(long, default_value_t = Settings::DEFAULT.workers, value_parser = args::workers())]
    pub workers: u32,
    #[command(flatten)]
    pub common: Common,
}

pub(crate) fn run(args: &FaultArgs) -> Result<ExitCode> {
    let faults = names::list(&args.fault, "fault", &FAULTS, |fault| fault)?;
    let targets = names::list(&args.target, "target", &TARGETS, |target| target)?;
    let mut sides = args.common.sides(&args.models)?;
    match args.against.as_deref() {
        Some(against) => sides.extend(args.common.sides(against)?),
        None => sides.extend(rivals()?),
    }
    let settings = Settings { rate: args.rate, workers: args.workers, ..Settings::DEFAULT };
    let bench = Bench::new(&args.common, settings, None)?;
    sides.iter().try_for_each(|side| side.check(&bench.server_spec(None), bench.dir()))?;
    let mut results =
        FaultResults { schema: SCHEMA.to_owned(), rate: args.rate, workers: args.workers, ..FaultResults::default() };
    let bar = report::progress((sides.len() * faults.len() * targets.len()) as u64);
    let mut stopped = None;
    'all: for side in &sides {
        for (fault, target) in faults.iter().flat_map(|fault| targets.iter().map(move |target| (**fault, **target))) {
            bar.set_message(format!("{fault} the {target} of {}", side.name));
            match measure(&bench, args, side, fault, target) {
                Ok(row) => results.rows.push(row),
                Err(error) => {
                    stopped = Some(error.context(format!("{fault} the {target} of {}", side.name)));
                    break 'all;
                }
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    results.complete = stopped.is_none();
    let mut kept = "nothing was measured, and no report written";
    if results.rows.iter().any(|row| row.skipped.is_none()) || results.complete {
        report::write_faults(&results, &args.common.out)?;
        let out = args.common.out.display();
        report::print(&format!("{}\n{out}/fault.html  {out}/fault.json\n", report::fault_table(&results)))?;
        kept = "what was measured until then is kept";
    }
    match stopped {
        None => Ok(ExitCode::SUCCESS),
        Some(_) if interrupt::asked() => Ok(ExitCode::from(130)),
        Some(error) => bail!("{error:#}\n({kept})"),
    }
}

/// The other servers of the default run: each nginx that is there, with the mutex that drover's models replace.
fn rivals() -> Result<Vec<Side>> {
    let mut sides = Vec::new();
    match process::find("nginx") {
        Some(_) => sides.push(Side::parse("nginx:accept_mutex=on")?),
        None => eprintln!("note: nginx is not installed: no comparison with it"),
    }
    if built_nginx().is_some() {
        sides.push(Side::parse(&format!("{BUILT_NGINX}:accept_mutex=on"))?);
    }
    Ok(sides)
}

/// Opens new connections to `side`, and injects the fault into its process that is `target`. Errors: the server does
/// not start, or dies.
fn measure(bench: &Bench, args: &FaultArgs, side: &Side, fault: &str, target: &str) -> Result<FaultRow> {
    let row =
        FaultRow { side: side.name.clone(), fault: fault.to_owned(), target: target.to_owned(), ..FaultRow::default() };
    if side.model == "fork" && target == "worker" {
        let why = "has no workers: one process a connection";
        return Ok(FaultRow { skipped: Some(why.to_owned()), ..row });
    }
    let mut server = Server::start(side, &bench.server_spec(None), bench.dir())?;
    if let Err(why) = Victim::find(target, &server) {
        return Ok(FaultRow { skipped: Some(why), ..row });
    }
    let plan = Plan::holding(HELD, BEFORE + ASKED, args.rate, BEFORE + AFTER, args.common.seed);
    let takeovers = || server.ledger.as_ref().map_or(0, |ledger| ledger.sums().takeovers);
    let before = takeovers();
    // The fault lasts until the last request is answered or lost.
    let (run, injected) = run_beside(&plan, server.address, LOST, &bench.cpus.client, |begun| {
        std::thread::sleep(BEFORE);
        let victim = Victim::find(target, &server)?;
        let at = begun.elapsed();
        Ok((Fault::inject(fault, victim), at))
    })?;
    let row = FaultRow { takeovers: takeovers().saturating_sub(before), ..row };
    let at = injected.map(|(_, at)| at);
    server.check()?;
    match at {
        Err(why) => Ok(FaultRow { skipped: Some(why), ..row }),
        Ok(at) => Ok(judge(row, &plan, &run, at)),
    }
}

/// Sums up a run around a fault at `at`.
fn judge(mut row: FaultRow, plan: &Plan, run: &Run, at: Duration) -> FaultRow {
    let (held, outcomes): (Vec<&Outcome>, Vec<&Outcome>) =
        run.outcomes.iter().partition(|outcome| plan.held(outcome.request).is_some());
    let mut after: Vec<&Outcome> = outcomes.iter().copied().filter(|outcome| outcome.planned >= at).collect();
    after.sort_by_key(|outcome| outcome.planned);
    let before = outcomes.iter().filter(|outcome| outcome.planned < at && outcome.planned + DELAYED < at);
    row.before_ms = before.map(|outcome| time(outcome)).max().unwrap_or_default().as_secs_f64() * 1e3;
    row.connections = after.len();
    row.lost = after.iter().filter(|outcome| outcome.ending != Ending::Answered).count();
    let delayed = |outcome: &&&Outcome| outcome.ending == Ending::Answered && time(outcome) > DELAYED;
    row.delayed = after.iter().filter(delayed).count();
    row.longest_ms = after.iter().map(|outcome| time(outcome)).max().unwrap_or_default().as_secs_f64() * 1e3;
    row.recovered_ms = recovered(&after, at).map(|time| time.as_secs_f64() * 1e3);
    // A model may close idle connections to make room: those that were gone before the fault are not its victims.
    let was_there = |outcome: &&&Outcome| {
        let gone = plan.held(outcome.request).and_then(|index| run.gone.get(&index));
        outcome.planned >= at && gone.is_none_or(|gone| *gone >= at)
    };
    let held: Vec<&Outcome> = held.iter().filter(was_there).copied().collect();
    row.held = held.len();
    row.held_lost = held.iter().filter(|outcome| outcome.ending != Ending::Answered).count();
    row
}

/// How long a connection waited for its answer.
fn time(outcome: &Outcome) -> Duration {
    match (outcome.ending, outcome.first_byte) {
        (Ending::Answered, Some(time)) => time,
        _ => LOST,
    }
}

/// The time from the fault until the last connection of `after` came that was lost or delayed. `None`: nearly until the
/// last of all.
fn recovered(after: &[&Outcome], at: Duration) -> Option<Duration> {
    let end = after.last()?.planned;
    let last = after.iter().rfind(|outcome| time(outcome) > DELAYED).map_or(at, |outcome| outcome.planned);
    (last + CALM <= end).then(|| last - at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(planned_ms: u64, took_ms: Option<u64>) -> Outcome {
        Outcome {
            request: 0,
            planned: Duration::from_millis(planned_ms),
            first_byte: took_ms.map(Duration::from_millis),
            ending: if took_ms.is_some() { Ending::Answered } else { Ending::TimedOut },
            counts: true,
        }
    }

    /// Judges outcomes of new connections around a fault after a second.
    fn judged(outcomes: Vec<Outcome>) -> FaultRow {
        let run = Run { outcomes, ..Run::default() };
        judge(FaultRow::default(), &Plan::default(), &run, Duration::from_millis(1000))
    }

    #[test]
    fn lost_and_delayed_are_counted_and_recovery_is_timed() {
        let mut outcomes: Vec<Outcome> = (0..100).map(|n| outcome(n * 20, Some(1))).collect();
        for (n, suffering) in (50..60).zip(&mut outcomes[50..60]) {
            *suffering = outcome(n * 20, if n % 2 == 0 { None } else { Some(200) });
        }
        let row = judged(outcomes);
        assert_eq!((row.connections, row.lost, row.delayed), (50, 5, 5));
        assert_eq!((row.recovered_ms, row.longest_ms, row.before_ms), (Some(180.0), 3000.0, 1.0));
    }

    #[test]
    fn the_service_is_back_after_the_last_that_suffered_not_after_the_first_calm() {
        let late = |n: u64| n == 80;
        let row = judged((0..150).map(|n| outcome(n * 20, if late(n) { Some(900) } else { Some(1) })).collect());
        assert_eq!((row.delayed, row.recovered_ms), (1, Some(600.0)));
    }

    #[test]
    fn what_never_recovers_has_no_time_and_what_never_suffers_has_none_to_wait() {
        let all: Vec<Outcome> = (0..100).map(|n| outcome(n * 20, if n < 50 { Some(1) } else { None })).collect();
        assert_eq!(judged(all).recovered_ms, None);
        assert_eq!(judged((0..100).map(|n| outcome(n * 20, Some(1))).collect()).recovered_ms, Some(0.0));
    }

    #[test]
    fn connections_that_were_open_are_counted_by_themselves() {
        let ms = Duration::from_millis;
        let plan = Plan::holding(4, ms(1200), 0.001, ms(1), 1);
        let held = |request: usize, ending| Outcome { request, ending, ..outcome(1200, Some(1)) };
        let outcomes = vec![
            held(0, Ending::Answered),
            held(1, Ending::TimedOut),
            held(2, Ending::Closed),
            held(3, Ending::Closed),
        ];
        // The second was reset by the fault; the third the server had closed before, to make room.
        let gone = [(2, ms(1001)), (3, ms(700))].into_iter().collect();
        let row = judge(FaultRow::default(), &plan, &Run { outcomes, gone, ..Run::default() }, ms(1000));
        assert_eq!((row.held, row.held_lost, row.connections), (3, 2, 0));
    }
}
