//! The options of the command line.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use crate::conf;
use crate::support::ended::drover;
use crate::support::server::{Product, Setup};

#[test]
fn versions_and_help_go_to_stderr_as_in_nginx() {
    let version = drover(&["-v"]);
    let line = format!("drover version: drover/{}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((version.code, version.stderr), (Some(0), line.clone()));
    let build = drover(&["-V"]);
    assert!(build.succeeded() && build.stderr.starts_with(&line), "{}", build.stderr);
    for option in ["-h", "-?"] {
        let help = drover(&[option]);
        assert_eq!(help.code, Some(0));
        for line in ["-t ", "-T ", "-q ", "-s signal", "-p prefix", "-e filename", "-c filename", "-g directives"] {
            assert!(help.stderr.contains(line), "{line} in {}", help.stderr);
        }
    }
    for (option, name) in [("-x", "x"), ("--nonsense", "--nonsense")] {
        let bad = drover(&[option]);
        assert_eq!((bad.code, bad.stderr), (Some(1), format!("drover: invalid option: \"{name}\"\n")));
    }
}

#[test]
fn the_reference_of_a_directive_is_shown_and_a_slip_is_understood() {
    for (name, usage, slip) in [
        ("worker_processes", "worker_processes NUMBER | auto;", "worker_proceses"),
        ("keepalive_timeout", "75s", "keepalive_timeuot"),
    ] {
        let known = drover(&["--help-conf", name]);
        assert_eq!(known.code, Some(0));
        assert!(known.stdout.contains(name) && known.stdout.contains(usage), "{}", known.stdout);
        let slip = drover(&["--help-conf", slip]);
        assert_eq!(slip.code, Some(1));
        assert!(slip.stderr.contains(name), "{}", slip.stderr);
    }
}

#[test]
fn an_output_that_takes_nothing_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let (path, new) = (dir.path().join("x.conf"), dir.path().join("new"));
    fs::write(&path, "events { }\nhttp{ }").unwrap();
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let name = path.to_str().unwrap();
    for args in [
        &["--format", name][..],
        &["--format", "--check", name],
        &["--man"],
        &["--man", "conf"],
        &["--completions", "bash"],
        &["--completions", "zsh"],
        &["--completions", "fish"],
        &["--help-conf"],
        &["--help-conf", "listen"],
        &["--init", new.to_str().unwrap()],
        &["-q", "-T", "-p", dir.path().to_str().unwrap(), "-c", name],
    ] {
        let mut command = Command::new(Product::Drover.binary());
        let output = command.args(args).stdin(Stdio::null()).stdout(full()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = "drover: [emerg] write() to standard output failed (28: No space left on device)\n";
        assert_eq!((output.status.code(), &*said), (Some(1), expected), "{args:?}");
        // A reader that has gone is no error.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        fs::remove_dir_all(&new).unwrap_or_default();
        let mut command = Command::new(Product::Drover.binary());
        let output = command.args(args).stdin(Stdio::null()).stdout(writer).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code() == Some(0), &*said), (!args.contains(&"--check"), ""), "{args:?}");
    }
    // Help and version go to standard error, as with nginx.
    for option in ["-v", "-V", "-h", "--help"] {
        let mut command = Command::new(Product::Drover.binary());
        let status = command.arg(option).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(1), "{option}");
    }
}

#[test]
fn an_argument_that_nothing_takes_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let new = dir.path().join("new");
    let refused = drover(&["--init", new.to_str().unwrap(), "other"]);
    assert_eq!((refused.code, &*refused.stderr), (Some(1), "drover: invalid option: \"other\"\n"));
    assert!(!new.exists());
}

#[test]
fn globals_come_before_the_conf() {
    let text = conf(1).to_string().replace("worker_processes 1;", "");
    let server = Setup::new(Product::under_test(), text).arg("-g").arg("worker_processes 3;").start();
    server.wait_for_workers(3);
}

#[test]
fn signals_need_a_pid_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.conf");
    fs::write(&path, "pid x.pid; events { }").unwrap();
    let args = ["-p", dir.path().to_str().unwrap(), "-c", path.to_str().unwrap(), "-s"];
    let pid_file = dir.path().join("x.pid");
    for signal in ["stop", "quit", "reopen", "reload"] {
        let output = drover(&[&args[..], &[signal]].concat());
        let expected = format!("open() \"{}\" failed (2: No such file or directory)", pid_file.display());
        assert_eq!(output.code, Some(1));
        assert!(output.stderr.contains(&expected), "{}", output.stderr);
    }
    fs::write(&pid_file, "rubbish").unwrap();
    let output = drover(&[&args[..], &["reload"]].concat());
    assert!(output.stderr.contains(&format!("invalid PID number \"rubbish\" in \"{}\"", pid_file.display())));
}
