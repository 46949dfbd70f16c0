//! `steer`: the worker with the fewest connections gets the next one, whoever gives no sign of life gets none, and no
//! connection is lost where workers stop, die, come or go.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use drover::shm::Role;
use nix::sys::signal::Signal;

use crate::reuseport::ask;
use crate::serve;
use crate::spread::open;
use crate::support::client::Client;
use crate::support::conf::Conf;
use crate::support::fairness::jain;
use crate::support::proc::{self, connections, is_alive, listening_inodes, who_watches_port};
use crate::support::server::{Product, Server, Setup};
use crate::support::{until, until_true};

/// Long enough that no worker is taken for silent on a busy machine.
const PATIENT: &str = "steer_lease 60s;";

fn conf(workers: usize) -> Conf {
    Conf::workers(workers).dispatch("steer")
}

fn held(server: &Server) -> Vec<f64> {
    let workers = server.workers();
    let held = connections(&workers, server.port());
    workers.iter().map(|worker| held.get(worker).copied().unwrap_or(0) as f64).collect()
}

fn request(clients: &mut [Client]) {
    clients.iter_mut().for_each(|client| _ = client.send("GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n"));
}

#[track_caller]
fn assert_answers(clients: &mut [Client]) {
    for client in clients {
        assert_eq!(client.response().map(|response| response.status), Ok(200));
    }
}

#[test]
fn connections_are_spread_evenly_at_once_and_in_time_with_a_wakeup_each() {
    for (pause, multi_accept) in [(0, "off"), (5, "off"), (0, "on")] {
        let (server, ledger) = serve(conf(4).events(&format!("{PATIENT} multi_accept {multi_accept};")), 4);
        let before = ledger.sums();
        let _clients = open(&server, 400, Duration::from_millis(pause));
        let counts = held(&server);
        println!("{pause} ms apart, multi_accept {multi_accept}: {counts:?}");
        assert_eq!(counts.iter().sum::<f64>(), 400.0);
        assert!(jain(&counts) >= Some(0.99), "{counts:?}");
        let after = ledger.sums();
        assert!(after.wakeups - before.wakeups <= 400, "a queue has one reader");
        assert!(multi_accept == "on" || after.empty_accepts == 0);
    }
}

#[test]
fn who_has_fewer_gets_more_on_all_addresses_together() {
    let listen = "127.0.0.1:%port%; listen [::1]:%port%; listen [::]:%port2% ipv6only=off";
    let (server, _ledger) = serve(conf(3).events(PATIENT).listen(listen), 3);
    let [first, second] = [server.port(), server.ports()[1]];
    let addrs = [("127.0.0.1", first), ("::1", first), ("127.0.0.1", second), ("::1", second)];
    let workers = server.wait_for_workers(3);
    let mut clients: Vec<TcpStream> = Vec::new();
    let loads = || {
        let [a, b] = [first, second].map(|port| connections(&workers, port));
        workers.iter().map(|pid| (a.get(pid).unwrap_or(&0) + b.get(pid).unwrap_or(&0)) as f64).collect::<Vec<_>>()
    };
    for n in 0..60 {
        clients.push(TcpStream::connect(addrs[n % 4]).expect("a connection"));
    }
    until("all are accepted", || (loads().iter().sum::<f64>() == 60.0).then_some(()));
    assert!(jain(&loads()) >= Some(0.99), "{:?}", loads());
}

#[test]
fn a_worker_over_its_limit_gets_nothing_while_another_has_room() {
    let (server, _ledger) = serve(conf(2).events(&format!("{PATIENT} worker_connections 80;")), 2);
    // Both come to 7/8, which is 70.
    let mut clients = open(&server, 140, Duration::ZERO);
    until_true("both are at the limit", || held(&server).iter().all(|n| *n == 70.0));
    let workers = server.wait_for_workers(2);
    // The clients of a worker leave: from now on it has room.
    clients.retain(|client| proc::holder(&workers[..1], server.port(), client.local_port()).is_none());
    until_true("they are gone", || held(&server).contains(&0.0));
    clients.extend(open(&server, 60, Duration::ZERO));
    until_true("all went to the other", || {
        let mut held = held(&server);
        held.sort_by(f64::total_cmp);
        held == [60.0, 70.0]
    });
}

#[test]
fn what_waits_for_a_stopped_worker_is_moved_and_the_worker_comes_back() {
    let (server, ledger) = serve(conf(3), 3);
    let workers = server.wait_for_workers(3);
    for round in 0..2 {
        proc::signal(workers[0], Signal::SIGSTOP);
        until_true("it has stopped", || proc::is_stopped(workers[0]));
        // Some of them are on their way to the stopped worker, which nobody knows yet.
        let mut clients: Vec<Client> = (0..30).map(|_| server.connect()).collect();
        request(&mut clients);
        assert_answers(&mut clients);
        let log = server.error_log();
        assert!(log.contains("worker 0 gives no sign of life") || round > 0, "{log}");
        let accepted = |ledger: &drover::shm::Ledger| {
            let slot = ledger.live().find(|slot| slot.pid() == Some(workers[0] as u32));
            slot.map(|slot| slot.accepts.get())
        };
        let before = accepted(&ledger);
        proc::signal(workers[0], Signal::SIGCONT);
        until_true("its sockets listen again", || who_watches_port(&workers, server.port()).contains(&workers[0]));
        until_true("it has clients again", || {
            drop(open(&server, 6, Duration::ZERO));
            accepted(&ledger) > before
        });
    }
    let log = server.error_log();
    assert!(log.contains("worker 0 listens again"), "{log}");
    assert!(!log.contains("accept4() failed"), "{log}");
    assert_eq!(ledger.sums().failed_accepts, 0);
}

#[test]
fn a_stopped_worker_s_sockets_survive_a_reload_and_an_upgrade() {
    for upgrade in [false, true] {
        let (server, _ledger) = serve(conf(2), 2);
        let workers = server.wait_for_workers(2);
        proc::signal(workers[0], Signal::SIGSTOP);
        until_true("it has stopped", || proc::is_stopped(workers[0]));
        let mut clients: Vec<Client> = (0..20).map(|_| server.connect()).collect();
        request(&mut clients);
        assert_answers(&mut clients);
        until_true("its queue was moved", || server.error_log().contains("are moved to others"));
        if upgrade {
            server.signal(Signal::SIGUSR2);
            let next = server.wait_for_next_master();
            until_true("the new master's workers", || proc::children(next).len() == 2);
            assert_eq!(listening_inodes(server.port()).len(), 2);
            assert!(!server.error_log().contains("[emerg]") && !server.error_log().contains("[alert]"));
            proc::signal(next, Signal::SIGQUIT);
            until_true("it ends", || !is_alive(next));
        } else {
            assert_eq!(server.send("reload").0, Some(0));
            until_true("two new workers", || {
                let watching = who_watches_port(&server.workers(), server.port());
                watching.iter().filter(|pid| !workers.contains(pid)).count() == 2
            });
            let mut clients: Vec<Client> = (0..20).map(|_| server.connect()).collect();
            request(&mut clients);
            assert_answers(&mut clients);
        }
        proc::signal(workers[0], Signal::SIGCONT);
        let mut clients: Vec<Client> = (0..20).map(|_| server.connect()).collect();
        request(&mut clients);
        assert_answers(&mut clients);
    }
}

#[test]
fn a_killed_worker_s_queue_waits_for_its_successor_or_is_moved() {
    let (server, _ledger) = serve(conf(2), 2);
    let workers = server.wait_for_workers(2);
    proc::signal(workers[0], Signal::SIGSTOP);
    until_true("it has stopped", || proc::is_stopped(workers[0]));
    let mut clients: Vec<Client> = (0..40).map(|_| server.connect()).collect();
    request(&mut clients);
    proc::signal(workers[0], Signal::SIGKILL);
    assert_answers(&mut clients);
    until_true("a successor has its place", || who_watches_port(&server.workers(), server.port()).len() == 2);
    drop(clients);
    // The connections of the dead one do not count against its successor. Those of the test so far may still be on
    // their way out.
    until_true("both have half", || {
        let _clients = open(&server, 40, Duration::ZERO);
        held(&server) == [20.0, 20.0]
    });
}

#[test]
fn workers_come_and_go_under_load_and_no_connection_is_lost() {
    let (server, _ledger) = serve(conf(4), 4);
    let (stop, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let confs = [
        (2, conf(2)),
        (6, conf(6)),
        (2, conf(2)),
        (1, Conf::workers(3).dispatch("exclusive")),
        (4, conf(4)),
        (4, Conf::workers(4).dispatch("reuseport")),
        (2, Conf::workers(2).dispatch("reuseport")),
        (4, conf(4)),
        (2, Conf::workers(2).dispatch("reuseport")),
        (3, conf(3)),
        (1, conf(1)),
        (4, conf(4)),
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
    let log = server.error_log();
    assert!(!log.contains("[alert]") && !log.contains("[crit]"), "{log}");
}

#[test]
fn what_waits_for_workers_that_are_too_many_is_handed_on() {
    let (server, _ledger) = serve(conf(4).events(PATIENT), 4);
    let workers = server.wait_for_workers(4);
    until_true("all watch", || who_watches_port(&workers, server.port()).len() == 4);
    workers.iter().for_each(|pid| proc::signal(*pid, Signal::SIGSTOP));
    until_true("all have stopped", || workers.iter().all(|pid| proc::is_stopped(*pid)));
    let mut clients: Vec<Client> = (0..40).map(|_| server.connect()).collect();
    request(&mut clients);
    server.rewrite_conf(conf(1 + 1).events(PATIENT));
    server.signal(Signal::SIGHUP);
    // The old workers stay stopped: the new ones serve what waited for them.
    assert_answers(&mut clients);
    workers.iter().for_each(|pid| proc::signal(*pid, Signal::SIGCONT));
    until_true("they leave", || workers.iter().all(|pid| !is_alive(*pid)));
}

#[test]
fn a_next_binary_steers_its_own_workers_and_the_old_one_again_after_it() {
    let (server, _ledger) = serve(conf(4).events(PATIENT), 4);
    let workers = server.wait_for_workers(4);
    server.rewrite_conf(conf(2).events(PATIENT));
    server.signal(Signal::SIGUSR2);
    let next = server.wait_for_next_master();
    until_true("the new master's workers", || proc::children(next).len() == 2);
    // From now on no connection goes to the sockets of the last two workers.
    let mut clients: Vec<Client> = (0..40).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| assert_eq!(client.get("/index.html").status, 200));
    assert_eq!(connections(&workers[2..], server.port()).values().sum::<usize>(), 0);
    proc::signal(next, Signal::SIGTERM);
    until_true("it ends", || !is_alive(next));
    until_true("the pid file is the old master's", || server.read("server.pid") == format!("{}\n", server.pid()));
    clients.clear();
    until_true("all have as many", || {
        let _clients = open(&server, 40, Duration::ZERO);
        held(&server) == [10.0; 4]
    });
    let log = server.error_log();
    assert!(!log.contains("[alert]") && !log.contains("[emerg]"), "{log}");
}

#[test]
fn unix_sockets_are_shared_and_rotate() {
    let (server, ledger) = serve(conf(2).events(PATIENT).listen("127.0.0.1:%port%; listen unix:%dir%/s"), 2);
    let path = server.dir().join("s");
    until_true("both have clients", || {
        let mut stream = std::os::unix::net::UnixStream::connect(&path).expect("a connection");
        crate::spread::ask(&mut stream, "GET / HTTP/1.0\r\n\r\n", "hello");
        ledger.live().filter(|slot| slot.role() == Role::Worker).all(|slot| slot.accepts.get() > 0)
    });
}

/// Starts where bpf(2) is refused: by a capability that is missing, and in a user namespace.
fn without_capability(conf: Conf) -> [Setup; 2] {
    // In the namespace there is no other user.
    let conf = conf.surroundings("user root; daemon off; pid %dir%/server.pid; error_log %dir%/error.log info;");
    let setup = |program, args: &[&str]| Setup::new(Product::Drover, &conf).via(program, args);
    [
        setup("setpriv", &["--bounding-set=-bpf,-sys_admin", "--inh-caps=-all", "--"]),
        setup("unshare", &["--user", "--map-root-user", "--"]),
    ]
}

#[test]
fn without_the_capability_the_start_fails_and_names_it() {
    for setup in without_capability(conf(2)) {
        let mut server = setup.arg("-t").spawn();
        assert_eq!(server.wait().code(), Some(1));
        let said = server.stderr();
        assert!(said.contains("bpf(BPF_MAP_CREATE) failed (1: Operation not permitted)"), "{said}");
        assert!(said.contains("\"dispatch steer\" takes CAP_BPF"), "{said}");
        assert!(said.contains("fallback=reuseport"), "{said}");
        assert!(said.contains("server.conf:") && said.contains("dispatch steer;") && said.contains('^'), "{said}");
    }
}

#[test]
fn without_the_capability_the_fallback_serves_with_one_notice() {
    for setup in without_capability(Conf::workers(2).dispatch("steer fallback=reuseport")) {
        let server = setup.start();
        server.file("index.html", "hello");
        assert_eq!(listening_inodes(server.port()).len(), 2);
        assert_eq!(server.connect().get("/index.html").status, 200);
        // The ledger names the model that serves.
        let ledger = server.ledger();
        let shown = (ledger.header().model.get(), ledger.header().model_reason.get());
        let reason = "as steer was refused: bpf(BPF_MAP_CREATE) failed (1: Operation not permitted)";
        assert_eq!(shown, ("reuseport".to_owned(), reason.to_owned()));
        let log = server.error_log();
        assert_eq!(log.matches("\"dispatch steer\" goes on as \"dispatch reuseport\": bpf(").count(), 1, "{log}");
        assert!(!log.contains("[alert]") && !log.contains("[emerg]"), "{log}");
    }
}

#[test]
fn a_lone_worker_needs_no_capability() {
    for setup in without_capability(conf(1)) {
        let server = setup.start();
        server.file("index.html", "hello");
        assert_eq!(server.connect().get("/index.html").status, 200);
    }
}
