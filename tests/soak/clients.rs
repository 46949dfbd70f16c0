//! The clients of a soak beside the common ones: files that change, ranges, gzip, TLS that resumes, requests in one
//! piece or in many, and clients that are slow or go away.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::HandshakeKind;

use crate::content::{Content, Files};
use crate::support::client::{Client, Nothing, Response};
use crate::support::load::{Asker, Kind, Loss, Try};

/// Between the pieces that a slow client sends or reads.
const SLOWLY: Duration = Duration::from_millis(20);
/// Requests in one piece.
const PIPELINED: usize = 5;

/// All kinds.
pub fn all(content: &Content) -> Vec<Kind> {
    let mut kinds = Kind::common();
    for name in ["renamed", "long", "rewritten", "coming"] {
        let files = content.files.clone();
        kinds.push(Kind::new(name, move |client| changing(client, &files, name)));
    }
    let page: Arc<str> = content.page.as_str().into();
    kinds.push(Kind::new("gzip", move |client| gzip(client, &page)));
    kinds.push(Kind::new("range", range));
    kinds.push(Kind::new("pipelined", pipelined));
    kinds.push(Kind::new("resumed", resumed));
    kinds.push(Kind::new("absent", absent));
    kinds.push(Kind::new("in pieces", in_pieces));
    kinds.push(Kind::new("gone", gone));
    kinds
}

fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}\r\n")
}

/// Asks for a target as the only request of a connection.
fn ask(client: &Asker<'_>, target: &str, fields: &str) -> Option<(Response, Instant)> {
    let (stream, attempt) = client.connect(Ipv4Addr::LOCALHOST)?;
    let sent = Instant::now();
    let mut wire = Client::of(stream);
    wire.send(get(target, fields));
    let response = received(&attempt, wire.response(), target)?;
    match response.status {
        500 | 503 => attempt.lost(Loss::Unable, format!("{target}: {}", response.status)),
        _ => Some((response, sent)),
    }
}

/// A whole answer; `None`: a note has been taken of the loss.
fn received(attempt: &Try<'_>, response: Result<Response, Nothing>, target: &str) -> Option<Response> {
    match response {
        Ok(response) if response.ended_by_close => {
            attempt.lost(Loss::Closed, format!("{target}: ended after {} bytes", response.body.len()))
        }
        Ok(response) => Some(response),
        Err(nothing) => attempt.nothing(nothing, target),
    }
}

fn wrong<T>(client: &Asker<'_>, target: &str, why: &str, response: &Response) -> Option<T> {
    let (status, text) = (response.status, response.text());
    let begin: String = text.chars().take(100).collect();
    client.wrong(format!("{target}: {why}: {status}, {} bytes: {begin:?}", text.len()))
}

/// A file that changes: the answer is one whole version, and none that had been replaced before the request was sent.
fn changing(client: &Asker<'_>, files: &Files, name: &str) -> Option<()> {
    let (stream, attempt) = client.connect(Ipv4Addr::LOCALHOST)?;
    let before = files.version(name);
    let sent = Instant::now();
    let target = format!("/live/{name}");
    let mut wire = Client::of(stream);
    wire.send(get(&target, ""));
    let response = wire.response();
    let after = files.version(name);
    let has_changed = after.begun > before.whole;
    // A file that is rewritten has no moment at which all of it changes: its length may be that of the old version, and
    // the answer the beginning of the new one (nginx the same), or end early.
    if name == "rewritten" && has_changed {
        let new = Files::text(name, after.begun);
        let is_begin = |response: &Response| response.ended_by_close || new.as_bytes().starts_with(&response.body);
        if response.as_ref().is_ok_and(is_begin) {
            client.served_since(sent);
            return Some(());
        }
    }
    let response = received(&attempt, response, &target)?;
    match (response.status, Files::version_of(name, &response.body)) {
        (200, Some(version)) if (before.whole..=after.begun).contains(&version) => {}
        (200, Some(version)) => {
            let why = format!("version {version}, but {before:?} before and {after:?} after");
            return wrong(client, &target, &why, &response);
        }
        (404, None) if name == "coming" && has_changed => {}
        (500 | 503, _) => return attempt.lost(Loss::Unable, format!("{target}: {}", response.status)),
        _ => return wrong(client, &target, &format!("no whole version, {before:?}, {after:?}"), &response),
    }
    client.served_since(sent);
    Some(())
}

/// A page that is compressed, or not, as the conf of the moment has it.
fn gzip(client: &Asker<'_>, page: &str) -> Option<()> {
    let (response, sent) = ask(client, "/page.html", "Accept-Encoding: gzip\r\n")?;
    let is_right = match response.header("Content-Encoding") {
        Some("gzip") => {
            let mut text = String::new();
            flate2::read::GzDecoder::new(&response.body[..]).read_to_string(&mut text).is_ok() && text == page
        }
        None => response.body == page.as_bytes(),
        Some(_) => false,
    };
    if response.status != 200 || !is_right {
        return wrong(client, "/page.html", "not the page", &response);
    }
    client.served_since(sent);
    Some(())
}

fn range(client: &Asker<'_>) -> Option<()> {
    let large = &client.orders().large;
    let from = Instant::now().elapsed().as_nanos() as usize * 7919 % (large.len() / 2);
    let to = from + 20_000;
    let (response, sent) = ask(client, "/large", &format!("Range: bytes={from}-{to}\r\n"))?;
    if response.status != 206 || response.body != large[from..=to] {
        return wrong(client, "/large", &format!("not bytes {from} to {to}"), &response);
    }
    client.served_since(sent);
    Some(())
}

/// Requests in one piece, for small and large answers in turn.
fn pipelined(client: &Asker<'_>) -> Option<()> {
    let (stream, attempt) = client.connect(Ipv4Addr::LOCALHOST)?;
    let target = |number: usize| format!("/n/pipelined{number}");
    let mut wire = Client::of(stream);
    let sent = Instant::now();
    let line = |number: usize| format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", target(number));
    wire.send((0..PIPELINED - 1).map(line).collect::<String>() + &get(&target(PIPELINED - 1), ""));
    for number in 0..PIPELINED {
        let response = match wire.response() {
            // A worker that ends closes after the answer it is at; a client sends the rest again.
            Err(Nothing::Closed) if number > 0 => return Some(()),
            response => received(&attempt, response, &target(number))?,
        };
        attempt.check(&target(number), &response.status.to_string(), &response.body)?;
        if response.header("Connection") == Some("close") {
            break;
        }
    }
    client.served_since(sent);
    Some(())
}

/// A client of TLS that remembers its sessions: the common ones do as well, but this one asks twice.
fn resumed(client: &Asker<'_>) -> Option<()> {
    for number in 0..2 {
        let (stream, attempt) = client.connect(Ipv4Addr::new(127, 0, 0, 2))?;
        let target = format!("/n/resumed{number}");
        let sent = Instant::now();
        let wish = client.orders().wish.clone();
        let wish = if number == 0 { wish.without_resumption() } else { wish };
        let mut wire = match Client::of(stream).shake_hands(&wish) {
            Ok(wire) => wire,
            Err(error) => return attempt.lost(Loss::Closed, format!("handshake for {target}: {error}")),
        };
        wire.send(get(&target, ""));
        let response = received(&attempt, wire.response(), &target)?;
        attempt.check(&target, &response.status.to_string(), &response.body)?;
        if number == 0 && wire.tls().handshake_kind() == Some(HandshakeKind::Resumed) {
            return wrong(client, &target, "resumed, without memory of a session", &response);
        }
        client.served_since(sent);
    }
    Some(())
}

fn absent(client: &Asker<'_>) -> Option<()> {
    let (response, sent) = ask(client, "/live/absent", "")?;
    if response.status != 404 {
        return wrong(client, "/live/absent", "not 404", &response);
    }
    client.served_since(sent);
    Some(())
}

/// A request that comes a few bytes at a time.
fn in_pieces(client: &Asker<'_>) -> Option<()> {
    let (mut stream, attempt) = client.connect(Ipv4Addr::LOCALHOST)?;
    let target = "/n/in-pieces";
    for piece in get(target, "").as_bytes().chunks(8) {
        if let Err(error) = stream.write_all(piece) {
            return attempt.lost(Loss::Closed, format!("{target}: {error}"));
        }
        thread::sleep(SLOWLY);
    }
    let response = received(&attempt, Client::of(stream).response(), target)?;
    attempt.check(target, &response.status.to_string(), &response.body)?;
    client.served();
    Some(())
}

/// A client that goes away, in the middle of a request, of an answer, or of a handshake.
fn gone(client: &Asker<'_>) -> Option<()> {
    let secure = Ipv4Addr::new(127, 0, 0, 2);
    for (host, bytes, answer) in [
        (Ipv4Addr::LOCALHOST, &b"GET /half HT"[..], 0),
        (Ipv4Addr::LOCALHOST, b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n", 5000),
        (secure, b"\x16\x03\x01\x02", 0),
        (Ipv4Addr::LOCALHOST, b"", 0),
    ] {
        let (mut stream, _) = client.connect(host)?;
        let _ = stream.write_all(bytes);
        let _ = stream.read_exact(&mut vec![0; answer]);
        reset(stream);
        client.served();
    }
    Some(())
}

/// Ends a connection by RST.
fn reset(stream: TcpStream) {
    let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    nix::sys::socket::setsockopt(&stream, nix::sys::socket::sockopt::Linger, &linger).expect("SO_LINGER");
}
