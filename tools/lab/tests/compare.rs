//! `lab compare` with the real servers.

mod support;

use std::process::Command;

use support::{json, lab, text};

#[test]
fn two_models_are_measured_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["compare", "--rounds", "2", "--seconds", "0.2", "--rate", "300", "--workers", "2", "--out", "out"];
    let output = lab(dir.path(), &[&args[..], &["--loads", "open,short", "--models", "accept_mutex,herd"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    assert!(table.contains("accept_mutex") && table.contains("too few"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    let results = json(&dir.path().join("out/results.json"));
    assert_eq!((&results["schema"], &results["complete"]), (&"drover-lab/1".into(), &true.into()));
    let versions = results["environment"]["versions"].to_string();
    assert!(versions.contains("drover version: drover/") && versions.contains("linked into the lab"), "{versions}");
    let measurements = results["measurements"].as_array().unwrap();
    assert_eq!(measurements.len(), 8);
    for m in measurements {
        assert!(m["client"]["requests"].as_u64().unwrap() > 20 && m["client"]["errors"] == 0, "{m}");
        // The client's counts agree with those of the ledger.
        let of_workers = m["server"]["workers"].as_array().unwrap().iter().map(|w| w["accepts"].as_u64().unwrap());
        let (accepts, requests) = (of_workers.sum::<u64>(), m["client"]["requests"].as_u64().unwrap());
        // Under ab the lab counts requests, and the ledger accepts, from two moments on.
        assert!(m["load"] == "short" || accepts == requests, "{m}");
        assert!(accepts > 0, "{m}");
        assert!(m["server"]["cpu_us_per_request"].as_f64().unwrap() > 1.0, "{m}");
    }
    let csv = std::fs::read_to_string(dir.path().join("out/results.csv")).unwrap();
    assert_eq!(csv.lines().count(), 9);
    let html = std::fs::read_to_string(dir.path().join("out/report.html")).unwrap();
    assert!(html.contains("<svg") && !html.contains("http://") && !html.contains("https://"));
    for load in results["loads"].as_array().unwrap() {
        let place = &load["place"];
        assert!(place["workers"] == 2 && !place["server_cpus"].as_array().unwrap().is_empty(), "{load}");
        // ab and wrk tell how fast client and server are together; a fixed rate needs a client with a CPU of its own.
        let usable = results["environment"]["cpus"].as_array().unwrap().len();
        assert!(!(2..4).contains(&usable) || (place["name"] == "shared") == (load["name"] == "short"), "{load}");
    }
    assert!(table.contains("fetches /1k.html") && table.contains("accept_mutex = nginx's accept_mutex on"), "{table}");
    let again = lab(dir.path(), &["report", "out/results.json", "--out", "again"]);
    assert!(again.status.success(), "{}", text(&again.stderr));
    assert_eq!(std::fs::read_to_string(dir.path().join("again/report.html")).unwrap(), html);
    // A reader that has gone is no error.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut unread = support::command(dir.path());
    unread.args(["report", "out/results.json", "--out", "again"]).stdout(writer);
    let output = unread.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn other_servers_are_measured_beside_drover() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["compare", "--rounds", "1", "--seconds", "0.2", "--rate", "300", "--workers", "2", "--out", "out"];
    let others = "nginx,nginx-1.28.3:reuseport:multi_accept=on,h2o";
    let more = ["--loads", "open,short,keepalive,idle", "--idle", "50", "--models", "herd", "--against", others];
    let output = lab(dir.path(), &[&args[..], &more].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let results = json(&dir.path().join("out/results.json"));
    let measurements = results["measurements"].as_array().unwrap();
    assert_eq!(measurements.len(), 16);
    let conf = results["sides"][2]["conf"].as_str().unwrap();
    assert!(conf.contains("multi_accept on;") && conf.contains("backlog=4096 reuseport;"), "{conf}");
    let versions = results["environment"]["versions"].to_string();
    assert!(versions.contains("nginx version: nginx/1.28.3"), "{versions}");
    for m in measurements {
        assert!(m["client"]["requests"].as_u64().unwrap() > 20 && m["client"]["errors"] == 0, "{m}");
        assert!(m["server"]["cpu_us_per_request"].as_f64().unwrap() > 1.0, "{m}");
        assert_eq!(m["server"]["connection_kib"].is_null(), m["load"] != "idle", "{m}");
        // The kernel tells the depth of the queue for every server.
        assert_eq!(m["server"]["accept_delay_us"].is_null(), m["load"] == "idle", "{m}");
    }
    let missing = support::command(dir.path())
        .env("PATH", "/nonexistent")
        .args(["compare", "--models", "herd", "--against", "h2o", "--out", "none"])
        .output()
        .unwrap();
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("h2o is not installed"), "{}", text(&missing.stderr));
}

#[test]
fn delays_are_counted_where_they_matter_and_switches_of_the_dead_are_not_guessed() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["compare", "--rounds", "1", "--seconds", "0.2", "--workers", "2", "--out", "out"];
    let output = lab(dir.path(), &[&args[..], &["--loads", "burst,open", "--models", "herd,fork"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let results = json(&dir.path().join("out/results.json"));
    for m in results["measurements"].as_array().unwrap() {
        let is_counted = m["server"]["accept_delay_counted_us"].is_f64() && m["server"]["accept_delay_p99_us"].is_f64();
        assert_eq!(is_counted, m["load"] == "burst", "{m}");
        assert_eq!(m["server"]["switches_per_request"].is_null(), m["side"] == "fork", "{m}");
        // fork has no workers.
        assert_eq!(m["server"]["jain_requests"].is_null(), m["side"] == "fork", "{m}");
        assert_eq!(m["server"]["workers"].as_array().unwrap().is_empty(), m["side"] == "fork", "{m}");
    }
    // Latencies of all rounds together, by load and side.
    assert_eq!(results["latencies"].as_array().unwrap().len(), 4);
}

#[test]
fn reports_are_kept_and_shown_beside_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["compare", "--rounds", "1", "--seconds", "0.1", "--workers", "2", "--loads", "short", "--out", "out"];
    let at = |file: &str| dir.path().join("out").join(file);
    for run in 1..=3 {
        let output = lab(dir.path(), &[&args[..], &["--models", "herd", "--seed", &run.to_string()]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(json(&at("results.json"))["method"]["seed"], run);
        let said = text(&output.stdout);
        assert_eq!(said.contains("report-2.html there"), run == 3, "{said}");
    }
    assert_eq!(json(&at("results-1.json"))["method"]["seed"], 1);
    assert_eq!(json(&at("results-2.json"))["method"]["seed"], 2);
    assert!(at("report-2.html").is_file() && at("results-2.csv").is_file() && !at("report-3.html").exists());
}

#[test]
fn bad_parameters_are_refused_before_anything_starts_and_replace_no_report() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("out")).unwrap();
    let report = dir.path().join("out/report.html");
    std::fs::write(&report, "former").unwrap();
    for args in [
        &["compare", "--models", "accept_mutex,herd:nonsense=1"][..],
        &["compare", "--models", "herd", "--against", "nginx:nonsense=1"],
        &["fault", "--models", "accept_mutex,exclusive:rotate=x", "--against", "herd"],
    ] {
        let output = lab(dir.path(), &[args, &["--out", "out"]].concat());
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.contains("the server refuses its conf"), "{args:?}: {said}");
        assert!(said.contains("nonsense") || said.contains("rotate"), "{args:?}: {said}");
    }
    assert_eq!(std::fs::read_to_string(&report).unwrap(), "former");
    assert_eq!(std::fs::read_dir(dir.path().join("out")).unwrap().count(), 1);
}

#[test]
fn clients_of_the_labs_own_take_the_place_of_missing_tools() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = support::command(dir.path());
    command.env("PATH", "/nonexistent").args(["compare", "--rounds", "1", "--seconds", "0.1", "--workers", "2"]);
    command.args(["--loads", "short,keepalive,keepalive-ab", "--models", "herd", "--out", "out"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("the lab's own client"), "{}", text(&output.stdout));
    for m in json(&dir.path().join("out/results.json"))["measurements"].as_array().unwrap() {
        assert!(m["client"]["tool"] == "lab" && m["client"]["errors"] == 0, "{m}");
        assert!(m["client"]["requests"].as_u64().unwrap() > 0, "{m}");
    }
}

#[test]
fn a_low_limit_of_descriptors_is_no_error_of_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let command = format!(
        "ulimit -S -n 128; exec {} compare --loads storm --surplus 200 --rounds 1 --models herd --workers 2 --out out",
        env!("CARGO_BIN_EXE_lab")
    );
    let output = Command::new("sh").current_dir(dir.path()).args(["-c", &command]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let results = json(&dir.path().join("out/results.json"));
    let client = &results["measurements"][0]["client"];
    assert_eq!((&client["requests"], &client["errors"]), (&328.into(), &0.into()), "{client}");
}

#[test]
fn bad_input_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    for (args, expected) in [
        (&["compare", "--models", "acept_mutex"][..], "did you mean \"accept_mutex\"?"),
        (&["compare", "--loads", "shrt"], "did you mean \"short\"?"),
        (&["compare", "--cpus", "999"], "CPU 999 is not among those that can be used"),
        (&["compare", "--drover", "/nonexistent/drover"], "No such file or directory"),
        (&["compare", "--models", "herd:nonsense=1"], "invalid parameter"),
        (&["report", "none.json"], "none.json"),
        (&["compare", "--loads", "short,open,short"], "load \"short\" is named twice"),
        (&["compare", "--models", "herd,exclusive,herd"], "herd is named twice"),
        (&["compare", "--rate", "0"], "--rate <RATE>': must be over 0"),
        (&["compare", "--seconds", "0"], "--seconds <SECONDS>': must be over 0"),
        (&["compare", "--seconds", "NaN"], "must be over 0"),
        (&["compare", "--burst", "0"], "must be at least 1"),
        (&["fault", "--rate", "0"], "must be over 0"),
        (&["check", "--workers", "8"], "unexpected argument '--workers'"),
        (&["simulate", "--workers", "9"], "unexpected argument '--workers'"),
    ] {
        let output = lab(dir.path(), &[args, &["--out", "out"]].concat());
        assert!(!output.status.success(), "{args:?}");
        assert!(text(&output.stderr).contains(expected), "{args:?}: {}", text(&output.stderr));
    }
}
