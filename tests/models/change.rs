//! Reload, upgrade and the end.

use std::collections::{BTreeMap, BTreeSet};

use drover::dispatch::{MODELS, ModelKind};
use nix::sys::signal::Signal;

use crate::load::Load;
use crate::service::{Service, Want, Wire};
use crate::support::client::Client;
use crate::support::{proc, until_true};

/// Under load, with more workers and with fewer: no request fails, nobody of the old generation stays, no descriptor
/// leaks.
pub fn reload(kind: &'static ModelKind) {
    let want = |workers| Want::of(kind).workers(workers);
    let service = want(2).start();
    let before = descriptors(&service);
    let load = Load::start(&service);
    load.wait_for_more(10);
    for workers in [4, 1, 3, 3, 2] {
        service.reload(&want(workers));
        load.wait_for_more(10);
    }
    load.end();
    for _ in 0..5 {
        service.reload(&want(2));
        service.wait_until_settled();
    }
    assert_eq!(descriptors(&service), before, "descriptors of the master, and of its children");
    assert_eq!(service.ledger.header().reloads_ok.get(), 10);
    service.end();
}

/// Under load the ports move from one address to all, and back: no client is refused, and no old socket stays.
pub fn moved_port(kind: &'static ModelKind) {
    let service = Want::of(kind).start();
    let load = Load::start(&service);
    for host in ["*", "[::]", "127.0.0.1"] {
        load.wait_for_more(10);
        let before: Vec<_> = service.ports()[..2].iter().map(|port| proc::listening_inodes(*port)).collect();
        service.reload(&Want::of(kind).at(host));
        load.wait_for_more(10);
        service.wait_until_settled();
        for (port, before) in service.ports().into_iter().zip(before) {
            let now = proc::listening_inodes(port);
            assert!(!now.is_empty() && now.is_disjoint(&before), "{host}:{port}: {before:?} {now:?}");
        }
        let elsewhere = std::net::TcpStream::connect(("127.0.0.2", service.port()));
        assert_eq!(elsewhere.is_ok(), host != "127.0.0.1", "{host}");
    }
    load.end();
    assert!(!service.error_log().contains("trying again"), "it has not waited for itself");
    service.end();
}

/// How many descriptors the master has, and how many of its children have how many.
fn descriptors(service: &Service) -> (usize, BTreeMap<usize, usize>) {
    service.wait_until_settled();
    until_true("nobody is connected", || service.sums().connections == 0);
    service.wait_until_at_rest();
    let mut counts = BTreeMap::new();
    for pid in service.workers() {
        *counts.entry(proc::descriptor_count(pid)).or_default() += 1;
    }
    (proc::descriptor_count(service.pid()), counts)
}

/// From any model to any other, under load all the time.
pub fn from_model_to_model() {
    // From each to all that follow it in the list and back, and on to the next one.
    let last = MODELS.len() - 1;
    let way = (0..=last).flat_map(|a| (a + 1..=last).flat_map(move |b| [b, a]).chain((a < last).then_some(a + 1)));
    let service = Want::of(MODELS[0]).start();
    let load = Load::start(&service);
    let (mut now, mut seen) = (0, BTreeSet::new());
    for (step, next) in way.enumerate() {
        seen.insert((now, next));
        now = next;
        let kind = MODELS[next];
        service.reload(&Want::of(kind).workers(1 + step % 3));
        assert_eq!(service.ledger.header().model.get(), kind.name);
        load.wait_for_more(5);
    }
    assert_eq!(seen.len(), MODELS.len() * last, "from any to any other");
    load.end();
    service.wait_until_settled();
    service.end();
}

/// USR2, then QUIT to the old binary, under load.
pub fn upgrade(kind: &'static ModelKind) {
    let mut service = Want::of(kind).start();
    let inodes = proc::listening_inodes(service.port());
    let load = Load::start(&service);
    load.wait_for_more(10);
    service.signal(Signal::SIGUSR2);
    let next = service.wait_for_next_master();
    until_true("the new master's children", || !proc::children(next).is_empty());
    load.wait_for_more(10);
    assert_eq!(service.server.quit().code(), Some(0));
    load.wait_for_more(20);
    assert_eq!(proc::listening_inodes(service.port()), inodes, "the sockets are the same");
    load.end();
    assert_eq!(service.send("quit").0, Some(0));
    until_true("the new master ends", || !proc::is_alive(next));
    service.assert_gone();
}

/// An upgrade is taken back, in the order of nginx's documentation: the workers that are called back don't disturb
/// those that were sent away and still serve.
pub fn take_back(kind: &'static ModelKind) {
    let service = Want::of(kind).start();
    let mut begun: Vec<Client> = (0..6).map(|_| service.connect()).collect();
    begun.iter_mut().for_each(|client| {
        client.get("/");
        client.begin();
    });
    service.signal(Signal::SIGUSR2);
    let next = service.wait_for_next_master();
    until_true("the new master's children", || !proc::children(next).is_empty());
    let old = service.workers();
    service.signal(Signal::SIGWINCH);
    until_true("they leave", || service.error_log().contains("gracefully shutting down"));
    service.signal(Signal::SIGHUP);
    until_true("workers are back", || service.workers().iter().any(|pid| !old.contains(pid)));
    proc::signal(next, Signal::SIGQUIT);
    until_true("the new master ends", || !proc::is_alive(next));
    for client in &mut begun {
        assert_eq!(client.finish().expect("a response of a worker that was sent away").text(), "hello");
    }
    drop(begun);
    assert_eq!(service.connect().get("/").text(), "hello");
    service.end();
}

/// Exchanges that have begun are finished, idle connections are closed, new ones are refused, and then it is over.
pub fn quit(kind: &'static ModelKind) {
    let mut service = Want::of(kind).start();
    let large = vec![b'x'; 8 << 20];
    service.file("large", &large);
    let (mut idle, mut begun, mut reading) = (service.connect(), service.connect(), service.connect());
    let mut wire = Wire::connect(service.addr_of(2));
    assert_eq!(wire.echo("a").expect("an echo"), "A");
    idle.get("/");
    begun.begin();
    reading.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").wait_for_bytes(1000);
    service.signal(Signal::SIGQUIT);
    assert!(idle.is_closed_by_server(), "the idle connection");
    assert!(wire.is_closed_by_server(), "the idle echo");
    until_true("nobody listens", || proc::listening_inodes(service.port()).is_empty());
    assert!(service.server.poll_exit().is_none(), "two exchanges are not over");
    let last = begun.finish().expect("the response to what had begun");
    assert_eq!((last.text().as_str(), last.header("Connection")), ("hello", Some("close")));
    assert!(reading.response().expect("the large file").body == large);
    drop((begun, reading));
    assert_eq!(service.server.wait().code(), Some(0));
    service.assert_gone();
}
