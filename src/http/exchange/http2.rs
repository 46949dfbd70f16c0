//! HTTP/2: its directives, the beginning of its exchanges, and the lines of its connections in the error log
//! (`ngx_http_v2_module.c`).

use super::cx::{Cx, HttpConf};
use super::keep_alive;
use super::state::Exchange;
use crate::conf::{self, Contexts, Setting};
use crate::http::h2::connection::Options;
use crate::http::h2::fault::Fault;
use crate::http::h2::frame::MAX_31;
use crate::http::message::head::{Framing, Head, Limits, Version};
use crate::log::panics::Panic;
use crate::log::{self, LogRef, Origin};
use crate::os::ErrnoText;
use std::fmt;
use std::io;

const SERVERS: Contexts = Contexts::HTTP.union(Contexts::SERVER);

/// The smallest `http2_recv_buffer_size` that nginx takes, less 1 (`NGX_HTTP_V2_STATE_BUFFER_SIZE`).
const SMALLEST_BUFFER: u64 = 16;

/// The largest payload of a frame (`NGX_HTTP_V2_MAX_FRAME_SIZE`).
const LARGEST_FRAME: u64 = (1 << 24) - 1;

/// `http2`: whether clients may speak HTTP/2.
pub static HTTP2: Setting<bool> = Setting::flag("http2").contexts(SERVERS).default("off").about(
    "Whether clients may speak HTTP/2, beside HTTP/1 on the same port: over TLS where they offer it (ALPN), in clear \
     where they begin with its preface (h2c with prior knowledge; an Upgrade from HTTP/1 is ignored). When a \
     connection begins, that of the server counts that the TLS hello names, else that of the address's default \
     server; a request for another server that has it off gets a 421.",
);

/// `http2_max_concurrent_streams`: how many requests of a connection are answered at a time.
pub static HTTP2_MAX_CONCURRENT_STREAMS: Setting<u64> = Setting::count("http2_max_concurrent_streams")
    .contexts(SERVERS)
    .default("128")
    .about("Requests of one connection that are answered at a time; more are refused, to be asked again.");

/// `http2_body_preread_size`: how much of a body a client may send before some of it is taken.
pub static HTTP2_BODY_PREREAD_SIZE: Setting<u64> = Setting::one("http2_body_preread_size", |args| {
    let size = args.size(0)?;
    if size > u64::from(MAX_31) {
        return Err(args.bad(0, format!("the maximum body preread buffer size is {MAX_31}")));
    }
    Ok(size)
})
.contexts(SERVERS)
.args(1, 1)
.syntax("SIZE")
.default("64k")
.about("Bytes of a request's body that may be on their way: the window of a stream. Bodies are dropped as they come.");

/// `http2_chunk_size`: how much of an answer goes out before another answer has its turn.
pub static HTTP2_CHUNK_SIZE: Setting<u64> = Setting::one("http2_chunk_size", |args| match args.size(0)? {
    0 => Err(args.bad(0, "the http2 chunk size cannot be zero")),
    size => Ok(size.min(LARGEST_FRAME)),
})
.contexts(Contexts::HTTP_ALL)
.args(1, 1)
.syntax("SIZE")
.default("8k")
.about("The largest frame of an answer's body: between two of one answer, each other has its turn.");

/// `http2_recv_buffer_size`: how much is read of a connection before another has its turn.
pub static HTTP2_RECV_BUFFER_SIZE: Setting<u64> = Setting::one("http2_recv_buffer_size", |args| {
    let size = args.size(0)?;
    if size <= SMALLEST_BUFFER {
        return Err(args.bad(0, "\"http2_recv_buffer_size\" directive value is too small"));
    }
    Ok(size)
})
.contexts(Contexts::HTTP)
.args(1, 1)
.syntax("SIZE")
.default("256k")
.about("Bytes that are read of one HTTP/2 connection before another has its turn.");

impl HttpConf {
    /// Whether connections to a listen address may speak HTTP/2 that begin with this server: the default one, or that
    /// of the hello.
    pub fn speaks_http2(&self, bound: usize, server: usize) -> bool {
        *self.server(server).scope.get(&HTTP2) || self.listens_http2(bound)
    }

    /// How connections are to be that begin with a server.
    pub fn http2_options(&self, server: usize) -> Options {
        let scope = &self.server(server).scope;
        let max_streams = usize::try_from(*scope.get(&HTTP2_MAX_CONCURRENT_STREAMS)).unwrap_or(usize::MAX);
        let window = u32::try_from(*scope.get(&HTTP2_BODY_PREREAD_SIZE)).unwrap_or(MAX_31);
        Options { max_streams, window }
    }

    /// The limits on the heads of requests on a connection that began with a server.
    pub fn head_limits(&self, server: usize) -> Limits {
        self.server(server).rules.head_limits
    }

    /// Bytes that are read of a connection in a turn.
    pub fn http2_reads(&self, server: usize) -> usize {
        let scope = &self.server(server).scope;
        usize::try_from(*scope.get(&HTTP2_RECV_BUFFER_SIZE)).unwrap_or(usize::MAX)
    }
}

impl Exchange {
    /// Takes a head that came in frames.
    pub fn set_head(&mut self, head: &mut Head, len: usize) {
        std::mem::swap(&mut self.head, head);
        (self.account.head_len, self.account.head_counted) = (len, len);
    }

    /// Whether the exchange is one of HTTP/2.
    pub(in crate::http) fn is_http2(&self) -> bool {
        self.head.version == Version::Http20
    }

    /// Whether the server that the request is for speaks HTTP/2 on this connection.
    pub(in crate::http) fn may_speak_http2(&self, cx: &Cx) -> bool {
        *self.server_of(cx).scope.get(&HTTP2) || cx.conf.listens_http2(cx.conn.bound)
    }

    /// The protocol that the request names (`$server_protocol`); empty if there is none.
    pub fn protocol<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        self.head.version_text.of(input)
    }

    /// The Content-Length of the request.
    pub fn content_length(&self) -> Option<u64> {
        match self.head.framing {
            Framing::Length(length) => Some(length),
            _ => None,
        }
    }

    /// Counts bytes of the request's body that have come and been dropped.
    pub fn add_body(&mut self, bytes: u64) {
        self.account.body_bytes += bytes;
    }

    /// Forgets what the answer's head and body count as HTTP/1, as frames are counted when they are made. Returns the
    /// length of the head.
    pub fn begin_frames(&mut self) -> usize {
        self.account.bytes_sent = 0;
        std::mem::take(&mut self.account.head_sent) as usize
    }

    /// Counts a frame of the answer: bytes of its head, or of a header block, and bytes of the body.
    pub fn add_frame(&mut self, head: usize, body: usize) {
        self.account.head_sent += head as u64;
        self.account.bytes_sent += (head + body) as u64;
    }

    /// Bytes of one frame of the answer's body at most.
    pub fn chunk_size(&self, cx: &Cx) -> usize {
        *self.location_of(cx).scope.get(&HTTP2_CHUNK_SIZE) as usize
    }

    /// Whether the connection may carry more requests than those up to this one.
    pub fn lets_connection_go_on(&self, cx: &Cx) -> bool {
        !cx.is_full && keep_alive::is_kept(&self.location_of(cx).rules.kept, cx)
    }
}

/// A connection, in the words of `ngx_http_log_error`.
struct Connection<'a>(&'a Cx<'a>);

impl Origin for Connection<'_> {
    fn log(&self) -> LogRef {
        let Connection(cx) = self;
        cx.conf.location(cx.conf.server(cx.conf.default_server(cx.conn.bound)).own).error_log
    }

    fn connection(&self) -> u64 {
        self.0.conn.number
    }

    fn context(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Connection(cx) = self;
        f.write_str(" while processing HTTP/2 connection")?;
        match cx.conn.peer.ip() {
            Some(ip) => write!(f, ", client: {ip}")?,
            None => write!(f, ", client: unix:")?,
        }
        write!(f, ", server: {}", cx.conf.bound_addr(cx.conn.bound))
    }
}

/// A fault of the client's.
pub fn client_fault(cx: &Cx, fault: Fault) {
    log::info!(at: Connection(cx), "{fault}");
}

/// The client has sent nothing, or taken nothing, for too long.
pub fn client_timed_out(cx: &Cx) {
    log::info!(at: Connection(cx), "client timed out (110: Connection timed out)");
}

/// The client has closed while answers were on their way.
pub fn client_closed(cx: &Cx) {
    log::info!(at: Connection(cx), "client prematurely closed connection");
}

/// The handling of the connection has panicked.
pub(crate) fn panicked(cx: &Cx, panic: &Panic) {
    log::alert!(at: Connection(cx), "{panic}");
}

/// The socket has failed.
pub fn connection_broken(cx: &Cx, error: &io::Error) {
    log::info!(at: Connection(cx), "connection to client failed ({})", ErrnoText(error));
}

/// The directives of this module.
pub static DIRECTIVES: &[&dyn conf::Entry] =
    &[&HTTP2, &HTTP2_MAX_CONCURRENT_STREAMS, &HTTP2_BODY_PREREAD_SIZE, &HTTP2_CHUNK_SIZE, &HTTP2_RECV_BUFFER_SIZE];
