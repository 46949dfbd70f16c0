//! What passes between an exchange and who drives it: actions out, findings in.

use crate::http::message::conditional::EntityTag;
use crate::http::message::date;
pub use crate::os::file::Kind;

/// What the driver is to do next.
#[derive(Debug)]
pub enum Action {
    /// Read more of the request.
    Read,
    /// Open the file named by [`Exchange::path`](crate::http::exchange::Exchange::path) and report with [`Exchange::opened`](crate::http::exchange::Exchange::opened).
    Open,
    /// The same, but to know what is there is enough: it need not be readable.
    Look,
    /// List that directory and report with [`Exchange::listed`](crate::http::exchange::Exchange::listed).
    List,
    /// Send what was appended to the output, then this; then go on with [`crate::http::exchange::Exchange::sent`].
    Send(Body),
    /// Close the connection without a word.
    Close,
}

/// The part of a response that is not in the output buffer already.
#[derive(Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing more.
    None,
    /// These bytes of the file last opened.
    File { start: u64, end: u64 },
    /// Several ranges of that file, each behind a head of its own, and the closing boundary.
    Parts { parts: Vec<Part>, close: Vec<u8> },
}

/// One part of a `multipart/byteranges` body.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    pub head: Vec<u8>,
    pub start: u64,
    pub end: u64,
}

/// What an [`Action::Open`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    pub kind: Kind,
    pub len: u64,
    /// Last modification, seconds since 1970.
    pub mtime: i64,
    /// Made once, when the file is opened, for every response that sends them.
    pub etag: EntityTag,
    pub last_modified: [u8; date::LEN],
}

impl Found {
    pub fn new(kind: Kind, len: u64, mtime: i64) -> Found {
        Found { kind, len, mtime, etag: EntityTag::new(mtime, len), last_modified: date::format(mtime) }
    }
}

/// A name of a directory that an [`Action::List`] found, through symbolic links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub name: Vec<u8>,
    pub kind: Kind,
    pub len: u64,
    /// Last modification, seconds since 1970.
    pub mtime: i64,
}

/// What follows on the connection once a response has been queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// The next request.
    KeepAlive,
    /// More of this request's body, to be dropped.
    Discard,
    /// Closing; `linger` when the client may still be sending, so that a reset does not eat the response.
    Close { linger: bool },
}
