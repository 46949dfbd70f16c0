//! `limit_conn`: how many requests of a client are answered at a time, as in nginx's `ngx_http_limit_conn_module.c`.

use super::limited;
use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{ConnectionLimit, Cx, Embedded, Exchange, Flow, error_lines, variables};
use crate::http::site::location::Location;
use crate::http::site::zones::{LimitLevel, LimitStatus, User, Zone, Zones};
use crate::shm::{Hold, NoHold};
use std::sync::Arc;

/// A `limit_conn`.
#[derive(Debug)]
pub struct Limit {
    zone: Arc<Zone>,
    max: u64,
}

/// The longest key, in bytes.
const MAX_KEY: usize = 255;

/// `limit_conn_zone`: the memory in which clients are counted.
pub static LIMIT_CONN_ZONE: Setting<()> = Setting::many(&["limit_conn_zone"], |args, (): &mut ()| {
    Zones::declare(args, User::Connections, |args, i, text| {
        Err(args.bad(i, format!("invalid parameter \"{text}\"")).help("zone=NAME:SIZE"))
    })
})
.contexts(Contexts::HTTP)
.args(2, 2)
.syntax("KEY zone=NAME:SIZE")
.about(
    "Memory of SIZE, shared by the workers, in which `limit_conn` counts clients, told apart by KEY: a text with \
     variables. Requests whose key is empty are not counted. A megabyte is enough for some 15,000 addresses \
     (`$binary_remote_addr`) that are being answered; a full zone refuses others.",
);

/// `limit_conn`: the limits of a location.
pub static LIMIT_CONN: Setting<Vec<Limit>> = Setting::many(&["limit_conn"], |args, limits: &mut Vec<Limit>| {
    let zone = Zones::named(args, 0, args.str(0)?, User::Connections)?;
    if limits.iter().any(|limit| Arc::ptr_eq(&limit.zone, &zone)) {
        return Err(args.directive("is duplicate").help("the block has a limit of this zone already"));
    }
    let text = args.str(1)?;
    match conf::parse_count(text) {
        Some(max @ 1..=65_535) => limits.push(Limit { zone, max }),
        Some(65_536..) => return Err(args.bad(1, "connection limit must be less 65536").help("from 1 to 65535")),
        _ => {
            let error = args.bad(1, format!("invalid number of connections \"{text}\""));
            return Err(error.help("from 1 to 65535; \"deny all\" lets nobody in"));
        }
    }
    Ok(())
})
.contexts(Contexts::HTTP_ALL)
.args(2, 2)
.syntax("ZONE NUMBER")
.about(
    "How many connections of a client may have a request that is being answered; further requests are refused. A \
     connection counts from the head of a request to the end of its answer, not while it is idle.",
);

/// `limit_conn_dry_run`: whether limits only log.
pub static LIMIT_CONN_DRY_RUN: Setting<bool> = Setting::flag("limit_conn_dry_run")
    .contexts(Contexts::HTTP_ALL)
    .default("off")
    .about("Whether `limit_conn` only logs what it would refuse.");

/// `limit_conn_status`: the status of refused requests.
pub static LIMIT_CONN_STATUS: Setting<LimitStatus> = Setting::one("limit_conn_status", LimitStatus::parse)
    .contexts(Contexts::HTTP_ALL)
    .args(1, 1)
    .syntax("STATUS")
    .default("503")
    .about("The status of the answer to a request that `limit_conn` refuses, 400 to 599.");

/// `limit_conn_log_level`: the level of the lines about refused requests.
pub static LIMIT_CONN_LOG_LEVEL: Setting<LimitLevel> = Setting::one_of("limit_conn_log_level")
    .contexts(Contexts::HTTP_ALL)
    .default("error")
    .about("The level of the lines in the error log about requests that `limit_conn` refuses.");

/// Whether the location has a limit.
pub(super) fn is_needed(location: &Location) -> bool {
    !location.scope.get(&LIMIT_CONN).is_empty()
}

/// Phase: the limits on connections, once an exchange.
pub(super) fn check(ex: &mut Exchange, cx: &Cx) -> Flow {
    let limits = ex.location_of(cx).scope.get(&LIMIT_CONN);
    if ex.limits.connections.is_some() {
        return Flow::Next;
    }
    let mut key = Vec::new();
    for limit in limits {
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
        ex.limits.connections = Some(ConnectionLimit::Passed);
        match Hold::take(memory, &key, limit.max) {
            Ok(Ok(hold)) => ex.limits.holds.push(hold),
            Ok(Err(NoHold::TooMany)) => {
                let scope = &ex.location_of(cx).scope;
                let (level, dry_run) = (scope.get(&LIMIT_CONN_LOG_LEVEL).0, *scope.get(&LIMIT_CONN_DRY_RUN));
                error_lines::connection_limited(ex, cx, level, dry_run, &limit.zone.name);
                return refuse(ex, cx);
            }
            Ok(Err(NoHold::Full(first))) => {
                if first {
                    error_lines::connection_zone_full(&limit.zone.name);
                }
                return refuse(ex, cx);
            }
            Err(_) => return refuse(ex, cx),
        }
    }
    Flow::Next
}

fn refuse(ex: &mut Exchange, cx: &Cx) -> Flow {
    ex.limits.holds.clear();
    let scope = &ex.location_of(cx).scope;
    let (dry_run, status) = (*scope.get(&LIMIT_CONN_DRY_RUN), *scope.get(&LIMIT_CONN_STATUS));
    let (verdict, flow) = limited::refuse(dry_run, status, ConnectionLimit::Rejected, ConnectionLimit::RejectedDryRun);
    ex.limits.connections = Some(verdict);
    flow
}

/// The directives of this module: `limit_conn_zone`, `limit_conn` and its family.
pub static DIRECTIVES: &[&dyn conf::Entry] =
    &[&LIMIT_CONN_ZONE, &LIMIT_CONN, &LIMIT_CONN_DRY_RUN, &LIMIT_CONN_STATUS, &LIMIT_CONN_LOG_LEVEL];

/// The variable of this module.
pub static VARIABLES: &[Embedded] = &[Embedded::ours(
    "limit_conn_status",
    "what limit_conn did: PASSED, REJECTED or REJECTED_DRY_RUN",
    |ex, _, out| variables::put(out, ex.limits.connections.map(ConnectionLimit::text)),
)];
