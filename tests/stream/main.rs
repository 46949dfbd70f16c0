//! The two services of `stream` over the real binary: every dispatch model, pipelined, slow, oversized and malformed
//! frames, clients that don't read, drain, the counts in the ledger, and the clients in tools/.

#[path = "../support/mod.rs"]
mod support;

mod proxied;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use support::client::Client;
use support::conf::Conf;
use support::server::Server;
use support::{PATIENCE, proc, until, until_true};

/// Both services, with directives of `stream`, beside an `http` server.
fn conf(workers: usize, stream: &str) -> Conf {
    Conf::workers(workers).listen("127.0.0.1:%port3%").server("return 200 http;").beside(&format!(
        "stream {{ {stream} server {{ listen 127.0.0.1:%port%; echo_upper; }}\n\
         server {{ listen 127.0.0.1:%port2%; json_rpc; }} }}"
    ))
}

fn start(workers: usize, stream: &str) -> Server {
    Server::drover(conf(workers, stream))
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("connect");
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn echo(server: &Server) -> TcpStream {
    connect(server.ports()[0])
}

fn rpc(server: &Server) -> TcpStream {
    connect(server.ports()[1])
}

fn frame(json: impl AsRef<[u8]>) -> Vec<u8> {
    let json = json.as_ref();
    [&(json.len() as u32).to_le_bytes()[..], json].concat()
}

fn ping(params: impl std::fmt::Display) -> Vec<u8> {
    frame(format!(r#"{{"in":"ping","params":{params}}}"#))
}

fn pong(params: impl std::fmt::Display) -> String {
    format!(r#"{{"out":"pong","result":{params}}}"#)
}

#[track_caller]
fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap_or_else(|error| panic!("reading {length} bytes: {error}"));
    bytes
}

#[track_caller]
fn read_frame(stream: &mut TcpStream) -> String {
    let prefix = read(stream, 4).try_into().unwrap();
    String::from_utf8(read(stream, u32::from_le_bytes(prefix) as usize)).unwrap()
}

#[track_caller]
fn assert_closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("an end without a reset");
    assert_eq!(String::from_utf8_lossy(&rest), "");
}

#[track_caller]
fn assert_silent(stream: &mut TcpStream) {
    stream.set_nonblocking(true).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    stream.set_nonblocking(false).unwrap();
}

/// Runs one of the clients in tools/.
fn tool(name: &str, address: &str, args: &[&str], input: &[u8]) -> Output {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tools").join(name);
    let mut command = Command::new(path);
    command.arg(address).args(args).env("PYTHONDONTWRITEBYTECODE", "1");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("start a client");
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn every_model_serves_both_and_counts_each_answer() {
    for kind in drover::dispatch::MODELS {
        let mut server = Server::drover(conf(2, "").dispatch(kind.name));
        let before = server.ledger().sums();
        for round in 0..5 {
            let mut stream = echo(&server);
            for _ in 0..=round {
                stream.write_all(b"chunk").unwrap();
                assert_eq!(read(&mut stream, 5), b"CHUNK", "{}", kind.name);
            }
            drop(stream);
            let mut stream = rpc(&server);
            stream.write_all(&ping(round).repeat(3)).unwrap();
            (0..3).for_each(|_| assert_eq!(read_frame(&mut stream), pong(round), "{}", kind.name));
            drop(stream);
            let mut client = Client::connect((std::net::Ipv4Addr::LOCALHOST, server.ports()[2]).into());
            assert_eq!(client.get("/").text(), "http", "{}", kind.name);
        }
        // 15 chunks, 15 calls, 5 requests.
        let counted =
            until("all is counted", || Some(server.ledger().sums()).filter(|s| s.requests - before.requests == 35));
        assert_eq!(counted.accepts - before.accepts, 15, "{}", kind.name);
        let stream_bytes = 15 * 5 + 15 * (4 + pong(0).len() as u64);
        assert!(counted.bytes_sent - before.bytes_sent > stream_bytes, "{}", kind.name);
        assert!(server.quit().success(), "{}", kind.name);
    }
}

#[test]
fn pipelined_calls_are_answered_in_their_order() {
    let server = start(1, "");
    let mut stream = rpc(&server);
    let mut writer = stream.try_clone().unwrap();
    let calls = 20_000;
    let sender = thread::spawn(move || {
        let all: Vec<u8> = (0..calls).flat_map(ping).collect();
        writer.write_all(&all).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    for number in 0..calls {
        assert_eq!(read_frame(&mut stream), pong(number));
    }
    sender.join().unwrap();
    assert_closed(&mut stream);
    assert_eq!(server.ledger().sums().requests, calls);
}

#[test]
fn a_connection_stays_open_over_many_frames() {
    let server = start(2, "");
    let (mut calls, mut chunks) = (rpc(&server), echo(&server));
    for number in 0..2000 {
        calls.write_all(&ping(number)).unwrap();
        assert_eq!(read_frame(&mut calls), pong(number));
        chunks.write_all(b"a").unwrap();
        assert_eq!(read(&mut chunks, 1), b"A");
    }
    let counted = server.ledger().sums();
    assert_eq!((counted.accepts, counted.requests), (2, 4000));
}

#[test]
fn a_frame_may_come_byte_by_byte() {
    let server = start(1, "");
    let mut stream = rpc(&server);
    // So long that reading it over with every byte would take minutes.
    let params = format!("\"{}\"", "x".repeat(60_000));
    let call = ping(&params);
    let (last, rest) = call.split_last().unwrap();
    rest.iter().for_each(|byte| stream.write_all(&[*byte]).unwrap());
    until_true("all is read", || proc::unread_bytes(server.ports()[1]) == 0);
    assert_silent(&mut stream);
    stream.write_all(&[*last]).unwrap();
    assert_eq!(read_frame(&mut stream), pong(&params));
    assert_eq!(server.ledger().sums().requests, 1);
}

#[test]
fn frames_up_to_the_limit_are_answered_and_longer_ones_are_refused() {
    let server = start(1, "rpc_max_frame 1k;");
    let mut stream = rpc(&server);
    let padding = 1024 - (ping("\"\"").len() - 4);
    let largest = format!("\"{}\"", "x".repeat(padding));
    stream.write_all(&ping(&largest)).unwrap();
    assert_eq!(read_frame(&mut stream), pong(&largest));
    stream.write_all(&1025_u32.to_le_bytes()).unwrap();
    let error = read_frame(&mut stream);
    assert!(error.starts_with(r#"{"error":{"code":"frame_too_large""#), "{error}");
    assert_closed(&mut stream);
    let logged = "client sent frame of 1025 bytes, at most 1024 are allowed, client: 127.0.0.1, server: 127.0.0.1:";
    until_true("a line in the error log", || server.error_log().contains(logged));
}

#[test]
fn a_bad_call_gets_an_error_whatever_follows_it() {
    let server = start(1, "");
    for (bad, code) in [("{\"in\":\"pong\"}", "unknown_call"), ("[1", "malformed_call"), ("", "malformed_call")] {
        let mut stream = rpc(&server);
        let mut bytes = [ping(1), frame(bad)].concat();
        // More than is read before the answer: a reset must not overtake the error.
        bytes.extend(ping(2).repeat(20_000));
        let mut writer = stream.try_clone().unwrap();
        let sender = thread::spawn(move || _ = writer.write_all(&bytes));
        assert_eq!(read_frame(&mut stream), pong(1));
        let error = read_frame(&mut stream);
        assert!(error.starts_with(&format!(r#"{{"error":{{"code":"{code}","message":""#)), "{error}");
        assert_closed(&mut stream);
        sender.join().unwrap();
    }
}

#[test]
fn nested_and_huge_values_harm_nothing() {
    let server = start(1, "rpc_max_frame 8m;");
    let worker = server.wait_for_workers(1);
    let deep = format!("{}{}", "[".repeat(2_000_000), "]".repeat(2_000_000));
    let huge = format!("-{}.{}e+999999999", "9".repeat(100_000), "9".repeat(100_000));
    for params in [deep, huge] {
        let mut stream = rpc(&server);
        let mut writer = stream.try_clone().unwrap();
        let call = ping(&params);
        let sender = thread::spawn(move || writer.write_all(&call).unwrap());
        assert!(read_frame(&mut stream) == pong(&params));
        sender.join().unwrap();
    }
    assert_eq!(server.workers(), worker, "the same worker is there");
}

#[test]
fn a_client_that_does_not_read_is_not_read_from() {
    let server = start(1, "");
    let worker = server.wait_for_workers(1)[0];
    let memory = |pid: i32| {
        let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
        statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
    };
    let call = ping(format!("\"{}\"", "x".repeat(1000)));
    let calls = (64 << 20) / call.len();
    for (port, sent, answer) in [
        (server.ports()[0], b"sixteen letters.".repeat(4 << 20), b"SIXTEEN LETTERS.".repeat(4 << 20)),
        (server.ports()[1], call.repeat(calls), frame(pong(format!("\"{}\"", "x".repeat(1000)))).repeat(calls)),
    ] {
        let mut stream = connect(port);
        let before = memory(worker);
        let mut writer = stream.try_clone().unwrap();
        let sender = thread::spawn(move || writer.write_all(&sent).unwrap());
        // Nothing is answered any more, poll after poll, and yet there are bytes.
        let (mut still, mut last) = (0, 0);
        until_true("the server does not read", || {
            let answered = server.ledger().sums().requests;
            still = if answered == last { still + 1 } else { 0 };
            last = answered;
            still > 50 && proc::unread_bytes(port) > 10_000
        });
        assert!(memory(worker) - before < 2 << 20, "{} bytes more", memory(worker) - before);
        assert!(read(&mut stream, answer.len()) == answer);
        sender.join().unwrap();
        assert!(memory(worker) - before < 2 << 20);
    }
}

#[test]
fn quit_answers_what_has_begun_and_closes_the_idle() {
    let mut server = start(2, "");
    let (mut idle, mut begun, mut chunks) = (rpc(&server), rpc(&server), echo(&server));
    idle.write_all(&ping(1)).unwrap();
    assert_eq!(read_frame(&mut idle), pong(1));
    chunks.write_all(b"a").unwrap();
    assert_eq!(read(&mut chunks, 1), b"A");
    let call = ping(2);
    let (first, rest) = call.split_at(10);
    begun.write_all(first).unwrap();
    until_true("it has begun", || proc::unread_bytes(server.ports()[1]) == 0 && server.ledger().sums().accepts == 3);
    server.signal(Signal::SIGQUIT);
    assert_closed(&mut idle);
    assert_closed(&mut chunks);
    assert!(server.poll_exit().is_none(), "a frame is arriving");
    begun.write_all(rest).unwrap();
    assert_eq!(read_frame(&mut begun), pong(2));
    assert_closed(&mut begun);
    assert!(server.wait().success());
}

#[test]
fn the_end_of_the_input_is_the_end_of_the_answers() {
    let server = start(1, "");
    let mut stream = echo(&server);
    stream.write_all(b"last words").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read(&mut stream, 10), b"LAST WORDS");
    assert_closed(&mut stream);
    let mut stream = rpc(&server);
    stream.write_all(&[&ping(1)[..], b"\x10\0"].concat()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_frame(&mut stream), pong(1));
    assert_closed(&mut stream);
    until_true("a line", || server.error_log().contains("client prematurely closed connection, client: 127.0.0.1"));
}

#[test]
fn silence_and_dribbling_have_an_end() {
    let server = start(1, "idle_timeout 300ms;");
    let (mut silent, mut idle) = (rpc(&server), echo(&server));
    idle.write_all(b"a").unwrap();
    assert_eq!(read(&mut idle, 1), b"A");
    assert_closed(&mut silent);
    assert_closed(&mut idle);

    let server = start(1, "rpc_frame_timeout 300ms;");
    let mut stream = rpc(&server);
    let mut writer = stream.try_clone().unwrap();
    let dribbler = thread::spawn(move || {
        writer.write_all(&60_000_u32.to_le_bytes()).unwrap();
        // A byte at a time, each of them in time for `idle_timeout`, until the server has had enough.
        while writer.write_all(b" ").is_ok() {
            thread::park_timeout(Duration::from_millis(20));
        }
    });
    let mut rest = Vec::new();
    let end = stream.read_to_end(&mut rest);
    assert!(end.is_ok() || end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    assert_eq!(rest, b"");
    dribbler.join().unwrap();
    until_true("a line", || {
        server.error_log().contains("client timed out (110: Connection timed out), client: 127.0.0.1")
    });
}

#[test]
fn a_wildcard_and_an_address_on_one_port_lead_to_their_servers() {
    let server = Server::drover(
        "%main% worker_processes 1; events { }
         stream { server { listen 127.0.0.1:%port%; echo_upper; } server { listen %port%; json_rpc; } }",
    );
    assert_eq!(proc::listening_inodes(server.port()).len(), 1, "one socket carries both");
    let mut chunks = connect(server.port());
    chunks.write_all(b"a").unwrap();
    assert_eq!(read(&mut chunks, 1), b"A");
    let mut calls = TcpStream::connect(("127.0.0.2", server.port())).unwrap();
    calls.write_all(&ping(1)).unwrap();
    assert_eq!(read_frame(&mut calls), pong(1));
}

#[test]
fn the_clients_in_tools_are_answered() {
    let server = start(2, "server { listen unix:%dir%/rpc.sock; json_rpc; }");
    let address = |n: usize| format!("127.0.0.1:{}", server.ports()[n]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();

    let done = tool("echo_client", &address(0), &["hello", "world"], b"");
    assert_eq!((done.status.code(), text(&done.stdout)), (Some(0), "HELLO\nWORLD\n".to_owned()));
    let done = tool("echo_client", &address(0), &[], "first\nd\u{e4}rd\n".as_bytes());
    assert_eq!((done.status.code(), text(&done.stdout)), (Some(0), "FIRST\nD\u{e4}RD\n".to_owned()));
    let done = tool("echo_client", &address(0), &["--count", "100", "--quiet", &"x".repeat(100_000)], b"");
    assert!(done.status.success() && text(&done.stderr).starts_with("100 texts in "), "{done:?}");

    for place in [address(1), format!("unix:{}/rpc.sock", server.dir().display())] {
        let done = tool("rpc_client", &place, &["ping", r#"{"a": [1, 12345678901234567890]}"#], b"");
        let answer = "{\"out\":\"pong\",\"result\":{\"a\": [1, 12345678901234567890]}}\n";
        assert_eq!((done.status.code(), text(&done.stdout)), (Some(0), answer.to_owned()), "{done:?}");
    }
    let before = server.ledger().sums().requests;
    let done = tool("rpc_client", &address(1), &["--count", "1000", "--pipeline", "16", "--quiet"], b"");
    assert!(done.status.success() && text(&done.stderr).starts_with("1000 calls in "), "{done:?}");
    assert_eq!(server.ledger().sums().requests - before, 1000);

    let done = tool("rpc_client", &address(1), &["sing"], b"");
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).contains("unknown call \\\"sing\\\""), "{done:?}");
    let done = tool("rpc_client", &address(0), &[], b"");
    assert_eq!(done.status.code(), Some(1), "the wrong service");
    for name in ["echo_client", "rpc_client"] {
        let help = tool(name, "--help", &[], b"");
        assert!(help.status.success() && text(&help.stdout).contains("HOST:PORT"));
    }
}
