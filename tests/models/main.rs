//! The promises that every dispatch model keeps: one body of cases over `drover::dispatch::MODELS`, so that a model
//! that is added to the list is tested by being there. Each test is called `MODEL::CASE`: `cargo test --test models
//! herd::` runs all cases of one model, `cargo test --test models ::reload` one case of all. With `MODELS_TIMES=1` in
//! the environment the seconds of each case are printed: few long cases make most of the time.

#[path = "../support/mod.rs"]
mod support;

mod change;
mod clients;
mod coded;
mod crowd;
mod death;
mod endings;
mod guarded;
mod http2;
mod limits;
mod load;
mod mechanism;
mod panics;
mod powers;
mod proxied;
mod room;
mod secure;
mod service;
mod serving;
mod shared;

use std::time::Instant;

use drover::dispatch::{MODELS, ModelKind};
use libtest_mimic::{Arguments, Trial};

type Case = (&'static str, fn(&'static ModelKind));

const CASES: &[Case] = &[
    ("http", serving::http),
    ("keep_alive_and_pipelining", serving::keep_alive_and_pipelining),
    ("short_connections", serving::short_connections),
    ("slow_clients", serving::slow_clients),
    ("gzip", coded::gzip),
    ("tags_of_contents", coded::tags_of_contents),
    ("timeouts", serving::timeouts),
    ("guarded", guarded::guarded),
    ("slow_hash", guarded::slow_hash),
    ("syslog", shared::syslog),
    ("connection_counts", shared::connection_counts),
    ("http2", http2::http2),
    ("http2_faults", http2::http2_faults),
    ("http2_reload", http2::http2_reload),
    ("http2_kill", http2::http2_kill),
    ("http2_overload", http2::http2_overload),
    ("streams", serving::streams),
    ("proxy_header", proxied::proxy_header),
    ("secure", secure::secure),
    ("secure_reload", secure::secure_reload),
    ("secure_http2", secure::secure_http2),
    ("secure_silence", secure::secure_silence),
    ("secure_sessions", secure::secure_sessions),
    ("request_limits", clients::request_limits),
    ("connection_limits", clients::connection_limits),
    ("marks", clients::marks),
    ("additions", serving::additions),
    ("sums", serving::sums),
    ("lost_lines", serving::lost_lines),
    ("panics", panics::panics),
    ("powers", powers::powers),
    ("refused_calls", powers::refused_calls),
    ("sandbox", powers::sandbox),
    ("kill", death::kill),
    ("stop", death::stop),
    ("orphans", death::orphans),
    ("orphans_without_end", death::orphans_without_end),
    ("reload", change::reload),
    ("moved_port", change::moved_port),
    ("upgrade", change::upgrade),
    ("take_back", change::take_back),
    ("quit", change::quit),
    ("last_response", endings::last_response),
    ("close_after_a_large_response", endings::close_after_a_large_response),
    ("close_while_on_its_way", endings::close_while_on_its_way),
    ("last_bytes", endings::last_bytes),
    ("last_bytes_have_their_time", endings::last_bytes_have_their_time),
    ("overload", limits::overload),
    ("last_places", limits::last_places),
    ("silent_clients", room::silent_clients),
    ("requests_on_their_way", room::requests_on_their_way),
    ("few_descriptors", room::few_descriptors),
    ("descriptors_run_out", room::descriptors_run_out),
    ("no_descriptors", limits::no_descriptors),
    ("fork_limit", limits::fork_limit),
    ("idle", limits::idle),
    ("mechanism", mechanism::mechanism),
    ("wakeups", mechanism::wakeups),
];

fn main() {
    let mut arguments = Arguments::from_args();
    // Most of the time a test waits: for a reload, for an idle second, for clients that dribble.
    arguments.test_threads.get_or_insert(4);
    let shows_times = std::env::var_os("MODELS_TIMES").is_some();
    let trial = |kind: &'static ModelKind, (name, case): Case| {
        Trial::test(format!("{}::{name}", kind.name), move || {
            let start = Instant::now();
            case(kind);
            if shows_times {
                eprintln!("{:6.2} s {}::{name}", start.elapsed().as_secs_f64(), kind.name);
            }
            Ok(())
        })
    };
    let mut trials: Vec<Trial> =
        CASES.iter().flat_map(|case| MODELS.iter().map(move |kind| trial(kind, *case))).collect();
    trials.push(Trial::test("all::reload_from_model_to_model", || {
        change::from_model_to_model();
        Ok(())
    }));
    libtest_mimic::run(&arguments, trials).exit();
}
