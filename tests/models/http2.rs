//! HTTP/2: streams beside each other, the ends of their connections.

use drover::dispatch::ModelKind;
use drover::http::h2::frame::{END_HEADERS, END_STREAM, Kind, MAX_31};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::service::{Service, Want};
use crate::support::h2::{H2, block, frame, get, request};
use crate::support::until_true;

/// Room for some connections at a time in the models that have a thread or a process for each.
fn want(kind: &'static ModelKind) -> Want {
    let want = Want::of(kind).server("http2 on; location /slow { limit_rate 100k; alias %root%/large; }");
    want.param("worker_threads", 4).param("fork_max", 8).param("queue", 8)
}

fn start(want: &Want) -> Service {
    let service = want.start();
    service.file("large", vec![b'x'; 300_000]);
    (0..20).for_each(|n| _ = service.file(&format!("small{n}"), format!("small {n}")));
    service
}

/// A client whose answer to a large file has stopped behind the first window.
fn stopped(service: &Service) -> H2 {
    let mut client = H2::connect(service.addr());
    client.stop_behind_the_first_window(1, "/large");
    client
}

/// Streams do not wait for each other, nor connections for one whose client takes nothing.
pub fn http2(kind: &'static ModelKind) {
    let service = start(&want(kind));
    let mut held = stopped(&service);
    let mut client = H2::connect(service.addr());
    client.ask(1, &get("/slow"));
    let streams: Vec<u32> = (0..20).map(|n| 2 * n + 3).collect();
    client.send(
        streams.iter().enumerate().flat_map(|(n, id)| request(*id, &get(&format!("/small{n}")))).collect::<Vec<_>>(),
    );
    client.until_over(streams.iter().copied()).expect("the small answers");
    streams.iter().enumerate().for_each(|(n, id)| assert_eq!(client.answers[id].text(), format!("small {n}")));
    assert!(!client.is_over(1), "the slow answer is on its way");
    let post = [&[(":method", "POST")], &get("/")[1..]].concat();
    client.send(
        [frame(Kind::Headers, END_HEADERS, 43, block(&post)), frame(Kind::Data, END_STREAM, 43, b"abc")].concat(),
    );
    assert_eq!(client.answer(43).status(), "405");
    assert_eq!(client.answer(1).body.len(), 300_000);
    client.send(frame(Kind::Data, 0, 0, b""));
    client.until_closed();
    assert_eq!(client.goaways, [(43, 1)], "a fault ends the connection");
    held.go_on(1);
    assert_eq!(held.answer(1).body.len(), 300_000);
    let mut old = service.connect();
    assert_eq!(old.get("/small1").text(), "small 1", "HTTP/1 on the same port");
    drop((held, client, old));
    service.end();
}

/// A body that is not as long as it should be, or has trailers that are none, is a fault of its stream (RFC 9113,
/// sections 8.1 and 8.1.1), whether the request has been answered by then or not.
pub fn http2_faults(kind: &'static ModelKind) {
    let service = start(&want(kind));
    let data = |id, flags, body: &str| frame(Kind::Data, flags, id, body);
    let trailers = |id, flags, name| frame(Kind::Headers, END_HEADERS | flags, id, block(&[(name, "x")]));
    type Rest<'a> = &'a dyn Fn(u32) -> Vec<u8>;
    let faults: [(&str, Rest); 6] = [
        ("5", &|id| data(id, END_STREAM, "abc")),
        ("2", &|id| data(id, END_STREAM, "abc")),
        ("2", &|id| data(id, 0, "abc")),
        ("5", &|id| [data(id, 0, "abc"), trailers(id, END_STREAM, "a")].concat()),
        ("3", &|id| [data(id, 0, "abc"), trailers(id, 0, "a")].concat()),
        ("3", &|id| [data(id, 0, "abc"), trailers(id, END_STREAM, ":path")].concat()),
    ];
    let mut client = H2::connect(service.addr());
    let open = |id, length| {
        let fields = [&[(":method", "POST")], &get("/")[1..], &[("content-length", length)]].concat();
        frame(Kind::Headers, END_HEADERS, id, block(&fields))
    };
    let mut ids = (1..).step_by(2);
    for (at, (length, rest)) in faults.into_iter().enumerate() {
        for is_answered in [false, true] {
            let id = ids.next().expect("a stream");
            let pieces = [open(id, length), rest(id)];
            if is_answered {
                client.send(&pieces[0]);
                assert_eq!(client.answer(id).status(), "405");
                client.send(&pieces[1]);
            } else {
                client.send(pieces.concat());
            }
            until_true(&format!("a reset for fault {at}, answered: {is_answered}"), || {
                client.frame().expect("a frame");
                client.answers.get(&id).is_some_and(|answer| answer.reset == Some(1))
            });
        }
    }
    let id = ids.next().expect("a stream");
    let right = [open(id, "3"), data(id, 0, "abc"), trailers(id, END_STREAM, "a")].concat();
    client.send(right);
    assert_eq!((client.answer(id).status(), client.answers[&id].reset), ("405", None));
    assert_eq!(client.get(id + 2, "/").text(), "hello");
    assert_eq!((client.goaways.len(), client.answers[&id].reset), (0, None));
    drop(client);
    service.end();
}

/// A reload loses no stream: those that are open are answered, those that were on their way as well.
pub fn http2_reload(kind: &'static ModelKind) {
    let want = want(kind);
    let service = start(&want);
    let mut held = stopped(&service);
    let mut idle = H2::connect(service.addr());
    idle.get(1, "/");
    service.signal(Signal::SIGHUP);
    while held.goaways.is_empty() {
        held.frame().expect("the first GOAWAY");
    }
    assert_eq!(held.goaways, [(MAX_31, 0)]);
    held.ask(3, &get("/small1"));
    held.go_on(1);
    assert_eq!(held.answer(3).text(), "small 1");
    assert_eq!(held.answer(1).body.len(), 300_000);
    held.until_closed();
    assert_eq!(held.goaways.last(), Some(&(3, 0)));
    idle.until_closed();
    assert_eq!(idle.goaways, [(MAX_31, 0), (1, 0)]);
    drop((held, idle));
    assert_eq!(H2::connect(service.addr()).get(1, "/").text(), "hello");
    service.wait_until_settled();
    service.end();
}

/// The end of the process that serves a connection is the end of that connection, and no other's.
pub fn http2_kill(kind: &'static ModelKind) {
    let service = start(&want(kind).workers(1));
    let mut client = stopped(&service);
    // Where a connection has a process of its own, that is no child of the master.
    service.processes().into_iter().for_each(|it| kill(Pid::from_raw(it.pid), Signal::SIGKILL).expect("kill"));
    client.until_closed();
    assert_eq!(client.goaways, []);
    until_true("another process serves", || {
        let mut client = H2::connect(service.addr());
        client.ask(1, &get("/"));
        client.until_over([1]).is_ok() && client.answers[&1].text() == "hello"
    });
    until_true("nothing is counted of it", || service.sums().writing == 0);
    service.end_after_harm();
}

/// More clients than there are places: those that are idle make room, all are answered.
pub fn http2_overload(kind: &'static ModelKind) {
    let want = Want::of(kind).server("http2 on;").workers(1).events("worker_connections 8;");
    let service = start(&want.param("worker_threads", 2).param("fork_max", 2).param("queue", 8));
    let mut clients: Vec<H2> = Vec::new();
    for _ in 0..20 {
        let mut client = H2::connect(service.addr());
        client.ask(1, &get("/"));
        clients.push(client);
        // Clients that have been answered are idle, and go when there is need.
        if clients.len().is_multiple_of(4) {
            clients.iter_mut().rev().take(4).for_each(|client| assert_eq!(client.answer(1).text(), "hello"));
        }
    }
    drop(clients);
    service.end();
}
