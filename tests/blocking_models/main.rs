//! The models whose threads or processes block: prefork, thread_pool, fork, leader_follower.

#[path = "../support/mod.rs"]
mod support;

mod clients;
mod life;

use std::thread;
use std::time::Duration;

use support::client::Client;
use support::conf::Conf;
use support::proc;
use support::server::Server;

/// Each with a room for two clients in each of its workers, apart from leader_follower, which has no such bound.
const TWO_AT_A_TIME: [&str; 3] =
    ["prefork worker_threads=2", "thread_pool worker_threads=2 queue=1", "fork fork_max=2"];
const ALL: [&str; 4] = ["prefork", "thread_pool", "fork", "leader_follower"];

/// Long enough to tell a server that keeps silent from one that is slow.
const SILENCE: Duration = Duration::from_millis(300);

fn start(model: &str, workers: usize, server: &str) -> Server {
    let conf = Conf::workers(workers)
        .dispatch(model)
        .server("location = /hello { return 200 hello; } location = /ledger { ledger; }")
        .server(server);
    let server = Server::drover(conf);
    let count = if model.starts_with("fork") { 1 } else { workers };
    server.wait_for_workers(count);
    server
}

fn hello(client: &mut Client) {
    assert_eq!(client.get("/hello").text(), "hello");
}

/// Tests all of `models` at once: most of the time they wait.
fn each(models: impl IntoIterator<Item = &'static str>, test: impl Fn(&str) + Sync) {
    thread::scope(|scope| {
        for model in models {
            let test = &test;
            scope.spawn(move || test(model));
        }
    });
}

/// Sends the beginning of a first request: who serves this client is busy with it until `finish`.
/// A client that has begun to ask before the next one comes: one that waits for its turn while this one is idle takes
/// its place.
fn begun(server: &Server) -> Client {
    let mut client = server.connect();
    begin(&mut client);
    client
}

fn begin(client: &mut Client) {
    client.send("GET /hello HTTP/1.1\r\nHost: local");
}

fn totals(client: &mut Client) -> serde_json::Value {
    serde_json::from_str(&client.get("/ledger").text()).expect("JSON")
}

/// All processes that serve: the workers, or the children of the dispatcher.
fn serving(server: &Server) -> Vec<i32> {
    proc::tree(server.pid()).into_iter().filter(|pid| *pid != server.pid()).collect()
}

/// The process that holds the client's connection.
fn server_of(server: &Server, client: &Client) -> i32 {
    let before = proc::connections(&serving(server), server.port());
    let holders: Vec<i32> = before.into_iter().filter(|(_, count)| *count > 0).map(|(pid, _)| pid).collect();
    assert_eq!(holders.len(), 1, "{holders:?} hold connections, client {}", client.local_port());
    holders[0]
}
