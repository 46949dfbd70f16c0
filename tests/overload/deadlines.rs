//! No state without a deadline: each ends by the directive that is meant for it, and by no other.

use std::fs::File;
use std::io::Read;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::states::{End, STATES, Site, State};
use crate::support::conf::Conf;
use crate::support::server::{Product, Setup};
use crate::support::tls::{Authority, Wish};
use crate::support::until_true;

/// The deadline under test, and the least a client has to see of it.
const SHORT: &str = "1s";
const LEAST: Duration = Duration::from_millis(900);

/// Less than any time that no directive sets.
const MOST: Duration = Duration::from_secs(25);

/// Every deadline there is, so long that none of them ends a test.
const HTTP: &str = "client_header_timeout 1h; client_body_timeout 1h; send_timeout 1h; keepalive_timeout 1h; \
                    keepalive_time 2h; lingering_time 1h; lingering_timeout 1h;";
const STREAM: &str = "idle_timeout 1h; rpc_frame_timeout 1h; proxy_protocol_timeout 1h;";

/// More than all buffers between a server and a client that does not read.
const LARGE: u64 = 32 << 20;

const TIMED_OUT: &str = "client timed out (110: Connection timed out)";

fn conf(state: &State, pki: &str) -> Conf {
    let State { listen, directive, more, .. } = state;
    let (service, parameters) = listen.split_once(' ').unwrap_or((listen, ""));
    let short = format!("{directive} {SHORT}; {more}");
    if matches!(service, "echo_upper" | "json_rpc") {
        let server = format!("server {{ listen 127.0.0.1:%port% {parameters}; {service}; {short} }}");
        return Conf::workers(1).listen("127.0.0.1:%port2%").beside(&format!("stream {{ {STREAM} {server} }}"));
    }
    Conf::workers(1)
        .http(HTTP)
        .listen(&format!("127.0.0.1:%port% {listen}"))
        .server(&format!("ssl_certificate {pki}/a.crt; ssl_certificate_key {pki}/a.key; {short}"))
        .server("location = /sink { return 200 ok; }")
}

/// Brings a connection into the state, and compares its end with what is to be.
fn hold(state: &State, product: Product, dispatch: Option<&str>) {
    let about = format!("{}, {product:?} {}", state.name, dispatch.unwrap_or_default());
    let pki = tempfile::tempdir().expect("a directory");
    let authority = Authority::new("the test's authority");
    authority.sign(&["localhost"]).write_to(pki.path(), "a");
    let conf = conf(state, &pki.path().display().to_string());
    let server = Setup::new(product, dispatch.into_iter().fold(conf, Conf::dispatch)).start();
    server.file("index.html", "hello").file("middle", vec![b'x'; 100_000]);
    match state.more.contains("gzip") {
        true => _ = server.file("large", random()),
        false => {
            let file = File::create(server.dir().join("root/large")).and_then(|file| file.set_len(LARGE));
            file.expect("a sparse file");
        }
    }
    let site = Site { server, wish: Wish::new(&authority) };
    until_true("the worker is ready", || site.is_deserted());
    let start = Instant::now();
    let end = (state.wait)(&site);
    let took = start.elapsed();
    assert!((LEAST..MOST).contains(&took), "{about}: after {took:?}: {}", site.server.error_log());
    let expected = match (product, state.end) {
        (Product::Nginx, End::Timeout408) => End::Close,
        (_, end) => end,
    };
    assert_eq!(end, expected, "{about}: {}", site.server.error_log());
    let line = if state.doing.is_empty() { String::new() } else { format!("{TIMED_OUT}{}", state.doing) };
    until_true(&format!("{about}: {line}"), || site.server.error_log().contains(&line));
    let log = site.server.error_log();
    assert_eq!(log.matches(TIMED_OUT).count(), usize::from(!line.is_empty()), "{about}: {log}");
    assert!(!log.contains("SSL: ") && !log.contains("[alert]"), "{about}: {log}");
    until_true(&about, || site.is_deserted());
}

/// Bytes that no coding makes shorter.
fn random() -> Vec<u8> {
    let mut bytes = vec![0; LARGE as usize / 2];
    File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).expect("random bytes");
    bytes
}

/// All states, some at a time.
fn hold_all(product: Product, dispatch: Option<&str>, states: &[&State]) {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(state) = states.get(next.fetch_add(1, Ordering::Relaxed)) {
            if std::panic::catch_unwind(|| hold(state, product, dispatch)).is_err() {
                failed.lock().expect("a lock").push(state.name);
            }
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|_| _ = scope.spawn(work)));
    assert_eq!(failed.into_inner().expect("a lock"), Vec::<&str>::new(), "as above, {product:?} {dispatch:?}");
}

fn drover(dispatch: &str) {
    hold_all(Product::Drover, Some(dispatch), &STATES.iter().collect::<Vec<_>>());
}

#[test]
fn of_an_event_loop() {
    drover("exclusive");
}

#[test]
fn of_threads_that_block() {
    drover("prefork");
}

#[test]
fn of_processes_that_block() {
    drover("fork");
}

#[test]
fn of_threads_behind_a_queue() {
    drover("thread_pool");
}

#[test]
fn of_threads_that_take_turns() {
    drover("leader_follower");
}

/// The table is nginx's: it ends these states by the same directives, with the same lines.
#[test]
fn of_nginx() {
    let states: Vec<&State> = STATES.iter().filter(|state| state.is_nginx_s()).collect();
    hold_all(Product::Nginx, None, &states);
}
