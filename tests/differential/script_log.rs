//! The lines that scripts of servers and locations add to the error log: nginx's, in the same order.

use crate::sites;
use crate::support::server::Product::{Drover, Nginx};
use crate::support::server::{Product, Server, Setup};
use crate::support::until;

const CONF: &str = "%main%\nevents { }\nhttp { %http% \
    log_format own '$late'; log_format none '-'; \
    server { listen 127.0.0.1:%port%; root %root%; access_log off; error_log %dir%/scripts.log notice; \
    rewrite_log on; rewrite ^/server/(.*)$ /$1?own=1; rewrite ^/server-moved/(.*)$ /x permanent; \
    if ($arg_server ~* ^A) { set $late yes; } \
    location / { rewrite_log off; rewrite ^ /quiet; rewrite ^ /page.html break; } \
    location /plain/ { rewrite ^/none$ /x; rewrite ^/plain/(.*)$ /loc/$1; rewrite ^/loc/(.*)$ /page.html?q=$1; break; \
    } \
    location /last { rewrite ^ /loud?a last; } location /loud { return 204; } \
    location /moved { rewrite ^ /page.html redirect; } \
    location /if { if ($arg_x ~ b) { return 204; } if ($arg_x !~* B) { return 204; } return 403; } \
    location /in-if { rewrite_log off; if ($arg_x) { rewrite_log on; rewrite ^ /page.html break; } } \
    location /circle { rewrite ^ /circle last; } \
    location /empty { rewrite ^ $arg_none break; } \
    location /loop { if (-f $document_root/loop.txt) { return 403; } if (!-e $document_root/loop.txt/x) { return 204; \
    } } \
    location /missing { if (-f $document_root/none) { return 403; } return 204; } \
    location /long { if (-f $document_root/$arg_x) { return 403; } return 204; } \
    location /unset { return 200 '$late$late $late'; } \
    location /unset-if { if ($late) { return 403; } return 200 $late; } \
    location /unset-quiet { uninitialized_variable_warn off; return 200 $late; } \
    location /unset-logged { access_log %dir%/late.log own; return 204; } \
    location /set { set $late x; return 200 $late; } \
    location /named { rewrite ^ /x; return 200 $name; } location ~ ^/group/(?<name>.*)$ { return 200 $name; } \
    location /alias/ { alias %root%/; rewrite ^ /alias/page.html break; } \
    location = /marker { rewrite_log off; rewrite ^ /marked break; } } }\n";

/// The lines of one request, from the number of its connection on, with their levels.
fn lines(server: &Server, target: &str) -> Vec<String> {
    lines_of(server, target, "")
}

/// The lines of one request with more fields than the usual.
pub fn lines_of(server: &Server, target: &str, fields: &str) -> Vec<String> {
    let before = server.read("scripts.log").len();
    for (target, fields) in [(target, fields), ("/marker", "")] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}Connection: close\r\n\r\n");
        server.connect().send(request).response().expect("an answer");
    }
    until("the marker in the error log", || {
        let log = server.read("scripts.log");
        let (mine, _) = log.get(before..)?.split_once("marked\" failed")?;
        let line = |line: &str| {
            let (head, text) = line.split_once(": *")?;
            let level = head.split_whitespace().find(|word| word.starts_with('['))?;
            Some(format!("{level} {}", text.split_once(' ')?.1))
        };
        let mut lines: Vec<String> = mine.lines().filter_map(line).collect();
        lines.pop();
        Some(lines)
    })
}

#[test]
fn scripts_say_what_they_do_in_nginx_s_words() {
    let root = sites::fixture();
    std::os::unix::fs::symlink("loop.txt", root.path().join("loop.txt")).expect("symlink");
    let start = |product: Product| Setup::new(product, CONF).root(root.path()).start();
    let [nginx, drover] = [Nginx, Drover].map(start);
    let long = format!("/long?x={}", "x".repeat(300));
    let mut said = 0;
    for target in [
        "/x",
        "/server/page.html?a=b",
        "/server-moved/x",
        "/?server=abc",
        "/?server=b",
        "/plain/a?b",
        "/last?x",
        "/moved?x",
        "/if?x=b",
        "/if?x=a",
        "/if?x=B",
        "/in-if?x=1",
        "/circle",
        "/empty",
        "/loop",
        "/missing",
        &long,
        "/unset",
        "/unset-if",
        "/unset-quiet",
        "/unset-logged",
        "/set",
        "/named",
        "/group/x",
        "/alias/x",
        "/caf%C3%A9/%22",
    ] {
        let (theirs, ours) = (lines(&nginx, target), lines(&drover, target));
        // nginx writes the bytes of a text as they are.
        if target.is_ascii() && !target.contains('%') {
            assert_eq!(ours, theirs, "{target}");
        } else {
            assert_eq!(ours.len(), theirs.len(), "{target}: {ours:?} {theirs:?}");
        }
        said += theirs.len();
    }
    assert!(said > 60, "{said} lines");
}
