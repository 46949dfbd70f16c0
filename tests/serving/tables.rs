//! Variables that the conf defines, where nginx is no measure: newer ones than Debian's, large tables, cycles.

use crate::support::conf::Conf;
use crate::support::server::Server;
use std::fmt::Write;
use std::process::Command;

#[test]
fn each_of_ten_thousand_keys_is_found() {
    let mut keys = String::new();
    for n in 0..10_000 {
        writeln!(keys, "/old/Page-{n} /new/{n};").unwrap();
    }
    let map = format!("map $uri $new {{ {keys} default none; }} geo $arg_ip $net {{ default none; {} }}", nets());
    let server = Server::drover(Conf::workers(1).http(&map).server("return 200 '$new $net';"));
    let mut client = server.connect();
    for n in [0, 1, 4_999, 9_999] {
        let answer = client.get(&format!("/OLD/page-{n}?ip=10.{}.{}.9", n / 100, n % 100));
        assert_eq!(answer.text(), format!("/new/{n} {n}"));
    }
    assert_eq!(client.get("/old/page-10000?ip=11.0.0.0").text(), "none none");
}

#[test]
fn a_password_in_the_last_of_thirty_thousand_lines_is_compared() {
    let server =
        Server::drover(Conf::workers(1).server("location / { auth_basic x; auth_basic_user_file %root%/users; }"));
    let mut users = String::new();
    for n in 0..30_000 {
        writeln!(users, "user{n}:{{PLAIN}}x:a comment").unwrap();
    }
    users.push_str(
        "plain:{PLAIN}secret\napr1:$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/\n\
         bcrypt:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n",
    );
    server.file("users", &users);
    server.file("a.txt", "a");
    let mut client = server.connect();
    // NAME:secret and NAME:wrong of the three, "user29999:x", "nobody:secret".
    for (token, status) in [
        ("YmNyeXB0OnNlY3JldA==", 200),
        ("YmNyeXB0Ondyb25n", 401),
        ("YXByMTpzZWNyZXQ=", 200),
        ("YXByMTp3cm9uZw==", 401),
        ("cGxhaW46c2VjcmV0", 200),
        ("cGxhaW46d3Jvbmc=", 401),
        ("dXNlcjI5OTk5Ong=", 200),
        ("bm9ib2R5OnNlY3JldA==", 401),
    ] {
        client.send(format!("GET /a.txt HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {token}\r\n\r\n"));
        assert_eq!(client.response().unwrap().status, status, "{token}");
    }
}

fn nets() -> String {
    (0..10_000).fold(String::new(), |nets, n| format!("{nets}10.{}.{}.0/24 {n};\n", n / 100, n % 100))
}

#[test]
fn a_volatile_value_is_computed_for_each_use() {
    let server = Server::drover(
        Conf::workers(1)
            .http(
                "geo $arg_ip $kept { default no; 10.0.0.0/8 ten; 11.0.0.0/8 eleven; } \
                 geo $arg_ip $fresh { volatile; default no; 10.0.0.0/8 ten; 11.0.0.0/8 eleven; }",
            )
            .server(
                "location / { try_files /none$kept$fresh /after?ip=11.0.0.1; } \
                 location /after { return 200 '$kept $fresh'; }",
            ),
    );
    assert_eq!(server.connect().get("/?ip=10.0.0.1").text(), "ten eleven");
}

/// Each value names two others: without an end to it, 2^100 of them would be computed.
#[test]
fn a_cycle_ends_soon_and_is_said_once() {
    let server = Server::drover(
        Conf::workers(1)
            .logged()
            .http(
                "map $b $a { volatile; default a$b$b; } map $a $b { volatile; default b$a$a; } \
                 map $uri $c { volatile; default $c$c; } map $uri $fine { default fine; }",
            )
            .server("location /two { return 200 '[$a]'; } location /one { return 200 '[$c]$fine'; }"),
    );
    let mut client = server.connect();
    for (target, name) in [("/two", "\"a\""), ("/one", "\"c\"")] {
        let before = server.error_log().len();
        assert_eq!(client.get(target).status, 200);
        let log = server.error_log().split_off(before);
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("cycle")).collect();
        let said = format!("cycle while evaluating variable {name}, client: 127.0.0.1, server: ");
        assert!(lines.len() == 1 && lines[0].contains(&said), "{lines:?}");
    }
    assert_eq!(client.get("/one").text(), "[]fine");
}

#[test]
fn a_broken_file_of_a_table_is_named_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    for (block, line, said) in [
        ("map $uri $a", "a b; a c;", "conflicting parameter \"a\""),
        ("map $uri $a", "a b c;", "invalid number of the map parameters"),
        ("geo $a", "10.0.0.0/40 b;", "invalid network \"10.0.0.0/40\""),
        ("split_clients $uri $a", "5 b;", "invalid percent value \"5\""),
    ] {
        let (table, conf) = (dir.path().join("table"), dir.path().join("conf"));
        std::fs::write(&table, format!("# A comment.\n\n{line}\n")).unwrap();
        let text = format!("events {{ }}\nhttp {{\n{block} {{ include {}; }}\n}}\n", table.display());
        std::fs::write(&conf, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_drover"));
        let output = command.args(["-t", "-g", "pid off; error_log stderr;", "-c"]).arg(&conf).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let sentence = format!("{said} in {}:3", table.display());
        assert!(!output.status.success() && stderr.contains(&sentence), "{line}: {stderr}");
    }
}
