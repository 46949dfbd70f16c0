//! `accept_mutex_lease`: holders that stop, hang or die, and what the watch costs.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use drover::shm::Ledger;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::serve;
use crate::support::client::Nothing;
use crate::support::conf::Conf;
use crate::support::server::Server;
use crate::support::{Noise, PATIENCE, best_of, proc, tools, until, until_true};

const LEASE: Duration = Duration::from_millis(100);

/// The most that an answer may take to a connection that comes while no process lives that would accept it.
const PROMISED: Duration = LEASE.saturating_add(Duration::from_millis(50));

/// The models with an accept mutex.
const MODELS: [&str; 2] = ["accept_mutex", "accept_handoff"];

/// The worker that holds the mutex and sleeps with it: its client may have its answer before its turn is over, and the
/// sockets are watched for by the end of it.
fn holder(ledger: &Ledger) -> i32 {
    until("a worker sleeps with the mutex", || ledger.mutex().holder().filter(|pid| proc::is_asleep(*pid as i32)))
        as i32
}

/// Asserts that something is over within the promised time. A busy machine makes everything longer.
#[track_caller]
fn best_of_times(mut measure: impl FnMut() -> Duration) {
    best_of(8, Noise::Adds, PROMISED.as_secs_f64(), || measure().as_secs_f64());
}

/// Does `harm` to the holder, connects, and returns how long the answer took; then makes the harm good.
fn outage(server: &Server, ledger: &Ledger, harm: Signal, good: Option<Signal>) -> Duration {
    // A master that starts the tenth successor within a second takes its time: that is not what is measured here.
    until("all are back", || (ledger.live().count() == 4).then_some(()));
    let victim = Pid::from_raw(holder(ledger));
    kill(victim, harm).expect("signal the holder");
    let start = Instant::now();
    assert_eq!(server.connect().get("/").text(), "hello");
    let took = start.elapsed();
    if let Some(good) = good {
        kill(victim, good).expect("signal the old holder");
    }
    took
}

/// Outages over and over, each of which ends with an answer; a few in a row end within the promised time.
fn outages(model: &str, harm: Signal, good: Option<Signal>) -> Ledger {
    let (server, ledger) = serve(Conf::workers(4).dispatch(model), 4);
    best_of_times(|| (0..5).map(|_| outage(&server, &ledger, harm, good)).max().expect("five"));
    ledger
}

#[test]
fn connections_are_answered_within_the_lease_when_the_holder_is_stopped() {
    for model in MODELS {
        let ledger = outages(model, Signal::SIGSTOP, Some(Signal::SIGCONT));
        // Under accept_handoff the deputy is there at once, as a rule.
        let sums = ledger.sums();
        assert!(sums.takeovers >= 5 || model == "accept_handoff", "{model}: {sums:?}");
    }
}

#[test]
fn connections_are_answered_within_the_lease_when_the_holder_is_killed() {
    for model in MODELS {
        outages(model, Signal::SIGKILL, None);
    }
}

#[test]
fn a_stopped_holder_that_never_comes_back_costs_one_lease_and_no_more() {
    for model in MODELS {
        let (server, ledger) = serve(Conf::workers(4).dispatch(model), 4);
        best_of_times(|| {
            let victim = Pid::from_raw(holder(&ledger));
            kill(victim, Signal::SIGSTOP).expect("stop the holder");
            let start = Instant::now();
            for _ in 0..20 {
                assert_eq!(server.connect().get("/").status, 200);
            }
            let took = start.elapsed();
            kill(victim, Signal::SIGCONT).expect("continue it");
            took
        });
    }
}

#[test]
fn connections_are_answered_within_the_lease_when_the_holder_hangs_in_a_slow_disk() {
    for model in MODELS {
        best_of_times(|| longest_while_a_disk_is_slow(model).unwrap_or(Duration::MAX));
    }
}

/// A disk that takes a second, as the holder sees it: strace holds it at the entry of openat(2). Returns how long the
/// answer to another client took at most in that second; `None` when the request for the slow file came to another
/// worker, because strace has kept the holder from its turn.
fn longest_while_a_disk_is_slow(model: &str) -> Option<Duration> {
    let (server, ledger) = serve(Conf::workers(4).dispatch(model), 4);
    server.file("slow.html", "at last");
    let holder = holder(&ledger);
    let mut strace = Command::new(tools::find("strace"))
        .args(["-qq", "-e", "trace=openat", "-e", "inject=openat:delay_enter=1000000", "-p", &holder.to_string()])
        .stderr(Stdio::null())
        .spawn()
        .expect("start strace");
    let tracer = format!("TracerPid:\t{}\n", strace.id());
    until_true("strace has attached", || {
        assert_eq!(strace.try_wait().expect("wait"), None, "strace may not attach: is ptrace allowed here?");
        fs::read_to_string(format!("/proc/{holder}/status")).is_ok_and(|status| status.contains(&tracer))
    });
    let mut waits = server.connect();
    waits.send("GET /slow.html HTTP/1.1\r\nHost: localhost\r\n\r\n");
    until_true("it is accepted", || ledger.sums().accepts == 1);
    let mut longest = Duration::ZERO;
    let mut answers = 0;
    let at_last = loop {
        let start = Instant::now();
        assert_eq!(server.connect().get("/").text(), "hello");
        longest = longest.max(start.elapsed());
        answers += 1;
        match waits.patience(Duration::from_millis(1)).response() {
            // The longest time is that of the first answer: the lease.
            Err(Nothing::Silent) if answers == 20 => break waits.patience(PATIENCE).response(),
            Err(Nothing::Silent) => {}
            other => break other,
        }
    };
    assert_eq!(at_last.expect("a response").text(), "at last");
    strace.kill().and_then(|()| strace.wait()).expect("end strace");
    println!("{model}: {longest:?} at the longest, {answers} answers while the holder was in openat");
    (answers > 1).then_some(longest)
}

#[test]
fn without_a_lease_a_stopped_holder_stops_the_service_as_in_nginx() {
    let conf = Conf::workers(4).events("accept_mutex_lease off;").dispatch("accept_mutex");
    let (server, ledger) = serve(conf, 4);
    let victim = Pid::from_raw(holder(&ledger));
    kill(victim, Signal::SIGSTOP).expect("stop the holder");
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").patience(Duration::from_millis(1500));
    assert!(client.response().is_err());
    kill(victim, Signal::SIGCONT).expect("continue it");
    assert_eq!(client.patience(PATIENCE).response().expect("a response").text(), "hello");
    assert_eq!(ledger.sums().takeovers, 0);
}

#[test]
fn where_the_mutex_is_handed_on_the_deputy_steps_in_without_a_lease() {
    let conf = Conf::workers(4).events("accept_mutex_lease off;").dispatch("accept_handoff");
    let (server, ledger) = serve(conf, 4);
    for _ in 0..20 {
        outage(&server, &ledger, Signal::SIGSTOP, Some(Signal::SIGCONT));
    }
    assert_eq!(ledger.sums().takeovers, 0);
}

#[test]
fn an_idle_service_wakes_one_worker_a_lease() {
    for model in MODELS {
        let (server, ledger) = serve(Conf::workers(8).events("accept_mutex_delay 60s;").dispatch(model), 8);
        assert_eq!(server.connect().get("/").status, 200);
        // Until all sleep but the watcher: what the start and the connection have stirred up.
        let turns = || ledger.sums().turns;
        until("the service is idle", || {
            let (before, start) = (turns(), Instant::now());
            std::thread::sleep(LEASE * 5);
            let leases = (start.elapsed().as_millis() / LEASE.as_millis()) as u64;
            let woken = turns() - before;
            println!("{model}: {woken} turns in {leases} leases");
            (woken > 0 && woken <= leases + 1).then_some(())
        });
    }
}
