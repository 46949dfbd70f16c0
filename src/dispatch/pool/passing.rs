//! A dispatcher that accepts, and passes the connections on.

use super::{Desk, Way};
use crate::dispatch::accepting::{Refusal, refusal};
use crate::log;
use crate::os::{Addr, ErrnoText, Socket};

/// Tried again when a lane that had room was full all the same, ms.
const FULL_LANE_MS: u64 = 10;

/// What pool_pass and pool_queue do.
#[derive(Default)]
pub(in crate::dispatch) struct Passing {
    held: Option<Held>,
}

/// Accepted, but no lane would take it.
struct Held {
    socket: Socket,
    peer: Addr,
    listener: u32,
}

impl Passing {
    /// Passes it along the best lane that takes it, or holds it.
    fn pass(&mut self, desk: &mut Desk, mut lane: u32, held: Held) {
        let mut refused = Vec::new();
        loop {
            let number = desk.next_number(lane);
            let sent =
                desk.shared.lanes.get(lane as usize).map(|to| to.pass(number, held.listener, &held.socket, &held.peer));
            match sent {
                // The copy in this process is closed here.
                Some(Ok(())) => return desk.sent(lane, number),
                Some(Err(error)) if error.kind() != std::io::ErrorKind::WouldBlock => {
                    log::alert!("sendmsg() of an accepted connection failed ({})", ErrnoText(&error));
                }
                _ => {}
            }
            refused.push(lane);
            match desk.choose(&refused) {
                Some(next) => lane = next,
                None => break,
            }
        }
        self.held = Some(held);
        desk.want_room();
    }
}

impl Way for Passing {
    fn come(&mut self, desk: &mut Desk, n: u32) {
        while self.held.is_none() {
            let Some(lane) = desk.choose(&[]) else { return desk.want_room() };
            let Some(listener) = desk.listening.get(n) else { return };
            match listener.accept() {
                Ok((socket, peer)) => {
                    desk.post.tally.accepts.add(1);
                    self.pass(desk, lane, Held { socket, peer, listener: n });
                }
                Err(error) => match refusal(&error, &desk.post.tally) {
                    Refusal::ClientGone => {}
                    Refusal::NobodyWaits => return,
                    Refusal::OutOfFiles | Refusal::Other => return desk.pause(),
                },
            }
            if !desk.post.options.multi_accept {
                return;
            }
        }
    }

    fn look(&mut self, desk: &mut Desk) -> Option<u64> {
        let held = self.held.take()?;
        match desk.choose(&[]).or_else(|| desk.any_lane()) {
            Some(lane) => self.pass(desk, lane, held),
            None => self.held = Some(held),
        }
        self.holds().then(|| desk.now() + FULL_LANE_MS)
    }

    fn holds(&self) -> bool {
        self.held.is_some()
    }
}
