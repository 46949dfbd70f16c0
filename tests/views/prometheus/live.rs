//! A real Prometheus with the shipped configuration asks three drovers under load, and is asked every query of the
//! dashboard and of the rules: each is valid, and has a number.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::{dashboard, selectors, text};
use crate::support::client::Client;
use crate::support::conf::Conf;
use crate::support::h2::H2;
use crate::support::server::Server;
use crate::support::tls::{Authority, Wish};
use crate::support::{PATIENCE, proc, tools, until, until_true};

/// Selectors of the rules that have no series while all is well.
const EMPTY_WHEN_WELL: [&str; 1] = ["drover_dispatch_info{reason!=\"\"}"];

/// A Prometheus. Dropping it ends it.
struct Prometheus {
    child: Child,
    addr: SocketAddr,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// With the shipped configuration, but for the targets, and with a second where that has 15.
    fn start(dir: &Path, targets: &[String]) -> Prometheus {
        let mut conf = text("prometheus.yml");
        let shipped = r#"["127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"]"#;
        for (from, to) in [(shipped, format!("{targets:?}").as_str()), ("_interval: 15s", "_interval: 1s")] {
            assert!(conf.contains(from), "no {from:?} in\n{conf}");
            conf = conf.replace(from, to);
        }
        std::fs::write(dir.join("prometheus.yml"), conf).expect("write");
        std::fs::write(dir.join("rules.yml"), text("rules.yml")).expect("write");
        until("a port for Prometheus", || Prometheus::spawn(dir).until_ready(dir))
    }

    fn spawn(dir: &Path) -> Prometheus {
        // Another program may take the port before Prometheus does; then there is another one.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let addr = free.local_addr().expect("an address");
        drop(free);
        let child = Command::new(tools::find("prometheus"))
            .arg(format!("--config.file={}", dir.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
            .arg(format!("--web.listen-address={addr}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(dir.join("log")).expect("a log"))
            .spawn()
            .expect("start Prometheus");
        Prometheus { child, addr }
    }

    /// `None`: it has ended.
    fn until_ready(mut self, dir: &Path) -> Option<Prometheus> {
        let is_ready = until("Prometheus is ready", || match self.child.try_wait().expect("wait") {
            Some(status) => {
                eprintln!("{status}: {}", std::fs::read_to_string(dir.join("log")).unwrap_or_default());
                Some(false)
            }
            None => (self.ask("/-/ready")?.0 == 200).then_some(true),
        });
        is_ready.then_some(self)
    }

    /// Status and body of an answer.
    fn ask(&self, target: &str) -> Option<(u16, String)> {
        let mut client = Client::try_connect(self.addr).ok()?;
        client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        client.response().ok().map(|response| (response.status, response.text()))
    }

    fn json(&self, target: &str) -> Value {
        let (status, body) = self.ask(target).expect("an answer of Prometheus");
        let json: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {status} {body}"));
        assert_eq!(json["status"], "success", "{target}: {json}");
        json["data"].clone()
    }

    /// The results of a query; panics when it is not valid.
    fn query(&self, query: &str) -> Vec<Value> {
        let words: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        self.json(&format!("/api/v1/query?query={words}"))["result"].as_array().expect("a vector").clone()
    }

    /// Whether a query has a number, and not only "not a number", as 0 / 0 is.
    fn has_number(&self, query: &str) -> bool {
        let is_finite =
            |result: &Value| result["value"][1].as_str().and_then(|n| n.parse().ok()).is_some_and(f64::is_finite);
        self.query(query).iter().any(is_finite)
    }
}

/// The drovers: the accept mutex with TLS, the default, and a dispatcher.
fn drovers(dir: &Path, authority: &Authority) -> [Server; 3] {
    let pair = authority.sign(&["localhost"]);
    let [certificate, key] = [("c.pem", &pair.certificate), ("k.pem", &pair.key)].map(|(name, pem)| {
        std::fs::write(dir.join(name), pem).expect("write");
        dir.join(name).display().to_string()
    });
    let conf = |dispatch: &str| {
        Conf::workers(2)
            .dispatch(dispatch)
            .http("limit_req_zone $server_name zone=few:1m rate=1r/s; limit_conn_zone $server_name zone=one:1m;")
            .http("gzip on; gzip_types text/plain; gzip_min_length 1; open_file_cache max=100;")
            .server(&format!(
                "http2 on; listen 127.0.0.1:%port2% ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; \
                 location /limited/ {{ limit_req zone=few; }} location = /metrics {{ metrics; }}"
            ))
    };
    ["accept_mutex", "exclusive", "pool_pass"].map(|dispatch| {
        let server = Server::drover(conf(dispatch));
        server.file("index.html", "hello ".repeat(500)).file("limited/index.html", "limited");
        server
    })
}

/// Requests of all kinds, until `is_over`.
fn load(server: &Server, authority: &Authority, is_over: &AtomicBool) {
    let secure: SocketAddr = (Ipv4Addr::LOCALHOST, server.ports()[1]).into();
    let wish = Wish::new(authority).named("localhost");
    // A worker dies under its clients, once: any of them may lose its connection.
    let ask = |client: std::io::Result<Client>, targets: &[&str]| {
        let Ok(mut client) = client else { return };
        for target in targets {
            let fields = "Host: localhost\r\nAccept-Encoding: gzip\r\n";
            if client.send(format!("GET {target} HTTP/1.1\r\n{fields}\r\n")).response().is_err() {
                return;
            }
        }
    };
    while !is_over.load(Relaxed) {
        ask(Client::try_connect(server.addr()), &["/index.html", "/none", "/limited/", "/limited/", "/index.html"]);
        ask(Client::try_connect_tls(secure, &wish), &["/index.html"]);
        // No hello of TLS.
        if let Ok(mut client) = Client::try_connect(secure) {
            let _ = client.send(b"\x16\x03\x01\0\x05hello").until_closed();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The queries of the dashboard with their panels, as Grafana sends them.
fn queries(instances: &[String]) -> Vec<(String, String)> {
    // Grafana's form of a variable with several values in `=~`. A minute is $__rate_interval at 15 s.
    let instances = instances.iter().map(|instance| instance.replace('.', "\\\\.")).collect::<Vec<_>>().join("|");
    let fill = |query: &str| {
        let query = query.replace("$job", "(drover)").replace("$instance", &format!("({instances})"));
        query.replace("$__rate_interval", "1m")
    };
    let dashboard = dashboard();
    let mut queries = Vec::new();
    let mut add = |of: &Value, expr: &Value| {
        let query = fill(expr.as_str().unwrap_or_else(|| panic!("a query of {of}")));
        assert!(!query.contains('$'), "an unknown variable: {query}");
        queries.push((of.as_str().expect("a title").to_owned(), query));
    };
    for panel in dashboard["panels"].as_array().expect("panels") {
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.for_each(|target| add(&panel["title"], &target["expr"]));
    }
    let of_users = dashboard["annotations"]["list"].as_array().expect("annotations").iter();
    of_users.filter(|note| note["builtIn"] != 1).for_each(|note| add(&note["name"], &note["target"]["expr"]));
    queries
}

/// The values that the dashboard offers for a variable: `label_values(SELECTOR, LABEL)`.
fn offered(prometheus: &Prometheus, name: &str) -> Vec<String> {
    let dashboard = dashboard();
    let mut variables = dashboard["templating"]["list"].as_array().expect("variables").iter();
    let variable = variables.find(|variable| variable["name"] == name).expect("the variable");
    let query = variable["query"]["query"].as_str().expect("a query");
    let inside = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).expect("label_values");
    let (selector, label) = inside.rsplit_once(", ").expect("two arguments");
    let results = prometheus.query(&selector.replace("$job", "(drover)"));
    let mut values: Vec<String> =
        results.iter().map(|result| result["metric"][label].as_str().expect("a label").to_owned()).collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// The rules as Prometheus has them.
fn rules(prometheus: &Prometheus) -> Vec<Value> {
    let groups = prometheus.json("/api/v1/rules")["groups"].clone();
    let groups = groups.as_array().expect("groups").iter();
    groups.flat_map(|group| group["rules"].as_array().expect("rules").clone()).collect()
}

#[test]
fn a_real_prometheus_answers_every_query_of_the_dashboard_and_of_the_rules() {
    let dir = tempfile::tempdir().expect("a directory");
    let authority = Authority::new("graphs");
    let [mutex, default, passing] = drovers(dir.path(), &authority);
    let mut instances = [&mutex, &default, &passing].map(|server| server.addr().to_string());
    instances.sort_unstable();
    let prometheus = Prometheus::start(dir.path(), &instances);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // A test that fails ends the load as well.
        let _ender = Ender(&is_over);
        for server in [&mutex, &default, &passing] {
            let mut client = H2::connect(server.addr());
            assert_eq!(client.get(1, "/index.html").status(), "200");
            scope.spawn(|| load(server, &authority, &is_over));
        }
        // Changes are seen between two samples.
        until_true("two samples of each", || {
            let counts = prometheus.query("count_over_time(drover_conf_generation[1m]) >= 2");
            counts.len() == 3
        });
        mutex.signal(Signal::SIGHUP);
        proc::signal(default.wait_for_workers(2)[0], Signal::SIGKILL);
        until_true("Prometheus sees the reload and the death", || {
            prometheus.has_number("drover_reloads_total{result=\"ok\"} == 1")
                && prometheus.has_number("drover_respawns_total == 1")
        });

        assert_eq!(offered(&prometheus, "job"), ["drover"]);
        assert_eq!(offered(&prometheus, "instance"), instances);
        let mut missing = queries(&instances);
        assert!(missing.len() > 40, "{missing:?}");
        until_none_is_left("queries without a number", || {
            missing.retain(|(_, query)| !prometheus.has_number(query));
            missing.iter().map(|(panel, query)| format!("{panel}: {query}")).collect()
        });
        check_rules(&prometheus);
    });
    tells_of_a_drover_that_is_gone(&prometheus, passing);
}

/// Ends the load.
struct Ender<'a>(&'a AtomicBool);

impl Drop for Ender<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Waits until nothing is left; panics with what is.
#[track_caller]
fn until_none_is_left(what: &str, mut left: impl FnMut() -> Vec<String>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = left();
        if now.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{what}: {now:#?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn check_rules(prometheus: &Prometheus) {
    until_none_is_left("rules that are not well", || {
        let ill = rules(prometheus).into_iter().filter(|rule| rule["health"] != "ok");
        ill.map(|rule| rule.to_string()).collect()
    });
    let exprs: Vec<String> =
        rules(prometheus).iter().map(|rule| rule["query"].as_str().expect("a query").to_owned()).collect();
    assert!(exprs.len() > 12, "{exprs:?}");
    let found: Vec<&str> = exprs.iter().flat_map(|expr| selectors(expr)).collect();
    assert!(EMPTY_WHEN_WELL.iter().all(|selector| found.contains(selector)), "{found:?}");
    until_none_is_left("selectors of the rules without a series", || {
        let empty =
            found.iter().filter(|selector| !EMPTY_WHEN_WELL.contains(selector) && !prometheus.has_number(selector));
        empty.map(|selector| (*selector).to_owned()).collect()
    });
}

/// The alert is pending within seconds, with its sentence.
fn tells_of_a_drover_that_is_gone(prometheus: &Prometheus, server: Server) {
    let instance = server.addr().to_string();
    drop(server);
    let summary = until("the alert", || {
        let alerts = prometheus.json("/api/v1/alerts");
        let mut alerts = alerts["alerts"].as_array()?.iter();
        let alert = alerts.find(|alert| alert["labels"]["alertname"] == "DroverDown")?;
        Some(alert["annotations"]["summary"].as_str()?.to_owned())
    });
    assert_eq!(summary, format!("{instance} does not answer Prometheus"));
}
