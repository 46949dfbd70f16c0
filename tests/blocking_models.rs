//! What is special to the models whose threads or processes block: prefork, thread_pool, fork, leader_follower.

mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use support::client::{Client, Nothing};
use support::server::Server;
use support::{PATIENCE, proc, until, until_true};

/// Each with a room for two clients in each of its workers, apart from leader_follower, which has no such bound.
const TWO_AT_A_TIME: [&str; 3] =
    ["prefork worker_threads=2", "thread_pool worker_threads=2 queue=1", "fork fork_max=2"];
const ALL: [&str; 4] = ["prefork", "thread_pool", "fork", "leader_follower"];

/// Long enough to tell a server that keeps silent from one that is slow.
const SILENCE: Duration = Duration::from_millis(300);

fn start(model: &str, workers: usize, server: &str) -> Server {
    let conf = format!(
        "%main%\nworker_processes {workers};\nevents {{ dispatch {model}; }}\n\
         http {{ %http% access_log off;\nserver {{ listen 127.0.0.1:%port%; root %root%; \
         location = /hello {{ return 200 hello; }} location = /ledger {{ ledger; }} {server} }} }}\n"
    );
    let server = Server::drover(&conf);
    let count = if model.starts_with("fork") { 1 } else { workers };
    server.wait_for_workers(count);
    server
}

fn hello(client: &mut Client) {
    assert_eq!(client.get("/hello").text(), "hello");
}

/// Tests all of `models` at once: most of the time they wait.
fn each(models: impl IntoIterator<Item = &'static str>, test: impl Fn(&str) + Sync) {
    thread::scope(|scope| {
        for model in models {
            let test = &test;
            scope.spawn(move || test(model));
        }
    });
}

/// Sends the beginning of a first request: who serves this client is busy with it until `finish`.
/// A client that has begun to ask before the next one comes: one that waits for its turn while this one is idle takes its place.
fn begun(server: &Server) -> Client {
    let mut client = server.connect();
    begin(&mut client);
    client
}

fn begin(client: &mut Client) {
    client.send("GET /hello HTTP/1.1\r\nHost: local");
}

fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).expect("kill");
}

fn totals(client: &mut Client) -> serde_json::Value {
    serde_json::from_str(&client.get("/ledger").text()).expect("JSON")
}

/// All processes that serve: the workers, or the children of the dispatcher.
fn serving(server: &Server) -> Vec<i32> {
    proc::tree(server.pid()).into_iter().filter(|pid| *pid != server.pid()).collect()
}

/// The process that holds the client's connection.
fn server_of(server: &Server, client: &Client) -> i32 {
    let before = proc::connections(&serving(server), server.port());
    let holders: Vec<i32> = before.into_iter().filter(|(_, count)| *count > 0).map(|(pid, _)| pid).collect();
    assert_eq!(holders.len(), 1, "{holders:?} hold connections, client {}", client.local_port());
    holders[0]
}

#[test]
fn requests_follow_each_other_and_may_be_pipelined() {
    for model in ALL {
        let server = start(model, 2, "");
        let mut client = server.connect();
        (0..3).for_each(|_| hello(&mut client));
        client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20));
        for _ in 0..20 {
            assert_eq!(client.response().expect("a response").text(), "hello");
        }
        let ledger = totals(&mut client);
        assert_eq!(ledger["totals"]["accepts"], 1, "{model}: {ledger}");
        assert_eq!(ledger["totals"]["requests"], 23, "{model}: {ledger}");
        assert_eq!(ledger["totals"]["connections"], 1, "{model}: {ledger}");
    }
}

#[test]
fn a_slow_client_keeps_nobody_waiting_while_others_are_free() {
    for model in ALL {
        let server = start(model, 1, "");
        let mut slow = server.connect();
        for byte in "GET /hello HTTP/1.1\r\nHost: a\r\n\r".bytes() {
            slow.send([byte]);
            hello(&mut server.connect());
        }
        slow.send("\n");
        assert_eq!(slow.response().expect("a response").text(), "hello", "{model}");
    }
}

#[test]
fn more_clients_than_can_be_served_at_once_wait_and_are_served() {
    each(ALL.into_iter().chain(TWO_AT_A_TIME), |model| {
        let server = start(model, 1, "");
        let clients: Vec<_> = (0..12)
            .map(|_| {
                let mut client = server.connect();
                thread::spawn(move || {
                    hello(&mut client);
                    // Kept open: idle clients must make room.
                    client
                })
            })
            .collect();
        let mut clients: Vec<Client> = clients.into_iter().map(|client| client.join().expect("served")).collect();
        let mut asker = server.connect();
        let mut asked = 0;
        // A request is counted when its answer is out, so that a client may have it before.
        until_true("all are counted", || {
            let counts = &totals(&mut asker)["totals"];
            asked += 1;
            (counts["accepts"].as_u64(), counts["requests"].as_u64()) == (Some(13), Some(11 + asked))
        });
        let is_open = |client: &mut Client| client.patience(SILENCE).response() == Err(Nothing::Silent);
        let open = clients.iter_mut().map(is_open).filter(|open| *open).count();
        let expected = if TWO_AT_A_TIME.contains(&model) { 0..2 } else { 12..13 };
        assert!(expected.contains(&open), "{model}: {open} are open still");
    });
}

#[test]
fn an_idle_client_stays_until_others_wait() {
    for model in ["prefork worker_threads=1", "thread_pool worker_threads=1 queue=1", "fork fork_max=1"] {
        let server = start(model, 1, "");
        let mut first = server.connect();
        hello(&mut first);
        assert_eq!(first.patience(SILENCE).response(), Err(Nothing::Silent), "{model}: nobody else is there");
        first.patience(PATIENCE);
        hello(&mut first);
        let mut second = server.connect();
        hello(&mut second);
        assert!(first.is_closed_by_server(), "{model}");
        hello(&mut second);
    }
}

#[test]
fn an_idle_client_stays_while_another_thread_is_free() {
    let stays = |model| {
        let server = start(model, 1, "");
        let mut idle = server.connect();
        hello(&mut idle);
        let before = serving(&server).len();
        for _ in 0..8 {
            hello(&mut server.connect());
            // Else the next one comes while this one's thread is still busy with its end, and all are.
            until_true("its end", || {
                let served: usize = proc::connections(&serving(&server), server.port()).values().sum();
                served <= 1 && serving(&server).len() <= before && proc::zombies(server.pid()).is_empty()
            });
        }
        idle.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").response().is_ok()
    };
    for model in ["prefork worker_threads=2", "thread_pool worker_threads=2 queue=1", "fork fork_max=2"] {
        // On a machine that is too busy to let the free thread run for a while, it counts as busy.
        assert!((0..5).any(|_| stays(model)), "{model}");
    }
}

#[test]
fn a_client_that_goes_on_asking_is_told_before_it_is_closed() {
    let server = start("prefork worker_threads=1", 1, "");
    let mut first = server.connect();
    hello(&mut first);
    let mut second = server.connect();
    second.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    let told = until("an answer that ends the connection", || {
        let answer = first.get("/hello");
        (answer.header("Connection") == Some("close")).then_some(answer)
    });
    assert_eq!(told.text(), "hello");
    assert_eq!(second.response().expect("a response").text(), "hello");
}

#[test]
fn a_full_queue_stops_accepting_and_loses_nobody() {
    let server = start("thread_pool worker_threads=1 queue=1", 1, "");
    let mut clients: Vec<Client> = (0..5).map(|_| begun(&server)).collect();
    let workers = server.workers();
    // One is served, one is in the queue.
    until_true("the queue is full", || proc::connections(&workers, server.port())[&workers[0]] == 2);
    assert_eq!(clients[4].patience(SILENCE).response(), Err(Nothing::Silent));
    assert_eq!(proc::connections(&workers, server.port())[&workers[0]], 2);
    for mut client in clients {
        client.patience(PATIENCE);
        assert_eq!(client.finish().expect("a response").text(), "hello");
    }
}

#[test]
fn the_fork_limit_makes_clients_wait() {
    let server = start("fork fork_max=2", 1, "");
    let dispatcher = server.workers()[0];
    let mut clients: Vec<Client> = (0..4).map(|_| begun(&server)).collect();
    until_true("two children", || proc::children(dispatcher).len() == 2);
    assert_eq!(clients[3].patience(SILENCE).response(), Err(Nothing::Silent));
    assert_eq!(proc::children(dispatcher).len(), 2);
    for mut client in clients {
        client.patience(PATIENCE);
        assert_eq!(client.finish().expect("a response").text(), "hello");
        assert!(proc::children(dispatcher).len() <= 2);
    }
    until_true("all children are gone", || proc::children(dispatcher).is_empty());
    until_true("none is a zombie", || proc::zombies(server.pid()).is_empty());
}

#[test]
fn each_connection_has_a_process_of_its_own_and_leaves_no_zombie() {
    let server = start("fork", 1, "");
    let dispatcher = server.workers()[0];
    let mut clients: Vec<Client> = (0..5).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(hello);
    let children = proc::children(dispatcher);
    let counts: Vec<usize> = proc::connections(&children, server.port()).into_values().collect();
    assert_eq!((counts, proc::threads(dispatcher)), (vec![1; 5], 1));
    assert_eq!(proc::connections(&[dispatcher], server.port())[&dispatcher], 0, "it has closed its copies");
    // No child could accept, or keep the port when the service has ended.
    let listening = proc::listening_inodes(server.port());
    assert!(children.iter().all(|child| proc::socket_inodes(*child).is_disjoint(&listening)));
    signal(children[0], Signal::SIGKILL);
    drop(clients);
    until_true("all children are gone", || proc::children(dispatcher).is_empty());
    until_true("none is a zombie", || proc::zombies(server.pid()).is_empty());
    let mut client = server.connect();
    let ledger = totals(&mut client);
    assert_eq!((&ledger["totals"]["requests"], &ledger["totals"]["connections"]), (&5.into(), &1.into()), "{ledger}");
}

#[test]
fn threads_are_as_many_as_the_conf_says() {
    // One more listens to the signals, and one more accepts for the pool.
    for (model, threads) in [
        ("prefork worker_threads=3", 4),
        ("thread_pool worker_threads=3", 5),
        ("leader_follower worker_threads=3", 4),
        ("leader_follower worker_threads=1", 2),
    ] {
        let server = start(model, 2, "");
        until_true(&format!("{threads} threads"), || server.workers().iter().all(|w| proc::threads(*w) == threads));
        hello(&mut server.connect());
    }
}

#[test]
fn requests_of_one_connection_are_served_by_different_threads() {
    let server = start("leader_follower worker_threads=3", 1, "");
    let mut client = server.connect();
    let mut requests = 0;
    // A thread that is done before the next has come to wait leads again, so that two of them take some luck.
    until_true("two threads have served", || {
        requests += 1;
        assert_eq!(client.get("/missing").status, 404);
        // 2026/11/20 10:00:00 [error] 123#124: *1 open() ...
        let log = server.error_log();
        let lines = log.lines().filter(|line| line.contains("/missing"));
        lines.filter_map(|line| line.split(['#', ':']).nth(3)).collect::<BTreeSet<_>>().len() > 1
    });
    let ledger = totals(&mut client);
    assert_eq!((&ledger["totals"]["accepts"], &ledger["totals"]["requests"]), (&1.into(), &requests.into()));
}

#[test]
fn whichever_process_is_killed_the_service_answers_within_a_second() {
    for model in ALL {
        let server = start(model, 2, "");
        let mut bystanders: Vec<Client> = (0..4).map(|_| server.connect()).collect();
        bystanders.iter_mut().for_each(hello);
        for victim in serving(&server) {
            let connections = proc::connections(&[victim], server.port())[&victim];
            let killed = Instant::now();
            signal(victim, Signal::SIGKILL);
            until_true("the service answers", || {
                let mut client = server.connect();
                client.patience(SILENCE).send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
                client.response().is_ok_and(|response| response.text() == "hello")
            });
            assert!(killed.elapsed() < Duration::from_secs(1), "{model}: {:?}", killed.elapsed());
            // Those of other processes notice nothing.
            let before = bystanders.len();
            bystanders.retain_mut(|client| {
                client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
                client.response().is_ok()
            });
            assert_eq!(before - bystanders.len(), connections, "{model}");
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
    signal(dispatcher, Signal::SIGKILL);
    until_true("a new dispatcher", || proc::children(server.pid()).iter().any(|p| ![dispatcher, child].contains(p)));
    hello(&mut client);
    hello(&mut server.connect());
    assert!(server.quit().success());
    assert!(client.is_closed_by_server());
    until_true("the child is gone", || !proc::is_alive(child));
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
            let conf = format!(
                "%main% {directive}\nevents {{ dispatch {model}; }}\n\
                 http {{ %http% server {{ listen 127.0.0.1:%port%; root %root%; }} }}\n"
            );
            let mut server = Server::drover(&conf);
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
            assert!(since.elapsed() < Duration::from_millis(1500), "{model} {name}: {:?}", since.elapsed());
            assert!(busy.is_closed_by_server(), "{model}");
        }
    });
}

#[test]
fn reopened_logs_get_the_lines_that_come_after() {
    each(ALL, |model| {
        let conf = format!(
            "%main%\nevents {{ dispatch {model}; }}\nhttp {{ %http% log_format path '$request_uri'; \
             access_log %dir%/access.log path buffer=64k flush=1h; \
             server {{ listen 127.0.0.1:%port%; location / {{ return 200 hello; }} }} }}\n"
        );
        let server = Server::drover(&conf);
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
        let conf = format!(
            "%main%\nevents {{ dispatch {model}; }}\nhttp {{ %http% log_format path '$request_uri'; \
             access_log %dir%/access.log path buffer=64k flush=100ms; \
             server {{ listen 127.0.0.1:%port%; location / {{ return 200 hello; }} }} }}\n"
        );
        let server = Server::drover(&conf);
        let mut client = server.connect();
        client.get("/one");
        until_true("the line of an open connection", || server.read("access.log") == "/one\n");
        client.send("GET /two HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        until_true("the line of a closed one", || server.read("access.log") == "/one\n/two\n");
    });
}

#[test]
fn timeouts_hold() {
    let timeout = Duration::from_millis(400);
    let is_closed_in_time = |client: &mut Client, since: Instant, what: &str| {
        assert!(client.until_closed().is_ok(), "{what}");
        let passed = since.elapsed();
        // The clock of timers counts in whole milliseconds.
        assert!(passed >= timeout - Duration::from_millis(2) && passed < timeout * 10, "{what}: {passed:?}");
    };
    each(ALL.into_iter().chain(TWO_AT_A_TIME), |model| {
        let server = start(model, 1, "keepalive_timeout 400ms; client_header_timeout 400ms;");
        // Those who wait for events sleep without a limit when this one comes.
        let since = Instant::now();
        is_closed_in_time(&mut server.connect(), since, &format!("{model}: a client that says nothing"));
        let since = Instant::now();
        let mut client = server.connect();
        begin(&mut client);
        is_closed_in_time(&mut client, since, &format!("{model}: one that does not finish"));
        let mut client = server.connect();
        let since = Instant::now();
        hello(&mut client);
        is_closed_in_time(&mut client, since, &format!("{model}: an idle one"));
    });
}

#[test]
fn a_process_without_descriptors_goes_on_when_it_has_some() {
    each(["thread_pool worker_threads=32", "leader_follower"], |model| {
        let conf = format!(
            "%main% worker_rlimit_nofile 80;\nevents {{ dispatch {model}; }}\n\
             http {{ %http% server {{ listen 127.0.0.1:%port%; location / {{ return 200 hello; }} }} }}\n"
        );
        let server = Server::drover(&conf);
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
        // More than the small ones can take: the surplus waits in the backlog, behind clients in the middle of a request.
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
    let conf = |model: &str| {
        format!(
            "%main%\nworker_processes 2;\nevents {{ dispatch {model}; }}\nhttp {{ %http% access_log off; \
             server {{ listen 127.0.0.1:%port%; location / {{ return 200 hello; }} }} }}\n"
        )
    };
    let server = Server::drover(&conf("exclusive"));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..6)
            .map(|n| {
                let (addr, is_over) = (server.addr(), &is_over);
                scope.spawn(move || {
                    let (mut client, mut count) = (Client::connect(addr), 0);
                    while !is_over.load(Ordering::Relaxed) {
                        // Half of them are short connections.
                        let close = if n % 2 == 0 { "Connection: close\r\n" } else { "" };
                        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{close}\r\n"));
                        let answer = client.response().unwrap_or_else(|nothing| panic!("request {count}: {nothing:?}"));
                        assert_eq!(answer.text(), "hello");
                        if answer.header("Connection") == Some("close") {
                            client = Client::connect(addr);
                        }
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        for model in ALL.into_iter().chain(["exclusive"]).chain(TWO_AT_A_TIME).chain(ALL.into_iter().rev()) {
            let old = server.workers();
            server.rewrite_conf(&conf(model));
            server.signal(Signal::SIGHUP);
            until_true(&format!("only workers of {model}"), || {
                let now = server.workers();
                !now.is_empty() && now.iter().all(|pid| !old.contains(pid))
            });
        }
        is_over.store(true, Ordering::Relaxed);
        let total: usize = clients.into_iter().map(|client| client.join().expect("no request fails")).sum();
        assert!(total > 100, "{total}");
    });
}
