//! `ledger`: everything that is counted, as JSON.
//!
//! # Schema 1
//!
//! Members may be added within a schema; what is there keeps its name and meaning. All are numbers unless it says
//! otherwise.
//!
//! | member | what it holds |
//! |---|---|
//! | `schema` | 1 |
//! | `server`, `version` | texts: `drover` and its version |
//! | `time_unix_ms`, `started_unix_ms` | now, and when the master was started: ms since 1970 |
//! | `master` | the master's pid |
//! | `generation` | how many confs have been taken into service |
//! | `worker_connections` | as the conf that serves has it |
//! | `certificate_expiry_unix_s` | when the first certificate of the conf expires, seconds since 1970, or null |
//! | `reloads` | `ok`, `failed`; `error`: why the last one failed, a text, or null |
//! | `respawns` | children that died unasked and were replaced |
//! | `dispatch` | `model`: the name of the one that serves, a text; `reason`: why it is not the conf's; null: it is |
//! | | `mutex_holder`: pid of the worker that has the accept mutex, or null |
//! | `bounds` | upper bounds of the histograms' buckets in seconds, an array each; the last bucket has none |
//! | `totals` | all counters, over the dead and the living |
//! | `processes` | an array of the living: all counters of each process, and the members of a process |
//!
//! The members of a process are `pid`, `role` (`worker` or `dispatcher`), `number`, `generation`, `threads` and
//! `holds_mutex` (true or false).
//!
//! The counters are the fields of [`crate::shm::Sums`] under their names, and `waiting`; those with several numbers are
//! arrays: `status` from 1xx to 5xx, `protocols` (requests) in the order of [`crate::shm::Protocol`],
//! `http2_connections` in clear and over TLS (there, the handshakes in which ALPN has chosen it), `request_time` and
//! `accept_delay` by bucket, `tls_handshakes` for the versions 1.2 and 1.3, `tls_full_time` and `tls_resumed_time` by
//! the buckets of `request_time`, `tls_failures` for the reasons in the order of [`crate::shm::HandshakeEnd`],
//! `file_lookups` and `gzip_lookups` for hits and misses, `limited_requests` in the order of [`crate::shm::Limited`].

use super::json::Json;
use super::snapshot::Process;
use super::snapshot::Snapshot;
use super::view::{self, PLACES, Page, View, about, said};
use crate::conf::Setting;
use crate::http::exchange::{Exchange, Handler};
use crate::shm::Sums;
use crate::shm::histogram::{ACCEPT_DELAY_BUCKETS, REQUEST_TIME_BUCKETS, bound};

/// To be raised when a member goes or changes its meaning.
const SCHEMA: u64 = 1;

pub(crate) static LEDGER: Setting<bool> =
    Setting::one("ledger", said).contexts(PLACES).args(0, 0).syntax("").local().about(about!(
        "Answers with all counters of the service, and of each of its processes, as JSON with a schema version."
    ));

pub(super) static VIEW: View = View {
    setting: &LEDGER,
    handler: Handler { name: "ledger", run: |ex, cx| view::answer(ex, cx, write), is_private: true, shows_times: true },
};

pub(super) fn write(_: &Exchange, snapshot: &Snapshot) -> Page {
    let mut json = Json::default();
    json.object(|json| {
        json.key("schema").number(SCHEMA);
        head(json, snapshot);
        json.key("bounds").object(|json| {
            json.key("request_time").array(|json| bounds(json, REQUEST_TIME_BUCKETS, 1e6));
            json.key("accept_delay").array(|json| bounds(json, ACCEPT_DELAY_BUCKETS, 1e3));
        });
        json.key("totals").object(|json| counters(json, &snapshot.totals));
        json.key("processes").array(|json| {
            for process in &snapshot.processes {
                json.object(|json| row(json, process, snapshot.holder));
            }
        });
    });
    Page { media_type: "application/json", body: json.into_bytes() }
}

fn head(json: &mut Json, snapshot: &Snapshot) {
    use std::sync::atomic::Ordering::Relaxed;
    let header = snapshot.header;
    json.key("server").text("drover");
    json.key("version").text(env!("CARGO_PKG_VERSION"));
    json.key("time_unix_ms").number(snapshot.now_ms);
    json.key("started_unix_ms").number(header.started_unix_ms.load(Relaxed));
    json.key("master").number(header.master.load(Relaxed).into());
    json.key("generation").number(header.generation.load(Relaxed).into());
    json.key("worker_connections").number(header.worker_connections.load(Relaxed));
    match header.certificate_expiry_unix_s.load(Relaxed) {
        0 => json.key("certificate_expiry_unix_s").null(),
        expiry => json.key("certificate_expiry_unix_s").number(expiry),
    }
    json.key("reloads").object(|json| {
        json.key("ok").number(header.reloads_ok.get());
        json.key("failed").number(header.reloads_failed.get());
        match header.reload_error.get().as_str() {
            "" => json.key("error").null(),
            error => json.key("error").text(error),
        }
    });
    json.key("respawns").number(header.respawns.get());
    json.key("dispatch").object(|json| {
        json.key("model").text(&header.model.get());
        match header.model_reason.get().as_str() {
            "" => json.key("reason").null(),
            reason => json.key("reason").text(reason),
        }
        match snapshot.holder {
            Some(pid) => json.key("mutex_holder").number(pid.into()),
            None => json.key("mutex_holder").null(),
        }
    });
}

/// The bounds of a histogram that counts in units of `per_second` to the second.
fn bounds(json: &mut Json, buckets: usize, per_second: f64) {
    (0..buckets - 1).for_each(|i| json.decimal(bound(i) as f64 / per_second));
}

fn counters(json: &mut Json, sums: &Sums) {
    sums.each(|name, _, numbers| match numbers {
        [number] => json.key(name).number(*number),
        row => json.key(name).array(|json| row.iter().for_each(|number| json.number(*number))),
    });
    json.key("waiting").number(sums.waiting());
}

fn row(json: &mut Json, process: &Process, holder: Option<u32>) {
    json.key("pid").number(process.pid.into());
    json.key("role").text(process.role_name());
    json.key("number").number(process.number.into());
    json.key("generation").number(process.generation.into());
    json.key("threads").number(process.slots.into());
    json.key("holds_mutex").flag(holder == Some(process.pid));
    counters(json, &process.counts);
}
