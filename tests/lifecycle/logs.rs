//! Log files that are moved or removed, and opened anew.

use std::fs;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use nix::sys::signal::Signal;

use crate::support::conf::Conf;
use crate::support::server::Server;
use crate::support::{proc, until_true};

#[test]
fn logs_are_reopened_by_master_and_workers() {
    for by_command in [true, false] {
        let server = Server::drover(Conf::workers(2).logged().server("location / { return 200 x; }"));
        let workers = server.wait_for_workers(2);
        server.connect().get("/before");
        until_true("the first line", || server.read("access.log").contains("/before"));
        for name in ["access.log", "error.log"] {
            fs::rename(server.dir().join(name), server.dir().join(format!("{name}.1"))).unwrap();
        }
        if by_command {
            assert_eq!(server.send("reopen").0, Some(0));
        } else {
            server.signal(Signal::SIGUSR1);
        }
        let everyone = [&[server.pid()], &workers[..]].concat();
        until_true("everybody has the new files open", || {
            everyone.iter().all(|pid| {
                let open = proc::open_files(*pid);
                ["access.log", "error.log"].iter().all(|name| {
                    let path = server.dir().join(name).display().to_string();
                    open.contains(&path) && !open.contains(&format!("{path}.1"))
                })
            })
        });
        server.connect().get("/after");
        until_true("the line after", || server.read("access.log").contains("/after"));
        assert!(!server.read("access.log").contains("/before"));
        assert!(!server.read("access.log.1").contains("/after"));
        assert_eq!(server.workers(), workers, "nobody was restarted");
    }
}

#[test]
fn a_log_that_was_removed_is_made_anew() {
    let server = Server::drover(Conf::workers(1).logged());
    let log = server.dir().join("access.log");
    fs::remove_file(&log).unwrap();
    assert_eq!(server.send("reopen").0, Some(0));
    until_true("the log is made anew", || log.exists());
}

/// A gzip may end in any byte; nothing may come between two of them.
#[test]
fn a_compressed_log_is_whole_behind_a_reload_and_a_restart() {
    let conf = Conf::workers(2).access_log("%dir%/access.gz combined gzip").server("location / { return 204; }");
    let mut server = Server::drover(conf);
    server.wait_for_workers(2);
    for generation in 0..5 {
        server.connect().get(&format!("/{generation}"));
        let old = server.workers();
        assert_eq!(server.send("reload").0, Some(0));
        until_true("the old workers have gone", || old.iter().all(|pid| !proc::is_alive(*pid)));
    }
    assert!(server.quit().success());
    let bytes = fs::read(server.dir().join("access.gz")).unwrap();
    let mut text = String::new();
    MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text.lines().count(), 5, "{text}");
}
