//! The process pools over the real binary: what is handed to whom, and what becomes of it when somebody dies or leaves.

#[path = "../support/mod.rs"]
mod support;

mod deaths;
mod leaving;
mod spread;

use drover::shm::{Ledger, Role, Sums};

use support::conf::Conf;
use support::server::Server;
use support::until;

/// The models in which the dispatcher accepts.
const PASSING: [&str; 2] = ["pool_pass", "pool_queue"];
const ALL: [&str; 3] = ["pool_notify", "pool_pass", "pool_queue"];

/// A running pool with one page; its dispatcher and all of its workers alive.
fn pool(workers: usize, events: &str) -> (Server, Ledger) {
    let server = Server::drover(Conf::workers(workers).events(events));
    server.file("index.html", "hello");
    let ledger = server.ledger();
    until("all processes count", || (ledger.live().count() == workers + 1).then_some(()));
    (server, ledger)
}

/// The counts of the living processes of a role, in the order of their numbers.
fn counted(ledger: &Ledger, role: Role) -> Vec<Sums> {
    let mut slots: Vec<_> = ledger.live().filter(|slot| slot.role() == role).collect();
    slots.sort_by_key(|slot| slot.number());
    slots.into_iter().map(|slot| slot.read()).collect()
}

fn pids(ledger: &Ledger, role: Role) -> Vec<i32> {
    let mut slots: Vec<_> = ledger.live().filter(|slot| slot.role() == role).collect();
    slots.sort_by_key(|slot| slot.number());
    slots.into_iter().filter_map(|slot| slot.pid()).map(|pid| pid as i32).collect()
}
