//! Clients that go on asking while something else happens, and do not forgive a failed request.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::service::{Service, Wire};
use crate::support::client::{Client, Nothing};
use crate::support::until_true;

/// Between the requests of one client: several tests share two CPUs.
const PACE: Duration = Duration::from_millis(1);

/// The work of a client until it is told to stop.
type Body = fn(&Shared, SocketAddr);

/// Requests on a connection before its client closes it.
const KEPT_FOR: u64 = 50;

pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// By kind of client.
    served: [AtomicU64; 3],
    failures: Mutex<Vec<String>>,
}

impl Load {
    /// Starts a client of each kind: a connection for each request, connections that are kept, and `echo_upper`.
    pub fn start(service: &Service) -> Load {
        let shared = Arc::new(Shared::default());
        let bodies: [(Body, usize); 3] = [(short, 1), (kept, 1), (echo, 2)];
        let start = |(body, port): (Body, usize)| {
            let (shared, addr) = (shared.clone(), service.addr_of(port));
            thread::spawn(move || body(&shared, addr))
        };
        let threads = bodies.into_iter().map(start).collect();
        Load { shared, threads }
    }

    /// Returns when every client has been served `n` times more, or one of them has failed.
    #[track_caller]
    pub fn wait_for_more(&self, n: u64) {
        let counts = || self.shared.served.each_ref().map(|count| count.load(SeqCst));
        let before = counts();
        until_true("more requests are served", || {
            self.has_failed() || counts().iter().zip(before).all(|(now, before)| *now >= before + n)
        });
        self.assert_none_failed();
    }

    fn has_failed(&self) -> bool {
        !self.shared.failures.lock().expect("failures").is_empty()
    }

    #[track_caller]
    fn assert_none_failed(&self) {
        assert_eq!(*self.shared.failures.lock().expect("failures"), Vec::<String>::new());
    }

    /// Stops the clients. No request must have failed.
    #[track_caller]
    pub fn end(mut self) {
        self.shared.stop.store(true, SeqCst);
        self.threads.drain(..).for_each(|thread| thread.join().expect("a client"));
        self.assert_none_failed();
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
    }
}

impl Shared {
    /// Counts a request and waits a little; false: it is time to stop.
    fn served(&self, kind: usize) -> bool {
        self.served[kind].fetch_add(1, SeqCst);
        thread::sleep(PACE);
        !self.stop.load(SeqCst)
    }

    fn failed(&self, what: String) {
        self.failures.lock().expect("failures").push(what);
    }
}

fn short(shared: &Shared, addr: SocketAddr) {
    for number in 0.. {
        let target = format!("/n/short{number}");
        let mut client = match Client::try_connect(addr) {
            Ok(client) => client,
            Err(error) => return shared.failed(format!("connect for {target}: {error}")),
        };
        client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        match client.response() {
            Ok(response) if response.text() == target => {}
            other => return shared.failed(format!("{target}: {other:?}")),
        }
        if !shared.served(0) {
            return;
        }
    }
}

fn kept(shared: &Shared, addr: SocketAddr) {
    for connection in 0.. {
        let mut client = match Client::try_connect(addr) {
            Ok(client) => client,
            Err(error) => return shared.failed(format!("connect to keep: {error}")),
        };
        for number in 0..KEPT_FOR {
            let target = format!("/n/kept{connection}-{number}");
            client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
            let response = match client.response() {
                Ok(response) if response.text() == target => response,
                // Closed as idle before the request came (RFC 9112 section 9.3.1): a client asks again on a new
                // connection.
                Err(Nothing::Closed) if number > 0 => break,
                other => return shared.failed(format!("{target}: {other:?}")),
            };
            if !shared.served(1) {
                return;
            }
            if response.header("Connection") == Some("close") {
                break;
            }
        }
    }
}

fn echo(shared: &Shared, addr: SocketAddr) {
    for connection in 0.. {
        let mut wire = match Wire::try_connect(addr) {
            Ok(wire) => wire,
            Err(error) => return shared.failed(format!("connect to echo: {error}")),
        };
        for number in 0..5 {
            let text = format!("echo{connection}-{number}");
            match wire.echo(&text) {
                Ok(answer) if answer == text.to_uppercase() => {}
                // RFC 9112 section 9.3.1, as for `kept`.
                Err(_) if number > 0 => break,
                other => return shared.failed(format!("{text}: {other:?}")),
            }
            if !shared.served(2) {
                return;
            }
        }
    }
}
