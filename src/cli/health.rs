//! `drover --health`: one request to the service, for images that have no shell and no curl.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::conf::Listen;
use crate::http::views::place::Place;
use crate::os::{self, Addr};

/// How long all of it may take: the look-up of the name, the connection, the answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes that a status line and the fields that come with it may have.
const MOST: usize = 4096;

/// Bytes that a page may have: a ledger with 4096 processes takes about 8 MB.
const MOST_OF_PAGE: usize = 16 << 20;

/// The request, and what its answer must be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Probe {
    to: To,
    host: String,
    target: String,
    /// Whether the connection begins with a header of the PROXY protocol.
    proxy_protocol: bool,
    /// The lowest status that is a failure.
    worst: u16,
}

#[derive(Debug, PartialEq, Eq)]
enum To {
    /// Host and port.
    Tcp(String, u16),
    Unix(PathBuf),
}

impl Probe {
    /// The probe of a URL, whose answer must be a success or a redirect. Error: why it can't be asked for.
    pub(super) fn of_url(url: &str) -> Result<Probe, String> {
        let refused = |why: &str| format!("\"{url}\": {why}");
        let rest = match url.split_once("://") {
            Some(("http", rest)) => rest,
            Some(("https", _)) => {
                return Err(refused("a probe speaks no TLS: give a server a plain listen on 127.0.0.1 for it"));
            }
            _ => return Err(refused("a URL begins with http://")),
        };
        let (host, target) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (name, port) = match host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
            Some((name, port)) => (name, port.parse().map_err(|_| refused("that is no port"))?),
            None => (host, 80),
        };
        let is_visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if name.is_empty() || !is_visible(rest) {
            return Err(refused("a URL has a host, and no spaces"));
        }
        let name = name.trim_start_matches('[').trim_end_matches(']').to_owned();
        let target = target.split('#').next().unwrap_or("/").to_owned();
        let to = To::Tcp(name, port);
        Ok(Probe { to, host: host.to_owned(), target, proxy_protocol: false, worst: 400 })
    }

    /// The probe of an address that the conf listens on. The server may refuse the request, or want TLS (400), but must
    /// not fail.
    pub(super) fn of_listen(listen: &Listen) -> Probe {
        let to = match &listen.addr {
            Addr::Unix(path) => To::Unix(path.as_deref().unwrap_or("/".as_ref()).to_owned()),
            // The loopback address reaches a socket that listens on all addresses, in any network namespace.
            Addr::V4(addr) if addr.ip().is_unspecified() => To::Tcp(Ipv4Addr::LOCALHOST.to_string(), addr.port()),
            Addr::V6(addr) if addr.ip().is_unspecified() => To::Tcp(Ipv6Addr::LOCALHOST.to_string(), addr.port()),
            Addr::V4(addr) => To::Tcp(addr.ip().to_string(), addr.port()),
            Addr::V6(addr) => To::Tcp(addr.ip().to_string(), addr.port()),
        };
        let (host, target) = ("localhost".to_owned(), "/".to_owned());
        Probe { to, host, target, proxy_protocol: listen.proxy_protocol, worst: 500 }
    }

    /// The probe of a page, whose body counts.
    pub(super) fn of_page(place: &Place) -> Probe {
        Probe { host: place.host.clone(), target: place.path.clone(), ..Probe::of_listen(&place.listen) }
    }

    /// Sends the request. `Ok`: the body of the answer, which is 200. Error: there is none in that time, or another.
    pub(super) fn fetch(&self, timeout: Duration) -> Result<Vec<u8>, String> {
        let place = self.place();
        let answer = self.exchange(timeout, |answer| answer.len() >= MOST_OF_PAGE)?;
        match status_of(&answer) {
            Some(200) => {}
            Some(403) => {
                return Err(format!("{place}{}: the answer is 403: the page wants \"allow 127.0.0.1\"", self.target));
            }
            Some(status) => return Err(format!("{place}{}: the answer is {status}", self.target)),
            None => return Err(format!("{place}: the answer is no HTTP")),
        }
        let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").map(|at| at + 4);
        head.and_then(|at| answer.get(at..)).map(<[u8]>::to_vec).ok_or_else(|| format!("{place}: half an answer"))
    }

    /// The address, as errors show it.
    fn place(&self) -> String {
        match &self.to {
            To::Tcp(host, port) if host.contains(':') => format!("[{host}]:{port}"),
            To::Tcp(host, port) => format!("{host}:{port}"),
            To::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    /// Sends the request. `Ok`: the status of the answer. Error: there is none, or it is a failure.
    pub(super) fn send(&self) -> Result<u16, String> {
        let place = self.place();
        let answer = self.exchange(TIMEOUT, |answer| answer.len() >= MOST || answer.contains(&b'\n'))?;
        match status_of(&answer) {
            Some(status) if status < self.worst => Ok(status),
            Some(status) => Err(format!("{place}: the answer is {status}")),
            None => Err(format!("{place}: the answer is no HTTP")),
        }
    }

    /// Sends the request, and reads until the answer ends, or `is_enough`.
    fn exchange(&self, timeout: Duration, is_enough: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>, String> {
        let deadline = Deadline(Instant::now() + timeout);
        let answer = match &self.to {
            To::Tcp(host, port) => {
                connect(host, *port, deadline).and_then(|stream| self.ask(stream, deadline, is_enough))
            }
            To::Unix(path) => deadline
                .left()
                .and_then(|left| os::connect_unix(path, left))
                .and_then(|stream| self.ask(UnixStream::from(stream), deadline, is_enough)),
        };
        let place = self.place();
        answer.map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                format!("{place}: no answer within {} s", timeout.as_secs())
            }
            _ => format!("{place}: {error}"),
        })
    }

    /// Sends the request over a connection, and reads the answer.
    fn ask(
        &self,
        mut stream: impl Stream,
        deadline: Deadline,
        is_enough: impl Fn(&[u8]) -> bool,
    ) -> io::Result<Vec<u8>> {
        let proxy = if self.proxy_protocol { "PROXY UNKNOWN\r\n" } else { "" };
        let Probe { host, target, .. } = self;
        let version = env!("CARGO_PKG_VERSION");
        let request = format!(
            "{proxy}GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: drover-health/{version}\r\n\
             Connection: close\r\n\r\n"
        );
        // The request fits into the socket's buffer: no part of it waits for another.
        stream.wait_at_most(deadline.left()?)?;
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        while !is_enough(&answer) {
            let mut bytes = [0; 4096];
            // An answer that comes byte by byte would take for ever.
            stream.wait_at_most(deadline.left()?)?;
            match stream.read(&mut bytes)? {
                0 => break,
                n => answer.extend_from_slice(&bytes[..n]),
            }
        }
        Ok(answer)
    }
}

/// When the answer must be there.
#[derive(Debug, Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    /// The time that is left. Error: there is none.
    fn left(self) -> io::Result<Duration> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

/// A connection whose calls have a limit of time.
trait Stream: Read + Write {
    /// Sets how long a call may wait.
    fn wait_at_most(&self, time: Duration) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn wait_at_most(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time)).and_then(|()| self.set_write_timeout(Some(time)))
    }
}

impl Stream for UnixStream {
    fn wait_at_most(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time)).and_then(|()| self.set_write_timeout(Some(time)))
    }
}

fn connect(host: &str, port: u16, deadline: Deadline) -> io::Result<TcpStream> {
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    for addr in addrs(host, port, deadline)? {
        match TcpStream::connect_timeout(&addr, deadline.left()?) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// The addresses of a name. The C library sets no limit to a look-up, so a thread makes it, and may be left behind.
fn addrs(host: &str, port: u16, deadline: Deadline) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![(ip, port).into()]);
    }
    let (found, finds) = mpsc::channel();
    let host = host.to_owned();
    let look_up = move || found.send((host, port).to_socket_addrs().map(Iterator::collect)).unwrap_or_default();
    thread::Builder::new().spawn(look_up)?;
    finds.recv_timeout(deadline.left()?).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// The status in a status line (RFC 9112 section 4).
fn status_of(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\n').next()?;
    let [minor, b' ', status @ ..] = line.strip_prefix(b"HTTP/1.")? else { return None };
    let (status, rest) = status.split_first_chunk::<3>()?;
    let is_whole = minor.is_ascii_digit() && matches!(rest, [] | [b' ', ..] | b"\r");
    let is_number = status.iter().all(u8::is_ascii_digit);
    let number = status.iter().fold(0, |number, digit| number * 10 + u16::from(digit.wrapping_sub(b'0')));
    (is_whole && is_number && (100..600).contains(&number)).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_url_is_a_host_a_port_and_a_target() {
        for (url, to, host, target) in [
            ("http://127.0.0.1:8080/health?x#y", ("127.0.0.1", 8080), "127.0.0.1:8080", "/health?x"),
            ("http://localhost", ("localhost", 80), "localhost", "/"),
            ("http://[::1]:81/", ("::1", 81), "[::1]:81", "/"),
            ("http://[::1]/", ("::1", 80), "[::1]", "/"),
        ] {
            let probe = Probe::of_url(url).unwrap();
            let expected = To::Tcp(to.0.to_owned(), to.1);
            assert_eq!((probe.to, &*probe.host, &*probe.target), (expected, host, target), "{url}");
        }
        for url in ["", "127.0.0.1", "https://x/", "http:///", "http://x:y/", "http://x/a b", "http://x/\r\nHost: y"] {
            assert!(Probe::of_url(url).is_err(), "{url:?}");
        }
    }

    #[test]
    fn the_status_is_read_from_the_first_line() {
        assert_eq!(status_of(b"HTTP/1.1 204 No Content\r\n\r\n"), Some(204));
        assert_eq!(status_of(b"HTTP/1.0 503"), Some(503));
        assert_eq!(status_of(b"HTTP/1.1 200\r\n"), Some(200));
        assert_eq!(status_of(b"HTTP/1.1 404 \xe9\n"), Some(404));
        for other in [&b""[..], b"HTTP/1.1", b"HTTP/1.1 2", b"SSH-2.0-x 200", b"HTTP/1.1 999 x", b"\xff"] {
            assert_eq!(status_of(other), None, "{other:?}");
        }
        for status in ["2000 OK", "200OK", "200\r\r\n", "+200 OK", "+20 OK", "20 OK", "2 0 OK", " 200 OK", "099 OK"] {
            let line = format!("HTTP/1.1 {status}\r\n");
            assert_eq!(status_of(line.as_bytes()), None, "{line:?}");
        }
        assert_eq!(status_of(b"HTTP/1.10 200 OK\r\n"), None);
    }

    /// The answer that a server gives that sends one byte in a while.
    fn drip(mut stream: impl Write) {
        let answer = b"HTTP/1.1 200 OK\r\n".iter().cycle();
        answer.filter(|byte| **byte != b'\n').map_while(|byte| stream.write_all(&[*byte]).ok()).for_each(|()| {
            thread::sleep(Duration::from_millis(20));
        });
    }

    #[test]
    fn all_of_an_answer_has_one_deadline() {
        let timeout = Duration::from_millis(300);
        let is_late = |probe: &Probe| {
            let began = Instant::now();
            let error = probe.exchange(timeout, |answer| answer.contains(&b'\n')).unwrap_err();
            assert!(error.contains("no answer within"), "{error}");
            assert!(began.elapsed() >= timeout);
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let probe = Probe::of_url(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let dripping = thread::spawn(move || drip(listener.accept().unwrap().0));
        is_late(&probe);
        dripping.join().unwrap();

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let probe = Probe { to: To::Unix(path), ..probe };
        let dripping = thread::spawn(move || {
            drip(listener.accept().unwrap().0);
            listener
        });
        is_late(&probe);
        let listener = dripping.join().unwrap();
        // Nobody accepts: clients wait in the queue, and when it is full, for room in it.
        nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
        let To::Unix(path) = &probe.to else { unreachable!() };
        let _waiting = UnixStream::connect(path).unwrap();
        is_late(&probe);
    }

    #[test]
    fn nobody_and_somebody_else_are_no_healthy_service() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let probe = Probe::of_url(&format!("http://127.0.0.1:{port}/")).unwrap();
        let serving = std::thread::spawn(move || {
            for answer in ["220 mail", "HTTP/1.1 500 x\r\n\r\n", "HTTP/1.1 302 x\r\n\r\n", ""] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1000];
                _ = stream.read(&mut request).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        assert!(probe.send().unwrap_err().ends_with("no HTTP"));
        assert!(probe.send().unwrap_err().ends_with("the answer is 500"));
        assert_eq!(probe.send(), Ok(302));
        assert!(probe.send().unwrap_err().ends_with("no HTTP"));
        serving.join().unwrap();
        assert!(probe.send().unwrap_err().contains("refused"));
    }
}
