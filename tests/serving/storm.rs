//! Files and links that change places while clients ask for them: nothing outside a root is served.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::unistd::geteuid;

use crate::support::conf::Conf;
use crate::support::seccomp::Refusal;
use crate::support::server::{Product, Server, Setup};

/// Requests for each way to keep clients inside, at most: a slow machine makes what it can in [`TIME`]. A number in
/// `STORM_REQUESTS` is made whole: `STORM_REQUESTS=100000 cargo test --test serving storm -- --nocapture`.
const REQUESTS: u64 = 20_000;
const TIME: Duration = Duration::from_secs(2);
const AT_ONCE: usize = 50;
const TARGETS: [&str; 12] = [
    "/dir/file",
    "/file",
    "/deep/dir/file",
    "/other/file",
    "/link",
    "/dir/",
    "/list/open/",
    "/tried/dir/file",
    "/failed/",
    "/inner",
    "/dir/up",
    "/around",
];

/// Places beside plain ones that look files up.
const LOCATIONS: &str = "gzip_static on; \
    location /list/ { alias %root%/; index none; autoindex on; } \
    location /tried/ { alias %root%/; try_files $uri /file =404; } \
    location /failed/ { error_page 404 =200 /dir/file; return 404; }";

/// Directories and files inside, and links of the same names' rivals, that lead outside.
fn lay_out(server: &Server) {
    let outside = server.dir().join("outside");
    fs::create_dir_all(outside.join("dir")).expect("mkdir");
    for name in ["file", "dir/file", "dir/file.gz", "index.html", "OUTSIDE"] {
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
    for name in ["dir/file", "dir/file.gz", "file", "deep/dir/file", "dir/index.html", "open/name"] {
        server.file(name, "inside");
    }
    let root = server.dir().join("root");
    symlink(&outside, root.join("other")).expect("symlink");
    symlink(outside.join("file"), root.join("link")).expect("symlink");
    symlink(&outside, root.join("deeper")).expect("symlink");
    symlink(&outside, root.join("shut")).expect("symlink");
    // Links that stay inside, as long as what they go through does.
    symlink("dir/file", root.join("inner")).expect("symlink");
    symlink("../file", root.join("dir/up")).expect("symlink");
    symlink("deep/dir/../../dir/file", root.join("around")).expect("symlink");
}

/// Exchanges, again and again, what lies inside and the links that lead outside: each exchange is one step for the
/// kernel, so that a name is always there and is now the one, now the other.
fn rage(root: &Path, is_over: &AtomicBool, exchanges: &AtomicU64) {
    while !is_over.load(Ordering::Relaxed) {
        for (one, other) in [("dir", "other"), ("file", "link"), ("deep", "deeper"), ("open", "shut")] {
            let exchange = RenameFlags::RENAME_EXCHANGE;
            renameat2(AT_FDCWD, &root.join(one), AT_FDCWD, &root.join(other), exchange).expect("renameat2");
            exchanges.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Asks until [`TIME`] is over or [`REQUESTS`] are answered; returns how many answers were 200, and how many others.
fn ask(server: &Server) -> [u64; 2] {
    let asked = std::env::var("STORM_REQUESTS").ok().map(|number| number.parse().expect("a number of requests"));
    let mut client = server.connect();
    let (mut answers, end) = ([0, 0], Instant::now() + TIME);
    while answers[0] + answers[1] < asked.unwrap_or(REQUESTS)
        && (asked.is_some() || Instant::now() < end || answers[0] == 0 || answers[1] == 0)
    {
        let requests = TARGETS.iter().cycle().take(AT_ONCE);
        let request = |target| format!("GET {target} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
        client.send(requests.map(request).collect::<String>());
        for target in TARGETS.iter().cycle().take(AT_ONCE) {
            let response = client.response().expect("an answer");
            match response.status {
                200 if target.starts_with("/list") => {
                    assert!(!response.text().contains("OUTSIDE"), "{target}: {}", response.text());
                }
                200 => assert_eq!(response.text(), "inside", "{target}"),
                status => assert!([301, 403, 404].contains(&status), "{target}: {status}"),
            }
            answers[usize::from(response.status != 200)] += 1;
        }
    }
    answers
}

fn storm(model: &str, main: &str, rule: &str) {
    let conf = conf(model, main, rule);
    storm_at(&format!("{model} {main} {rule}"), Setup::new(Product::Drover, conf));
}

fn conf(model: &str, main: &str, rule: &str) -> Conf {
    let conf = Conf::workers(1).dispatch(model).main(main);
    conf.http("keepalive_requests 1000000; error_log %dir%/error.log alert;").server(&format!("{rule} {LOCATIONS}"))
}

fn storm_at(name: &str, setup: Setup) {
    let mut server = setup.start();
    lay_out(&server);
    let (is_over, exchanges) = (AtomicBool::new(false), AtomicU64::new(0));
    let root = server.dir().join("root");
    let [served, refused] = std::thread::scope(|scope| {
        scope.spawn(|| rage(&root, &is_over, &exchanges));
        let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ask(&server)));
        is_over.store(true, Ordering::Relaxed);
        asked.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    println!("{name}: {served} served, {refused} refused, {} exchanges", exchanges.into_inner());
    assert!(server.quit().success());
}

#[test]
fn links_that_are_refused_lead_nowhere_in_a_storm() {
    storm("exclusive", "", "disable_symlinks on from=$document_root;");
}

#[test]
fn links_that_are_refused_lead_nowhere_in_a_storm_without_openat2() {
    let conf = conf("exclusive", "", "disable_symlinks on from=$document_root;");
    let none = Refusal { call: libc::SYS_openat2, argument: 0, mask: 0, value: 0, error: libc::ENOSYS };
    storm_at("a walk", Setup::new(Product::Drover, conf).refusing(none));
}

/// In three kinds of drivers, by threads that wait for the disk, and with what is kept of a file.
#[test]
fn links_lead_nowhere_outside_in_a_storm() {
    let rule = "disable_symlinks outside;";
    storm("accept_mutex", "", rule);
    storm("prefork", "", rule);
    storm("fork", "", rule);
    storm("exclusive", "", &format!("aio threads; {rule}"));
    storm("leader_follower", "", &format!("open_file_cache max=2; {rule}"));
}

#[test]
fn links_of_other_owners_lead_nowhere_in_a_storm() {
    // The files outside are another user's, which takes root to arrange.
    if geteuid().is_root() {
        storm("exclusive", "", "disable_symlinks if_not_owner from=$document_root;");
    }
}

#[test]
fn links_lead_nowhere_in_a_storm_in_the_sandbox() {
    storm("exclusive", "sandbox on;", "open_file_cache off;");
}
