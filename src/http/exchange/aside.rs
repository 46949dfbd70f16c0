//! A request in the place of another, for a part of its answer: nginx's subrequest. It has a target, a response and
//! errors of its own, and shares the head, the connection and the values of variables with the one that waits.

use super::added::{Side, Waiting};
use super::answer::Answer;
use super::parts::Target;
use super::state::Exchange;
use crate::http::message::head::Method;

impl Exchange {
    /// Whether a request runs in the place of another.
    pub fn is_aside(&self) -> bool {
        self.added.waiting.is_some()
    }

    /// Lets a request for `uri` run, before this one gets its `answer`.
    pub(in crate::http) fn step_aside(&mut self, uri: &str, side: Side, answer: Answer) {
        let captured = std::mem::take(&mut self.target.captured);
        let mut target = Target { captured, server: self.target.server, is_internal: true, ..Target::default() };
        target.uri.extend_from_slice(uri.as_bytes());
        self.added.waiting = Some(Box::new(Waiting {
            side,
            answer,
            method: std::mem::replace(&mut self.head.method, Method::Get),
            target: std::mem::replace(&mut self.target, target),
            response: std::mem::take(&mut self.response),
            error: std::mem::take(&mut self.error),
            access: std::mem::take(&mut self.access),
            mark: std::mem::take(&mut self.mark),
            fate: std::mem::take(&mut self.fate),
        }));
    }

    /// Goes on with the request that has waited. Returns its answer.
    pub(in crate::http) fn step_back(&mut self) -> Option<(Side, Answer)> {
        let Waiting { side, answer, method, mut target, response, error, access, mark, fate } =
            *self.added.waiting.take()?;
        target.captured = std::mem::take(&mut self.target.captured);
        self.head.method = method;
        (self.target, self.response, self.error) = (target, response, error);
        (self.access, self.mark, self.fate) = (access, mark, fate);
        Some((side, answer))
    }
}
