//! The service's pages about itself, as their users see them: stub_status beside nginx's own, the ledger's sums
//! beside the counts of the clients, Prometheus' own parser, a browser; and how long connections wait to be accepted.

#[path = "../support/mod.rs"]
mod support;

mod announced;
mod counts;
mod delays;
mod metrics;
mod page;
mod prometheus;
mod stub_status;
mod sums;

use serde_json::Value;
use support::conf::Conf;
use support::server::Server;

/// A conf with all views of the service.
fn viewed(workers: usize) -> Conf {
    Conf::workers(workers).server(
        "location /stub { stub_status; } location /ledger { ledger; } location /metrics { metrics; } \
         location /status { status_page; }",
    )
}

/// The ledger as JSON, asked for over a connection of its own.
fn ledger(server: &Server) -> Value {
    let response = server.connect().get("/ledger");
    assert_eq!(response.header("Content-Type"), Some("application/json"));
    serde_json::from_slice(&response.body).expect("JSON")
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("{name} in {value}"))
}

fn row(value: &Value, name: &str) -> Vec<u64> {
    let numbers = value[name].as_array().unwrap_or_else(|| panic!("{name} in {value}"));
    numbers.iter().map(|n| n.as_u64().expect("a number")).collect()
}
