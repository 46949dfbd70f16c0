//! The wait of a connection: for the first of the deadlines of all its streams, and its own.

use crate::http::exchange::keep_alive::KEEPALIVE_TIMEOUT;
use crate::http::exchange::{Cx, http2 as lines, limits};
use crate::http::h2::frame::Code;
use crate::serve::connection::{Conn, Need};
use crate::serve::engine::Engine;
use crate::serve::http2::{Http2, Step};
use crate::serve::session::Session;

use super::REPLIES_MAX;

/// How often a connection is looked after that has no deadline, ms.
const LOOK_MS: u64 = 60_000;

/// Notes since when something holds, and returns when it has held for `ms`; `None`: it does not.
fn until(since_ms: &mut Option<u64>, holds: bool, now: u64, ms: u64) -> Option<u64> {
    if !holds {
        *since_ms = None;
        return None;
    }
    Some(since_ms.get_or_insert(now).saturating_add(ms))
}

impl Engine {
    /// The event that the connection waits for. `None`: a deadline has passed, and there is something to do.
    pub(super) fn wait_http2(&mut self, conn: &mut Conn, http2: &mut Http2, session: &mut Session) -> Option<Need> {
        let now = self.clock.now_ms();
        let is_blocked = !session.out.is_empty();
        let send_timeout = self.timeout(conn, &limits::SEND_TIMEOUT);
        let stalled_until = until(&mut http2.stalled_since_ms, is_blocked, now, send_timeout);
        if stalled_until.is_some_and(|until| until <= now) {
            return Some(self.http2_stalled(conn, http2));
        }
        if http2.framing.has_ended() && http2.is_idle() && http2.framing.held() == 0 && !is_blocked {
            return self.close(conn, session, true);
        }
        let is_part_there = session.start < session.input.len() && session.out.unsent() < REPLIES_MAX;
        let is_partial = is_part_there || http2.framing.is_within_block() || conn.has_part();
        let header_timeout = self.timeout(conn, &limits::CLIENT_HEADER_TIMEOUT);
        let partial_until = until(&mut http2.partial_since_ms, is_partial, now, header_timeout);
        let is_idle = http2.is_idle() && http2.framing.held() == 0 && !is_partial && !is_blocked;
        // Frames that open no stream do not count (`ngx_http_v2_handle_connection` leaves the timer as it is), nor the
        // answers to them. The end of a partial frame may open one.
        let keep = self.site.location(conn.location as usize).scope.get(&KEEPALIVE_TIMEOUT).idle_ms;
        let (has_no_stream, is_new) = (http2.is_idle(), http2.requests == 0);
        let idle_ms = if keep == 0 || is_new { header_timeout } else { keep };
        let idle_until = until(&mut http2.idle_since_ms, has_no_stream, now, idle_ms);
        if partial_until.is_some_and(|until| until <= now) && !http2.is_closing {
            lines::client_timed_out(&cx!(self, conn, &[]));
            http2.framing.end(Code::ProtocolError, &mut session.out.bytes);
            self.stop_http2(conn, http2, session);
            return None;
        }
        let is_over = idle_until.is_some_and(|until| until <= now) && !is_partial;
        if http2.framing.end_held(Some(now).filter(|_| !is_over), &mut session.out.bytes) {
            return None;
        }
        if is_over && !http2.framing.has_ended() {
            http2.framing.end(Code::NoError, &mut session.out.bytes);
            return None;
        }
        let streams_until = self.next_of_streams(conn, http2, session)?;
        let own = [stalled_until, partial_until, idle_until, http2.drain.until_ms(), http2.framing.rest_until(now)];
        // A second GOAWAY that has been sent is no deadline.
        let own = own.into_iter().flatten().filter(|until| *until > now);
        conn.deadline_ms = own.fold(streams_until, u64::min);
        Some(match () {
            () if is_idle && !http2.framing.is_ending() => {
                http2.framing.shrink();
                http2.queued.shrink_to_fit();
                Need::Idle
            }
            () if session.out.unsent() >= REPLIES_MAX || http2.is_closing => Need::Write,
            () if is_blocked => Need::Both,
            () => Need::Read,
        })
    }

    /// The first deadline of the streams. `None`: streams have been closed whose windows the client leaves empty.
    fn next_of_streams(&mut self, conn: &mut Conn, http2: &mut Http2, session: &mut Session) -> Option<u64> {
        let now = self.clock.now_ms();
        let (mut next, mut late) = (now + LOOK_MS, Vec::new());
        for stream in http2.framing.all_mut() {
            let (id, stream) = (stream.id, &mut stream.data);
            if let Step::Wait { until_ms } = stream.step {
                next = next.min(until_ms.max(now + 1));
            }
            if let Some(until) = stream.session.pace.as_ref().and_then(|pace| pace.paused_until()) {
                next = next.min(until.max(now + 1));
            }
            if let Some(since) = stream.stalled_since_ms {
                let scope = &self.site.location(stream.session.ex.location()).scope;
                let until = since.saturating_add(*scope.get(&limits::SEND_TIMEOUT));
                next = next.min(until);
                late.extend((until <= now).then_some(id));
            }
        }
        if late.is_empty() {
            return Some(next);
        }
        for id in late {
            let place = http2.framing.place_of(id)?;
            // nginx: ngx_http_v2_close_stream, of a stream that timed out.
            if let Some(stream) = http2.framing.reset(place, Code::ProtocolError, &mut session.out.bytes) {
                lines::client_timed_out(&cx!(self, conn, &[]));
                self.drop_stream(conn, stream);
            }
        }
        None
    }

    /// The client takes nothing of what is queued.
    fn http2_stalled(&mut self, conn: &mut Conn, http2: &mut Http2) -> Need {
        lines::client_timed_out(&cx!(self, conn, &[]));
        conn.silence();
        self.drop_streams(conn, http2);
        self.set_timeout_reset(conn);
        Need::Close
    }
}
