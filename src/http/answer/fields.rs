//! The fields of a head that depend on the kind of answer.

use crate::http::message::date;
use crate::http::message::range::ByteRange;

/// The fields of a head that depend on the kind of answer.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub content_type: Option<&'a [u8]>,
    pub content_length: Option<u64>,
    pub last_modified: Option<&'a [u8; date::LEN]>,
    pub etag: Option<&'a [u8]>,
    /// The body goes out in chunks; the head's writer decides.
    pub is_chunked: bool,
    pub accept_ranges: bool,
    pub content_range: Option<(ByteRange, u64)>,
    /// The media type without the charset, which nginx adds behind its header filters.
    pub plain_type: Option<&'a [u8]>,
    /// The length of the file of which ranges are sent.
    pub whole: Option<u64>,
}
