//! An exchange and the body of its request, which is read to its end and dropped.

use super::{Answer, Cx, Exchange, Flow, Reject, RequestBody, error_lines};

impl Exchange {
    /// Takes what of the body came with the head, before anything is answered: a request that is malformed so far gets a 400
    /// and nothing else, as in nginx. `max`: client_max_body_size.
    pub(super) fn begin_body(&mut self, cx: &Cx, max: u64) -> Result<(), Reject> {
        if self.body_begun {
            return Ok(());
        }
        self.body_begun = true;
        self.body = RequestBody::new(self.head.framing, max).inspect_err(|_| error_lines::body_too_large(self, cx))?;
        let rest = cx.input.get(self.head_len..).unwrap_or_default();
        self.body_ahead = self.discard(cx, rest)?;
        Ok(())
    }

    pub(super) fn refuse_body(&mut self, reject: Reject) -> Flow {
        self.give_up();
        Flow::Answer(Answer::Error(reject.status()))
    }

    /// Drops what there is of the request's body in `bytes`, which follow the head. Returns how many belonged to it.
    /// Errors: the body is malformed, or larger than `client_max_body_size`; the connection must close.
    pub fn discard(&mut self, cx: &Cx, bytes: &[u8]) -> Result<usize, Reject> {
        let fed = self.body.feed(bytes).inspect_err(|reject| error_lines::rejected(self, cx, *reject))?;
        self.body_bytes += fed.consumed as u64;
        Ok(fed.consumed)
    }

    /// Bytes of the input that this exchange has taken: its request's head, and what of the body came along.
    pub fn taken(&self) -> usize {
        self.head_len + self.body_ahead
    }
}
