//! `reuseport`: a socket a worker, the load spread by the kernel, and none lost when workers become fewer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use drover::os::machine;
use drover::shm::{Ledger, Role};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::serve;
use crate::support::client::Client;
use crate::support::conf::Conf;
use crate::support::proc::{self, children, connections, is_alive, listening_inodes, who_watches_port};
use crate::support::server::Server;
use crate::support::{until, until_true};

/// Asks on a connection each, from several threads, until `stop`; returns the answers and what was no answer.
pub fn ask(server: &Server, stop: &AtomicBool, asked: &AtomicUsize) -> Vec<String> {
    let addr = server.addr();
    std::thread::scope(|scope| {
        let one = || {
            let mut wrong = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let mut client = Client::connect(addr);
                client.send("GET /index.html HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
                match client.response() {
                    Ok(response) if response.status == 200 => drop(asked.fetch_add(1, Ordering::Relaxed)),
                    other => wrong.push(format!("{other:?}")),
                }
            }
            wrong
        };
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(one)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("client")).collect()
    })
}

#[test]
fn every_worker_has_one_socket_and_watches_no_other() {
    let (server, ledger) = serve(Conf::workers(4).dispatch("reuseport"), 4);
    let workers = server.wait_for_workers(4);
    assert_eq!(listening_inodes(server.port()).len(), 4);
    until_true("all watch", || who_watches_port(&workers, server.port()).len() == 4);
    let mut clients: Vec<Client> = (0..200).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| assert_eq!(client.get("/index.html").status, 200));
    let accepts: Vec<u64> =
        ledger.live().filter(|slot| slot.role() == Role::Worker).map(|slot| slot.accepts.get()).collect();
    assert_eq!(accepts.iter().sum::<u64>(), 200);
    assert!(accepts.iter().all(|accepts| (20..=90).contains(accepts)), "{accepts:?}");
    // A queue with one reader: nobody wakes for nothing. An accept more than there are connections is no wakeup.
    let sums = ledger.sums();
    assert!(sums.wakeups <= sums.accepts, "{sums:?}");
}

#[test]
fn one_listen_may_ask_for_it_under_another_model() {
    for model in ["exclusive", "accept_mutex", "herd"] {
        let (server, ledger) = serve(Conf::workers(3).dispatch(model).listen("127.0.0.1:%port% reuseport"), 3);
        assert_eq!(listening_inodes(server.port()).len(), 3, "{model}");
        let mut clients: Vec<Client> = (0..90).map(|_| server.connect()).collect();
        clients.iter_mut().for_each(|client| assert_eq!(client.get("/index.html").status, 200));
        let least = ledger.live().map(|slot| slot.accepts.get()).min();
        assert!(least > Some(5), "{model}: {least:?}");
    }
}

#[test]
fn workers_and_sockets_may_become_fewer_and_more_without_a_lost_connection() {
    let (server, _ledger) = serve(Conf::workers(4).dispatch("reuseport"), 4);
    let (stop, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let confs = [
        (2, Conf::workers(2).dispatch("reuseport")),
        (4, Conf::workers(4).dispatch("reuseport")),
        (1, Conf::workers(3).dispatch("exclusive")),
        (3, Conf::workers(3).dispatch("reuseport cpu")),
        (1, Conf::workers(1).dispatch("reuseport")),
        (4, Conf::workers(4).dispatch("reuseport")),
    ];
    let wrong = std::thread::scope(|scope| {
        let clients = scope.spawn(|| ask(&server, &stop, &asked));
        for (sockets, conf) in &confs {
            let before = asked.load(Ordering::Relaxed);
            until_true("requests go on", || asked.load(Ordering::Relaxed) > before + 50);
            server.rewrite_conf(conf);
            assert_eq!(server.send("reload").0, Some(0));
            until(&format!("{sockets} sockets"), || (listening_inodes(server.port()).len() == *sockets).then_some(()));
        }
        stop.store(true, Ordering::Relaxed);
        clients.join().expect("clients")
    });
    assert_eq!(wrong, [""; 0], "of {} requests", asked.load(Ordering::Relaxed));
}

/// Clients wait in the queues of workers that are stopped; the last worker is killed, if `kills`; a reload leaves one
/// worker. All clients are served.
fn shrink(model: &str, listen: &str, connections: usize, kills: bool) {
    let conf = |workers| {
        let events = format!("worker_connections {connections};");
        Conf::workers(workers).events(&events).dispatch(model).listen(&format!("127.0.0.1:%port% {listen}"))
    };
    let server = Server::drover(conf(4));
    server.file("index.html", "hello");
    let workers = server.wait_for_workers(4);
    until_true("all watch", || who_watches_port(&workers, server.port()).len() == 4);
    let all = |signal: Signal| {
        workers
            .iter()
            .filter(|pid| is_alive(**pid))
            .map(|pid| kill(Pid::from_raw(*pid), signal))
            .all(|sent| sent.is_ok())
    };
    assert!(all(Signal::SIGSTOP));
    let mut clients: Vec<Client> = (0..40).map(|_| server.connect()).collect();
    clients
        .iter_mut()
        .for_each(|client| _ = client.send("GET /index.html HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    server.signal(Signal::SIGSTOP);
    if kills {
        proc::signal(workers[3], Signal::SIGKILL);
        until_true("the last one is dead, and the master has not seen it", || !is_alive(workers[3]));
    }
    server.rewrite_conf(conf(1));
    server.signal(Signal::SIGHUP);
    server.signal(Signal::SIGCONT);
    until_true("the new worker", || server.workers().iter().any(|pid| !workers.contains(pid)));
    assert!(all(Signal::SIGCONT));
    let status = |client: &mut Client| client.response().map(|response| response.status);
    let served = clients.iter_mut().map(status).filter(|status| *status == Ok(200)).count();
    assert_eq!(served, 40, "{model} {listen}, {connections} connections, killed: {kills}");
}

#[test]
fn what_waits_in_the_socket_of_a_worker_that_leaves_is_served() {
    for model in ["exclusive", "accept_mutex", "accept_handoff", "prefork", "thread_pool", "leader_follower"] {
        shrink(model, "reuseport", 512, false);
    }
    shrink("reuseport", "", 512, false);
    shrink("reuseport", "", 4, false);
    shrink("leader_follower", "reuseport", 4, false);
    shrink("reuseport", "", 512, true);
}

#[test]
fn a_next_binary_with_fewer_workers_leaves_nobody_waiting_in_the_sockets_that_are_too_many() {
    let conf = |workers| Conf::workers(workers).dispatch("reuseport");
    let (server, _ledger) = serve(conf(4), 4);
    let workers = server.wait_for_workers(4);
    server.rewrite_conf(conf(2));
    server.signal(Signal::SIGUSR2);
    let next = server.wait_for_next_master();
    until_true("the new master's workers", || children(next).len() == 2);
    // From now on no connection goes to the sockets of the last two workers.
    let mut clients: Vec<Client> = (0..40).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| assert_eq!(client.get("/index.html").status, 200));
    let held = connections(&workers[2..], server.port());
    assert_eq!(held.values().sum::<usize>(), 0, "{held:?}");
    proc::signal(next, Signal::SIGTERM);
    until_true("it ends", || !is_alive(next));
    until_true("the pid file is the old master's", || server.read("server.pid") == format!("{}\n", server.pid()));
    // All sockets count again.
    clients.extend((0..40).map(|_| server.connect()));
    until_true("the last two have clients, too", || connections(&workers[2..], server.port()).values().all(|n| *n > 0));
}

#[test]
fn a_killed_worker_s_queue_waits_for_its_successor() {
    let (server, _ledger) = serve(Conf::workers(2).dispatch("reuseport"), 2);
    let workers = server.wait_for_workers(2);
    proc::signal(workers[0], Signal::SIGSTOP);
    let mut clients: Vec<Client> = (0..40).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send("GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    proc::signal(workers[0], Signal::SIGKILL);
    for client in &mut clients {
        assert_eq!(client.response().map(|response| response.status).ok(), Some(200));
    }
}

/// A mask of `worker_cpu_affinity` that holds `cpu` alone.
fn mask(cpu: usize) -> String {
    format!("1{}", "0".repeat(cpu))
}

/// How many connections each of `workers` gets when a client on `cpu` opens 60.
fn accepts_from(cpu: usize, server: &Server, ledger: &Ledger, workers: u32) -> Vec<u64> {
    let accepts = |number| ledger.live().filter(|slot| slot.number() == number).map(|slot| slot.accepts.get()).sum();
    let all = || (0..workers).map(accepts).collect::<Vec<u64>>();
    let before = all();
    std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            // The loopback delivers a packet on the CPU that sends it.
            machine::set_cpus(&[cpu]).expect("a CPU of this process");
            for _ in 0..60 {
                assert_eq!(server.connect().get("/index.html").status, 200);
            }
        });
        client.join().expect("client");
    });
    all().iter().zip(before).map(|(now, before)| now - before).collect()
}

#[test]
fn by_cpu_a_connection_goes_to_the_workers_of_its_cpu_and_to_all_of_these() {
    let cpus = machine::cpus().expect("CPUs");
    let (first, last) = (cpus[0], cpus[cpus.len() - 1]);
    assert_ne!(first, last, "this test takes two CPUs");
    let got = |accepts: Vec<u64>| accepts.iter().map(|count| *count > 0).collect::<Vec<bool>>();
    // The last mask is for the rest.
    let crossed = format!("worker_cpu_affinity {} {};", mask(last), mask(first));
    for (workers, of_first) in [(2, vec![false, true]), (4, vec![false, true, true, true])] {
        let conf = Conf::workers(workers).main(&crossed).dispatch("reuseport cpu");
        let (server, ledger) = serve(conf, workers);
        let of_last = of_first.iter().map(|is_of_first| !is_of_first).collect::<Vec<bool>>();
        assert_eq!(got(accepts_from(first, &server, &ledger, workers as u32)), of_first, "{workers} workers");
        assert_eq!(got(accepts_from(last, &server, &ledger, workers as u32)), of_last, "{workers} workers");
    }
    // Without affinity the workers belong to the CPUs that there are, in turn.
    let workers = 2 * machine::online_cpus().expect("CPUs").len();
    let (server, ledger) = serve(Conf::workers(workers).dispatch("reuseport cpu"), workers);
    for cpu in [first, last] {
        let accepts = accepts_from(cpu, &server, &ledger, workers as u32);
        assert_eq!(accepts.iter().filter(|count| **count > 0).count(), 2, "CPU {cpu}: {accepts:?}");
    }
}

#[test]
fn a_reload_steers_by_the_affinity_of_the_new_conf() {
    let cpus = machine::cpus().expect("CPUs");
    let (first, last) = (cpus[0], cpus[cpus.len() - 1]);
    let conf =
        |masks: String| Conf::workers(2).main(&format!("worker_cpu_affinity {masks};")).dispatch("reuseport cpu");
    let (server, ledger) = serve(conf(format!("{} {}", mask(first), mask(last))), 2);
    assert_eq!(accepts_from(first, &server, &ledger, 2), [60, 0]);
    server.rewrite_conf(conf(format!("{} {}", mask(last), mask(first))));
    assert_eq!(server.send("reload").0, Some(0));
    until_true("the old workers are gone", || ledger.live().count() == 2 && ledger.live().all(|s| s.generation() == 2));
    assert_eq!(accepts_from(first, &server, &ledger, 2), [0, 60]);
}
