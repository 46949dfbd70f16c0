//! `drover --agent ADDRESS`: a process beside the service that answers HAProxy's agent checks with a weight for its
//! machine (`answer.rs`), from what it reads in the service's page `ledger` once in a second (`reading.rs`).
//!
//! The agent needs no right but to read the conf and the pid file, and to connect to the page.

mod answer;
mod place;
mod reading;

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use place::Place;

use self::answer::Load;
use self::place::{PAUSE, Socket};
use self::reading::{History, Page};
use super::health::Probe;
use crate::conf::Conf;
use crate::dispatch::Choice;
use crate::http::views::place as pages;
use crate::master::{Loader, PidLocation};
use crate::os::Failure;
use crate::os::SocketFile;
use crate::os::signals::Signals;

/// Between two readings of the page.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long the page may take. HAProxy's checks usually have as long.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A reading this old says nothing any more.
const OLD: Duration = Duration::from_secs(4);

/// The service by its conf.
struct Service {
    page: Probe,
    pid: PidLocation,
    conf: Conf,
    choice: Choice,
    /// The generation that it is the conf of, as far as is known.
    generation: Option<u32>,
}

/// The latest news of the service.
struct Known {
    load: Result<Load, String>,
    at: Instant,
    pid: PidLocation,
}

/// Runs the agent until a signal ends it. Returns the reason why it can't.
pub(super) fn run(loader: Loader, place: &Place) -> String {
    let mut service = match Service::read(&loader) {
        Ok(service) => service,
        Err(message) => return message,
    };
    // Before there is a file to remove, and before there are threads, which take over what is blocked.
    let signals = match Signals::of_the_end() {
        Ok(signals) => signals,
        Err(error) => return Failure::new("signalfd()", error).to_string(),
    };
    let socket = match Socket::open(place) {
        Ok(socket) => socket,
        Err(error) => return format!("--agent {place}: {error}"),
    };
    let file = socket.file();
    std::thread::spawn(move || end(&signals, file));
    let mut history = History::default();
    let known = Known { load: service.ask(&mut history), at: Instant::now(), pid: service.pid.clone() };
    let conf = loader.source.path().map(std::path::Path::to_owned);
    tell(&format!("agent on {place}; {}", shown(&known.load)));
    let known = Arc::new(Mutex::new(known));
    let shared = known.clone();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(INTERVAL);
            keep_up(&loader, &mut service, &mut history, &shared);
        }
    });
    loop {
        let say = || {
            let known = lock(&known);
            let is_old = known.at.elapsed() > OLD;
            let silent = Err("no news of the page".to_owned());
            answer::line(&known.pid.life(conf.as_deref()), if is_old { &silent } else { &known.load })
        };
        // A balancer that has gone is no failure; without descriptors, the next try waits.
        if socket.answer_next(say).is_err() {
            std::thread::sleep(PAUSE);
        }
    }
}

/// Waits for a signal, and ends the process: the file of its socket goes with it.
fn end(signals: &Signals, file: Option<SocketFile>) -> ! {
    let waited = signals.wait(None).map_err(|error| Failure::new("poll()", error));
    let removed = file.map_or(Ok(()), |file| file.remove());
    match waited.map(drop).and(removed) {
        Ok(()) => std::process::exit(0),
        Err(failure) => {
            tell(&failure.to_string());
            std::process::exit(1)
        }
    }
}

/// Reads the page again, and the conf where another one is in service, or where it may name another address.
fn keep_up(loader: &Loader, service: &mut Service, history: &mut History, shared: &Mutex<Known>) {
    let mut load = service.ask(history);
    if load.is_err() || service.generation.is_none() {
        // A conf that has mistakes now is not in service.
        if let Ok(next) = Service::read(loader) {
            *service = next;
            load = service.ask(history);
        }
    }
    let mut known = lock(shared);
    if known.load.is_ok() != load.is_ok() {
        tell(&shown(&load));
    }
    *known = Known { load, at: Instant::now(), pid: service.pid.clone() };
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Service {
    /// Reads the conf. Error: it is wrong, or shows no ledger.
    fn read(loader: &Loader) -> Result<Service, String> {
        let read = loader.read().map_err(|error| error.to_string())?;
        let pid = read.pid_location(&loader.source);
        let Some(place) = pages::ledger(&read.conf) else {
            return Err(format!(
                "{}: no location shows the ledger, from which the agent takes the weight: a server with a \"listen\" \
                 without TLS needs \"location = /ledger {{ ledger; access_log off; }}\"",
                loader.source.name()
            ));
        };
        let choice = Choice::of(&read.conf).map_err(|error| read.conf.explain(error).to_string())?;
        Ok(Service { page: Probe::of_page(&place), pid, conf: read.conf, choice, generation: None })
    }

    /// The load now. Error: why it is not known.
    fn ask(&mut self, history: &mut History) -> Result<Load, String> {
        let page = Page::parse(&self.page.fetch(TIMEOUT)?)?;
        match self.generation {
            // After a reload the next reading takes the new conf.
            Some(known) if known != page.generation => self.generation = None,
            _ => self.generation = Some(page.generation),
        }
        let places = self.choice.connections(&self.conf, page.workers().max(1));
        Ok(history.add(&page, places))
    }
}

fn shown(load: &Result<Load, String>) -> String {
    match load {
        Ok(load) => format!("the service answers, its weight is {}%", answer::weight(load)),
        Err(why) => format!("the service does not answer: {why}"),
    }
}

/// Writes a line to standard error. A closed standard error is no failure.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "drover: {text}");
}
