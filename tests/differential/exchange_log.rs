//! The lines of the error log about cookies of `userid`, and about additions to answers.

use crate::support::server::{Product, Setup};
use crate::support::until;

#[test]
fn the_error_log_has_the_lines_of_userid() {
    let conf = "%main%\nevents { }\nhttp { %http% server { listen 127.0.0.1:%port%; \
                userid on; location / { return 204; } location /log { set $uid_reset log; return 204; } } }\n";
    let good = "fwAAAUvCYwhBeQDeAwMDAg==";
    let lines = [Product::Nginx, Product::Drover].map(|product| {
        let server = Setup::new(product, conf).start();
        for (target, cookie) in [
            ("/", "a=b; uid=short; c=d"),
            ("/", "uid=fwAAAUvCYwhBeQDeAwMD.g=="),
            ("/", good),
            ("/log", &format!("uid={good}")),
            ("/", &format!("uid={good}")),
        ] {
            let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
            assert_eq!(server.connect().send(request).response().expect("an answer").status, 204);
        }
        until("three lines", || {
            let log = server.read("error.log");
            let lines = log.lines().filter_map(|line| {
                let (level, rest) = line.split_once('[')?.1.split_once("] ")?;
                let (said, client) = rest.split_once(": *")?.1.split_once(' ')?.1.split_once(", client: ")?;
                Some(format!("{level}: {said}, {}", client.split_once(", request")?.1))
            });
            let lines: Vec<String> = lines.collect();
            (lines.len() >= 3).then_some(lines)
        })
    });
    assert_eq!(lines[0], lines[1]);
    assert!(lines[0][0].contains("client sent too short userid cookie \"a=b; uid=short; c=d\""), "{lines:?}");
    assert!(
        lines[0][2].starts_with("notice: userid cookie \"uid=0100007F0863C24BDE00794102030303\" was reset"),
        "{lines:?}"
    );
}

#[test]
fn the_error_log_names_the_addition_that_fails() {
    let conf = "%main%\nevents { }\nhttp { %http% default_type text/html; server { listen 127.0.0.1:%port%; \
                root %root%; add_before_body /nowhere/x; location / { return 200 hello; } location /nowhere/ { } } }\n";
    let lines = [Product::Nginx, Product::Drover].map(|product| {
        let server = Setup::new(product, conf).start();
        let request = "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let answer = server.connect().send(request).response().expect("an answer");
        assert!(answer.status == 200 && answer.text().ends_with("hello"));
        until("a line", || {
            let log = server.read("error.log");
            let line = log.lines().find(|line| line.contains("/nowhere/x"))?;
            let (failed, context) = line.split_once("open() \"")?.1.split_once("\" failed ")?;
            failed.ends_with("/nowhere/x").then(|| context.to_owned())
        })
    });
    assert_eq!(lines[0], lines[1]);
    let context = ", request: \"GET /a HTTP/1.1\", subrequest: \"/nowhere/x\", host: \"a\"";
    assert!(lines[0].contains(context), "{lines:?}");
}
