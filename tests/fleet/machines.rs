//! Three machines with drover, each an address of its own, and HAProxy in front of them.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrIn};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::{proc, tools, until, until_true};
use crate::{conf, with};

/// Names of the machines in haproxy.cfg.
pub const NAMES: [&str; 3] = ["a", "b", "c"];

/// How many connections a machine can have at once.
pub const PLACES: usize = 128;

/// A machine. Dropping it ends all its processes.
pub struct Machine {
    dir: PathBuf,
    addr: SocketAddr,
    process: Child,
    agent: Child,
}

/// The differences of a machine from the others.
#[derive(Default)]
pub struct Special<'a> {
    /// The document root, where it isn't a directory of the machine's own.
    pub root: Option<&'a Path>,
    /// Directives of the server.
    pub directives: &'a str,
}

impl Machine {
    fn start(dir: PathBuf, host: Ipv4Addr, special: &Special) -> Machine {
        let site = dir.join("site");
        fs::create_dir_all(&site).expect("mkdir");
        for path in [&dir, &site] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("chmod");
        }
        fs::write(site.join("name"), dir.file_name().expect("a name").as_encoded_bytes()).expect("write");
        fs::write(site.join("large"), vec![b'x'; 300_000]).expect("write");
        let text = with(conf("haproxy/drover.conf"), "listen            8080", &format!("listen {host}:8080"));
        let text = with(text, "set_real_ip_from  192.0.2.1", "set_real_ip_from 127.0.0.0/8");
        let text = with(text, "/srv/site", &special.root.unwrap_or(&site).display().to_string());
        let text = with(text, "keepalive_requests ", &format!("{} keepalive_requests ", special.directives));
        let text = with(text, "/var/log/drover", &dir.display().to_string());
        let text = with(text, "/run/drover-drain", &dir.join("drain").display().to_string());
        let text = with(text, "processes  auto;", "processes 2;");
        let text = with(text, "/run/drover.pid", &dir.join("drover.pid").display().to_string());
        let text = with(text, "listen      127.0.0.1:8081", &format!("listen {host}:8081"));
        // A test has no thousands of clients.
        let text = with(text, "worker_connections  4096", &format!("worker_connections {}", PLACES / 2));
        fs::write(dir.join("drover.conf"), text).expect("write");
        let process = spawn(&dir, &[]);
        let agent = spawn(&dir, &["--agent", &format!("{host}:8082")]);
        let machine = Machine { dir, addr: (host, 8080).into(), process, agent };
        machine.wait_until_listening();
        machine
    }

    fn wait_until_listening(&self) {
        until("a machine listens", || TcpStream::connect(self.addr).ok());
    }

    /// Asks HAProxy to send nothing new, or takes that back.
    pub fn drain(&self, is_wanted: bool) {
        let flag = self.dir.join("drain");
        match is_wanted {
            true => fs::write(flag, "").expect("write"),
            false => fs::remove_file(flag).expect("remove"),
        }
    }

    /// Ends the service gracefully, and starts it again.
    pub fn restart(&mut self) -> ExitStatus {
        self.signal_master(Signal::SIGQUIT);
        let status = self.process.wait().expect("wait");
        self.process = spawn(&self.dir, &[]);
        self.wait_until_listening();
        status
    }

    /// Starts what a machine has after a crash.
    pub fn revive(&mut self) {
        self.process.wait().expect("wait");
        self.process = spawn(&self.dir, &[]);
        self.wait_until_listening();
    }

    pub fn signal_master(&self, signal: Signal) {
        nix::sys::signal::kill(Pid::from_raw(self.master()), signal).expect("kill");
    }

    /// All processes at once.
    pub fn signal_all(&self, signal: Signal) {
        killpg(Pid::from_raw(self.process.id() as i32), signal).expect("killpg");
    }

    /// Replaces the running program by itself, in place; returns when the old one is gone.
    pub fn upgrade(&mut self) {
        let old = self.master();
        self.signal_master(Signal::SIGUSR2);
        until_true("the next master", || self.master() != old && proc::children(self.master()).len() >= 2);
        nix::sys::signal::kill(Pid::from_raw(old), Signal::SIGQUIT).expect("kill");
        self.process.wait().expect("wait");
    }

    fn master(&self) -> i32 {
        until("a pid", || fs::read_to_string(self.dir.join("drover.pid")).ok()?.trim().parse().ok())
    }

    /// A request that is under way, from somebody who is not HAProxy, until the client is dropped or finishes it.
    pub fn half_request(&self) -> Client {
        let mut client = Client::connect(self.addr);
        client.send("PROXY TCP4 127.0.0.1 127.0.0.1 1000 80\r\nGET /name HTTP/1.1\r\nHost: site\r\n");
        client
    }

    /// Whether a request is under way.
    pub fn is_busy(&self) -> bool {
        drover::master::client::find_ledger(self.master()).is_some_and(|ledger| ledger.sums().reading > 0)
    }

    pub fn access_log(&self) -> String {
        fs::read_to_string(self.dir.join("access.log")).expect("access.log")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = killpg(Pid::from_raw(self.process.id() as i32), Signal::SIGKILL);
        let _ = self.process.wait();
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

fn spawn(dir: &Path, args: &[&str]) -> Child {
    let words = if args.is_empty() { "stderr" } else { "agent" };
    Command::new(env!("CARGO_BIN_EXE_drover"))
        .args(["-c", "drover.conf"])
        .args(args)
        .current_dir(dir)
        .process_group(0)
        .stderr(fs::File::create(dir.join(words)).expect("stderr"))
        .spawn()
        .expect("drover")
}

/// HAProxy with its machines.
pub struct Fleet {
    pub machines: [Machine; 3],
    balancer: Child,
    addr: SocketAddr,
    dir: TempDir,
}

impl Fleet {
    /// Starts all; returns when HAProxy holds all machines for healthy. `limit`: requests in 10 s from one client.
    pub fn start(limit: u32) -> Fleet {
        Fleet::with(limit, &Special::default())
    }

    /// The same, with something special about machine b.
    pub fn with(limit: u32, special: &Special) -> Fleet {
        let dir = tempfile::Builder::new().prefix("drover-fleet-").tempdir().expect("a temporary directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        let host = |last| free_network(last);
        let [a, b, c, front] = [11, 12, 13, 1].map(host);
        let mut text = conf("haproxy/haproxy.cfg");
        for (name, host) in NAMES.iter().zip([a, b, c]) {
            let number = 11 + NAMES.iter().position(|known| known == name).expect("a name");
            text = with(text, &format!("192.0.2.{number}:8080"), &format!("{host}:8080"));
        }
        let text = with(text, "bind :80", &format!("bind {front}:8080"));
        let text = with(text, "/run/haproxy/admin.sock", &dir.path().join("admin.sock").display().to_string());
        let text = with(text, "gt 1000", &format!("gt {limit}"));
        // The limit of descriptors is that of the machine.
        let text = with(text, "maxconn 20000", "maxconn 500");
        // A test has no time for a slow start.
        let text = with(text, "slowstart 10s", "slowstart 1s");
        fs::write(dir.path().join("haproxy.cfg"), text).expect("write");
        let machine = |(name, host)| {
            let dir = dir.path().join(name);
            fs::create_dir(&dir).expect("mkdir");
            let usual = Special::default();
            Machine::start(dir, host, if name == NAMES[1] { special } else { &usual })
        };
        let machines = [("a", a), ("b", b), ("c", c)].map(machine);
        let balancer = Command::new(tools::find("haproxy"))
            .args(["-db", "-f"])
            .arg(dir.path().join("haproxy.cfg"))
            .stderr(fs::File::create(dir.path().join("haproxy.log")).expect("log"))
            .stdout(Stdio::null())
            .spawn()
            .expect("haproxy");
        let fleet = Fleet { machines, balancer, addr: (front, 8080).into(), dir };
        NAMES.iter().for_each(|name| fleet.wait_for(name, "UP"));
        fleet
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.addr)
    }

    /// Connects from another address of the loopback network: another client to HAProxy.
    pub fn connect_from(&self, host: Ipv4Addr) -> Client {
        let socket = socket::socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None);
        let socket = socket.expect("socket");
        socket::bind(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(host, 0))).expect("bind");
        let SocketAddr::V4(to) = self.addr else { panic!("{} is no IPv4", self.addr) };
        socket::connect(socket.as_raw_fd(), &SockaddrIn::from(to)).expect("connect");
        Client::of(TcpStream::from(socket))
    }

    /// Returns when HAProxy says that a machine is in this state, in which it has `wait` sessions or fewer.
    pub fn wait_for(&self, name: &str, state: &str) {
        until_true(&format!("machine {name} is {state}"), || self.state(name).is_some_and(|(now, _)| now == state));
    }

    /// Returns when a machine has nothing left to do.
    pub fn wait_until_idle(&self, name: &str) {
        until_true(&format!("machine {name} is idle"), || self.state(name).is_some_and(|(_, sessions)| sessions == 0));
    }

    /// The weight of a machine, to which its agent has brought the 100 of the conf.
    pub fn weight(&self, name: &str) -> Option<u64> {
        self.cells(name, ["uweight"])?[0].parse().ok()
    }

    /// The state of a machine, and the requests that it has.
    fn state(&self, name: &str) -> Option<(String, u64)> {
        let [status, sessions] = self.cells(name, ["status", "scur"])?;
        Some((status, sessions.parse().ok()?))
    }

    /// Columns of a machine, by HAProxy's `show stat`.
    fn cells<const N: usize>(&self, name: &str, wanted: [&str; N]) -> Option<[String; N]> {
        let mut socket = UnixStream::connect(self.dir.path().join("admin.sock")).ok()?;
        socket.write_all(b"show stat\n").ok()?;
        let mut table = String::new();
        socket.read_to_string(&mut table).ok()?;
        let columns: Vec<&str> = table.lines().next()?.trim_start_matches("# ").split(',').collect();
        let line = table.lines().find(|line| line.starts_with(&format!("machines,{name},")))?;
        let cells: Vec<&str> = line.split(',').collect();
        let cell = |column: &str| cells.get(columns.iter().position(|known| *known == column)?).copied();
        let found: Vec<String> = wanted.iter().filter_map(|column| cell(column).map(str::to_owned)).collect();
        found.try_into().ok()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let _ = self.balancer.kill();
        let _ = self.balancer.wait();
    }
}

/// An address of a network for this fleet alone, so that several may run at once.
fn free_network(last: u8) -> Ipv4Addr {
    let id = std::process::id();
    let thread = format!("{:?}", std::thread::current().id());
    let number: u32 = thread.chars().filter_map(|c| c.to_digit(10)).fold(0, |n, digit| n * 10 + digit);
    Ipv4Addr::new(127, 64 + (number % 64) as u8, 1 + (id % 250) as u8, last)
}
