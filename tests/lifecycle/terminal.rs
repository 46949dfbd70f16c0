//! A start in the foreground and in the background: what a person at a terminal sees, and how a daemon is told what
//! to do.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getsid};
use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::ended::{Ended, drover, drover_in};
use crate::support::server::Product;
use crate::support::terminal::Terminal;
use crate::support::{proc, tools, until_true};

/// A directory with `site.conf`, which begins with `main`; and the port that it names.
fn site(main: &str) -> (TempDir, u16) {
    let dir = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let conf = format!(
        "{main} pid d.pid; error_log stderr notice; worker_processes 2; events {{ }}
         http {{ access_log /dev/stdout; server {{ listen 127.0.0.1:{port}; location / {{ return 200 here; }} }} }}"
    );
    fs::write(dir.path().join("site.conf"), conf).unwrap();
    (dir, port)
}

fn start(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(Product::Drover.binary());
    command.current_dir(dir).args(["-c", "site.conf"]).args(args);
    command
}

fn ask(port: u16) -> String {
    Client::connect(([127, 0, 0, 1], port).into()).get("/").text()
}

#[test]
fn without_daemon_it_stays_and_says_where_it_serves_and_how_it_ends() {
    let (dir, port) = site("");
    let mut terminal = Terminal::run(start(dir.path(), &[]));
    let line = format!("drover: serving on http://127.0.0.1:{port}/ (process {}; Ctrl-C ends it)\n", terminal.pid());
    terminal.wait_for(&line);
    assert_eq!(ask(port), "here");
    terminal.wait_for("\"GET / HTTP/1.1\" 200");
    assert_eq!(proc::children(terminal.pid()).len(), 2);
    terminal.types("\x03");
    assert!(terminal.wait().success());
}

/// In a service or a container nobody watches: there are the log lines that the conf asks for, and nothing else.
#[test]
fn without_a_terminal_nothing_is_added_to_the_log() {
    let (dir, _) = site("");
    let log = fs::File::create(dir.path().join("stderr")).unwrap();
    let mut child = start(dir.path(), &[]).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    let read = || fs::read_to_string(dir.path().join("stderr")).unwrap();
    until_true("two workers", || read().matches("start worker process").count() == 2);
    proc::signal(child.id() as i32, Signal::SIGTERM);
    assert!(child.wait().unwrap().success());
    assert!(read().lines().all(|line| line.starts_with("20")), "{}", read());
}

#[test]
fn a_daemon_says_how_it_ends_and_leaves_the_terminal_alone() {
    let (dir, port) = site("daemon on;");
    let mut terminal = Terminal::run(start(dir.path(), &[]));
    assert!(terminal.wait().success());
    let shown = terminal.shown();
    let pid: i32 = fs::read_to_string(dir.path().join("d.pid")).unwrap().trim().parse().unwrap();
    let stop = format!("{} -c site.conf -s quit", Product::Drover.binary().display());
    let line =
        format!("drover: serving on http://127.0.0.1:{port}/ in the background (process {pid}; \"{stop}\" ends it)\n");
    assert!(shown.ends_with(&line), "{shown}");
    let warning = "[warn] a daemon leaves the terminal, and what it logs there goes nowhere: log to a file, \
                   or leave \"daemon\" off";
    let place = format!("(\"/dev/stderr\", \"/dev/stdout\") in {}/site.conf:1\n", dir.path().display());
    assert!(shown.contains(&format!("drover: {warning} {place}")), "{shown}");
    until_true("two workers", || proc::children(pid).len() == 2);
    assert_eq!(ask(port), "here");
    // Workers of the next generation open the logs anew.
    assert!(drover(&["-p", dir.path().to_str().unwrap(), "-c", "site.conf", "-s", "reload"]).succeeded());
    assert_eq!(ask(port), "here");
    for process in proc::tree(pid) {
        assert!(!proc::open_files(process).contains(terminal.path()), "{process}: {:?}", proc::open_files(process));
    }
    let ended = Command::new("sh").args(["-c", &stop]).current_dir(dir.path()).status().unwrap();
    assert!(ended.success());
    until_true("the daemon ends", || !proc::is_alive(pid));
    assert_eq!(terminal.shown(), shown);
}

#[test]
fn a_test_warns_of_logs_that_a_daemon_loses() {
    for (main, is_lost) in [("daemon on;", true), ("", false)] {
        let (dir, _) = site(main);
        let mut terminal = Terminal::run(start(dir.path(), &["-t"]));
        assert!(terminal.wait().success());
        assert_eq!(terminal.shown().contains("a daemon leaves the terminal"), is_lost, "{main}");
    }
    // Into a pipe they go on.
    let (dir, _) = site("daemon on;");
    let output = drover(&["-p", dir.path().to_str().unwrap(), "-c", "site.conf", "-t"]);
    assert!(output.succeeded() && !output.stderr.contains("leaves the terminal"), "{}", output.stderr);
}

/// The command fails when the daemon does, however late.
#[test]
fn a_daemon_that_can_not_start_fails_its_caller() {
    let (dir, _) = site("daemon on;");
    let conf = fs::read_to_string(dir.path().join("site.conf")).unwrap().replace("d.pid", "no/such/d.pid");
    fs::write(dir.path().join("site.conf"), conf).unwrap();
    let output = Ended::from(start(dir.path(), &[]).output().unwrap());
    let reason = "no/such/d.pid\" failed (2: No such file or directory)";
    assert_eq!((output.code, output.stderr.contains(reason)), (Some(1), true), "{}", output.stderr);
}

#[test]
fn a_closed_terminal_ends_what_nobody_asked_to_stay() {
    let (dir, _) = site("");
    let mut terminal = Terminal::run(start(dir.path(), &[]));
    terminal.wait_for("Ctrl-C ends it");
    terminal.close();
    terminal.wait();
    assert!(!dir.path().join("d.pid").exists());

    let (dir, port) = site("");
    let mut command = Command::new(tools::find("nohup"));
    command.current_dir(dir.path()).arg(Product::Drover.binary()).args(["-c", "site.conf"]);
    let mut terminal = Terminal::run(command);
    until_true("it listens", || {
        dir.path().join("d.pid").exists() && Client::try_connect(([127, 0, 0, 1], port).into()).is_ok()
    });
    terminal.close();
    // To nginx and here a HUP that ends nothing is a reload.
    until_true("it got the signal and stays", || {
        fs::read_to_string(dir.path().join("nohup.out")).unwrap_or_default().contains("reconfiguring")
    });
    assert_eq!(ask(port), "here");
    assert!(terminal.poll_exit().is_none());
}

/// A process that nobody waits for; dropping it ends it, and its children.
struct Daemon(i32);

impl Drop for Daemon {
    fn drop(&mut self) {
        for pid in proc::tree(self.0) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

#[test]
fn a_daemon_lets_its_caller_go_and_obeys_by_its_pid_file() {
    for end in ["stop", "quit"] {
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let write_conf = |log: &str, text: &str| {
            let conf = format!(
                "daemon on; pid d.pid; error_log {log} notice; worker_processes 2; events {{ }}
                 http {{ access_log off; server {{ listen 127.0.0.1:{port}; location / {{ return 200 {text}; }} }} }}"
            );
            fs::write(dir.path().join("d.conf"), conf).unwrap();
        };
        let run = |args: &[&str]| {
            let ended = drover_in(dir.path(), &[&["-p", ".", "-c", "d.conf"], args].concat());
            assert!(ended.succeeded(), "{args:?}: {}", ended.stderr);
        };
        write_conf("d.log", "x");
        run(&[]);
        let daemon = Daemon(fs::read_to_string(dir.path().join("d.pid")).unwrap().trim().parse().unwrap());
        let pid = Pid::from_raw(daemon.0);
        assert_ne!(getsid(Some(pid)).unwrap(), getsid(None).unwrap(), "a session of its own");
        until_true("two workers", || proc::children(daemon.0).len() == 2);
        assert_eq!(ask(port), "x");
        for (log, text) in [("d.log", "y"), ("e.log", "z")] {
            write_conf(log, text);
            run(&["-s", "reload"]);
            until_true("the new conf is in service", || ask(port) == text);
        }
        fs::remove_file(dir.path().join("e.log")).unwrap();
        run(&["-s", "reopen"]);
        until_true("a new log file", || dir.path().join("e.log").exists());
        run(&["-s", end]);
        until_true("the daemon ends", || !proc::is_alive(daemon.0));
        assert!(!dir.path().join("d.pid").exists());
    }
}
