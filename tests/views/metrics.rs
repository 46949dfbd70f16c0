//! The metrics in both formats, read by the parsers of Prometheus' own Python client, and their names by promtool.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::client::Client;
use crate::support::server::Server;
use crate::support::tools;
use crate::{number, viewed};

/// The Python that has prometheus_client: the one of .ci/run's own environment, else the system's.
fn python() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python3");
    if own.is_file() { own } else { tools::find("python3") }
}

/// Parses standard input, checks what the parser lets pass, and writes the families as JSON.
const CHECK: &str = r#"
import json, sys
try:
    if sys.argv[1] == "openmetrics":
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
    else:
        from prometheus_client.parser import text_string_to_metric_families
except ImportError:
    sys.exit("prometheus_client is missing: python3 -m pip install prometheus_client")
families = {}
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.name not in families, family.name + " is there twice"
    assert family.type != "unknown" and family.documentation, family.name
    if sys.argv[1] == "openmetrics":
        unit = family.name.rpartition("_")[2]
        assert family.unit == (unit if unit in ("seconds", "bytes") else ""), family.name
    seen = set()
    for sample in family.samples:
        key = (sample.name, tuple(sorted(sample.labels.items())))
        assert key not in seen, key
        seen.add(key)
    if family.type == "histogram":
        histograms = {}
        for sample in family.samples:
            labels = {name: text for name, text in sample.labels.items() if name != "le"}
            parts = histograms.setdefault(tuple(labels.items()), {"bucket": []})
            part = sample.name.removeprefix(family.name + "_")
            if part == "bucket":
                parts[part].append((float(sample.labels["le"]), sample.value))
            else:
                parts[part] = sample.value
        for parts in histograms.values():
            buckets = parts["bucket"]
            assert buckets == sorted(buckets) and [n for _, n in buckets] == sorted(n for _, n in buckets), family.name
            assert buckets[-1] == (float("inf"), parts["count"]) and "sum" in parts, family.name
    families[family.name] = [[s.name, s.labels, s.value] for s in family.samples]
json.dump(families, sys.stdout)
"#;

/// The output of a program that reads `text`.
fn piped(command: &mut Command, text: &str) -> Output {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("write to the program");
    child.wait_with_output().expect("wait for the program")
}

fn parsed(text: &str, format: &str) -> Value {
    let output = piped(Command::new(python()).args(["-c", CHECK, format]), text);
    assert!(output.status.success(), "{format}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Names and labels of all samples.
fn samples(families: &Value) -> BTreeSet<String> {
    let families = families.as_object().expect("families").values();
    families.flat_map(|family| family.as_array().expect("samples")).map(|s| format!("{} {}", s[0], s[1])).collect()
}

/// The metrics as OpenMetrics, asked for as Prometheus 2.42 asks.
fn open_metrics(client: &mut Client) -> String {
    client.send(
        "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: application/openmetrics-text;version=1.0.0,\
         application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n\r\n",
    );
    let response = client.response().expect("an answer");
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((response.header("Content-Type"), response.header("Vary")), (Some(media_type), Some("Accept")));
    response.text()
}

/// The value of a sample with these labels, at least.
fn value(families: &Value, family: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    let samples = families[family].as_array().unwrap_or_else(|| panic!("{family} in {families}"));
    let fits = |sample: &&Value| sample[0] == name && labels.iter().all(|(label, text)| sample[1][label] == *text);
    samples.iter().find(fits).unwrap_or_else(|| panic!("{name} {labels:?} in {samples:?}"))[2]
        .as_f64()
        .expect("a number")
}

#[test]
fn prometheus_own_parser_reads_them() {
    let server = Server::drover(viewed(2).events("worker_connections 256; accept_mutex on;"));
    server.file("index.html", "hello");
    let mut client = server.connect();
    (0..500).for_each(|_| assert_eq!(client.get("/index.html").status, 200));
    // Over the same connection: another worker may answer before this one has counted its last request.
    let response = client.get("/metrics");
    assert_eq!(response.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let families = parsed(&response.text(), "text");
    let total = |name: &str| value(&families, &format!("drover_{name}"), &format!("drover_{name}_total"), &[]);
    assert_eq!((total("requests"), total("accepts")), (500.0, 1.0));
    assert_eq!(value(&families, "drover_responses", "drover_responses_total", &[("class", "2xx")]), 500.0);
    let by_protocol = |name| {
        value(&families, "drover_requests_by_protocol", "drover_requests_by_protocol_total", &[("protocol", name)])
    };
    assert_eq!(["HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "other"].map(by_protocol), [0.0, 500.0, 0.0, 0.0]);
    let name = "drover_http2_connections";
    assert_eq!(value(&families, name, "drover_http2_connections_total", &[("transport", "tls")]), 0.0);
    let times = "drover_request_time_seconds";
    assert_eq!(value(&families, times, "drover_request_time_seconds_count", &[]), 500.0);
    let sum = value(&families, times, "drover_request_time_seconds_sum", &[]);
    assert!(sum > 500.0 * 1e-7 && sum < 500.0, "{sum}");
    assert_eq!(value(&families, "drover_dispatch_info", "drover_dispatch_info", &[("model", "accept_mutex")]), 1.0);
    assert_eq!(value(&families, "drover_reloads", "drover_reloads_total", &[("result", "failed")]), 0.0);
    assert!(value(&families, "drover_mutex_held_seconds", "drover_mutex_held_seconds_total", &[]) > 0.0);

    let json = crate::ledger(&server);
    assert_eq!(
        value(&families, "drover_conf_generation", "drover_conf_generation", &[]) as u64,
        number(&json, "generation")
    );
    let name = "drover_process_connections";
    let open = |worker: i32| {
        let labels = [("pid", &*worker.to_string()), ("role", "worker"), ("state", "open")];
        value(&families, name, name, &labels)
    };
    assert_eq!(server.wait_for_workers(2).into_iter().map(open).sum::<f64>(), 1.0);
}

/// Every name, label and bound is the same in both formats, and promtool finds no name that is against Prometheus'
/// conventions.
#[test]
fn both_formats_say_the_same_and_promtool_is_silent() {
    let server = Server::drover(viewed(2));
    server.file("index.html", "hello");
    let mut client = server.connect();
    assert_eq!(client.get("/index.html").status, 200);
    let open = open_metrics(&mut client);
    assert!(open.ends_with("\n# EOF\n"), "{open}");
    let (open, response) = (parsed(&open, "openmetrics"), client.get("/metrics"));
    assert_eq!(response.header("Vary"), Some("Accept"));
    let text = response.text();
    let plain = parsed(&text, "text");
    assert_eq!(samples(&open), samples(&plain));
    assert_eq!(value(&open, "drover_build", "drover_build_info", &[]), 1.0);
    let sent = |families: &Value| value(families, "drover_sent_bytes", "drover_sent_bytes_total", &[]);
    assert!(sent(&open) > 5.0 && sent(&open) < sent(&plain), "the answer in OpenMetrics is counted before the next");
    let lint = piped(Command::new(tools::find("promtool")).args(["check", "metrics"]), &text);
    let said = [&lint.stdout[..], &lint.stderr].concat();
    assert!(lint.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}
