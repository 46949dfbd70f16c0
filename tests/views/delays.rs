//! How long connections wait to be accepted: `$accept_delay`, and the ledger's histogram.

use std::fs;
use std::time::{Duration, Instant};

use drover::shm::Ledger;

use nix::sys::signal::Signal;

use crate::support::conf::Conf;
use crate::support::server::Server;
use crate::support::{proc, until, until_true};
use crate::{ledger, row, viewed};

/// A tick of the slowest kernel, CONFIG_HZ=100, on either side.
const TICKS: Duration = Duration::from_millis(20);

/// Logs pid and delay of each connection to `delay.log`.
fn logging_delays(workers: usize) -> Conf {
    viewed(workers).http("log_format d '$pid $accept_delay';").access_log("%dir%/delay.log d")
}

/// SIGSTOP has done its work when the process is in state T.
fn stop(pid: i32) {
    proc::signal(pid, Signal::SIGSTOP);
    until_true("the worker has stopped", || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    });
}

/// Pid and delay of the last line of the log, once there are `count` lines.
fn logged(server: &Server, count: usize) -> (i32, Duration) {
    let line = until("a line in the log", || {
        let text = server.read("delay.log");
        let lines: Vec<&str> = text.lines().collect();
        (lines.len() == count && text.ends_with('\n')).then(|| lines[count - 1].to_owned())
    });
    let (pid, delay) = line.split_once(' ').unwrap_or_else(|| panic!("{line}"));
    assert_eq!(delay.split_once('.').map(|(_, ms)| ms.len()), Some(3), "seconds with ms: {line}");
    (pid.parse().expect("a pid"), Duration::from_secs_f64(delay.parse().expect("seconds")))
}

#[test]
fn the_time_in_the_queue_is_logged_and_counted() {
    let server = Server::drover(logging_delays(1));
    server.file("index.html", "hello");
    let worker = server.wait_for_workers(1)[0];
    let start = Instant::now();
    assert_eq!(server.connect().get("/").status, 200);
    assert!(logged(&server, 1).1 <= start.elapsed() + TICKS);
    stop(worker);
    let mut early = server.connect();
    let connected = Instant::now();
    // The wait is what is measured. A request that comes later does not make it shorter.
    std::thread::sleep(Duration::from_millis(300));
    let at_least = connected.elapsed();
    early.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    proc::signal(worker, Signal::SIGCONT);
    assert_eq!(early.response().expect("an answer").status, 200);
    let at_most = connected.elapsed();
    let (_, delay) = logged(&server, 2);
    assert!(delay + TICKS >= at_least && delay <= at_most + TICKS, "{at_least:?} <= {delay:?} <= {at_most:?}");
    let json = ledger(&server);
    // 256 ms to 512 ms and above: buckets 9 and on.
    let late: u64 = row(&json["totals"], "accept_delay")[9..].iter().sum();
    assert!(late >= 1, "{json}");
    assert!(json["totals"]["accept_delay_ms"].as_u64().expect("ms") >= 300 - 20);
}

/// How often `pid` has tried the mutex, and taken it.
fn tries(ledger: &Ledger, pid: i32) -> (u64, u64) {
    let slot = ledger.live().find(|slot| slot.pid() == Some(pid as u32)).expect("a slot");
    (slot.mutex_tries.get(), slot.mutex_takes.get())
}

/// nginx's accept mutex keeps clients waiting when its holder stalls: the other worker looks every
/// accept_mutex_delay, finds it taken, and goes back to sleep, while the connection waits.
#[test]
fn a_stalled_holder_keeps_connections_waiting_and_the_log_tells() {
    let as_nginx = match drover::conf::reference::one(&drover::cli::registry(), "accept_mutex_lease") {
        Ok(_) => "accept_mutex_lease off;",
        Err(_) => "",
    };
    let events = format!("worker_connections 64; accept_mutex on; accept_mutex_delay 200ms; {as_nginx}");
    let server = Server::drover(logging_delays(2).events(&events));
    server.file("index.html", "hello");
    let workers = server.wait_for_workers(2);
    let ledger = server.ledger();
    let holder = until("a worker has the mutex", || ledger.mutex().holder()) as i32;
    stop(holder);
    assert_eq!(ledger.mutex().holder(), Some(holder as u32), "an idle holder waits with the mutex in its hand");
    let other = workers.into_iter().find(|worker| *worker != holder).expect("another worker");
    let mut client = server.connect();
    let connected = Instant::now();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let before = tries(&ledger, other);
    let after =
        until("the other worker has tried three times", || Some(tries(&ledger, other)).filter(|t| t.0 >= before.0 + 3));
    assert_eq!(after.1, before.1, "and never taken it");
    let at_least = connected.elapsed();
    assert!(at_least >= Duration::from_millis(2 * 200 - 20), "it waits {at_least:?} for three tries: it spins");
    proc::signal(holder, Signal::SIGCONT);
    assert_eq!(client.response().expect("an answer").status, 200);
    let at_most = connected.elapsed();
    let (pid, delay) = logged(&server, 1);
    assert_eq!(pid, holder);
    assert!(delay + TICKS >= at_least && delay <= at_most + TICKS, "{at_least:?} <= {delay:?} <= {at_most:?}");
    assert_eq!(
        ledger.sums().accept_delay[8..].iter().sum::<u64>(),
        1,
        "above 128 ms: {:?}",
        ledger.sums().accept_delay
    );
}
