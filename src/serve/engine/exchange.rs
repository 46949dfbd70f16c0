//! Carries out the actions of an exchange: opens files, lists directories, queues the response.

use super::Engine;
use crate::http::answer::conditions;
use crate::http::exchange::error_lines;
use crate::http::exchange::{Action, After, Body, Cx, Exchange};
use crate::http::message::gzip::Stream;
use crate::os::{Links, faults, memory};
use crate::serve::coder::{self, Coder};
use crate::serve::connection::{Conn, State};
use crate::serve::file_cache::{LATER, OpenedFile};
use crate::serve::jobs::{Done, Job};
use crate::serve::keeper::{self, Keeper, Kept};
use crate::serve::listing::Listing;
use crate::serve::lookup::Lookup;
use crate::serve::output::Output;
use crate::serve::pace::Pace;
use crate::serve::session::{INPUT_SIZE, Session};
use crate::shm::{Key, PART};
use nix::errno::Errno;
use std::sync::Arc;

/// Bytes of a head that is served from the reserve of memory, if need be: those that are read at once.
const SHORT_HEAD: usize = INPUT_SIZE;

impl Engine {
    /// Runs the exchange of the current request until its response is queued. Returns what follows when that is sent;
    /// `None`: the request is not all there. Errors: the connection is closed without a response.
    pub(super) fn exchange(&mut self, conn: &mut Conn, session: &mut Session) -> Result<Option<After>, ()> {
        let Session { input, start, ex, out, begun, .. } = session;
        if has_no_memory_for_head(&input[*start..]) {
            return Err(());
        }
        conn.info.requests += 1;
        *begun = out.queued();
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
        let Session { input, start, ex, out, entry, aside, pace, waiting, done, stream, .. } = session;
        let cx = cx!(self, conn, &input[*start..]);
        let (pool, job, again) = loop {
            action = match action {
                Action::Read => {
                    conn.info.requests -= 1;
                    return Ok(None);
                }
                Action::Close => return Err(()),
                Action::Open | Action::Stat => {
                    let is_open = matches!(action, Action::Open);
                    let (path, turn, mut waits) = (ex.path(), self.turn, false);
                    let result = match ex.file_rules(&cx) {
                        Some(rules) => {
                            let pool = rules.pool.filter(|_| self.jobs.is_on());
                            waits = pool.is_some();
                            let mut found = found_by_thread(done.take());
                            if matches!(found, Some(Err(libc::EMFILE | libc::ENFILE)))
                                && self.files.close_files() + self.lasting.close_files() > 0
                            {
                                // There is room for the file now.
                                found = None;
                            }
                            found.iter().for_each(|found| self.files.note(path, found, turn, now_ms));
                            let (is_stat, unix_ms) = (!is_open && rules.caching.is_none(), now_ms);
                            let may_wait = pool.is_none();
                            let rules = &rules;
                            let lookup = Lookup { path, rules, is_stat, turn, unix_ms, may_wait, found };
                            let (files, now) = (&mut self.files, self.clock.now_ms());
                            let result = self.lasting.get(files, path, rules, now, |files| lookup.run(files));
                            if let Err(LATER) = result {
                                let look = self.files.look(path, rules.links, is_stat, now_ms);
                                break (pool, Job::Look(look), action);
                            }
                            result
                        }
                        None if is_open => self.files.get(path, turn, now_ms),
                        None => self.files.get_or_stat(path, turn, now_ms),
                    };
                    let mut found = result.as_ref().map(|entry| entry.found().clone()).map_err(|errno| *errno);
                    if let (Some(hashes), Ok(entry), Ok(found)) = (&self.hashes, &result, &mut found)
                        && is_open
                        && conditions::are_by_contents(ex, &cx)
                    {
                        found.know_contents(hashes.of(entry, now_ms, waits).as_ref());
                    }
                    *(if ex.is_aside() { &mut *aside } else { &mut *entry }) = result.ok();
                    ex.opened(&cx, found, &mut out.bytes)
                }
                Action::List | Action::Names => {
                    if !ex.is_aside() {
                        *entry = None;
                    }
                    let is_whole = matches!(action, Action::List);
                    let pool = ex.thread_pool(&cx).filter(|_| self.jobs.is_on());
                    let links = ex.file_rules(&cx).map_or(Links::Follow, |rules| rules.links);
                    let listing = Listing { path: ex.path().to_owned(), links, is_whole };
                    let found = match done.take() {
                        Some(Done::Listed(found)) => found,
                        Some(_) => Err(libc::EAGAIN),
                        None if pool.is_some() => break (pool, Job::List(listing), action),
                        None => listing.run(),
                    };
                    ex.listed(&cx, found, &mut out.bytes)
                }
                Action::FindGzip(recipe) => {
                    let key = entry.as_ref().and_then(|entry| keeper::key(entry, recipe, now_ms));
                    let kept = cx.conf.gzip_cache().and_then(|cache| {
                        let kept = key.and_then(|key| cache.find(&key));
                        self.tally.gzip_lookups[usize::from(kept.is_none())].add(1);
                        kept
                    });
                    ex.kept(&cx, kept, &mut out.bytes)
                }
                Action::Contents => {
                    let pool = ex.thread_pool(&cx).filter(|_| self.jobs.is_on());
                    let opened = aside.take().filter(|_| ex.is_aside()).map(Ok);
                    let contents = match done.take() {
                        Some(Done::Contents(contents)) => contents,
                        Some(_) => Err(libc::EAGAIN),
                        None if pool.is_some() => {
                            let get = || self.files.get_now(ex.path(), false, self.turn, now_ms);
                            match opened.unwrap_or_else(get) {
                                Ok(entry) if entry.file().is_none() => entry.contents(),
                                Err(errno) if errno != LATER => Err(errno),
                                _ => {
                                    let look = self.files.look(ex.path(), Links::Follow, false, now_ms);
                                    break (pool, Job::Contents(look), action);
                                }
                            }
                        }
                        None => {
                            let get = || self.files.get(ex.path(), self.turn, now_ms);
                            opened.unwrap_or_else(get).and_then(|entry| entry.contents())
                        }
                    };
                    ex.contents(&cx, contents, &mut out.bytes)
                }
                Action::Check(check) => {
                    let now = self.clock.now_ms();
                    let fits = match (done.take(), self.passwords.known(&check, now)) {
                        (Some(Done::Checked(_, fits)), _) => fits,
                        (Some(_), _) => return Err(()),
                        (None, Ok(())) => true,
                        (None, Err(digested)) if self.jobs.is_on() => {
                            break (None, Job::Check(digested, check.clone()), Action::Check(check));
                        }
                        (None, Err(digested)) => {
                            let fits = check.run();
                            self.passwords.note(digested, fits, now);
                            fits
                        }
                    };
                    ex.checked(&cx, fits, &mut out.bytes)
                }
                Action::Wait(ms) => {
                    conn.state = State::Wait { until_ms: Some(self.clock.now_ms() + ms) };
                    return Ok(None);
                }
                Action::Send(body) => {
                    if !has_memory_for(&body) {
                        error_lines::connection_broken(ex, &cx, &Errno::ENOMEM.into());
                        return Err(());
                    }
                    let before = out.bytes.len();
                    let pool = ex.thread_pool(&cx).filter(|_| self.jobs.is_on());
                    if let (Body::Gzip { recipe, kept, is_chunked }, Some(entry)) = (&body, &*entry) {
                        let coder = Coder::new(Stream::compress(*recipe), entry.clone(), *is_chunked).with_pool(pool);
                        push_gzip(ex, &cx, out, coder, keeper::key(entry, *recipe, now_ms), *kept);
                    }
                    let queued = entry.as_ref().map_or(Ok(0), |entry| out.push_body(entry, body, pool));
                    let file_bytes = queued.map_err(|error| error_lines::connection_broken(ex, &cx, &error))?;
                    ex.add_sent(file_bytes + (out.bytes.len() - before) as u64);
                    if entry.is_some() {
                        faults::strike("queueing", ex.path());
                    }
                    *pace = ex.rate(&cx).map(|rate| Pace::new(rate, out.unsent().saturating_sub(ex.bytes_sent())));
                    conn.location = ex.location() as u32;
                    return Ok(Some(ex.after()));
                }
            }
        };
        self.jobs.ask(pool, *stream, job);
        *waiting = Some(again);
        conn.state = State::Wait { until_ms: None };
        Ok(None)
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
        faults::strike("logging", session.ex.path());
        let cx = cx!(self, conn, &session.input[session.start..]);
        self.logs.write(&session.ex, &cx);
        session.start += session.ex.taken();
        (session.entry, session.aside) = (None, None);
        session.ex.end();
    }
}

/// Whether there is no memory for what a long head leads to: a field for every four bytes, a uri, lines of logs that
/// escape it.
pub(super) fn has_no_memory_for_head(head: &[u8]) -> bool {
    head.len() > SHORT_HEAD && !memory::has_room(head.len() * 8)
}

/// Whether a body that is coded can be: a compression that is refused memory would end the process, or panic.
fn has_memory_for(body: &Body) -> bool {
    match body {
        Body::Gzip { .. } | Body::Gunzip { .. } | Body::Recoded { .. } => memory::has_room(coder::MEMORY),
        Body::None | Body::File { .. } | Body::Parts { .. } => true,
    }
}

/// The file that a thread has looked for.
fn found_by_thread(done: Option<Done>) -> Option<Result<Arc<OpenedFile>, i32>> {
    match done? {
        Done::Found(found) => Some(found),
        // nginx closes the connection without an answer.
        _ => Some(Err(libc::EAGAIN)),
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
