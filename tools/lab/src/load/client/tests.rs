use super::*;
use crate::load::figures;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// Starts a server that accepts connection number `n` after `pause(n)`.
fn server(pause: fn(usize) -> Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (n, stream) in listener.incoming().enumerate() {
            thread::sleep(pause(n));
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut buffer = [0; 4096];
                while let Ok(n) = stream.read(&mut buffer) {
                    if n == 0 || stream.write_all(ANSWER).is_err() {
                        break;
                    }
                    if buffer[..n].windows(5).any(|five| five == b"close") {
                        break;
                    }
                }
            });
        }
    });
    address
}

fn go(plan: &Plan, server: SocketAddr) -> Run {
    Client::new(plan, server, Duration::from_secs(2)).unwrap().go().unwrap()
}

#[test]
fn every_planned_request_has_an_outcome() {
    let plan = Plan::open(500.0, Duration::from_millis(400), 3);
    let run = go(&plan, server(|_| Duration::ZERO));
    assert_eq!(run.outcomes.len(), plan.requests.len());
    assert!(run.outcomes.iter().all(|o| o.ending == Ending::Answered && o.first_byte.is_some()));
    let figures = figures(&run);
    assert_eq!((figures.errors, figures.requests), (0, plan.requests.len() as u64));
    assert!(figures.quantile(0.5).unwrap() > 1.0 && figures.quantile(1.0).unwrap() >= figures.quantile(0.5).unwrap());
}

#[test]
fn a_stall_is_seen_by_all_that_were_planned_during_it() {
    // The server stops for 200 ms at the tenth connection: at 500/s about a hundred requests are planned meanwhile. A
    // closed loop would see a single slow request.
    let plan = Plan::open(500.0, Duration::from_millis(600), 5);
    let run = go(&plan, server(|n| Duration::from_millis(if n == 10 { 200 } else { 0 })));
    let slow = run.outcomes.iter().filter(|o| o.first_byte.is_some_and(|t| t > Duration::from_millis(20))).count();
    assert!(slow > 60, "only {slow} requests saw the stall");
}

#[test]
fn idle_connections_are_opened_before_and_used() {
    let plan = Plan::trickle(20, 300.0, Duration::from_millis(200), 1);
    let run = go(&plan, server(|_| Duration::ZERO));
    assert_eq!(run.outcomes.len(), plan.requests.len());
    assert!(run.outcomes.iter().all(|o| o.ending == Ending::Answered), "{:?}", run.outcomes.first());
}

#[test]
fn a_closed_loop_goes_on_until_its_time_is_up() {
    for keep_alive in [false, true] {
        let plan = Plan::closed(4, keep_alive, Duration::from_millis(200));
        let run = go(&plan, server(|_| Duration::ZERO));
        assert!(run.outcomes.len() > 40, "{}", run.outcomes.len());
        assert!(run.outcomes.iter().all(|o| o.ending == Ending::Answered));
    }
}

#[test]
fn a_closed_loop_stays_on_the_connections_that_were_opened_before() {
    let plan = Plan::staying(4, Duration::from_millis(200));
    let run = go(&plan, server(|_| Duration::ZERO));
    assert!(run.outcomes.len() > 40, "{}", run.outcomes.len());
    assert!(run.outcomes.iter().all(|o| o.ending == Ending::Answered));
    assert_eq!((run.opened, run.idle), (0, 4));
}

#[test]
fn the_lost_and_the_refused_are_counted() {
    let plan = Plan::open(100.0, Duration::from_millis(100), 1);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::new(&plan, silent.local_addr().unwrap(), Duration::from_millis(100)).unwrap();
    let run = client.go().unwrap();
    assert!(!run.outcomes.is_empty() && run.outcomes.iter().all(|o| o.ending == Ending::TimedOut));
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let run = go(&plan, gone);
    assert!(run.outcomes.iter().all(|o| o.ending == Ending::Refused), "{:?}", run.outcomes.first());
}

#[test]
fn connections_of_a_storm_are_held_after_the_answer() {
    let plan = Plan::storm(50, Duration::from_millis(30));
    let run = go(&plan, server(|_| Duration::ZERO));
    assert_eq!(run.outcomes.iter().filter(|o| o.ending == Ending::Answered).count(), 50);
}

#[test]
fn what_the_client_lacks_is_no_error_of_the_server() {
    let lacks = |errno: Errno| shortage(&std::io::Error::from(errno)).is_some();
    assert!(lacks(Errno::EMFILE) && lacks(Errno::ENFILE) && lacks(Errno::EADDRNOTAVAIL));
    assert!(!lacks(Errno::ECONNREFUSED) && !lacks(Errno::ETIMEDOUT));
}

#[test]
fn slow_readers_do_not_dilute_the_time_of_the_load() {
    const BODY: usize = 4 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n").unwrap();
                stream.write_all(&[0; BODY]).unwrap();
            });
        }
    });
    let mut plan = Plan::burst(2, Duration::from_millis(1), Duration::from_millis(1));
    plan.requests[1].slow = true;
    let begin = Instant::now();
    let run = go(&plan, address);
    // A slow client reads 64 KiB every 10 ms: 4 MiB take 640 ms.
    assert!(run.outcomes.iter().all(|o| o.ending == Ending::Answered), "{:?}", run.outcomes);
    assert!(run.elapsed + Duration::from_millis(200) < begin.elapsed(), "{:?} of {:?}", run.elapsed, begin.elapsed());
}
