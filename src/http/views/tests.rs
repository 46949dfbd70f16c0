use crate::conf::{self, Registry};
use crate::event::Clock;
use crate::http::exchange::{Action, ConnInfo, Cx, Exchange, HttpConf, Stage};

use crate::os::Addr;
use crate::shm::{Ledger, Role, Sums, Tally};
use std::net::{Ipv4Addr, SocketAddr};

/// A site, a ledger with two workers, and the worker of this process.
struct Fixture {
    conf: HttpConf,
    clock: Clock,
    ledger: Ledger,
    own: Tally,
    other: Tally,
    peer: Addr,
    published: Stage,
}

const CONF: &str = "http { server { listen 80; location /stub { stub_status; } location /old { stub_status on; }
    location /ledger { ledger; } location /metrics { metrics; } 
    location /page { status_page; location /page/in { return 404; } }
    location /open { stub_status; allow all; } location /shut { stub_status; deny 127.0.0.1; allow all; } } }";

impl Fixture {
    fn new() -> Fixture {
        Fixture::with(CONF)
    }

    fn with(conf: &str) -> Fixture {
        let conf = conf::parse(&Registry::new(crate::http::DIRECTIVES), conf).unwrap();
        let ledger = Ledger::create().unwrap();
        let own = ledger.claim(std::process::id(), Role::Worker, 1).unwrap();
        let other = ledger.claim(1, Role::Worker, 0).unwrap();
        let peer = Addr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 5)));
        let (conf, clock) = (HttpConf::new(&conf).unwrap(), Clock::new());
        Fixture { conf, clock, ledger, own, other, peer, published: Stage::Waiting }
    }

    fn from(mut self, peer: &str) -> Fixture {
        self.peer = Addr::from(peer.parse::<SocketAddr>().unwrap());
        self
    }

    /// The head and the body of the answer.
    fn ask(&self, method: &str, target: &str) -> (String, String) {
        self.ask_with(method, target, "")
    }

    /// The same for a request with these lines of fields.
    fn ask_with(&self, method: &str, target: &str, fields: &str) -> (String, String) {
        let request = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let conn = ConnInfo { published: self.published, ..ConnInfo::new(self.peer.clone(), None, 0, 1, 0) };
        let (conf, clock) = (&self.conf, &self.clock);
        let cx = Cx {
            conf,
            clock,
            conn: &conn,
            leaving: false,
            is_full: false,
            ledger: Some(&self.ledger),
            input: request.as_bytes(),
        };
        let (mut ex, mut out) = (Exchange::default(), Vec::new());
        assert!(matches!(ex.request(&cx, &mut out), Action::Send(_)));
        let out = String::from_utf8(out).unwrap();
        let (head, body) = out.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    fn get(&self, target: &str) -> String {
        self.ask("GET", target).1
    }

    fn status(&self, method: &str, target: &str) -> String {
        self.ask(method, target).0[9..12].to_owned()
    }
}

#[test]
fn stub_status_is_nginx_s_page() {
    let fixture = Fixture::new();
    fixture.own.accepts.add(3);
    fixture.own.connections.add(2);
    fixture.other.connections.add(4);
    fixture.other.reading.add(1);
    fixture.other.accepts.add(17);
    fixture.own.requests.add(100);
    let page =
        "Active connections: 6 \nserver accepts handled requests\n 20 20 102 \nReading: 1 Writing: 1 Waiting: 4 \n";
    assert_eq!((fixture.get("/stub"), fixture.get("/old?x")), (page.to_owned(), page.to_owned()));
    assert!(fixture.ask("GET", "/stub/x.html").0.contains("\r\nContent-Type: text/plain\r\n"));
    let (head, body) = fixture.ask("HEAD", "/stub");
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", page.len())) && body.is_empty(), "{head}");
    assert_eq!((fixture.status("POST", "/stub"), fixture.status("DELETE", "/metrics")), ("405".into(), "405".into()));
}

#[test]
fn the_request_that_asks_is_counted_once() {
    let mut fixture = Fixture::new();
    fixture.own.connections.add(1);
    for published in [Stage::Waiting, Stage::Reading, Stage::Writing] {
        fixture.published = published;
        fixture.own.reading.set(u64::from(published == Stage::Reading));
        fixture.own.writing.set(u64::from(published == Stage::Writing));
        let page = fixture.get("/stub");
        assert!(page.starts_with("Active connections: 1 \n"), "{page}");
        assert!(page.ends_with(" 0 0 1 \nReading: 0 Writing: 1 Waiting: 0 \n"), "{published:?}: {page}");
    }
}

#[test]
fn without_rules_only_this_machine_may_look() {
    for (peer, status) in [
        ("127.0.0.1:9", "200"),
        ("[::1]:9", "200"),
        ("[::ffff:127.0.0.1]:9", "200"),
        ("127.0.0.2:9", "403"),
        ("192.0.2.1:9", "403"),
        ("[2001:db8::1]:9", "403"),
    ] {
        let fixture = Fixture::new().from(peer);
        for view in ["/stub", "/ledger", "/metrics", "/page"] {
            assert_eq!(fixture.status("GET", view), status, "{view} from {peer}");
        }
        assert_eq!(fixture.status("GET", "/open"), "200", "from {peer}");
    }
    for (peer, inherited, own) in
        [("192.0.2.1:9", "403", "200"), ("127.0.0.1:9", "200", "200"), ("203.0.113.9:9", "403", "403")]
    {
        let fixture = Fixture::with(
            "http { deny 203.0.113.9; server { listen 80; location /stub { stub_status; }
            location /in { allow all; location /in/stub { stub_status; } }
            location /own { stub_status; deny 203.0.113.9; } } }",
        )
        .from(peer);
        for target in ["/stub", "/in/stub"] {
            assert_eq!(
                fixture.status("GET", target),
                inherited,
                "{target} from {peer}: a rule further out opens nothing"
            );
        }
        assert_eq!(fixture.status("GET", "/own"), own, "from {peer}");
    }
    let fixture = Fixture::with("http { deny 127.0.0.1; server { listen 80; location /stub { stub_status; } } }");
    assert_eq!(fixture.status("GET", "/stub"), "403", "a rule further out holds");
    assert_eq!(Fixture::new().status("GET", "/shut"), "403");
    let mut fixture = Fixture::new();
    fixture.peer = Addr::Unix(None);
    assert_eq!(fixture.status("GET", "/ledger"), "200");
}

#[test]
fn a_view_is_not_inherited_and_has_its_location_for_itself() {
    assert_eq!(Fixture::new().status("GET", "/page/in"), "404");
    let registry = Registry::new(crate::http::DIRECTIVES);
    let conf = |text: &str| conf::parse(&registry, &format!("http {{ server {{ location / {{ {text} }} }} }}"));
    let error = HttpConf::new(&conf("metrics; stub_status;").unwrap()).unwrap_err();
    assert!(error.to_string().contains("\"metrics\" conflicts with \"stub_status\""), "{error}");
    assert!(conf("stub_status off;").is_err());
}

#[test]
fn times_are_measured_only_for_who_shows_them() {
    let registry = Registry::new(crate::http::DIRECTIVES);
    let wants = |text: &str| {
        let conf = conf::parse(&registry, &format!("http {{ {text} }}")).unwrap();
        let site = HttpConf::new(&conf).unwrap();
        (site.shows_times(), site.wants_accept_delay())
    };
    assert_eq!(wants("server { location / { stub_status; } }"), (false, false));
    assert_eq!(wants("server { location / { metrics; } }"), (true, true));
    assert_eq!(wants("log_format a $accept_delay; server { }"), (false, true));
    assert_eq!(wants("server { location / { return 200 ${accept_delay}; } }"), (false, true));
}

/// The names of all counters.
fn counters() -> Vec<&'static str> {
    let mut names = Vec::new();
    Sums::default().each(|name, _, _| names.push(name));
    names
}

#[test]
fn the_ledger_shows_every_counter_of_all_and_of_each() {
    let fixture = Fixture::new();
    fixture.own.count_request_time(1500, 2);
    fixture.other.count_status(404);
    fixture.ledger.header().model.set("a \"quoted\" model");
    fixture.ledger.mutex().acquire(1, None);
    let json: serde_json::Value = serde_json::from_str(&fixture.get("/ledger")).unwrap();
    assert!(json["dispatch"]["reason"].is_null(), "it is the conf's");
    assert_eq!((&json["schema"], &json["server"]), (&1.into(), &"drover".into()));
    assert_eq!(
        (&json["dispatch"]["model"], &json["dispatch"]["mutex_holder"]),
        (&"a \"quoted\" model".into(), &1.into())
    );
    let processes = json["processes"].as_array().unwrap();
    assert_eq!(processes.len(), 2);
    for counts in processes.iter().chain([&json["totals"]]) {
        for name in counters() {
            assert!(counts[name].is_u64() || counts[name].is_array(), "{name} in {counts}");
        }
    }
    assert_eq!((&processes[0]["pid"], &processes[0]["number"]), (&1.into(), &0.into()));
    assert_eq!((&processes[0]["holds_mutex"], &processes[1]["holds_mutex"]), (&true.into(), &false.into()));
    assert_eq!((&processes[0]["status"][3], &json["totals"]["request_time"][1]), (&1.into(), &2.into()));
    for (row, bounds) in
        [("request_time", &json["bounds"]["request_time"]), ("accept_delay", &json["bounds"]["accept_delay"])]
    {
        assert_eq!(json["totals"][row].as_array().unwrap().len(), bounds.as_array().unwrap().len() + 1);
    }
    assert_eq!(json["bounds"]["request_time"][0], 1e-6);
    assert_eq!(fixture.get("/page?json"), fixture.get("/ledger"));
}

#[test]
fn a_model_that_serves_in_another_s_place_is_shown_with_the_reason() {
    let fixture = Fixture::new();
    fixture.ledger.header().model.set("reuseport");
    let plain = fixture.get("/metrics");
    assert!(plain.contains("drover_dispatch_info{model=\"reuseport\"} 1\n"), "{plain}");
    fixture.ledger.header().model_reason.set("as steer was refused");
    let json: serde_json::Value = serde_json::from_str(&fixture.get("/ledger")).unwrap();
    assert_eq!(
        (&json["dispatch"]["model"], &json["dispatch"]["reason"]),
        (&"reuseport".into(), &"as steer was refused".into())
    );
    let metrics = fixture.get("/metrics");
    let sample = "drover_dispatch_info{model=\"reuseport\",reason=\"as steer was refused\"} 1\n";
    assert!(metrics.contains(sample), "{metrics}");
}

#[test]
fn metrics_show_every_counter_and_cumulative_buckets() {
    let fixture = Fixture::new();
    fixture.own.mutex_held_us.add(2_500_000);
    fixture.own.count_request_time(900, 1);
    fixture.own.count_request_time(1_500, 2);
    fixture.own.count_request_time(u64::MAX / 4, 1);
    let text = fixture.get("/metrics");
    let has = |line: &str| assert!(text.lines().any(|l| l == line), "{line:?} in\n{text}");
    has("drover_request_time_seconds_bucket{le=\"1e-06\"} 1");
    has("drover_request_time_seconds_bucket{le=\"2e-06\"} 3");
    has("drover_request_time_seconds_bucket{le=\"33.554432\"} 3");
    has("drover_request_time_seconds_bucket{le=\"+Inf\"} 4");
    has("drover_request_time_seconds_count 4");
    has("drover_mutex_held_seconds_total 2.5");
    let pid = std::process::id();
    has(&format!(
        "drover_process_mutex_held_seconds_total{{role=\"worker\",number=\"1\",generation=\"0\",pid=\"{pid}\"}} 2.5"
    ));
    has("# HELP drover_accepts_total Connections accepted.");
    let shown_as = |name: &str| match name {
        "connections" => "drover_connections{state=\"open\"}".to_owned(),
        "listening" => "drover_listening_processes".to_owned(),
        "reading" | "writing" => format!("drover_connections{{state=\"{name}\"}}"),
        "status" => "drover_responses_total{class=\"1xx\"}".to_owned(),
        "protocols" => "drover_requests_by_protocol_total{protocol=\"HTTP/1.0\"}".to_owned(),
        "http2_connections" => "drover_http2_connections_total{transport=\"clear\"}".to_owned(),
        "tls_handshakes" => "drover_tls_handshakes_total{version=\"1.2\"}".to_owned(),
        "tls_failures" => "drover_tls_failures_total{reason=\"closed\"}".to_owned(),
        "tls_full_time" => "drover_tls_handshake_time_seconds_count{kind=\"full\"}".to_owned(),
        "tls_full_time_ns" => "drover_tls_handshake_time_seconds_sum{kind=\"full\"}".to_owned(),
        "tls_resumed_time" => "drover_tls_handshake_time_seconds_count{kind=\"resumed\"}".to_owned(),
        "tls_resumed_time_ns" => "drover_tls_handshake_time_seconds_sum{kind=\"resumed\"}".to_owned(),
        "file_lookups" => "drover_cache_lookups_total{cache=\"files\",result=\"hit\"}".to_owned(),
        "gzip_lookups" => "drover_cache_lookups_total{cache=\"gzip\",result=\"hit\"}".to_owned(),
        "limited_requests" => "drover_limited_requests_total{limit=\"req\",result=\"delayed\"}".to_owned(),
        "request_time" | "accept_delay" => format!("drover_{name}_seconds_count"),
        "request_time_ns" => "drover_request_time_seconds_sum".to_owned(),
        "accept_delay_ms" => "drover_accept_delay_seconds_sum".to_owned(),
        "mutex_held_us" => "drover_mutex_held_seconds_total".to_owned(),
        "bytes_sent" => "drover_sent_bytes_total".to_owned(),
        _ => format!("drover_{name}_total"),
    };
    for name in counters() {
        let metric = shown_as(name);
        assert!(text.lines().any(|line| line.starts_with(&format!("{metric} "))), "{name} as {metric}");
    }
    let families: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let mut once = families.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), families.len(), "a family is told once");
}

#[test]
fn accept_chooses_the_format_of_the_metrics() {
    let fixture = Fixture::new();
    for (accept, is_open) in [
        ("", false),
        ("Accept: */*\r\n", false),
        ("Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n", false),
        ("Accept: image/png\r\n", false),
        // Prometheus 2.42, as Debian has it, and 3.
        (
            "Accept: application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n",
            true,
        ),
        (
            "Accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1\r\n",
            true,
        ),
        ("Accept: text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n", false),
        ("Accept: application/openmetrics-text;version=0.0.1,text/plain;version=0.0.4;q=0.5\r\n", false),
        ("Accept: application/openmetrics-text, text/plain\r\n", true),
        ("Accept: application/openmetrics-text, */*\r\n", true),
        ("Accept: application/openmetrics-text;q=0, */*\r\n", false),
        ("Accept: text/plain\r\nAccept: application/openmetrics-text;q=0.9\r\n", false),
        ("Accept: text/plain;q=0.8\r\nAccept: application/openmetrics-text;q=0.9\r\n", true),
    ] {
        let (head, body) = fixture.ask_with("GET", "/metrics", accept);
        let media_type = match is_open {
            true => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            false => "text/plain; version=0.0.4; charset=utf-8",
        };
        assert!(head.contains(&format!("\r\nContent-Type: {media_type}\r\n")), "{accept}{head}");
        assert!(head.ends_with("\r\nVary: Accept"), "{accept}{head}");
        assert_eq!(body.ends_with("\n# EOF\n"), is_open, "{accept}");
    }
    let fields = "Accept: application/openmetrics-text\r\n";
    for view in ["/stub", "/ledger", "/page"] {
        assert!(!fixture.ask_with("GET", view, fields).0.contains("Vary"), "{view}");
    }
}
