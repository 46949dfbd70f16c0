//! Bytes that can be sent without a wait for a disk, and those that a thread fetches.

use super::fetch::Fetch;
use super::slice::SendOptions;
use super::{Making, Output};
use crate::os::Socket;
use crate::serve::jobs::{Done, Job};
use std::io;

impl Output {
    /// Whether the output waits for a thread.
    pub(crate) fn is_fetching(&self) -> bool {
        matches!(self.fetch, Fetch::Wanted(..) | Fetch::Away)
    }

    /// The job that a thread is to do before more can be sent, and its pool.
    pub(crate) fn take_wanted(&mut self) -> Option<(u16, Job)> {
        if !matches!(self.fetch, Fetch::Wanted(..)) {
            return None;
        }
        match std::mem::replace(&mut self.fetch, Fetch::Away) {
            Fetch::Wanted(pool, job) => Some((pool, job)),
            _ => None,
        }
    }

    /// Takes the result of that job.
    pub(crate) fn take_done(&mut self, done: Done) {
        let taken = match (done, self.files.front_mut()) {
            (Done::Read { at, bytes }, Some(slice)) => slice.take(at, bytes),
            (Done::Coded { coder, bytes, result }, _) => {
                self.coder = Some(Making::Made { coder, bytes, result });
                Ok(())
            }
            (Done::Refused, _) => Err(io::Error::other("no thread is free to read the file")),
            _ => Ok(()),
        };
        self.fetch = taken.map_or_else(Fetch::Failed, |()| Fetch::No);
    }

    /// Whether the next bytes, which are those of the first slice, are in the process's memory, or can be read without
    /// a wait. If not, a thread is wanted. Errors: those of `flush`.
    pub(super) fn is_at_hand(&mut self) -> io::Result<bool> {
        if let Fetch::Failed(error) = &mut self.fetch {
            return Err(std::mem::replace(error, io::ErrorKind::Other.into()));
        }
        if self.is_fetching() {
            return Ok(false);
        }
        let Some(slice) = self.files.front_mut() else { return Ok(true) };
        let Some(pool) = slice.pool else { return Ok(true) };
        if slice.in_memory().is_some() || slice.read_now()? {
            return Ok(true);
        }
        self.fetch = Fetch::Wanted(pool, slice.fetch());
        Ok(false)
    }

    /// Sends up to `most` bytes of the first slice, which has a pool. Returns how many were to be sent, as far as that
    /// tells whether the socket is full, and the outcome; `None`: a thread has to fetch them.
    pub(super) fn send_at_hand(
        &mut self,
        socket: &Socket,
        most: usize,
        options: SendOptions,
    ) -> io::Result<Option<(usize, io::Result<usize>)>> {
        let is_by_kernel = options.sendfile && matches!(self.fetch, Fetch::No);
        if let Some(slice) = self.files.front_mut().filter(|slice| is_by_kernel && slice.in_memory().is_none()) {
            let cached = slice.cached(most)?;
            if cached > 0 {
                return Ok(Some((0, slice.send(socket, cached, options))));
            }
            let wanted = slice.pool.map(|pool| (pool, slice.fetch()));
            self.fetch = wanted.map_or(Fetch::No, |(pool, job)| Fetch::Wanted(pool, job));
            return Ok(None);
        }
        if !self.is_at_hand()? {
            return Ok(None);
        }
        let Some((slice, bytes)) = self.files.front().and_then(|slice| Some((slice, slice.in_memory()?))) else {
            return Ok(None);
        };
        let sent = &bytes[..bytes.len().min(most)];
        // A packet does not wait for what a thread has yet to read, which may take long.
        let is_last = self.files.len() == 1 && slice.after == self.bytes.len() && slice.is_up_to_end(sent.len());
        let more = sent.len() < bytes.len() || options.closing && is_last;
        Ok(Some((sent.len(), socket.send(sent, more))))
    }
}
