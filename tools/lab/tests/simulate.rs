//! `lab simulate --machines` with a real drover.

mod support;

use support::{json, lab, text};

#[test]
fn machines_are_simulated_from_what_was_measured_of_one() {
    let dir = tempfile::tempdir().unwrap();
    let args = "simulate --machines 2 --rounds 1 --balancer-us 50 --utilisation 0.02 --policies leastconn,random(1)";
    let output = lab(dir.path(), &args.split(' ').collect::<Vec<_>>());
    let (shown, said) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{shown}{said}");
    assert!(
        shown.starts_with("MEASURED here")
            && shown.contains("GIVEN, not measured: a request costs the balancer 50.0 µs")
    );
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    let results = json(&dir.path().join("lab-report/machines.json"));
    let rows = |name: &str| results[name].as_array().unwrap().clone();
    assert_eq!((&results["simulated"], &results["schema"]), (&true.into(), &"drover-lab/1".into()));
    // Two policies, with 1 and 2 machines; a restart of three kinds, and an uneven pair, with 2.
    assert_eq!((rows("growth").len(), rows("restarts").len(), rows("uneven").len()), (4, 6, 2), "{shown}");
    assert!(rows("restarts").iter().all(|row| row["lost"] == 0), "three retries: {results}");
    let page = std::fs::read_to_string(dir.path().join("lab-report/machines.html")).unwrap();
    assert!(page.contains("<p class='banner'>A simulation of machines"));
}

#[test]
fn what_can_not_be_simulated_is_refused_before_anything_is_measured() {
    let said = |args: &str| {
        let args: Vec<&str> = ["simulate"].into_iter().chain(args.split(' ')).collect();
        let output = lab(std::path::Path::new("."), &args);
        assert!(!output.status.success(), "{args:?}");
        text(&output.stderr)
    };
    assert!(said("--machines 65").contains("65 is not in 1..=64"));
    assert!(said("--machines 2 --models all").contains("all machines have one model"));
    assert!(said("--machines 2 --policies source").contains("there are leastconn, roundrobin, random(2)"));
}
