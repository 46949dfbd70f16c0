//! The buffers of a connection that is busy: the bytes that have come, the exchange, the answers on their way.

use super::file_cache::OpenedFile;
use super::jobs::Done;
use super::output::Output;
use super::pace::Pace;
use super::tls::{RECEIVE, Scratch, Tls, Wire};
use crate::http::exchange::{Action, Exchange};
use crate::os::Socket;
use nix::errno::Errno;
use std::collections::TryReserveError;
use std::io;
use std::sync::Arc;

/// Bytes of the buffer a connection reads into: room for a batch of pipelined requests.
pub(super) const INPUT_SIZE: usize = 16 << 10;

/// Reads a connection may make in one turn: one that always has more to say must not keep the others waiting.
pub(super) const READS_A_TURN: u32 = 16;

/// The memory of a connection that is not idle; taken from a pool.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) input: Vec<u8>,
    /// Where in `input` the current request begins.
    pub(super) start: usize,
    pub(super) ex: Exchange,
    pub(super) out: Output,
    /// Where in the output of the connection the answer to the current request begins (`Output::queued`).
    pub(super) begun: u64,
    /// The file of the current response.
    pub(super) entry: Option<Arc<OpenedFile>>,
    /// The file that is added to the response.
    pub(super) aside: Option<Arc<OpenedFile>>,
    /// The action that waits for a job, and the result of that.
    pub(super) waiting: Option<Action>,
    pub(super) done: Option<Done>,
    /// The stream of HTTP/2.
    pub(super) stream: u32,
    /// The response that is queued last must not go out faster.
    pub(super) pace: Option<Pace>,
    /// The last read was short: nothing more is there until the next event.
    pub(super) has_read_all: bool,
    /// The client has closed its side. Reported once, and true in the turns to come, when bytes are left to be read.
    pub(super) hung_up: bool,
    /// Reads made in this turn.
    pub(super) reads: u32,
    /// A response has been finished in this turn.
    pub(super) has_answered: bool,
    /// The response did not fit into the kernel's buffer at once: much of it may be on its way when the last byte is
    /// in.
    pub(super) has_waited: bool,
    /// The clock's turn that found the request's first byte, ns.
    pub(super) began_ns: u64,
    pub(super) unmeasured: Unmeasured,
}

/// Requests whose answers have been queued and whose times have not been counted.
#[derive(Debug, Default)]
pub(super) struct Unmeasured {
    pub(super) count: u64,
    /// The clock's turn that found the first byte of the first of them, ns.
    pub(super) since_ns: u64,
}

/// The outcome of a read.
pub(super) enum Read {
    More,
    Nothing,
    /// The reads of this turn are used up: more may be there for the next.
    NextTurn,
    End,
    Broken(io::Error),
}

impl Session {
    /// Whether nothing of a request has come yet, and no answer is on its way.
    pub(super) fn is_blank(&self) -> bool {
        self.out.is_empty() && self.start == self.input.len()
    }

    /// Takes the result of a job that the request waits for, or its answer.
    pub(super) fn take_done(&mut self, done: Done) {
        match done {
            Done::Read { .. } | Done::Coded { .. } => self.out.take_done(done),
            Done::Refused if self.waiting.is_none() => self.out.take_done(done),
            done => self.done = Some(done),
        }
    }

    /// Makes it ready for the next request on its connection.
    pub(super) fn reset(&mut self) {
        self.ex.reset();
        (self.has_waited, self.pace) = (false, None);
    }

    /// Whether there are bytes behind the request that has just been answered.
    pub(super) fn has_pipelined(&self) -> bool {
        self.start + self.ex.taken() < self.input.len()
    }

    /// The bytes of the current request, and what is behind them.
    pub(super) fn unread(&self) -> &[u8] {
        self.input.get(self.start..).unwrap_or_default()
    }

    /// Reads what has arrived behind what is there already: one system call, or none when the socket is known to be
    /// empty. `hung_up`: the end of the stream is there to be read.
    pub(super) fn read(&mut self, wire: Wire<'_>, hung_up: bool) -> Read {
        if let Some((tls, scratch)) = wire.tls {
            return self.read_records(wire.socket, tls, scratch, hung_up);
        }
        if let Some(idle) = self.begin_read(hung_up) {
            return idle;
        }
        match self.reserve_input() {
            Ok(()) => receive(wire.socket, &mut self.input, &mut self.has_read_all),
            Err(_) => Read::Broken(Errno::ENOMEM.into()),
        }
    }

    /// Counts a read; the outcome when there is none to make.
    #[inline]
    fn begin_read(&mut self, hung_up: bool) -> Option<Read> {
        if self.has_read_all && !hung_up {
            return Some(Read::Nothing);
        }
        if self.reads == READS_A_TURN {
            return Some(Read::NextTurn);
        }
        self.reads += 1;
        None
    }

    /// Reads what has arrived behind the bytes in `received`, which no record has been made of.
    pub(super) fn read_raw(&mut self, socket: &Socket, received: &mut Vec<u8>, hung_up: bool) -> Read {
        if let Some(idle) = self.begin_read(hung_up) {
            return idle;
        }
        // `recv_into` fills the capacity: a read is short when no more is there.
        received.reserve(RECEIVE);
        receive(socket, received, &mut self.has_read_all)
    }

    /// Reads records until one of them has brought a byte of HTTP.
    fn read_records(&mut self, socket: &Socket, tls: &mut Tls, scratch: &mut Scratch, hung_up: bool) -> Read {
        self.drop_answered();
        scratch.sealed.clear();
        let before = self.input.len();
        while !tls.is_closed {
            tls.lend(&mut scratch.received);
            match self.read_raw(socket, &mut scratch.received, hung_up) {
                Read::More => {}
                other => {
                    tls.keep(&mut scratch.received, 0);
                    return other;
                }
            }
            if self.input.try_reserve(scratch.received.len()).is_err() {
                return Read::Broken(Errno::ENOMEM.into());
            }
            let taken = tls.take(&mut scratch.received, &mut scratch.sealed, &mut self.input);
            // An answer to a change of keys may wait for the next response; an alert is for a client that reads.
            let sent = self.out.send_sealed(socket, &mut scratch.sealed, false);
            if let Err(error) = taken {
                return Read::Broken(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            if let Err(error) = sent {
                return Read::Broken(error);
            }
            if self.input.len() > before {
                return Read::More;
            }
        }
        Read::End
    }

    /// Finds out whether the client has sent more than what was answered: a close with that unread is a reset, which
    /// takes the answers on their way from the client (RFC 9112, 9.6; nginx's lingering_close).
    pub(super) fn reads_more(&mut self, wire: Wire<'_>) -> bool {
        self.start < self.input.len()
            || (!self.has_read_all && matches!(self.read(wire, false), Read::More | Read::NextTurn))
    }

    /// Drops the bytes of requests that have been answered.
    fn drop_answered(&mut self) {
        if self.start > 0 {
            self.input.drain(..self.start);
            self.start = 0;
        }
    }

    fn reserve_input(&mut self) -> Result<(), TryReserveError> {
        self.drop_answered();
        // The buffer may have been that of a stream of HTTP/2, which is as long as its head.
        let is_small = self.input.capacity() < INPUT_SIZE;
        if is_small || self.input.len() == self.input.capacity() { self.input.try_reserve(INPUT_SIZE) } else { Ok(()) }
    }
}

#[inline]
fn receive(socket: &Socket, buffer: &mut Vec<u8>, has_read_all: &mut bool) -> Read {
    let room = buffer.capacity() - buffer.len();
    match socket.recv_into(buffer) {
        Ok(0) => Read::End,
        Ok(n) => {
            *has_read_all = n < room;
            Read::More
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Read::Nothing,
        Err(error) => Read::Broken(error),
    }
}
