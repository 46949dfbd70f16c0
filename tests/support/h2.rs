//! A client of HTTP/2 that sends exactly the frames it is told to, and takes apart what comes back.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use drover::http::h2::frame::{ACK, END_HEADERS, END_STREAM, HEAD_LEN, Head, Kind, PREFACE, put_head};
use drover::http::h2::hpack::Decoder;

use super::PATIENCE;
use super::client::Nothing;
use super::tls::Wish;

/// A frame that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub kind: Kind,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// The answer on a stream, as far as it has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
    pub is_whole: bool,
    /// The code of RST_STREAM.
    pub reset: Option<u32>,
}

impl Answer {
    pub fn status(&self) -> &str {
        self.field(":status").unwrap_or_default()
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub struct H2 {
    socket: TcpStream,
    tls: Option<Box<rustls::ClientConnection>>,
    buffer: Vec<u8>,
    decoder: Decoder,
    pub answers: BTreeMap<u32, Answer>,
    /// The streams of GOAWAYs, and their codes.
    pub goaways: Vec<(u32, u32)>,
    /// The streams of the DATA frames, and their lengths, in the order they came.
    pub data: Vec<(u32, usize)>,
    pub pongs: Vec<Vec<u8>>,
    /// PINGs and SETTINGS are answered, and windows given back.
    pub is_polite: bool,
}

/// The bytes of a frame.
pub fn frame(kind: Kind, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    put_head(&mut out, kind, flags, stream, payload.as_ref().len());
    out.extend_from_slice(payload.as_ref());
    out
}

/// A header block that uses no table.
pub fn block<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: &[(N, V)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        put_string(&mut out, name.as_ref());
        put_string(&mut out, value.as_ref());
    }
    out
}

fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    let mut left = text.len();
    if left < 0x7f {
        out.push(left as u8);
    } else {
        out.push(0x7f);
        left -= 0x7f;
        while left >= 0x80 {
            out.push(left as u8 | 0x80);
            left >>= 7;
        }
        out.push(left as u8);
    }
    out.extend_from_slice(text);
}

/// The fields of a GET.
pub fn get(path: &str) -> Vec<(&str, &str)> {
    vec![(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "localhost")]
}

/// A request without a body.
pub fn request<N: AsRef<[u8]>, V: AsRef<[u8]>>(stream: u32, fields: &[(N, V)]) -> Vec<u8> {
    frame(Kind::Headers, END_HEADERS | END_STREAM, stream, block(fields))
}

impl H2 {
    /// Connects, and sends nothing.
    #[track_caller]
    pub fn raw(addr: SocketAddr) -> H2 {
        H2::of(TcpStream::connect(addr).expect("connect"))
    }

    /// Sends preface and settings on a connection that is there.
    pub fn begin(socket: TcpStream) -> H2 {
        let mut client = H2::of(socket);
        client.send([PREFACE, &frame(Kind::Settings, 0, 0, b"")].concat());
        client
    }

    fn of(socket: TcpStream) -> H2 {
        socket.set_nodelay(true).expect("TCP_NODELAY");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        H2 {
            socket,
            tls: None,
            buffer: Vec::new(),
            decoder: Decoder::default(),
            answers: BTreeMap::new(),
            goaways: Vec::new(),
            data: Vec::new(),
            pongs: Vec::new(),
            is_polite: true,
        }
    }

    /// Connects, and sends preface and settings.
    #[track_caller]
    pub fn connect(addr: SocketAddr) -> H2 {
        let mut client = H2::raw(addr);
        client.send([PREFACE, &frame(Kind::Settings, 0, 0, b"")].concat());
        client
    }

    /// Connects over TLS, where ALPN has to choose HTTP/2, and sends preface and settings.
    #[track_caller]
    pub fn secure(addr: SocketAddr, wish: &Wish) -> H2 {
        let mut client = H2::raw(addr);
        let mut config = rustls::ClientConfig::clone(&wish.config);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let tls = rustls::ClientConnection::new(Arc::new(config), wish.server_name()).expect("a client");
        let tls = client.tls.insert(Box::new(tls));
        while tls.is_handshaking() {
            tls.complete_io(&mut client.socket).expect("a handshake");
        }
        assert_eq!(tls.alpn_protocol(), Some(&b"h2"[..]));
        client.send([PREFACE, &frame(Kind::Settings, 0, 0, b"")].concat());
        client
    }

    /// How long `frame` waits for bytes.
    pub fn set_patience(&self, patience: Duration) {
        self.socket.set_read_timeout(Some(patience)).expect("a time-out");
    }

    /// Bytes that have come and not been read from the socket.
    pub fn waiting(&self) -> usize {
        let mut room = vec![0; 16 << 20];
        self.socket.peek(&mut room).expect("bytes")
    }

    pub fn local_port(&self) -> u16 {
        self.socket.local_addr().expect("an address").port()
    }

    /// Sends bytes; a server that has closed finds out what that means when it is read from.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut H2 {
        let _ = match &mut self.tls {
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.socket).write_all(bytes.as_ref()),
            None => self.socket.write_all(bytes.as_ref()),
        };
        self
    }

    /// Sends the request of these fields.
    pub fn ask(&mut self, stream: u32, fields: &[(&str, &str)]) -> &mut H2 {
        self.send(request(stream, fields))
    }

    /// The next frame.
    pub fn frame(&mut self) -> Result<Frame, Nothing> {
        loop {
            if let Some(head) = Head::parse(&self.buffer)
                && self.buffer.len() >= HEAD_LEN + head.len
            {
                let payload = self.buffer[HEAD_LEN..HEAD_LEN + head.len].to_vec();
                self.buffer.drain(..HEAD_LEN + head.len);
                let kind = head.kind.ok_or(Nothing::Garbage)?;
                let frame = Frame { kind, flags: head.flags, stream: head.stream, payload };
                self.note(&frame);
                return Ok(frame);
            }
            let mut room = [0; 32 << 10];
            let read = match &mut self.tls {
                Some(tls) => rustls::Stream::new(&mut **tls, &mut self.socket).read(&mut room),
                None => self.socket.read(&mut room),
            };
            match read {
                Ok(0) => return Err(Nothing::Closed),
                Ok(n) => self.buffer.extend_from_slice(&room[..n]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(Nothing::Silent);
                }
                Err(_) => return Err(Nothing::Closed),
            }
        }
    }

    fn note(&mut self, frame: &Frame) {
        let number = |at: usize| {
            frame.payload.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes)
        };
        let is_ack = frame.flags & ACK != 0;
        match frame.kind {
            Kind::Headers => {
                assert!(frame.flags & END_HEADERS != 0, "heads of tests fit into a frame");
                let mut fields = Vec::new();
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let add = |name: &[u8], value: &[u8]| fields.push((text(name), text(value)));
                self.decoder.decode(&frame.payload, &mut Vec::new(), add).expect("a header block");
                let answer = self.answers.entry(frame.stream).or_default();
                let into = if answer.fields.is_empty() { &mut answer.fields } else { &mut answer.trailers };
                *into = fields;
                answer.is_whole = frame.flags & END_STREAM != 0;
            }
            Kind::Data => {
                self.data.push((frame.stream, frame.payload.len()));
                let answer = self.answers.entry(frame.stream).or_default();
                answer.body.extend_from_slice(&frame.payload);
                answer.is_whole = frame.flags & END_STREAM != 0;
                if self.is_polite && !frame.payload.is_empty() {
                    let by = (frame.payload.len() as u32).to_be_bytes();
                    let mut updates = super::h2::frame(Kind::WindowUpdate, 0, 0, by);
                    if frame.flags & END_STREAM == 0 {
                        updates.extend(super::h2::frame(Kind::WindowUpdate, 0, frame.stream, by));
                    }
                    self.send(updates);
                }
            }
            Kind::RstStream => self.answers.entry(frame.stream).or_default().reset = Some(number(0)),
            Kind::GoAway => self.goaways.push((number(0), number(4))),
            Kind::Ping if is_ack => self.pongs.push(frame.payload.clone()),
            Kind::Ping if self.is_polite => {
                self.send(super::h2::frame(Kind::Ping, ACK, 0, &frame.payload));
            }
            Kind::Settings if self.is_polite && !is_ack => {
                self.send(super::h2::frame(Kind::Settings, ACK, 0, b""));
            }
            _ => {}
        }
    }

    /// Whether the answer on a stream is over, whole or reset.
    pub fn is_over(&self, stream: u32) -> bool {
        self.answers.get(&stream).is_some_and(|answer| answer.is_whole || answer.reset.is_some())
    }

    /// Reads until the answers on these streams are over.
    pub fn until_over(&mut self, streams: impl IntoIterator<Item = u32>) -> Result<(), Nothing> {
        for stream in streams {
            while !self.is_over(stream) {
                self.frame()?;
            }
        }
        Ok(())
    }

    /// The whole answer on a stream.
    #[track_caller]
    pub fn answer(&mut self, stream: u32) -> Answer {
        self.until_over([stream]).unwrap_or_else(|nothing| panic!("stream {stream}: {nothing:?} {:?}", self.goaways));
        self.answers[&stream].clone()
    }

    /// Asks for a path, and waits for the whole answer.
    #[track_caller]
    pub fn get(&mut self, stream: u32, path: &str) -> Answer {
        self.ask(stream, &get(path));
        self.answer(stream)
    }

    /// Asks for a large file, reads as much as the first windows let out, and gives none of it back.
    #[track_caller]
    pub fn stop_behind_the_first_window(&mut self, stream: u32, path: &str) {
        self.is_polite = false;
        self.ask(stream, &get(path));
        while self.data.iter().map(|(_, len)| len).sum::<usize>() < 65_535 {
            self.frame().expect("the first window");
        }
    }

    /// Lets an answer out that has stopped.
    pub fn go_on(&mut self, stream: u32) {
        self.is_polite = true;
        self.send(frame(Kind::WindowUpdate, 0, 0, 1_000_000u32.to_be_bytes()));
        self.send(frame(Kind::WindowUpdate, 0, stream, 1_000_000u32.to_be_bytes()));
    }

    /// Reads to the end of the connection.
    pub fn until_closed(&mut self) -> Nothing {
        loop {
            if let Err(nothing) = self.frame() {
                return nothing;
            }
        }
    }
}
