//! The lines of the error log about header lines that do not count.

use crate::support::server::Product::{Drover, Nginx};
use crate::support::server::{Product, Server, Setup};
use crate::support::until;

const CONF: &str = "%main%\nevents { }\nhttp { %http% error_log %dir%/lines.log info; \
    server { listen 127.0.0.1:%port%; server_name first; return 204; } \
    server { listen 127.0.0.1:%port%; server_name under; underscores_in_headers on; return 204; } \
    server { listen 127.0.0.1:%port%; server_name all; ignore_invalid_headers off; return 204; } \
    server { listen 127.0.0.1:%port%; server_name end; location / { deny all; } } }\n";

/// The lines of a request, from the number of its connection on, without those about the end of connections.
fn lines(server: &Server, request: &str) -> Vec<String> {
    let before = server.read("lines.log").len();
    for request in [request, "GET / HTTP/1.1\r\nHost: end\r\nConnection: close\r\n\r\n"] {
        server.connect().send(request).response().expect("an answer");
    }
    let log = until("the line of the last request", || {
        let log = server.read("lines.log");
        let (mine, _) = log.get(before..)?.split_once("access forbidden")?;
        Some(mine.to_owned())
    });
    let line = |line: &str| {
        let (head, text) = line.split_once(": *")?;
        let level = head.split_whitespace().find(|word| word.starts_with('['))?;
        let text = text.split_once(' ')?.1;
        text.contains("client sent").then(|| format!("{level} {text}"))
    };
    log.lines().filter_map(line).collect()
}

#[test]
fn header_lines_that_do_not_count_are_named_in_nginx_s_words() {
    let start = |product: Product| Setup::new(product, CONF).start();
    let [nginx, drover] = [Nginx, Drover].map(start);
    let mut said = 0;
    for (start, fields) in [
        ("GET / HTTP/1.1", "Host: first\r\nX_Y: 1\r\nX-Y: 2\r\nX.Z:3"),
        ("GET / HTTP/1.1", "A_B: 1\r\nReferer: r\r\nC_D: 2\r\nHost: first\r\nE_F:"),
        ("GET / HTTP/1.1", "A_B: 1\r\nHost: under\r\nC_D: 2\r\nE.F: 3"),
        ("GET / HTTP/1.1", "A_B: 1\r\nHost: all\r\nC_D: 2\r\nE.F: 3"),
        ("GET http://under/ HTTP/1.1", "A_B: 1\r\nA.B: 1\r\nHost: first\r\nC_D: 2\r\nC.D: 2"),
        ("GET / HTTP/1.0", "A_B: 1\r\nC_D: 2  "),
        ("GET /a?b HTTP/1.1", "X_!: 1\r\nHost: first\r\nX_Y: \"q\""),
    ] {
        let request = format!("{start}\r\n{fields}\r\nConnection: close\r\n\r\n");
        let [theirs, ours] = [&nginx, &drover].map(|server| lines(server, &request));
        assert_eq!(ours, theirs, "{request}");
        said += ours.len();
    }
    assert!(said > 10, "{said}");
}
