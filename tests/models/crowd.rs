//! Very many clients at once, looked after by one thread.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::support::{proc, until_true};

/// Each gets a page and has a second request begun: whoever serves it cannot take it for an idle one.
const BEGUN: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: local";
const REST: &[u8] = b"host\r\nConnection: close\r\n\r\n";

pub struct Crowd(Vec<Client>);

struct Client {
    stream: TcpStream,
    got: Vec<u8>,
    is_closed: bool,
    has_finished: bool,
}

impl Crowd {
    #[track_caller]
    pub fn connect(addr: SocketAddr, count: usize) -> Crowd {
        proc::make_room_for_descriptors();
        let client = |_| {
            let mut stream = TcpStream::connect(addr).expect("connect");
            stream.write_all(BEGUN).expect("send");
            stream.set_nonblocking(true).expect("O_NONBLOCK");
            Client { stream, got: Vec::new(), is_closed: false, has_finished: false }
        };
        Crowd((0..count).map(client).collect())
    }

    /// How many have got their first page.
    pub fn served(&mut self) -> usize {
        self.0.iter_mut().map(Client::answers).filter(|answers| *answers > 0).count()
    }

    /// Returns when nobody more is served; how many are.
    #[track_caller]
    pub fn wait_until_full(&mut self, least: usize) -> usize {
        let (mut last, mut times) = (0, 0);
        until_true("no more clients are served", || {
            let served = self.served();
            let turned_away = self.0.iter().find(|client| client.is_closed).map(|c| String::from_utf8_lossy(&c.got));
            assert_eq!(turned_away, None, "somebody was turned away, having got so much");
            times = if served == last { times + 1 } else { 0 };
            last = served;
            served >= least && times > 100
        });
        last
    }

    /// All that are served finish, whereupon others are served, until everybody was.
    #[track_caller]
    pub fn finish(&mut self) {
        until_true("everybody is served", || {
            for client in &mut self.0 {
                if client.answers() == 1 && !client.has_finished {
                    client.has_finished = client.stream.write_all(REST).is_ok();
                }
            }
            self.0.iter().all(|client| client.is_closed)
        });
        let wrong: Vec<String> =
            self.0.iter().filter(|c| c.count() != 2).map(|c| String::from_utf8_lossy(&c.got).into_owned()).collect();
        assert!(wrong.is_empty(), "{} of {}, such as {:?}", wrong.len(), self.0.len(), wrong[0]);
    }
}

impl Client {
    /// Reads what has come, and returns how many answers that makes.
    fn answers(&mut self) -> usize {
        let mut chunk = [0; 4096];
        while !self.is_closed {
            match self.stream.read(&mut chunk) {
                Ok(0) => self.close(),
                Ok(n) => self.got.extend_from_slice(&chunk[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.is_closed = true,
            }
        }
        self.count()
    }

    /// Closes as the server has: it would wait for that as long as `lingering_timeout` says, in a place that others
    /// need.
    fn close(&mut self) {
        self.is_closed = true;
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn count(&self) -> usize {
        memchr::memmem::find_iter(&self.got, b"HTTP/1.1 200 OK\r\n").count()
    }
}
