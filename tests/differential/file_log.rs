//! The lines of the error log about files that can't be looked up.

use crate::sites;
use crate::support::server::Product::{Drover, Nginx};
use crate::support::server::{Product, Server, Setup};
use crate::support::until;

const CONF: &str = "%main%\nevents { }\nhttp { %http% error_log %dir%/files.log info; \
    log_format real '$realpath_root $uri'; \
    server { listen 127.0.0.1:%port%; root %root%; access_log off; \
    location /on/ { alias %root%/; disable_symlinks on; } \
    location /owner/ { alias %root%/; disable_symlinks if_not_owner; } \
    location /try/ { alias %root%/; disable_symlinks on; try_files $uri =404; } \
    location /try-plain/ { alias %root%/; try_files $uri =404; } \
    location /if/ { disable_symlinks on; if (-f %root%$arg_f) { return 204; } return 205; } \
    location /gz/ { alias %root%/coded/; disable_symlinks on; gzip_static on; } \
    location /links/ { alias %root%/; index link.txt; disable_symlinks on; } \
    location /plain/ { alias %root%/; index page.html; } \
    location /quiet/ { alias %root%/; log_not_found off; } \
    location /cached/ { alias %root%/; open_file_cache max=10; open_file_cache_errors on; } \
    location /real/ { root %root%/none; add_header X-Real $realpath_root; access_log %dir%/real.log real; \
    return 200 \"[$realpath_root] $realpath_root\"; } \
    location = /end { deny all; } } }\n";

/// The lines of a request, from the number of its connection on.
fn lines(server: &Server, target: &str) -> Vec<String> {
    let before = server.read("files.log").len();
    for target in [target, "/end"] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n");
        server.connect().send(request).response().expect("an answer");
    }
    let log = until("the line of the last request", || {
        let log = server.read("files.log");
        let (mine, _) = log.get(before..)?.split_once("access forbidden")?;
        Some(mine.to_owned())
    });
    let line = |line: &str| {
        let (head, text) = line.split_once(": *")?;
        let level = head.split_whitespace().find(|word| word.starts_with('['))?;
        let text = text.split_once(' ')?.1;
        text.contains(&format!("\"GET {target} ")).then(|| format!("{level} {text}"))
    };
    log.lines().filter_map(line).collect()
}

#[test]
fn files_that_can_t_be_looked_up_are_named_in_nginx_s_words() {
    let root = sites::fixture();
    std::os::unix::fs::symlink("loop.txt", root.path().join("loop.txt")).expect("symlink");
    std::os::unix::fs::symlink("loop.txt", root.path().join("coded/none.txt.gz")).expect("symlink");
    let start = |product: Product| Setup::new(product, CONF).root(root.path()).start();
    let [nginx, drover] = [Nginx, Drover].map(start);
    let mut said = 0;
    for target in [
        "/on/link.txt",
        "/on/linkdir/page.html",
        "/on/linkdir/",
        "/on/none",
        "/on/none/",
        "/on/locked.txt",
        "/on/locked/file.txt",
        "/on/locked/",
        "/on/page.html/x",
        "/owner/loop.txt",
        "/owner/owned.txt",
        "/owner/none",
        "/try/link.txt",
        "/try/none",
        "/try/locked.txt",
        "/try-plain/loop.txt",
        "/try-plain/none",
        "/try-plain/locked.txt",
        "/try-plain/locked/file.txt",
        "/if/?f=/link.txt",
        "/if/?f=/none",
        "/gz/linked.txt",
        "/gz/none.txt",
        "/links/",
        "/links/dir/",
        "/links/none/",
        "/plain/loop.txt",
        "/plain/loop.txt/",
        "/plain/none/",
        "/plain/page.html/",
        "/plain/locked/",
        "/plain/fifo",
        "/plain/Gr%C3%BC%C3%9Fe-%E6%97%A5%E6%9C%AC.html",
        "/plain/Gr%C3%BC%C3%9Fe/",
        "/plain/none",
        "/quiet/none",
        "/quiet/none/",
        "/quiet/locked.txt",
        "/real/none",
        "/cached/none",
        "/cached/none",
        "/cached/locked.txt",
        "/cached/locked/",
        "/cached/none/",
    ] {
        let [theirs, ours] = [&nginx, &drover].map(|server| lines(server, target));
        assert_eq!(ours, theirs, "{target}");
        said += ours.len();
    }
    assert!(said > 20, "{said}");
}
