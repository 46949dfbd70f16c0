//! How requests ended, as the lab's own client saw it.

use std::io;
use std::time::Duration;

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
    /// CPU time of the client's thread, and elapsed time, until only slow readers were left.
    pub cpu: Duration,
    pub elapsed: Duration,
}
