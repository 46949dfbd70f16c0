//! Carries out the actions of an exchange: opens files, lists directories, queues the response.

use super::Engine;
use crate::http::answer::conditions;
use crate::http::exchange::error_lines;
use crate::http::exchange::{Action, After, Body, Cx, Exchange};
use crate::http::message::gzip::Stream;
use crate::serve::coder::Coder;
use crate::serve::connection::{Conn, State};
use crate::serve::file_cache::FileCache;
use crate::serve::keeper::{self, Keeper, Kept};
use crate::serve::listing;
use crate::serve::output::Output;
use crate::serve::pace::Pace;
use crate::serve::session::Session;
use crate::shm::{Key, PART};

impl Engine {
    /// Runs the exchange of the current request until its response is queued. Returns what follows when that is sent;
    /// `None`: the request is not all there. Errors: the connection is closed without a response.
    pub(super) fn exchange(&mut self, conn: &mut Conn, session: &mut Session) -> Result<Option<After>, ()> {
        let Session { input, start, ex, out, .. } = session;
        conn.info.requests += 1;
        self.look_at_tcp(conn);
        let cx = cx!(self, conn, &input[*start..]);
        let action = ex.request(&cx, &mut out.bytes);
        self.carry_out(conn, session, action)
    }

    /// Carries out `action` and those that follow.
    pub(super) fn carry_out(
        &mut self,
        conn: &mut Conn,
        session: &mut Session,
        mut action: Action,
    ) -> Result<Option<After>, ()> {
        let now_ms = self.clock.unix_ms();
        let Session { input, start, ex, out, entry, aside, pace, .. } = session;
        let cx = cx!(self, conn, &input[*start..]);
        loop {
            action = match action {
                Action::Read => {
                    conn.info.requests -= 1;
                    return Ok(None);
                }
                Action::Close => return Err(()),
                Action::Open | Action::Stat => {
                    let is_open = matches!(action, Action::Open);
                    let result = match ex.file_rules(&cx) {
                        Some(rules) => {
                            let open = |files: &mut FileCache| files.get_by(ex.path(), rules.links, self.turn, now_ms);
                            self.lasting.get(&mut self.files, ex.path(), &rules, self.clock.now_ms(), open)
                        }
                        None if is_open => self.files.get(ex.path(), self.turn, now_ms),
                        None => self.files.get_or_stat(ex.path(), self.turn, now_ms),
                    };
                    let mut found = result.as_ref().map(|entry| entry.found().clone()).map_err(|errno| *errno);
                    if let (Some(hashes), Ok(entry), Ok(found)) = (&self.hashes, &result, &mut found)
                        && is_open
                        && conditions::are_by_contents(ex, &cx)
                    {
                        found.know_contents(hashes.of(entry, now_ms).as_ref());
                    }
                    *(if ex.is_aside() { &mut *aside } else { &mut *entry }) = result.ok();
                    ex.opened(&cx, found, &mut out.bytes)
                }
                Action::List | Action::Names => {
                    if !ex.is_aside() {
                        *entry = None;
                    }
                    let is_list = matches!(action, Action::List);
                    let found = if is_list { listing::of(ex.path()) } else { listing::names(ex.path()) };
                    ex.listed(&cx, found, &mut out.bytes)
                }
                Action::FindGzip(recipe) => {
                    let key = entry.as_ref().and_then(|entry| keeper::key(entry, recipe, now_ms));
                    let kept = cx.conf.gzip_cache().zip(key).and_then(|(cache, key)| cache.find(&key));
                    ex.kept(&cx, kept, &mut out.bytes)
                }
                Action::Contents => {
                    let opened = aside.take().filter(|_| ex.is_aside()).map(Ok);
                    let file = opened.unwrap_or_else(|| self.files.get(ex.path(), self.turn, now_ms));
                    let file = file.and_then(|entry| entry.contents());
                    ex.contents(&cx, file, &mut out.bytes)
                }
                Action::Check(check) => match self.passwords.check(check, self.clock.now_ms()) {
                    Some(fits) => ex.checked(&cx, fits, &mut out.bytes),
                    None => {
                        conn.state = State::Wait { until_ms: None };
                        return Ok(None);
                    }
                },
                Action::Wait(ms) => {
                    conn.state = State::Wait { until_ms: Some(self.clock.now_ms() + ms) };
                    return Ok(None);
                }
                Action::Send(body) => {
                    let before = out.bytes.len();
                    if let (Body::Gzip { recipe, kept, is_chunked }, Some(entry)) = (&body, &*entry) {
                        let coder = Coder::new(Stream::compress(*recipe), entry.clone(), *is_chunked);
                        push_gzip(ex, &cx, out, coder, keeper::key(entry, *recipe, now_ms), *kept);
                    }
                    let queued = entry.as_ref().map_or(Ok(0), |entry| out.push_body(entry, body));
                    let Ok(file_bytes) = queued else {
                        error_lines::unreadable(ex, &cx);
                        return Err(());
                    };
                    ex.add_sent(file_bytes + (out.bytes.len() - before) as u64);
                    *pace = ex.rate(&cx).map(|rate| Pace::new(rate, out.unsent().saturating_sub(ex.bytes_sent())));
                    conn.location = ex.location() as u32;
                    return Ok(Some(ex.after()));
                }
            }
        }
    }

    /// Asks the kernel about the connection, if the conf shows what it says.
    pub(super) fn look_at_tcp(&self, conn: &mut Conn) {
        if self.site.wants_tcp_info() {
            let numbers =
                |info: libc::tcp_info| [info.tcpi_rtt, info.tcpi_rttvar, info.tcpi_snd_cwnd, info.tcpi_rcv_space];
            conn.info.tcp = conn.socket.tcp_info().ok().map(numbers).map(Box::new);
        }
    }

    /// Counts and logs an exchange whose response is queued, sent or given up, and leaves its request behind.
    pub(super) fn finish(&mut self, conn: &mut Conn, session: &mut Session) {
        self.count_request(session);
        session.ex.set_over();
        self.look_at_tcp(conn);
        let cx = cx!(self, conn, &session.input[session.start..]);
        self.logs.write(&session.ex, &cx);
        session.start += session.ex.taken();
        (session.entry, session.aside) = (None, None);
        session.ex.end();
    }
}

/// Queues the gzip of a file: a short one that is kept is there at once.
fn push_gzip(ex: &mut Exchange, cx: &Cx, out: &mut Output, mut coder: Coder, key: Option<Key>, kept: Option<u64>) {
    if let Some((cache, key)) = cx.conf.gzip_cache().zip(key) {
        coder = coder.with_keeper(Keeper::new(cache.clone(), key));
        if let Some(total) = kept {
            let mut kept = Kept::new(cache.clone(), key, total);
            if total <= PART as u64 && !coder.is_chunked() && kept.read(&mut out.bytes) {
                return ex.set_coded(coder.lengths().0, total);
            }
            coder = coder.with_kept(Kept::new(cache.clone(), key, total));
        }
    }
    out.push_coder(coder);
}
