//! `syslog:` in `access_log` and `error_log`: a datagram a line, as nginx's `ngx_syslog.c` writes it (RFC 3164).

use super::Level;
use super::shared::Losses;
use crate::conf::{self, Args};
use crate::os::time::{LocalTime, monotonic_ms};
use crate::os::{Addr, Datagrams, ErrnoText, Failure, Shared, machine, resolve};
use std::fmt::Write;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The facilities by their numbers.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp", "clock", "authpriv", "ftp", "ntp",
    "audit", "alert", "cron", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

/// The severities by their numbers.
const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"];

const LONGEST_TAG: usize = 32;
const DEFAULT_PORT: u16 = 514;

/// Bytes of a Unix socket's path (`sun_path` without its NUL).
const LONGEST_PATH: usize = 107;

/// nginx's months, whatever the locale.
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A receiver of syslog, and what messages to it are marked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    server: Addr,
    facility: u8,
    /// The severity of access log lines; lines of the error log have their own.
    severity: u8,
    tag: String,
    has_hostname: bool,
}

impl Peer {
    /// Parses argument `i`, which begins with `syslog:`. Errors are nginx's sentences.
    pub fn parse(args: &Args, i: usize) -> Result<Peer, conf::Error> {
        let text = args.str(i)?;
        let (mut server, mut facility, mut severity, mut tag, mut has_hostname) = (None, None, None, None, true);
        for part in text.strip_prefix("syslog:").unwrap_or(text).split(',') {
            let bad = |what: String| args.bad(i, what);
            let twice = |name: &str| {
                let help = if name == "server" { "a second target is an access_log of its own" } else { "say it once" };
                bad(format!("duplicate syslog \"{name}\"")).help(help)
            };
            match part.split_once('=').unwrap_or((part, "")) {
                ("server", value) if part.contains('=') => {
                    let parsed = parse_server(value).map_err(|why| {
                        let error = bad(format!("{why} in syslog server \"{value}\""));
                        error.help("such as server=192.0.2.1, server=[2001:db8::1]:514 or server=unix:/dev/log")
                    })?;
                    once(&mut server, parsed).map_err(|()| twice("server"))?;
                }
                ("facility", value) if part.contains('=') => {
                    let number = number_of(args, i, value, &FACILITIES, "facility")?;
                    once(&mut facility, number).map_err(|()| twice("facility"))?;
                }
                ("severity", value) if part.contains('=') => {
                    let number = number_of(args, i, value, &SEVERITIES, "severity")?;
                    once(&mut severity, number).map_err(|()| twice("severity"))?;
                }
                ("tag", value) if part.contains('=') => {
                    once(&mut tag, value).map_err(|()| twice("tag"))?;
                    check_tag(value).map_err(|why| bad(why.to_owned()).help("a short name, such as web_1"))?;
                }
                _ if part == "nohostname" => has_hostname = false,
                _ => {
                    let known = ["server=", "facility=", "severity=", "tag=", "nohostname"];
                    let error = bad(format!("unknown syslog parameter \"{part}\""));
                    return Err(error.help(format!("the parameters are {}, with commas between", known.join(", "))));
                }
            }
        }
        let no_server =
            || args.bad(i, "no syslog server specified").help("syslog:server=127.0.0.1 or server=unix:/dev/log");
        Ok(Peer {
            server: server.ok_or_else(no_server)?,
            facility: facility.unwrap_or(23),
            severity: severity.unwrap_or(6),
            tag: tag.unwrap_or("drover").to_owned(),
            has_hostname,
        })
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), ()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(()),
    }
}

fn number_of(args: &Args, i: usize, word: &str, words: &[&str], what: &str) -> Result<u8, conf::Error> {
    if let Some(number) = words.iter().position(|known| *known == word) {
        return Ok(number as u8);
    }
    let error = args.bad(i, format!("unknown syslog {what} \"{word}\""));
    Err(match conf::did_you_mean(word, words.iter().copied()) {
        Some(near) => error.help(format!("did you mean \"{near}\"?")),
        None => error.help(format!("one of {}", words.join(", "))),
    })
}

fn check_tag(tag: &str) -> Result<(), &'static str> {
    if tag.len() > LONGEST_TAG {
        return Err("syslog tag length exceeds 32");
    }
    match tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        true => Ok(()),
        false => Err("syslog \"tag\" only allows alphanumeric characters and underscore"),
    }
}

/// An address with or without a port, or a Unix socket. Errors are nginx's words (`ngx_parse_url`).
fn parse_server(text: &str) -> Result<Addr, &'static str> {
    if text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("unix:")) {
        return match &text[5..] {
            "" => Err("no path in the unix domain socket"),
            path if path.len() > LONGEST_PATH => Err("too long path in the unix domain socket"),
            path => Ok(Addr::unix(path)),
        };
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']').ok_or("invalid host")?;
            let port = match behind.strip_prefix(':') {
                None if !behind.is_empty() => return Err("invalid host"),
                port => port,
            };
            let ip = host.parse::<Ipv6Addr>().map_err(|_| "invalid IPv6 address")?;
            (Some(IpAddr::V6(ip)), port)
        }
        None => {
            let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
            match host {
                "" => return Err("no host"),
                _ if host.contains(['/', '?']) => return Err("invalid host"),
                host => (resolve(host).into_iter().min_by_key(IpAddr::is_ipv6), port),
            }
        }
    };
    let port = match port.map(conf::parse_count) {
        None => DEFAULT_PORT,
        Some(Some(port @ 1..=65535)) => port as u16,
        Some(_) => return Err("invalid port"),
    };
    Ok(SocketAddr::new(host.ok_or("host not found")?, port).into())
}

/// A receiver, and the socket to it, which the processes of a service share.
#[derive(Debug)]
pub struct Syslog {
    peer: Peer,
    datagrams: Datagrams,
    /// The text between the time and the line.
    mark: String,
    losses: Shared<Losses>,
}

impl Syslog {
    /// Opens a socket; whether the receiver is there does not matter.
    pub fn open(peer: &Peer) -> Result<Syslog, Failure> {
        let datagrams = Datagrams::new(&peer.server).map_err(|error| Failure::new("socket()", error))?;
        let mark = match peer.has_hostname {
            true => format!("{} {}: ", machine::hostname().to_ascii_lowercase(), peer.tag),
            false => format!("{}: ", peer.tag),
        };
        let losses = Shared::create("drover-syslog").map_err(|error| Failure::new("memfd_create()", error))?;
        Ok(Syslog { peer: peer.clone(), datagrams, mark, losses })
    }

    /// Whether messages to `peer` are the same.
    pub(super) fn is_for(&self, peer: &Peer) -> bool {
        self.peer == *peer
    }

    /// Sends a line of the error log. A failure has no other log to go to.
    pub(super) fn write_event(&self, level: Level, line: &str) {
        let _ = self.send(level as u8 - 1, LocalTime::now(), line.trim_end_matches('\n').as_bytes());
    }

    /// Sends a line of an access log, made at `unix_s`, or counts it as lost. The first process that loses lines within
    /// a minute logs that. Returns whether the line was sent.
    pub fn write(&self, unix_s: u64, line: &[u8]) -> bool {
        let time = LocalTime::at(i64::try_from(unix_s).unwrap_or(0));
        let Err(error) = self.send(self.peer.severity, time, line) else { return true };
        self.losses.add(1);
        if let Some(lines) = self.losses.to_say(monotonic_ms) {
            let server = &self.peer.server;
            super::alert!("send() to syslog server {server} failed ({}), lines lost: {lines}", ErrnoText(&error));
        }
        false
    }

    fn send(&self, severity: u8, time: LocalTime, line: &[u8]) -> io::Result<()> {
        let mut message = String::with_capacity(64 + self.mark.len() + line.len());
        let LocalTime { day, hour, minute, second, .. } = time;
        let month = MONTHS.get(usize::from(time.month) - 1).unwrap_or(&"Jan");
        let priority = self.peer.facility * 8 + severity;
        // Writing to a String can't fail.
        let _ = write!(message, "<{priority}>{month} {day:>2} {hour:02}:{minute:02}:{second:02} {}", self.mark);
        let mut message = message.into_bytes();
        message.extend_from_slice(line);
        self.datagrams.send(&message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_written_in_nginx_s_ways() {
        let said = |text: &str| parse_server(text).map(|addr| addr.to_string());
        for (text, addr) in [
            ("127.0.0.1", Ok("127.0.0.1:514")),
            ("127.0.0.1:5140", Ok("127.0.0.1:5140")),
            ("[::1]", Ok("[::1]:514")),
            ("[::1]:9", Ok("[::1]:9")),
            ("unix:/dev/log", Ok("unix:/dev/log")),
            ("unix:", Err("no path in the unix domain socket")),
            ("", Err("no host")),
            (":514", Err("no host")),
            ("127.0.0.1:0", Err("invalid port")),
            ("127.0.0.1:", Err("invalid port")),
            ("[::1", Err("invalid host")),
            ("[::1]x", Err("invalid host")),
            ("[x]", Err("invalid IPv6 address")),
        ] {
            assert_eq!(said(text).as_deref(), addr.as_ref().map(|addr| *addr), "{text}");
        }
    }

    #[test]
    fn a_message_is_marked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let receiver = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
        let peer = |has_hostname| Peer {
            server: Addr::unix(&path),
            facility: 16,
            severity: 6,
            tag: "web".to_owned(),
            has_hostname,
        };
        let got = || {
            let mut bytes = [0; 1000];
            let len = receiver.recv(&mut bytes).unwrap();
            String::from_utf8(bytes[..len].to_vec()).unwrap()
        };
        let syslog = Syslog::open(&peer(false)).unwrap();
        assert!(syslog.write(0, b"a line"));
        let time = LocalTime::at(0);
        assert_eq!(got(), format!("<134>Jan {:>2} {:02}:{:02}:00 web: a line", time.day, time.hour, time.minute));
        syslog.write_event(Level::Error, "an error\n");
        let message = got();
        assert!(message.starts_with("<131>") && message.ends_with(" web: an error"), "{message}");
        Syslog::open(&peer(true)).unwrap().write_event(Level::Emerg, "x\n");
        let message = got();
        let end = format!(" {} web: x", machine::hostname().to_ascii_lowercase());
        assert!(message.starts_with("<128>") && message.ends_with(&end), "{message}");
    }
}
