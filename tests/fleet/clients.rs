//! Clients that go on asking, and note what went wrong, and how long it took.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::until_true;

/// Between the requests of a client.
const PACE: Duration = Duration::from_millis(2);

/// Half of them with a connection for each request.
const CLIENTS: usize = 6;

/// Running clients.
pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    asked: AtomicU64,
    failures: Mutex<Vec<Failure>>,
    slow: Mutex<Vec<Duration>>,
}

/// A request that got no answer, or a wrong one.
#[derive(Debug)]
pub struct Failure {
    pub what: String,
    pub after: Duration,
}

/// The sum of a load.
#[derive(Debug)]
pub struct Sum {
    pub asked: u64,
    pub failures: Vec<Failure>,
    /// Times of requests that took longer than [`SLOW`].
    pub slow: Vec<Duration>,
}

/// A request that takes longer has been noticed by somebody.
pub const SLOW: Duration = Duration::from_millis(500);

impl Load {
    pub fn start(addr: SocketAddr) -> Load {
        let shared = Arc::new(Shared::default());
        let start = |number| {
            let shared = shared.clone();
            thread::spawn(move || ask(&shared, addr, number % 2 == 0))
        };
        Load { threads: (0..CLIENTS).map(start).collect(), shared }
    }

    /// Returns when as many more requests have been asked as a phase has: `DROVER_FLEET_REQUESTS`, or some hundred.
    #[track_caller]
    pub fn wait_a_phase(&self) {
        let said = std::env::var("DROVER_FLEET_REQUESTS").ok().and_then(|text| text.parse().ok());
        let before = self.shared.asked.load(SeqCst);
        for more in (0..=said.unwrap_or(300)).step_by(50) {
            until_true("more requests", || self.shared.asked.load(SeqCst) >= before + more);
        }
    }

    /// Stops the clients.
    pub fn end(self) -> Sum {
        self.shared.stop.store(true, SeqCst);
        self.threads.into_iter().for_each(|thread| thread.join().expect("a client"));
        let take = |list: &Mutex<Vec<_>>| std::mem::take(&mut *list.lock().expect("failures"));
        let slow = std::mem::take(&mut *self.shared.slow.lock().expect("slow"));
        Sum { asked: self.shared.asked.load(SeqCst), failures: take(&self.shared.failures), slow }
    }
}

/// Asks for a small and a large file in turn, on kept connections or each on its own.
fn ask(shared: &Shared, addr: SocketAddr, keeps: bool) {
    let mut kept: Option<Client> = None;
    for number in 0.. {
        if shared.stop.load(SeqCst) {
            return;
        }
        let began = Instant::now();
        let answered = request(&mut kept, addr, keeps, number % 8 == 0);
        let after = began.elapsed();
        shared.asked.fetch_add(1, SeqCst);
        match answered {
            Err(what) => shared.failures.lock().expect("failures").push(Failure { what, after }),
            Ok(()) if after > SLOW => shared.slow.lock().expect("slow").push(after),
            Ok(()) => {}
        }
        thread::sleep(PACE);
    }
}

fn request(kept: &mut Option<Client>, addr: SocketAddr, keeps: bool, is_large: bool) -> Result<(), String> {
    let mut client = match kept.take() {
        Some(client) => client,
        None => Client::try_connect(addr).map_err(|error| error.to_string())?,
    };
    let (target, close) = (if is_large { "/large" } else { "/name" }, if keeps { "" } else { "Connection: close\r\n" });
    client.send(format!("GET {target} HTTP/1.1\r\nHost: site\r\n{close}\r\n"));
    let response = client.response().map_err(|error| format!("{error:?}"))?;
    let length = if is_large { 300_000 } else { 1 };
    if (response.status, response.body.len()) != (200, length) {
        return Err(format!("{} with {} bytes for {target}", response.status, response.body.len()));
    }
    if keeps && response.header("Connection").is_none_or(|value| value != "close") {
        *kept = Some(client);
    }
    Ok(())
}
