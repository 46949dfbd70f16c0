//! Connections of HTTP/2: frames in, exchanges, frames out.
//!
//! A turn takes the frames that are there, goes on with the exchanges of the streams, lets each stream with an answer
//! send a frame at a time, and sends what is queued. The connection waits for all of its streams at once: for bytes,
//! for room in the kernel's buffer, for the first of their deadlines.

mod answers;
mod exchanges;
mod wait;

use super::Engine;
use crate::http::exchange::{Cx, http2 as lines};
use crate::http::h2::connection::Event;
use crate::http::h2::fault::Fault;
use crate::http::h2::frame::{Code, PREFACE};
use crate::log::panics;
use crate::serve::connection::{Conn, Need, State};
use crate::serve::http2::{Drain, Http2, QUEUE_MAX};
use crate::serve::output::Flush;
use crate::serve::session::{Read, Session};
use crate::serve::tls::Wire;
use std::io;

/// `QUEUE_MAX` while the client takes less than it could be sent: what is queued delays streams that are opened now.
const QUEUE_SLOW: u64 = 16 << 10;

/// Frames of the client are taken while fewer bytes wait to be sent, also when answers are not made: a stream on its
/// way must not be left out of a GOAWAY because its client is slow to read.
const REPLIES_MAX: u64 = 128 << 10;

/// Bytes that wait in the kernel, not sent yet, before it reports the socket full (TCP_NOTSENT_LOWAT): without, it
/// takes 4 MB of a large answer on loopback, behind which every new stream has to wait; with it, 0.2 MB, of which the
/// window of the client is a third. A client that reads as fast as it can costs no more system calls: 16 sends for a
/// MiB, and a wait. One that reads 16 KiB at a time with a buffer of 100 KB costs 21 and 4.
const NOTSENT_MAX: u32 = 16 << 10;

/// Bytes that one connection may send in one turn (nginx: sendfile_max_chunk, 2m).
const TURN_MAX: u64 = 2 << 20;

/// How long the client has to answer the first GOAWAY before the second follows, ms.
const DRAIN_MS: u64 = 1000;

/// The beginning of a connection that may speak HTTP/2.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    Http1,
    /// The bytes are a part of the preface.
    Unclear,
    Http2,
}

impl Engine {
    /// Tells by the first bytes of a connection what it speaks (nginx: ngx_http_wait_request_handler).
    pub(super) fn beginning(&self, conn: &Conn, session: &Session) -> Beginning {
        let unread = session.unread();
        if unread.first() != PREFACE.first() {
            return Beginning::Http1;
        }
        let (there, bound) = (unread.len().min(PREFACE.len()), conn.info.bound);
        // Within TLS it is ALPN that tells.
        let may_be = unread[..there] == PREFACE[..there]
            && !self.site.is_tls(bound)
            && self.site.speaks_http2(bound, self.site.default_server(bound));
        if !may_be {
            return Beginning::Http1;
        }
        if there == PREFACE.len() { Beginning::Http2 } else { Beginning::Unclear }
    }

    /// To `Http2`.
    pub(super) fn begin_http2(&self, conn: &mut Conn) {
        conn.state = State::Http2;
        // Best effort: a socket of the file system has no such option.
        let _ = conn.socket.set_notsent_lowat(NOTSENT_MAX);
        self.tally.http2_connections[usize::from(conn.tls.is_some())].add(1);
        let server = cx!(self, conn, &[]).first_server();
        conn.http2 = Some(Box::new(Http2::new(self.site.http2_options(server))));
    }

    pub(super) fn on_http2(&mut self, conn: &mut Conn, session: &mut Session, hung_up: bool) -> Option<Need> {
        let Some(mut http2) = conn.http2.take() else { return Some(Need::Close) };
        let advanced = panics::catch(|| self.advance_http2(conn, &mut http2, session, hung_up));
        conn.info.requests = http2.requests;
        conn.http2 = Some(http2);
        advanced.unwrap_or_else(|panic| Some(self.http2_panicked(conn, session, panic)))
    }

    fn advance_http2(
        &mut self,
        conn: &mut Conn,
        http2: &mut Http2,
        session: &mut Session,
        hung_up: bool,
    ) -> Option<Need> {
        let (most, mut read, mut sent) = (self.site.http2_reads(cx!(self, conn, &[]).first_server()), 0, 0);
        loop {
            if let Err(fault) = self.take_frames(conn, http2, session) {
                // Requests in front of it are answered, as far as nothing has to be waited for: nginx looks at each
                // frame before it reads the next.
                self.run_streams(conn, http2, &mut session.out);
                self.pump(conn, http2, &mut session.out);
                self.fail_http2(conn, http2, session, fault);
            }
            self.run_streams(conn, http2, &mut session.out);
            self.end_http2(http2, session);
            let is_cut = self.pump(conn, http2, &mut session.out);
            if self.is_starved() {
                return Some(self.http2_starved(conn, http2));
            }
            let (before, queued) = (session.out.total(), session.out.unsent());
            let options = self.send_options(conn);
            let flushed = match session.out.flush(wire!(self, conn), options) {
                Ok(flushed) => flushed,
                Err(error) => return Some(self.http2_broken(conn, http2, &error)),
            };
            if session.out.total() > before {
                http2.stalled_since_ms = None;
                sent += session.out.total() - before;
            }
            http2.taken += queued - session.out.unsent();
            http2.queue_max = match flushed {
                Flush::Blocked => QUEUE_SLOW,
                _ => QUEUE_MAX.min(http2.queue_max * 2),
            };
            if !session.out.holds_records() {
                self.finish_queued(conn, http2);
            }
            if sent >= TURN_MAX || flushed == Flush::Yield {
                return Some(Need::Turn);
            }
            // While much goes out, others may be asked for.
            let goes_on = is_cut && flushed == Flush::Done;
            session.has_read_all &= !goes_on;
            if http2.is_closing && session.out.is_empty() {
                return self.close(conn, session, true);
            }
            if http2.is_closing || session.out.unsent() >= REPLIES_MAX {
                return self.wait_http2(conn, http2, session);
            }
            if read >= most {
                return Some(Need::Turn);
            }
            let there = session.unread().len();
            match session.read(wire!(self, conn), hung_up) {
                Read::More => read += session.unread().len() - there,
                Read::Nothing if self.end_drained(http2, session) || goes_on => {}
                Read::Nothing => return self.wait_http2(conn, http2, session),
                Read::NextTurn => return Some(Need::Turn),
                Read::End => return Some(self.http2_left(conn, http2)),
                Read::Broken(error) => return Some(self.http2_broken(conn, http2, &error)),
            }
        }
    }

    /// Takes the frames that are there, unless the client leaves too much of what they were answered with.
    fn take_frames(&mut self, conn: &mut Conn, http2: &mut Http2, session: &mut Session) -> Result<(), Fault> {
        let limits = self.site.head_limits(cx!(self, conn, &[]).first_server());
        // A turn may bring a hundred requests of 32 KB each: more than a reserve of memory.
        while !http2.is_closing && session.out.unsent() < REPLIES_MAX && !self.is_starved() {
            let input = session.input.get(session.start..).unwrap_or_default();
            let received = http2.framing.receive(input, &mut self.fields, &limits, &mut session.out.bytes)?;
            let Some((taken, event)) = received else { return Ok(()) };
            session.start += taken;
            match event {
                Event::Nothing => {}
                Event::Request(request) => self.take_request(conn, http2, &request),
                Event::Body { stream, bytes } => {
                    let place = http2.framing.place_of(stream);
                    if let Some(stream) = place.and_then(|place| http2.framing.at_mut(place)) {
                        stream.data.session.ex.add_body(bytes);
                    }
                }
                Event::Reset(stream, _) => self.drop_stream(conn, stream),
                Event::Failed(stream, fault) => {
                    lines::client_fault(&cx!(self, conn, &[]), fault);
                    stream.into_iter().for_each(|stream| self.drop_stream(conn, stream));
                }
                Event::DrainSeen => http2.framing.end(Code::NoError, &mut session.out.bytes),
            }
            // Frames of a client without streams give it no more time: see `wait_http2`.
            if !http2.is_idle() && !http2.framing.is_within_block() {
                http2.partial_since_ms = None;
            }
        }
        Ok(())
    }

    /// Sends the first GOAWAY of a process that shuts down, or the only one of a connection that has carried enough.
    fn end_http2(&self, http2: &mut Http2, session: &mut Session) {
        let out = &mut session.out;
        if self.shutdown.has_begun() && !http2.framing.is_ending() {
            http2.framing.begin_end(&mut out.bytes);
            http2.drain = Drain::Queued(http2.taken + out.unsent());
        }
        // A client that has one answer to come gets the GOAWAY behind it: some take it for the end of that answer.
        let to_come = http2.framing.len() + http2.framing.held();
        if http2.is_last && to_come != 1 && !http2.framing.has_ended() {
            http2.framing.end(Code::NoError, &mut out.bytes);
        }
    }

    /// Sends the second GOAWAY to a client that has had its time to answer the first, and of which nothing more is
    /// there to be read: the streams that it opened until now are answered (RFC 9113, section 6.8). Returns whether it
    /// was due.
    fn end_drained(&self, http2: &mut Http2, session: &mut Session) -> bool {
        let now = self.clock.now_ms();
        match http2.drain {
            Drain::Queued(end) if end <= http2.taken => http2.drain = Drain::Until(now + DRAIN_MS),
            Drain::Until(until) if until <= now => {
                http2.drain = Drain::No;
                let is_due = !http2.framing.has_ended();
                http2.framing.end(Code::NoError, &mut session.out.bytes);
                return is_due;
            }
            _ => {}
        }
        false
    }

    /// Tells the client of its fault, and ends the connection.
    fn fail_http2(&mut self, conn: &mut Conn, http2: &mut Http2, session: &mut Session, fault: Fault) {
        lines::client_fault(&cx!(self, conn, &[]), fault);
        http2.framing.fail(fault, &mut session.out.bytes);
        self.stop_http2(conn, http2, session);
    }

    /// No stream goes on, and nothing more is read: what is queued goes out.
    fn stop_http2(&mut self, conn: &mut Conn, http2: &mut Http2, session: &mut Session) {
        http2.is_closing = true;
        let open: Vec<_> = http2.framing.close_all().collect();
        open.into_iter().for_each(|stream| self.drop_stream(conn, stream));
        session.start = session.input.len();
    }

    /// The client has closed.
    fn http2_left(&mut self, conn: &mut Conn, http2: &mut Http2) -> Need {
        conn.silence();
        if !http2.is_idle() {
            lines::client_closed(&cx!(self, conn, &[]));
        }
        self.drop_streams(conn, http2);
        Need::Close
    }

    fn http2_broken(&mut self, conn: &mut Conn, http2: &mut Http2, error: &io::Error) -> Need {
        conn.silence();
        lines::connection_broken(&cx!(self, conn, &[]), error);
        self.drop_streams(conn, http2);
        Need::Close
    }

    /// There is no memory to go on.
    #[cold]
    fn http2_starved(&mut self, conn: &mut Conn, http2: &mut Http2) -> Need {
        conn.silence();
        self.drop_streams(conn, http2);
        Need::Close
    }

    /// Counts and logs the answers that are not out whole.
    fn drop_streams(&mut self, conn: &mut Conn, http2: &mut Http2) {
        let streams: Vec<_> =
            http2.framing.close_all().chain(http2.queued.drain(..).map(|(_, stream)| stream)).collect();
        streams.into_iter().for_each(|stream| self.drop_stream(conn, stream));
    }

    /// The connection is closed, whatever it was doing.
    pub(super) fn http2_closing(&mut self, conn: &mut Conn) {
        if let Some(mut http2) = conn.http2.take() {
            self.drop_streams(conn, &mut http2);
        }
    }
}
