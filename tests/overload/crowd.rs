//! A crowd of slow clients: others are answered beside it, limits count as they do without it, and it is gone in time.

use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use drover::http::h2::frame::{Kind, PREFACE};

use crate::support::client::Client;
use crate::support::conf::Conf;
use crate::support::h2::{frame, get, request};
use crate::support::server::Server;
use crate::support::tls::Authority;
use crate::support::{proc, until_true};

/// Slow clients of each kind.
const EACH: usize = 500;

/// Long enough for a loaded machine to connect the crowd and answer the others, and shorter than the tests' patience. A
/// stream with a closed window is reset by `send_timeout`, and its connection is idle then.
const DEADLINES: &str = "client_header_timeout 25s; send_timeout 15s; keepalive_timeout 10s; lingering_timeout 1s;";

/// More than all buffers between a server and a client that does not read.
const LARGE: u64 = 32 << 20;

const HALF_A_HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: local";

/// The header of a handshake record of 512 bytes, and the first bytes of the ClientHello in it.
const HALF_A_HELLO: &[u8] = b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03abcdefgh";

/// Connects `EACH` clients, each of which sends `first` and then nothing.
fn slow(addr: SocketAddr, first: &[u8]) -> Vec<TcpStream> {
    let client = |_| {
        let mut client = TcpStream::connect(addr).expect("connect");
        client.write_all(first).expect("the beginning of a request");
        client
    };
    (0..EACH).map(client).collect()
}

/// The number of 200s and of 503s that 20 clients get, none of which reads more of its answer than the status.
fn statuses(server: &Server, target: &str) -> (usize, usize) {
    let ask = |_| {
        let mut client = server.connect();
        let status = client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")).status();
        (client, status)
    };
    let asked: Vec<(Client, u16)> = (0..20).map(ask).collect();
    let count = |wanted| asked.iter().filter(|(_, status)| *status == wanted).count();
    (count(200), count(503))
}

fn stands_beside(dispatch: &str) {
    proc::make_room_for_descriptors();
    let pki = tempfile::tempdir().expect("a directory");
    Authority::new("the test's authority").sign(&["localhost"]).write_to(pki.path(), "a");
    let pki = pki.path().display();
    let conf = Conf::workers(1)
        .dispatch(dispatch)
        .main("worker_rlimit_nofile 5000;")
        .events("worker_connections 3000;")
        .http("limit_conn_zone $binary_remote_addr zone=held:1m;")
        .http("limit_req_zone $binary_remote_addr zone=asked:1m rate=1r/m;")
        .server(&format!("listen 127.0.0.1:%port2% ssl; ssl_certificate {pki}/a.crt; ssl_certificate_key {pki}/a.key;"))
        .server(&format!("http2 on; {DEADLINES}"))
        .server("location = /held { limit_conn held 5; try_files /large =404; }")
        .server("location = /asked { limit_req zone=asked burst=4 nodelay; try_files /index.html =404; }");
    let server = Server::drover(conf);
    server.file("index.html", "hello");
    File::create(server.dir().join("root/large")).and_then(|file| file.set_len(LARGE)).expect("a sparse file");
    let worker = server.wait_for_workers(1)[0];
    let are_open = |count: usize| server.ledger().sums().connections as usize == count;
    assert_eq!(server.connect().get("/").text(), "hello");
    until_true("nobody is there", || are_open(0));
    // A file that is asked for stays open for a while.
    let is_kept = |target: &String| target.ends_with("/index.html");
    let descriptors = || proc::open_targets(worker).iter().filter(|target| !is_kept(target)).count();
    let before = descriptors();

    let closed_windows = [PREFACE, &frame(Kind::Settings, 0, 0, b"\0\x04\0\0\0\0"), &request(1, &get("/large"))];
    let [_, tls, _] = server.ports();
    let crowd = [
        slow(server.addr(), b""),
        slow(server.addr(), HALF_A_HEAD),
        slow(SocketAddr::from(([127, 0, 0, 1], tls)), HALF_A_HELLO),
        slow(server.addr(), &closed_windows.concat()),
    ];
    until_true("all are connected", || are_open(4 * EACH));
    for _ in 0..100 {
        assert_eq!(server.connect().get("/").text(), "hello", "{dispatch}");
    }
    assert_eq!(statuses(&server, "/held"), (5, 15), "{dispatch}: limit_conn");
    assert_eq!(statuses(&server, "/asked"), (5, 15), "{dispatch}: limit_req");
    until_true("the crowd is still there, and alone", || are_open(4 * EACH));

    // The clients keep their ends open: the server ends the connections by itself.
    until_true("the crowd is gone", || are_open(0));
    until_true("its descriptors are back", || descriptors() == before);
    drop(crowd);
    assert_eq!(server.ledger().sums().reused_connections, 0, "{dispatch}: there was room for all");
    assert_eq!(server.connect().get("/").text(), "hello");
    assert_eq!(server.workers(), [worker], "{dispatch}: {}", server.error_log());
}

#[test]
fn an_event_loop_stands_beside_a_crowd() {
    stands_beside("exclusive");
}

#[test]
fn threads_that_take_turns_stand_beside_a_crowd() {
    stands_beside("leader_follower");
}
