//! The end of a connection takes nothing from its client that was on its way.

use drover::dispatch::ModelKind;
use nix::sys::signal::Signal;

use crate::service::{Service, Want, Wire};
use crate::support::client::Client;
use crate::support::{proc, until_true};

/// Fits into the buffers of the two kernels, so that the server is done with it while the client has read nothing.
const LARGE: usize = 1_500_000;

fn request(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn start(want: &Want) -> Service {
    let service = want.start();
    service.file("large", vec![b'x'; LARGE]);
    service
}

#[track_caller]
fn wait_for_requests(service: &Service, count: u64) {
    until_true("the server is done with the requests", || service.sums().requests == count);
}

#[track_caller]
fn assert_large(client: &mut Client) {
    let large = client.response().expect("the large file");
    assert_eq!((large.body.len(), large.ended_by_close), (LARGE, false));
}

/// A client that pipelines does not know which response is the last one, and sends on.
pub fn last_response(kind: &'static ModelKind) {
    let service = start(&Want::of(kind).http("keepalive_requests 2;"));
    let close = "GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    for (round, last) in [request("/large").as_str(), close].into_iter().enumerate() {
        let mut client = service.connect();
        client.send(request("/") + last);
        wait_for_requests(&service, 2 * (round as u64 + 1));
        client.send(request("/"));
        assert_eq!(client.response().expect("the first response").text(), "hello");
        assert_large(&mut client);
        assert!(client.is_closed_by_server());
    }
    service.end();
}

/// The first request that comes early may be the one behind the last.
pub fn close_after_a_large_response(kind: &'static ModelKind) {
    let service = start(&Want::of(kind));
    const HUGE: usize = 16 << 20;
    service.file("huge", vec![b'x'; HUGE]);
    let mut client = service.connect();
    client.send("GET /huge HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    // Until the server is done with it, while the end is still on its way.
    let mut read = 0;
    until_true("the last byte is in the kernel's buffer", || {
        if service.sums().requests == 0 {
            read += 64 << 10;
            client.wait_for_bytes(read);
        }
        service.sums().requests == 1
    });
    client.send(request("/"));
    let huge = client.response().expect("the huge file");
    assert_eq!((huge.body.len(), huge.ended_by_close), (HUGE, false));
    assert!(client.is_closed_by_server());
    service.end();
}

/// The same where the kernel took all of the response at once, from a client that has never sent a request too early.
pub fn close_while_on_its_way(kind: &'static ModelKind) {
    let service = start(&Want::of(kind));
    let mut client = service.connect();
    client.send("GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    wait_for_requests(&service, 1);
    client.send(request("/"));
    assert_large(&mut client);
    assert!(client.is_closed_by_server());
    service.end();
}

/// A process that leaves waits until its clients have what they were sent.
pub fn last_bytes(kind: &'static ModelKind) {
    let mut service = start(&Want::of(kind).workers(1));
    let (mut client, mut idle, mut wire) = (service.connect(), service.connect(), Wire::connect(service.addr_of(2)));
    idle.get("/");
    client.send(request("/large"));
    wait_for_requests(&service, 2);
    assert_eq!(wire.echo("a").expect("an echo"), "A");
    service.signal(Signal::SIGQUIT);
    assert!(idle.is_closed_by_server() && wire.is_closed_by_server(), "who has everything is let go");
    until_true("nobody listens", || proc::listening_inodes(service.port()).is_empty());
    assert!(service.server.poll_exit().is_none(), "a response is on its way");
    client.send(request("/"));
    assert_large(&mut client);
    let last = client.response().expect("the response to a request that was promised one");
    assert_eq!((last.text().as_str(), last.header("Connection")), ("hello", Some("close")));
    assert!(client.is_closed_by_server());
    assert_eq!(service.server.wait().code(), Some(0));
    service.assert_gone();
}

/// But no longer than the conf allows.
pub fn last_bytes_have_their_time(kind: &'static ModelKind) {
    let mut service = start(&Want::of(kind).workers(1).main("worker_shutdown_timeout 700ms;"));
    let mut client = service.connect();
    client.send(request("/large"));
    wait_for_requests(&service, 1);
    service.signal(Signal::SIGQUIT);
    assert_eq!(service.server.wait().code(), Some(0));
    service.assert_gone();
    // The kernel goes on alone.
    assert_large(&mut client);
}
