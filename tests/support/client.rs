//! A client that sends exactly the bytes it is given and frames what comes back as RFC 9112 section 6 says.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::PATIENCE;
use super::tls::Wish;

pub struct Client {
    stream: TcpStream,
    tls: Option<Box<rustls::ClientConnection>>,
    buffer: Vec<u8>,
    closed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub version: String,
    pub status: u16,
    pub reason: String,
    /// In the order they came, names as they were spelled.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The fields behind a body in chunks, a line each.
    pub trailers: Vec<String>,
    /// The body ended where the connection did, with or without a length that promised more.
    pub ended_by_close: bool,
}

impl Response {
    /// The value of the first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Why there is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nothing {
    /// The server closed or reset the connection first.
    Closed,
    /// The server neither answered nor closed within the time allowed.
    Silent,
    /// The answer is not HTTP/1.x.
    Garbage,
}

impl Client {
    #[track_caller]
    pub fn connect(addr: SocketAddr) -> Client {
        Client::try_connect(addr).expect("connect")
    }

    pub fn try_connect(addr: SocketAddr) -> std::io::Result<Client> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        Ok(Client::of(stream))
    }

    /// A client on a connection that is there.
    pub fn of(stream: TcpStream) -> Client {
        let mut client = Client { stream, tls: None, buffer: Vec::new(), closed: false };
        client.patience(PATIENCE);
        client
    }

    /// Connects, and does the handshake of TLS.
    pub fn try_connect_tls(addr: SocketAddr, wish: &Wish) -> std::io::Result<Client> {
        Client::try_connect(addr)?.shake_hands(wish)
    }

    /// Does the handshake of TLS.
    pub fn shake_hands(mut self, wish: &Wish) -> std::io::Result<Client> {
        let tls = rustls::ClientConnection::new(wish.config.clone(), wish.server_name()).expect("a client");
        let tls = self.tls.insert(Box::new(tls));
        while tls.is_handshaking() {
            tls.complete_io(&mut self.stream)?;
        }
        Ok(self)
    }

    /// TLS on the connection.
    pub fn tls(&self) -> &rustls::ClientConnection {
        self.tls.as_ref().expect("TLS")
    }

    /// How long a read may take from now on.
    pub fn patience(&mut self, time: Duration) -> &mut Client {
        self.stream.set_read_timeout(Some(time)).expect("SO_RCVTIMEO");
        self
    }

    pub fn local_port(&self) -> u16 {
        self.stream.local_addr().expect("getsockname").port()
    }

    /// Sends; a server that has closed already is noticed by the next read.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Client {
        let bytes = bytes.as_ref();
        let _ = match &mut self.tls {
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.stream).write_all(bytes),
            None => self.stream.write_all(bytes),
        };
        self
    }

    pub fn shutdown_write(&mut self) -> &mut Client {
        let _ = self.stream.shutdown(Shutdown::Write);
        self
    }

    /// The next response, interim ones (1xx) included.
    pub fn response(&mut self) -> Result<Response, Nothing> {
        self.read_response(false)
    }

    /// The next response, to a HEAD request.
    pub fn head_response(&mut self) -> Result<Response, Nothing> {
        self.read_response(true)
    }

    /// Sends a plain GET on this connection and returns its response.
    #[track_caller]
    pub fn get(&mut self, target: &str) -> Response {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        self.response().unwrap_or_else(|nothing| panic!("GET {target}: {nothing:?}"))
    }

    /// Gets `/` and sends the beginning of a second request along: when this returns, the server has a request under
    /// way on this connection and may not take it for an idle one. [`finish`](Client::finish) sends the rest.
    #[track_caller]
    pub fn begin(&mut self) -> &mut Client {
        self.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: local");
        self.response().expect("the first response");
        self
    }

    /// The response to what [`begin`](Client::begin) began.
    pub fn finish(&mut self) -> Result<Response, Nothing> {
        self.send("host\r\n\r\n").response()
    }

    /// Reads until the next response has come this far, without taking it.
    #[track_caller]
    pub fn wait_for_bytes(&mut self, count: usize) -> &mut Client {
        assert_eq!(self.fill_to(count), Ok(true), "{count} bytes of a response");
        self
    }

    /// The status of the next response, as soon as it is there, without taking it.
    #[track_caller]
    pub fn status(&mut self) -> u16 {
        const LINE: usize = "HTTP/1.1 200".len();
        self.wait_for_bytes(LINE);
        let digits = String::from_utf8_lossy(&self.buffer[LINE - 3..LINE]).into_owned();
        digits.parse().unwrap_or_else(|_| panic!("no status: {digits:?}"))
    }

    /// Everything up to the end of the connection.
    pub fn until_closed(&mut self) -> Result<Vec<u8>, Nothing> {
        while self.fill()? {}
        Ok(std::mem::take(&mut self.buffer))
    }

    /// Whether the server ends the connection, without sending anything more, within the time allowed.
    pub fn is_closed_by_server(&mut self) -> bool {
        matches!(self.until_closed(), Ok(rest) if rest.is_empty())
    }

    fn read_response(&mut self, to_head: bool) -> Result<Response, Nothing> {
        let head_end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            if !self.fill()? {
                return Err(if self.buffer.is_empty() { Nothing::Closed } else { Nothing::Garbage });
            }
        };
        let head: Vec<u8> = self.buffer.drain(..head_end).collect();
        let mut response = parse_head(&head).ok_or(Nothing::Garbage)?;
        if to_head || response.status < 200 || response.status == 204 || response.status == 304 {
            return Ok(response);
        }
        self.read_body(&mut response)?;
        Ok(response)
    }

    fn read_body(&mut self, response: &mut Response) -> Result<(), Nothing> {
        if response.header("Transfer-Encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
            return self.read_chunked(response);
        }
        if let Some(length) = response.header("Content-Length") {
            let length: usize = length.parse().map_err(|_| Nothing::Garbage)?;
            response.ended_by_close = !self.fill_to(length)?;
            let length = length.min(self.buffer.len());
            response.body = self.buffer.drain(..length).collect();
            return Ok(());
        }
        response.body = self.until_closed()?;
        response.ended_by_close = true;
        Ok(())
    }

    fn read_chunked(&mut self, response: &mut Response) -> Result<(), Nothing> {
        loop {
            let line = self.line()?;
            let size = usize::from_str_radix(line.split(';').next().unwrap_or("").trim(), 16);
            let size = size.map_err(|_| Nothing::Garbage)?;
            if size == 0 {
                loop {
                    match self.line()? {
                        line if line.is_empty() => return Ok(()),
                        line => response.trailers.push(line),
                    }
                }
            }
            if !self.fill_to(size + 2)? {
                response.ended_by_close = true;
                return Ok(());
            }
            response.body.extend(self.buffer.drain(..size));
            self.buffer.drain(..2);
        }
    }

    fn line(&mut self) -> Result<String, Nothing> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            if !self.fill()? {
                return Err(Nothing::Closed);
            }
        }
    }

    /// Whether the buffer holds `length` bytes, after reading as long as that takes.
    fn fill_to(&mut self, length: usize) -> Result<bool, Nothing> {
        while self.buffer.len() < length {
            if !self.fill()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads once; false at the end of the connection.
    fn fill(&mut self) -> Result<bool, Nothing> {
        if self.closed {
            return Ok(false);
        }
        let mut chunk = [0; 64 * 1024];
        let read = match &mut self.tls {
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.stream).read(&mut chunk),
            None => self.stream.read(&mut chunk),
        };
        match read {
            Ok(0) => self.closed = true,
            Ok(n) => self.buffer.extend_from_slice(&chunk[..n]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Err(Nothing::Silent),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            // A reset says the same as an orderly end: the server is done with this connection.
            Err(_) => self.closed = true,
        }
        Ok(!self.closed)
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack, needle)
}

fn parse_head(head: &[u8]) -> Option<Response> {
    let text = String::from_utf8_lossy(head).into_owned();
    let mut lines = text.strip_suffix("\r\n\r\n")?.split("\r\n");
    let mut first = lines.next()?.splitn(3, ' ');
    let version = first.next().filter(|v| v.starts_with("HTTP/1."))?.to_owned();
    let status = first.next()?.parse().ok()?;
    let reason = first.next().unwrap_or("").to_owned();
    let header = |line: &str| line.split_once(": ").map(|(n, v)| (n.to_owned(), v.to_owned()));
    let headers = lines.map(header).collect::<Option<Vec<_>>>()?;
    Some(Response { version, status, reason, headers, body: Vec::new(), trailers: Vec::new(), ended_by_close: false })
}
