//! The command line.

use std::fs;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::support::client::Client;
use super::support::server::Server;
use super::{conf, drover, stderr};

#[test]
fn versions_and_help_go_to_stderr_as_in_nginx() {
    let version = drover(&["-v"]);
    let expected = format!("drover version: drover/{}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((version.status.code(), stderr(&version)), (Some(0), expected));
    for option in ["-h", "-?"] {
        let help = drover(&[option]);
        let text = stderr(&help);
        assert_eq!(help.status.code(), Some(0));
        for line in ["-t ", "-T ", "-q ", "-s signal", "-p prefix", "-e filename", "-c filename", "-g directives"] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
    let bad = drover(&["-x"]);
    assert_eq!((bad.status.code(), stderr(&bad).as_str()), (Some(1), "drover: invalid option: \"x\"\n"));
}

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
    assert_eq!((good.status.code(), stderr(&good)), (Some(0), expected));
    assert_eq!(server.read("server.pid"), format!("{}\n", server.pid()));
    let quiet = drover(&["-tq", "-p", dir, "-c", path]);
    assert_eq!((quiet.status.code(), stderr(&quiet).as_str()), (Some(0), ""));
    let dump = drover(&["-Tq", "-p", dir, "-c", path]);
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(String::from_utf8_lossy(&dump.stdout), format!("# configuration file {path}:\n{text}\n"));
    assert_eq!(server.workers().len(), 1);
}

fn test_of(text: &str) -> (Option<i32>, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.conf");
    fs::write(&path, text).unwrap();
    let output = drover(&["-t", "-p", dir.path().to_str().unwrap(), "-c", path.to_str().unwrap()]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "a test leaves nothing behind");
    (output.status.code(), stderr(&output).replace(dir.path().to_str().unwrap(), "DIR"))
}

#[test]
fn a_test_finds_what_a_start_would() {
    let good = "error_log stderr; events { } http { access_log off; server { listen 127.0.0.1:1; } }";
    let cases = [
        ("pid no/such/dir/x.pid;", "open() \"DIR/no/such/dir/x.pid\" failed (2: No such file or directory)"),
        ("user nobody-by-this-name;", "getpwnam(\"nobody-by-this-name\") failed in DIR/x.conf:1"),
        ("lisen 80;", "unknown directive \"lisen\" in DIR/x.conf:1"),
        ("worker_processes none;", "in DIR/x.conf:1"),
        ("error_log syslog:server=x;", "in DIR/x.conf:1"),
        (
            "error_log DIR-that-is-not-there/x.log;",
            "DIR-that-is-not-there/x.log\" failed (2: No such file or directory)",
        ),
    ];
    for (line, expected) in cases {
        // The line replaces an error_log of its own where it is one.
        let rest = if line.starts_with("error_log") { good.trim_start_matches("error_log stderr;") } else { good };
        let (code, text) = test_of(&format!("{line} {rest}"));
        assert_eq!(code, Some(1), "{line}: {text}");
        assert!(text.contains("drover: [emerg] ") && text.contains(expected), "{line}: {text}");
        assert!(text.ends_with("drover: configuration file DIR/x.conf test failed\n"), "{line}: {text}");
    }
    assert_eq!(test_of(good).0, Some(0));
}

#[test]
fn an_address_in_use_ends_a_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.conf");
    fs::write(
        &path,
        format!(
            "daemon off; pid off; error_log {}; events {{ }} http {{ server {{ listen {addr}; }} }}",
            dir.path().join("x.log").display()
        ),
    )
    .unwrap();
    let output = drover(&["-c", path.to_str().unwrap()]);
    let reason = format!("bind() to {addr} failed (98: Address already in use)");
    let said = stderr(&output);
    let place = format!("{}:1", path.display());
    let expected = format!(
        "drover: [warn] {reason}, trying again for two seconds\n\
         drover: [emerg] {reason} in {place}\n --> {place}:"
    );
    assert!(output.status.code() == Some(1) && said.starts_with(&expected), "{said}");
    let log = fs::read_to_string(dir.path().join("x.log")).unwrap();
    let own = std::process::id();
    assert!(log.contains(&format!("#0: {reason} in {place}: held by process {own} (")), "{log}");
}

#[test]
fn a_test_beside_a_running_server_takes_no_connection_from_it() {
    let server = Server::drover(conf(2).replace("%port%;", "%port% reuseport;"));
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
            assert!(drover(&["-t", "-q", "-c", server.conf_path().to_str().unwrap()]).status.success());
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
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
    }
    let missing = drover(&["/no/such/directory"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        stderr(&missing).contains("\"/no/such/directory\" failed (2: No such file or directory)"),
        "{}",
        stderr(&missing)
    );
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
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
    }
    fs::write(&pid_file, "rubbish").unwrap();
    let output = drover(&[&args[..], &["reload"]].concat());
    assert!(stderr(&output).contains(&format!("invalid PID number \"rubbish\" in \"{}\"", pid_file.display())));
}

#[test]
fn the_reference_of_a_directive_is_shown_and_a_slip_is_understood() {
    let known = drover(&["--help-conf", "worker_processes"]);
    assert_eq!(known.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&known.stdout).contains("worker_processes NUMBER | auto;"));
    let slip = drover(&["--help-conf", "worker_proceses"]);
    assert_eq!(slip.status.code(), Some(1));
    assert!(stderr(&slip).contains("worker_processes"), "{}", stderr(&slip));
}
