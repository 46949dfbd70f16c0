//! The outcomes of handshakes and limits that the ledger tells apart.

/// The end of a handshake of TLS that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeEnd {
    /// The client has closed.
    Closed,
    /// The client was too slow.
    TimedOut,
    /// The conf rejects it.
    Rejected,
    /// The client has sent an alert: the certificate does not please it, for example.
    Alert,
    /// The client shares no version, cipher suite, group or protocol.
    NothingCommon,
    /// The client does not keep to the protocol.
    Malformed,
    /// Another reason.
    Other,
}

impl HandshakeEnd {
    /// The number of ends.
    pub const COUNT: usize = HandshakeEnd::Other as usize + 1;

    /// Words for the ends, in their order.
    pub const NAMES: [&str; HandshakeEnd::COUNT] =
        ["closed", "timeout", "rejected", "alert", "nothing_common", "malformed", "other"];
}

/// A request that a limit on clients does not let by at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// `limit_req` has delayed it.
    Delayed,
    /// `limit_req` has rejected it.
    Rejected,
    /// `limit_req` would have delayed it.
    DelayedDryRun,
    /// `limit_req` would have rejected it.
    RejectedDryRun,
    /// `limit_conn` has rejected it.
    ConnRejected,
    /// `limit_conn` would have rejected it.
    ConnRejectedDryRun,
}

impl Limited {
    /// The number of outcomes.
    pub const COUNT: usize = Limited::ConnRejectedDryRun as usize + 1;

    /// The limit and its verdict, in their order: the words of `$limit_req_status` and `$limit_conn_status`.
    pub const NAMES: [(&str, &str); Limited::COUNT] = [
        ("req", "delayed"),
        ("req", "rejected"),
        ("req", "delayed_dry_run"),
        ("req", "rejected_dry_run"),
        ("conn", "rejected"),
        ("conn", "rejected_dry_run"),
    ];
}
