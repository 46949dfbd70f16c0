//! `metrics`: the ledger for Prometheus, in its text format 0.0.4.
//!
//! The service's own series are totals over the dead and the living, which never go back. `drover_process_*` are those
//! of each living process; a respawned one has a new `pid` and starts at 0.

use super::snapshot::Process;
use super::snapshot::Snapshot;
use super::view::{self, PLACES, Page, View, about, said};
use crate::conf::Setting;
use crate::http::exchange::{Exchange, Handler};
use crate::shm::histogram::bound;
use crate::shm::{HandshakeEnd, Protocol, Sums};
use std::fmt::{Display, Write};
use std::sync::atomic::Ordering::Relaxed;

pub(crate) static METRICS: Setting<bool> =
    Setting::one("metrics", said).contexts(PLACES).args(0, 0).syntax("").local().about(about!(
        "Answers with all counters of the service, and of each of its processes, for Prometheus (text format 0.0.4)."
    ));

pub(super) static VIEW: View = View {
    setting: &METRICS,
    handler: Handler {
        name: "metrics",
        run: |ex, cx| view::answer(ex, cx, write),
        is_private: true,
        shows_times: true,
    },
};

fn write(_: &Exchange, snapshot: &Snapshot) -> Page {
    let mut text = Text(String::with_capacity(16 << 10));
    service(&mut text, snapshot);
    totals(&mut text, &snapshot.totals);
    processes(&mut text, snapshot);
    Page { media_type: "text/plain; version=0.0.4; charset=utf-8", body: text.0.into_bytes() }
}

/// How a counter of the ledger is shown.
enum Shown {
    /// The number never goes back.
    Counter { name: String, about: &'static str, per_unit: f64 },
    /// With others, as one family that is written by itself.
    Apart,
}

impl Shown {
    fn of(name: &'static str, about: &'static str) -> Shown {
        match name {
            "listening" | "connections" | "reading" | "writing" | "status" => Shown::Apart,
            "tls_handshakes" | "tls_failures" | "protocols" | "http2_connections" => Shown::Apart,
            "request_time" | "request_time_ns" | "accept_delay" | "accept_delay_ms" => Shown::Apart,
            "mutex_held_us" => Shown::Counter {
                name: "mutex_held_seconds_total".to_owned(),
                about: "Seconds that the accept mutex was held.",
                per_unit: 1e6,
            },
            _ => Shown::Counter { name: format!("{name}_total"), about, per_unit: 1.0 },
        }
    }
}

fn service(text: &mut Text, snapshot: &Snapshot) {
    let header = snapshot.header;
    text.family("drover_build_info", "gauge", "The version that answers.");
    text.sample("drover_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    let about = "The dispatch model that serves; with a reason when that is not the one which the conf names.";
    text.family("drover_dispatch_info", "gauge", about);
    let (model, reason) = (header.model.get(), header.model_reason.get());
    let labels: &[(&str, &str)] = &[("model", &model), ("reason", &reason)];
    text.sample("drover_dispatch_info", if reason.is_empty() { &labels[..1] } else { labels }, 1);
    text.one("drover_start_time_seconds", "gauge", "When the master was started, seconds since 1970.", {
        header.started_unix_ms.load(Relaxed) as f64 / 1e3
    });
    text.one(
        "drover_conf_generation",
        "gauge",
        "How many confs have been taken into service.",
        header.generation.load(Relaxed),
    );
    text.family("drover_reloads_total", "counter", "Reloads by result.");
    text.sample("drover_reloads_total", &[("result", "ok")], header.reloads_ok.get());
    text.sample("drover_reloads_total", &[("result", "failed")], header.reloads_failed.get());
    let is_ok = header.reload_error.get().is_empty();
    text.one("drover_last_reload_ok", "gauge", "1 unless the last reload failed.", u8::from(is_ok));
    let about = "Children that died without being asked to, and were replaced.";
    text.one("drover_respawns_total", "counter", about, header.respawns.get());
}

fn totals(text: &mut Text, sums: &Sums) {
    text.family("drover_connections", "gauge", "Connections now: all that are open, and those by what they do.");
    connections(text, "drover_connections", &[], sums);
    let about = "Processes that have the listening sockets in their epoll set.";
    text.one("drover_listening_processes", "gauge", about, sums.listening);
    sums.each(|name, about, numbers| {
        if let (Shown::Counter { name, about, per_unit }, [number]) = (Shown::of(name, about), numbers) {
            text.one(&format!("drover_{name}"), "counter", about, *number as f64 / per_unit);
        }
    });
    text.family("drover_responses_total", "counter", "Answers by class of status.");
    responses(text, "drover_responses_total", &[], sums);
    text.family("drover_requests_by_protocol_total", "counter", "Requests by protocol.");
    for (protocol, number) in Protocol::NAMES.into_iter().zip(sums.protocols) {
        text.sample("drover_requests_by_protocol_total", &[("protocol", protocol)], number);
    }
    text.family("drover_http2_connections_total", "counter", "Connections that have spoken HTTP/2, by transport.");
    for (transport, number) in ["clear", "tls"].into_iter().zip(sums.http2_connections) {
        text.sample("drover_http2_connections_total", &[("transport", transport)], number);
    }
    text.family("drover_tls_handshakes_total", "counter", "Handshakes of TLS by version.");
    for (version, number) in ["1.2", "1.3"].into_iter().zip(sums.tls_handshakes) {
        text.sample("drover_tls_handshakes_total", &[("version", version)], number);
    }
    text.family("drover_tls_failures_total", "counter", "Handshakes of TLS that failed, by reason.");
    for (reason, number) in HandshakeEnd::NAMES.into_iter().zip(sums.tls_failures) {
        text.sample("drover_tls_failures_total", &[("reason", reason)], number);
    }
    let about = "Time from a request's first byte to the last byte of its answer.";
    let (rows, sum) = (&sums.request_time, sums.request_time_ns as f64 / 1e9);
    text.histogram("drover_request_time_seconds", about, rows, 1e6, sum);
    let about = "Time from a connection's handshake to its accept, in ticks of the kernel.";
    let (rows, sum) = (&sums.accept_delay, sums.accept_delay_ms as f64 / 1e3);
    text.histogram("drover_accept_delay_seconds", about, rows, 1e3, sum);
}

fn processes(text: &mut Text, snapshot: &Snapshot) {
    let all: Vec<Labelled> = snapshot.processes.iter().map(Labelled::new).collect();
    text.family("drover_process_holds_mutex", "gauge", "1 if the process has the accept mutex.");
    for labelled in &all {
        let holds = snapshot.holder == Some(labelled.process.pid);
        text.sample("drover_process_holds_mutex", &labelled.labels(), u8::from(holds));
    }
    text.family("drover_process_listens", "gauge", "1 if the process has the listening sockets in its epoll set.");
    for labelled in &all {
        text.sample("drover_process_listens", &labelled.labels(), labelled.process.counts.listening);
    }
    text.family("drover_process_connections", "gauge", "Connections of the process now.");
    for labelled in &all {
        connections(text, "drover_process_connections", &labelled.labels(), &labelled.process.counts);
    }
    Sums::default().each(|counter, about, _| {
        let Shown::Counter { name, about, per_unit } = Shown::of(counter, about) else { return };
        let name = format!("drover_process_{name}");
        text.family(&name, "counter", about);
        for labelled in &all {
            labelled.process.counts.each(|other, _, numbers| {
                if let (true, [number]) = (other == counter, numbers) {
                    text.sample(&name, &labelled.labels(), *number as f64 / per_unit);
                }
            });
        }
    });
    text.family("drover_process_responses_total", "counter", "Answers of the process by class of status.");
    for labelled in &all {
        responses(text, "drover_process_responses_total", &labelled.labels(), &labelled.process.counts);
    }
}

type Labels<'a> = [(&'a str, &'a str)];

fn connections(text: &mut Text, name: &str, labels: &Labels, sums: &Sums) {
    let states =
        [("open", sums.connections), ("reading", sums.reading), ("writing", sums.writing), ("waiting", sums.waiting())];
    for (state, number) in states {
        text.sample(name, &[labels, &[("state", state)]].concat(), number);
    }
}

fn responses(text: &mut Text, name: &str, labels: &Labels, sums: &Sums) {
    for (class, number) in ["1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().zip(sums.status) {
        text.sample(name, &[labels, &[("class", class)]].concat(), number);
    }
}

/// A process with the texts of its labels.
struct Labelled<'a> {
    process: &'a Process,
    texts: [String; 3],
}

impl Labelled<'_> {
    fn new(process: &Process) -> Labelled<'_> {
        let texts = [process.number.to_string(), process.generation.to_string(), process.pid.to_string()];
        Labelled { process, texts }
    }

    fn labels(&self) -> [(&str, &str); 4] {
        let [number, generation, pid] = &self.texts;
        [("role", self.process.role_name()), ("number", number), ("generation", generation), ("pid", pid)]
    }
}

/// The text format. Writing to a String can't fail.
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, about: &str) {
        let _ = writeln!(self.0, "# HELP {name} {about}\n# TYPE {name} {kind}");
    }

    fn one(&mut self, name: &str, kind: &str, about: &str, value: impl Display) {
        self.family(name, kind, about);
        self.sample(name, &[], value);
    }

    fn sample(&mut self, name: &str, labels: &Labels, value: impl Display) {
        self.0.push_str(name);
        for (i, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"", if i == 0 { '{' } else { ',' });
            self.escape(text);
            self.0.push('"');
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {value}");
    }

    /// Escapes a label's value.
    fn escape(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '\n' => self.0.push_str("\\n"),
                '"' | '\\' => self.0.extend(['\\', c]),
                _ => self.0.push(c),
            }
        }
    }

    /// `rows` count in units of `per_second` to the second; `sum` is in seconds.
    fn histogram(&mut self, name: &str, about: &str, rows: &[u64], per_second: f64, sum: f64) {
        self.family(name, "histogram", about);
        let (bucket, mut count) = (format!("{name}_bucket"), 0);
        for (i, n) in rows.iter().enumerate() {
            count += n;
            let le = match i + 1 == rows.len() {
                true => "+Inf".to_owned(),
                false => (bound(i) as f64 / per_second).to_string(),
            };
            self.sample(&bucket, &[("le", &le)], count);
        }
        self.sample(&format!("{name}_sum"), &[], sum);
        self.sample(&format!("{name}_count"), &[], count);
    }
}
