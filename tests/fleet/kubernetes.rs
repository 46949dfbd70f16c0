//! `conf/kubernetes`: valid by schema, within the standard "restricted", and of one mind with the conf.

use std::process::Command;

use crate::support::server::Server;
use crate::{conf, with};

/// Looks at the files in the folder that it gets, and prints the names of those that are as they should be.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fleet/manifests.py");

#[test]
fn the_manifests_are_valid_and_restricted_and_fit_each_other() {
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/target/python/bin/python3");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/kubernetes");
    let output = Command::new(python).args([SCRIPT, folder]).output().expect("python: run tools/test once");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for kind in ["Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler", "NetworkPolicy"] {
        assert!(said.lines().any(|line| line == kind), "no {kind} in\n{said}");
    }
}

/// The Deployment runs the image of the guide: with another root it would answer 403, and the probes, which ask for no
/// file, would be green.
#[test]
fn the_site_is_where_the_image_of_the_guide_has_it() {
    let word_behind = |name: &str, before: &str| {
        let text = conf(name);
        let mut words = text.lines().filter_map(|line| line.trim_start().strip_prefix(before)).map(str::trim);
        let word = words.next().map(|word| word.trim_end_matches(';').to_owned());
        assert_eq!(words.next(), None, "{name} has two");
        word.unwrap_or_else(|| panic!("no {before:?} in {name}"))
    };
    let root = word_behind("container/drover.conf", "root ");
    assert_eq!(word_behind("kubernetes/drover.conf", "root "), root);
    assert_eq!(word_behind("GUIDE.md", "COPY dist "), root);
    for (name, piece) in [
        ("kubernetes/kustomization.yaml", format!(" the site in {root} (conf/container)")),
        ("container/Containerfile", format!(" -v ./site:{root}:ro ")),
    ] {
        assert!(conf(name).contains(&piece), "no {piece:?} in {name}");
    }
}

#[test]
fn the_conf_answers_the_probes_and_shows_the_metric_of_the_autoscaler() {
    let text = conf("kubernetes/drover.conf");
    let text = with(text, "listen  8080", "listen 127.0.0.1:%port%");
    let text = with(text, "listen      8081", "listen 127.0.0.1:%port2%");
    let text = with(text, "/srv/www;", "%root%;");
    let text = with(text, "/dev/stdout", "%dir%/access.log");
    let text = with(text, "stderr notice", "%dir%/error.log notice");
    let server = Server::drover(with(text, "pid               off", "pid %dir%/server.pid"));
    server.file("index.html", "the site");
    assert_eq!(server.connect().get("/").text(), "the site");
    let mut state = crate::support::client::Client::connect(([127, 0, 0, 1], server.ports()[1]).into());
    assert_eq!(state.get("/healthz").status, 200);
    let metrics = state.get("/metrics").text();
    assert!(metrics.contains("\ndrover_connections{state=\"open\"} "), "{metrics}");
    assert_eq!(server.connect().get("/metrics").status, 404, "the site's port shows nothing");
}
