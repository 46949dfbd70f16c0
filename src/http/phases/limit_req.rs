//! `limit_req`: how many requests of a client go by in a time, as in nginx's `ngx_http_limit_req_module.c`: the same
//! leaky bucket, with the same roundings.

use super::limited;
use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Cx, Embedded, Exchange, Flow, RequestLimit, error_lines, variables};
use crate::http::site::location::Location;
use crate::http::site::zones::{Declared, LimitLevel, LimitStatus, User, Zone, Zones};
use crate::log::Level;
use crate::shm::{self, Entry, State, Table};
use std::sync::Arc;

/// A `limit_req`; numbers of requests are in thousandths.
#[derive(Debug)]
pub struct Limit {
    zone: Arc<Zone>,
    burst: u64,
    delay: u64,
}

/// The longest key, in bytes.
const MAX_KEY: usize = 65_535;

/// No entry is forgotten that was used in the last minute, ms; also how far the clock may seem to go back.
const MINUTE_MS: i64 = 60_000;

/// `limit_req_zone`: the memory in which clients are counted.
pub static LIMIT_REQ_ZONE: Setting<()> = Setting::many(&["limit_req_zone"], |args, (): &mut ()| {
    Zones::declare(args, User::Requests, rate)
})
.contexts(Contexts::HTTP)
.args(3, 3)
.syntax("KEY zone=NAME:SIZE rate=NUMBERr/s|r/m")
.about(
    "Memory of SIZE, shared by the workers, in which `limit_req` counts the requests of clients, told apart by KEY: a \
     text with variables. Requests whose key is empty are not counted. A megabyte is enough for some 15,000 addresses \
     (`$binary_remote_addr`); in a full zone the client that was seen last the longest time ago is forgotten. A reload \
     keeps the counts of a zone whose size stays.",
);

/// `limit_req`: the limits of a location.
pub static LIMIT_REQ: Setting<Vec<Limit>> = Setting::many(&["limit_req"], |args, limits: &mut Vec<Limit>| {
    let (mut zone, mut burst, mut delay) = (None, 0, 0);
    for i in 0..args.len() {
        let text = args.str(i)?;
        if let Some(name) = text.strip_prefix("zone=") {
            zone = Some(Zones::named(args, i, name, User::Requests)?);
        } else if let Some(number) = text.strip_prefix("burst=") {
            burst = positive(number).ok_or_else(|| {
                let help = "a number from 1 on; without a burst leave it out";
                args.bad(i, format!("invalid burst value \"{text}\"")).help(help)
            })?;
        } else if let Some(number) = text.strip_prefix("delay=") {
            delay = positive(number).ok_or_else(|| {
                let help = "a number from 1 on; without it all are delayed, and \"nodelay\" delays none";
                args.bad(i, format!("invalid delay value \"{text}\"")).help(help)
            })?;
        } else if text == "nodelay" {
            delay = u64::MAX;
        } else {
            let error = args.bad(i, format!("invalid parameter \"{text}\""));
            return Err(error.help("zone=NAME, burst=NUMBER, delay=NUMBER or nodelay"));
        }
    }
    let no_zone = || args.bad(0, "\"limit_req\" must have \"zone\" parameter").help("zone=NAME, of a limit_req_zone");
    let zone = zone.ok_or_else(no_zone)?;
    if limits.iter().any(|limit| Arc::ptr_eq(&limit.zone, &zone)) {
        return Err(args.directive("is duplicate").help("the block has a limit of this zone already"));
    }
    limits.push(Limit { zone, burst: burst.saturating_mul(1000), delay: delay.saturating_mul(1000) });
    Ok(())
})
.contexts(Contexts::HTTP_ALL)
.args(1, 3)
.syntax("zone=NAME [burst=NUMBER] [nodelay | delay=NUMBER]")
.about(
    "Lets requests by at the rate of a zone. Up to `burst` more are delayed until it is their time, all of them or \
     those after the first `delay`; `nodelay` delays none. The others are refused. Of several limits each must let a \
     request by. A request that is delayed takes no worker's time.",
);

/// `limit_req_dry_run`: whether limits only count and log.
pub static LIMIT_REQ_DRY_RUN: Setting<bool> = Setting::flag("limit_req_dry_run")
    .contexts(Contexts::HTTP_ALL)
    .default("off")
    .about("Whether `limit_req` only counts and logs, and lets all requests by at once.");

/// `limit_req_status`: the status of refused requests.
pub static LIMIT_REQ_STATUS: Setting<LimitStatus> = Setting::one("limit_req_status", LimitStatus::parse)
    .contexts(Contexts::HTTP_ALL)
    .args(1, 1)
    .syntax("STATUS")
    .default("503")
    .about("The status of the answer to a request that `limit_req` refuses, 400 to 599.");

/// `limit_req_log_level`: the level of the lines about refused requests.
pub static LIMIT_REQ_LOG_LEVEL: Setting<LimitLevel> =
    Setting::one_of("limit_req_log_level").contexts(Contexts::HTTP_ALL).default("error").about(
        "The level of the lines in the error log about requests that `limit_req` refuses; those about delayed ones \
         have the level below.",
    );

/// Reads `rate=`, as thousandths of a request a second.
fn rate(args: &conf::Args, i: usize, text: &str) -> Result<u64, conf::Error> {
    let Some(said) = text.strip_prefix("rate=") else {
        let error = args.bad(i, format!("invalid parameter \"{text}\""));
        return Err(error.help("zone=NAME:SIZE or rate=10r/s"));
    };
    let (number, scale) = match (said.strip_suffix("r/s"), said.strip_suffix("r/m")) {
        (Some(number), _) => (number, 1),
        (_, Some(number)) => (number, 60),
        _ => (said, 1),
    };
    let number = positive(number).ok_or_else(|| {
        args.bad(i, format!("invalid rate \"{text}\"")).help("a number of requests, such as 10r/s or 30r/m")
    })?;
    Ok(number.saturating_mul(1000) / scale)
}

fn positive(text: &str) -> Option<u64> {
    conf::parse_count(text).filter(|number| *number > 0)
}

/// The word of one limit on a request.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// The request may go by, and is counted with so much over the rate (nginx: NGX_OK).
    Counted(u64),
    /// The request may go by, and is counted if the limits behind this one let it by (NGX_AGAIN).
    Noted(Noted),
    /// The request is over the burst by so much over the rate (NGX_BUSY).
    Busy(u64),
    /// The zone has no room; true the first time (NGX_ERROR).
    Full(bool),
}

/// An entry that waits for the verdict of other limits: it is not forgotten so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Noted {
    entry: Entry,
    epoch: u64,
}

/// The milliseconds since an entry was counted last; clocks of processes may differ.
fn elapsed(now_ms: u64, last_ms: u64) -> u64 {
    match now_ms.wrapping_sub(last_ms) as i64 {
        ms if ms < -MINUTE_MS => 1,
        ms => u64::try_from(ms).unwrap_or(0),
    }
}

/// The requests over the rate, with one more, `ms` after the last.
fn excess(before: u64, rate: u64, ms: u64) -> u64 {
    before.saturating_add(1000).saturating_sub(rate.saturating_mul(ms) / 1000)
}

/// Asks one limit (`ngx_http_limit_req_lookup`); `counts`: no other is asked behind it.
fn look_up(table: &mut Table, key: &[u8], rate: u64, burst: u64, now_ms: u64, counts: bool) -> Verdict {
    let epoch = table.epoch();
    if let Some(entry) = table.find(key) {
        table.touch(entry);
        let mut state = table.state(entry);
        let ms = elapsed(now_ms, state.last_ms);
        let excess = excess(state.excess, rate, ms);
        if excess > burst {
            return Verdict::Busy(excess);
        }
        if !counts {
            table.set(entry, State { count: state.count + 1, ..state });
            return Verdict::Noted(Noted { entry, epoch });
        }
        state.excess = excess;
        if ms > 0 {
            state.last_ms = now_ms;
        }
        table.set(entry, state);
        return Verdict::Counted(excess);
    }
    expire(table, rate, now_ms, false);
    let entry = table.insert(key).or_else(|| {
        expire(table, rate, now_ms, true);
        table.insert(key)
    });
    let Some(entry) = entry else { return Verdict::Full(table.tells_first()) };
    if counts {
        table.set(entry, State { last_ms: now_ms, ..State::default() });
        return Verdict::Counted(0);
    }
    table.set(entry, State { count: 1, ..State::default() });
    Verdict::Noted(Noted { entry, epoch })
}

/// Forgets one or two entries that have nothing over the rate; by force the oldest whatever it has
/// (`ngx_http_limit_req_expire`).
fn expire(table: &mut Table, rate: u64, now_ms: u64, by_force: bool) {
    for n in usize::from(!by_force)..3 {
        let Some(oldest) = table.oldest() else { return };
        let state = table.state(oldest);
        if state.count > 0 {
            return;
        }
        if n > 0 {
            let ms = (now_ms.wrapping_sub(state.last_ms) as i64).unsigned_abs();
            if ms < MINUTE_MS as u64 || state.excess > rate.saturating_mul(ms) / 1000 {
                return;
            }
        }
        table.remove(oldest);
    }
}

/// Counts a request that all limits let by (`ngx_http_limit_req_account`). Returns what it has over the rate.
fn count_noted(table: &mut Table, noted: Noted, rate: u64, now_ms: u64) -> u64 {
    if table.epoch() != noted.epoch {
        return 0;
    }
    let mut state = table.state(noted.entry);
    let ms = elapsed(now_ms, state.last_ms);
    state.excess = excess(state.excess, rate, ms);
    if ms > 0 {
        state.last_ms = now_ms;
    }
    state.count = state.count.saturating_sub(1);
    table.set(noted.entry, state);
    state.excess
}

/// A request that is not let by is not counted.
fn forget_noted(table: &mut Table, noted: Noted) {
    if table.epoch() == noted.epoch {
        let state = table.state(noted.entry);
        table.set(noted.entry, State { count: state.count.saturating_sub(1), ..state });
    }
}

/// How long what is over the rate, and may not go by at once, has to wait, ms.
fn delay(excess: u64, limit: &Limit, rate: u64) -> u64 {
    excess.saturating_sub(limit.delay).saturating_mul(1000) / rate
}

/// A limit that has noted the request.
struct Pending<'a> {
    limit: &'a Limit,
    declared: &'a Declared,
    memory: &'a shm::Zone,
    noted: Noted,
}

/// Whether the location has a limit.
pub(super) fn is_needed(location: &Location) -> bool {
    !location.scope.get(&LIMIT_REQ).is_empty()
}

/// Phase: the limits on requests, once an exchange.
pub(super) fn check(ex: &mut Exchange, cx: &Cx) -> Flow {
    let limits = ex.location_of(cx).scope.get(&LIMIT_REQ);
    if ex.limits.requests.is_some() {
        return Flow::Next;
    }
    let now_ms = cx.clock.now_ms();
    let mut pending: Vec<Pending> = Vec::new();
    // The delay, and the limit and what is over it, for the log.
    let mut longest: (u64, Option<(&Limit, u64)>) = (0, None);
    let mut key = Vec::new();
    let mut is_any = false;
    for (n, limit) in limits.iter().enumerate() {
        let Some((declared, memory)) = limit.zone.ready() else { continue };
        key.clear();
        declared.key.eval(ex, cx, &mut key);
        if key.is_empty() {
            continue;
        }
        if key.len() > MAX_KEY {
            error_lines::limit_key_too_long(ex, cx, &declared.key_text, &key, MAX_KEY);
            continue;
        }
        let Ok(mut table) = memory.lock() else { return refuse(ex, cx, &pending) };
        let was_left_whole = table.was_left_whole();
        let verdict = look_up(&mut table, &key, declared.rate, limit.burst, now_ms, n == limits.len() - 1);
        drop(table);
        if !was_left_whole {
            error_lines::zone_abandoned(&limit.zone.name);
        }
        is_any = true;
        match verdict {
            Verdict::Noted(noted) => pending.push(Pending { limit, declared, memory, noted }),
            Verdict::Counted(excess) => longest = (delay(excess, limit, declared.rate), Some((limit, excess))),
            Verdict::Busy(excess) => {
                let scope = &ex.location_of(cx).scope;
                let (level, dry_run) = (scope.get(&LIMIT_REQ_LOG_LEVEL).0, *scope.get(&LIMIT_REQ_DRY_RUN));
                error_lines::request_limited(ex, cx, level, dry_run, excess, &limit.zone.name);
                return refuse(ex, cx, &pending);
            }
            Verdict::Full(first) => {
                if first {
                    error_lines::request_zone_full(&limit.zone.name);
                }
                return refuse(ex, cx, &pending);
            }
        }
    }
    if !is_any {
        return Flow::Next;
    }
    for Pending { limit, declared, memory, noted } in pending.iter().rev() {
        let Ok(mut table) = memory.lock() else { continue };
        let excess = count_noted(&mut table, *noted, declared.rate, now_ms);
        drop(table);
        let ms = delay(excess, limit, declared.rate);
        if ms > longest.0 {
            longest = (ms, Some((limit, excess)));
        }
    }
    let (ms, Some((limit, excess))) = longest else {
        ex.limits.requests = Some(RequestLimit::Passed);
        return Flow::Next;
    };
    pass(ex, cx, ms, limit, excess)
}

/// Lets the request by, at once or `ms` later.
fn pass(ex: &mut Exchange, cx: &Cx, ms: u64, limit: &Limit, excess: u64) -> Flow {
    if ms == 0 {
        ex.limits.requests = Some(RequestLimit::Passed);
        return Flow::Next;
    }
    let scope = &ex.location_of(cx).scope;
    let level = match scope.get(&LIMIT_REQ_LOG_LEVEL).0 {
        Level::Error => Level::Warn,
        Level::Warn => Level::Notice,
        _ => Level::Info,
    };
    let dry_run = *scope.get(&LIMIT_REQ_DRY_RUN);
    error_lines::request_delayed(ex, cx, level, dry_run, excess, &limit.zone.name);
    if dry_run {
        ex.limits.requests = Some(RequestLimit::DelayedDryRun);
        return Flow::Next;
    }
    ex.limits.requests = Some(RequestLimit::Delayed);
    Flow::Wait(ms)
}

/// Refuses the request, which the limits in front have noted.
fn refuse(ex: &mut Exchange, cx: &Cx, pending: &[Pending]) -> Flow {
    for Pending { memory, noted, .. } in pending {
        if let Ok(mut table) = memory.lock() {
            forget_noted(&mut table, *noted);
        }
    }
    let scope = &ex.location_of(cx).scope;
    let (dry_run, status) = (*scope.get(&LIMIT_REQ_DRY_RUN), *scope.get(&LIMIT_REQ_STATUS));
    let (verdict, flow) = limited::refuse(dry_run, status, RequestLimit::Rejected, RequestLimit::RejectedDryRun);
    ex.limits.requests = Some(verdict);
    flow
}

/// The directives of this module: `limit_req_zone`, `limit_req` and its family.
pub static DIRECTIVES: &[&dyn conf::Entry] =
    &[&LIMIT_REQ_ZONE, &LIMIT_REQ, &LIMIT_REQ_DRY_RUN, &LIMIT_REQ_STATUS, &LIMIT_REQ_LOG_LEVEL];

/// The variable of this module.
pub static VARIABLES: &[Embedded] = &[Embedded::ours(
    "limit_req_status",
    "what limit_req did: PASSED, DELAYED, REJECTED, DELAYED_DRY_RUN or REJECTED_DRY_RUN",
    |ex, _, out| variables::put(out, ex.limits.requests.map(RequestLimit::text)),
)];

#[cfg(test)]
mod tests;
