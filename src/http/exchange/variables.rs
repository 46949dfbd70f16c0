//! The variables: an entry each in a table. A log field is a variable. A room whose code computes a value has a table
//! of its own beside that code; the top of `http` lists the tables, and they are bound to the names that a conf uses.

use super::absent;
use super::cx::{Cx, Definition, Embedded, Variable};
use super::defined::Definitions;
use super::error_lines;
use super::proxied;
use super::state::Exchange;
use crate::conf::{self, Contexts, Setting};
use crate::http::message::cookie;
use crate::http::message::field::Id;
use crate::http::message::head::Method;
use crate::http::site::template::VariableNames;
use crate::os::Addr;
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::unix::ffi::OsStrExt;

impl Embedded {
    /// A variable whose value may hold bytes that a client sent.
    pub(in crate::http) const fn client(
        name: &'static str,
        about: &'static str,
        get: fn(&Exchange, &Cx, &mut Vec<u8>) -> bool,
    ) -> Embedded {
        Embedded { name, about, is_from_client: true, get }
    }

    /// A variable whose value never holds bytes that a client sent.
    pub(in crate::http) const fn ours(
        name: &'static str,
        about: &'static str,
        get: fn(&Exchange, &Cx, &mut Vec<u8>) -> bool,
    ) -> Embedded {
        Embedded { name, about, is_from_client: false, get }
    }

    /// The name, and the text about the value.
    pub(in crate::http) fn described(&self) -> (&'static str, &'static str) {
        (self.name, self.about)
    }
}

/// Whether the use of a variable that no `set` has given a value is worth a line in the error log.
pub static UNINITIALIZED_VARIABLE_WARN: Setting<bool> = Setting::flag("uninitialized_variable_warn")
    .contexts(Contexts::HTTP_AND_IF.union(Contexts::SERVER_IF))
    .default("on")
    .about("Whether the use of a variable that no `set` has given a value is worth a line in the error log.");

/// The directive of this module: `uninitialized_variable_warn`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&UNINITIALIZED_VARIABLE_WARN];

/// The fields whose `$http_NAME` nginx has in a table (`ngx_http_core_variables`).
const KNOWN_FIELDS: [(&str, Id); 6] = [
    ("host", Id::Host),
    ("user_agent", Id::UserAgent),
    ("referer", Id::Referer),
    ("via", Id::Via),
    ("x_forwarded_for", Id::XForwardedFor),
    ("cookie", Id::Cookie),
];

/// The variables of the tables that a conf may define all the same (nginx's `NGX_HTTP_VAR_CHANGEABLE`).
const CHANGEABLE: [&str; 7] =
    ["args", "limit_rate", "invalid_referer", "uid_reset", "modern_browser", "ancient_browser", "msie"];

/// Changeable variables whose `set` is more than a value (nginx's `set_handler`).
const HAVE_SETTERS: [&str; 2] = ["args", "limit_rate"];

/// Binds the names that a conf uses to the variables that it defines, to those of `tables`, to the families of names
/// such as `http_NAME`, and to the named groups of the conf's regexes; a name that `set` gives a value is bound to that
/// above all.
///
/// Mistakes: nginx's `unknown "x" variable` for a name that nothing defines, `the duplicate "x" variable` for one of a
/// table that the conf would define anew.
pub(in crate::http) fn bind(
    names: &VariableNames,
    defined: &Definitions,
    tables: &[&'static [Embedded]],
    mistakes: &mut conf::Mistakes,
) -> Vec<Variable> {
    let known = || tables.iter().copied().flatten();
    let is_fixed = |name: &str| {
        known().any(|variable| variable.name.eq_ignore_ascii_case(name) && !CHANGEABLE.contains(&variable.name))
    };
    let own = || names.defined().chain(defined.all().map(|definition| (&*definition.name, definition.span)));
    for (name, span) in own().filter(|(name, _)| is_fixed(name)) {
        let error = conf::Error::at(span, format!("the duplicate \"{name}\" variable"));
        mistakes.add(error.help("the name is taken: choose another"));
    }
    let unset = |number: usize, name: &str| {
        if let Some(definition) = defined.find(name) {
            return Some(Variable::Defined(definition.clone(), number));
        }
        if let Some(variable) = known().find(|variable| variable.name == name) {
            return Some(Variable::Embedded(variable));
        }
        match names.is_captured(name) {
            true => Some(Variable::Named(name.to_owned())),
            false => Variable::of_family(name).or(absent::is_known(name).then_some(Variable::Absent)),
        }
    };
    let bind_one = |(number, (name, _)): (usize, (&str, conf::Span))| {
        let is_replaced = |variable: &Variable| match variable {
            Variable::Embedded(embedded) => names.is_set(name) && !HAVE_SETTERS.contains(&embedded.name),
            _ => false,
        };
        match unset(number, name) {
            Some(own) if is_replaced(&own) => {
                return Variable::Set { name: name.to_owned(), unset: Some(Box::new(own)) };
            }
            Some(own @ (Variable::Embedded(_) | Variable::Named(_) | Variable::Capture(_))) => return own,
            unset if names.is_set(name) => {
                return Variable::Set { name: name.to_owned(), unset: unset.map(Box::new) };
            }
            Some(variable) => return variable,
            None => {}
        }
        let all = known().map(|variable| variable.name).chain(own().map(|(name, _)| name));
        let near = conf::did_you_mean(name, all);
        for span in names.uses_of(number) {
            let error = conf::Error::at(span, format!("unknown \"{name}\" variable")).misses(name);
            mistakes.add(match near {
                Some(near) => error.help(format!("did you mean \"${near}\"?")),
                None => error.help("nothing defines it, as map, set, geo or a group of a regex would"),
            });
        }
        Variable::Absent
    };
    names.used().enumerate().map(bind_one).collect()
}

impl Variable {
    /// The variable of a family of names: `$1`, `$http_NAME` and the like.
    fn of_family(name: &str) -> Option<Variable> {
        if let [digit @ b'1'..=b'9'] = name.as_bytes() {
            return Some(Variable::Capture(usize::from(digit - b'0')));
        }
        let rest = |prefix| Some(name.strip_prefix(prefix)?.to_ascii_lowercase());
        let sent = || rest("sent_http_").map(Variable::Sent);
        let trailer = || rest("sent_trailer_").map(Variable::SentTrailer);
        let known =
            |name: &String| KNOWN_FIELDS.iter().find(|known| known.0 == name).map(|known| Variable::Known(known.1));
        let header = || rest("http_").map(|name| known(&name).unwrap_or(Variable::Header(name)));
        let arg = || rest("arg_").map(Variable::Arg);
        if let Some(tlv) = rest("proxy_protocol_tlv_") {
            return Some(Variable::Tlv(tlv));
        }
        sent().or_else(trailer).or_else(header).or_else(arg).or_else(|| rest("cookie_").map(Variable::Cookie))
    }

    /// Appends the value. `false`: there is none.
    #[inline]
    pub(super) fn get(&self, ex: &Exchange, cx: &Cx, out: &mut Vec<u8>) -> bool {
        match self {
            Variable::Embedded(variable) => (variable.get)(ex, cx, out),
            other => other.get_other(ex, cx, out),
        }
    }

    /// The value of a variable that is no entry of a table.
    fn get_other(&self, ex: &Exchange, cx: &Cx, out: &mut Vec<u8>) -> bool {
        match self {
            Variable::Embedded(variable) => (variable.get)(ex, cx, out),
            Variable::Header(name) => join(out, b", ", ex.head.all_of_variable(cx.input, name.as_bytes())),
            Variable::Known(id) => header(ex, cx, *id, out),
            Variable::Sent(name) => join(out, b", ", ex.response.sent(name.as_bytes())),
            Variable::SentTrailer(name) => join(out, b", ", ex.response.trailers.borrow().values(name.as_bytes())),
            Variable::Arg(name) => put(out, argument(&ex.target.args, name.as_bytes())),
            Variable::Cookie(name) => put(out, cookie(ex, cx, name.as_bytes()).map(|(_, value)| value)),
            Variable::Absent => false,
            Variable::Tlv(name) => proxied::tlv(ex, cx, name, out),
            Variable::Capture(n) => put(out, ex.target.captured.borrow().get(*n)),
            Variable::Named(name) => put(out, ex.target.captured.borrow().name(name)),
            Variable::Defined(definition, number) => defined(ex, cx, definition, *number, out),
            Variable::Set { name, unset } => {
                // The table of `unset` may change what is captured: the borrow ends first.
                if let Some(value) = ex.target.captured.borrow().name(name) {
                    return put(out, Some(value));
                }
                match unset {
                    Some(unset) => unset.get(ex, cx, out),
                    None => miss(ex, cx, name),
                }
            }
        }
    }

    /// Whether the value may hold bytes that the client chose.
    pub(super) fn is_from_client(&self) -> bool {
        !matches!(self, Variable::Embedded(variable) if !variable.is_from_client)
    }
}

/// The value of a variable that the conf defines: computed at its first use, and kept unless it is volatile
/// (`ngx_http_get_indexed_variable`).
fn defined(ex: &Exchange, cx: &Cx, definition: &Definition, number: usize, out: &mut Vec<u8>) -> bool {
    if ex.values.get(number, out) {
        return true;
    }
    let _deeper = match ex.values.deeper() {
        Ok(deeper) => deeper,
        Err(cycle) => {
            if cycle.is_new {
                error_lines::variable_cycle(ex, cx, &definition.name);
            }
            return false;
        }
    };
    let start = out.len();
    definition.table.value(ex, cx, out);
    if !definition.is_volatile {
        ex.values.set(number, &out[start..]);
    }
    true
}

/// A variable that no `set` has given a value is empty, which is worth a line once (`ngx_http_rewrite_var`).
fn miss(ex: &Exchange, cx: &Cx, name: &str) -> bool {
    if ex.target.captured.borrow().miss(name) && *ex.location_of(cx).scope.get(&UNINITIALIZED_VARIABLE_WARN) {
        error_lines::uninitialized(ex, cx, name);
    }
    true
}

pub(in crate::http) fn put(out: &mut Vec<u8>, value: Option<&[u8]>) -> bool {
    let Some(value) = value else { return false };
    out.extend_from_slice(value);
    true
}

pub(super) fn number(out: &mut Vec<u8>, value: u64) -> bool {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    true
}

/// Seconds with three decimals.
pub(super) fn seconds(out: &mut Vec<u8>, ms: u64) -> bool {
    // Writing to a Vec can't fail.
    let _ = write!(out, "{}.{:03}", ms / 1000, ms % 1000);
    true
}

/// The address without its port.
pub(in crate::http) fn ip(out: &mut Vec<u8>, addr: &Addr) -> bool {
    match addr {
        Addr::V4(addr) => ipv4(out, *addr.ip()),
        Addr::V6(addr) => drop(write!(out, "{}", addr.ip())),
        Addr::Unix(_) => out.extend_from_slice(b"unix:"),
    }
    true
}

/// `192.0.2.1`; std::fmt needs ten times the instructions, and most lines of an access log begin with it.
fn ipv4(out: &mut Vec<u8>, ip: Ipv4Addr) {
    let (mut text, mut len) = ([b'.'; 16], 0);
    for octet in ip.octets() {
        for (from, digit) in [(100, octet / 100), (10, octet / 10 % 10), (0, octet % 10)] {
            if octet >= from {
                text[len] = b'0' + digit;
                len += 1;
            }
        }
        // A dot is there.
        len += 1;
    }
    out.extend_from_slice(&text[..len - 1]);
}

/// The port; nothing where there is none.
pub(in crate::http) fn port(out: &mut Vec<u8>, addr: &Addr) -> bool {
    match addr.port() {
        Some(port @ 1..) => number(out, port.into()),
        _ => true,
    }
}

/// The value of the first argument of a query that has this name, in any case (`ngx_http_arg`).
pub(in crate::http) fn argument<'a>(args: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    args.split(|&byte| byte == b'&').find_map(|pair| {
        let at = memchr::memchr(b'=', pair)?;
        pair[..at].eq_ignore_ascii_case(name).then_some(&pair[at + 1..])
    })
}

/// The value of a cookie, behind the line of the request in which it stands.
pub(in crate::http) fn cookie<'a>(ex: &'a Exchange, cx: &Cx<'a>, name: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    ex.head.all(cx.input, Id::Cookie).find_map(|line| Some((line, cookie::value(line, name)?)))
}

/// The lines of a field, joined into the one that means the same (RFC 9110, 5.3; of cookies RFC 6265, 5.4).
fn header(ex: &Exchange, cx: &Cx, id: Id, out: &mut Vec<u8>) -> bool {
    let separator = if id == Id::Cookie { b"; " } else { b", " };
    join(out, separator, ex.head.all(cx.input, id))
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

/// The variables of the exchange itself.
pub static VARIABLES: &[Embedded] = &[
    Embedded::ours(
        "accept_delay",
        "seconds with ms from the connection's handshake to its accept, in ticks of the kernel (4 ms at 250 Hz)",
        |_, cx, out| cx.conn.accept_delay_ms.is_some_and(|ms| seconds(out, ms.into())),
    ),
    Embedded::client("args", "the query", |ex, _, out| ex.target.has_args && put(out, Some(&ex.target.args))),
    Embedded::client("binary_remote_addr", "the client's address, 4 or 16 bytes", |ex, cx, out| {
        match ex.client(cx).ip() {
            Some(std::net::IpAddr::V4(ip)) => put(out, Some(&ip.octets())),
            Some(std::net::IpAddr::V6(ip)) => put(out, Some(&ip.octets())),
            None => put(out, Some(b"unix:")),
        }
    }),
    Embedded::ours("body_bytes_sent", "bytes sent, without the head", |ex, _, out| {
        number(out, ex.account.bytes_sent.saturating_sub(ex.account.head_sent))
    }),
    Embedded::ours("bytes_sent", "bytes sent", |ex, _, out| number(out, ex.account.bytes_sent)),
    Embedded::ours("connection", "number of the connection in its worker", |_, cx, out| number(out, cx.conn.number)),
    Embedded::ours("connection_requests", "number of this request on its connection", |_, cx, out| {
        number(out, cx.conn.requests.into())
    }),
    Embedded::client("content_length", "the request's Content-Length", |ex, cx, out| {
        put(out, ex.head.get(cx.input, b"content-length"))
    }),
    Embedded::client("content_type", "the request's Content-Type", |ex, cx, out| header(ex, cx, Id::ContentType, out)),
    Embedded::client("document_uri", "same as $uri", |ex, _, out| put(out, Some(&ex.target.uri))),
    Embedded::client("host", "host of the target, else of Host, else the server's name", host),
    Embedded::ours("hostname", "name of the machine", |_, cx, out| put(out, Some(cx.conf.hostname.as_bytes()))),
    Embedded::ours("http2", "in HTTP/2 \"h2\" over TLS and \"h2c\" in clear, else empty", |ex, cx, out| {
        put(
            out,
            Some(match (ex.is_http2(), cx.tls()) {
                (true, Some(_)) => b"h2",
                (true, None) => b"h2c",
                (false, _) => b"",
            }),
        )
    }),
    Embedded::client("fastcgi_script_name", "same as $uri", |ex, _, out| put(out, Some(&ex.target.uri))),
    Embedded::ours("is_request_port", "\":\" if there is a $request_port, else empty", |ex, _, out| {
        put(out, Some(if ex.head.port.is_some() { b":" } else { b"" }))
    }),
    Embedded::client(
        "proxy_add_x_forwarded_for",
        "X-Forwarded-For, with the client's address behind it",
        |ex, cx, out| {
            if join(out, b", ", ex.head.all(cx.input, Id::XForwardedFor)) {
                out.extend_from_slice(b", ");
            }
            ip(out, ex.client(cx))
        },
    ),
    Embedded::ours("request_body", "none: nothing reads the body of a request", |_, _, _| false),
    Embedded::ours("request_body_file", "none: nothing reads the body of a request", |_, _, _| false),
    Embedded::ours("request_port", "the port in the target or in Host, as the request says", |ex, _, out| {
        ex.head.port.is_none_or(|port| number(out, port.into()))
    }),
    Embedded::ours("is_args", "\"?\" if there is a query, else empty", |ex, _, out| {
        put(out, Some(if ex.target.args.is_empty() { b"" } else { b"?" }))
    }),
    Embedded::ours("limit_rate", "bytes a second that the answer may have; 0: no limit, or none yet", |ex, _, out| {
        number(out, ex.limits.rate.unwrap_or(0))
    }),
    Embedded::ours("msec", "now, in seconds since 1970 with ms", |_, cx, out| seconds(out, cx.clock.unix_ms())),
    Embedded::ours("nginx_version", "drover's version", |_, _, out| {
        put(out, Some(env!("CARGO_PKG_VERSION").as_bytes()))
    }),
    Embedded::ours("pid", "pid of the worker", |_, _, out| number(out, std::process::id().into())),
    Embedded::ours("pipe", "\"p\" if the request was pipelined, else \".\"", |ex, _, out| {
        put(out, Some(if ex.account.is_pipelined { b"p" } else { b"." }))
    }),
    Embedded::client("query_string", "same as $args", |ex, _, out| {
        ex.target.has_args && put(out, Some(&ex.target.args))
    }),
    Embedded::ours("remote_addr", "the client's address", |ex, cx, out| ip(out, ex.client(cx))),
    Embedded::ours("remote_port", "the client's port, empty where none is known", |ex, cx, out| {
        port(out, ex.client(cx))
    }),
    Embedded::client("request", "the request line", |ex, cx, out| {
        !ex.head.line.is_empty() && put(out, Some(ex.head.line.of(cx.input)))
    }),
    Embedded::ours("request_completion", "\"OK\" once the response is sent whole, else empty", |ex, _, out| {
        let is_complete = ex.account.is_over && !ex.account.is_cut_short;
        put(out, Some(if is_complete { b"OK" } else { b"" }))
    }),
    Embedded::ours("request_id", "32 random hex digits", |_, cx, out| request_id(cx, out)),
    Embedded::ours("request_length", "bytes of the request's head and body", |ex, _, out| {
        number(out, ex.account.head_counted as u64 + ex.account.body_bytes)
    }),
    Embedded::client("request_method", "GET, HEAD ...", |ex, cx, out| match ex.head.method_text.of(cx.input) {
        // An error page is fetched with GET, whatever the client has asked for.
        _ if ex.target.is_internal && ex.head.method == Method::Get => put(out, Some(b"GET")),
        text => !text.is_empty() && put(out, Some(text)),
    }),
    Embedded::ours("request_time", "seconds with ms since the request's first byte", |ex, cx, out| {
        seconds(out, cx.clock.now_ms().saturating_sub(ex.account.started_ms))
    }),
    Embedded::client("request_uri", "the target as it came, from its path on, with its query", |ex, cx, out| {
        put(out, Some(ex.head.uri(cx.input)))
    }),
    Embedded::ours("server_addr", "the address the client connected to", |_, cx, out| {
        cx.conn.local.as_deref().is_some_and(|addr| {
            ip(out, addr) && addr.path().is_none_or(|path| put(out, Some(path.as_os_str().as_bytes())))
        })
    }),
    Embedded::ours("server_name", "first name of the server", |ex, cx, out| {
        put(out, Some(ex.server_of(cx).name.as_bytes()))
    }),
    Embedded::ours("server_port", "the port the client connected to", |_, cx, out| {
        port(out, cx.conf.bound_addr(cx.conn.bound))
    }),
    Embedded::client("server_protocol", "HTTP/1.0, HTTP/1.1 or HTTP/2.0", |ex, cx, out| {
        put(out, Some(ex.protocol(cx.input)))
    }),
    Embedded::ours("status", "status of the response", |ex, _, out| {
        let status = if ex.response.status == 0 { ex.error.status } else { ex.response.shown_status() };
        match status {
            100.. => number(out, status.into()),
            // A request that was given up before there was one.
            _ => write!(out, "{status:03}").is_ok(),
        }
    }),
    Embedded::ours("time_iso8601", "local time, 2026-11-20T10:00:00+00:00", |_, cx, out| {
        put(out, Some(cx.clock.iso8601().as_bytes()))
    }),
    Embedded::ours("time_local", "local time, 20/Nov/2026:10:00:00 +0000", |_, cx, out| {
        put(out, Some(cx.clock.log_time().as_bytes()))
    }),
    Embedded::client("uri", "the path, normalised, as internal redirects change it", |ex, _, out| {
        put(out, Some(&ex.target.uri))
    }),
];
