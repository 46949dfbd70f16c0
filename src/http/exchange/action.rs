//! The words between an exchange and its driver: actions out, findings in.

use crate::http::message::charset::Table;
use crate::http::message::conditional::EntityTag;
use crate::http::message::date;
use crate::http::message::gzip::Recipe;
use crate::http::message::password;
pub use crate::os::file::FileKind;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// The driver's next step. `path()`, `opened()` and `listed()` are methods of [`Exchange`](super::state::Exchange).
#[derive(Debug)]
pub enum Action {
    /// Read more of the request.
    Read,
    /// Open the file at `path()` and report with `opened()`.
    Open,
    /// Find out what is at `path()`, which need not be readable, and report with `opened()`.
    Stat,
    /// List the directory at `path()` and report with `listed()`.
    List,
    /// The same, with names and kinds alone: lengths and times may be 0.
    Names,
    /// Find out whether the file last opened is kept as gzip, and report with `kept()`.
    FindGzip(Recipe),
    /// Read the file at `path()`, and report with `contents()`; what is added to an answer is the file last opened.
    Contents,
    /// Find out whether a password fits, and report with `checked()`.
    Check(Check),
    /// Let so many milliseconds pass, then go on with `resume()`.
    Wait(u64),
    /// Send the bytes that were appended to the output, then this; `after()` tells what follows.
    Send(Body),
    /// Close the connection without a response.
    Close,
}

/// A password and the hash that it is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The password that the client has sent.
    pub password: Vec<u8>,
    /// The hash in the file.
    pub hash: Vec<u8>,
}

impl Check {
    /// Whether the password fits: some milliseconds of work, or many.
    pub fn run(&self) -> bool {
        password::verify(&self.password, &self.hash)
    }
}

/// The part of a response that is not in the output buffer already.
#[derive(Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing more.
    None,
    /// Bytes `start` up to, not including, `end` of the file last opened.
    File {
        /// Offset of the first byte to send.
        start: u64,
        /// Offset behind the last byte to send.
        end: u64,
    },
    /// All of that file, compressed.
    Gzip {
        /// The way the gzip is made.
        recipe: Recipe,
        /// The length that the head says, of a gzip that is kept.
        kept: Option<u64>,
        /// The gzip goes out in chunks.
        is_chunked: bool,
    },
    /// All of that file, which is gzip, decompressed.
    Gunzip {
        /// The bytes go out in chunks.
        is_chunked: bool,
    },
    /// The bytes of another body, in another charset.
    Recoded {
        /// The table that the bytes pass; gzip is undone before, and made behind it.
        table: Arc<Table>,
        /// The body whose bytes they are.
        body: Box<Body>,
        /// The bytes go out in chunks.
        is_chunked: bool,
    },
    /// Several ranges of that file, each behind a head of its own, and the closing boundary.
    Parts {
        /// The ranges, in the order they are sent.
        parts: Vec<Part>,
        /// The closing boundary, with its line ends (RFC 2046 section 5.1.1).
        close: Vec<u8>,
    },
}

/// A part of a `multipart/byteranges` body: a head, then bytes of the file.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// The boundary and the fields that precede the bytes (RFC 9110 section 14.6).
    pub head: Vec<u8>,
    /// Offset of the part's first byte in the file.
    pub start: u64,
    /// Offset behind the part's last byte in the file.
    pub end: u64,
}

/// The file that an [`Action::Open`] or [`Action::Stat`] has found. A copy shares the facts with it: they are passed on
/// many times on the way of a request, and are too many to be moved.
#[derive(Debug, Clone)]
pub struct Found(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    facts: Facts,
    /// For connections that are closed, and for those that are kept.
    ready: [OnceLock<ReadyHead>; 2],
}

/// The facts about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The kind of object that the path leads to.
    pub kind: FileKind,
    /// Size of the file, bytes.
    pub len: u64,
    /// Last modification, seconds since 1970.
    pub mtime: i64,
    /// Its owner may execute it, or, of a directory, search it.
    pub is_executable: bool,
    /// Made once, when the file is opened, for every response with this field.
    pub etag: EntityTag,
    /// The time says something about what the file holds.
    pub(in crate::http) is_dated: bool,
    /// A Zstandard file that no browser unpacks: its window is too wide for the web.
    pub is_too_wide: bool,
    /// The value of Last-Modified: `mtime` as an HTTP date (RFC 9110 section 5.6.7).
    pub last_modified: [u8; date::LEN],
}

impl Deref for Found {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0.facts
    }
}

impl From<Facts> for Found {
    fn from(facts: Facts) -> Found {
        Found(Arc::new(Shared { facts, ready: Default::default() }))
    }
}

impl Found {
    /// Takes a hash of what the file holds in the place of its time: `None`, while it is not known.
    pub fn know_contents(&mut self, hash: Option<&[u8; 16]>) {
        let etag = hash.map_or(EntityTag::NONE, EntityTag::of_contents);
        *self = Found::from(Facts { etag, is_dated: false, ..**self });
    }

    /// The place for a head that is kept with the file.
    pub(in crate::http) fn ready(&self, keep_alive: bool) -> &OnceLock<ReadyHead> {
        &self.0.ready[usize::from(keep_alive)]
    }
}

impl Facts {
    /// Gathers the facts about a file; `len` is its size in bytes, `mtime` its last modification, seconds since 1970,
    /// `mode` has its permission bits.
    pub fn new(kind: FileKind, len: u64, mtime: i64, mode: u32) -> Facts {
        let (etag, last_modified) = (EntityTag::new(mtime, len), date::format(mtime));
        let is_executable = mode & libc::S_IXUSR != 0;
        Facts { kind, len, mtime, is_executable, etag, is_dated: true, is_too_wide: false, last_modified }
    }

    /// Last modification, seconds since 1970, if that says something about what the file holds.
    pub(in crate::http) fn modified(&self) -> Option<i64> {
        self.is_dated.then_some(self.mtime)
    }
}

/// The head of a 200 with the whole file, for one location and uri.
#[derive(Debug)]
pub(in crate::http) struct ReadyHead {
    pub location: usize,
    pub uri: Box<[u8]>,
    pub text: Box<[u8]>,
    /// Where the value of Date stands in the text.
    pub date_at: usize,
}

/// A name of a directory that an [`Action::List`] or [`Action::Names`] found, through symbolic links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The entry's file name, without its directory.
    pub name: Vec<u8>,
    /// The kind of object that the entry leads to.
    pub kind: FileKind,
    /// Size of the object, bytes.
    pub len: u64,
    /// Last modification, seconds since 1970.
    pub mtime: i64,
}

/// The next step on the connection once a response has been queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// The next request.
    KeepAlive,
    /// More of this request's body, to be dropped.
    Discard,
    /// Closing; `linger` when the client may still be sending, so that a reset does not eat the response.
    Close {
        /// The socket is read for a while before it is closed (lingering_close).
        linger: bool,
    },
}
