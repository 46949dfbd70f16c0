//! The dispatch models over the real binary: each model's mechanism, asserted from /proc and from the ledger.

#[path = "../support/mod.rs"]
mod support;

mod acceptors;
mod lease;
mod reuseport;
mod spread;
mod steer;

use drover::shm::Ledger;

use support::server::Server;
use support::until;

/// A running server with one page, all of its processes alive.
fn serve(conf: impl ToString, processes: usize) -> (Server, Ledger) {
    let server = Server::drover(conf);
    server.file("index.html", "hello");
    let ledger = server.ledger();
    until("all processes count", || (ledger.live().count() == processes).then_some(()));
    (server, ledger)
}
