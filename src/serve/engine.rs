//! Drives the exchanges of a connection over its socket, as far as they go without waiting.
//!
//! The states of a connection and their edges are drawn in `serve/connection.rs`. `Engine::advance` returns the event
//! the connection waits for; the wait itself is the drivers' business: the event driver's with epoll, the blocking
//! driver's with poll.

/// The context of an exchange of `conn`. A macro, because it borrows some fields of the engine and leaves others to be
/// changed.
macro_rules! cx {
    ($engine:ident, $conn:ident, $input:expr) => {
        Cx {
            conf: &$engine.site,
            clock: &$engine.clock,
            conn: &$conn.info,
            leaving: $engine.shutdown.has_begun(),
            is_full: $engine.is_full,
            ledger: Some($engine.tally.ledger()),
            input: $input,
        }
    };
}

/// The socket of a connection with its TLS, and the engine's memory to work in. A macro, for the same reason.
macro_rules! wire {
    ($engine:ident, $conn:ident) => {
        Wire { socket: &$conn.socket, tls: $conn.tls.as_deref_mut().map(|tls| (tls, &mut $engine.scratch)) }
    };
}

mod account;
mod advance;
mod close;
mod exchange;
mod handshake;
mod http2;
mod pace;
mod proxy_header;
mod rescue;
mod rules;
mod stream;
mod wait;

use super::accepted::Accepted;
use super::access_log::AccessLogs;
use super::connection::{Conn, State};
use super::contents::Hashes;
use super::file_cache::FileCache;
use super::jobs::{Done, Finished, Jobs};
use super::lasting_files::LastingFiles;
use super::passwords::Passwords;
use super::session::{INPUT_SIZE, Session};
use super::shortage::log_refused_memory;
use super::tls::Scratch;
use crate::event::{Clock, Shutdown, earlier};
use crate::http::HttpConf;
use crate::http::exchange::limits;
use crate::http::exchange::{ConnInfo, Cx};
use crate::http::message::request_fields::RequestFields;
use crate::os::memory;
use crate::shm::Tally;
use crate::stream::Servers;
use crate::tls::Endpoints;
use rules::Rules;
use std::iter;
use std::sync::Arc;

/// Responses to pipelined requests are gathered up to this many bytes.
const BATCH_MAX: usize = 64 << 10;

/// Sessions kept for reuse.
const POOL_MAX: usize = 1024;

/// The things that all connections of one worker, or of one thread, share.
#[derive(Debug)]
pub struct Engine {
    /// The `http` block, by which requests are answered.
    pub site: Arc<HttpConf>,
    /// The `stream` block; its sockets follow those of the site.
    pub streams: Arc<Servers>,
    /// The certificates of the site's servers, with all that handshakes need.
    pub endpoints: Arc<Endpoints>,
    /// The time of the current turn.
    pub clock: Clock,
    /// Number of the loop's turn: a check of a file holds until it ends.
    turn: u64,
    /// How far the process has gone on its way to its end, as this thread knows.
    pub shutdown: Shutdown,
    /// Others wait, and there is no room for them: a client that has its answer makes some.
    pub is_full: bool,
    /// The slot of the ledger where answers are counted.
    pub tally: Arc<Tally>,
    files: FileCache,
    lasting: LastingFiles,
    /// By the locations' indices.
    rules: Vec<Rules>,
    pub(super) passwords: Passwords,
    /// The work that threads do.
    pub(super) jobs: Jobs,
    /// The hashes of files, where a location asks for them.
    pub(super) hashes: Option<Hashes>,
    logs: AccessLogs,
    #[allow(clippy::vec_box, reason = "the boxes themselves move between the pool and the connections")]
    pool: Vec<Box<Session>>,
    /// The fields of a request of HTTP/2 while they come in.
    fields: RequestFields,
    accepted: u64,
    scratch: Scratch,
}

impl Engine {
    /// Creates an engine that has no sessions and no open files yet, and counts in `tally`.
    pub fn new(
        site: Arc<HttpConf>,
        streams: Arc<Servers>,
        endpoints: Arc<Endpoints>,
        clock: Clock,
        logs: AccessLogs,
        tally: Arc<Tally>,
    ) -> Engine {
        let rules: Vec<Rules> = site.locations().iter().map(|location| Rules::of(&location.scope)).collect();
        let files = FileCache::new(rules.iter().all(|rules| rules.sendfile));
        let hashes = site.hashes().cloned().map(Hashes::new);
        let jobs = Jobs::new(site.thread_pools());
        Engine {
            site,
            streams,
            endpoints,
            clock,
            turn: 0,
            shutdown: Shutdown::No,
            is_full: false,
            tally,
            files,
            lasting: LastingFiles::default(),
            rules,
            passwords: Passwords::default(),
            jobs,
            hashes,
            logs,
            pool: Vec::new(),
            fields: RequestFields::default(),
            accepted: 0,
            scratch: Scratch::default(),
        }
    }

    /// Takes on an accepted connection.
    pub fn open(&mut self, accepted: Accepted) -> Conn {
        self.accepted += 1;
        let accept_delay_ms = self.accept_delay(&accepted.socket);
        if accepted.listener >= self.site.sockets.len() {
            return self.open_stream(accepted, accept_delay_ms);
        }
        let Accepted { socket, peer, listener } = accepted;
        let local = if self.site.wants_local_address(listener) { socket.local_addr().ok() } else { None };
        let bound = self.site.bound(listener, local.as_ref());
        let now = self.clock.now_ms();
        let own = self.site.server(self.site.default_server(bound)).own;
        let timeout = *self.site.location(own).scope.get(&limits::CLIENT_HEADER_TIMEOUT);
        let info = ConnInfo { accept_delay_ms, ..ConnInfo::new(peer, local, bound, self.accepted, now) };
        let state = if self.site.expects_proxy_header(bound) { State::ProxyHeader } else { self.first_state(bound) };
        Conn::new(socket, info, state, now + timeout, own)
    }

    /// The state of a connection whose client is known.
    fn first_state(&self, bound: usize) -> State {
        if self.site.is_tls(bound) { State::Handshake } else { State::Request }
    }

    /// A session for the first bytes after an idle time, which begin a request. Those of the pool are ready for one.
    fn begin(&mut self, conn: &mut Conn) -> Box<Session> {
        let mut session = self.pool.pop().unwrap_or_default();
        if matches!(conn.state, State::Stream(_)) {
            return session;
        }
        self.start(&mut session);
        if conn.info.requests > 0 {
            conn.deadline_ms = self.clock.now_ms() + self.rules(conn).header_timeout_ms;
        }
        session
    }

    /// The request begins for which the session is ready.
    fn start(&self, session: &mut Session) {
        session.ex.start(self.clock.now_ms());
        session.began_ns = self.clock.turn_ns();
    }

    /// Makes the session ready for the next request, which begins now.
    fn reset(&self, session: &mut Session) {
        session.reset();
        self.start(session);
    }

    /// Keeps the session of a connection that ends.
    fn recycle(&mut self, mut session: Box<Session>) {
        session.reset();
        self.put_back(session);
    }

    /// Keeps a session that is ready for a request, and whose connection is idle.
    #[inline(always)]
    fn put_back(&mut self, mut session: Box<Session>) {
        debug_assert!(session.ex.is_ready(), "an idle connection has a request under way");
        if self.pool.len() >= POOL_MAX {
            return;
        }
        session.input.clear();
        session.input.shrink_to(INPUT_SIZE);
        (session.start, session.hung_up, session.stream) = (0, false, 0);
        (session.waiting, session.done) = (None, None);
        session.out.clear();
        session.out.bytes.shrink_to(BATCH_MAX);
        session.entry = None;
        self.pool.push(session);
    }

    /// The settings of the location of the last exchange on `conn`.
    fn rules(&self, conn: &Conn) -> &Rules {
        &self.rules[conn.location as usize]
    }

    fn timeout(&self, conn: &Conn, which: &'static crate::conf::Setting<u64>) -> u64 {
        *self.site.location(conn.location as usize).scope.get(which)
    }

    fn cx<'a>(&'a self, conn: &'a Conn, session: &'a Session) -> Cx<'a> {
        cx!(self, conn, session.unread())
    }

    /// Takes the results of the threads: the connections that go on with them.
    pub(super) fn take_finished(&mut self) -> Vec<Finished> {
        let finished = self.jobs.take_finished();
        for Finished { done, .. } in &finished {
            if let Done::Checked(digested, fits) = done {
                self.passwords.note(*digested, *fits, self.clock.now_ms());
            }
        }
        finished
    }

    /// Hands the job on that the output of a session waits for.
    fn ask_for_output(&mut self, session: &mut Session) {
        if let Some((pool, job)) = session.out.take_wanted() {
            self.jobs.ask(Some(pool), session.stream, job);
        }
    }

    /// Ends a turn: log lines that wait for no fuller buffer are written, files that nobody asks for are closed.
    pub fn end_of_turn(&mut self) {
        self.logs.end_of_turn(&self.clock);
        self.count_lost_lines();
        self.files.close_idle(self.turn, self.clock.now_ms());
        self.lasting.forget_inactive(self.clock.now_ms());
        self.turn += 1;
    }

    /// The time by which a turn must end, in ms of the clock: a log buffer is to be written, or files are to be closed.
    pub fn next_upkeep(&self) -> Option<u64> {
        earlier(earlier(self.logs.next_flush_ms(), self.files.next_sweep_ms()), self.lasting.next_ms())
    }

    /// Memory has run out: gives up what is kept for requests to come, then idle connections. `release` closes some of
    /// them, and returns false when there were none. False: that is not enough.
    #[cold]
    pub(super) fn relieve(&mut self, mut release: impl FnMut(&Engine) -> bool) -> bool {
        log_refused_memory(self.clock.now_ms());
        self.pool = Vec::new();
        self.scratch = Scratch::default();
        self.logs.shrink();
        self.files.forget_all();
        self.lasting.close_files();
        memory::refill()
            || iter::repeat_with(|| release(self)).take_while(|has_closed| *has_closed).any(|_| memory::refill())
            || !memory::is_exhausted()
    }

    /// Whether memory has run out, and giving up what is kept brings back too little of the reserve.
    pub(super) fn is_starved(&mut self) -> bool {
        memory::is_exhausted() && !self.relieve(|_| false)
    }

    /// Closes the files that are kept open for requests to come. False: there are none.
    pub fn close_files(&mut self) -> bool {
        self.files.close_files() + self.lasting.close_files() > 0
    }

    /// Writes all log lines that are still held.
    pub fn flush_logs(&mut self) {
        self.logs.flush();
        self.count_lost_lines();
    }
}
