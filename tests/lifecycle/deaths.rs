//! Workers that die.

use nix::sys::signal::Signal;

use crate::conf;
use crate::support::server::Server;
use crate::support::{proc, until, until_true};

#[test]
fn killed_workers_are_replaced() {
    let server = Server::drover(conf(3));
    let kill = |victims: &[i32]| victims.iter().for_each(|pid| proc::signal(*pid, Signal::SIGKILL));
    let successors = |victims: &[i32]| {
        let has_gone = |workers: &Vec<i32>| !workers.iter().any(|pid| victims.contains(pid));
        until("successors", || Some(server.workers()).filter(|workers| workers.len() == 3 && has_gone(workers)))
    };
    let before = server.wait_for_workers(3);
    kill(&before[..1]);
    let after = successors(&before[..1]);
    assert!(before[1..].iter().all(|pid| after.contains(pid)), "the other workers live on");
    assert_eq!(server.connect().get("/v").text(), "one");
    kill(&after);
    successors(&after);
    assert_eq!(server.connect().get("/v").text(), "one");
    let log = server.error_log();
    for victim in before.iter().chain(&after) {
        assert!(log.contains(&format!("worker process {victim} exited on signal 9")), "{victim}: {log}");
    }
}

#[test]
fn a_worker_that_dies_at_once_again_and_again_is_replaced_after_a_pause() {
    let server = Server::drover(conf(1));
    for _ in 0..4 {
        let worker = server.wait_for_workers(1)[0];
        proc::signal(worker, Signal::SIGKILL);
        until_true("it is gone", || !proc::is_alive(worker));
    }
    until_true("the pause is logged", || server.error_log().contains("died at once, its successor starts in"));
    server.wait_for_workers(1);
    assert_eq!(server.connect().get("/v").text(), "one");
}
