//! The files of Unix sockets: left by a crash, in somebody's use, in the way, respelled.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use nix::sys::signal::Signal;

use crate::support::conf::Conf;
use crate::support::ended::drover;
use crate::support::server::{Product, Server, Setup};
use crate::support::until_true;
use crate::{answering, conf};

fn with_socket() -> Conf {
    conf(1).server("listen unix:%dir%/s.sock;")
}

fn get(path: &Path) -> String {
    let mut client = UnixStream::connect(path).expect("somebody listens");
    client.write_all(b"GET /v HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

/// The file of a socket that nobody has, as a crash leaves it.
fn abandon(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
}

#[test]
fn what_a_crash_has_left_stops_no_start_and_no_reload() {
    let mut server = Setup::new(Product::Drover, conf(1)).start();
    let path = server.dir().join("s.sock");
    abandon(&path);
    server.rewrite_conf(with_socket());
    assert_eq!(server.send("reload"), (Some(0), String::new()));
    assert!(get(&path).ends_with("one"));
    let log = server.error_log();
    assert!(
        log.contains("[warn]") && log.contains(&format!("no process had unix:{} any more", path.display())),
        "{log}"
    );
    // A killed master leaves the file to the next start.
    let workers = server.workers();
    server.signal(Signal::SIGKILL);
    server.wait();
    workers.iter().for_each(|worker| _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(*worker), Signal::SIGKILL));
    until_true("nobody listens", || UnixStream::connect(&path).is_err());
    assert!(path.exists());
    let text = fs::read_to_string(server.conf_path()).unwrap();
    let next = Setup::new(Product::Drover, &text).start();
    until_true("it listens", || UnixStream::connect(&path).is_ok());
    assert!(get(&path).ends_with("one"));
    drop(next);
}

#[test]
fn a_socket_that_somebody_has_stays_and_a_test_removes_none() {
    let server = Server::drover(conf(1));
    let (path, conf) = (server.dir().join("s.sock"), server.conf_path());
    server.rewrite_conf(with_socket());
    let test = || drover(&["-t", "-p", server.dir().to_str().unwrap(), "-c", conf.to_str().unwrap()]);
    abandon(&path);
    let inode = fs::metadata(&path).unwrap().ino();
    assert!(test().succeeded());
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode, "-t leaves it");
    fs::remove_file(&path).unwrap();
    let theirs = UnixListener::bind(&path).unwrap();
    assert!(test().succeeded(), "as beside a server that runs");
    let (code, text) = server.send("reload");
    assert!(code == Some(1) && text.contains("s.sock failed (98: Address already in use)"), "{code:?} {text}");
    let _client = UnixStream::connect(&path).unwrap();
    theirs.accept().unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "dear").unwrap();
    let (code, text) = server.send("reload");
    assert!(
        code == Some(1) && text.contains("s.sock, where something is that is no socket, failed"),
        "{code:?} {text}"
    );
    let tested = test();
    assert!(!tested.succeeded() && tested.stderr.contains("that is no socket"), "{}", tested.stderr);
    assert_eq!(fs::read_to_string(&path).unwrap(), "dear");
}

#[test]
fn a_path_that_is_spelled_otherwise_is_the_same_socket() {
    let mut server = Server::drover(with_socket());
    let path = server.dir().join("s.sock");
    symlink(server.dir(), server.dir().join("link")).unwrap();
    let inode = fs::metadata(&path).unwrap().ino();
    server.rewrite_conf(answering(1, "two").server("listen unix:%dir%/link/s.sock;"));
    assert_eq!(server.send("reload"), (Some(0), String::new()));
    until_true("the new conf answers", || get(&path).ends_with("two"));
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
    assert!(server.quit().success());
    assert!(!path.exists());
}

#[test]
fn what_has_taken_a_socket_s_place_is_not_removed() {
    for signal in [Signal::SIGQUIT, Signal::SIGTERM] {
        let mut server = Server::drover(with_socket());
        let path = server.dir().join("s.sock");
        fs::remove_file(&path).unwrap();
        let theirs = UnixListener::bind(&path).unwrap();
        server.signal(signal);
        assert!(server.wait().success());
        let _client = UnixStream::connect(&path).expect("it is theirs");
        theirs.accept().unwrap();
    }
}
