//! A server of a soak: what happens to it, and what has to be so afterwards.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use drover::dispatch::ModelKind;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clients;
use crate::confs::{CONFS, Variant};
use crate::content::Content;
use crate::report::{Report, Row};
use crate::samples::{Sample, dispatchers};
use crate::support::client::Client;
use crate::support::excuses::Excuses;
use crate::support::load::{Load, Orders};
use crate::support::server::{Product, Setup};
use crate::support::site::{Holdings, Site};
use crate::support::tls::Wish;
use crate::support::{PATIENCE, proc, until, until_true};

/// Between two samples.
const SAMPLED_EVERY: Duration = Duration::from_secs(1);
/// Between two events of a restless server, at least and at most, ms.
const EVENTS_EVERY: std::ops::Range<u64> = 2_000..6_000;
/// A calm server's logs are rotated so often, which is all that happens to it.
const ROTATED_EVERY: Duration = Duration::from_secs(30);
/// An upgrade's new master has no memory of what the old one leaked: it comes seldom.
const UPGRADED_EVERY: Duration = Duration::from_secs(600);
/// A process is stopped for as long.
const STOPPED_FOR: Duration = Duration::from_millis(120);

/// Alarms that events explain; the last one, which is nginx's, a file that is rewritten while it is sent.
const SAID: [&str; 4] =
    ["exited on signal 9", "died at once", "has died, no more", "/live/rewritten\" was truncated at"];

/// The plan of a server.
pub struct Plan {
    pub name: String,
    pub seed: u64,
    pub lasts: Duration,
    pub pace: Duration,
    pub is_restless: bool,
}

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Reload,
    Kill,
    KillInReload,
    Stop,
    Rotate,
    Upgrade,
}

/// The events of a restless server but for upgrades; a reload is four times as frequent as each of the others.
const EVENTS: [Event; 8] = [
    Event::Reload,
    Event::Reload,
    Event::Reload,
    Event::Reload,
    Event::Kill,
    Event::KillInReload,
    Event::Stop,
    Event::Rotate,
];

struct Run<'a> {
    plan: &'a Plan,
    kind: &'static ModelKind,
    content: &'a Content,
    site: Site,
    load: Load,
    excuses: Excuses,
    random: fastrand::Rng,
    variant: Variant,
    dispatchers: usize,
    /// How many masters there have been before this one.
    life: usize,
    /// How much of the error log has been read.
    read: u64,
    report: Report,
}

/// Runs a server to the end of its plan. Panics at the first harm.
pub fn run(content: &Content, kind: &'static ModelKind, plan: &Plan) {
    let orders = Orders { wish: Wish::new(&content.authority), large: content.large.clone(), pace: plan.pace };
    let load = Load::start(orders, clients::all(content));
    let variant = Variant::of(0);
    let setup = Setup::new(Product::Drover, variant.conf(content, kind)).dir_for_logs("logs");
    let site = Site::of(setup.start());
    let baseline = site.holdings();
    let mut run = Run {
        plan,
        kind,
        content,
        dispatchers: dispatchers(&site),
        site,
        load,
        excuses: Excuses::default(),
        random: fastrand::Rng::with_seed(plan.seed),
        variant,
        life: 0,
        read: 0,
        report: Report::new(&plan.name),
    };
    run.load.go_on(run.site.server.port());
    if let Err(harm) = run.soak().and_then(|()| run.end(&baseline)) {
        panic!("{harm}\nafter {:?}\n{}", run.report.last_event, run.report.table());
    }
    println!("{}{}", run.report.table(), run.kinds());
    run.report.assert_flat(plan);
}

impl Run<'_> {
    fn soak(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        let upgrades = UPGRADED_EVERY.min(self.plan.lasts / 2);
        let rows = (self.plan.lasts / 24).max(Duration::from_secs(5));
        let (mut next_event, mut next_upgrade, mut next_row) = (begun + self.pause(), begun + upgrades, begun + rows);
        while begun.elapsed() < self.plan.lasts {
            sleep(SAMPLED_EVERY);
            self.report.samples.push(Sample::of(&self.site, begun.elapsed().as_secs_f64(), self.life));
            let now = Instant::now();
            if now >= next_event {
                let is_time = self.plan.is_restless && now >= next_upgrade;
                let event = match self.plan.is_restless {
                    true if is_time => Event::Upgrade,
                    true => EVENTS[self.random.usize(..EVENTS.len())],
                    false => Event::Rotate,
                };
                if is_time {
                    next_upgrade = now + upgrades;
                }
                self.report.count(event);
                self.happen(event)?;
                next_event = Instant::now() + self.pause();
            }
            self.judge()?;
            if now >= next_row {
                next_row = now + rows;
                let (answered, times) = (self.load.answered(), self.load.take_times());
                let row = Row::new(begun.elapsed(), answered, times, self.report.samples.last());
                println!("{}", self.report.add(row));
            }
        }
        Ok(())
    }

    fn pause(&mut self) -> Duration {
        match self.plan.is_restless {
            true => Duration::from_millis(self.random.u64(EVENTS_EVERY)),
            false => ROTATED_EVERY,
        }
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Reload => self.reload(self.variant.number + 1)?,
            Event::Kill => self.kill_one(),
            Event::KillInReload => {
                self.change_conf(self.variant.number + 1);
                self.site.signal(Signal::SIGHUP);
                sleep(Duration::from_micros(self.random.u64(..20_000)));
                self.kill_one();
            }
            Event::Stop => {
                let victim = self.any_child();
                let _ = kill(Pid::from_raw(victim), Signal::SIGSTOP);
                sleep(STOPPED_FOR);
                let _ = kill(Pid::from_raw(victim), Signal::SIGCONT);
            }
            Event::Rotate => self.rotate()?,
            Event::Upgrade => self.upgrade(),
        }
        self.site.settle()?;
        self.check_conf()?;
        self.load.wait_for_more();
        Ok(())
    }

    /// Writes the conf of this number for the next reload.
    fn change_conf(&mut self, number: u64) {
        self.variant = Variant::of(number);
        self.site.server.rewrite_conf(self.variant.conf(self.content, self.kind));
        self.site.seats = self.dispatchers + self.variant.workers;
    }

    fn reload(&mut self, number: u64) -> Result<(), String> {
        self.change_conf(number);
        let generation = |site: &Site| {
            site.ledger().map(|ledger| ledger.header().generation.load(std::sync::atomic::Ordering::Relaxed))
        };
        let before = generation(&self.site);
        self.site.signal(Signal::SIGHUP);
        until_true("the next generation", || generation(&self.site) != before);
        self.site.settle()
    }

    fn any_child(&mut self) -> i32 {
        let children = until("a child", || Some(proc::children(self.site.master)).filter(|all| !all.is_empty()));
        children[self.random.usize(..children.len())]
    }

    fn kill_one(&mut self) {
        let victim = self.any_child();
        self.excuses.kill(victim, self.site.server.port());
    }

    /// Renames the logs and lets the server open new ones, as logrotate does.
    fn rotate(&mut self) -> Result<(), String> {
        let dir = self.site.server.dir().to_owned();
        let logs = ["error.log", "logs/access.log"].map(|name| dir.join(name));
        for log in &logs {
            fs::rename(log, log.with_extension("old")).map_err(|error| format!("{}: {error}", log.display()))?;
        }
        self.site.signal(Signal::SIGUSR1);
        until_true("the new logs", || logs.iter().all(|log| log.exists()));
        self.read_log("error.old")?;
        self.read = 0;
        for log in &logs {
            fs::remove_file(log.with_extension("old")).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn upgrade(&mut self) {
        let old = self.site.master;
        self.site.signal(Signal::SIGUSR2);
        let new = until("the new master with its children", || {
            self.site.pid_in_file().filter(|new| *new != old && self.site.is_complete(*new))
        });
        let _ = kill(Pid::from_raw(old), Signal::SIGQUIT);
        until_true("the end of the old master", || !self.site.alive().iter().any(|p| p.pid == old));
        self.site.master = new;
        self.life += 1;
    }

    /// The conf of the moment is in force, in all that distinguishes it.
    fn check_conf(&mut self) -> Result<(), String> {
        let variant = self.variant;
        let text = |target: &str| self.ask(target).map(|response| response.text());
        let number = text("/conf")?;
        if number != variant.number.to_string() {
            return Err(format!("conf {number} is in force, not {}", variant.number));
        }
        let root = text("/which")?;
        if root != variant.root {
            return Err(format!("root {root} is in force, not {}", variant.root));
        }
        let is_gzipped = self.ask("/page.html")?.header("Content-Encoding") == Some("gzip");
        if is_gzipped != variant.has_gzip {
            return Err(format!("gzip is {is_gzipped}, not {}", variant.has_gzip));
        }
        let port = self.site.server.ports()[1];
        let has_neighbour = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        if has_neighbour != variant.has_neighbour {
            return Err(format!("a server on the second port: {has_neighbour}, not {}", variant.has_neighbour));
        }
        self.check_certificate()
    }

    fn ask(&self, target: &str) -> Result<crate::support::client::Response, String> {
        let mut wire = Client::try_connect(self.site.server.addr()).map_err(|error| format!("{target}: {error}"))?;
        self.load.count_opened();
        wire.send(format!(
            "GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
        ));
        wire.response().map_err(|nothing| format!("{target}: {nothing:?}"))
    }

    fn check_certificate(&self) -> Result<(), String> {
        use rustls::pki_types::{CertificateDer, pem::PemObject};
        let addr = (Ipv4Addr::new(127, 0, 0, 2), self.site.server.port()).into();
        let wish = Wish::new(&self.content.authority).without_resumption();
        let wire = Client::try_connect_tls(addr, &wish).map_err(|error| format!("a handshake: {error}"))?;
        let expected = &self.content.pairs[(self.variant.root == "b") as usize].certificate;
        let expected = CertificateDer::from_pem_slice(expected.as_bytes()).expect("PEM");
        match wire.tls().peer_certificates() {
            Some([first, ..]) if *first == expected => Ok(()),
            _ => Err(format!("not the certificate of {}", self.variant.root)),
        }
    }

    /// No loss is without an excuse, and the log has no alarm that an event does not explain.
    fn judge(&mut self) -> Result<(), String> {
        let lost = self.load.take_lost();
        let mut harm = String::new();
        for lost in &lost {
            if self.excuses.covers(lost) {
                self.report.excused += 1;
            } else {
                self.report.lost += 1;
                let _ = writeln!(harm, "lost without an excuse: {lost}");
            }
        }
        if !harm.is_empty() {
            return Err(harm);
        }
        if self.site.server.stderr().contains("panicked") {
            return Err(format!("a process has panicked:\n{}", self.site.server.stderr()));
        }
        self.read_log("error.log")
    }

    fn read_log(&mut self, name: &str) -> Result<(), String> {
        let mut news = String::new();
        let mut log = fs::File::open(self.site.server.dir().join(name)).map_err(|error| error.to_string())?;
        log.seek(SeekFrom::Start(self.read)).map_err(|error| error.to_string())?;
        self.read += log.read_to_string(&mut news).map_err(|error| error.to_string())? as u64;
        let is_alarm = |line: &&str| ["[alert]", "[crit]", "[emerg]"].iter().any(|level| line.contains(level));
        let is_said = |line: &&str| SAID.iter().any(|text| line.contains(text));
        match news.lines().filter(is_alarm).find(|line| !is_said(line)) {
            Some(line) => Err(format!("an alarm in the log: {line}")),
            None => Ok(()),
        }
    }

    /// At rest, with the conf of the start: all is as it was at the start.
    fn end(&mut self, baseline: &Holdings) -> Result<(), String> {
        if self.plan.is_restless {
            self.reload(CONFS)?;
        }
        self.load.wait_for_more();
        self.load.pause();
        self.judge()?;
        until_true("nobody is connected", || {
            let sums = self.site.sums();
            (sums.connections, sums.reading, sums.writing) == (0, 0, 0)
        });
        let holdings = self.site.holdings();
        if holdings != *baseline {
            return Err(format!("at the start {baseline:?}, now {holdings:?}:\n{}", self.site.listing()));
        }
        self.site.signal(Signal::SIGQUIT);
        let deadline = Instant::now() + PATIENCE;
        while !self.site.alive().is_empty() {
            if Instant::now() > deadline {
                return Err(format!("the server does not end: {:?}", self.site.alive()));
            }
            sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn kinds(&self) -> String {
        let each = self.load.answered_by_kind().into_iter().map(|(name, count)| format!("{name} {count}"));
        format!("{}: answered: {}\n", self.plan.name, each.collect::<Vec<_>>().join(", "))
    }
}
