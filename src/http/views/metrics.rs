//! `metrics`: the ledger for Prometheus, in its text format 0.0.4 or in OpenMetrics, as Accept has it.
//!
//! The service's own series are totals over the dead and the living, which never go back. `drover_process_*` are those
//! of each living process; a respawned one has a new `pid` and starts at 0.

mod text;

use super::snapshot::Process;
use super::snapshot::Snapshot;
use super::view::{self, PLACES, Page, View, about, said};
use crate::conf::Setting;
use crate::http::exchange::{Cx, Exchange, Flow, Handler};
use crate::http::message::field::Id;
use crate::http::message::media_ranges::{Weight, weight};
use crate::shm::{HandshakeEnd, Limited, Protocol, Sums};
use std::sync::atomic::Ordering::Relaxed;
use text::{Format, Kind, Labels, Text};

pub(crate) static METRICS: Setting<bool> =
    Setting::one("metrics", said).contexts(PLACES).args(0, 0).syntax("").local().about(about!(
        "Answers with all counters of the service, and of each of its processes, for Prometheus: in its text format \
         0.0.4, or in OpenMetrics 1.0 for a client whose Accept prefers that."
    ));

pub(super) static VIEW: View =
    View { setting: &METRICS, handler: Handler { name: "metrics", run: answer, is_private: true, shows_times: true } };

fn answer(ex: &mut Exchange, cx: &Cx) -> Flow {
    ex.response.chosen_by = Some("Accept");
    match ex.head.list(cx.input, Id::Accept).map_or(Format::Prometheus, |accept| choose(&accept)) {
        Format::Prometheus => view::answer(ex, cx, |_, snapshot| write(snapshot, Format::Prometheus)),
        Format::OpenMetrics => view::answer(ex, cx, |_, snapshot| write(snapshot, Format::OpenMetrics)),
    }
}

/// The format for a client with this Accept: OpenMetrics if it is named with as much weight as the other, or has more.
/// A client that takes neither gets the other, too, and not a 406 (RFC 9110, 12.5.1).
fn choose(accept: &[u8]) -> Format {
    let Weight { value: open, is_named } = weight(accept, "application/openmetrics-text", "1.0.0");
    let plain = weight(accept, "text/plain", "0.0.4").value;
    if open > plain || open == plain && open > 0 && is_named { Format::OpenMetrics } else { Format::Prometheus }
}

fn write(snapshot: &Snapshot, format: Format) -> Page {
    let mut text = Text::new(format);
    service(&mut text, snapshot);
    totals(&mut text, &snapshot.totals);
    processes(&mut text, snapshot);
    Page { media_type: format.media_type(), body: text.into_bytes() }
}

/// How a counter of the ledger is shown.
enum Shown {
    /// The number never goes back.
    Counter { name: &'static str, about: &'static str, per_unit: f64 },
    /// With others, as one family that is written by itself.
    Apart,
}

impl Shown {
    fn of(name: &'static str, about: &'static str) -> Shown {
        match name {
            "listening" | "connections" | "reading" | "writing" | "status" => Shown::Apart,
            "tls_handshakes" | "tls_failures" | "protocols" | "http2_connections" => Shown::Apart,
            "tls_full_time" | "tls_full_time_ns" | "tls_resumed_time" | "tls_resumed_time_ns" => Shown::Apart,
            "file_lookups" | "gzip_lookups" | "limited_requests" => Shown::Apart,
            "request_time" | "request_time_ns" | "accept_delay" | "accept_delay_ms" => Shown::Apart,
            "mutex_held_us" => Shown::Counter {
                name: "mutex_held_seconds",
                about: "Seconds that the accept mutex was held.",
                per_unit: 1e6,
            },
            // The unit comes last.
            "bytes_sent" => Shown::Counter { name: "sent_bytes", about, per_unit: 1.0 },
            _ => Shown::Counter { name, about, per_unit: 1.0 },
        }
    }
}

fn service(text: &mut Text, snapshot: &Snapshot) {
    let header = snapshot.header;
    text.family("build", Kind::Info, "The version that answers.");
    text.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    let about = "The dispatch model that serves; with a reason when that is not the one which the conf names.";
    text.family("dispatch", Kind::Info, about);
    let (model, reason) = (header.model.get(), header.model_reason.get());
    let labels: &[(&str, &str)] = &[("model", &model), ("reason", &reason)];
    text.sample(if reason.is_empty() { &labels[..1] } else { labels }, 1);
    text.one("start_time_seconds", Kind::Gauge, "When the master was started, seconds since 1970.", {
        header.started_unix_ms.load(Relaxed) as f64 / 1e3
    });
    text.one(
        "conf_generation",
        Kind::Gauge,
        "How many confs have been taken into service.",
        header.generation.load(Relaxed),
    );
    let about = "The worker_connections of the conf that serves.";
    text.one("worker_connections", Kind::Gauge, about, header.worker_connections.load(Relaxed));
    let expiry = header.certificate_expiry_unix_s.load(Relaxed);
    if expiry != 0 {
        let about = "When the first certificate of the conf expires, seconds since 1970.";
        text.one("certificate_expiry_time_seconds", Kind::Gauge, about, expiry);
    }
    text.family("reloads", Kind::Counter, "Reloads by result.");
    text.sample(&[("result", "ok")], header.reloads_ok.get());
    text.sample(&[("result", "failed")], header.reloads_failed.get());
    let is_ok = header.reload_error.get().is_empty();
    text.one("last_reload_ok", Kind::Gauge, "1 unless the last reload failed.", u8::from(is_ok));
    let about = "Children that died without being asked to, and were replaced.";
    text.one("respawns", Kind::Counter, about, header.respawns.get());
}

fn totals(text: &mut Text, sums: &Sums) {
    text.family("connections", Kind::Gauge, "Connections now: all that are open, and those by what they do.");
    connections(text, &[], sums);
    let about = "Processes that have the listening sockets in their epoll set.";
    text.one("listening_processes", Kind::Gauge, about, sums.listening);
    sums.each(|name, about, numbers| {
        if let (Shown::Counter { name, about, per_unit }, [number]) = (Shown::of(name, about), numbers) {
            text.one(name, Kind::Counter, about, *number as f64 / per_unit);
        }
    });
    text.family("responses", Kind::Counter, "Answers by class of status.");
    responses(text, &[], sums);
    text.family("requests_by_protocol", Kind::Counter, "Requests by protocol.");
    for (protocol, number) in Protocol::NAMES.into_iter().zip(sums.protocols) {
        text.sample(&[("protocol", protocol)], number);
    }
    text.family("http2_connections", Kind::Counter, "Connections that have spoken HTTP/2, by transport.");
    for (transport, number) in ["clear", "tls"].into_iter().zip(sums.http2_connections) {
        text.sample(&[("transport", transport)], number);
    }
    text.family("tls_handshakes", Kind::Counter, "Handshakes of TLS by version.");
    for (version, number) in ["1.2", "1.3"].into_iter().zip(sums.tls_handshakes) {
        text.sample(&[("version", version)], number);
    }
    text.family("tls_failures", Kind::Counter, "Handshakes of TLS that failed, by reason.");
    for (reason, number) in HandshakeEnd::NAMES.into_iter().zip(sums.tls_failures) {
        text.sample(&[("reason", reason)], number);
    }
    tls_times(text, sums);
    let about =
        "Look-ups in the cache of files (found as they were kept, or opened anew, or missing) and in gzip_cache.";
    text.family("cache_lookups", Kind::Counter, about);
    for (cache, numbers) in [("files", sums.file_lookups), ("gzip", sums.gzip_lookups)] {
        for (result, number) in ["hit", "miss"].into_iter().zip(numbers) {
            text.sample(&[("cache", cache), ("result", result)], number);
        }
    }
    let about = "Requests that limit_req or limit_conn did not let by at once, or would not have in a dry run.";
    text.family("limited_requests", Kind::Counter, about);
    for ((limit, result), number) in Limited::NAMES.into_iter().zip(sums.limited_requests) {
        text.sample(&[("limit", limit), ("result", result)], number);
    }
    let about = "Time from a request's first byte to the last byte of its answer.";
    let (rows, sum) = (&sums.request_time, sums.request_time_ns as f64 / 1e9);
    text.family("request_time_seconds", Kind::Histogram, about);
    text.histogram(&[], rows, 1e6, sum);
    let about = "Time from a connection's handshake to its accept, in ticks of the kernel.";
    let (rows, sum) = (&sums.accept_delay, sums.accept_delay_ms as f64 / 1e3);
    text.family("accept_delay_seconds", Kind::Histogram, about);
    text.histogram(&[], rows, 1e3, sum);
}

fn tls_times(text: &mut Text, sums: &Sums) {
    let about = "Time from a client's hello to the end of the handshake of TLS: a full one, or of a resumed session.";
    text.family("tls_handshake_time_seconds", Kind::Histogram, about);
    for (kind, rows, sum_ns) in [
        ("full", &sums.tls_full_time, sums.tls_full_time_ns),
        ("resumed", &sums.tls_resumed_time, sums.tls_resumed_time_ns),
    ] {
        text.histogram(&[("kind", kind)], rows, 1e6, sum_ns as f64 / 1e9);
    }
}

fn processes(text: &mut Text, snapshot: &Snapshot) {
    let all: Vec<Labelled> = snapshot.processes.iter().map(Labelled::new).collect();
    text.family("process_holds_mutex", Kind::Gauge, "1 if the process has the accept mutex.");
    for labelled in &all {
        let holds = snapshot.holder == Some(labelled.process.pid);
        text.sample(&labelled.labels(), u8::from(holds));
    }
    text.family("process_listens", Kind::Gauge, "1 if the process has the listening sockets in its epoll set.");
    for labelled in &all {
        text.sample(&labelled.labels(), labelled.process.counts.listening);
    }
    text.family("process_connections", Kind::Gauge, "Connections of the process now.");
    for labelled in &all {
        connections(text, &labelled.labels(), &labelled.process.counts);
    }
    Sums::default().each(|counter, about, _| {
        let Shown::Counter { name, about, per_unit } = Shown::of(counter, about) else { return };
        let name = format!("process_{name}");
        text.family(&name, Kind::Counter, about);
        for labelled in &all {
            labelled.process.counts.each(|other, _, numbers| {
                if let (true, [number]) = (other == counter, numbers) {
                    text.sample(&labelled.labels(), *number as f64 / per_unit);
                }
            });
        }
    });
    text.family("process_responses", Kind::Counter, "Answers of the process by class of status.");
    for labelled in &all {
        responses(text, &labelled.labels(), &labelled.process.counts);
    }
}

fn connections(text: &mut Text, labels: &Labels, sums: &Sums) {
    let states =
        [("open", sums.connections), ("reading", sums.reading), ("writing", sums.writing), ("waiting", sums.waiting())];
    for (state, number) in states {
        text.sample(&[labels, &[("state", state)]].concat(), number);
    }
}

fn responses(text: &mut Text, labels: &Labels, sums: &Sums) {
    for (class, number) in ["1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().zip(sums.status) {
        text.sample(&[labels, &[("class", class)]].concat(), number);
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
