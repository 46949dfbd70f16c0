//! Children that die or stop.

use std::time::Instant;

use drover::dispatch::ModelKind;
use nix::sys::signal::Signal;

use crate::mechanism::Mechanism;
use crate::service::{Process, Service, Want, wait_for_death};
use crate::support::client::Client;
use crate::support::{AT_ONCE, proc, until_true};

fn keep_alive(service: &Service) -> Client {
    let mut client = service.connect();
    assert_eq!(client.get("/").text(), "hello");
    client
}

fn answers(client: &mut Client) -> bool {
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.response().is_ok_and(|response| response.text() == "hello")
}

/// Each child, one after another: its clients lose their connections, and nobody else does; the service answers at
/// once; somebody takes its place.
pub fn kill(kind: &'static ModelKind) {
    let service = Want::of(kind).start();
    let mut clients: Vec<Client> = (0..12).map(|_| keep_alive(&service)).collect();
    let seats = service.workers();
    let victims: Vec<Process> = service.processes();
    assert!(seats.iter().all(|seat| victims.iter().any(|victim| victim.pid == *seat)), "{seats:?} {victims:?}");
    // Processes with one connection each die like each other.
    let (mut victims, passing): (Vec<Process>, Vec<Process>) =
        victims.into_iter().partition(|v| seats.contains(&v.pid));
    victims.splice(0..0, passing.into_iter().take(2));
    for victim in victims {
        let held = proc::connections(&[victim.pid], service.port())[&victim.pid];
        proc::signal(victim.pid, Signal::SIGKILL);
        let start = Instant::now();
        assert_eq!(service.connect().get("/").text(), "hello");
        assert!(start.elapsed() < AT_ONCE, "{victim:?}: answered after {:?}", start.elapsed());
        wait_for_death(victim.pid);
        let before = clients.len();
        clients.retain_mut(answers);
        assert_eq!(before - clients.len(), held, "{victim:?} held {held} connections");
        if seats.contains(&victim.pid) {
            until_true("its place is taken", || {
                let taken = |p: &Process| (p.role, p.number) == (victim.role, victim.number) && p.pid != victim.pid;
                service.processes().iter().any(taken)
            });
        }
        clients.extend((0..held).map(|_| keep_alive(&service)));
    }
    assert_eq!(service.ledger.header().respawns.get() as usize, seats.len());
    until_true("as many as before", || {
        service.workers().iter().filter(|pid| !seats.contains(pid)).count() >= seats.len()
    });
    clients.iter_mut().for_each(|client| assert!(answers(client)));
    service.end_after_harm();
}

/// A stopped process keeps the clients waiting that it has accepted; later ones are served by others, where the model
/// promises that. When it continues, all are served.
pub fn stop(kind: &'static ModelKind) {
    let service = Want::of(kind).workers(3).start();
    for victim in service.workers() {
        proc::signal(victim, Signal::SIGSTOP);
        // The signal takes its time, in which the victim can still be chosen.
        until_true("all its threads have stopped", || proc::is_stopped(victim));
        let is_worker = service.pids(drover::shm::Role::Worker).contains(&victim);
        let mut clients: Vec<Client> = (0..6).map(|_| service.connect()).collect();
        clients.iter_mut().for_each(|client| _ = client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        if is_worker && Mechanism::of(kind).is_some_and(|m| m.spares_a_stopped_worker) {
            for client in &mut clients {
                assert_eq!(client.response().expect("a response while a worker is stopped").text(), "hello");
            }
            proc::signal(victim, Signal::SIGCONT);
        } else {
            proc::signal(victim, Signal::SIGCONT);
            for client in &mut clients {
                assert_eq!(client.response().expect("a response after all").text(), "hello");
            }
        }
        assert!(proc::is_alive(victim));
    }
    service.end();
}

/// The master is killed: everybody hears of it, takes nobody new, serves who is there, and goes.
pub fn orphans(kind: &'static ModelKind) {
    let mut service = Want::of(kind).start();
    let mut idle = keep_alive(&service);
    let mut begun = keep_alive(&service);
    begun.send("GET /n/last HTTP/1.1\r\nHost: loc");
    until_true("the half request is read", || proc::unread_bytes(service.port()) == 0);
    service.signal(Signal::SIGKILL);
    service.server.wait();
    until_true("nobody listens", || proc::listening_inodes(service.port()).is_empty());
    assert!(idle.is_closed_by_server(), "an idle connection is closed");
    assert!(proc::group_lives(service.pid()), "a request has begun");
    assert_eq!(begun.send("alhost\r\n\r\n").response().expect("an answer").text(), "/n/last");
    service.assert_gone();
    let log = service.error_log();
    assert!(log.contains(&format!("the master process {} has died, no more", service.pid())), "{log}");
}

/// The master is killed while a client never ends its request; the dispatcher, if the model has one, dies as well.
pub fn orphans_without_end(kind: &'static ModelKind) {
    let mut service = Want::of(kind).main("worker_shutdown_timeout 1s;").start();
    let mut begun = keep_alive(&service);
    begun.send("GET / HT");
    until_true("the half request is read", || proc::unread_bytes(service.port()) == 0);
    let dispatchers = service.pids(drover::shm::Role::Dispatcher);
    // Stopped, it can't pass on what it hears.
    dispatchers.iter().for_each(|pid| proc::signal(*pid, Signal::SIGSTOP));
    service.signal(Signal::SIGKILL);
    service.server.wait();
    dispatchers.iter().for_each(|pid| proc::signal(*pid, Signal::SIGKILL));
    service.assert_gone();
    assert!(begun.is_closed_by_server());
}
