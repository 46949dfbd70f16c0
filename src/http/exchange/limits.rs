//! How much and how long: buffers, body size, timeouts, keep-alive.

use super::cx::Cx;
use crate::conf::{self, Contexts, Scope, Setting};
use crate::http::message::head::Limits;
use crate::http::site::{Location, Server};

const SERVERS: Contexts = Contexts::HTTP.union(Contexts::SERVER);

/// The two values of `keepalive_timeout`.
#[derive(Debug, Default, Clone, Copy)]
pub struct KeepaliveTimeout {
    /// How long an idle connection is kept, ms; 0: not at all.
    pub idle_ms: u64,
    /// The promise of the `Keep-Alive` header field, seconds.
    pub header_s: Option<u64>,
}

/// `keepalive_timeout`: how long an idle connection stays open, and how long the server promises.
pub static KEEPALIVE_TIMEOUT: Setting<KeepaliveTimeout> = Setting::one("keepalive_timeout", |args| {
    let header_ms = if args.len() == 2 { Some(args.time_ms(1)?) } else { None };
    Ok(KeepaliveTimeout { idle_ms: args.time_ms(0)?, header_s: header_ms.map(|ms| ms / 1000) })
})
.contexts(Contexts::HTTP_ALL)
.args(1, 2)
.syntax("TIMEOUT [HEADER_TIMEOUT]")
.default("75s")
.about(
    "How long an idle keep-alive connection stays open; 0 closes it after each response. The second value is sent to \
     the client as `Keep-Alive: timeout=`.",
);

/// `keepalive_requests`: how many requests a connection may carry.
pub static KEEPALIVE_REQUESTS: Setting<u64> = Setting::count("keepalive_requests")
    .contexts(Contexts::HTTP_ALL)
    .default("1000")
    .about("Requests that one connection may carry before it is closed.");

/// `keepalive_time`: how long a connection may carry requests, ms.
pub static KEEPALIVE_TIME: Setting<u64> = Setting::time_ms("keepalive_time")
    .contexts(Contexts::HTTP_ALL)
    .default("1h")
    .about("How long one connection may carry requests before it is closed.");

/// `client_header_timeout`: how long the whole head of a request may take to arrive, ms.
pub static CLIENT_HEADER_TIMEOUT: Setting<u64> = Setting::time_ms("client_header_timeout")
    .contexts(SERVERS)
    .default("60s")
    .about("How long a client may take to send the whole head of a request; then 408 and close.");

/// `client_body_timeout`: how long a client may pause within a body, ms.
pub static CLIENT_BODY_TIMEOUT: Setting<u64> = Setting::time_ms("client_body_timeout")
    .contexts(Contexts::HTTP_ALL)
    .default("60s")
    .about("How long a client may pause while it sends the body of a request.");

/// `send_timeout`: how long a client may pause while it takes a response, ms.
pub static SEND_TIMEOUT: Setting<u64> = Setting::time_ms("send_timeout")
    .contexts(Contexts::HTTP_ALL)
    .default("60s")
    .about("How long a client may pause while it takes a response.");

/// `reset_timedout_connection`: whether a connection that timed out is reset.
pub static RESET_TIMEDOUT_CONNECTION: Setting<bool> = Setting::flag("reset_timedout_connection")
    .contexts(Contexts::HTTP_ALL)
    .default("off")
    .about("Whether a connection that timed out is reset, which frees its memory in the kernel at once.");

/// `client_header_buffer_size`: how long a head may be before it counts against the large buffers, bytes.
pub static CLIENT_HEADER_BUFFER_SIZE: Setting<u64> = Setting::size("client_header_buffer_size")
    .contexts(SERVERS)
    .default("1k")
    .about("How long a request's head may be before it counts against large_client_header_buffers.");

/// `large_client_header_buffers`.
#[derive(Debug, Default, Clone, Copy)]
pub struct LargeBuffers {
    number: u64,
    size: u64,
}

/// `large_client_header_buffers`: how long the lines and the head of a request may be.
pub static LARGE_CLIENT_HEADER_BUFFERS: Setting<LargeBuffers> = Setting::one("large_client_header_buffers", |args| {
    let Some(number @ 1..) = conf::parse_count(args.str(0)?) else {
        return Err(args.invalid(0, "value", "a number of buffers, 1 or more"));
    };
    let Some(size @ 1..) = conf::parse_size(args.str(1)?) else {
        return Err(args.invalid(1, "value", "a size in bytes, such as 8k"));
    };
    Ok(LargeBuffers { number, size })
})
.contexts(SERVERS)
.args(2, 2)
.syntax("NUMBER SIZE")
.default("4 8k")
.about(
    "The request line may be as long as one such buffer (else 414), so may each header field, and the whole head as \
     long as all of them (else 431).",
);

/// The least that nginx takes for a pool, and what it must be a multiple of, bytes (`NGX_MIN_POOL_SIZE`,
/// `NGX_POOL_ALIGNMENT`).
const MIN_POOL_SIZE: u64 = 112;
const POOL_ALIGNMENT: u64 = 16;

/// `connection_pool_size`: the least size of a large header buffer, bytes.
pub static CONNECTION_POOL_SIZE: Setting<u64> = Setting::one("connection_pool_size", |args| match args.size(0)? {
    size if size < MIN_POOL_SIZE => Err(args.bad(0, format!("the pool size must be no less than {MIN_POOL_SIZE}"))),
    size if size % POOL_ALIGNMENT > 0 => {
        Err(args.bad(0, format!("the pool size must be a multiple of {POOL_ALIGNMENT}")))
    }
    size => Ok(size),
})
.contexts(SERVERS)
.args(1, 1)
.syntax("SIZE")
.default("512")
.about(
    "Buffers of large_client_header_buffers can't be smaller. Apart from that it changes nothing: the memory of a \
     connection is reused by the next, whatever its size.",
);

/// Fails where the header buffers of a server are smaller than its pool, as in nginx (`ngx_http_core_merge_srv_conf`).
pub(in crate::http) fn check(scope: &Scope) -> Result<(), conf::Error> {
    let (size, pool) = (scope.get(&LARGE_CLIENT_HEADER_BUFFERS).size, *scope.get(&CONNECTION_POOL_SIZE));
    let said = scope.span_of(&LARGE_CLIENT_HEADER_BUFFERS).or(scope.span_of(&CONNECTION_POOL_SIZE));
    match said {
        Some(span) if size < pool => {
            let message =
                "the \"large_client_header_buffers\" size must be equal to or greater than \"connection_pool_size\"";
            Err(conf::Error::at(span, message).help(format!("{pool} bytes at least, not {size}")))
        }
        _ => Ok(()),
    }
}

/// Bytes; a [`Span`](crate::http::message::head::Span) counts in 32 bits.
const LARGEST_HEAD: u64 = 1 << 30;

/// The limits on a request's head; those of the listening socket's default server, since the name is not known yet.
pub(in crate::http) fn head_limits(server: &Server) -> Limits {
    let large = server.scope.get(&LARGE_CLIENT_HEADER_BUFFERS);
    let first = *server.scope.get(&CLIENT_HEADER_BUFFER_SIZE);
    Limits {
        line: large.size.max(first).min(LARGEST_HEAD) as usize,
        head: first.saturating_add(large.size.saturating_mul(large.number)).min(LARGEST_HEAD) as usize,
    }
}

/// Whether the conf lets this connection go on after this request.
pub(in crate::http) fn may_keep_alive(cx: &Cx, location: &Location) -> bool {
    location.scope.get(&KEEPALIVE_TIMEOUT).idle_ms > 0
        && u64::from(cx.conn.requests) < *location.scope.get(&KEEPALIVE_REQUESTS)
        && cx.clock.now_ms().saturating_sub(cx.conn.opened_ms) < *location.scope.get(&KEEPALIVE_TIME)
}

/// The directives of this module: limits on connections, heads and pauses.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[
    &KEEPALIVE_TIMEOUT,
    &KEEPALIVE_REQUESTS,
    &KEEPALIVE_TIME,
    &CLIENT_HEADER_TIMEOUT,
    &CLIENT_BODY_TIMEOUT,
    &SEND_TIMEOUT,
    &RESET_TIMEDOUT_CONNECTION,
    &CLIENT_HEADER_BUFFER_SIZE,
    &LARGE_CLIENT_HEADER_BUFFERS,
    &CONNECTION_POOL_SIZE,
];
