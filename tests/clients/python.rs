//! Python's clients, each with one kept connection or a pool.

use std::process::Command;

use crate::support::server::Server;
use crate::{busy, installed, run, while_reloading};

/// Prints what each has to say about a reload in the midst of its requests, and of the end of a connection.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/clients.py");

fn gets(server: &Server, client: &str, times: usize) {
    let python = installed("python/bin/python3");
    let said = run(Command::new(python).arg(SCRIPT).arg(client).arg(server.url("/")).arg(times.to_string()));
    assert_eq!(said, format!("{client}: {times} right\n"));
}

const CLIENTS: [&str; 4] = ["http.client", "urllib", "requests", "httpx"];

#[test]
fn python_s_clients_get_what_they_ask_for() {
    let server = Server::drover(busy(2).http("keepalive_requests 20;"));
    server.file("index.html", "hello").file("large", vec![b'x'; 1_500_000]);
    CLIENTS.iter().for_each(|client| gets(&server, client, 300));
}

#[test]
fn python_s_clients_get_what_they_ask_for_during_reloads() {
    for client in CLIENTS {
        let server = Server::drover(busy(2));
        server.file("index.html", "hello").file("large", vec![b'x'; 1_500_000]);
        while_reloading(&server, || gets(&server, client, 1500));
    }
}
