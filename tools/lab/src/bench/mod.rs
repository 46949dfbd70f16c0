//! A measurement: start a server, warm it up, take a baseline, put a load on it, read the costs.

mod cpus;
mod handicap;
mod inject;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

pub(crate) use cpus::{Cpus, Place};
pub(crate) use inject::{Fault, Victim};

use self::handicap::Handicap;
use crate::args::Common;
use crate::load::{self, Load, Mark, Plan, Target};
use crate::measure::{AcceptQueue, Baseline, LoadFacts, MachineTime};
use crate::process::{self, memory_kib, tree};
use crate::results::Measurement;
use crate::server::{Server, ServerSpec, Side, daemon_argument, write_site};

/// `worker_connections`: plenty for every load but the storm, which needs too few.
const WORKER_CONNECTIONS: u32 = 8192;
const WARM_UP: Duration = Duration::from_millis(40);
/// A request without an answer after this is lost.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The surroundings of a command's measurements: CPUs, files to serve, the size of the servers.
pub(crate) struct Bench {
    pub cpus: Cpus,
    settings: load::Settings,
    /// The conf of `--conf`.
    template: Option<String>,
    dir: TempDir,
}

impl Bench {
    /// Chooses CPUs and writes the site. `conf` is the file of `--conf`.
    pub(crate) fn new(common: &Common, settings: load::Settings, conf: Option<&Path>) -> Result<Bench> {
        Bench::at(Cpus::choose(common, settings.workers)?, settings, conf)
    }

    /// The same on CPUs that are chosen already.
    pub(crate) fn at(mut cpus: Cpus, settings: load::Settings, conf: Option<&Path>) -> Result<Bench> {
        for tool in ["ab", "wrk"] {
            if process::find(tool).is_none() {
                cpus.notes.push(format!("{tool} is not installed: the lab's own client takes its place"));
            }
        }
        let template = conf.map(read_template).transpose()?;
        let dir = tempfile::Builder::new().prefix("lab-").tempdir()?;
        write_site(&dir.path().join("site"))?;
        Ok(Bench { cpus, settings, template, dir })
    }

    /// Workers of each server.
    pub(crate) fn workers(&self) -> u32 {
        self.settings.workers
    }

    /// The path of the files that the servers serve.
    pub(crate) fn site(&self) -> String {
        self.dir.path().join("site").display().to_string()
    }

    /// How to start a server here; `worker_connections` are plenty by default.
    pub(crate) fn server_spec(&self, worker_connections: Option<u32>) -> ServerSpec {
        ServerSpec {
            workers: self.settings.workers,
            worker_connections: worker_connections.unwrap_or(WORKER_CONNECTIONS),
            cpus: self.cpus.server_pins().to_vec(),
            site: self.dir.path().join("site"),
            template: self.template.clone(),
        }
    }

    /// Measures `side` under `load`. Errors: the server does not start, or dies; the client fails; Ctrl-C.
    pub(crate) fn measure(&self, side: &Side, load: &Load, seed: u64) -> Result<Measurement> {
        let side = &Side { counts_delays: load.counts_delays, ..side.clone() };
        let mut server = Server::start(side, &self.server_spec(load.worker_connections), self.dir.path())?;
        warm_up(&server)?;
        let handicap = Handicap::take(side.handicap, server.pid(), self.cpus.server_pins());
        let memory = memory_kib(&tree(server.pid()));
        let mut begin: Option<(Result<AcceptQueue>, Duration, MachineTime, Baseline)> = None;
        let mut end = None;
        let client_cpus = self.cpus.client_pins().to_vec();
        let (usable, threads) = (process::usable_cpus(), self.cpus.client_threads());
        let target = Target {
            server: server.address,
            dir: self.dir.path(),
            seed,
            cpus: &client_cpus,
            threads,
            timeout: TIMEOUT,
        };
        let (pid, ledger, port) = (server.pid(), server.ledger.clone(), server.address.port());
        let mut mark = |mark: Mark| match (mark, &begin) {
            (Mark::End, Some((.., baseline))) => end = Some((MachineTime::read(&usable), baseline.cpu())),
            _ => {
                let queue = AcceptQueue::watch(port, client_cpus.clone());
                let (taken, baseline) = (handicap.taken(), Baseline::take(pid, ledger.clone()));
                begin = Some((queue, taken, MachineTime::read(&usable), baseline));
            }
        };
        let client = (load.run)(&self.settings, &target, &mut mark);
        let begin = begin.map(|(queue, taken, at, baseline)| (queue.map(AcceptQueue::end), taken, at, baseline));
        server.check()?;
        let client = client?;
        let (queue, taken, at, baseline) = begin.context("the load never began")?;
        match baseline.deaths() {
            0 => {}
            n => bail!("{n} processes of the server died while it was measured"),
        }
        let others = end.map(|(end, cpu)| {
            // The lab's own client is a thread of the lab, whose time is read with the clocks.
            let tool = if client.tool == "lab" { 0.0 } else { client.cpu_share * client.seconds };
            at.others(&end, usable.len(), cpu + Duration::from_secs_f64(tool.max(0.0)))
        });
        let server = baseline.figures(&LoadFacts {
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
            others,
            ..Measurement::default()
        })
    }

    /// The directory in which servers and tools may write.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Opens `count` connections that stay. Returns Jain's index of their spread over the workers, and wakeups per
    /// accept.
    pub(crate) fn spread(&self, side: &Side, count: usize) -> Result<(f64, f64)> {
        let server = Server::start(side, &self.server_spec(None), self.dir.path())?;
        let baseline = Baseline::take(server.pid(), server.ledger.clone());
        let plan = Plan::trickle(count, 1.0, Duration::from_millis(1), 0);
        let client = load::Client::new(&plan, server.address, TIMEOUT)?;
        let figures = baseline.figures(&LoadFacts { answered: count as u64, ..LoadFacts::default() });
        drop(client);
        Ok((figures.jain_connections.unwrap_or(0.0), figures.wakeups_per_accept.unwrap_or(f64::INFINITY)))
    }
}

/// Fills the server's caches and touches its pages before anything counts.
fn warm_up(server: &Server) -> Result<()> {
    for keep_alive in [false, true] {
        let plan = Plan::closed(8, keep_alive, WARM_UP / 2);
        load::Client::new(&plan, server.address, TIMEOUT)?.go()?;
    }
    Ok(())
}

/// Reads the file of `--conf`. Errors: it can't be read; it makes the server a daemon, which would escape the lab.
fn read_template(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("--conf {}", path.display()))?;
    match daemon_argument(&text) {
        Some(said) if said != "off" => {
            bail!("--conf {}: \"daemon {said}\": say \"daemon off;\", or nothing of it", path.display())
        }
        _ => Ok(text),
    }
}
