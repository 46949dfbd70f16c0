//! The account of an engine in its process's slot of the ledger: stores into shared memory, no waiting.
//!
//! The stage of a connection is published when its turn ends in another stage than it began in: a request that is
//! answered at once changes nothing. Request times are measured only where the conf has a page that shows them: from
//! the start of the loop's turn that found the first byte (read anyway) until the turn's last byte of answers is in the
//! kernel's buffer, in nanoseconds. That costs one reading of the clock for all requests of one batch: 77 instructions
//! in the vDSO, 45 to 55 ns on a busy virtual machine, where a small keep-alive answer takes 5.6 µs.

use super::Engine;
use crate::http::exchange::Stage;
use crate::serve::connection::{Conn, Need, State};
use crate::serve::file_cache::Lookups;
use crate::serve::session::{Session, Unmeasured};
use crate::shm::{Protocol, Slot};

impl Engine {
    /// Counts a request whose response is queued, sent or given up.
    pub(super) fn count_request(&mut self, session: &mut Session) {
        let input = session.input.get(session.start..).unwrap_or_default();
        let tally: &Slot = &self.tally;
        tally.count_requests(Protocol::of(session.ex.protocol(input)), 1);
        tally.bytes_sent.add(session.ex.bytes_sent());
        tally.count_status(session.ex.status());
        if session.ex.has_limits() {
            count_limited(tally, session);
        }
        let Lookups { hits, misses } = self.files.take_lookups();
        tally.file_lookups[0].add(hits);
        if misses > 0 {
            tally.file_lookups[1].add(misses);
        }
        if self.site.shows_times() {
            // A request that took more than a turn to arrive shares its end with those behind it, but not its
            // beginning.
            if session.unmeasured.count > 0 && session.unmeasured.since_ns != session.began_ns {
                self.count_times(session);
            }
            session.unmeasured.count += 1;
            session.unmeasured.since_ns = session.began_ns;
        }
    }

    pub(super) fn count_times(&self, session: &mut Session) {
        let Unmeasured { count, since_ns } = std::mem::take(&mut session.unmeasured);
        self.tally.count_request_time(self.clock.since_ns(since_ns), count);
    }

    pub(super) fn count_lost_lines(&mut self) {
        let lost = self.logs.take_lost();
        if lost > 0 {
            self.tally.lost_log_lines.add(lost);
        }
    }

    /// Counts request times, and publishes the stage of the connection, whose turn has ended with `need`.
    pub(super) fn account(&self, conn: &mut Conn, session: &mut Session, need: Need) {
        if session.unmeasured.count > 0 && (session.out.is_empty() || need == Need::Close) {
            self.count_times(session);
        }
        let stage = match (need, conn.state) {
            (Need::Idle | Need::Linger | Need::Close, _) | (_, State::ProxyHeader | State::Handshake) => Stage::Waiting,
            (_, State::Http2) if conn.http2.as_ref().is_none_or(|http2| http2.is_idle()) => Stage::Waiting,
            (_, State::Request | State::Stream(_)) if session.is_blank() => Stage::Waiting,
            (_, State::Request | State::Stream(_)) if session.out.is_empty() => Stage::Reading,
            _ => Stage::Writing,
        };
        self.publish(conn, stage);
    }

    pub(super) fn publish(&self, conn: &mut Conn, stage: Stage) {
        let before = std::mem::replace(&mut conn.info.published, stage);
        if before == stage {
            return;
        }
        match before {
            Stage::Reading => self.tally.reading.sub(1),
            Stage::Writing => self.tally.writing.sub(1),
            Stage::Waiting => {}
        }
        match stage {
            Stage::Reading => self.tally.reading.add(1),
            Stage::Writing => self.tally.writing.add(1),
            Stage::Waiting => {}
        }
    }

    /// How long a connection has waited to be accepted, ms: the kernel remembers when the handshake ended as the time
    /// of the last data sent (`lsndtime`, tcp_create_openreq_child), and nothing has been sent since. It counts in
    /// ticks, 4 ms where CONFIG_HZ is 250. With a deferred accept the time before the first bytes does not count.
    /// `None`: not TCP, or the conf shows it nowhere, and then the question to the kernel is not asked.
    pub(super) fn accept_delay(&self, socket: &crate::os::Socket) -> Option<u32> {
        if !self.site.wants_accept_delay() {
            return None;
        }
        let ms = socket.tcp_info().ok()?.tcpi_last_data_sent;
        self.tally.count_accept_delay(ms.into());
        Some(ms)
    }
}

#[cold]
fn count_limited(tally: &Slot, session: &Session) {
    for limited in session.ex.limited().into_iter().flatten() {
        tally.limited_requests[limited as usize].add(1);
    }
}
