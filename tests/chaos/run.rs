//! Carries out the strikes on a server with one model, under load, and judges what they have done.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use drover::dispatch::ModelKind;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::content::{Content, PANICS};
use crate::plan::{Fault, Moment, Strike};
use crate::support::client::Client;
use crate::support::excuses::Excuses;
use crate::support::load::{Kind, Load, Loss, Lost, Orders};
use crate::support::site::{Holdings, Site};
use crate::support::tls::Wish;
use crate::support::{proc, until_true};

/// Between the requests of a client.
const PACE: Duration = Duration::from_millis(2);
/// Strikes between two looks at the server at rest.
const UNTIL_REST: u64 = 8;
/// The time that a process is stopped, or has too little of something.
const LASTS: Duration = Duration::from_millis(120);
/// Alarms that follow from strikes, some of them a while after.
const EXPECTED: [&str; 9] = [
    "exited on signal",
    "died at once",
    "has died, no more",
    "upgrade is under way",
    "No space left on device",
    "Too many open files",
    "Cannot allocate memory",
    "an attempt in a child failed (the child died)",
    "a test's fault in",
];
/// How long a moment may take to come that depends on chance.
const CHANCE: Duration = Duration::from_millis(300);

/// A server under strikes.
pub struct Run<'a> {
    pub site: Site,
    kind: &'static ModelKind,
    content: &'a Content,
    load: Load,
    /// The losses that the strike excuses.
    pub excuses: Excuses,
    /// At the start, without clients.
    baseline: Holdings,
    /// Accepts of the ledger and connections of the clients, when both were compared the last time; `None`: a victim
    /// has died since, with what it had counted.
    pub compared: Option<(u64, u64)>,
    /// How much of the error log has been read.
    read: usize,
}

/// The strikes of these numbers. Panics at the first that leaves harm; the message names it.
pub fn run(content: &Content, kind: &'static ModelKind, seed: u64, strikes: &[u64]) {
    let strikes: Vec<Strike> = strikes.iter().map(|number| Strike::of(seed, kind.name, *number)).collect();
    let plan: String = strikes.iter().map(|strike| format!("{}: {strike}\n", kind.name)).collect();
    println!("{plan}");
    let orders = Orders { wish: Wish::new(&content.authority), large: content.large.clone(), pace: PACE };
    let load = Load::start(orders, Kind::common());
    let site = Site::of(content.setup(kind).start());
    let baseline = site.holdings();
    let mut run =
        Run { site, kind, content, load, excuses: Excuses::default(), baseline, compared: Some((0, 0)), read: 0 };
    run.load.go_on(run.site.server.port());
    run.load.wait_for_more();
    for (index, strike) in strikes.iter().enumerate() {
        let begun = Instant::now();
        let result = run.strike(strike).and_then(|()| run.judge(strike));
        let is_time = (index as u64 + 1).is_multiple_of(UNTIL_REST) || index + 1 == strikes.len();
        let result = result.and_then(|()| if is_time { run.rest() } else { Ok(()) });
        if let Err(harm) = result {
            panic!(
                "{harm}\nafter {strike}; again: CHAOS_SEED={seed} CHAOS_MODEL={} tools/chaos, strike {} alone: \
                 CHAOS_STRIKE={}",
                kind.name, strike.number, strike.number
            );
        }
        println!("{}: {strike}: well after {} ms", kind.name, begun.elapsed().as_millis());
    }
    println!("{}: {} strikes, {} requests answered", kind.name, strikes.len(), run.load.answered());
    run.end();
}

impl Run<'_> {
    fn strike(&mut self, strike: &Strike) -> Result<(), String> {
        let mut probe = None;
        if strike.fault == Fault::KillMaster && strike.moment != Moment::Upgrade {
            return self.kill_master(strike);
        }
        match strike.moment {
            Moment::Start => return self.at_start(strike),
            Moment::Upgrade => return self.at_upgrade(strike),
            Moment::Load | Moment::Mutex | Moment::Watch => {}
            Moment::Reload => self.site.signal(Signal::SIGHUP),
            Moment::Drain => {
                probe = self.probe("127.0.0.1", b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n", 1000);
                self.site.signal(Signal::SIGHUP);
            }
            Moment::Response => {
                probe = self.probe("127.0.0.1", b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n", 1000);
            }
            Moment::Handshake => probe = self.probe("127.0.0.2", b"\x16\x03\x01\x02", 0),
        }
        sleep(strike.delay);
        if let Some(victim) = self.victim(strike, probe.as_ref()) {
            self.hit(strike, victim);
        }
        drop(probe);
        self.site.settle()
    }

    /// A connection in the middle of something.
    fn probe(&self, host: &str, bytes: &[u8], answer: usize) -> Option<TcpStream> {
        let mut stream = TcpStream::connect((host, self.site.server.port())).ok()?;
        self.load.count_opened();
        stream.write_all(bytes).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        stream.read_exact(&mut vec![0; answer]).ok()?;
        Some(stream)
    }

    /// The process that the strike is for.
    fn victim(&mut self, strike: &Strike, probe: Option<&TcpStream>) -> Option<i32> {
        let deadline = Instant::now() + CHANCE;
        let port = self.site.server.port();
        let client = probe.and_then(|probe| probe.local_addr().ok()).map(|addr| addr.port());
        while Instant::now() < deadline {
            let ledger = self.site.ledger()?;
            let generation = ledger.header().generation.load(std::sync::atomic::Ordering::Relaxed);
            let all: Vec<i32> = self.site.alive().into_iter().map(|p| p.pid).collect();
            let found = match strike.moment {
                Moment::Mutex => ledger.mutex_of(generation).holder().map(|pid| pid as i32),
                Moment::Watch => ledger.watch_of(generation).holder().map(|pid| pid as i32),
                Moment::Response | Moment::Handshake => client.and_then(|client| proc::holder(&all, port, client)),
                Moment::Drain => ledger.live().find(|slot| slot.generation() < generation)?.pid().map(|pid| pid as i32),
                _ => None,
            };
            let takes_any = !matches!(strike.moment, Moment::Response | Moment::Handshake);
            if found.is_some_and(|pid| pid != self.site.master) {
                return found;
            }
            if takes_any && (strike.moment != Moment::Mutex && strike.moment != Moment::Watch) {
                break;
            }
            sleep(Duration::from_micros(200));
        }
        self.any_child(strike)
    }

    fn any_child(&mut self, strike: &Strike) -> Option<i32> {
        let all: Vec<i32> = self.site.alive().into_iter().map(|p| p.pid).filter(|p| *p != self.site.master).collect();
        (!all.is_empty()).then(|| all[strike.pick % all.len()])
    }

    /// Kills a process, and notes whose connections die with it.
    pub fn kill(&mut self, victim: i32) {
        self.compared = None;
        self.excuses.kill(victim, self.site.server.port());
    }

    /// The fault hits a process.
    pub fn hit(&mut self, strike: &Strike, victim: i32) {
        let signal = |signal: Signal| _ = kill(Pid::from_raw(victim), signal);
        match strike.fault {
            Fault::Kill => self.kill(victim),
            Fault::Stop => {
                signal(Signal::SIGSTOP);
                sleep(LASTS);
                signal(Signal::SIGCONT);
            }
            Fault::Terminate => {
                self.excuses.begin(&[Loss::Closed]);
                self.compared = None;
                signal(Signal::SIGTERM);
                // A process that waits for a CPU ends late, with the clients that it has then.
                until_true("the end of a process", || !proc::is_alive(victim));
            }
            Fault::Quit => {
                self.compared = None;
                signal(Signal::SIGQUIT);
            }
            Fault::KillAndReload => {
                if strike.pick.is_multiple_of(2) {
                    self.kill(victim);
                    self.site.signal(Signal::SIGHUP);
                } else {
                    self.site.signal(Signal::SIGHUP);
                    self.kill(victim);
                }
            }
            Fault::TwoReloads => {
                self.site.signal(Signal::SIGHUP);
                sleep(strike.delay / 2);
                self.site.signal(Signal::SIGHUP);
            }
            Fault::FewDescriptors => {
                self.excuses.begin(&[Loss::Closed, Loss::Unable]);
                let count = proc::descriptor_count(victim) + strike.pick % 3;
                proc::soft_limit(victim, "nofile", &count.to_string());
                sleep(LASTS);
                proc::soft_limit(victim, "nofile", "1024");
            }
            Fault::LittleMemory => {
                self.excuses.begin(&[Loss::Closed, Loss::Unable]);
                self.compared = None;
                let status = fs::read_to_string(format!("/proc/{victim}/status")).unwrap_or_default();
                let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
                let kib: usize = size.and_then(|size| size.trim().split(' ').next()?.parse().ok()).unwrap_or(1 << 20);
                proc::soft_limit(victim, "as", &((kib + strike.pick) << 10).to_string());
                sleep(LASTS);
                proc::soft_limit(victim, "as", "unlimited");
            }
            Fault::NoFork => self.without_forks(victim),
            Fault::FullDisk => {
                let path = self.site.server.inside("logs/filler");
                let written = fs::write(&path, vec![0; 2 << 20]);
                assert!(written.is_err(), "the disk of the logs is larger than it should be");
                sleep(LASTS);
                let _ = fs::remove_file(&path);
                let _ = fs::File::create(self.site.server.inside("logs/access.log"));
            }
            Fault::Panic => self.panic_in(PANICS[strike.pick % PANICS.len()]),
            Fault::KillMaster => unreachable!("has a way of its own"),
        }
    }

    /// A request panics, which costs its own client the connection, and nobody else anything.
    fn panic_in(&mut self, place: &str) {
        // A server that starts may not listen yet.
        let Ok(mut client) = Client::try_connect(self.site.server.addr()) else { return };
        self.load.count_opened();
        client.send(format!("GET /panic-in-{place}/file HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        let answer = client.until_closed().expect("the end of a connection whose request has panicked");
        let expected = if ["phases", "queueing"].contains(&place) { "HTTP/1.1 500" } else { "HTTP/1.1 200" };
        let begin = String::from_utf8_lossy(&answer[..answer.len().min(100)]);
        assert!(begin.starts_with(expected), "after a panic in {place}: {begin:?}");
    }

    /// The master and the victim can't fork for a while, and the victim is killed.
    fn without_forks(&mut self, victim: i32) {
        let Some(group) = PidsGroup::make(&format!("drover-chaos-{}", self.site.master)) else {
            println!("{}: no cgroup of the pids controller can be made here: killed without it", self.kind.name);
            return self.kill(victim);
        };
        self.excuses.begin(&[Loss::Closed, Loss::Unable]);
        group.take_in(self.site.master);
        for slot in self.site.ledger().iter().flat_map(|ledger| ledger.live().collect::<Vec<_>>()) {
            if slot.role() == drover::shm::Role::Dispatcher {
                slot.pid().iter().for_each(|pid| group.take_in(*pid as i32));
            }
        }
        self.kill(victim);
        sleep(LASTS);
        group.end();
    }

    /// The master is killed: the service ends, and is started again.
    fn kill_master(&mut self, strike: &Strike) -> Result<(), String> {
        sleep(strike.delay);
        self.excuses.begin(&[Loss::Closed, Loss::Refused]);
        let _ = kill(Pid::from_raw(self.site.master), Signal::SIGKILL);
        self.site.wait_until_gone();
        self.restart();
        Ok(())
    }

    /// Ends the server, and strikes at the next one while it starts.
    fn at_start(&mut self, strike: &Strike) -> Result<(), String> {
        self.rest()?;
        self.load.pause();
        self.quit()?;
        let server = self.content.setup(self.kind).spawn();
        self.read = 0;
        self.site = Site { master: server.pid(), seats: self.site.seats, server };
        sleep(strike.delay);
        // Before the server has made itself known it is unshare(1), and then mount(8).
        until_true("the master", || !self.site.masters().is_empty() || self.site.server.poll_exit().is_some());
        match self.any_child(strike) {
            Some(victim) => self.hit(strike, victim),
            None if strike.fault == Fault::Kill => {
                self.kill(self.site.master);
                until_true("the death of the master", || !proc::is_alive(self.site.master));
            }
            None => {}
        }
        if self.site.server.poll_exit().is_some() || !proc::is_alive(self.site.master) {
            self.site.wait_until_gone();
            self.restart();
            return Ok(());
        }
        let result = self.site.settle();
        self.compared = None;
        self.load.go_on(self.site.server.port());
        result
    }

    /// Starts another server.
    pub fn restart(&mut self) {
        self.load.pause();
        self.site = Site::of(self.content.setup(self.kind).start());
        (self.read, self.compared) = (0, Some((0, self.load.opened())));
        self.load.go_on(self.site.server.port());
    }

    /// All clients are served, and no loss is without an excuse; the log has no alarm that the strike does not
    /// explain.
    fn judge(&mut self, strike: &Strike) -> Result<(), String> {
        self.load.wait_for_more();
        let lost = self.load.take_lost();
        let excuses = std::mem::take(&mut self.excuses);
        let news = self.read_log(strike)?;
        // Connections in the channel of a victim of an old generation, which has no successor.
        let admitted = |line: &str| {
            let (count, _) = line.split_once(" accepted connections were closed, no worker is left")?;
            count.rsplit(' ').next()?.parse::<usize>().ok()
        };
        let admitted = news.lines().filter_map(admitted).sum();
        let (closed, other): (Vec<&Lost>, Vec<&Lost>) =
            lost.iter().filter(|lost| !excuses.covers(lost)).partition(|lost| lost.loss == Loss::Closed);
        match other.into_iter().chain(closed.into_iter().skip(admitted)).next() {
            Some(lost) => Err(format!("lost without an excuse: {lost}")),
            None => Ok(()),
        }
    }

    /// The lines of the log since the last call. Error: one is an alarm.
    fn read_log(&mut self, strike: &Strike) -> Result<String, String> {
        if self.site.server.stderr().contains("panicked") {
            return Err(format!("a process has panicked:\n{}", self.site.server.stderr()));
        }
        let log = self.site.server.error_log();
        let news = log.get(self.read..).unwrap_or_default().to_owned();
        self.read = log.len();
        let is_shortage =
            matches!(strike.fault, Fault::FewDescriptors | Fault::LittleMemory | Fault::NoFork | Fault::FullDisk);
        let is_said = |line: &&str| EXPECTED.iter().any(|text| line.contains(text));
        let is_alarm = |line: &&str| ["[alert]", "[crit]", "[emerg]"].iter().any(|level| line.contains(level));
        match news.lines().filter(is_alarm).find(|line| !is_said(line)) {
            Some(line) if !is_shortage => Err(format!("an alarm in the log: {line}")),
            _ => Ok(news),
        }
    }

    /// Without clients: nothing is open, nothing has leaked, and the sums are right.
    fn rest(&mut self) -> Result<(), String> {
        self.load.pause();
        until_true("nobody is connected", || {
            let sums = self.site.sums();
            (sums.connections, sums.reading, sums.writing) == (0, 0, 0)
        });
        self.site.settle()?;
        let sums = self.site.sums();
        if let Some((accepts, opened)) = self.compared
            && sums.accepts - accepts != self.load.opened() - opened
        {
            let made = self.load.opened() - opened;
            return Err(format!("{} accepts for {made} connections", sums.accepts - accepts));
        }
        self.compared = Some((sums.accepts, self.load.opened()));
        let holdings = self.site.holdings();
        if holdings != self.baseline {
            let listing = self.site.listing();
            return Err(format!("at the start {:?}, now {holdings:?}:\n{listing}", self.baseline));
        }
        // The log's small file system is for one fault, and not to be full at other times.
        let _ = fs::File::create(self.site.server.inside("logs/access.log"));
        self.load.go_on(self.site.server.port());
        Ok(())
    }

    /// QUIT: the server ends, and leaves nobody behind.
    fn quit(&mut self) -> Result<(), String> {
        self.site.signal(Signal::SIGQUIT);
        self.site.wait_until_gone();
        let code = self.site.server.poll_exit().and_then(|status| status.code());
        if self.site.master == self.site.server.pid() && code != Some(0) {
            return Err(format!("the server has ended with {code:?}"));
        }
        Ok(())
    }

    fn end(mut self) {
        self.load.pause();
        if let Err(harm) = self.quit() {
            panic!("{harm}");
        }
    }
}

/// A cgroup whose processes can't fork.
struct PidsGroup {
    dir: PathBuf,
    parent: PathBuf,
}

impl PidsGroup {
    /// `None`: there is no pids controller here, or this process may not use it.
    fn make(name: &str) -> Option<PidsGroup> {
        let parents = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"].map(PathBuf::from);
        parents.into_iter().find_map(|parent| {
            let dir = parent.join(name);
            fs::create_dir(&dir).ok()?;
            match fs::write(dir.join("pids.max"), "0") {
                Ok(()) => Some(PidsGroup { dir, parent }),
                Err(_) => {
                    let _ = fs::remove_dir(&dir);
                    None
                }
            }
        })
    }

    fn take_in(&self, pid: i32) {
        let _ = fs::write(self.dir.join("cgroup.procs"), pid.to_string());
    }

    fn end(self) {
        let members = fs::read_to_string(self.dir.join("cgroup.procs")).unwrap_or_default();
        for pid in members.lines() {
            let _ = fs::write(self.parent.join("cgroup.procs"), pid);
        }
        let _ = fs::remove_dir(&self.dir);
    }
}
