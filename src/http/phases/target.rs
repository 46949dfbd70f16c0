//! The target of a request: its server, by the host, and its normalised uri.

use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Cx, Exchange, error_lines};
use crate::http::message::head::{Form, Span};
use crate::http::message::reject::{Phase, Reject};
use crate::http::message::uri;

/// Whether runs of slashes count as one.
pub static MERGE_SLASHES: Setting<bool> = Setting::flag("merge_slashes")
    .contexts(Contexts::HTTP.union(Contexts::SERVER))
    .default("on")
    .about("Whether a run of slashes in a uri counts as one.");

/// The server for the host, and the uri. `Ok(false)`: a regex among the names failed, and the server is the default
/// one.
pub(super) fn find(ex: &mut Exchange, cx: &Cx) -> Result<bool, Reject> {
    let input = cx.input;
    let selected = select_server(ex, cx, ex.head.host.of(input));
    ex.fate.keep_alive = ex.head.keep_alive;
    if ex.head.form == Form::Authority {
        // The bytes behind the head are for the other end of a tunnel: neither a body nor the next request.
        ex.give_up();
        ex.body.is_begun = true;
        return Ok(true);
    }
    set_uri(ex, cx).map(|()| selected)
}

/// Takes path and query from the request line.
#[inline(always)]
fn set_uri(ex: &mut Exchange, cx: &Cx) -> Result<(), Reject> {
    let input = cx.input;
    let path = ex.head.path(input);
    ex.target.uri.clear();
    if ex.head.has_plain_path {
        ex.target.uri.extend_from_slice(path);
    } else {
        normalize(ex, cx, path)?;
    }
    if let Some(query) = ex.head.query(input) {
        ex.target.args.extend_from_slice(query);
        ex.target.has_args = !query.is_empty();
    }
    Ok(())
}

fn normalize(ex: &mut Exchange, cx: &Cx, path: &[u8]) -> Result<(), Reject> {
    let merge = ex.server_of(cx).rules.merges_slashes;
    match uri::normalize(path, merge, &mut ex.target.uri) {
        Ok(normal) if std::ptr::eq(normal, path) => {
            ex.target.uri.clear();
            ex.target.uri.extend_from_slice(path);
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(reject) => {
            ex.target.uri.clear();
            Err(reject)
        }
    }
}

impl Exchange {
    /// The client went away in the middle of the head. As much is known of the request as of one that comes too slowly.
    pub fn abandon(&mut self, cx: &Cx) {
        find_for_refused(self, cx, Reject::TimedOut);
        self.response.status = 400;
        self.account.is_cut_short = true;
    }
}

/// The server whose page a refused request gets: by the host in its head, unless the request line itself is refused.
pub(super) fn find_for_refused(ex: &mut Exchange, cx: &Cx, reject: Reject) {
    match ex.head.host.of(cx.input) {
        host if !host.is_empty() && reject.phase() != Phase::RequestLine => {
            select_server(ex, cx, host);
        }
        _ => set_server(ex, cx, cx.first_server()),
    }
    note_what_is_read(ex, cx, reject);
}

/// Takes what nginx knows of a refused request: the uri once the request line is read, the header lines in front of the
/// fault, and the length of both.
fn note_what_is_read(ex: &mut Exchange, cx: &Cx, reject: Reject) {
    let is_http2 = ex.is_http2();
    match reject.phase() {
        Phase::RequestLine => {
            if !is_http2 {
                ex.account.head_counted = ex.head.counted_of_refused(cx.input, reject);
            }
            ex.head.cut_fields(0);
            ex.head.host = Span::default();
        }
        Phase::Headers if !is_http2 && ex.account.head_len == 0 => {
            ex.account.head_counted = ex.head.counted_of_refused(cx.input, reject);
            if ex.head.has_request_line() && ex.head.form != Form::Authority {
                // A path that is refused itself stays empty; the fault that was met first counts.
                let _ = set_uri(ex, cx);
            }
        }
        _ => {}
    }
}

/// Takes the server for the host. `false`: a regex among the names failed, and the server is the default one.
#[inline(always)]
fn select_server(ex: &mut Exchange, cx: &Cx, host: &[u8]) -> bool {
    match cx.conf.select_server(cx.conn.bound, host, ex.target.captured.get_mut()) {
        Ok(server) => {
            set_server(ex, cx, server);
            true
        }
        Err(error) => {
            set_server(ex, cx, cx.conf.default_server(cx.conn.bound));
            error_lines::regex_failed(ex, cx, host, &error);
            false
        }
    }
}

/// Takes a server, and its own settings for a location.
pub(super) fn set_server(ex: &mut Exchange, cx: &Cx, server: usize) {
    ex.target.server = server;
    ex.target.location = cx.conf.server(server).own;
}

/// The directive of this module: `merge_slashes`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&MERGE_SLASHES];
