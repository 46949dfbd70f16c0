//! The work of caches and limits is counted in the ledger, in every model, and shown by `ledger` and `metrics`.

use std::fs;

use serde_json::Value;

use crate::support::client::Client;
use crate::support::h2::H2;
use crate::support::server::Server;
use crate::support::until_true;
use crate::{ledger, row, viewed};

fn counted(server: &Server, name: &str) -> Vec<u64> {
    row(&ledger(server)["totals"], name)
}

/// The value of a sample of /metrics.
fn sample(server: &Server, sample: &str) -> u64 {
    let text = server.connect().get("/metrics").text();
    let line = text.lines().find_map(|line| line.strip_prefix(sample)).unwrap_or_else(|| panic!("{sample} in\n{text}"));
    line.trim().parse().unwrap_or_else(|_| panic!("{sample}{line}"))
}

/// A request of its own connection, answered.
fn ask(server: &Server, target: &str) -> u16 {
    server.connect().get(target).status
}

const ZONES: &str = "limit_req_zone $arg_k zone=minute:1m rate=1r/m; limit_req_zone $arg_k zone=dry:1m rate=1r/m;
    limit_req_zone $arg_k zone=quick:1m rate=10r/s; limit_conn_zone $arg_k zone=clients:1m;";

const LIMITED: &str = "location /rejected { limit_req zone=minute; try_files /index.html =404; }
    location /delayed { limit_req zone=quick burst=5; try_files /index.html =404; }
    location /dry { limit_req zone=dry; limit_req_dry_run on; try_files /index.html =404; }
    location /late { limit_req zone=dry burst=5; limit_req_dry_run on; try_files /index.html =404; }
    location /one { limit_conn clients 1; limit_rate $arg_rate; try_files /large =404; }
    location /dry_one { limit_conn clients 1; limit_conn_dry_run on; try_files /index.html =404; } http2 on;";

fn limits_are_counted(model: &str) {
    let conf = viewed(2).events(&format!("worker_connections 64; dispatch {model};")).http(ZONES).server(LIMITED);
    let server = Server::drover(conf);
    server.file("index.html", "hello").file("large", vec![b'x'; 100_000]);
    assert_eq!(["/rejected?k=a", "/rejected?k=a"].map(|target| ask(&server, target)), [200, 503], "{model}");
    assert_eq!(H2::connect(server.addr()).get(1, "/rejected?k=a").status(), "503", "{model}");
    assert_eq!(["/dry?k=a", "/dry?k=a"].map(|target| ask(&server, target)), [200, 200], "{model}");
    assert_eq!(["/late?k=b", "/late?k=b"].map(|target| ask(&server, target)), [200, 200], "{model}");
    let mut held = server.connect();
    held.send("GET /one?k=a&rate=1 HTTP/1.1\r\nHost: a\r\n\r\n").wait_for_bytes(1);
    assert_eq!(["/one?k=a&rate=0", "/dry_one?k=a"].map(|target| ask(&server, target)), [503, 200], "{model}");
    drop(held);
    until_true(&format!("each outcome is counted once, {model}"), || {
        counted(&server, "limited_requests") == [0, 2, 1, 1, 1, 1]
    });
    let pair = "GET /delayed?k=c HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2);
    until_true(&format!("a request that comes at once is delayed, {model}"), || {
        let mut client = server.connect();
        client.send(&pair);
        assert_eq!([(), ()].map(|()| client.response().expect("an answer").status), [200, 200], "{model}");
        counted(&server, "limited_requests")[0] > 0
    });
    assert_eq!(sample(&server, "drover_limited_requests_total{limit=\"req\",result=\"rejected\"}"), 2);
    assert_eq!(sample(&server, "drover_limited_requests_total{limit=\"conn\",result=\"rejected_dry_run\"}"), 1);
}

#[test]
fn in_every_model_limited_requests_are_counted() {
    drover::dispatch::MODELS.iter().for_each(|kind| limits_are_counted(kind.name));
}

/// Asks over this connection until the ledger shows a hit of the cache. Returns the number of requests.
fn until_hit(server: &Server, client: &mut Client, request: &str, counter: &str) -> u64 {
    let before = counted(server, counter)[0];
    let mut asked = 0;
    until_true(&format!("{counter} has a hit by {request:?}"), || {
        client.send(request);
        assert_eq!(client.response().expect("an answer").status, 200);
        asked += 1;
        counted(server, counter)[0] > before
    });
    asked
}

fn lookups_are_counted(model: &str, http: &str) {
    let events = format!("worker_connections 64; dispatch {model};");
    let http =
        format!("gzip on; gzip_types text/plain; gzip_min_length 1; gzip_cache 1m; types {{ text/plain txt; }} {http}");
    let server = Server::drover(viewed(2).events(&events).http(&http));
    server.file("a.txt", "hello ".repeat(500));
    let total = |counter: &str| counted(&server, counter).iter().sum::<u64>();
    let get = |more: &str| format!("GET /a.txt HTTP/1.1\r\nHost: a\r\n{more}\r\n");

    let mut client = server.connect();
    let mut lookups = until_hit(&server, &mut client, &get(""), "file_lookups");
    assert_eq!(client.get("/none").status, 404);
    lookups += 1;
    until_true(&format!("each look-up is counted once, {model}"), || total("file_lookups") == lookups);
    assert!(counted(&server, "file_lookups")[1] >= 2, "the first one, and what is missing, {model}");

    assert_eq!(counted(&server, "gzip_lookups"), [0, 0]);
    let asked = until_hit(&server, &mut client, &get("Accept-Encoding: gzip\r\n"), "gzip_lookups");
    let counts = counted(&server, "gzip_lookups");
    assert_eq!((counts[0], counts[1] + 1), (1, asked), "{model}");
    assert_eq!(sample(&server, "drover_cache_lookups_total{cache=\"gzip\",result=\"hit\"}"), 1);
    assert_eq!(sample(&server, "drover_cache_lookups_total{cache=\"gzip\",result=\"miss\"}"), asked - 1);
    assert!(sample(&server, "drover_cache_lookups_total{cache=\"files\",result=\"hit\"}") > 0);
}

#[test]
fn in_every_model_lookups_in_caches_are_counted() {
    drover::dispatch::MODELS.iter().for_each(|kind| lookups_are_counted(kind.name, ""));
}

#[test]
fn lookups_that_threads_make_are_counted() {
    lookups_are_counted("accept_mutex", "aio threads;");
}

/// The file is gone, and what is kept of it is sent: nobody has looked.
#[test]
fn what_open_file_cache_keeps_is_a_hit() {
    let server = Server::drover(viewed(1).server("open_file_cache max=10;"));
    server.file("a.txt", "x");
    let mut client = server.connect();
    assert_eq!(client.get("/a.txt").status, 200);
    until_true("the first look-up is counted", || counted(&server, "file_lookups") == [0, 1]);
    fs::remove_file(server.dir().join("root/a.txt")).expect("remove a file");
    assert_eq!(client.get("/a.txt").status, 200);
    until_true("the second is a hit", || counted(&server, "file_lookups") == [1, 1]);
}

/// The members of the JSON have the length that its head promises.
#[test]
fn the_rows_are_as_long_as_they_are_said_to_be() {
    let server = Server::drover(viewed(1));
    let json: Value = ledger(&server);
    let lengths = ["limited_requests", "file_lookups", "gzip_lookups", "tls_full_time", "tls_resumed_time"]
        .map(|name| row(&json["totals"], name).len());
    assert_eq!(lengths, [6, 2, 2, 27, 27]);
}
