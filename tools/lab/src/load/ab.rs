//! ab, ApacheBench: a connection for each request, in a closed loop.

use std::path::Path;

use anyhow::{Context, Result};

use super::figures::{ClientFigures, SHARES};
use super::settings::{KEEPALIVE_REQUESTS, Mark, Settings, Target, least_to_settle};
use super::tool;

/// Runs ab: with `keep_alive` on connections that stay, as `ab -k` does.
pub(super) fn run(
    ab: &Path,
    keep_alive: bool,
    settings: &Settings,
    target: &Target<'_>,
    mark: &mut dyn FnMut(Mark),
) -> Result<ClientFigures> {
    let table = target.dir.join("ab.csv");
    // -t alone sets a limit of 50 000 requests; ab allocates a record for each of -n.
    let most = ((settings.length + settings.settle * 10).as_secs_f64() * 200_000.0).ceil() as u64;
    let keep: &[&str] = if keep_alive { &["-k"] } else { &[] };
    let args = [
        "-q".into(),
        "-r".into(),
        "-t".into(),
        (settings.length.as_secs() + 60).to_string(),
        "-n".into(),
        most.to_string(),
        "-c".into(),
        settings.clients.to_string(),
        "-s".into(),
        target.timeout.as_secs().max(1).to_string(),
        "-e".into(),
        table.display().to_string(),
        target.url(),
    ];
    let args = keep.iter().map(|arg| (*arg).to_owned()).chain(args);
    let least = if keep_alive { least_to_settle(settings) } else { 0 };
    let run = tool::run(ab, args, settings, target, least, mark)?;
    let mut figures = parse(&run.output).with_context(|| format!("ab failed: {}", run.output.trim()))?;
    figures.quantiles.extend(parse_table(&std::fs::read_to_string(&table).unwrap_or_default()));
    finish(&mut figures.quantiles);
    run.narrow(&mut figures, settings.clients);
    figures.connections = if keep_alive { figures.requests / KEEPALIVE_REQUESTS } else { figures.requests };
    Ok(figures)
}

/// Sorts the quantiles. ab prints the longest time in whole milliseconds: rounded down, it may be below a percentile.
fn finish(quantiles: &mut [(f64, f64)]) {
    quantiles.sort_by(|a, b| a.0.total_cmp(&b.0));
    if let [.., (_, below), (1.0, longest)] = quantiles {
        *longest = longest.max(*below);
    }
}

fn parse(output: &str) -> Option<ClientFigures> {
    let field = |name: &str| output.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
    let number = |name: &str| field(name)?.split_whitespace().next()?.parse::<f64>().ok();
    let complete = number("Complete requests:")?;
    let failed = number("Failed requests:").unwrap_or(0.0) + number("Non-2xx responses:").unwrap_or(0.0);
    let max_ms = field("Total:").and_then(|row| row.split_whitespace().last()?.parse::<f64>().ok());
    let seconds = number("Time taken for tests:")?;
    Some(ClientFigures {
        tool: "ab".into(),
        requests: complete as u64,
        errors: failed as u64,
        connections: complete as u64,
        seconds,
        rate: (complete - failed) / seconds,
        // The first "Time per request" is the mean that a client sees.
        mean_us: number("Time per request:").map(|ms| ms * 1000.0),
        quantiles: max_ms.map(|ms| (1.0, ms * 1000.0)).into_iter().collect(),
        ..ClientFigures::default()
    })
}

/// Parses the file of ab's -e: a heading, then lines of `percent,milliseconds`.
fn parse_table(table: &str) -> Vec<(f64, f64)> {
    let rows = table.lines().filter_map(|line| {
        let (percent, ms) = line.split_once(',')?;
        Some((percent.parse::<f64>().ok()? / 100.0, ms.parse::<f64>().ok()? * 1000.0))
    });
    rows.filter(|(q, _)| *q < 1.0 && SHARES.iter().any(|share| (share - q).abs() < 1e-9)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_ab_prints() {
        let output = "Concurrency Level:      32\n\
            Time taken for tests:   1.002 seconds\n\
            Complete requests:      19000\n\
            Failed requests:        3\n   (Connect: 0, Receive: 0, Length: 3, Exceptions: 0)\n\
            Requests per second:    18962.1 [#/sec] (mean)\n\
            Time per request:       1.687 [ms] (mean)\n\
            Time per request:       0.053 [ms] (mean, across all concurrent requests)\n\
            \n              min  mean[+/-sd] median   max\n\
            Connect:        0    1   0.2      1       3\n\
            Total:          1    2   0.3      2      12\n";
        let figures = parse(output).unwrap();
        assert_eq!((figures.requests, figures.errors, figures.mean_us), (19000, 3, Some(1687.0)));
        assert!((figures.rate - 18_959.08).abs() < 0.1, "{}", figures.rate);
        assert_eq!(figures.quantile(1.0), Some(12_000.0));
        assert_eq!(parse("apr_socket_connect(): Connection refused (111)").map(|f| f.requests), None);
    }

    #[test]
    fn reads_its_table() {
        let rows = parse_table("Percentage served,Time in ms\n0,0.5\n50,1.234\n51,1.3\n99,4.5\n");
        assert_eq!(rows, [(0.5, 1234.0), (0.99, 4500.0)]);
    }

    #[test]
    fn nothing_is_slower_than_the_longest() {
        let mut rounded = [(1.0, 4000.0), (0.5, 1234.0), (0.99, 4400.0)];
        finish(&mut rounded);
        assert_eq!(rounded, [(0.5, 1234.0), (0.99, 4400.0), (1.0, 4400.0)]);
    }
}
