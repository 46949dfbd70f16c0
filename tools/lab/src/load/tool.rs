//! Runs ab or wrk: lets connections settle, counts for the length of the load, and ends the program by a signal.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::figures::ClientFigures;
use super::settings::{Mark, Settings, Target};
use crate::interrupt;
use crate::process::{KeptProcess, Look, ProgramSpec};

/// The pause between two readings of what the program has done.
const GAP: Duration = Duration::from_millis(2);
/// Connections have settled after this many times the usual time, whatever the rate: a slow server is measured, too.
const AT_MOST: u32 = 10;

/// A finished run of a program.
pub(super) struct ToolRun {
    pub output: String,
    /// The share of a CPU that it used while the run counted.
    cpu_share: f64,
    /// Requests that it had sent before the run counted.
    before: u64,
    /// Requests a second that it sent while the run counted. `None`: the kernel does not count, and the whole run does.
    rate: Option<f64>,
    seconds: f64,
}

/// Runs `program`. The run counts from `Mark::Begin` to `Mark::End`, once `least` requests have been sent and the time
/// for settling has passed. Errors: it does not start, or does not end.
pub(super) fn run(
    program: &Path,
    args: impl IntoIterator<Item = String>,
    settings: &Settings,
    target: &Target<'_>,
    least: u64,
    mark: &mut dyn FnMut(Mark),
) -> Result<ToolRun> {
    let spec = ProgramSpec {
        program: program.into(),
        args: args.into_iter().map(Into::into).collect(),
        cpus: target.cpus.to_vec(),
    };
    let more = target.timeout + Duration::from_secs(5);
    let mut kept = KeptProcess::start(&spec, &target.dir.join("tool.out"))?;
    kept.wait_for_handler(more)?;
    settle(&mut kept, settings.settle, least)?;
    mark(Mark::Begin);
    let begin = kept.look();
    let mut last = begin;
    let end = Instant::now() + settings.length;
    while Instant::now() < end && kept.exit_status().is_none() {
        interrupt::check()?;
        std::thread::sleep(end.saturating_duration_since(Instant::now()).min(GAP));
        // The process may end before its time: keep the last reading.
        last = kept.look().or(last);
    }
    mark(Mark::End);
    kept.interrupt(more)?;
    Ok(ToolRun::new(kept.output(), begin, last))
}

/// Waits until the connections have settled. Without a count of requests there is nothing to tell those before from
/// those that count: then everything counts.
fn settle(kept: &mut KeptProcess, usual: Duration, least: u64) -> Result<()> {
    let begin = Instant::now();
    while kept.exit_status().is_none() {
        let Some(sent) = kept.look().and_then(|look| look.writes) else { return Ok(()) };
        if begin.elapsed() >= usual && (sent >= least || begin.elapsed() >= usual * AT_MOST) {
            break;
        }
        interrupt::check()?;
        std::thread::sleep(GAP);
    }
    Ok(())
}

impl ToolRun {
    fn new(output: String, begin: Option<Look>, last: Option<Look>) -> ToolRun {
        let (Some(begin), Some(last)) = (begin, last) else {
            return ToolRun { output, cpu_share: 0.0, before: 0, rate: None, seconds: 0.0 };
        };
        let seconds = last.at.saturating_duration_since(begin.at).as_secs_f64();
        let rate = begin.writes.zip(last.writes).filter(|_| seconds > 0.0);
        ToolRun {
            output,
            cpu_share: last.share_since(&begin),
            before: begin.writes.unwrap_or(0),
            rate: rate.map(|(before, after)| after.saturating_sub(before) as f64 / seconds),
            seconds,
        }
    }

    /// Leaves in `figures`, which the program told of its whole run, what counts. Errors and latencies stay those of
    /// the whole run. In a closed loop each of the `clients` has a request under way.
    pub(super) fn narrow(&self, figures: &mut ClientFigures, clients: usize) {
        figures.cpu_share = self.cpu_share;
        let Some(rate) = self.rate else { return };
        let good = 1.0 - figures.errors as f64 / figures.requests.max(1) as f64;
        figures.requests = figures.requests.saturating_sub(self.before.saturating_sub(clients as u64));
        (figures.rate, figures.seconds) = (rate * good, self.seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(begin: Instant, ms: u64, writes: Option<u64>) -> Option<Look> {
        let time = Duration::from_millis(ms);
        Some(Look { at: begin + time, cpu: time / 2, writes })
    }

    #[test]
    fn only_the_requests_after_the_settling_count() {
        let begin = Instant::now();
        let run = ToolRun::new(String::new(), look(begin, 100, Some(1000)), look(begin, 300, Some(3000)));
        let mut figures = ClientFigures { requests: 3300, rate: 9000.0, ..ClientFigures::default() };
        run.narrow(&mut figures, 32);
        assert_eq!((figures.requests, figures.rate.round(), figures.cpu_share), (3300 - 968, 10_000.0, 0.5));
        assert!((figures.seconds - 0.2).abs() < 1e-9);
    }

    #[test]
    fn where_the_kernel_does_not_count_the_whole_run_does() {
        let begin = Instant::now();
        let run = ToolRun::new(String::new(), look(begin, 0, None), look(begin, 300, None));
        let mut figures = ClientFigures { requests: 3300, rate: 9000.0, ..ClientFigures::default() };
        run.narrow(&mut figures, 32);
        assert_eq!((figures.requests, figures.rate), (3300, 9000.0));
    }
}
