//! Words of the conf that serves, in the ledger and in the metrics: `worker_connections`, and the day on which its
//! first certificate expires.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::ledger;
use crate::support::conf::Conf;
use crate::support::server::Server;
use crate::support::tls::Authority;
use crate::support::until_true;

/// The first seconds of these years.
const YEAR_2095: u64 = 3_944_678_400;
const YEAR_2096: u64 = 3_976_214_400;

#[test]
fn limits_and_dates_are_those_of_the_conf_that_serves() {
    let (authority, dir) = (Authority::new("dates"), tempfile::tempdir().expect("a directory"));
    authority.sign_for_years(&["a.example"], 2020, 2096).write_to(dir.path(), "a");
    authority.sign_for_years(&["b.example"], 2020, 2095).write_to(dir.path(), "b");
    let secure = |name: &str| {
        let path = dir.path().join(name).display().to_string();
        format!(
            "server {{ listen 127.0.0.1:%port2% ssl; server_name {name}.example; ssl_certificate {path}.crt; \
             ssl_certificate_key {path}.key; }}"
        )
    };
    let conf = |connections: u32, more: &str| {
        let views = "location /ledger { ledger; } location /metrics { metrics; }";
        Conf::workers(1).events(&format!("worker_connections {connections};")).http(more).server(views)
    };
    let server = Server::drover(conf(256, &(secure("a") + &secure("b"))));
    let shows = |connections: u64, expiry: Option<u64>| {
        let (json, text) = (ledger(&server), server.connect().get("/metrics").text());
        let line =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(&format!("drover_{name} "))?.parse().ok());
        let of_json = (&json["worker_connections"], &json["certificate_expiry_unix_s"]);
        of_json == (&connections.into(), &expiry.map_or(Value::Null, Value::from))
            && (line("worker_connections"), line("certificate_expiry_time_seconds")) == (Some(connections), expiry)
    };
    assert!(shows(256, Some(YEAR_2095)));
    for (connections, more, expiry) in [(300, secure("a"), Some(YEAR_2096)), (400, String::new(), None)] {
        server.rewrite_conf(conf(connections, &more));
        server.signal(Signal::SIGHUP);
        until_true("the reload", || shows(connections.into(), expiry));
    }
}
