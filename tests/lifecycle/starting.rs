//! Starts that succeed, and what may go wrong meanwhile.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

use crate::conf;
use crate::support::client::Client;
use crate::support::conf::Conf;
use crate::support::ended::{drover, drover_in};
use crate::support::server::{Product, Server, Setup};
use crate::support::{PATIENCE, proc, until_true};

/// A server on a Unix socket, and on a TCP address that comes after it.
fn with_socket(tcp: &str) -> Conf {
    conf(1).listen("unix:%dir%/s").server(&format!("listen {tcp};"))
}

fn assert_nothing_is_left(server: &Server) {
    for name in ["s", "server.pid"] {
        assert!(!server.dir().join(name).exists(), "{name} is left\n{}", server.error_log());
    }
}

#[test]
fn a_signal_that_ends_the_service_ends_the_wait_for_an_address() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT] {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut server = Setup::new(Product::Drover, with_socket(&taken.local_addr().unwrap().to_string())).spawn();
        until_true("it tries again", || server.stderr().contains("trying again for two seconds"));
        server.signal(signal);
        // A server that tried on would get the address now, and end with 0.
        std::thread::sleep(Duration::from_millis(300));
        drop(taken);
        assert_eq!(server.wait().code(), Some(1), "{signal}: {}", server.stderr());
        assert_nothing_is_left(&server);
    }
}

#[test]
fn what_is_no_end_is_obeyed_after_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let mut server = Setup::new(Product::Drover, with_socket(&addr.to_string())).spawn();
    until_true("the first socket is there", || server.dir().join("s").exists());
    server.signal(Signal::SIGHUP);
    drop(taken);
    until_true("the reload", || server.error_log().contains("signal 1 (SIGHUP) received"));
    server.wait_for_workers(1);
    assert_eq!(crate::support::client::Client::connect(addr).get("/v").text(), "one");
    assert!(server.quit().success());
    assert_nothing_is_left(&server);
}

#[test]
fn a_start_that_is_ended_at_any_moment_leaves_nothing() {
    let setup = Setup::new(Product::Drover, with_socket("127.0.0.1:%port%"));
    for signal in [Signal::SIGTERM, Signal::SIGQUIT, Signal::SIGHUP] {
        for n in 0..12 {
            let mut server = setup.spawn();
            let start = Instant::now();
            // To sleep would miss the moment: the start is over within some milliseconds.
            while !server.dir().join("s").exists() && start.elapsed() < PATIENCE {
                std::thread::yield_now();
            }
            // No condition to wait for: any moment will do.
            std::thread::sleep(Duration::from_micros(n * 200));
            server.signal(signal);
            if signal == Signal::SIGHUP {
                until_true("HUP is obeyed", || server.error_log().contains("reconfiguring"));
                server.signal(Signal::SIGTERM);
            }
            assert_eq!(server.wait().code(), Some(0), "{signal}, try {n}");
            assert_nothing_is_left(&server);
        }
    }
}

#[test]
fn a_variable_of_the_same_name_is_no_upgrade() {
    for value in ["1", "/opt/drover", "0;1;"] {
        let mut server = Setup::new(Product::Drover, with_socket("127.0.0.1:%port%")).env("DROVER", value).start();
        let expected = format!("drover: [warn] the environment variable DROVER={value} is ignored: ");
        assert!(server.stderr().starts_with(&expected), "{}", server.stderr());
        assert!(server.quit().success());
        // A new binary leaves them to the old one.
        assert_nothing_is_left(&server);
    }
}

#[test]
fn a_start_names_the_processes_that_have_its_address() {
    let server = Server::drover(crate::conf(1));
    let worker = server.wait_for_workers(1)[0];
    let text = fs::read_to_string(server.conf_path()).unwrap().replace("server.pid", "other.pid");
    let other = server.dir().join("other.conf");
    fs::write(&other, text).unwrap();
    let output = drover(&["-p", server.dir().to_str().unwrap(), "-c", other.to_str().unwrap()]);
    let said = output.stderr;
    for (pid, title) in [(server.pid(), "master"), (worker, "worker")] {
        assert!(said.contains(&format!("process {pid} (drover: {title} process)")), "{said}");
    }
    assert_eq!(output.code, Some(1));
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
    let said = output.stderr;
    let place = format!("{}:1", path.display());
    let expected = format!(
        "drover: [warn] {reason}, trying again for two seconds\n\
         drover: [emerg] {reason} in {place}\n --> {place}:"
    );
    assert!(output.code == Some(1) && said.starts_with(&expected), "{said}");
    let log = fs::read_to_string(dir.path().join("x.log")).unwrap();
    // A process that another test forks has the socket as well until it becomes another program.
    let (_, holders) = log.split_once(&format!("#0: {reason} in {place}: held by ")).unwrap_or_else(|| panic!("{log}"));
    assert!(holders.contains(&format!("process {} (", std::process::id())), "{log}");
}

#[test]
fn one_process_serves_by_itself() {
    for signal in [Signal::SIGQUIT, Signal::SIGTERM] {
        let mut server = Setup::new(Product::under_test(), conf(4).main("master_process off;")).spawn();
        until_true("it listens", || {
            assert!(server.poll_exit().is_none(), "{}", server.stderr());
            !proc::listening_inodes(server.port()).is_disjoint(&proc::socket_inodes(server.pid()))
        });
        assert_eq!(server.connect().get("/v").text(), "one");
        assert_eq!(server.workers(), [] as [i32; 0]);
        server.signal(signal);
        assert!(server.wait().success());
        assert!(!server.dir().join("server.pid").exists());
    }
}

#[test]
fn a_child_from_before_the_start_is_none_of_the_master_s() {
    let dir = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = format!(
        "daemon off; pid s.pid; error_log s.log; events {{ }}
         http {{ access_log off; server {{ listen 127.0.0.1:{port}; location / {{ return 200 x; }} }} }}"
    );
    fs::write(dir.path().join("s.conf"), text).unwrap();
    // The entry point of a container may start a helper in this way.
    let script = format!("sleep 60 & echo $!; exec {} -p . -c s.conf", Product::Drover.binary().display());
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(dir.path()).stdout(Stdio::piped()).process_group(0);
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let helper = Pid::from_raw(line.trim().parse().unwrap());
    until_true("it serves", || TcpStream::connect(("127.0.0.1", port)).is_ok() && dir.path().join("s.pid").exists());
    assert!(drover(&["-p", dir.path().to_str().unwrap(), "-c", "s.conf", "-s", "reload"]).succeeded());
    proc::signal(child.id() as i32, Signal::SIGQUIT);
    assert!(child.wait().unwrap().success());
    assert!(proc::is_alive(helper.as_raw()));
    kill(helper, Signal::SIGKILL).unwrap();
}

#[test]
fn without_a_conf_a_page_or_a_directory_is_served_in_the_foreground() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(dir.path().join("index.html"), "from the directory").unwrap();
    let addr = SocketAddr::from(([127, 0, 0, 1], 8080));
    // The port can't be chosen here: runs of this test, in other processes as well, take turns.
    let turn = File::create(std::env::temp_dir().join("drover-test-port-8080")).unwrap();
    turn.lock().unwrap();
    for (args, expected) in
        [(&[][..], "drover is serving"), (&[dir.path().to_str().unwrap()][..], "from the directory")]
    {
        let port_is_taken = TcpListener::bind(addr).is_err();
        let mut command = Command::new(Product::Drover.binary());
        let mut child = command.args(args).stderr(Stdio::piped()).process_group(0).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut said).unwrap();
        if port_is_taken {
            // Somebody else's server: the error must say so.
            let expected = "drover: [emerg] bind() to 127.0.0.1:8080 failed (98: Address already in use)";
            assert!(said.starts_with(expected), "{said}");
            assert!(!child.wait().unwrap().success());
            continue;
        }
        let mut client = Client::connect(addr);
        let (page, missing) = (client.get("/"), client.get("/missing"));
        proc::signal(child.id() as i32, Signal::SIGINT);
        assert!(child.wait().unwrap().success());
        assert!(said.starts_with("drover: serving ") && said.contains("http://127.0.0.1:8080/"), "{said}");
        assert_eq!((page.status, missing.status), (200, 404));
        assert_eq!(page.header("Content-Type"), Some("text/html"));
        assert!(page.text().contains(expected), "{}", page.text());
    }
}

#[test]
fn a_log_can_be_standard_output_when_that_is_a_socket() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = format!(
        "daemon off; pid off; events {{ }}
         http {{ access_log /dev/stdout; server {{ listen 127.0.0.1:{port}; location / {{ return 200 x; }} }} }}"
    );
    fs::write(dir.path().join("s.conf"), text).unwrap();
    let mut command = Command::new(Product::Drover.binary());
    command.arg("-c").arg(dir.path().join("s.conf")).stdout(OwnedFd::from(theirs)).process_group(0);
    let mut child = command.spawn().unwrap();
    drop(command);
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    until_true("it listens", || TcpStream::connect(addr).is_ok());
    Client::connect(addr).get("/to-the-socket");
    proc::signal(child.id() as i32, Signal::SIGQUIT);
    assert!(child.wait().unwrap().success());
    let mut log = String::new();
    ours.read_to_string(&mut log).unwrap();
    assert!(log.contains("\"GET /to-the-socket HTTP/1.1\" 200 1 "), "{log}");
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
    let text = if geteuid().is_root() { text } else { text.replace("user root;", "") };
    let server = Server::drover(&text);
    assert!(server.connect().get("/").text().contains("drover is serving"));
    assert_eq!(server.connect().get("/health").text(), "ok\n");
    let missing = server.connect().get("/no/such/page");
    assert_eq!((missing.status, missing.text().contains("There is nothing here")), (404, true));
    assert_eq!(server.connect().get("/.git/config").status, 404);
    until_true("requests are logged to stdout", || server.read("stdout").contains("GET /no/such/page"));
    assert!(!server.read("stdout").contains("/health"));
}

/// nginx would send the style sheet as text/plain, and not start with the second conf.
#[test]
fn a_site_is_styled_without_types_and_without_the_file_that_has_them() {
    let text = Conf::workers(1).to_string();
    let include = "include /etc/no-such-server/mime.types; ";
    for conf in [text.clone(), text.replace("http { ", &format!("http {{ {include}"))] {
        let server = Server::drover(&conf);
        server.file("style.css", "p { }");
        let sent = server.connect().get("/style.css");
        assert_eq!((sent.status, sent.header("Content-Type")), (200, Some("text/css")));
        let path = server.conf_path();
        let said = drover_in(server.dir(), &["-t", "-p", ".", "-c", path.to_str().expect("UTF-8")]);
        let notice = "drover: [notice] there is no \"/etc/no-such-server/mime.types\", \
                      the built-in mime.types takes its place in ";
        assert_eq!(said.stderr.matches(notice).count(), conf.matches(include).count(), "{}", said.stderr);
    }
}
