//! Modules whose state or target all processes have in common: logs that go to syslog, the counts of connections.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;

use drover::dispatch::ModelKind;

use crate::service::{Service, Want};
use crate::support::client::Client;
use crate::support::{PATIENCE, until_true};

fn receiver(service: &Service) -> UnixDatagram {
    let path = service.dir().join("syslog");
    let receiver = UnixDatagram::bind(&path).expect("bind");
    // The workers are of another user where the tests run as root.
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).expect("chmod");
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    receiver
}

/// The text of the next datagram behind its tag.
fn line(receiver: &UnixDatagram) -> String {
    let mut bytes = [0; 2000];
    let len = receiver.recv(&mut bytes).expect("a line of the log");
    let text = String::from_utf8_lossy(&bytes[..len]).into_owned();
    text.split_once(" web: ").expect("a tag").1.to_owned()
}

/// Each process sends its lines to syslog; a receiver that is gone costs lines and no answer, and one that is back gets
/// the next.
pub fn syslog(kind: &'static ModelKind) {
    let want = Want::of(kind)
        .http("log_format short '$request_uri';")
        .access_log("syslog:server=unix:%dir%/syslog,tag=web,nohostname short");
    let service = want.start();
    let first = receiver(&service);
    let mut clients: Vec<Client> = (0..4).map(|_| service.connect()).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.get(&format!("/n/{n}")).status, 200);
    }
    let mut lines: Vec<String> = (0..clients.len()).map(|_| line(&first)).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["/n/0", "/n/1", "/n/2", "/n/3"]);
    drop(first);
    std::fs::remove_file(service.dir().join("syslog")).expect("unlink");
    for client in &mut clients {
        assert_eq!(client.get("/n/lost").status, 200);
    }
    until_true("a loss is said", || service.error_log().contains("send() to syslog server unix:"));
    let second = receiver(&service);
    for client in &mut clients {
        assert_eq!(client.get("/n/back").status, 200);
        // Lines of the last requests may come late.
        while line(&second) != "/n/back" {}
    }
    drop(clients);
    let mut service = service;
    service.assert_no_zombies();
    assert_eq!(service.server.quit().code(), Some(0));
    service.assert_gone();
}

/// The variables of connections count those of all processes.
pub fn connection_counts(kind: &'static ModelKind) {
    let server = "location = /count { return 200 '$connections_active $connections_reading $connections_writing \
         $connections_waiting'; }";
    let service = Want::of(kind).param("worker_threads", 8).param("fork_max", 8).server(server).start();
    let mut asks = service.connect();
    let mut others: Vec<Client> = (0..3).map(|_| service.connect()).collect();
    others.iter_mut().for_each(|client| assert_eq!(client.get("/").text(), "hello"));
    until_true("three wait and one is answered", || asks.get("/count").text() == "4 0 1 3");
    let mut half = service.connect();
    half.send("GET / HTTP/1.1\r\nHost: lo");
    until_true("the head of one is being read", || asks.get("/count").text() == "5 1 1 3");
    drop((half, others));
    until_true("nobody else is there", || asks.get("/count").text() == "1 0 1 0");
    drop(asks);
    service.end();
}
