//! However a measurement ends, its results are kept and no process is left running.

mod support;

use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use support::{json, text};

/// Ends a test that hangs. The tests don't depend on how long anything takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A worker of this age is replaced at once when it dies.
const GROWN_UP: Duration = Duration::from_millis(1100);

/// Starts a comparison that would take minutes, with its temporary files in `dir`.
fn start(dir: &Path, seconds: &str) -> Child {
    std::fs::create_dir(dir.join("tmp")).unwrap();
    support::command(dir)
        .env("TMPDIR", dir.join("tmp"))
        .args(["compare", "--loads", "open", "--rate", "200", "--seconds", seconds, "--rounds", "200"])
        .args(["--workers", "2"])
        .args(["--models", "exclusive,herd", "--out", "out"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The processes whose command line or environment names `dir`.
fn processes(dir: &Path) -> Vec<(u32, String)> {
    let name = dir.display().to_string();
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        (line.contains(&name) || String::from_utf8_lossy(&environment).contains(&name)).then_some((pid, line))
    })
    .collect()
}

fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The pid of a server's master: the child of a keeper.
fn master(dir: &Path) -> Option<u32> {
    let keeper = processes(dir).into_iter().find(|(_, line)| line.contains(" keep ") && line.contains(" drover "))?.0;
    let children = std::fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

fn measured(dir: &Path) -> serde_json::Value {
    json(&dir.join("out/results.json"))
}

#[test]
fn an_interrupted_measurement_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let lab = start(dir.path(), "0.3");
    let first = until("a server", || master(dir.path()));
    until("another server", || master(dir.path()).filter(|pid| *pid != first));
    kill(Pid::from_raw(lab.id() as i32), Signal::SIGINT).unwrap();
    let output = lab.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    let results = measured(dir.path());
    assert_eq!(results["complete"], false);
    assert!(!results["measurements"].as_array().unwrap().is_empty());
    until("everything to be gone", || processes(dir.path()).is_empty().then_some(()));
    assert_eq!(std::fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0, "temporary files are left");
}

#[test]
fn what_measured_nothing_replaces_no_report() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("out")).unwrap();
    std::fs::write(dir.path().join("out/report.html"), "former").unwrap();
    let mut command = support::command(dir.path());
    // Its only round is so long that nothing has been measured when the server is there.
    command.args(["compare", "--loads", "short", "--seconds", "100", "--rounds", "1", "--workers", "2"]);
    command.env("TMPDIR", dir.path()).args(["--models", "herd", "--out", "out"]);
    let lab = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("a server", || master(dir.path()));
    kill(Pid::from_raw(lab.id() as i32), Signal::SIGINT).unwrap();
    let output = lab.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("nothing was measured"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_dir(dir.path().join("out")).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(dir.path().join("out/report.html")).unwrap(), "former");
}

#[test]
fn a_server_that_dies_ends_the_measurement_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut lab = start(dir.path(), "0.3");
    // The second server shows that the first has a round behind it. A server may have been measured when it is found.
    let first = until("a server", || master(dir.path()));
    until("another server", || master(dir.path()).filter(|pid| *pid != first));
    until("the lab to end", || {
        master(dir.path()).into_iter().for_each(|pid| {
            kill(Pid::from_raw(pid as i32), Signal::SIGKILL).ok();
        });
        std::thread::sleep(Duration::from_millis(100));
        lab.try_wait().unwrap()
    });
    let output = lab.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("round ") && said.contains("under open"), "{said}");
    assert_eq!(measured(dir.path())["complete"], false);
    until("everything to be gone", || processes(dir.path()).is_empty().then_some(()));
}

#[test]
fn workers_that_die_end_the_measurement_although_they_are_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let mut lab = start(dir.path(), "4");
    // The second server shows that the first has a round behind it. Workers that die before a load begins don't matter,
    // and the successor of one that dies young comes after a pause, in which a load may begin without it.
    let first = until("a server", || master(dir.path()));
    until("another server", || master(dir.path()).filter(|pid| *pid != first));
    let mut seen: HashMap<i32, Instant> = HashMap::new();
    until("the lab to end", || {
        let children = |pid| std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok();
        // A master that starts has a child that tries what workers will do.
        let is_worker = |pid: &&str| {
            let title = std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
            title.is_ok_and(|title| title.contains("worker process"))
        };
        let children = master(dir.path()).and_then(children).unwrap_or_default();
        let workers = children.split_whitespace().filter(is_worker).filter_map(|pid| pid.parse().ok());
        workers.filter(|pid| seen.entry(*pid).or_insert_with(Instant::now).elapsed() > GROWN_UP).for_each(|pid| {
            kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
        });
        std::thread::sleep(Duration::from_millis(100));
        lab.try_wait().unwrap()
    });
    let said = text(&lab.wait_with_output().unwrap().stderr);
    assert!(said.contains("of the server died while it was measured") && said.contains("round "), "{said}");
    assert_eq!(measured(dir.path())["complete"], false);
}

#[test]
fn a_killed_lab_leaves_no_server() {
    let dir = tempfile::tempdir().unwrap();
    let mut lab = start(dir.path(), "0.3");
    until("a server", || master(dir.path()));
    lab.kill().unwrap();
    lab.wait().unwrap();
    until("everything to be gone", || processes(dir.path()).is_empty().then_some(()));
}

/// Compares with a conf of the person's own, which holds `daemon`.
fn own_conf(dir: &Path, daemon: &str) -> std::process::Output {
    let user = support::user();
    let conf = format!(
        "{user} {daemon} worker_processes $workers; pid $dir/pid; error_log $dir/error.log; events {{ $dispatch }}\n\
         http {{ access_log off; server {{ listen 127.0.0.1:$port; root $site; }} }}\n"
    );
    std::fs::write(dir.join("own.conf"), conf).unwrap();
    std::fs::create_dir(dir.join("tmp")).unwrap();
    support::command(dir)
        .env("TMPDIR", dir.join("tmp"))
        .args(["compare", "--loads", "open", "--rate", "200", "--seconds", "0.1", "--rounds", "1", "--workers", "1"])
        .args(["--models", "exclusive", "--conf", "own.conf", "--out", "out"])
        .output()
        .unwrap()
}

#[test]
fn a_conf_without_daemon_off_leaves_no_server() {
    let dir = tempfile::tempdir().unwrap();
    let output = own_conf(dir.path(), "");
    assert!(output.status.success(), "{}", text(&output.stderr));
    until("everything to be gone", || processes(dir.path()).is_empty().then_some(()));
}

#[test]
fn a_conf_that_makes_a_daemon_is_refused_and_leaves_no_server() {
    let dir = tempfile::tempdir().unwrap();
    let output = own_conf(dir.path(), "daemon on;");
    let said = text(&output.stderr);
    assert!(!output.status.success() && said.contains("daemon off"), "{said}");
    until("everything to be gone", || processes(dir.path()).is_empty().then_some(()));
}
