//! USR2: the next binary takes over.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use crate::conf;
use crate::support::conf::Conf;
use crate::support::server::{Product, Server, Setup};
use crate::support::{proc, until, until_true};

#[test]
fn the_next_binary_takes_over_without_a_lost_request() {
    let server = Server::drover(conf(2));
    let inodes = proc::listening_inodes(server.port());
    let (stop, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let next = std::thread::scope(|scope| {
        let (server_addr, stop, served) = (server.addr(), &stop, &served);
        scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let mut client = crate::support::client::Client::connect(server_addr);
                client.send("GET /v HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
                assert_eq!(client.response().expect("every request is answered").text(), "one");
                served.fetch_add(1, Ordering::Relaxed);
            }
        });
        let more = || {
            let before = served.load(Ordering::Relaxed);
            until_true("more requests", || served.load(Ordering::Relaxed) > before + 20);
        };
        more();
        server.signal(Signal::SIGUSR2);
        let next = server.wait_for_next_master();
        assert_eq!(server.read("server.pid.oldbin"), format!("{}\n", server.pid()));
        until_true("its workers", || proc::children(next).len() == 2);
        more();
        server.signal(Signal::SIGWINCH);
        until_true("the old workers leave", || server.workers() == [next]);
        more();
        let mut server = server;
        assert!(server.quit().success());
        more();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(proc::listening_inodes(server.port()), inodes);
        assert!(!server.dir().join("server.pid.oldbin").exists());
        // The new master is told to end through its pid file.
        assert_eq!(server.send("quit").0, Some(0));
        until_true("the new master ends", || !proc::is_alive(next));
        assert!(!server.dir().join("server.pid").exists());
        next
    });
    assert_ne!(next, 0);
}

/// Found by tools/chaos: the socket arrays of the old binary stayed open in each worker of the new one.
#[test]
fn after_an_upgrade_workers_have_no_more_maps_of_the_kernel_than_before() {
    let server = Server::drover(conf(2).events("dispatch steer;"));
    let maps = |pid: i32| proc::open_targets(pid).iter().filter(|target| target.contains("bpf-map")).count();
    let all = |master: i32| proc::children(master).into_iter().map(maps).collect::<Vec<_>>();
    server.wait_for_workers(2);
    assert_eq!(server.connect().get("/v").text(), "one");
    // A child has what its master has until its life begins.
    until_true("the workers have closed them", || all(server.pid()).iter().all(|count| *count <= 1));
    let before = all(server.pid());
    server.signal(Signal::SIGUSR2);
    let next = server.wait_for_next_master();
    until_true("the next workers have no more", || all(next) == before);
}

/// Found by tools/chaos: the new master took its next parent for the old binary, and refused upgrades for ever.
#[test]
fn a_master_whose_old_binary_died_while_it_began_can_be_upgraded() {
    let mut server = Server::drover(conf(1));
    let text = fs::read_to_string(server.conf_path()).unwrap();
    let fifo = server.dir().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::write(server.conf_path(), format!("{text}\ninclude {};\n", fifo.display())).unwrap();
    server.signal(Signal::SIGUSR2);
    // The next binary reads until nobody can write anything more.
    let mut options = fs::File::options();
    options.write(true).custom_flags(libc::O_NONBLOCK);
    let writer = until("the next binary reads its conf", || options.open(&fifo).ok());
    server.signal(Signal::SIGKILL);
    server.wait();
    drop(writer);
    let next = server.wait_for_next_master();
    until_true("its worker", || proc::children(next).len() == 1);
    fs::write(server.conf_path(), text).unwrap();
    proc::signal(next, Signal::SIGUSR2);
    let third = until("one more master, or the refusal of it", || {
        let is_refused = server.error_log().contains("is under way already");
        let pid = server.read("server.pid").trim().parse::<i32>().ok().filter(|pid| *pid != next);
        is_refused.then_some(None).or(pid.map(Some))
    });
    let third = third.expect("an upgrade");
    until_true("the third master's worker", || proc::children(third).len() == 1);
    assert_eq!(server.connect().get("/v").text(), "one");
}

#[test]
fn an_upgrade_can_be_taken_back() {
    let server = Server::drover(conf(1));
    server.signal(Signal::SIGUSR2);
    let next = server.wait_for_next_master();
    until_true("its worker", || proc::children(next).len() == 1);
    server.signal(Signal::SIGWINCH);
    until_true("the old worker leaves", || server.workers() == [next]);
    // HUP calls the old workers back; then the new binary is sent away.
    server.signal(Signal::SIGHUP);
    until_true("the old master has a worker again", || server.workers().len() == 2);
    proc::signal(next, Signal::SIGQUIT);
    until_true("the pid file is the old master's again", || server.read("server.pid") == format!("{}\n", server.pid()));
    assert_eq!(server.connect().get("/v").text(), "one");
}

#[test]
fn a_next_binary_that_fails_leaves_the_old_one_as_it_was() {
    let server = Server::drover(conf(1).server("listen unix:%dir%/s;"));
    let workers = server.wait_for_workers(1);
    let socket = server.dir().join("s");
    let own = format!("listen unix:{};", socket.display());
    let text = fs::read_to_string(server.conf_path()).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let added = format!("listen unix:{}; listen {};", socket.display(), taken.local_addr().unwrap());
    fs::write(server.conf_path(), text.replace(&own, &added)).unwrap();
    server.signal(Signal::SIGUSR2);
    until_true("the failure is logged", || server.error_log().contains("new binary process"));
    until_true("the pid file is back", || server.read("server.pid") == format!("{}\n", server.pid()));
    assert!(!server.dir().join("server.pid.oldbin").exists());
    UnixStream::connect(&socket).expect("the old one's socket is still there");
    fs::write(server.conf_path(), text).unwrap();
    assert_eq!((server.connect().get("/v").text().as_str(), server.workers()), ("one", workers));
}

/// USR2 to `master`, which says that it refuses, why, and goes on.
fn assert_refuses(server: &Server, master: i32, expected: &str) {
    proc::signal(master, Signal::SIGUSR2);
    until_true("the refusal", || server.error_log().contains("[error]"));
    let log = server.error_log();
    let refusal = log.lines().find(|line| line.contains("[error]")).unwrap();
    assert!(refusal.contains(&format!("signal USR2 is refused: {expected}")), "{refusal}");
    assert!(!log.contains("start new binary process") && !server.dir().join("server.pid.oldbin").exists(), "{log}");
    assert_eq!(server.connect().get("/v").text(), "one");
}

fn in_foreground() -> Conf {
    let main = "daemon off; pid %dir%/server.pid; error_log %dir%/error.log info; user root;";
    conf(1).surroundings(&main.replace("user root;", if geteuid().is_root() { "user root;" } else { "" }))
}

#[test]
fn process_1_is_not_replaced() {
    let setup = Setup::new(Product::Drover, in_foreground());
    let namespace = ["--user", "--map-root-user", "--pid", "--fork", "--kill-child"];
    let server = setup.via("unshare", &namespace).spawn();
    until_true("it listens", || TcpStream::connect(server.addr()).is_ok());
    let master = until("the master", || server.workers().first().copied());
    assert_refuses(&server, master, "this is process 1, and its end is the end of the container");
    proc::signal(master, Signal::SIGQUIT);
    until_true("it ends", || !proc::is_alive(master));
}

#[test]
fn a_service_manager_s_main_process_is_not_replaced() {
    // systemd says in this variable which process it has started.
    let marked = ["-c", "SYSTEMD_EXEC_PID=$$ exec \"$@\"", "sh"];
    let mut server = Setup::new(Product::Drover, in_foreground()).via("sh", &marked).start();
    assert_refuses(&server, server.pid(), "");
    assert!(server.error_log().contains("started this process, and would end the service with it"));
    assert!(server.quit().success());
    // A parent of such a name.
    let dir = tempfile::tempdir().unwrap();
    let tini = dir.path().join("tini");
    fs::copy(fs::canonicalize("/bin/sh").unwrap(), &tini).unwrap();
    let setup = Setup::new(Product::Drover, in_foreground());
    let mut server = setup.via(tini.to_str().unwrap(), &["-c", "\"$@\"; exit $?", "sh"]).spawn();
    until_true("it listens", || TcpStream::connect(server.addr()).is_ok());
    let master = until("the master", || server.workers().first().copied());
    assert_refuses(&server, master, &format!("tini (process {}) started this process", server.pid()));
    proc::signal(master, Signal::SIGQUIT);
    assert!(server.wait().success());
}
