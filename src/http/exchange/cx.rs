//! The surroundings of an exchange: the conf with the functions bound to it, the time, the connection, the ledger.

use super::aio::ThreadPools;
use super::charset_map::Charsets;
use super::flow::Flow;
use super::secure::{ClientCheck, Secure, Transport};
use super::state::Exchange;
use crate::conf;
use crate::event::Clock;
use crate::http::message::field::Id;
use crate::http::message::head::Method;
use crate::http::message::proxy_protocol::ProxyHeader;
use crate::http::site::{HttpBlock, Location, Server};
use crate::os::Addr;
use crate::shm::{GzipCache, Ledger};
use std::sync::Arc;

/// The surroundings of an exchange.
pub struct Cx<'a> {
    /// The `http` block that the exchange is served by.
    pub conf: &'a HttpConf,
    /// The time, for dates and logs.
    pub clock: &'a Clock,
    /// The connection that carries the exchange.
    pub conn: &'a ConnInfo,
    /// The worker is leaving: no keep-alive.
    pub leaving: bool,
    /// Others wait for the place of this connection: no keep-alive, unless its client has sent more already.
    pub is_full: bool,
    /// The counters of all processes of the service.
    pub ledger: Option<&'a Ledger>,
    /// The connection's unread bytes, from the first byte of this exchange's request on.
    pub input: &'a [u8],
}

/// The whole `http` block, ready for exchanges: compiled, with the functions that the rooms above bind to it.
#[derive(Debug)]
pub struct HttpConf {
    block: HttpBlock,
    /// The variables that templates use, by their numbers.
    variables: Vec<Variable>,
    /// The content handlers, by the locations' indices.
    handlers: Vec<Option<&'static Handler>>,
    keeps_heads: bool,
    keeps_trailers: bool,
    shows_times: bool,
    wants_tcp_info: bool,
    notice: Option<conf::Error>,
    marks_by_address: bool,
    charsets: Charsets,
    thread_pools: ThreadPools,
    gzip_cache: Option<Arc<GzipCache>>,
    hashes: Option<Arc<GzipCache>>,
    /// Whether clients are asked for a certificate, by the servers' indices.
    client_checks: Vec<ClientCheck>,
}

/// A variable of the tables, as nginx's manual calls those that a conf need not define. Its function appends the value,
/// or says `false` when there is none.
pub struct Embedded {
    pub(in crate::http) name: &'static str,
    /// The value, for the reference.
    pub about: &'static str,
    /// The value may hold bytes that the client chose, and so is escaped in logs.
    pub(super) is_from_client: bool,
    pub(super) get: Get,
}

type Get = fn(&Exchange, &Cx, &mut Vec<u8>) -> bool;

/// A variable that a template uses, bound to its value.
#[derive(Debug, Clone)]
pub(crate) enum Variable {
    Embedded(&'static Embedded),
    /// `$http_NAME`: a request header field.
    Header(String),
    /// `$http_NAME` of a field that nginx looks for by its own name: one with an underscore is not taken for it.
    Known(Id),
    /// `$sent_http_NAME`: a response header field.
    Sent(String),
    /// `$sent_trailer_NAME`: a field behind the response's body.
    SentTrailer(String),
    /// `$arg_NAME`: a parameter of the query.
    Arg(String),
    /// `$cookie_NAME`.
    Cookie(String),
    /// `$1` to `$9`.
    Capture(usize),
    /// `$proxy_protocol_tlv_NAME`.
    Tlv(String),
    /// A variable of a module that drover does not have.
    Absent,
    /// A named group of a regex of the conf; a `set` may change it.
    Named(String),
    /// A variable that the conf defines, and its number.
    Defined(Definition, usize),
    /// A variable that `set` gives a value; until it does, the one of that name which is there without it.
    Set {
        name: String,
        unset: Option<Box<Variable>>,
    },
}

/// The values of a variable that the conf defines: the table of a `map`, for example.
pub(in crate::http) trait Defined: std::fmt::Debug + Send + Sync {
    /// Appends the value.
    fn value(&self, ex: &Exchange, cx: &Cx, out: &mut Vec<u8>);
}

/// A variable that the conf defines.
#[derive(Debug, Clone)]
pub(crate) struct Definition {
    /// The name as the conf spells it.
    pub(super) name: Arc<str>,
    /// The place of the name.
    pub(super) span: conf::Span,
    /// The value is computed anew for each text, not once an exchange.
    pub(super) is_volatile: bool,
    pub(super) table: Arc<dyn Defined>,
}

/// A content handler: a location that has one answers with it, not with files (`clcf->handler` in nginx).
pub struct Handler {
    /// The directive, for messages.
    pub name: &'static str,
    pub(in crate::http) run: fn(&mut Exchange, &Cx) -> Flow,
    /// The content is for clients on this machine, unless the location itself has a rule.
    pub(in crate::http) is_private: bool,
    /// The content shows how long requests and accepts take, which is measured only where somebody looks.
    pub(in crate::http) shows_times: bool,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "${}", self.name)
    }
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl HttpConf {
    /// Joins a compiled block with its variables, by their numbers, and its handlers, by the locations' indices.
    pub(in crate::http) fn bind(
        block: HttpBlock,
        variables: Vec<Variable>,
        handlers: Vec<Option<&'static Handler>>,
    ) -> HttpConf {
        let keeps_trailers = variables.iter().any(|variable| matches!(variable, Variable::SentTrailer(_)));
        let keeps_heads = variables.iter().any(|variable| matches!(variable, Variable::Sent(_)));
        let wants_tcp_info = block.variables.used().any(|(name, _)| name.starts_with("tcpinfo_"));
        let shows_times = handlers.iter().flatten().any(|handler| handler.shows_times);
        HttpConf {
            block,
            variables,
            handlers,
            keeps_heads,
            keeps_trailers,
            shows_times,
            wants_tcp_info,
            notice: None,
            marks_by_address: false,
            charsets: Charsets::default(),
            thread_pools: ThreadPools::default(),
            gzip_cache: None,
            hashes: None,
            client_checks: Vec::new(),
        }
    }

    /// Says whether clients are asked for a certificate, by the servers' indices.
    pub fn set_client_checks(&mut self, checks: Vec<ClientCheck>) {
        self.client_checks = checks;
    }

    /// Whether a server asks clients for a certificate.
    pub(in crate::http) fn client_check(&self, server: usize) -> ClientCheck {
        self.client_checks.get(server).copied().unwrap_or_default()
    }

    /// Whether a variable of the conf shows the lists of a client's hello, which are then kept.
    pub fn shows_offers(&self) -> bool {
        ["ssl_ciphers", "ssl_curves"].iter().any(|name| self.block.variables.is_used(name))
    }

    /// The content handler of a location.
    pub(in crate::http) fn handler(&self, location: &Location) -> Option<&'static Handler> {
        self.handlers.get(location.index).copied().flatten()
    }

    /// The variable of a number that the conf's own templates hold.
    pub(super) fn variable(&self, number: usize) -> Option<&Variable> {
        self.variables.get(number)
    }

    /// Whether the kernel is asked about the connection when an answer begins.
    pub fn wants_tcp_info(&self) -> bool {
        self.wants_tcp_info
    }

    /// Adds a warning: the conf works, but can't be meant so.
    pub(in crate::http) fn warn(&mut self, warnings: impl IntoIterator<Item = conf::Error>) {
        self.block.warnings.extend(warnings);
    }

    pub(in crate::http) fn set_notice(&mut self, notice: Option<conf::Error>) {
        self.notice = notice;
    }

    /// Something that a person may want to know, said once.
    pub fn take_notice(&mut self) -> Option<conf::Error> {
        self.notice.take()
    }

    /// The warnings, which are said once.
    pub fn take_warnings(&mut self) -> Vec<conf::Error> {
        std::mem::take(&mut self.block.warnings)
    }

    /// Opens the error logs that the conf names.
    pub fn set_error_logs(&mut self, open: impl FnMut(&conf::Scope) -> crate::log::LogRef) {
        self.block.set_error_logs(open);
    }

    /// Keeps in this cache what is compressed.
    pub fn set_gzip_cache(&mut self, cache: Arc<GzipCache>) {
        self.gzip_cache = Some(cache);
    }

    /// Keeps in this memory the hashes of what files hold.
    pub fn set_hashes(&mut self, hashes: Arc<GzipCache>) {
        self.hashes = Some(hashes);
    }

    /// The memory for the hashes of what files hold, where a location has tags made of them.
    pub fn hashes(&self) -> Option<&Arc<GzipCache>> {
        self.hashes.as_ref()
    }

    /// The cache in which compressed files are kept.
    pub fn gzip_cache(&self) -> Option<&Arc<GzipCache>> {
        self.gzip_cache.as_ref()
    }

    /// Says that the server's address is a part of the marks that clients get.
    pub(in crate::http) fn set_marks_by_address(&mut self) {
        self.marks_by_address = true;
    }

    /// Takes the tables of the conf.
    pub(in crate::http) fn set_charsets(&mut self, charsets: Charsets) {
        self.charsets = charsets;
    }

    /// Asks of each location whether all heads of its files are the same.
    pub(in crate::http) fn set_steady_heads(&mut self, are_steady: impl Fn(&conf::Scope, &HttpConf) -> bool) {
        let answers: Vec<bool> = self.locations().iter().map(|location| are_steady(&location.scope, self)).collect();
        for (location, answer) in self.block.locations_mut().iter_mut().zip(answers) {
            location.has_steady_heads = answer;
        }
    }

    /// The tables between charsets.
    pub(in crate::http) fn charsets(&self) -> &Charsets {
        &self.charsets
    }

    /// Takes the pools of the conf.
    pub(in crate::http) fn set_thread_pools(&mut self, pools: ThreadPools) {
        self.thread_pools = pools;
    }

    /// The pools of threads that wait for disks.
    pub fn thread_pools(&self) -> &ThreadPools {
        &self.thread_pools
    }

    /// Whether heads are kept for `$sent_http_*`.
    pub fn keeps_heads(&self) -> bool {
        self.keeps_heads
    }

    /// Whether trailers are kept for `$sent_trailer_*`.
    pub fn keeps_trailers(&self) -> bool {
        self.keeps_trailers
    }

    /// Whether a connection of this socket must ask which address it came in by, which costs a system call.
    pub fn wants_local_address(&self, socket: usize) -> bool {
        self.marks_by_address || self.block.variables.is_used("server_addr") || self.block.is_shared(socket)
    }

    /// Whether a new connection is asked how long it has waited, which costs a system call.
    pub fn wants_accept_delay(&self) -> bool {
        self.shows_times || self.block.variables.is_used("accept_delay")
    }

    /// Whether a page of the conf shows the histograms of times.
    pub fn shows_times(&self) -> bool {
        self.shows_times
    }
}

impl std::ops::Deref for HttpConf {
    type Target = HttpBlock;

    fn deref(&self) -> &HttpBlock {
        &self.block
    }
}

impl Exchange {
    pub(in crate::http) fn server_of<'a>(&self, cx: &Cx<'a>) -> &'a Server {
        cx.conf.server(self.target.server)
    }

    pub(in crate::http) fn location_of<'a>(&self, cx: &Cx<'a>) -> &'a Location {
        cx.conf.location(self.target.location)
    }

    /// The client's address: the one that a proxy has named, else the other end of the connection.
    pub(in crate::http) fn client<'a>(&'a self, cx: &Cx<'a>) -> &'a Addr {
        self.named_client.as_ref().unwrap_or(&cx.conn.peer)
    }

    /// Whether the client expects no body; also when its request line was refused before the method was known.
    pub(in crate::http) fn is_head(&self, cx: &Cx) -> bool {
        self.head.method == Method::Head || (self.account.head_len == 0 && cx.input.starts_with(b"HEAD "))
    }
}

impl Cx<'_> {
    /// The server whose settings hold before a request names one: the one named in the client's hello, else the
    /// default one.
    pub fn first_server(&self) -> usize {
        let default = self.conf.default_server(self.conn.bound);
        self.tls().and_then(|tls| tls.server).unwrap_or(default)
    }

    /// TLS on the connection.
    pub(in crate::http) fn tls(&self) -> Option<&Secure> {
        match &self.conn.transport {
            Transport::Tls(tls) => Some(tls),
            _ => None,
        }
    }
}

/// The connection that an exchange came in by.
#[derive(Debug, Clone)]
pub struct ConnInfo {
    /// The other end: the client, or a proxy in front of it.
    pub peer: Addr,
    /// The address the client connected to, when a variable of the conf asks for it or the socket is bound to one.
    pub local: Option<Box<Addr>>,
    /// The listen address that the connection came in by, as [`HttpBlock::bound`] tells.
    pub bound: usize,
    /// Number of the connection in this worker, `$connection`.
    pub number: u64,
    /// Requests begun on this connection, this one included.
    pub requests: u32,
    /// When the connection was accepted, in ms of the loop's clock.
    pub opened_ms: u64,
    /// The words of the PROXY protocol about the client.
    pub proxy: Option<Arc<ProxyHeader>>,
    /// Round trip time and its variation, µs, the congestion window, and the room to receive; only where the conf asks.
    pub tcp: Option<Box<[u32; 4]>>,
    /// How long the connection waited to be accepted, ms; only where the conf shows it.
    pub accept_delay_ms: Option<u32>,
    /// The state under which the ledger counts this connection.
    pub published: Stage,
    /// Whether it speaks TLS.
    pub transport: Transport,
}

impl ConnInfo {
    /// A connection that has just been accepted.
    pub fn new(peer: Addr, local: Option<Addr>, bound: usize, number: u64, opened_ms: u64) -> ConnInfo {
        let (accept_delay_ms, published) = (None, Stage::Waiting);
        ConnInfo {
            peer,
            local: local.map(Box::new),
            bound,
            number,
            requests: 0,
            opened_ms,
            proxy: None,
            tcp: None,
            accept_delay_ms,
            published,
            transport: Transport::Plain,
        }
    }
}

/// The state of a connection, as in nginx's stub_status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// No request has begun.
    Waiting,
    /// Part of a request is there.
    Reading,
    /// A response is on its way.
    Writing,
}
