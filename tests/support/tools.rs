//! The programs people point at a server: curl, ab, wrk. A missing one fails the test and says how to get it.

use std::path::PathBuf;
use std::process::{Command, Output};

/// The absolute path of a program, looked up in PATH and where Debian keeps daemons; panics when there is none.
pub fn find(program: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut places =
        path.split(':').chain(["/usr/sbin", "/usr/local/sbin"]).map(|dir| PathBuf::from(dir).join(program));
    let package = if program == "ab" { "apache2-utils" } else { program };
    places.find(|p| p.is_file()).unwrap_or_else(|| panic!("{program} is missing: apt-get install {package}"))
}

/// The nginx that `tools/nginx` has built, whose answers are the right ones; `DROVER_TEST_NGINX` names another.
pub fn nginx() -> PathBuf {
    let built = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/nginx/nginx"));
    let nginx = std::env::var_os("DROVER_TEST_NGINX").map_or_else(built, PathBuf::from);
    assert!(nginx.is_file(), "{} is missing: run tools/nginx", nginx.display());
    nginx
}

/// Runs a program to its end and returns its stdout; panics, with all it said, when it fails.
#[track_caller]
pub fn run(program: &str, args: &[&str]) -> String {
    let output = output(program, args);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {}\n{stdout}\n{stderr}", output.status);
    stdout
}

/// Runs a program to its end, however it ends.
pub fn output(program: &str, args: &[&str]) -> Output {
    let path = find(program);
    Command::new(&path).args(args).output().unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The result of a load run.
#[derive(Debug, Clone)]
pub struct Load {
    pub complete: u64,
    /// Everything that went wrong: failed requests, socket errors, answers other than 2xx.
    pub failed: u64,
    pub keep_alive: u64,
    pub report: String,
}

/// `ab -q ARGS`; panics when ab gives up before the end.
#[track_caller]
pub fn ab(args: &[&str]) -> Load {
    let report = run("ab", &[&["-q"], args].concat());
    let number = |label: &str| {
        let line = report.lines().find(|line| line.starts_with(label));
        line.and_then(|l| l[label.len()..].split_whitespace().next()).and_then(|n| n.parse().ok()).unwrap_or(0)
    };
    let failed = number("Failed requests:") + number("Non-2xx responses:") + number("Write errors:");
    let (complete, keep_alive) = (number("Complete requests:"), number("Keep-Alive requests:"));
    Load { complete, failed, keep_alive, report }
}

/// `wrk ARGS`.
#[track_caller]
pub fn wrk(args: &[&str]) -> Load {
    let report = run("wrk", args);
    let before = |label: &str| {
        let line = report.lines().find(|line| line.contains(label))?;
        line.split(label).next()?.split_whitespace().last()?.parse::<u64>().ok()
    };
    let complete = before(" requests in ").expect("wrk's summary");
    let numbers =
        |text: &str| text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u64>().ok()).sum::<u64>();
    let after = |line: &str| line.split_once(':').map_or(0, |(_, counts)| numbers(counts));
    let trouble = report.lines().filter(|l| l.contains("Socket errors:") || l.contains("Non-2xx"));
    let failed = trouble.map(after).sum::<u64>();
    Load { complete, failed, keep_alive: 0, report }
}

/// The document of a page in Chromium after its scripts have run for some virtual seconds.
#[track_caller]
pub fn chromium(args: &[&str], url: &str) -> String {
    let profile = tempfile::tempdir().expect("a temporary directory");
    let profile = format!("--user-data-dir={}", profile.path().display());
    let alone = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"];
    let quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--virtual-time-budget=5000"];
    run("chromium", &[&quiet[..], &alone, args, &[&profile, "--dump-dom", url]].concat())
}
