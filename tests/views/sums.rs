//! The ledger's sums equal what the clients have counted, in every model.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::h2::H2;
use crate::support::server::Server;
use crate::support::{proc, until, until_true};
use crate::{ledger, number, row, viewed};

/// The counts of the clients, the test's own questions included.
#[derive(Default)]
struct Done {
    requests: u64,
    connections: u64,
}

impl Done {
    /// `clients` at once, `connections` each, one after the other, with `requests` on each. (ab and wrk start more
    /// than they report.)
    fn load(&mut self, server: &Server, clients: u64, connections: u64, requests: u64) {
        std::thread::scope(|scope| {
            for _ in 0..clients {
                scope.spawn(|| {
                    for _ in 0..connections {
                        let mut client = server.connect();
                        for _ in 0..requests {
                            assert_eq!(client.get("/index.html").status, 200);
                        }
                    }
                });
            }
        });
        self.connections += clients * connections;
        self.requests += clients * connections * requests;
    }

    /// The ledger once its sums are those of the clients. A question is counted when it has been answered: it does not
    /// see itself.
    fn settled(&mut self, server: &Server) -> Value {
        until("the sums are what the clients have counted", || {
            let json = ledger(server);
            // The counters are written one after the other: a reader in between sees the first alone.
            let sum = |name| row(&json["totals"], name).iter().sum::<u64>();
            let counts = [number(&json["totals"], "requests"), sum("status"), sum("request_time")];
            let is_right = counts == [self.requests; 3];
            self.requests += 1;
            self.connections += 1;
            is_right.then_some(json)
        })
    }
}

fn add(sums: &mut [u64], numbers: &[u64]) {
    sums.iter_mut().zip(numbers).for_each(|(sum, n)| *sum += n);
}

fn all_is_counted_once(events: &str) {
    let server = Server::drover(viewed(3).events(events).http("keepalive_requests 100;"));
    server.file("index.html", "x".repeat(1000));
    let mut done = Done::default();
    done.load(&server, 6, 40, 1);
    let json = done.settled(&server);
    let totals = &json["totals"];
    assert_eq!(number(totals, "accepts"), done.connections, "{events}");
    assert_eq!(row(totals, "status"), [0, done.requests - 1, 0, 0, 0]);
    assert_eq!(row(totals, "request_time").iter().sum::<u64>(), done.requests - 1);
    assert_eq!(row(totals, "accept_delay").iter().sum::<u64>(), done.connections);
    assert!(number(totals, "bytes_sent") > 240 * 1000);
    assert!(number(totals, "wakeups") > 0 && number(totals, "turns") > 0, "{totals}");

    done.load(&server, 6, 2, 50);
    let json = done.settled(&server);
    assert_eq!(row(&json["totals"], "request_time").iter().sum::<u64>(), done.requests - 1);
    // No process has died: the totals are the sums over the living.
    let (mut requests, mut status, mut times) = (0, [0; 5], [0; 27]);
    for process in json["processes"].as_array().expect("processes") {
        requests += number(process, "requests");
        add(&mut status, &row(process, "status"));
        add(&mut times, &row(process, "request_time"));
    }
    if !events.contains("fork") {
        assert_eq!(requests, number(&json["totals"], "requests"));
        assert_eq!(status.to_vec(), row(&json["totals"], "status"));
        assert_eq!(times.to_vec(), row(&json["totals"], "request_time"));
    }
}

/// Requests are counted by what they name, in every model.
fn protocols_are_counted(model: &str) {
    let conf = viewed(2).events(&format!("worker_connections 256; dispatch {model};")).server("http2 on;");
    let server = Server::drover(conf);
    server.file("index.html", "hello");
    for (protocol, connection) in [("1.0", "keep-alive"), ("1.1", "close"), ("1.2", "close"), ("3.0", "close")] {
        let mut client = server.connect();
        let line = format!("GET /index.html HTTP/{protocol}\r\nHost: a\r\nConnection: {connection}\r\n\r\n");
        client.send(&line);
        client.response().expect("an answer");
    }
    let mut none = server.connect();
    none.send("x\r\n\r\n");
    none.response().expect("an answer");
    let mut client = H2::connect(server.addr());
    (0..3).for_each(|n| _ = client.get(2 * n + 1, "/index.html"));
    let mut own = 0;
    until(&format!("all is counted, {model}"), || {
        let json = ledger(&server);
        let counted = (row(&json["totals"], "protocols"), row(&json["totals"], "http2_connections"));
        own += 1;
        (counted == (vec![1, own, 3, 3], vec![1, 0])).then_some(())
    });
}

#[test]
fn in_every_model_requests_are_counted_by_protocol() {
    drover::dispatch::MODELS.iter().for_each(|kind| protocols_are_counted(kind.name));
}

#[test]
fn in_every_model_all_is_counted_once() {
    for kind in drover::dispatch::MODELS {
        all_is_counted_once(&format!("worker_connections 256; dispatch {};", kind.name));
    }
}

#[test]
fn what_the_dead_have_counted_is_kept() {
    let server = Server::drover(viewed(2).events("worker_connections 256;"));
    server.file("index.html", "hello");
    let mut done = Done::default();
    for round in 1..=3 {
        done.load(&server, 6, 20, 3);
        done.settled(&server);
        let workers = server.wait_for_workers(2);
        // An exchange is counted when its answer has been sent: who is killed in between counts it never.
        until_true("the last look is counted", || workers.iter().all(|worker| proc::is_asleep(*worker)));
        for worker in workers {
            proc::signal(worker, Signal::SIGKILL);
        }
        // Each look is counted itself, by a worker that may still be at it when another shows the sums.
        until_true("the workers are replaced, and all is counted", || {
            let json = ledger(&server);
            done.requests += 1;
            done.connections += 1;
            let total = |name| number(&json["totals"], name);
            number(&json, "respawns") == 2 * round
                && (total("requests"), total("accepts")) == (done.requests - 1, done.connections)
        });
    }
}

#[test]
fn reloads_are_told_with_their_result() {
    let conf = viewed(2).to_string();
    let server = Server::drover(&conf);
    let state = |json: &Value| {
        let reloads = &json["reloads"];
        let of = |name: &str| number(reloads, name);
        (number(json, "generation"), of("ok"), of("failed"), reloads["error"].as_str().map(str::to_owned))
    };
    let first = number(&ledger(&server), "generation");
    server.rewrite_conf(conf.replace("access_log", "axess_log"));
    server.signal(Signal::SIGHUP);
    let failed = until("the reload has failed", || Some(state(&ledger(&server))).filter(|s| s.2 == 1));
    assert_eq!((failed.0, failed.1), (first, 0));
    assert!(failed.3.as_deref().is_some_and(|error| error.contains("axess_log")), "{failed:?}");
    server.rewrite_conf(&conf);
    server.signal(Signal::SIGHUP);
    let ok = until("the reload has succeeded", || Some(state(&ledger(&server))).filter(|s| s.1 == 1));
    assert_eq!((ok.2, ok.3), (1, None));
    let workers = until("all processes are of the new generation", || {
        let json = ledger(&server);
        let all = json["processes"].as_array()?;
        (all.len() == 2 && all.iter().all(|p| p["generation"] == json["generation"])).then(|| all.clone())
    });
    assert!(number(&workers[0], "generation") > first);
}
