//! `drover --agent`: what HAProxy's agent check is told in each state of the service.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Output};

use nix::sys::signal::Signal;

use crate::support::client::Client;
use crate::support::conf::Conf;
use crate::support::server::{Product, Server};
use crate::support::{proc, tools, until, until_true};

/// The weights of a service with nothing under way, also on a machine that accepts late.
const FREE: std::ops::RangeInclusive<u64> = 10..=100;

/// A running agent. Dropping it ends it.
struct Agent {
    process: Child,
    addr: SocketAddr,
}

impl Agent {
    /// Starts one beside a server, at its third port.
    fn start(server: &Server) -> Agent {
        Agent::start_by(server, |command| command)
    }

    fn start_by(server: &Server, change: impl FnOnce(Command) -> Command) -> Agent {
        let addr: SocketAddr = ([127, 0, 0, 1], server.ports()[2]).into();
        let mut process = change(command(server, &addr.to_string()));
        let words = File::create(server.dir().join("agent")).expect("a file");
        let process = process.stderr(words).spawn().expect("the agent");
        until("the agent listens", || TcpStream::connect(addr).ok());
        Agent { process, addr }
    }

    /// The answer to a check, whole.
    fn say(&self) -> String {
        let mut stream = TcpStream::connect(self.addr).expect("connect");
        // HAProxy sends a text first where the conf has `agent-send`.
        stream.write_all(b"a\n").expect("write");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        assert!(text.ends_with('\n') && text.lines().count() == 1, "{text:?}");
        text
    }

    #[track_caller]
    fn wait_for(&self, what: &str) {
        until_true(what, || self.say() == format!("{what}\n"));
    }

    /// Returns when the weight is one of these.
    #[track_caller]
    fn wait_for_weight(&self, weights: std::ops::RangeInclusive<u64>) {
        until_true(&format!("a weight in {weights:?}"), || {
            let text = self.say();
            let weight = text.strip_prefix("up ").and_then(|rest| rest.trim_end().strip_suffix('%'));
            weights.contains(&weight.unwrap_or_else(|| panic!("{text}")).parse().expect("a number"))
        });
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(server: &Server, address: &str) -> Command {
    let mut command = Command::new(Product::Drover.binary());
    command.arg("-p").arg(server.dir()).arg("-c").arg(server.conf_path()).args(["--agent", address]);
    command
}

/// The same command, with no signal ignored, whatever started the tests (nohup, `&` in a script).
fn as_from_a_terminal(command: &Command) -> Command {
    let mut other = Command::new(tools::find("env"));
    other.arg("--default-signal").arg(command.get_program()).args(command.get_args());
    other
}

/// The same command for nobody's rights, where that can be had.
fn unprivileged(server: &Server, command: Command) -> Command {
    if !nix::unistd::geteuid().is_root() {
        return command;
    }
    // The directory of the build may be closed to others.
    let program = server.dir().join("agent-program");
    std::fs::copy(command.get_program(), &program).expect("a copy");
    let mut other = Command::new(tools::find("setpriv"));
    other.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]);
    other.arg(program).args(command.get_args());
    other
}

fn output(server: &Server, address: &str) -> Output {
    command(server, address).output().expect("the agent")
}

/// A conf of one worker with so many places.
fn conf(places: usize) -> Conf {
    Conf::workers(1)
        .events(&format!("worker_connections {places};"))
        .server("location = /v { return 200 one; } location = /ledger { ledger; }")
}

/// Clients whose requests are under way.
fn half_requests(server: &Server, count: usize) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..count).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| _ = client.send("GET /v HTTP/1.1\r\nHost: a\r\n"));
    clients
}

#[test]
fn the_weight_falls_with_the_load_and_rises_with_the_places() {
    let server = Server::drover(conf(40));
    let agent = Agent::start(&server);
    agent.wait_for_weight(FREE);
    let mut clients = half_requests(&server, 38);
    agent.wait_for_weight(1..=5);
    server.rewrite_conf(conf(120));
    server.signal(Signal::SIGHUP);
    agent.wait_for_weight(6..=69);
    clients.iter_mut().for_each(|client| assert_eq!(client.send("\r\n").status(), 200));
    drop(clients);
    agent.wait_for_weight(FREE);
}

#[test]
fn a_service_that_drains_has_no_weight_and_one_that_is_gone_is_down() {
    let mut server = Server::drover(conf(20));
    let agent = Agent::start_by(&server, |command| unprivileged(&server, command));
    let mut clients = half_requests(&server, 1);
    agent.wait_for_weight(FREE);
    until_true("the request is under way", || server.ledger().sums().reading == 1);
    server.signal(Signal::SIGQUIT);
    agent.wait_for("up 0%");
    assert_eq!(clients[0].send("\r\n").status(), 200);
    assert!(server.wait().success());
    agent.wait_for("down#no-pid-file");
}

#[test]
fn a_service_that_hangs_has_the_least_weight_and_one_that_is_killed_is_down() {
    let mut server = Server::drover(conf(20));
    let agent = Agent::start(&server);
    agent.wait_for_weight(FREE);
    server.workers().into_iter().for_each(|pid| proc::signal(pid, Signal::SIGSTOP));
    agent.wait_for("up 1%");
    server.workers().into_iter().for_each(|pid| proc::signal(pid, Signal::SIGCONT));
    agent.wait_for_weight(FREE);
    server.signal(Signal::SIGKILL);
    server.wait();
    agent.wait_for("down#no-master");
}

#[test]
fn an_upgrade_is_no_drain() {
    let mut server = Server::drover(conf(20));
    let agent = Agent::start(&server);
    server.signal(Signal::SIGUSR2);
    let next = server.wait_for_next_master();
    agent.wait_for_weight(FREE);
    server.quit();
    (0..20).for_each(|_| assert!(agent.say().starts_with("up ") && agent.say() != "up 0%\n"));
    proc::signal(next, Signal::SIGQUIT);
    until_true("the agent says so", || agent.say().starts_with("down#"));
}

#[test]
fn it_listens_on_ipv6_and_on_a_unix_socket() {
    let server = Server::drover(conf(20));
    let path = server.dir().join("agent.sock");
    // A file that a killed agent has left.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bind"));
    let addr = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, server.ports()[2]));
    for place in [addr.to_string(), format!("unix:{}", path.display())] {
        let process = command(&server, &place).spawn().expect("the agent");
        let _agent = Agent { process, addr };
        let text = until("an answer", || {
            let mut text = String::new();
            match place.starts_with("unix:") {
                true => UnixStream::connect(&path).ok()?.read_to_string(&mut text).ok()?,
                false => TcpStream::connect(addr).ok()?.read_to_string(&mut text).ok()?,
            };
            Some(text)
        });
        assert!(text.starts_with("up "), "{place}: {text}");
    }
}

#[test]
fn a_conf_without_a_ledger_and_an_address_in_use_are_told() {
    let server = Server::drover(Conf::workers(1).server("location = /v { return 200 one; }"));
    let failed = output(&server, "9");
    let text = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(failed.status.code() == Some(1) && text.contains("no location shows the ledger"), "{text}");
    server.rewrite_conf(conf(20));
    let failed = output(&server, &server.addr().to_string());
    let text = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(failed.status.code() == Some(1) && text.contains("Address already in use"), "{text}");
    // The rewritten conf was never loaded: its page is not there, whatever the conf says.
    let agent = Agent::start(&server);
    agent.wait_for("up 1%");
    let said = server.read("agent");
    assert!(
        said.contains("the service does not answer: 127.0.0.1:") && said.contains("/ledger: the answer is 404"),
        "{said}"
    );
}

#[test]
fn a_signal_ends_it_and_its_socket_s_file_with_it() {
    let server = Server::drover(conf(20));
    let path = server.dir().join("agent.sock");
    let agent = || {
        let process = as_from_a_terminal(&command(&server, &format!("unix:{}", path.display()))).spawn();
        let agent = Agent { process: process.expect("the agent"), addr: server.addr() };
        until("the agent listens", || UnixStream::connect(&path).ok());
        agent
    };
    let end = |mut agent: Agent, signal| {
        proc::signal(agent.process.id() as i32, signal);
        until("its end", || agent.process.try_wait().expect("its state")).code()
    };
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP] {
        assert_eq!(end(agent(), signal), Some(0), "{signal}");
        assert!(!path.exists(), "{signal}");
    }
    // A file that has taken its place is another's.
    let agent = agent();
    std::fs::remove_file(&path).expect("remove");
    std::fs::write(&path, "dear").expect("write");
    assert_eq!(end(agent, Signal::SIGTERM), Some(0));
    assert_eq!(std::fs::read_to_string(&path).expect("the file"), "dear");
}
