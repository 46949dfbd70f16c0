//! The dispatch models over the real binary: each model's mechanism, asserted from /proc and from the ledger.

#[path = "../support/mod.rs"]
mod support;

mod lease;
mod reuseport;
mod spread;

use std::fs::{self, File};

use drover::shm::{LEDGER_NAME, Ledger};

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
    let ledger = ledger(&server);
    until("all processes count", || (ledger.live().count() == processes).then_some(()));
    (server, ledger)
}

/// The ledger that the master shares with its children, by way of its memfd.
fn ledger(server: &Server) -> Ledger {
    let fds = fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("the master's descriptors");
    let is_ledger = |path: &std::path::PathBuf| {
        fs::read_link(path).is_ok_and(|target| target.to_string_lossy().contains(LEDGER_NAME))
    };
    let path = fds.flatten().map(|entry| entry.path()).find(is_ledger).expect("the ledger's memfd");
    let file = File::options().read(true).write(true).open(path).expect("open the ledger");
    Ledger::open(file).expect("a ledger of this version")
}
