//! The request line, by the rules of nginx's ngx_http_parse_request_line.

use super::head::{Form, Head, Limits, Method, Span, Version};
use super::host;
use super::reject::Reject;
use super::uri::{self, Scan};

/// Parses the request line; returns where the field lines start, or `None` while it is incomplete.
pub(super) fn parse(head: &mut Head, buf: &[u8], limits: &Limits) -> Result<Option<usize>, Reject> {
    // RFC 9112 section 2.2: empty lines before the request line are ignored.
    loop {
        match buf.get(head.start..).unwrap_or_default() {
            [b'\n', ..] => head.start += 1,
            [b'\r', b'\n', ..] => head.start += 2,
            // Some, not any number: they are kept until the request line is there.
            _ if head.start > limits.line => return Err(Reject::InvalidRequest),
            [] | [b'\r'] => return Ok(None),
            [b'\r', ..] => return Err(Reject::InvalidRequest),
            _ => break,
        }
    }
    let start = head.start;
    let from = head.scanned.max(start);
    let Some(newline) = memchr::memchr(b'\n', &buf[from..]).map(|at| from + at) else {
        head.scanned = buf.len();
        return incomplete_line(&buf[start..], limits);
    };
    head.scanned = newline;
    let line = &buf[start..newline];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    head.line = Span::within(buf, line);
    if newline + 1 - start > limits.line {
        return Err(Reject::UriTooLong);
    }

    let (method, text, rest) = method(line)?;
    (head.method, head.method_text) = (method, Span::within(buf, text));
    let rest = skip_spaces(rest);
    let path = uri::scan(rest, uri::SPACE | uri::MARK);
    let end = match rest.get(path.len) {
        Some(b'?' | b'#') => path.len + uri::scan(&rest[path.len..], uri::SPACE).len,
        _ => path.len,
    };
    let (target, rest) = rest.split_at(end);
    if target.is_empty() || !rest.starts_with(b" ") {
        return Err(Reject::InvalidRequest);
    }
    head.target = Span::within(buf, target);
    let mut version_text = skip_spaces(rest);
    while let [text @ .., b' '] = version_text {
        version_text = text;
    }
    head.version_text = Span::within(buf, version_text);
    let version = match version(version_text) {
        Err(Reject::InvalidVersion) => None,
        version => Some(version?),
    };
    head.version = version.unwrap_or_default();
    // nginx has looked at the target before it sees the version: "PRI * HTTP/2.0" is an invalid request.
    split_target(head, buf, target, path)?;
    version.map(|_| Some(newline + 1)).ok_or(Reject::InvalidVersion)
}

/// Refuses what can't become a request line: a TLS hello on a plain port is answered at once, not after a timeout.
fn incomplete_line(line: &[u8], limits: &Limits) -> Result<Option<usize>, Reject> {
    let word = line.iter().take(64).position(|b| !is_method_byte(*b));
    match word.map(|at| (at, line[at])) {
        Some((0, _)) => Err(Reject::InvalidMethod),
        Some((_, byte)) if byte != b' ' => Err(Reject::InvalidMethod),
        _ if line.len() >= limits.line => Err(Reject::UriTooLong),
        _ => Ok(None),
    }
}

pub(super) fn is_method_byte(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'_' | b'-')
}

/// The method, its text, and what follows it.
fn method(line: &[u8]) -> Result<(Method, &[u8], &[u8]), Reject> {
    // Most requests begin so.
    if line.starts_with(b"GET ") {
        return Ok((Method::Get, &line[..3], &line[3..]));
    }
    let end = line.iter().position(|b| !is_method_byte(*b)).unwrap_or(line.len());
    match line.split_at(end) {
        ([], _) => Err(Reject::InvalidMethod),
        (_, []) => Err(Reject::InvalidRequest),
        (method, rest @ [b' ', ..]) => Ok((known_method(method), method, rest)),
        _ => Err(Reject::InvalidMethod),
    }
}

pub(super) fn known_method(text: &[u8]) -> Method {
    match text {
        b"GET" => Method::Get,
        b"HEAD" => Method::Head,
        b"POST" => Method::Post,
        b"PUT" => Method::Put,
        b"DELETE" => Method::Delete,
        b"OPTIONS" => Method::Options,
        b"TRACE" => Method::Trace,
        b"CONNECT" => Method::Connect,
        b"PATCH" => Method::Patch,
        _ => Method::Other,
    }
}

/// nginx allows several spaces between the parts of the request line, as RFC 9112 section 3 permits.
fn skip_spaces(mut text: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = text {
        text = rest;
    }
    text
}

/// `HTTP/1.0`, `HTTP/1.1`, or, as nginx has it, up to three digits of a minor version.
#[inline(always)]
fn version(text: &[u8]) -> Result<Version, Reject> {
    if text == b"HTTP/1.1" { Ok(Version::Http11) } else { other_version(text) }
}

fn other_version(text: &[u8]) -> Result<Version, Reject> {
    let numbers = text.strip_prefix(b"HTTP/").ok_or(Reject::InvalidRequest)?;
    let dot = numbers.iter().position(|b| *b == b'.').ok_or(Reject::InvalidRequest)?;
    let (major, minor) = (&numbers[..dot], &numbers[dot + 1..]);
    let digits = |text: &[u8]| (1..=3).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    if !digits(major) || !digits(minor) || major[0] == b'0' {
        return Err(Reject::InvalidRequest);
    }
    match (major, minor) {
        (b"1", minor) if minor.iter().all(|b| *b == b'0') => Ok(Version::Http10),
        (b"1", _) => Ok(Version::Http11),
        _ => Err(Reject::InvalidVersion),
    }
}

/// Finds form, host, path and query of the target, whose bytes up to a mark have been looked at.
#[inline(always)]
pub(super) fn split_target(head: &mut Head, buf: &[u8], target: &[u8], scan: Scan) -> Result<(), Reject> {
    let (path, Scan { len, is_plain }) = match target {
        _ if head.method == Method::Connect => {
            head.form = Form::Authority;
            // RFC 9110 section 9.3.6: an empty or invalid port number MUST be refused; nobody listens on port 0.
            let authority = host::parse(target).filter(|authority| authority.port.is_some_and(|port| port > 0));
            let authority = authority.ok_or(Reject::InvalidTargetHost)?;
            (head.host, head.port) = (Span::within(buf, authority.host), authority.port);
            return Ok(());
        }
        [b'/', ..] => {
            head.form = Form::Origin;
            (target, scan)
        }
        b"*" if head.method == Method::Options => {
            head.form = Form::Asterisk;
            (target, Scan { is_plain: false, ..scan })
        }
        _ => {
            head.form = Form::Absolute;
            let (authority, path) = split_absolute(target).ok_or(Reject::InvalidRequest)?;
            let authority = host::parse(authority).ok_or(Reject::InvalidTargetHost)?;
            (head.host, head.port) = (Span::within(buf, authority.host), authority.port);
            (path, Scan { is_plain: false, ..uri::scan(path, uri::MARK) })
        }
    };
    head.uri = Span::within(buf, path);
    // The fragment is not part of a request target; nginx cuts it off.
    head.path = Span::within(buf, &path[..len]);
    head.has_plain_path = is_plain;
    if let [b'?', query @ ..] = &path[len..] {
        let end = memchr::memchr(b'#', query).unwrap_or(query.len());
        head.query = Some(Span::within(buf, &query[..end]));
    }
    Ok(())
}

/// `scheme "://" authority path-abempty`, any scheme (nginx serves them all alike): authority, and what follows it. A
/// `#` right behind the authority is left in it, and so makes it invalid, as in nginx.
fn split_absolute(target: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = target.iter().position(|b| *b == b':')?;
    let (scheme, rest) = target.split_at(colon);
    let valid = scheme.first()?.is_ascii_alphabetic()
        && scheme.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    let rest = rest.strip_prefix(b"://").filter(|_| valid)?;
    let end = rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len());
    Some(rest.split_at(end))
}
