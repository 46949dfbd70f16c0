//! `lab advise`: which model fits, by the counters of a running drover or by the results of a comparison.

mod advice;
mod from_ledger;
mod from_results;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

use self::advice::Advice;
use crate::interrupt;
use crate::report::{item, print};
use crate::results::Results;

/// The command line of `lab advise`.
#[derive(Clone, Debug, Args)]
pub(crate) struct AdviseArgs {
    /// http://HOST:PORT/PATH of a location with `ledger;`
    #[arg(long, conflicts_with = "results")]
    pub ledger: Option<String>,
    /// How long to watch it
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// results.json of a comparison
    #[arg(long)]
    pub results: Option<PathBuf>,
}

pub(crate) fn run(args: &AdviseArgs) -> Result<ExitCode> {
    let advice = match (&args.ledger, &args.results) {
        (Some(ledger), _) => {
            let read = || from_ledger::read(ledger);
            let first = read()?;
            eprintln!("watching {ledger} for {} s", args.seconds);
            for _ in 0..args.seconds * 10 {
                interrupt::check()?;
                std::thread::sleep(Duration::from_millis(100));
            }
            from_ledger::advise(&first, &read()?)?
        }
        (None, Some(path)) => from_results::advise(&Results::read(path)?),
        (None, None) => bail!("say what to rely on: --ledger URL of a running drover, or --results results.json"),
    };
    print(&show(&advice))?;
    Ok(ExitCode::SUCCESS)
}

fn show(advice: &Advice) -> String {
    let mut out = match &advice.model {
        Some(model) => format!("dispatch {model};\n"),
        None => "Not enough evidence.\n".to_owned(),
    };
    advice.reasons.iter().for_each(|reason| out.push_str(&item(&format!("- {reason}"))));
    if !advice.figures.is_empty() {
        out.push_str("\nRelied on:\n");
        advice.figures.iter().for_each(|(name, value)| out.push_str(&figure(name, value)));
    }
    out
}

/// A figure with its name; where both don't fit into a line of 80 columns, the figure has a line of its own.
fn figure(name: &str, value: &str) -> String {
    if name.chars().count() <= 60 { format!("  {name:<60}{value:>17}\n") } else { format!("  {name}\n{value:>79}\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_fit_the_terminal() {
        let shown = figure("nginx-1.28.3:accept_mutex=on server CPU per request, keepalive/pinned", "+ +123.4 %");
        assert!(shown.lines().all(|line| line.chars().count() <= 80) && shown.lines().count() == 2, "{shown}");
        assert!(figure("workers", "2").lines().all(|line| line.chars().count() == 79));
    }

    #[test]
    fn long_reasons_are_wrapped() {
        let advice = Advice { reasons: vec!["word ".repeat(40).trim().to_owned()], ..Advice::default() };
        let shown = show(&advice);
        assert!(shown.lines().all(|line| line.chars().count() < 80), "{shown}");
        assert_eq!(shown.matches("word").count(), 40);
        assert!(shown.starts_with("Not enough evidence.\n  - word word") && shown.contains("\n    word"), "{shown}");
    }
}
