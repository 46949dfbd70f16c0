//! The dispatch models over the real binary: each model's mechanism, asserted from /proc and from the ledger.

#[path = "../support/mod.rs"]
mod support;

mod lease;
mod reuseport;
mod spread;

use drover::shm::Ledger;

use support::server::Server;
use support::until;

/// A conf with `workers` workers; `events` goes into that block, `listen` behind the address.
fn conf(workers: usize, events: &str, listen: &str) -> String {
    format!(
        "%main%\nworker_processes {workers};\nevents {{ {events} }}\n\
         http {{ %http% access_log off;\nserver {{ listen 127.0.0.1:%port% {listen}; root %root%; }} }}\n"
    )
}

/// A running server with one page, all of its processes alive.
fn serve(conf: &str, processes: usize) -> (Server, Ledger) {
    let server = Server::drover(conf);
    server.file("index.html", "hello");
    let ledger = server.ledger();
    until("all processes count", || (ledger.live().count() == processes).then_some(()));
    (server, ledger)
}
