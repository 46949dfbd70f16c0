//! Matches that fail: the request gets 500, the log one line, and nobody else notices.

use crate::support::conf::Conf;
use crate::support::server::Server;

/// Every way to split the letters is tried: 2^30 steps.
const LETTERS: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn alerts(server: &Server) -> Vec<String> {
    let log = server.error_log();
    log.lines().filter(|line| line.contains("[alert]")).map(str::to_owned).collect()
}

#[test]
fn a_location_that_is_too_hard_fails_its_request_alone() {
    let server = Server::drover(Conf::workers(1).logged().server(
        "error_page 500 /page; location = /page { return 200 'page'; } location /fine { return 200 'fine'; } \
         location /in/ { location ~ '(?!x)(b+)+(?!!)!?$' { } } location ~ ^/((?!x)a+)+(?!!)!?$ { return 200 'hard'; } \
         location / { try_files /no /$arg_to; }",
    ));
    let worker = server.wait_for_workers(1);
    let mut other = server.connect();
    assert_eq!(other.get("/fine").text(), "fine");
    for target in [format!("/{LETTERS}!"), format!("/in/{}!", LETTERS.replace('a', "b")), format!("/x?to={LETTERS}!")] {
        let before = alerts(&server).len();
        let mut client = server.connect();
        let answer = client.get(&target);
        assert_eq!((answer.status, answer.text().as_str()), (500, "page"), "{target}");
        assert!(client.is_closed_by_server(), "{target}");
        let lines = alerts(&server).split_off(before);
        assert_eq!(lines.len(), 1, "{target}: {lines:?}");
        let [uri, pattern] = match target.as_bytes()[1] {
            b'i' => [target.as_str(), "(?!x)(b+)+(?!!)!?$"],
            _ => [&format!("/{LETTERS}!"), "^/((?!x)a+)+(?!!)!?$"],
        };
        let said = format!("pcre2_match() failed: -47 on \"{uri}\" using \"{pattern}\", client: 127.0.0.1, server: ");
        assert!(lines[0].contains(&said), "{target}: {lines:?}");
        assert_eq!(other.get("/fine").text(), "fine");
    }
    assert_eq!(server.connect().get("/aaa").text(), "hard");
    assert_eq!(server.workers(), worker);
}

/// nginx closes without an answer.
#[test]
fn a_server_name_that_is_too_hard_fails_its_request_alone() {
    let server = Server::drover(Conf::workers(1).logged().server(
        "return 200 'default'; } \
         server { listen 127.0.0.1:%port%; server_name '~^(?!x)(a+)+(?!\\.)(\\.example)?$'; return 200 'hard'; } \
         server { listen 127.0.0.1:%port%; server_name fine; return 200 'fine';",
    ));
    let worker = server.wait_for_workers(1);
    let request = |host: &str, target: &str| format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut other = server.connect();
    other.send(request("fine", "/"));
    assert_eq!(other.response().unwrap().text(), "fine");
    let hard = format!("{LETTERS}.example");
    // A request that is refused for its target looks for its server, too.
    for (target, status) in [("/", 500), ("/%zz", 400)] {
        let before = alerts(&server).len();
        let mut client = server.connect();
        client.send(request(&hard, target));
        assert_eq!(client.response().unwrap().status, status);
        assert!(client.is_closed_by_server());
        let lines = alerts(&server).split_off(before);
        let pattern = r"^(?!x)(a+)+(?!\.)(\.example)?$";
        let said = format!("pcre2_match() failed: -47 on \"{hard}\" using \"{pattern}\", client: 127.0.0.1");
        assert!(!lines.is_empty() && lines.iter().all(|line| line.contains(&said)), "{lines:?}");
        assert_eq!(lines.len(), 1);
        other.send(request("fine", "/"));
        assert_eq!(other.response().unwrap().text(), "fine");
    }
    let mut client = server.connect();
    client.send(request("aaa", "/"));
    assert_eq!(client.response().unwrap().text(), "hard");
    assert_eq!(server.workers(), worker);
}
