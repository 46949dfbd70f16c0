//! The handshake of TLS, in front of the first request: a state like any other, which waits for nothing but its client.
//! A client that speaks HTTP instead is told so by its first request.

use super::Engine;
use crate::http::exchange::secure::{Checked, Offered, Secure, Transport};
use crate::http::exchange::{Cx, error_lines};
use crate::http::message::{host, tls_names};
use crate::http::site::captured::Captured;
use crate::os::memory;
use crate::serve::connection::{Conn, Need, State};
use crate::serve::session::{Read, Session};
use crate::serve::tls::Tls;
use crate::shm::HandshakeEnd;
use crate::tls::hello::{self, Hello, Parse};
use crate::tls::{Endpoint, HTTP2, Refused};
use rustls::{Error, HandshakeKind, HandshakeType, ProtocolVersion, ServerConfig};
use std::sync::Arc;

/// Bytes that there must be for a step of a handshake: AWS-LC asks the C library, which has no reserve. Without them
/// the client gets an alert by which its own message is at fault, or aws-lc-rs panics.
const MEMORY: usize = 64 << 10;

impl Engine {
    /// Goes on with the handshake, to `Request`. `None`: the state has changed, or more may be there.
    pub(super) fn on_handshake(&mut self, conn: &mut Conn, session: &mut Session, hung_up: bool) -> Option<Need> {
        self.scratch.sealed.clear();
        if let Some(need) = self.send_flight(conn, session) {
            return Some(need);
        }
        let received = &mut self.scratch.received;
        match &mut conn.tls {
            Some(tls) => tls.lend(received),
            None => received.clear(),
        }
        // Bytes behind a header of the PROXY protocol have been read with it.
        let read = if session.start < session.input.len() {
            received.extend_from_slice(session.unread());
            session.input.clear();
            session.start = 0;
            Read::More
        } else {
            session.read_raw(&conn.socket, received, hung_up)
        };
        if !matches!(read, Read::More)
            && let Some(tls) = &mut conn.tls
        {
            tls.keep(received, 0);
        }
        match read {
            Read::More => {}
            Read::Nothing => return Some(Need::Idle),
            Read::NextTurn => return Some(Need::Turn),
            Read::End => return Some(self.handshake_abandoned(conn, None)),
            Read::Broken(error) => return Some(self.handshake_abandoned(conn, Some(&error))),
        }
        if conn.tls.is_none() && !self.scratch.received.first().copied().is_some_and(hello::begins) {
            conn.info.transport = Transport::PlainAtTls;
            conn.state = State::Request;
            session.input.extend_from_slice(&self.scratch.received);
            self.reset(session);
            return None;
        }
        let tls = conn.tls.get_or_insert_default();
        // The type of a first message that is no hello.
        let mut other = None;
        if !tls.has_begun() {
            let hello = match hello::parse(&self.scratch.received) {
                Parse::Partial => {
                    tls.keep(&mut self.scratch.received, 0);
                    return None;
                }
                Parse::Whole(hello) => *hello,
                Parse::Not => {
                    other = self.scratch.received.get(hello::TYPE_AT).copied();
                    Hello::default()
                }
            };
            if let Err(end) = self.begin_handshake(conn, hello) {
                self.tally.count_handshake_end(end);
            }
        }
        // Also of the reserve: a thread that has got it together may find no more for as long as the limit lasts.
        if !memory::make_room(MEMORY) {
            self.tally.count_handshake_end(HandshakeEnd::Other);
            return Some(Need::Close);
        }
        self.take_records(conn, session);
        if let Some(kind) = other {
            self.refuse_message(conn, kind);
        }
        if let Some(need) = self.send_flight(conn, session) {
            return Some(need);
        }
        if conn.tls.as_ref().is_some_and(|tls| tls.is_established) {
            self.finish_handshake(conn);
        }
        None
    }

    /// Sends what there is to be said. `None`: all of it is out, and the handshake goes on.
    fn send_flight(&mut self, conn: &mut Conn, session: &mut Session) -> Option<Need> {
        match session.out.send_sealed(&conn.socket, &mut self.scratch.sealed, false) {
            Ok(true) if conn.tls.as_ref().is_some_and(|tls| tls.is_silent) => {
                // Best effort: the alert is followed by the end.
                let _ = conn.socket.shutdown_write();
                Some(Need::Close)
            }
            Ok(true) => None,
            Ok(false) => Some(Need::Write),
            Err(error) => Some(self.handshake_abandoned(conn, Some(&error))),
        }
    }

    /// Chooses the server by the name in the hello, and begins with its settings (`ngx_http_ssl_servername`).
    ///
    /// # Errors
    /// The handshake has ended.
    fn begin_handshake(&mut self, conn: &mut Conn, hello: Hello) -> Result<(), HandshakeEnd> {
        let default = self.site.default_server(conn.info.bound);
        let name = hello.server_name.as_deref().and_then(host::parse).map(|named| named.host);
        let named = name.and_then(|name| {
            self.site.find_server(conn.info.bound, name, &mut Captured::default()).unwrap_or_default()
        });
        let name = name.and_then(|name| std::str::from_utf8(name).ok()).map(str::to_ascii_lowercase);
        let shown = self.site.shows_offers();
        let offered = shown.then(|| Box::new(Offered { ciphers: hello.ciphers, groups: hello.groups }));
        conn.info.transport = Transport::Tls(Arc::new(Secure {
            server: named,
            name: hello.server_name.map(Vec::into_boxed_slice),
            offered,
            session_id: hello.session_id.into_boxed_slice(),
            ..Secure::default()
        }));
        let Some(tls) = &mut conn.tls else { return Ok(()) };
        let of_name = named.and_then(|named| self.endpoints.of_server(named));
        let Some(endpoint) = of_name.or_else(|| self.endpoints.of_server(default)) else {
            tls.reject(&mut self.scratch.sealed);
            return Err(HandshakeEnd::Rejected);
        };
        tls.record_size = endpoint.buffer_size();
        tls.began_ns = self.clock.turn_ns();
        let cx = cx!(self, conn, &[]);
        let speaks_http2 = self.site.speaks_http2(conn.info.bound, named.unwrap_or(default));
        match endpoint.config(name.as_deref(), speaks_http2) {
            Ok(config) => begin(tls, config, &cx),
            Err(Refused::Rejected) => {
                error_lines::secure::handshake_rejected(&cx);
                tls.reject(&mut self.scratch.sealed);
                Err(HandshakeEnd::Rejected)
            }
            Err(Refused::Certificate(sentence)) => {
                error_lines::secure::handshake_without_certificate(&cx, &sentence);
                tls.fail(&mut self.scratch.sealed);
                Err(HandshakeEnd::Other)
            }
        }
    }

    /// Gives rustls the records that have come.
    fn take_records(&mut self, conn: &mut Conn, session: &mut Session) {
        let Some(tls) = conn.tls.as_mut().filter(|tls| tls.has_begun()) else { return };
        let taken = tls.take(&mut self.scratch.received, &mut self.scratch.sealed, &mut session.input);
        if let Err(error) = taken {
            error_lines::secure::handshake_failed(&cx!(self, conn, &[]), is_own(&error), &error);
            self.tally.count_handshake_end(end_of(&error));
        }
    }

    /// Ends a handshake that begins with another message than a hello, where rustls has no alert for it: it waits for
    /// the whole of the message, or finds it too long.
    fn refuse_message(&mut self, conn: &mut Conn, kind: u8) {
        let Some(tls) = conn.tls.as_mut().filter(|_| self.scratch.sealed.bytes().is_empty()) else { return };
        let has_failed = tls.is_silent;
        tls.refuse_message(&mut self.scratch.sealed);
        if !has_failed {
            let (expect_types, got_type) = (vec![HandshakeType::ClientHello], HandshakeType::from(kind));
            let error = Error::InappropriateHandshakeMessage { expect_types, got_type };
            error_lines::secure::handshake_failed(&cx!(self, conn, &[]), false, &error);
            self.tally.count_handshake_end(end_of(&error));
        }
    }

    /// To `Request`, or to `Http2`, with what the handshake has settled.
    fn finish_handshake(&mut self, conn: &mut Conn) {
        conn.state = State::Request;
        let began_ns = conn.tls.as_ref().map_or(0, |tls| tls.began_ns);
        let Some(tls) = conn.tls.as_deref().and_then(Tls::session) else { return };
        let begun = std::mem::take(&mut conn.info.transport);
        let Transport::Tls(secure) = begun else { return };
        let mut secure = Arc::unwrap_or_clone(secure);
        let is_reused = tls.handshake_kind() == Some(HandshakeKind::Resumed);
        let version = tls.protocol_version().map_or(0, u16::from);
        let is_12 = tls.protocol_version() == Some(ProtocolVersion::TLSv1_2);
        secure.protocol = tls_names::version(version);
        let suite = tls.negotiated_cipher_suite().map_or(0, |suite| u16::from(suite.suite()));
        secure.cipher = tls_names::cipher(suite).unwrap_or_default();
        let group = tls.negotiated_key_exchange_group().map(|group| u16::from(group.name()));
        secure.curve = group.and_then(tls_names::group).unwrap_or_default();
        secure.alpn = tls.alpn_protocol().map(Box::from);
        secure.is_reused = is_reused;
        if !(is_reused && is_12) {
            secure.session_id = Box::default();
        }
        let server = secure.server.unwrap_or_else(|| self.site.default_server(conn.info.bound));
        if let (Some(endpoint), Some(chain)) = (self.endpoint(server, conn), tls.peer_certificates()) {
            secure.checked = endpoint.check_client(chain, self.clock.unix_ms() / 1000);
            secure.client = chain.first().map(|leaf| Arc::new(endpoint.client_certificate(leaf)));
        }
        debug_assert!(secure.client.is_some() || secure.checked == Checked::None);
        conn.info.transport = Transport::Tls(Arc::new(secure));
        conn.location = self.site.server(server).own as u32;
        self.tally.count_handshake(is_12, is_reused);
        if self.site.shows_times() {
            self.tally.count_handshake_time(is_reused, self.clock.since_ns(began_ns));
        }
        if conn.alpn() == Some(HTTP2) {
            self.begin_http2(conn);
        }
    }

    /// The settings that the handshake was made with.
    fn endpoint(&self, server: usize, conn: &Conn) -> Option<&Endpoint> {
        let default = || self.endpoints.of_server(self.site.default_server(conn.info.bound));
        self.endpoints.of_server(server).or_else(default)
    }

    /// The client has gone, or its connection has failed.
    fn handshake_abandoned(&mut self, conn: &mut Conn, error: Option<&std::io::Error>) -> Need {
        error_lines::secure::handshake_abandoned(&cx!(self, conn, &[]), conn.tls.is_some(), error);
        if conn.tls.is_some() {
            self.tally.count_handshake_end(HandshakeEnd::Closed);
        }
        conn.silence();
        Need::Close
    }

    /// The handshake took too long.
    pub(super) fn handshake_timed_out(&mut self, conn: &mut Conn) -> Need {
        error_lines::secure::handshake_timed_out(&cx!(self, conn, &[]));
        if conn.tls.is_some() {
            self.tally.count_handshake_end(HandshakeEnd::TimedOut);
        }
        conn.silence();
        if let Some(session) = conn.session.take() {
            self.recycle(session);
        }
        Need::Close
    }
}

fn begin(tls: &mut Tls, config: Arc<ServerConfig>, cx: &Cx) -> Result<(), HandshakeEnd> {
    tls.begin(config).map_err(|error| {
        error_lines::secure::handshake_failed(cx, true, &error);
        tls.is_silent = true;
        HandshakeEnd::Other
    })
}

/// Whether no client should be able to cause the error.
fn is_own(error: &Error) -> bool {
    matches!(error, Error::General(_) | Error::FailedToGetRandomBytes | Error::FailedToGetCurrentTime)
}

fn end_of(error: &Error) -> HandshakeEnd {
    match error {
        Error::AlertReceived(_) => HandshakeEnd::Alert,
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => HandshakeEnd::NothingCommon,
        Error::InvalidMessage(_)
        | Error::PeerMisbehaved(_)
        | Error::DecryptError
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerSentOversizedRecord => HandshakeEnd::Malformed,
        _ => HandshakeEnd::Other,
    }
}
