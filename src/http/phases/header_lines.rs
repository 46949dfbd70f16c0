//! Which of a request's header lines count, and how many there may be, as in nginx's
//! `ngx_http_process_request_headers`: `underscores_in_headers`, `ignore_invalid_headers`, `max_headers`.

use super::target;
use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Cx, Exchange, error_lines};
use crate::http::message::field::Id;
use crate::http::message::head::{Field, Form, Span};
use crate::http::message::reject::Reject;
use crate::http::site::Server;

const SERVERS: Contexts = Contexts::HTTP.union(Contexts::SERVER);

/// `underscores_in_headers`: whether names of header fields may have underscores.
pub static UNDERSCORES_IN_HEADERS: Setting<bool> =
    Setting::flag("underscores_in_headers").contexts(SERVERS).default("off").about(
        "Whether the name of a request's header field may have an underscore. Without it such a field is unusual: \
         see `ignore_invalid_headers`. `$http_a_b` has the fields `A-B`, and then `A_B`, too. For header lines in \
         front of `Host` the value of the address's default server counts.",
    );

/// `ignore_invalid_headers`: whether header fields with unusual names are left out.
pub static IGNORE_INVALID_HEADERS: Setting<bool> =
    Setting::flag("ignore_invalid_headers").contexts(SERVERS).default("on").about(
        "Whether a request's header fields count as not sent when their names have something besides letters, digits, \
         hyphens and perhaps underscores (`underscores_in_headers`). Lines that HTTP does not allow are refused either \
         way. For header lines in front of `Host` the value of the address's default server counts.",
    );

/// `max_headers`: how many header lines a request may have.
pub static MAX_HEADERS: Setting<u64> = Setting::count("max_headers").contexts(SERVERS).default("1000").about(
    "How many header lines a request may have (else 431); those that are ignored do not count. For header lines in \
     front of `Host`, and `Host` itself, the value of the address's default server counts.",
);

/// Decides about the header lines. To be called when the host's server is known.
pub(super) fn check(ex: &mut Exchange, cx: &Cx) -> Result<(), Reject> {
    let own = ex.target.server;
    // In HTTP/2 the host comes in front of all lines (ngx_http_v2_state_process_header).
    let default = if ex.is_http2() { own } else { cx.conf.default_server(cx.conn.bound) };
    let count = ex.head.fields.len();
    let is_usual = ex.head.unusual.is_empty()
        && has_room(cx.conf.server(own), count)
        && (own == default || has_room(cx.conf.server(default), count));
    if is_usual { Ok(()) } else { check_each(ex, cx, own, default) }
}

/// Whether so many lines are allowed.
fn has_room(server: &Server, count: usize) -> bool {
    count as u64 <= server.rules.max_headers
}

/// Reads the lines again, in their order: those behind `Host` by the rules of its server.
#[cold]
fn check_each(ex: &mut Exchange, cx: &Cx, own: usize, default: usize) -> Result<(), Reject> {
    let names_host = matches!(ex.head.form, Form::Absolute | Form::Authority);
    let mut server = if names_host { own } else { default };
    target::set_server(ex, cx, server);
    for (field, is_unusual) in ex.head.take_lines() {
        let scope = &cx.conf.server(server).scope;
        if is_unusual && *scope.get(&IGNORE_INVALID_HEADERS) {
            let is_wanted = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            if !*scope.get(&UNDERSCORES_IN_HEADERS) || !field.name.of(cx.input).iter().all(is_wanted) {
                error_lines::field_ignored(ex, cx, line_of(field, cx.input));
                continue;
            }
        }
        if !has_room(cx.conf.server(server), ex.head.fields.len() + 1) {
            if server != own {
                // The page is the default server's.
                ex.head.host = Span::default();
            }
            return Err(Reject::TooManyFields);
        }
        ex.head.push(field);
        if field.id == Some(Id::Host) {
            server = own;
            target::set_server(ex, cx, own);
        }
    }
    target::set_server(ex, cx, own);
    Ok(())
}

/// The line of a field, for the log: nginx's ends with the value, where there is one.
fn line_of(field: Field, input: &[u8]) -> Span {
    let start = field.name.start as usize;
    if !field.value.is_empty() {
        return Span::new(start, field.value.end());
    }
    let rest = input.get(start..).unwrap_or_default();
    Span::new(start, start + rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len()))
}

/// The directives of this module: `underscores_in_headers`, `ignore_invalid_headers`, `max_headers`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&UNDERSCORES_IN_HEADERS, &IGNORE_INVALID_HEADERS, &MAX_HEADERS];
