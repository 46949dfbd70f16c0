//! A connection of the client.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::load::outcome::{Ending, Outcome};
use crate::load::plan::PlannedRequest;

/// The most that a slow client reads before it pauses.
const SLOW_READ: usize = 64 * 1024;
const HEAD_LIMIT: usize = 16 * 1024;

pub(super) struct Connection {
    pub stream: TcpStream,
    /// Raised with each request: deadlines and pauses of an older request have a lower number and are void.
    pub generation: u64,
    pub keep_open: Duration,
    /// The server has said that it will close the connection.
    pub ends: bool,
    current: Option<Current>,
}

/// The request that is under way.
struct Current {
    number: usize,
    request: PlannedRequest,
    planned: Instant,
    sent: usize,
    first_byte: Option<Instant>,
    response: Response,
    /// How many bytes may be read before the next pause.
    allowance: usize,
}

enum Response {
    Head(Vec<u8>),
    /// The bytes that are missing, and whether the connection ends with them.
    Body(u64, bool),
}

/// How far `progress` got.
pub(super) enum Progress {
    Waits,
    /// The slow client pauses before its next read.
    ReadsSlowly,
    Ends(Ending),
}

impl Connection {
    /// Begins to connect.
    pub(super) fn open(server: SocketAddr) -> io::Result<Connection> {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&server.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(nix::libc::EINPROGRESS) => {}
            Err(error) => return Err(error),
        }
        Ok(Connection { stream: socket.into(), generation: 0, keep_open: Duration::ZERO, ends: false, current: None })
    }

    /// Connects, sends `request` and reads the answer. Blocks.
    pub(super) fn open_established(server: SocketAddr, request: &[u8], timeout: Duration) -> io::Result<Connection> {
        let mut stream = TcpStream::connect_timeout(&server, timeout)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.write_all(request)?;
        let mut response = Response::Head(Vec::new());
        let mut buffer = [0; 16 * 1024];
        loop {
            let n = stream.read(&mut buffer)?;
            match response.feed(&buffer[..n]) {
                _ if n == 0 => return Err(ErrorKind::UnexpectedEof.into()),
                Some(Ending::Answered) => break,
                Some(ending) => return Err(io::Error::other(format!("{ending:?}"))),
                None => {}
            }
        }
        stream.set_read_timeout(None)?;
        stream.set_nonblocking(true)?;
        Ok(Connection { stream, generation: 0, keep_open: Duration::MAX, ends: false, current: None })
    }

    pub(super) fn begin(&mut self, number: usize, request: PlannedRequest, planned: Instant, generation: u64) {
        self.generation = generation;
        self.keep_open = request.keep_open;
        let allowance = if request.slow { SLOW_READ } else { usize::MAX };
        let response = Response::Head(Vec::new());
        self.current = Some(Current { number, request, planned, sent: 0, first_byte: None, response, allowance });
    }

    pub(super) fn request(&self) -> Option<PlannedRequest> {
        self.current.as_ref().map(|current| current.request)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.current.is_none()
    }

    pub(super) fn is_closed_by_peer(&self) -> bool {
        !matches!(self.stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    pub(super) fn refill_allowance(&mut self) {
        if let Some(current) = &mut self.current {
            current.allowance = SLOW_READ;
        }
    }

    /// Sends and receives until the socket would block. `buffer` is scratch space.
    pub(super) fn progress(&mut self, request: &[u8], buffer: &mut [u8]) -> Progress {
        let Some(current) = &mut self.current else { return Progress::Waits };
        while current.sent < request.len() {
            match self.stream.write(&request[current.sent..]) {
                Ok(n) => current.sent += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock || error.kind() == ErrorKind::NotConnected => {
                    return Progress::Waits;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Progress::Ends(Ending::from_error(&error)),
            }
        }
        loop {
            if current.allowance == 0 {
                return Progress::ReadsSlowly;
            }
            let room = buffer.len().min(current.allowance);
            match self.stream.read(&mut buffer[..room]) {
                Ok(0) => return Progress::Ends(Ending::Closed),
                Ok(n) => {
                    current.first_byte.get_or_insert_with(Instant::now);
                    if current.request.slow {
                        current.allowance -= n;
                    }
                    if let Some(ending) = current.response.feed(&buffer[..n]) {
                        self.ends = matches!(current.response, Response::Body(_, true));
                        return Progress::Ends(ending);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Waits,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Progress::Ends(Ending::from_error(&error)),
            }
        }
    }

    /// Ends the request that is under way, if there is one.
    pub(super) fn end(&mut self, ending: Ending, start: Instant) -> Option<Outcome> {
        let current = self.current.take()?;
        Some(Outcome {
            request: current.number,
            planned: current.planned.saturating_duration_since(start),
            first_byte: current.first_byte.map(|at| at.saturating_duration_since(current.planned)),
            ending,
            counts: current.request.counts,
        })
    }
}

impl Response {
    /// Parses more bytes of the response. Returns the ending when the response is complete or bad.
    fn feed(&mut self, bytes: &[u8]) -> Option<Ending> {
        match self {
            Response::Body(left, _) => {
                *left = left.saturating_sub(bytes.len() as u64);
                (*left == 0).then_some(Ending::Answered)
            }
            Response::Head(head) => {
                head.extend_from_slice(bytes);
                let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else {
                    return (head.len() > HEAD_LIMIT).then_some(Ending::BadAnswer);
                };
                let Some((status, length, ends)) = parse(&head[..end]) else { return Some(Ending::BadAnswer) };
                if status != 200 {
                    return Some(Ending::Status(status));
                }
                let body = (head.len() - end - 4) as u64;
                *self = Response::Body(length.saturating_sub(body), ends);
                (length <= body).then_some(Ending::Answered)
            }
        }
    }
}

/// Parses a response head: its status, its Content-Length, and whether the connection ends after it.
fn parse(head: &[u8]) -> Option<(u16, u64, bool)> {
    let head = std::str::from_utf8(head).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let fields = || head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let value = |name: &str| fields().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
    let length = value("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    Some((status, length, value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))))
}
