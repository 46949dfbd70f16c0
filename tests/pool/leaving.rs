//! QUIT, TERM and reload.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use drover::shm::Role;
use nix::sys::signal::Signal;

use crate::support::client::Client;
use crate::support::conf::Conf;
use crate::support::{proc, tools, until, until_true};
use crate::{ALL, PASSING, counted, pids, pool};

/// Connections that were passed, and not taken yet when the service is told to end, are served.
#[test]
fn quit_serves_what_is_under_way() {
    for model in PASSING {
        let (mut server, ledger) = pool(2, &format!("dispatch {model};"));
        let workers = pids(&ledger, Role::Worker);
        workers.iter().for_each(|pid| proc::signal(*pid, Signal::SIGSTOP));
        let mut waiting: Vec<Client> = (0..10).map(|_| server.connect()).collect();
        for client in &mut waiting {
            client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        }
        until_true("all are passed", || counted(&ledger, Role::Dispatcher)[0].handoffs == 10);
        server.signal(Signal::SIGQUIT);
        until_true("the dispatcher has left", || pids(&ledger, Role::Dispatcher).is_empty());
        workers.iter().for_each(|pid| proc::signal(*pid, Signal::SIGCONT));
        waiting.iter_mut().for_each(|client| assert_eq!(client.response().expect(model).text(), "hello"));
        drop(waiting);
        assert!(server.wait().success());
        assert!(!server.error_log().contains("were closed"), "{model}");
    }
}

/// The workers are told to leave while a dispatcher that is stopped has a connection for them still.
#[test]
fn a_worker_does_not_leave_before_its_dispatcher_knows() {
    for model in PASSING {
        let (mut server, ledger) = pool(2, &format!("dispatch {model};"));
        let dispatcher = pids(&ledger, Role::Dispatcher)[0];
        proc::signal(dispatcher, Signal::SIGSTOP);
        server.signal(Signal::SIGQUIT);
        until_true("the workers leave", || server.error_log().matches("gracefully shutting down").count() == 2);
        assert_eq!(pids(&ledger, Role::Worker).len(), 2, "{model}");
        proc::signal(dispatcher, Signal::SIGCONT);
        assert!(server.wait().success());
    }
}

/// A worker alone is told to leave: the others serve, and a successor takes its place.
#[test]
fn a_worker_that_leaves_alone_is_replaced() {
    for model in ALL {
        let (server, ledger) = pool(2, &format!("dispatch {model};"));
        for _ in 0..4 {
            let leaver = pids(&ledger, Role::Worker)[0];
            proc::signal(leaver, Signal::SIGQUIT);
            for _ in 0..10 {
                assert_eq!(server.connect().get("/").text(), "hello", "{model}");
            }
            until_true("a successor", || {
                let now = pids(&ledger, Role::Worker);
                now.len() == 2 && !now.contains(&leaver)
            });
        }
        let dispatcher = pids(&ledger, Role::Dispatcher)[0];
        proc::signal(dispatcher, Signal::SIGQUIT);
        assert_eq!(server.connect().get("/").text(), "hello", "{model}");
    }
}

#[test]
fn term_ends_at_once() {
    for model in ALL {
        let (mut server, _ledger) = pool(2, &format!("dispatch {model};"));
        let mut client = server.connect();
        client.begin();
        server.signal(Signal::SIGTERM);
        assert!(server.wait().success());
        assert!(client.is_closed_by_server());
    }
}

/// Into the pool, within it, with another number of workers, and out of it again.
#[test]
fn no_request_fails_while_reloading() {
    for model in &ALL {
        let (server, _ledger) = pool(2, &format!("dispatch {model};"));
        let (done, reloads) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            // On a busy machine a reload may take longer than the load does once.
            let load = scope.spawn(|| {
                let url = server.url("/index.html");
                let run = || tools::wrk(&["-t1", "-c20", "-d4s", "-H", "Connection: close", &url]);
                let is_over = |run: &tools::Load| run.failed > 0 || reloads.load(Ordering::Relaxed) > 1;
                let run = until("reloads under the load", || Some(run()).filter(is_over));
                done.store(true, Ordering::Relaxed);
                run
            });
            let next = [(3, *model), (1, *model), (2, "exclusive"), (2, *model)]
                .map(|(workers, model)| Conf::workers(workers).dispatch(model));
            while !done.load(Ordering::Relaxed) {
                server.rewrite_conf(&next[reloads.load(Ordering::Relaxed) % next.len()]);
                let old = server.workers();
                // Returns when the conf has been read, so that it may be written anew.
                assert_eq!(server.send("reload").0, Some(0));
                until_true("new processes", || server.workers().iter().any(|pid| !old.contains(pid)));
                reloads.fetch_add(1, Ordering::Relaxed);
            }
            let run = load.join().expect("wrk");
            println!("{model}: {reloads:?} reloads\n{}", run.report);
            assert!(run.complete > 0 && run.failed == 0, "{reloads:?} reloads\n{}", run.report);
        });
        assert!(!server.error_log().contains("were closed"), "{model}");
    }
}

/// Without a master there is nobody who would start a dispatcher.
#[test]
fn one_process_without_a_master_serves_by_itself() {
    for model in ALL {
        let conf = Conf::workers(4).main("master_process off;").dispatch(model);
        let server = crate::support::server::Setup::new(crate::support::server::Product::Drover, conf).spawn();
        server.file("index.html", "hello");
        until_true("it listens", || !crate::support::proc::listening_inodes(server.port()).is_empty());
        assert_eq!(server.connect().get("/").text(), "hello", "{model}");
    }
}
