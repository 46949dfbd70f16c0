//! The powers of the processes that touch clients: as the kernel tells, none but those to read files and to serve.

use std::collections::BTreeMap;
use std::fs;

use drover::dispatch::ModelKind;
use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use crate::service::Want;
use crate::support::{proc, tools, until_true};

/// The fields of /proc/PID/status.
fn status(pid: i32) -> BTreeMap<String, String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    text.lines().filter_map(field).collect()
}

/// The groups of the account that the workers become.
fn groups_of_account() -> String {
    let output = std::process::Command::new(tools::find("id")).args(["-G", "www-data"]).output().expect("run id");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Descriptors that a process which serves clients may have: the service's sockets, its logs, what its loop waits
/// with, the memory and the maps that the processes share. No file of the conf, and no stray of who started it.
fn is_expected(target: &str, dir: &str) -> bool {
    let own = ["/dev/null", "anon_inode:[eventpoll]", "anon_inode:[eventfd]", "anon_inode:[timerfd]"];
    let own = own.into_iter().chain(["anon_inode:[signalfd]", "anon_inode:bpf-map"]);
    let is_log = |name: &str| target == format!("{dir}/{name}");
    own.into_iter().any(|kind| target == kind)
        || target.starts_with("socket:[")
        || target.starts_with("/memfd:drover-")
        || ["error.log", "stdout", "stderr", "access.log", "root/index.html"].into_iter().any(is_log)
}

/// Every process below the master, those of single connections among them, has lost root's powers for good.
pub fn powers(kind: &'static ModelKind) {
    let want = Want::of(kind).access_log("%dir%/access.log").server("location /secret { auth_basic x; }");
    let service = want.start();
    let mut client = service.connect();
    assert_eq!(client.get("/").text(), "hello");
    let below = proc::tree(service.pid()).split_off(1);
    assert!(!below.is_empty());
    assert_eq!(status(service.pid())["Seccomp"], "0", "the master starts programs");
    let dir = service.dir().display().to_string();
    // A process counts in the ledger from the fork on, and serves nobody before it has given up its powers.
    let is_confined = |pid: &i32| status(*pid).get("Seccomp").is_some_and(|mode| mode == "2");
    until_true("a filter around each", || below.iter().all(is_confined));
    for pid in below {
        let status = status(pid);
        let is = |name: &str| status.get(name).map_or("", String::as_str);
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(is(set), "0000000000000000", "{set} of {pid}");
        }
        assert_eq!(is("NoNewPrivs"), "1", "{pid}");
        if geteuid().is_root() {
            assert_eq!(is("CapBnd"), "0000000000000000", "{pid}");
            let groups = is("Groups").split_whitespace().collect::<Vec<_>>();
            let own = groups_of_account();
            assert_eq!(groups, own.split_whitespace().collect::<Vec<_>>(), "{pid}: the account's, none of root's");
            // proc(5): what belongs to root there is closed to the account's other processes.
            let memory =
                fs::metadata(format!("/proc/{pid}/mem")).map(|meta| std::os::unix::fs::MetadataExt::uid(&meta));
            assert_eq!(memory.expect("a living process"), 0, "{pid} can't be traced");
        }
        // A worker has /proc/self/fd open while it counts its descriptors.
        until_true(&format!("no other descriptor in {pid}, {}", kind.name), || {
            let open = proc::open_files(pid);
            let other: Vec<&String> = open.iter().filter(|target| !is_expected(target, &dir)).collect();
            println!("{pid} has {} descriptors, of others: {other:?}", open.len());
            !open.is_empty() && other.is_empty()
        });
    }
    drop(client);
    service.end();
}

/// A system call that no process of the service makes fails, and is logged once; whoever made it serves on. Without a
/// sandbox it is made.
pub fn refused_calls(kind: &'static ModelKind) {
    for (sandbox, lines) in [("calls", 1), ("on", 1), ("off", 0)] {
        let mut service = Want::of(kind).main(&format!("sandbox {sandbox};")).start();
        service.let_calls_be_refused();
        service.file("execve-in-phases/file", "a file");
        let workers = service.workers();
        let mut client = service.connect();
        for target in ["/execve-in-phases/file", "/", "/execve-in-phases/file"] {
            assert_eq!(client.get(target).status, 200, "{sandbox}");
        }
        let refused = service.refused_calls();
        assert_eq!(refused.len(), lines, "{sandbox}: {refused:?}");
        let text = format!(": sandbox: system call execve ({}) is not allowed", libc::SYS_execve);
        assert!(refused.iter().all(|line| line.contains("[alert] ") && line.ends_with(&text)), "{refused:?}");
        let mode = if sandbox == "off" { "0" } else { "2" };
        let is_so = |pid: &i32| status(*pid).get("Seccomp").is_some_and(|found| found == mode);
        until_true("as the conf has it", || proc::tree(service.pid())[1..].iter().all(is_so));
        assert_eq!(service.workers(), workers, "no process has ended");
        drop(client);
        assert_eq!(service.server.quit().code(), Some(0), "{sandbox}");
    }
}

/// Workers read what the conf serves and nothing else, write their logs, also in files that a rotation makes, and find
/// the root of another conf after a reload.
pub fn sandbox(kind: &'static ModelKind) {
    let conf = |root: &str| {
        let want = Want::of(kind).main("sandbox on;").access_log("%dir%/logs/access.log");
        want.server(&format!("location /other/ {{ alias %dir%/{root}/; }}"))
    };
    let want = conf("first");
    let service = want.start_with_logs("logs");
    for name in ["first", "second"] {
        fs::create_dir(service.dir().join(name)).expect("mkdir");
        fs::write(service.dir().join(name).join("file"), name).expect("write");
    }
    fs::write(service.dir().join("outside"), "secret").expect("write");
    std::os::unix::fs::symlink("../outside", service.dir().join("root/link")).expect("symlink");
    let get = |target: &str| {
        let response = service.connect().get(target);
        (response.status, response.text())
    };
    // The directory was made when the processes were there already.
    assert_eq!(get("/").1, "hello");
    for root in ["first", "second"] {
        service.reload(&conf(root));
        service.wait_until_settled();
        assert_eq!(get("/other/file"), (200, root.to_owned()));
        assert_eq!(get("/link").0, 403, "a link out of the root");
    }
    assert!(service.error_log().contains("(13: Permission denied)"));
    let logs = service.dir().join("logs");
    fs::rename(logs.join("access.log"), logs.join("access.log.1")).expect("rename");
    service.signal(Signal::SIGUSR1);
    until_true("lines in the new log", || {
        get("/");
        !service.read("logs/access.log").is_empty()
    });
    // A process that takes the place of a killed one has the rules of the load as well.
    fs::create_dir(service.dir().join("elsewhere")).expect("mkdir");
    fs::write(service.dir().join("elsewhere/file"), "secret").expect("write");
    fs::rename(service.dir().join("second"), service.dir().join("third")).expect("rename");
    std::os::unix::fs::symlink("elsewhere", service.dir().join("second")).expect("symlink");
    assert_eq!(get("/other/file").0, 403, "a link in the place of a root");
    let killed = service.workers();
    killed.iter().for_each(|pid| proc::signal(*pid, Signal::SIGKILL));
    let has_all = || service.workers().iter().filter(|pid| !killed.contains(pid)).count() == killed.len();
    until_true("other processes", has_all);
    service.wait_until_settled();
    assert_eq!(get("/other/file").0, 403, "a link in the place of a root, and other processes");
    service.end_after_harm();
}
