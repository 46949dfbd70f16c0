//! Requests that wait: for the check of a password, or because a refusal is held back.

use std::time::Duration;

use drover::dispatch::ModelKind;

use crate::service::Want;
use crate::support::client::Nothing;
use crate::support::{PATIENCE, until_true};

/// `Basic` credentials: `bob:secret` and `bob:wrong`.
const RIGHT: &str = "Authorization: Basic Ym9iOnNlY3JldA==\r\n";
const WRONG: &str = "Authorization: Basic Ym9iOndyb25n\r\n";

fn request(target: &str, field: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n{field}\r\n")
}

/// Passwords with a slow hash are checked, and requests that are held back, in front of other requests of their
/// connection as well, hold up no other client.
pub fn guarded(kind: &'static ModelKind) {
    let guard = "auth_basic x; auth_basic_user_file %dir%/root/users;";
    let server = format!(
        "location = /guarded {{ {guard} try_files /index.html =404; }} \
         location /late {{ {guard} auth_delay 50ms; try_files /index.html =404; }} \
         location /never {{ {guard} auth_delay 1h; try_files /index.html =404; }}"
    );
    let places = |want: Want| want.param("worker_threads", 4).param("fork_max", 8).param("queue", 8);
    let service = places(Want::of(kind).workers(1).access_log("%dir%/access.log").server(&server)).start();
    service.file("users", "bob:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n");
    let mut held = service.connect();
    held.send(request("/never", WRONG));
    let mut client = service.connect();
    for (target, field, status) in [
        ("/guarded", RIGHT, 200),
        ("/guarded", WRONG, 401),
        ("/guarded", RIGHT, 200),
        ("/guarded", "", 401),
        ("/late", WRONG, 401),
        ("/late", RIGHT, 200),
    ] {
        client.send(request(target, field));
        assert_eq!(client.response().expect("an answer").status, status, "{target} {field}");
    }
    let order = [("/guarded", RIGHT), ("/late", WRONG), ("/guarded", WRONG), ("/late", ""), ("/", "")];
    client.send(order.map(|(target, field)| request(target, field)).concat());
    let mut answers = [0; 5];
    answers.fill_with(|| client.response().expect("an answer in its turn").status);
    assert_eq!(answers, [200, 401, 401, 401, 200]);
    drop(held);
    until_true("the client that has gone is given up", || service.read("access.log").contains(" 499 "));
    service.end();
}

/// While one hash is compared, the loop answers others: their answers are there first.
pub fn slow_hash(kind: &'static ModelKind) {
    let server = "location = /guarded { auth_basic x; auth_basic_user_file %dir%/root/users; }";
    let want = Want::of(kind).workers(1).server(server);
    let service = want.param("worker_threads", 4).param("fork_max", 8).param("queue", 8).start();
    let is_first = |rounds: u32| {
        // No password fits, and that takes all the rounds.
        service.file("users", format!("bob:$6$rounds={rounds}$abcdefgh${}\n", "x".repeat(86)));
        let (mut checked, mut other) = (service.connect(), service.connect());
        assert_eq!(other.get("/").text(), "hello");
        checked.send(request("/guarded", WRONG));
        let answers = (0..2).filter(|_| other.get("/").text() == "hello").count();
        checked.patience(Duration::from_millis(1));
        let is_first = checked.response() == Err(Nothing::Silent);
        if is_first {
            assert_eq!(checked.patience(PATIENCE).response().expect("an answer").status, 401);
        }
        answers == 2 && is_first
    };
    // A machine may be so busy that a hash is through all the same: then a longer one tells.
    let mut tries = (0..6).map(|n| 20_000 << (2 * n));
    assert!(tries.any(is_first), "a loop stands still while it compares a hash");
    service.end();
}
