//! Output within TLS.

use super::{Flush, Output, SEALED_MAX, SendOptions, TURN_MAX};
use crate::os::Socket;
use crate::serve::tls::{Scratch, Sealed, Tls};
use std::io;

/// Records of at most so many bytes as the conf says, gathered for one call.
impl Output {
    pub(super) fn flush_sealed(
        &mut self,
        socket: &Socket,
        tls: &mut Tls,
        scratch: &mut Scratch,
        options: SendOptions,
    ) -> io::Result<Flush> {
        let (mut budget, mut left) = (TURN_MAX, options.most);
        scratch.sealed.clear();
        // Records that are there already must go out first.
        if !self.send_sealed(socket, &mut scratch.sealed, false)? {
            return Ok(Flush::Blocked);
        }
        loop {
            if self.is_all_taken() {
                self.bytes.clear();
                self.sent = 0;
                return Ok(Flush::Done);
            }
            if budget == 0 || left == 0 {
                return Ok(Flush::Yield);
            }
            let taken = self.seal(tls, scratch, budget.min(left).min(SEALED_MAX))?;
            (budget, left) = (budget - taken, left - taken);
            let is_last = options.closing && self.is_all_taken();
            if is_last {
                // In one packet with the end of the answer.
                tls.say_goodbye(&mut scratch.sealed);
            }
            if !self.send_sealed(socket, &mut scratch.sealed, is_last)? {
                return Ok(Flush::Blocked);
            }
            if self.is_fetching() {
                return Ok(Flush::Fetch);
            }
        }
    }

    pub(super) fn is_all_taken(&self) -> bool {
        self.sent == self.bytes.len() && self.files.is_empty()
    }

    /// Sends records: those that the kernel had no room for, then `sealed`. False: it has none for all of them.
    pub(crate) fn send_sealed(&mut self, socket: &Socket, sealed: &mut Sealed, closing: bool) -> io::Result<bool> {
        if self.sealed.is_empty() {
            let sent = send_some(socket, sealed.bytes(), closing);
            let rest = *sent.as_ref().unwrap_or(&sealed.bytes().len());
            self.sealed.extend_from_slice(&sealed.bytes()[rest..]);
            sealed.clear();
            self.total += sent? as u64;
            return Ok(self.sealed.is_empty());
        }
        self.sealed.extend_from_slice(sealed.bytes());
        sealed.clear();
        let sent = send_some(socket, &self.sealed[self.sealed_sent..], closing)?;
        self.total += sent as u64;
        self.sealed_sent += sent;
        if self.sealed_sent < self.sealed.len() {
            return Ok(false);
        }
        (self.sealed, self.sealed_sent) = (Vec::new(), 0);
        Ok(true)
    }

    /// Makes records of the next `most` bytes of the output at most. Returns how many were taken.
    fn seal(&mut self, tls: &mut Tls, scratch: &mut Scratch, most: usize) -> io::Result<usize> {
        let Scratch { plain, sealed, .. } = scratch;
        let mut taken = 0;
        while taken < most && !self.is_all_taken() {
            let room = tls.record_size.min(most - taken);
            let length = match self.front_in_memory() {
                // Nothing can be put behind it in its record, or it fills one.
                Some(front) if front.len() >= room || self.files.is_empty() => {
                    let front = &front[..front.len().min(room)];
                    tls.seal(front, sealed)?;
                    front.len()
                }
                _ => {
                    plain.clear();
                    self.take(room, plain)?;
                    if plain.is_empty() {
                        break;
                    }
                    tls.seal(plain, sealed)?;
                    taken += plain.len();
                    continue;
                }
            };
            self.advance(length);
            taken += length;
        }
        Ok(taken)
    }
}

/// Sends what the kernel has room for.
fn send_some(socket: &Socket, bytes: &[u8], more: bool) -> io::Result<usize> {
    if bytes.is_empty() {
        return Ok(0);
    }
    match socket.send(bytes, more) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        sent => sent,
    }
}
