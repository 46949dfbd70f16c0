//! How requests ended, as the lab's own client saw it.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

/// The result of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outcome {
    /// The number of the request in the plan.
    pub request: usize,
    /// The planned send, from the start of the load.
    pub planned: Duration,
    /// From the planned send to the first byte of the answer.
    pub first_byte: Option<Duration>,
    pub ending: Ending,
    pub counts: bool,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Answered,
    Refused,
    Reset,
    /// The connection was closed before the answer was complete.
    Closed,
    TimedOut,
    Status(u16),
    BadAnswer,
    Other,
}

impl Ending {
    pub(crate) fn from_error(error: &io::Error) -> Ending {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Ending::Refused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                Ending::Reset
            }
            io::ErrorKind::TimedOut => Ending::TimedOut,
            _ => Ending::Other,
        }
    }
}

/// The result of a plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    pub outcomes: Vec<Outcome>,
    /// The delay of each request behind its plan, in the order of the plan.
    pub late: Vec<Duration>,
    /// Connections opened while the plan ran, and connections that were open before.
    pub opened: u64,
    pub idle: u64,
    /// The connections opened before the plan, by number, that were closed while it ran, and when.
    pub gone: BTreeMap<usize, Duration>,
    /// CPU time of the client's thread, and elapsed time, until only slow readers were left.
    pub cpu: Duration,
    pub elapsed: Duration,
    pub ended: Option<Instant>,
}

impl Run {
    /// The part of a closed loop behind the first `answered` requests, which were answered at `from`.
    pub(crate) fn since(mut self, (answered, from): (usize, Instant)) -> Run {
        self.outcomes.drain(..answered.min(self.outcomes.len()));
        self.opened = self.opened.min(self.outcomes.len() as u64);
        let elapsed = self.ended.map_or(self.elapsed, |ended| ended.saturating_duration_since(from));
        self.cpu = self.cpu.mul_f64((elapsed.as_secs_f64() / self.elapsed.as_secs_f64().max(1e-9)).min(1.0));
        self.elapsed = elapsed;
        self
    }
}
