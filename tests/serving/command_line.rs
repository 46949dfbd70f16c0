//! Options, the embedded conf, a directory, inherited sockets.

use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::plain;
use crate::support::client::Client;
use crate::support::server::{Product, Server, Setup};
use crate::support::{proc, until, until_true};

/// What a run that ends by itself says.
pub struct Said {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs drover in `dir` to its end.
pub fn run(dir: &Path, args: &[&str]) -> Said {
    let mut command = Command::new(Product::Drover.binary());
    let output = command.current_dir(dir).args(args).stdin(Stdio::null()).output().expect("run drover");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// A drover that runs until it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = killpg(Pid::from_raw(self.0.id() as i32), Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

#[test]
fn sockets_are_inherited_from_systemd() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("getsockname").port();
    // A client that was there before the server.
    let early = TcpStream::connect(("127.0.0.1", port)).expect("connect");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let conf = format!(
        "daemon off; pid {0}/pid; error_log stderr; events {{}} http {{ access_log off; \
         server {{ listen 127.0.0.1:{port}; location / {{ return 200 inherited; }} }} }}",
        dir.path().display()
    );
    std::fs::write(dir.path().join("conf"), conf).expect("write");
    let mut command = Command::new("sh");
    // The shell's pid becomes drover's.
    command.args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" -p \"$1\" -c \"$1/conf\""]);
    command.arg(Product::Drover.binary()).arg(dir.path()).stdin(Stdio::null());
    let fd = listener.as_raw_fd();
    // SAFETY: between fork and exec only dup2 and fcntl run, which are async-signal-safe; `listener` keeps `fd` open.
    unsafe {
        command.pre_exec(move || {
            // dup2 of 3 onto itself would leave it to be closed by exec.
            nix::errno::Errno::result(libc::dup2(fd, 3))?;
            nix::errno::Errno::result(libc::fcntl(3, libc::F_SETFD, 0))?;
            Ok(())
        });
    }
    let _running = Running(command.process_group(0).spawn().expect("start"));
    drop(listener);
    drop(early);
    assert_eq!(Client::connect(([127, 0, 0, 1], port).into()).get("/").text(), "inherited");
}

#[test]
fn test_and_dump() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(dir.path().join("more.conf"), "worker_connections 64;\n").expect("write");
    std::fs::write(
        dir.path().join("site.conf"),
        "pid off; error_log stderr; events { include more.conf; } http { access_log off; }\n",
    )
    .expect("write");
    let said = run(dir.path(), &["-t", "-c", "site.conf"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stderr.contains("syntax is ok") && said.stderr.contains("test is successful"), "{}", said.stderr);
    let said = run(dir.path(), &["-t", "-q", "-c", "site.conf"]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    let said = run(dir.path(), &["-T", "-c", "site.conf"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(
        said.stdout.contains("# configuration file") && said.stdout.contains("worker_connections 64;"),
        "{}",
        said.stdout
    );
}

#[test]
fn the_test_touches_what_a_start_would_touch() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (conf, wanted) in [
        ("error_log /nowhere/error.log; events {}".to_owned(), "/nowhere/error.log"),
        ("pid /nowhere/pid; events {}".to_owned(), "/nowhere/pid"),
        (
            "pid off; events {} http { access_log /nowhere/access.log; server { listen 127.0.0.1:1; } }".to_owned(),
            "/nowhere/access.log",
        ),
        ("pid off; user nobody-of-this-name; events {}".to_owned(), "nobody-of-this-name"),
        (
            // An address for documentation (RFC 5737), which no machine has.
            "pid off; events {} http { access_log off; server { listen 192.0.2.1:1; } }".to_owned(),
            "192.0.2.1:1",
        ),
    ] {
        std::fs::write(dir.path().join("site.conf"), &conf).expect("write");
        let said = run(dir.path(), &["-t", "-c", "site.conf"]);
        assert_eq!(said.code, Some(1), "{conf}: {}", said.stderr);
        assert!(said.stderr.contains(wanted), "{conf}: {}", said.stderr);
    }
}

#[test]
fn a_taken_port_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = taken.local_addr().expect("getsockname").port();
    let conf = plain(1).replace("%port%", &port.to_string());
    let mut server = Setup::new(Product::under_test(), &conf).spawn();
    assert_eq!(server.wait().code(), Some(1));
    let said = server.stderr();
    assert!(said.contains(&format!("bind() to 127.0.0.1:{port} failed (98: Address already in use)")), "{said}");
}

/// nginx would send the style sheet as text/plain, and not start with the second conf.
#[test]
fn a_site_is_styled_without_types_and_without_the_file_that_has_them() {
    let text = plain(1);
    let include = "include /etc/no-such-server/mime.types; ";
    for conf in [text.clone(), text.replace("http { ", &format!("http {{ {include}"))] {
        let server = Server::drover(&conf);
        server.file("style.css", "p { }");
        let sent = server.connect().get("/style.css");
        assert_eq!((sent.status, sent.header("Content-Type")), (200, Some("text/css")));
        let path = server.conf_path();
        let said = run(server.dir(), &["-t", "-p", ".", "-c", path.to_str().expect("UTF-8")]);
        let notice = "drover: [notice] there is no \"/etc/no-such-server/mime.types\", the built-in mime.types takes its place in ";
        assert_eq!(said.stderr.matches(notice).count(), conf.matches(include).count(), "{}", said.stderr);
    }
}

#[test]
fn globals_come_before_the_conf() {
    let text = plain(1).replace("worker_processes 1;", "");
    let server = Setup::new(Product::under_test(), &text).arg("-g").arg("worker_processes 3;").start();
    server.wait_for_workers(3);
}

#[test]
fn a_daemon_leaves_its_caller() {
    let text = plain(2).replace("%main%", "daemon on; pid %dir%/server.pid; error_log %dir%/error.log;");
    let mut caller = Setup::new(Product::under_test(), &text).spawn();
    assert!(caller.wait().success(), "{}", caller.stderr());
    let master = until("the pid file", || caller.read("server.pid").trim().parse::<i32>().ok());
    // Ended with its own group, whatever happens to this test.
    struct Daemon(i32);
    impl Drop for Daemon {
        fn drop(&mut self) {
            for pid in proc::tree(self.0) {
                let _ = nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }
    let daemon = Daemon(master);
    until_true("two workers", || proc::children(daemon.0).len() == 2);
    assert_eq!(caller.connect().get("/nothing").status, 404);
    assert_eq!(caller.send("quit").0, Some(0));
    until_true("it ends", || !proc::is_alive(daemon.0));
}

#[test]
fn master_process_off_serves_alone() {
    let text = plain(1).replace("%main%", "%main% master_process off;");
    let mut server = Setup::new(Product::under_test(), &text).spawn();
    server.file("index.html", "alone");
    until_true("it listens", || {
        assert!(server.poll_exit().is_none(), "{}", server.stderr());
        !proc::listening_inodes(server.port()).is_disjoint(&proc::socket_inodes(server.pid()))
    });
    assert_eq!(server.connect().get("/").text(), "alone");
    assert_eq!(server.workers(), [] as [i32; 0]);
    server.signal(Signal::SIGTERM);
    assert!(server.wait().success());
}

#[test]
fn version_help_and_reference() {
    let dir = Path::new("/");
    let version = concat!("drover version: drover/", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(dir, &["-v"]).stderr.trim(), version);
    assert!(run(dir, &["-V"]).stderr.starts_with(version));
    let help = run(dir, &["-h"]);
    assert!([&help.stdout, &help.stderr].iter().any(|text| text.contains("-s signal") || text.contains("-s SIGNAL")));
    let said = run(dir, &["--help-conf", "keepalive_timeout"]);
    assert_eq!(said.code, Some(0));
    assert!(said.stdout.contains("keepalive_timeout") && said.stdout.contains("75s"), "{}", said.stdout);
    let said = run(dir, &["--help-conf", "keepalive_timeuot"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("keepalive_timeout"), "{}", said.stderr);
    let said = run(dir, &["--nonsense"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("invalid option: \"--nonsense\""), "{}", said.stderr);
}

/// The conf a user starts from works as it is, and so does the example for comparing models.
#[test]
fn the_starting_conf_is_good() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let conf = std::fs::read_to_string(repository.join("conf/drover.conf")).expect("conf/drover.conf");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let types = repository.join("conf/mime.types");
    let text = conf
        .replace("mime.types", types.to_str().expect("UTF-8"))
        .replace("127.0.0.1:8080", "127.0.0.1:%port%")
        .replace("root   conf", &format!("root   {}/conf", repository.display()));
    let text = format!("daemon off; pid {0}/pid; user root;\n{text}", dir.path().display());
    let text = if nix::unistd::geteuid().is_root() { text } else { text.replace("user root;", "") };
    let server = Server::drover(&text);
    assert!(server.connect().get("/").text().contains("drover is serving"));
    assert_eq!(server.connect().get("/health").text(), "ok\n");
    let missing = server.connect().get("/no/such/page");
    assert_eq!((missing.status, missing.text().contains("There is nothing here")), (404, true));
    assert_eq!(server.connect().get("/.git/config").status, 404);
    until_true("requests are logged to stdout", || server.read("stdout").contains("GET /no/such/page"));
    assert!(!server.read("stdout").contains("/health"));
}
