//! A reload that moves a port to an address that excludes the one before: from `127.0.0.1:80` to `*:80`, and back.
//!
//! bind(2) says EADDRINUSE for as long as the old socket listens, unless both have SO_REUSEPORT, which may be set on
//! one that listens. So the new socket is bound beside the old one, and listens only when nothing can go wrong any
//! more: until then all clients come to the old one. Then the old one gets no new clients, and its processes, which
//! have not yet been told to leave, take what waits in it. No client is refused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::sockets::Bound;
use crate::log;
use crate::os::{Addr, Failure, ListenOptions, Listener, signals};

/// Handshakes that the old socket has begun end within a round trip.
const ROUND_TRIP: Duration = Duration::from_millis(250);
/// Processes that are full leave clients in the queue: they are not waited for longer than this.
const PATIENCE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(5);

/// Binds `addr` beside those of `leaving` that exclude it; the socket doesn't listen yet. `None`: there are none, or
/// something else is in the way.
pub fn bind_beside(addr: &Addr, options: &ListenOptions, leaving: &[&Bound]) -> Option<Listener> {
    let port = addr.port().filter(|port| *port > 0)?;
    let excludes = |old: &&&Bound| {
        let is_either = old.addr.is_wildcard() || addr.is_wildcard();
        !old.is_foreign && old.addr.port() == Some(port) && is_either
    };
    let in_the_way: Vec<_> = leaving.iter().filter(excludes).collect();
    // An error shows itself in bind().
    in_the_way.iter().for_each(|old| _ = old.listener.share_port(true));
    let options = ListenOptions { reuseport: true, ..options.clone() };
    if in_the_way.is_empty() { None } else { Listener::bind(addr, &options).ok() }
}

/// Ends the sharing of ports, after a reload that has succeeded or failed.
pub fn end(sockets: &[Bound]) {
    for bound in sockets.iter().filter(|bound| !bound.is_foreign && bound.addr.port().is_some()) {
        if let Err(error) = bound.listener.share_port(bound.options.reuseport) {
            log::alert!("{}", Failure::new(format!("setsockopt(SO_REUSEPORT) for {}", bound.addr), error));
        }
    }
}

/// Sockets that the new conf has no use for, whose processes take what waits in them.
#[derive(Debug, Default)]
pub struct Retired {
    listeners: Vec<Arc<Listener>>,
    /// Their port has another socket now, for which handshakes that have begun are not lost.
    is_moved: bool,
}

impl Retired {
    /// Lets those of `new` listen that wait for it, and from then on no new client come to those of `old` that `new`
    /// has not kept.
    pub fn replace(old: &[Bound], new: &[Bound]) -> Retired {
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

    /// Waits until nothing is left in them, or a signal ends the service.
    pub fn wait_until_empty(self) {
        let start = Instant::now();
        let least = if self.is_moved { ROUND_TRIP } else { Duration::ZERO };
        let is_empty =
            || self.listeners.iter().all(|listener| listener.queue_length().is_ok_and(|waiting| waiting == 0));
        while start.elapsed() < least || !is_empty() && start.elapsed() < PATIENCE {
            if signals::sleep(POLL) {
                return;
            }
        }
    }
}
