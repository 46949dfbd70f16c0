//! A bare epoll loop: what the system calls of a request cost, and nothing else. No server of this kind needs less CPU
//! time, so `tools/bench` shows it beside the servers.
//!
//! The loop looks for the ends of request heads and for `Connection: close`, and sends answers that were made at the
//! start: 1 KiB, or 100 KiB for `/100k.html`. With a file every answer is that file, from memory or by sendfile: where
//! do the two cost the same on this machine?
//!
//! Usage: floor PORT [FILE [sendfile]]

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::sendfile::sendfile;
use nix::sys::socket::{MsgFlags, recv, send};

/// The key of the listening socket; connections have their index.
const LISTENER: u64 = u64::MAX;
/// The number of answers that leave in one write.
const BATCH: usize = 16;
const END: &[u8] = b"\r\n\r\n";
/// The kernel's flag for which nix has no name: more follows, wait for it.
const MORE: MsgFlags = MsgFlags::from_bits_retain(nix::libc::MSG_MORE);

struct Answer {
    /// [`BATCH`] times the same; where the body is sent from a file, a head.
    text: Vec<u8>,
    /// The length of one answer.
    size: usize,
    file: Option<File>,
}

impl Answer {
    fn new(body: &[u8], connection: &str, file: Option<File>) -> Answer {
        let head = format!(
            "HTTP/1.1 200 OK\r\nServer: floor\r\nDate: Sun, 29 Nov 2026 06:00:00 GMT\r\nContent-Type: text/html\r\n\
             Content-Length: {}\r\nConnection: {connection}\r\n\r\n",
            body.len()
        );
        let size = head.len() + body.len();
        let text = if file.is_some() { head.into_bytes() } else { [head.as_bytes(), body].concat().repeat(BATCH) };
        Answer { text, size, file }
    }

    /// Sends what stands `from` bytes behind the start of an answer, `owed` bytes at most.
    fn send(&self, socket: &TcpStream, from: usize, owed: usize) -> Result<usize, Errno> {
        let mut flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        match &self.file {
            Some(file) if from >= self.text.len() => {
                let mut offset = (from - self.text.len()) as i64;
                sendfile(socket, file, Some(&mut offset), self.size - from)
            }
            file => {
                // The head waits for the file behind it.
                flags.set(MORE, file.is_some());
                send(socket.as_raw_fd(), &self.text[from..self.text.len().min(from + owed)], flags)
            }
        }
    }
}

struct Connection {
    stream: TcpStream,
    /// How many bytes of [`END`] the last read ended in.
    matched: usize,
    /// Bytes of answers that the socket had no room for, and which answers.
    owed: usize,
    answer: usize,
    is_last: bool,
    waits_for_room: bool,
}

struct Floor {
    epoll: Epoll,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// 1 KiB and 100 KiB on a connection that stays, then on one that ends.
    answers: Vec<Answer>,
    buffer: Vec<u8>,
}

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let usage = || io::Error::new(ErrorKind::InvalidInput, "usage: floor PORT [FILE [sendfile]]");
    let port: u16 = args.next().and_then(|port| port.parse().ok()).ok_or_else(usage)?;
    let (file, by_sendfile) = (args.next(), args.next().is_some());
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    listener.set_nonblocking(true)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    let bodies = match &file {
        Some(path) => [fs::read(path)?, fs::read(path)?],
        None => [1 << 10, 100 << 10].map(|size| vec![b'x'; size]),
    };
    let mut answers = Vec::new();
    for (way, body) in ["keep-alive", "close"].iter().flat_map(|way| bodies.iter().map(move |body| (way, body))) {
        let sent = file.as_ref().filter(|_| by_sendfile).map(File::open).transpose()?;
        answers.push(Answer::new(body, way, sent));
    }
    let mut floor = Floor { epoll, connections: Vec::new(), free: Vec::new(), answers, buffer: vec![0; 16 << 10] };
    let mut events = vec![EpollEvent::empty(); 512];
    loop {
        let count = match floor.epoll.wait(&mut events, EpollTimeout::NONE) {
            Ok(count) => count,
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        };
        for event in &events[..count] {
            match event.data() {
                LISTENER => floor.accept(&listener)?,
                index => floor.serve(index as usize)?,
            }
        }
    }
}

impl Floor {
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        let index = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        self.epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
        if self.answers[0].file.is_some() {
            stream.set_nonblocking(true)?;
        }
        self.connections[index] =
            Some(Connection { stream, matched: 0, owed: 0, answer: 0, is_last: false, waits_for_room: false });
        Ok(())
    }

    /// Reads once, and sends what is due. Closes the connection at its end.
    fn serve(&mut self, index: usize) -> io::Result<()> {
        let Some(connection) = &mut self.connections[index] else { return Ok(()) };
        let stays = connection.owed > 0 || connection.read(&mut self.buffer, &self.answers);
        if stays && connection.write(&self.answers) {
            return connection.watch(&self.epoll, index);
        }
        // The kernel takes a closed descriptor out of the set.
        self.connections[index] = None;
        self.free.push(index);
        Ok(())
    }
}

/// Whether a request is the last of its connection; clients write these words in these letters.
fn ends_connection(head: &[u8]) -> bool {
    let says = |word: &[u8]| head.windows(word.len()).any(|part| part == word);
    let line = head.iter().position(|&byte| byte == b'\r').unwrap_or_default();
    if head[..line].ends_with(b"1.0") { !says(b"Keep-Alive") } else { says(b" close") }
}

impl Connection {
    /// Whether the connection is still there.
    fn read(&mut self, buffer: &mut [u8], answers: &[Answer]) -> bool {
        let count = match recv(self.stream.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(0) => return false,
            Ok(count) => count,
            Err(error) => return error == Errno::EAGAIN,
        };
        let text = &buffer[..count];
        // A head in several pieces is of the kind that its first piece began with.
        if self.matched == 0 && text.starts_with(b"GET /") {
            self.is_last = ends_connection(text);
            self.answer = usize::from(text.starts_with(b"GET /100k")) + 2 * usize::from(self.is_last);
        }
        self.owed += answers[self.answer].size * self.heads(text);
        true
    }

    /// How many heads end in these bytes.
    fn heads(&mut self, text: &[u8]) -> usize {
        let mut count = 0;
        for &byte in text {
            self.matched = match byte {
                byte if byte == END[self.matched] => self.matched + 1,
                b'\r' => 1,
                _ => 0,
            };
            if self.matched == END.len() {
                (count, self.matched) = (count + 1, 0);
            }
        }
        count
    }

    /// Whether the connection goes on.
    fn write(&mut self, answers: &[Answer]) -> bool {
        let answer = &answers[self.answer];
        while self.owed > 0 {
            // The rest of a begun answer comes first.
            let from = (answer.size - self.owed % answer.size) % answer.size;
            match answer.send(&self.stream, from, self.owed) {
                // The file has become shorter.
                Ok(0) => return false,
                Ok(sent) => self.owed -= sent,
                Err(Errno::EAGAIN) => return true,
                Err(_) => return false,
            }
        }
        !self.is_last
    }

    /// Waits for what comes next: a request, or room in the socket.
    fn watch(&mut self, epoll: &Epoll, index: usize) -> io::Result<()> {
        let waits_for_room = self.owed > 0;
        if waits_for_room != self.waits_for_room {
            let flags = if waits_for_room { EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN };
            epoll.modify(&self.stream, &mut EpollEvent::new(flags, index as u64))?;
            self.waits_for_room = waits_for_room;
        }
        Ok(())
    }
}
