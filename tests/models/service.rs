//! A running server with one model: HTTP on the first port, `echo_upper` on the second, `json_rpc` on the third.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Deref;

use drover::dispatch::ModelKind;
use drover::shm::{Ledger, Role, Slot, Sums};

use crate::support::conf::Conf;
use crate::support::server::{Product, Server, Setup};
use crate::support::{PATIENCE, proc, until, until_true};

/// The conf of a [`Service`].
#[derive(Clone)]
pub struct Want {
    pub model: &'static ModelKind,
    params: String,
    /// Where HTTP and `echo_upper` listen.
    host: &'static str,
    conf: Conf,
}

impl Want {
    pub fn of(model: &'static ModelKind) -> Want {
        Want { model, params: String::new(), host: "127.0.0.1", conf: Conf::workers(2) }
    }

    pub fn workers(self, workers: usize) -> Want {
        Want { conf: self.conf.with_workers(workers), ..self }
    }

    /// A parameter of the model, if the model has it.
    pub fn param(mut self, name: &str, value: u64) -> Want {
        if self.model.params.iter().any(|param| param.name == name) {
            self.params += &format!(" {name}={value}");
        }
        self
    }

    /// Listens at this address of the ports; an IPv6 socket takes IPv4 clients, too.
    pub fn at(self, host: &'static str) -> Want {
        Want { host, ..self }
    }

    /// Directives for the main context.
    pub fn main(self, directives: &str) -> Want {
        Want { conf: self.conf.main(directives), ..self }
    }

    /// Directives for `events`.
    pub fn events(self, directives: &str) -> Want {
        Want { conf: self.conf.events(directives), ..self }
    }

    /// Directives for `http`.
    pub fn http(self, directives: &str) -> Want {
        Want { conf: self.conf.http(directives), ..self }
    }

    /// The arguments of `access_log`.
    pub fn access_log(self, arguments: &str) -> Want {
        Want { conf: self.conf.access_log(arguments), ..self }
    }

    /// Directives for the `server`.
    pub fn server(self, directives: &str) -> Want {
        Want { conf: self.conf.server(directives), ..self }
    }

    fn conf(&self) -> Conf {
        let Want { model, params, host, conf, .. } = self;
        let dual = if host.starts_with('[') { "ipv6only=off" } else { "" };
        conf.clone()
            .dispatch(&format!("{}{params}", model.name))
            .listen(&format!("{host}:%port% backlog=2048 {dual}"))
            .server("location /n/ { return 200 $request_uri; }")
            .beside(&format!(
                "stream {{ server {{ listen {host}:%port2% {dual}; echo_upper; }}\n\
                 server {{ listen 127.0.0.1:%port3%; json_rpc; }} }}"
            ))
    }

    #[track_caller]
    pub fn start(&self) -> Service {
        Want::settled(Server::drover(self.conf()))
    }

    /// [`Want::start`] with a directory where the workers may make files.
    #[track_caller]
    pub fn start_with_logs(&self, name: &str) -> Service {
        Want::settled(Setup::new(Product::under_test(), self.conf()).dir_for_logs(name).start())
    }

    #[track_caller]
    fn settled(server: Server) -> Service {
        server.file("index.html", "hello");
        let ledger = server.ledger();
        let service = Service { server, ledger };
        service.wait_until_settled();
        service
    }
}

pub struct Service {
    pub server: Server,
    pub ledger: Ledger,
}

impl Deref for Service {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// A process that counts in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    pub role: Role,
    pub number: u32,
}

impl Service {
    pub fn sums(&self) -> Sums {
        self.ledger.sums()
    }

    /// The processes that count in the ledger, by pid.
    pub fn processes(&self) -> Vec<Process> {
        let process = |slot: &Slot| {
            let pid = slot.pid()? as i32;
            Some((pid, Process { pid, role: slot.role(), number: slot.number() }))
        };
        // The first slot of a process is its own, those of its threads follow.
        let mut found = BTreeMap::new();
        for (pid, process) in self.ledger.live().filter_map(process) {
            found.entry(pid).or_insert(process);
        }
        found.into_values().collect()
    }

    /// The pids of those with this role.
    pub fn pids(&self, role: Role) -> Vec<i32> {
        self.processes().into_iter().filter(|process| process.role == role).map(|process| process.pid).collect()
    }

    /// The sums over the processes of a role.
    pub fn sums_of(&self, role: Role) -> Sums {
        let mut sums = Sums::default();
        self.ledger.live().filter(|slot| slot.role() == role).for_each(|slot| sums.add(slot));
        sums
    }

    /// Returns when all children are there, at work, and of the newest generation.
    #[track_caller]
    pub fn wait_until_settled(&self) {
        let (mut last, mut times) = (Vec::new(), 0);
        until_true("the processes of the newest conf, and no others", || {
            let children = self.workers();
            let generation = self.ledger.header().generation.load(std::sync::atomic::Ordering::Relaxed);
            let counting: Vec<i32> = self.processes().into_iter().map(|process| process.pid).collect();
            // The master forks them one after another, and is awake until it has.
            let is_settled = !children.is_empty()
                && proc::is_asleep(self.pid())
                && children.iter().all(|pid| counting.contains(pid))
                && self.ledger.live().all(|slot| slot.generation() == generation);
            times = if is_settled && children == last { times + 1 } else { 0 };
            last = children;
            times >= 5
        });
    }

    /// Returns when the children sleep: those that have just been forked open descriptors and start threads until
    /// they do.
    #[track_caller]
    pub fn wait_until_at_rest(&self) {
        let mut times = 0;
        until_true("all children are asleep", || {
            times = if self.workers().into_iter().all(proc::is_asleep) { times + 1 } else { 0 };
            times >= 5
        });
    }

    /// Reloads; returns when the master says that it has.
    #[track_caller]
    pub fn reload(&self, want: &Want) {
        self.server.rewrite_conf(want.conf());
        assert_eq!(self.server.send("reload"), (Some(0), String::new()), "reload to {}", want.model.name);
    }

    /// The address of port 1, 2 or 3.
    pub fn addr_of(&self, port: usize) -> SocketAddr {
        ([127, 0, 0, 1], self.ports()[port - 1]).into()
    }

    /// Asserts that every dead child has been reaped.
    #[track_caller]
    pub fn assert_no_zombies(&self) {
        until_true("no zombies", || proc::zombies(self.pid()).is_empty());
    }

    /// The end of every case: no zombies, exit code 0, no process left behind, nothing alarming in the log.
    #[track_caller]
    pub fn end(self) {
        for level in ["[alert]", "[crit]", "[emerg]"] {
            assert!(!self.error_log().contains(level), "an alarm in the log");
        }
        self.end_after_harm();
    }

    /// [`Service::end`] for a case that has killed somebody, which may be said and nothing else.
    #[track_caller]
    pub fn end_after_harm(mut self) {
        let log = self.error_log();
        let is_said = |line: &&str| line.contains("exited on signal") || line.contains("died at once");
        let other = log.lines().filter(|line| line.contains("[alert]")).find(|line| !is_said(line));
        assert_eq!(other, None, "an alarm in the log");
        self.assert_no_zombies();
        assert_eq!(self.server.quit().code(), Some(0), "the exit code");
        self.assert_gone();
    }

    /// No process is left, and none has panicked.
    #[track_caller]
    pub fn assert_gone(&self) {
        until_true("nobody is left", || !proc::group_lives(self.pid()));
        assert!(!self.stderr().contains("panicked"), "a process has panicked");
    }
}

/// A case that fails says in which state it leaves the service: which process waits, for what, with which counts.
impl Drop for Service {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- connections in the backlogs of the ports: {:?}", self.ports().map(proc::backlog));
            for slot in self.ledger.live() {
                let pid = slot.pid().unwrap_or_default() as i32;
                let Sums { listening, accepts, handoffs, connections, reading, writing, reused_connections, .. } =
                    slot.read();
                eprintln!(
                    "--- {:?} {}, {}: listening {listening}, accepts {accepts}, handoffs {handoffs}, connections \
                     {connections}, reading {reading}, writing {writing}, reused {reused_connections}",
                    slot.role(),
                    slot.number(),
                    proc::what_it_waits_for(pid),
                );
            }
        }
    }
}

/// A client of `stream`.
pub struct Wire(TcpStream);

impl Wire {
    #[track_caller]
    pub fn connect(addr: SocketAddr) -> Wire {
        Wire::try_connect(addr).expect("connect")
    }

    pub fn try_connect(addr: SocketAddr) -> std::io::Result<Wire> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Wire(stream))
    }

    /// Sends `text` to `echo_upper` and returns what comes back, as long as `text`.
    pub fn echo(&mut self, text: &str) -> std::io::Result<String> {
        self.0.write_all(text.as_bytes())?;
        self.read(text.len())
    }

    /// Calls `ping` of `json_rpc` as many times as there are parameters, all at once, and returns the answers.
    pub fn ping(&mut self, params: &[u32]) -> std::io::Result<Vec<String>> {
        let mut frames = Vec::new();
        for number in params {
            let call = format!(r#"{{"in":"ping","params":{number}}}"#);
            frames.extend((call.len() as u32).to_le_bytes());
            frames.extend(call.as_bytes());
        }
        self.0.write_all(&frames)?;
        params.iter().map(|_| self.frame()).collect()
    }

    /// Whether the server ends the connection, without having sent anything more.
    pub fn is_closed_by_server(&mut self) -> bool {
        let ended = self.0.read(&mut [0]);
        ended.as_ref().is_ok_and(|n| *n == 0) || ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
    }

    fn frame(&mut self) -> std::io::Result<String> {
        let mut prefix = [0; 4];
        self.0.read_exact(&mut prefix)?;
        self.read(u32::from_le_bytes(prefix) as usize)
    }

    fn read(&mut self, length: usize) -> std::io::Result<String> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Waits until `pid` has ended.
#[track_caller]
pub fn wait_for_death(pid: i32) {
    until(&format!("the death of {pid}"), || (!proc::is_alive(pid)).then_some(()));
}
