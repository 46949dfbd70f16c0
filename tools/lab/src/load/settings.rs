//! The settings that all loads share.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::plan::SMALL;

/// How hard a load is, and how long it takes.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub length: Duration,
    /// Clients of the closed loops.
    pub clients: usize,
    /// New connections a second of the open loops.
    pub rate: f64,
    pub burst: usize,
    pub idle: usize,
    /// Connections beyond the servers' limit.
    pub surplus: usize,
    /// Workers of each server.
    pub workers: u32,
}

impl Settings {
    /// The settings of `lab compare` without arguments.
    pub(crate) const DEFAULT: Settings = Settings {
        length: Duration::from_millis(120),
        clients: 32,
        rate: 4000.0,
        burst: 128,
        idle: 1000,
        surplus: 1000,
        workers: 4,
    };
}

/// The server that a load goes to, and the surroundings of the client.
pub(crate) struct Target<'a> {
    pub server: SocketAddr,
    /// The directory in which ab and wrk may write.
    pub dir: &'a Path,
    pub seed: u64,
    /// CPUs of the client; empty: all.
    pub cpus: &'a [usize],
    /// A request without an answer after it is lost.
    pub timeout: Duration,
}

impl Target<'_> {
    /// The small page of the server.
    pub(crate) fn url(&self) -> String {
        format!("http://{}{SMALL}", self.server)
    }
}
