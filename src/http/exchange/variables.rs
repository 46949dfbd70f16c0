//! The variables: one line each in a table. A log field is a variable.

use crate::http::exchange::{Cx, Exchange};
use crate::http::message::head::Method;
use crate::http::phases::files;
use crate::os::Addr;
use std::io::Write;

type Get = fn(&Exchange, &Cx, &mut Vec<u8>) -> bool;

/// One variable of the table. Its function appends the value, or says `false` when there is none.
pub struct Variable {
    pub name: &'static str,
    /// What it holds, for the reference.
    pub about: &'static str,
    /// The value may hold bytes that the client chose, and so is escaped in logs.
    foreign: bool,
    get: Get,
}

/// A variable as a template names it.
#[derive(Clone)]
pub enum Var {
    Known(&'static Variable),
    /// `$http_NAME`: a request header field.
    Header(String),
    /// `$sent_http_NAME`: a response header field.
    Sent(String),
    /// `$arg_NAME`: a parameter of the query.
    Arg(String),
    /// `$cookie_NAME`.
    Cookie(String),
    /// `$1` to `$9`.
    Capture(usize),
    /// A named group of a regex of the conf.
    Named(String),
}

impl std::fmt::Debug for Var {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Var::Known(variable) => write!(f, "${}", variable.name),
            Var::Header(name) => write!(f, "$http_{name}"),
            Var::Sent(name) => write!(f, "$sent_http_{name}"),
            Var::Arg(name) => write!(f, "$arg_{name}"),
            Var::Cookie(name) => write!(f, "$cookie_{name}"),
            Var::Capture(n) => write!(f, "${n}"),
            Var::Named(name) => write!(f, "${name}"),
        }
    }
}

impl Var {
    /// The variable of this name; one that no table knows may be a named group.
    pub fn find(name: &str) -> Var {
        if let Some(variable) = VARIABLES.iter().find(|variable| variable.name == name) {
            return Var::Known(variable);
        }
        if let [digit @ b'1'..=b'9'] = name.as_bytes() {
            return Var::Capture(usize::from(digit - b'0'));
        }
        let family = ["sent_http_", "http_", "arg_", "cookie_"].into_iter().find_map(|prefix| {
            let rest = name.strip_prefix(prefix)?;
            Some((prefix, rest.to_ascii_lowercase()))
        });
        match family {
            Some(("sent_http_", rest)) => Var::Sent(rest),
            Some(("http_", rest)) => Var::Header(rest),
            Some(("arg_", rest)) => Var::Arg(rest),
            Some((_, rest)) => Var::Cookie(rest),
            None => Var::Named(name.to_owned()),
        }
    }

    /// Appends the value. `false`: there is none.
    pub fn get(&self, ex: &Exchange, cx: &Cx, out: &mut Vec<u8>) -> bool {
        match self {
            Var::Known(variable) => (variable.get)(ex, cx, out),
            Var::Header(name) => header(ex, cx, name, out),
            Var::Sent(name) => join(out, b", ", ex.response.sent(name.as_bytes())),
            Var::Arg(name) => put(out, argument(&ex.args, name.as_bytes())),
            Var::Cookie(name) => put(out, cookie(ex, cx, name.as_bytes())),
            Var::Capture(n) => put(out, ex.captures.get(*n)),
            Var::Named(name) => put(out, ex.captures.name(name)),
        }
    }

    /// Whether the client may have chosen the value.
    pub fn is_foreign(&self) -> bool {
        !matches!(self, Var::Known(variable) if !variable.foreign)
    }
}

/// The name nearest to a misspelt one.
pub fn nearest<'n>(name: &str, captured: &'n [String]) -> Option<&'n str> {
    let known = VARIABLES.iter().map(|variable| variable.name);
    crate::conf::did_you_mean(name, known.chain(captured.iter().map(String::as_str)))
}

fn put(out: &mut Vec<u8>, value: Option<&[u8]>) -> bool {
    let Some(value) = value else { return false };
    out.extend_from_slice(value);
    true
}

fn number(out: &mut Vec<u8>, value: u64) -> bool {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    true
}

/// Seconds with three decimals.
fn seconds(out: &mut Vec<u8>, ms: u64) -> bool {
    // Writing to a Vec can't fail.
    let _ = write!(out, "{}.{:03}", ms / 1000, ms % 1000);
    true
}

fn ip(out: &mut Vec<u8>, addr: &Addr) -> bool {
    let _ = match addr.ip() {
        Some(ip) => write!(out, "{ip}"),
        None => write!(out, "unix:"),
    };
    true
}

fn argument<'a>(args: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    args.split(|&byte| byte == b'&').find_map(|pair| {
        let at = memchr::memchr(b'=', pair)?;
        pair[..at].eq_ignore_ascii_case(name).then_some(&pair[at + 1..])
    })
}

fn cookie<'a>(ex: &'a Exchange, cx: &Cx<'a>, name: &[u8]) -> Option<&'a [u8]> {
    ex.head.all(cx.input, crate::http::message::field::Id::Cookie).find_map(|line| {
        line.split(|&byte| byte == b';').find_map(|pair| {
            let pair = pair.trim_ascii_start();
            let at = memchr::memchr(b'=', pair)?;
            pair[..at].eq_ignore_ascii_case(name).then_some(&pair[at + 1..])
        })
    })
}

/// The lines of a field, joined into the one that means the same (RFC 9110, 5.3; of cookies RFC 6265, 5.4).
fn header(ex: &Exchange, cx: &Cx, name: &str, out: &mut Vec<u8>) -> bool {
    let separator = if name == "cookie" { b"; " } else { b", " };
    join(out, separator, ex.head.all_of_variable(cx.input, name.as_bytes()))
}

fn join<'v>(out: &mut Vec<u8>, separator: &[u8], values: impl Iterator<Item = &'v [u8]>) -> bool {
    let mut is_there = false;
    for value in values {
        if std::mem::replace(&mut is_there, true) {
            out.extend_from_slice(separator);
        }
        out.extend_from_slice(value);
    }
    is_there
}

fn host(ex: &Exchange, cx: &Cx, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    match ex.head.host.of(cx.input) {
        [] => out.extend_from_slice(ex.server_of(cx).name.as_bytes()),
        host => out.extend_from_slice(host),
    }
    out[start..].make_ascii_lowercase();
    true
}

/// 32 hex digits that are the same wherever the exchange is asked for them, and differ between exchanges.
fn request_id(cx: &Cx, out: &mut Vec<u8>) -> bool {
    use std::hash::BuildHasher;
    thread_local!(static KEYS: foldhash::quality::RandomState = foldhash::quality::RandomState::default());
    let conn = cx.conn;
    let half = |part: u8| {
        let what = (std::process::id(), conn.number, conn.requests, conn.opened_ms, part);
        KEYS.with(|keys| keys.hash_one(what))
    };
    let _ = write!(out, "{:016x}{:016x}", half(0), half(1));
    true
}

/// Whether a template that uses this one needs the address the client connected to.
pub fn needs_local_address(name: &str) -> bool {
    name == "server_addr"
}

macro_rules! variables {
    ($($name:ident $foreign:ident $about:literal: $get:expr;)*) => {
        &[$(Variable { name: stringify!($name), about: $about, foreign: variables!(@$foreign), get: $get }),*]
    };
    (@client) => { true };
    (@ours) => { false };
}

/// The table. `client`: the value may hold what a client sent; `ours`: never.
pub static VARIABLES: &[Variable] = variables! {
    accept_delay ours "seconds with ms from the connection's handshake to its accept, in ticks of the kernel (4 ms at 250 Hz)": |_, cx, out| {
        cx.conn.accept_delay_ms.is_some_and(|ms| seconds(out, ms.into()))
    };
    args client "the query": |ex, _, out| !ex.args.is_empty() && put(out, Some(&ex.args));
    binary_remote_addr client "the client's address, 4 or 16 bytes": |_, cx, out| match cx.conn.peer.ip() {
        Some(std::net::IpAddr::V4(ip)) => put(out, Some(&ip.octets())),
        Some(std::net::IpAddr::V6(ip)) => put(out, Some(&ip.octets())),
        None => put(out, Some(b"unix:")),
    };
    body_bytes_sent ours "bytes sent, without the head": |ex, _, out| number(out, ex.bytes_sent.saturating_sub(ex.head_sent));
    bytes_sent ours "bytes sent": |ex, _, out| number(out, ex.bytes_sent);
    connection ours "number of the connection in its worker": |_, cx, out| number(out, cx.conn.number);
    connection_requests ours "number of this request on its connection": |_, cx, out| number(out, cx.conn.requests.into());
    content_length client "the request's Content-Length": |ex, cx, out| put(out, ex.head.get(cx.input, b"content-length"));
    content_type client "the request's Content-Type": |ex, cx, out| header(ex, cx, "content_type", out);
    document_root ours "the root or alias": |ex, cx, out| {
        ex.location_of(cx).scope.get(&files::ROOT).document_root(ex, cx, out);
        true
    };
    document_uri client "same as $uri": |ex, _, out| put(out, Some(&ex.uri));
    gzip_ratio ours "none: nothing is compressed": |_, _, _| false;
    host client "host of the target, else of Host, else the server's name": host;
    hostname ours "name of the machine": |_, cx, out| put(out, Some(cx.site.hostname.as_bytes()));
    https ours "\"on\" under TLS, else empty": |_, _, _| true;
    is_args ours "\"?\" if there is a query, else empty": |ex, _, out| put(out, Some(if ex.args.is_empty() { b"" } else { b"?" }));
    limit_rate ours "0: no limit": |_, _, out| number(out, 0);
    msec ours "now, in seconds since 1970 with ms": |_, cx, out| seconds(out, cx.clock.unix_ms());
    nginx_version ours "drover's version": |_, _, out| put(out, Some(env!("CARGO_PKG_VERSION").as_bytes()));
    pid ours "pid of the worker": |_, _, out| number(out, std::process::id().into());
    pipe ours "\"p\" if the request was pipelined, else \".\"": |ex, _, out| put(out, Some(if ex.pipelined { b"p" } else { b"." }));
    query_string client "same as $args": |ex, _, out| !ex.args.is_empty() && put(out, Some(&ex.args));
    remote_addr client "the client's address": |_, cx, out| ip(out, &cx.conn.peer);
    remote_port ours "the client's port": |_, cx, out| cx.conn.peer.port().is_some_and(|port| number(out, port.into()));
    remote_user client "the user that Authorization: Basic names": |ex, cx, out| crate::http::exchange::authorization::user(ex, cx, out);
    request client "the request line": |ex, cx, out| !ex.head.line.is_empty() && put(out, Some(ex.head.line.of(cx.input)));
    request_completion ours "\"OK\" if the response was sent whole, else empty": |ex, _, out| put(out, Some(if ex.is_complete() { b"OK" } else { b"" }));
    request_filename client "path of the file for $uri": |ex, cx, out| {
        let mut path = Vec::new();
        files::map(ex, cx, ex.location_of(cx), &mut path);
        put(out, Some(&path))
    };
    request_id ours "32 random hex digits": |_, cx, out| request_id(cx, out);
    request_length ours "bytes of the request's head and body": |ex, _, out| number(out, ex.head_len() as u64 + ex.body_bytes);
    request_method client "GET, HEAD ...": |ex, cx, out| match ex.head.method_text.of(cx.input) {
        // An error page is got, whatever the client has asked for.
        _ if ex.internal && ex.head.method == Method::Get => put(out, Some(b"GET")),
        text => !text.is_empty() && put(out, Some(text)),
    };
    request_time ours "seconds with ms since the request's first byte": |ex, cx, out| seconds(out, cx.clock.now_ms().saturating_sub(ex.started_ms));
    request_uri client "the target as it came, from its path on, with its query": |ex, cx, out| put(out, Some(ex.head.uri(cx.input)));
    scheme ours "http": |_, _, out| put(out, Some(b"http"));
    server_addr ours "the address the client connected to": |_, cx, out| cx.conn.local.as_ref().is_some_and(|addr| ip(out, addr));
    server_name ours "first name of the server": |ex, cx, out| put(out, Some(ex.server_of(cx).name.as_bytes()));
    server_port ours "the port the client connected to": |_, cx, out| cx.site.bound_addr(cx.conn.bound).port().is_some_and(|port| number(out, port.into()));
    server_protocol client "HTTP/1.0 or HTTP/1.1": |ex, cx, out| put(out, Some(ex.head.version_text.of(cx.input)));
    status ours "status of the response": |ex, _, out| {
        let status = if ex.response.status == 0 { ex.error_status } else { ex.response.status };
        let _ = write!(out, "{status:03}");
        true
    };
    time_iso8601 ours "local time, 2026-11-20T10:00:00+00:00": |_, cx, out| put(out, Some(cx.clock.iso8601().as_bytes()));
    time_local ours "local time, 20/Nov/2026:10:00:00 +0000": |_, cx, out| put(out, Some(cx.clock.log_time().as_bytes()));
    uri client "the path, normalised, as internal redirects change it": |ex, _, out| put(out, Some(&ex.uri));
};
