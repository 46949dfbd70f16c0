//! Drives the exchanges of a connection over its socket, as far as they go without waiting. What it must wait for it
//! says; who waits, and how, is the drivers' business: the event driver with epoll, the blocking driver with poll.

/// What an exchange of `conn` sees; a macro, because it borrows some fields of the engine and leaves others to be changed.
macro_rules! cx {
    ($engine:ident, $conn:ident, $input:expr) => {
        Cx {
            site: &$engine.site,
            clock: &$engine.clock,
            conn: &$conn.info,
            leaving: $engine.shutdown.has_begun(),
            is_full: $engine.is_full,
            ledger: Some($engine.tally.ledger()),
            input: $input,
        }
    };
}

mod active;
mod books;
mod ends;
mod stream;

use super::access_log::AccessLogs;
use super::file_cache::FileCache;
use super::listing;
use super::output::{Flush, How};
use super::settings::{SENDFILE, TCP_NOPUSH};
use super::{FIRST_LULL_MS, LULL_MS};
use crate::event::{Clock, Shutdown};
use crate::http::exchange::error_lines;
use crate::http::exchange::limits;
use crate::http::exchange::{Action, After, ConnInfo, Cx};
use crate::http::site::Site;
use crate::os::Socket;
use crate::shm::Tally;
use crate::stream::Servers;
use active::{Active, Fill, INPUT_SIZE, queue};
use std::sync::Arc;

/// Responses to pipelined requests are gathered up to this many bytes.
const BATCH_MAX: usize = 64 << 10;

/// Buffers kept for reuse.
const POOL_MAX: usize = 1024;

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Bytes from the client.
    Read,
    /// A request, the first one or the next, owning no buffer: it may be closed when room is needed.
    Idle,
    /// The client's end, all answers being out: it may be closed when room is needed.
    Linger,
    /// Room in the kernel's buffer.
    Write,
    /// Its next turn.
    Turn,
    /// Nothing: it is to be closed.
    Close,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between requests, or with a part of one.
    Request,
    /// A response is being sent.
    Flush(After),
    /// The rest of a request's body is being dropped.
    Discard,
    /// The response is out, the write side shut; the client may still be sending.
    Linger { until_ms: u64 },
    /// It is a connection of `stream`.
    Stream(stream::Phase),
}

/// One client's connection. While it is idle it is all there is of it.
#[derive(Debug)]
pub struct Conn {
    pub socket: Socket,
    pub info: ConnInfo,
    state: State,
    active: Option<Box<Active>>,
    /// When it has waited long enough, in ms of the loop's clock.
    pub deadline_ms: u64,
    /// The client has sent bytes before the response to the request before them was out, and may do so again at any
    /// time.
    is_pipelining: bool,
    /// How much of what was sent it had not acknowledged when it was last looked at, and since when so much, ms of the
    /// clock.
    undelivered: (u32, u64),
    /// The location of its last exchange, whose timeouts hold.
    location: u32,
}

/// What all connections of one worker, or one thread, share.
#[derive(Debug)]
pub struct Engine {
    pub site: Arc<Site>,
    /// The `stream` block; its sockets follow those of the site.
    pub streams: Arc<Servers>,
    pub clock: Clock,
    /// Number of the loop's turn: how long a look at a file is good for.
    pub turn: u64,
    /// How far the process has gone on its way to its end, as this thread knows.
    pub shutdown: Shutdown,
    /// Others wait, and there is no room for them: who has its answer makes some.
    pub is_full: bool,
    /// Where answers are counted.
    pub tally: Arc<Tally>,
    files: FileCache,
    logs: AccessLogs,
    #[allow(clippy::vec_box, reason = "the boxes themselves move between the pool and the connections")]
    pool: Vec<Box<Active>>,
    accepted: u64,
}

impl Conn {
    /// Whether nothing has been asked on it yet.
    pub fn is_new(&self) -> bool {
        self.info.requests == 0
    }

    /// Whether it has been answered and waits for the next request.
    pub fn is_kept_alive(&self) -> bool {
        self.active.is_none() && !self.is_new()
    }

    /// Whether all its answers are out, and nothing it sends is read any more.
    pub fn is_lingering(&self) -> bool {
        matches!(self.state, State::Linger { .. } | State::Stream(stream::Phase::Linger { .. }))
    }

    /// How long it is still listened to when room is needed, ms.
    pub fn lull_ms(&self) -> u64 {
        if self.is_new() || self.is_lingering() { FIRST_LULL_MS } else { LULL_MS }
    }
}

impl Engine {
    pub fn new(site: Arc<Site>, streams: Arc<Servers>, clock: Clock, logs: AccessLogs, tally: Arc<Tally>) -> Engine {
        let files = FileCache::new(site.locations().iter().all(|location| *location.scope.get(&SENDFILE)));
        Engine {
            site,
            streams,
            clock,
            turn: 0,
            shutdown: Shutdown::No,
            is_full: false,
            tally,
            files,
            logs,
            pool: Vec::new(),
            accepted: 0,
        }
    }

    /// Takes on an accepted connection.
    pub fn open(&mut self, socket: Socket, peer: crate::os::Addr, listener: usize) -> Conn {
        self.accepted += 1;
        let accept_delay_ms = self.accept_delay(&socket);
        if let Some(listener) = listener.checked_sub(self.site.sockets.len()) {
            return self.open_stream(socket, peer, listener, accept_delay_ms);
        }
        let local = if self.site.wants_local_address(listener) { socket.local_addr().ok() } else { None };
        let bound = self.site.bound(listener, local.as_ref());
        let now = self.clock.now_ms();
        let own = self.site.server(self.site.default_server(bound)).own;
        let timeout = *self.site.location(own).scope.get(&limits::CLIENT_HEADER_TIMEOUT);
        Conn {
            socket,
            info: ConnInfo { accept_delay_ms, ..ConnInfo::new(peer, local, bound, self.accepted, now) },
            state: State::Request,
            active: None,
            deadline_ms: now + timeout,
            is_pipelining: false,
            undelivered: (0, 0),
            location: own as u32,
        }
    }

    /// Goes on with `conn` until it must wait. `hung_up`: the client has closed its side, so that the end of the
    /// stream is there to be read.
    pub fn advance(&mut self, conn: &mut Conn, hung_up: bool) -> Need {
        let mut active = match conn.active.take() {
            // A driver that did not wait for the first bytes: the request begins when they come.
            Some(mut active) if conn.state == State::Request && active.is_blank() => {
                self.reset(&mut active);
                active
            }
            Some(active) => active,
            None => self.begin(conn),
        };
        (active.drained, active.reads, active.has_answered) = (false, 0, false);
        active.hung_up |= hung_up;
        let hung_up = active.hung_up;
        let need = self.turn(conn, &mut active, hung_up);
        self.settle(conn, &mut active, need);
        if matches!(need, Need::Idle | Need::Close) {
            self.recycle(active);
        } else {
            conn.active = Some(active);
        }
        need
    }

    /// The first bytes after an idle time begin a request.
    fn begin(&mut self, conn: &mut Conn) -> Box<Active> {
        let mut active = self.pool.pop().unwrap_or_default();
        if matches!(conn.state, State::Stream(_)) {
            return active;
        }
        self.reset(&mut active);
        if conn.info.requests > 0 {
            conn.deadline_ms = self.clock.now_ms() + self.timeout(conn, &limits::CLIENT_HEADER_TIMEOUT);
        }
        active
    }

    /// The next request begins.
    fn reset(&self, active: &mut Active) {
        active.ex.reset(self.clock.now_ms());
        active.has_waited = false;
        active.began_ns = self.clock.turn_ns();
    }

    fn recycle(&mut self, mut active: Box<Active>) {
        if self.pool.len() >= POOL_MAX {
            return;
        }
        active.input.clear();
        active.input.shrink_to(INPUT_SIZE);
        (active.start, active.hung_up) = (0, false);
        active.out.clear();
        active.out.bytes.shrink_to(BATCH_MAX);
        active.entry = None;
        self.pool.push(active);
    }

    fn timeout(&self, conn: &Conn, which: &'static crate::conf::Setting<u64>) -> u64 {
        *self.site.location(conn.location as usize).scope.get(which)
    }

    fn turn(&mut self, conn: &mut Conn, active: &mut Active, hung_up: bool) -> Need {
        loop {
            let waits = match conn.state {
                State::Request => self.on_request(conn, active, hung_up),
                State::Flush(after) => self.on_flush(conn, active, after),
                State::Discard => self.on_discard(conn, active, hung_up),
                State::Linger { until_ms } => Some(self.on_linger(conn, active, until_ms)),
                State::Stream(phase) => Some(self.on_stream(conn, active, phase, hung_up)),
            };
            if let Some(need) = waits {
                return need;
            }
        }
    }

    /// Answers what requests there are, then reads on.
    fn on_request(&mut self, conn: &mut Conn, active: &mut Active, hung_up: bool) -> Option<Need> {
        if active.start < active.input.len() {
            match self.exchange(conn, active) {
                Ok(Some(After::KeepAlive)) if active.out.has_room(BATCH_MAX) && active.has_pipelined() => {
                    self.finish(conn, active);
                    self.next_request(conn, active);
                    return None;
                }
                Ok(Some(after)) => {
                    self.send_last(conn, after);
                    return None;
                }
                Ok(None) => {}
                Err(()) => return self.hang_up(conn, active),
            }
        }
        if !active.out.is_empty()
            && let Some(need) = self.flush(conn, active)
        {
            return Some(need);
        }
        match active.fill(&conn.socket, hung_up) {
            Fill::More => {
                conn.is_pipelining |= active.has_answered;
                None
            }
            Fill::Nothing if active.is_blank() && conn.is_new() => Some(Need::Idle),
            Fill::Nothing if active.start == active.input.len() && !conn.is_new() => {
                let idle = self.site.location(conn.location as usize).scope.get(&limits::KEEPALIVE_TIMEOUT).idle_ms;
                // The last answer promised to go on: it was given before the worker began to leave.
                let idle = if self.shutdown.has_begun() { idle.min(LULL_MS) } else { idle };
                conn.deadline_ms = self.clock.now_ms() + idle;
                Some(Need::Idle)
            }
            Fill::Nothing => Some(Need::Read),
            Fill::Later => Some(Need::Turn),
            Fill::End => {
                if active.start < active.input.len() {
                    self.abandon(conn, active);
                }
                Some(Need::Close)
            }
            Fill::Broken(error) => Some(self.broken(conn, active, &error)),
        }
    }

    fn cx<'a>(&'a self, conn: &'a Conn, active: &'a Active) -> Cx<'a> {
        let input = active.input.get(active.start..).unwrap_or_default();
        cx!(self, conn, input)
    }

    /// Carries out an exchange's actions. `None`: its request is not all there.
    fn exchange(&mut self, conn: &mut Conn, active: &mut Active) -> Result<Option<After>, ()> {
        let now_ms = self.clock.unix_ms();
        let Active { input, start, ex, out, entry, .. } = active;
        conn.info.requests += 1;
        let cx = cx!(self, conn, &input[*start..]);
        let mut action = ex.request(&cx, &mut out.bytes);
        loop {
            action = match action {
                Action::Read => {
                    conn.info.requests -= 1;
                    return Ok(None);
                }
                Action::Close => return Err(()),
                Action::Open | Action::Look => {
                    let result = match action {
                        Action::Look => self.files.look(ex.path(), self.turn, now_ms),
                        _ => self.files.get(ex.path(), self.turn, now_ms),
                    };
                    let found = result.as_ref().map(|entry| entry.found()).map_err(|errno| *errno);
                    *entry = result.ok();
                    ex.opened(&cx, found, &mut out.bytes)
                }
                Action::List => {
                    *entry = None;
                    let found = listing::of(ex.path());
                    ex.listed(&cx, found, &mut out.bytes)
                }
                Action::Send(body) => {
                    let before = out.bytes.len();
                    let queued = entry.as_ref().map_or(Ok(0), |entry| queue(out, entry, body));
                    let Ok(file_bytes) = queued else {
                        error_lines::unreadable(ex, &cx);
                        return Err(());
                    };
                    ex.add_sent(file_bytes + (out.bytes.len() - before) as u64);
                    conn.location = ex.location() as u32;
                    return Ok(Some(ex.after()));
                }
            }
        }
    }

    /// Closes the books on an exchange whose response is queued or sent.
    fn finish(&mut self, conn: &Conn, active: &mut Active) {
        self.count(active);
        let cx = cx!(self, conn, &active.input[active.start..]);
        self.logs.write(&active.ex, &cx);
        active.start += active.ex.taken();
        active.entry = None;
    }

    fn how(&self, conn: &Conn) -> How {
        let scope = &self.site.location(conn.location as usize).scope;
        let closing = matches!(conn.state, State::Flush(After::Close { .. }));
        How { sendfile: *scope.get(&SENDFILE), nopush: *scope.get(&TCP_NOPUSH), closing }
    }

    /// Sends what is queued, as far as it goes. `None`: all of it is out. A client that takes some has its time again.
    fn flush(&mut self, conn: &mut Conn, active: &mut Active) -> Option<Need> {
        let before = active.out.left();
        let stop = match active.out.flush(&conn.socket, self.how(conn)) {
            Ok(Flush::Done) => return None,
            Ok(stop) => stop,
            Err(error) => return Some(self.broken(conn, active, &error)),
        };
        if active.out.left() != before {
            conn.deadline_ms = self.clock.now_ms() + self.timeout(conn, &limits::SEND_TIMEOUT);
        }
        Some(if stop == Flush::Blocked { Need::Write } else { Need::Turn })
    }

    /// Nothing is queued behind the response that is: all of it goes out, then `after`.
    fn send_last(&self, conn: &mut Conn, after: After) {
        conn.state = State::Flush(after);
        conn.deadline_ms = self.clock.now_ms() + self.timeout(conn, &limits::SEND_TIMEOUT);
    }

    fn on_flush(&mut self, conn: &mut Conn, active: &mut Active, after: After) -> Option<Need> {
        if let Some(need) = self.flush(conn, active) {
            active.has_waited = true;
            return Some(need);
        }
        self.finish(conn, active);
        match after {
            After::KeepAlive => self.next_request(conn, active),
            After::Discard => {
                conn.deadline_ms = self.clock.now_ms() + self.timeout(conn, &limits::CLIENT_BODY_TIMEOUT);
                conn.state = State::Discard;
            }
            After::Close { linger } => return self.close(conn, active, linger),
        }
        None
    }

    fn next_request(&self, conn: &mut Conn, active: &mut Active) {
        conn.state = State::Request;
        self.reset(active);
        active.ex.pipelined = active.start < active.input.len();
        active.has_answered = true;
        conn.is_pipelining |= active.ex.pipelined;
        conn.undelivered = (0, 0);
        conn.deadline_ms = self.clock.now_ms() + self.timeout(conn, &limits::CLIENT_HEADER_TIMEOUT);
    }

    fn on_discard(&mut self, conn: &mut Conn, active: &mut Active, hung_up: bool) -> Option<Need> {
        let Active { input, start, ex, .. } = active;
        let cx = cx!(self, conn, &[]);
        match ex.discard(&cx, &input[*start..]) {
            Ok(used) => *start += used,
            Err(_) => return self.close(conn, active, true),
        }
        match ex.after() {
            After::KeepAlive => {
                self.next_request(conn, active);
                return None;
            }
            After::Close { linger } => return self.close(conn, active, linger),
            After::Discard => {}
        }
        match active.fill(&conn.socket, hung_up) {
            Fill::More => {
                conn.deadline_ms = self.clock.now_ms() + self.timeout(conn, &limits::CLIENT_BODY_TIMEOUT);
                None
            }
            Fill::Nothing => Some(Need::Read),
            Fill::Later => Some(Need::Turn),
            Fill::End => Some(Need::Close),
            Fill::Broken(error) => Some(self.broken(conn, active, &error)),
        }
    }

    /// Ends a turn: log lines that wait for no fuller buffer are written, files that nobody asks for are closed.
    pub fn end_of_turn(&mut self) {
        self.logs.end_of_turn(&self.clock);
        self.count_lost_lines();
        self.files.close_idle(self.turn, self.clock.now_ms());
        self.turn += 1;
    }

    /// The time by which a turn must end, in ms of the clock: a log buffer is to be written, or files are to be closed.
    pub fn next_upkeep(&self) -> Option<u64> {
        [self.logs.next_flush_ms(), self.files.next_look_ms()].into_iter().flatten().min()
    }

    /// Closes the files that are kept open for requests to come. False: there are none.
    pub fn close_files(&mut self) -> bool {
        self.files.close_files() > 0
    }

    /// Writes all log lines that are still held.
    pub fn flush_logs(&mut self) {
        self.logs.flush();
        self.count_lost_lines();
    }
}
