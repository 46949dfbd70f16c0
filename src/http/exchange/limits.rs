//! How much and how long: buffers, body size, timeouts.

use crate::conf::{self, Contexts, Scope, Setting};
use crate::http::message::head::Limits;

const SERVERS: Contexts = Contexts::HTTP.union(Contexts::SERVER);

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
pub static RESET_TIMEDOUT_CONNECTION: Setting<bool> =
    Setting::flag("reset_timedout_connection").contexts(Contexts::HTTP_ALL).default("off").about(
        "Whether a connection that timed out, or is closed by `return 444`, is reset, which frees its memory in the \
         kernel at once.",
    );

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
pub(in crate::http) fn head_limits(scope: &Scope) -> Limits {
    let large = scope.get(&LARGE_CLIENT_HEADER_BUFFERS);
    let first = *scope.get(&CLIENT_HEADER_BUFFER_SIZE);
    Limits {
        line: large.size.max(first).min(LARGEST_HEAD) as usize,
        head: first.saturating_add(large.size.saturating_mul(large.number)).min(LARGEST_HEAD) as usize,
    }
}

/// The directives of this module: limits on heads and pauses.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[
    &CLIENT_HEADER_TIMEOUT,
    &CLIENT_BODY_TIMEOUT,
    &SEND_TIMEOUT,
    &RESET_TIMEDOUT_CONNECTION,
    &CLIENT_HEADER_BUFFER_SIZE,
    &LARGE_CLIENT_HEADER_BUFFERS,
    &CONNECTION_POOL_SIZE,
];
