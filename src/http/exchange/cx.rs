//! What an exchange sees around it: the site, the time, its connection, the ledger.

use crate::event::Clock;
use crate::http::site::Site;
use crate::os::Addr;
use crate::shm::Ledger;

/// What an exchange sees around it.
pub struct Cx<'a> {
    pub site: &'a Site,
    pub clock: &'a Clock,
    pub conn: &'a ConnInfo,
    /// The worker is leaving: no keep-alive.
    pub leaving: bool,
    /// Others wait for the place of this connection: no keep-alive, unless its client has sent more already.
    pub is_full: bool,
    /// What the processes of the service have counted.
    pub ledger: Option<&'a Ledger>,
    /// The connection's unread bytes, from the first byte of this exchange's request on.
    pub input: &'a [u8],
}

/// What is known of the connection an exchange came in by.
#[derive(Debug, Clone)]
pub struct ConnInfo {
    pub peer: Addr,
    /// The address the client connected to, when a variable of the conf asks for it or the socket is bound to one.
    pub local: Option<Addr>,
    /// The listen address it came in by, as [`Site::bound`] tells.
    pub bound: usize,
    /// Number of the connection in this worker, `$connection`.
    pub number: u64,
    /// Requests begun on this connection, this one included.
    pub requests: u32,
    /// When the connection was accepted, in ms of the loop's clock.
    pub opened_ms: u64,
    /// How long it waited to be accepted, ms; only where the conf shows it.
    pub accept_delay_ms: Option<u32>,
    /// As what the ledger counts it.
    pub published: Stage,
}

impl ConnInfo {
    /// A connection that has just been accepted.
    pub fn new(peer: Addr, local: Option<Addr>, bound: usize, number: u64, opened_ms: u64) -> ConnInfo {
        let (accept_delay_ms, published) = (None, Stage::Waiting);
        ConnInfo { peer, local, bound, number, requests: 0, opened_ms, accept_delay_ms, published }
    }
}

/// Where a connection stands, as nginx's stub_status tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// For a request to begin.
    Waiting,
    /// A part of a request is there.
    Reading,
    /// A response is on its way.
    Writing,
}
