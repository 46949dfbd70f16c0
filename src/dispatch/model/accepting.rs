//! How an event loop accepts a connection (ngx_event_accept.c), whatever the model.

use std::io;

use super::loop_state::Pause;
use super::{Hooks, Loop};
use crate::dispatch::sockets::AcceptError;
use crate::serve::Accepted;

/// Connections that an event may bring to a process without rivals, where `multi_accept` is off: those that it serves
/// already wait no longer than for so many.
const ROW: u64 = 16;

/// How many connections an event may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    /// All that wait, up to this number.
    All(u64),
    One,
    /// Several, while several use to wait.
    Some,
}

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
    /// Accepts from socket `n`, for which epoll has reported connections: with multi_accept as many as the model
    /// allows, otherwise one connection, or some if no other process could take them. Tells the model of the result.
    pub fn accept_from(&mut self, n: u32, hooks: &mut dyn Hooks) {
        let row = match self.options.multi_accept {
            true => Row::All(hooks.batch(self)),
            false if hooks.has_rivals(self, n) => Row::One,
            false => Row::Some,
        };
        let (count, ended) = self.accept_some(n, row);
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

    fn accept_some(&mut self, n: u32, row: Row) -> (u64, Ended) {
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
            let accepted = listener.accept();
            if row == Row::Some && count > 0 {
                self.more_wait.count(accepted.is_ok());
            }
            match accepted {
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
            let goes_on = match row {
                Row::All(most) => count < most,
                Row::One => false,
                Row::Some => count < ROW && self.more_wait.are_good(),
            };
            if !goes_on {
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
