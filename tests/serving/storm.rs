//! Files and links that change places while clients ask for them: nothing outside a root is served.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::unistd::geteuid;

use crate::support::conf::Conf;
use crate::support::server::{Product, Server, Setup};

/// Requests for each way to keep clients inside, at most: a slow machine makes what it can in [`TIME`].
const REQUESTS: u64 = 40_000;
const TIME: Duration = Duration::from_secs(3);
const AT_ONCE: usize = 50;
const TARGETS: [&str; 6] = ["/dir/file", "/file", "/deep/dir/file", "/other/file", "/link", "/dir/"];

/// Directories and files inside, and links of the same names' rivals, that lead outside.
fn lay_out(server: &Server) {
    let outside = server.dir().join("outside");
    fs::create_dir_all(outside.join("dir")).expect("mkdir");
    for name in ["file", "dir/file", "index.html"] {
        let path = outside.join(name);
        fs::write(&path, "OUTSIDE").expect("write");
        if geteuid().is_root() {
            chown(&path, Some(1), None).expect("chown");
        }
    }
    if geteuid().is_root() {
        for dir in ["", "dir"] {
            chown(outside.join(dir), Some(1), None).expect("chown");
        }
    }
    for name in ["dir/file", "file", "deep/dir/file", "dir/index.html"] {
        server.file(name, "inside");
    }
    let root = server.dir().join("root");
    symlink(&outside, root.join("other")).expect("symlink");
    symlink(outside.join("file"), root.join("link")).expect("symlink");
    symlink(&outside, root.join("deeper")).expect("symlink");
}

/// Exchanges, again and again, what lies inside and the links that lead outside: each exchange is one step for the
/// kernel, so that a name is always there and is now the one, now the other.
fn rage(root: &Path, is_over: &AtomicBool, exchanges: &AtomicU64) {
    while !is_over.load(Ordering::Relaxed) {
        for (one, other) in [("dir", "other"), ("file", "link"), ("deep", "deeper")] {
            let exchange = RenameFlags::RENAME_EXCHANGE;
            renameat2(AT_FDCWD, &root.join(one), AT_FDCWD, &root.join(other), exchange).expect("renameat2");
            exchanges.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Asks until [`TIME`] is over or [`REQUESTS`] are answered; returns how many answers were 200, and how many others.
fn ask(server: &Server) -> [u64; 2] {
    let mut client = server.connect();
    let (mut answers, end) = ([0, 0], Instant::now() + TIME);
    while answers[0] + answers[1] < REQUESTS && (Instant::now() < end || answers[0] == 0 || answers[1] == 0) {
        let requests = TARGETS.iter().cycle().take(AT_ONCE);
        client.send(requests.map(|target| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).collect::<String>());
        for target in TARGETS.iter().cycle().take(AT_ONCE) {
            let response = client.response().expect("an answer");
            match response.status {
                200 => assert_eq!(response.text(), "inside", "{target}"),
                status => assert!([301, 403, 404].contains(&status), "{target}: {status}"),
            }
            answers[usize::from(response.status != 200)] += 1;
        }
    }
    answers
}

fn storm(main: &str, rule: &str) {
    let conf = Conf::workers(1).main(main).http("keepalive_requests 1000000; error_log %dir%/error.log alert;");
    let mut server = Setup::new(Product::Drover, conf.server(rule)).start();
    lay_out(&server);
    let (is_over, exchanges) = (AtomicBool::new(false), AtomicU64::new(0));
    let root = server.dir().join("root");
    let [served, refused] = std::thread::scope(|scope| {
        scope.spawn(|| rage(&root, &is_over, &exchanges));
        let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ask(&server)));
        is_over.store(true, Ordering::Relaxed);
        asked.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    println!("{main}{rule} {served} served, {refused} refused, {} exchanges", exchanges.into_inner());
    assert!(server.quit().success());
}

#[test]
fn links_that_are_refused_lead_nowhere_in_a_storm() {
    storm("", "disable_symlinks on from=$document_root;");
}

#[test]
fn links_of_other_owners_lead_nowhere_in_a_storm() {
    // The files outside are another user's, which takes root to arrange.
    if geteuid().is_root() {
        storm("", "disable_symlinks if_not_owner from=$document_root;");
    }
}

#[test]
fn links_lead_nowhere_in_a_storm_in_the_sandbox() {
    storm("sandbox on;", "open_file_cache off;");
}
