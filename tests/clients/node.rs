//! Node's clients: autocannon, which pipelines, and fetch, whose pool sends a request on whatever connection it has.

use std::process::Command;

use drover::dispatch::MODELS;
use serde_json::Value;

use crate::support::server::Server;
use crate::support::tools;
use crate::{busy, installed, run, while_reloading};

/// How long a server that leaves, or has no room for others, listens to a connection that says nothing: from its
/// accept, and from its last answer.
const FIRST_LULL_MS: u64 = 100;
const LULL_MS: u64 = 500;

/// Eight requests at a time on each of ten connections, each of which ends after a thousand.
#[test]
fn autocannon_loses_no_response() {
    for kind in MODELS {
        let server = Server::drover(busy(2).dispatch(kind.name));
        server.file("index.html", "x".repeat(500));
        let mut command = Command::new(tools::find("node"));
        command
            .arg(installed("node/node_modules/autocannon/autocannon.js"))
            .args(["-j", "-n", "-p", "8", "-a", "30000"]);
        let result: Value = serde_json::from_str(&run(command.arg(server.url("/")))).expect("autocannon's JSON");
        let number = |name: &str| result[name].as_u64();
        let seen = ["errors", "timeouts", "mismatches", "non2xx", "resets"].map(number);
        assert_eq!(seen, [Some(0); 5], "{}: {result}", kind.name);
        // autocannon does not repeat the requests behind the last one of a connection: eight at each of thirty ends.
        assert!(number("2xx").is_some_and(|n| n >= 30_000 - 8 * 30), "{}: {result}", kind.name);
    }
}

/// How many of `times` fetches of each of `loops` loops have failed, and why. `connections`: a `pool` of all loops, or
/// each its `own`.
fn fetch(server: &Server, connections: &str, loops: usize, times: usize) -> String {
    let mut command = Command::new(tools::find("node"));
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/fetch.mjs"));
    command.arg(installed("node/node_modules/undici/index.js")).arg(server.url("/"));
    run(command.arg(connections).args([
        loops.to_string(),
        times.to_string(),
        FIRST_LULL_MS.to_string(),
        LULL_MS.to_string(),
    ]))
}

#[test]
fn no_fetch_fails_during_reloads() {
    for model in ["exclusive", "pool_pass", "prefork worker_threads=64", "fork", "leader_follower"] {
        let server = Server::drover(busy(2).dispatch(model));
        server.file("index.html", "hello");
        let said = while_reloading(&server, || fetch(&server, "own", 20, 100));
        assert_eq!(said, "0 of 2000 failed\n", "{model}");
    }
}

/// Sixty loops, and room for twenty-four: who gets an answer is told to make room, instead of being reset under its
/// next request.
#[test]
fn no_fetch_fails_where_there_is_room_for_few() {
    for kind in MODELS {
        let params = kind.params.iter().filter(|param| matches!(param.name, "worker_threads" | "fork_max"));
        // The threads of leader_follower do not bound its connections.
        let params = params.filter(|_| kind.name != "leader_follower").map(|param| format!(" {}=24", param.name));
        let model = format!("{}{}", kind.name, params.collect::<String>());
        let server = Server::drover(busy(1).events("worker_connections 24;").dispatch(&model));
        server.file("index.html", "hello");
        assert_eq!(fetch(&server, "pool", 60, 15), "0 of 900 failed\n", "{model}");
    }
}
