//! `lab fault` with real processes.

mod support;

use std::path::Path;

use serde_json::Value;
use support::{json, lab, text};

/// Runs `lab fault` with two workers. Returns the rows of fault.json.
fn fault(dir: &Path, args: &[&str]) -> Vec<Value> {
    fault_at("100", dir, args)
}

/// [`fault`] with this many new connections a second.
fn fault_at(rate: &str, dir: &Path, args: &[&str]) -> Vec<Value> {
    let output = lab(dir, &[&["fault"], args, &["--workers", "2", "--rate", rate, "--out", "out"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    let results = json(&dir.join("out/fault.json"));
    assert_eq!(results["complete"], true);
    let html = std::fs::read_to_string(dir.join("out/fault.html")).unwrap();
    assert!(html.contains("connection") && !html.contains("http://"), "{html}");
    results["rows"].as_array().unwrap().clone()
}

#[test]
fn a_stopped_holder_is_survived_and_a_missing_one_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let rows =
        fault(dir.path(), &["--models", "accept_mutex", "--against", "herd", "--target", "holder", "--fault", "stop"]);
    let (mutex, herd) = (&rows[0], &rows[1]);
    assert!(mutex["skipped"].is_null() && mutex["lost"] == 0, "{mutex}");
    assert!(mutex["connections"].as_u64().unwrap() > 300, "{mutex}");
    assert_eq!(herd["skipped"], "has no accept mutex");
}

#[test]
fn without_its_lease_a_stopped_holder_stops_the_service() {
    let args = ["--models", "accept_mutex", "--against", "accept_mutex:lease=off", "--target", "holder"];
    // A holder that is stopped in the moment between two turns has released the mutex: then nothing is to be seen.
    let seen = (0..6).any(|_| {
        let dir = tempfile::tempdir().unwrap();
        let rows = fault(dir.path(), &[&args[..], &["--fault", "stop"]].concat());
        let (with, without) = (&rows[0], &rows[1]);
        assert!(with["lost"] == 0 && without["takeovers"] == 0, "{with} {without}");
        // Connections of a stopped process get no answer while it stands still, with a lease or without.
        for row in [with, without] {
            assert!(row["held"].as_u64().unwrap() >= row["held_lost"].as_u64().unwrap(), "{row}");
        }
        let lost = |row: &Value, what: &str| row[what].as_u64().unwrap() > 0;
        with["takeovers"] != 0 && without["lost"].as_u64().unwrap() > 300 && lost(with, "held_lost")
    });
    assert!(seen, "the lease never acted");
}

#[test]
fn a_killed_dispatcher_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let models = "fork,pool_notify,pool_pass,pool_queue";
    let rows =
        fault(dir.path(), &["--models", models, "--against", "exclusive", "--fault", "kill", "--target", "dispatcher"]);
    for row in &rows[..4] {
        // The connections that the dispatcher had accepted die with it; all later ones are served.
        assert!(row["skipped"].is_null(), "{row}");
        assert!(row["connections"].as_u64().unwrap() > 300 && row["lost"].as_u64().unwrap() < 20, "{row}");
    }
    assert_eq!(rows[4]["skipped"], "has no dispatcher");
}

#[test]
fn a_slow_dispatcher_delays_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["--models", "pool_pass", "--against", "fork", "--fault", "slow", "--target", "dispatcher,worker"];
    // So few that a tenth of a busy CPU is enough for a dispatcher that forks for each of them.
    let rows = fault_at("20", dir.path(), &args);
    // The dispatcher stands still for 90 ms of every 100: nearly half of all connections wait longer than 50 ms.
    for row in [&rows[0], &rows[2]] {
        assert!(row["skipped"].is_null() && row["lost"] == 0, "{row}");
        assert!(row["delayed"].as_u64().unwrap() > 10 && row["longest_ms"].as_f64().unwrap() > 60.0, "{row}");
    }
    assert!(rows[1]["skipped"].is_null(), "{}", rows[1]);
    assert_eq!(rows[3]["skipped"], "has no workers: one process a connection");
}
