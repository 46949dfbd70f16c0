//! The settings of the `events` block that do not depend on the model.

/// How the processes of every model accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptOptions {
    /// `multi_accept`: take all connections that wait, or one at a time.
    pub multi_accept: bool,
    /// `accept_mutex_delay`: how long a loop without descriptors, or one that lost the mutex, waits until it tries
    /// again, ms.
    pub accept_mutex_delay_ms: u64,
    /// `accept_mutex_lease`: how long the mutex's holder may be silent while connections wait, ms; `None`: for ever.
    pub accept_mutex_lease_ms: Option<u64>,
    /// `worker_connections`.
    pub connections: usize,
}
