//! The lines of exchanges in the error log, in nginx's words: every message in one place.

pub mod secure;

use super::cx::Cx;
use super::state::{Exchange, Progress};
use crate::http::message::field::Id;
use crate::http::message::head::{Blame, Field, Framing, Head, Span};
use crate::http::message::proxy_protocol::{Broken, NoTlv};
use crate::http::message::reject::{Phase, Reject};
use crate::http::message::uid::Uid;
use crate::http::site::regex::MatchError;
use crate::log::panics::Panic;
use crate::log::{self, Level, LogRef, Origin, Text};
use crate::os::{ErrnoText, Failure};
use std::fmt;
use std::io;

/// An exchange as a place of the error log.
pub(super) struct Here<'a> {
    ex: &'a Exchange,
    cx: &'a Cx<'a>,
    /// The end of the message: `while reading client request line`.
    doing: String,
}

pub(super) fn here<'a>(ex: &'a Exchange, cx: &'a Cx<'a>) -> Here<'a> {
    // nginx's handlers of files say so, and no other (ngx_http_static_module.c).
    let doing = if ex.response.is_of_file { SENDING.to_owned() } else { String::new() };
    Here { ex, cx, doing }
}

const SENDING: &str = "while sending response to client";

impl Origin for Here<'_> {
    fn log(&self) -> LogRef {
        self.ex.location_of(self.cx).error_log
    }

    fn connection(&self) -> u64 {
        self.cx.conn.number
    }

    /// The fields of nginx's `ngx_http_log_error_handler`.
    fn context(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.doing.is_empty() {
            write!(f, " {}", self.doing)?;
        }
        match self.ex.client(self.cx).ip() {
            Some(ip) => write!(f, ", client: {ip}")?,
            None => write!(f, ", client: unix:")?,
        }
        write!(f, ", server: {}", self.ex.server_of(self.cx).name)?;
        let input = self.cx.input;
        // The head of a request that was answered before its body was there is gone.
        if input.is_empty() {
            return Ok(());
        }
        if !self.ex.head.line.is_empty() {
            write!(f, ", request: \"{}\"", Text(self.ex.head.line.of(input)))?;
        }
        if self.ex.is_aside() {
            write!(f, ", subrequest: \"{}\"", Text(&self.ex.target.uri))?;
        }
        if let Some(host) = self.ex.head.known(input, Id::Host) {
            write!(f, ", host: \"{}\"", Text(host))?;
        }
        if let Some(referrer) = self.ex.head.known(input, Id::Referer) {
            write!(f, ", referrer: \"{}\"", Text(referrer))?;
        }
        Ok(())
    }
}

/// Such bytes in quotes: at most so many that nginx's lines of 2048 have room for two.
struct Quoted<'a>(&'a [u8]);

const QUOTED_MAX: usize = 768;

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get(..QUOTED_MAX) {
            Some(start) if start.len() < self.0.len() => write!(f, "\"{}...\"", Text(start)),
            _ => write!(f, "\"{}\"", Text(self.0)),
        }
    }
}

/// The words of a refused request, behind the reason: nothing for most reasons.
struct Said<'a>(&'a Head, &'a [u8], Reject);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Said(head, input, reject) = *self;
        let line = |field: Field| [field.name.of(input), b": ", field.value.of(input)].concat();
        match (reject, head.blame) {
            (Reject::DuplicateHost | Reject::DuplicateField, Blame::Second { field, first }) => {
                write!(f, ": {}, previous value: {}", Quoted(&line(field)), Quoted(&line(first)))
            }
            (Reject::InvalidFieldLine | Reject::FieldLineTooLong, Blame::Line(line)) => {
                write!(f, ": {}", Quoted(line.of(input)))
            }
            (Reject::EncodingNotChunked | Reject::UnknownEncoding, _) => {
                write!(f, ": {}", Quoted(head.known(input, Id::TransferEncoding).unwrap_or_default()))
            }
            (Reject::InvalidMethod, _) if input.starts_with(TLS_RECORD) => {
                f.write_str(": it begins a handshake of TLS, and this address has no \"ssl\"")
            }
            _ => Ok(()),
        }
    }
}

/// The first bytes of a record of TLS that holds a ClientHello.
const TLS_RECORD: &[u8] = &[22, 3];

/// A connection on which no request has begun, in the words of `ngx_http_log_error`.
struct Before<'a> {
    cx: &'a Cx<'a>,
    doing: &'static str,
}

const WAITING: &str = "while waiting for request";
const READING_PROXY_HEADER: &str = "while reading PROXY protocol";

impl Origin for Before<'_> {
    fn log(&self) -> LogRef {
        let cx = self.cx;
        cx.conf.location(cx.conf.server(cx.first_server()).own).error_log
    }

    fn connection(&self) -> u64 {
        self.cx.conn.number
    }

    fn context(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Before { cx, doing } = self;
        write!(f, " {doing}")?;
        match cx.conn.peer.ip() {
            Some(ip) => write!(f, ", client: {ip}")?,
            None => write!(f, ", client: unix:")?,
        }
        write!(f, ", server: {}", cx.conf.bound_addr(cx.conn.bound))
    }
}

/// The header of the PROXY protocol is none.
pub fn proxy_header_broken(cx: &Cx, broken: &Broken) {
    log::error!(at: Before { cx, doing: READING_PROXY_HEADER }, "{broken}");
}

/// The header of the PROXY protocol did not come in time.
pub fn proxy_header_timed_out(cx: &Cx) {
    log::info!(at: Before { cx, doing: READING_PROXY_HEADER }, "client timed out (110: Connection timed out)");
}

/// The client has said nothing.
pub fn wait_timed_out(cx: &Cx) {
    log::info!(at: Before { cx, doing: WAITING }, "client timed out (110: Connection timed out)");
}

/// The connection broke in front of the header of the PROXY protocol.
pub fn proxy_header_unread(cx: &Cx, error: &io::Error) {
    log::info!(at: Before { cx, doing: READING_PROXY_HEADER }, "connection to client failed ({})", ErrnoText(error));
}

/// The conf asks for a TLV of the PROXY protocol by a name that there is not, or the header's lengths are wrong.
pub fn no_tlv(ex: &Exchange, cx: &Cx, name: &str, why: NoTlv) {
    match why {
        NoTlv::Absent => {}
        NoTlv::Broken => log::error!(at: here(ex, cx), "broken PROXY protocol TLV"),
        NoTlv::Invalid => log::error!(at: here(ex, cx), "invalid PROXY protocol TLV \"{name}\""),
        NoTlv::Unknown => log::error!(at: here(ex, cx), "unknown PROXY protocol TLV \"{name}\""),
    }
}

/// The request was refused before it was understood.
pub fn rejected(ex: &Exchange, cx: &Cx, reject: Reject) {
    let phase = match reject {
        Reject::TimedOut if !ex.head.has_request_line() => Phase::RequestLine,
        _ => reject.phase(),
    };
    let doing = phase.to_string();
    let level =
        if matches!(reject, Reject::BodyTooLarge | Reject::ChunkedBodyTooLarge) { Level::Error } else { Level::Info };
    log::emit!(level, at: Here { ex, cx, doing }, "{reject}{}", Said(&ex.head, cx.input, reject));
}

/// A header line does not count, because of its name.
pub fn field_ignored(ex: &Exchange, cx: &Cx, line: Span) {
    let doing = Phase::Headers.to_string();
    log::info!(at: Here { ex, cx, doing }, "client sent invalid header line: {}", Quoted(line.of(cx.input)));
}

/// The request is for a server that does not speak HTTP/2.
pub fn misdirected(ex: &Exchange, cx: &Cx) {
    let doing = " while processing HTTP/2 connection".trim_start().to_owned();
    log::info!(
        at: Here { ex, cx, doing },
        "client attempted to request the server name for which the negotiated protocol is disabled"
    );
}

/// The request's method is one that no conf can allow.
pub fn method_refused(ex: &Exchange, cx: &Cx) {
    let doing = Phase::Headers.to_string();
    log::info!(at: Here { ex, cx, doing }, "client sent {} method", Text(ex.head.method_text.of(cx.input)));
}

/// Content-Length says that the body is too large.
pub fn body_too_large(ex: &Exchange, cx: &Cx) {
    let length = match ex.head.framing {
        Framing::Length(length) => length,
        _ => 0,
    };
    log::error!(at: here(ex, cx), "client intended to send too large body: {length} bytes");
}

/// The function that a list is to call has a name that is too long, or not `is_short`, or has characters that are not
/// for names.
pub fn callback_refused(ex: &Exchange, cx: &Cx, is_short: bool, name: &[u8]) {
    let fault = if is_short { "invalid" } else { "too long" };
    log::emit!(Level::Info, at: here(ex, cx), "client sent {fault} callback name: {}", Quoted(name));
}

/// The answer has one charset, and is to have another, which nothing converts it to.
pub fn no_charset_map(ex: &Exchange, cx: &Cx, from: &[u8], to: &[u8]) {
    let (from, to) = (Text(from), Text(to));
    log::error!(at: here(ex, cx), "no \"charset_map\" between the charsets \"{from}\" and \"{to}\"");
}

/// The uri leads out of the alias's directory.
pub fn outside_of_alias(ex: &Exchange, cx: &Cx) {
    log::error!(
        at: here(ex, cx),
        "\"{}\" leads out of the \"alias\" of its location, whose prefix does not end in a slash",
        Text(&ex.target.uri)
    );
}

/// An exchange whose line is being written.
fn logging<'a>(ex: &'a Exchange, cx: &'a Cx<'a>) -> Here<'a> {
    Here { ex, cx, doing: "while logging request".to_owned() }
}

/// There is no root to serve from: a log whose name depends on the request is not made for a host that there is not.
pub fn root_missing(ex: &Exchange, cx: &Cx, root: &[u8], error: &io::Error) {
    log::error!(at: logging(ex, cx), "testing \"{}\" existence failed ({})", Text(root), ErrnoText(error));
}

/// A log whose name depends on the request can't be opened.
pub fn log_unopened(ex: &Exchange, cx: &Cx, failure: &Failure) {
    log::crit!(at: logging(ex, cx), "{failure}");
}

/// A log whose name depends on the request takes nothing.
pub fn log_unwritten(ex: &Exchange, cx: &Cx, path: &[u8], error: &io::Error) {
    log::alert!(at: logging(ex, cx), "write() to \"{}\" failed ({})", Text(path), ErrnoText(error));
}

/// `$realpath_root` leads nowhere.
pub fn no_realpath(ex: &Exchange, cx: &Cx, root: &[u8], error: &io::Error) {
    log::crit!(at: here(ex, cx), "realpath() \"{}\" failed ({})", Text(root), ErrnoText(error));
}

/// `deny` fits the client.
pub fn forbidden_by_rule(ex: &Exchange, cx: &Cx) {
    log::error!(at: here(ex, cx), "access forbidden by rule");
}

/// The location asks for a password, and the request has none.
pub fn no_credentials(ex: &Exchange, cx: &Cx) {
    log::info!(at: here(ex, cx), "no user/password was provided for basic authentication");
}

/// The file of users can't be opened, or not be read.
pub fn user_file_failed(ex: &Exchange, cx: &Cx, errno: i32) {
    // No open(2) for reading fails with the first two.
    let call = if matches!(errno, libc::EISDIR | libc::ESPIPE | libc::EIO) { "pread" } else { "open" };
    let level = if errno == libc::ENOENT { Level::Error } else { Level::Crit };
    let error = io::Error::from_raw_os_error(errno);
    log::emit!(level, at: here(ex, cx), "{call}() \"{}\" failed ({})", Text(&ex.target.path), ErrnoText(&error));
}

/// The file of users has no line for this one.
pub fn user_not_found(ex: &Exchange, cx: &Cx, user: &[u8]) {
    log::error!(at: here(ex, cx), "user \"{}\" was not found in \"{}\"", Text(user), Text(&ex.target.path));
}

/// The password is not the one in the file of users.
pub fn wrong_password(ex: &Exchange, cx: &Cx, user: &[u8]) {
    log::error!(at: here(ex, cx), "user \"{}\": password mismatch", Text(user));
}

/// The client's cookie of `userid` is none.
pub fn bad_mark(ex: &Exchange, cx: &Cx, what: &str, line: &[u8]) {
    log::error!(at: here(ex, cx), "client sent {what} userid cookie {}", Quoted(line));
}

/// A client gets another mark, which the conf wants to be told of.
pub fn mark_reset(ex: &Exchange, cx: &Cx, name: &str, uid: Uid) {
    log::notice!(at: here(ex, cx), "userid cookie \"{name}={}\" was reset", uid.hex());
}

/// A 401 is held back.
pub fn delayed_unauthorized(ex: &Exchange, cx: &Cx) {
    log::info!(at: here(ex, cx), "delaying unauthorized request");
}

/// `limit_req` refuses the exchange, or would.
pub fn request_limited(ex: &Exchange, cx: &Cx, level: Level, dry_run: bool, excess: u64, zone: &str) {
    let (dry_run, whole, part) = (if dry_run { ", dry run" } else { "" }, excess / 1000, excess % 1000);
    log::emit!(
        level,
        at: here(ex, cx),
        "limiting requests{dry_run}, excess: {whole}.{part:03} by zone \"{zone}\""
    );
}

/// `limit_req` delays the exchange, or would.
pub fn request_delayed(ex: &Exchange, cx: &Cx, level: Level, dry_run: bool, excess: u64, zone: &str) {
    let (dry_run, whole, part) = (if dry_run { ", dry run" } else { "" }, excess / 1000, excess % 1000);
    log::emit!(
        level,
        at: here(ex, cx),
        "delaying request{dry_run}, excess: {whole}.{part:03}, by zone \"{zone}\""
    );
}

/// `limit_conn` refuses the exchange, or would.
pub fn connection_limited(ex: &Exchange, cx: &Cx, level: Level, dry_run: bool, zone: &str) {
    let dry_run = if dry_run { ", dry run," } else { "" };
    log::emit!(level, at: here(ex, cx), "limiting connections{dry_run} by zone \"{zone}\"");
}

/// The key of a zone is too long to be counted.
pub fn limit_key_too_long(ex: &Exchange, cx: &Cx, key: &str, value: &[u8], max: usize) {
    let value = Text(value);
    log::error!(at: here(ex, cx), "the value of the \"{key}\" key is more than {max} bytes: \"{value}\"");
}

/// The rate of a location is no size.
pub fn invalid_size(ex: &Exchange, cx: &Cx, value: &[u8]) {
    log::error!(at: here(ex, cx), "invalid size \"{}\"", Text(value));
}

/// A script sets the rate to what is no size.
pub fn invalid_limit_rate(ex: &Exchange, cx: &Cx, value: &[u8]) {
    log::error!(at: here(ex, cx), "invalid $limit_rate \"{}\"", Text(value));
}

/// A zone has no room for another client of `limit_req`. Said once.
pub fn request_zone_full(zone: &str) {
    log::alert!("could not allocate node in limit_req zone \"{zone}\"");
}

/// A zone has no room for another client of `limit_conn`. Said once, in the words of nginx's allocator.
pub fn connection_zone_full(zone: &str) {
    log::crit!("ngx_slab_alloc() failed: no memory in limit_conn_zone \"{zone}\"");
}

/// A process was killed while it had a zone in hand.
pub fn zone_abandoned(zone: &str) {
    log::alert!("zone \"{zone}\" has been emptied: a process died while it changed it");
}

/// The conf sends the exchange in circles.
pub fn redirect_cycle(ex: &Exchange, cx: &Cx) {
    log::error!(
        at: here(ex, cx),
        "rewrite or internal redirection cycle while internally redirecting to \"{}\"",
        Text(&ex.target.uri)
    );
}

/// The scripts of locations send the exchange in circles.
pub fn rewrite_cycle(ex: &Exchange, cx: &Cx) {
    let uri = Text(&ex.target.uri);
    log::error!(at: here(ex, cx), "rewrite or internal redirection cycle while processing \"{uri}\"");
}

/// A regex of a script has been tried.
pub fn matched(ex: &Exchange, cx: &Cx, pattern: &str, text: &[u8], matches: bool) {
    let verb = if matches { "matches" } else { "does not match" };
    log::notice!(at: here(ex, cx), "\"{pattern}\" {verb} \"{}\"", Text(text));
}

/// A script gives the exchange another uri, and has changed its query.
pub fn rewritten(ex: &Exchange, cx: &Cx, uri: &[u8]) {
    log::notice!(at: here(ex, cx), "rewritten data: \"{}\", args: \"{}\"", Text(uri), Text(&ex.target.args));
}

/// A script redirects the client.
pub fn rewritten_redirect(ex: &Exchange, cx: &Cx, target: &[u8]) {
    log::notice!(at: here(ex, cx), "rewritten redirect: \"{}\"", Text(target));
}

/// The uri no longer begins with the location's prefix, which an alias would take the place of.
pub fn alias_of_rewritten(ex: &Exchange, cx: &Cx) {
    let location = &ex.location_of(cx).name;
    log::alert!(at: here(ex, cx), "\"alias\" cannot be used in location \"{location}\" where URI was rewritten");
}

/// A script has left nothing of the uri.
pub fn empty_uri(ex: &Exchange, cx: &Cx) {
    log::error!(at: here(ex, cx), "the rewritten URI has a zero length");
}

/// A text uses a variable that no `set` has given a value.
pub fn uninitialized(ex: &Exchange, cx: &Cx, name: &str) {
    log::warn!(at: filling_in(ex, cx), "using uninitialized \"{name}\" variable");
}

/// The place of a text that is filled in: once the head is queued, it is one of the access log.
fn filling_in<'a>(ex: &'a Exchange, cx: &'a Cx<'a>) -> Here<'a> {
    let is_logging = ex.account.bytes_sent > 0 || ex.progress == Progress::Done;
    if is_logging { Here { ex, cx, doing: "while logging request".to_owned() } } else { here(ex, cx) }
}

/// The conf names a location that the server does not have.
pub fn no_named_location(ex: &Exchange, cx: &Cx, name: &str) {
    log::error!(at: here(ex, cx), "could not find named location \"@{name}\"");
}

/// A regex failed on a uri or a host: too many steps, most likely.
pub fn regex_failed(ex: &Exchange, cx: &Cx, text: &[u8], error: &MatchError) {
    let MatchError { code, pattern } = error;
    log::alert!(at: filling_in(ex, cx), "pcre2_match() failed: {code} on \"{}\" using \"{pattern}\"", Text(text));
}

/// The handling of the request has panicked.
pub(crate) fn panicked(ex: &Exchange, cx: &Cx, panic: &Panic) {
    log::alert!(at: here(ex, cx), "{panic}");
}

/// The value of a variable of the conf is made of that very value.
pub fn variable_cycle(ex: &Exchange, cx: &Cx, name: &str) {
    log::error!(at: filling_in(ex, cx), "cycle while evaluating variable \"{name}\"");
}

/// The client went away in the middle of a request.
pub fn closed_early(ex: &Exchange, cx: &Cx) {
    log::info!(at: here(ex, cx), "client prematurely closed connection");
}

/// The client was too slow to send a body.
pub fn body_timed_out(ex: &Exchange, cx: &Cx) {
    timed_out(Here { ex, cx, doing: Phase::Body.to_string() });
}

/// The client was too slow to take a response.
pub fn send_timed_out(ex: &Exchange, cx: &Cx) {
    timed_out(Here { ex, cx, doing: SENDING.to_owned() });
}

fn timed_out(here: Here) {
    log::info!(at: here, "client timed out (110: Connection timed out)");
}

/// Reading from or writing to the client failed; or, which is no error of the operating system and has a sentence of
/// its own, what was being sent.
pub fn connection_broken(ex: &Exchange, cx: &Cx, error: &io::Error) {
    match error.kind() {
        io::ErrorKind::Other => log::alert!(at: here(ex, cx), "{error}"),
        // A file is no gzip; the kernel's EINVAL has a number.
        io::ErrorKind::InvalidInput if error.raw_os_error().is_none() => log::error!(at: here(ex, cx), "{error}"),
        // rustls has refused a record.
        io::ErrorKind::InvalidData => log::info!(at: here(ex, cx), "SSL_read() failed (SSL: {error})"),
        _ => log::info!(at: here(ex, cx), "connection to client failed ({})", ErrnoText(error)),
    }
}
