//! HTTP/2, in clear: frames that break the rules, beside nginx; limits, fairness between streams, ends of connections;
//! curl, nghttp and h2load, which `tools/test` installs.

#[path = "../support/mod.rs"]
mod support;

mod broken;
mod clients;
mod limits;
mod rests;
mod streams;

use support::conf::Conf;
use support::server::Server;

/// A conf with HTTP/2, of one worker.
fn conf() -> Conf {
    Conf::workers(1).server("http2 on;")
}

fn server(conf: Conf) -> Server {
    let server = Server::drover(conf);
    server.file("index.html", "hello").file("large", vec![b'x'; 2_000_000]);
    (0..100).for_each(|n| _ = server.file(&format!("small{n}"), format!("small {n}")));
    server
}
