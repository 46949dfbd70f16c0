//! The value of `listen`, and the sockets that all `listen` directives together need.

use super::{Args, Contexts, Error, Span, Warning, did_you_mean, parse_count, parse_size, parse_time_s};
use crate::os::{Addr, Keepalive, ListenOptions, resolve};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

/// Bytes of a socket's path: `sun_path` of sockaddr_un(7) without the NUL at its end.
const LONGEST_PATH: usize = 107;

/// The options that take a value, and how it is written.
const VALUED: [(&str, &str); 6] = [
    ("backlog", "backlog=NUMBER"),
    ("fastopen", "fastopen=NUMBER"),
    ("rcvbuf", "rcvbuf=SIZE"),
    ("sndbuf", "sndbuf=SIZE"),
    ("so_keepalive", "so_keepalive=on, off or [IDLE]:[INTERVAL]:[COUNT]"),
    ("ipv6only", "ipv6only=on or ipv6only=off"),
];

/// The options without a value.
const WORDS: [&str; 8] =
    ["default_server", "ssl", "bind", "reuseport", "deferred", "proxy_protocol", "multipath", "http2"];

/// The words that `stream` does not know.
const HTTP_WORDS: [&str; 3] = ["default_server", "ssl", "http2"];

/// The advice about `ssl` in `stream`.
const PLAIN_STREAM: &str = "connections of \"stream\" are plain: let a proxy in front speak TLS";

/// Options of nginx that drover lacks, and advice about each.
const MISSING: [(&str, &str); 2] = [
    ("quic", "drover does not speak HTTP/3 yet: leave \"quic\" out, clients use HTTP/2"),
    ("spdy", "clients have given SPDY up: leave \"spdy\" out"),
];

/// A `listen` directive, or one port of its range.
#[derive(Debug, Clone)]
pub struct Listen {
    /// The address.
    pub addr: Addr,
    /// Whether this server answers requests whose Host no server of the address names.
    pub default_server: bool,
    /// Whether a connection begins with a header of the PROXY protocol.
    pub proxy_protocol: bool,
    /// Whether clients speak TLS.
    pub ssl: bool,
    /// Whether `http2` stands here, nginx's older spelling of the directive.
    pub http2: bool,
    /// Options of the socket itself, which a single `listen` of an address may set.
    pub options: Option<ListenOptions>,
    /// The place of the address in the conf.
    pub span: Span,
}

/// A listening socket that the conf needs.
#[derive(Debug, Clone)]
pub struct ListenSocket {
    /// The address to bind.
    pub addr: Addr,
    /// The options of the socket.
    pub options: ListenOptions,
    /// The place of the first `listen` that needs the socket.
    pub span: Span,
    /// The addresses that clients reach through the socket, by their index among those asked for: a wildcard socket
    /// also serves the specific addresses of its port.
    bounds: Vec<(Addr, usize)>,
}

impl ListenSocket {
    /// The sockets for the addresses `asked` for. A wildcard also serves the other addresses of its port, which can't
    /// be bound beside it (ngx_http_init_listening); an IPv6 wildcard that takes IPv4 clients also those of IPv4.
    /// `passed`: wildcards of inherited sockets, which take IPv4 clients whatever the conf says.
    pub fn group(asked: &[(Addr, ListenOptions, Span)], passed: &[Addr]) -> Vec<ListenSocket> {
        let asked = Self::with_passed(asked, passed);
        let mut sockets: Vec<ListenSocket> = Vec::new();
        for (index, own) in asked.iter().enumerate() {
            let carries = |is_dual: bool| {
                let fits = |other: &&Asked| other.is_dual() == is_dual && covers(&other.addr, is_dual, &own.addr);
                asked.iter().find(fits)
            };
            let carrier = carries(true).or_else(|| carries(false)).unwrap_or(own);
            let socket = match sockets.iter().position(|socket| socket.addr == carrier.addr) {
                Some(at) => &mut sockets[at],
                None => {
                    let Asked { addr, options, span, .. } = carrier.clone();
                    sockets.push_mut(ListenSocket { addr, options, span, bounds: Vec::new() })
                }
            };
            if own.is_said {
                socket.bounds.push((own.addr.clone(), index));
            }
        }
        sockets
    }

    /// The addresses asked for, then the passed sockets that serve a `*:PORT` among them.
    fn with_passed(asked: &[(Addr, ListenOptions, Span)], passed: &[Addr]) -> Vec<Asked> {
        let mut all: Vec<Asked> = Vec::new();
        for (addr, options, span) in asked {
            let ipv6only = options.ipv6only && !passed.contains(addr);
            all.push(Asked {
                addr: addr.clone(),
                options: ListenOptions { ipv6only, ..options.clone() },
                span: *span,
                is_said: true,
            });
        }
        for wildcard in passed {
            let is_v4 = |own: &&Asked| matches!(own.addr, Addr::V4(_)) && own.addr.is_wildcard();
            let served = all.iter().find(|own| is_v4(own) && own.addr.port() == wildcard.port()).cloned();
            if let Some(served) = served.filter(|_| !all.iter().any(|own| own.addr == *wildcard)) {
                let options = ListenOptions { ipv6only: false, ..served.options };
                all.push(Asked { addr: wildcard.clone(), options, span: served.span, is_said: false });
            }
        }
        all
    }

    /// Whether this socket and one for `addr` can't be bound beside each other.
    pub fn excludes(&self, addr: &Addr) -> bool {
        let is_dual = !self.options.ipv6only;
        self.addr == *addr || covers(&self.addr, is_dual, addr) || covers(addr, false, &self.addr)
    }

    /// Whether the socket serves several addresses: a connection's local address tells which.
    pub fn is_shared(&self) -> bool {
        self.bounds.len() > 1
    }

    /// The index of the address that a connection belongs to: its local address, else the socket's own.
    pub fn bound(&self, local: Option<&Addr>) -> Option<usize> {
        let at = |addr: &Addr| self.bounds.iter().find(|(bound, _)| bound == addr).map(|(_, index)| *index);
        let by_local = local.map(Addr::unmapped).and_then(|local| at(&local).or_else(|| at(&local.wildcard()?)));
        let first = || self.bounds.first().map(|(_, index)| *index);
        by_local.or_else(|| at(&self.addr)).or_else(first)
    }
}

/// An address that the conf asks for, or that of a passed socket which serves such an address.
#[derive(Debug, Clone)]
struct Asked {
    addr: Addr,
    options: ListenOptions,
    span: Span,
    is_said: bool,
}

impl Asked {
    fn is_dual(&self) -> bool {
        matches!(self.addr, Addr::V6(_)) && !self.options.ipv6only
    }
}

/// Whether a socket for `wildcard` takes the clients of `addr`; `is_dual`: an IPv6 socket that takes IPv4 clients.
fn covers(wildcard: &Addr, is_dual: bool, addr: &Addr) -> bool {
    let fits = match (wildcard, addr) {
        (Addr::V4(_), Addr::V4(_)) | (Addr::V6(_), Addr::V6(_)) => true,
        (Addr::V6(_), Addr::V4(_)) => is_dual,
        _ => false,
    };
    wildcard.is_wildcard() && wildcard.port() == addr.port() && fits
}

impl Listen {
    /// The address of a server without a `listen`.
    pub fn fallback(port: u16, span: Span) -> Listen {
        let addr = Addr::from(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)));
        Listen { addr, default_server: false, proxy_protocol: false, ssl: false, http2: false, options: None, span }
    }

    /// Parses a `listen` into those of its server: the address, or one for each port of a range, and the options.
    /// `default_server` exists in `http` only, where servers share addresses.
    pub fn parse_into(args: &mut Args, listens: &mut Vec<Listen>) -> Result<(), Error> {
        let text = args.str(0)?;
        let addrs = parse_addrs(text).map_err(|what| bad_address(args, text, what))?;
        for addr in addrs {
            let mut listen = Listen { addr, ..Listen::fallback(0, args.span(0)) };
            for i in 1..args.len() {
                listen.option(args, i)?;
            }
            if let Some(first) = listens.iter().find(|other| other.addr == listen.addr) {
                return Err(args.bad(0, format!("a duplicate listen {}", listen.addr)).first_at(first.span));
            }
            listens.push(listen);
        }
        Ok(())
    }

    fn option(&mut self, args: &mut Args, i: usize) -> Result<(), Error> {
        let text = args.str(i)?;
        let in_http = args.context() == Contexts::SERVER;
        match text {
            "default_server" | "default" if in_http => self.default_server = true,
            "proxy_protocol" => self.proxy_protocol = true,
            "ssl" if in_http => self.ssl = true,
            "http2" if in_http => {
                // nginx's words (ngx_http_core_listen).
                let advice = "use the \"http2\" directive instead";
                let error = args.bad(i, format!("the \"listen ... http2\" directive is deprecated, {advice}"));
                args.warnings.push(Warning { notice: false, error });
                self.http2 = true;
            }
            _ => return self.socket_option(args, i),
        }
        Ok(())
    }

    /// An option of the socket itself.
    fn socket_option(&mut self, args: &Args, i: usize) -> Result<(), Error> {
        let text = args.str(i)?;
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let usage = VALUED.iter().find(|(valued, _)| *valued == name).map(|(_, usage)| *usage);
        let invalid = || args.bad(i, format!("invalid {name} \"{text}\"")).help(usage.unwrap_or_default());
        let number = |least| match parse_count(value) {
            Some(number) if (least..=0x7fff_ffff).contains(&number) => Ok(number as u32),
            _ => Err(invalid()),
        };
        let bytes = || parse_size(value).and_then(|size| u32::try_from(size).ok()).ok_or_else(invalid);
        let options = self.options.get_or_insert_default();
        match name {
            _ if text == "bind" => {}
            _ if text == "reuseport" => options.reuseport = true,
            _ if text == "deferred" => options.deferred = true,
            _ if text == "multipath" => options.multipath = true,
            _ if !text.contains('=') && usage.is_some() => return Err(unknown_option(args, i)),
            "backlog" => options.backlog = number(1)? as i32,
            "fastopen" => options.fastopen = Some(number(0)?),
            "rcvbuf" => options.rcvbuf = Some(bytes()?),
            "sndbuf" => options.sndbuf = Some(bytes()?),
            "so_keepalive" => options.keepalive = Some(parse_keepalive(args, i, value)?),
            // No effect on addresses other than IPv6.
            "ipv6only" if value == "on" => options.ipv6only = true,
            "ipv6only" if value == "off" => options.ipv6only = false,
            _ if MISSING.iter().any(|(missing, _)| *missing == text) => return Err(not_supported(args, i)),
            _ => return Err(unknown_option(args, i)),
        }
        Ok(())
    }
}

fn bad_address(args: &Args, text: &str, what: &str) -> Error {
    let error = args.bad(0, format!("{what} in \"{text}\" of the \"listen\" directive"));
    let port = text.rsplit(':').next().unwrap_or_default();
    match what {
        _ if text.contains("://") => error.help("an address and a port, without \"http://\" and without a path"),
        "no host" => error.help(format!("all addresses of this machine are \"*:{port}\"")),
        _ if text.matches(':').count() > 1 && !text.starts_with('[') => {
            error.help("an IPv6 address stands in brackets: [::1]:8080")
        }
        "invalid port" | "invalid port range" => {
            error.help("a port is a number from 1 to 65535, a range is FIRST-LAST")
        }
        _ => error,
    }
}

/// Names all options that drover lacks at once: a user who removes `quic` must not meet `spdy` next.
fn not_supported(args: &Args, i: usize) -> Error {
    let said = args.all().iter().skip(i);
    let helps: Vec<&str> =
        said.filter_map(|arg| MISSING.iter().find(|(name, _)| *name == arg.text).map(|(_, help)| *help)).collect();
    let name = args.opt_str(i).unwrap_or_default();
    args.bad(i, format!("the \"{name}\" parameter of \"listen\" is not supported")).help(helps.join("; "))
}

fn unknown_option(args: &Args, i: usize) -> Error {
    let text = args.opt_str(i).unwrap_or_default();
    if text == "ssl" {
        let message = "the \"ssl\" parameter of \"listen\" is not supported in \"stream\"";
        return args.bad(i, message).help(PLAIN_STREAM);
    }
    let error = args.bad(i, format!("invalid parameter \"{text}\""));
    let name = text.split('=').next().unwrap_or_default();
    let in_http = args.context() == Contexts::SERVER;
    let words = WORDS.into_iter().filter(|word| in_http || !HTTP_WORDS.contains(word));
    let known = VALUED.iter().map(|(name, _)| *name).chain(words).chain(MISSING.iter().map(|(name, _)| *name));
    let near = did_you_mean(name, known);
    if let Some((_, usage)) = VALUED.iter().find(|(valued, _)| Some(*valued) == near) {
        return error.help(format!("did you mean {usage}?"));
    }
    match near {
        Some(near) => error.help(format!("did you mean \"{near}\"?")),
        None if text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '[' | '*')) => {
            error.help("each address has a \"listen\" of its own")
        }
        None if text.starts_with("default") => {
            error.help("servers of \"stream\" share no address: there is no default")
        }
        None => error.help("the options are in drover --help-conf listen"),
    }
}

fn parse_keepalive(args: &Args, i: usize, value: &str) -> Result<Keepalive, Error> {
    let bad = || {
        let message = format!("invalid so_keepalive value: \"{value}\"");
        args.bad(i, message).help("on, off or [IDLE]:[INTERVAL]:[COUNT], such as 30m::10")
    };
    match value {
        "on" => return Ok(Keepalive { on: true, ..Keepalive::default() }),
        "off" => return Ok(Keepalive { on: false, ..Keepalive::default() }),
        _ => {}
    }
    // A part that is missing, empty or 0 leaves the system's value.
    let mut parts = value.splitn(3, ':');
    let mut number = |parse: fn(&str) -> Option<u64>| match parts.next() {
        None | Some("") => Ok(None),
        Some(text) => {
            let number = parse(text).and_then(|number| u32::try_from(number).ok()).ok_or_else(bad)?;
            Ok(Some(number).filter(|number| *number > 0))
        }
    };
    let (idle_s, interval_s, count) = (number(parse_time_s)?, number(parse_time_s)?, number(parse_count)?);
    if idle_s.or(interval_s).or(count).is_none() {
        return Err(bad());
    }
    Ok(Keepalive { on: true, idle_s, interval_s, count })
}

/// The addresses that the first argument of `listen` names. Errors are nginx's words (`ngx_parse_url`).
fn parse_addrs(text: &str) -> Result<Vec<Addr>, &'static str> {
    if text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("unix:")) {
        return match &text[5..] {
            "" => Err("no path in the unix domain socket"),
            path if path.len() > LONGEST_PATH => Err("too long path in the unix domain socket"),
            path => Ok(vec![Addr::unix(path)]),
        };
    }
    let (ip, ports) = match text.strip_prefix('[') {
        Some(rest) => parse_v6(rest)?,
        None => parse_v4(text)?,
    };
    Ok(ports.map(|port| SocketAddr::from((ip, port)).into()).collect())
}

type Ports = RangeInclusive<u16>;
const DEFAULT_PORT: Ports = 80..=80;

/// Parses an IPv6 address and its ports, after the `[`.
fn parse_v6(text: &str) -> Result<(IpAddr, Ports), &'static str> {
    let (host, rest) = text.split_once(']').ok_or("invalid host")?;
    let ports = match rest.strip_prefix(':') {
        _ if rest.contains('/') => return Err("invalid host"),
        Some(ports) => parse_ports(ports)?,
        None if rest.is_empty() => DEFAULT_PORT,
        None => return Err("invalid host"),
    };
    match host {
        "" => Err("no host"),
        host => Ok((host.parse::<Ipv6Addr>().map_err(|_| "invalid IPv6 address")?.into(), ports)),
    }
}

fn parse_v4(text: &str) -> Result<(IpAddr, Ports), &'static str> {
    if text.contains(['/', '?']) {
        return Err("invalid host");
    }
    let (host, ports) = match text.split_once(':') {
        Some((host, ports)) => (host, parse_ports(ports)?),
        None if text.splitn(2, '-').all(|port| parse_count(port).is_some()) => ("*", parse_ports(text)?),
        None => (text, DEFAULT_PORT),
    };
    let ip = match host {
        "" => return Err("no host"),
        "*" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        host => match host.parse::<Ipv4Addr>() {
            Ok(ip) => IpAddr::V4(ip),
            // Once, while the conf is read.
            Err(_) => resolve(host).into_iter().min_by_key(IpAddr::is_ipv6).ok_or("host not found")?,
        },
    };
    Ok((ip, ports))
}

/// A port, or a range: two with a dash between.
fn parse_ports(text: &str) -> Result<Ports, &'static str> {
    let port = |text: &str| match parse_count(text) {
        Some(port @ 1..=65535) => Ok(port as u16),
        _ => Err("invalid port"),
    };
    match text.split_once('-') {
        None => port(text).map(|port| port..=port),
        Some((first, last)) => match (port(last)?, port(first)?) {
            (last, first) if first > last => Err("invalid port range"),
            (last, first) => Ok(first..=last),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{Entry, Registry, Setting, parse};

    static LISTEN: Setting<Vec<Listen>> =
        Setting::many(&["listen"], Listen::parse_into).contexts(Contexts::MAIN).args(1, usize::MAX);
    static DIRECTIVES: &[&dyn Entry] = &[&LISTEN];

    fn listens(text: &str) -> Result<Vec<Listen>, String> {
        let conf = parse(&Registry::new(&[DIRECTIVES]), text).map_err(|error| error.sentence())?;
        Ok(conf.root.scope.get(&LISTEN).clone())
    }

    fn sockets(text: &str) -> Vec<ListenSocket> {
        let asked = listens(text).unwrap().into_iter().map(|l| (l.addr, l.options.unwrap_or_default(), l.span));
        ListenSocket::group(&asked.collect::<Vec<_>>(), &[])
    }

    #[test]
    fn addresses_are_written_in_nginx_s_ways() {
        let addr = |text: &str| listens(&format!("listen {text};")).unwrap()[0].addr.to_string();
        let ways = ["8080", "*:81", "127.0.0.1", "127.0.0.1:82", "[::1]", "[::1]:83", "localhost:84", "unix:/s"];
        assert_eq!(
            ways.map(addr),
            [
                "0.0.0.0:8080",
                "0.0.0.0:81",
                "127.0.0.1:80",
                "127.0.0.1:82",
                "[::1]:80",
                "[::1]:83",
                "127.0.0.1:84",
                "unix:/s"
            ]
        );
        let range: Vec<String> =
            listens("listen 127.0.0.1:80-82;").unwrap().iter().map(|l| l.addr.to_string()).collect();
        assert_eq!(range, ["127.0.0.1:80", "127.0.0.1:81", "127.0.0.1:82"]);
        for bad in ["0", "65536", "[::1", "[::1]x", "1.2.3.4:x", "unix:", "82-80", "no.such.host.invalid:80"] {
            assert!(listens(&format!("listen {bad};")).is_err(), "{bad}");
        }
        assert!(listens("listen 80; listen *:80;").unwrap_err().contains("a duplicate listen 0.0.0.0:80"));
    }

    #[test]
    fn options_are_those_of_the_socket() {
        let listens = listens("listen 80 backlog=7 reuseport so_keepalive=1m::3; listen 81;").unwrap();
        let options = listens[0].options.clone().unwrap();
        assert_eq!((options.backlog, options.reuseport, options.deferred), (7, true, false));
        assert_eq!(options.keepalive, Some(Keepalive { on: true, idle_s: Some(60), interval_s: None, count: Some(3) }));
        assert_eq!(listens[1].options, None);
    }

    #[test]
    fn servers_share_addresses_in_http_alone() {
        assert!(listens("listen 80 default_server;").unwrap_err().contains("invalid parameter \"default_server\""));
    }

    #[test]
    fn a_socket_of_both_families_carries_the_addresses_of_both() {
        let local = |text: &str| Addr::from(text.parse::<SocketAddr>().unwrap());
        let shown = |sockets: &[ListenSocket]| sockets.iter().map(|s| s.addr.to_string()).collect::<Vec<_>>();
        let said = sockets("listen 80; listen 127.0.0.1:80; listen [::]:80 ipv6only=off; listen [::1]:80; listen 81;");
        assert_eq!(shown(&said), ["[::]:80", "0.0.0.0:81"]);
        let at = |text: &str| said[0].bound(Some(&local(text)));
        assert_eq!(
            ["[::ffff:10.0.0.1]:80", "[::ffff:127.0.0.1]:80", "[::2]:80", "[::1]:80"].map(at),
            [0, 1, 2, 3].map(Some)
        );
        assert!(said[0].excludes(&local("127.0.0.2:80")) && !said[0].excludes(&local("127.0.0.2:81")));
        let passed = |text: &str| {
            let asked = listens(text).unwrap().into_iter().map(|l| (l.addr, l.options.unwrap_or_default(), l.span));
            ListenSocket::group(&asked.collect::<Vec<_>>(), &[local("[::]:80")])
        };
        let both = passed("listen 80; listen [::]:80;");
        assert_eq!((shown(&both), both[0].options.ipv6only), (vec!["[::]:80".to_owned()], false));
        assert_eq!(both[0].bound(Some(&local("[::ffff:10.0.0.1]:80"))), Some(0));
        assert_eq!(both[0].bound(Some(&local("[::2]:80"))), Some(1));
        let v4 = passed("listen 80;");
        assert_eq!((shown(&v4), v4[0].options.ipv6only, v4[0].is_shared()), (vec!["[::]:80".to_owned()], false, false));
        assert_eq!((v4[0].bound(None), v4[0].bound(Some(&local("[::2]:80")))), (Some(0), Some(0)));
        assert_eq!(shown(&passed("listen 127.0.0.1:80; listen [::]:81;")), ["127.0.0.1:80", "[::]:81"]);
    }

    #[test]
    fn a_wildcard_socket_carries_the_other_addresses_of_its_port() {
        let sockets = sockets("listen 127.0.0.1:80; listen 81; listen 80; listen [::]:80; listen [::1]:80;");
        let shown: Vec<_> = sockets.iter().map(|s| (s.addr.to_string(), s.is_shared())).collect();
        let expected = [("0.0.0.0:80", true), ("0.0.0.0:81", false), ("[::]:80", true)];
        assert_eq!(shown, expected.map(|(addr, shared)| (addr.to_owned(), shared)));
        let local = |text: &str| Addr::from(text.parse::<SocketAddr>().unwrap());
        assert_eq!(sockets[0].bound(Some(&local("127.0.0.1:80"))), Some(0));
        assert_eq!(sockets[0].bound(Some(&local("127.0.0.2:80"))), Some(2));
        assert_eq!(sockets[0].bound(None), Some(2));
        assert_eq!(sockets[2].bound(Some(&local("[::1]:80"))), Some(4));
        assert!(sockets[1].excludes(&local("10.0.0.1:81")) && !sockets[1].excludes(&local("[::]:81")));
    }
}
