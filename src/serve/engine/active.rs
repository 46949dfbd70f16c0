//! What a connection needs while it is busy: the bytes that have come, the answers on their way.

use super::books::Unbooked;
use crate::http::exchange::{Body, Exchange};
use crate::os::Socket;
use crate::serve::file_cache::Entry;
use crate::serve::output::Output;
use std::io;
use std::sync::Arc;

/// Bytes of the buffer a connection reads into: room for a batch of pipelined requests.
pub(super) const INPUT_SIZE: usize = 16 << 10;

/// Reads a connection may make in one turn: one that always has more to say must not keep the others waiting.
pub(super) const READS_A_TURN: u32 = 16;

/// What a connection with an exchange under way needs besides; taken from a pool.
#[derive(Debug, Default)]
pub(super) struct Active {
    pub(super) input: Vec<u8>,
    /// Where in `input` the current request begins.
    pub(super) start: usize,
    pub(super) ex: Exchange,
    pub(super) out: Output,
    pub(super) entry: Option<Arc<Entry>>,
    /// The last read was short: nothing more is there until the next event.
    pub(super) drained: bool,
    /// The client has closed its side. Said once, and true in the turns to come, when bytes are left to be read.
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
    pub(super) unbooked: Unbooked,
}

/// What a read has brought.
pub(super) enum Fill {
    More,
    Nothing,
    /// In the next turn.
    Later,
    End,
    Broken(io::Error),
}

impl Active {
    /// Whether nothing of a request has come yet, and no answer is on its way.
    pub(super) fn is_blank(&self) -> bool {
        self.out.is_empty() && self.start == self.input.len()
    }

    /// Whether there are bytes behind the request that has just been answered.
    pub(super) fn has_pipelined(&self) -> bool {
        self.start + self.ex.taken() < self.input.len()
    }

    /// Reads what has arrived behind what is there already.
    pub(super) fn fill(&mut self, socket: &Socket, hung_up: bool) -> Fill {
        if self.drained && !hung_up {
            return Fill::Nothing;
        }
        if self.reads == READS_A_TURN {
            return Fill::Later;
        }
        self.reads += 1;
        self.make_room();
        let room = self.input.capacity() - self.input.len();
        match socket.recv_into(&mut self.input) {
            Ok(0) => Fill::End,
            Ok(n) => {
                self.drained = n < room;
                Fill::More
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Fill::Nothing,
            Err(error) => Fill::Broken(error),
        }
    }

    /// Whether the client has sent more than what was answered: a close with that unread is a reset, which takes the answers
    /// on their way from the client (RFC 9112, 9.6; nginx's lingering_close).
    pub(super) fn is_spoken_to(&mut self, socket: &Socket) -> bool {
        self.start < self.input.len() || (!self.drained && matches!(self.fill(socket, false), Fill::More | Fill::Later))
    }

    fn make_room(&mut self) {
        if self.start > 0 {
            self.input.drain(..self.start);
            self.start = 0;
        }
        if self.input.len() == self.input.capacity() {
            self.input.reserve(INPUT_SIZE);
        }
    }
}

/// Queues the part of a response that is in a file. Returns the bytes that will be sent from the file.
pub(super) fn queue(out: &mut Output, entry: &Arc<Entry>, body: Body) -> io::Result<u64> {
    let from_file = |out: &mut Output, start: u64, end: u64| {
        let before = out.bytes.len();
        out.push_file(entry, start, end)?;
        Ok::<u64, io::Error>(if out.bytes.len() == before { end - start } else { 0 })
    };
    match body {
        Body::None => Ok(0),
        Body::File { start, end } => from_file(out, start, end),
        Body::Parts { parts, close } => {
            let mut total = 0;
            for part in parts {
                out.bytes.extend_from_slice(&part.head);
                total += from_file(out, part.start, part.end)?;
            }
            out.bytes.extend_from_slice(&close);
            Ok(total)
        }
    }
}
