//! The settings that all loads share.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::plan::SMALL;

/// How hard a load is, and how long it takes.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How long a load of the closed loops runs before it counts, and the load open before it: on a fresh server the
    /// first moment only shows who accepted in the first millisecond.
    pub settle: Duration,
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
        settle: Duration::from_millis(100),
        length: Duration::from_millis(150),
        clients: 32,
        rate: 4000.0,
        burst: 128,
        idle: 1000,
        surplus: 1000,
        workers: 4,
    };
}

/// How many requests the servers answer on a connection before they close it. Connections that never end would stay
/// where the first millisecond has put them; so each is opened again a few times in every round, under load.
pub(crate) const KEEPALIVE_REQUESTS: u64 = 100;

/// How many requests of connections that stay must be sent before they have settled: so many that each connection has
/// been opened again under load.
pub(super) fn least_to_settle(settings: &Settings) -> u64 {
    settings.clients as u64 * KEEPALIVE_REQUESTS * 3 / 2
}

/// The moments of a load between which it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Begin,
    End,
}

/// The server that a load goes to, and the surroundings of the client.
pub(crate) struct Target<'a> {
    pub server: SocketAddr,
    /// The directory in which ab and wrk may write.
    pub dir: &'a Path,
    pub seed: u64,
    /// CPUs of the client; empty: all.
    pub cpus: &'a [usize],
    /// Threads of the client, where the tool has several.
    pub threads: usize,
    /// A request without an answer after it is lost.
    pub timeout: Duration,
}

impl Target<'_> {
    /// The small page of the server.
    pub(crate) fn url(&self) -> String {
        format!("http://{}{SMALL}", self.server)
    }
}
