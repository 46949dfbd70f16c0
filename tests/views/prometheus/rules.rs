//! The rules by themselves: promtool checks them, and evaluates them over series that are written down.

use std::collections::BTreeMap;

use super::{path, text};
use crate::support::tools;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/views/prometheus/alerts.yml");

#[test]
fn promtool_finds_no_fault() {
    for (what, name) in [("config", "prometheus.yml"), ("rules", "rules.yml")] {
        let path = path(name);
        let said = tools::run("promtool", &["check", what, path.to_str().expect("a path")]);
        assert!(said.contains("SUCCESS") && !said.contains("FAILED"), "{said}");
    }
}

#[test]
fn alerts_fire_when_they_should_and_only_then() {
    let said = tools::run("promtool", &["test", "rules", CASES]);
    assert!(said.contains("SUCCESS"), "{said}");
}

/// The value of a key on its line.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.trim().trim_start_matches("- ").strip_prefix(key)?.strip_prefix(':').map(str::trim)
}

/// Each alert has a moment at which it fires, one at which it does not, and all that a person needs; its texts name
/// labels that it has.
#[test]
fn every_alert_is_tested_and_explained() {
    let cases = std::fs::read_to_string(CASES).expect("the cases");
    let (mut fires, mut is_quiet): (BTreeMap<&str, &str>, BTreeMap<&str, usize>) = Default::default();
    let mut name = "";
    for line in cases.lines() {
        if let Some(of) = value(line, "name") {
            name = of;
        }
        if value(line, "exp_samples") == Some("[]") {
            *is_quiet.entry(name).or_default() += 1;
        }
        if let Some(labels) = value(line, "labels") {
            fires.insert(name, labels);
        }
    }
    let rules = text("rules.yml");
    let alerts: Vec<&str> = rules.split("- alert: ").skip(1).collect();
    assert!(alerts.len() > 12, "{rules}");
    for alert in alerts {
        let (name, rest) = alert.split_once('\n').expect("a line");
        for key in ["expr", "for", "severity", "summary", "description"] {
            assert!(
                rest.lines().any(|line| value(line, key).is_some_and(|value| !value.is_empty())),
                "{key} of {name}"
            );
        }
        let Some(labels) = fires.remove(name) else { panic!("{name} never fires") };
        assert!(is_quiet.contains_key(name), "{name} always fires");
        for label in rest.split("$labels.").skip(1) {
            let label: String = label.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            assert!(labels.contains(&format!("{label}=\"")), "{name} has no label {label}: {labels}");
        }
    }
    assert!(fires.is_empty(), "no alerts: {fires:?}");
}
