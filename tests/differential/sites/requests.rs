//! Which header lines count, and which connections are kept.

use crate::probe::{Probe, Site};

const HOSTS: [&str; 4] = ["usual", "under", "all", "both"];

const RULES: [&str; 4] = [
    "",
    "underscores_in_headers on;",
    "ignore_invalid_headers off;",
    "underscores_in_headers on; ignore_invalid_headers off;",
];

/// A server for each rule, `default` the first of them.
fn with_default(name: &'static str, default: usize) -> Site {
    let server = |number: usize| {
        format!(
            "server {{ listen 127.0.0.1:%port%; server_name {}; {} error_page 400 =200 @own; \
             location @own {{ return 200 '{0}'; }} \
             location / {{ return 200 '$host [$http_x_y] [$http_range] [$http_content_length] [$http_user_agent]'; }} \
             }} ",
            HOSTS[number], RULES[number]
        )
    };
    let http: String = (0..4).map(|number| server((number + default) % 4)).collect();
    let mut probes = Vec::new();
    for host in HOSTS {
        for lines in [
            "X_Y: 1",
            "X-Y: 1\r\nX_Y: 2",
            "X_Y: 1\r\nX-Y: 2\r\nx_y: 3",
            "_: 1\r\nX_Y_: 2",
            "_X_Y: 1",
            "X.Y: 1",
            "X_Y.: 1\r\nX-Y: 2",
            "X!Y: 1\r\nX_Y: 2",
            "X_Y:\r\nX-Y: 2",
            "User_Agent: a",
            "User_Agent: a\r\nUser-Agent: b",
            "Content_Length: 5",
            "Content_Length: 5\r\nContent_Length: 6",
            "Ran_ge: bytes=0-1\r\nRange: bytes=0-2",
            "X_Y: 1\r\nContent-Length: x",
            "X_Y: 1\r\nX-Y : 2",
            "X_Y: 1\r\nRange",
        ] {
            for (place, text) in [
                ("behind", format!("GET / HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n\r\n")),
                ("before", format!("GET / HTTP/1.1\r\n{lines}\r\nHost: {host}\r\n\r\n")),
                ("around", format!("GET / HTTP/1.1\r\n{lines}\r\nHost: {host}\r\n{lines}\r\n\r\n")),
                ("target", format!("GET http://{host}/ HTTP/1.1\r\n{lines}\r\nHost: other\r\n\r\n")),
                ("none", format!("GET / HTTP/1.0\r\n{lines}\r\n\r\n")),
            ] {
                probes.push(Probe::raw(&format!("{} {place} {host}", lines.replace("\r\n", " ")), text));
            }
        }
    }
    probes.retain(|probe| !probe.name.contains(" none ") || probe.name.ends_with(" none usual"));
    Site::new(name, &http, probes)
}

/// `underscores_in_headers` and `ignore_invalid_headers`, on both sides of `Host`.
pub fn header_lines() -> Site {
    with_default("header_lines", 0)
}

/// The same behind a default server that takes underscores.
pub fn header_lines_by_default() -> Site {
    with_default("header_lines_by_default", 1)
}
