//! Settings that the engine asks for with every request, looked up once for each location.

use crate::conf::Scope;
use crate::http::exchange::keep_alive::{KEEPALIVE_MIN_TIMEOUT, KEEPALIVE_TIMEOUT};
use crate::http::exchange::limits::{CLIENT_HEADER_TIMEOUT, SEND_TIMEOUT};
use crate::serve::settings::{SENDFILE, TCP_NOPUSH};

/// The settings of a location.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub header_timeout_ms: u64,
    pub send_timeout_ms: u64,
    /// How long an idle connection is kept.
    pub idle_ms: u64,
    /// The same whatever comes.
    pub idle_least_ms: u64,
    pub sendfile: bool,
    pub nopush: bool,
}

impl Rules {
    pub(super) fn of(scope: &Scope) -> Rules {
        Rules {
            header_timeout_ms: *scope.get(&CLIENT_HEADER_TIMEOUT),
            send_timeout_ms: *scope.get(&SEND_TIMEOUT),
            idle_ms: scope.get(&KEEPALIVE_TIMEOUT).idle_ms,
            idle_least_ms: *scope.get(&KEEPALIVE_MIN_TIMEOUT),
            sendfile: *scope.get(&SENDFILE),
            nopush: *scope.get(&TCP_NOPUSH),
        }
    }
}
