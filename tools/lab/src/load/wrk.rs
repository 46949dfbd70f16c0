//! wrk: keep-alive connections in a closed loop.

use std::path::Path;

use anyhow::{Context, Result};

use super::figures::{ClientFigures, SHARES, histogram};
use super::settings::{KEEPALIVE_REQUESTS, Mark, Settings, Target, least_to_settle};
use super::tool;

/// A script that prints more than wrk's own report, which stops at the 99th percentile. Latencies are in microseconds.
fn script() -> String {
    let shares: Vec<String> = SHARES.iter().filter(|q| **q < 1.0).map(|q| format!("{}", q * 100.0)).collect();
    format!(
        "done = function(summary, latency, requests)\n\
         \x20 local e = summary.errors\n\
         \x20 io.write(string.format('LAB sums %d %d %d %d %d %d\\n', \
         summary.requests, summary.duration, e.connect + e.read + e.write, e.status, e.timeout, latency.max))\n\
         \x20 io.write(string.format('LAB mean %.3f\\n', latency.mean))\n\
         \x20 for _, p in pairs({{ {} }}) do \
         io.write(string.format('LAB q %g %.3f\\n', p, latency:percentile(p))) end\n\
         \x20 for i = 1, #latency do io.write(string.format('LAB n %d %d\\n', latency(i))) end\n\
         end\n",
        shares.join(", ")
    )
}

/// Runs wrk: on connections that stay, or without `keep_alive` on a connection for each request.
pub(super) fn run(
    wrk: &Path,
    keep_alive: bool,
    settings: &Settings,
    target: &Target<'_>,
    mark: &mut dyn FnMut(Mark),
) -> Result<ClientFigures> {
    let lua = target.dir.join("wrk.lua");
    std::fs::write(&lua, script())?;
    let close: &[&str] = if keep_alive { &[] } else { &["-H", "Connection: close"] };
    let args = [
        format!("-t{}", target.threads.min(settings.clients)),
        format!("-c{}", settings.clients),
        // -d takes whole seconds only: the lab ends wrk earlier by a signal.
        format!("-d{}s", settings.length.as_secs() + 60),
        "--timeout".into(),
        format!("{}s", target.timeout.as_secs().max(1)),
        "-s".into(),
        lua.display().to_string(),
        target.url(),
    ];
    let args = close.iter().map(|arg| (*arg).to_owned()).chain(args);
    let least = if keep_alive { least_to_settle(settings) } else { 0 };
    let run = tool::run(wrk, args, settings, target, least, mark)?;
    let mut figures = parse(&run.output).with_context(|| format!("wrk failed: {}", run.output.trim()))?;
    run.narrow(&mut figures, settings.clients);
    figures.connections = if keep_alive { figures.requests / KEEPALIVE_REQUESTS } else { figures.requests };
    Ok(figures)
}

fn parse(output: &str) -> Option<ClientFigures> {
    let mut figures = ClientFigures { tool: "wrk".into(), ..ClientFigures::default() };
    let (mut seen, mut latencies) = (false, histogram());
    for line in output.lines().filter_map(|line| line.strip_prefix("LAB ")) {
        let mut words = line.split(' ');
        let kind = words.next()?;
        let numbers: Vec<f64> = words.map(|word| word.parse().unwrap_or(f64::NAN)).collect();
        match (kind, numbers.as_slice()) {
            ("sums", [requests, us, broken, status, timeout, max]) => {
                seen = true;
                figures.requests = *requests as u64;
                figures.seconds = us / 1e6;
                (figures.reset, figures.timed_out) = (*broken as u64, *timeout as u64);
                figures.errors = (broken + status + timeout) as u64;
                figures.rate = (requests - status) / figures.seconds;
                figures.quantiles.push((1.0, *max));
            }
            ("mean", [mean]) => figures.mean_us = Some(*mean),
            ("q", [percent, us]) => figures.quantiles.push((percent / 100.0, *us)),
            ("n", [us, n]) => latencies.record_n(*us as u64 * 10, *n as u64).unwrap_or(()),
            _ => return None,
        }
    }
    figures.quantiles.sort_by(|a, b| a.0.total_cmp(&b.0));
    figures.latencies = (!latencies.is_empty()).then_some(latencies);
    seen.then_some(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_script_prints() {
        let output = "Running 1s test\nLAB sums 120000 1000500 0 2 1 9000\nLAB mean 400.5\n\
                      LAB q 50 300\nLAB q 99.9 2500\nLAB n 300 119000\nLAB n 2500 1000\n";
        let figures = parse(output).unwrap();
        assert_eq!((figures.requests, figures.errors, figures.timed_out), (120_000, 3, 1));
        assert_eq!(
            (figures.quantile(0.5), figures.quantile(0.999), figures.quantile(1.0)),
            (Some(300.0), Some(2500.0), Some(9000.0))
        );
        assert_eq!(figures.latencies.map(|all| all.len()), Some(120_000));
        assert!(parse("unable to connect").is_none());
    }
}
