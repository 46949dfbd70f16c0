//! The exchanges of the streams: each has a session of its own, for which the same actions are carried out as for a
//! connection of HTTP/1.

use crate::http::exchange::Cx;
use crate::http::h2::connection::Request;
use crate::http::h2::frame::Code;
use crate::log::panics;
use crate::serve::connection::{Conn, State};
use crate::serve::engine::Engine;
use crate::serve::engine::close::SILENT;
use crate::serve::engine::exchange::has_no_memory_for_head;
use crate::serve::http2::{Http2, QUEUE_MAX, Step, Stream};
use crate::serve::output::Output;
use crate::serve::session::Session;

impl Engine {
    /// Takes on a request, whose head is in the fields of the engine.
    pub(super) fn take_request(&mut self, conn: &mut Conn, http2: &mut Http2, request: &Request) {
        http2.requests += 1;
        http2.idle_since_ms = None;
        conn.info.requests = http2.requests;
        let mut session = self.pool.pop().unwrap_or_default();
        self.start(&mut session);
        session.stream = request.stream;
        std::mem::swap(&mut session.input, &mut self.fields.text);
        session.ex.set_head(&mut self.fields.head, request.len);
        let length = session.ex.content_length().filter(|_| request.result.is_ok());
        let stream = Stream {
            session,
            step: Step::Start { result: request.result },
            number: http2.requests,
            has_trailers: false,
            stalled_since_ms: None,
        };
        http2.framing.open(request, length, stream);
    }

    /// Goes on with the exchanges that need not wait.
    pub(super) fn run_streams(&mut self, conn: &mut Conn, http2: &mut Http2, out: &mut Output) {
        let now = self.clock.now_ms();
        let mut place = 0;
        while out.unsent() < QUEUE_MAX && !self.is_starved() {
            let Some(stream) = http2.framing.at(place) else { return };
            let is_due = match stream.data.step {
                Step::Start { .. } => true,
                Step::Wait { until_ms } => until_ms <= now,
                Step::Work => stream.data.session.done.is_some(),
                Step::Send => false,
            };
            // A stream that is closed leaves its place to the next.
            if !is_due || !self.go_on(conn, http2, place, out) {
                place += 1;
            }
        }
    }

    /// Goes on with the exchange of the stream at `place`. Returns whether the stream is closed.
    fn go_on(&mut self, conn: &mut Conn, http2: &mut Http2, place: usize, out: &mut Output) -> bool {
        let Some(stream) = http2.framing.at_mut(place) else { return false };
        let stream = &mut stream.data;
        conn.info.requests = stream.number;
        self.look_at_tcp(conn);
        let carried_out = panics::catch(|| {
            let Session { input, ex, out: answer, waiting, .. } = &mut *stream.session;
            if matches!(stream.step, Step::Start { .. }) && has_no_memory_for_head(input) {
                return Err(());
            }
            let cx = cx!(self, conn, &input[..]);
            let action = match (stream.step, waiting.take()) {
                (Step::Start { result }, _) => ex.framed(&cx, &mut answer.bytes, result),
                (_, Some(action)) => action,
                _ => ex.resume(&cx, &mut answer.bytes),
            };
            self.carry_out(conn, &mut stream.session, action)
        });
        let carried_out = carried_out.unwrap_or_else(|panic| self.rescue_stream(conn, &mut stream.session, panic));
        match (carried_out, std::mem::replace(&mut conn.state, State::Http2)) {
            (Ok(Some(_)), _) => self.queue_head(conn, http2, place, out),
            (Ok(None), State::Wait { until_ms: Some(until_ms) }) => {
                stream.step = Step::Wait { until_ms };
                false
            }
            (Ok(None), _) => {
                stream.step = Step::Work;
                false
            }
            (Err(()), _) => {
                // nginx's codes: ngx_http_v2_close_stream for 444, ngx_http_terminate_request for 408 and 499.
                let is_silent = stream.session.ex.status() == SILENT;
                let code = if is_silent { Code::ProtocolError } else { Code::InternalError };
                match http2.framing.reset(place, code, &mut out.bytes) {
                    Some(stream) if stream.session.ex.status() != 0 => self.finish_stream(conn, stream),
                    Some(stream) => self.recycle(stream.session),
                    None => {}
                }
                true
            }
        }
    }

    /// Counts and logs an exchange of which no more is sent than what is out.
    pub(super) fn drop_stream(&mut self, conn: &mut Conn, mut stream: Stream) {
        conn.info.requests = stream.number;
        let Session { input, ex, .. } = &mut *stream.session;
        match stream.step {
            Step::Send => ex.cut_short(0),
            _ => ex.leave(&cx!(self, conn, &input[..])),
        }
        self.finish_stream(conn, stream);
    }

    /// Counts and logs an exchange that is over.
    pub(super) fn finish_stream(&mut self, conn: &mut Conn, mut stream: Stream) {
        conn.info.requests = stream.number;
        self.finish(conn, &mut stream.session);
        if stream.session.unmeasured.count > 0 {
            self.count_times(&mut stream.session);
        }
        self.recycle(stream.session);
    }

    /// Counts and logs the exchanges whose answers are out.
    pub(super) fn finish_queued(&mut self, conn: &mut Conn, http2: &mut Http2) {
        while let Some((end, _)) = http2.queued.front()
            && *end <= http2.taken
            && let Some((_, stream)) = http2.queued.pop_front()
        {
            self.finish_stream(conn, stream);
        }
    }
}
