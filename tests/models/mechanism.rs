//! How each model does it, seen from outside: processes, threads, sockets, epoll sets, wakeups.

use std::collections::BTreeSet;

use drover::dispatch::ModelKind;
use drover::shm::Role;

use crate::service::{Service, Want};
use crate::support::client::Client;
use crate::support::{Noise, best_of, proc, until, until_true};

/// The mechanism of a model. A model that is not in the table has to serve as all do: the other cases test that.
pub struct Mechanism {
    model: &'static str,
    /// The processes that have the listening sockets in an epoll set.
    watched_by: By,
    /// The processes that accept.
    accepted_by: Role,
    /// Whether the model has a dispatcher.
    pub dispatcher: bool,
    /// Threads of a worker apart from the one that hears the signals: none, or `worker_threads` and so many more.
    threads: Option<usize>,
    /// Each connection has a process of its own; there are no workers without clients.
    forks: bool,
    /// Each worker has a listening socket of its own.
    pub own_sockets: bool,
    /// The number of workers that a connection wakes.
    wakes: Wakes,
    /// While a worker is stopped, whoever connects is served by the others.
    pub spares_a_stopped_worker: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// A single worker at a time: the holder of the mutex.
    OneWorker,
    /// The holder of the mutex, with a deputy behind it; all know all epoll sets.
    HolderAndDeputy,
    Workers,
    Dispatcher,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wakes {
    /// Several workers, all but one of them in vain.
    Many,
    /// A single worker.
    One,
}

/// Workers with an event loop each and one socket, of whom one is woken.
const PLAIN: Mechanism = Mechanism {
    model: "",
    watched_by: By::Workers,
    accepted_by: Role::Worker,
    dispatcher: false,
    threads: None,
    forks: false,
    own_sockets: false,
    wakes: Wakes::One,
    spares_a_stopped_worker: true,
};

/// A dispatcher that accepts.
const DISPATCHED: Mechanism =
    Mechanism { watched_by: By::Dispatcher, accepted_by: Role::Dispatcher, dispatcher: true, ..PLAIN };

static TABLE: &[Mechanism] = &[
    Mechanism { model: "accept_mutex", watched_by: By::OneWorker, ..PLAIN },
    Mechanism { model: "accept_handoff", watched_by: By::HolderAndDeputy, ..PLAIN },
    Mechanism { model: "herd", wakes: Wakes::Many, ..PLAIN },
    Mechanism { model: "exclusive", ..PLAIN },
    // The kernel has chosen the socket before anybody is asked.
    Mechanism { model: "reuseport", own_sockets: true, spares_a_stopped_worker: false, ..PLAIN },
    // Connections that wait for a worker without a sign of life are moved to others.
    Mechanism { model: "steer", own_sockets: true, ..PLAIN },
    Mechanism { model: "pool_notify", accepted_by: Role::Worker, spares_a_stopped_worker: false, ..DISPATCHED },
    // A connection that was passed to a worker is not taken back.
    Mechanism { model: "pool_pass", spares_a_stopped_worker: false, ..DISPATCHED },
    Mechanism { model: "pool_queue", ..DISPATCHED },
    Mechanism { model: "prefork", threads: Some(0), ..PLAIN },
    Mechanism { model: "thread_pool", threads: Some(1), ..PLAIN },
    Mechanism { model: "fork", forks: true, ..DISPATCHED },
    Mechanism { model: "leader_follower", threads: Some(0), ..PLAIN },
];

impl Mechanism {
    pub fn of(kind: &ModelKind) -> Option<&'static Mechanism> {
        TABLE.iter().find(|mechanism| mechanism.model == kind.name)
    }
}

pub fn mechanism(kind: &'static ModelKind) {
    const WORKERS: usize = 4;
    const CLIENTS: usize = 10;
    // A single worker may get all of them.
    const THREADS: usize = CLIENTS + 2;
    let Some(expected) = Mechanism::of(kind) else { return };
    let service = Want::of(kind).workers(WORKERS).param("worker_threads", THREADS as u64).start();

    let standing = if expected.forks { 0 } else { WORKERS };
    // The first process may answer before the last begins.
    until_true("the processes of the model", || {
        let counts = [Role::Worker, Role::Dispatcher].map(|role| service.pids(role).len());
        counts == [standing, usize::from(expected.dispatcher)]
    });
    assert_eq!(service.workers().len(), standing + usize::from(expected.dispatcher), "children of the master");
    for pid in service.pids(Role::Worker) {
        let threads = 1 + expected.threads.map_or(0, |more| THREADS + more);
        until_true(&format!("{threads} threads"), || proc::threads(pid) == threads);
    }
    let sockets = if expected.own_sockets { WORKERS } else { 1 };
    assert_eq!(proc::listening_inodes(service.port()).len(), sockets, "sockets of a port");

    let (workers, dispatchers) = (service.pids(Role::Worker), service.pids(Role::Dispatcher));
    until_true("who watches the listening socket", || {
        let watching: BTreeSet<i32> = proc::who_watches_port(&service.workers(), service.port()).into_iter().collect();
        match expected.watched_by {
            By::OneWorker => watching.len() == 1 && watching.iter().all(|pid| workers.contains(pid)),
            By::HolderAndDeputy => service.workers().into_iter().all(|pid| {
                let listening = proc::listening_inodes(service.port());
                proc::watches(pid).iter().filter(|watch| listening.contains(&watch.inode)).count() == 2
            }),
            By::Workers => watching.iter().eq(&workers),
            By::Dispatcher => watching.iter().eq(&dispatchers),
        }
    });

    if matches!(expected.watched_by, By::OneWorker | By::HolderAndDeputy) {
        until_true("a worker holds the mutex", || {
            service.ledger.mutex().holder().is_some_and(|pid| workers.contains(&(pid as i32)))
        });
    }

    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| service.connect()).collect();
    clients.iter_mut().for_each(|client| assert_eq!(client.get("/").text(), "hello"));
    let other = if expected.accepted_by == Role::Worker { Role::Dispatcher } else { Role::Worker };
    assert_eq!(service.sums_of(expected.accepted_by).accepts, CLIENTS as u64, "accepts where they belong");
    assert_eq!(service.sums_of(other).accepts, 0, "accepts elsewhere");
    // Passed or not: nobody keeps a copy.
    let serving = service.pids(Role::Worker);
    let held = proc::connections(&proc::tree(service.pid()), service.port());
    assert_eq!(held.values().sum::<usize>(), CLIENTS, "{held:?}");
    assert!(held.iter().all(|(pid, count)| *count == 0 || serving.contains(pid)), "{held:?}, serving {serving:?}");
    if expected.forks {
        assert_eq!(serving.len(), CLIENTS, "a process for each connection");
        assert!(serving.iter().all(|pid| held[pid] == 1), "{held:?}");
        clients.truncate(3);
        until_true("the others have ended", || service.pids(Role::Worker).len() == 3);
        service.assert_no_zombies();
    }
    drop(clients);
    service.end();
}

/// Wakeups by connections that come one after another, with eight workers asleep.
pub fn wakeups(kind: &'static ModelKind) {
    let Some(expected) = Mechanism::of(kind) else { return };
    // Signs of life are wakeups, too, by time and not by connections.
    let service = Want::of(kind).workers(8).events("steer_lease 60s;").start();
    match expected.wakes {
        // Every connection finds all workers asleep, so that the rest of the machine can add wakeups only: no round may
        // have fewer. epoll looks once more before it wakes the program, by which time another has accepted: most that
        // wake in vain do so in the kernel, and are seen by how often they went to sleep again.
        Wakes::Many => {
            let (_, sleeps) = count_wakeups(&service);
            assert!(sleeps > 4.5, "{sleeps} sleeps a connection");
        }
        Wakes::One => {
            // A dispatcher that does not accept is woken once more: by the worker's answer that it has accepted.
            let is_answered = expected.dispatcher && expected.accepted_by == Role::Worker;
            let most_sleeps = match expected.threads {
                Some(_) => f64::INFINITY,
                None if is_answered => 5.0,
                None => 4.0,
            };
            best_of(8, Noise::Adds, 1.0, || {
                let (wakeups, sleeps) = count_wakeups(&service);
                (wakeups / 1.05).max(sleeps / most_sleeps)
            });
        }
    }
    if expected.wakes == Wakes::Many {
        wake_in_vain(&service);
    }
    service.end();
}

/// Wakeups and sleeps for a connection, in one round of connections, one after another.
fn count_wakeups(service: &Service) -> (f64, f64) {
    const CONNECTIONS: u64 = 100;
    let sleeps = || service.workers().into_iter().map(proc::sleeps).sum::<u64>();
    let (before, slept) = (service.sums(), sleeps());
    for _ in 0..CONNECTIONS {
        // A worker that is still busy with the last connection would find the next one by itself, beside the worker
        // that is woken.
        until_true("all are asleep", || service.workers().into_iter().all(proc::is_asleep));
        assert_eq!(service.connect().get("/").text(), "hello");
    }
    let after = until("all are counted", || Some(service.sums()).filter(|s| s.accepts - before.accepts == CONNECTIONS));
    let a_connection = |count: u64| count as f64 / CONNECTIONS as f64;
    let (wakeups, sleeps) = (a_connection(after.wakeups - before.wakeups), a_connection(sleeps() - slept));
    let empty = after.empty_accepts - before.empty_accepts;
    println!("{wakeups} wakeups and {sleeps} sleeps a connection, {empty} empty accepts");
    (wakeups, sleeps)
}

/// Connections by eights, until some have woken more workers than there were connections, all the way.
fn wake_in_vain(service: &Service) {
    until_true("more wakeups than accepts", || {
        let mut clients: Vec<Client> = (0..8).map(|_| service.connect()).collect();
        clients.iter_mut().for_each(|client| assert_eq!(client.get("/").text(), "hello"));
        let sums = service.sums();
        sums.wakeups > sums.accepts && sums.empty_accepts > 0
    });
}
