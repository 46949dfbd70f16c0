//! The answer to a request whose handling has panicked.

use super::walk;
use crate::http::exchange::{Action, Answer, Cx, Exchange, Flow, Progress};

impl Exchange {
    /// Answers 500 in the place of whatever was begun, of which nothing has been sent, and gives the connection up. The
    /// exchange keeps its request, and no more of what it has found out.
    pub fn panicked(&mut self, cx: &Cx, out: &mut Vec<u8>) -> Action {
        self.response = Default::default();
        self.added = Default::default();
        self.values = Default::default();
        (self.account.bytes_sent, self.account.head_sent) = (0, 0);
        self.progress = Progress::Head;
        self.give_up();
        walk(self, cx, out, Flow::Answer(Answer::Error(500)))
    }

    /// Ends without an answer, or without the rest of one, because the handling has panicked; the log has 500 where
    /// there was no answer.
    pub fn forsake(&mut self, unsent: u64) {
        if self.progress != Progress::Sending {
            self.response.status = 500;
            self.account.bytes_sent = 0;
        }
        self.progress = Progress::Done;
        self.cut_short(unsent);
        self.give_up();
    }

    /// Whether the exchange has been counted, and is being logged.
    pub fn is_over(&self) -> bool {
        self.account.is_over
    }
}
