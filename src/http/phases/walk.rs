//! The walk of a request through nginx's phases, and the only place that knows their order.
//!
//! A phase is a function that looks at the exchange and says where the request goes next ([`Flow`]); it calls neither
//! the walk nor another phase. A new phase is a file and a line in the list of this file.
//!
//! A module that a location does not use costs its requests nothing. A phase says behind `if` which locations need it,
//! and is asked once, when the conf is compiled (`Location::idle_phases`); a function that every answer passes looks at
//! its setting first, inlined, and calls something only where that says so (`content_type` of `answer/charset.rs`).

use super::{
    access, alias, auth_basic, autoindex, body_limit, clean_urls, empty_gif, error_page, gzip_static, header_lines,
    index, internal, limit_conn, limit_req, random_index, realip, rewrite, satisfy, static_files, target, try_files,
};
use crate::http::answer::{addition, cors, response};
use crate::http::exchange::over_tls;
use crate::http::exchange::{Action, Answer, Coded, Cx, Exchange, Flow, Found, Listed, LookupKind, Progress};
use crate::http::exchange::{error_lines, keep_alive};
use crate::http::message::head::Method;
use crate::http::message::reject::Reject;
use crate::http::message::request::{self, Parse};
use crate::http::site::location::Location;

/// Defines the list of phases in a location: each a function that says where the request goes from there; behind `if`
/// the function that tells whether a location has anything for the phase; behind `file` or `entries` the function that
/// gets the result of the phase's look-ups.
///
/// A macro, so that the compiler sees direct calls: by way of pointers a request takes 2 % more instructions.
macro_rules! phases {
    ($(
        $begin:path $(, if: $is_needed:path)? $(, file: $opened:path)? $(, entries: $listed:path)?
        $(, contents: $read:path)?;
    )*) => {
        /// The phases of the location from number `from` on, up to the one that does not say `Next`.
        #[allow(unused_assignments, reason = "the last phase has none behind it")]
        fn run_phases(ex: &mut Exchange, cx: &Cx, from: usize) -> Flow {
            let mut number = 0;
            let passed = 1_u32.checked_shl(from as u32).unwrap_or(0).wrapping_sub(1);
            let mut idle = ex.location_of(cx).idle_phases | passed;
            $(
                if idle & (1 << number) == 0 {
                    let flow = $begin(ex, cx);
                    if !matches!(flow, Flow::Next) {
                        note_asker(ex, number, &flow);
                        return flow;
                    }
                    // There is nothing to drop, and that is not worth a call for each phase.
                    std::mem::forget(flow);
                    // A script may have chosen another location.
                    idle = ex.location_of(cx).idle_phases;
                }
                number += 1;
            )*
            debug_assert_eq!(number, GET_FILE.len());
            Flow::Next
        }

        /// The phases that a location has nothing for, a bit each: most have nothing for most, and asking each costs
        /// more than the look at a bit.
        pub(in crate::http) fn idle_phases(location: &Location) -> u32 {
            const { assert!(GET_FILE.len() < 32, "a bit for each phase") };
            let needed: &[Option<fn(&Location) -> bool>] = &[$(phases!(@option $($is_needed)?)),*];
            let is_idle = |number: &usize| needed[*number].is_some_and(|is_needed| !is_needed(location));
            (0..needed.len()).filter(is_idle).fold(0, |idle, number| idle | 1 << number)
        }

        /// The functions that get what is at a path, by the numbers of the phases.
        static GET_FILE: &[Option<GetResult<Found>>] = &[$(phases!(@option $($opened)?)),*];

        /// The functions that get the entries of a directory, by the numbers of the phases.
        static GET_ENTRIES: &[Option<GetResult<Vec<Listed>>>] = &[$(phases!(@option $($listed)?)),*];

        /// The functions that get the contents of a file, by the numbers of the phases.
        static GET_CONTENTS: &[Option<GetResult<Vec<u8>>>] = &[$(phases!(@option $($read)?)),*];
    };
    (@option) => { None };
    (@option $get:path) => { Some($get) };
}

// nginx's order (`ngx_http_phases`); from `handle_content` on, its content handlers.
phases! {
    internal::check, if: internal::is_needed;
    body_limit::check;
    rewrite::in_location, if: rewrite::is_needed, file: rewrite::opened_in_location;
    body_limit::begin;
    realip::check, if: realip::is_needed;
    limit_req::check, if: limit_req::is_needed;
    limit_conn::check, if: limit_conn::is_needed;
    cors::preflight, if: cors::is_needed;
    access::check, if: access::is_needed;
    auth_basic::begin, if: auth_basic::is_needed, contents: auth_basic::read;
    satisfy::check, if: satisfy_is_needed;
    alias::check, if: alias::is_needed;
    clean_urls::begin, if: clean_urls::is_needed, file: clean_urls::opened;
    try_files::begin, if: try_files::is_needed, file: try_files::opened;
    handle_content, if: has_content;
    empty_gif::begin, if: empty_gif::is_needed;
    random_index::begin, if: random_index::is_needed, entries: random_index::listed;
    index::begin, file: index::opened;
    autoindex::begin, if: autoindex::is_needed, entries: autoindex::listed;
    gzip_static::begin, if: gzip_static::is_needed, file: gzip_static::opened;
    static_files::begin, file: static_files::opened;
}

/// Gets the result of a look-up, or an `errno`, with the phase's own mark of the look-up.
type GetResult<T> = fn(&mut Exchange, &Cx, usize, Result<T, i32>) -> Flow;

/// The number of the phase before the location is known, the server's script.
const IN_SERVER: usize = usize::MAX;

/// The number of the step behind all phases, in which additions to an answer are read.
const ADDED: usize = usize::MAX - 1;

/// Changes of the location that a request may take, as nginx's `NGX_HTTP_MAX_URI_CHANGES`.
const MAX_INTERNAL_REDIRECTS: u8 = 10;

impl Exchange {
    /// Takes the input as far as it goes: parses the head and, once it is whole, walks the request.
    pub fn request(&mut self, cx: &Cx, out: &mut Vec<u8>) -> Action {
        let first = cx.first_server();
        match request::parse(&mut self.head, cx.input, &cx.conf.server(first).rules.head_limits) {
            Ok(Parse::Partial) => {
                // The lines about a client that leaves now are those of this server.
                target::set_server(self, cx, first);
                Action::Read
            }
            Ok(Parse::Complete(len)) => {
                (self.account.head_len, self.account.head_counted) = (len, self.head.counted(len));
                self.enter(cx, out)
            }
            Err(reject) => self.reject(cx, out, reject),
        }
    }

    /// Walks a request whose head came in frames of HTTP/2: well-formed, or not.
    pub fn framed(&mut self, cx: &Cx, out: &mut Vec<u8>, result: Result<(), Reject>) -> Action {
        match result {
            Ok(()) => self.enter(cx, out),
            Err(reject) => self.reject(cx, out, reject),
        }
    }

    /// Walks a request whose head is whole.
    fn enter(&mut self, cx: &Cx, out: &mut Vec<u8>) -> Action {
        let flow = match understand(self, cx) {
            Ok(_) if self.is_http2() && !self.may_speak_http2(cx) => {
                error_lines::misdirected(self, cx);
                Flow::Answer(Answer::Error(421))
            }
            Ok(_) if over_tls::is_misdirected(self, cx) => self.misdirect(cx),
            // Whatever the conf says (nginx: ngx_http_process_request_header).
            Ok(_) if matches!(self.head.method, Method::Trace | Method::Connect) => {
                error_lines::method_refused(self, cx);
                Flow::Answer(self.response.refuse_method())
            }
            Ok(_) if let Some(status) = over_tls::refused(self, cx) => {
                self.give_up();
                Flow::Answer(Answer::Error(status))
            }
            Ok(true) => {
                realip::find(self, cx);
                begin(self, cx)
            }
            Ok(false) => Flow::Answer(Answer::Error(500)),
            Err(reject) => return self.reject(cx, out, reject),
        };
        walk(self, cx, out, flow)
    }

    /// Reports what is at the path of [`Action::Open`] or [`Action::Stat`], or the `errno` of the failure.
    pub fn opened(&mut self, cx: &Cx, result: Result<Found, i32>, out: &mut Vec<u8>) -> Action {
        if let Progress::Lookup { phase: IN_SERVER, step } = self.progress {
            let flow = rewrite::opened_in_server(self, cx, step, result);
            let flow = after_server(self, cx, flow);
            return walk(self, cx, out, flow);
        }
        give_result(self, cx, out, GET_FILE, result)
    }

    /// Reports the entries of the directory of [`Action::List`] or [`Action::Names`], or the `errno` of the
    /// failure.
    pub fn listed(&mut self, cx: &Cx, result: Result<Vec<Listed>, i32>, out: &mut Vec<u8>) -> Action {
        give_result(self, cx, out, GET_ENTRIES, result)
    }

    /// Reports whether the file last opened is kept as gzip, and its length then.
    pub fn kept(&mut self, cx: &Cx, length: Option<u64>, out: &mut Vec<u8>) -> Action {
        let Some(found) = self.response.waiting.take() else { return Action::Close };
        self.response.kept = length;
        respond(self, cx, out, Answer::whole(found))
    }

    /// Reports the contents of the file of [`Action::Contents`], or the `errno` of the failure.
    pub fn contents(&mut self, cx: &Cx, result: Result<Vec<u8>, i32>, out: &mut Vec<u8>) -> Action {
        if let Progress::Lookup { phase: ADDED, .. } = self.progress {
            return match addition::read(self, cx, result) {
                Ok(flow) => walk(self, cx, out, flow),
                Err(answer) => send(self, cx, out, answer),
            };
        }
        give_result(self, cx, out, GET_CONTENTS, result)
    }

    /// Reports whether the password of [`Action::Check`] fits.
    pub fn checked(&mut self, cx: &Cx, fits: bool, out: &mut Vec<u8>) -> Action {
        let Progress::Check { phase } = self.progress else { return Action::Close };
        let flow = auth_basic::checked(self, cx, fits);
        let flow = after_phase(self, cx, phase, flow);
        walk(self, cx, out, flow)
    }

    /// Goes on when the time of [`Action::Wait`] has passed.
    pub fn resume(&mut self, cx: &Cx, out: &mut Vec<u8>) -> Action {
        let Progress::Wait { phase } = self.progress else { return Action::Close };
        let flow = run_phases(self, cx, phase);
        walk(self, cx, out, flow)
    }

    /// The answer to a request for a server that the client's hello should have named.
    fn misdirect(&mut self, cx: &Cx) -> Flow {
        target::set_server(self, cx, cx.first_server());
        error_lines::secure::misdirected(self, cx);
        self.give_up();
        Flow::Answer(Answer::Error(421))
    }

    /// Answers without the request being understood, and gives the connection up.
    pub fn reject(&mut self, cx: &Cx, out: &mut Vec<u8>, reject: Reject) -> Action {
        target::find_for_refused(self, cx, reject);
        error_lines::rejected(self, cx, reject);
        self.give_up();
        walk(self, cx, out, Flow::Answer(Answer::Error(reject.status())))
    }

    /// The client was too slow with its request: 408 if it had begun one (RFC 9110, 15.5.9).
    pub fn timed_out(&mut self, cx: &Cx, out: &mut Vec<u8>) -> Action {
        if cx.input.is_empty() || self.progress != Progress::Head {
            return Action::Close;
        }
        self.reject(cx, out, Reject::TimedOut)
    }
}

/// The server and the uri of a request whose head is whole, and the header lines that count. `Ok(false)`: a regex among
/// the names of servers failed.
fn understand(ex: &mut Exchange, cx: &Cx) -> Result<bool, Reject> {
    let selected = target::find(ex, cx)?;
    header_lines::check(ex, cx)?;
    Ok(selected)
}

/// Goes where `flow` leads until the driver has something to do.
fn walk(ex: &mut Exchange, cx: &Cx, out: &mut Vec<u8>, mut flow: Flow) -> Action {
    loop {
        flow = match flow {
            Flow::Lookup(lookup) => {
                return match lookup.kind {
                    LookupKind::Open => Action::Open,
                    LookupKind::Stat => Action::Stat,
                    LookupKind::List => Action::List,
                    LookupKind::Names => Action::Names,
                    LookupKind::Contents => Action::Contents,
                };
            }
            Flow::Check(check) => return Action::Check(check),
            Flow::Wait(ms) => return Action::Wait(ms),
            Flow::Redirect => redirect(ex, cx),
            Flow::Aside => begin_aside(ex, cx),
            Flow::Rewritten => change_location(ex, cx),
            Flow::Named(name) => enter_named(ex, cx, &name),
            Flow::Answer(mut answer) => match instead(ex, cx, &mut answer) {
                Some(flow) => flow,
                None if addition::is_settled(ex, &answer) => return send(ex, cx, out, answer),
                None => match addition::next(ex, cx, answer) {
                    Ok(flow) => {
                        note_asker(ex, ADDED, &flow);
                        flow
                    }
                    Err(answer) => return send(ex, cx, out, answer),
                },
            },
            // No phase has content.
            Flow::Next => Flow::Answer(Answer::Error(404)),
        }
    }
}

/// The server's script, then the location for the uri.
#[inline(always)]
fn begin(ex: &mut Exchange, cx: &Cx) -> Flow {
    let flow = rewrite::in_server(ex, cx);
    after_server(ex, cx, flow)
}

/// Goes where the server's script leads: at its end to the location for the uri.
fn after_server(ex: &mut Exchange, cx: &Cx, flow: Flow) -> Flow {
    match flow {
        Flow::Next => find_location(ex, cx),
        flow => {
            note_asker(ex, IN_SERVER, &flow);
            flow
        }
    }
}

/// The location for the uri, and its phases.
#[inline(always)]
fn find_location(ex: &mut Exchange, cx: &Cx) -> Flow {
    let server = ex.server_of(cx);
    crate::os::faults::strike("phases", &ex.target.uri);
    match server.locations.find(&ex.target.uri, &mut ex.target.captured.get_mut().groups) {
        Ok(Some(found)) => {
            ex.target.captured.get_mut().keep_names(found.regex);
            enter(ex, cx, *found.value)
        }
        Ok(None) => enter(ex, cx, server.own),
        Err(error) => {
            error_lines::regex_failed(ex, cx, &ex.target.uri, &error);
            Flow::Answer(Answer::Error(500))
        }
    }
}

#[inline(always)]
fn enter(ex: &mut Exchange, cx: &Cx, location: usize) -> Flow {
    ex.target.location = cx.conf.location(location).for_method(ex.head.method, ex.head.method_text.of(cx.input));
    keep_alive::check(ex, cx);
    run_phases(ex, cx, 0)
}

/// Gives the result of a look-up to the phase that has asked for it, and walks on.
fn give_result<T>(
    ex: &mut Exchange,
    cx: &Cx,
    out: &mut Vec<u8>,
    get: &[Option<GetResult<T>>],
    result: Result<T, i32>,
) -> Action {
    let Progress::Lookup { phase, step } = ex.progress else { return Action::Close };
    let Some(Some(get)) = get.get(phase) else { return Action::Close };
    let flow = get(ex, cx, step, result);
    let flow = after_phase(ex, cx, phase, flow);
    walk(ex, cx, out, flow)
}

/// Goes where a phase leads that had to wait: from `Next` to the phases behind it.
fn after_phase(ex: &mut Exchange, cx: &Cx, phase: usize, flow: Flow) -> Flow {
    match flow {
        Flow::Next => run_phases(ex, cx, phase + 1),
        flow => {
            note_asker(ex, phase, &flow);
            flow
        }
    }
}

/// Keeps in mind which phase asks, if it does.
fn note_asker(ex: &mut Exchange, number: usize, flow: &Flow) {
    match flow {
        Flow::Lookup(lookup) => ex.progress = Progress::Lookup { phase: number, step: lookup.step },
        Flow::Check(_) => ex.progress = Progress::Check { phase: number },
        Flow::Wait(_) => ex.progress = Progress::Wait { phase: number },
        _ => {}
    }
}

/// Whether a phase before `satisfy::check` may have something for it.
fn satisfy_is_needed(location: &Location) -> bool {
    access::is_needed(location) || auth_basic::is_needed(location)
}

/// Whether the location has a content handler of its own.
fn has_content(location: &Location) -> bool {
    location.has_handler
}

/// Phase: the location's own content handler.
fn handle_content(ex: &mut Exchange, cx: &Cx) -> Flow {
    match cx.conf.handler(ex.location_of(cx)) {
        Some(handler) => (handler.run)(ex, cx),
        None => Flow::Next,
    }
}

/// An internal redirect to the changed uri, with nginx's limit against cycles.
fn redirect(ex: &mut Exchange, cx: &Cx) -> Flow {
    ex.target.is_internal = true;
    // nginx: ngx_http_handler.
    ex.response.codings = Default::default();
    ex.mark = Default::default();
    ex.target.add_uri_to_alias = false;
    ex.target.is_out_of_place = false;
    ex.target.redirects += 1;
    if ex.target.redirects > MAX_INTERNAL_REDIRECTS {
        error_lines::redirect_cycle(ex, cx);
        ex.error.is_final = true;
        return Flow::Answer(Answer::Error(500));
    }
    ex.target.location = ex.server_of(cx).own;
    begin(ex, cx)
}

/// The server's script, then the location, for a request that runs in the place of another.
fn begin_aside(ex: &mut Exchange, cx: &Cx) -> Flow {
    ex.target.location = ex.server_of(cx).own;
    begin(ex, cx)
}

/// The location for the uri that the script of another has changed, with the same limit.
fn change_location(ex: &mut Exchange, cx: &Cx) -> Flow {
    ex.target.redirects += 1;
    if ex.target.redirects > MAX_INTERNAL_REDIRECTS {
        error_lines::rewrite_cycle(ex, cx);
        ex.error.is_final = true;
        return Flow::Answer(Answer::Error(500));
    }
    ex.target.location = ex.server_of(cx).own;
    find_location(ex, cx)
}

/// An internal redirect to the location `@name`.
fn enter_named(ex: &mut Exchange, cx: &Cx, name: &str) -> Flow {
    ex.target.redirects += 1;
    ex.target.is_internal = true;
    ex.mark = Default::default();
    let named = ex.server_of(cx).locations.named(name).copied();
    match named {
        Some(location) if ex.target.redirects <= MAX_INTERNAL_REDIRECTS => enter(ex, cx, location),
        _ => {
            error_lines::no_named_location(ex, cx, name);
            ex.error.is_final |= ex.target.redirects > MAX_INTERNAL_REDIRECTS;
            Flow::Answer(Answer::Error(500))
        }
    }
}

/// Where the request goes instead of its `answer`: to the error page of the conf, for example.
fn instead(ex: &mut Exchange, cx: &Cx, answer: &mut Answer) -> Option<Flow> {
    if matches!(answer, Answer::Close(_)) {
        return None;
    }
    // No location has begun the body: it is read to its end all the same, or the next request would start in it.
    if !ex.body.is_begun
        && let refused @ Flow::Answer(_) = body_limit::begin(ex, cx)
    {
        return Some(refused);
    }
    match answer {
        Answer::Error(status) => {
            if matches!(status, 400 | 413 | 414 | 500 | 501) {
                ex.fate.keep_alive = false;
            }
            error_page::find(ex, cx, *status)
        }
        Answer::Redirect { status, target } => {
            let page = error_page::find(ex, cx, *status)?;
            ex.response.location = Some(std::mem::take(target));
            Some(page)
        }
        _ => None,
    }
}

/// Sends the answer, when it is known whether its gzip is kept.
fn send(ex: &mut Exchange, cx: &Cx, out: &mut Vec<u8>, answer: Answer) -> Action {
    match (ex.response.codings.coded, answer) {
        // The gzip of a text in another charset is not kept.
        (Coded::Gzip(recipe), Answer::File { found, .. }) if ex.response.recoding.is_none() => {
            ex.response.waiting = Some(found);
            Action::FindGzip(recipe)
        }
        (_, answer) => respond(ex, cx, out, answer),
    }
}

#[inline(always)]
fn respond(ex: &mut Exchange, cx: &Cx, out: &mut Vec<u8>, answer: Answer) -> Action {
    ex.progress = Progress::Sending;
    ex.response.is_of_file = matches!(answer, Answer::File { .. } | Answer::NotModified(_));
    let begin = out.len();
    if ex.head.expect_continue && !ex.body.reader.is_done() {
        match answer {
            Answer::File { .. } | Answer::NotModified(_) | Answer::Text { .. } => {
                out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            // RFC 9110, 10.1.1: the client may send the body or not, so that the bytes that follow can't be told apart.
            _ => ex.give_up(),
        }
    }
    let Some(body) = response::write(ex, cx, out, answer) else {
        ex.progress = Progress::Done;
        ex.account.is_cut_short = true;
        return Action::Close;
    };
    ex.account.bytes_sent += (out.len() - begin) as u64;
    Action::Send(body)
}

mod failed;
#[cfg(test)]
mod tests;
