//! The hooks of a process that listens whenever it can.

use std::sync::Arc;

use super::{Hooks, Life, Loop, Model, Seat, Wait, workers};
use crate::dispatch::sockets::log_epoll_failure;

/// Keeps the listening sockets in the epoll set: for a worker that shares them without a lock, and for a lone worker.
pub(crate) struct Always {
    /// No other process accepts from the sockets.
    pub(crate) is_lone: bool,
}

impl Hooks for Always {
    fn before_wait(&mut self, state: &mut Loop) -> Wait {
        listen_if_possible(state)
    }

    fn has_rivals(&self, _state: &Loop, _n: u32) -> bool {
        !self.is_lone
    }
}

/// Arms the sockets if the process can accept. Otherwise limits the wait to the end of its pause.
pub(crate) fn listen_if_possible(state: &mut Loop) -> Wait {
    if state.resume_listening() {
        log_epoll_failure(state.listening.arm(&state.poller));
        return Wait::default();
    }
    let now = state.driver.clock().now_ms();
    Wait { at_most_ms: state.pause_ends().map(|at| at.saturating_sub(now)), posts: false }
}

/// The model of a process that has neither master nor dispatcher.
pub(crate) fn lone_worker() -> Arc<dyn Model> {
    Arc::new(LoneWorker)
}

struct LoneWorker;

impl Model for LoneWorker {
    fn plan(&self) -> Vec<Seat> {
        workers(1)
    }

    fn life(&self, _seat: Seat) -> Life {
        Life::Loop(Box::new(Always { is_lone: true }))
    }
}
