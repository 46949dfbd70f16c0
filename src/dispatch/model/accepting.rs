//! How an event loop accepts a connection (ngx_event_accept.c), whatever the model.

use std::io;

use super::loop_state::Pause;
use super::{Hooks, Loop};
use crate::dispatch::sockets::AcceptError;
use crate::serve::Accepted;

/// Why a row of accepts ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// No connection waits, or as many were accepted as the model allows.
    Done,
    /// No slot is left for another connection.
    Full,
    OutOfFiles,
}

impl Loop {
    /// Accepts from socket `n`, for which epoll has reported connections: one connection, or with multi_accept as many
    /// as the model allows. Tells the model of the result.
    pub fn accept_from(&mut self, n: u32, hooks: &mut dyn Hooks) {
        let most = if self.options.multi_accept { hooks.batch(self) } else { 1 };
        let (count, ended) = self.accept_some(n, most);
        if count > 0 {
            hooks.accepted(self, n, count);
        }
        match ended {
            Ended::Done => {}
            Ended::Full => {
                self.pause = Pause::Full;
                hooks.stop_listening(self);
            }
            Ended::OutOfFiles => {
                let delayed = self.driver.clock().now_ms() + self.options.accept_mutex_delay_ms;
                // An idle connection that may be closed earlier leaves its descriptor.
                self.pause = Pause::Until(self.driver.room_from().map_or(delayed, |from| from.min(delayed)));
                hooks.stop_listening(self);
            }
        }
        if count == 0 && ended != Ended::Done {
            hooks.declined(self);
        }
    }

    fn accept_some(&mut self, n: u32, most: u64) -> (u64, Ended) {
        let mut count = 0;
        loop {
            // nginx accepts a connection that it has no slot for, and closes it; here it stays in the backlog.
            if self.driver.free() == 0 {
                self.driver.make_room();
                if self.driver.free() == 0 {
                    return (count, Ended::Full);
                }
            }
            let Some(listener) = self.listening.get(n) else { return (count, Ended::Done) };
            match listener.accept() {
                Ok((socket, peer)) => {
                    count += 1;
                    self.tally.accepts.add(1);
                    self.driver.make_room();
                    self.count_free();
                    self.driver.accept(Accepted { socket, peer, listener: n as usize }, &self.poller);
                    // Now, and not when the next connection comes: that would wake this process, and no other.
                    if !self.has_room() {
                        return (count, Ended::Full);
                    }
                }
                Err(error) => match self.accept_failed(&error) {
                    Some(ended) => return (count, ended),
                    None => continue,
                },
            }
            if count >= most {
                return (count, Ended::Done);
            }
        }
    }

    /// The end that a failed accept brings; `None`: go on with the next connection.
    fn accept_failed(&mut self, error: &io::Error) -> Option<Ended> {
        match AcceptError::count(error, &self.tally) {
            AcceptError::ClientGone if self.options.multi_accept => None,
            AcceptError::OutOfFiles(_) if self.driver.release_descriptors() => None,
            error @ AcceptError::OutOfFiles(_) => {
                error.log_out_of_files();
                Some(Ended::OutOfFiles)
            }
            AcceptError::ClientGone | AcceptError::NoneWaits | AcceptError::Other => Some(Ended::Done),
        }
    }
}
