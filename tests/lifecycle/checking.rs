//! `-t` and `-T`: what is checked, what is said, and what stays as it was.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::conf;
use crate::support::client::Client;
use crate::support::ended::{Ended, drover, drover_in};
use crate::support::server::Server;

#[test]
fn a_test_says_what_nginx_says() {
    let server = Server::drover(conf(1));
    let path = server.conf_path();
    let (dir, path) = (server.dir().to_str().unwrap(), path.to_str().unwrap());
    // The addresses are in use by the server that runs: no error for a test. Its pid file stays.
    let good = drover(&["-t", "-p", dir, "-c", path]);
    let expected = format!(
        "drover: the configuration file {path} syntax is ok\ndrover: configuration file {path} test is successful\n"
    );
    assert_eq!((good.code, good.stderr), (Some(0), expected));
    assert_eq!(server.read("server.pid"), format!("{}\n", server.pid()));
    let quiet = drover(&["-tq", "-p", dir, "-c", path]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (Some(0), ""));
    let dump = drover(&["-Tq", "-p", dir, "-c", path]);
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(dump.stdout, format!("# configuration file {path}:\n{text}\n"));
    assert_eq!(server.workers().len(), 1);
}

#[test]
fn a_dump_shows_included_files_as_well() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("more.conf"), "worker_connections 64;\n").unwrap();
    let text = "pid off; error_log stderr; events { include more.conf; } http { access_log off; }\n";
    fs::write(dir.path().join("site.conf"), text).unwrap();
    let dump = drover_in(dir.path(), &["-T", "-c", "site.conf"]);
    assert_eq!(dump.code, Some(0), "{}", dump.stderr);
    assert!(dump.stdout.contains("# configuration file") && dump.stdout.contains("\nworker_connections 64;\n"));
}

/// Checks a conf; whatever the directory of its file is called, what is said calls it DIR.
fn check(text: &str) -> Ended {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.conf");
    fs::write(&path, text).unwrap();
    let ended = drover(&["-t", "-p", dir.path().to_str().unwrap(), "-c", path.to_str().unwrap()]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "a test leaves nothing behind");
    Ended { stderr: ended.stderr.replace(dir.path().to_str().unwrap(), "DIR"), ..ended }
}

#[test]
fn a_test_finds_what_a_start_would() {
    let good = "error_log stderr; events { } http { access_log off; server { listen 127.0.0.1:1; } }";
    let own_log = "events { } http { access_log off; server { listen 127.0.0.1:1; } }";
    let cases = [
        ("pid no/such/dir/x.pid;", good, "open() \"DIR/no/such/dir/x.pid\" failed (2: No such file or directory)"),
        ("pid /nowhere/pid;", good, "/nowhere/pid"),
        ("user nobody-by-this-name;", good, "getpwnam(\"nobody-by-this-name\") failed in DIR/x.conf:1"),
        ("lisen 80;", good, "unknown directive \"lisen\" in DIR/x.conf:1"),
        ("worker_processes none;", good, "in DIR/x.conf:1"),
        ("error_log syslog:server=x;", own_log, "in DIR/x.conf:1"),
        ("error_log no/such/x.log;", own_log, "no/such/x.log\" failed (2: No such file or directory)"),
        ("error_log /nowhere/error.log;", own_log, "/nowhere/error.log"),
        (
            "pid off;",
            "events { } http { access_log /nowhere/access.log; server { listen 127.0.0.1:1; } }",
            "/nowhere/access.log",
        ),
        // An address for documentation (RFC 5737), which no machine has.
        ("pid off;", "events { } http { access_log off; server { listen 192.0.2.1:1; } }", "192.0.2.1:1"),
    ];
    for (line, rest, expected) in cases {
        let Ended { code, stderr, .. } = check(&format!("{line} {rest}"));
        assert_eq!(code, Some(1), "{line}: {stderr}");
        assert!(stderr.contains("drover: [emerg] ") && stderr.contains(expected), "{line}: {stderr}");
        assert!(stderr.ends_with("drover: configuration file DIR/x.conf test failed\n"), "{line}: {stderr}");
    }
    assert_eq!(check(good).code, Some(0));
}

/// Root may test what another user starts later: a log that root had made would be closed to that user.
#[test]
fn a_test_makes_no_log() {
    let text = "pid x.pid; error_log e.log; events { } http { access_log a.log; error_log h.log info;
        access_log a.gz combined gzip; server { listen 127.0.0.1:1; %1 } }";
    for (extra, code) in [("", 0), ("access_log no/such/b.log;", 1), ("bad;", 1)] {
        let ended = check(&text.replace("%1", extra));
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
    }
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::os::unix::fs::symlink("no/such/file", at("a.log")).unwrap();
    fs::write(at("e.log"), "").unwrap();
    fs::write(at("x.conf"), text.replace("%1", "access_log logs/; access_log a.log;")).unwrap();
    let ended = drover_in(dir.path(), &["-t", "-c", "x.conf"]);
    for (name, reason) in [("a.log", "2: No such file or directory"), ("logs/", "21: Is a directory")] {
        let expected = format!("open() \"{}\" failed ({reason})", at(name).display());
        assert!(ended.stderr.contains(&expected), "{expected}: {}", ended.stderr);
    }
    let told = fs::read_to_string(at("e.log")).unwrap();
    assert!(told.contains("[emerg]"), "a log that is there is written to, as nginx does: {told}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
}

#[test]
fn a_test_beside_a_running_server_takes_no_connection_from_it() {
    let server = Server::drover(conf(2).listen("127.0.0.1:%port% reuseport"));
    let is_over = AtomicBool::new(false);
    let failed = thread::scope(|scope| {
        let ask = || {
            let failed = |_: &usize| {
                let mut client = Client::try_connect(server.addr()).expect("connect");
                client.send("GET /v HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").response().is_err()
            };
            (0..).take_while(|_| !is_over.load(Ordering::Relaxed)).filter(failed).count()
        };
        let client = scope.spawn(ask);
        for _ in 0..40 {
            assert!(drover(&["-t", "-q", "-c", server.conf_path().to_str().unwrap()]).succeeded());
        }
        is_over.store(true, Ordering::Relaxed);
        client.join().unwrap()
    });
    assert_eq!(failed, 0);
}

#[test]
fn the_embedded_configuration_and_a_directory_pass_the_test() {
    let dir = tempfile::Builder::new().prefix("it's a \"site\" ").tempdir().unwrap();
    fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for args in [&["-t"][..], &["-t", dir.path().to_str().unwrap()]] {
        let output = drover(args);
        assert_eq!(output.code, Some(0), "{args:?}: {}", output.stderr);
    }
    let missing = drover(&["/no/such/directory"]);
    assert_eq!(missing.code, Some(1));
    assert!(
        missing.stderr.contains("\"/no/such/directory\" failed (2: No such file or directory)"),
        "{}",
        missing.stderr
    );
}
