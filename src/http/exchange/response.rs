//! The response of an exchange, as far as it is known.

use super::action::Found;
use super::answer::Answer;
use crate::http::message::accept_encoding::Coding;
use crate::http::message::charset::Table;
use crate::http::message::gzip::Recipe;
use std::cell::RefCell;
use std::sync::Arc;

/// The properties of the response that are known by now; those of the head once it is written.
#[derive(Debug, Default)]
pub struct Response {
    /// The status code that is sent and logged; 0 while it is not known.
    pub status: u16,
    /// Seconds since 1970.
    pub last_modified: Option<i64>,
    /// The method is not one of those that the resource has.
    pub(in crate::http) method_refused: bool,
    /// The head is the one that is kept with the file, or will be (`answer/ready.rs`).
    pub(in crate::http) is_steady: bool,
    /// A file is being sent, or a word about it (304).
    pub(in crate::http) is_of_file: bool,
    /// The target of a redirect, also when an error page is sent in its place.
    pub(in crate::http) location: Option<Vec<u8>>,
    /// Size of the file of which a 416 has no such range.
    pub(in crate::http) unsatisfied: Option<u64>,
    pub(in crate::http) codings: Codings,
    /// The file that is sent when its driver has said whether it is kept as gzip.
    pub(in crate::http) waiting: Option<Found>,
    /// Length of the gzip that is kept of the file.
    pub(in crate::http) kept: Option<u64>,
    /// The charset that the body has, whatever the conf says.
    pub(in crate::http) charset: Option<&'static str>,
    /// The table that the body passes, from its own charset into that of the conf.
    pub(in crate::http) recoding: Option<Arc<Table>>,
    /// The request's fields that have chosen the response, which it says in Vary.
    pub(in crate::http) chosen_by: Option<&'static str>,
    /// The response tells a browser which requests scripts of other origins may make.
    pub(in crate::http) is_preflight: bool,
    /// The head, kept where the conf asks for `$sent_http_*`.
    head: Lines,
    /// The fields behind the body, kept where the conf asks for `$sent_trailer_*`.
    pub(in crate::http) trailers: RefCell<Lines>,
    /// The media type that the header filters see, where another is sent.
    seen_type: Option<Vec<u8>>,
    /// The length of the file whose ranges are sent, while the header filters run.
    seen_length: Option<String>,
}

/// Content codings: the client's, and the response's.
#[derive(Debug, Default, Clone, Copy)]
pub(in crate::http) struct Codings {
    /// Whether the client gets gzip (nginx's `gzip_ok`); `None`: nobody has asked yet (`gzip_tested`).
    pub takes_gzip: Option<bool>,
    /// Whether the client's weights (RFC 9110) are in favour of gzip; `None`: it is asked as nginx asks.
    pub accepts_gzip: Option<bool>,
    /// The file depends on Accept-Encoding (nginx's `gzip_vary`), which the response says if `gzip_vary` is on.
    pub varies: bool,
    /// The response says so, whatever `gzip_vary` is: the client's weights choose.
    pub always_says_so: bool,
    /// The client won't have the file as it is.
    pub refuses_identity: bool,
    /// The coding of the file that is sent.
    pub sent: Option<Coding>,
    /// The change of the body on its way out.
    pub coded: Coded,
    /// The lengths of the body before and behind its compressor, when it is through.
    pub lengths: Option<(u64, u64)>,
}

/// The change of a body on its way out.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Coded {
    /// None.
    #[default]
    No,
    /// None, because the client does not take gzip.
    Refused,
    /// The body is compressed.
    Gzip(Recipe),
    /// The body is decompressed.
    Gunzip,
}

impl Codings {
    /// Whether the response depends on Accept-Encoding.
    pub(in crate::http) fn varies(&self) -> bool {
        self.varies || self.coded != Coded::No
    }

    /// Whether the body is changed on its way out.
    pub(in crate::http) fn is_coded(&self) -> bool {
        matches!(self.coded, Coded::Gzip(_) | Coded::Gunzip)
    }
}

/// Lines of fields that were sent, as they were.
#[derive(Debug, Default)]
pub(in crate::http) struct Lines(pub(in crate::http) Vec<u8>);

impl Lines {
    /// The values of a field, line by line; `_` in `name` stands for `-`.
    pub(super) fn values<'s>(&'s self, name: &'s [u8]) -> impl Iterator<Item = &'s [u8]> {
        self.0.split(|&byte| byte == b'\n').filter_map(move |line| {
            let colon = memchr::memchr(b':', line)?;
            let same = |(a, b): (&u8, &u8)| a.to_ascii_lowercase() == if *b == b'_' { b'-' } else { *b };
            let fits = colon == name.len() && line[..colon].iter().zip(name).all(same);
            fits.then(|| line[colon + 1..].trim_ascii())
        })
    }
}

impl Response {
    /// Makes it ready for the next request; keeps the memory of its buffers.
    pub(super) fn reset(&mut self) {
        // The pattern forgets none.
        let Response {
            status,
            last_modified,
            method_refused,
            location,
            unsatisfied,
            codings,
            charset,
            is_steady,
            is_of_file,
            recoding,
            chosen_by,
            is_preflight,
            waiting,
            kept,
            seen_type,
            seen_length,
            head,
            trailers,
        } = self;
        head.0.clear();
        trailers.get_mut().0.clear();
        *codings = Codings::default();
        *recoding = None;
        (*waiting, *kept) = (None, None);
        (*status, *last_modified, *method_refused, *location, *unsatisfied) = Default::default();
        (*charset, *chosen_by, *is_preflight) = Default::default();
        (*is_steady, *is_of_file, *seen_type, *seen_length) = Default::default();
    }

    /// Whether the head of a file shows nothing of what is known so far.
    pub(in crate::http) fn is_plain(&self) -> bool {
        // The pattern forgets none.
        let Response {
            location,
            codings,
            charset,
            recoding,
            chosen_by,
            is_preflight,
            status: _,
            last_modified: _,
            method_refused: _,
            is_steady: _,
            is_of_file: _,
            unsatisfied: _,
            waiting: _,
            kept: _,
            seen_type: _,
            seen_length: _,
            trailers: _,
            head: _,
        } = self;
        location.is_none()
            && !codings.varies()
            && codings.sent.is_none()
            && !codings.refuses_identity
            && charset.is_none()
            && recoding.is_none()
            && chosen_by.is_none()
            && !is_preflight
    }

    /// The answer to a method that neither files nor views have.
    pub(in crate::http) fn refuse_method(&mut self) -> Answer {
        self.method_refused = true;
        Answer::Error(405)
    }

    /// The values of a field that was sent, line by line; `_` in `name` stands for `-`. While the head is being
    /// written, its lines so far.
    pub(in crate::http) fn sent<'s>(&'s self, name: &'s [u8]) -> impl Iterator<Item = &'s [u8]> {
        let seen = match name {
            b"content_type" => self.seen_type.as_deref(),
            b"content_length" => self.seen_length.as_deref().map(str::as_bytes),
            _ => None,
        };
        self.head.values(name).map(move |value| seen.unwrap_or(value))
    }

    /// Lets the header filters see the media type without its charset, and the whole file in place of its ranges: nginx
    /// adds charsets and makes ranges behind them, so that a 206 has the fields of the 200 (RFC 9110, 15.3.7).
    pub(in crate::http) fn begin_filters(&mut self, plain_type: Option<&[u8]>, whole: Option<u64>) {
        self.seen_type = plain_type.map(<[u8]>::to_vec);
        self.seen_length = whole.map(|length| length.to_string());
    }

    /// Shows the response as it is sent.
    pub(in crate::http) fn end_filters(&mut self) {
        (self.seen_type, self.seen_length) = (None, None);
    }

    /// The status that variables show; 0 while it is not known.
    pub(in crate::http) fn shown_status(&self) -> u16 {
        if self.seen_length.is_some() { 200 } else { self.status }
    }

    /// Keeps the lines that have been added to a head, for `$sent_http_*`.
    pub(in crate::http) fn keep(&mut self, head: &[u8]) {
        self.head.0.extend_from_slice(head.get(self.head.0.len()..).unwrap_or_default());
    }
}
