//! Which CPUs the servers get, and which the clients.

use anyhow::{Context, Result, bail};

use crate::args::Common;
use crate::process;

/// The CPUs of a measurement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cpus {
    pub server: Vec<usize>,
    pub client: Vec<usize>,
    /// Servers and clients have a CPU in common: figures that depend on the client mean nothing.
    pub shared: bool,
    /// Remarks for the person, and for the reports.
    pub notes: Vec<String>,
}

impl Cpus {
    /// Takes the CPUs that were asked for; by default the clients get the last CPU, the servers all others. `workers`
    /// is the size of the largest server. Error: this process may not use a CPU that was asked for.
    pub(crate) fn choose(common: &Common, workers: u32) -> Result<Cpus> {
        let usable = process::usable_cpus();
        for cpu in common.cpus.iter().chain(&common.client_cpus) {
            if !usable.contains(cpu) {
                bail!("CPU {cpu} is not among those that can be used: {usable:?}");
            }
        }
        let (last, others) = usable.split_last().context("no CPU to use")?;
        let or = |asked: &[usize], default: &[usize]| if asked.is_empty() { default.to_vec() } else { asked.to_vec() };
        let mut cpus = Cpus {
            server: or(&common.cpus, if others.is_empty() { &usable } else { others }),
            client: or(&common.client_cpus, &[*last]),
            ..Cpus::default()
        };
        cpus.shared = cpus.server.iter().any(|cpu| cpus.client.contains(cpu));
        if cpus.shared {
            cpus.notes.push("server and client share a CPU: no verdict on rates and latencies".to_owned());
        }
        if workers as usize > cpus.server.len() {
            cpus.notes.push(format!(
                "{} workers on {} CPU{}: they take turns; with a CPU for each, waking several costs less of each one's \
                 time",
                workers,
                cpus.server.len(),
                if cpus.server.len() == 1 { "" } else { "s" }
            ));
        }
        Ok(cpus)
    }
}
