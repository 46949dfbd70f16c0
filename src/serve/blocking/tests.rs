use super::*;
use crate::conf::{self, Registry};
use crate::event::Clock;
use crate::http::HttpConf;
use crate::os::{Addr, EventFd, Socket};
use crate::serve::Accepted;
use crate::serve::access_log::AccessLogs;
use crate::shm::{Ledger, Role};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The interrupts that the test raises.
struct Events {
    waker: EventFd,
    backlog: EventFd,
    shutdown: Mutex<Shutdown>,
    evictions: Mutex<Vec<Eviction>>,
    heard: AtomicUsize,
    asked: AtomicUsize,
    is_stuck: AtomicBool,
}

struct Raised(Arc<Events>);

impl Interrupts for Raised {
    fn waker(&self) -> BorrowedFd<'_> {
        self.0.waker.as_fd()
    }
    fn obey(&mut self, engine: &mut Engine) -> Shutdown {
        self.0.waker.drain().unwrap();
        let shutdown = *self.0.shutdown.lock().unwrap();
        engine.shutdown = shutdown;
        self.0.heard.fetch_add(1, Ordering::SeqCst);
        shutdown
    }
    fn backlog(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.backlog.as_fd())
    }
    fn check_backlog(&mut self) -> bool {
        self.0.is_stuck.load(Ordering::SeqCst)
    }
    fn decide_eviction(&mut self) -> Eviction {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        self.0.evictions.lock().unwrap().pop().unwrap_or(Eviction::AskAgainIn(1))
    }
    fn shortage(&self) -> Option<&Shortage> {
        None
    }
}

/// A client, and a thread that serves it; the thread's value is the number of times it has waited.
fn served(conf: &str) -> (TcpStream, Arc<Events>, JoinHandle<u64>) {
    let registry = Registry::new(&[crate::http::DIRECTIVES, crate::serve::DIRECTIVES].concat());
    let conf = conf::parse(&registry, &format!("http {{ server {{ {conf} }} }}")).unwrap();
    let site = Arc::new(HttpConf::new(&conf).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let socket = Socket::from(OwnedFd::from(listener.accept().unwrap().0));
    socket.set_nonblocking(true).unwrap();
    let events = Arc::new(Events {
        waker: EventFd::new().unwrap(),
        backlog: EventFd::new().unwrap(),
        shutdown: Mutex::new(Shutdown::No),
        evictions: Mutex::default(),
        heard: AtomicUsize::new(0),
        asked: AtomicUsize::new(0),
        is_stuck: AtomicBool::new(false),
    });
    let mut raised = Raised(events.clone());
    let thread = std::thread::spawn(move || {
        let tally = Arc::new(Ledger::create().unwrap().claim(1, Role::Worker, 0).unwrap());
        let mut engine = Engine::new(site, Arc::default(), Arc::default(), Clock::new(), AccessLogs::default(), tally);
        let peer = Addr::from("127.0.0.1:1".parse::<SocketAddr>().unwrap());
        let mut conn = engine.open(Accepted { socket, peer, listener: 0 });
        serve(&mut engine, &mut conn, &mut raised);
        engine.tally.turns.get()
    });
    (client, events, thread)
}

fn ask(client: &mut TcpStream, request: &str) -> String {
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"!") {
        let mut byte = [0];
        match client.read(&mut byte).unwrap() {
            0 => break,
            _ => answer.push(byte[0]),
        }
    }
    String::from_utf8(answer).unwrap()
}

fn is_closed(client: &mut TcpStream) -> bool {
    client.read(&mut [0]).unwrap() == 0
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const HELLO: &str = "location / { return 200 hello!; }";

#[test]
fn requests_follow_each_other_and_an_idle_client_is_closed_in_time() {
    let (mut client, _, thread) = served(&format!("keepalive_timeout 60ms; {HELLO}"));
    let mut asked = Instant::now();
    for _ in 0..3 {
        asked = Instant::now();
        assert!(ask(&mut client, GET).ends_with("hello!"));
    }
    assert!(is_closed(&mut client));
    // The time runs from before the request: the answer may reach this thread late.
    assert!(asked.elapsed() >= Duration::from_millis(50));
    // A wait for each request at most, and one for the end: nothing spins.
    assert!(thread.join().unwrap() <= 4);
}

#[test]
fn a_client_that_never_finishes_its_request_is_told_so() {
    let (mut client, _, thread) = served(&format!("client_header_timeout 60ms; {HELLO}"));
    client.write_all(b"GET / HT").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(thread.join().unwrap() <= 3);
}

#[test]
fn an_idle_client_makes_room_for_the_crowd_and_a_busy_one_does_not() {
    let (mut client, events, thread) = served(HELLO);
    events.evictions.lock().unwrap().extend([Eviction::Now, Eviction::AskAgainIn(1), Eviction::No]);
    events.backlog.notify().unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    client.write_all(b"Host: a\r\n").unwrap();
    assert_eq!(events.asked.load(Ordering::SeqCst), 0, "in the middle of a request it is not asked");
    assert!(ask(&mut client, "\r\n").ends_with("hello!"));
    assert!(is_closed(&mut client));
    thread.join().unwrap();
    assert_eq!(events.asked.load(Ordering::SeqCst), 3);
}

#[test]
fn a_process_that_leaves_finishes_an_exchange_and_one_that_ends_does_not() {
    for (shutdown, answer) in [(Shutdown::Graceful, "Connection: close"), (Shutdown::Fast, "")] {
        let (mut client, events, thread) = served(HELLO);
        assert!(ask(&mut client, GET).ends_with("hello!"));
        client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        *events.shutdown.lock().unwrap() = shutdown;
        events.waker.notify().unwrap();
        // The shutdown must be heard before the request is whole.
        while events.heard.load(Ordering::SeqCst) == 0 {
            assert!(!thread.is_finished() || shutdown == Shutdown::Fast);
            std::thread::yield_now();
        }
        let _ = client.write_all(b"Host: a\r\n\r\n");
        let mut rest = String::new();
        let _ = client.read_to_string(&mut rest);
        assert!(rest.contains(answer) && (rest.is_empty() == answer.is_empty()), "{shutdown:?}: {rest}");
        thread.join().unwrap();
    }
}

#[test]
fn an_idle_client_is_closed_when_the_process_leaves() {
    let (mut client, events, thread) = served(HELLO);
    assert!(ask(&mut client, GET).ends_with("hello!"));
    *events.shutdown.lock().unwrap() = Shutdown::Graceful;
    events.waker.notify().unwrap();
    assert!(is_closed(&mut client));
    thread.join().unwrap();
}

#[test]
fn a_request_that_came_before_the_end_was_heard_of_is_answered() {
    let (mut client, events, thread) = served(HELLO);
    assert!(ask(&mut client, GET).contains("Connection: keep-alive"));
    client.write_all(GET.as_bytes()).unwrap();
    *events.shutdown.lock().unwrap() = Shutdown::Graceful;
    events.waker.notify().unwrap();
    let mut rest = String::new();
    client.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("hello!"), "{rest}");
    thread.join().unwrap();
}

#[test]
fn a_client_that_goes_on_asking_in_a_crowd_is_told_with_its_next_answer() {
    let (mut client, events, thread) = served(HELLO);
    assert!(ask(&mut client, GET).contains("Connection: keep-alive"));
    events.backlog.notify().unwrap();
    assert!(ask(&mut client, GET).contains("Connection: keep-alive"), "somebody else is free");
    events.is_stuck.store(true, Ordering::SeqCst);
    assert!(ask(&mut client, GET).contains("Connection: close"));
    assert!(is_closed(&mut client));
    thread.join().unwrap();
    assert_eq!(events.asked.load(Ordering::SeqCst), 0, "no silence was long enough to ask");
}
