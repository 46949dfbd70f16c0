//! Listening sockets that a service manager passes in (sd_listen_fds(3)).

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command};

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn6, bind, listen, setsockopt, socket, sockopt,
};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::server::Product;
use crate::support::{proc, until, until_true};

/// drover with these sockets as numbers 3 and 4.
struct Passed {
    child: Child,
    dir: TempDir,
}

impl Passed {
    fn start(servers: &str, first: OwnedFd, second: Option<OwnedFd>) -> Passed {
        let dir = tempfile::tempdir().unwrap();
        let mut passed = command(dir.path(), if second.is_some() { 2 } else { 1 });
        passed.stdin(first).stderr(File::create(dir.path().join("stderr")).unwrap());
        passed.stdout(second.unwrap_or_else(|| File::open("/dev/null").unwrap().into()));
        write(&dir, servers);
        let child = std::os::unix::process::CommandExt::process_group(&mut passed, 0).spawn().unwrap();
        Passed { child, dir }
    }

    fn write(&self, servers: &str) {
        write(&self.dir, servers);
    }

    fn said(&self) -> String {
        fs::read_to_string(self.dir.path().join("stderr")).unwrap()
    }

    fn reload(&self) {
        let mut command = Command::new(Product::Drover.binary());
        let output = command.arg("-c").arg(self.dir.path().join("s.conf")).args(["-s", "reload"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

fn write(dir: &TempDir, servers: &str) {
    let pid = dir.path().join("pid");
    let text = format!("daemon off; pid {}; events {{ }} http {{ {servers} }}", pid.display());
    fs::write(dir.path().join("s.conf"), text).unwrap();
}

/// The command imitates systemd, which sets LISTEN_PID to the id of the process itself.
fn command(dir: &std::path::Path, count: u32) -> Command {
    let script = format!(
        "exec 3<&0 4>&1; export LISTEN_FDS={count} LISTEN_PID=$$ LISTEN_FDNAMES=http:the-other; \
         exec {} -c {} < /dev/null > /dev/null",
        Product::Drover.binary().display(),
        dir.join("s.conf").display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    command
}

/// A socket for all IPv6 and IPv4 clients of a port, as systemd's BindIPv6Only=default makes it.
fn dual_stack() -> (OwnedFd, u16) {
    let fd = socket(AddressFamily::Inet6, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    setsockopt(&fd, sockopt::Ipv6V6Only, &false).unwrap();
    bind(fd.as_raw_fd(), &SockaddrIn6::from("[::]:0".parse::<std::net::SocketAddrV6>().unwrap())).unwrap();
    listen(&fd, Backlog::new(10).unwrap()).unwrap();
    let listener = TcpListener::from(fd);
    let port = listener.local_addr().unwrap().port();
    (listener.into(), port)
}

fn get(host: &str, port: u16) -> String {
    let addr: SocketAddr = format!("{host}:{port}").parse().unwrap();
    Client::connect(addr).get("/").text()
}

#[test]
fn a_socket_of_both_families_serves_what_is_said_for_each() {
    let (socket, port) = dual_stack();
    let server = |listen: &str, text: &str| format!("server {{ {listen} location / {{ return 200 {text}; }} }}");
    let four = server(&format!("listen {port};"), "four");
    let passed = Passed::start(&four, socket.try_clone().unwrap(), None);
    assert_eq!((get("127.0.0.1", port), get("[::1]", port)), ("four".into(), "four".into()), "{}", passed.said());
    let inodes = proc::listening_inodes(port);
    assert_eq!(inodes.len(), 1);
    let six = server(&format!("listen [::]:{port};"), "six");
    let specific = server(&format!("listen 127.0.0.2:{port};"), "specific");
    passed.write(&format!("{four} {six} {specific}"));
    passed.reload();
    until_true("the new conf answers", || get("[::1]", port) == "six");
    assert_eq!((get("127.0.0.1", port), get("127.0.0.2", port)), ("four".into(), "specific".into()));
    assert_eq!(proc::listening_inodes(port), inodes);
    drop(passed);
    let passed = Passed::start(&format!("{six} {four}"), socket, None);
    assert_eq!((get("127.0.0.1", port), get("[::1]", port)), ("four".into(), "six".into()));
    assert_eq!(passed.said(), "");
}

#[test]
fn a_passed_socket_that_nobody_serves_is_named() {
    let (used, unused) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let (addr, other) = (used.local_addr().unwrap(), unused.local_addr().unwrap());
    let passed = Passed::start(&format!("server {{ listen {addr}; return 204; }}"), used.into(), Some(unused.into()));
    let warning = format!("[warn] the passed socket {other} (\"the-other\") fits no \"listen\"");
    until_true("the socket is named", || passed.said().contains(&warning));
    let said = passed.said();
    assert!(!said.contains(&format!("passed socket {addr}")), "{said}");
}

#[test]
fn a_passed_socket_that_is_in_the_way_is_named_at_once() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    let mut passed = Passed::start(&format!("server {{ listen {}; }}", addr.port()), socket.into(), None);
    assert!(!until("the start fails", || passed.child.try_wait().unwrap()).success());
    let said = passed.said();
    let bind = format!("bind() to 0.0.0.0:{} failed (98: Address already in use)", addr.port());
    let advice = format!("{addr}, a socket that was passed to this service, has the port");
    assert!(said.contains(&bind) && said.contains(&advice) && !said.contains("trying again"), "{said}");
    assert!(said.contains(&format!("the passed socket {addr} (\"http\") fits no \"listen\"")), "{said}");
}

#[test]
fn a_passed_socket_is_matched_by_its_address_with_the_clients_that_wait_in_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let inodes = proc::listening_inodes(addr.port());
    let mut early = Client::connect(addr);
    let servers = format!("access_log off; server {{ listen {addr}; location / {{ return 200 inherited; }} }}");
    let mut passed = Passed::start(&servers, listener.into(), None);
    assert_eq!(early.get("/").text(), "inherited");
    assert_eq!(Client::connect(addr).get("/").text(), "inherited");
    let master = passed.child.id() as i32;
    let workers = proc::children(master);
    assert!(!workers.is_empty() && workers.iter().all(|worker| proc::socket_inodes(*worker).is_superset(&inodes)));
    proc::signal(master, Signal::SIGQUIT);
    assert!(passed.child.wait().unwrap().success());
}
