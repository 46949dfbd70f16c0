//! Limits on clients where one connection is not enough to see them, and their lines in the error log.

use crate::sites;
use crate::support::client::Client;
use crate::support::server::Product::{Drover, Nginx};
use crate::support::server::{Product, Server, Setup};
use crate::support::{until, until_true};

const CONF: &str = "%main%\nworker_processes 2;\nevents { }\nhttp { %http% error_log %dir%/limits.log info; \
    limit_req_zone $arg_k zone=req:32k rate=1r/m; limit_req_zone $arg_j zone=req2:32k rate=1r/m; \
    limit_req_zone $request_uri zone=uri:32k rate=1r/m; \
    limit_conn_zone $arg_c zone=conn:32k; limit_conn_zone $arg_d zone=conn2:32k; \
    server { listen 127.0.0.1:%port%; root %root%; access_log off; limit_rate $arg_rate; \
    location /req { limit_req zone=req burst=1 nodelay; try_files /page.html =404; } \
    location /two { limit_req zone=req burst=1 nodelay; limit_req zone=req2; try_files /page.html =404; } \
    location /dry { limit_req zone=req burst=1; limit_req_dry_run on; try_files /page.html =404; } \
    location /warn { limit_req zone=req burst=1; limit_req_dry_run on; limit_req_log_level warn; \
        try_files /page.html =404; } \
    location /notice { limit_req zone=req burst=1; limit_req_dry_run on; limit_req_log_level notice; \
        try_files /page.html =404; } \
    location /info { limit_req zone=req burst=1; limit_req_dry_run on; limit_req_log_level info; \
        try_files /page.html =404; } \
    location /conn { limit_conn conn 1; try_files /page.html =404; } \
    location /conn2 { limit_conn conn2 2; limit_conn conn 1; limit_conn_status 429; try_files /page.html =404; } \
    location /conn-dry { limit_conn conn 1; limit_conn_dry_run on; limit_conn_log_level info; \
        add_header X-Limit $limit_conn_status; try_files /page.html =404; } \
    location /rate { set $limit_rate $arg_rate; return 204; } \
    location = /marker { return 204; } location = /end { deny all; } } }\n";

fn ask(client: &mut Client, target: &str) -> u16 {
    client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
    client.response().expect("an answer").status
}

/// The lines of the log about limits, without time, process and connection. At a request a minute, a request that comes
/// some seconds later has a little less over the rate: that is rounded.
fn lines(server: &Server) -> Vec<String> {
    ask(&mut server.connect(), "/end");
    let log = until("the last line", || Some(server.read("limits.log")).filter(|log| log.contains("forbidden")));
    let line = |line: &str| {
        let (head, text) = line.split_once(": *")?;
        let level = head.split_whitespace().find(|word| word.starts_with('['))?;
        let text = text.split_once(' ')?.1;
        let is_ours = ["limiting", "delaying", "invalid", "the value"].iter().any(|word| text.starts_with(word));
        let text = match text.split_once("excess: ") {
            Some((before, rest)) => {
                let end = rest.find([',', ' '])?;
                format!("{before}excess: {:.0}{}", rest[..end].parse::<f64>().ok()?, &rest[end..])
            }
            None => text.to_owned(),
        };
        is_ours.then(|| format!("{level} {text}"))
    };
    log.lines().filter_map(line).collect()
}

fn start(product: Product, root: &std::path::Path) -> Server {
    Setup::new(product, CONF).root(root).start()
}

#[test]
fn limits_say_what_they_do_in_nginx_s_words() {
    let root = sites::fixture();
    let said = [Nginx, Drover].map(|product| {
        let server = start(product, root.path());
        let mut client = server.connect();
        let mut statuses = Vec::new();
        for target in [
            "/req?k=1",
            "/req?k=1",
            "/req?k=1",
            "/req?k=1",
            "/two?k=2&j=2",
            "/two?k=2&j=2",
            "/two?k=2&j=3",
            "/dry?k=4",
            "/dry?k=4",
            "/dry?k=4",
            "/warn?k=5",
            "/warn?k=5",
            "/warn?k=5",
            "/notice?k=6",
            "/notice?k=6",
            "/notice?k=6",
            "/info?k=7",
            "/info?k=7",
            "/info?k=7",
            "/req?rate=x",
            "/rate?rate=y",
            "/rate",
        ] {
            statuses.push(ask(&mut client, target));
        }
        statuses.push(ask(&mut client, &format!("/conn?c={}", "c".repeat(256))));
        (statuses, lines(&server))
    });
    assert_eq!(said[0], said[1]);
    assert!(said[1].1.len() > 12, "{:?}", said[1].1);
}

/// A client whose answer is under way counts in both workers, until it has the answer or goes.
#[test]
fn connections_are_counted_as_long_as_they_are_answered() {
    let root = sites::fixture();
    let said = [Nginx, Drover].map(|product| {
        let server = start(product, root.path());
        let slow = |target: &str| {
            let mut client = server.connect();
            client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
            // The answer has begun.
            client.wait_for_bytes(5);
            client
        };
        let first = slow("/conn?c=1&rate=20");
        let fresh = |target: &str| ask(&mut server.connect(), target);
        let mut statuses: Vec<u16> = (0..6).map(|_| fresh("/conn?c=1")).collect();
        statuses.extend(["/conn?c=2", "/conn", "/conn2?d=1&c=1", "/conn2?d=1", "/conn-dry?c=1"].map(fresh));
        // The refusals have given back what they counted in the other zone: two have room, once a worker has noted that
        // the client has all of its last answer.
        let has_begun = || {
            let mut client = slow("/conn2?d=1&rate=20");
            (client.status() == 200).then_some(client)
        };
        let held = [(); 2].map(|()| until("room for a connection", has_begun));
        statuses.push(fresh("/conn2?d=1"));
        drop((first, held));
        until_true("those who have gone count no more", || fresh("/conn?c=1") == 200 && fresh("/conn2?d=1") == 200);
        let mut lines = lines(&server);
        // Behind these there are as many lines as the loops take.
        lines.truncate(19);
        (statuses, lines)
    });
    assert_eq!(said[0], said[1]);
    assert_eq!(said[1].0, [503, 503, 503, 503, 503, 503, 200, 200, 429, 200, 200, 429]);
}
