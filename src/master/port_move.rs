//! A reload that moves a port to an address that excludes the old one: from `127.0.0.1:80` to `*:80`, and back; or that
//! asks for another protocol there (`multipath`).
//!
//! bind(2) fails with EADDRINUSE while the old socket listens, unless both sockets have SO_REUSEPORT, which may be set
//! on a listening socket. So the new socket is bound beside the old one, and listens only when the reload can't fail
//! any more: until then all clients come to the old socket. Then the old socket gets no new clients, and its processes,
//! which have not yet been told to leave, accept those that wait. No client is refused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::bound::Bound;
use crate::log;
use crate::os::{Addr, Failure, ListenOptions, Listener, signals};

/// Handshakes that the old socket has begun end within a round trip.
const ROUND_TRIP: Duration = Duration::from_millis(250);
/// How long the reload waits for the old socket's queue: processes that are full leave clients there.
const TIMEOUT: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(5);

/// Binds `addr` beside the sockets in `leaving` that exclude it; the new socket doesn't listen yet. `None`: no socket
/// excludes it, or bind(2) failed.
pub(crate) fn bind_beside(addr: &Addr, options: &ListenOptions, leaving: &[&Bound]) -> Option<Listener> {
    let port = addr.port().filter(|port| *port > 0)?;
    let excludes = |old: &&&Bound| {
        let is_either = old.addr.is_wildcard() || addr.is_wildcard() || old.addr == *addr;
        !old.is_foreign && old.addr.port() == Some(port) && is_either
    };
    let in_the_way: Vec<_> = leaving.iter().filter(excludes).collect();
    // An error shows in bind().
    in_the_way.iter().for_each(|old| _ = old.listener.share_port(true));
    let options = ListenOptions { reuseport: true, ..options.clone() };
    if in_the_way.is_empty() { None } else { Listener::bind(addr, &options).ok() }
}

/// Ends the sharing of ports. To be called after a reload, whether it succeeded or failed.
pub(crate) fn end(sockets: &[Bound]) {
    for bound in sockets.iter().filter(|bound| !bound.is_foreign && bound.addr.port().is_some()) {
        if let Err(error) = bound.listener.share_port(bound.options.reuseport) {
            log::alert!("{}", Failure::new(format!("setsockopt(SO_REUSEPORT) for {}", bound.addr), error));
        }
    }
}

/// Sockets without a place in the new conf; their processes accept the connections that wait there.
#[derive(Debug, Default)]
pub(crate) struct Retired {
    listeners: Vec<Arc<Listener>>,
    /// Whether another socket has the port now: handshakes with the old socket may still be under way.
    is_moved: bool,
}

impl Retired {
    /// Lets the late sockets of `new` listen, and keeps new clients from the sockets of `old` that are not in `new`.
    pub(crate) fn replace(old: &[Bound], new: &[Bound]) -> Retired {
        for bound in new.iter().filter(|bound| bound.listens_late) {
            if let Err(error) = bound.listener.set_backlog(bound.options.backlog) {
                log::alert!("{}", Failure::new(format!("listen() to {}", bound.addr), error));
            }
        }
        let has_place = |old: &Bound| new.iter().any(|new| new.is_for(&old.addr, &old.options));
        let gone = old.iter().filter(|old| !old.is_foreign && old.addr.port().is_some() && !has_place(old));
        let mut retired = Retired::default();
        for old in gone {
            match old.listener.retire() {
                Ok(()) => retired.listeners.push(old.listener.clone()),
                Err(error) => {
                    log::warn!("{}", Failure::new(format!("setsockopt(SO_BINDTOIFINDEX) for {}", old.addr), error))
                }
            }
            retired.is_moved |= new.iter().any(|new| new.listens_late && new.addr.port() == old.addr.port());
        }
        retired
    }

    /// Waits until no connection waits in the sockets, or a signal ends the service.
    pub(crate) fn wait_until_empty(self) {
        let start = Instant::now();
        let least = if self.is_moved { ROUND_TRIP } else { Duration::ZERO };
        let is_empty =
            || self.listeners.iter().all(|listener| listener.queue_length().is_ok_and(|waiting| waiting == 0));
        while start.elapsed() < least || !is_empty() && start.elapsed() < TIMEOUT {
            if signals::sleep(POLL) {
                return;
            }
        }
    }
}
