//! What an engine writes into its process's slot of the ledger. Nothing here waits or calls the kernel.
//!
//! Where a connection stands is published when its turn ends in another stage than it began in: a request that is
//! answered at once changes nothing. Request times are measured only where the conf has a page that shows them: from the
//! start of the loop's turn that found the first byte (read anyway) until the turn's last byte of answers is in the
//! kernel's buffer, in nanoseconds. That costs one reading of the clock for all requests of one batch: 77 instructions in
//! the vDSO, 45 to 55 ns on a busy virtual machine, where a small keep-alive answer takes 5.6 µs.

use super::{Active, Conn, Engine, Need, State};
use crate::http::exchange::Stage;

/// Requests whose answers have been queued and whose times have not been counted.
#[derive(Debug, Default)]
pub(super) struct Unbooked {
    count: u64,
    /// The clock's turn that found the first byte of the first of them, ns.
    since_ns: u64,
}

impl Engine {
    /// One more request has been answered.
    pub(super) fn count(&self, active: &mut Active) {
        self.tally.requests.add(1);
        self.tally.bytes_sent.add(active.ex.bytes_sent());
        self.tally.count_status(active.ex.status());
        if self.site.shows_times() {
            // One that took more than a turn to arrive shares its end with those behind it, but not its beginning.
            if active.unbooked.count > 0 && active.unbooked.since_ns != active.began_ns {
                self.book_times(active);
            }
            active.unbooked.count += 1;
            active.unbooked.since_ns = active.began_ns;
        }
    }

    fn book_times(&self, active: &mut Active) {
        let Unbooked { count, since_ns } = std::mem::take(&mut active.unbooked);
        self.tally.count_request_time(self.clock.since_ns(since_ns), count);
    }

    pub(super) fn count_lost_lines(&mut self) {
        let lost = self.logs.take_lost();
        if lost > 0 {
            self.tally.lost_log_lines.add(lost);
        }
    }

    /// The connection's turn has ended with `need`.
    pub(super) fn settle(&self, conn: &mut Conn, active: &mut Active, need: Need) {
        if active.unbooked.count > 0 && (active.out.is_empty() || need == Need::Close) {
            self.book_times(active);
        }
        let stage = match (need, conn.state) {
            (Need::Idle | Need::Linger | Need::Close, _) => Stage::Waiting,
            (_, State::Request | State::Stream(_)) if active.is_blank() => Stage::Waiting,
            (_, State::Request | State::Stream(_)) if active.out.is_empty() => Stage::Reading,
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

    /// How long a connection has waited to be accepted, ms: the kernel remembers when the handshake ended as the time of
    /// the last data sent (`lsndtime`, tcp_create_openreq_child), and nothing has been sent since. It counts in ticks,
    /// 4 ms where CONFIG_HZ is 250. With a deferred accept the time before the first bytes does not count.
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
