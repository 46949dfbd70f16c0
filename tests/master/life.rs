//! Start, death of children, logs, shutdown.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::support::client::Client;
use super::support::server::{Product, Server, Setup};
use super::support::{proc, until, until_true};
use super::{conf, drover, stderr};

#[test]
fn the_pid_file_names_the_master_until_it_quits() {
    let mut server = Server::drover(conf(3));
    assert_eq!(server.read("server.pid"), format!("{}\n", server.pid()));
    assert_eq!(server.wait_for_workers(3).len(), 3);
    assert_eq!(server.connect().get("/v").text(), "one");
    assert!(server.quit().success());
    assert!(!server.dir().join("server.pid").exists());
    assert!(server.error_log().contains("[notice]") && server.error_log().ends_with(": exit\n"));
}

#[test]
fn a_fast_shutdown_does_not_wait_for_clients_and_a_graceful_one_does() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut server = Server::drover(conf(2));
        let mut idle = server.connect();
        idle.get("/v");
        let mut half = server.connect();
        half.send("GET /v HT");
        server.signal(signal);
        assert!(server.wait().success());
        assert!(idle.is_closed_by_server() && half.is_closed_by_server());
    }
    let mut server = Server::drover(conf(2));
    let mut half = server.connect();
    half.get("/v");
    half.send("GET /v HT");
    // The worker knows that the request has begun once it has read those bytes.
    until_true("the half request is read", || proc::unread_bytes(server.port()) == 0);
    server.signal(Signal::SIGQUIT);
    until_true("the listening socket closes", || proc::listening_inodes(server.port()).is_empty());
    assert!(server.poll_exit().is_none());
    half.send("TP/1.1\r\nHost: x\r\n\r\n");
    let response = half.response().expect("a response");
    assert_eq!((response.status, response.header("Connection")), (200, Some("close")));
    assert!(server.wait().success());
}

#[test]
fn a_killed_worker_is_replaced() {
    let server = Server::drover(conf(2));
    let before = server.wait_for_workers(2);
    kill(Pid::from_raw(before[0]), Signal::SIGKILL).unwrap();
    let after = until("a successor", || Some(server.workers()).filter(|w| w.len() == 2 && !w.contains(&before[0])));
    assert!(after.contains(&before[1]), "the other worker lives on");
    assert_eq!(server.connect().get("/v").text(), "one");
    assert!(server.error_log().contains(&format!("worker process {} exited on signal 9", before[0])));
}

#[test]
fn a_worker_that_dies_at_once_again_and_again_is_replaced_after_a_pause() {
    let server = Server::drover(conf(1));
    for _ in 0..4 {
        let worker = server.wait_for_workers(1)[0];
        kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();
        until_true("it is gone", || !proc::is_alive(worker));
    }
    until_true("the pause is logged", || server.error_log().contains("died at once, its successor starts in"));
    server.wait_for_workers(1);
    assert_eq!(server.connect().get("/v").text(), "one");
}

#[test]
fn logs_are_reopened_by_master_and_workers() {
    let server = Server::drover(
        "%main% worker_processes 2; events { }
         http { access_log %dir%/access.log; server { listen 127.0.0.1:%port%; location / { return 200 x; } } }",
    );
    let workers = server.wait_for_workers(2);
    server.connect().get("/before");
    until_true("the first line", || server.read("access.log").contains("/before"));
    for name in ["access.log", "error.log"] {
        fs::rename(server.dir().join(name), server.dir().join(format!("{name}.1"))).unwrap();
    }
    assert_eq!(server.send("reopen").0, Some(0));
    let everyone = [&[server.pid()], &workers[..]].concat();
    until_true("everybody has the new files open", || {
        everyone.iter().all(|pid| {
            let open = proc::open_files(*pid);
            ["access.log", "error.log"].iter().all(|name| {
                let path = server.dir().join(name).display().to_string();
                open.contains(&path) && !open.contains(&format!("{path}.1"))
            })
        })
    });
    server.connect().get("/after");
    until_true("the line after", || server.read("access.log").contains("/after"));
    assert!(!server.read("access.log.1").contains("/after"));
    assert_eq!(server.workers(), workers, "nobody was restarted");
}

#[test]
fn a_daemon_lets_its_caller_go_and_obeys_by_its_pid_file() {
    let dir = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let conf = |log: &str, text: &str| {
        format!(
            "daemon on; pid d.pid; error_log {log} notice; events {{ }}
             http {{ access_log off; server {{ listen 127.0.0.1:{port}; location / {{ return 200 {text}; }} }} }}"
        )
    };
    fs::write(dir.path().join("d.conf"), conf("d.log", "x")).unwrap();
    let args = ["-p", dir.path().to_str().unwrap(), "-c", "d.conf"];
    // output() returns when all copies of the pipes are closed: a daemon that kept them would hang the caller.
    let started = drover(&args);
    assert!(started.status.success(), "{}", stderr(&started));
    let pid: i32 = fs::read_to_string(dir.path().join("d.pid")).unwrap().trim().parse().unwrap();
    assert_eq!(
        nix::unistd::getsid(Some(Pid::from_raw(pid))).unwrap(),
        nix::unistd::getsid(Some(Pid::from_raw(pid))).unwrap()
    );
    assert_ne!(nix::unistd::getsid(Some(Pid::from_raw(pid))).unwrap(), nix::unistd::getsid(None).unwrap());
    let answer = || Client::connect(([127, 0, 0, 1], port).into()).get("/").text();
    assert_eq!(answer(), "x");
    for (log, text) in [("d.log", "y"), ("e.log", "z")] {
        fs::write(dir.path().join("d.conf"), conf(log, text)).unwrap();
        let reloaded = drover(&[&args[..], &["-s", "reload"]].concat());
        assert!(reloaded.status.success(), "{}", stderr(&reloaded));
        until_true("the new conf is in service", || answer() == text);
    }
    fs::remove_file(dir.path().join("e.log")).unwrap();
    assert!(drover(&[&args[..], &["-s", "reopen"]].concat()).status.success());
    until_true("a new log file", || dir.path().join("e.log").exists());
    let stopped = drover(&[&args[..], &["-s", "stop"]].concat());
    assert!(stopped.status.success(), "{}", stderr(&stopped));
    until_true("the daemon ends", || !proc::is_alive(pid));
    assert!(!dir.path().join("d.pid").exists());
}

#[test]
fn one_process_serves_by_itself() {
    let mut server = Setup::new(Product::Drover, format!("master_process off; {}", conf(4))).spawn();
    until_true("it listens", || {
        let ours = proc::socket_inodes(server.pid());
        proc::listening_inodes(server.port()).iter().any(|i| ours.contains(i))
    });
    assert_eq!(server.connect().get("/v").text(), "one");
    assert!(server.workers().is_empty());
    assert!(server.quit().success());
    assert!(!server.dir().join("server.pid").exists());
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
    // As an entry point of a container may do it.
    let script = format!("sleep 60 & echo $!; exec {} -p . -c s.conf", Product::Drover.binary().display());
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(dir.path()).stdout(Stdio::piped()).process_group(0);
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let helper = Pid::from_raw(line.trim().parse().unwrap());
    until_true("it serves", || TcpStream::connect(("127.0.0.1", port)).is_ok() && dir.path().join("s.pid").exists());
    assert!(drover(&["-p", dir.path().to_str().unwrap(), "-c", "s.conf", "-s", "reload"]).status.success());
    kill(Pid::from_raw(child.id() as i32), Signal::SIGQUIT).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(proc::is_alive(helper.as_raw()));
    kill(helper, Signal::SIGKILL).unwrap();
}

#[test]
fn sockets_from_systemd_are_matched_by_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let inode = fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "daemon off; pid off; events {{ }}
         http {{ access_log off; server {{ listen {addr}; location / {{ return 200 inherited; }} }} }}"
    );
    fs::write(dir.path().join("s.conf"), text).unwrap();
    // As systemd does it: the socket is number 3, and LISTEN_PID is the process itself.
    let script = format!(
        "exec 3<&0; export LISTEN_FDS=1 LISTEN_PID=$$; exec {} -c {} < /dev/null",
        Product::Drover.binary().display(),
        dir.path().join("s.conf").display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]).stdin(OwnedFd::from(listener)).process_group(0);
    let mut child = command.spawn().unwrap();
    let pid = child.id() as i32;
    let body = Client::connect(addr).get("/").text();
    let holds_it = proc::children(pid).iter().all(|worker| {
        fs::read_dir(format!("/proc/{worker}/fd"))
            .unwrap()
            .flatten()
            .any(|fd| fs::read_link(fd.path()).ok() == Some(inode.clone()))
    });
    kill(Pid::from_raw(pid), Signal::SIGQUIT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!((body.as_str(), holds_it, status.success()), ("inherited", true, true));
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
        kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
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
    kill(Pid::from_raw(child.id() as i32), Signal::SIGQUIT).unwrap();
    assert!(child.wait().unwrap().success());
    let mut log = String::new();
    ours.read_to_string(&mut log).unwrap();
    assert!(log.contains("\"GET /to-the-socket HTTP/1.1\" 200 1 "), "{log}");
}
