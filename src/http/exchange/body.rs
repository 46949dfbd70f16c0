//! The body of an exchange's request, which is read to its end and dropped.

use super::cx::Cx;
use super::error_lines;
use super::state::Exchange;
use crate::http::message::head::Framing;
use crate::http::message::reject::Reject;
use crate::http::message::request_body::RequestBody;

impl Exchange {
    /// Takes the part of the body that came with the head, before anything is answered: a request that is malformed so
    /// far gets a 400 and nothing else, as in nginx. `max`: client_max_body_size.
    pub(in crate::http) fn begin_body(&mut self, cx: &Cx, max: u64) -> Result<(), Reject> {
        if self.body.is_begun {
            return Ok(());
        }
        self.body.is_begun = true;
        if self.head.framing == Framing::None {
            return Ok(());
        }
        let reader = RequestBody::new(self.head.framing, max);
        self.body.reader = reader.inspect_err(|_| error_lines::body_too_large(self, cx))?;
        // In HTTP/2 the framing takes the body.
        if !self.is_http2() {
            let ahead = cx.input.get(self.account.head_len..).unwrap_or_default();
            self.body.ahead = self.discard(cx, ahead)?;
        }
        Ok(())
    }

    /// Drops the bytes of the request's body among `bytes`, which follow the head. Returns how many belonged to the
    /// body. Errors: the body is malformed, or larger than `client_max_body_size`; the connection must close.
    pub fn discard(&mut self, cx: &Cx, bytes: &[u8]) -> Result<usize, Reject> {
        let fed = self.body.reader.feed(bytes).inspect_err(|reject| error_lines::rejected(self, cx, *reject))?;
        self.account.body_bytes += fed.consumed as u64;
        Ok(fed.consumed)
    }

    /// The client went away while the exchange waited: the log has nginx's status for that.
    pub fn leave(&mut self, cx: &Cx) {
        error_lines::closed_early(self, cx);
        self.response.status = 499;
        self.account.is_cut_short = true;
        self.fate.keep_alive = false;
    }
}
