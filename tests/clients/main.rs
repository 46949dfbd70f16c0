//! Real clients that keep connections, pipeline, and do not forgive: apt, autocannon, undici, and Python's.
//! `tools/test` installs them.

#[path = "../support/mod.rs"]
mod support;

mod apt;
mod hpack;
mod node;
mod python;

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::signal::Signal;

use support::conf::Conf;
use support::server::Server;
use support::until_true;

/// A conf whose listening socket has room for all clients at once.
fn busy(workers: usize) -> Conf {
    Conf::workers(workers).listen("127.0.0.1:%port% backlog=2048")
}

/// Below `target/`, where `tools/test` installs what Debian does not have.
fn installed(path: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target").join(path);
    assert!(path.exists(), "{} is missing: tools/test installs it", path.display());
    path
}

/// Runs a client to its end; panics, with all it said, when it fails.
#[track_caller]
fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{stdout}\n{stderr}");
    stdout.into_owned()
}

/// Runs `client` while the server is reloaded again and again, at least twice, and returns the client's result.
fn while_reloading<T: Send>(server: &Server, client: impl FnOnce() -> T + Send) -> T {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let client = scope.spawn(|| {
            let result = client();
            is_over.store(true, Ordering::Relaxed);
            result
        });
        let (mut reloads, ledger) = (0, server.ledger());
        let is_done = || is_over.load(Ordering::Relaxed) || client.is_finished();
        while !is_done() {
            let old = server.workers();
            server.signal(Signal::SIGHUP);
            until_true("other workers", || server.workers().iter().any(|pid| !old.contains(pid)));
            reloads += 1;
            // So that connections live for some requests.
            let before = ledger.sums().requests;
            until_true("some requests", || ledger.sums().requests >= before + 20 || is_done());
        }
        let result = client.join().expect("the client");
        assert!(reloads >= 2, "{reloads} reloads while the client was at work");
        result
    })
}
