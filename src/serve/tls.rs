//! TLS on a connection: rustls' unbuffered connection, which turns bytes into bytes, between the socket and the buffers
//! of a session. An idle connection keeps rustls' state and nothing else.

use crate::os::Socket;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus};
use rustls::{Error, PeerIncompatible, ServerConfig};
use std::io;
use std::sync::Arc;

/// Bytes read at once: a record of 16 KiB, its head and what encryption adds to it (RFC 8446, 5.2), and the next head.
pub(super) const RECEIVE: usize = (16 << 10) + 512;

/// Room that encryption takes of each record: head, type, nonce and tag, rounded up.
const RECORD_OVERHEAD: usize = 64;

/// Bytes of a close_notify, encrypted: at most so many.
const ALERT_MAX: usize = 64;

/// The alert `unrecognized_name`, which is fatal (RFC 6066, 3), in a record of its own.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// The alert `unexpected_message`, in a record of its own.
const UNEXPECTED_MESSAGE: [u8; 7] = [21, 3, 3, 0, 2, 2, 10];

/// The alert `internal_error`, in a record of its own.
const INTERNAL_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// The alert `handshake_failure`, in a record of its own.
const HANDSHAKE_FAILURE: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];

/// rustls' words where a client of TLS 1.2 has the kind of the server's key, but none of its signatures: it ends the
/// handshake without an alert, as if the server were to blame.
const NO_SIGNATURE: &str = "incompatible signing key";

/// TLS on a connection.
#[derive(Default)]
pub(super) struct Tls {
    /// `None`: the hello is not whole.
    conn: Option<Box<UnbufferedServerConnection>>,
    /// Bytes of a record, or of a hello, that is not whole.
    pending: Vec<u8>,
    /// They are in the buffer that is being read into.
    has_lent: bool,
    /// When the turn began in which the hello was whole, nanoseconds of the clock that never jumps.
    pub(super) began_ns: u64,
    /// The most bytes of an answer in one record.
    pub(super) record_size: usize,
    /// The handshake is over.
    pub(super) is_established: bool,
    /// The client has said that it sends no more.
    pub(super) is_closed: bool,
    /// The connection ends without another word: it has failed, or has said goodbye.
    pub(super) is_silent: bool,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("is_established", &self.is_established).finish_non_exhaustive()
    }
}

/// Memory for the work on one connection at a time.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Bytes from the socket, behind those that were pending.
    pub(super) received: Vec<u8>,
    /// A record's worth of an answer whose bytes lie in several places.
    pub(super) plain: Vec<u8>,
    /// Records that are to be sent next. Cleared first: an error may have left another connection's.
    pub(super) sealed: Sealed,
}

/// Bytes ready for the socket.
#[derive(Debug, Default)]
pub(super) struct Sealed {
    /// Only grows, so that no byte of it is set to 0 more than once.
    buffer: Vec<u8>,
    used: usize,
}

impl Sealed {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.used]
    }

    pub(super) fn clear(&mut self) {
        self.used = 0;
    }

    /// Room for `least` bytes at least.
    fn room(&mut self, least: usize) -> &mut [u8] {
        if self.buffer.len() < self.used + least {
            self.buffer.resize(self.used + least, 0);
        }
        &mut self.buffer[self.used..]
    }

    fn put(&mut self, bytes: &[u8]) {
        self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.used += bytes.len();
    }
}

/// The socket of a connection, and its TLS with the memory to work in, if it has that.
pub(super) struct Wire<'a> {
    pub(super) socket: &'a Socket,
    pub(super) tls: Option<(&'a mut Tls, &'a mut Scratch)>,
}

impl<'a> Wire<'a> {
    /// A connection that can't have TLS.
    pub(super) fn plain(socket: &'a Socket) -> Wire<'a> {
        Wire { socket, tls: None }
    }
}

impl Tls {
    /// The bytes that have come are a whole hello, or none at all, which rustls tells the client in its way.
    pub(super) fn begin(&mut self, config: Arc<ServerConfig>) -> Result<(), Error> {
        self.conn = Some(Box::new(UnbufferedServerConnection::new(config)?));
        Ok(())
    }

    /// Whether the hello has come.
    pub(super) fn has_begun(&self) -> bool {
        self.conn.is_some()
    }

    /// The handshake's results.
    pub(super) fn session(&self) -> Option<&UnbufferedServerConnection> {
        self.conn.as_deref()
    }

    /// Whether a part of a record, or of a hello, has come.
    pub(super) fn has_part(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Lends the pending bytes to a buffer, in which others may follow them. No copy: they may come one by one.
    pub(super) fn lend(&mut self, received: &mut Vec<u8>) {
        received.clear();
        if self.has_part() {
            std::mem::swap(received, &mut self.pending);
            self.has_lent = true;
        }
    }

    /// Takes the bytes back behind the first `used` ones.
    pub(super) fn keep(&mut self, received: &mut Vec<u8>, used: usize) {
        let rest = match used {
            0 if self.has_lent => std::mem::take(received),
            used => received.get(used..).unwrap_or_default().to_vec(),
        };
        if std::mem::take(&mut self.has_lent) {
            std::mem::swap(received, &mut self.pending);
        }
        self.pending = rest;
    }

    /// Ends a handshake whose name no server has.
    pub(super) fn reject(&mut self, sealed: &mut Sealed) {
        sealed.put(&UNRECOGNIZED_NAME);
        self.is_silent = true;
    }

    /// Ends a handshake whose first message is no hello.
    pub(super) fn refuse_message(&mut self, sealed: &mut Sealed) {
        sealed.put(&UNEXPECTED_MESSAGE);
        self.is_silent = true;
    }

    /// Ends a handshake that can't be answered.
    pub(super) fn fail(&mut self, sealed: &mut Sealed) {
        sealed.put(&INTERNAL_ERROR);
        self.is_silent = true;
    }

    /// Takes records in: their content goes to `plain`, answers of TLS itself to `sealed`, and a record that is not
    /// whole stays pending.
    ///
    /// # Errors
    /// The connection has failed; the alert that says so is in `sealed`.
    pub(super) fn take(
        &mut self,
        received: &mut Vec<u8>,
        sealed: &mut Sealed,
        plain: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let Some(conn) = &mut self.conn else { return Ok(()) };
        let mut used = 0;
        let taken = loop {
            let UnbufferedStatus { mut discard, state, .. } = conn.process_tls_records(&mut received[used..]);
            let is_over = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    let mut broken = None;
                    while let Some(record) = traffic.next_record() {
                        match record {
                            Ok(record) => {
                                discard += record.discard;
                                plain.extend_from_slice(record.payload);
                            }
                            Err(error) => broken = Some(error),
                        }
                    }
                    broken.map(Err)
                }
                Ok(ConnectionState::EncodeTlsData(mut message)) => encode(&mut message, sealed).err().map(Err),
                Ok(ConnectionState::TransmitTlsData(sent)) => {
                    sent.done();
                    None
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.is_closed = true;
                    None
                }
                Ok(_) => Some(Ok(())),
                Err(error) => Some(Err(error)),
            };
            used += discard;
            if let Some(over) = is_over {
                break over;
            }
        };
        if taken.is_err() {
            say_why(conn, &mut received[used..], sealed);
            self.is_silent = true;
        }
        self.is_established = !conn.is_handshaking();
        self.keep(received, used);
        match taken {
            Err(Error::General(words)) if words == NO_SIGNATURE => {
                sealed.put(&HANDSHAKE_FAILURE);
                Err(PeerIncompatible::NoSignatureSchemesInCommon.into())
            }
            taken => taken,
        }
    }

    /// Encrypts a record's worth of an answer.
    pub(super) fn seal(&mut self, plain: &[u8], sealed: &mut Sealed) -> io::Result<()> {
        let sent = self.speak(sealed, |traffic, sealed| {
            let mut room = plain.len() + RECORD_OVERHEAD;
            loop {
                match traffic.encrypt(plain, sealed.room(room)) {
                    Ok(length) => {
                        sealed.used += length;
                        return Ok(());
                    }
                    Err(EncryptError::InsufficientSize(size)) if size.required_size > room => room = size.required_size,
                    Err(error) => return Err(io::Error::other(error)),
                }
            }
        });
        sent.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into()))
    }

    /// Says that nothing more will be sent (RFC 8446, 6.1), once, unless the connection has failed.
    pub(super) fn say_goodbye(&mut self, sealed: &mut Sealed) {
        if self.is_silent || !self.is_established {
            return;
        }
        self.is_silent = true;
        let _ = self.speak(sealed, |traffic, sealed| {
            if let Ok(length) = traffic.queue_close_notify(sealed.room(ALERT_MAX)) {
                sealed.used += length;
            }
            Ok(())
        });
    }

    /// Calls `speak` when rustls lets an answer out, behind what it has to say itself.
    fn speak(
        &mut self,
        sealed: &mut Sealed,
        speak: impl FnOnce(
            &mut rustls::unbuffered::WriteTraffic<'_, rustls::server::ServerConnectionData>,
            &mut Sealed,
        ) -> io::Result<()>,
    ) -> Option<io::Result<()>> {
        let conn = self.conn.as_mut()?;
        loop {
            // rustls has looked at what is pending, and finds a message that has not come whole in its place there.
            match conn.process_tls_records(&mut self.pending).state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => return Some(speak(&mut traffic, sealed)),
                Ok(ConnectionState::EncodeTlsData(mut message)) => encode(&mut message, sealed).ok()?,
                Ok(ConnectionState::TransmitTlsData(sent)) => sent.done(),
                Ok(ConnectionState::PeerClosed) => self.is_closed = true,
                _ => return None,
            }
        }
    }
}

/// Takes a message of rustls' own out of it.
fn encode(
    message: &mut EncodeTlsData<'_, rustls::server::ServerConnectionData>,
    sealed: &mut Sealed,
) -> Result<(), Error> {
    let mut room = 0;
    loop {
        match message.encode(sealed.room(room)) {
            Ok(length) => {
                sealed.used += length;
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(size)) if size.required_size > room => room = size.required_size,
            Err(error) => return Err(Error::General(error.to_string())),
        }
    }
}

/// Takes out the alert of a connection that has failed, and all in front of it. No call more than that: it would meet
/// the error again, and rustls asserts that it sends one alert.
fn say_why(conn: &mut UnbufferedServerConnection, received: &mut [u8], sealed: &mut Sealed) {
    while conn.wants_write() {
        match conn.process_tls_records(received).state {
            Ok(ConnectionState::EncodeTlsData(mut message)) => {
                if encode(&mut message, sealed).is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}
