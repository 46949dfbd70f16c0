//! The pid file: whose it is, who may write and remove it, and whom `-s` believes.

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};

use crate::conf;
use crate::support::conf::Conf;
use crate::support::server::{Product, Server, Setup};
use crate::support::{proc, until, until_true};

/// A conf whose pid file is at `pid`.
fn with_pid(pid: &str) -> Conf {
    conf(1).surroundings(&format!("daemon off; error_log %dir%/error.log info; {pid}"))
}

/// The end of a start that must fail, and what it said.
fn refused(conf: Conf) -> String {
    let mut server = Setup::new(Product::Drover, conf).spawn();
    assert!(!server.wait().success());
    server.stderr()
}

#[test]
fn the_pid_file_names_the_master_until_it_quits() {
    let mut server = Server::drover(conf(3));
    assert_eq!(server.read("server.pid"), format!("{}\n", server.pid()));
    assert_eq!(server.wait_for_workers(3).len(), 3);
    assert_eq!(server.connect().get("/v").text(), "one");
    assert!(server.quit().success());
    assert!(!server.dir().join("server.pid").exists());
}

#[test]
fn a_path_that_is_spelled_otherwise_is_the_same_file() {
    let mut server = Server::drover(conf(1));
    symlink(server.dir(), server.dir().join("link")).unwrap();
    server.rewrite_conf(with_pid("pid %dir%/link/server.pid;"));
    assert_eq!(server.send("reload"), (Some(0), String::new()));
    assert_eq!(server.read("server.pid"), format!("{}\n", server.pid()));
    // A file that was removed is made again, and one that moves leaves nothing behind.
    fs::remove_file(server.dir().join("server.pid")).unwrap();
    server.signal(Signal::SIGHUP);
    until_true("it is there again", || server.read("server.pid") == format!("{}\n", server.pid()));
    server.rewrite_conf(with_pid("pid %dir%/other.pid;"));
    server.signal(Signal::SIGHUP);
    until_true("it has moved", || server.read("other.pid") == format!("{}\n", server.pid()));
    until_true("nothing is left", || !server.dir().join("server.pid").exists());
    assert_eq!(server.send("quit").0, Some(0));
    assert!(server.wait().success());
    assert!(!server.dir().join("other.pid").exists());
}

#[test]
fn what_is_not_a_pid_file_outlives_the_service() {
    let is_device = || fs::metadata("/dev/null").unwrap().file_type().is_char_device();
    let mut server = Server::drover(with_pid("pid /dev/null;"));
    assert!(server.stderr().contains("[warn]") && server.stderr().contains("is a device"), "{}", server.stderr());
    assert!(server.quit().success() && is_device());
    let dir = tempfile::tempdir().unwrap();
    let (link, fifo, text) = (dir.path().join("link"), dir.path().join("fifo"), dir.path().join("text"));
    symlink("/dev/null", &link).unwrap();
    let mut server = Server::drover(with_pid(&format!("pid {};", link.display())));
    assert!(server.quit().success() && is_device() && fs::symlink_metadata(&link).is_ok());
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let said = refused(with_pid(&format!("pid {};", fifo.display())));
    assert!(said.contains("not a regular file") && fs::metadata(&fifo).unwrap().file_type().is_fifo(), "{said}");
    fs::write(&text, "dear").unwrap();
    let said = refused(with_pid(&format!("pid {};", text.display())));
    assert!(said.contains("it holds something else than a process id"), "{said}");
    assert_eq!(fs::read_to_string(&text).unwrap(), "dear");
}

#[test]
fn the_file_of_a_running_master_is_not_taken_and_a_process_that_is_none_gets_no_signal() {
    let server = Server::drover(conf(1));
    let pid_file = server.dir().join("server.pid");
    let said = refused(with_pid(&format!("pid {};", pid_file.display())));
    assert!(said.contains(&format!("a running drover master has it: process {}", server.pid())), "{said}");
    assert_eq!(server.read("server.pid"), format!("{}\n", server.pid()));
    let mut sleep = Command::new("sleep").arg("1000").spawn().unwrap();
    let worker = server.wait_for_workers(1)[0];
    for (pid, what) in [(sleep.id(), "(\"sleep\")"), (std::process::id(), "process"), (worker as u32, "(\"drover\")")] {
        fs::write(server.dir().join("stale.pid"), format!("{pid}\n")).unwrap();
        server.rewrite_conf(with_pid("pid %dir%/stale.pid;"));
        for signal in ["stop", "quit", "reopen", "reload"] {
            let (code, text) = server.send(signal);
            assert_eq!(code, Some(1), "{text}");
            assert!(text.contains("is not the master that wrote it: left alone") && text.contains(what), "{text}");
        }
    }
    assert!(sleep.try_wait().unwrap().is_none());
    sleep.kill().unwrap();
    sleep.wait().unwrap();
    assert_eq!(server.workers(), [worker]);
    let (code, text) = server.send("stop");
    assert!(code == Some(1) && !text.is_empty(), "{text}");
    // The id of another master, in a file that this one has not written.
    fs::write(server.dir().join("stale.pid"), format!("{}\n", server.pid())).unwrap();
    assert!(server.send("stop").1.contains("is not the master that wrote it"));
    assert_eq!(server.connect().get("/v").text(), "one");
}

#[test]
fn a_reload_by_a_conf_with_another_pid_file_says_how_the_master_is_reached() {
    let mut server = Server::drover(conf(1));
    server.rewrite_conf(with_pid("pid %dir%/other.pid;"));
    // nginx looks for the file of the new conf, too.
    let (code, text) = server.send("reload");
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("other.pid\" failed (2: No such file or directory): no running master has written it"),
        "{text}"
    );
    assert!(text.contains("\"kill -HUP ID\" reloads it, and moves the file"), "{text}");
    server.signal(Signal::SIGHUP);
    until_true("it has moved", || server.read("other.pid") == format!("{}\n", server.pid()));
    assert_eq!(server.send("reload"), (Some(0), String::new()));
    assert_eq!(server.send("quit").0, Some(0));
    assert!(server.wait().success());
}

#[test]
fn a_file_with_the_id_of_another_program_is_overwritten_as_in_nginx() {
    let mut sleep = Command::new("sleep").arg("1000").spawn().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("stale.pid");
    fs::write(&file, format!("{}\n", sleep.id())).unwrap();
    let mut server = Server::drover(with_pid(&format!("pid {};", file.display())));
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{}\n", server.pid()));
    assert!(server.quit().success() && !file.exists());
    assert!(sleep.try_wait().unwrap().is_none());
    sleep.kill().unwrap();
    sleep.wait().unwrap();
}

/// Starts drover in `dir`, with a conf there.
fn start_in(dir: &Path, conf: &str, log: &str) -> Child {
    let mut command = Command::new(Product::Drover.binary());
    command.current_dir(dir).args(["-c", conf]).stdin(Stdio::null()).stderr(fs::File::create(dir.join(log)).unwrap());
    std::os::unix::process::CommandExt::process_group(&mut command, 0).spawn().unwrap()
}

fn send_in(dir: &Path, conf: &str, signal: &str) -> (Option<i32>, String) {
    let mut command = Command::new(Product::Drover.binary());
    let output = command.current_dir(dir).args(["-c", conf, "-s", signal]).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn without_a_directive_each_conf_has_a_file_of_its_own_and_the_directory_none() {
    let dir = tempfile::tempdir().unwrap();
    let sub = dir.path().join("sub");
    fs::create_dir(&sub).unwrap();
    let text = |name: &str| {
        let text = "daemon off; events { } http { server { listen unix:%; location / { return 200 x; } } }";
        text.replace('%', dir.path().join(name).to_str().unwrap())
    };
    fs::write(dir.path().join("a.conf"), text("a.sock")).unwrap();
    fs::write(sub.join("a.conf"), text("b.sock")).unwrap();
    let mut a = start_in(dir.path(), "a.conf", "a.log");
    let mut b = start_in(dir.path(), "sub/a.conf", "b.log");
    let is_known = |conf: &&str| send_in(dir.path(), conf, "reopen").0 == Some(0);
    until_true("both have a pid file", || ["a.conf", "sub/a.conf"].iter().all(is_known));
    // The same conf once more, with an address of its own: its file is taken.
    let mut again = start_in(dir.path(), "./a.conf", "again.log");
    fs::write(dir.path().join("a.conf"), text("c.sock")).unwrap();
    let refused = until("the second start of a conf ends", || again.try_wait().unwrap());
    assert!(!refused.success(), "{}", fs::read_to_string(dir.path().join("again.log")).unwrap());
    assert_eq!(send_in(&sub, "a.conf", "stop"), (Some(0), String::new()), "by another spelling, from elsewhere");
    assert!(b.wait().unwrap().success());
    assert!(a.try_wait().unwrap().is_none());
    let (code, text) = send_in(&sub, "a.conf", "stop");
    assert!(code == Some(1) && text.contains("no running master of \""), "{text}");
    assert_eq!(send_in(&sub, "../a.conf", "quit"), (Some(0), String::new()));
    assert!(a.wait().unwrap().success());
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains(".pid")), "{left:?}");
}

#[test]
fn a_conf_that_was_broken_after_the_start_can_be_stopped() {
    for (pid, breakage) in [
        ("pid %dir%/server.pid;", ("worker_processes 1;", "wroker_processes 1;")),
        ("pid %dir%/server.pid;", ("pid ", "worker_cpu_affinity auto\npid ")),
        ("include %dir%/pid.inc;", ("events { }", "events {")),
        ("", ("http {", "http { \"")),
    ] {
        let good = with_pid(pid).to_string();
        let setup = Setup::new(Product::Drover, good.replace("include %dir%/pid.inc;", "pid %dir%/server.pid;"));
        let mut server = setup.start();
        fs::write(server.dir().join("pid.inc"), format!("pid {}/server.pid;", server.dir().display())).unwrap();
        let broken = good.replacen(breakage.0, breakage.1, 1);
        assert_ne!(broken, good);
        server.rewrite_conf(&broken);
        let (code, text) = server.send("reload");
        assert!(code == Some(1) && text.contains("[emerg]"), "{text}");
        let (code, text) = server.send("reopen");
        assert!(code == Some(0) && text.contains("[warn]") && text.contains("server.conf:"), "{pid}: {text}");
        until_true("it has reopened", || server.error_log().contains("reopening logs"));
        assert_eq!(server.send("quit").0, Some(0));
        assert!(server.wait().success());
    }
}

#[test]
fn an_old_binary_is_found_by_its_renamed_file() {
    let mut server = Server::drover(conf(1));
    mkfifo(&server.dir().join("server.pid.oldbin"), Mode::S_IRWXU).unwrap();
    server.signal(Signal::SIGUSR2);
    until_true("it refuses", || server.error_log().contains("server.pid.oldbin\" failed (not a regular file)"));
    assert_eq!(server.read("server.pid"), format!("{}\n", server.pid()));
    fs::remove_file(server.dir().join("server.pid.oldbin")).unwrap();
    server.signal(Signal::SIGUSR2);
    let next = server.wait_for_next_master();
    let text = fs::read_to_string(server.conf_path()).unwrap();
    server.rewrite_conf(with_pid("pid %dir%/server.pid.oldbin;"));
    assert_eq!(server.send("quit"), (Some(0), String::new()));
    assert!(server.wait().success());
    fs::write(server.conf_path(), text).unwrap();
    assert_eq!(server.read("server.pid"), format!("{next}\n"));
    assert_eq!(server.send("stop"), (Some(0), String::new()));
    until_true("the new master ends", || !proc::is_alive(next));
    assert!(!server.dir().join("server.pid").exists() && !server.dir().join("server.pid.oldbin").exists());
}

#[test]
fn a_master_that_ends_slowly_leaves_its_name_to_the_next() {
    let mut server = Server::drover(conf(1));
    let mut client = server.connect();
    client.begin();
    server.signal(Signal::SIGQUIT);
    until_true("it no longer listens", || proc::listening_inodes(server.port()).is_empty());
    assert!(server.poll_exit().is_none());
    let text = fs::read_to_string(server.conf_path()).unwrap();
    let mut next = start_in(server.dir(), "server.conf", "next.log");
    until_true("the next one has the file", || server.read("server.pid") == format!("{}\n", next.id()));
    assert!(text.contains("server.pid"));
    client.finish().expect("an answer of the old one");
    assert!(server.wait().success());
    assert_eq!(server.read("server.pid"), format!("{}\n", next.id()));
    assert_eq!(server.send("quit").0, Some(0));
    assert!(next.wait().unwrap().success());
    assert!(!server.dir().join("server.pid").exists());
}

#[test]
fn a_master_that_ends_slowly_can_be_hurried() {
    let mut server = Server::drover(conf(1));
    let mut client = server.connect();
    client.begin();
    assert_eq!(server.send("quit").0, Some(0));
    until_true("it no longer listens", || proc::listening_inodes(server.port()).is_empty());
    assert!(server.poll_exit().is_none());
    assert_eq!(server.send("stop"), (Some(0), String::new()));
    assert!(server.wait().success());
    assert!(kill(Pid::from_raw(server.pid()), None).is_err());
}
