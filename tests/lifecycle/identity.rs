//! Workers that can't begin, because they may not change their user or get no descriptors.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

use crate::support::conf::Conf;
use crate::support::seccomp::Refusal;
use crate::support::server::{Product, Server, Setup};
use crate::support::{proc, until, until_true};

type Way = (&'static str, &'static [&'static str]);

/// Root that has lost the powers.
const POWERLESS: Way = ("setpriv", &["--bounding-set", "-setuid,-setgid"]);
/// Where only the id 0 exists.
const NAMESPACE: Way = ("unshare", &["--user", "--map-root-user"]);

/// How a server is started by root that can't become anybody else.
fn ways() -> Vec<Way> {
    if geteuid().is_root() { vec![POWERLESS, NAMESPACE] } else { vec![NAMESPACE] }
}

/// A conf that names no account of its own.
fn conf(main: &str) -> Conf {
    let surroundings = format!("daemon off; pid %dir%/server.pid; error_log %dir%/error.log info; {main}");
    crate::conf(1).surroundings(&surroundings)
}

/// The message where the workers can't become `www-data`.
fn refusal(program: &str) -> &'static str {
    match program {
        "setpriv" => {
            "setgid(33) failed (1: Operation not permitted) in DIR/server.conf:1\n  --> DIR/server.conf:1:78\n   |\n\
             1 | daemon off; pid DIR/server.pid; error_log DIR/error.log info; user www-data;\n   | "
        }
        _ => "setgid(33) failed (22: Invalid argument) in DIR/server.conf:1",
    }
}

fn said(server: &Server) -> String {
    server.stderr().replace(&server.dir().display().to_string(), "DIR")
}

#[test]
fn a_start_and_a_test_fail_where_workers_cant_become_their_user() {
    for (program, args) in ways() {
        for options in [&["-t"][..], &[]] {
            let setup = Setup::new(Product::Drover, conf("user www-data;")).via(program, args);
            let setup = options.iter().fold(setup, |setup, option| setup.arg(option));
            let mut server = setup.spawn();
            assert_eq!(server.wait().code(), Some(1), "{program}: {}", said(&server));
            let expected = refusal(program).split('\n').next().unwrap();
            assert!(said(&server).contains(expected), "{program}: {}", said(&server));
            assert!(said(&server).contains("let the workers stay what the master is with \"user root;\""));
            assert!(!server.error_log().contains("worker process"), "nobody was started");
            assert!(!server.dir().join("server.pid").exists());
            assert!(TcpStream::connect(server.addr()).is_err(), "no port was opened");
        }
    }
}

#[test]
fn the_default_user_is_tried_as_well() {
    let Some(&(program, args)) = ways().first().filter(|way| **way == POWERLESS) else { return };
    let mut server = Setup::new(Product::Drover, conf("")).via(program, args).spawn();
    assert_eq!(server.wait().code(), Some(1));
    let expected = "drover: [emerg] setgid(65534) failed (1: Operation not permitted): to become \"nobody\" takes \
                    CAP_SETUID and CAP_SETGID, start drover with them, or let the workers stay what the master is \
                    with \"user root;\"\n";
    assert_eq!(said(&server), expected);
}

#[test]
fn who_stays_root_needs_no_call() {
    for (program, args) in ways() {
        let mut server = Setup::new(Product::Drover, conf("user root;")).via(program, args).start();
        assert_eq!(server.connect().get("/v").text(), "one", "{program}");
        assert!(server.quit().success());
        assert!(!server.error_log().contains("[emerg]"), "{}", server.error_log());
    }
}

#[test]
fn a_reload_that_would_leave_no_worker_is_refused() {
    for (program, args) in ways() {
        let server = Setup::new(Product::Drover, conf("user root;")).via(program, args).start();
        let workers = server.wait_for_workers(1);
        server.rewrite_conf(conf("user www-data;"));
        let (code, text) = server.send("reload");
        assert!(code == Some(1) && text.contains("refused the new configuration: setgid(33) failed ("), "{text}");
        assert_eq!((server.workers(), server.connect().get("/v").text().as_str()), (workers, "one"));
    }
}

#[test]
fn a_limit_that_leaves_workers_no_descriptors_ends_a_start() {
    let main = if geteuid().is_root() { "user root;" } else { "" };
    let mut server = Setup::new(Product::Drover, conf(&format!("{main} worker_rlimit_nofile 4;"))).spawn();
    assert_eq!(server.wait().code(), Some(1));
    assert!(said(&server).contains("signalfd() failed (24: Too many open files)"), "{}", said(&server));
    assert!(!server.error_log().contains("worker process"), "nobody was started");
}

/// A process that can't begin while others serve is tried again, aloud; when nobody serves any more, the service ends.
#[test]
fn a_service_without_workers_does_not_look_like_one() {
    for model in ["exclusive", "reuseport", "pool_pass", "prefork", "fork"] {
        let mut server = Server::drover(crate::conf(2).dispatch(model));
        let children = match model {
            "pool_pass" => 3,
            "fork" => 1,
            _ => 2,
        };
        let victims = server.wait_for_workers(children);
        until_true("the children are at work", || victims.iter().all(|pid| proc::is_asleep(*pid)));
        proc::limit_own_descriptors(server.pid(), 3);
        if children == 2 {
            proc::signal(victims[0], Signal::SIGKILL);
            until_true("a successor fails", || server.error_log().contains("exited with fatal code 2, tried again in"));
            assert!(server.poll_exit().is_none(), "{model}: the other one serves");
        }
        for pid in victims {
            // The first is gone already.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        assert_eq!(server.wait().code(), Some(1), "{model}");
        let last = server.error_log();
        assert!(last.contains("process can begin, the service ends"), "{model}: {last}");
        let is_promised = last.contains("tried again in");
        assert!(children > 1 || !is_promised, "{model}: nobody is tried again when the service ends: {last}");
        assert!(proc::listening_inodes(server.port()).is_empty());
        assert!(!server.dir().join("server.pid").exists());
        until(&format!("{model}: nobody is left"), || (!proc::group_lives(server.pid())).then_some(()));
    }
}

#[test]
fn workers_that_crash_before_they_begin_end_a_start() {
    // The master has no epoll set.
    let no_epoll = Refusal { call: libc::SYS_epoll_create1, argument: 0, mask: 0, value: 0, error: 0 };
    let mut server = Setup::new(Product::Drover, crate::conf(2)).refusing(no_epoll).spawn();
    assert_eq!(server.wait().code(), Some(1));
    let log = server.error_log();
    assert!(
        log.contains("exited on signal 31") && log.contains("no worker process can begin, the service ends"),
        "{log}"
    );
    assert!(proc::listening_inodes(server.port()).is_empty());
}

/// Descriptors that a shell left open, a lock of its own or a pipe, are the master's alone.
#[test]
fn workers_close_what_the_starter_left_open() {
    let strays = r#"exec "$0" "$@" 7</etc/passwd 9</etc/passwd"#;
    let mut server = Setup::new(Product::Drover, crate::conf(1)).via("sh", &["-c", strays]).start();
    assert_eq!(server.connect().get("/v").text(), "one");
    let workers = server.wait_for_workers(1);
    assert!(proc::open_files(server.pid()).contains("/etc/passwd"), "the starter may count on the master");
    assert!(!proc::open_files(workers[0]).contains("/etc/passwd"), "{:?}", proc::open_files(workers[0]));
    assert!(server.quit().success());
}

/// `user root` is chosen for files that belong to others: of root's capabilities those over files stay.
#[test]
fn workers_of_root_keep_its_power_over_files_alone() {
    if !geteuid().is_root() {
        return;
    }
    let mut server = Setup::new(Product::Drover, conf("user root;")).start();
    let secret = server.dir().join("root/secret");
    std::fs::write(&secret, "for www-data").expect("write");
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).expect("chmod");
    std::os::unix::fs::chown(&secret, Some(33), Some(33)).expect("chown");
    assert_eq!(server.connect().get("/secret").text(), "for www-data");
    let workers = server.wait_for_workers(1);
    let status = std::fs::read_to_string(format!("/proc/{}/status", workers[0])).expect("a living worker");
    for line in ["CapEff:\t0000000000000006", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"] {
        assert!(status.contains(line), "{line}: {status}");
    }
    assert!(server.quit().success());
}
