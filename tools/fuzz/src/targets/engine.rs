//! Whole connections, and what single fields of their requests lead to.

use super::site::{Site, body};
use drover::http::message::head::Framing;
use drover::http::message::request_body::RequestBody;
use std::net::{IpAddr, Ipv6Addr};

const CONF: &str = r#"events { }
http {
    server {
        listen 80; root %; client_max_body_size 100;
        error_page 404 /404.html; error_page 418 =204 /a; error_page 419 =304 /a;
        location /moved { return 301 /x$uri$is_args$args; }
        location /text { return 200 "$uri $args"; }
        location /gone { return 204 text; }
        location /err/ { return 418; }
        location /err/9 { return 419; }
        location /try/ { try_files $uri /sub/ @far; }
        location @far { return 404 far; }
        location /al { alias %/sub/; }
        location ~ ^/x(.*)y$ { add_header X "$1 $arg_q" always; expires $arg_q; }
        location /in { internal; }
        location /gz { alias %/; gzip on; gzip_min_length 1; gzip_types *; }
        location /dir/ { alias %/; index none; autoindex on; }
        location /part { alias %/; max_ranges 3; limit_except GET { deny all; } }
    }
    server { listen 80; server_name b; keepalive_requests 2; return 302 http://c$request_uri; }
}"#;

/// Whatever comes, responses can be told apart as a client does it.
pub(super) fn engine() -> impl FnMut(&[u8]) {
    let (hello, large) = ("hello".repeat(5), "l".repeat(300_000));
    let files =
        [("index.html", &*hello), ("sub/index.html", "sub"), ("404.html", "none"), ("a", "a"), ("large", &large)];
    let mut site = Site::new(CONF, &files);
    move |input| {
        let answers = site.ask(input);
        // Responses to HEAD can be told apart only with the requests at hand.
        if !input.windows(4).any(|four| four == b"HEAD") {
            read_answers(&answers);
        }
    }
}

/// Reads one response after the other.
fn read_answers(mut rest: &[u8]) {
    while !rest.is_empty() {
        let text = rest.escape_ascii().to_string();
        let start = text.get(..text.len().min(300)).unwrap_or_default();
        assert!(rest.starts_with(b"HTTP/1.1 "), "{start}");
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| panic!("no end: {start}"));
        let (head, body) = rest.split_at(end + 4);
        // The split above took the empty line away, and with it the line feed of the last field.
        let lines = head[..end].split(|byte| *byte == b'\n');
        let fields: Vec<&[u8]> = lines.skip(1).map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
        assert!(fields.iter().all(|line| !line.contains(&b'\r') && !line.contains(&0)), "{start}");
        assert!(fields.iter().all(|line| line.contains(&b':')), "{start}");
        let length = fields.iter().find_map(|line| line.strip_prefix(b"Content-Length: "));
        let length = length.and_then(|text| std::str::from_utf8(text).ok()?.parse::<usize>().ok());
        rest = match &head[9..12] {
            b"100" | b"204" | b"304" => body,
            _ if fields.contains(&&b"Transfer-Encoding: chunked"[..]) => behind_chunks(body, start),
            _ => body.split_at_checked(length.expect("a length")).unwrap_or_else(|| panic!("cut short: {start}")).1,
        };
    }
}

/// The bytes behind a chunked body.
fn behind_chunks<'b>(body: &'b [u8], start: &str) -> &'b [u8] {
    let mut chunks = RequestBody::new(Framing::Chunked, 0).expect("chunks are allowed");
    let fed = chunks.feed(body).unwrap_or_else(|reject| panic!("{reject:?}: {start}"));
    assert!(fed.done, "cut short: {start}");
    &body[fed.consumed..]
}

/// A request with these lines; `None`: they are more than values of fields, or than a head may have.
fn with_fields(input: &[u8], name: &str) -> Option<Vec<u8>> {
    let is_no_value = |byte: &u8| *byte < b' ' && *byte != b'\n' || *byte == 0x7f;
    if input.iter().any(is_no_value) || input.split(|byte| *byte == b'\n').count() > 500 {
        return None;
    }
    let mut request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n".to_vec();
    for line in input.split(|byte| *byte == b'\n') {
        request.extend_from_slice(&[name.as_bytes(), b": ", line, b"\r\n"].concat());
    }
    request.extend_from_slice(b"\r\n");
    Some(request)
}

/// The input is lines of X-Forwarded-For. The client is the last address, from the end on, that is no proxy, as far as
/// addresses can be read.
pub(super) fn forwarded() -> impl FnMut(&[u8]) {
    let mut site = Site::new(
        r#"events { } http { server {
            listen 80; set_real_ip_from unix:; set_real_ip_from 10.0.0.0/8; set_real_ip_from fd00::/8;
            real_ip_header X-Forwarded-For; real_ip_recursive on; return 200 "$remote_addr";
        } }"#,
        &[],
    );
    move |input| {
        let Some(request) = with_fields(input, "X-Forwarded-For") else { return };
        let said = site.ask(&request);
        let said = std::str::from_utf8(body(&said)).expect("an address");
        let mut expected = None;
        'lines: for line in input.split(|byte| *byte == b'\n').rev() {
            let line = line.trim_ascii();
            // A comma in front of all belongs to the first address, which is none then.
            if line.starts_with(b",") {
                return;
            }
            for text in line.rsplit(|byte| matches!(byte, b' ' | b',')).filter(|text| !text.is_empty()) {
                let Some(ip) = read_ip(text) else { break 'lines };
                expected = Some(ip);
                let is_proxy = match ip.to_canonical() {
                    IpAddr::V4(ip) => ip.octets()[0] == 10,
                    IpAddr::V6(ip) => ip.octets()[0] == 0xfd,
                };
                if !is_proxy {
                    break 'lines;
                }
            }
            if line.is_empty() {
                break;
            }
        }
        assert_eq!(said, expected.map_or("unix:".to_owned(), |ip| ip.to_string()));
    }
}

/// An address, with or without a port.
fn read_ip(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let is_port = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse().is_ok_and(|port: u64| (1..65536).contains(&port))
    };
    let host = match text.split_once(']') {
        Some((host, "")) => host.strip_prefix('[')?,
        Some((host, rest)) => host.strip_prefix('[').filter(|_| rest.strip_prefix(':').is_some_and(is_port))?,
        None => match text.split_once(':') {
            Some((host, rest)) if !rest.contains(':') => Some(host).filter(|_| is_port(rest))?,
            _ => text,
        },
    };
    // A part of a version 4 address may be empty and begin with zeros, as with nginx, and 255.255.255.255 is none.
    let parts: Option<Vec<u8>> = host.split('.').map(part).collect();
    match parts.as_deref() {
        Some([255, 255, 255, 255]) => None,
        Some(&[a, b, c, d]) => Some(IpAddr::from([a, b, c, d])),
        _ => host.parse::<Ipv6Addr>().ok().map(IpAddr::from),
    }
}

fn part(text: &str) -> Option<u8> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)?;
    if digits.is_empty() { Some(0) } else { digits.parse().ok() }
}

/// The input is lines of Cookie. A value holds no part of another cookie, and the client gets one mark, which is its
/// own if it has one.
pub(super) fn cookies() -> impl FnMut(&[u8]) {
    let mut site = Site::new(
        r#"events { } http { server {
            listen 80; userid on; userid_mark x; userid_expires 1d; return 200 "$cookie_a";
        } }"#,
        &[],
    );
    move |input| {
        let Some(request) = with_fields(input, "Cookie") else { return };
        let answer = site.ask(&request);
        let value = body(&answer);
        assert!(!value.contains(&b';') && !value.contains(&b'\n'));
        assert_eq!(value, cookie(input, b"a").unwrap_or_default(), "{}", input.escape_ascii());
        let head = &answer[..answer.len() - value.len()];
        let lines = head.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"Set-Cookie: uid="));
        assert!(lines.clone().count() <= 1);
        for mark in lines {
            let letters = &mark[b"Set-Cookie: uid=".len()..];
            let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
            // The letters of a mark that has come may end early, as with nginx.
            let given = letters[..22].split(|byte| *byte == b'=').next().unwrap_or_default();
            assert!(given.iter().all(is_letter), "{}", mark.escape_ascii());
            assert!(letters[22..].starts_with(b"x=; expires="), "{}", mark.escape_ascii());
        }
    }
}

/// The first cookie of a name, in any case, in the order of the lines.
fn cookie<'i>(lines: &'i [u8], name: &[u8]) -> Option<&'i [u8]> {
    lines.split(|byte| *byte == b'\n').find_map(|line| {
        let mut parts = line.trim_ascii().split(|byte| *byte == b';').map(without_blanks);
        while let Some(part) = parts.next() {
            let is_named = part.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name));
            match part.get(name.len()..).map(without_blanks).filter(|_| is_named) {
                Some([b'=', value @ ..]) => return Some(without_blanks(value)),
                // nginx steps over the `;` behind a name alone, and so over the cookie behind it.
                Some([]) => drop(parts.next()),
                _ => (),
            }
        }
        None
    })
}

fn without_blanks(mut text: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = text {
        text = rest;
    }
    text
}
