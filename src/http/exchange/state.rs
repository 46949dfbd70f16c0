//! One request and its response, as a state machine that touches neither socket nor file.
//!
//! ```text
//!  request()                       opened()
//!     │                               │
//!     ▼                               ▼
//!   Head ──► route ──► Lookup ──► found? ──► Send ──► Body ──► Done
//!              ▲                     │       (the rest of the request's
//!              └── internal redirect ┘        body is read and dropped)
//! ```
//!
//! Who drives it (`serve`) carries out the [`Action`]s and reports back; the phases are nginx's
//! (`src/http/ngx_http_core_module.c`), in nginx's order: server rewrite, location, rewrite, access, try_files, content.

use crate::http::exchange::action::{Action, After, Found, Listed};
mod request_body;

use crate::http::answer::response::{self, Answer, Response};
use crate::http::exchange::cx::Cx;
use crate::http::exchange::error_lines;
use crate::http::exchange::limits;
use crate::http::message::head::{Form, Head, Method};
use crate::http::message::reject::{Phase as RejectPhase, Reject};
use crate::http::message::request::{self, Parse};
use crate::http::message::request_body::RequestBody;
use crate::http::message::uri;
use crate::http::phases::access;
use crate::http::phases::autoindex;
use crate::http::phases::error_page;
use crate::http::phases::files;
use crate::http::phases::files::Purpose;
use crate::http::phases::returns;
use crate::http::site::captured::Captured;
use crate::http::site::{Location, Server};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Head,
    Lookup(Purpose),
    Sending,
    Done,
}

/// Internal redirects an exchange may take, as nginx's `NGX_HTTP_MAX_URI_CHANGES`.
const MAX_INTERNAL_REDIRECTS: u8 = 10;

/// One request and its response. Reused: [`Exchange::reset`] keeps the memory.
#[derive(Debug)]
pub struct Exchange {
    phase: Phase,
    pub(in crate::http) head: Head,
    head_len: usize,
    pub(in crate::http) body: RequestBody,
    /// The normalised path, as internal redirects change it.
    pub(in crate::http) uri: Vec<u8>,
    /// The query, without its `?`.
    pub(in crate::http) args: Vec<u8>,
    /// The file system path of the lookup under way.
    pub(in crate::http) path: Vec<u8>,
    pub(in crate::http) server: usize,
    pub(in crate::http) location: usize,
    pub(in crate::http) captures: Captured,
    /// The beginning of the request was there before the one in front of it was answered.
    pub pipelined: bool,
    pub(in crate::http) response: Response,
    /// The status of the error whose page is being made, 0 if none.
    pub(in crate::http) error_status: u16,
    pub(in crate::http) in_error_page: bool,
    pub(in crate::http) internal: bool,
    /// The uri is a name that try_files has found below the alias of a regex.
    pub(in crate::http) add_uri_to_alias: bool,
    redirects: u8,
    pub(in crate::http) keep_alive: bool,
    linger: bool,
    /// When the first byte of the request was there, in ms of the loop's clock.
    pub(in crate::http) started_ms: u64,
    /// The file last found.
    pub(in crate::http) found: Option<Found>,
    body_begun: bool,
    /// Bytes of the body that came with the head.
    body_ahead: usize,
    /// Bytes of the request's body that have come in.
    pub(in crate::http) body_bytes: u64,
    /// Bytes of the response that have been queued, head included.
    pub(in crate::http) bytes_sent: u64,
    /// Bytes of [`Exchange::bytes_sent`] that are head.
    pub(in crate::http) head_sent: u64,
    /// Nothing cut the response short.
    complete: bool,
}

impl Default for Exchange {
    fn default() -> Exchange {
        Exchange {
            phase: Phase::Head,
            head: Head::default(),
            head_len: 0,
            body: RequestBody::none(),
            uri: Vec::new(),
            args: Vec::new(),
            path: Vec::new(),
            server: 0,
            location: 0,
            captures: Captured::default(),
            pipelined: false,
            response: Response::default(),
            error_status: 0,
            in_error_page: false,
            internal: false,
            add_uri_to_alias: false,
            redirects: 0,
            keep_alive: false,
            linger: false,
            started_ms: 0,
            found: None,
            body_begun: false,
            body_ahead: 0,
            body_bytes: 0,
            bytes_sent: 0,
            head_sent: 0,
            complete: true,
        }
    }
}

/// Where a phase leads.
pub(in crate::http) enum Flow {
    /// A file is to be looked up, for this.
    Lookup(Purpose),
    /// To the location that fits the changed `uri`.
    Redirect,
    /// Into this location, the uri staying as it is.
    Enter(usize),
    /// The exchange has its answer.
    Answer(Answer),
    /// On to the next phase.
    Next,
}

impl Exchange {
    /// Makes it ready for the next request, which begins now.
    pub fn reset(&mut self, now_ms: u64) {
        self.phase = Phase::Head;
        self.head.clear();
        self.head_len = 0;
        self.uri.clear();
        self.args.clear();
        self.captures.clear();
        self.pipelined = false;
        self.response.clear();
        self.error_status = 0;
        self.in_error_page = false;
        self.internal = false;
        self.add_uri_to_alias = false;
        self.redirects = 0;
        self.keep_alive = false;
        self.linger = false;
        self.found = None;
        self.body_begun = false;
        self.body_ahead = 0;
        self.body_bytes = 0;
        self.bytes_sent = 0;
        self.head_sent = 0;
        self.complete = true;
        self.body = RequestBody::none();
        self.started_ms = now_ms;
    }

    /// Takes the input as far as it goes: parses the head and, once it is whole, routes the request.
    pub fn request(&mut self, cx: &Cx, out: &mut Vec<u8>) -> Action {
        let server = cx.site.server(cx.site.default_server(cx.conn.bound));
        match request::parse(&mut self.head, cx.input, &limits::head_limits(server)) {
            Ok(Parse::Partial) => Action::Read,
            Ok(Parse::Complete(len)) => {
                self.head_len = len;
                match self.begin(cx) {
                    // Whatever the conf says (nginx: ngx_http_process_request_header).
                    Ok(_) if matches!(self.head.method, Method::Trace | Method::Connect) => {
                        error_lines::method_refused(self, cx);
                        let answer = self.response.refuse_method();
                        self.run(cx, out, Flow::Answer(answer))
                    }
                    Ok(first) => self.run(cx, out, first),
                    Err(reject) => self.reject(cx, out, reject),
                }
            }
            Err(reject) => self.reject(cx, out, reject),
        }
    }

    /// Chooses the server and normalises the target.
    fn begin(&mut self, cx: &Cx) -> Result<Flow, Reject> {
        let input = cx.input;
        let selected = self.select_server(cx, self.head.host.of(input));
        let server = cx.site.server(self.server);
        self.keep_alive = self.head.keep_alive;
        if self.head.form == Form::Authority {
            // The bytes behind the head are for the other end of a tunnel: neither a body nor the next request.
            self.give_up();
            self.body_begun = true;
            return Ok(Flow::Redirect);
        }
        let path = self.head.path(input);
        let merge = *server.scope.get(&files::MERGE_SLASHES);
        match uri::normalize(path, merge, &mut self.uri) {
            Ok(normal) if std::ptr::eq(normal, path) => {
                self.uri.clear();
                self.uri.extend_from_slice(path);
            }
            Ok(_) => {}
            Err(reject) => {
                self.uri.clear();
                return Err(reject);
            }
        }
        if let Some(query) = self.head.query(input) {
            self.args.extend_from_slice(query);
        }
        Ok(if selected { Flow::Redirect } else { Flow::Answer(Answer::Error(500)) })
    }

    /// Into the server for the host. False when a regex among the names failed: then it is the default one.
    fn select_server(&mut self, cx: &Cx, host: &[u8]) -> bool {
        let selected = cx.site.select_server(cx.conn.bound, host, &mut self.captures);
        self.server = *selected.as_ref().unwrap_or(&cx.site.default_server(cx.conn.bound));
        self.location = cx.site.server(self.server).own;
        if let Err(error) = &selected {
            error_lines::regex_failed(self, cx, host, error);
        }
        selected.is_ok()
    }

    /// Reports what [`Action::Open`] found, or the `errno` it failed with.
    pub fn opened(&mut self, cx: &Cx, result: Result<Found, i32>, out: &mut Vec<u8>) -> Action {
        let Phase::Lookup(purpose) = self.phase else { return Action::Close };
        self.found = result.ok();
        let flow = files::opened(self, cx, purpose, result);
        self.run(cx, out, flow)
    }

    /// Reports what [`Action::List`] found, or the `errno` it failed with.
    pub fn listed(&mut self, cx: &Cx, result: Result<Vec<Listed>, i32>, out: &mut Vec<u8>) -> Action {
        let flow = autoindex::listed(self, cx, result);
        self.run(cx, out, flow)
    }

    /// Answers without the request being understood, and gives the connection up.
    pub fn reject(&mut self, cx: &Cx, out: &mut Vec<u8>, reject: Reject) -> Action {
        match self.head.host.of(cx.input) {
            host if !host.is_empty() && reject.phase() != RejectPhase::RequestLine => {
                self.select_server(cx, host);
            }
            // A bad request line is nobody's, whatever Host follows.
            _ => {
                self.server = cx.site.default_server(cx.conn.bound);
                self.location = cx.site.server(self.server).own;
            }
        }
        error_lines::rejected(self, cx, reject);
        self.give_up();
        self.run(cx, out, Flow::Answer(Answer::Error(reject.status())))
    }

    /// The client was too slow with its request: 408 if it had begun one (RFC 9110, 15.5.9).
    pub fn timed_out(&mut self, cx: &Cx, out: &mut Vec<u8>) -> Action {
        if cx.input.is_empty() || self.phase != Phase::Head {
            return Action::Close;
        }
        self.reject(cx, out, Reject::TimedOut)
    }

    fn run(&mut self, cx: &Cx, out: &mut Vec<u8>, first: Flow) -> Action {
        let mut flow = first;
        loop {
            flow = match flow {
                Flow::Lookup(purpose) => {
                    self.phase = Phase::Lookup(purpose);
                    return match purpose {
                        Purpose::Content => Action::Open,
                        Purpose::List => Action::List,
                        _ => Action::Look,
                    };
                }
                Flow::Redirect => self.find_location(cx),
                Flow::Enter(location) => {
                    self.location = location;
                    self.location_phases(cx)
                }
                Flow::Next => match self.location_of(cx).view {
                    Some(view) => Flow::Answer(view.answer(self, cx)),
                    None => files::content(self, cx),
                },
                Flow::Answer(answer @ Answer::Close(_)) => return self.respond(cx, out, answer),
                // No location has begun the body: it is read to its end all the same, or the next request would start in it.
                Flow::Answer(_)
                    if !self.body_begun
                        && let Err(reject) = self.begin_body(cx, 0) =>
                {
                    self.refuse_body(reject)
                }
                Flow::Answer(Answer::Error(status)) => {
                    if matches!(status, 400 | 413 | 414 | 500 | 501) {
                        self.keep_alive = false;
                    }
                    match error_page::find(self, cx, status) {
                        Some(flow) => flow,
                        None => return self.respond(cx, out, Answer::Error(status)),
                    }
                }
                Flow::Answer(Answer::Redirect { status, target }) => match error_page::find(self, cx, status) {
                    Some(flow) => {
                        self.response.location = Some(target);
                        flow
                    }
                    None => return self.respond(cx, out, Answer::Redirect { status, target }),
                },
                Flow::Answer(answer) => return self.respond(cx, out, answer),
            }
        }
    }

    fn respond(&mut self, cx: &Cx, out: &mut Vec<u8>, answer: Answer) -> Action {
        self.phase = Phase::Sending;
        let begin = out.len();
        if self.head.expect_continue && !self.body.is_done() {
            match answer {
                Answer::File(_) | Answer::NotModified(_) | Answer::Text { .. } => {
                    out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                }
                // RFC 9110, 10.1.1: the client may send the body or not, so that what follows can't be told apart.
                _ => self.give_up(),
            }
        }
        let Some(body) = response::write(self, cx, out, answer) else {
            (self.phase, self.complete) = (Phase::Done, false);
            return Action::Close;
        };
        self.bytes_sent += (out.len() - begin) as u64;
        Action::Send(body)
    }

    /// The server's own rewrite phase, then the location for the uri.
    fn find_location(&mut self, cx: &Cx) -> Flow {
        let server = cx.site.server(self.server);
        if let Some(answer) = returns::answer(self, cx, &server.scope) {
            return Flow::Answer(answer);
        }
        match server.locations.find(&self.uri, &mut self.captures.groups) {
            Ok(Some(found)) => {
                self.captures.keep_names(found.regex);
                Flow::Enter(*found.value)
            }
            Ok(None) => Flow::Enter(server.own),
            Err(error) => {
                error_lines::regex_failed(self, cx, &self.uri, &error);
                Flow::Answer(Answer::Error(500))
            }
        }
    }

    /// The phases of a location up to its content.
    fn location_phases(&mut self, cx: &Cx) -> Flow {
        let location = cx.site.location(self.location);
        if !self.internal && *location.scope.get(&files::INTERNAL) {
            return Flow::Answer(Answer::Error(404));
        }
        let scope = Some(&location.scope).filter(|_| location.index != cx.site.server(self.server).own);
        if let Some(silence) = scope.and_then(returns::silence) {
            return Flow::Answer(silence);
        }
        if let Err(reject) = self.begin_body(cx, limits::max_body(location)) {
            return self.refuse_body(reject);
        }
        if let Some(answer) = scope.and_then(|scope| returns::answer(self, cx, scope)) {
            return Flow::Answer(answer);
        }
        if !access::allowed(self, cx, location) {
            return Flow::Answer(Answer::Error(403));
        }
        if files::leaves_alias(self, location) {
            error_lines::outside_of_alias(self, cx);
            return Flow::Answer(Answer::Error(404));
        }
        files::try_files(self, cx, 0)
    }

    /// Sends the exchange to another uri, with nginx's limit against cycles.
    pub(in crate::http) fn redirect_to(&mut self, cx: &Cx) -> Flow {
        self.internal = true;
        self.add_uri_to_alias = false;
        self.redirects += 1;
        if self.redirects > MAX_INTERNAL_REDIRECTS {
            error_lines::redirect_cycle(self, cx);
            self.in_error_page = true;
            return Flow::Answer(Answer::Error(500));
        }
        Flow::Redirect
    }

    /// Sends the exchange to the location `@name` of its server.
    pub(in crate::http) fn enter_named(&mut self, cx: &Cx, name: &str) -> Flow {
        self.redirects += 1;
        self.internal = true;
        let named = cx.site.server(self.server).locations.named(name).copied();
        match named {
            Some(location) if self.redirects <= MAX_INTERNAL_REDIRECTS => Flow::Enter(location),
            _ => {
                error_lines::no_named_location(self, cx, name);
                self.in_error_page |= self.redirects > MAX_INTERNAL_REDIRECTS;
                Flow::Answer(Answer::Error(500))
            }
        }
    }

    /// What follows now that the response is queued.
    pub fn after(&self) -> After {
        match (self.keep_alive, self.body.is_done()) {
            (true, true) => After::KeepAlive,
            (true, false) => After::Discard,
            (false, done) => After::Close { linger: self.linger || !done },
        }
    }

    /// Counts `n` more bytes of the response as queued.
    pub fn add_sent(&mut self, n: u64) {
        self.bytes_sent += n;
    }

    /// The connection broke with `unsent` bytes of the response still queued.
    pub fn cut_short(&mut self, unsent: u64) {
        self.bytes_sent = self.bytes_sent.saturating_sub(unsent);
        self.complete = false;
    }

    /// Whether the response went out whole.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The rest of the request is not worth reading: answer, linger, close.
    pub(in crate::http) fn give_up(&mut self) {
        self.keep_alive = false;
        self.linger = true;
    }

    pub(in crate::http) fn head_len(&self) -> usize {
        self.head_len
    }

    /// The client went away before its request was whole.
    pub fn abandon(&mut self, cx: &Cx) {
        error_lines::closed_early(self, cx);
        (self.response.status, self.complete) = (400, false);
    }

    /// The file system path that [`Action::Open`] asks for.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// Bytes of the response, head and body, that have been queued or sent.
    pub fn bytes_sent(&self) -> u64 {
        self.bytes_sent
    }

    /// The status sent, 0 before there is one.
    pub fn status(&self) -> u16 {
        self.response.status
    }

    /// Index of the location that answered.
    pub fn location(&self) -> usize {
        self.location
    }

    pub(in crate::http) fn server_of<'a>(&self, cx: &Cx<'a>) -> &'a Server {
        cx.site.server(self.server)
    }

    pub(in crate::http) fn location_of<'a>(&self, cx: &Cx<'a>) -> &'a Location {
        cx.site.location(self.location)
    }

    /// Whether the client expects no body; also when its request line was refused before the method was known.
    pub(in crate::http) fn is_head(&self, cx: &Cx) -> bool {
        self.head.method == Method::Head || (self.head_len == 0 && cx.input.starts_with(b"HEAD "))
    }
}

#[cfg(test)]
mod tests;
