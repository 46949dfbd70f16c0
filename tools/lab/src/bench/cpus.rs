//! Which CPUs the servers get, and which the clients.

use anyhow::{Context, Result, bail};

use crate::args::Common;
use crate::process;

/// With fewer CPUs than this the machine has none to spare for a client: it shares those of the servers.
const ENOUGH: usize = 4;

/// Where the CPUs of a measurement are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nothing is pinned: servers and clients share all CPUs, as when a person types `ab` or `wrk`.
    Shared,
    /// Servers and clients have CPUs of their own.
    #[default]
    Pinned,
}

impl Place {
    /// The name on the command line and in results.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Place::Shared => "shared",
            Place::Pinned => "pinned",
        }
    }
}

/// The CPUs of a measurement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cpus {
    pub place: Place,
    pub server: Vec<usize>,
    pub client: Vec<usize>,
    /// Servers and clients have a CPU in common: requests/s are a figure of both together, and latencies mean nothing.
    pub shared: bool,
    /// Remarks for the person, and for the reports.
    pub notes: Vec<String>,
}

impl Cpus {
    /// Takes the CPUs that were asked for; by default the clients get the last CPU, the servers all others. `workers`
    /// is the size of the largest server. Error: this process may not use a CPU that was asked for.
    pub(crate) fn choose(common: &Common, workers: u32) -> Result<Cpus> {
        let mut cpus = Cpus::pinned(common, &usable(common)?, 1)?;
        if cpus.shared {
            cpus.notes.push("server and client share a CPU: no verdict on latencies".to_owned());
        }
        cpus.note_turns(workers);
        Ok(cpus)
    }

    /// The places of a comparison, the one that answers for this machine first. Where the machine has CPUs to spare the
    /// clients get a quarter of them. Where it has none nothing is pinned; beside it stands a place that isolates CPU
    /// time, where the clients have the last CPU. Error: see `choose`.
    pub(crate) fn places(common: &Common) -> Result<Vec<Cpus>> {
        let usable = usable(common)?;
        let asked = !common.cpus.is_empty() || !common.client_cpus.is_empty();
        let shared = Cpus {
            place: Place::Shared,
            server: usable.clone(),
            client: usable.clone(),
            shared: true,
            ..Cpus::default()
        };
        match usable.len() {
            _ if asked => Ok(vec![Cpus::pinned(common, &usable, 1)?]),
            1 => Ok(vec![shared]),
            n if n < ENOUGH => Ok(vec![shared, Cpus::pinned(common, &usable, 1)?]),
            n => Ok(vec![Cpus::pinned(common, &usable, n / ENOUGH)?, shared]),
        }
    }

    /// Servers and clients on CPUs of their own: the clients on the last `clients` of `usable`, unless other CPUs were
    /// asked for.
    fn pinned(common: &Common, usable: &[usize], clients: usize) -> Result<Cpus> {
        let (others, last) = usable.split_at(usable.len().saturating_sub(clients));
        let or = |asked: &[usize], default: &[usize]| if asked.is_empty() { default.to_vec() } else { asked.to_vec() };
        let mut cpus = Cpus {
            server: or(&common.cpus, if others.is_empty() { usable } else { others }),
            client: or(&common.client_cpus, last),
            ..Cpus::default()
        };
        cpus.shared = cpus.server.iter().any(|cpu| cpus.client.contains(cpu));
        Ok(cpus)
    }

    /// Notes that the servers' workers are more than their CPUs.
    pub(crate) fn note_turns(&mut self, workers: u32) {
        if workers as usize > self.server.len() {
            self.notes.push(format!(
                "{} workers on {} CPU{}: they take turns; with a CPU for each, waking several costs less of each one's \
                 time",
                workers,
                self.server.len(),
                if self.server.len() == 1 { "" } else { "s" }
            ));
        }
    }

    /// The CPUs to pin servers to; none: they are not pinned.
    pub(crate) fn server_pins(&self) -> &[usize] {
        if self.place == Place::Shared { &[] } else { &self.server }
    }

    /// The CPUs to pin clients to; none: they are not pinned.
    pub(crate) fn client_pins(&self) -> &[usize] {
        if self.place == Place::Shared { &[] } else { &self.client }
    }

    /// How many threads a client needs to keep up with the servers; a person who types `wrk` on the server's own CPUs
    /// gives it one.
    pub(crate) fn client_threads(&self) -> usize {
        if self.shared { 1 } else { self.client.len().max(1) }
    }
}

/// The CPUs that this process may use. Error: a CPU that was asked for is not among them.
fn usable(common: &Common) -> Result<Vec<usize>> {
    let usable = process::usable_cpus();
    for cpu in common.cpus.iter().chain(&common.client_cpus) {
        if !usable.contains(cpu) {
            bail!("CPU {cpu} is not among those that can be used: {usable:?}");
        }
    }
    usable.first().context("no CPU to use")?;
    Ok(usable)
}
