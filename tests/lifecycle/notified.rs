//! The messages that a service manager hears at its notify socket (sd_notify(3)), their senders and order; the units.

use std::fs;
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::cmsg_space;
use nix::sys::signal::Signal;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, UnixCredentials, bind, recvmsg,
    setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;

use crate::support::server::{Product, Server, Setup};
use crate::support::{PATIENCE, proc, tools, until_true};
use crate::{answering, conf};

/// A service manager's socket.
struct Manager {
    fd: OwnedFd,
    address: String,
    heard: Vec<(i32, String)>,
}

impl Manager {
    fn at(address: &str) -> Manager {
        let fd = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).unwrap();
        setsockopt(&fd, sockopt::PassCred, &true).unwrap();
        setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::new(0, 20_000)).unwrap();
        let addr = match address.strip_prefix('@') {
            Some(name) => UnixAddr::new_abstract(name.as_bytes()).unwrap(),
            None => UnixAddr::new(Path::new(address)).unwrap(),
        };
        bind(fd.as_raw_fd(), &addr).unwrap();
        Manager { fd, address: address.to_owned(), heard: Vec::new() }
    }

    /// An abstract name that no other test has.
    fn of(test: &str) -> Manager {
        Manager::at(&format!("@drover-{}-{test}", std::process::id()))
    }

    fn setup(&self, conf: impl ToString) -> Setup {
        Setup::new(Product::Drover, conf).env("NOTIFY_SOCKET", &self.address)
    }

    /// The next message, with the id of its sender, if one comes within a moment.
    fn poll(&mut self) -> Option<(i32, String)> {
        let mut bytes = [0; 4096];
        let mut space = cmsg_space!(UnixCredentials);
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let flags = MsgFlags::empty();
        let message = recvmsg::<UnixAddr>(self.fd.as_raw_fd(), &mut parts, Some(&mut space), flags).ok()?;
        let sender = message.cmsgs().unwrap().find_map(|part| match part {
            ControlMessageOwned::ScmCredentials(credentials) => Some(credentials.pid()),
            _ => None,
        });
        let (sender, length) = (sender.expect("the kernel names the sender"), message.bytes);
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        println!("{sender}: {text:?}");
        self.heard.push((sender, text.clone()));
        Some((sender, text))
    }

    /// Reads until a message has this line, which must come from `sender`; returns all of it.
    #[track_caller]
    fn await_line(&mut self, sender: i32, line: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some((from, text)) = self.poll()
                && text.lines().any(|other| other == line)
            {
                assert_eq!(from, sender, "{text}");
                return text;
            }
        }
        panic!("no {line:?} in {:?}", self.heard);
    }

    /// Whether a message with this line has been heard since the last call.
    fn has_heard(&mut self, line: &str) -> bool {
        std::mem::take(&mut self.heard).iter().any(|(_, text)| text.lines().any(|other| other == line))
    }
}

fn usec(text: &str) -> u64 {
    text.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).expect("the time").parse().unwrap()
}

#[test]
fn a_start_a_reload_a_refused_one_and_the_end_are_told_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut manager = Manager::at(dir.path().join("notify").to_str().unwrap());
    let mut server = manager.setup(conf(2)).start();
    let master = server.pid();
    let ready = manager.await_line(master, "READY=1");
    assert!(ready.contains("STATUS=serving: 2 workers, 0 connections; generation 1 of the conf"), "{ready}");
    // Both workers read their signals: they are in their loops.
    assert_eq!(proc::children(master).len(), 2);
    let before = drover::os::time::monotonic_us();
    server.rewrite_conf(answering(3, "two"));
    assert_eq!(server.send("reload").0, Some(0));
    let reloading = manager.await_line(master, "RELOADING=1");
    let told = usec(&reloading);
    assert!(before < told && told < drover::os::time::monotonic_us(), "{before} {told}");
    let ready = manager.await_line(master, "READY=1");
    assert!(ready.contains("STATUS=serving: 3 workers") && ready.contains("generation 2"), "{ready}");
    fs::write(server.conf_path(), "events { } htp { }").unwrap();
    assert_eq!(server.send("reload").0, Some(1));
    server.signal(Signal::SIGHUP);
    let refused = manager.await_line(master, "RELOADING=1");
    assert!(usec(&refused) > told);
    let ready = manager.await_line(master, "READY=1");
    assert!(
        ready.contains("3 workers") && ready.contains("the last reload failed: unknown directive \"htp\""),
        "{ready}"
    );
    assert!(!manager.has_heard("STOPPING=1"));
    assert!(server.quit().success());
    manager.await_line(master, "STOPPING=1");
}

#[test]
fn the_watchdog_hears_of_workers_that_answer_and_of_none_that_hang() {
    let mut manager = Manager::of("watchdog");
    let server = manager.setup(conf(2)).env("WATCHDOG_USEC", "300000").start();
    let master = server.pid();
    let ready = manager.await_line(master, "READY=1");
    assert!(!ready.contains("WATCHDOG"));
    (0..3).for_each(|_| _ = manager.await_line(master, "WATCHDOG=1"));
    let stuck = server.wait_for_workers(2)[1];
    proc::signal(stuck, Signal::SIGSTOP);
    until_true("it stands still", || proc::is_stopped(stuck));
    let complaint = format!("process {stuck} has not answered for");
    until_true("the log names it", || server.error_log().contains(&complaint));
    while manager.poll().is_some() {}
    manager.heard.clear();
    let until = Instant::now() + Duration::from_millis(700);
    while Instant::now() < until {
        assert_eq!(manager.poll(), None, "it hangs");
    }
    proc::signal(stuck, Signal::SIGCONT);
    manager.await_line(master, "WATCHDOG=1");
    assert_eq!(server.error_log().matches("has not answered for").count(), 1);
    // A worker that dies is replaced, and asked.
    proc::signal(stuck, Signal::SIGKILL);
    until_true("a successor", || !server.workers().contains(&stuck) && server.workers().len() == 2);
    manager.heard.clear();
    (0..3).for_each(|_| _ = manager.await_line(master, "WATCHDOG=1"));
}

#[test]
fn the_next_binary_is_the_service_when_the_old_one_has_ended() {
    let mut manager = Manager::of("upgrade");
    // The old master has systemd's marks: without a manager that listens it would refuse.
    let marked = ["-c", "SYSTEMD_EXEC_PID=$$ WATCHDOG_PID=$$ exec \"$@\"", "sh"];
    let mut server = manager.setup(conf(1)).env("WATCHDOG_USEC", "2400000").via("sh", &marked).start();
    let old = server.pid();
    manager.await_line(old, "READY=1");
    server.signal(Signal::SIGUSR2);
    let next = server.wait_for_next_master();
    until_true("its worker", || proc::children(next).len() == 1);
    (0..3).for_each(|_| _ = manager.await_line(old, "WATCHDOG=1"));
    assert!(manager.heard.iter().all(|(sender, _)| *sender == old), "the manager listens to its main process alone");
    assert!(server.quit().success());
    let last = manager.await_line(old, &format!("MAINPID={next}"));
    assert!(last.contains("WATCHDOG=1"), "{last}");
    assert!(!manager.has_heard("STOPPING=1"), "the service goes on");
    manager.await_line(next, "WATCHDOG=1");
    assert_eq!(server.connect().get("/v").text(), "one");
    // Old and new ran side by side for two thirds of WATCHDOG_USEC, in which nobody asked the worker.
    assert!(!server.error_log().contains("has not answered"), "{}", server.error_log());
    proc::signal(next, Signal::SIGQUIT);
    manager.await_line(next, "STOPPING=1");
    until_true("it ends", || !proc::is_alive(next));
}

#[test]
fn one_process_without_a_master_tells_of_its_start_and_its_end() {
    let mut manager = Manager::of("alone");
    let mut server = manager.setup(conf(1).main("master_process off;")).spawn();
    manager.await_line(server.pid(), "READY=1");
    assert!(server.quit().success());
    manager.await_line(server.pid(), "STOPPING=1");
}

#[test]
fn a_manager_that_is_gone_is_no_reason_to_stop() {
    let setup = Setup::new(Product::Drover, conf(1)).env("NOTIFY_SOCKET", "/nowhere/notify");
    let server = setup.start();
    until_true("it says so", || server.error_log().contains("sendto() the service manager failed (2: No such file"));
    assert_eq!(server.connect().get("/v").text(), "one");
    let server: Server = Setup::new(Product::Drover, conf(1)).env("NOTIFY_SOCKET", "vsock:2:1").start();
    assert!(server.error_log().contains("the service manager hears nothing"), "{}", server.error_log());
}

/// The figure of `systemd-analyze security`: 0 is best, 10 worst.
#[test]
fn the_unit_is_hardened_and_sound() {
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/systemd");
    let service = units.join("drover.service");
    let output = tools::output("systemd-analyze", &["security", "--offline=true", service.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stdout);
    let figure = text.lines().find_map(|line| line.split_once("Overall exposure level for drover.service: "));
    let figure = figure.and_then(|(_, rest)| rest.split(' ').next()?.parse::<f64>().ok());
    assert!(figure.expect("a figure") <= 2.0, "{text}");
    // The program stands in another place here; systemd-analyze also wants the manuals.
    let dir = tempfile::tempdir().unwrap();
    for name in ["drover.service", "drover.socket"] {
        let text = fs::read_to_string(units.join(name)).unwrap();
        let text = text.replace("/usr/sbin/drover", Product::Drover.binary().to_str().unwrap());
        let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("Documentation=")).collect();
        fs::write(dir.path().join(name), text.join("\n")).unwrap();
    }
    let paths = ["drover.service", "drover.socket"].map(|name| dir.path().join(name).display().to_string());
    let output = tools::output("systemd-analyze", &["verify", &paths[0], &paths[1]]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("drover.s"), "{said}");
}
