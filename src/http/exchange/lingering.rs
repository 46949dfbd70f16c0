//! The end of a connection whose client may still be sending: it is read from for a while, because a close would be a
//! reset, and take the answer from the client (RFC 9112 section 9.6).

use crate::conf::{self, Contexts, OneOf, Setting};

/// When a closing connection is read from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lingering {
    /// The connection is closed at once.
    Off,
    /// The client is waited for if it may send more.
    #[default]
    On,
    /// The client is always waited for.
    Always,
}

impl OneOf for Lingering {
    const WORDS: &'static [(&'static str, Self)] = &[("off", Self::Off), ("on", Self::On), ("always", Self::Always)];
}

/// `lingering_close`: when a closing connection is read from.
pub static LINGERING_CLOSE: Setting<Lingering> =
    Setting::one_of("lingering_close").contexts(Contexts::HTTP_ALL).default("on").about(
        "Whether a connection that is to be closed is read from, and what comes is dropped, until the client has \
         closed its side: `on`, if the client may send more; `always`; or `off`, never, which can take the end of an \
         answer from a client that is still sending.",
    );

/// `lingering_time`: how long a closing connection is read from, and a body whose request has its answer, ms.
pub static LINGERING_TIME: Setting<u64> =
    Setting::time_ms("lingering_time").contexts(Contexts::HTTP_ALL).default("30s").about(
        "How long a closing connection is read from at most (`lingering_close`), and how long the rest of a body may \
         take on a connection that is kept when its request has been answered.",
    );

/// `lingering_timeout`: how long a closing connection may be silent, ms.
pub static LINGERING_TIMEOUT: Setting<u64> = Setting::time_ms("lingering_timeout")
    .contexts(Contexts::HTTP_ALL)
    .default("5s")
    .about("How long a closing connection may be silent before it is closed (`lingering_close`).");

/// The directives of this module: `lingering_close`, `lingering_time`, `lingering_timeout`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&LINGERING_CLOSE, &LINGERING_TIME, &LINGERING_TIMEOUT];
