//! The backlogs of the sockets that no other process has, when their process leaves.

use std::sync::Arc;

use super::AcceptError;
use crate::os::Listener;
use crate::serve::Accepted;
use crate::shm::Tally;

/// Connections that may have been on their way into a backlog when its length was read.
const ON_THEIR_WAY: u32 = 64;

/// The connections that wait in a leaving process's own sockets, where no other process would accept them.
///
/// The master may have given the sockets to a successor, which goes on with their backlogs. So the leaving process
/// accepts no more than waited when it began to leave, and some that were on their way.
#[derive(Debug, Default)]
pub(crate) struct Draining {
    /// The backlogs that have connections, as far as is known.
    backlogs: Vec<Backlog>,
}

#[derive(Debug)]
struct Backlog {
    /// Index of the socket.
    listener: u32,
    socket: Arc<Listener>,
    /// How many more may be accepted.
    left: u32,
}

impl Draining {
    /// The backlogs of `sockets` as they are now; each socket with its index.
    pub(crate) fn of(sockets: impl Iterator<Item = (u32, Arc<Listener>)>) -> Draining {
        let backlog = |(listener, socket): (u32, Arc<Listener>)| {
            let left = socket.queue_length().unwrap_or(0).saturating_add(ON_THEIR_WAY);
            Backlog { listener, socket, left }
        };
        Draining { backlogs: sockets.map(backlog).collect() }
    }

    /// The next connection; `None`: none waits, or there is no descriptor for it (then `is_over` is false).
    pub(crate) fn next(&mut self, tally: &Tally) -> Option<Accepted> {
        while let Some(backlog) = self.backlogs.last_mut() {
            match backlog.next(tally) {
                None if backlog.left == 0 => drop(self.backlogs.pop()),
                next => return next,
            }
        }
        None
    }

    /// Whether nothing more is to be accepted.
    pub(crate) fn is_over(&self) -> bool {
        self.backlogs.is_empty()
    }
}

impl Backlog {
    fn next(&mut self, tally: &Tally) -> Option<Accepted> {
        while self.left > 0 {
            match self.socket.accept() {
                Ok((socket, peer)) => {
                    self.left -= 1;
                    tally.accepts.add(1);
                    return Some(Accepted { socket, peer, listener: self.listener as usize });
                }
                Err(error) => match AcceptError::count(&error, tally) {
                    AcceptError::ClientGone => {}
                    error @ AcceptError::OutOfFiles(_) => {
                        error.log_out_of_files();
                        return None;
                    }
                    AcceptError::NoneWaits | AcceptError::Other => self.left = 0,
                },
            }
        }
        None
    }
}
