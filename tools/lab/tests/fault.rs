//! `lab fault` with real processes.

use std::process::Command;

#[test]
fn a_stopped_holder_is_survived_and_a_missing_one_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_lab"))
        .current_dir(dir.path())
        .args(["fault", "--models", "accept_mutex", "--against", "herd", "--target", "holder", "--workers", "2"])
        .args(["--rate", "100", "--out", "out"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    let json = std::fs::read(dir.path().join("out/fault.json")).unwrap();
    let results: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let (mutex, herd) = (&results["rows"][0], &results["rows"][1]);
    assert!(mutex["skipped"].is_null() && mutex["lost"] == 0, "{mutex}");
    assert!(mutex["connections"].as_u64().unwrap() > 300, "{mutex}");
    assert_eq!(herd["skipped"], "has no accept mutex");
}
