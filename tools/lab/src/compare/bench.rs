//! One measurement: a fresh server, a warm-up, two looks and a load between them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::cli::{Common, CompareArgs};
use crate::handicap::Handicap;
use crate::load::{self, Load, Plan, Target};
use crate::measure::{Before, ListenQueue, Seen, memory_kib, tree};
use crate::process;
use crate::results::Measurement;
use crate::server::{Server, Shape, Side, daemon, write_site};

/// Enough for every load but the storm, whose point is that they are too few.
pub const WORKER_CONNECTIONS: u32 = 8192;
const WARM_UP: Duration = Duration::from_millis(40);
const TIMEOUT: Duration = Duration::from_secs(5);

/// Which CPUs are whose.
#[derive(Clone, Debug, Default)]
pub struct Place {
    pub server: Vec<usize>,
    pub client: Vec<usize>,
    /// They get in each other's way: nothing that depends on the client means anything.
    pub shared: bool,
    pub notes: Vec<String>,
}

impl Place {
    /// As asked for, or servers, the greatest of them with so many `workers`, on all CPUs but the last, and clients there. Error:
    /// a CPU that this process may not use.
    pub fn choose(common: &Common, workers: u32) -> Result<Place> {
        let usable = process::usable_cpus();
        for cpu in common.cpus.iter().chain(&common.client_cpus) {
            if !usable.contains(cpu) {
                bail!("CPU {cpu} is not among those that can be used: {usable:?}");
            }
        }
        let (last, others) = usable.split_last().context("no CPU to use")?;
        let or = |asked: &[usize], default: &[usize]| if asked.is_empty() { default.to_vec() } else { asked.to_vec() };
        let mut place = Place {
            server: or(&common.cpus, if others.is_empty() { &usable } else { others }),
            client: or(&common.client_cpus, &[*last]),
            ..Place::default()
        };
        place.shared = place.server.iter().any(|cpu| place.client.contains(cpu));
        if place.shared {
            place.notes.push("server and client share a CPU: no verdict on rates and latencies".to_owned());
        }
        if workers as usize > place.server.len() {
            place.notes.push(format!(
                "{} workers on {} CPU{}: they take turns; with a CPU for each, waking several costs less of each one's time",
                workers,
                place.server.len(),
                if place.server.len() == 1 { "" } else { "s" }
            ));
        }
        Ok(place)
    }
}

/// The conf of a person's own. Error: it can't be read, or makes a daemon of the server, which the lab could not keep.
fn template(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("--conf {}", path.display()))?;
    match daemon(&text) {
        Some(said) if said != "off" => {
            bail!("--conf {}: \"daemon {said}\": say \"daemon off;\", or nothing of it", path.display())
        }
        _ => Ok(text),
    }
}

/// Everything that measurements have in common.
pub struct Bench {
    pub place: Place,
    settings: load::Settings,
    template: Option<String>,
    workers: u32,
    dir: TempDir,
}

impl Bench {
    pub fn new(args: &CompareArgs) -> Result<Bench> {
        let mut place = Place::choose(&args.common, args.workers)?;
        for tool in ["ab", "wrk"] {
            if process::find(tool).is_none() {
                place.notes.push(format!("{tool} is not installed: the lab's own client takes its place"));
            }
        }
        let template = args.conf.as_deref().map(template).transpose()?;
        let settings = load::Settings {
            length: Duration::from_secs_f64(args.seconds),
            clients: args.clients,
            rate: args.rate,
            burst: args.burst,
            idle: args.idle,
            surplus: args.surplus,
            workers: args.workers,
            client_cpus: place.client.clone(),
            timeout: TIMEOUT,
        };
        let dir = tempfile::Builder::new().prefix("lab-").tempdir()?;
        write_site(&dir.path().join("site"))?;
        Ok(Bench { place, settings, template, workers: args.workers, dir })
    }

    pub fn site(&self) -> String {
        self.dir.path().join("site").display().to_string()
    }

    pub fn shape(&self, worker_connections: Option<u32>) -> Shape {
        Shape {
            workers: self.workers,
            worker_connections: worker_connections.unwrap_or(WORKER_CONNECTIONS),
            cpus: self.place.server.clone(),
            site: self.dir.path().join("site"),
            template: self.template.clone(),
        }
    }

    /// Measures `side` under `load`. Errors: the server does not start, or dies; the client fails; Ctrl-C.
    pub fn measure(&self, side: &Side, load: &Load, seed: u64) -> Result<Measurement> {
        let side = &Side { counts_delays: load.counts_delays, ..side.clone() };
        let mut server = Server::start(side, &self.shape(load.worker_connections), self.dir.path())?;
        self.warm_up(&server)?;
        let handicap = Handicap::take(side.handicap, server.pid(), &self.place.server);
        let memory = memory_kib(&tree(server.pid()));
        let mut begin = None;
        let target = Target { server: server.address, dir: self.dir.path(), seed };
        let mut look = || {
            let queue = ListenQueue::watch(server.address.port(), self.place.client.clone());
            begin = Some((queue, handicap.taken(), Before::look(server.pid(), server.ledger.clone())));
        };
        let client = (load.run)(&self.settings, &target, &mut look);
        let begin = begin.map(|(queue, taken, before)| (queue.map(ListenQueue::end), taken, before));
        server.check()?;
        let client = client?;
        let (queue, taken, before) = begin.context("the load never began")?;
        match before.died() {
            0 => {}
            n => bail!("{n} processes of the server died while it was measured"),
        }
        let server = before.after(&Seen {
            answered: client.requests.saturating_sub(client.errors),
            connections: client.connections,
            queue: queue?,
            handicap: handicap.taken().saturating_sub(taken),
            idle: memory.filter(|_| client.idle > 0).map(|memory| (client.idle, memory)),
        });
        Ok(Measurement {
            load: load.name.to_owned(),
            side: side.name.clone(),
            client,
            server,
            ..Measurement::default()
        })
    }

    /// Where servers and tools may write.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Opens `count` connections that stay: Jain's index of where they are, and wakeups for each accept.
    pub fn spread(&self, side: &Side, count: usize) -> Result<(f64, f64)> {
        let server = Server::start(side, &self.shape(None), self.dir.path())?;
        let before = Before::look(server.pid(), server.ledger.clone());
        let plan = Plan::trickle(count, 1.0, Duration::from_millis(1), 0);
        let client = load::Client::new(&plan, server.address, TIMEOUT)?;
        let figures = before.after(&Seen { answered: count as u64, ..Seen::default() });
        drop(client);
        Ok((figures.jain_connections.unwrap_or(0.0), figures.wakeups_per_accept.unwrap_or(f64::INFINITY)))
    }

    /// Caches are filled and pages are touched before anything counts.
    fn warm_up(&self, server: &Server) -> Result<()> {
        for keep_alive in [false, true] {
            let plan = Plan::closed(8, keep_alive, WARM_UP / 2);
            load::Client::new(&plan, server.address, TIMEOUT)?.go()?;
        }
        Ok(())
    }
}
