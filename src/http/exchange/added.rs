//! Bodies around that of an answer, and the request that waits for them.

use super::answer::Answer;
use super::parts::{AccessState, ErrorState, Fate, MarkState, Target};
use super::response::Response;
use crate::http::message::head::Method;

/// The answer's body is to stand between others.
#[derive(Debug, Default)]
pub(crate) struct AddedState {
    /// The answer gets additions.
    pub(in crate::http) is_wanted: bool,
    /// The body in front of the answer's own.
    pub(in crate::http) before: Vec<u8>,
    /// The body behind it.
    pub(in crate::http) after: Vec<u8>,
    pub(super) waiting: Option<Box<Waiting>>,
}

/// The side of the answer's own body to which another is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Side {
    Before,
    After,
}

/// The parts of a request that waits, and its answer.
#[derive(Debug)]
pub(super) struct Waiting {
    pub side: Side,
    pub answer: Answer,
    pub method: Method,
    pub target: Target,
    pub response: Response,
    pub error: ErrorState,
    pub access: AccessState,
    pub mark: MarkState,
    pub fate: Fate,
}

impl AddedState {
    /// Makes it ready for the next request.
    pub(super) fn reset(&mut self) {
        if self.is_wanted || self.waiting.is_some() {
            *self = AddedState::default();
        }
    }
}
