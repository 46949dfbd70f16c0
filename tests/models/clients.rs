//! Limits on clients: what one process counts, the others know.

use std::time::Instant;

use drover::dispatch::ModelKind;

use crate::service::Want;
use crate::support::client::Client;
use crate::support::until_true;

fn request(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn status(client: &mut Client) -> u16 {
    client.response().expect("an answer").status
}

/// A client has so many requests, whichever process or thread answers them, and a delayed one keeps nobody.
pub fn request_limits(kind: &'static ModelKind) {
    let service = Want::of(kind)
        .http(
            "limit_req_zone $arg_k zone=minute:1m rate=1r/m; limit_req_zone $arg_k zone=slow:1m rate=1r/s; \
             add_header X-Limit $limit_req_status always;",
        )
        .server(
            "location /limited { limit_req zone=minute burst=4 nodelay; try_files /index.html =404; } \
             location /slow { limit_req zone=slow burst=1; try_files /index.html =404; }",
        )
        .start();
    let mut clients: Vec<Client> = (0..12).map(|_| service.connect()).collect();
    for client in &mut clients {
        client.send(request("/limited?k=a").repeat(2));
    }
    let statuses: Vec<u16> = clients.iter_mut().flat_map(|client| [(); 2].map(|()| status(client))).collect();
    let passed = statuses.iter().filter(|status| **status == 200).count();
    let refused = statuses.iter().filter(|status| **status == 503).count();
    assert_eq!((passed, refused), (5, 19), "{statuses:?}");
    drop(clients);
    assert_eq!(service.connect().get("/slow?k=b").header("X-Limit"), Some("PASSED"));
    let (mut delayed, mut others) = (service.connect(), service.connect());
    let since = Instant::now();
    delayed.send(request("/slow?k=b"));
    let answers = (0..20).map(|n| others.get(&format!("/n/{n}")).status).filter(|status| *status == 200).count();
    assert_eq!(answers, 20);
    let answer = delayed.response().expect("a late answer");
    // On a machine that was busy for a second the request is late by itself.
    let expected = if since.elapsed().as_millis() > 2500 { ["DELAYED", "PASSED"] } else { ["DELAYED"; 2] };
    assert!(answer.status == 200 && expected.contains(&answer.header("X-Limit").unwrap_or_default()));
    drop((delayed, others));
    service.end();
}

/// No two clients get the same mark, whichever process or thread gives it.
pub fn marks(kind: &'static ModelKind) {
    let service = Want::of(kind).http("userid on;").start();
    let mut clients: Vec<Client> = (0..12).map(|_| service.connect()).collect();
    for client in &mut clients {
        client.send(request("/").repeat(20));
    }
    let mark = |client: &mut Client| {
        let answer = client.response().expect("an answer");
        answer.header("Set-Cookie").expect("a cookie").to_owned()
    };
    let mut marks: Vec<String> =
        clients.iter_mut().flat_map(|client| (0..20).map(|_| mark(client)).collect::<Vec<_>>()).collect();
    marks.sort();
    marks.dedup();
    assert_eq!(marks.len(), 240);
    drop(clients);
    service.end();
}

/// Connections count in all processes while their answers are under way, which go out at their rate.
pub fn connection_limits(kind: &'static ModelKind) {
    let service = Want::of(kind)
        .http("limit_conn_zone $arg_k zone=clients:1m;")
        .server("location / { limit_conn clients 2; limit_rate $arg_rate; limit_rate_after $arg_after; }")
        .start();
    let large: String = (0..40_000).map(|n| format!("{n:08}\n")).collect();
    service.file("large", &large);
    let slow = |k: &str| {
        let mut client = service.connect();
        client.send(request(&format!("/large?k={k}&rate=1&after=0"))).wait_for_bytes(1);
        client
    };
    let held = [slow("a"), slow("a")];
    for n in 0..4 {
        let mut client = service.connect();
        assert_eq!(client.get("/?k=a&rate=0&after=0").status, 503, "two are under way");
        // A request counts until its process has ended it, which may be after the client has all of the answer.
        assert_eq!(client.get(&format!("/?k=b{n}&rate=0&after=0")).status, 200);
    }
    drop(held);
    until_true("those who have gone count no more", || {
        let mut client = service.connect();
        client.get("/?k=a&rate=0&after=0").status == 200
    });
    let mut client = service.connect();
    let answer = client.get("/large?k=c&rate=400k&after=100k");
    assert!(answer.status == 200 && answer.text() == large, "{} bytes", answer.text().len());
    assert_eq!(client.get("/?k=c&rate=1m&after=0").text(), "hello");
    drop(client);
    service.end();
}
