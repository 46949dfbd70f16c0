//! What may go wrong while the server starts.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::support::server::{Product, Server, Setup};
use super::support::{PATIENCE, until_true};
use super::{drover, stderr};

/// A server on a Unix socket, and on a TCP address that comes after it.
fn conf(tcp: &str) -> String {
    format!(
        "%main% events {{ }} http {{ access_log off;
         server {{ listen unix:%dir%/s; listen {tcp}; location = /v {{ return 200 one; }} }} }}"
    )
}

fn assert_nothing_is_left(server: &Server) {
    for name in ["s", "server.pid"] {
        assert!(!server.dir().join(name).exists(), "{name} is left\n{}", server.error_log());
    }
}

#[test]
fn a_signal_that_ends_the_service_ends_the_wait_for_an_address() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT] {
        let mut server = Setup::new(Product::Drover, conf(&taken.local_addr().unwrap().to_string())).spawn();
        until_true("the first socket is there", || server.dir().join("s").exists());
        server.signal(signal);
        let start = Instant::now();
        assert_eq!(server.wait().code(), Some(1), "{signal}: {}", server.stderr());
        // It would have tried for two seconds.
        assert!(start.elapsed() < Duration::from_secs(1), "{signal}: {:?}", start.elapsed());
        assert_nothing_is_left(&server);
    }
}

#[test]
fn what_is_no_end_is_obeyed_after_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let mut server = Setup::new(Product::Drover, conf(&addr.to_string())).spawn();
    until_true("the first socket is there", || server.dir().join("s").exists());
    server.signal(Signal::SIGHUP);
    drop(taken);
    until_true("the reload", || server.error_log().contains("signal 1 (SIGHUP) received"));
    server.wait_for_workers(1);
    assert_eq!(super::support::client::Client::connect(addr).get("/v").text(), "one");
    assert!(server.quit().success());
    assert_nothing_is_left(&server);
}

#[test]
fn a_start_that_is_ended_at_any_moment_leaves_nothing() {
    let setup = Setup::new(Product::Drover, conf("127.0.0.1:%port%"));
    for signal in [Signal::SIGTERM, Signal::SIGQUIT, Signal::SIGHUP] {
        for n in 0..12 {
            let mut server = setup.spawn();
            let start = Instant::now();
            // To sleep would miss the moment: the start is over within some milliseconds.
            while !server.dir().join("s").exists() && start.elapsed() < PATIENCE {
                std::thread::yield_now();
            }
            // No condition to wait for: any moment will do.
            std::thread::sleep(Duration::from_micros(n * 200));
            server.signal(signal);
            if signal == Signal::SIGHUP {
                until_true("HUP is obeyed", || server.error_log().contains("reconfiguring"));
                server.signal(Signal::SIGTERM);
            }
            assert_eq!(server.wait().code(), Some(0), "{signal}, try {n}");
            assert_nothing_is_left(&server);
        }
    }
}

#[test]
fn a_variable_of_the_same_name_is_no_upgrade() {
    for value in ["1", "/opt/drover", "0;1;"] {
        let mut server = Setup::new(Product::Drover, conf("127.0.0.1:%port%")).env("DROVER", value).start();
        let expected = format!("drover: [warn] the environment variable DROVER={value} is ignored: ");
        assert!(server.stderr().starts_with(&expected), "{}", server.stderr());
        assert!(server.quit().success());
        // A new binary leaves them to the old one.
        assert_nothing_is_left(&server);
    }
}

#[test]
fn a_start_names_the_processes_that_have_its_address() {
    let server = Server::drover(super::conf(1));
    let worker = server.wait_for_workers(1)[0];
    let text = fs::read_to_string(server.conf_path()).unwrap().replace("server.pid", "other.pid");
    let other = server.dir().join("other.conf");
    fs::write(&other, text).unwrap();
    let output = drover(&["-p", server.dir().to_str().unwrap(), "-c", other.to_str().unwrap()]);
    let said = stderr(&output);
    for (pid, title) in [(server.pid(), "master"), (worker, "worker")] {
        assert!(said.contains(&format!("process {pid} (drover: {title} process)")), "{said}");
    }
    assert_eq!(output.status.code(), Some(1));
}
