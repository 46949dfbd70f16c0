//! `lab fault`: what becomes of connections when a process of the server stops, dies, or crawls.

mod inject;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

pub use self::inject::{Fault, Victim};
use crate::cli::FaultArgs;
use crate::compare::{Place, WORKER_CONNECTIONS};
use crate::load::{Client, Ending, Outcome, Plan};
use crate::results::SCHEMA;
use crate::server::{Server, Shape, Side, write_site};
use crate::{interrupt, names, process, report};

/// Load before the fault, and after it.
const BEFORE: Duration = Duration::from_millis(1500);
const AFTER: Duration = Duration::from_secs(5);
/// A request without an answer after this is lost: as long as the published measurement of nginx waited.
const LOST: Duration = Duration::from_secs(3);
/// An answer that takes longer than this is delayed. Less than the 90 ms for which a slow process stands still.
const DELAYED: Duration = Duration::from_millis(50);
/// The service has recovered when everything sent in this time was answered without delay.
const CALM: Duration = Duration::from_millis(500);

/// fault.json.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FaultResults {
    pub schema: String,
    pub complete: bool,
    pub rate: f64,
    pub workers: u32,
    pub rows: Vec<Row>,
}

/// One fault in one server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Row {
    pub side: String,
    pub fault: String,
    pub target: String,
    /// Why it was not done: the model has no such process.
    pub skipped: Option<String>,
    /// Connections that were planned after the fault.
    pub connections: usize,
    /// Of these: not answered within 3 s, refused, or cut off.
    pub lost: usize,
    /// Of these: answered, but after more than 50 ms.
    pub delayed: usize,
    pub longest_ms: f64,
    /// From the fault until all is as before; missing: not within the time of observation.
    pub recovered_ms: Option<f64>,
    /// The longest wait before the fault, to compare with.
    pub before_ms: f64,
}

pub fn run(args: &FaultArgs) -> Result<ExitCode> {
    let faults = chosen(&args.fault, &["stop", "kill", "slow"], "fault")?;
    let targets = chosen(&args.target, &["holder", "worker", "dispatcher"], "target")?;
    let mut sides = Side::list(&args.models)?;
    sides.iter_mut().for_each(|side| side.binary = args.common.drover.clone());
    match args.against.as_deref() {
        Some(against) => sides.extend(Side::list(against)?),
        None if process::find("nginx").is_some() => sides.extend(Side::list("nginx:accept_mutex=on")?),
        None => eprintln!("note: nginx is not installed: no comparison with it"),
    }
    let bench = Bench::new(args)?;
    let mut results =
        FaultResults { schema: SCHEMA.to_owned(), rate: args.rate, workers: args.workers, ..FaultResults::default() };
    let bar = ProgressBar::new((sides.len() * faults.len() * targets.len()) as u64);
    let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {elapsed}/{duration}  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut stopped = None;
    'all: for side in &sides {
        for (fault, target) in faults.iter().flat_map(|fault| targets.iter().map(move |target| (*fault, *target))) {
            bar.set_message(format!("{fault} the {target} of {}", side.name));
            match bench.measure(side, fault, target) {
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
    report::write_faults(&results, &args.common.out)?;
    let out = args.common.out.display();
    report::say(&format!("{}\n{out}/fault.html  {out}/fault.json\n", report::fault_table(&results)))?;
    match stopped {
        None => Ok(ExitCode::SUCCESS),
        Some(_) if interrupt::asked() => Ok(ExitCode::from(130)),
        Some(error) => bail!("{error:#}\n(what was measured until then is kept)"),
    }
}

/// `all`, or some of `known`.
fn chosen(text: &str, known: &[&'static str], what: &str) -> Result<Vec<&'static str>> {
    if text == "all" {
        return Ok(known.to_vec());
    }
    let find = |name: &str| {
        let found = known.iter().find(|known| **known == name).copied();
        found.with_context(|| format!("unknown {what} \"{name}\"{}", names::hint(name, known)))
    };
    text.split(',').map(str::trim).map(find).collect()
}

struct Bench {
    place: Place,
    dir: tempfile::TempDir,
    workers: u32,
    rate: f64,
    seed: u64,
}

impl Bench {
    fn new(args: &FaultArgs) -> Result<Bench> {
        let dir = tempfile::Builder::new().prefix("lab-").tempdir()?;
        write_site(&dir.path().join("site"))?;
        let (workers, seed) = (args.workers, args.common.seed);
        Ok(Bench { place: Place::choose(&args.common, workers)?, dir, workers, rate: args.rate, seed })
    }

    fn measure(&self, side: &Side, fault: &str, target: &str) -> Result<Row> {
        let shape = Shape {
            workers: self.workers,
            worker_connections: WORKER_CONNECTIONS,
            cpus: self.place.server.clone(),
            site: self.dir.path().join("site"),
            template: None,
        };
        let row = Row { side: side.name.clone(), fault: fault.to_owned(), target: target.to_owned(), ..Row::default() };
        if side.model == "fork" && target == "worker" {
            let why = "has no workers: one process a connection";
            return Ok(Row { skipped: Some(why.to_owned()), ..row });
        }
        let mut server = Server::start(side, &shape, self.dir.path())?;
        if let Err(why) = Victim::find(target, &server) {
            return Ok(Row { skipped: Some(why), ..row });
        }
        let plan = Plan::open(self.rate, BEFORE + AFTER, self.seed);
        let (cpus, address) = (self.place.client.clone(), server.address);
        let (outcomes, at) = std::thread::scope(|scope| {
            let (ready, begins) = std::sync::mpsc::channel();
            let client = scope.spawn(move || {
                process::pin(&cpus)?;
                let client = Client::new(&plan, address, LOST)?;
                ready.send(Instant::now()).ok();
                client.go()
            });
            let injected = begins.recv().map_err(|_| "the client failed".to_owned()).and_then(|begun| {
                std::thread::sleep(BEFORE);
                let victim = Victim::find(target, &server)?;
                let at = begun.elapsed();
                Ok((Fault::inject(fault, victim), at))
            });
            // The fault lasts until everybody has given up on it.
            let outcomes = client.join().unwrap_or_else(|_| bail!("the client panicked"));
            anyhow::Ok((outcomes?.outcomes, injected.map(|(_, at)| at)))
        })?;
        server.check()?;
        match at {
            Err(why) => Ok(Row { skipped: Some(why), ..row }),
            Ok(at) => Ok(judge(row, &outcomes, at)),
        }
    }
}

/// What the clients saw of a fault at `at`.
fn judge(mut row: Row, outcomes: &[Outcome], at: Duration) -> Row {
    let time = |outcome: &Outcome| match (outcome.ending, outcome.first_byte) {
        (Ending::Answered, Some(time)) => time,
        _ => LOST,
    };
    let mut after: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.planned >= at).collect();
    after.sort_by_key(|outcome| outcome.planned);
    let before = outcomes.iter().filter(|outcome| outcome.planned < at && outcome.planned + DELAYED < at);
    row.before_ms = before.map(time).max().unwrap_or_default().as_secs_f64() * 1e3;
    row.connections = after.len();
    row.lost = after.iter().filter(|outcome| outcome.ending != Ending::Answered).count();
    let delayed = |outcome: &&&Outcome| outcome.ending == Ending::Answered && time(outcome) > DELAYED;
    row.delayed = after.iter().filter(delayed).count();
    row.longest_ms = after.iter().map(|outcome| time(outcome)).max().unwrap_or_default().as_secs_f64() * 1e3;
    row.recovered_ms = recovered(&after, at, time).map(|time| time.as_secs_f64() * 1e3);
    row
}

/// The first moment after which nothing was lost or delayed for a while, as a distance from the fault.
fn recovered(after: &[&Outcome], at: Duration, time: impl Fn(&Outcome) -> Duration) -> Option<Duration> {
    let bad: Vec<Duration> = after.iter().filter(|outcome| time(outcome) > DELAYED).map(|o| o.planned).collect();
    let last = after.last()?.planned;
    // Calm from the fault on, or from after a bad one until the next bad one or the end.
    let starts = std::iter::once(at).chain(bad.iter().copied());
    starts
        .zip(bad.iter().copied().chain(std::iter::once(last)))
        .find(|(start, next)| *next >= *start + CALM)
        .map(|(start, _)| start - at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(planned_ms: u64, took_ms: Option<u64>) -> Outcome {
        Outcome {
            shot: 0,
            planned: Duration::from_millis(planned_ms),
            first_byte: took_ms.map(Duration::from_millis),
            ending: if took_ms.is_some() { Ending::Answered } else { Ending::TimedOut },
            counts: true,
        }
    }

    #[test]
    fn lost_and_delayed_are_counted_and_recovery_is_timed() {
        let mut outcomes: Vec<Outcome> = (0..100).map(|n| outcome(n * 20, Some(1))).collect();
        for (n, suffering) in (50..60).zip(&mut outcomes[50..60]) {
            *suffering = outcome(n * 20, if n % 2 == 0 { None } else { Some(200) });
        }
        let row = judge(Row::default(), &outcomes, Duration::from_millis(1000));
        assert_eq!((row.connections, row.lost, row.delayed), (50, 5, 5));
        assert_eq!((row.recovered_ms, row.longest_ms, row.before_ms), (Some(180.0), 3000.0, 1.0));
    }

    #[test]
    fn what_never_recovers_has_no_time_and_what_never_suffers_has_none_to_wait() {
        let all: Vec<Outcome> = (0..100).map(|n| outcome(n * 20, if n < 50 { Some(1) } else { None })).collect();
        assert_eq!(judge(Row::default(), &all, Duration::from_millis(1000)).recovered_ms, None);
        let fine: Vec<Outcome> = (0..100).map(|n| outcome(n * 20, Some(1))).collect();
        assert_eq!(judge(Row::default(), &fine, Duration::from_millis(1000)).recovered_ms, Some(0.0));
    }

    #[test]
    fn unknown_faults_are_explained() {
        let error = chosen("stp", &["stop", "kill", "slow"], "fault").unwrap_err().to_string();
        assert_eq!(error, "unknown fault \"stp\": did you mean \"stop\"?");
        assert_eq!(chosen("all", &["a", "b"], "x").unwrap(), ["a", "b"]);
    }
}
