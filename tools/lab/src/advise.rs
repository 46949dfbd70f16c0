//! `lab advise`: which model fits, from what a running drover has counted or from what was compared.

mod from_ledger;
mod from_results;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::cli::AdviseArgs;
use crate::interrupt;
use crate::report::{say, wrapped};
use crate::results::Results;

/// What is advised, and what it rests on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Advice {
    /// `None`: not enough evidence.
    pub model: Option<String>,
    pub reasons: Vec<String>,
    pub figures: Vec<(String, String)>,
}

pub fn run(args: &AdviseArgs) -> Result<ExitCode> {
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
    say(&show(&advice))?;
    Ok(ExitCode::SUCCESS)
}

fn show(advice: &Advice) -> String {
    let mut out = match &advice.model {
        Some(model) => format!("dispatch {model};\n"),
        None => "Not enough evidence.\n".to_owned(),
    };
    advice.reasons.iter().for_each(|reason| out.push_str(&wrapped(&format!("- {reason}"))));
    if !advice.figures.is_empty() {
        out.push_str("\nRelied on:\n");
        advice.figures.iter().for_each(|(name, value)| out.push_str(&format!("  {name:<44}{value:>12}\n")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_reasons_are_wrapped() {
        let advice = Advice { reasons: vec!["word ".repeat(40).trim().to_owned()], ..Advice::default() };
        let shown = show(&advice);
        assert!(shown.lines().all(|line| line.chars().count() < 80), "{shown}");
        assert_eq!(shown.matches("word").count(), 40);
        assert!(shown.starts_with("Not enough evidence.\n  - word word") && shown.contains("\n    word"), "{shown}");
    }
}
