//! Which connections go on after an answer, and how long they wait for the next request.

use super::cx::Cx;
use super::state::Exchange;
use crate::conf::{self, Contexts, Scope, Setting};
use crate::http::message::browser;
use crate::http::message::field::Id;
use crate::http::message::head::Method;
use crate::http::site::location::Kept;

/// The two values of `keepalive_timeout`.
#[derive(Debug, Default, Clone, Copy)]
pub struct KeepaliveTimeout {
    /// How long an idle connection is kept, ms; 0: not at all.
    pub idle_ms: u64,
    /// The promise of the `Keep-Alive` header field, seconds.
    pub header_s: Option<u64>,
}

/// `keepalive_timeout`: how long an idle connection stays open, and how long the server promises.
pub static KEEPALIVE_TIMEOUT: Setting<KeepaliveTimeout> = Setting::one("keepalive_timeout", |args| {
    let idle_ms = args.time_ms(0)?;
    let header_s = if args.len() == 2 { Some(args.time_s(1)?) } else { None };
    Ok(KeepaliveTimeout { idle_ms, header_s: header_s.filter(|seconds| *seconds > 0) })
})
.contexts(Contexts::HTTP_ALL)
.args(1, 2)
.syntax("TIMEOUT [HEADER_TIMEOUT]")
.default("75s")
.about(
    "How long an idle keep-alive connection stays open; 0 closes it after each response. The second value is sent to \
     the client as `Keep-Alive: timeout=`.",
);

/// `keepalive_requests`: how many requests a connection may carry.
pub static KEEPALIVE_REQUESTS: Setting<u64> = Setting::count("keepalive_requests")
    .contexts(Contexts::HTTP_ALL)
    .default("1000")
    .about("Requests that one connection may carry before it is closed.");

/// `keepalive_time`: how long a connection may carry requests, ms.
pub static KEEPALIVE_TIME: Setting<u64> = Setting::time_ms("keepalive_time")
    .contexts(Contexts::HTTP_ALL)
    .default("1h")
    .about("How long one connection may carry requests before it is closed.");

/// `keepalive_min_timeout`: how long an idle connection is kept whatever comes, ms.
pub static KEEPALIVE_MIN_TIMEOUT: Setting<u64> =
    Setting::time_ms("keepalive_min_timeout").contexts(Contexts::HTTP_ALL).default("0").about(
        "How long an idle connection is not closed for the room of another, nor by a graceful shutdown, so that a \
         client may still send a request that is on its way. The answer of a worker that shuts down says \
         `Connection: close`. Zero: no such time.",
    );

bitflags::bitflags! {
    /// The browsers whose connections are closed.
    #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
    pub struct Browsers: u8 {
        /// None.
        const NONE = 1;
        /// Old versions of Internet Explorer, after a POST.
        const MSIE6 = 1 << 1;
        /// Safari on a Mac.
        const SAFARI = 1 << 2;
    }
}

const BROWSERS: &[(&str, Browsers)] =
    &[("none", Browsers::NONE), ("msie6", Browsers::MSIE6), ("safari", Browsers::SAFARI)];

/// `keepalive_disable`: the browsers whose connections are closed after an answer.
pub static KEEPALIVE_DISABLE: Setting<Browsers> =
    Setting::many(&["keepalive_disable"], |args, browsers: &mut Browsers| {
        for i in 0..args.len() {
            let word = args.one_of(i, BROWSERS)?;
            if browsers.contains(word) {
                args.warn(i, format!("duplicate value \"{}\"", args.str(i)?));
            }
            *browsers |= word;
        }
        Ok(())
    })
    .contexts(Contexts::HTTP_ALL)
    .args(1, 2)
    .syntax("none | msie6 | safari ...")
    .default("msie6")
    .about(
        "Browsers whose connections are closed after an answer, because they can't keep them: old versions of Internet \
         Explorer after a POST (`msie6`), Safari on a Mac (`safari`).",
    );

/// Gives the connection up where the location does not keep it. To be asked in each location that the request comes
/// to: none can take it back (`ngx_http_update_location_config`).
#[inline(always)]
pub(in crate::http) fn check(ex: &mut Exchange, cx: &Cx) {
    let asked = Some(ex.target.location);
    if ex.fate.keep_alive && ex.fate.asked != asked {
        ex.fate.asked = asked;
        let kept = &ex.location_of(cx).rules.kept;
        ex.fate.keep_alive = is_kept(kept, cx) && !is_disabled(kept, ex, cx);
    }
}

/// Which connections a location of this scope keeps. Asked once, when the conf is compiled.
pub(in crate::http) fn kept(scope: &Scope) -> Kept {
    let is_on = scope.get(&KEEPALIVE_TIMEOUT).idle_ms > 0;
    let browsers = scope.get(&KEEPALIVE_DISABLE);
    Kept {
        requests: if is_on { *scope.get(&KEEPALIVE_REQUESTS) } else { 0 },
        time_ms: *scope.get(&KEEPALIVE_TIME),
        closes_msie6: browsers.contains(Browsers::MSIE6),
        closes_safari: browsers.contains(Browsers::SAFARI),
    }
}

pub(super) fn is_kept(kept: &Kept, cx: &Cx) -> bool {
    u64::from(cx.conn.requests) < kept.requests && cx.clock.now_ms().saturating_sub(cx.conn.opened_ms) <= kept.time_ms
}

/// Whether the client is a browser whose connections the location does not keep.
#[inline(always)]
fn is_disabled(kept: &Kept, ex: &Exchange, cx: &Cx) -> bool {
    let (asks_msie6, asks_safari) = (ex.head.method == Method::Post && kept.closes_msie6, kept.closes_safari);
    (asks_msie6 || asks_safari) && is_one_of(asks_msie6, asks_safari, ex, cx)
}

#[inline(never)]
fn is_one_of(asks_msie6: bool, asks_safari: bool, ex: &Exchange, cx: &Cx) -> bool {
    let agent = ex.head.known(cx.input, Id::UserAgent).unwrap_or_default();
    asks_msie6 && browser::is_msie6(agent) || asks_safari && browser::is_safari(agent)
}

/// Whether this is the last answer on the connection, because the worker shuts down (`ngx_http_header_filter`) or
/// others wait for room.
pub(in crate::http) fn must_end(ex: &Exchange, cx: &Cx) -> bool {
    let is_wanted = || cx.is_full && cx.input.len() <= ex.taken();
    cx.leaving || is_wanted() && *ex.location_of(cx).scope.get(&KEEPALIVE_MIN_TIMEOUT) == 0
}

/// The directives of this module: which connections are kept, and how long.
pub static DIRECTIVES: &[&dyn conf::Entry] =
    &[&KEEPALIVE_TIMEOUT, &KEEPALIVE_REQUESTS, &KEEPALIVE_TIME, &KEEPALIVE_MIN_TIMEOUT, &KEEPALIVE_DISABLE];
