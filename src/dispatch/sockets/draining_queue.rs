//! The backlog of a socket that no other process has, when its process leaves.

use std::sync::Arc;

use super::AcceptError;
use crate::os::Listener;
use crate::serve::Accepted;
use crate::shm::Tally;

/// Connections that may have been on their way into the backlog when its length was read.
const ON_THEIR_WAY: u32 = 64;

/// The connections that wait in a leaving process's own socket, where no other process would accept them.
///
/// The master may have given the socket to a successor, which goes on with its backlog. So the leaving process accepts
/// no more than waited when it began to leave, and some that were on their way.
#[derive(Debug)]
pub(crate) struct DrainingQueue {
    /// Index of the socket.
    listener: u32,
    socket: Arc<Listener>,
    /// How many more may be accepted.
    left: u32,
}

impl DrainingQueue {
    /// The backlog of socket `listener` as it is now.
    pub(crate) fn of(listener: u32, socket: Arc<Listener>) -> DrainingQueue {
        let left = socket.queue_length().unwrap_or(0).saturating_add(ON_THEIR_WAY);
        DrainingQueue { listener, socket, left }
    }

    /// The next connection; `None`: none waits, or there is no descriptor for it (then `is_drained` is false).
    pub(crate) fn next(&mut self, tally: &Tally) -> Option<Accepted> {
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

    /// Whether nothing more is to be accepted.
    pub(crate) fn is_drained(&self) -> bool {
        self.left == 0
    }
}
