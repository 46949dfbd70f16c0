//! The answer that a phase gives, before it is bytes.

use super::action::Found;
use crate::http::message::range::ByteRange;

/// The way an exchange ends.
#[derive(Debug)]
pub enum Answer {
    /// The file found.
    File {
        /// The file that the driver has opened.
        found: Found,
        /// The ranges of the file that a 206 sends, in this order; empty: the whole file.
        ranges: Vec<ByteRange>,
    },
    /// 304, for the file found or for a text.
    NotModified(Option<Found>),
    /// A status with the built-in page, unless the conf has another.
    Error(u16),
    /// `target`: a uri of this server, or a URL.
    Redirect {
        /// Status code: 301, 302, 303, 307 or 308.
        status: u16,
        /// The value of Location, before `absolute_redirect` completes it.
        target: Vec<u8>,
    },
    /// A text made by a phase; without a media type of its own it has that of the uri's extension.
    Text {
        /// Status code of the response.
        status: u16,
        /// The whole body.
        body: Vec<u8>,
        /// The value of Content-Type; `None`: `types` and `default_type` decide.
        media_type: Option<&'static str>,
    },
    /// The connection is closed without a response (`return 444`); the log has this status.
    Close(u16),
}

impl Answer {
    /// The whole file.
    pub(in crate::http) fn whole(found: Found) -> Answer {
        Answer::File { found, ranges: Vec::new() }
    }

    /// The answer to a status that the conf says and that is no redirect: nginx closes the connection without a
    /// response for some of them.
    pub(in crate::http) fn failure(status: u16) -> Answer {
        match status {
            408 | 444 | 499 => Answer::Close(status),
            status => Answer::Error(status),
        }
    }
}
