//! Processes that die, leave, reopen their logs, and run short of something.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use drover::shm::Role;
use nix::sys::signal::Signal;

use crate::support::client::{Client, Nothing, Response};
use crate::support::{AT_ONCE, PATIENCE, conf::Conf, proc, server::Server, until, until_true};
use crate::{ALL, SILENCE, TWO_AT_A_TIME, begin, begun, each, hello, server_of, serving, start};

const HELLO: &str = "location / { return 200 hello; }";

/// How long a process that leaves, or is full, waits for the next request of a client.
const LULL: Duration = Duration::from_millis(500);

/// Whether the client may ask again. On a busy machine, where no free thread gets to run, the server is full.
fn stays(response: &Response) -> bool {
    response.header("Connection") != Some("close")
}

#[test]
fn whichever_process_is_killed_the_service_answers_at_once() {
    for model in ALL {
        let server = start(model, 2, "");
        let bystander = || {
            let mut client = server.connect();
            stays(&client.get("/hello")).then_some(client)
        };
        let mut bystanders: Vec<Client> = (0..4).map(|_| until("a client that may stay", bystander)).collect();
        let mut reused = 0;
        for victim in serving(&server) {
            let connections = proc::connections(&[victim], server.port())[&victim];
            let killed = Instant::now();
            proc::signal(victim, Signal::SIGKILL);
            until_true("the service answers", || {
                let mut client = server.connect();
                client.patience(SILENCE).send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
                client.response().is_ok_and(|response| response.text() == "hello")
            });
            assert!(killed.elapsed() < AT_ONCE, "{model}: {:?}", killed.elapsed());
            // Clients of other processes notice nothing, but for idle ones that make room.
            let mut lost = 0;
            bystanders.retain_mut(|client| {
                client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
                let response = client.response();
                lost += usize::from(response.is_err());
                response.is_ok_and(|response| stays(&response))
            });
            let all_reused = server.ledger().sums().reused_connections as usize;
            assert!((connections..=connections + all_reused - reused).contains(&lost), "{model}: {lost} {connections}");
            reused = all_reused;
        }
        until_true("no zombie is left", || proc::zombies(server.pid()).is_empty());
    }
}

#[test]
fn children_whose_dispatcher_was_killed_go_on_and_end_with_the_service() {
    let mut server = start("fork", 1, "");
    let dispatcher = server.workers()[0];
    let mut client = server.connect();
    hello(&mut client);
    let child = server_of(&server, &client);
    assert_ne!(child, dispatcher);
    proc::signal(dispatcher, Signal::SIGKILL);
    until_true("a new dispatcher", || proc::children(server.pid()).iter().any(|p| ![dispatcher, child].contains(p)));
    hello(&mut client);
    hello(&mut server.connect());
    assert!(server.quit().success());
    assert!(client.is_closed_by_server());
    until_true("the child is gone", || !proc::is_alive(child));
}

#[test]
fn children_whose_dispatcher_died_just_before_the_end_end_as_well() {
    for name in [Signal::SIGTERM, Signal::SIGQUIT] {
        let mut server = start("fork", 1, "");
        let dispatcher = server.workers()[0];
        let mut client = server.connect();
        hello(&mut client);
        let child = proc::children(dispatcher)[0];
        // Both before the master gets to see either.
        server.signal(Signal::SIGSTOP);
        proc::signal(dispatcher, Signal::SIGKILL);
        server.signal(name);
        server.signal(Signal::SIGCONT);
        assert!(server.wait().success(), "{name}");
        assert!(!proc::is_alive(child), "{name}");
        assert!(client.is_closed_by_server(), "{name}");
    }
}

#[test]
fn a_drain_has_a_limit_for_the_children_of_a_dispatcher_that_was_killed_as_well() {
    let conf = Conf::workers(1).main("worker_shutdown_timeout 300ms;").dispatch("fork").server(HELLO);
    let mut server = Server::drover(conf);
    let dispatcher = server.workers()[0];
    let mut client = server.connect();
    client.get("/");
    begin(&mut client);
    proc::signal(dispatcher, Signal::SIGKILL);
    let is_ready =
        || server.ledger().live().any(|slot| slot.role() == Role::Dispatcher && slot.pid() != Some(dispatcher as u32));
    until_true("its successor", is_ready);
    server.signal(Signal::SIGQUIT);
    assert!(server.wait().success());
    assert!(client.is_closed_by_server());
}

#[test]
fn quit_finishes_what_is_open_and_closes_what_is_idle() {
    for model in ALL {
        let mut server = start(model, 1, "");
        let (mut busy, mut idle) = (server.connect(), server.connect());
        hello(&mut busy);
        hello(&mut idle);
        begin(&mut busy);
        until_true("the request has been read", || proc::unread_bytes(server.port()) == 0);
        server.signal(Signal::SIGQUIT);
        assert!(idle.is_closed_by_server(), "{model}");
        assert_eq!(server.poll_exit(), None, "{model} waits for the busy one");
        until_true("nobody listens", || proc::listening_inodes(server.port()).is_empty());
        let answer = busy.finish().expect("a response");
        assert_eq!((answer.text().as_str(), answer.header("Connection")), ("hello", Some("close")), "{model}");
        assert!(server.wait().success(), "{model}");
    }
}

#[test]
fn a_drain_has_a_limit_and_term_waits_for_nobody() {
    each(ALL, |model| {
        for (name, directive) in [(Signal::SIGQUIT, "worker_shutdown_timeout 200ms;"), (Signal::SIGTERM, "")] {
            let mut server = Server::drover(Conf::workers(1).main(directive).dispatch(model));
            server.wait_for_workers(1);
            let mut busy = server.connect();
            begin(&mut busy);
            until_true("it is being served", || {
                let held = proc::connections(&serving(&server), server.port()).into_values().sum::<usize>();
                held == 1 && proc::unread_bytes(server.port()) == 0
            });
            let since = Instant::now();
            server.signal(name);
            assert!(server.wait().success(), "{model}");
            // The client alone would have kept it for a minute (client_header_timeout).
            assert!(since.elapsed() < PATIENCE, "{model} {name}: {:?}", since.elapsed());
            assert!(busy.is_closed_by_server(), "{model}");
        }
    });
}

/// Logs the target of each request to `access.log`, by way of a buffer.
fn buffering(model: &str, flush: &str) -> Conf {
    let log = format!("%dir%/access.log path buffer=64k {flush}");
    Conf::workers(1).dispatch(model).http("log_format path '$request_uri';").access_log(&log).server(HELLO)
}

#[test]
fn reopened_logs_get_the_lines_that_come_after() {
    each(ALL, |model| {
        let server = Server::drover(buffering(model, "flush=1h"));
        let mut client = server.connect();
        client.get("/before");
        std::fs::rename(server.dir().join("access.log"), server.dir().join("access.log.1")).expect("rename");
        server.signal(Signal::SIGUSR1);
        until_true("the buffered line is in the old file", || server.read("access.log.1") == "/before\n");
        let path = server.dir().join("access.log").display().to_string();
        let has_opened = |pid: &i32| proc::open_files(*pid).contains(&path);
        until_true("all have opened the new file", || serving(&server).iter().all(has_opened));
        client.get("/after");
        server.signal(Signal::SIGUSR1);
        until_true("the next line is in the new file", || server.read("access.log") == "/after\n");
        assert_eq!(server.read("access.log.1"), "/before\n", "{model}");
    });
}

#[test]
fn buffered_lines_are_written_in_time_while_nobody_asks_for_anything() {
    each(ALL, |model| {
        let server = Server::drover(buffering(model, "flush=100ms"));
        let mut client = server.connect();
        client.get("/one");
        until_true("the line of an open connection", || server.read("access.log") == "/one\n");
        client.send("GET /two HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        until_true("the line of a closed one", || server.read("access.log") == "/one\n/two\n");
    });
}

#[test]
fn a_process_without_descriptors_goes_on_when_it_has_some() {
    each(["thread_pool worker_threads=32", "leader_follower"], |model| {
        let conf = Conf::workers(1).main("worker_rlimit_nofile 80;").dispatch(model).server(HELLO);
        let server = Server::drover(conf);
        let clients: Vec<Client> = (0..150).map(|_| begun(&server)).collect();
        thread::sleep(SILENCE);
        let (before, time) = (proc::cpu_ticks(server.pid()), Duration::from_secs(1));
        thread::sleep(time);
        assert!(proc::cpu_ticks(server.pid()) - before <= 2, "{model} spins");
        for mut client in clients {
            assert_eq!(client.finish().expect("a response").text(), "hello", "{model}");
        }
    });
}

#[test]
fn nothing_spins_whether_idle_or_overloaded() {
    each(ALL.into_iter().chain(TWO_AT_A_TIME), |model| {
        let server = start(model, 2, "keepalive_timeout 60s;");
        let mut idle: Vec<Client> = (0..2).map(|_| server.connect()).collect();
        idle.iter_mut().for_each(hello);
        // More than the small ones can take: the surplus waits in the backlog, behind clients in the middle of a
        // request.
        let _busy: Vec<Client> = (0..8).map(|_| begun(&server)).collect();
        thread::sleep(SILENCE);
        let (before, time) = (proc::cpu_ticks(server.pid()), Duration::from_secs(2));
        thread::sleep(time);
        let ticks = proc::cpu_ticks(server.pid()) - before;
        // A tick is 10 ms: 1 % of the time.
        assert!(ticks <= 2, "{model}: {ticks} ticks in {time:?}");
    });
}

#[test]
fn a_reload_to_any_of_them_under_load_fails_no_request() {
    let conf = |model| Conf::workers(2).dispatch(model).server(HELLO);
    let server = Server::drover(conf("exclusive"));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..6)
            .map(|n| {
                let (addr, is_over) = (server.addr(), &is_over);
                scope.spawn(move || {
                    let (mut client, mut count) = (Client::connect(addr), 0);
                    let mut asked = None;
                    while !is_over.load(Ordering::Relaxed) {
                        // Half of them are short connections.
                        let close = if n % 2 == 0 { "Connection: close\r\n" } else { "" };
                        let now = Instant::now();
                        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{close}\r\n"));
                        let answer = match client.response() {
                            Ok(answer) => answer,
                            // A client that got no CPU for so long was idle, and may ask again (RFC 9112, 9.3.1).
                            Err(Nothing::Closed) if asked.is_some_and(|asked| now - asked >= LULL) => {
                                (client, asked) = (Client::connect(addr), None);
                                continue;
                            }
                            Err(nothing) => panic!("request {count}: {nothing:?}"),
                        };
                        assert_eq!(answer.text(), "hello");
                        asked = Some(now);
                        if answer.header("Connection") == Some("close") {
                            (client, asked) = (Client::connect(addr), None);
                        }
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        for model in ALL.into_iter().chain(["exclusive"]).chain(TWO_AT_A_TIME).chain(ALL.into_iter().rev()) {
            let old = server.workers();
            server.rewrite_conf(conf(model));
            server.signal(Signal::SIGHUP);
            until_true(&format!("only workers of {model}"), || {
                let now = server.workers();
                !now.is_empty() && now.iter().all(|pid| !old.contains(pid))
            });
        }
        is_over.store(true, Ordering::Relaxed);
        let total: usize = clients.into_iter().map(|client| client.join().expect("no request fails")).sum();
        assert!(total > 0, "{total}");
    });
}
